//! Which operation comes next.

use super::{Condition, Goal, Op};
use crate::rng::Rng;
use farlens_wire::{AtEnd, Delivery, Edge, Flags, Kind, Pos, Position};

/// What the choice of the next operation depends on.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The first position of each source, and one past its last.
    pub sources: Vec<(u64, u64)>,
    /// What streams on each source allow at the most.
    pub modes: Vec<Flags>,
    /// The streams of the users.
    pub users: Vec<User>,
    /// Whether the connection may break, stall or be shut down.
    pub cuts: bool,
    /// The largest arguments of a call, in bytes.
    pub call_bytes: u64,
    /// The largest run that is handed in at once, in elements.
    pub run: u64,
}

/// What a user can do with a stream.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// Its source.
    pub source: usize,
    /// Whether it may write.
    pub writes: bool,
    /// Whether it may read places beside the cursor.
    pub ranges: bool,
}

/// A place in or around `start..=end`.
fn place(rng: &mut Rng, (start, end): (u64, u64)) -> Pos {
    let wild = [i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX];
    if rng.one_in(24) {
        let by = *rng.pick(&wild);
        return match rng.below(3) {
            0 => Pos::Abs(Position::MAX),
            1 => Pos::FromStart(by),
            _ => Pos::FromEnd(by),
        };
    }
    let length = end - start;
    let beyond = if rng.one_in(8) { rng.small(40) } else { 0 };
    let at = match rng.below(4) {
        0 => rng.small(length),
        1 => length - rng.small(length),
        _ => rng.below(length + 1),
    };
    match rng.below(4) {
        0 => Pos::FromStart((at + beyond) as i64),
        1 => Pos::FromEnd(at as i64 - length as i64 + beyond as i64),
        _ => Pos::Abs(Position::new(start + at + beyond).unwrap_or(Position::MAX)),
    }
}

fn at_end(rng: &mut Rng) -> AtEnd {
    if rng.one_in(3) { AtEnd::Follow } else { AtEnd::Stop }
}

fn open(rng: &mut Rng, view: &View) -> Op {
    let missing = u64::from(rng.one_in(40));
    let source = rng.below(view.sources.len() as u64 + missing) as usize;
    let bounds = view.sources.get(source).copied().unwrap_or((0, 0));
    let both = Flags::READABLE | Flags::WRITABLE;
    let able = view.modes.get(source).copied().unwrap_or(both);
    let flags = match rng.below(24) {
        0 => Flags::READABLE | Flags::SEEK,
        1 => both,
        2 => Flags::WRITABLE,
        3 => Flags::READABLE | Flags::SEEK_FWD,
        4..=9 if able.has(Flags::READABLE) => Flags::READABLE,
        _ => able.without(able.without(both)),
    };
    let kind = match rng.below(24) {
        0 => Some(Kind::Bytes),
        1 => Some(Kind::Items),
        _ => None,
    };
    let start = if rng.one_in(2) { Pos::START } else { place(rng, bounds) };
    let (at_end, elements) = (at_end(rng), !rng.one_in(16));
    let delivery = if rng.one_in(5) { Delivery::Latest } else { Delivery::Lossless };
    let node = usize::from(rng.one_in(3));
    Op::Open { node, source, flags, kind, start, at_end, delivery, elements }
}

fn condition(rng: &mut Rng) -> Condition {
    match rng.below(12) {
        0 => Condition::Version,
        1 => Condition::OldVersion,
        2 | 3 => Condition::End,
        4 => Condition::OtherEnd,
        _ => Condition::None,
    }
}

/// What a user does who may write.
fn write(rng: &mut Rng, user: usize, bounds: (u64, u64), run: u64) -> Op {
    match rng.below(33) {
        0..=13 => {
            let to = match rng.below(4) {
                0 => Goal::At(Pos::END),
                1 => Goal::At(place(rng, bounds)),
                _ => Goal::Here,
            };
            let elements = if rng.one_in(8) { 0 } else { 1 + rng.small(run) };
            Op::Write { user, to, condition: condition(rng), elements }
        }
        14..=21 => Op::Push { user, elements: 1 + rng.small(run) },
        22..=26 => {
            let edge = if rng.one_in(2) { Edge::Before } else { Edge::After };
            Op::Truncate { user, edge, to: place(rng, bounds), condition: condition(rng) }
        }
        27..=29 => Op::Sync { user, finish: rng.one_in(4) },
        30 => Op::Close { user },
        _ => Op::Burst { user, steps: 1 + rng.small(80) },
    }
}

/// What a user does who reads.
fn read(rng: &mut Rng, user: usize, (start, end): (u64, u64), ranges: bool) -> Op {
    match rng.below(32) {
        0..=15 => {
            let max = if rng.one_in(3) { u64::MAX } else { 1 + rng.small(5_000) };
            Op::Read { user, max }
        }
        16..=22 => {
            let (to, gives_back) = (place(rng, (start, end)), rng.one_in(3));
            Op::Seek { user, to, at_end: at_end(rng), gives_back }
        }
        23..=29 if ranges || rng.one_in(6) => {
            let length = 1 + rng.small(2 * (end - start) + 100);
            let at = if rng.one_in(40) { i64::MAX as u64 - rng.small(9) } else { end };
            let near = start.saturating_sub(rng.small(4));
            let at = if at == end { near + rng.below(end - near + 3) } else { at };
            Op::Range { user, at, length }
        }
        30 if ranges && rng.one_in(3) => Op::Scatter { user, places: rng.small(300) },
        30 => Op::Forget { user },
        31 => Op::Close { user },
        _ => Op::Read { user, max: u64::MAX },
    }
}

/// What the owner of a source or its disk does.
fn own(rng: &mut Rng, source: usize, (start, end): (u64, u64)) -> Op {
    let length = end - start;
    match rng.below(16) {
        0..=4 => Op::Grow { source, elements: 1 + rng.small(300) },
        5 | 6 => Op::Evict { source, elements: rng.small(length) },
        7 => Op::Shrink { source, elements: rng.small(length) },
        8 | 9 => {
            let at = start + rng.below(length + 1);
            Op::Overwrite { source, at, elements: rng.small(end - at) }
        }
        10 if rng.one_in(2) => Op::Finish { source },
        11 => Op::Break { source, at: start + rng.below(length + 1) },
        12 => {
            let room = if rng.one_in(3) { None } else { Some(rng.small(4_000)) };
            Op::Fill { source, room }
        }
        13 | 14 => Op::Repair { source },
        _ => Op::Slow { micros: rng.small(60_000) },
    }
}

/// The next thing that happens.
#[must_use]
pub fn choose(rng: &mut Rng, view: &View) -> Op {
    let source = rng.below(view.sources.len() as u64) as usize;
    if view.users.is_empty() || rng.one_in(9) {
        return open(rng, view);
    }
    let user = rng.below(view.users.len() as u64) as usize;
    let node = usize::from(rng.one_in(3));
    let User { source: used, writes, ranges } = view.users[user];
    match rng.below(64) {
        0..=38 if writes && !rng.one_in(3) => write(rng, user, view.sources[used], view.run),
        0..=38 => read(rng, user, view.sources[used], ranges),
        39..=52 => own(rng, source, view.sources[source]),
        53 if rng.one_in(2) => Op::Fail { user },
        54..=56 => Op::Call { node, length: rng.small(view.call_bytes) as usize },
        57 => Op::Cancel { node },
        58 if view.cuts && rng.one_in(4) => Op::Drain { node },
        59 if view.cuts => Op::Cut,
        60 if view.cuts => {
            let micros = if rng.one_in(6) { 60_000_000 } else { rng.small(3_000_000) };
            Op::Stall { node, micros }
        }
        61 => Op::Close { user },
        _ => open(rng, view),
    }
}
