//! Data that can be changed, in a plain vector, on a disk that is full, slow or broken.

use crate::{
    model::{Edit, Elements, Published},
    rng::Rng,
    source::{mode, position},
};
use farlens_proto::{Accepted, Ask, Fault, Reach, Reply, State};
use farlens_wire::{Bounds, Code, Edge, Flags, Kind, Mode};

/// One source of the simulated world.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) mode: Mode,
    pub(super) append_only: bool,
    pub(super) reach: Reach,
    pub(super) live: bool,
    pub(super) start: u64,
    pub(super) elements: Elements,
    pub(super) ended: bool,
    /// Whether it has a version.
    pub(super) versioned: bool,
    pub(super) changes: u64,
    /// Reading here fails.
    pub(super) fails_at: Option<u64>,
    /// Elements that can still be stored before the disk is full.
    pub(super) room: Option<u64>,
    /// No change succeeds.
    pub(super) broken: bool,
    /// Whether it may store fewer elements than it is given.
    pub(super) stingy: bool,
}

impl Store {
    pub(super) const fn kind(&self) -> Kind {
        self.elements.kind()
    }

    pub(super) const fn end(&self) -> u64 {
        self.start + self.elements.len()
    }

    pub(super) fn version(&self) -> Vec<u8> {
        if self.versioned { self.changes.to_be_bytes().to_vec() } else { Vec::new() }
    }

    pub(super) fn state(&self) -> State {
        let (start, end) = (Some(position(self.start)), Some(position(self.end())));
        State { bounds: Bounds { start, end }, version: self.version(), ended: self.ended }
    }

    /// What a stream on it is accepted with whose peer asks for `flags`.
    pub(super) fn accepted(&self, flags: Flags) -> Option<Accepted> {
        Some(Accepted {
            append_only: self.append_only,
            reach: self.reach,
            live: self.live,
            kind: self.kind(),
            mode: self.mode.limited_to(flags)?,
            state: self.state(),
            fingerprint: None,
            schema: None,
        })
    }

    /// What the model knows of it at first.
    pub(super) fn published(&self) -> Published {
        let (start, end, version) = (self.start, self.end(), self.version());
        let run = self.elements.clone();
        Published {
            kind: self.kind(),
            flags: self.mode.flags(),
            append_only: self.append_only,
            reach: self.reach,
            live: self.live,
            edits: vec![Edit { start, end, version, ended: self.ended, at: start, run }],
            failures: Vec::new(),
        }
    }

    /// Does the work that a link asks for, all at once.
    pub(super) fn perform(&mut self, ask: &Ask, rng: &mut Rng) -> Reply {
        match ask {
            Ask::State => Reply::State(self.state()),
            Ask::Read { at, bytes, elements } => self.read(at.get(), *bytes, *elements, rng),
            Ask::Range { at, bytes } => self.read(at.get(), *bytes, *bytes as u64, rng),
            _ => self.change(ask, rng).unwrap_or_else(Reply::Failed),
        }
    }

    fn read(&self, at: u64, bytes: usize, elements: u64, rng: &mut Rng) -> Reply {
        if self.fails_at == Some(at) {
            return Reply::Failed(Fault::new(Code::SOURCE_FAILED, "told to fail here"));
        }
        if at < self.start || at >= self.end() {
            return Reply::Nothing(self.state());
        }
        let stop = self.fails_at.filter(|&fails| fails > at).unwrap_or(u64::MAX);
        let most = elements.min(self.end().min(stop) - at);
        let count = if rng.one_in(5) { rng.between(1, most) } else { most };
        let from = at - self.start;
        Reply::Some(self.elements.chunk(from, from + count, bytes))
    }

    /// How a change fails that the disk does not take, if it does not.
    pub(super) fn disk_fault(&self, ask: &Ask) -> Option<Code> {
        match ask {
            _ if self.broken => Some(Code::STORAGE_IO),
            Ask::Write { .. } if self.room == Some(0) => Some(Code::STORAGE_FULL),
            _ => None,
        }
    }

    fn change(&mut self, ask: &Ask, rng: &mut Rng) -> Result<Reply, Fault> {
        if let Some(code) = self.disk_fault(ask) {
            return Err(Fault::new(code, "told to fail"));
        }
        let (at, elements) = match ask {
            Ask::Write { to, chunk, rules } => {
                let room = rules.judge_write(&self.state(), *to, chunk.elements())?;
                let at = room.at.get();
                if self.ended && at + room.elements > self.end() {
                    return Err(Fault::new(Code::END_OF_SPACE, "the end is final"));
                }
                let most = room.elements.min(self.room.unwrap_or(u64::MAX));
                let short = self.stingy && rng.one_in(3);
                let count = if short { rng.between(1, most) } else { most };
                self.room = self.room.map(|left| left - count);
                self.store(at, &Elements::of(chunk).slice(0, count));
                (room.at, count)
            }
            Ask::Truncate { edge, to, rules } => {
                let at = rules.judge_truncate(&self.state(), *edge, *to)?;
                if self.ended && *edge == Edge::After && at.get() != self.end() {
                    return Err(Fault::new(Code::END_OF_SPACE, "the end is final"));
                }
                self.cut(*edge, at.get());
                (at, 0)
            }
            _ => return Ok(Reply::Synced),
        };
        Ok(Reply::Changed { at, elements })
    }

    /// Puts elements at a place from the start on.
    pub(super) fn store(&mut self, at: u64, run: &Elements) {
        self.changes += 1;
        let filler = Elements::filler(self.kind(), at.saturating_sub(self.end()));
        self.elements.append(&filler);
        self.elements.put(at - self.start, run);
    }

    /// Moves an end.
    pub(super) fn cut(&mut self, edge: Edge, to: u64) {
        self.changes += 1;
        match edge {
            Edge::Before => {
                let from = to - self.start;
                self.elements = self.elements.slice(from, self.elements.len());
                self.start = to;
            }
            Edge::After if to > self.end() => {
                let filler = Elements::filler(self.kind(), to - self.end());
                self.elements.append(&filler);
            }
            Edge::After => self.elements.truncate(to - self.start),
        }
    }
}

/// The mode of a source that may be changed in some ways.
fn flags(rng: &mut Rng) -> Flags {
    let bounded = Flags::START_BOUNDED | Flags::END_BOUNDED;
    let mut flags = bounded | Flags::WRITABLE;
    if !rng.one_in(8) {
        flags = flags | Flags::READABLE;
    }
    if !rng.one_in(4) {
        flags = flags | Flags::END_CAN_INC | Flags::CAN_MOVE_END;
    }
    if rng.one_in(2) {
        flags = flags | Flags::END_CAN_DEC | Flags::CAN_MOVE_END;
    }
    if rng.one_in(3) {
        flags = flags | Flags::START_CAN_INC | Flags::CAN_MOVE_START;
    }
    flags | seek(rng)
}

pub(super) fn seek(rng: &mut Rng) -> Flags {
    if rng.one_in(4) {
        *rng.pick(&[Flags::NONE, Flags::SEEK_FWD, Flags::SEEK_REW])
    } else {
        Flags::SEEK
    }
}

/// A source that may be changed, and begins with these elements.
pub(super) fn changeable(rng: &mut Rng, elements: Elements) -> Store {
    let mode = mode(flags(rng));
    let far = Reach { end: position(rng.small(10_000)), gap: rng.small(200) };
    let grows = mode.has(Flags::END_CAN_INC);
    Store {
        append_only: grows && rng.one_in(5),
        reach: if rng.one_in(4) { far } else { Reach { gap: 500, ..Reach::default() } },
        live: elements.kind() == Kind::Items && rng.one_in(2),
        start: if rng.one_in(4) { rng.small(1_000) } else { 0 },
        ended: !grows && !mode.has(Flags::END_CAN_DEC) && rng.one_in(2),
        versioned: rng.one_in(2),
        changes: 1,
        fails_at: None,
        room: None,
        broken: false,
        stingy: rng.one_in(2),
        mode,
        elements,
    }
}

/// A source that only its owner changes, if anybody does.
pub(super) fn readable(rng: &mut Rng, elements: Elements) -> Store {
    let bounded = Flags::READABLE | Flags::START_BOUNDED | Flags::END_BOUNDED | seek(rng);
    let moves = match rng.below(5) {
        0 => Flags::FIXED_DATA,
        1 => Flags::NONE,
        2 => Flags::END_CAN_INC,
        3 => Flags::END_CAN_INC | Flags::START_CAN_INC,
        _ => Flags::END_CAN_INC | Flags::END_CAN_DEC | Flags::START_CAN_INC,
    };
    Store {
        mode: mode(bounded | moves),
        append_only: false,
        ended: !moves.has(Flags::END_CAN_INC) && !rng.one_in(3),
        ..changeable(rng, elements)
    }
}
