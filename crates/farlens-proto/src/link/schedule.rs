//! Whose turn it is: control before data, then the most urgent class, and in turn within it.
//!
//! While several streams have data each gets a quantum of 16 KiB at a time; a stream that is alone
//! fills the batch. A class that always has data leaves one part in sixteen to those below it, so
//! that nothing waits for ever.

mod class;
mod entry;

pub(super) use entry::{Flow, Needs};

use crate::stream::hunger::Hunger;
use class::Class;
use entry::Entry;
use farlens_wire::{StreamId, Urgency};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
};

/// What a stream may send in one turn while others wait, and may fetch when the queue is full.
const QUANTUM_BYTES: usize = 16 << 10;
/// A frame of data is not worth beginning with less room than this, unless the batch is empty.
const WORTHWHILE_BYTES: usize = 1 << 10;
/// What more urgent classes send at the most until one below has a turn.
const AHEAD_BYTES: usize = 15 * QUANTUM_BYTES;

/// A queue in which each stream stands at most once.
#[derive(Debug, Default)]
struct Turn(VecDeque<StreamId>);

/// The queues of one link.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Streams that need something; of many, most do not.
    entries: BTreeMap<StreamId, Entry>,
    control: Turn,
    classes: BTreeMap<Urgency, Class>,
    /// Streams that may ask their source now.
    hungry: Turn,
    /// Streams that may do so while there is room for more.
    held: Turn,
    /// What more urgent classes have sent while one below waited.
    ahead: usize,
    /// The class that had a turn although a more urgent one had data.
    favoured: Urgency,
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

    fn leave(&mut self, id: StreamId, inside: bool) {
        if inside {
            self.0.retain(|&other| other != id);
        }
    }
}

impl Schedule {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            control: Turn::default(),
            classes: BTreeMap::new(),
            hungry: Turn::default(),
            held: Turn::default(),
            ahead: 0,
            favoured: Urgency::MOST,
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
        let has_elements = self.entries.get(&id).is_some_and(|entry| entry.needs.has_elements());
        self.free().max(if has_elements { 0 } else { QUANTUM_BYTES })
    }

    fn free(&self) -> usize {
        self.budget.saturating_sub(self.queued.saturating_add(self.reserved))
    }

    pub(super) fn has_work(&self) -> bool {
        let waits = !self.control.0.is_empty() || self.hungry_len() > 0;
        waits || self.classes.values().any(|class| !class.flows.is_empty())
    }

    /// Notes what a stream needs. Its urgency never changes.
    pub(super) fn set(&mut self, id: StreamId, needs: Needs) {
        let entry = match self.entries.get_mut(&id) {
            Some(entry) => entry,
            None if needs.are_none() => return,
            None => self.entries.entry(id).or_default(),
        };
        let before = std::mem::replace(&mut entry.needs, needs);
        self.queued = self.queued.saturating_sub(before.queued).saturating_add(needs.queued);
        self.reserved =
            self.reserved.saturating_sub(before.reserved).saturating_add(needs.reserved);
        self.control.join(id, needs.control, &mut entry.in_control);
        let (hungry, held) = (needs.hunger != Hunger::None, needs.can_wait());
        self.hungry.join(id, hungry && !held, &mut entry.in_hungry);
        self.held.join(id, held, &mut entry.in_held);
        for flow in [Flow::Cursor, Flow::Ranges] {
            if entry.is_ready(flow) && !std::mem::replace(entry.is_inside(flow), true) {
                let class = self.classes.entry(flow.class(needs.urgency)).or_default();
                class.flows.push_back((id, flow));
            }
        }
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
                (&mut self.hungry, entry.in_hungry),
                (&mut self.held, entry.in_held),
            ] {
                turn.leave(id, inside);
            }
            let inside = [(Flow::Cursor, entry.in_cursor), (Flow::Ranges, entry.in_ranges)];
            for (flow, _) in inside.into_iter().filter(|(_, inside)| *inside) {
                let class = self.classes.entry(flow.class(entry.needs.urgency)).or_default();
                class.forget(id);
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

    /// The next stream with data, and what it may send of the `room` that a batch still has. Call
    /// [`Schedule::sent`] for it afterwards.
    pub(super) fn next_data(&mut self, room: usize) -> Option<(StreamId, Flow, usize)> {
        if room < WORTHWHILE_BYTES {
            return None;
        }
        let first = self.ready_class(Bound::Unbounded)?;
        let class = match self.class_below(first) {
            Some(below) if self.ahead >= AHEAD_BYTES => {
                (self.ahead, self.favoured) = (0, below);
                below
            }
            _ => first,
        };
        let alone = self.classes.values().map(|class| class.flows.len()).sum::<usize>() == 1;
        let Class { flows, left } = self.classes.get(&class)?;
        let &(id, flow) = flows.front()?;
        Some((id, flow, if alone { room } else { room.min(*left) }))
    }

    /// The flow that was given last has sent so much of what it might. Call [`Schedule::set`]
    /// before.
    pub(super) fn sent(&mut self, id: StreamId, flow: Flow, bytes: usize) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let ready = entry.is_ready(flow);
        let urgency = flow.class(entry.needs.urgency);
        let class = self.classes.entry(urgency).or_default();
        class.left = class.left.saturating_sub(bytes);
        if !ready || class.left < WORTHWHILE_BYTES {
            class.pop();
            *entry.is_inside(flow) = ready;
            if ready {
                class.flows.push_back((id, flow));
            } else if entry.is_idle() {
                self.entries.remove(&id);
            }
        }
        let waits = self.class_below(urgency).is_some();
        self.ahead = if waits { self.ahead.saturating_add(bytes) } else { 0 };
    }

    /// The most urgent class from there on with a flow that is ready.
    fn ready_class(&mut self, from: Bound<Urgency>) -> Option<Urgency> {
        let (classes, entries) = (&mut self.classes, &mut self.entries);
        let mut below = classes.range_mut((from, Bound::Unbounded));
        below.find_map(|(&urgency, class)| class.has_ready(entries).then_some(urgency))
    }

    /// The class below this one whose turn it would be.
    fn class_below(&mut self, class: Urgency) -> Option<Urgency> {
        let next = self.favoured.max(class);
        self.ready_class(Bound::Excluded(next)).or_else(|| self.ready_class(Bound::Excluded(class)))
    }

    /// Streams that may ask their source now. Who has elements waits until there is room for a
    /// whole quantum: thousands that wait for room are not looked at each time, and none of them
    /// fetches crumbs.
    pub(super) fn hungry_len(&self) -> usize {
        let held = if self.free() >= QUANTUM_BYTES { self.held.0.len() } else { 0 };
        self.hungry.0.len().saturating_add(held)
    }

    /// The next of them. Call [`Schedule::set`] for it afterwards.
    pub(super) fn next_hungry(&mut self) -> Option<StreamId> {
        if let Some(id) = self.hungry.0.pop_front() {
            self.entries.entry(id).and_modify(|entry| entry.in_hungry = false);
            return Some(id);
        }
        if self.free() < QUANTUM_BYTES {
            return None;
        }
        let id = self.held.0.pop_front()?;
        self.entries.entry(id).and_modify(|entry| entry.in_held = false);
        Some(id)
    }
}

#[cfg(test)]
mod tests;
