//! Data that an iterator produces: forward only, for one stream at a time.
//!
//! The iterator is user code that may block, panic or never end, so it runs on a thread of its own
//! and only while a read waits for it. What it yields goes to a small store that outlives the read,
//! so a read that is dropped loses nothing:
//!
//! ```text
//!   read_at --starts--> job (own thread): next() ... next()  until the read's budget is full
//!      ^                   | each entity as soon as it is there
//!      +---- wakes ----- store <---+
//! ```

use super::encode::encode_element;
use super::items::run_within;
use super::{DataState, Fetched, ReadBudget, StreamerData, fresh_version, out_of_range};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{BatchBuilder, Chunk, ItemBatch, Kind};
use farlens_wire::{Bounds, Code, Element, Flags, ModeOffer, Position, schema::SchemaDoc};
use parking_lot::{Mutex, MutexGuard};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::{runtime::Handle, sync::Notify};

/// Appends the next entity, encoded; nothing when there is no further one.
type Source = Box<dyn FnMut(&mut Vec<u8>) -> Option<Result<()>> + Send>;

/// A chunk of so many bytes is worth sending at once while more is being made.
const WORTHWHILE_BYTES: usize = 16 << 10;
/// How long a smaller one waits for more.
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
    /// Publishes entities that `next` appends to the buffer, encoded, until it returns `None`.
    ///
    /// `next` runs on a thread of its own, where it may block. An error ends the data after the
    /// entities before it; a panic does the same without showing its text.
    pub fn encoded(next: impl FnMut(&mut Vec<u8>) -> Option<Result<()>> + Send + 'static) -> Self {
        Self { claim: Arc::new(Mutex::new(Claim::Free(Box::new(next)))), schema: None }
    }

    /// Publishes the values of an iterator, which runs on a thread of its own, where it may block.
    pub fn new<T, I>(values: I) -> Self
    where
        T: Element,
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        let mut values = values.into_iter().enumerate();
        let next = move |out: &mut Vec<u8>| {
            let (index, value) = values.next()?;
            Some(encode_element(&value, index as u64, out))
        };
        Self { schema: T::schema(), ..Self::encoded(next) }
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
        if let Claim::Taken(shared) = &*claim {
            return Err(taken(shared.store.lock().abandoned));
        }
        let shared = Arc::new(Shared::new());
        let before = std::mem::replace(&mut *claim, Claim::Taken(Arc::clone(&shared)));
        if let Claim::Free(source) = before {
            shared.store.lock().source = Some(source);
        }
        let claim = Arc::clone(&self.claim);
        Ok(OpenIter { shared, claim, version: fresh_version(), schema: self.schema() })
    }
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

struct Shared {
    store: Mutex<Store>,
    /// Told when a read that waits should look again.
    news: Notify,
}

/// What was pulled and not taken yet. Bounded by the budget of the read that had it pulled.
struct Store {
    /// The position of the first entity that was not taken yet.
    next: Position,
    ready: ItemBatch,
    fresh: BatchBuilder,
    /// Absent while a job runs it, and when it has ended.
    source: Option<Source>,
    end: Option<Ended>,
    abandoned: bool,
    /// Encoded bytes for which a read waits.
    wanted: Option<usize>,
}

/// How an iterator ended.
#[derive(Clone, Debug)]
enum Ended {
    Exhausted,
    Failed(Code, String),
}

impl Shared {
    fn new() -> Self {
        let store = Store {
            next: Position::ZERO,
            ready: ItemBatch::default(),
            fresh: BatchBuilder::default(),
            source: None,
            end: None,
            abandoned: false,
            wanted: None,
        };
        Self { store: Mutex::new(store), news: Notify::new() }
    }

    /// Pulls until `budget` is full, on a thread that may block.
    fn pull(&self, mut source: Source, budget: ReadBudget) {
        let mut body = Vec::new();
        let (mut bytes, mut elements) = (0, 0);
        let mut end = None;
        while end.is_none() && bytes < budget.bytes && elements < budget.elements {
            body.clear();
            end = step(&mut source, &mut body);
            let mut store = self.store.lock();
            if store.abandoned {
                end = Some(Ended::Exhausted);
            } else if end.is_none() {
                bytes += body.len();
                elements += 1;
                store.fresh.push(&body);
                let enough = store.fresh.encoded_len() + store.ready.encoded().len();
                let awaited = store.wanted.take_if(|wanted| *wanted <= enough).is_some();
                drop(store);
                if awaited {
                    self.news.notify_waiters();
                }
            }
        }
        self.finish_job(source, end);
    }

    /// Puts the source back, or drops it: outside the lock, since dropping it is user code.
    fn finish_job(&self, source: Source, end: Option<Ended>) {
        let mut store = self.store.lock();
        let finished = store.abandoned || end.is_some();
        let spent = if finished { Some(source) } else { store.source.replace(source) };
        store.end = end;
        drop(store);
        self.news.notify_waiters();
        discard(spent);
    }

    /// The iterator as it was, if no stream has asked for anything.
    fn give_back(&self) -> Option<Source> {
        let mut store = self.store.lock();
        let untouched = store.next == Position::ZERO && store.is_empty() && store.end.is_none();
        if untouched { store.source.take() } else { None }
    }

    fn abandon(&self) {
        let mut store = self.store.lock();
        store.abandoned = true;
        let source = store.source.take();
        drop(store);
        let Some(source) = source else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || discard(Some(source)))),
            Err(_) => discard(Some(source)),
        }
    }
}

/// One entity into `body`, or how the iterator ended.
fn step(source: &mut Source, body: &mut Vec<u8>) -> Option<Ended> {
    match catch_unwind(AssertUnwindSafe(|| source(body))) {
        Ok(Some(Ok(()))) => None,
        Ok(None) => Some(Ended::Exhausted),
        Ok(Some(Err(error))) => Some(Ended::Failed(Code::SOURCE_FAILED, error.to_string())),
        Err(_) => Some(Ended::Failed(Code::INTERNAL, "the source of the data panicked".into())),
    }
}

/// Drops user code, which may panic.
fn discard(source: Option<Source>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(source)));
}

impl Store {
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.fresh.count() == 0
    }

    /// Whether a little is there and more is being made, so that waiting a moment pays.
    fn grows(&self) -> bool {
        let encoded = self.fresh.encoded_len() + self.ready.encoded().len();
        let running = self.source.is_none() && self.end.is_none();
        running && !self.is_empty() && encoded < WORTHWHILE_BYTES
    }

    /// What is there for a request; `None` when the iterator has to be asked.
    fn answer(&mut self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        if at != self.next {
            let bounds = Bounds { start: Some(self.next), end: Some(self.next) };
            return Some(Err(out_of_range(at, bounds)));
        }
        if self.ready.is_empty() {
            self.ready = self.fresh.finish();
        }
        if !self.ready.is_empty() {
            let batch = take_within(&mut self.ready, budget);
            self.next = self.next.forward(batch.count()).unwrap_or(Position::MAX);
            return Some(Ok(Fetched::Some(Chunk::Items(batch))));
        }
        match self.end.clone()? {
            Ended::Exhausted => Some(Ok(Fetched::Nothing)),
            Ended::Failed(code, text) => Some(Err(Error::new(code, text))),
        }
    }

    /// Known once the iterator is exhausted. A failure is no end.
    fn end_position(&self) -> Option<Position> {
        match self.end {
            Some(Ended::Exhausted) => self.next.forward(self.ready.count() + self.fresh.count()),
            _ => None,
        }
    }
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

    /// Starts a job unless one runs.
    fn start_job(&self, mut store: MutexGuard<'_, Store>, budget: ReadBudget) {
        let Some(source) = store.source.take() else { return };
        drop(store);
        let shared = Arc::clone(&self.shared);
        let job = move || shared.pull(source, budget);
        // A thread of its own, so that one that never returns keeps no runtime from ending.
        let started = std::thread::Builder::new().name("farlens-iter".into()).spawn(job);
        if started.is_err() {
            let text = "no thread can be started".to_owned();
            self.shared.store.lock().end = Some(Ended::Failed(Code::OVERLOADED, text));
            self.shared.news.notify_waiters();
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
        let mut patient = true;
        loop {
            let mut news = std::pin::pin!(self.shared.news.notified());
            news.as_mut().enable();
            let started = {
                let mut store = self.shared.store.lock();
                if !(patient && store.grows())
                    && let Some(answer) = store.answer(at, budget)
                {
                    return answer;
                }
                let started = !store.is_empty();
                store.wanted = Some(if started { WORTHWHILE_BYTES } else { 0 });
                self.start_job(store, budget);
                started
            };
            if started {
                patient = tokio::time::timeout(PATIENCE, news).await.is_ok();
            } else {
                news.await;
                patient = false;
            }
        }
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let mut store = self.shared.store.lock();
        if store.grows() { None } else { store.answer(at, budget) }
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
        match self.shared.give_back() {
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

/// Takes the longest run within `budget` off, one entity at least.
fn take_within(batch: &mut ItemBatch, budget: ReadBudget) -> ItemBatch {
    let run = batch.encoded().slice(run_within(batch.encoded(), 0, 0, budget));
    let count = ItemBatch::parse(run).map_or(1, |run| run.count());
    batch.split_to(count)
}

#[cfg(test)]
mod tests;
