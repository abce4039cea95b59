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

mod answers;
mod pipelined;
mod sending;

use super::{Answer, Called, Inlet, caller::Load, ledger::Ledger, one_way::Notices, parts::Inbox};
use crate::{error::Violation, event::Event, time::Time};
use bytes::Bytes;
use farlens_wire::{
    CallId, Code, Limits, ObjectId, Reference, Side, StreamId,
    frame::{
        Fault,
        call::{Call, CallTarget},
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
    /// What others that are made on the answer find, if any may be.
    found: Option<Result<Reference, Fault>>,
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
    calls: Ledger<CallId, Incoming, { Side::STEP }>,
    running: usize,
    levels: BTreeMap<u32, Load>,
    /// In the order of completion.
    owed: Ledger<u64, Owed>,
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
            calls: Ledger::default(),
            running: 0,
            levels: BTreeMap::new(),
            owed: Ledger::default(),
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

    /// Puts a call on the books, if the peer keeps to what it was told. Gives its deadline.
    fn admit(
        &mut self,
        id: CallId,
        (call, depth): (&Call, u32),
        limits: &Limits,
        now: Time,
    ) -> Result<Option<Time>, Violation> {
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
        Ok(deadline)
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
        let deadline = self.admit(id, (&call, depth), limits, inlet.now)?;
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
            Ok(on) => {
                let pending = Pending { call, inbox, on, came: inlet.now };
                if pending.is_complete() {
                    pending.start(id, deadline, inlet.events);
                } else {
                    self.hold(id, pending);
                }
            }
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

    /// Keeps a call until it is whole and its target is known.
    fn hold(&mut self, id: CallId, pending: Pending) {
        if let On::Answer(parent) = pending.on
            && let Some(parent) = self.calls.get_mut(parent)
        {
            parent.dependents.insert(Dependent::Call(id));
        }
        if let Some(entry) = self.calls.get_mut(id) {
            entry.state = State::Pending(Box::new(pending));
        }
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
        match self.calls.get_mut(id).map(|call| &mut call.state) {
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
        let Some(entry) = self.calls.get_mut(id) else { return };
        let complete = matches!(&entry.state, State::Pending(pending) if pending.is_complete());
        if complete
            && let State::Pending(pending) = std::mem::replace(&mut entry.state, State::Running)
        {
            pending.start(id, entry.deadline, events);
        }
    }
}

impl Pending {
    fn is_complete(&self) -> bool {
        self.inbox.is_whole() && matches!(self.on, On::Known(_))
    }

    /// Tells the shell of a call that is complete.
    fn start(self, id: CallId, deadline: Option<Time>, events: &mut VecDeque<Event>) {
        let Self { call, inbox, on: On::Known(on), came } = self else { return };
        let Answer { value: args, table } = inbox.finish();
        events.push_back(Event::Called(Called {
            call: id,
            on,
            method: call.method,
            timeout_ms: deadline.map(|due| due.ms_since(came)),
            depth: call.depth,
            one_way: call.one_way,
            interface: call.interface,
            args,
            table,
        }));
    }
}

fn gone() -> Fault {
    Fault::new(Code::NO_SUCH_OBJECT, "the object was given back, or its call is gone")
}
