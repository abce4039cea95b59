//! The data of one stream that a peer opened, with what works on it.

use super::shared::Shared;
use crate::data::erased::{ErasedData, Held};
use farlens_proto::{Accepted, Flags};
use farlens_wire::StreamId;
use std::sync::{Arc, Weak};
use tokio::task::AbortHandle;

/// The data of a stream that the peer opened. Dropping it ends what reads from it; a change that is
/// under way is made to its end.
pub(crate) struct Source {
    pub(crate) data: Arc<dyn ErasedData>,
    /// Whether the peer is to hear of changes, also before the task that waits for them runs.
    pub(crate) moving: bool,
    /// Whether the data may be taken back, also where its end is final.
    pub(crate) leased: bool,
    /// Whether what was written is durable before a close of it has succeeded.
    pub(super) sync_on_close: bool,
    /// What works on it; most streams only wait.
    tasks: Option<Box<Tasks>>,
}

/// Tasks that end with the stream that they work for.
#[derive(Default)]
struct Tasks {
    read: Option<AbortHandle>,
    /// Reads of places that wait.
    ranges: Vec<AbortHandle>,
    changes: Option<AbortHandle>,
}

/// Says that the data of a stream is free again.
pub(crate) struct Release {
    shared: Weak<Shared>,
    stream: StreamId,
}

impl Release {
    pub(crate) fn new(shared: &Arc<Shared>, stream: StreamId) -> Self {
        Self { shared: Arc::downgrade(shared), stream }
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.with(|state| state.proto.release_stream(self.stream));
        }
    }
}

impl Source {
    pub(crate) fn new(data: Arc<dyn ErasedData>, sync_on_close: bool, accepted: &Accepted) -> Self {
        let offer = data.offers();
        let can_be_written = (offer.required | offer.possible).has(Flags::WRITABLE);
        let moves = accepted.mode.can_change_bounds() || can_be_written;
        let moving = moves && !accepted.state.ended && !data.is_pulled();
        Self { data, moving, leased: false, sync_on_close, tasks: None }
    }

    /// The same for data that may be taken back.
    pub(crate) const fn leased(mut self, leased: bool) -> Self {
        self.leased = leased;
        self
    }

    /// The same with `release` dropped once nobody uses the data any more.
    pub(crate) fn releasing(mut self, release: Release) -> Self {
        self.data = Arc::new(Held::new(Arc::clone(&self.data), release));
        self
    }
}

impl Source {
    fn tasks(&mut self) -> &mut Tasks {
        self.tasks.get_or_insert_default()
    }

    /// Ends the task that follows the data with the stream.
    pub(super) fn set_changes_task(&mut self, task: AbortHandle) {
        self.tasks().changes = Some(task);
    }

    /// A read that waits took the place of the one before.
    pub(super) fn set_read_task(&mut self, task: AbortHandle) {
        if let Some(before) = self.tasks().read.replace(task) {
            before.abort();
        }
    }

    /// A read of a place waits beside the others, of which there are sixteen at the most.
    pub(super) fn add_range_task(&mut self, task: AbortHandle) {
        let ranges = &mut self.tasks().ranges;
        ranges.retain(|task| !task.is_finished());
        ranges.push(task);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        let single = [self.read.take(), self.changes.take()].into_iter().flatten();
        single.chain(self.ranges.drain(..)).for_each(|task| task.abort());
    }
}
