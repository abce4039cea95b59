//! Calls and opens that wait for the answer of another call.

use super::{CHAIN, Callee, Dependent, Incoming, On, Resolved, State, gone};
use crate::{error::Violation, event::Event};
use farlens_wire::{CallId, Code, Reference, StreamId, frame::Fault};
use std::collections::{BTreeSet, VecDeque};

impl State {
    /// The call for whose answer this one waits.
    pub(super) fn parent(&self) -> Option<CallId> {
        match self {
            Self::Pending(pending) => match pending.on {
                On::Answer(parent) => Some(parent),
                On::Known(_) => None,
            },
            _ => None,
        }
    }
}

impl Callee {
    /// What is made on the answer of a call finds there; nothing while it has to wait for it.
    pub(super) fn answer_of(&self, parent: CallId) -> Option<Result<Reference, Fault>> {
        match self.calls.get(parent) {
            None => Some(Err(gone())),
            Some(call) if !call.pipelined => Some(Err(gone())),
            Some(Incoming { state: State::Answered(answered), .. }) => {
                Some(answered.found.clone().unwrap_or_else(|| Err(gone())))
            }
            Some(_) if self.is_chain_full(parent) => {
                let text = format!("more than {CHAIN} calls wait for each other's answers");
                Some(Err(Fault::new(Code::TOO_DEEP, text)))
            }
            Some(_) => None,
        }
    }

    /// Whether a call and what it waits for are as many as may wait for each other.
    pub(super) fn is_chain_full(&self, mut id: CallId) -> bool {
        for _ in 0..CHAIN {
            match self.parent(id) {
                Some(parent) => id = parent,
                None => return false,
            }
        }
        true
    }

    /// The call for whose answer another waits.
    pub(super) fn parent(&self, id: CallId) -> Option<CallId> {
        self.calls.get(id)?.state.parent()
    }

    /// What a stream is opened on that names an answer: there, not to be had, or to come.
    pub(in crate::link::calls) fn open_on(
        &mut self,
        stream: StreamId,
        parent: CallId,
    ) -> Result<Option<Result<Reference, Fault>>, Violation> {
        self.check_known(parent)?;
        let answer = self.answer_of(parent);
        if answer.is_none()
            && let Some(parent) = self.calls.get_mut(parent)
        {
            parent.dependents.insert(Dependent::Open(stream));
        }
        Ok(answer)
    }

    /// A stream that may have waited for an answer is over.
    pub(in crate::link::calls) fn leave(&mut self, stream: StreamId, parent: CallId) {
        if let Some(parent) = self.calls.get_mut(parent) {
            parent.dependents.remove(&Dependent::Open(stream));
        }
    }

    /// Lets what waited for an answer go on. As deep as [`CHAIN`] at most.
    pub(super) fn settle(
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
                    if let Some(call) = self.calls.get_mut(id)
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
}
