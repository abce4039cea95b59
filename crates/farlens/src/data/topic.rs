//! A live sequence of which the newest part is kept: any number of senders and readers.
//!
//! A sender never waits for a reader. Who reads too slowly finds that the start has moved past it.

mod keep;

pub use keep::Keep;

use super::encode::encode_value;
use super::ended::Ended;
use super::log::{ItemLog, cost};
use super::news::{News, Pace};
use super::{DataState, Fetched, ReadBudget, Stored, StreamerData, fresh_version, out_of_range};
use crate::{Error, Result, link::trash::Covered};
use bytes::Bytes;
use farlens_proto::{Chunk, ItemBatch, Kind, Rules};
use farlens_wire::{
    Bounds, Code, Element, Flags, Limits, ModeOffer, Pos, Position, Reference, schema::SchemaDoc,
};
use keep::Ages;
use parking_lot::Mutex;
use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

/// A live sequence that is sent from any thread and kept in memory within bounds, as [`Keep`] says.
/// A clone is the same topic.
///
/// The position of an element is the number of elements that were ever sent before it. Readers
/// begin anywhere in what is kept, and follow the end. Elements are encoded once, when they are
/// sent, and what they refer to is kept as long as they are; each reference counts as 32 bytes. Besides the bytes that are kept, with an eighth for what blocks leave unused, memory holds
/// two blocks of 64 KiB, or of the size of the largest element.
///
/// Published as `Streamer::new(topic).writable()`, peers with the right to append send to it, too.
///
/// ```
/// # fn main() -> farlens::Result<()> {
/// let topic = farlens::data::Topic::keep_last(1_000);
/// for n in 0..1_500_u32 {
///     topic.send(n)?;
/// }
/// assert_eq!(topic.bounds().start, farlens::Position::new(500));
/// let server = farlens::Server::builder().publish("/numbers", topic.clone());
/// # Ok(())
/// # }
/// ```
pub struct Topic<T> {
    shared: Arc<Shared>,
    element: PhantomData<fn(T)>,
}

struct Shared {
    keep: Keep,
    version: Bytes,
    /// Held for copies within memory.
    kept: Mutex<Kept>,
    news: News,
}

struct Kept {
    log: ItemLog,
    ages: Ages,
    ended: Option<Ended>,
}

impl Kept {
    fn add(&mut self, body: &[u8], table: &[Reference], keep: &Keep) -> Result<Position> {
        let at = self.log.push(body, table)?;
        self.ages.note(at.get());
        self.drop_expired();
        self.drop_surplus(keep);
        Ok(at)
    }

    fn drop_expired(&mut self) {
        if let Some(start) = self.ages.expire(self.log.end()) {
            self.log.drop_before(start);
        }
    }

    fn drop_surplus(&mut self, keep: &Keep) {
        while self.log.len() > keep.count || self.log.bytes() > keep.bytes {
            self.log.drop_first();
        }
        self.ages.forget_before(self.log.start());
    }
}

impl<T: Element> Topic<T> {
    /// A topic that keeps its last `count` elements, within 64 MiB.
    #[must_use]
    pub fn keep_last(count: u64) -> Self {
        Self::new(Keep::new().count(count))
    }

    /// A topic that keeps its last `bytes` encoded bytes.
    #[must_use]
    pub fn keep_bytes(bytes: usize) -> Self {
        Self::new(Keep::new().bytes(bytes))
    }

    /// A topic that keeps what is younger than `age`, within 64 MiB.
    #[must_use]
    pub fn keep_for(age: Duration) -> Self {
        Self::new(Keep::new().age(age))
    }

    /// An empty topic that keeps what all bounds allow.
    #[must_use]
    pub fn new(keep: Keep) -> Self {
        let kept = Kept { log: ItemLog::default(), ages: Ages::new(keep.age), ended: None };
        let shared = Shared {
            keep,
            version: fresh_version(),
            kept: Mutex::new(kept),
            news: News::default(),
        };
        Self { shared: Arc::new(shared), element: PhantomData }
    }

    /// Appends a value and gives its position. Never waits for a reader; works in any thread, with
    /// or without an async runtime.
    ///
    /// # Errors
    /// `USAGE` for a value that cannot be encoded, `TOO_LARGE` for one that exceeds the bound in
    /// bytes alone, `CLOSED` once the topic has ended. It is what it was then.
    #[expect(clippy::needless_pass_by_value, reason = "what is sent is given away")]
    pub fn send(&self, value: T) -> Result<Position> {
        let (body, table) = encode_value(&value)?;
        self.shared.send(&body, &table)
    }
}

impl<T> Topic<T> {
    /// Appends an element without references that is encoded already, as [`Topic::send`]. Whether it is a valid `T` is
    /// found by its readers.
    ///
    /// # Errors
    /// `TOO_LARGE` and `CLOSED`, as [`Topic::send`].
    pub fn send_encoded(&self, body: &[u8]) -> Result<Position> {
        self.shared.send(body, &[])
    }

    /// Makes the end final: readers meet it behind the last element. Dropping every clone does not
    /// close a topic, since it may still be published.
    pub fn close(&self) {
        self.shared.end(Ended::Finished);
    }

    /// Ends the topic with a failure: readers get its code and text behind the last element, and
    /// the end is known no more. The first end stays.
    pub fn fail(&self, error: &Error) {
        self.shared.end(Ended::failed(error));
    }

    /// The places that exist now: what is kept.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.shared.state().bounds
    }

    /// The number of elements that are kept now.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.shared.current().log.len()
    }

    /// Whether no element is kept now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shared {
    fn send(&self, body: &[u8], table: &[Reference]) -> Result<Position> {
        self.check_size(body, table)?;
        let mut kept = self.open()?;
        let at = kept.add(body, table, &self.keep)?;
        drop(kept);
        self.news.tell();
        Ok(at)
    }

    fn end(&self, ended: Ended) {
        self.kept.lock().ended.get_or_insert(ended);
        self.news.tell();
    }

    /// What is kept as of now.
    fn current(&self) -> Covered<'_, Kept> {
        let mut kept = Covered::lock(&self.kept);
        kept.drop_expired();
        kept
    }

    /// What is kept, for adding to it.
    fn open(&self) -> Result<Covered<'_, Kept>> {
        let kept = self.current();
        if kept.ended.is_some() {
            return Err(Error::new(Code::CLOSED, "the topic has ended"));
        }
        Ok(kept)
    }

    fn check_size(&self, body: &[u8], table: &[Reference]) -> Result<()> {
        let (cost, bound) = (cost(body, table), self.keep.bytes);
        if cost > bound {
            let text = format!("an element of {cost} bytes in a topic of {bound}");
            return Err(Error::new(Code::TOO_LARGE, text));
        }
        Ok(())
    }

    /// Adds what a peer has written, all of it or nothing.
    fn store(&self, to: Pos, batch: &ItemBatch, rules: &Rules) -> Result<Stored> {
        items_of(batch).try_for_each(|(body, table)| self.check_size(body, table))?;
        let mut kept = self.open()?;
        let (end, elements) = (kept.log.bounds().end, batch.count());
        let at = self.state_of(&kept).judge_write(rules, to, elements)?.at;
        if end != Some(at) {
            let text = format!("a topic grows at its end and nowhere else, not at {at}");
            return Err(Error::new(Code::MODE_FORBIDS, text));
        }
        items_of(batch)
            .try_for_each(|(body, table)| kept.add(body, table, &self.keep).map(drop))?;
        drop(kept);
        self.news.tell();
        Ok(Stored { at, elements })
    }

    fn state(&self) -> DataState {
        self.state_of(&self.current())
    }

    fn state_of(&self, kept: &Kept) -> DataState {
        let mut bounds = kept.log.bounds();
        let ended = kept.ended.as_ref().is_some_and(Ended::is_finished);
        if kept.ended.is_some() && !ended {
            // No end that one could wait at: whoever does looks again, and finds the failure.
            bounds.end = None;
        }
        DataState { bounds, version: self.version.clone(), ended }
    }

    fn fetch(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let run = {
            let Kept { log, ended, .. } = &*self.current();
            if at.get() > log.end() {
                return Err(out_of_range(at, log.bounds()));
            }
            if at.get() == log.end() {
                return ended.as_ref().map_or(Ok(Fetched::Nothing), Ended::answer);
            }
            if at.get() < log.start() {
                return Ok(Fetched::Nothing);
            }
            log.run_from(at.get(), budget)
        };
        run.cut(budget)
    }

    /// Waits for a state other than `seen`, or until elements are too old.
    async fn differing(&self, seen: &DataState) -> DataState {
        loop {
            let changed = self.news.wait_for(|| {
                let state = self.state();
                (state != *seen).then_some(state)
            });
            let expiry = self.current().ages.next_expiry();
            let Some(expiry) = expiry else {
                // Nothing is kept that could expire; what is sent later is told of.
                return changed.await;
            };
            if let Ok(state) = tokio::time::timeout_at(expiry, changed).await {
                return state;
            }
        }
    }
}

impl<T: Element> Topic<T> {
    /// Adds what a peer has written, if every element is a valid `T`.
    fn take_in(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Result<Stored> {
        let Chunk::Items(batch) = chunk else {
            return Err(Error::new(Code::WRONG_KIND, "a topic consists of entities, not of bytes"));
        };
        for (index, (body, table)) in items_of(batch).enumerate() {
            T::decode_with(body, table, &Limits::default()).map_err(|error| {
                let text = format!("element {index} is not what this topic carries: {error}");
                Error::new(error.code(), text)
            })?;
        }
        self.shared.store(to, batch, rules)
    }
}

/// The entities of a batch, with what the references of each point at.
fn items_of(batch: &ItemBatch) -> impl Iterator<Item = (&[u8], &[Reference])> {
    batch.iter().zip(0..).map(|(body, index)| (body, batch.table(index)))
}

impl<T: Element + 'static> StreamerData for Topic<T> {
    fn kind(&self) -> Kind {
        Kind::Items
    }

    fn offers(&self) -> ModeOffer {
        ModeOffer {
            required: Flags::READABLE
                | Flags::START_BOUNDED
                | Flags::START_CAN_INC
                | Flags::END_BOUNDED
                | Flags::END_CAN_INC,
            possible: Flags::SEEK | Flags::WRITABLE | Flags::CAN_MOVE_END,
        }
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        T::schema()
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.shared.state())
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.shared.fetch(at, budget)
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        Some(self.shared.fetch(at, budget))
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        Some(Ok(self.shared.state()))
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        self.take_in(to, &chunk, rules)
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        Some(self.take_in(to, chunk, rules))
    }

    /// Tells of a change at once, and of those that follow within a millisecond together.
    async fn changed(&self, seen: DataState) -> DataState {
        let pace = Pace::start();
        let state = self.shared.differing(&seen).await;
        if state.ended {
            return state;
        }
        pace.keep().await;
        self.shared.state()
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), element: PhantomData }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("state", &self.shared.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
