//! Threads that run the callbacks of observers, which may block.
//!
//! The runtime's own threads are no place for that: two observers that block would stall two
//! workers, and with them links; and the blocking pool is what files are read on, and what a
//! runtime waits for when it ends. So callbacks have threads of their own, started when they are
//! needed. A few share the work as long as it goes on. When nothing was begun for a moment although
//! something waits, all of them are taken to be blocked, and one more is let in.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    collections::VecDeque,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Threads that work at a time while none of them blocks.
const WORKERS: usize = 2;
/// Without any progress for so long, those that work are taken to be blocked.
const PATIENCE: Duration = Duration::from_millis(2);
/// A thread that has had nothing to do for so long ends.
const KEEP: Duration = Duration::from_secs(5);

/// What runs on these threads.
pub(super) trait Job: Send + Sync + 'static {
    /// Does the work. Panics do not leave it.
    fn run(self: Arc<Self>);
}

/// The threads of this process for callbacks.
pub(super) static CALLERS: Callers = Callers::new(KEEP);

/// A pool that grows when its threads block.
pub(super) struct Callers {
    state: Mutex<State>,
    news: Condvar,
    keep: Duration,
}

struct State {
    queue: VecDeque<Arc<dyn Job>>,
    /// Threads in all, and those that work.
    threads: usize,
    working: usize,
    /// How many may work, which grows while some are blocked.
    allowed: usize,
    /// When a piece of work was begun last.
    progress: Option<Instant>,
}

impl Callers {
    const fn new(keep: Duration) -> Self {
        let state = State {
            queue: VecDeque::new(),
            threads: 0,
            working: 0,
            allowed: WORKERS,
            progress: None,
        };
        Self { state: Mutex::new(state), news: Condvar::new(), keep }
    }

    /// Has `job` run soon.
    pub(super) fn submit(&'static self, job: Arc<dyn Job>) {
        let mut state = self.state.lock();
        state.queue.push_back(job);
        self.call_one(&mut state);
    }

    /// Sees to it that a thread looks at the queue that does not work.
    fn call_one(&'static self, state: &mut State) {
        if state.threads > state.working {
            self.news.notify_one();
            return;
        }
        let started = thread::Builder::new().name("farlens-observer".into());
        // Where no thread can be started, one that works takes this over when it is done.
        if started.spawn(|| self.work()).is_ok() {
            state.threads += 1;
        }
    }

    fn work(&'static self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = self.next(&mut state) {
                state.working += 1;
                state.progress = Some(Instant::now());
                if !state.queue.is_empty() {
                    self.call_one(&mut state);
                }
                MutexGuard::unlocked(&mut state, || job.run());
                state.working -= 1;
            } else {
                state.threads -= 1;
                state.allowed = WORKERS.max(state.threads);
                return;
            }
        }
    }

    /// Waits for what this thread is to do next; nothing if it is not needed any more.
    fn next(&self, state: &mut MutexGuard<'_, State>) -> Option<Arc<dyn Job>> {
        loop {
            if state.queue.is_empty() {
                if self.news.wait_for(state, self.keep).timed_out() && state.queue.is_empty() {
                    return None;
                }
                continue;
            }
            let stuck = state.progress.map(|progress| progress + PATIENCE);
            match stuck.filter(|_| state.working >= state.allowed) {
                Some(stuck) if Instant::now() < stuck => {
                    let _ = self.news.wait_until(state, stuck);
                    continue;
                }
                Some(_) => state.allowed += 1,
                None => {}
            }
            return state.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    struct Call<F>(F);

    impl<F: Fn() + Send + Sync + 'static> Job for Call<F> {
        fn run(self: Arc<Self>) {
            (self.0)();
        }
    }

    fn pool(keep: Duration) -> &'static Callers {
        Box::leak(Box::new(Callers::new(keep)))
    }

    fn blocked(callers: &'static Callers, count: usize) -> (SyncSender<()>, Receiver<()>) {
        let (go, wait) = sync_channel::<()>(0);
        let (begun, begins) = sync_channel(count);
        let wait = Arc::new(Mutex::new(wait));
        for _ in 0..count {
            let (wait, begun) = (Arc::clone(&wait), begun.clone());
            callers.submit(Arc::new(Call(move || {
                begun.send(()).unwrap();
                let _ = wait.lock().recv();
            })));
        }
        (go, begins)
    }

    #[test]
    fn those_that_block_keep_nobody_waiting() {
        let callers = pool(KEEP);
        let (go, begins) = blocked(callers, 50);
        begins.iter().take(50).for_each(drop);
        let (done, finished) = sync_channel(1_000);
        for n in 0..1_000 {
            let done = done.clone();
            callers.submit(Arc::new(Call(move || done.send(n).unwrap())));
        }
        let mut all: Vec<_> = finished.iter().take(1_000).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1_000).collect::<Vec<_>>());
        drop(go);
    }

    #[test]
    fn short_work_needs_few_threads() {
        let callers = pool(KEEP);
        let (done, finished) = sync_channel(10_000);
        for n in 0..10_000 {
            let done = done.clone();
            callers.submit(Arc::new(Call(move || done.send(n).unwrap())));
        }
        assert_eq!(finished.iter().take(10_000).count(), 10_000);
        // Work that is not begun for want of a processor looks as if it were blocked.
        assert!(callers.state.lock().threads < 100);
    }

    #[test]
    fn threads_without_work_end_and_start_again() {
        let callers = pool(Duration::ZERO);
        for _ in 0..100 {
            let (go, begins) = blocked(callers, 5);
            begins.iter().take(5).for_each(drop);
            drop((go, begins));
            while callers.state.lock().threads > 0 {
                thread::yield_now();
            }
            assert_eq!(callers.state.lock().allowed, WORKERS);
        }
    }
}
