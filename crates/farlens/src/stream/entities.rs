//! A remote sequence: values that are iterated, sought by index and awaited as if they were local.

use super::{
    OpenOptions,
    conversion::Conversion,
    entity_writer::EntityWriter,
    events::StreamEvents,
    origin::Origin,
    raw::{Next, RawStream},
};
use crate::{
    Error, Link, Result,
    observe::{Observation, StreamObserver},
};
use bytes::Bytes;
use farlens_proto::{Chunk, ItemBatch, Kind, OpenOn};
use farlens_wire::{
    AtEnd, Bounds, Code, Element, Epoch, Flags, Limits, Mode, Pos, Position, Reference,
    schema::SchemaDoc,
};
use futures::{Sink, Stream};
use std::{
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// A sequence of entities that a peer publishes, decoded as `T`.
///
/// It reads ahead within its window. Elements are decoded one at a time from the batches in which
/// they arrived; one that is no valid `T` is an error, and the next one is tried after it. Where
/// the source has dropped elements before they could be read there is one `EVICTED` error, and
/// reading goes on behind them; what [`farlens_wire::Delivery::Latest`] leaves out is only counted.
/// [`EntityStream::events`] shows both as data. A cut link is an error and never the end.
///
/// As a [`Sink`] it writes, where the mode allows that: behind what was written before, at first
/// where the stream was opened, or at the end if it was opened to append. `flush` waits until all
/// is applied, `close` until it is durable. What was neither flushed nor closed when the stream is
/// dropped may be lost.
pub struct EntityStream<T> {
    raw: Arc<RawStream>,
    /// Where it is written, or was to be.
    writer: Option<Box<EntityWriter>>,
    skipped: u64,
    held: Held,
    conversion: Conversion,
    limits: Arc<Limits>,
    at_end: AtEnd,
    /// Elements that are taken from the link at once: credit counts them as consumed then.
    at_once: u64,
    over: bool,
    origin: Origin,
    element: PhantomData<fn() -> T>,
}

/// A batch that is being gone through.
#[derive(Default)]
struct Held {
    batch: ItemBatch,
    /// Where the next element begins.
    offset: usize,
    /// Elements from there on.
    left: u64,
}

impl Held {
    fn new(batch: ItemBatch) -> Self {
        Self { offset: 0, left: batch.count(), batch }
    }

    /// The next body, with what its references point at; the batch is let go of behind its last one.
    #[inline]
    fn next<R>(&mut self, read: impl FnOnce(&[u8], &[Reference]) -> R) -> Option<R> {
        let (body, next) = self.batch.body_at(self.offset)?;
        let index = self.batch.count().saturating_sub(self.left);
        let value = read(body, self.batch.table(index));
        self.offset = next;
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            *self = Self::default();
        }
        Some(value)
    }
}

impl<T> std::fmt::Debug for EntityStream<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntityStream").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl<T> EntityStream<T> {
    /// What the stream allows.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.raw.mode()
    }

    /// The indices that exist, as last told by the peer.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.raw.state().bounds
    }

    /// What the source calls this state of its elements, as last told: equal versions mean equal
    /// elements. Empty when it cannot tell.
    #[must_use]
    pub fn version(&self) -> Bytes {
        self.raw.state().version.into()
    }

    /// The type that is published, where it is another one than `T`.
    #[must_use]
    pub fn published_type(&self) -> Option<&SchemaDoc> {
        self.conversion.published().map(|schema| &**schema)
    }

    /// The index of the next element.
    #[must_use]
    pub fn position(&self) -> Position {
        self.raw.position_before(self.held.left)
    }

    /// Elements that were left out so far: skipped for a reader that wants the latest, or dropped
    /// by their source.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether everything that the peer has was read, as far as it has said.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        let id = self.raw.id();
        self.held.left == 0 && self.raw.link().shared().peek(|link| link.is_up_to_date(id))
    }

    /// Where it was opened.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) const fn raw(&self) -> &Arc<RawStream> {
        &self.raw
    }

    /// Which run between two seeks it is in.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.raw.link().shared().peek(|link| link.stream_epoch(self.raw.id()))
    }

    /// The elements with what happens between them: gaps, ends that move, the moment when all has
    /// been read.
    #[must_use]
    pub const fn events(self) -> StreamEvents<T> {
        StreamEvents::new(self)
    }

    /// Goes to an index, once what was written before is applied, and gives it back as an absolute
    /// one.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`, `MODE_FORBIDS`, any failure of an earlier write, of the stream or the link.
    /// The position is what it was then.
    pub async fn seek(&mut self, to: impl Into<Pos>) -> Result<Position> {
        // What waits to be handed over belongs to the place before.
        std::future::poll_fn(|cx| self.poll_applied(cx)).await?;
        let to = to.into();
        let held = self.held.left;
        if let Some(skip) = self.raw.skip_within(to, self.position(), held) {
            for _ in 0..skip {
                let _ = self.held.next(|_, _| ());
            }
            self.write_from(self.position());
            return Ok(self.position());
        }
        self.raw.start_seek(to, self.at_end, held)?;
        self.held = Held::default();
        self.over = false;
        let at = self.raw.finish_seek().await?;
        self.write_from(at);
        Ok(at)
    }

    /// Has the next write go to a place.
    fn write_from(&mut self, at: Position) {
        if let Some(writer) = &mut self.writer {
            writer.go_to(at);
        }
    }

    /// Waits until everything that was written is applied.
    pub(crate) fn poll_applied(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.writer.as_mut().map_or(Poll::Ready(Ok(())), |writer| writer.poll_flush(cx))
    }

    /// The writing half. One that the mode forbids says so with what it is asked for.
    fn writer(&mut self) -> &mut EntityWriter {
        self.writer.get_or_insert_with(|| {
            let raw = Arc::clone(&self.raw);
            Box::new(EntityWriter::new(raw, self.conversion.clone(), false))
        })
    }

    /// Waits until everything that was written is durable.
    ///
    /// # Errors
    /// Any failure of an earlier write, of the storage, the stream or the link.
    pub async fn sync(&mut self) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_applied(cx)).await?;
        self.raw.sync(false).await
    }

    /// Waits until everything that was written is applied and durable, and closes the stream. When
    /// this returns the other side has let go of the data, or the link is over.
    ///
    /// # Errors
    /// As [`EntityStream::sync`]; the stream is closed all the same. `Ok` means that all was stored
    /// but what an earlier call has said to have failed.
    pub async fn close(mut self) -> Result<()> {
        let stored = if self.mode().has(Flags::WRITABLE) {
            std::future::poll_fn(|cx| self.writer().poll_close(cx)).await
        } else {
            Ok(())
        };
        self.raw.closed().await;
        stored
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        Observation::start(&self.raw, observer)
    }
}

impl<T: Element> EntityStream<T> {
    pub(crate) async fn open(
        link: &Link,
        (on, origin): (OpenOn, Origin),
        options: OpenOptions,
    ) -> Result<Self> {
        let mut request = options.request(on, Kind::Items)?;
        request.fingerprint = T::schema().map(|schema| schema.fingerprint().0);
        let raw = Arc::new(link.open_raw(request).await?);
        let limits = link.limits().clone();
        let conversion =
            raw.info().map_or(Ok(Conversion::Straight), |info| Conversion::of::<T>(&info, &limits));
        let conversion = conversion?;
        let at_end = options.end_policy();
        let writer = raw.mode().has(Flags::WRITABLE).then(|| {
            let conversion = conversion.clone();
            Box::new(EntityWriter::new(Arc::clone(&raw), conversion, options.appends()))
        });
        Ok(Self {
            writer,
            raw,
            skipped: 0,
            held: Held::default(),
            conversion,
            limits,
            at_end,
            at_once: options.at_once(),
            over: false,
            origin,
            element: PhantomData,
        })
    }
}

/// What comes next in an entity stream.
pub(super) enum Step<T> {
    Item(T),
    Gap { skipped: u64, evicted: bool },
    End,
}

impl<T: Element> EntityStream<T> {
    /// What comes next; behind an error that ends the stream there is nothing but the end.
    pub(super) fn poll_step(&mut self, cx: &Context<'_>) -> Poll<Result<Step<T>>> {
        match self.next_held() {
            Some(element) => Poll::Ready(element.map(Step::Item)),
            None => self.poll_further(cx),
        }
    }

    /// The next element of the batch that is being gone through.
    #[inline]
    fn next_held(&mut self) -> Option<Result<T>> {
        let (conversion, limits) = (&self.conversion, &*self.limits);
        self.held.next(|body, table| conversion.decode(body, table, limits))
    }

    /// What comes behind that batch.
    #[inline(never)]
    fn poll_further(&mut self, cx: &Context<'_>) -> Poll<Result<Step<T>>> {
        if self.over {
            return Poll::Ready(Ok(Step::End));
        }
        loop {
            return Poll::Ready(match ready!(self.raw.poll_next(cx, self.at_once)) {
                Ok(Next::Elements(Chunk::Items(batch))) => {
                    self.held = Held::new(batch);
                    match self.next_held() {
                        Some(element) => element.map(Step::Item),
                        None => continue,
                    }
                }
                Ok(Next::Elements(Chunk::Bytes(_))) => Err(not_entities()),
                Ok(Next::Gap { skipped, evicted }) => {
                    self.skipped = self.skipped.saturating_add(skipped);
                    Ok(Step::Gap { skipped, evicted })
                }
                Ok(Next::End) => Ok(Step::End),
                Err(error) => {
                    self.over = true;
                    Err(error)
                }
            });
        }
    }

    /// Hands a value in as soon as there is room. Takes nothing before.
    pub(crate) fn poll_send(&mut self, cx: &Context<'_>, value: &T) -> Poll<Result<()>> {
        let writer = self.writer();
        ready!(writer.poll_ready(cx))?;
        Poll::Ready(writer.add(value))
    }
}

impl<T: Element> Stream for EntityStream<T> {
    type Item = Result<T>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = self.get_mut();
        if let Some(element) = this.next_held() {
            return Poll::Ready(Some(element));
        }
        loop {
            return Poll::Ready(match ready!(this.poll_further(cx)) {
                Ok(Step::Item(value)) => Some(Ok(value)),
                Ok(Step::Gap { skipped, evicted: true }) => Some(Err(Error::evicted(skipped))),
                Ok(Step::Gap { .. }) => continue,
                Ok(Step::End) => None,
                Err(error) => Some(Err(error)),
            });
        }
    }
}

impl<T: Element> Sink<T> for EntityStream<T> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().writer().poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, value: T) -> Result<()> {
        self.get_mut().writer().add(&value)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().writer().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().writer().poll_close(cx)
    }
}

/// How elements of what the peer publishes become what the reader wants.
fn not_entities() -> Error {
    Error::new(Code::WRONG_KIND, "this is a byte stream, not entities")
}
