//! Calls: each runs at most once and is answered at most once. Ids are never reused.

use crate::{error::Violation, event::Event};
use bytes::BytesMut;
use farlens_wire::{
    CallId, Code, Limits, ObjectId, Side,
    frame::{
        CallFrame, Fault,
        call::{Call, CallFailed, Cancel, Return},
        link::Announced,
    },
};
use std::collections::{BTreeSet, VecDeque};

/// What a call frame needs besides its arguments or its result, in bytes, at most.
const OVERHEAD_BYTES: usize = 1 << 10;

/// The calls of one link, in both directions.
#[derive(Debug)]
pub(super) struct Calls {
    side: Side,
    next: u64,
    /// Calls of this side that have no answer.
    outgoing: BTreeSet<CallId>,
    last_incoming: u64,
    /// Calls of the peer that have no answer.
    incoming: BTreeSet<CallId>,
    queue: VecDeque<(CallId, CallFrame)>,
    /// Answers in the queue. Their calls still count as running: the peer counts them, too.
    owed: usize,
}

impl Calls {
    pub(super) fn new(side: Side) -> Self {
        Self {
            side,
            next: side.first_id(),
            outgoing: BTreeSet::new(),
            last_incoming: 0,
            incoming: BTreeSet::new(),
            queue: VecDeque::new(),
            owed: 0,
        }
    }

    pub(super) fn running(&self) -> usize {
        self.incoming.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.outgoing.len()
    }

    pub(super) fn has_output(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn call(
        &mut self,
        object: ObjectId,
        method: &str,
        args: Vec<u8>,
        peer: Announced,
    ) -> Result<CallId, Fault> {
        if self.outgoing.len() as u64 >= peer.calls {
            let text = format!("the other side runs {} calls at a time", peer.calls);
            return Err(Fault::new(Code::TOO_MANY_CALLS, text));
        }
        check_size("arguments", args.len().saturating_add(method.len()), peer)?;
        let id = CallId(self.next);
        self.next = self.next.saturating_add(2);
        self.outgoing.insert(id);
        self.queue.push_back((id, Call::new(object, method, args).into()));
        Ok(id)
    }

    pub(super) fn cancel(&mut self, id: CallId) {
        if self.outgoing.remove(&id) {
            let unsent = self.queue.iter().position(|(queued, _)| *queued == id);
            match unsent {
                Some(index) => drop(self.queue.remove(index)),
                None => self.queue.push_back((id, Cancel::default().into())),
            }
        }
    }

    pub(super) fn answer(&mut self, id: CallId, outcome: Result<Vec<u8>, Fault>, peer: Announced) {
        if !self.incoming.remove(&id) {
            return;
        }
        let outcome = outcome.and_then(|value| {
            check_size("result", value.len(), peer)?;
            Ok(value)
        });
        let frame = match outcome {
            Ok(value) => Return::new(value).into(),
            Err(fault) => CallFailed::new(fault).into(),
        };
        self.owe(id, frame);
    }

    fn owe(&mut self, id: CallId, answer: CallFrame) {
        self.owed = self.owed.saturating_add(1);
        self.queue.push_back((id, answer));
    }

    pub(super) fn handle(
        &mut self,
        id: CallId,
        frame: CallFrame,
        limits: &Limits,
        refuse: bool,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        match frame {
            CallFrame::Call(call) => {
                self.check_new(id, limits)?;
                if refuse {
                    self.fail(id, Fault::new(Code::GOING_AWAY, "this side is shutting down"));
                } else {
                    self.incoming.insert(id);
                    let Call { object, method, deadline_ms, args, .. } = call;
                    events.push_back(Event::Called { call: id, object, method, deadline_ms, args });
                }
                Ok(())
            }
            CallFrame::Cancel(_) => {
                self.check_known(id, self.side.other(), self.last_incoming)?;
                if self.incoming.remove(&id) {
                    events.push_back(Event::Cancelled { call: id });
                } else if let Some(unsent) = self.queue.iter().position(|(queued, _)| *queued == id)
                {
                    self.queue.remove(unsent);
                    self.owed = self.owed.saturating_sub(1);
                }
                Ok(())
            }
            CallFrame::Return(frame) => self.take_answer(id, Ok(frame.value), events),
            CallFrame::CallFailed(frame) => self.take_answer(id, Err(frame.fault), events),
            _ => Err(Violation::protocol("a call frame of an unknown kind")),
        }
    }

    /// A call whose frame could not be read whole is refused by its id.
    pub(super) fn refuse_unread(
        &mut self,
        id: CallId,
        fault: Fault,
        limits: &Limits,
    ) -> Result<(), Violation> {
        self.check_new(id, limits)?;
        self.fail(id, fault);
        Ok(())
    }

    fn fail(&mut self, id: CallId, fault: Fault) {
        self.owe(id, CallFailed::new(fault).into());
    }

    fn check_new(&mut self, id: CallId, limits: &Limits) -> Result<(), Violation> {
        if self.side.owns(id.0) || id.0 <= self.last_incoming {
            return Err(Violation::protocol("a call id was used twice or is of the wrong side"));
        }
        if self.incoming.len().saturating_add(self.owed) >= limits.calls as usize {
            let text = format!("more than {} calls at a time", limits.calls);
            return Err(Violation::new(Code::TOO_MANY_CALLS, text));
        }
        self.last_incoming = id.0;
        Ok(())
    }

    fn check_known(&self, id: CallId, owner: Side, last: u64) -> Result<(), Violation> {
        if owner.owns(id.0) && id.0 <= last {
            return Ok(());
        }
        Err(Violation::protocol("a frame for a call that was never made"))
    }

    fn take_answer(
        &mut self,
        call: CallId,
        outcome: Result<Vec<u8>, Fault>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        self.check_known(call, self.side, self.next.saturating_sub(2))?;
        if self.outgoing.remove(&call) {
            events.push_back(Event::Answered { call, outcome });
        }
        Ok(())
    }

    /// The link is over: what has no answer gets none.
    pub(super) fn end(&mut self, fault: &Fault, events: &mut VecDeque<Event>) {
        self.queue.clear();
        self.owed = 0;
        for call in std::mem::take(&mut self.outgoing) {
            events.push_back(Event::Answered { call, outcome: Err(fault.clone()) });
        }
        for call in std::mem::take(&mut self.incoming) {
            events.push_back(Event::Cancelled { call });
        }
    }

    /// Appends frames until `out` has `limit` bytes.
    pub(super) fn put(&mut self, out: &mut BytesMut, limit: usize) {
        while out.len() < limit {
            let Some((id, frame)) = self.queue.pop_front() else { return };
            if matches!(frame, CallFrame::Return(_) | CallFrame::CallFailed(_)) {
                self.owed = self.owed.saturating_sub(1);
            }
            frame.put(out, id.0);
        }
    }
}

fn check_size(what: &str, length: usize, peer: Announced) -> Result<(), Fault> {
    let allowed = usize::try_from(peer.frame_bytes).unwrap_or(usize::MAX);
    let allowed = allowed.saturating_sub(OVERHEAD_BYTES);
    if length <= allowed {
        return Ok(());
    }
    let text = format!("the {what} of {length} bytes exceed the other side's {allowed}");
    Err(Fault::new(Code::TOO_LARGE, text))
}
