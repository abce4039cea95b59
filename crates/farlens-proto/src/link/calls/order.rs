//! Calls to one object start in the order made, so none overtakes another that goes out in parts.

use super::{CallOn, CallTicket};
use std::collections::{BTreeMap, BTreeSet};

/// What calls are made on, as far as their order is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Root,
    /// By the number of the reference.
    Object(u64),
    Answer(CallTicket),
}

impl From<&CallOn> for Key {
    fn from(on: &CallOn) -> Self {
        match on {
            CallOn::Root => Self::Root,
            CallOn::Object(reference) => Self::Object(reference.number()),
            CallOn::Answer(parent) => Self::Answer(*parent),
        }
    }
}

#[derive(Debug, Default)]
struct Line {
    /// Messages that go out in parts: one, or two where an answer turned out to be a known object.
    going: usize,
    waiting: BTreeSet<CallTicket>,
}

/// The objects to which something goes out in parts.
#[derive(Debug, Default)]
pub(super) struct Order(BTreeMap<Key, Line>);

impl Order {
    /// A message to this object has begun to go out.
    pub(super) fn begin(&mut self, on: &CallOn) {
        let line = self.0.entry(on.into()).or_default();
        line.going = line.going.saturating_add(1);
    }

    /// It is out, or given up; the calls that waited for that.
    pub(super) fn end(&mut self, on: &CallOn) -> BTreeSet<CallTicket> {
        let key = on.into();
        let Some(line) = self.0.get_mut(&key) else { return BTreeSet::new() };
        line.going = line.going.saturating_sub(1);
        if line.going > 0 {
            return BTreeSet::new();
        }
        self.0.remove(&key).map(|line| line.waiting).unwrap_or_default()
    }

    /// Has a call wait if it must; says whether it does.
    pub(super) fn hold(&mut self, on: &CallOn, ticket: CallTicket) -> bool {
        let Some(line) = self.0.get_mut(&on.into()) else { return false };
        line.waiting.insert(ticket);
        true
    }

    /// A call waits no longer.
    pub(super) fn leave(&mut self, on: &CallOn, ticket: CallTicket) {
        if let Some(line) = self.0.get_mut(&on.into()) {
            line.waiting.remove(&ticket);
        }
    }
}
