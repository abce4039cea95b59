//! What users, sources and the wire do in the simulated world, and how that is chosen.

use crate::rng::Rng;
use farlens_wire::{AtEnd, Flags, Kind, Pos, Position};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Somebody opens a stream.
    Open {
        /// The side that opens.
        node: usize,
        /// The source, which may not exist.
        source: usize,
        /// The flags that are asked for.
        flags: Flags,
        /// The kind that is asked for.
        kind: Option<Kind>,
        /// Where to begin.
        start: Pos,
        /// What to do at the end.
        at_end: AtEnd,
        /// Whether elements are wanted.
        elements: bool,
    },
    /// A reader takes elements.
    Read {
        /// Which reader.
        reader: usize,
        /// How many at most.
        max: u64,
    },
    /// A reader goes elsewhere.
    Seek {
        /// Which reader.
        reader: usize,
        /// Where to.
        to: Pos,
        /// What to do at the end.
        at_end: AtEnd,
        /// Whether it gives back some of what it took last.
        gives_back: bool,
    },
    /// A reader leaves.
    Close {
        /// Which reader.
        reader: usize,
    },
    /// A source gets more elements.
    Grow {
        /// Which source.
        source: usize,
        /// How many.
        elements: u64,
    },
    /// The end of a source becomes final.
    Finish {
        /// Which source.
        source: usize,
    },
    /// A source fails when it is read at this place.
    Break {
        /// Which source.
        source: usize,
        /// Where.
        at: u64,
    },
    /// A source works again.
    Repair {
        /// Which source.
        source: usize,
    },
    /// The serving side ends a stream.
    Fail {
        /// Which reader loses it.
        reader: usize,
    },
    /// Somebody calls.
    Call {
        /// The side that calls.
        node: usize,
        /// The length of the arguments, in bytes.
        length: usize,
    },
    /// Somebody gives up the latest call.
    Cancel {
        /// The side that called.
        node: usize,
    },
    /// A side shuts down.
    Drain {
        /// Which side.
        node: usize,
    },
    /// The connection breaks.
    Cut,
    /// One direction carries nothing for a while.
    Stall {
        /// The sender of that direction.
        node: usize,
        /// For how long, in microseconds.
        micros: u64,
    },
}

/// What the choice of the next operation depends on.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// How many readers there are.
    pub readers: usize,
    /// The length of each source.
    pub lengths: Vec<u64>,
    /// The source of each reader.
    pub reads: Vec<usize>,
    /// Whether the connection may break, stall or be shut down.
    pub cuts: bool,
    /// The largest arguments of a call, in bytes.
    pub call_bytes: u64,
}

/// A place in or around `0..=length`.
fn place(rng: &mut Rng, length: u64) -> Pos {
    let wild = [i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX];
    if rng.one_in(24) {
        let by = *rng.pick(&wild);
        return match rng.below(3) {
            0 => Pos::Abs(Position::MAX),
            1 => Pos::FromStart(by),
            _ => Pos::FromEnd(by),
        };
    }
    let beyond = if rng.one_in(8) { rng.small(40) } else { 0 };
    let at = match rng.below(4) {
        0 => rng.small(length),
        1 => length - rng.small(length),
        _ => rng.below(length + 1),
    };
    match rng.below(4) {
        0 => Pos::FromStart((at + beyond) as i64),
        1 => Pos::FromEnd(at as i64 - length as i64 + beyond as i64),
        _ => Pos::Abs(Position::new(at + beyond).unwrap_or(Position::MAX)),
    }
}

fn at_end(rng: &mut Rng) -> AtEnd {
    if rng.one_in(3) { AtEnd::Follow } else { AtEnd::Stop }
}

fn open(rng: &mut Rng, view: &View) -> Op {
    let missing = u64::from(rng.one_in(20));
    let source = rng.below(view.lengths.len() as u64 + missing) as usize;
    let length = view.lengths.get(source).copied().unwrap_or(0);
    let flags = match rng.below(12) {
        0 => Flags::READABLE | Flags::SEEK,
        1 => Flags::READABLE | Flags::WRITABLE,
        2 => Flags::READABLE | Flags::SEEK_FWD,
        _ => Flags::READABLE,
    };
    let kind = match rng.below(10) {
        0 => Some(Kind::Bytes),
        1 => Some(Kind::Items),
        _ => None,
    };
    let start = if rng.one_in(2) { Pos::START } else { place(rng, length) };
    let (at_end, elements) = (at_end(rng), !rng.one_in(16));
    Op::Open { node: usize::from(rng.one_in(5)), source, flags, kind, start, at_end, elements }
}

/// The next thing that happens.
#[must_use]
pub fn choose(rng: &mut Rng, view: &View) -> Op {
    let sources = view.lengths.len() as u64;
    let source = rng.below(sources) as usize;
    if view.readers == 0 || rng.one_in(9) {
        return open(rng, view);
    }
    let reader = rng.below(view.readers as u64) as usize;
    let node = usize::from(rng.one_in(3));
    match rng.below(64) {
        0..=29 => {
            let max = if rng.one_in(3) { u64::MAX } else { 1 + rng.small(5_000) };
            Op::Read { reader, max }
        }
        30..=43 => {
            let length = view.lengths[view.reads[reader]];
            let (to, gives_back) = (place(rng, length), rng.one_in(3));
            Op::Seek { reader, to, at_end: at_end(rng), gives_back }
        }
        44..=46 => Op::Close { reader },
        47..=50 => Op::Grow { source, elements: 1 + rng.small(300) },
        51 => Op::Finish { source },
        52 => Op::Break { source, at: rng.below(view.lengths[source] + 1) },
        53 => Op::Repair { source },
        54 if rng.one_in(2) => Op::Fail { reader },
        55..=58 => Op::Call { node, length: rng.small(view.call_bytes) as usize },
        59 => Op::Cancel { node },
        60 if view.cuts && rng.one_in(4) => Op::Drain { node },
        61 if view.cuts => Op::Cut,
        62 if view.cuts => {
            let micros = if rng.one_in(6) { 60_000_000 } else { rng.small(3_000_000) };
            Op::Stall { node, micros }
        }
        _ => open(rng, view),
    }
}
