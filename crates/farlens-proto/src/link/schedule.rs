//! Whose turn it is: control before data, and streams in turn within each.
//!
//! While several streams have data each gets a quantum of 16 KiB at a time; a stream that is alone
//! fills the batch.

use farlens_wire::StreamId;
use std::collections::{BTreeMap, VecDeque};

/// What a stream may send in one turn while others wait, and may fetch when the queue is full.
const QUANTUM_BYTES: usize = 16 << 10;
/// A frame of data is not worth beginning with less room than this, unless the batch is empty.
const WORTHWHILE_BYTES: usize = 1 << 10;

/// What one stream needs from the scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Control frames wait.
    pub(super) control: bool,
    /// Elements, or what follows them, wait and may go.
    pub(super) data: bool,
    /// It wants to ask its source for more.
    pub(super) hungry: bool,
    /// Encoded bytes that wait.
    pub(super) queued: usize,
    /// Encoded bytes that were asked for and have not come.
    pub(super) reserved: usize,
}

/// A queue in which each stream stands at most once.
#[derive(Debug, Default)]
struct Turn(VecDeque<StreamId>);

#[derive(Debug, Default)]
struct Entry {
    needs: Needs,
    in_control: bool,
    in_data: bool,
    in_hungry: bool,
}

impl Entry {
    /// Whether it says nothing.
    fn is_idle(&self) -> bool {
        self.needs == Needs::default() && !(self.in_control || self.in_data || self.in_hungry)
    }
}

/// The queues of one link.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Streams that need something; of many, most do not.
    entries: BTreeMap<StreamId, Entry>,
    control: Turn,
    data: Turn,
    hungry: Turn,
    queued: usize,
    reserved: usize,
    budget: usize,
}

impl Turn {
    fn join(&mut self, id: StreamId, wanted: bool, inside: &mut bool) {
        if wanted && !*inside {
            *inside = true;
            self.0.push_back(id);
        }
    }
}

impl Schedule {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            control: Turn::default(),
            data: Turn::default(),
            hungry: Turn::default(),
            queued: 0,
            reserved: 0,
            budget,
        }
    }

    /// Encoded bytes that wait, over all streams.
    pub(super) const fn queued(&self) -> usize {
        self.queued
    }

    /// What a stream may still fetch before the queue is full. One that has nothing yet always gets
    /// a little: others may have asked for what is long in coming, and hold their room meanwhile.
    pub(super) fn room(&self, id: StreamId) -> usize {
        let room = self.budget.saturating_sub(self.queued.saturating_add(self.reserved));
        let needs = self.entries.get(&id).map(|entry| entry.needs).unwrap_or_default();
        let least = if needs.queued == 0 && needs.reserved == 0 { QUANTUM_BYTES } else { 0 };
        room.max(least)
    }

    pub(super) fn has_work(&self) -> bool {
        [&self.control, &self.data, &self.hungry].iter().any(|turn| !turn.0.is_empty())
    }

    /// Notes what a stream needs.
    pub(super) fn set(&mut self, id: StreamId, needs: Needs) {
        let entry = match self.entries.get_mut(&id) {
            Some(entry) => entry,
            None if needs == Needs::default() => return,
            None => self.entries.entry(id).or_default(),
        };
        let before = std::mem::replace(&mut entry.needs, needs);
        self.queued = self.queued.saturating_sub(before.queued).saturating_add(needs.queued);
        self.reserved =
            self.reserved.saturating_sub(before.reserved).saturating_add(needs.reserved);
        self.control.join(id, needs.control, &mut entry.in_control);
        self.data.join(id, needs.data, &mut entry.in_data);
        self.hungry.join(id, needs.hungry, &mut entry.in_hungry);
        if entry.is_idle() {
            self.entries.remove(&id);
        }
    }

    /// A stream is no more.
    pub(super) fn forget(&mut self, id: StreamId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.queued = self.queued.saturating_sub(entry.needs.queued);
            self.reserved = self.reserved.saturating_sub(entry.needs.reserved);
            for (turn, inside) in [
                (&mut self.control, entry.in_control),
                (&mut self.data, entry.in_data),
                (&mut self.hungry, entry.in_hungry),
            ] {
                if inside {
                    turn.0.retain(|&other| other != id);
                }
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.budget);
    }

    /// The next stream with control frames.
    pub(super) fn next_control(&mut self) -> Option<StreamId> {
        while let Some(id) = self.control.0.pop_front() {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.in_control = false;
                if std::mem::take(&mut entry.needs.control) {
                    if entry.is_idle() {
                        self.entries.remove(&id);
                    }
                    return Some(id);
                }
            }
        }
        None
    }

    /// The next stream with data, and what it may send of the `room` that a batch still has.
    pub(super) fn next_data(&mut self, room: usize) -> Option<(StreamId, usize)> {
        if room < WORTHWHILE_BYTES {
            return None;
        }
        while let Some(id) = self.data.0.pop_front() {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.in_data = false;
                if entry.needs.data {
                    let alone = self.data.0.is_empty();
                    return Some((id, if alone { room } else { room.min(QUANTUM_BYTES) }));
                }
            }
        }
        None
    }

    pub(super) fn hungry_len(&self) -> usize {
        self.hungry.0.len()
    }

    /// The next stream that wants to ask its source. Call [`Schedule::set`] for it afterwards.
    pub(super) fn next_hungry(&mut self) -> Option<StreamId> {
        let id = self.hungry.0.pop_front()?;
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.in_hungry = false;
        }
        Some(id)
    }
}
