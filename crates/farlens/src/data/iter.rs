//! Data that an iterator produces: forward only, for one stream at a time.
//!
//! The iterator is user code that may block, panic or never end, so it runs on a thread of its own
//! and no further than reads have asked for. One that is asynchronous is polled by the read itself;
//! where it borrows, the future that owns what it borrows from is lent what it is to fill.
//! What it yields goes to a small store that outlives the read, so a read that is dropped loses
//! nothing:
//!
//! ```text
//!   read_at --starts--> job (own thread): next() ... next()  until the last read's budget is full
//!      ^                   | a run at a time, of which a read sees each entity at once
//!      +---- wakes ----- store <---+
//! ```
//!
//! A read gets what is worth a batch of the link, or what there is a millisecond later.

mod job;
mod lent;
mod recent;
mod source;
mod store;

use super::{DataState, Fetched, ReadBudget, StreamerData, fresh_version};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::Kind;
use farlens_wire::{Bounds, Code, Element, Flags, ModeOffer, Position, schema::SchemaDoc};
use futures::{Stream, StreamExt};
use job::Shared;
pub(crate) use lent::Desk;
use parking_lot::Mutex;
use source::Source;
use std::{future::poll_fn, sync::Arc, time::Duration};
use store::Store;
use tokio::{runtime::Handle, time::timeout};

/// A chunk of so many bytes is worth sending at once while more is being made: it fills a batch of
/// the link.
const WORTHWHILE_BYTES: usize = 60 << 10;
/// How long a read waits for as much.
const PATIENCE: Duration = Duration::from_millis(1);

/// An iterator to publish. The first stream that opens it takes it.
pub struct IterData {
    claim: Arc<Mutex<Claim>>,
    schema: Option<Arc<SchemaDoc>>,
}

enum Claim {
    Free(Source),
    Taken(Arc<Shared>),
}

impl IterData {
    /// Publishes entities that `next` appends to the buffer, encoded and without references, until it
    /// returns `None`.
    ///
    /// `next` runs on a thread of its own, where it may block. An error ends the data after the
    /// entities before it; a panic does the same without showing its text.
    pub fn encoded(next: impl FnMut(&mut Vec<u8>) -> Option<Result<()>> + Send + 'static) -> Self {
        Self::of(Source::encoded(next), None)
    }

    /// Publishes the values of an iterator, which runs on a thread of its own, where it may block.
    pub fn new<T, I>(values: I) -> Self
    where
        T: Element,
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Self::of(Source::values(values.into_iter()), T::schema())
    }

    /// Publishes the values of an asynchronous stream, up to its first error. It is polled in a task
    /// of the runtime, where it must not block, and only while a read waits for it: no more values
    /// are taken than that read asked for, and none ahead of it. Its end, an error and a panic reach
    /// the reader after exactly the values before. When the reader goes the stream is dropped.
    pub fn from_stream<T, S>(values: S) -> Self
    where
        T: Element,
        S: Stream<Item = Result<T>> + Send + 'static,
    {
        Self::of(Source::stream(values), T::schema())
    }

    /// As [`IterData::from_stream`], for values that come without errors.
    pub fn from_value_stream<T, S>(values: S) -> Self
    where
        T: Element + 'static,
        S: Stream<Item = T> + Send + 'static,
    {
        Self::from_stream(values.map(Ok))
    }

    fn of(source: Source, schema: Option<Arc<SchemaDoc>>) -> Self {
        Self { claim: Arc::new(Mutex::new(Claim::Free(source))), schema }
    }

    /// The type of the entities, if they have one.
    #[must_use]
    pub fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.schema.clone()
    }

    /// What a mode over an iterator must and may contain.
    #[must_use]
    pub fn offers(&self) -> ModeOffer {
        offers()
    }

    /// Takes the iterator for one stream.
    ///
    /// # Errors
    /// `BUSY` while another stream has it; `CLOSED` when one took elements of it, since an iterator
    /// cannot start again.
    pub fn open(&self) -> Result<OpenIter> {
        let mut claim = self.claim.lock();
        let polled = match &*claim {
            Claim::Taken(shared) => return Err(taken(shared.store.lock().abandoned)),
            Claim::Free(source) => matches!(source, Source::Polled(_)),
        };
        let shared = Arc::new(Shared::new(polled));
        let before = std::mem::replace(&mut *claim, Claim::Taken(Arc::clone(&shared)));
        if let Claim::Free(source) = before {
            shared.store.lock().source = Some(source);
        }
        let claim = Arc::clone(&self.claim);
        Ok(OpenIter { shared, claim, version: fresh_version(), schema: self.schema() })
    }
}

/// What a read waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// What is worth sending, for a millisecond.
    ForABatch,
    /// Anything, for a millisecond: an entity that was made at the very moment at which this was
    /// asked for is seen then, even if nobody tells.
    AMoment,
    /// Anything, until somebody tells.
    ForAnything,
}

impl std::fmt::Debug for IterData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IterData")
    }
}

/// An iterator taken by one stream. Dropping it drops the iterator, at the latest when the call to
/// it returns that runs at that moment.
pub struct OpenIter {
    shared: Arc<Shared>,
    /// Where the iterator goes back to when nothing was taken from it.
    claim: Arc<Mutex<Claim>>,
    version: Bytes,
    schema: Option<Arc<SchemaDoc>>,
}

impl OpenIter {
    fn state_in(&self, store: &Store) -> DataState {
        let end = store.end_position();
        DataState {
            bounds: Bounds { start: Some(Position::ZERO), end },
            version: self.version.clone(),
            ended: end.is_some(),
        }
    }
}

impl OpenIter {
    /// Reads what a thread pulls.
    async fn wait_for(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let mut wait = Wait::ForABatch;
        loop {
            let mut news = std::pin::pin!(self.shared.news.notified());
            news.as_mut().enable();
            {
                let mut store = self.shared.store.lock();
                store.ask(budget);
                if !(wait == Wait::ForABatch && store.grows())
                    && let Some(answer) = store.answer(at, budget)
                {
                    self.shared.go_on(store);
                    return answer;
                }
                store.await_bytes(if wait == Wait::ForABatch { WORTHWHILE_BYTES } else { 0 });
                self.shared.start_job(store);
            }
            match wait {
                Wait::ForAnything => news.await,
                _ if timeout(PATIENCE, news).await.is_ok() => {}
                Wait::ForABatch => wait = Wait::AMoment,
                Wait::AMoment => wait = Wait::ForAnything,
            }
        }
    }

    /// Pulls what it reads. Whatever was pulled stays in the store if this is dropped.
    async fn poll_for(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        loop {
            {
                let mut store = self.shared.store.lock();
                if let Some(answer) = store.answer(at, budget) {
                    return answer;
                }
                store.ask(ReadBudget { bytes: budget.bytes.min(WORTHWHILE_BYTES), ..budget });
            }
            poll_fn(|cx| self.shared.poll_pull(cx, 1)).await;
            // Without a runtime there is no clock.
            if self.shared.store.lock().may_grow() && Handle::try_current().is_ok() {
                let more = poll_fn(|cx| self.shared.poll_pull(cx, WORTHWHILE_BYTES));
                let _ = timeout(PATIENCE, more).await;
            }
        }
    }
}

impl StreamerData for OpenIter {
    fn kind(&self) -> Kind {
        Kind::Items
    }

    fn offers(&self) -> ModeOffer {
        offers()
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.schema.clone()
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.state_in(&self.shared.store.lock()))
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        if self.shared.polled {
            self.poll_for(at, budget).await
        } else {
            self.wait_for(at, budget).await
        }
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let mut store = self.shared.store.lock();
        if store.grows() {
            return None;
        }
        if !store.is_empty() {
            store.ask(budget);
        }
        let answer = store.answer(at, budget);
        self.shared.go_on(store);
        answer
    }

    fn is_pulled(&self) -> bool {
        true
    }

    async fn changed(&self, seen: DataState) -> DataState {
        loop {
            let mut news = std::pin::pin!(self.shared.news.notified());
            news.as_mut().enable();
            let state = self.state_in(&self.shared.store.lock());
            if state != seen {
                return state;
            }
            news.await;
        }
    }
}

impl Drop for OpenIter {
    fn drop(&mut self) {
        let untouched = self.shared.store.lock().take_untouched();
        match untouched {
            Some(source) => *self.claim.lock() = Claim::Free(source),
            None => self.shared.abandon(),
        }
    }
}

impl std::fmt::Debug for OpenIter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenIter")
    }
}

fn offers() -> ModeOffer {
    ModeOffer { required: Flags::READABLE | Flags::START_BOUNDED, possible: Flags::NONE }
}

fn taken(abandoned: bool) -> Error {
    if abandoned {
        return Error::new(Code::CLOSED, "the iterator was read by an earlier stream and is gone");
    }
    Error::new(Code::BUSY, "the iterator serves one stream at a time and has one")
}

#[cfg(test)]
mod tests;
