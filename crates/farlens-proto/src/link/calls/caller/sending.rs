//! Calls that have room at the peer go out, with the cancels that make it.

use super::super::{Answer, CallOn, CallTicket, parts::Outbox};
use super::{Caller, Level, Outgoing, Outlet, Unsent, Unwanted};
use crate::{event::Event, link::refs::Refs, time::Time};
use bytes::BytesMut;
use farlens_wire::{
    CallId, Code, ObjectId,
    frame::{
        CallFrame, Fault,
        call::{Call, CallTarget, Cancel},
        link::Announced,
    },
};
use std::collections::VecDeque;

impl Caller {
    pub(in crate::link::calls) fn has_output(&self, peer: Announced) -> bool {
        let goes = |level: &Level| {
            let first = level.ready.first().and_then(|(ticket, ())| self.calls.get(ticket));
            first.is_some_and(|call| self.fits(level, call, peer))
        };
        let cancels = !self.cancels.is_empty() && self.paused_until.is_none();
        cancels || !self.spent.is_empty() || self.levels.values().any(goes)
    }

    /// Whether the peer has room for a call.
    pub(super) fn fits(&self, level: &Level, call: &Outgoing, peer: Announced) -> bool {
        if call.one_way {
            return self.allowance.has_room(call.depth, peer);
        }
        let bytes = level.load.bytes.saturating_add(call.bytes);
        level.load.calls == 0 || level.load.calls < peer.calls && bytes <= peer.argument_bytes
    }

    /// Takes the first call of a level that may go now.
    pub(super) fn take_ready(&mut self, depth: u32, peer: Announced) -> Option<CallTicket> {
        loop {
            let level = self.levels.get(&depth)?;
            let (ticket, ()) = level.ready.first()?;
            let call = self.calls.get(ticket)?;
            let held = self.order.hold(&call.on, ticket);
            if !held && !self.fits(level, call, peer) {
                return None;
            }
            self.levels.get_mut(&depth)?.ready.pop_first();
            if !held {
                return Some(ticket);
            }
        }
    }

    /// Appends frames until `out` has `limit` bytes.
    pub(in crate::link::calls) fn put(
        &mut self,
        out: &mut BytesMut,
        limit: usize,
        parts: &mut Outbox,
        outlet: &mut Outlet<'_>,
    ) {
        self.put_cancels(out, limit, outlet.now);
        let mut next = 0;
        while let Some((&depth, _)) = self.levels.range(next..).next() {
            while out.len() < limit
                && let Some(ticket) = self.take_ready(depth, outlet.peer)
            {
                self.send(out, ticket, parts, outlet);
            }
            let Some(deeper) = depth.checked_add(1) else { return };
            next = deeper;
        }
    }

    /// Takes back what was given up, no faster than any peer bears. It counts meanwhile.
    pub(super) fn put_cancels(&mut self, out: &mut BytesMut, limit: usize, now: Time) {
        while out.len() < limit && !self.cancels.is_empty() {
            if !self.pace.take(now) {
                self.paused_until = Some(self.pace.refills_at());
                return;
            }
            self.paused_until = None;
            if let Some(unwanted) = self.cancels.pop_front() {
                self.put_cancel(out, &unwanted);
            }
        }
    }

    /// A call that was to be taken back has failed by itself.
    pub(super) fn spare_cancel(&mut self, id: CallId) {
        let index = self.cancels.iter().position(|unwanted| unwanted.id == id);
        let Some(unwanted) = index.and_then(|index| self.cancels.remove(index)) else { return };
        if unwanted.pipelined {
            self.spent.push_back(unwanted);
        } else if let Some(load) = unwanted.load {
            self.lighten(load);
        }
    }

    /// Tells the peer which answers are needed no longer. Only when no open waits to be sent: it
    /// may name one of them.
    pub(in crate::link::calls) fn put_spent(&mut self, out: &mut BytesMut, limit: usize) {
        while out.len() < limit
            && let Some(unwanted) = self.spent.pop_front()
        {
            self.put_cancel(out, &unwanted);
        }
    }

    pub(super) fn put_cancel(&mut self, out: &mut BytesMut, unwanted: &Unwanted) {
        CallFrame::from(Cancel::default()).put(out, unwanted.id.0);
        if let Some(load) = unwanted.load {
            self.lighten(load);
        }
    }

    pub(super) fn send(
        &mut self,
        out: &mut BytesMut,
        ticket: CallTicket,
        parts: &mut Outbox,
        outlet: &mut Outlet<'_>,
    ) {
        let target = self.target(ticket, outlet.refs);
        let Some(call) = self.calls.get_mut(ticket) else { return };
        let Some(unsent) = call.unsent.take() else { return };
        let prepared = target.and_then(|target| {
            Ok((target, outlet.refs.lend(&unsent.table, outlet.peer.references)?))
        });
        let (target, table) = match prepared {
            Ok(prepared) => prepared,
            Err(fault) => {
                let outcome = Err(fault.clone());
                outlet.events.push_back(Event::Answered { call: ticket, outcome });
                self.forget(ticket, parts);
                self.end_children(ticket, Err(fault), parts, outlet.events);
                return;
            }
        };
        let id = CallId(self.next_id);
        self.next_id = self.next_id.saturating_add(2);
        self.tickets.insert(id, ticket);
        call.id = Some(id);
        if call.one_way {
            self.allowance.send(call.depth, call.bytes);
        } else {
            self.levels.entry(call.depth).or_default().load.add(call.bytes);
        }
        let Unsent { method, args, interface, .. } = unsent;
        let (args, rest) = Outbox::first_part(args, method.len(), table.len(), outlet.peer);
        call.going = !rest.is_empty();
        let frame = Call {
            target,
            method,
            deadline_ms: call.deadline.map(|due| due.ms_since(outlet.now)),
            depth: call.depth,
            one_way: call.one_way,
            pipelined: call.pipelined,
            interface,
            table,
            length: call.bytes,
            args,
        };
        CallFrame::from(frame).put(out, id.0);
        let pipelined = call.pipelined;
        if call.going {
            self.order.begin(&call.on);
            parts.push(id, rest);
        } else if call.one_way || matches!(call.on, CallOn::Answer(_)) {
            self.sent_whole(ticket, parts, outlet.events);
        }
        if pipelined {
            outlet.events.push_back(Event::Sent { call: ticket });
            for child in self.children.get(&ticket).cloned().unwrap_or_default() {
                self.queue(child);
            }
        }
    }

    /// The last part of a call is out.
    pub(in crate::link::calls) fn parts_sent(
        &mut self,
        id: CallId,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) {
        let Some(&ticket) = self.tickets.get(id) else { return };
        let Some(call) = self.calls.get_mut(ticket) else { return };
        call.going = false;
        let on = call.on.clone();
        self.stop_going(&on, ticket);
        self.sent_whole(ticket, parts, events);
    }

    /// A call is out as a whole. One that nothing answers is over then.
    pub(super) fn sent_whole(
        &mut self,
        ticket: CallTicket,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) {
        let Some(call) = self.calls.get(ticket) else { return };
        let one_way = call.one_way;
        if matches!(call.on, CallOn::Answer(_)) {
            let on = call.on.clone();
            self.unlink(&on, ticket);
        }
        if one_way {
            self.forget(ticket, parts);
            let outcome = Ok(Answer::default());
            events.push_back(Event::Answered { call: ticket, outcome });
        }
    }

    pub(super) fn target(&self, ticket: CallTicket, refs: &Refs) -> Result<CallTarget, Fault> {
        let gone = |text: &str| Fault::new(Code::NO_SUCH_OBJECT, text);
        match self.calls.get(ticket).map(|call| &call.on) {
            Some(CallOn::Root) => Ok(CallTarget::Object(ObjectId::ROOT)),
            Some(CallOn::Object(reference)) => refs
                .origin(reference)
                .map(CallTarget::Object)
                .ok_or_else(|| gone("the object lies behind another link")),
            Some(CallOn::Answer(parent)) => self
                .id(*parent)
                .map(CallTarget::Answer)
                .ok_or_else(|| gone("the call that this one waits for has ended")),
            None => Err(gone("the call is gone")),
        }
    }
}
