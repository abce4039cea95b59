//! Callers in tasks of their own, who share a connection: another task writes what all of them ask
//! and wakes each when its answer has come.
//!
//! This is what a program has to have whose callers are anywhere: a queue, a lock, and wake-ups by
//! the runtime. Answers come in the order of the requests, so they need no names.

use super::{request::Request, wire::Wire};
use crate::{
    Result,
    data::{MESSAGE, Message, as_message},
    tls::Stream,
};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Poll, Waker, ready},
};

/// Where callers leave their requests and find their answers.
#[derive(Default)]
pub(super) struct Desk(Mutex<State>);

#[derive(Default)]
struct State {
    requests: Vec<u8>,
    /// The places of requests without an answer, in the order of the requests.
    asked: VecDeque<usize>,
    places: Vec<Place>,
    /// Callers that are done.
    left: usize,
    /// Whoever carries the calls, where it waits for some.
    carrier: Option<Waker>,
}

enum Place {
    Empty,
    Waiting(Waker),
    Answered(Message),
}

/// One caller, at its place.
pub(super) struct Caller<'a> {
    desk: &'a Desk,
    place: usize,
}

impl Desk {
    /// Adds a caller.
    pub(super) fn enter(&self) -> Caller<'_> {
        let mut state = self.0.lock();
        state.places.push(Place::Empty);
        Caller { desk: self, place: state.places.len() - 1 }
    }

    /// Carries the calls of so many callers until all of them have left.
    ///
    /// # Errors
    /// When the connection fails. Callers get no answers then.
    pub(super) async fn carry(&self, stream: &mut Stream, callers: usize) -> Result<()> {
        let (mut wire, mut woken) = (Wire::new(MESSAGE), Vec::new());
        let mut gathered = false;
        poll_fn(|cx| {
            loop {
                while let Poll::Ready(answers) = wire.receive(stream, cx) {
                    let answers = answers?;
                    let whole = answers.len() / MESSAGE * MESSAGE;
                    self.deliver(&answers[..whole], &mut woken);
                    wire.consume(whole);
                    woken.drain(..).for_each(Waker::wake);
                }
                if wire.is_sent() {
                    let mut state = self.0.lock();
                    if state.left == callers {
                        *state = State::default();
                        return Poll::Ready(Ok(()));
                    }
                    if state.requests.is_empty() {
                        state.carrier = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                    // The first that asks wakes this task before the next one runs: all that were
                    // woken together ask before anything is written.
                    gathered = !gathered;
                    if gathered {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    wire.refill(&mut state.requests);
                }
                ready!(wire.send(stream, cx))?;
            }
        })
        .await
    }

    fn deliver(&self, answers: &[u8], woken: &mut Vec<Waker>) {
        let mut state = self.0.lock();
        for answer in answers.chunks_exact(MESSAGE) {
            let Some(place) = state.asked.pop_front() else { return };
            let answered = Place::Answered(as_message(answer));
            if let Place::Waiting(caller) = std::mem::replace(&mut state.places[place], answered) {
                woken.push(caller);
            }
        }
    }
}

impl Caller<'_> {
    /// Asks, and waits for the answer.
    pub(super) async fn call(&self, message: Message) -> Message {
        let mut request = Some(Request::Echo(message));
        poll_fn(|cx| {
            let mut state = self.desk.0.lock();
            if let Some(request) = request.take() {
                request.put(&mut state.requests);
                state.asked.push_back(self.place);
                state.places[self.place] = Place::Waiting(cx.waker().clone());
                let carrier = state.carrier.take();
                drop(state);
                carrier.into_iter().for_each(Waker::wake);
                return Poll::Pending;
            }
            match std::mem::replace(&mut state.places[self.place], Place::Empty) {
                Place::Answered(answer) => Poll::Ready(answer),
                Place::Empty | Place::Waiting(_) => {
                    state.places[self.place] = Place::Waiting(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.0.lock();
        state.left += 1;
        let carrier = state.carrier.take();
        drop(state);
        carrier.into_iter().for_each(Waker::wake);
    }
}
