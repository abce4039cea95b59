//! One who tells and many who wait, where telling costs nothing while nobody waits.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// How often the changes of a busy sequence are told of.
const BETWEEN_TIDINGS: Duration = Duration::from_millis(1);

/// Wakes all who wait for a change.
#[derive(Default)]
pub(super) struct News {
    notify: Notify,
    /// Whether somebody may wait.
    awaited: AtomicBool,
}

impl News {
    /// Has all who wait look again. To be called after the change, when its lock is gone.
    pub(super) fn tell(&self) {
        if self.awaited.load(Ordering::SeqCst) && self.awaited.swap(false, Ordering::SeqCst) {
            self.notify.notify_waiters();
        }
    }

    /// Looks now and after each change until there is something. `look` takes the lock under which
    /// the changes are made.
    pub(super) async fn wait_for<R>(&self, mut look: impl FnMut() -> Option<R>) -> R {
        loop {
            let mut heard = pin!(self.notify.notified());
            heard.as_mut().enable();
            // Before the look: a change that the look misses finds this set.
            self.awaited.store(true, Ordering::SeqCst);
            if let Some(found) = look() {
                return found;
            }
            heard.await;
        }
    }
}

/// Holds back what comes faster than it is worth telling: the first news goes out at once, what
/// follows within a millisecond goes out together.
pub(super) struct Pace(Instant);

impl Pace {
    /// To be called when the one who waits is free for more.
    pub(super) fn start() -> Self {
        Self(Instant::now() + BETWEEN_TIDINGS)
    }

    /// Waits until the time is over.
    pub(super) async fn keep(self) {
        if Instant::now() < self.0 {
            sleep_until(self.0).await;
        }
    }
}
