//! A remote sequence: values that are iterated, sought by index and awaited as if they were local.

use super::{OpenOptions, raw::RawStream};
use crate::{
    Error, Link, RemotePath, Result,
    observe::{Observation, StreamObserver},
};
use farlens_proto::{Chunk, ItemBatch, Kind, StreamInfo};
use farlens_wire::{
    AtEnd, Bounds, Budget, Code, DecodeError, Element, Limits, Mode, Pos, Position,
    schema::{SchemaDoc, decode_with},
};
use futures::Stream;
use std::{
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// A sequence of entities that a peer publishes, decoded as `T`.
///
/// It reads ahead within its window. Elements are decoded one at a time from the batches in which
/// they arrived; one that is no valid `T` is an error, and the next one is tried after it. A cut
/// link is an error and never the end.
pub struct EntityStream<T> {
    raw: RawStream,
    held: Held,
    decoder: Decoder,
    limits: Limits,
    at_end: AtEnd,
    over: bool,
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

    /// The next body; the batch is let go of behind its last one.
    #[inline]
    fn next<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let (body, next) = self.batch.body_at(self.offset)?;
        let value = read(body);
        self.offset = next;
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            *self = Self::default();
        }
        Some(value)
    }
}

/// How elements are read.
enum Decoder {
    /// As `T`.
    Straight,
    /// By the writer's schema, into an entity.
    BySchema(SchemaDoc),
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

    /// The index of the next element.
    #[must_use]
    pub fn position(&self) -> Position {
        self.raw.position_before(self.held.left)
    }

    /// Goes to an index and gives it back as an absolute one.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`, `MODE_FORBIDS`, and any failure of the stream or the link. The position is
    /// what it was then.
    pub async fn seek(&mut self, to: impl Into<Pos>) -> Result<Position> {
        let to = to.into();
        let held = self.held.left;
        if let Some(skip) = self.raw.skip_within(to, held) {
            for _ in 0..skip {
                let _ = self.held.next(|_| ());
            }
            return Ok(self.position());
        }
        self.raw.start_seek(to, self.at_end, held)?;
        self.held = Held::default();
        self.over = false;
        self.raw.finish_seek().await
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        Observation::start(&self.raw, observer)
    }
}

impl<T: Element> EntityStream<T> {
    pub(crate) async fn open(link: &Link, path: &RemotePath, options: OpenOptions) -> Result<Self> {
        let mut request = options.request(path, Kind::Items);
        request.fingerprint = T::schema().map(|schema| schema.fingerprint().0);
        let raw = link.open_raw(request).await.map_err(|error| name_type::<T>(error))?;
        let limits = link.limits().clone();
        let decoder = raw.info().map_or(Ok(Decoder::Straight), |info| {
            decoder_for(T::schema().as_deref(), &info, &limits)
        })?;
        let at_end = options.end_policy();
        let held = Held::default();
        Ok(Self { raw, held, decoder, limits, at_end, over: false, element: PhantomData })
    }
}

impl Decoder {
    #[inline]
    fn decode<T: Element>(&self, body: &[u8], limits: &Limits) -> Result<T> {
        let decoded = match self {
            Self::Straight => T::decode(body, limits),
            Self::BySchema(schema) => decode_with(schema, body, &mut Budget::new(limits))
                .and_then(|entity| T::from_untyped(entity).ok_or(DecodeError::BadTag)),
        };
        decoded.map_err(|error| malformed(&error))
    }
}

impl<T: Element> Stream for EntityStream<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        loop {
            let (decoder, limits) = (&this.decoder, &this.limits);
            if let Some(element) = this.held.next(|body| decoder.decode(body, limits)) {
                return Poll::Ready(Some(element));
            }
            match ready!(this.raw.poll_chunk(cx, u64::MAX)) {
                Ok(Some(Chunk::Items(batch))) => this.held = Held::new(batch),
                Ok(Some(Chunk::Bytes(_))) => return Poll::Ready(Some(Err(not_entities()))),
                Ok(None) => return Poll::Ready(None),
                Err(error) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

/// How elements of what the peer publishes become what the reader wants.
fn decoder_for(wanted: Option<&SchemaDoc>, info: &StreamInfo, limits: &Limits) -> Result<Decoder> {
    match (wanted, info.fingerprint) {
        (None, None) => Ok(Decoder::Straight),
        (Some(wanted), Some(offered)) if wanted.fingerprint().0 == offered => Ok(Decoder::Straight),
        (None, Some(_)) => Ok(Decoder::BySchema(offered_schema(info, limits)?)),
        (Some(wanted), None) => {
            Err(mismatch(&wanted.to_string(), "what is published has no type of its own"))
        }
        (Some(wanted), Some(_)) => {
            let offered = offered_schema(info, limits)?;
            Err(mismatch(&wanted.to_string(), &format!("what is published is {offered}")))
        }
    }
}

fn offered_schema(info: &StreamInfo, limits: &Limits) -> Result<SchemaDoc> {
    let bytes = info.schema.as_deref().unwrap_or_default();
    SchemaDoc::decode(bytes, &mut Budget::new(limits)).map_err(|error| malformed(&error))
}

/// Says what the reader expected where the server found another type.
fn name_type<T: Element>(error: Error) -> Error {
    match T::schema().filter(|_| error.code() == Code::SCHEMA_MISMATCH) {
        Some(wanted) => mismatch(&wanted.to_string(), error.message()),
        None => error,
    }
}

fn mismatch(wanted: &str, offered: &str) -> Error {
    let text = format!("the reader expects {wanted}; {offered}");
    Error::new(Code::SCHEMA_MISMATCH, text)
        .with_hint("read it as `Entity`, or with the type that was published")
}

fn malformed(error: &DecodeError) -> Error {
    Error::new(error.code(), format!("an element is malformed: {error}"))
}

fn not_entities() -> Error {
    Error::new(Code::WRONG_KIND, "this is a byte stream, not entities")
}
