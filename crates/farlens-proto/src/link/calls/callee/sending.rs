//! Answers go out.

use super::super::{caller::Outlet, parts::Outbox};
use super::{Callee, Incoming, Owed, State};
use crate::event::Event;
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    CallId, Limits,
    frame::{
        CallFrame,
        call::{CallFailed, Return},
    },
};
use std::collections::VecDeque;

impl Callee {
    pub(in crate::link::calls) fn has_output(&self, limits: &Limits) -> bool {
        !self.owed.is_empty() || self.notices.is_due(limits)
    }

    /// Appends answers until `out` has `limit` bytes.
    pub(in crate::link::calls) fn put(
        &mut self,
        out: &mut BytesMut,
        limit: usize,
        limits: &Limits,
        parts: &mut Outbox,
        outlet: &mut Outlet<'_>,
    ) {
        self.notices.put(out, limits);
        while out.len() < limit
            && let Some((_, owed)) = self.owed.pop_first()
        {
            self.put_answer(out, owed, parts, outlet);
        }
    }

    pub(super) fn put_answer(
        &mut self,
        out: &mut BytesMut,
        owed: Owed,
        parts: &mut Outbox,
        outlet: &mut Outlet<'_>,
    ) {
        let Owed { id, outcome } = owed;
        let peer = outlet.peer;
        let refs = &mut *outlet.refs;
        let lent = outcome.and_then(|answer| {
            let table = refs.lend(&answer.table, peer.references)?;
            Ok((table, answer.value))
        });
        let mut rest = Bytes::new();
        let fault = match lent {
            Ok((table, value)) => {
                let length = value.len() as u64;
                let (first, more) = Outbox::first_part(value, 0, table.len(), peer);
                rest = more;
                CallFrame::from(Return { table, length, value: first }).put(out, id.0);
                None
            }
            Err(fault) => {
                CallFrame::from(CallFailed::new(fault.clone())).put(out, id.0);
                Some(fault)
            }
        };
        let mut kept = true;
        if let Some(Incoming { state: State::Answered(answered), pipelined, .. }) =
            self.calls.get_mut(id)
        {
            answered.owed = None;
            answered.going = !rest.is_empty();
            kept = answered.going || *pipelined;
            if let Some(fault) = fault {
                answered.found = Some(Err(fault));
            }
        }
        if !kept {
            self.strike(id);
        }
        if !rest.is_empty() {
            parts.push(id, rest);
        }
    }

    /// The last of an answer is out.
    pub(in crate::link::calls) fn answer_sent(&mut self, id: CallId) {
        let Some(entry) = self.calls.get_mut(id) else { return };
        if let State::Answered(answered) = &mut entry.state {
            answered.going = false;
        }
        if !entry.pipelined {
            self.strike(id);
        }
    }

    /// The link is over: handlers are given up.
    pub(in crate::link::calls) fn end(&mut self, events: &mut VecDeque<Event>) {
        for (id, call) in std::mem::take(&mut self.calls).into_entries() {
            if matches!(call.state, State::Running) {
                events.push_back(Event::Cancelled { call: id });
            }
        }
        *self = Self::new(self.side);
    }
}
