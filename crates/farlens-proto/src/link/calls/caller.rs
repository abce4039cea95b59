//! Calls that this side makes: they wait for room at the peer, level by level, and for an answer.
//!
//! ```text
//!  (for the parent to be sent) ─▶ (behind parts to the same object) ─▶ ready ──▶ sent ──▶ answered
//! ```

use super::{
    Answer, CallOn, CallRequest, CallTicket,
    one_way::Allowance,
    order::Order,
    parts::{Inbox, Outbox},
    pipeline,
};
use crate::{
    error::Violation,
    event::Event,
    link::{refs::Refs, timers::Bucket},
    time::Time,
};
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    CallId, Code, ObjectId, Reference, Side,
    frame::{
        CallFrame, Fault,
        call::{Call, CallTarget, Cancel},
        link::{Announced, OneWayLimit},
    },
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Calls without an answer that this side takes back at once, and in a second after that. Half of
/// what a peer bears, since moments spread on the way.
const CANCELS: (u64, u64) = (500, 50);

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
    /// Parts of its arguments are still going out.
    going: bool,
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

/// Calls of one depth.
#[derive(Debug, Default, PartialEq, Eq)]
struct Level {
    /// Those that only wait for room.
    ready: BTreeSet<CallTicket>,
    /// What the peer has on its books until it has read the last cancel that was put.
    load: Load,
}

/// A cancel that is to be sent.
#[derive(Debug)]
struct Unwanted {
    id: CallId,
    /// What the peer strikes from its books then: a depth and bytes; nothing for one-way calls.
    load: Option<(u32, u64)>,
    /// The peer keeps the answer until then.
    pipelined: bool,
}

/// A call whose deadline has passed. The peer gives it up by itself and answers.
#[derive(Debug)]
struct Late {
    load: (u32, u64),
    pipelined: bool,
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
    order: Order,
    /// By the call on whose answer they are made: calls that are not sent as a whole.
    children: BTreeMap<CallTicket, BTreeSet<CallTicket>>,
    /// Calls that were given up.
    cancels: VecDeque<Unwanted>,
    pace: Bucket,
    /// When more of them may be sent.
    paused_until: Option<Time>,
    /// Pipelined calls whose answer has come.
    spent: VecDeque<Unwanted>,
    allowance: Allowance,
    deadlines: BTreeSet<(Time, CallTicket)>,
    late: BTreeMap<CallId, Late>,
}

/// What sending needs of the rest of the link.
pub(super) struct Outlet<'a> {
    pub(super) peer: Announced,
    pub(super) refs: &'a mut Refs,
    pub(super) now: Time,
    pub(super) events: &'a mut VecDeque<Event>,
}

impl Caller {
    pub(super) fn new(side: Side) -> Self {
        Self {
            side,
            next_ticket: 1,
            next_id: side.first_id(),
            calls: BTreeMap::new(),
            tickets: BTreeMap::new(),
            levels: BTreeMap::new(),
            order: Order::default(),
            children: BTreeMap::new(),
            cancels: VecDeque::new(),
            pace: Bucket::new(CANCELS.0, CANCELS.1, Time::ZERO),
            paused_until: None,
            spent: VecDeque::new(),
            allowance: Allowance::default(),
            deadlines: BTreeSet::new(),
            late: BTreeMap::new(),
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let first = self.deadlines.first().map(|(time, _)| *time);
        first.into_iter().chain(self.paused_until).min()
    }

    pub(super) fn call(&mut self, request: CallRequest, now: Time) -> CallTicket {
        let ticket = CallTicket(self.next_ticket);
        self.next_ticket = self.next_ticket.saturating_add(1);
        let CallRequest { on, method, args, table, timeout_ms, depth, .. } = request;
        let deadline = timeout_ms.map(|ms| now.plus_ms(ms));
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, ticket));
        }
        if let CallOn::Answer(parent) = on {
            self.children.entry(parent).or_default().insert(ticket);
        }
        let call = Outgoing {
            depth,
            bytes: args.len() as u64,
            one_way: request.one_way,
            pipelined: request.pipelined && !request.one_way,
            deadline,
            on,
            unsent: Some(Unsent { method, args, table, interface: request.interface }),
            id: None,
            going: false,
            inbox: None,
        };
        self.calls.insert(ticket, call);
        self.queue(ticket);
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

    // --- waiting to be sent ------------------------------------------------------------------

    /// Has a call wait where it must: for its parent, behind parts, or only for room.
    fn queue(&mut self, ticket: CallTicket) {
        let Some(call) = self.calls.get(&ticket) else { return };
        if matches!(call.on, CallOn::Answer(parent) if self.id(parent).is_none()) {
            // It is queued when its parent is sent.
            return;
        }
        if !self.order.hold(&call.on, ticket) {
            self.levels.entry(call.depth).or_default().ready.insert(ticket);
        }
    }

    /// A call that was not sent waits nowhere any more.
    fn unqueue(&mut self, call: &Outgoing, ticket: CallTicket) {
        self.order.leave(&call.on, ticket);
        self.change_level(call.depth, |level| {
            level.ready.remove(&ticket);
        });
        self.unlink(&call.on, ticket);
    }

    /// A call depends no longer on what becomes of its parent.
    fn unlink(&mut self, on: &CallOn, ticket: CallTicket) {
        if let CallOn::Answer(parent) = on
            && let Some(children) = self.children.get_mut(parent)
        {
            children.remove(&ticket);
            if children.is_empty() {
                self.children.remove(parent);
            }
        }
    }

    /// The parts of a call are out, or not wanted any more: others to that object may go.
    fn stop_going(&mut self, on: &CallOn, ticket: CallTicket) {
        self.unlink(on, ticket);
        for waiting in self.order.end(on) {
            self.queue(waiting);
        }
    }

    // --- ends --------------------------------------------------------------------------------

    /// Takes a call out of every book but the level's load, and stops its parts.
    fn forget(&mut self, ticket: CallTicket, parts: &mut Outbox) -> Option<Outgoing> {
        let call = self.calls.remove(&ticket)?;
        if let Some(deadline) = call.deadline {
            self.deadlines.remove(&(deadline, ticket));
        }
        match call.id {
            None => self.unqueue(&call, ticket),
            Some(id) => {
                self.tickets.remove(&id);
                if call.going {
                    parts.forget(id);
                    self.stop_going(&call.on, ticket);
                }
            }
        }
        Some(call)
    }

    fn lighten(&mut self, (depth, bytes): (u32, u64)) {
        self.change_level(depth, |level| level.load.remove(bytes));
    }

    fn change_level(&mut self, depth: u32, change: impl FnOnce(&mut Level)) {
        let Some(level) = self.levels.get_mut(&depth) else { return };
        change(level);
        if *level == Level::default() {
            self.levels.remove(&depth);
        }
    }

    /// What is made on the answer of a call goes on without it, or ends like it.
    fn end_children(
        &mut self,
        parent: CallTicket,
        found: Result<Reference, Fault>,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) {
        let mut ended = vec![(parent, found)];
        while let Some((parent, found)) = ended.pop() {
            for ticket in self.children.remove(&parent).unwrap_or_default() {
                match &found {
                    Ok(reference) => self.retarget(ticket, reference),
                    // What is going the peer knows, and ends itself.
                    Err(fault) if self.id(ticket).is_none() => {
                        let pipelined = self.is_pipelined(ticket);
                        self.forget(ticket, parts);
                        let outcome = Err(fault.clone());
                        events.push_back(Event::Answered { call: ticket, outcome });
                        if pipelined {
                            ended.push((ticket, Err(fault.clone())));
                        }
                    }
                    Err(_) => {}
                }
            }
        }
    }

    /// A call goes straight to the object that it was to find in an answer.
    fn retarget(&mut self, ticket: CallTicket, reference: &Reference) {
        let Some(call) = self.calls.get_mut(&ticket) else { return };
        let on = CallOn::Object(reference.clone());
        let before = std::mem::replace(&mut call.on, on.clone());
        if call.going {
            // What waits behind it is retargeted as well.
            self.order.begin(&on);
            self.stop_going(&before, ticket);
        } else {
            self.order.leave(&before, ticket);
            if let Some(level) = self.levels.get_mut(&call.depth) {
                level.ready.remove(&ticket);
            }
            self.queue(ticket);
        }
    }

    /// Gives a call up.
    pub(super) fn cancel(
        &mut self,
        ticket: CallTicket,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) {
        let Some(call) = self.forget(ticket, parts) else { return };
        if let Some(id) = call.id {
            let load = (!call.one_way).then_some((call.depth, call.bytes));
            self.cancels.push_back(Unwanted { id, load, pipelined: call.pipelined });
        }
        let text = "the call that this one waits for was given up";
        self.end_children(ticket, Err(Fault::new(Code::CANCELLED, text)), parts, events);
    }

    /// Ends the calls whose deadline has passed. The peer needs no cancel for that: it would be
    /// blamed on this side if many calls were late.
    pub(super) fn handle_timeout(
        &mut self,
        now: Time,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        while let Some(&(due, ticket)) = self.deadlines.first() {
            if due > now {
                return;
            }
            self.deadlines.pop_first();
            let fault = Fault::new(Code::DEADLINE_EXCEEDED, "the deadline of the call has passed");
            let Some(call) = self.forget(ticket, parts) else { continue };
            if let Some(id) = call.id.filter(|_| !call.one_way) {
                let Outgoing { depth, bytes, pipelined, .. } = call;
                self.late.insert(id, Late { load: (depth, bytes), pipelined });
                if call.inbox.is_some() {
                    self.answered_late(id, false);
                }
            }
            events.push_back(Event::Answered { call: ticket, outcome: Err(fault.clone()) });
            self.end_children(ticket, Err(fault), parts, events);
        }
    }

    pub(super) fn handle_one_way_limit(
        &mut self,
        limit: OneWayLimit,
        peer: Announced,
    ) -> Result<(), Violation> {
        self.allowance.handle_limit(limit, peer)
    }

    // --- sending -----------------------------------------------------------------------------

    pub(super) fn has_output(&self, peer: Announced) -> bool {
        let goes = |level: &Level| {
            let first = level.ready.first().and_then(|ticket| self.calls.get(ticket));
            first.is_some_and(|call| self.fits(level, call, peer))
        };
        let cancels = !self.cancels.is_empty() && self.paused_until.is_none();
        cancels || !self.spent.is_empty() || self.levels.values().any(goes)
    }

    /// Whether the peer has room for a call.
    fn fits(&self, level: &Level, call: &Outgoing, peer: Announced) -> bool {
        if call.one_way {
            return self.allowance.has_room(call.depth, peer);
        }
        let bytes = level.load.bytes.saturating_add(call.bytes);
        level.load.calls == 0 || level.load.calls < peer.calls && bytes <= peer.argument_bytes
    }

    /// Takes the first call of a level that may go now.
    fn take_ready(&mut self, depth: u32, peer: Announced) -> Option<CallTicket> {
        loop {
            let level = self.levels.get(&depth)?;
            let &ticket = level.ready.first()?;
            let call = self.calls.get(&ticket)?;
            let held = self.order.hold(&call.on, ticket);
            if !held && !self.fits(level, call, peer) {
                return None;
            }
            self.levels.get_mut(&depth)?.ready.remove(&ticket);
            if !held {
                return Some(ticket);
            }
        }
    }

    /// Appends frames until `out` has `limit` bytes.
    pub(super) fn put(
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
    fn put_cancels(&mut self, out: &mut BytesMut, limit: usize, now: Time) {
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
    fn spare_cancel(&mut self, id: CallId) {
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
    pub(super) fn put_spent(&mut self, out: &mut BytesMut, limit: usize) {
        while out.len() < limit
            && let Some(unwanted) = self.spent.pop_front()
        {
            self.put_cancel(out, &unwanted);
        }
    }

    fn put_cancel(&mut self, out: &mut BytesMut, unwanted: &Unwanted) {
        CallFrame::from(Cancel::default()).put(out, unwanted.id.0);
        if let Some(load) = unwanted.load {
            self.lighten(load);
        }
    }

    fn send(
        &mut self,
        out: &mut BytesMut,
        ticket: CallTicket,
        parts: &mut Outbox,
        outlet: &mut Outlet<'_>,
    ) {
        let Some(unsent) = self.calls.get_mut(&ticket).and_then(|call| call.unsent.take()) else {
            return;
        };
        let refs = &mut *outlet.refs;
        let prepared = self
            .target(ticket, refs)
            .and_then(|target| Ok((target, refs.lend(&unsent.table, outlet.peer.references)?)));
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
        let Some(call) = self.calls.get_mut(&ticket) else { return };
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
        if call.going {
            self.order.begin(&call.on);
            parts.push(id, rest);
        } else {
            self.sent_whole(ticket, parts, outlet.events);
        }
        if self.is_pipelined(ticket) {
            outlet.events.push_back(Event::Sent { call: ticket });
            for child in self.children.get(&ticket).cloned().unwrap_or_default() {
                self.queue(child);
            }
        }
    }

    /// The last part of a call is out.
    pub(super) fn parts_sent(
        &mut self,
        id: CallId,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) {
        let Some(&ticket) = self.tickets.get(&id) else { return };
        let Some(call) = self.calls.get_mut(&ticket) else { return };
        call.going = false;
        let on = call.on.clone();
        self.stop_going(&on, ticket);
        self.sent_whole(ticket, parts, events);
    }

    /// A call is out as a whole. One that nothing answers is over then.
    fn sent_whole(&mut self, ticket: CallTicket, parts: &mut Outbox, events: &mut VecDeque<Event>) {
        let Some(call) = self.calls.get(&ticket) else { return };
        let (on, one_way) = (call.on.clone(), call.one_way);
        self.unlink(&on, ticket);
        if one_way {
            self.forget(ticket, parts);
            let outcome = Ok(Answer::default());
            events.push_back(Event::Answered { call: ticket, outcome });
        }
    }

    fn target(&self, ticket: CallTicket, refs: &Refs) -> Result<CallTarget, Fault> {
        let gone = |text: &str| Fault::new(Code::NO_SUCH_OBJECT, text);
        match self.calls.get(&ticket).map(|call| &call.on) {
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

    // --- answers -----------------------------------------------------------------------------

    /// Whether an id is one that this side has used.
    pub(super) fn check_known(&self, id: CallId) -> Result<(), Violation> {
        if self.side.owns(id.0) && id.0 < self.next_id {
            return Ok(());
        }
        Err(Violation::protocol("a frame for a call that was never made"))
    }

    /// The call that an answer begins for, if it is still wanted.
    fn unanswered(&mut self, id: CallId) -> Result<Option<CallTicket>, Violation> {
        let Some(&ticket) = self.tickets.get(&id) else { return Ok(None) };
        let Some(call) = self.calls.get(&ticket) else { return Ok(None) };
        if call.one_way || call.inbox.is_some() {
            return Err(Violation::protocol("an answer to a call that has one or wants none"));
        }
        Ok(Some(ticket))
    }

    /// The beginning of an answer, or all of it.
    pub(super) fn handle_return(
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
        if let Some(call) = self.calls.get_mut(&ticket) {
            call.inbox = Some(inbox);
        }
        self.take_if_whole(id, ticket, (refs, parts), events);
        Ok(())
    }

    pub(super) fn handle_part(
        &mut self,
        id: CallId,
        part: &Bytes,
        (refs, parts): (&Refs, &mut Outbox),
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.check_known(id)?;
        let Some(&ticket) = self.tickets.get(&id) else { return Ok(()) };
        let inbox = self.calls.get_mut(&ticket).and_then(|call| call.inbox.as_mut());
        inbox
            .ok_or_else(|| Violation::protocol("a part of an answer that has not begun"))?
            .add(part)?;
        self.take_if_whole(id, ticket, (refs, parts), events);
        Ok(())
    }

    fn take_if_whole(
        &mut self,
        id: CallId,
        ticket: CallTicket,
        (refs, parts): (&Refs, &mut Outbox),
        events: &mut VecDeque<Event>,
    ) {
        let call = self.calls.get_mut(&ticket);
        let Some(inbox) = call.and_then(|call| call.inbox.take_if(|inbox| inbox.is_whole())) else {
            return;
        };
        let answer = inbox.finish();
        let found = pipeline::found(&answer, |first| refs.origin(first).is_some());
        self.finish(id, ticket, parts);
        events.push_back(Event::Answered { call: ticket, outcome: Ok(answer) });
        self.end_children(ticket, found, parts, events);
    }

    pub(super) fn handle_failed(
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
    fn answered_late(&mut self, id: CallId, whole: bool) {
        let Some(late) = self.late.remove(&id) else { return };
        if whole && !late.pipelined {
            self.lighten(late.load);
        } else {
            let Late { load, pipelined } = late;
            self.spent.push_back(Unwanted { id, load: Some(load), pipelined });
        }
    }

    /// A call has its answer. The peer keeps one that was pipelined until it is told.
    fn finish(&mut self, id: CallId, ticket: CallTicket, parts: &mut Outbox) {
        let Some(call) = self.forget(ticket, parts) else { return };
        let load = (call.depth, call.bytes);
        if call.pipelined {
            self.spent.push_back(Unwanted { id, load: Some(load), pipelined: true });
        } else {
            self.lighten(load);
        }
    }

    /// The link is over: what was not sent as a whole has not run, of the rest nobody knows.
    pub(super) fn end(&mut self, fault: &Fault, events: &mut VecDeque<Event>) {
        for (ticket, call) in std::mem::take(&mut self.calls) {
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
