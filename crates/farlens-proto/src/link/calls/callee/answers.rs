//! Calls end: with an answer, by a cancel or at their deadline.

use super::super::{Answer, parts::Outbox};
use super::{Answered, Callee, Dependent, Incoming, Owed, State};
use crate::{error::Violation, event::Event, time::Time};
use farlens_wire::{CallId, Code, Reference, frame::Fault};
use std::collections::{BTreeSet, VecDeque};

impl Callee {
    /// The shell answers; `found` says what others find there, if any may be made on the answer.
    pub(in crate::link::calls) fn answer(
        &mut self,
        id: CallId,
        outcome: Result<Answer, Fault>,
        found: impl FnOnce(&Result<Answer, Fault>) -> Result<Reference, Fault>,
        events: &mut VecDeque<Event>,
    ) {
        let Some(entry) = self.calls.get(id) else { return };
        if !matches!(entry.state, State::Running) {
            return;
        }
        let found = entry.pipelined.then(|| found(&outcome));
        let dependents = self.stop(id);
        self.owe(id, outcome, found.clone());
        if let Some(found) = found {
            self.settle(dependents, &found, events);
        }
    }

    /// Fails a call that has no answer.
    pub(super) fn fail(&mut self, id: CallId, fault: Fault, events: &mut VecDeque<Event>) {
        if self.calls.get(id).is_none_or(|call| matches!(call.state, State::Answered(_))) {
            return;
        }
        let dependents = self.stop(id);
        self.owe(id, Err(fault.clone()), Some(Err(fault.clone())));
        self.settle(dependents, &Err(fault), events);
    }

    /// A call runs no longer and waits no longer; what waits for it.
    pub(super) fn stop(&mut self, id: CallId) -> BTreeSet<Dependent> {
        let Some(entry) = self.calls.get_mut(id) else { return BTreeSet::new() };
        self.running = self.running.saturating_sub(1);
        if let Some(deadline) = entry.deadline.take() {
            self.deadlines.remove(&(deadline, id));
        }
        let dependents = std::mem::take(&mut entry.dependents);
        if let Some(parent) = entry.state.parent()
            && let Some(parent) = self.calls.get_mut(parent)
        {
            parent.dependents.remove(&Dependent::Call(id));
        }
        dependents
    }

    pub(super) fn owe(
        &mut self,
        id: CallId,
        outcome: Result<Answer, Fault>,
        found: Option<Result<Reference, Fault>>,
    ) {
        let Some(entry) = self.calls.get_mut(id) else { return };
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
    pub(super) fn strike(&mut self, id: CallId) {
        let Some(&Incoming { depth, bytes, one_way, .. }) = self.calls.get(id) else { return };
        self.calls.discard(id);
        if one_way {
            self.notices.finish(depth, bytes);
        } else if let Some(load) = self.levels.get_mut(&depth) {
            load.remove(bytes);
            if load.calls == 0 {
                self.levels.remove(&depth);
            }
        }
    }

    /// Says whether the peer took back a call that had no answer.
    pub(in crate::link::calls) fn handle_cancel(
        &mut self,
        id: CallId,
        parts: &mut Outbox,
        events: &mut VecDeque<Event>,
    ) -> Result<bool, Violation> {
        self.check_known(id)?;
        match self.calls.get(id).map(|call| &call.state) {
            None => return Ok(false),
            Some(State::Answered(answered)) => {
                if let Some(place) = answered.owed {
                    self.owed.remove(place);
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
    pub(in crate::link::calls) fn handle_timeout(
        &mut self,
        now: Time,
        events: &mut VecDeque<Event>,
    ) {
        while let Some(&(due, id)) = self.deadlines.first() {
            if due > now {
                return;
            }
            self.deadlines.pop_first();
            if self.calls.get(id).is_some_and(|call| matches!(call.state, State::Running)) {
                events.push_back(Event::Cancelled { call: id });
            }
            let text = "the deadline of the call has passed";
            self.fail(id, Fault::new(Code::DEADLINE_EXCEEDED, text), events);
        }
    }
}
