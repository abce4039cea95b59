//! Calls that this side makes: they wait for room at the peer, level by level, and for an answer.
//!
//! ```text
//!  (for the parent to be sent) ─▶ (behind parts to the same object) ─▶ ready ──▶ sent ──▶ answered
//! ```

mod answers;
mod sending;

use super::{
    CallOn, CallRequest, CallTicket,
    ledger::Ledger,
    one_way::Allowance,
    order::Order,
    parts::{Inbox, Outbox},
};
use crate::{
    error::Violation,
    event::Event,
    link::{refs::Refs, timers::Bucket},
    time::Time,
};
use bytes::Bytes;
use farlens_wire::{
    CallId, Code, Name, Reference, Side,
    frame::{
        Fault,
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
    /// The answer as it comes in, where that is in parts.
    inbox: Option<Box<Inbox>>,
}

/// What is left to know of a call that is on no book any more.
#[derive(Clone, Copy, Debug)]
struct Ended {
    /// None where it has not been sent.
    id: Option<CallId>,
    depth: u32,
    bytes: u64,
    one_way: bool,
    pipelined: bool,
    /// Its answer has begun to come in.
    answering: bool,
}

#[derive(Debug)]
struct Unsent {
    method: Name,
    args: Bytes,
    table: Vec<Reference>,
    interface: Option<[u8; 16]>,
}

/// Calls of one depth.
#[derive(Debug, Default)]
struct Level {
    /// Those that only wait for room.
    ready: Ledger<CallTicket, ()>,
    /// What the peer has on its books until it has read the last cancel that was put.
    load: Load,
}

impl Level {
    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.load == Load::default()
    }
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
    calls: Ledger<CallTicket, Outgoing>,
    tickets: Ledger<CallId, CallTicket, { Side::STEP }>,
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
            calls: Ledger::default(),
            tickets: Ledger::default(),
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
        self.line_up(&call.on, call.depth, ticket);
        self.calls.insert(ticket, call);
        ticket
    }

    /// Whether a call is known that others can be made on the answer of.
    pub(super) fn is_pipelined(&self, ticket: CallTicket) -> bool {
        self.calls.get(ticket).is_some_and(|call| call.pipelined)
    }

    /// The id of a call that has been sent.
    pub(super) fn id(&self, ticket: CallTicket) -> Option<CallId> {
        self.calls.get(ticket)?.id
    }

    // --- waiting to be sent ------------------------------------------------------------------

    /// Has a call wait where it must: for its parent, behind parts, or only for room.
    fn queue(&mut self, ticket: CallTicket) {
        let Some(call) = self.calls.get(ticket) else { return };
        let (on, depth) = (call.on.clone(), call.depth);
        self.line_up(&on, depth, ticket);
    }

    fn line_up(&mut self, on: &CallOn, depth: u32, ticket: CallTicket) {
        if matches!(on, CallOn::Answer(parent) if self.id(*parent).is_none()) {
            // It is queued when its parent is sent.
            return;
        }
        if !self.order.hold(on, ticket) {
            self.levels.entry(depth).or_default().ready.insert(ticket, ());
        }
    }

    /// A call that was not sent waits nowhere any more.
    fn unqueue(&mut self, on: &CallOn, depth: u32, ticket: CallTicket) {
        self.order.leave(on, ticket);
        self.change_level(depth, |level| {
            level.ready.remove(ticket);
        });
        self.unlink(on, ticket);
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
    fn forget(&mut self, ticket: CallTicket, parts: &mut Outbox) -> Option<Ended> {
        // It is not moved out: it is large, and hardly any of it is looked at again.
        let call = self.calls.get_mut(ticket)?;
        let &mut Outgoing { id, depth, bytes, one_way, pipelined, deadline, going, .. } = call;
        let answering = call.inbox.is_some();
        let on = std::mem::replace(&mut call.on, CallOn::Root);
        self.calls.discard(ticket);
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, ticket));
        }
        match id {
            None => self.unqueue(&on, depth, ticket),
            Some(id) => {
                self.tickets.discard(id);
                if going {
                    parts.forget(id);
                    self.stop_going(&on, ticket);
                }
            }
        }
        Some(Ended { id, depth, bytes, one_way, pipelined, answering })
    }

    fn lighten(&mut self, (depth, bytes): (u32, u64)) {
        self.change_level(depth, |level| level.load.remove(bytes));
    }

    fn change_level(&mut self, depth: u32, change: impl FnOnce(&mut Level)) {
        let Some(level) = self.levels.get_mut(&depth) else { return };
        change(level);
        if level.is_idle() {
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
        if self.children.is_empty() {
            return;
        }
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
        let Some(call) = self.calls.get_mut(ticket) else { return };
        let on = CallOn::Object(reference.clone());
        let before = std::mem::replace(&mut call.on, on.clone());
        if call.going {
            // What waits behind it is retargeted as well.
            self.order.begin(&on);
            self.stop_going(&before, ticket);
        } else {
            self.order.leave(&before, ticket);
            if let Some(level) = self.levels.get_mut(&call.depth) {
                level.ready.remove(ticket);
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
                let Ended { depth, bytes, pipelined, .. } = call;
                self.late.insert(id, Late { load: (depth, bytes), pipelined });
                if call.answering {
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
}
