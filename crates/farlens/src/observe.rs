//! Callbacks on one stream.

mod callers;
mod told;

use crate::{
    Error,
    link::{fault::to_error, shared::Shared, trash::discard},
    stream::raw::RawStream,
};
use callers::{CALLERS, Job};
use farlens_proto::Fault;
use farlens_wire::{Bounds, Position, StreamId};
use parking_lot::{Mutex, ReentrantMutex};
use std::{
    cell::Cell,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    task::{Wake, Waker},
};
use tokio::runtime::Handle;
use told::{News, Told};

/// Is told of what happens to a stream. Every method has an empty default.
///
/// Calls of one registration come one at a time. They tell of the latest state and are joined when
/// there is more news than time: after the last change there is at least one more call. The first
/// calls tell of what is so when the observer is registered.
///
/// They come from threads that exist for nothing else, outside every lock that anything but this
/// registration needs, and within the runtime of the link. So an observer may block, for as long as
/// it likes: it keeps neither the link nor another observer waiting, though with every observer
/// that blocks at a time there is a thread more. It may panic, which is contained, use its stream,
/// drop it, register others, and drop its own [`Observation`]. News cost each observer the wake-up
/// of a thread; where others block they may come some milliseconds later.
pub trait StreamObserver: Send + Sync + 'static {
    /// Elements can be read, or a gap. Told again with each news as long as that is so.
    fn readable(&self) {}

    /// A writer may hand in more: told at first, and whenever that is so again after it was not.
    fn writable(&self) {}

    /// The bounds of the data are different.
    fn moved(&self, bounds: Bounds) {
        let _ = bounds;
    }

    /// The end is known: nothing lies behind this position. What lies before it may still be read.
    /// Told once after each seek.
    fn ended(&self, at: Position) {
        let _ = at;
    }

    /// Reading failed at the present position; a seek may help. Told once after each seek.
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
/// The drop waits for a call that is under way, so once it has returned the observer is not called
/// any more. Only within such a call it does not wait.
#[must_use = "the observer is removed when this is dropped"]
pub struct Observation(Arc<Seat>);

impl std::fmt::Debug for Observation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observation").field("stream", &self.0.stream).finish_non_exhaustive()
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let seat = &self.0;
        seat.active.lock().set(false);
        drop(seat.shared.with(|state| state.remove_observer(seat.stream, seat)));
    }
}

impl Observation {
    pub(crate) fn start(raw: &RawStream, observer: Arc<dyn StreamObserver>) -> Self {
        let seat = Arc::new(Seat {
            shared: Arc::clone(raw.link().shared()),
            stream: raw.id(),
            runtime: raw.link().runtime().clone(),
            observer,
            active: ReentrantMutex::new(Cell::new(true)),
            turn: Mutex::new(Turn::Idle),
            told: Mutex::default(),
            parting: OnceLock::new(),
        });
        seat.shared.with(|state| state.add_observer(seat.stream, Arc::clone(&seat)));
        seat.wake_by_ref();
        Self(seat)
    }
}

/// The place of one observer at a stream.
pub(crate) struct Seat {
    shared: Arc<Shared>,
    stream: StreamId,
    runtime: Handle,
    observer: Arc<dyn StreamObserver>,
    /// Whether it is to be called; held during each call.
    active: ReentrantMutex<Cell<bool>>,
    turn: Mutex<Turn>,
    told: Mutex<Told>,
    /// How the stream ended, once its handle is gone.
    parting: OnceLock<Option<Fault>>,
}

/// Where a seat is between news and the calls that tell of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Idle,
    Queued,
    Running,
    /// There are news since it began to run.
    Again,
}

impl Seat {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// The handle of the stream is gone: it was closed, or had failed before.
    pub(crate) fn part(&self, failed: Option<Fault>) {
        let _ = self.parting.set(failed);
    }

    /// Calls back with everything that is new.
    fn tell(&self) {
        let _entered = self.runtime.enter();
        let before = std::mem::take(&mut *self.told.lock());
        let told = match self.parting.get() {
            _ if before.over => before,
            Some(Some(fault)) => self.tell_last(|observer| observer.failed(&to_error(fault))),
            Some(None) => self.tell_last(StreamObserver::closed),
            None => {
                let news = self.shared.peek(|link| News::of(link, self.stream));
                before.tell(&news, |callback| self.call(callback))
            }
        };
        *self.told.lock() = told;
    }

    fn tell_last(&self, callback: impl FnOnce(&dyn StreamObserver)) -> Told {
        self.call(callback);
        Told::OVER
    }

    /// Calls back unless the observer has been removed.
    fn call(&self, callback: impl FnOnce(&dyn StreamObserver)) {
        let active = self.active.lock();
        if active.get() {
            // Whoever panics in a callback loses that callback and nothing else.
            let call = AssertUnwindSafe(|| callback(&*self.observer));
            let _ = std::panic::catch_unwind(call);
        }
    }
}

impl Wake for Seat {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut turn = self.turn.lock();
        match *turn {
            Turn::Idle => *turn = Turn::Queued,
            Turn::Running => {
                *turn = Turn::Again;
                return;
            }
            Turn::Queued | Turn::Again => return,
        }
        drop(turn);
        CALLERS.submit(Arc::clone(self) as Arc<dyn Job>);
    }
}

impl Job for Seat {
    fn run(self: Arc<Self>) {
        *self.turn.lock() = Turn::Running;
        self.tell();
        let before = std::mem::replace(&mut *self.turn.lock(), Turn::Idle);
        if before == Turn::Again {
            self.wake_by_ref();
        }
        discard(self);
    }
}
