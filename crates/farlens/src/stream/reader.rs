//! The reading half of a byte stream: a cursor of its own.

use super::{
    prefetch::{Piece, Prefetch},
    raw::{Next, RawStream, before},
};
use crate::{
    Error, Result,
    observe::{Observation, StreamObserver},
};
use bytes::{Buf, Bytes};
use farlens_proto::Chunk;
use farlens_wire::{AtEnd, Bounds, Code, Mode, Pos, Position};
use std::{
    io::{self, SeekFrom},
    ops::{Range, RangeBounds},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, ReadBuf};

/// The half of a [`crate::ByteStream`] that reads. See [`crate::ByteStream::split`].
pub struct ByteReader {
    pub(super) raw: Arc<RawStream>,
    /// Taken from `origin` and not read yet.
    held: Bytes,
    origin: Origin,
    at_end: AtEnd,
    seeking: bool,
    prefetch: Prefetch,
    /// What the seek under way waits for, instead of the link's cursor.
    awaited: Option<Box<Piece>>,
}

/// Where the reader has its bytes from.
#[derive(Clone, Copy)]
enum Origin {
    /// The link's cursor, which stands behind what is held.
    Cursor,
    /// A prefetched piece, up to `behind`. The link's cursor is elsewhere; of what was taken from
    /// there, `left` bytes were not read.
    Piece { behind: Position, left: u64 },
}

impl std::fmt::Debug for ByteReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByteReader").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl ByteReader {
    pub(super) fn new(raw: Arc<RawStream>, at_end: AtEnd) -> Self {
        let mut prefetch = Prefetch::default();
        prefetch.begin(raw.position());
        let origin = Origin::Cursor;
        Self { raw, held: Bytes::new(), origin, at_end, seeking: false, prefetch, awaited: None }
    }

    /// What the stream allows.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.raw.mode()
    }

    /// The positions that exist, as last told by the peer.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.raw.state().bounds
    }

    /// Reads a place, as [`crate::ByteStream::read_at`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_at(&self, range: impl RangeBounds<u64>) -> Result<Bytes> {
        self.raw.read_at(range).await
    }

    /// Reads several places, as [`crate::ByteStream::read_ranges`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.raw.read_ranges(ranges).await
    }

    /// The position of the next byte.
    #[must_use]
    pub fn position(&self) -> Position {
        let held = self.held.len() as u64;
        match self.origin {
            Origin::Cursor => self.raw.position_before(held),
            Origin::Piece { behind, .. } => before(behind, held),
        }
    }

    /// The next bytes as they arrived, without a copy; nothing at the end. Cancel safe.
    ///
    /// # Errors
    /// `EVICTED` once where the source has dropped bytes before they could be read
    /// ([`Error::skipped`] says how many; reading goes on behind them); any failure of the source,
    /// the stream or the link.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        std::future::poll_fn(|cx| self.poll_next_chunk(cx)).await
    }

    pub(super) fn poll_next_chunk(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>>> {
        ready!(self.poll_origin(cx))?;
        if !self.held.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.held))));
        }
        Poll::Ready(match ready!(self.raw.poll_next(cx, u64::MAX))? {
            Next::Elements(Chunk::Bytes(bytes)) => Ok(Some(bytes)),
            Next::Elements(Chunk::Items(_)) => Err(not_bytes()),
            Next::Gap { skipped, .. } => Err(Error::evicted(skipped)),
            Next::End => Ok(None),
        })
    }

    /// Waits for the piece that is to be read, and goes on behind the one that was.
    fn poll_origin(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        if let Origin::Piece { behind, .. } = self.origin
            && self.held.is_empty()
            && !self.seeking
        {
            self.leave_for(Pos::Abs(behind))?;
        }
        if self.awaited.is_some() || self.seeking && matches!(self.origin, Origin::Piece { .. }) {
            ready!(self.poll_sought(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        Observation::start(&self.raw, observer)
    }

    /// Goes to a place and gives its absolute position.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`, `MODE_FORBIDS`, and any failure of the stream or the link. The position is
    /// what it was then.
    pub async fn seek_to(&mut self, to: impl Into<Pos>) -> Result<Position> {
        if self.begin_seek(to.into())? {
            return Ok(self.position());
        }
        std::future::poll_fn(|cx| self.poll_sought(cx)).await
    }

    /// Starts a seek; says whether it is done already.
    pub(super) fn begin_seek(&mut self, to: Pos) -> Result<bool> {
        let at = self.position();
        if let Some(skip) = self.raw.skip_within(to, at, self.held.len() as u64) {
            self.held.advance(usize::try_from(skip).unwrap_or(self.held.len()));
            self.awaited = None;
            self.seeking = false;
            return Ok(true);
        }
        match to {
            Pos::Abs(to) if !self.seeking => {
                self.awaited = self.prefetch.turn(&self.raw, at, to).map(Box::new);
            }
            _ => {
                self.awaited = None;
                self.prefetch.clear();
            }
        }
        if self.awaited.is_some() {
            self.seeking = true;
        } else {
            self.leave_for(to)?;
        }
        Ok(false)
    }

    /// Goes to a place and drops what was read ahead.
    pub(super) fn renew_at(&mut self, to: Pos) -> Result<()> {
        self.prefetch.clear();
        self.leave_for(to)
    }

    /// Goes to a place with the link's cursor.
    fn leave_for(&mut self, to: Pos) -> Result<()> {
        let at = self.position();
        self.raw.start_seek(to, self.at_end, self.left())?;
        if matches!(self.origin, Origin::Piece { .. }) {
            // Here the reader stays should the seek fail.
            self.origin = Origin::Piece { behind: at, left: 0 };
        }
        self.held.clear();
        self.awaited = None;
        self.seeking = true;
        Ok(())
    }

    /// Bytes that were taken from the link's cursor and not read.
    const fn left(&self) -> u64 {
        match self.origin {
            Origin::Cursor => self.held.len() as u64,
            Origin::Piece { left, .. } => left,
        }
    }

    /// Waits for the seek under way, if there is one.
    pub(super) fn poll_sought(&mut self, cx: &Context<'_>) -> Poll<Result<Position>> {
        if let Some(piece) = &mut self.awaited {
            let (at, bytes) = (piece.at(), ready!(piece.poll(cx)));
            self.seeking = false;
            self.awaited = None;
            match bytes {
                Ok(bytes) if !bytes.is_empty() => self.read_from(at, bytes),
                // The link knows why, or what is there now.
                _ => self.renew_at(Pos::Abs(at))?,
            }
        }
        if !self.seeking {
            return Poll::Ready(Ok(self.position()));
        }
        let outcome = ready!(self.raw.poll_seek(cx));
        self.seeking = false;
        if let Ok(at) = outcome {
            self.origin = Origin::Cursor;
            self.prefetch.begin(at);
        }
        Poll::Ready(outcome)
    }

    /// Goes on with a prefetched piece.
    fn read_from(&mut self, at: Position, bytes: Bytes) {
        let behind = at.forward(bytes.len() as u64).unwrap_or(Position::MAX);
        self.origin = Origin::Piece { behind, left: self.left() };
        self.held = bytes;
    }

    /// Where a wish of the standard library leads; nothing where it is to stay.
    pub(super) fn wish(&self, to: SeekFrom) -> Result<Option<Pos>> {
        let place = match to {
            // Where am I? The answer needs nobody, and keeps what was read ahead.
            SeekFrom::Current(0) if !self.seeking => return Ok(None),
            SeekFrom::Start(at) => Position::new(at),
            SeekFrom::Current(by) => self.position().offset(by),
            SeekFrom::End(by) => return Ok(Some(Pos::FromEnd(by))),
        };
        place.map(|at| Some(Pos::Abs(at))).ok_or_else(|| {
            Error::new(Code::OUT_OF_RANGE, "a seek before the start or beyond 2^63-1")
        })
    }

    pub(super) fn poll_fill(&mut self, cx: &Context<'_>) -> Poll<Result<&[u8]>> {
        if (self.held.is_empty() || self.seeking)
            && let Some(chunk) = ready!(self.poll_next_chunk(cx))?
        {
            self.held = chunk;
        }
        Poll::Ready(Ok(&self.held))
    }

    pub(super) fn consume_held(&mut self, amount: usize) {
        self.held.advance(amount);
    }
}

impl AsyncBufRead for ByteReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_mut().poll_fill(cx).map_err(io::Error::from)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().consume_held(amount);
    }
}

impl AsyncRead for ByteReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let available = ready!(this.poll_fill(cx))?;
        let amount = available.len().min(buf.remaining());
        buf.put_slice(&available[..amount]);
        this.consume_held(amount);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for ByteReader {
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        if let Some(wish) = this.wish(to)? {
            this.begin_seek(wish)?;
        }
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let at = ready!(self.get_mut().poll_sought(cx))?;
        Poll::Ready(Ok(at.get()))
    }
}

fn not_bytes() -> Error {
    Error::new(Code::WRONG_KIND, "this is an entity stream, not bytes")
}
