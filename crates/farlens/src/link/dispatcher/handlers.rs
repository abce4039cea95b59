//! Handlers of the peer's calls: each is begun where the last one was, and a batch of calls is
//! answered under one lock.

use crate::link::shared::Shared;
use farlens_proto::{Answer, Fault};
use farlens_wire::CallId;
use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::task::{AbortHandle, JoinSet};

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
    /// What the peer is to be told at the end of the batch.
    answers: Vec<(CallId, Outcome)>,
    began: Instant,
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
            tasks: JoinSet::new(),
            waiting: HashMap::new(),
            sweep_at: SWEEP,
        }
    }

    /// A batch begins.
    pub(super) fn start_batch(&mut self) {
        self.began = Instant::now();
    }

    /// Begins a handler. One that is not ready at once goes on in a task of its own.
    pub(super) async fn begin(&mut self, call: CallId, handler: F) {
        self.place.set(Some(handler));
        let place = &mut self.place;
        match poll_fn(|cx| Poll::Ready(poll_place(place, cx))).await {
            Poll::Ready(outcome) => {
                self.place.set(None);
                self.answers.push((call, outcome));
                if self.began.elapsed() >= PATIENCE {
                    self.answer();
                    self.began = Instant::now();
                }
            }
            Poll::Pending => self.leave_to_a_task(call),
        }
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

/// Polls what is in a place, which is there until it is ready.
fn poll_place<F: Future>(place: &mut Pin<Box<Option<F>>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    place.as_mut().as_pin_mut().map_or(Poll::Pending, |handler| handler.poll(cx))
}
