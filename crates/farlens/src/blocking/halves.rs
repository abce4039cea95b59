//! The halves of a remote file, for two threads.

use super::{
    background::Waiter,
    io::{read_with, write_with},
};
use crate::{Observation, Result, StreamObserver};
use bytes::Bytes;
use farlens_wire::{Pos, Position};
use std::{sync::Arc, time::Duration};

/// The half of a [`super::ByteStream`] that reads; see [`crate::ByteReader`].
#[derive(Debug)]
pub struct ByteReader {
    // Dropped before what drives it.
    inner: crate::ByteReader,
    waiter: Waiter,
}

/// The half of a [`super::ByteStream`] that writes; see [`crate::ByteWriter`].
#[derive(Debug)]
pub struct ByteWriter {
    // Dropped before what drives it.
    inner: crate::ByteWriter,
    waiter: Waiter,
}

impl ByteReader {
    pub(super) const fn new(inner: crate::ByteReader, waiter: Waiter) -> Self {
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

    /// The position of the next byte.
    #[must_use]
    pub fn position(&self) -> Position {
        self.inner.position()
    }

    /// The next bytes as they arrived, without a copy; nothing at the end.
    ///
    /// # Errors
    /// As [`crate::ByteReader::next_chunk`], and `TIMEOUT`.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        self.waiter.wait(self.inner.next_chunk())?
    }

    /// Goes to a place and gives its absolute position.
    ///
    /// # Errors
    /// As [`super::ByteStream::seek_to`].
    pub fn seek_to(&mut self, to: impl Into<Pos>) -> Result<Position> {
        self.waiter.wait(self.inner.seek_to(to))?
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped. It may use
    /// this module.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        self.inner.observe(observer)
    }
}

impl ByteWriter {
    pub(super) const fn new(inner: crate::ByteWriter, waiter: Waiter) -> Self {
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

    /// The position of the next byte; of no meaning where each write goes to the end.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.inner.position()
    }

    /// Goes on writing elsewhere. Costs nothing; the next write tells whether that is possible.
    pub fn seek_to(&mut self, at: Position) {
        self.inner.seek_to(at);
    }

    /// Waits until everything that was written is durable.
    ///
    /// # Errors
    /// As [`crate::ByteWriter::sync`]. After a `TIMEOUT` a newer one waits for the same.
    pub fn sync(&mut self) -> Result<()> {
        self.waiter.wait(self.inner.sync())?
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped. It may use
    /// this module.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        self.inner.observe(observer)
    }
}

read_with!(ByteReader, |_| Ok(()));
write_with!(ByteWriter);
