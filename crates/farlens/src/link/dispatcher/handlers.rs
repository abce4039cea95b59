//! Handlers of the peer's calls: each is begun where the last one was. Some are answered together,
//! under one lock, and leave before the next ones begin.

use crate::link::shared::Shared;
use farlens_proto::{Answer, Fault};
use farlens_wire::CallId;
use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
};

/// Answers that leave together: while their callers take them, the next handlers run. A runtime with
/// one worker answers whole batches, since nothing else could run meanwhile.
const TOGETHER: usize = 12;
/// How long an answer may wait for the handlers behind it, which begin in the same batch.
const PATIENCE: Duration = Duration::from_micros(100);
/// Handlers that wait are looked through when there are at least so many, and twice as many as were
/// left the last time.
const SWEEP: usize = 64;

/// What a handler gives.
pub(super) type Outcome = Result<Answer, Fault>;

/// The handlers of one link, all of them futures of one type.
pub(super) struct Handlers<F> {
    shared: Arc<Shared>,
    /// Where handlers are begun. One that has to wait takes the place along.
    place: Pin<Box<Option<F>>>,
    /// What the peer is to be told.
    answers: Vec<(CallId, Outcome)>,
    /// Since when answers may wait.
    began: Instant,
    /// Answers that leave together.
    together: usize,
    /// Wakes the task in which handlers are begun.
    waker: Waker,
    tasks: JoinSet<()>,
    waiting: HashMap<CallId, AbortHandle>,
    sweep_at: usize,
}

impl<F: Future<Output = Outcome> + Send + 'static> Handlers<F> {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            place: Box::pin(None),
            answers: Vec::new(),
            began: Instant::now(),
            together: if workers() > 1 { TOGETHER } else { usize::MAX },
            waker: Waker::noop().clone(),
            tasks: JoinSet::new(),
            waiting: HashMap::new(),
            sweep_at: SWEEP,
        }
    }

    /// A batch begins, in the task of `cx`.
    pub(super) fn start_batch(&mut self, cx: &Context<'_>) {
        self.began = Instant::now();
        self.waker.clone_from(cx.waker());
    }

    /// Begins a handler, where it is made. One that is not ready at once goes on in a task of its
    /// own.
    pub(super) fn begin(&mut self, call: CallId, handler: impl FnOnce() -> F) {
        self.place.set(Some(handler()));
        let polled = poll_place(&mut self.place, &mut Context::from_waker(&self.waker));
        match polled {
            Poll::Ready(outcome) => {
                self.place.set(None);
                self.answers.push((call, outcome));
            }
            Poll::Pending => self.leave_to_a_task(call),
        }
    }

    /// Whether answers should leave before another handler begins.
    pub(super) fn are_due(&self) -> bool {
        let count = self.answers.len();
        count >= self.together || count > 0 && self.began.elapsed() >= PATIENCE
    }

    /// Answers, and lets the driver begin its turn before the next handler.
    pub(super) async fn hand_over(&mut self) {
        let answers = self.answers.drain(..);
        let mut pauses = self.shared.with(|state| {
            answers.for_each(|(call, outcome)| state.proto.answer(call, outcome));
            state.pause_dispatcher(&self.waker)
        });
        poll_fn(|_| if std::mem::take(&mut pauses) { Poll::Pending } else { Poll::Ready(()) })
            .await;
        self.began = Instant::now();
    }

    fn leave_to_a_task(&mut self, call: CallId) {
        let mut place = std::mem::replace(&mut self.place, Box::pin(None));
        let shared = Arc::clone(&self.shared);
        let task = self.tasks.spawn(async move {
            let outcome = poll_fn(|cx| poll_place(&mut place, cx)).await;
            shared.with(|state| state.proto.answer(call, outcome));
        });
        self.waiting.insert(call, task);
    }

    /// The peer gave up a call.
    pub(super) fn cancel(&mut self, call: CallId) {
        if let Some(task) = self.waiting.remove(&call) {
            task.abort();
        }
    }

    /// The batch is over: what was answered goes out together.
    pub(super) fn end_batch(&mut self) {
        self.answer();
        while self.tasks.try_join_next().is_some() {}
        if self.waiting.len() >= self.sweep_at {
            self.waiting.retain(|_, task| !task.is_finished());
            self.sweep_at = self.waiting.len().saturating_mul(2).max(SWEEP);
        }
    }

    fn answer(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let answers = self.answers.drain(..);
        self.shared.with(|state| {
            answers.for_each(|(call, outcome)| state.proto.answer(call, outcome));
        });
    }
}

/// Tasks of this runtime that can run at a time.
fn workers() -> usize {
    Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers())
}

/// Polls what is in a place, which is there until it is ready.
fn poll_place<F: Future>(place: &mut Pin<Box<Option<F>>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    place.as_mut().as_pin_mut().map_or(Poll::Pending, |handler| handler.poll(cx))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::Root,
        link::imported::{Holdings, Home},
    };
    use farlens_proto::{Config, Link, PeerIdentity};
    use farlens_wire::{Limits, Reference, Side};
    use futures::future::{Ready, ready};
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A link whose hello waits to be sent.
    fn shared() -> Arc<Shared> {
        let home = Home::new();
        let holdings = Holdings::new(Arc::clone(&home), Reference::new(Root));
        Shared::new(home, Limits::default(), |now| {
            let peer = PeerIdentity::new([0; 32]);
            Link::new(Side::Initiator, peer, Config::default(), Box::new(holdings), now)
        })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn handlers_go_on_where_the_driver_is_gone() {
        let (shared, woken) = (shared(), Arc::<Count>::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut handlers = Handlers::<Ready<Outcome>>::new(Arc::clone(&shared));
        handlers.start_batch(&cx);
        let mut pause = Box::pin(handlers.hand_over());
        assert!(pause.as_mut().poll(&mut cx).is_pending());
        shared.end_turns();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(pause.as_mut().poll(&mut cx).is_ready());
        drop(pause);
        assert!(Box::pin(handlers.hand_over()).as_mut().poll(&mut cx).is_ready(), "no turn comes");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_driver_has_its_turn_before_handlers_go_on() {
        let shared = shared();
        let woken = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut handlers = Handlers::<Ready<Outcome>>::new(Arc::clone(&shared));
        handlers.start_batch(&Context::from_waker(&waker));
        for n in 0..TOGETHER {
            handlers.begin(CallId(n as u64), || ready(Ok(Answer::default())));
        }
        assert!(handlers.are_due());
        let mut pause = Box::pin(handlers.hand_over());
        let mut cx = Context::from_waker(&waker);
        assert!(pause.as_mut().poll(&mut cx).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert!(shared.begin_turn(&Context::from_waker(Waker::noop())));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(pause.as_mut().poll(&mut cx).is_ready());
        drop(pause);
        assert!(!handlers.are_due(), "all of them have left");
    }
}
