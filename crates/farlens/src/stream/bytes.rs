//! A remote file: bytes that are read, sought and awaited as if they were local.

use super::{OpenOptions, raw::RawStream};
use crate::{
    Error, Link, RemotePath, Result,
    observe::{Observation, StreamObserver},
};
use bytes::{Buf, Bytes};
use farlens_proto::{Chunk, Kind};
use farlens_wire::{AtEnd, Bounds, Code, Mode, Pos, Position};
use futures::Stream;
use std::{
    io::{self, SeekFrom},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, ReadBuf};

/// A byte stream that a peer publishes.
///
/// It reads ahead within its window, so that reading costs no round trip; a seek to what has
/// arrived already costs none either. A cut link is an error and never the end. Errors of the
/// `tokio::io` traits hold an [`Error`], which a downcast gives back.
///
/// Unlike with a local file, a seek beyond data that cannot grow is `OUT_OF_RANGE`, is known to
/// have succeeded when it returns, and leaves the position where it was when it fails.
pub struct ByteStream {
    raw: RawStream,
    /// Taken from the link and not read yet.
    held: Bytes,
    at_end: AtEnd,
    seeking: bool,
}

impl std::fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByteStream").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl ByteStream {
    pub(crate) async fn open(link: &Link, path: &RemotePath, options: OpenOptions) -> Result<Self> {
        let request = options.request(path, Kind::Bytes);
        let raw = link.open_raw(request).await?;
        Ok(Self { raw, held: Bytes::new(), at_end: options.end_policy(), seeking: false })
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

    /// What the source calls this state of its bytes, as last told: equal versions mean equal bytes.
    /// Empty when it cannot tell. A plain file says so when it is opened and not again, so who must
    /// know that it did not change while it was read opens it once more and compares.
    #[must_use]
    pub fn version(&self) -> Bytes {
        self.raw.state().version.into()
    }

    /// The position of the next byte.
    #[must_use]
    pub fn position(&self) -> Position {
        self.raw.position_before(self.held.len() as u64)
    }

    /// The next bytes as they arrived, without a copy; nothing at the end. Cancel safe.
    ///
    /// # Errors
    /// Any failure of the source, the stream or the link.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        std::future::poll_fn(|cx| self.poll_next_chunk(cx)).await
    }

    fn poll_next_chunk(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if !self.held.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.held))));
        }
        match ready!(self.raw.poll_chunk(cx, u64::MAX))? {
            Some(Chunk::Bytes(bytes)) => Poll::Ready(Ok(Some(bytes))),
            Some(Chunk::Items(_)) => Poll::Ready(Err(not_bytes())),
            None => Poll::Ready(Ok(None)),
        }
    }

    /// The rest as a stream of chunks, without a copy.
    pub fn chunks(self) -> impl Stream<Item = Result<Bytes>> + Send {
        futures::stream::try_unfold(self, |mut stream| async move {
            Ok(stream.next_chunk().await?.map(|chunk| (chunk, stream)))
        })
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
        self.seeking = false;
        self.raw.finish_seek().await
    }

    /// Starts a seek; says whether it is done already.
    fn begin_seek(&mut self, to: Pos) -> Result<bool> {
        let held = self.held.len() as u64;
        if let Some(skip) = self.raw.skip_within(to, held) {
            self.held.advance(usize::try_from(skip).unwrap_or(self.held.len()));
            return Ok(true);
        }
        self.raw.start_seek(to, self.at_end, held)?;
        self.held.clear();
        Ok(false)
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        Observation::start(&self.raw, observer)
    }
}

impl AsyncBufRead for ByteStream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.held.is_empty()
            && let Some(chunk) = ready!(this.poll_next_chunk(cx))?
        {
            this.held = chunk;
        }
        Poll::Ready(Ok(&this.held))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().held.advance(amount);
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = available.len().min(buf.remaining());
        buf.put_slice(&available[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for ByteStream {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let to = match to {
            // Where am I? The answer needs nobody, and keeps what was read ahead.
            SeekFrom::Current(0) if !self.seeking => return Ok(()),
            SeekFrom::Start(at) => Position::new(at),
            SeekFrom::Current(by) => self.position().offset(by),
            SeekFrom::End(by) => {
                self.seeking = !self.begin_seek(Pos::FromEnd(by))?;
                return Ok(());
            }
        };
        let to = to.ok_or_else(|| {
            Error::new(Code::OUT_OF_RANGE, "a seek before the start or beyond 2^63-1")
        })?;
        self.seeking = !self.begin_seek(Pos::Abs(to))?;
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        if !self.seeking {
            return Poll::Ready(Ok(self.position().get()));
        }
        let outcome = ready!(self.raw.poll_seek(cx));
        self.seeking = false;
        Poll::Ready(Ok(outcome?.get()))
    }
}

fn not_bytes() -> Error {
    Error::new(Code::WRONG_KIND, "this is an entity stream, not bytes")
}
