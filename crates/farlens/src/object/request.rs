//! A call as it leaves its caller.

use super::{CallContext, Incoming, encoded, own_limits};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_wire::{
    Name, Reference,
    schema::{Fingerprint, SchemaDoc},
};
use serde::Serialize;
use std::sync::Arc;

/// A method with its parameters, encoded.
///
/// It passes through many futures on its way, so it is small.
#[derive(Clone, Debug)]
pub struct Outgoing(pub(crate) Box<Contents>);

/// What a call consists of.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) method: Name,
    pub(crate) args: Bytes,
    /// What the references in the parameters point at.
    pub(crate) table: Vec<Reference>,
    /// The interface that the caller knows, by which the parameters are encoded.
    pub(crate) interface: Option<Arc<SchemaDoc>>,
    /// Whether nobody waits for an answer.
    pub(crate) one_way: bool,
    /// The context of the handler: its depth, and until when it is waited for. It has no peer yet.
    pub(crate) context: CallContext,
}

impl Outgoing {
    /// A call of `method` with parameters that serialise as a structure of their names.
    ///
    /// # Errors
    /// `MALFORMED` or `DECODE_LIMIT` for parameters that cannot be encoded.
    pub fn new<A: Serialize + ?Sized>(method: impl Into<Name>, args: &A) -> Result<Self> {
        let method = method.into();
        let (bytes, table) = encoded::encode(args).map_err(|error| {
            Error::new(error.code(), format!("the arguments of `{method}` cannot be sent: {error}"))
        })?;
        Ok(Self::encoded(method, bytes, table))
    }

    /// A call of `method` with parameters that are encoded already.
    pub(super) fn encoded(method: Name, args: Bytes, table: Vec<Reference>) -> Self {
        Self(Box::new(Contents {
            method,
            args,
            table,
            interface: None,
            one_way: false,
            context: CallContext::default(),
        }))
    }

    /// The same as the caller's interface means it.
    #[must_use]
    pub fn of_interface(mut self, interface: Arc<SchemaDoc>) -> Self {
        self.0.interface = Some(interface);
        self
    }

    /// The same where nobody waits for an answer.
    pub(super) fn one_way(mut self, one_way: bool) -> Self {
        self.0.one_way = one_way;
        self
    }

    /// The interface by which the caller reads the answer; none where nobody does.
    pub(crate) fn known(&self) -> Option<Fingerprint> {
        let interface = self.0.interface.as_ref().filter(|_| !self.0.one_way);
        interface.map(|interface| interface.fingerprint())
    }

    /// The same as an object with this interface meets it.
    pub(crate) fn into_incoming(self, own: &SchemaDoc) -> Incoming {
        let Contents { method, args, table, interface, .. } = *self.0;
        Incoming {
            method,
            args,
            table,
            writer: interface.filter(|interface| **interface != *own),
            limits: own_limits(),
        }
    }
}
