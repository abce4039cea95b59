//! A remote sequence with what happens between its elements, as an iterator.

use super::background::Waiter;
use crate::{Result, StreamEvent};
use farlens_wire::Element;
use futures::StreamExt;
use std::time::Duration;

/// The events of an entity stream; see [`crate::StreamEvents`].
///
/// A wait that ran out of time is an event that is an error, and the next one tries again.
#[derive(Debug)]
pub struct StreamEvents<T> {
    // Dropped before what drives it.
    inner: crate::StreamEvents<T>,
    waiter: Waiter,
}

impl<T> StreamEvents<T> {
    pub(super) const fn new(inner: crate::StreamEvents<T>, waiter: Waiter) -> Self {
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
}

impl<T: Element> StreamEvents<T> {
    /// The next event, as [`Iterator::next`] gives it, with another timeout for this wait.
    pub fn next_timeout(
        &mut self,
        timeout: impl Into<Option<Duration>>,
    ) -> Option<Result<StreamEvent<T>>> {
        let next = self.waiter.wait_for(self.inner.next(), timeout.into());
        next.unwrap_or_else(|error| Some(Err(error)))
    }
}

impl<T: Element> Iterator for StreamEvents<T> {
    type Item = Result<StreamEvent<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_timeout(self.timeout())
    }
}
