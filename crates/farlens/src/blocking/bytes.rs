//! A remote file, as `std::io` reads and writes it.

use super::{
    background::Waiter,
    halves::{ByteReader, ByteWriter},
    io::{read_with, write_with},
    when::When,
};
use crate::{Condition, Observation, Result, StreamObserver};
use bytes::Bytes;
use farlens_wire::{Bounds, Edge, Mode, Pos, Position};
use std::{
    ops::{Range, RangeBounds},
    sync::Arc,
    time::Duration,
};

/// A byte stream that a peer publishes: [`Read`](std::io::Read), [`BufRead`](std::io::BufRead),
/// [`Write`](std::io::Write) and [`Seek`](std::io::Seek); see [`crate::ByteStream`]. Its `flush`
/// waits until what was written is applied.
///
/// Errors of these traits hold an [`crate::Error`], which `farlens::Error::from` gives back.
#[derive(Debug)]
pub struct ByteStream {
    // Dropped before what drives it.
    inner: crate::ByteStream,
    waiter: Waiter,
}

impl ByteStream {
    pub(super) const fn new(inner: crate::ByteStream, waiter: Waiter) -> Self {
        Self { inner, waiter }
    }

    /// The longest wait; `None` is without end.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        self.waiter.timeout()
    }

    /// Sets the longest wait; `None` waits until the stream or its link is over.
    pub fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.waiter.set_timeout(timeout.into());
    }

    /// What the stream allows.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.inner.mode()
    }

    /// The positions that exist, as last told by the peer.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.inner.bounds()
    }

    /// What the source calls this state of its bytes; see [`crate::ByteStream::version`].
    #[must_use]
    pub fn version(&self) -> Bytes {
        self.inner.version()
    }

    /// The position of the next byte.
    #[must_use]
    pub fn position(&self) -> Position {
        self.inner.position()
    }

    /// The next bytes as they arrived, without a copy; nothing at the end.
    ///
    /// # Errors
    /// Any failure of the source, the stream or the link, and `TIMEOUT`.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        self.waiter.wait(self.inner.next_chunk())?
    }

    /// Goes to a place and gives its absolute position.
    ///
    /// # Errors
    /// As [`crate::ByteStream::seek_to`], with the position as it was then. After a `TIMEOUT` the
    /// seek is still under way: the next read waits for it and goes on where it leads, and a newer
    /// seek takes its place.
    pub fn seek_to(&mut self, to: impl Into<Pos>) -> Result<Position> {
        self.waiter.wait(self.inner.seek_to(to))?
    }

    /// Reads a place, beside the cursor.
    ///
    /// # Errors
    /// As [`crate::ByteStream::read_at`], and `TIMEOUT`.
    pub fn read_at(&self, range: impl RangeBounds<u64>) -> Result<Bytes> {
        self.waiter.wait(self.inner.read_at(range))?
    }

    /// Reads several places with one request.
    ///
    /// # Errors
    /// As [`crate::ByteStream::read_ranges`], and `TIMEOUT`.
    pub fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.waiter.wait(self.inner.read_ranges(ranges))?
    }

    /// Writes bytes to a place, beside the cursor, and waits until they are applied. Gives the
    /// absolute position of the first.
    ///
    /// # Errors
    /// As [`crate::ByteStream::write_at`]. After a `TIMEOUT` the bytes may still be applied.
    pub fn write_at(&self, at: impl Into<Pos>, bytes: impl Into<Bytes>) -> Result<Position> {
        self.when(Condition::default()).write_at(at, bytes)
    }

    /// Writes bytes to the end as it is when they arrive, waits until they are applied and gives
    /// the position of the first.
    ///
    /// # Errors
    /// As [`crate::ByteStream::append`]. After a `TIMEOUT` the bytes may still be applied.
    pub fn append(&self, bytes: impl Into<Bytes>) -> Result<Position> {
        self.when(Condition::default()).append(bytes)
    }

    /// Moves an end, and gives its absolute position.
    ///
    /// # Errors
    /// As [`crate::ByteStream::truncate`]. After a `TIMEOUT` it may still be moved.
    pub fn truncate(&self, edge: Edge, to: impl Into<Pos>) -> Result<Position> {
        self.when(Condition::default()).truncate(edge, to)
    }

    /// Changes that are made only if `condition` holds.
    #[must_use]
    pub const fn when(&self, condition: Condition) -> When<'_> {
        When { inner: self.inner.when(condition), waiter: &self.waiter }
    }

    /// Waits until everything that was written is durable.
    ///
    /// # Errors
    /// As [`crate::ByteStream::sync`]. After a `TIMEOUT` a newer one waits for the same.
    pub fn sync(&mut self) -> Result<()> {
        self.waiter.wait(self.inner.sync())?
    }

    /// Waits until everything that was written is applied and durable, and closes the stream.
    ///
    /// # Errors
    /// As [`crate::ByteStream::close`]. After a `TIMEOUT` this goes on in the background, and
    /// nothing tells whether it succeeds.
    pub fn close(self) -> Result<()> {
        self.waiter.wait_or_leave(self.inner.close())?
    }

    /// Two halves with a cursor each, for two threads. The stream is closed when both are gone.
    #[must_use]
    pub fn split(self) -> (ByteReader, ByteWriter) {
        let (reader, writer) = self.inner.split();
        (ByteReader::new(reader, self.waiter.clone()), ByteWriter::new(writer, self.waiter))
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped. It may use
    /// this module.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        self.inner.observe(observer)
    }
}

read_with!(ByteStream, std::io::Write::flush);
write_with!(ByteStream);
