//! Calls of this side that are under way.

use super::shared::Shared;
use farlens_proto::{Answer, CallRequest, CallTicket, Fault};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
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
}

impl Calling {
    /// Makes a call.
    pub(crate) fn start(shared: &Arc<Shared>, request: CallRequest) -> Result<Self, Fault> {
        let now = shared.now();
        let ticket = shared.with(|state| {
            let ticket = state.proto.call(request, now)?;
            state.add_call(ticket);
            Ok::<_, Fault>(ticket)
        })?;
        Ok(Self { shared: Arc::clone(shared), ticket })
    }

    /// Names the call for others that are made upon it.
    pub(crate) const fn ticket(&self) -> CallTicket {
        self.ticket
    }
}

impl Future for Calling {
    type Output = Result<Answer, Fault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.shared.poll_call(self.ticket, cx)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.shared.with(|state| state.drop_call(self.ticket));
    }
}
