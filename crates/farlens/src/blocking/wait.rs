//! Waiting for a future on any thread, whatever else that thread is doing.

use parking_lot::{Condvar, Mutex};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

/// Polls `future` on this thread until it is done; nothing if that takes longer than `timeout`.
///
/// A timeout of zero polls once. What is done when the timeout has passed still counts.
pub(super) fn wait<F: Future>(future: F, timeout: Option<Duration>) -> Option<F::Output> {
    // Within a task of another runtime, the task's budget would never be renewed.
    let mut future = pin!(tokio::task::unconstrained(future));
    // What is there at once needs neither a clock nor a waker.
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Some(output);
    }
    if timeout == Some(Duration::ZERO) {
        return None;
    }
    // A moment that no clock reaches is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    let mut cx = Context::from_waker(&waker);
    loop {
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        if late {
            return None;
        }
        signal.wait(deadline);
    }
}

/// Wakes one thread. Not by `unpark`, whose token may be what an executor around it waits for.
#[derive(Default)]
struct Signal {
    woken: Mutex<bool>,
    news: Condvar,
}

impl Signal {
    /// Returns once it was woken or the deadline has passed.
    fn wait(&self, deadline: Option<Instant>) {
        let mut woken = self.woken.lock();
        while !std::mem::take(&mut *woken) {
            match deadline {
                None => self.news.wait(&mut woken),
                Some(deadline) if self.news.wait_until(&mut woken, deadline).timed_out() => return,
                Some(_) => {}
            }
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.woken.lock() = true;
        self.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::{pending, poll_fn, ready},
        sync::mpsc,
        thread,
    };

    #[test]
    fn what_is_there_needs_no_time() {
        assert_eq!(wait(ready(7), Some(Duration::ZERO)), Some(7));
        assert_eq!(wait(pending::<()>(), Some(Duration::ZERO)), None);
    }

    #[test]
    fn a_waker_of_another_thread_ends_the_wait() {
        let (wakers, waiting) = mpsc::sync_channel::<Waker>(2);
        let waking = thread::spawn(move || waiting.iter().for_each(Waker::wake));
        let mut polls = 0;
        let counted = poll_fn(|cx| {
            polls += 1;
            wakers.send(cx.waker().clone()).unwrap();
            if polls == 100 { Poll::Ready(polls) } else { Poll::Pending }
        });
        assert_eq!(wait(counted, None), Some(100));
        drop(wakers);
        waking.join().unwrap();
    }

    #[test]
    fn a_future_that_wakes_itself_meets_its_timeout() {
        let restless = poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let (start, timeout) = (Instant::now(), Duration::from_millis(20));
        assert_eq!(wait(restless, Some(timeout)), None);
        assert!(start.elapsed() >= timeout);
    }

    #[tokio::test]
    async fn a_task_may_wait_more_often_than_its_budget_allows() {
        for _ in 0..1000 {
            let spent = tokio::task::coop::consume_budget();
            assert!(wait(spent, Some(Duration::from_secs(30))).is_some());
        }
    }

    #[test]
    fn a_timeout_beyond_every_clock_is_none() {
        let (done, outcome) = tokio::sync::oneshot::channel();
        let sending = thread::spawn(move || done.send(7).unwrap());
        assert_eq!(wait(outcome, Some(Duration::MAX)), Some(Ok(7)));
        sending.join().unwrap();
    }
}
