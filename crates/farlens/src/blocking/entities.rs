//! A remote sequence, as an iterator.

use super::{StreamEvents, background::Waiter};
use crate::{Observation, Result, StreamObserver};
use farlens_wire::{Bounds, Element, Mode, Pos, Position};
use futures::{FutureExt, StreamExt};
use std::{future::poll_fn, sync::Arc, time::Duration};

/// A sequence of entities that a peer publishes, decoded as `T`; see [`crate::EntityStream`].
///
/// Iterating ends at the end of the sequence. A wait that ran out of time is an element that is an
/// error, and the next one tries again.
#[derive(Debug)]
pub struct EntityStream<T> {
    // Dropped before what drives it.
    inner: crate::EntityStream<T>,
    waiter: Waiter,
}

impl<T> EntityStream<T> {
    pub(super) const fn new(inner: crate::EntityStream<T>, waiter: Waiter) -> Self {
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

    /// The indices that exist, as last told by the peer.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.inner.bounds()
    }

    /// The index of the next element.
    #[must_use]
    pub fn position(&self) -> Position {
        self.inner.position()
    }

    /// Goes to an index and gives it back as an absolute one.
    ///
    /// # Errors
    /// As [`crate::EntityStream::seek`], with the position as it was then. After a `TIMEOUT` the
    /// seek is still under way: the next element is the one where it leads, and a newer seek takes
    /// its place.
    pub fn seek(&mut self, to: impl Into<Pos>) -> Result<Position> {
        self.waiter.wait(self.inner.seek(to))?
    }

    /// Elements that were left out so far; see [`crate::EntityStream::skipped`].
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.inner.skipped()
    }

    /// The elements with what happens between them.
    #[must_use]
    pub fn events(self) -> StreamEvents<T> {
        StreamEvents::new(self.inner.events(), self.waiter)
    }

    /// Waits until everything that was sent is applied.
    ///
    /// # Errors
    /// Any failure of an earlier write, of the storage, the stream or the link, and `TIMEOUT`,
    /// after which a newer one waits for the same.
    pub fn flush(&mut self) -> Result<()> {
        self.waiter.wait(poll_fn(|cx| self.inner.poll_applied(cx)))?
    }

    /// Waits until everything that was sent is durable.
    ///
    /// # Errors
    /// As [`EntityStream::flush`].
    pub fn sync(&mut self) -> Result<()> {
        self.waiter.wait(self.inner.sync())?
    }

    /// Has `observer` told of what happens to the stream, until the result is dropped. It may use
    /// this module.
    pub fn observe(&self, observer: Arc<dyn StreamObserver>) -> Observation {
        self.inner.observe(observer)
    }
}

impl<T: Element> EntityStream<T> {
    /// Hands a value in, to be written where [`crate::EntityStream`] says. It is applied after a
    /// while, and at the latest when [`EntityStream::flush`] returns.
    ///
    /// # Errors
    /// `USAGE` and `TOO_LARGE` for a value that cannot be encoded; any failure of an earlier write,
    /// of the storage, the stream or the link. After a `TIMEOUT` the value was not taken.
    pub fn send(&mut self, value: &T) -> Result<()> {
        self.waiter.wait(poll_fn(|cx| self.inner.poll_send(cx, value)))?
    }

    /// Waits until everything that was sent is applied and durable, and closes the stream.
    ///
    /// # Errors
    /// As [`crate::EntityStream::close`]. After a `TIMEOUT` this goes on in the background, and
    /// nothing tells whether it succeeds.
    pub fn close(self) -> Result<()>
    where
        T: 'static,
    {
        self.waiter.wait_or_leave(self.inner.close())?
    }

    /// The next element, as [`Iterator::next`] gives it, with another timeout for this wait.
    pub fn next_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> Option<Result<T>> {
        // What has arrived needs no runtime, and entering one takes longer than decoding it.
        if let Some(next) = self.inner.next().now_or_never() {
            return next;
        }
        let next = self.waiter.wait_for(self.inner.next(), timeout.into());
        next.unwrap_or_else(|error| Some(Err(error)))
    }
}

impl<T: Element> Iterator for EntityStream<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        self.next_timeout(self.timeout())
    }
}
