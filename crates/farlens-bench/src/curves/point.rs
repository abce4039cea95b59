//! A point of a curve: what is measured there, and what of it is shown.

use super::{links, messages, streams};
use crate::{
    Result,
    interrupt::unless_interrupted,
    measure::Measured,
    peer::Stage,
    runtimes::{Layout, Runtimes},
    stage::Set,
    systems::{farlens::Farlens, raw::Raw},
    workloads::Amounts,
};
use serde::{Deserialize, Serialize};

/// How many of something there are.
pub(super) const NUMBERS: [u64; 5] = [1, 10, 100, 1_000, 10_000];
/// How large a message is.
pub(super) const MESSAGES: [u64; 12] = [
    16, 64, 256, 1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000, 16_000_000,
    50_000_000,
];

/// What is measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    Streams,
    RawStreams,
    IdleStreams,
    BusyStreams,
    Links,
    RawLinks,
    Entities,
    Calls,
}

/// What of that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Quantity {
    /// Bytes in time.
    Rate,
    /// Messages in time.
    Number,
    /// Bytes of memory.
    Memory,
}

impl Quantity {
    /// As it is named at the axis.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rate => "MB/s",
            Self::Number => "messages/s",
            Self::Memory => "MB",
        }
    }

    /// The power of `x` with which it goes where cost is linear.
    pub(super) const fn linear(self) -> i32 {
        match self {
            Self::Rate => 0,
            Self::Number => -1,
            Self::Memory => 1,
        }
    }
}

/// A point.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(super) what: What,
    pub(super) quantity: Quantity,
    pub(super) x: u64,
    pub(super) quick: bool,
}

impl Point {
    /// Measures it in this process.
    ///
    /// # Errors
    /// When farlens fails, or anything else arrives than was sent.
    pub(crate) fn measure(self) -> Result<Measured> {
        let runtimes = Runtimes::start(Layout::Multi)?;
        let set = Set::build(&runtimes, Amounts::QUICK)?;
        let stage = set.stage.clone();
        let measured = async move { tokio::spawn(self.at(stage)).await? };
        runtimes.client().block_on(unless_interrupted(measured))
    }

    async fn at(self, stage: Stage) -> Result<Measured> {
        let many = u32::try_from(self.x + 1)?.max(stage.streams);
        match self.what {
            What::Entities => messages::entities(self).await,
            What::Calls => messages::calls(self).await,
            What::Links => links::idle::<Farlens>(&stage, self.x).await,
            What::RawLinks => links::idle::<Raw>(&stage, self.x).await,
            What::IdleStreams => streams::idle(&Stage { streams: many, ..stage }, self.x).await,
            What::Streams | What::RawStreams | What::BusyStreams => {
                let bytes: u64 = if self.quick { 16 << 20 } else { 2 << 30 };
                let stage = Stage { streams: many, bytes: bytes / self.x, ..stage };
                match self.what {
                    What::Streams => streams::rate::<Farlens>(&stage, self.x).await,
                    What::RawStreams => streams::rate::<Raw>(&stage, self.x).await,
                    _ => streams::memory(&stage, self.x).await,
                }
            }
        }
    }
}
