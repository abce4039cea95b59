//! Calls of this side that are under way.

use super::shared::Shared;
use farlens_proto::{Answer, CallRequest, CallTicket, Fault, Time};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

/// What is known of a call that has been made.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) sent: bool,
    pub(crate) outcome: Option<Result<Answer, Fault>>,
    pub(crate) waker: Option<Waker>,
    /// Those who wait until it has been sent.
    pub(crate) sent_wakers: Vec<Waker>,
}

/// A call under way. Dropped before its answer it gives the call up.
pub(crate) struct Calling {
    shared: Arc<Shared>,
    ticket: CallTicket,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Whoever made the call is woken at its end, and has not asked yet.
    Watched,
    Waiting,
    Over,
}

impl Calling {
    /// Makes a call.
    pub(crate) fn start(shared: &Arc<Shared>, request: CallRequest) -> Result<Self, Fault> {
        let ticket = Self::make(shared, request, None)?;
        Ok(Self { shared: Arc::clone(shared), ticket, stage: Stage::Waiting })
    }

    /// Makes a call for the task that `waker` wakes, which need not ask whether it has ended before
    /// it is woken.
    pub(crate) fn watched(
        shared: &Arc<Shared>,
        request: CallRequest,
        waker: Waker,
    ) -> Result<Self, Fault> {
        let ticket = Self::make(shared, request, Some(waker))?;
        Ok(Self { shared: Arc::clone(shared), ticket, stage: Stage::Watched })
    }

    fn make(
        shared: &Shared,
        request: CallRequest,
        waker: Option<Waker>,
    ) -> Result<CallTicket, Fault> {
        // Only what has a deadline needs to know what time it is.
        let now = request.timeout_ms.map_or(Time::ZERO, |_| shared.now());
        shared.with(|state| {
            let ticket = state.proto.call(request, now)?;
            state.add_call(ticket, waker);
            Ok(ticket)
        })
    }

    /// Names the call for others that are made upon it.
    pub(crate) const fn ticket(&self) -> CallTicket {
        self.ticket
    }
}

impl Future for Calling {
    type Output = Result<Answer, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.stage == Stage::Watched {
            self.stage = Stage::Waiting;
            return Poll::Pending;
        }
        let outcome = ready!(self.shared.poll_call(self.ticket, cx));
        self.stage = Stage::Over;
        Poll::Ready(outcome)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if self.stage == Stage::Over {
            return;
        }
        self.shared.with(|state| state.drop_call(self.ticket));
    }
}
