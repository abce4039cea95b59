//! Calls that this side makes: they wait for room at the peer, level by level, and for an answer.

use super::{
    Answer, CallOn, CallRequest, CallTicket,
    parts::{Inbox, Outbox},
};
use crate::{error::Violation, event::Event, link::refs::Refs, time::Time};
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    CallId, Code, Reference, Side,
    frame::{
        CallFrame, Fault,
        call::{Call, CallTarget, Cancel},
        link::{Announced, OneWayLimit},
    },
};
use std::collections::{BTreeMap, VecDeque};

/// What one level of nesting has under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) calls: u64,
    pub(super) bytes: u64,
}

impl Load {
    pub(super) fn add(&mut self, bytes: u64) {
        self.calls = self.calls.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn remove(&mut self, bytes: u64) {
        self.calls = self.calls.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

#[derive(Debug)]
struct Outgoing {
    depth: u32,
    bytes: u64,
    one_way: bool,
    pipelined: bool,
    deadline: Option<Time>,
    /// Kept so that what it is called on lives until the answer.
    on: CallOn,
    /// What is still to be sent; nothing once the first frame is out.
    unsent: Option<Unsent>,
    id: Option<CallId>,
    /// The answer as it comes in.
    inbox: Option<Inbox>,
}

#[derive(Debug)]
struct Unsent {
    method: String,
    args: Bytes,
    table: Vec<Reference>,
    interface: Option<[u8; 16]>,
}

/// Where a call waits for its turn.
#[derive(Debug, Default)]
struct Level {
    queue: VecDeque<CallTicket>,
    load: Load,
}

/// The calls of this side.
#[derive(Debug)]
pub(super) struct Caller {
    side: Side,
    next_ticket: u64,
    next_id: u64,
    calls: BTreeMap<CallTicket, Outgoing>,
    tickets: BTreeMap<CallId, CallTicket>,
    levels: BTreeMap<u32, Level>,
    /// Cancels that are to be sent.
    cancels: VecDeque<CallId>,
    one_way_sent: OneWayLimit,
    one_way_limit: OneWayLimit,
    deadlines: BTreeMap<(Time, CallTicket), ()>,
}

impl Caller {
    pub(super) const fn new(side: Side) -> Self {
        Self {
            side,
            next_ticket: 1,
            next_id: side.first_id(),
            calls: BTreeMap::new(),
            tickets: BTreeMap::new(),
            levels: BTreeMap::new(),
            cancels: VecDeque::new(),
            one_way_sent: OneWayLimit { calls: 0, bytes: 0 },
            one_way_limit: OneWayLimit { calls: 0, bytes: 0 },
            deadlines: BTreeMap::new(),
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first_key_value().map(|((time, _), ())| *time)
    }

    pub(super) fn call(&mut self, request: CallRequest, now: Time) -> CallTicket {
        let ticket = CallTicket(self.next_ticket);
        self.next_ticket = self.next_ticket.saturating_add(1);
        let CallRequest { on, method, args, table, timeout_ms, depth, .. } = request;
        let deadline = timeout_ms.map(|ms| now.plus_ms(ms));
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, ticket), ());
        }
        let call = Outgoing {
            depth,
            bytes: args.len() as u64,
            one_way: request.one_way,
            pipelined: request.pipelined,
            deadline,
            on,
            unsent: Some(Unsent { method, args, table, interface: request.interface }),
            id: None,
            inbox: None,
        };
        self.calls.insert(ticket, call);
        self.levels.entry(depth).or_default().queue.push_back(ticket);
        ticket
    }

    /// Whether a call is known that others can be made on the answer of.
    pub(super) fn is_pipelined(&self, ticket: CallTicket) -> bool {
        self.calls.get(&ticket).is_some_and(|call| call.pipelined)
    }

    /// The id of a call that has been sent.
    pub(super) fn id(&self, ticket: CallTicket) -> Option<CallId> {
        self.calls.get(&ticket)?.id
    }

    /// Gives a call up; says whether it was still wanted.
    pub(super) fn cancel(&mut self, ticket: CallTicket, parts: &mut Outbox) {
        if let Some((call, id)) = self.forget(ticket) {
            match id {
                Some(id) => {
                    parts.forget(id);
                    if !call.one_way {
                        self.cancels.push_back(id);
                    }
                }
                None => self.leave_queue(call.depth, ticket),
            }
        }
    }

    fn leave_queue(&mut self, depth: u32, ticket: CallTicket) {
        if let Some(level) = self.levels.get_mut(&depth) {
            level.queue.retain(|&other| other != ticket);
        }
    }

    /// Takes a call out of every book.
    fn forget(&mut self, ticket: CallTicket) -> Option<(Outgoing, Option<CallId>)> {
        let call = self.calls.remove(&ticket)?;
        if let Some(deadline) = call.deadline {
            self.deadlines.remove(&(deadline, ticket));
        }
        if let Some(id) = call.id {
            self.tickets.remove(&id);
            if !call.one_way
                && let Some(level) = self.levels.get_mut(&call.depth)
            {
                level.load.remove(call.bytes);
            }
        }
        let id = call.id;
        Some((call, id))
    }

    /// Ends the calls whose deadline has passed.
    pub(super) fn handle_timeout(
        &mut self,
        now: Time,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) {
        while let Some((&(due, ticket), ())) = self.deadlines.first_key_value() {
            if due > now {
                return;
            }
            self.cancel(ticket, parts);
            let text = "the deadline of the call has passed";
            let outcome = Err(Fault::new(Code::DEADLINE_EXCEEDED, text));
            events.push_back(Event::Answered { call: ticket, outcome });
        }
    }

    pub(super) fn handle_one_way_limit(&mut self, limit: OneWayLimit) -> Result<(), Violation> {
        let before = self.one_way_limit;
        if limit.calls < before.calls || limit.bytes < before.bytes {
            return Err(Violation::flow("one-way calls were taken back"));
        }
        self.one_way_limit = limit;
        Ok(())
    }

    // --- sending -----------------------------------------------------------------------------

    pub(super) fn has_output(&self, peer: Announced, parts: &Outbox) -> bool {
        !self.cancels.is_empty()
            || self.levels.values().any(|level| self.first_ready(level, peer, parts).is_some())
    }

    /// The first call of a level, if the peer has room for it now.
    fn first_ready(&self, level: &Level, peer: Announced, parts: &Outbox) -> Option<CallTicket> {
        let &ticket = level.queue.front()?;
        let call = self.calls.get(&ticket)?;
        let sent = match &call.on {
            CallOn::Answer(parent) => self.id(*parent).is_some() || !self.is_pipelined(*parent),
            _ => true,
        };
        let fits = if call.one_way {
            self.one_way_room(peer)
        } else {
            let bytes = level.load.bytes.saturating_add(call.bytes);
            let alone = level.load.calls == 0;
            alone || level.load.calls < peer.calls && bytes <= peer.argument_bytes
        };
        (sent && fits && !parts.holds_up(&call.on)).then_some(ticket)
    }

    fn one_way_room(&self, peer: Announced) -> bool {
        let (sent, limit) = (self.one_way_sent, self.one_way_limit);
        sent.calls < limit.calls.max(peer.calls)
            && sent.bytes < limit.bytes.max(peer.argument_bytes)
    }

    /// Appends frames until `out` has `limit` bytes.
    pub(super) fn put(
        &mut self,
        out: &mut BytesMut,
        limit: usize,
        peer: Announced,
        (refs, parts): (&mut Refs, &mut Outbox),
        now_sending: Time,
        events: &mut VecDeque<Event>,
    ) {
        while out.len() < limit
            && let Some(id) = self.cancels.pop_front()
        {
            CallFrame::from(Cancel::default()).put(out, id.0);
        }
        let depths: Vec<u32> = self.levels.keys().copied().collect();
        for depth in depths {
            while out.len() < limit {
                let Some(level) = self.levels.get(&depth) else { break };
                let Some(ticket) = self.first_ready(level, peer, parts) else { break };
                self.leave_queue(depth, ticket);
                self.send(out, ticket, peer, (refs, parts), now_sending, events);
            }
        }
    }

    fn send(
        &mut self,
        out: &mut BytesMut,
        ticket: CallTicket,
        peer: Announced,
        (refs, parts): (&mut Refs, &mut Outbox),
        now: Time,
        events: &mut VecDeque<Event>,
    ) {
        let Some(unsent) = self.calls.get_mut(&ticket).and_then(|call| call.unsent.take()) else {
            return;
        };
        let prepared = self
            .target(ticket, refs)
            .and_then(|target| Ok((target, refs.lend(&unsent.table, peer.references)?)));
        let (target, table) = match prepared {
            Ok(prepared) => prepared,
            Err(fault) => {
                self.forget(ticket);
                events.push_back(Event::Answered { call: ticket, outcome: Err(fault) });
                return;
            }
        };
        let id = CallId(self.next_id);
        self.next_id = self.next_id.saturating_add(2);
        self.tickets.insert(id, ticket);
        let Some(call) = self.calls.get_mut(&ticket) else { return };
        call.id = Some(id);
        let level = self.levels.entry(call.depth).or_default();
        if call.one_way {
            self.one_way_sent.calls = self.one_way_sent.calls.saturating_add(1);
            self.one_way_sent.bytes = self.one_way_sent.bytes.saturating_add(call.bytes);
        } else {
            level.load.add(call.bytes);
        }
        let (args, rest) = Outbox::first_part(unsent.args, peer);
        let frame = Call {
            target,
            method: unsent.method,
            deadline_ms: call.deadline.map(|due| due.ms_since(now)),
            depth: call.depth,
            one_way: call.one_way,
            pipelined: call.pipelined,
            interface: unsent.interface,
            table,
            length: call.bytes,
            args,
        };
        CallFrame::from(frame).put(out, id.0);
        let whole = rest.is_empty();
        parts.push(id, Some(call.on.clone()), rest);
        if call.pipelined {
            events.push_back(Event::Sent { call: ticket });
        }
        if call.one_way && whole {
            self.finish_one_way(id, events);
        }
    }

    /// A call that nothing answers is over once it has been sent.
    pub(super) fn finish_one_way(&mut self, id: CallId, events: &mut VecDeque<Event>) {
        let Some(&ticket) = self.tickets.get(&id) else { return };
        if self.calls.get(&ticket).is_some_and(|call| call.one_way) {
            self.forget(ticket);
            let outcome = Ok(Answer::default());
            events.push_back(Event::Answered { call: ticket, outcome });
        }
    }

    fn target(&self, ticket: CallTicket, refs: &Refs) -> Result<CallTarget, Fault> {
        let gone = |text: &str| Fault::new(Code::NO_SUCH_OBJECT, text);
        match self.calls.get(&ticket).map(|call| &call.on) {
            Some(CallOn::Root) => Ok(CallTarget::Object(farlens_wire::ObjectId::ROOT)),
            Some(CallOn::Object(reference)) => refs
                .origin(reference)
                .map(CallTarget::Object)
                .ok_or_else(|| gone("the object lies behind another link")),
            Some(CallOn::Answer(parent)) => self
                .id(*parent)
                .map(CallTarget::Answer)
                .ok_or_else(|| gone("the call that this one waits for has failed")),
            None => Err(gone("the call is gone")),
        }
    }

    // --- answers -----------------------------------------------------------------------------

    /// Whether an id is one that this side has used.
    pub(super) fn check_known(&self, id: CallId) -> Result<(), Violation> {
        if self.side.owns(id.0) && id.0 < self.next_id {
            return Ok(());
        }
        Err(Violation::protocol("a frame for a call that was never made"))
    }

    /// The beginning of an answer, or all of it.
    pub(super) fn handle_return(
        &mut self,
        id: CallId,
        inbox: Inbox,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        let Some(&ticket) = self.tickets.get(&id) else { return Ok(()) };
        let Some(call) = self.calls.get_mut(&ticket) else { return Ok(()) };
        if call.one_way || call.inbox.is_some() {
            return Err(Violation::protocol("an answer to a call that has one or wants none"));
        }
        call.inbox = Some(inbox);
        self.take_if_whole(ticket, events);
        Ok(())
    }

    pub(super) fn handle_part(
        &mut self,
        id: CallId,
        part: &Bytes,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.check_known(id)?;
        let Some(&ticket) = self.tickets.get(&id) else { return Ok(()) };
        let inbox = self.calls.get_mut(&ticket).and_then(|call| call.inbox.as_mut());
        inbox
            .ok_or_else(|| Violation::protocol("a part of an answer that has not begun"))?
            .add(part)?;
        self.take_if_whole(ticket, events);
        Ok(())
    }

    fn take_if_whole(&mut self, ticket: CallTicket, events: &mut VecDeque<Event>) {
        let whole = |call: &Outgoing| call.inbox.as_ref().is_some_and(Inbox::is_whole);
        if self.calls.get(&ticket).is_some_and(whole)
            && let Some((call, Some(id))) = self.forget(ticket)
        {
            let answer = call.inbox.map(Inbox::finish).unwrap_or_default();
            if call.pipelined {
                self.cancels.push_back(id);
                self.retarget(ticket, answer.table.first());
            }
            events.push_back(Event::Answered { call: ticket, outcome: Ok(answer) });
        }
    }

    /// Calls that wait for an answer which has come go straight to what it holds.
    fn retarget(&mut self, parent: CallTicket, reference: Option<&Reference>) {
        for call in self.calls.values_mut().filter(|call| call.unsent.is_some()) {
            if matches!(call.on, CallOn::Answer(on) if on == parent)
                && let Some(reference) = reference
            {
                call.on = CallOn::Object(reference.clone());
            }
        }
    }

    pub(super) fn handle_failed(
        &mut self,
        id: CallId,
        fault: Fault,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        let Some(&ticket) = self.tickets.get(&id) else { return Ok(()) };
        let begun =
            self.calls.get(&ticket).is_some_and(|call| call.one_way || call.inbox.is_some());
        if begun {
            return Err(Violation::protocol("an answer to a call that has one or wants none"));
        }
        if let Some((call, _)) = self.forget(ticket) {
            parts.forget(id);
            if call.pipelined {
                self.cancels.push_back(id);
            }
        }
        events.push_back(Event::Answered { call: ticket, outcome: Err(fault) });
        Ok(())
    }

    /// The link is over: what was not sent has not run, of the rest nobody knows.
    pub(super) fn end(&mut self, fault: &Fault, events: &mut VecDeque<Event>) {
        for (ticket, call) in std::mem::take(&mut self.calls) {
            let (code, what) = match call.id {
                None => (Code::NOT_RUN, "the call was not sent"),
                Some(_) => (Code::UNKNOWN, "the call was sent and has no answer"),
            };
            let fault = Fault::new(code, format!("{what}: {}", fault.text));
            events.push_back(Event::Answered { call: ticket, outcome: Err(fault) });
        }
        *self = Self { next_ticket: self.next_ticket, ..Self::new(self.side) };
    }
}
