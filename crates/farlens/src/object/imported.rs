//! Calls of objects at the other end of a link.

use super::{Outcome, Outgoing, own_limits};
use crate::{
    Error, Result,
    link::{calling::Calling, fault::to_error, imported::Imported},
};
use farlens_proto::{About, Answer, CallOn, CallRequest, CallTicket};
use farlens_wire::{Budget, Code, Reference, schema::SchemaDoc};
use std::{sync::Arc, time::Duration};
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
    /// Makes a call of the object that `reference` is, or of what it has promised.
    pub(crate) fn start(
        &self,
        reference: &Reference,
        place: Place,
        request: Outgoing,
        pipelined: bool,
    ) -> Result<Calling> {
        let link = self.link.as_ref().ok_or_else(closed)?;
        let own = self.interface();
        // By position where both know the same interface, or where the object has none.
        let foreign = request
            .interface
            .filter(|interface| own.is_some_and(|own| own != interface.fingerprint().0));
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
            method: request.method,
            args: request.args.into(),
            table: request.table,
            timeout_ms: request.context.deadline().map(remaining_ms),
            depth: request.context.depth().saturating_sub(1),
            one_way: request.one_way,
            pipelined,
            interface: announced.map(|(fingerprint, _)| fingerprint),
        };
        Calling::start(link.shared(), call).map_err(|fault| to_error(&fault))
    }

    /// The answer of the peer, by the limits of the link.
    pub(crate) fn outcome(&self, answer: Answer) -> Outcome {
        let outcome = Outcome::new(answer.value.into(), answer.table);
        let limits = self.link.as_ref().map(|link| Arc::clone(link.limits()));
        Outcome { limits: limits.unwrap_or_else(own_limits), ..outcome }
    }

    /// The fingerprint of the object's interface, if it has one of its own.
    pub(crate) const fn interface(&self) -> Option<[u8; 16]> {
        match self.about {
            About::Object { interface } => interface,
            _ => None,
        }
    }

    /// The object's interface. Costs a round trip the first time.
    pub(crate) async fn describe(&self, reference: &Reference) -> Result<Arc<SchemaDoc>> {
        let described = self.described.get_or_try_init(async || {
            let request = Outgoing::new(DESCRIBE, &())?;
            let answer = self.start(reference, Place::Object, request, false)?.await;
            let answer = answer.map_err(|fault| to_error(&fault))?;
            let Outcome { value, limits, .. } = self.outcome(answer);
            let doc = SchemaDoc::decode(&value, &mut Budget::new(&limits));
            doc.map(Arc::new).map_err(|error| {
                Error::new(
                    error.code(),
                    format!("the interface of an object is malformed: {error}"),
                )
            })
        });
        described.await.cloned()
    }
}

/// Milliseconds until `deadline`, rounded up, so that nobody gives up too early.
fn remaining_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = left.saturating_add(Duration::from_nanos(999_999));
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

fn closed() -> Error {
    Error::new(Code::LINK_CLOSED, "the link that the object came over is closed")
}
