//! Who called, until when, and how many calls lie between.

use crate::{Error, KeyId, Result};
use farlens_wire::Code;
use std::{future::Future, time::Duration};
use tokio::time::Instant;

/// Calls that may be made by calls, one within the other.
pub(crate) const DEPTH_MAX: u32 = 16;

tokio::task_local! {
    static CONTEXT: CallContext;
}

/// What a handler can know of the call that it answers.
///
/// Calls that a handler makes take its deadline along, and one more level. That holds in the task
/// of the handler; what it spawns stands on its own, unless it says [`CallContext::scope`].
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    peer: Option<KeyId>,
    deadline: Option<Instant>,
    depth: u32,
    /// Levels that are allowed, where the handler serves a link that says otherwise.
    allowed: Option<u32>,
}

impl CallContext {
    /// That of the handler which is running, or an empty one outside of handlers.
    #[must_use]
    pub fn current() -> Self {
        CONTEXT.try_with(Self::clone).unwrap_or_default()
    }

    /// The key of the peer that called. None for a call from this process.
    #[must_use]
    pub const fn peer(&self) -> Option<KeyId> {
        self.peer
    }

    /// The moment after which the caller waits no longer.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How many calls lie between here and where nobody was called: one in the handler of a call
    /// that no other handler made.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Runs `work` as a part of the handler that this context is of.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CONTEXT.scope(self, work)
    }

    /// That of a call made from here, which is to be answered within `timeout`.
    pub(crate) fn of_call(&self, timeout: Option<Duration>) -> Result<Self> {
        let depth = self.depth.saturating_add(1);
        let allowed = self.allowed.unwrap_or(DEPTH_MAX);
        if depth > allowed {
            let text = format!("calls were made by calls {allowed} levels deep already");
            return Err(Error::new(Code::TOO_DEEP, text)
                .with_hint("two objects may be calling each other without an end"));
        }
        let own = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let deadline = [own, self.deadline].into_iter().flatten().min();
        Ok(Self { peer: None, deadline, depth, allowed: self.allowed })
    }

    /// That of a handler that serves a peer.
    pub(crate) const fn of_peer(
        peer: KeyId,
        deadline: Option<Instant>,
        depth: u32,
        allowed: u32,
    ) -> Self {
        Self { peer: Some(peer), deadline, depth, allowed: Some(allowed) }
    }

    /// The same for what goes on after the call was answered.
    pub(crate) const fn after_answer(mut self) -> Self {
        self.deadline = None;
        self
    }
}
