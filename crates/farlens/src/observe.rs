//! Callbacks on one stream.

use crate::{Error, link::fault::to_error, stream::raw::RawStream};
use farlens_wire::{Bounds, Position};
use parking_lot::ReentrantMutex;
use std::{cell::Cell, panic::AssertUnwindSafe, sync::Arc};

/// Is told of what happens to a stream. Every method has an empty default.
///
/// Calls come one at a time, from a task of their own and outside every lock. They tell of the
/// latest state and are joined when there is more news than time: after the last change there is at
/// least one more call. A panic is contained.
pub trait StreamObserver: Send + Sync + 'static {
    /// Elements can be read. Told again with each news as long as some can.
    fn readable(&self) {}

    /// The bounds of the data are different.
    fn moved(&self, bounds: Bounds) {
        let _ = bounds;
    }

    /// The end is known: nothing lies behind this position. What lies before it may still be read.
    fn ended(&self, at: Position) {
        let _ = at;
    }

    /// Reading failed at the present position; a seek may help.
    fn broken(&self, error: &Error) {
        let _ = error;
    }

    /// The stream was closed in good order. Nothing follows.
    fn closed(&self) {}

    /// The stream failed. Nothing follows.
    fn failed(&self, error: &Error) {
        let _ = error;
    }
}

/// An observer that is registered; dropping this removes it.
///
/// Once the drop has returned the observer is not called again, unless it is the observer itself
/// that drops it.
#[must_use = "the observer is removed when this is dropped"]
#[derive(Debug)]
pub struct Observation {
    active: Arc<ReentrantMutex<Cell<bool>>>,
    task: tokio::task::AbortHandle,
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.active.lock().set(false);
        self.task.abort();
    }
}

/// What an observer was told last.
#[derive(Default)]
struct Told {
    bounds: Option<Bounds>,
    end: Option<Position>,
    broken: Option<Error>,
}

impl Observation {
    pub(crate) fn start(raw: &RawStream, observer: Arc<dyn StreamObserver>) -> Self {
        let active = Arc::new(ReentrantMutex::new(Cell::new(true)));
        let (shared, id) = (Arc::clone(raw.link().shared()), raw.id());
        let (mut news, flag) = (raw.news(), Arc::clone(&active));
        let task = tokio::spawn(async move {
            let mut told = Told::default();
            loop {
                let (readable, now, over) = shared.peek(|link| {
                    let now = Told {
                        bounds: link.stream_state(id).map(|state| state.bounds),
                        end: link.stream_end(id),
                        broken: link.stream_fault(id).map(to_error),
                    };
                    (link.is_readable(id), now, link.stream_over(id).map(to_error))
                });
                told.tell(&flag, &*observer, readable, now);
                if let Some(error) = over {
                    call(&flag, || observer.failed(&error));
                    return;
                }
                if news.changed().await.is_err() {
                    call(&flag, || observer.closed());
                    return;
                }
            }
        });
        Self { active, task: task.abort_handle() }
    }
}

impl Told {
    /// Tells the observer what is new.
    fn tell(
        &mut self,
        flag: &ReentrantMutex<Cell<bool>>,
        observer: &dyn StreamObserver,
        readable: bool,
        now: Self,
    ) {
        let before = std::mem::replace(self, now);
        // Also where it was readable before: all of it may have been read meanwhile.
        if readable {
            call(flag, || observer.readable());
        }
        if let (Some(before), Some(bounds)) = (before.bounds, self.bounds)
            && before != bounds
        {
            call(flag, || observer.moved(bounds));
        }
        if let Some(end) = self.end.filter(|_| before.end != self.end) {
            call(flag, || observer.ended(end));
        }
        if let Some(error) = self.broken.as_ref().filter(|_| before.broken.is_none()) {
            call(flag, || observer.broken(error));
        }
    }
}

/// Calls back unless the observer has been removed.
fn call(flag: &ReentrantMutex<Cell<bool>>, callback: impl FnOnce()) {
    let active = flag.lock();
    if active.get() {
        // Whoever panics in a callback loses that callback and nothing else.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(callback));
    }
}
