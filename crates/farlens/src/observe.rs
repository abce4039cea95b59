//! Callbacks on one stream.

use crate::{Error, link::fault::to_error, stream::raw::RawStream};
use farlens_wire::Bounds;
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
}

impl Observation {
    pub(crate) fn start(raw: &RawStream, observer: Arc<dyn StreamObserver>) -> Self {
        let active = Arc::new(ReentrantMutex::new(Cell::new(true)));
        let (shared, id) = (Arc::clone(raw.link().shared()), raw.id());
        let (mut news, flag) = (raw.news(), Arc::clone(&active));
        let task = tokio::spawn(async move {
            let mut told = Told::default();
            loop {
                let (readable, bounds, over) = shared.peek(|link| {
                    let bounds = link.stream_state(id).map(|state| state.bounds);
                    (link.is_readable(id), bounds, link.stream_over(id).map(to_error))
                });
                if !told.tell(&flag, &*observer, readable, bounds, over) {
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
    /// Tells the observer what is new; says whether more may come.
    fn tell(
        &mut self,
        flag: &ReentrantMutex<Cell<bool>>,
        observer: &dyn StreamObserver,
        readable: bool,
        bounds: Option<Bounds>,
        over: Option<Error>,
    ) -> bool {
        // Also where it was readable before: all of it may have been read meanwhile.
        if readable {
            call(flag, || observer.readable());
        }
        let before = std::mem::replace(&mut self.bounds, bounds);
        if let (Some(before), Some(bounds)) = (before, bounds)
            && before != bounds
        {
            call(flag, || observer.moved(bounds));
        }
        match over {
            None => true,
            Some(error) => {
                call(flag, || observer.failed(&error));
                false
            }
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
