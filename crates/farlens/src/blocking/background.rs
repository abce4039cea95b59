//! The runtime behind all blocking handles of a process, and what each of them holds of it.

use super::wait::wait;
use crate::{Error, Result};
use farlens_wire::Code;
use parking_lot::Mutex;
use std::{
    future::Future,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

/// Threads that drive links. One would do; with two, a source that computes holds up no other link.
const WORKERS: usize = 2;
const THREAD_NAME: &str = "farlens-blocking";

/// The runtime, if anybody holds it.
static SHARED: Mutex<Weak<Background>> = Mutex::new(Weak::new());

/// A runtime on threads of its own. It ends with the last one who holds it, from any thread.
#[derive(Debug)]
pub(super) struct Background {
    handle: Handle,
    /// There until the drop.
    runtime: Option<Runtime>,
}

impl Background {
    /// The one that all handles share, started where there is none.
    pub(super) fn shared() -> Result<Arc<Self>> {
        let mut shared = SHARED.lock();
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let started = Self::start()?;
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    fn start() -> Result<Arc<Self>> {
        let mut builder = Builder::new_multi_thread();
        let builder = builder.worker_threads(WORKERS).thread_name(THREAD_NAME).enable_all();
        let runtime = builder.build().map_err(|error| {
            Error::new(Code::INTERNAL, "the background threads cannot start").with_source(error)
        })?;
        Ok(Arc::new(Self { handle: runtime.handle().clone(), runtime: Some(runtime) }))
    }

    /// Runs `task` to its end, even if nobody else holds the runtime any more.
    pub(super) fn finish(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let held = Arc::clone(self);
        self.handle.spawn(async move {
            task.await;
            drop(held);
        });
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nothing, which is forbidden where the last holder is a task.
            runtime.shutdown_background();
        }
    }
}

/// How a handle waits: with which runtime and for how long.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    background: Arc<Background>,
    timeout: Option<Duration>,
}

impl Waiter {
    pub(super) fn new(timeout: Option<Duration>) -> Result<Self> {
        Ok(Self { background: Background::shared()?, timeout })
    }

    pub(super) fn with_timeout(&self, timeout: Option<Duration>) -> Self {
        Self { background: Arc::clone(&self.background), timeout }
    }

    pub(super) const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(super) const fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    pub(super) const fn background(&self) -> &Arc<Background> {
        &self.background
    }

    /// Makes what is called meanwhile use the runtime for its tasks, timers and sockets.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.background.handle.enter()
    }

    /// What `future` gives, unless that takes longer than the timeout of the handle.
    pub(super) fn wait<F: Future>(&self, future: F) -> Result<F::Output> {
        self.wait_for(future, self.timeout)
    }

    /// As [`Waiter::wait`], for a change that is made all the same once it was sent.
    pub(super) fn wait_for_change<F: Future>(&self, future: F) -> Result<F::Output> {
        self.wait(future).map_err(|error| {
            error.with_hint("it may still be made: look at the data before you repeat it")
        })
    }

    /// As [`Waiter::wait`], for work that goes on in the background after a timeout.
    pub(super) fn wait_or_leave<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let mut future = Box::pin(future);
        self.wait(&mut future).map_err(|error| {
            self.background.finish(async move { drop(future.await) });
            error.with_hint("it goes on in the background; whether it succeeds is not told")
        })
    }

    /// What `future` gives, unless that takes longer than `timeout`. It is dropped then.
    pub(super) fn wait_for<F: Future>(
        &self,
        future: F,
        timeout: Option<Duration>,
    ) -> Result<F::Output> {
        let _entered = self.enter();
        wait(future, timeout).ok_or_else(|| {
            let text = format!("nothing came within {:?}", timeout.unwrap_or(Duration::MAX));
            Error::new(Code::TIMEOUT, text).with_hint("try again, or allow more time")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tokio::sync::oneshot;

    #[test]
    fn a_task_is_finished_though_every_handle_is_gone() {
        let (go, gone) = oneshot::channel::<()>();
        let (done, finished) = mpsc::sync_channel(1);
        let background = Background::start().unwrap();
        background.finish(async move {
            gone.await.unwrap();
            tokio::task::yield_now().await;
            done.send(()).unwrap();
        });
        let held = Arc::downgrade(&background);
        drop(background);
        assert!(held.upgrade().is_some(), "the task holds it");
        go.send(()).unwrap();
        finished.recv().unwrap();
    }

    #[test]
    fn the_last_handle_may_go_within_a_runtime() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { drop(Background::start().unwrap()) });
    }

    #[test]
    fn handles_share_one_runtime() {
        let (one, two) = (Background::shared().unwrap(), Background::shared().unwrap());
        assert!(Arc::ptr_eq(&one, &two));
    }
}
