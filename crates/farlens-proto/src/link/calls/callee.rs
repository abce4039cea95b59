//! Calls of the peer: each runs at most once and is answered at most once.
//!
//! ```text
//!  Pending ──(arguments whole, target known)──▶ Running ──answer──▶ Answered ──(sent)──▶ gone
//!     │                                            │                    │
//!     └────────────────── Cancel ──────────────────┴────────────────────┴──▶ gone
//! ```
//!
//! Calls that others may be made on stay, answered, until the peer cancels them. What a call of two
//! ways takes of its level's load it takes for as long as it is on the books here.

use super::{
    Answer, Called, Inlet,
    caller::{Load, Outlet},
    one_way::Notices,
    parts::{Inbox, Outbox},
};
use crate::{error::Violation, event::Event, time::Time};
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    CallId, Code, Limits, ObjectId, Reference, Side, StreamId,
    frame::{
        CallFrame, Fault,
        call::{Call, CallFailed, CallTarget, Return},
    },
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Calls that wait for each other's answers, one behind the other, at most.
const CHAIN: usize = 16;
/// The level on whose books calls are that no level is allowed for.
pub(super) const NO_LEVEL: u32 = u32::MAX;

#[derive(Debug)]
struct Incoming {
    depth: u32,
    bytes: u64,
    one_way: bool,
    pipelined: bool,
    deadline: Option<Time>,
    state: State,
    /// What waits for its answer.
    dependents: BTreeSet<Dependent>,
}

#[derive(Debug)]
enum State {
    Pending(Box<Pending>),
    Running,
    Answered(Answered),
}

/// A call that the shell was not told of.
#[derive(Debug)]
struct Pending {
    call: Call,
    inbox: Inbox,
    on: On,
    /// When its latest frame came.
    came: Time,
}

#[derive(Debug)]
enum On {
    Known(Reference),
    /// The answer to this call will tell.
    Answer(CallId),
}

#[derive(Debug)]
struct Answered {
    /// What others that are made on the answer find.
    found: Result<Reference, Fault>,
    /// Its place among the answers that are owed.
    owed: Option<u64>,
    /// Parts of the answer are going out.
    going: bool,
}

/// What can be made on an answer that is not there yet. Calls go on in the order made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dependent {
    Call(CallId),
    Open(StreamId),
}

/// An answer that is owed to the peer.
#[derive(Debug)]
struct Owed {
    id: CallId,
    outcome: Result<Answer, Fault>,
}

/// What an answer that was waited for has become.
#[derive(Debug)]
pub(in crate::link) struct Resolved {
    pub(in crate::link) stream: StreamId,
    pub(in crate::link) outcome: Result<Reference, Fault>,
}

/// The peer's calls.
#[derive(Debug)]
pub(super) struct Callee {
    side: Side,
    last: u64,
    calls: BTreeMap<CallId, Incoming>,
    running: usize,
    levels: BTreeMap<u32, Load>,
    /// In the order of completion.
    owed: BTreeMap<u64, Owed>,
    next_owed: u64,
    notices: Notices,
    deadlines: BTreeSet<(Time, CallId)>,
    /// Streams whose target is known now.
    resolved: VecDeque<Resolved>,
}

impl Callee {
    pub(super) fn new(side: Side) -> Self {
        Self {
            side,
            last: 0,
            calls: BTreeMap::new(),
            running: 0,
            levels: BTreeMap::new(),
            owed: BTreeMap::new(),
            next_owed: 0,
            notices: Notices::default(),
            deadlines: BTreeSet::new(),
            resolved: VecDeque::new(),
        }
    }

    /// Calls that are not answered.
    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// Calls that are answered and still on the books.
    pub(super) fn answered(&self) -> usize {
        self.calls.len().saturating_sub(self.running)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(time, _)| *time)
    }

    pub(super) fn take_resolved(&mut self) -> Option<Resolved> {
        self.resolved.pop_front()
    }

    // --- arriving ----------------------------------------------------------------------------

    pub(super) fn check_known(&self, id: CallId) -> Result<(), Violation> {
        if !self.side.owns(id.0) && id.0 <= self.last {
            return Ok(());
        }
        Err(Violation::protocol("a frame for a call that was never made"))
    }

    fn check_new(&mut self, id: CallId) -> Result<(), Violation> {
        if self.side.owns(id.0) || id.0 <= self.last {
            return Err(Violation::protocol("a call id was used twice or is of the wrong side"));
        }
        self.last = id.0;
        Ok(())
    }

    /// Puts a call on the books, if the peer keeps to what it was told.
    fn admit(
        &mut self,
        id: CallId,
        (call, depth): (&Call, u32),
        limits: &Limits,
        now: Time,
    ) -> Result<(), Violation> {
        if call.one_way {
            self.notices.admit(depth, call.length, limits)?;
        } else {
            let load = self.levels.entry(depth).or_default();
            load.add(call.length);
            let (calls, bytes) = (u64::from(limits.calls), limits.argument_bytes as u64);
            if load.calls > 1 && (load.calls > calls || load.bytes > bytes) {
                let text = format!("more than {} calls at a time", limits.calls);
                return Err(Violation::new(Code::TOO_MANY_CALLS, text));
            }
        }
        let deadline = call.deadline_ms.map(|ms| now.plus_ms(ms));
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, id));
        }
        self.running = self.running.saturating_add(1);
        let incoming = Incoming {
            depth,
            bytes: call.length,
            one_way: call.one_way,
            pipelined: call.pipelined && !call.one_way,
            deadline,
            state: State::Running,
            dependents: BTreeSet::new(),
        };
        self.calls.insert(id, incoming);
        Ok(())
    }

    pub(super) fn handle_call(
        &mut self,
        id: CallId,
        mut call: Call,
        inlet: &mut Inlet<'_>,
    ) -> Result<(), Violation> {
        self.check_new(id)?;
        let table = inlet.refs.receive(&call.table)?;
        let (limits, args) = (inlet.limits, std::mem::take(&mut call.args));
        let inbox = Inbox::new(call.length, args, table, limits.message_bytes)?;
        let too_deep = call.depth >= limits.call_depth;
        let depth = if too_deep { NO_LEVEL } else { call.depth };
        self.admit(id, (&call, depth), limits, inlet.now)?;
        let on = self.resolve(id, call.target, inlet)?;
        let refused = if too_deep {
            let text = format!("calls are nested more than {} levels deep", limits.call_depth);
            Some(Fault::new(Code::TOO_DEEP, text))
        } else if inlet.refuses {
            Some(Fault::new(Code::NOT_RUN, "the other side is shutting down"))
        } else {
            None
        };
        match refused.map_or(on, Err) {
            Ok(on) => self.hold(id, Pending { call, inbox, on, came: inlet.now }, inlet.events),
            Err(fault) => self.fail(id, fault, inlet.events),
        }
        Ok(())
    }

    /// What a call is made on, as far as that is known when it comes.
    fn resolve(
        &self,
        id: CallId,
        target: CallTarget,
        inlet: &Inlet<'_>,
    ) -> Result<Result<On, Fault>, Violation> {
        match target {
            CallTarget::Object(object) => {
                Ok(inlet.refs.target(object)?.map(On::Known).ok_or_else(gone))
            }
            CallTarget::Answer(parent) if parent >= id => {
                Err(Violation::protocol("a call on the answer of a later one"))
            }
            CallTarget::Answer(parent) => {
                self.check_known(parent)?;
                Ok(match self.answer_of(parent) {
                    Some(found) => found.map(On::Known),
                    None => Ok(On::Answer(parent)),
                })
            }
            _ => Err(Violation::protocol("a call on a target of an unknown kind")),
        }
    }

    fn hold(&mut self, id: CallId, pending: Pending, events: &mut VecDeque<Event>) {
        if let On::Answer(parent) = pending.on
            && let Some(parent) = self.calls.get_mut(&parent)
        {
            parent.dependents.insert(Dependent::Call(id));
        }
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.state = State::Pending(Box::new(pending));
        }
        self.start_if_complete(id, events);
    }

    /// A call whose frame could not be read whole is refused by its id.
    pub(super) fn refuse_unread(
        &mut self,
        id: CallId,
        fault: Fault,
        limits: &Limits,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.check_new(id)?;
        let call = Call::new(ObjectId::ROOT, "", Vec::new());
        self.admit(id, (&call, NO_LEVEL), limits, Time::ZERO)?;
        self.fail(id, fault, events);
        Ok(())
    }

    pub(super) fn handle_part(
        &mut self,
        id: CallId,
        part: &Bytes,
        now: Time,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.check_known(id)?;
        match self.calls.get_mut(&id).map(|call| &mut call.state) {
            Some(State::Pending(pending)) => {
                pending.came = now;
                pending.inbox.add(part)?;
            }
            // It was refused before it was whole, or given up.
            None | Some(State::Answered(_)) => return Ok(()),
            Some(State::Running) => {
                return Err(Violation::protocol("a message is longer than it said"));
            }
        }
        self.start_if_complete(id, events);
        Ok(())
    }

    fn start_if_complete(&mut self, id: CallId, events: &mut VecDeque<Event>) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        let complete = matches!(
            &entry.state,
            State::Pending(pending) if pending.inbox.is_whole() && matches!(pending.on, On::Known(_))
        );
        if !complete {
            return;
        }
        if let State::Pending(pending) = std::mem::replace(&mut entry.state, State::Running)
            && let Pending { call, inbox, on: On::Known(on), came } = *pending
        {
            let Answer { value: args, table } = inbox.finish();
            events.push_back(Event::Called(Box::new(Called {
                call: id,
                on,
                method: call.method,
                timeout_ms: entry.deadline.map(|due| due.ms_since(came)),
                depth: call.depth,
                one_way: call.one_way,
                interface: call.interface,
                args,
                table,
            })));
        }
    }

    // --- answers that others wait for --------------------------------------------------------

    /// What is made on the answer of a call finds there; nothing while it has to wait for it.
    fn answer_of(&self, parent: CallId) -> Option<Result<Reference, Fault>> {
        match self.calls.get(&parent) {
            None => Some(Err(gone())),
            Some(call) if !call.pipelined => Some(Err(gone())),
            Some(Incoming { state: State::Answered(answered), .. }) => Some(answered.found.clone()),
            Some(_) if self.is_chain_full(parent) => {
                let text = format!("more than {CHAIN} calls wait for each other's answers");
                Some(Err(Fault::new(Code::TOO_DEEP, text)))
            }
            Some(_) => None,
        }
    }

    /// Whether a call and what it waits for are as many as may wait for each other.
    fn is_chain_full(&self, mut id: CallId) -> bool {
        for _ in 0..CHAIN {
            match self.parent(id) {
                Some(parent) => id = parent,
                None => return false,
            }
        }
        true
    }

    /// The call for whose answer another waits.
    fn parent(&self, id: CallId) -> Option<CallId> {
        match &self.calls.get(&id)?.state {
            State::Pending(pending) => match pending.on {
                On::Answer(parent) => Some(parent),
                On::Known(_) => None,
            },
            _ => None,
        }
    }

    /// What a stream is opened on that names an answer: there, not to be had, or to come.
    pub(super) fn open_on(
        &mut self,
        stream: StreamId,
        parent: CallId,
    ) -> Result<Option<Result<Reference, Fault>>, Violation> {
        self.check_known(parent)?;
        let answer = self.answer_of(parent);
        if answer.is_none()
            && let Some(parent) = self.calls.get_mut(&parent)
        {
            parent.dependents.insert(Dependent::Open(stream));
        }
        Ok(answer)
    }

    /// A stream that may have waited for an answer is over.
    pub(super) fn leave(&mut self, stream: StreamId, parent: CallId) {
        if let Some(parent) = self.calls.get_mut(&parent) {
            parent.dependents.remove(&Dependent::Open(stream));
        }
    }

    /// Lets what waited for an answer go on. As deep as [`CHAIN`] at most.
    fn settle(
        &mut self,
        dependents: BTreeSet<Dependent>,
        found: &Result<Reference, Fault>,
        events: &mut VecDeque<Event>,
    ) {
        for dependent in dependents {
            match (dependent, found) {
                (Dependent::Open(stream), _) => {
                    self.resolved.push_back(Resolved { stream, outcome: found.clone() });
                }
                (Dependent::Call(id), Ok(reference)) => {
                    if let Some(call) = self.calls.get_mut(&id)
                        && let State::Pending(pending) = &mut call.state
                    {
                        pending.on = On::Known(reference.clone());
                    }
                    self.start_if_complete(id, events);
                }
                // What waits for this one fails with the same reason.
                (Dependent::Call(id), Err(fault)) => self.fail(id, fault.clone(), events),
            }
        }
    }

    // --- answers -----------------------------------------------------------------------------

    /// The shell answers; others that are made on the answer find `found`.
    pub(super) fn answer(
        &mut self,
        id: CallId,
        outcome: Result<Answer, Fault>,
        found: &Result<Reference, Fault>,
        events: &mut VecDeque<Event>,
    ) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        if !matches!(entry.state, State::Running) {
            return;
        }
        let dependents = self.stop(id);
        self.owe(id, outcome, found.clone());
        self.settle(dependents, found, events);
    }

    /// Fails a call that has no answer.
    fn fail(&mut self, id: CallId, fault: Fault, events: &mut VecDeque<Event>) {
        if self.calls.get(&id).is_none_or(|call| matches!(call.state, State::Answered(_))) {
            return;
        }
        let dependents = self.stop(id);
        self.owe(id, Err(fault.clone()), Err(fault.clone()));
        self.settle(dependents, &Err(fault), events);
    }

    /// A call runs no longer and waits no longer; what waits for it.
    fn stop(&mut self, id: CallId) -> BTreeSet<Dependent> {
        if let Some(parent) = self.parent(id)
            && let Some(parent) = self.calls.get_mut(&parent)
        {
            parent.dependents.remove(&Dependent::Call(id));
        }
        let Some(entry) = self.calls.get_mut(&id) else { return BTreeSet::new() };
        self.running = self.running.saturating_sub(1);
        if let Some(deadline) = entry.deadline.take() {
            self.deadlines.remove(&(deadline, id));
        }
        std::mem::take(&mut entry.dependents)
    }

    fn owe(&mut self, id: CallId, outcome: Result<Answer, Fault>, found: Result<Reference, Fault>) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        if entry.one_way {
            self.strike(id);
            return;
        }
        let place = self.next_owed;
        self.next_owed = self.next_owed.saturating_add(1);
        self.owed.insert(place, Owed { id, outcome });
        entry.state = State::Answered(Answered { found, owed: Some(place), going: false });
    }

    /// Takes a call off the books.
    fn strike(&mut self, id: CallId) {
        let Some(entry) = self.calls.remove(&id) else { return };
        if entry.one_way {
            self.notices.finish(entry.depth, entry.bytes);
        } else if let Some(load) = self.levels.get_mut(&entry.depth) {
            load.remove(entry.bytes);
            if load.calls == 0 {
                self.levels.remove(&entry.depth);
            }
        }
    }

    /// Says whether the peer took back a call that had no answer.
    pub(super) fn handle_cancel(
        &mut self,
        id: CallId,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) -> Result<bool, Violation> {
        self.check_known(id)?;
        match self.calls.get(&id).map(|call| &call.state) {
            None => return Ok(false),
            Some(State::Answered(answered)) => {
                if let Some(place) = answered.owed {
                    self.owed.remove(&place);
                }
                if answered.going {
                    parts.forget(id);
                }
                self.strike(id);
                return Ok(false);
            }
            Some(State::Running) => events.push_back(Event::Cancelled { call: id }),
            Some(State::Pending(_)) => {}
        }
        let dependents = self.stop(id);
        self.strike(id);
        let text = "the call that this one waited for was given up";
        self.settle(dependents, &Err(Fault::new(Code::CANCELLED, text)), events);
        Ok(true)
    }

    /// Gives up the calls whose deadline has passed.
    pub(super) fn handle_timeout(&mut self, now: Time, events: &mut VecDeque<Event>) {
        while let Some(&(due, id)) = self.deadlines.first() {
            if due > now {
                return;
            }
            self.deadlines.pop_first();
            if self.calls.get(&id).is_some_and(|call| matches!(call.state, State::Running)) {
                events.push_back(Event::Cancelled { call: id });
            }
            let text = "the deadline of the call has passed";
            self.fail(id, Fault::new(Code::DEADLINE_EXCEEDED, text), events);
        }
    }

    // --- sending -----------------------------------------------------------------------------

    pub(super) fn has_output(&self, limits: &Limits) -> bool {
        !self.owed.is_empty() || self.notices.is_due(limits)
    }

    /// Appends answers until `out` has `limit` bytes.
    pub(super) fn put(
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

    fn put_answer(
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
        if let Some(Incoming { state: State::Answered(answered), .. }) = self.calls.get_mut(&id) {
            answered.owed = None;
            answered.going = !rest.is_empty();
            if let Some(fault) = fault {
                answered.found = Err(fault);
            }
        }
        if rest.is_empty() {
            self.answer_sent(id);
        } else {
            parts.push(id, rest);
        }
    }

    /// The last of an answer is out.
    pub(super) fn answer_sent(&mut self, id: CallId) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        if let State::Answered(answered) = &mut entry.state {
            answered.going = false;
        }
        if !entry.pipelined {
            self.strike(id);
        }
    }

    /// The link is over: handlers are given up.
    pub(super) fn end(&mut self, events: &mut VecDeque<Event>) {
        for (id, call) in std::mem::take(&mut self.calls) {
            if matches!(call.state, State::Running) {
                events.push_back(Event::Cancelled { call: id });
            }
        }
        *self = Self::new(self.side);
    }
}

fn gone() -> Fault {
    Fault::new(Code::NO_SUCH_OBJECT, "the object was given back, or its call is gone")
}
