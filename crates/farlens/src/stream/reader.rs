//! The reading half of a byte stream: a cursor of its own.

use super::raw::{Next, RawStream};
use crate::{
    Error, Result,
    observe::{Observation, StreamObserver},
};
use bytes::{Buf, Bytes};
use farlens_proto::Chunk;
use farlens_wire::{AtEnd, Code, Pos, Position};
use std::{
    io::{self, SeekFrom},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, ReadBuf};

/// The half of a [`crate::ByteStream`] that reads. See [`crate::ByteStream::split`].
pub struct ByteReader {
    pub(super) raw: Arc<RawStream>,
    /// Taken from the link and not read yet.
    held: Bytes,
    at_end: AtEnd,
    seeking: bool,
}

impl std::fmt::Debug for ByteReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByteReader").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl ByteReader {
    pub(super) const fn new(raw: Arc<RawStream>, at_end: AtEnd) -> Self {
        Self { raw, held: Bytes::new(), at_end, seeking: false }
    }

    /// The position of the next byte.
    #[must_use]
    pub fn position(&self) -> Position {
        self.raw.position_before(self.held.len() as u64)
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
        let held = self.held.len() as u64;
        if let Some(skip) = self.raw.skip_within(to, held) {
            self.held.advance(usize::try_from(skip).unwrap_or(self.held.len()));
            self.seeking = false;
            return Ok(true);
        }
        self.renew_at(to)?;
        Ok(false)
    }

    /// Goes to a place and drops what was read ahead.
    pub(super) fn renew_at(&mut self, to: Pos) -> Result<()> {
        self.raw.start_seek(to, self.at_end, self.held.len() as u64)?;
        self.held.clear();
        self.seeking = true;
        Ok(())
    }

    /// Waits for the seek under way, if there is one.
    pub(super) fn poll_sought(&mut self, cx: &Context<'_>) -> Poll<Result<Position>> {
        if !self.seeking {
            return Poll::Ready(Ok(self.position()));
        }
        let outcome = ready!(self.raw.poll_seek(cx));
        self.seeking = false;
        Poll::Ready(outcome)
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
        if self.held.is_empty()
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
