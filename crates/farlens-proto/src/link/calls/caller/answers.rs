//! Answers come in, whole or in parts, in time or late.

use super::super::{
    Answer, CallTicket,
    parts::{Inbox, Outbox},
    pipeline,
};
use super::{Caller, Late, Unwanted};
use crate::{error::Violation, event::Event, link::refs::Refs};
use bytes::Bytes;
use farlens_wire::{CallId, Code, frame::Fault};
use std::collections::VecDeque;

impl Caller {
    /// Whether an id is one that this side has used.
    pub(in crate::link::calls) fn check_known(&self, id: CallId) -> Result<(), Violation> {
        if self.side.owns(id.0) && id.0 < self.next_id {
            return Ok(());
        }
        Err(Violation::protocol("a frame for a call that was never made"))
    }

    /// The call that an answer begins for, if it is still wanted.
    pub(super) fn unanswered(&mut self, id: CallId) -> Result<Option<CallTicket>, Violation> {
        let Some(&ticket) = self.tickets.get(id) else { return Ok(None) };
        let Some(call) = self.calls.get(ticket) else { return Ok(None) };
        if call.one_way || call.inbox.is_some() {
            return Err(Violation::protocol("an answer to a call that has one or wants none"));
        }
        Ok(Some(ticket))
    }

    /// The beginning of an answer, or all of it.
    pub(in crate::link::calls) fn handle_return(
        &mut self,
        id: CallId,
        inbox: Inbox,
        (refs, parts): (&Refs, &mut Outbox),
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        let Some(ticket) = self.unanswered(id)? else {
            self.answered_late(id, inbox.is_whole());
            return Ok(());
        };
        if inbox.is_whole() {
            self.take(id, ticket, inbox.finish(), (refs, parts), events);
        } else if let Some(call) = self.calls.get_mut(ticket) {
            call.inbox = Some(Box::new(inbox));
        }
        Ok(())
    }

    pub(in crate::link::calls) fn handle_part(
        &mut self,
        id: CallId,
        part: &Bytes,
        (refs, parts): (&Refs, &mut Outbox),
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.check_known(id)?;
        let Some(&ticket) = self.tickets.get(id) else { return Ok(()) };
        let early = || Violation::protocol("a part of an answer that has not begun");
        let call = self.calls.get_mut(ticket).ok_or_else(early)?;
        call.inbox.as_mut().ok_or_else(early)?.add(part)?;
        if let Some(inbox) = call.inbox.take_if(|inbox| inbox.is_whole()) {
            self.take(id, ticket, inbox.finish(), (refs, parts), events);
        }
        Ok(())
    }

    /// An answer has come as a whole.
    fn take(
        &mut self,
        id: CallId,
        ticket: CallTicket,
        answer: Answer,
        (refs, parts): (&Refs, &mut Outbox),
        events: &mut VecDeque<Event>,
    ) {
        let pipelined = self.finish(id, ticket, parts);
        let found =
            pipelined.then(|| pipeline::found(&answer, |first| refs.origin(first).is_some()));
        events.push_back(Event::Answered { call: ticket, outcome: Ok(answer) });
        if let Some(found) = found {
            self.end_children(ticket, found, parts, events);
        }
    }

    pub(in crate::link::calls) fn handle_failed(
        &mut self,
        id: CallId,
        fault: Fault,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        let Some(ticket) = self.unanswered(id)? else {
            self.spare_cancel(id);
            self.answered_late(id, true);
            return Ok(());
        };
        self.finish(id, ticket, parts);
        events.push_back(Event::Answered { call: ticket, outcome: Err(fault.clone()) });
        self.end_children(ticket, Err(fault), parts, events);
        Ok(())
    }

    /// The answer to a call that nobody waits for any more, or its beginning.
    pub(super) fn answered_late(&mut self, id: CallId, whole: bool) {
        let Some(late) = self.late.remove(&id) else { return };
        if whole && !late.pipelined {
            self.lighten(late.load);
        } else {
            let Late { load, pipelined } = late;
            self.spent.push_back(Unwanted { id, load: Some(load), pipelined });
        }
    }

    /// A call has its answer; says whether others may be made on that. The peer keeps it then
    /// until it is told.
    fn finish(&mut self, id: CallId, ticket: CallTicket, parts: &mut Outbox) -> bool {
        let Some(call) = self.forget(ticket, parts) else { return false };
        let load = (call.depth, call.bytes);
        if call.pipelined {
            self.spent.push_back(Unwanted { id, load: Some(load), pipelined: true });
        } else {
            self.lighten(load);
        }
        call.pipelined
    }

    /// The link is over: what was not sent as a whole has not run, of the rest nobody knows.
    pub(in crate::link::calls) fn end(&mut self, fault: &Fault, events: &mut VecDeque<Event>) {
        for (ticket, call) in std::mem::take(&mut self.calls).into_entries() {
            let (code, what) = if call.id.is_none() || call.going {
                (Code::NOT_RUN, "the call was not sent")
            } else {
                (Code::UNKNOWN, "the call was sent and has no answer")
            };
            let fault = Fault::new(code, format!("{what}: {}", fault.text));
            events.push_back(Event::Answered { call: ticket, outcome: Err(fault) });
        }
        *self = Self { next_ticket: self.next_ticket, ..Self::new(self.side) };
    }
}
