//! What is measured: one name for each, and the round behind it.

mod beside;
mod bulk;
mod calls;
mod entities;
mod first_byte;
mod random;
mod wan;

use crate::{
    Result,
    cell::Stand,
    measure::Measured,
    peer::{Peer, Stage},
    wan::Wan,
};
use std::{sync::Arc, time::Duration};

/// Whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// A workload, as it is named on the command line and in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Workload {
    /// Bytes from memory.
    BulkReadMemory,
    /// Bytes from a file in the page cache.
    BulkReadFile,
    /// Bytes into a file, up to where the server has written all of them.
    BulkWriteFile,
    /// Entities that are sent and taken one by one.
    EntitiesOne,
    /// Entities in batches of 256.
    EntitiesBatch,
    /// One small call after another.
    CallP50,
    /// Small calls, 64 of them under way.
    #[value(name = "calls_64")]
    Calls64,
    /// One read of 4 KiB after another.
    #[value(name = "random_4k_p50")]
    Random4kP50,
    /// Reads of 4 KiB, 64 of them under way.
    #[value(name = "random_4k_64")]
    Random4k64,
    /// From nothing to the first byte: TCP, TLS, the system's own greeting, and a read.
    FirstByte,
    /// Entities in a thousand streams at a time.
    #[value(name = "items_1000_streams")]
    Items1000Streams,
    /// Bytes from memory beside a stream on the same connection whose reader stands still.
    StalledReader,
    /// A call each millisecond while bulk data flows the same way as its answers.
    #[value(name = "call_p99_beside_bulk")]
    CallP99BesideBulk,
    /// What these calls leave of the bulk rate.
    BulkBesideCalls,
    /// Bytes over a line of a gigabit with 20 ms there and back, in one stream.
    #[value(name = "wan_20_1")]
    Wan20One,
    /// The same in eight streams.
    #[value(name = "wan_20_8")]
    Wan20Eight,
    /// With 100 ms, in one stream.
    #[value(name = "wan_100_1")]
    Wan100One,
    /// The same in eight streams.
    #[value(name = "wan_100_8")]
    Wan100Eight,
}

/// How much a round does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    /// Bytes of a bulk read.
    pub(crate) bytes: u64,
    /// Bytes over a long line, in all streams together.
    pub(crate) wan_bytes: u64,
    /// Entities of an iteration.
    pub(crate) entities: u64,
    /// Entities of each of a thousand streams.
    pub(crate) each: u64,
    /// Calls or reads one after another.
    pub(crate) sequential: u64,
    /// Calls or reads with many under way.
    pub(crate) parallel: u64,
    /// Connections.
    pub(crate) connections: u64,
}

impl Amounts {
    /// Rounds of about a second.
    pub(crate) const FULL: Self = Self {
        bytes: 1 << 30,
        wan_bytes: 128 << 20,
        entities: 1_000_000,
        each: 200,
        sequential: 5_000,
        parallel: 100_000,
        connections: 50,
    };
    /// Just enough to see that everything runs.
    pub(crate) const QUICK: Self = Self {
        bytes: 32 << 20,
        wan_bytes: 8 << 20,
        entities: 20_000,
        each: 10,
        sequential: 200,
        parallel: 2_000,
        connections: 3,
    };
}

/// Streams that share a long line.
const WAN_STREAMS: u64 = 8;

impl Workload {
    /// The stage that it is played on.
    pub(crate) fn stage(self, stage: &Stage, amounts: Amounts) -> Stage {
        let (round_trip, streams) = match self {
            Self::Wan20One => (20, 1),
            Self::Wan20Eight => (20, WAN_STREAMS),
            Self::Wan100One => (100, 1),
            Self::Wan100Eight => (100, WAN_STREAMS),
            _ => return stage.clone(),
        };
        let wan = Wan { round_trip: Duration::from_millis(round_trip) };
        let tls = stage.tls.clone().over(wan);
        Stage { tls, bytes: amounts.wan_bytes / streams, ..stage.clone() }
    }

    /// The unit of its figure.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::BulkReadMemory
            | Self::BulkReadFile
            | Self::BulkWriteFile
            | Self::BulkBesideCalls
            | Self::StalledReader
            | Self::Wan20One
            | Self::Wan20Eight
            | Self::Wan100One
            | Self::Wan100Eight => "MB/s",
            Self::EntitiesOne | Self::EntitiesBatch | Self::Items1000Streams => "M items/s",
            Self::Calls64 => "calls/s",
            Self::Random4k64 => "reads/s",
            Self::CallP50 | Self::Random4kP50 | Self::FirstByte | Self::CallP99BesideBulk => "us",
        }
    }

    /// Whether more of that is better.
    pub(crate) fn better(self) -> Better {
        if self.unit() == "us" { Better::Lower } else { Better::Higher }
    }

    /// Runs one round.
    ///
    /// # Errors
    /// When the system fails, or anything else arrives than was sent.
    pub(crate) async fn round<P: Peer>(
        self,
        stand: Arc<Stand<P>>,
        amounts: Amounts,
    ) -> Result<Measured> {
        match self {
            Self::BulkReadMemory => bulk::memory(&stand).await,
            Self::BulkReadFile => bulk::file(&stand).await,
            Self::BulkWriteFile => bulk::write(&stand).await,
            Self::EntitiesOne => entities::one(&stand).await,
            Self::EntitiesBatch => entities::batch(&stand).await,
            Self::CallP50 => calls::sequential(&stand, amounts).await,
            Self::Calls64 => calls::parallel(&stand, amounts).await,
            Self::Random4kP50 => random::sequential(&stand, amounts).await,
            Self::Random4k64 => random::parallel(&stand, amounts).await,
            Self::FirstByte => first_byte::connect(&stand, amounts).await,
            Self::Wan20One | Self::Wan100One => wan::read(&stand, 1).await,
            Self::Wan20Eight | Self::Wan100Eight => wan::read(&stand, WAN_STREAMS).await,
            Self::Items1000Streams => entities::streams(&stand, amounts).await,
            Self::StalledReader => bulk::beside_a_stalled_one(&stand).await,
            Self::CallP99BesideBulk => beside::calls(&stand).await,
            Self::BulkBesideCalls => beside::bulk(&stand).await,
        }
    }
}

/// Refuses what is not as it has to be.
fn check(what: &str, got: u64, expected: u64) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(format!("{what}: {got} arrived, not {expected}").into())
}
