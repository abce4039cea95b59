//! Calls of the peer: each runs at most once and is answered at most once.
//!
//! ```text
//!  Arriving ──whole──▶ Waiting (for the answer that it is made on) ──▶ Running ──answer──▶ owed
//!                                                        │                          │
//!                                                        └────── Cancel ────────────┴──▶ gone
//! ```
//!
//! Calls that others may be made on are kept, answered, until the peer cancels them.

use super::{
    Answer, Called,
    caller::Load,
    parts::{Inbox, Outbox},
};
use crate::{error::Violation, event::Event, link::refs::Refs, time::Time};
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    CallId, Code, Limits, Reference, Side, StreamId,
    frame::{
        CallFrame, Fault, LinkFrame,
        call::{Call, CallFailed, CallTarget, Return},
        link::{Announced, OneWayLimit},
    },
};
use std::collections::{BTreeMap, VecDeque};

/// Answers that wait for each other, in a chain, at most.
const CHAIN: u32 = 16;

#[derive(Debug)]
struct Incoming {
    depth: u32,
    bytes: u64,
    one_way: bool,
    pipelined: bool,
    deadline: Option<Time>,
    /// How many answers it waits for, one behind the other.
    chain: u32,
    state: State,
    /// What waits for its answer.
    dependents: Vec<Dependent>,
}

#[derive(Debug)]
enum State {
    Arriving(Box<Call>, Inbox),
    Waiting(Box<Called>),
    Running,
    /// Answered, and kept for calls that are made on the answer.
    Kept(Result<Reference, Fault>),
}

/// What can be made on an answer that is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dependent {
    Call(CallId),
    Open(StreamId),
}

/// An answer that is owed to the peer.
#[derive(Debug)]
struct Owed {
    id: CallId,
    outcome: Result<Answer, Fault>,
    depth: u32,
    bytes: u64,
    /// Its call stays on the books until the peer cancels it.
    kept: bool,
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
    owed: VecDeque<Owed>,
    one_way_come: OneWayLimit,
    one_way_done: OneWayLimit,
    one_way_granted: OneWayLimit,
    deadlines: BTreeMap<(Time, CallId), ()>,
    /// Streams whose target is known now.
    resolved: VecDeque<Resolved>,
}

impl Callee {
    pub(super) const fn new(side: Side) -> Self {
        let none = OneWayLimit { calls: 0, bytes: 0 };
        Self {
            side,
            last: 0,
            calls: BTreeMap::new(),
            running: 0,
            levels: BTreeMap::new(),
            owed: VecDeque::new(),
            one_way_come: none,
            one_way_done: none,
            one_way_granted: none,
            deadlines: BTreeMap::new(),
            resolved: VecDeque::new(),
        }
    }

    /// Calls that are not answered.
    pub(super) const fn running(&self) -> usize {
        self.running
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first_key_value().map(|((time, _), ())| *time)
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
    fn admit(&mut self, call: &Call, limits: &Limits) -> Result<(), Violation> {
        if call.one_way {
            let (come, done) = (&mut self.one_way_come, self.one_way_done);
            let open = come.calls.saturating_sub(done.calls) < u64::from(limits.calls)
                && come.bytes.saturating_sub(done.bytes) < limits.argument_bytes as u64;
            come.calls = come.calls.saturating_add(1);
            come.bytes = come.bytes.saturating_add(call.length);
            return if open {
                Ok(())
            } else {
                Err(Violation::new(Code::TOO_MANY_CALLS, "more one-way calls than allowed"))
            };
        }
        let load = self.levels.entry(call.depth).or_default();
        load.add(call.length);
        let alone = load.calls == 1;
        if alone
            || load.calls <= u64::from(limits.calls) && load.bytes <= limits.argument_bytes as u64
        {
            return Ok(());
        }
        let text = format!("more than {} calls at a time", limits.calls);
        Err(Violation::new(Code::TOO_MANY_CALLS, text))
    }

    pub(super) fn handle_call(
        &mut self,
        id: CallId,
        mut call: Call,
        limits: &Limits,
        refuse: bool,
        refs: &mut Refs,
        now: Time,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.check_new(id)?;
        let table = refs.receive(&call.table)?;
        let inbox =
            Inbox::new(call.length, std::mem::take(&mut call.args), table, limits.message_bytes)?;
        let too_deep = call.depth >= limits.call_depth;
        if too_deep {
            // A level that is not allowed is on nobody's books.
            let text = format!("calls are nested more than {} levels deep", limits.call_depth);
            call.depth = u32::MAX;
            self.admit(&call, limits)?;
            self.insert(id, &call, now);
            self.fail(id, Fault::new(Code::TOO_DEEP, text));
            return Ok(());
        }
        self.admit(&call, limits)?;
        self.insert(id, &call, now);
        if refuse {
            self.fail(id, Fault::new(Code::NOT_RUN, "the other side is shutting down"));
            return Ok(());
        }
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.state = State::Arriving(Box::new(call), inbox);
        }
        self.start_if_whole(id, refs, now, events)
    }

    /// A call whose frame could not be read whole is refused by its id.
    pub(super) fn refuse_unread(
        &mut self,
        id: CallId,
        fault: Fault,
        limits: &Limits,
    ) -> Result<(), Violation> {
        self.check_new(id)?;
        let call = Call::new(farlens_wire::ObjectId::ROOT, "", Vec::new());
        self.admit(&call, limits)?;
        self.insert(id, &call, Time::ZERO);
        self.fail(id, fault);
        Ok(())
    }

    fn insert(&mut self, id: CallId, call: &Call, now: Time) {
        let deadline = call.deadline_ms.map(|ms| now.plus_ms(ms));
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, id), ());
        }
        self.running = self.running.saturating_add(1);
        self.calls.insert(
            id,
            Incoming {
                depth: call.depth,
                bytes: call.length,
                one_way: call.one_way,
                pipelined: call.pipelined,
                deadline,
                chain: 0,
                state: State::Running,
                dependents: Vec::new(),
            },
        );
    }

    pub(super) fn handle_part(
        &mut self,
        id: CallId,
        part: &Bytes,
        refs: &mut Refs,
        now: Time,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.check_known(id)?;
        match self.calls.get_mut(&id).map(|call| &mut call.state) {
            Some(State::Arriving(_, inbox)) => inbox.add(part)?,
            // It was refused before it was whole, or given up.
            None | Some(State::Kept(_)) => return Ok(()),
            Some(_) => return Err(Violation::protocol("a call is longer than it said")),
        }
        self.start_if_whole(id, refs, now, events)
    }

    fn start_if_whole(
        &mut self,
        id: CallId,
        refs: &mut Refs,
        now: Time,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        let Some(entry) = self.calls.get_mut(&id) else { return Ok(()) };
        if !matches!(&entry.state, State::Arriving(_, inbox) if inbox.is_whole()) {
            return Ok(());
        }
        let State::Arriving(call, inbox) = std::mem::replace(&mut entry.state, State::Running)
        else {
            return Ok(());
        };
        let timeout_ms = entry.deadline.map(|due| due.ms_since(now));
        let Answer { value: args, table } = inbox.finish();
        let Call { target, method, depth, one_way, interface, .. } = *call;
        let called = |on| Called {
            call: id,
            on,
            method,
            timeout_ms,
            depth,
            one_way,
            interface,
            args,
            table,
        };
        match target {
            CallTarget::Object(object) => match refs.target(object)? {
                Some(on) => events.push_back(Event::Called(Box::new(called(on)))),
                None => self.fail(id, gone()),
            },
            CallTarget::Answer(parent) => {
                let root = refs.target(farlens_wire::ObjectId::ROOT)?;
                let Some(placeholder) = root else { return Ok(()) };
                let waiting = Box::new(called(placeholder));
                self.wait_for(parent, Dependent::Call(id))?;
                match self.answer_of(parent) {
                    Some(Ok(on)) => {
                        events.push_back(Event::Called(Box::new(Called { on, ..*waiting })));
                    }
                    Some(Err(fault)) => self.fail(id, fault),
                    None => self.park(id, parent, waiting),
                }
            }
            _ => return Err(Violation::protocol("a call on a target of an unknown kind")),
        }
        Ok(())
    }

    // --- answers that others wait for --------------------------------------------------------

    /// Checks that an answer may be waited for.
    fn wait_for(&self, parent: CallId, _: Dependent) -> Result<(), Violation> {
        self.check_known(parent)
    }

    /// The first reference of an answer that is there; the fault that stands for it.
    fn answer_of(&self, parent: CallId) -> Option<Result<Reference, Fault>> {
        match self.calls.get(&parent) {
            None => Some(Err(gone())),
            Some(call) if !call.pipelined => Some(Err(gone())),
            Some(Incoming { state: State::Kept(outcome), .. }) => Some(outcome.clone()),
            Some(call) if call.chain >= CHAIN => {
                let text = format!("more than {CHAIN} calls wait for each other's answers");
                Some(Err(Fault::new(Code::TOO_DEEP, text)))
            }
            Some(_) => None,
        }
    }

    fn park(&mut self, id: CallId, parent: CallId, called: Box<Called>) {
        let Some(parent) = self.calls.get_mut(&parent) else { return };
        parent.dependents.push(Dependent::Call(id));
        let chain = parent.chain.saturating_add(1);
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.chain = chain;
            entry.state = State::Waiting(called);
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
            parent.dependents.push(Dependent::Open(stream));
        }
        Ok(answer)
    }

    /// Lets what waited for an answer go on.
    fn settle(
        &mut self,
        dependents: Vec<Dependent>,
        outcome: &Result<Reference, Fault>,
        events: &mut VecDeque<Event>,
    ) {
        for dependent in dependents {
            match dependent {
                Dependent::Open(stream) => {
                    self.resolved.push_back(Resolved { stream, outcome: outcome.clone() });
                }
                Dependent::Call(id) => self.go_on(id, outcome, events),
            }
        }
    }

    fn go_on(
        &mut self,
        id: CallId,
        outcome: &Result<Reference, Fault>,
        events: &mut VecDeque<Event>,
    ) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        let State::Waiting(called) = std::mem::replace(&mut entry.state, State::Running) else {
            return;
        };
        match outcome {
            Ok(on) => {
                let called = Called { on: on.clone(), ..*called };
                events.push_back(Event::Called(Box::new(called)));
            }
            Err(fault) => {
                // What waits for this one fails with the same reason.
                self.answer(id, Err(fault.clone()), events);
            }
        }
    }

    // --- answers -----------------------------------------------------------------------------

    pub(super) fn answer(
        &mut self,
        id: CallId,
        outcome: Result<Answer, Fault>,
        events: &mut VecDeque<Event>,
    ) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        if matches!(entry.state, State::Kept(_)) {
            return;
        }
        let first = match &outcome {
            Ok(answer) => answer.table.first().cloned().ok_or_else(|| {
                let text = "the call that this one waited for answered without an object";
                Fault::new(Code::NO_SUCH_OBJECT, text)
            }),
            Err(fault) => Err(fault.clone()),
        };
        let dependents = std::mem::take(&mut entry.dependents);
        self.running = self.running.saturating_sub(1);
        if let Some(deadline) = entry.deadline.take() {
            self.deadlines.remove(&(deadline, id));
        }
        let owed = Owed {
            id,
            outcome,
            depth: entry.depth,
            bytes: entry.bytes,
            kept: entry.pipelined && !entry.one_way,
        };
        if entry.one_way {
            self.one_way_done.calls = self.one_way_done.calls.saturating_add(1);
            self.one_way_done.bytes = self.one_way_done.bytes.saturating_add(entry.bytes);
            self.calls.remove(&id);
        } else {
            if owed.kept {
                entry.state = State::Kept(first.clone());
            } else {
                self.calls.remove(&id);
            }
            self.owed.push_back(owed);
        }
        self.settle(dependents, &first, events);
    }

    /// Answers a call that has not been told to the shell.
    fn fail(&mut self, id: CallId, fault: Fault) {
        let mut events = VecDeque::new();
        self.answer(id, Err(fault), &mut events);
    }

    pub(super) fn handle_cancel(
        &mut self,
        id: CallId,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) -> Result<Cancelled, Violation> {
        self.check_known(id)?;
        let was_owed = self.owed.iter().position(|owed| owed.id == id);
        let owed = was_owed.and_then(|index| self.owed.remove(index));
        parts.forget(id);
        let Some(entry) = self.calls.remove(&id) else {
            if let Some(owed) = owed {
                self.lighten(owed.depth, owed.bytes);
            }
            return Ok(Cancelled::Answered);
        };
        self.lighten(entry.depth, entry.bytes);
        if matches!(entry.state, State::Kept(_)) {
            return Ok(Cancelled::Answered);
        }
        self.running = self.running.saturating_sub(1);
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        if matches!(entry.state, State::Running) {
            events.push_back(Event::Cancelled { call: id });
        }
        let text = "the call that this one waited for was given up";
        let fault = Err(Fault::new(Code::CANCELLED, text));
        self.settle(entry.dependents, &fault, events);
        Ok(Cancelled::Running)
    }

    fn lighten(&mut self, depth: u32, bytes: u64) {
        if let Some(load) = self.levels.get_mut(&depth) {
            load.remove(bytes);
        }
    }

    /// Gives up the calls whose deadline has passed.
    pub(super) fn handle_timeout(&mut self, now: Time, events: &mut VecDeque<Event>) {
        while let Some((&(due, id), ())) = self.deadlines.first_key_value() {
            if due > now {
                return;
            }
            self.deadlines.remove(&(due, id));
            if self.calls.get(&id).is_some_and(|call| matches!(call.state, State::Running)) {
                events.push_back(Event::Cancelled { call: id });
            }
            let text = "the deadline of the call has passed";
            self.answer(id, Err(Fault::new(Code::DEADLINE_EXCEEDED, text)), events);
        }
    }

    // --- sending -----------------------------------------------------------------------------

    pub(super) fn has_output(&self, limits: &Limits) -> bool {
        !self.owed.is_empty() || self.one_way_due(limits)
    }

    fn one_way_due(&self, limits: &Limits) -> bool {
        let fresh = |done: u64, granted: u64, window: u64| {
            done.saturating_add(window).saturating_sub(granted.max(window)) * 2 >= window
        };
        let (done, granted) = (self.one_way_done, self.one_way_granted);
        fresh(done.calls, granted.calls, u64::from(limits.calls)) && done.calls > 0
            || fresh(done.bytes, granted.bytes, limits.argument_bytes as u64) && done.bytes > 0
    }

    /// Appends answers until `out` has `limit` bytes.
    pub(super) fn put(
        &mut self,
        out: &mut BytesMut,
        limit: usize,
        (peer, limits): (Announced, &Limits),
        (refs, parts): (&mut Refs, &mut Outbox),
    ) {
        if self.one_way_due(limits) {
            self.one_way_granted = OneWayLimit {
                calls: self.one_way_done.calls.saturating_add(u64::from(limits.calls)),
                bytes: self.one_way_done.bytes.saturating_add(limits.argument_bytes as u64),
            };
            LinkFrame::OneWayLimit(self.one_way_granted).put(out);
        }
        while out.len() < limit
            && let Some(owed) = self.owed.pop_front()
        {
            if !owed.kept {
                self.lighten(owed.depth, owed.bytes);
            }
            let outcome = owed
                .outcome
                .and_then(|answer| Ok((refs.lend(&answer.table, peer.references)?, answer.value)));
            match outcome {
                Ok((table, value)) => {
                    let length = value.len() as u64;
                    let (first, rest) = Outbox::first_part(value, peer);
                    CallFrame::from(Return { table, length, value: first }).put(out, owed.id.0);
                    parts.push(owed.id, None, rest);
                }
                Err(fault) => CallFrame::from(CallFailed::new(fault)).put(out, owed.id.0),
            }
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

/// What a cancel has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// A call that was still running.
    Running,
    /// One that had its answer.
    Answered,
}

fn gone() -> Fault {
    Fault::new(Code::NO_SUCH_OBJECT, "the object was given back, or its call is gone")
}
