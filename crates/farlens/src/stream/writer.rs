//! The writing half of a byte stream: a cursor of its own.

use super::{
    cursor::WriteCursor,
    place::{Condition, When},
    raw::RawStream,
};
use crate::{
    Result,
    observe::{Observation, StreamObserver},
};
use bytes::Bytes;
use farlens_proto::Chunk;
use farlens_wire::{Edge, Mode, Pos, Position};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

/// The half of a [`crate::ByteStream`] that writes. See [`crate::ByteStream::split`].
///
/// `write` takes bytes over (*sent*), `flush` waits until they are in the data and others can read
/// them (*applied*), [`ByteWriter::sync`] until they survive a loss of power (*durable*). What was
/// not flushed when this is dropped may be lost.
pub struct ByteWriter {
    pub(super) raw: Arc<RawStream>,
    cursor: WriteCursor,
}

/// Bytes that one write takes over at the most.
const WRITE_BYTES: usize = 64 << 10;

impl std::fmt::Debug for ByteWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByteWriter").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl ByteWriter {
    pub(super) fn new(raw: Arc<RawStream>, appends: bool) -> Self {
        Self { cursor: WriteCursor::new(Arc::clone(&raw), appends), raw }
    }

    /// The position of the next byte; of no meaning where each write goes to the end.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.cursor.position()
    }

    /// What the stream allows.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.raw.mode()
    }

    /// Writes to a place beside the cursor, as [`crate::ByteStream::write_at`].
    ///
    /// # Errors
    /// As there.
    pub async fn write_at(&self, at: impl Into<Pos>, bytes: impl Into<Bytes>) -> Result<Position> {
        self.when(Condition::default()).write_at(at, bytes).await
    }

    /// Writes to the end, as [`crate::ByteStream::append`].
    ///
    /// # Errors
    /// As there.
    pub async fn append(&self, bytes: impl Into<Bytes>) -> Result<Position> {
        self.when(Condition::default()).append(bytes).await
    }

    /// Moves an end, as [`crate::ByteStream::truncate`].
    ///
    /// # Errors
    /// As there.
    pub async fn truncate(&self, edge: Edge, to: impl Into<Pos>) -> Result<Position> {
        self.when(Condition::default()).truncate(edge, to).await
    }

    /// Changes that are made only if `condition` holds.
    #[must_use]
    pub const fn when(&self, condition: Condition) -> When<'_> {
        When { raw: &self.raw, condition }
    }

    /// Goes on writing elsewhere. Costs nothing; the next write tells whether that is possible.
    pub fn seek_to(&mut self, at: Position) {
        self.cursor.go_to(at);
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        Observation::start(&self.raw, observer)
    }

    /// Waits until everything that was written is durable.
    ///
    /// # Errors
    /// Any failure of an earlier write, of the storage, the stream or the link.
    pub async fn sync(&mut self) -> Result<()> {
        std::future::poll_fn(|cx| self.cursor.poll_flush(cx)).await?;
        self.raw.sync(false).await
    }

    pub(super) fn poll_put(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.cursor.poll_room(cx))?;
        let taken = bytes.len().min(WRITE_BYTES);
        let chunk = Chunk::Bytes(Bytes::copy_from_slice(&bytes[..taken]));
        ready!(self.cursor.poll_write(cx, &chunk))?;
        Poll::Ready(Ok(taken))
    }

    pub(super) fn poll_applied(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.cursor.poll_flush(cx)
    }

    pub(super) fn poll_finished(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.cursor.poll_finish(cx)
    }

    pub(super) const fn appends(&self) -> bool {
        self.cursor.appends()
    }
}

impl AsyncWrite for ByteWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_put(cx, bytes).map_err(io::Error::from)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_applied(cx).map_err(io::Error::from)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_finished(cx).map_err(io::Error::from)
    }
}
