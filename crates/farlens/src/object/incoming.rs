//! A call as it reaches an object, and its answer as it leaves it.

use super::{
    encoded,
    evolve::{self, Part},
    own_limits,
};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_wire::{Code, Limits, Name, Reference, schema::SchemaDoc, typed};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// A call as it reaches an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// The name of the method.
    pub method: Name,
    /// The parameters, encoded as a structure of their names.
    pub args: Bytes,
    /// What the references in them point at.
    pub table: Vec<Reference>,
    /// The caller's interface, where it differs from that of the object.
    pub writer: Option<Arc<SchemaDoc>>,
    /// What decoding the parameters may cost.
    pub limits: Arc<Limits>,
}

impl Incoming {
    /// The parameters as a structure of their names, for an object with the interface `own`. They
    /// are read by name where the caller knows another version of it.
    ///
    /// # Errors
    /// `MALFORMED`, `DECODE_LIMIT` or `SCHEMA_MISMATCH`, with the name of the method.
    pub fn arguments<A: DeserializeOwned>(&self, own: &SchemaDoc) -> Result<A> {
        let Self { method, args, table, writer, limits } = self;
        let decoded = match writer {
            None => typed::decode_with(args, table, limits),
            Some(writer) => evolve::resolution(Part::Arguments, method, writer, own)?
                .decode(args, table, limits),
        };
        decoded.map_err(|error| {
            let method = method.escape_debug();
            Error::new(error.code(), format!("the arguments of `{method}` are malformed: {error}"))
        })
    }

    /// The error of a method that an object with such an interface does not have.
    #[must_use]
    pub fn no_such_method(&self, interface: &str) -> Error {
        let text = format!("{interface} has no method `{}`", self.method.escape_debug());
        Error::new(Code::NO_SUCH_METHOD, text)
    }
}

/// What a method answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The value, encoded.
    pub value: Bytes,
    /// What the references in it point at.
    pub table: Vec<Reference>,
    /// The interface of the object, where it differs from that of the caller. Whoever brings the
    /// answer to the caller knows that, and the object does not.
    pub writer: Option<Arc<SchemaDoc>>,
    /// What decoding the value may cost. That, too, is known to whoever brings the answer; none
    /// where it has not left the process.
    pub(crate) limits: Option<Arc<Limits>>,
}

impl Default for Outcome {
    fn default() -> Self {
        Self::new(Bytes::new(), Vec::new())
    }
}

impl Outcome {
    /// A value, encoded, with what its references point at.
    #[must_use]
    pub fn new(value: impl Into<Bytes>, table: Vec<Reference>) -> Self {
        Self { value: value.into(), table, writer: None, limits: None }
    }

    /// An answer that is `value`.
    ///
    /// # Errors
    /// `INTERNAL` if it cannot be encoded.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let (value, table) = encoded::encode(value).map_err(|error| {
            Error::new(Code::INTERNAL, format!("the answer cannot be encoded: {error}"))
        })?;
        Ok(Self::new(value, table))
    }

    /// What decoding the value may cost.
    pub(super) fn limits(&self) -> Arc<Limits> {
        self.limits.clone().unwrap_or_else(own_limits)
    }

    /// The reference that the answer is, also inside the `Ok` of an error type of its own. None
    /// where it is anything else, such as that error.
    pub(crate) fn reference(&self) -> Option<&Reference> {
        // The index of the first reference, alone or behind the index of the variant `Ok`.
        matches!(*self.value, [0] | [0, 0]).then(|| self.table.first()).flatten()
    }
}
