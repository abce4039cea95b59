//! How a link ends.
//!
//! ```text
//!  Running ── drain ──▶ Draining (GoAway sent) ── nothing left ──▶ Over (Bye sent)
//!     └────────── close, violation, Bye received, connection lost ──▶ Over
//! ```

use bytes::BytesMut;
use farlens_wire::{
    Code,
    frame::{
        Fault, LinkFrame,
        link::{Bye, GoAway},
    },
};

/// The end of one link.
#[derive(Debug, Default)]
pub(super) struct Shutdown {
    draining: Option<Fault>,
    notice: bool,
    peer_leaving: bool,
    over: Option<Fault>,
    farewell: bool,
}

impl Shutdown {
    pub(super) const fn over(&self) -> Option<&Fault> {
        self.over.as_ref()
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.draining.is_some() && self.over.is_none()
    }

    /// Whether new work of the peer is refused.
    pub(super) const fn refuses_work(&self) -> bool {
        self.draining.is_some()
    }

    pub(super) fn drain_reason(&self) -> Fault {
        self.draining.clone().unwrap_or_else(|| Fault::new(Code::GOING_AWAY, ""))
    }

    /// Whether this side may start something new.
    pub(super) fn check_new_work(&self) -> Result<(), Fault> {
        if let Some(fault) = &self.over {
            return Err(fault.clone());
        }
        if self.peer_leaving {
            return Err(Fault::new(Code::GOING_AWAY, "the other side is shutting down"));
        }
        Ok(())
    }

    /// The peer is about to leave; says whether that is new.
    pub(super) fn peer_leaves(&mut self) -> bool {
        !std::mem::replace(&mut self.peer_leaving, true)
    }

    /// Starts to drain; says whether that is new.
    pub(super) fn start_drain(&mut self, fault: Fault) -> bool {
        if self.over.is_some() || self.draining.is_some() {
            return false;
        }
        self.draining = Some(fault);
        self.notice = true;
        true
    }

    /// Ends the link; says whether that is new.
    pub(super) fn end(&mut self, fault: Fault, tell: bool) -> bool {
        if self.over.is_some() {
            return false;
        }
        self.over = Some(fault);
        self.notice = false;
        self.farewell = tell;
        true
    }

    /// Whether something waits; a notice only goes out on a link that `speaks`.
    pub(super) const fn has_output(&self, speaks: bool) -> bool {
        self.notice && speaks || self.farewell
    }

    /// Appends the notice that this side is about to leave.
    pub(super) fn put_notice(&mut self, out: &mut BytesMut) {
        if std::mem::take(&mut self.notice) {
            LinkFrame::GoAway(GoAway::new(self.drain_reason())).put(out);
        }
    }

    /// Appends the last frame.
    pub(super) fn put_last(&mut self, out: &mut BytesMut) {
        if std::mem::take(&mut self.farewell)
            && let Some(fault) = &self.over
        {
            LinkFrame::Bye(Bye::new(fault.clone())).put(out);
        }
    }
}
