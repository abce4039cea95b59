//! Calls in tests: requests in short, and what events say of them.

use crate::{
    pair::{End, Pair},
    refs::Thing,
    script::Script,
};
use farlens_proto::{Answer, CallOn, CallRequest, CallTicket, Called, Event, Fault, Time};
use farlens_wire::{Code, Reference};

/// An object of this side.
#[must_use]
pub fn thing(number: u64) -> Reference {
    Reference::new(Thing(number))
}

/// A result with these references.
#[must_use]
pub fn answer(table: &[Reference]) -> Answer {
    Answer { value: Vec::new().into(), table: table.to_vec() }
}

/// A call of the method `m` without arguments.
#[must_use]
pub fn on(on: CallOn) -> CallRequest {
    CallRequest::new(on, "m", Vec::new())
}

/// A call of the root object that others can be made on.
#[must_use]
pub fn pipelined() -> CallRequest {
    CallRequest { pipelined: true, ..on(CallOn::Root) }
}

/// A call of the root object with these references in its arguments.
#[must_use]
pub fn passing(table: &[Reference]) -> CallRequest {
    CallRequest { table: table.to_vec(), ..on(CallOn::Root) }
}

/// The calls that have come, in order.
#[must_use]
pub fn called(events: &[Event]) -> Vec<Called> {
    let called = |event: &Event| match event {
        Event::Called(called) => Some(called.clone()),
        _ => None,
    };
    events.iter().filter_map(called).collect()
}

/// The outcomes of one call of this side: one, or none as long as it runs.
#[must_use]
pub fn outcomes(events: &[Event], ticket: CallTicket) -> Vec<Result<Answer, Fault>> {
    let outcome = |event: &Event| match event {
        Event::Answered { call, outcome } if *call == ticket => Some(outcome.clone()),
        _ => None,
    };
    events.iter().filter_map(outcome).collect()
}

/// What a call has come to: nothing, success, or the code of its failure.
///
/// # Panics
/// When it has come to more than one thing.
#[must_use]
pub fn end_of(events: &[Event], ticket: CallTicket) -> Option<Result<(), Code>> {
    let all = outcomes(events, ticket);
    assert!(all.len() <= 1, "{all:?}");
    all.into_iter().next().map(|outcome| outcome.map(drop).map_err(|fault| fault.code))
}

impl End {
    /// Makes a call.
    ///
    /// # Panics
    /// When the link refuses it.
    pub fn make(&mut self, request: CallRequest) -> CallTicket {
        self.link.call(request, Time::ZERO).expect("the link makes the call")
    }

    /// What a call has come to.
    #[must_use]
    pub fn end_of(&self, ticket: CallTicket) -> Option<Result<(), Code>> {
        end_of(&self.events, ticket)
    }

    /// Takes the first call that came and was not taken.
    ///
    /// # Panics
    /// When there is none.
    pub fn take_called(&mut self) -> Called {
        let is_call = |event: &Event| matches!(event, Event::Called(_));
        let index = self.events.iter().position(is_call).expect("a call has come");
        match self.events.remove(index) {
            Event::Called(called) => called,
            other => panic!("{other:?} is no call"),
        }
    }

    /// Takes the references of the answer to a call.
    ///
    /// # Panics
    /// When it has none, or failed.
    pub fn take_references(&mut self, ticket: CallTicket) -> Vec<Reference> {
        let is_it =
            |event: &Event| matches!(event, Event::Answered { call, .. } if *call == ticket);
        let index = self.events.iter().position(is_it).expect("the call has ended");
        match self.events.remove(index) {
            Event::Answered { outcome: Ok(answer), .. } => answer.table,
            other => panic!("{other:?} is no result"),
        }
    }
}

impl Pair {
    /// Has the server hand a new object to the client; the client's reference to it, and the
    /// server's own.
    pub fn hand_over(&mut self) -> (Reference, Reference) {
        let object = thing(1);
        let call = self.client.make(on(CallOn::Root));
        self.drive();
        let called = self.server.take_called();
        self.server.link.answer(called.call, Ok(answer(std::slice::from_ref(&object))));
        self.drive();
        (self.client.take_references(call).remove(0), object)
    }
}

impl Script {
    /// A server under test with the limits of `config` that has heard a hello with default limits.
    #[must_use]
    pub fn server_with(limits: farlens_wire::Limits) -> Self {
        let mut script = Self::with(farlens_wire::Side::Acceptor, crate::pair::config(limits));
        script.greet();
        script
    }

    /// Makes a call.
    ///
    /// # Panics
    /// When the link refuses it.
    pub fn make(&mut self, request: CallRequest) -> CallTicket {
        self.link.call(request, self.now).expect("the link makes the call")
    }

    /// What a call has come to.
    #[must_use]
    pub fn end_of(&self, ticket: CallTicket) -> Option<Result<(), Code>> {
        end_of(&self.events, ticket)
    }
}
