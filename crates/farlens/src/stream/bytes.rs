//! A remote file: bytes that are read, written and sought as if they were local.

use super::{
    OpenOptions,
    origin::Origin,
    place::{Condition, When},
    raw::RawStream,
    reader::ByteReader,
    writer::ByteWriter,
};
use crate::{
    Error, Link, Result,
    observe::{Observation, StreamObserver},
};
use bytes::Bytes;
use farlens_proto::{Kind, OpenOn};
use farlens_wire::{Bounds, Code, Edge, Flags, Mode, Operation, Pos, Position};
use futures::Stream;
use std::{
    io::{self, SeekFrom},
    ops::{Range, RangeBounds},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

/// A byte stream that a peer publishes.
///
/// It has one cursor, as a file has; [`ByteStream::split`] gives two. It reads ahead within its
/// window, so that reading costs no round trip; a seek to what has arrived already costs none
/// either. A reader that seeks at random is soon sent little more than it reads. One that goes
/// through the data in equal strides, either way, finds most places read before it comes there,
/// unless the stream is open for writing, too. [`ByteStream::read_at`] and
/// [`ByteStream::write_at`] need no cursor, and many of them may be under way at a time. A cut link
/// is an error and never the end. Errors of the `tokio::io` traits hold an [`Error`], which a
/// downcast gives back.
///
/// What is written is *sent* when `write` returns, *applied* when `flush` does and *durable* when
/// [`ByteStream::sync`] does; [`ByteStream::close`] does all of it. After a write the next read
/// waits until it is applied, so that one sees what one wrote. What was neither flushed nor closed
/// when the stream is dropped may be lost.
///
/// Unlike with a local file, a seek beyond data that cannot grow is `OUT_OF_RANGE`, is known to
/// have succeeded when it returns, and leaves the position where it was when it fails. Behind the
/// end of data that may grow one can write, and a read is `OUT_OF_RANGE`.
pub struct ByteStream {
    reader: ByteReader,
    writer: ByteWriter,
    /// Whether the cursor is where the writer stands, and not the reader.
    wrote: bool,
    /// The changes beside the cursor that what was read ahead accounts for.
    seen: u64,
    turn: Turn,
    origin: Origin,
}

/// How far the change from writing to reading has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Done,
    Seeking,
}

impl std::fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByteStream").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl ByteStream {
    pub(crate) async fn open(
        link: &Link,
        (on, origin): (OpenOn, Origin),
        options: OpenOptions,
    ) -> Result<Self> {
        let request = options.request(on, Kind::Bytes)?;
        let raw = Arc::new(link.open_raw(request).await?);
        Ok(Self {
            reader: ByteReader::new(Arc::clone(&raw), options.end_policy()),
            writer: ByteWriter::new(raw, options.appends()),
            wrote: false,
            seen: 0,
            turn: Turn::Done,
            origin,
        })
    }

    /// Where it was opened.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) const fn raw(&self) -> &Arc<RawStream> {
        &self.reader.raw
    }

    /// What the stream allows.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.raw().mode()
    }

    /// Whether it may be written at the end and nowhere else.
    #[must_use]
    pub fn appends_only(&self) -> bool {
        self.raw().appends_only()
    }

    /// The positions that exist, as last told by the peer.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.raw().state().bounds
    }

    /// What the source calls this state of its bytes, as last told: equal versions mean equal bytes.
    /// Empty when it cannot tell. A plain file says so when it is opened and not again, so who must
    /// know that it did not change while it was read opens it once more and compares.
    #[must_use]
    pub fn version(&self) -> Bytes {
        self.raw().state().version.into()
    }

    /// The position of the next byte.
    #[must_use]
    pub fn position(&self) -> Position {
        if self.wrote { self.writer.position() } else { self.reader.position() }
    }

    /// The next bytes as they arrived, without a copy; nothing at the end. Cancel safe.
    ///
    /// # Errors
    /// `EVICTED` once where the source has dropped bytes before they could be read
    /// ([`Error::skipped`] says how many; reading goes on behind them); any failure of the source,
    /// the stream or the link.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        std::future::poll_fn(|cx| {
            ready!(self.poll_turn(cx))?;
            self.reader.poll_next_chunk(cx)
        })
        .await
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
        std::future::poll_fn(|cx| self.writer.poll_applied(cx)).await?;
        self.begin_seek(to.into())?;
        std::future::poll_fn(|cx| self.poll_sought(cx)).await
    }

    /// Reads a place, beside the cursor: the part of it that lies inside the bounds as last told,
    /// which is nothing at the end. One round trip; many may be under way at a time.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` when it begins behind the end or before the start; `MODE_FORBIDS` on a stream
    /// that cannot seek both ways; any failure of the source, the stream or the link.
    pub async fn read_at(&self, range: impl RangeBounds<u64>) -> Result<Bytes> {
        self.raw().read_at(range).await
    }

    /// Reads several places with one request. The answers are in the order of the ranges.
    ///
    /// # Errors
    /// As [`ByteStream::read_at`], for the first range that fails.
    pub async fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.raw().read_ranges(ranges).await
    }

    /// Writes bytes to a place, beside the cursor, and waits until they are applied. Gives the
    /// absolute position of the first. Behind the end it grows the data, up to the gap that the
    /// publisher allows; what lies between is zero.
    ///
    /// # Errors
    /// `MODE_FORBIDS`; `OUT_OF_RANGE` before the start or too far behind the end; `END_OF_SPACE` at
    /// an end that cannot move; `TOO_LONG` beyond what the publisher allows; `STORAGE_FULL` and
    /// `STORAGE_IO`; any failure of the stream or the link. [`Error::applied`] says how many bytes
    /// were applied; the rest was not, unless the link was lost.
    pub async fn write_at(&self, at: impl Into<Pos>, bytes: impl Into<Bytes>) -> Result<Position> {
        self.when(Condition::default()).write_at(at, bytes).await
    }

    /// Writes bytes to the end as it is when they arrive, waits until they are applied and gives
    /// the position of the first. Bytes of several writers are never mixed within a frame (64 KiB
    /// unless the link is busy).
    ///
    /// # Errors
    /// As [`ByteStream::write_at`].
    pub async fn append(&self, bytes: impl Into<Bytes>) -> Result<Position> {
        self.when(Condition::default()).append(bytes).await
    }

    /// Moves an end: drops what lies before or after a place, and gives its absolute position.
    /// Positions of what stays are what they were. `Edge::After` behind the end grows the data.
    ///
    /// # Errors
    /// As [`ByteStream::write_at`].
    pub async fn truncate(&self, edge: Edge, to: impl Into<Pos>) -> Result<Position> {
        self.when(Condition::default()).truncate(edge, to).await
    }

    /// Changes that are made only if `condition` holds.
    #[must_use]
    pub const fn when(&self, condition: Condition) -> When<'_> {
        When { raw: self.raw(), condition }
    }

    /// Waits until everything that was written is durable.
    ///
    /// # Errors
    /// Any failure of an earlier write, of the storage, the stream or the link. A sync that failed
    /// is final for that data: write it again elsewhere.
    pub async fn sync(&mut self) -> Result<()> {
        self.writer.sync().await
    }

    /// Waits until everything that was written is applied and durable, and closes the stream. What
    /// was written in order to replace a file takes its place now. When this returns the other side
    /// has let go of the data, whose lock another stream may have now, or the link is over.
    ///
    /// # Errors
    /// As [`ByteStream::sync`]; the stream is closed all the same. `Ok` means that all was stored
    /// but what an earlier call has said to have failed; of what was to replace a file then nothing
    /// takes its place, and this fails.
    pub async fn close(mut self) -> Result<()> {
        let stored = if self.mode().has(Flags::WRITABLE) {
            std::future::poll_fn(|cx| self.writer.poll_finished(cx)).await
        } else {
            Ok(())
        };
        self.raw().closed().await;
        stored
    }

    /// Two halves with a cursor each, which read and write at the same time. The writer goes on
    /// where the stream stood, the reader where it read last. The stream is closed when both are
    /// gone.
    #[must_use]
    pub fn split(mut self) -> (ByteReader, ByteWriter) {
        self.writer.seek_to(self.position());
        (self.reader, self.writer)
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        Observation::start(self.raw(), observer)
    }

    /// Turns from writing to reading: what was written is applied, and reading begins behind it.
    fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        let changes = self.raw().changes();
        if self.turn == Turn::Done && (self.wrote || self.seen != changes) {
            ready!(self.writer.poll_applied(cx))?;
            if self.mode().flags().has_any(Flags::SEEK) {
                self.reader.renew_at(Pos::Abs(self.position()))?;
                self.turn = Turn::Seeking;
            } else {
                self.wrote = false;
            }
            self.seen = changes;
        }
        if self.turn == Turn::Seeking {
            ready!(self.poll_turned(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for the seek with which the cursor leaves the writer. Until that has succeeded, also
    /// when it fails or is given up, the cursor is where the writer stands.
    fn poll_turned(&mut self, cx: &Context<'_>) -> Poll<Result<Position>> {
        let sought = ready!(self.reader.poll_sought(cx));
        self.turn = Turn::Done;
        let at = sought?;
        self.wrote = false;
        Poll::Ready(Ok(at))
    }

    /// What is appended leaves the cursor where it is, and what was read ahead behind.
    const fn note_write(&mut self) {
        self.turn = Turn::Done;
        if self.writer.appends() {
            self.seen = u64::MAX;
        } else {
            self.wrote = true;
        }
    }

    /// Starts a seek. Everything that was written has been applied.
    fn begin_seek(&mut self, to: Pos) -> Result<()> {
        self.turn = Turn::Done;
        if let Some(behind) = self.behind_the_end(to) {
            self.writer.seek_to(behind);
            self.wrote = true;
            return Ok(());
        }
        if self.wrote || self.seen != self.raw().changes() {
            self.reader.renew_at(to)?;
            self.seen = self.raw().changes();
            self.turn = Turn::Seeking;
            return Ok(());
        }
        self.reader.begin_seek(to).map(drop)
    }

    /// Where data may grow one may go behind its end, in order to write there.
    fn behind_the_end(&self, to: Pos) -> Option<Position> {
        self.mode().allows(Operation::Extend).ok()?;
        let bounds = self.bounds();
        let end = bounds.end?;
        let at = match to {
            Pos::Abs(at) => at,
            Pos::FromStart(by) => bounds.start?.offset(by)?,
            Pos::FromEnd(by) => end.offset(by)?,
        };
        (at > end && !self.writer.appends()).then_some(at)
    }

    fn poll_sought(&mut self, cx: &Context<'_>) -> Poll<Result<Position>> {
        if self.turn == Turn::Seeking {
            return self.poll_turned(cx);
        }
        if self.wrote {
            return Poll::Ready(Ok(self.writer.position()));
        }
        self.reader.poll_sought(cx)
    }
}

impl AsyncBufRead for ByteStream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_turn(cx))?;
        this.reader.poll_fill(cx).map_err(io::Error::from)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().reader.consume_held(amount);
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_turn(cx))?;
        Pin::new(&mut this.reader).poll_read(cx, buf)
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.wrote && !this.writer.appends() {
            this.writer.seek_to(this.reader.position());
        }
        let taken = ready!(this.writer.poll_put(cx, bytes))?;
        if taken > 0 {
            this.note_write();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer.poll_applied(cx).map_err(io::Error::from)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.mode().has(Flags::WRITABLE) {
            return Poll::Ready(Ok(()));
        }
        this.writer.poll_finished(cx).map_err(io::Error::from)
    }
}

impl AsyncSeek for ByteStream {
    /// Does not wait for what was written; `poll_complete` does, with which `tokio`'s `seek` begins.
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        let to = match (to, this.wrote) {
            (SeekFrom::Current(0), true) => return Ok(()),
            (SeekFrom::Current(by), true) => {
                let place = this.writer.position().offset(by).map(Pos::Abs);
                Some(place.ok_or_else(|| {
                    Error::new(Code::OUT_OF_RANGE, "a seek before the start or beyond 2^63-1")
                })?)
            }
            (to, _) => this.reader.wish(to)?,
        };
        match to {
            Some(to) => Ok(this.begin_seek(to)?),
            None => Ok(()),
        }
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        ready!(this.writer.poll_applied(cx))?;
        let at = ready!(this.poll_sought(cx))?;
        Poll::Ready(Ok(at.get()))
    }
}
