//! Flows of one urgency, which take turns.

use super::{
    QUANTUM_BYTES,
    entry::{Entry, Flow},
};
use farlens_wire::StreamId;
use std::collections::{BTreeMap, VecDeque};

/// The flows of one class; the first has its turn.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) flows: VecDeque<(StreamId, Flow)>,
    /// What the first may still send until the next one has its turn.
    pub(super) left: usize,
}

impl Default for Class {
    fn default() -> Self {
        Self { flows: VecDeque::new(), left: QUANTUM_BYTES }
    }
}

impl Class {
    pub(super) fn pop(&mut self) -> Option<(StreamId, Flow)> {
        self.left = QUANTUM_BYTES;
        self.flows.pop_front()
    }

    /// Whether a flow is ready; it stands first then.
    pub(super) fn has_ready(&mut self, entries: &mut BTreeMap<StreamId, Entry>) -> bool {
        while let Some(&(id, flow)) = self.flows.front() {
            match entries.get_mut(&id) {
                Some(entry) if entry.is_ready(flow) => return true,
                Some(entry) => {
                    *entry.is_inside(flow) = false;
                    if entry.is_idle() {
                        entries.remove(&id);
                    }
                }
                None => {}
            }
            self.pop();
        }
        false
    }

    pub(super) fn forget(&mut self, id: StreamId) {
        if self.flows.front().is_some_and(|(first, _)| *first == id) {
            self.left = QUANTUM_BYTES;
        }
        self.flows.retain(|(other, _)| *other != id);
    }
}
