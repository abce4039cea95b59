//! How much a round does, and what for it the stage must bear.

use super::Workload;
use crate::{peer::Stage, wan::Wan};
use std::time::Duration;

/// How much a round does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    /// Bytes of a bulk read.
    pub(crate) bytes: u64,
    /// Bytes over a line, in all streams together, and more for each millisecond of it.
    pub(crate) wan_bytes: u64,
    pub(crate) wan_bytes_each_ms: u64,
    /// Bytes that are written to a live log.
    pub(crate) log_bytes: u64,
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
    /// Streams on which nothing comes.
    pub(crate) idle: u64,
}

impl Amounts {
    /// Rounds of about half a second; over the longest lines of three.
    pub(crate) const FULL: Self = Self {
        bytes: 1 << 30,
        wan_bytes: 64 << 20,
        wan_bytes_each_ms: 2 << 20,
        log_bytes: 8 << 20,
        entities: 1_000_000,
        each: 100,
        sequential: 5_000,
        parallel: 100_000,
        connections: 50,
        idle: 10_000,
    };
    /// Just enough to see that everything runs.
    pub(crate) const QUICK: Self = Self {
        bytes: 32 << 20,
        wan_bytes: 2 << 20,
        wan_bytes_each_ms: 16 << 10,
        log_bytes: 256 << 10,
        entities: 20_000,
        each: 10,
        sequential: 200,
        parallel: 2_000,
        connections: 3,
        idle: 500,
    };
}

/// Active readers beside the one that stands still.
pub(super) const ACTIVE: u64 = 63;
/// Streams that are open at a time where they are many.
pub(super) const MANY: u64 = 1000;
/// Streams that are opened before the idle ones, so that what a first one costs is paid.
pub(super) const FIRST_IDLE: u64 = 1000;

/// Streams at a time that every system is set up for, which is farlens's default.
const STREAMS: u32 = 256;
/// Bytes that a stream may be ahead where that has to be set: enough for loopback, and for a long
/// line.
const WINDOW: u32 = 4 << 20;
const LONG_WINDOW: u32 = 32 << 20;
/// Lines from this round trip on are long.
const LONG_MS: u64 = 10;

impl Workload {
    /// The stage that it is played on.
    pub(crate) fn stage(self, stage: &Stage, amounts: Amounts) -> Stage {
        let room = |streams: u64| u32::try_from(streams).unwrap_or(u32::MAX).max(STREAMS);
        let stage = stage.clone();
        match self {
            Self::Wan { ms, streams, .. } => {
                let tls = stage.tls.clone().over(Wan { round_trip: Duration::from_millis(ms) });
                let bytes = amounts.wan_bytes + ms * amounts.wan_bytes_each_ms;
                let window = if ms >= LONG_MS { LONG_WINDOW } else { WINDOW };
                Stage { tls, bytes: bytes / streams, window, ..stage }
            }
            Self::StalledReader | Self::StalledReaderWithout => {
                Stage { bytes: amounts.bytes / ACTIVE, ..stage }
            }
            Self::Items1000Streams => Stage { streams: room(MANY), ..stage },
            Self::IdleStreamBytes => Stage { streams: room(FIRST_IDLE + amounts.idle), ..stage },
            _ => stage,
        }
    }
}

impl Stage {
    /// How every system is set up unless its workload needs more.
    pub(crate) const USUAL: (u32, u32) = (STREAMS, WINDOW);
}
