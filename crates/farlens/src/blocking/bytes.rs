//! A remote file, as `std::io` reads it.

use super::background::Waiter;
use crate::{Observation, Result, StreamObserver};
use bytes::Bytes;
use farlens_wire::{Bounds, Mode, Pos, Position};
use std::{
    future::poll_fn,
    io::{self, BufRead, Read, Seek, SeekFrom},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncSeek};

/// A byte stream that a peer publishes: [`Read`], [`BufRead`] and [`Seek`]; see
/// [`crate::ByteStream`].
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

    /// Has `observer` told of what happens to the stream, until the result is dropped. It is called
    /// from a thread in the background and must not use this module there.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        let _entered = self.waiter.enter();
        self.inner.observe(observer)
    }
}

impl Read for ByteStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.waiter.wait(self.inner.read(buffer))?
    }
}

impl BufRead for ByteStream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.waiter.wait(self.inner.fill_buf())?
    }

    fn consume(&mut self, amount: usize) {
        Pin::new(&mut self.inner).consume(amount);
    }
}

impl Seek for ByteStream {
    /// As [`ByteStream::seek_to`].
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut inner = Pin::new(&mut self.inner);
        inner.as_mut().start_seek(to)?;
        self.waiter.wait(poll_fn(|cx| inner.as_mut().poll_complete(cx)))?
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position().get())
    }
}
