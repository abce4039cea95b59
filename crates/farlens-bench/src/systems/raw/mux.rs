//! Callers that share a connection: each waits for an answer of its own, and what all of them ask
//! meanwhile leaves in one write.
//!
//! The connection is driven by the task of its callers, who are woken without the runtime: a task
//! of its own would have to be woken by them, and would wake them, perhaps on another thread.

use super::{request::Request, wire::Wire};
use crate::{Result, tls::Stream};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

/// Callers of requests whose answers all have the same length and come in order.
pub(super) struct Mux<T> {
    state: Mutex<State<T>>,
}

/// What is asked, and by whom.
struct State<T> {
    requests: Vec<u8>,
    /// The slots of requests without an answer, in the order of the requests.
    asked: VecDeque<usize>,
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
}

enum Slot<T> {
    Free,
    Waiting(Waker),
    Answered(T),
}

impl<T> Mux<T> {
    pub(super) fn new() -> Self {
        let (requests, asked, slots, free) = Default::default();
        Self { state: Mutex::new(State { requests, asked, slots, free }) }
    }

    /// Asks, and waits for the answer.
    pub(super) async fn call(&self, request: Request) -> T {
        let mut slot = None;
        poll_fn(|cx| {
            let mut state = self.state.lock();
            match slot {
                None => {
                    slot = Some(state.ask(request, cx.waker()));
                    Poll::Pending
                }
                Some(slot) => state.answer(slot, cx.waker()),
            }
        })
        .await
    }

    /// Runs callers, who wait for nothing but answers, to their end on a connection. An answer has
    /// `length` bytes, of which `read` makes what a caller gets.
    ///
    /// # Errors
    /// When the connection fails.
    pub(super) async fn run<R>(
        &self,
        stream: &mut Stream,
        (length, read): (usize, fn(&[u8]) -> T),
        callers: impl Future<Output = R>,
    ) -> Result<R> {
        let mut callers = pin!(callers);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut wire = Wire::new(length);
        poll_fn(|cx| {
            loop {
                while woken.take() {
                    if let Poll::Ready(done) =
                        callers.as_mut().poll(&mut Context::from_waker(&waker))
                    {
                        return Poll::Ready(Ok(done));
                    }
                }
                self.hand_over(&mut wire);
                // What is under way fits into the socket, so this never waits for an answer.
                ready!(wire.send(stream, cx))?;
                let answers = ready!(wire.receive(stream, cx))?;
                let whole = answers.len() / length * length;
                self.deliver(answers[..whole].chunks_exact(length).map(read));
                wire.consume(whole);
            }
        })
        .await
    }

    /// Takes all that was asked.
    fn hand_over(&self, wire: &mut Wire) {
        if wire.is_sent() {
            wire.refill(&mut self.state.lock().requests);
        }
    }

    fn deliver(&self, answers: impl Iterator<Item = T>) {
        let mut state = self.state.lock();
        for answer in answers {
            let Some(slot) = state.asked.pop_front() else { return };
            if let Slot::Waiting(caller) =
                std::mem::replace(&mut state.slots[slot], Slot::Answered(answer))
            {
                caller.wake();
            }
        }
    }
}

impl<T> State<T> {
    fn ask(&mut self, request: Request, caller: &Waker) -> usize {
        request.put(&mut self.requests);
        let waiting = Slot::Waiting(caller.clone());
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = waiting;
                slot
            }
            None => {
                self.slots.push(waiting);
                self.slots.len() - 1
            }
        };
        self.asked.push_back(slot);
        slot
    }

    fn answer(&mut self, slot: usize, caller: &Waker) -> Poll<T> {
        match std::mem::replace(&mut self.slots[slot], Slot::Free) {
            Slot::Answered(answer) => {
                self.free.push(slot);
                Poll::Ready(answer)
            }
            Slot::Free | Slot::Waiting(_) => {
                self.slots[slot] = Slot::Waiting(caller.clone());
                Poll::Pending
            }
        }
    }
}

/// Whether a caller has something to do, which they all have to begin with.
struct Woken(AtomicBool);

impl Default for Woken {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Woken {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
