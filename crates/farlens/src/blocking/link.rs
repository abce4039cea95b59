//! A link, as threads use it.

use super::{ByteStream, EntityStream, Events, background::Waiter};
use crate::{Entry, Error, KeyId, OpenOptions, Result, Stat};
use bytes::Bytes;
use farlens_proto::LinkStats;
use farlens_wire::Element;
use std::{ops::Range, time::Duration};

/// How long the last frame may take, the peer's answer to it included.
const FAREWELL: Duration = Duration::from_secs(1);

/// A link with one peer, cheap to clone; see [`crate::Link`].
///
/// It lives as long as a clone of it or a stream on it does; dropping the last one closes it.
#[derive(Clone, Debug)]
pub struct Link {
    // Dropped before what drives it.
    inner: crate::Link,
    waiter: Waiter,
}

impl Link {
    pub(super) fn new(inner: crate::Link, waiter: Waiter) -> Self {
        waiter.background().finish(inner.finished());
        Self { inner, waiter }
    }

    /// The same link with another timeout for its own waits and those of streams that are opened
    /// with it; `None` waits until the link is over. Other clones keep theirs.
    #[must_use]
    pub fn with_timeout(&self, timeout: impl Into<Option<Duration>>) -> Self {
        let waiter = self.waiter.with_timeout(timeout.into());
        Self { inner: self.inner.clone(), waiter }
    }

    /// The longest wait; `None` is without end.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        self.waiter.timeout()
    }

    /// The key that the peer proved.
    #[must_use]
    pub fn peer(&self) -> KeyId {
        self.inner.peer()
    }

    /// The peer's program, as it calls itself.
    #[must_use]
    pub fn peer_agent(&self) -> String {
        self.inner.peer_agent()
    }

    /// What the link holds at this moment.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.inner.stats()
    }

    /// Opens a byte stream for reading from its start to its end.
    ///
    /// # Errors
    /// As [`crate::Link::open`], and `TIMEOUT`.
    pub fn open(&self, path: &str) -> Result<ByteStream> {
        self.open_with(path, OpenOptions::new())
    }

    /// Opens a byte stream.
    ///
    /// # Errors
    /// As [`crate::Link::open_with`], and `TIMEOUT`.
    pub fn open_with(&self, path: &str, options: OpenOptions) -> Result<ByteStream> {
        let stream = self.waiter.wait(self.inner.open_with(path, options))??;
        Ok(ByteStream::new(stream, self.waiter.clone()))
    }

    /// Reads a place of bytes that nothing else is wanted of, in one round trip.
    ///
    /// # Errors
    /// As [`crate::Link::read_at`], and `TIMEOUT`.
    pub fn read_at(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        self.waiter.wait(self.inner.read_at(path, range))?
    }

    /// Reads several places of bytes that nothing else is wanted of.
    ///
    /// # Errors
    /// As [`crate::Link::read_ranges`], and `TIMEOUT`.
    pub fn read_ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.waiter.wait(self.inner.read_ranges(path, ranges))?
    }

    /// Opens a sequence of entities from its start to its end.
    ///
    /// `T` is the type that was published, or [`crate::Entity`] for any.
    ///
    /// # Errors
    /// As [`crate::Link::entities`], and `TIMEOUT`.
    pub fn entities<T: Element>(&self, path: &str) -> Result<EntityStream<T>> {
        self.entities_with(path, OpenOptions::new())
    }

    /// Opens a sequence of entities.
    ///
    /// # Errors
    /// As [`crate::Link::entities_with`], and `TIMEOUT`.
    pub fn entities_with<T: Element>(
        &self,
        path: &str,
        options: OpenOptions,
    ) -> Result<EntityStream<T>> {
        let stream = self.waiter.wait(self.inner.entities_with(path, options))??;
        Ok(EntityStream::new(stream, self.waiter.clone()))
    }

    /// What lies at a path, by name; the one entry itself where a stream lies. Costs a round trip
    /// for every 200 entries; the timeout is for all of them.
    ///
    /// # Errors
    /// As [`crate::Link::list`], and `TIMEOUT`.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>> {
        self.waiter.wait(self.inner.list(path))?
    }

    /// What is known of a path without opening it. Costs a round trip.
    ///
    /// # Errors
    /// As [`crate::Link::stat`], and `TIMEOUT`.
    pub fn stat(&self, path: &str) -> Result<Stat> {
        self.waiter.wait(self.inner.stat(path))?
    }

    /// Watches several streams at a time: their growth, new entities, ends and failures.
    ///
    /// The streams are being opened when this returns: entities are delivered that come after the
    /// stream has told that it is open, and some from before. A path that cannot be opened is told
    /// of as gone. Costs a round trip for each path; the timeout is for all of them.
    ///
    /// # Errors
    /// `BAD_ADDRESS` for a path that breaks a rule, and `TIMEOUT`.
    pub fn watch<P: AsRef<str>>(&self, paths: impl IntoIterator<Item = P>) -> Result<Events> {
        let events = self.waiter.wait(self.inner.watch(paths))??;
        Ok(Events::new(events, self.waiter.clone()))
    }

    /// Whether the link is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Waits until the link is over and says why; `None` waits without end.
    ///
    /// # Errors
    /// `TIMEOUT` when it is not over by then.
    pub fn closed(&self, timeout: impl Into<Option<Duration>>) -> Result<Error> {
        self.waiter.wait_for(self.inner.closed(), timeout.into())
    }

    /// Closes the link now. Streams on it fail, and threads that wait for them return. Waits until
    /// the peer has been told, for a second at most.
    pub fn close(&self) {
        self.inner.close();
        // A peer that does not take the last frame will find the connection closed.
        let _ = self.waiter.wait_for(self.inner.finished(), Some(FAREWELL));
    }
}
