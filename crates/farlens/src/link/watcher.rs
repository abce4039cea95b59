//! The queue of one task that watches many streams.

use farlens_wire::StreamId;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

/// The queue of one task that watches many streams.
#[derive(Default)]
pub(crate) struct Watcher {
    inner: Mutex<WatcherState>,
}

#[derive(Default)]
struct WatcherState {
    /// Each stream at most once.
    dirty: VecDeque<StreamId>,
    waker: Option<Waker>,
}

impl Watcher {
    /// Notes that there is news of a stream, and gives whom to wake.
    pub(super) fn mark(&self, stream: StreamId) -> Option<Waker> {
        let mut inner = self.inner.lock();
        if !inner.dirty.contains(&stream) {
            inner.dirty.push_back(stream);
        }
        inner.waker.take()
    }

    /// Notes that a stream must be looked at, without any news of it.
    pub(crate) fn look_at(&self, stream: StreamId) {
        if let Some(waker) = self.mark(stream) {
            waker.wake();
        }
    }

    /// The next stream with news.
    pub(crate) fn poll_dirty(&self, cx: &Context<'_>) -> Poll<StreamId> {
        let mut inner = self.inner.lock();
        if let Some(stream) = inner.dirty.pop_front() {
            return Poll::Ready(stream);
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
