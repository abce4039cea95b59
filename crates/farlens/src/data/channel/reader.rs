//! What one stream has of a channel.

use super::{Shared, offers};
use crate::data::{DataState, Fetched, ReadBudget, StreamerData, out_of_range};
use crate::data::{ended::Ended, news::Pace};
use crate::{Result, link::trash::Covered};
use farlens_proto::Kind;
use farlens_wire::{Bounds, ModeOffer, Position, schema::SchemaDoc};
use std::{fmt, sync::Arc};

/// One reader of a channel. A read at a position lets go of everything before it; dropping the
/// reader lets go of the rest.
pub struct ChannelReader {
    shared: Arc<Shared>,
    id: u64,
    /// The element that it began with.
    first: u64,
}

impl ChannelReader {
    /// Attaches at the oldest element in the buffer.
    pub(super) fn attach(shared: &Arc<Shared>) -> Self {
        let mut state = shared.state.lock();
        let (id, first) = (state.next_reader, state.log.start());
        state.next_reader += 1;
        state.readers.insert(id, first);
        drop(state);
        Self { shared: Arc::clone(shared), id, first }
    }

    pub(super) fn current(&self) -> DataState {
        self.shared.state_from(self.first)
    }

    /// What there is at a position; `None` while that is still to be sent.
    fn fetch(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let mut state = Covered::lock(&self.shared.state);
        let end = state.log.end();
        let needed = state.readers.get(&self.id).copied().unwrap_or(end);
        if at.get() < needed || at.get() > end {
            let bounds = Bounds { start: Position::new(needed), end: Position::new(end) };
            return Some(Err(out_of_range(at, bounds)));
        }
        state.readers.insert(self.id, at.get());
        let held_up = needed == state.log.start() && at.get() > needed;
        if held_up {
            state.release();
        }
        let run = (at.get() < end).then(|| state.log.run_from(at.get(), budget));
        let answer = match &run {
            None => state.ended.as_ref().map(Ended::answer),
            Some(_) => None,
        };
        drop(state);
        if held_up {
            self.shared.tell_room();
        }
        run.map(|run| run.cut(budget)).or(answer)
    }
}

impl StreamerData for ChannelReader {
    fn kind(&self) -> Kind {
        Kind::Items
    }

    fn offers(&self) -> ModeOffer {
        offers()
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.shared.schema.clone()
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.current())
    }

    /// Waits for the publisher at the end as it is, so the end that a reader meets is final.
    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.shared.news.wait_for(|| self.fetch(at, budget)).await
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        self.fetch(at, budget)
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        Some(Ok(self.current()))
    }

    fn is_live(&self) -> bool {
        true
    }

    /// Tells of a change at once, and of those that follow within a millisecond together.
    async fn changed(&self, seen: DataState) -> DataState {
        let pace = Pace::start();
        let differing = || Some(self.current()).filter(|state| *state != seen);
        let state = self.shared.news.wait_for(differing).await;
        if state.ended {
            return state;
        }
        pace.keep().await;
        self.current()
    }
}

impl Drop for ChannelReader {
    fn drop(&mut self) {
        let mut state = Covered::lock(&self.shared.state);
        state.readers.remove(&self.id);
        state.release();
        drop(state);
        self.shared.tell_room();
    }
}

impl fmt::Debug for ChannelReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelReader").field("state", &self.current()).finish_non_exhaustive()
    }
}
