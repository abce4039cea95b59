//! Calls: each runs at most once and is answered at most once. Ids are never reused.
//!
//! Limits hold level by level: a call that a handler makes while it serves another is one level
//! deeper and waits for no call of the level above. So calls that call back cannot deadlock, however
//! small the limits are.

mod callee;
mod caller;
mod ledger;
mod one_way;
mod order;
mod parts;
mod pipeline;

use super::refs::Refs;
use crate::{error::Violation, event::Event, time::Time};
use bytes::{Bytes, BytesMut};
use callee::Callee;
pub(super) use callee::Resolved;
use caller::{Caller, Outlet};
use farlens_wire::{
    CallId, Code, Limits, Name, Reference, Side, StreamId,
    frame::{
        CallFrame, Fault,
        link::{Announced, OneWayLimit},
    },
};
use parts::{Inbox, Outbox};
use std::collections::VecDeque;

/// Names a call of this side to its shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallTicket(u64);

impl CallTicket {
    /// Rises with every call of a link.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl From<CallTicket> for u64 {
    fn from(ticket: CallTicket) -> Self {
        ticket.number()
    }
}

/// What a call is made on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell builds it")]
pub enum CallOn {
    /// What the peer offers to everybody whom it lets in.
    Root,
    /// An object of the peer.
    Object(Reference),
    /// The first reference in the answer to a call that was made as pipelined.
    Answer(CallTicket),
}

/// A call that is to be made.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the shell builds it")]
pub struct CallRequest {
    /// What it is made on.
    pub on: CallOn,
    /// The method.
    pub method: Name,
    /// The encoded arguments.
    pub args: Bytes,
    /// What their references point at.
    pub table: Vec<Reference>,
    /// Milliseconds after which the caller wants no answer any more.
    pub timeout_ms: Option<u64>,
    /// How many calls it is nested in.
    pub depth: u32,
    /// No answer is wanted; [`Event::Answered`] tells that it was sent.
    pub one_way: bool,
    /// Other calls may be made on its answer before that is there.
    pub pipelined: bool,
    /// The caller's interface, announced before, where the object has another.
    pub interface: Option<[u8; 16]>,
}

impl CallRequest {
    /// A plain call without references.
    pub fn new(on: CallOn, method: impl Into<Name>, args: impl Into<Bytes>) -> Self {
        Self {
            on,
            method: method.into(),
            args: args.into(),
            table: Vec::new(),
            timeout_ms: None,
            depth: 0,
            one_way: false,
            pipelined: false,
            interface: None,
        }
    }
}

/// A call of the peer that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Called {
    /// Names it in the answer.
    pub call: CallId,
    /// What it is made on.
    pub on: Reference,
    /// The method.
    pub method: Name,
    /// Milliseconds that remain, if the caller set a deadline.
    pub timeout_ms: Option<u64>,
    /// How many calls it is nested in.
    pub depth: u32,
    /// Its answer goes nowhere, but must be given.
    pub one_way: bool,
    /// The caller's interface where it differs: [`Event::Interface`] has brought it.
    pub interface: Option<[u8; 16]>,
    /// The encoded arguments.
    pub args: Bytes,
    /// What their references point at.
    pub table: Vec<Reference>,
}

/// The result of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the shell builds it")]
pub struct Answer {
    /// The encoded value.
    pub value: Bytes,
    /// What its references point at.
    pub table: Vec<Reference>,
}

impl<V: Into<Bytes>> From<V> for Answer {
    fn from(value: V) -> Self {
        Self { value: value.into(), table: Vec::new() }
    }
}

/// What frames need of the rest of the link.
pub(super) struct Inlet<'a> {
    pub(super) limits: &'a Limits,
    /// New calls are refused.
    pub(super) refuses: bool,
    pub(super) refs: &'a mut Refs,
    pub(super) now: Time,
    pub(super) events: &'a mut VecDeque<Event>,
}

/// The calls of one link, in both directions.
#[derive(Debug)]
pub(super) struct Calls {
    caller: Caller,
    callee: Callee,
    side: Side,
    /// Arguments that go out in parts; ids of calls tell them from results.
    args: Outbox,
    results: Outbox,
}

impl Calls {
    pub(super) fn new(side: Side) -> Self {
        Self {
            caller: Caller::new(side),
            callee: Callee::new(side),
            side,
            args: Outbox::default(),
            results: Outbox::default(),
        }
    }

    pub(super) const fn running(&self) -> usize {
        self.callee.running()
    }

    pub(super) fn answered(&self) -> usize {
        self.callee.answered()
    }

    pub(super) fn waiting(&self) -> usize {
        self.caller.waiting()
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let (a, b) = (self.caller.next_deadline(), self.callee.next_deadline());
        a.into_iter().chain(b).min()
    }

    pub(super) fn take_resolved(&mut self) -> Option<Resolved> {
        self.callee.take_resolved()
    }

    // --- commands ----------------------------------------------------------------------------

    pub(super) fn call(
        &mut self,
        request: CallRequest,
        (peer, refs): (Announced, &Refs),
        now: Time,
    ) -> Result<CallTicket, Fault> {
        if u64::from(request.depth) >= peer.call_depth {
            let text = format!("calls are nested more than {} levels deep", peer.call_depth);
            return Err(Fault::new(Code::TOO_DEEP, text));
        }
        if request.method.len() > Limits::NAME_BYTES {
            return Err(Fault::new(Code::NO_SUCH_METHOD, "no method has so long a name"));
        }
        check_size("arguments", request.args.len(), peer)?;
        refs.check(&request.table, peer.references)?;
        match &request.on {
            CallOn::Object(reference) if refs.origin(reference).is_none() => {
                let text = "the object was given back, or lies behind another link";
                return Err(Fault::new(Code::NO_SUCH_OBJECT, text));
            }
            CallOn::Answer(parent) if !self.caller.is_pipelined(*parent) => {
                let text = "the call that this one waits for has ended";
                return Err(Fault::new(Code::NO_SUCH_OBJECT, text));
            }
            _ => {}
        }
        Ok(self.caller.call(request, now))
    }

    /// The id of a call whose answer may be built upon.
    pub(super) fn id(&self, ticket: CallTicket) -> Option<CallId> {
        self.caller.id(ticket).filter(|_| self.caller.is_pipelined(ticket))
    }

    pub(super) fn cancel(&mut self, ticket: CallTicket, events: &mut VecDeque<Event>) {
        self.caller.cancel(ticket, &mut self.args, events);
    }

    pub(super) fn answer(
        &mut self,
        id: CallId,
        outcome: Result<Answer, Fault>,
        (peer, refs): (Announced, &Refs),
        events: &mut VecDeque<Event>,
    ) {
        let outcome = outcome.and_then(|answer| {
            check_size("result", answer.value.len(), peer)?;
            refs.check(&answer.table, peer.references)?;
            Ok(answer)
        });
        let found = |outcome: &Result<Answer, Fault>| match outcome {
            Ok(answer) => pipeline::found(answer, |first| refs.origin(first).is_none()),
            Err(fault) => Err(fault.clone()),
        };
        self.callee.answer(id, outcome, found, events);
    }

    // --- inputs ------------------------------------------------------------------------------

    /// Handles a frame; says whether the peer took back a call that had no answer.
    pub(super) fn handle(
        &mut self,
        id: CallId,
        frame: CallFrame,
        inlet: &mut Inlet<'_>,
    ) -> Result<bool, Violation> {
        match frame {
            CallFrame::Call(call) => self.callee.handle_call(id, call, inlet)?,
            CallFrame::Cancel(_) => {
                return self.callee.handle_cancel(id, &mut self.results, inlet.events);
            }
            CallFrame::Return(frame) => {
                self.caller.check_known(id)?;
                let table = inlet.refs.receive(&frame.table)?;
                let allowed = inlet.limits.message_bytes;
                let inbox = Inbox::new(frame.length, frame.value, table, allowed)?;
                let books = (&*inlet.refs, &mut self.args);
                self.caller.handle_return(id, inbox, books, inlet.events)?;
            }
            CallFrame::CallFailed(frame) => {
                self.caller.check_known(id)?;
                self.caller.handle_failed(id, frame.fault, &mut self.args, inlet.events)?;
            }
            _ => return Err(Violation::protocol("a call frame of an unknown kind")),
        }
        Ok(false)
    }

    pub(super) fn handle_part(
        &mut self,
        id: CallId,
        part: &Bytes,
        inlet: &mut Inlet<'_>,
    ) -> Result<(), Violation> {
        if self.side.owns(id.0) {
            let books = (&*inlet.refs, &mut self.args);
            self.caller.handle_part(id, part, books, inlet.events)
        } else {
            self.callee.handle_part(id, part, inlet.now, inlet.events)
        }
    }

    pub(super) fn handle_one_way_limit(
        &mut self,
        limit: OneWayLimit,
        peer: Announced,
    ) -> Result<(), Violation> {
        self.caller.handle_one_way_limit(limit, peer)
    }

    /// A call whose frame could not be read whole is refused by its id.
    pub(super) fn refuse_unread(
        &mut self,
        id: CallId,
        fault: Fault,
        limits: &Limits,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.callee.refuse_unread(id, fault, limits, events)
    }

    /// What a stream is opened on that names an answer.
    pub(super) fn open_on(
        &mut self,
        stream: StreamId,
        parent: CallId,
    ) -> Result<Option<Result<Reference, Fault>>, Violation> {
        self.callee.open_on(stream, parent)
    }

    /// A stream that was to be opened on an answer is over.
    pub(super) fn leave(&mut self, stream: StreamId, parent: CallId) {
        self.callee.leave(stream, parent);
    }

    pub(super) fn handle_timeout(&mut self, now: Time, events: &mut VecDeque<Event>) {
        self.caller.handle_timeout(now, &mut self.args, events);
        self.callee.handle_timeout(now, events);
    }

    /// The link is over: what has no answer gets none.
    pub(super) fn end(&mut self, fault: &Fault, events: &mut VecDeque<Event>) {
        self.args.clear();
        self.results.clear();
        self.caller.end(fault, events);
        self.callee.end(events);
    }

    // --- outputs -----------------------------------------------------------------------------

    pub(super) fn has_output(&self, peer: Announced, limits: &Limits) -> bool {
        self.has_parts() || self.callee.has_output(limits) || self.caller.has_output(peer)
    }

    /// Appends frames until `out` has `limit` bytes.
    pub(super) fn put(
        &mut self,
        out: &mut BytesMut,
        limit: usize,
        (peer, limits): (Announced, &Limits),
        refs: &mut Refs,
        now: Time,
        events: &mut VecDeque<Event>,
    ) {
        let mut outlet = Outlet { peer, refs, now, events };
        self.callee.put(out, limit, limits, &mut self.results, &mut outlet);
        self.caller.put(out, limit, &mut self.args, &mut outlet);
    }

    /// Tells the peer which answers are needed no longer, behind whatever may name them.
    pub(super) fn put_spent(&mut self, out: &mut BytesMut, limit: usize) {
        self.caller.put_spent(out, limit);
    }

    pub(super) fn has_parts(&self) -> bool {
        !self.args.is_empty() || !self.results.is_empty()
    }

    /// Appends one part of what is longer than a frame.
    pub(super) fn put_part(
        &mut self,
        out: &mut BytesMut,
        room: usize,
        events: &mut VecDeque<Event>,
    ) {
        if let Some(whole) = self.results.put(out, room) {
            self.callee.answer_sent(whole);
        }
        if let Some(whole) = self.args.put(out, room) {
            self.caller.parts_sent(whole, &mut self.args, events);
        }
    }
}

fn check_size(what: &str, length: usize, peer: Announced) -> Result<(), Fault> {
    if length as u64 <= peer.message_bytes {
        return Ok(());
    }
    let allowed = peer.message_bytes;
    let text = format!(
        "the {what} of {length} bytes exceed Limits::message_bytes of the other side, {allowed}"
    );
    Err(Fault::new(Code::TOO_LARGE, text))
}
