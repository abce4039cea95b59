//! How much a round does, and what for it the stage must bear.

use super::Workload;
use crate::{peer::Stage, wan::Wan};
use std::time::Duration;

/// How much a round does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    /// Bytes of a bulk read.
    pub(crate) bytes: u64,
    /// Round trips over a line before the clock starts, and while it runs, which is so much longer.
    pub(crate) first_trips: u32,
    pub(crate) trips: u32,
    pub(crate) line: Duration,
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
    /// Rounds of about half a second; over the longest lines of three and a half.
    pub(crate) const FULL: Self = Self {
        bytes: 1 << 30,
        first_trips: 10,
        trips: 5,
        line: Duration::from_millis(500),
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
        first_trips: 2,
        trips: 1,
        line: Duration::from_millis(50),
        log_bytes: 256 << 10,
        entities: 20_000,
        each: 10,
        sequential: 200,
        parallel: 2_000,
        connections: 3,
        idle: 500,
    };
}

/// How long a line is read from before the clock starts, and while it runs.
pub(super) struct Line {
    pub(super) first: Duration,
    pub(super) then: Duration,
}

impl Amounts {
    /// For a line of so many milliseconds there and back.
    pub(super) fn line(self, ms: u64) -> Line {
        let trip = Duration::from_millis(ms);
        Line { first: self.first_trips * trip, then: self.line + self.trips * trip }
    }
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
                let Line { first, then } = amounts.line(ms);
                let bytes = 2.0 * Wan::RATE * (first + then).as_secs_f64();
                let window = if ms >= LONG_MS { LONG_WINDOW } else { WINDOW };
                Stage { tls, bytes: bytes as u64 / streams, window, ..stage }
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
