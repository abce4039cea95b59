//! Calls of objects at the other end of a link.

use super::{CallContext, Outcome, Outgoing, evolve, request::Contents};
use crate::{
    Error, ErrorKind, Link, Result,
    link::{calling::Calling, fault::to_error, imported::Imported},
};
use farlens_proto::{About, Answer, CallOn, CallRequest, CallTicket, Called};
use farlens_wire::{Budget, Code, Reference, schema::SchemaDoc};
use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};
use tokio::time::Instant;

/// The method that every object has: it answers with the object's interface, encoded.
pub(crate) const DESCRIBE: &str = "farlens.describe";

/// What a call is made on at the other end of a link.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// The object itself.
    Object,
    /// What the answer to this call will be.
    Answer(CallTicket),
}

impl Imported {
    /// Makes a call that others can be made upon, of the object that `reference` is, or of what it
    /// has promised.
    pub(crate) fn start(
        &self,
        reference: &Reference,
        place: Place,
        request: Outgoing,
    ) -> Result<Calling> {
        let (link, call) = self.prepare(reference, place, request)?;
        let call = CallRequest { pipelined: true, ..call };
        Calling::start(link.shared(), call).map_err(|fault| to_error(&fault))
    }

    /// Makes a call for the task that asks for it.
    pub(super) async fn begin(
        &self,
        reference: &Reference,
        place: Place,
        request: Outgoing,
    ) -> Result<Calling> {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let (link, call) = self.prepare(reference, place, request)?;
        Calling::watched(link.shared(), call, waker).map_err(|fault| to_error(&fault))
    }

    /// Makes a call of the object that `reference` is, and waits for its answer.
    async fn call(&self, reference: &Reference, request: Outgoing) -> Result<Answer> {
        let calling = self.begin(reference, Place::Object, request).await?;
        calling.await.map_err(|fault| to_error(&fault))
    }

    /// Makes a call of the object that `reference` is, and waits for what it says.
    pub(super) async fn deliver(
        &self,
        reference: &Reference,
        request: Outgoing,
    ) -> Result<Outcome> {
        let known = request.known();
        let answer = self.call(reference, request).await?;
        let writer = evolve::writer_of(reference, known).await?;
        Ok(Outcome { writer, ..self.outcome(answer) })
    }

    fn prepare(
        &self,
        reference: &Reference,
        place: Place,
        request: Outgoing,
    ) -> Result<(&Link, CallRequest)> {
        let link = self.link()?;
        let Contents { method, args, table, interface, one_way, context } = *request.0;
        let own = self.interface();
        // By position where both know the same interface, or where the object has none.
        let foreign =
            interface.filter(|interface| own.is_some_and(|own| own != interface.fingerprint().0));
        let announced = foreign.map(|interface| {
            let mut schema = Vec::new();
            interface.encode(&mut schema);
            (interface.fingerprint().0, schema)
        });
        if let Some((fingerprint, schema)) = &announced {
            let announce =
                |state: &mut crate::link::shared::State| state.proto.announce(*fingerprint, schema);
            link.shared().with(announce).map_err(|fault| to_error(&fault))?;
        }
        let call = CallRequest {
            on: match place {
                Place::Object if self.is_root() => CallOn::Root,
                Place::Object => CallOn::Object(reference.clone()),
                Place::Answer(ticket) => CallOn::Answer(ticket),
            },
            method,
            args,
            table,
            timeout_ms: context.deadline().map(remaining_ms),
            depth: context.depth().saturating_sub(1),
            one_way,
            pipelined: false,
            interface: announced.map(|(fingerprint, _)| fingerprint),
        };
        Ok((link, call))
    }

    /// Makes a call of a peer for another one, as it came, and brings the answer back as it comes.
    ///
    /// # Errors
    /// Whatever the object or the link with it says; `TOO_DEEP`.
    pub(crate) async fn relay(
        &self,
        called: Called,
        interface: Option<Arc<SchemaDoc>>,
        context: &CallContext,
    ) -> Result<Answer> {
        let Called { on, method, args, table, one_way, .. } = called;
        let context = context.of_call(None)?;
        let request =
            Outgoing(Box::new(Contents { method, args, table, interface, one_way, context }));
        self.call(&on, request).await.map_err(|error| match &self.link {
            Some(link) => beyond(link, error),
            None => error,
        })
    }

    /// The link that it came over.
    ///
    /// # Errors
    /// `LINK_CLOSED` when that is closed.
    pub(crate) fn link(&self) -> Result<&Link> {
        self.link.as_ref().ok_or_else(closed)
    }

    /// The answer of the peer, by the limits of the link.
    pub(crate) fn outcome(&self, answer: Answer) -> Outcome {
        let limits = self.link.as_ref().map(|link| Arc::clone(link.limits()));
        Outcome { limits, ..Outcome::new(answer.value, answer.table) }
    }

    /// The fingerprint of the object's interface, if it has one of its own.
    pub(crate) const fn interface(&self) -> Option<[u8; 16]> {
        match self.about {
            About::Object { interface } => interface,
            _ => None,
        }
    }

    /// The object's interface. Costs a round trip the first time. Who asks waits for nobody else
    /// who asks: that may be one level up, and wait for the end of this call.
    pub(crate) async fn describe(&self, reference: &Reference) -> Result<Arc<SchemaDoc>> {
        if let Some(known) = self.described.get() {
            return Ok(Arc::clone(known));
        }
        let mut request = Outgoing::new(DESCRIBE, &())?;
        request.0.context = CallContext::current().of_call(None)?;
        let answer = self.call(reference, request).await?;
        let outcome = self.outcome(answer);
        let mut budget = Budget::new(&outcome.limits());
        let doc = SchemaDoc::decode(&outcome.value, &mut budget).map_err(|error| {
            let text = format!("the interface of an object is malformed: {error}");
            Error::new(error.code(), text)
        })?;
        Ok(Arc::clone(self.described.get_or_init(|| Arc::new(doc))))
    }
}

/// An error for a peer that is served with something from over `link`. If it is the link that has
/// failed, the peer learns that it was not its own.
pub(crate) fn beyond(link: &Link, error: Error) -> Error {
    if error.kind() != ErrorKind::Link || !link.is_closed() {
        return error;
    }
    let text = format!("the link with the process where this comes from has ended: {error}");
    Error::new(error.code(), text)
}

/// Milliseconds until `deadline`, rounded up, so that nobody gives up too early.
fn remaining_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = left.saturating_add(Duration::from_nanos(999_999));
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

fn closed() -> Error {
    Error::new(Code::LINK_CLOSED, "the link that this came over is closed")
}
