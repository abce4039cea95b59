//! Changes of many streams, as an iterator.

use super::background::Waiter;
use crate::{Result, WatchEvent};
use futures::StreamExt;
use std::time::Duration;

/// Changes of many streams; see [`crate::Events`].
///
/// Iterating ends when every stream is gone. The only error is `TIMEOUT`, after which the next call
/// goes on.
#[derive(Debug)]
pub struct Events {
    // Dropped before what drives it.
    inner: crate::Events,
    waiter: Waiter,
}

impl Events {
    pub(super) const fn new(inner: crate::Events, waiter: Waiter) -> Self {
        Self { inner, waiter }
    }

    /// The longest wait; `None` is without end.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        self.waiter.timeout()
    }

    /// Sets the longest wait; `None` waits until every stream is gone.
    pub fn set_timeout(&mut self, timeout: impl Into<Option<Duration>>) {
        self.waiter.set_timeout(timeout.into());
    }

    /// The next change, as [`Iterator::next`] gives it, with another timeout for this wait.
    pub fn next_timeout(
        &mut self,
        timeout: impl Into<Option<Duration>>,
    ) -> Option<Result<WatchEvent>> {
        let next = self.waiter.wait_for(self.inner.next(), timeout.into());
        next.map_or_else(|error| Some(Err(error)), |event| event.map(Ok))
    }
}

impl Iterator for Events {
    type Item = Result<WatchEvent>;

    fn next(&mut self) -> Option<Result<WatchEvent>> {
        self.next_timeout(self.timeout())
    }
}
