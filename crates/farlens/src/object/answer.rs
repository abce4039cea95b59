//! What a method returns, as it travels.

use super::Outcome;
use crate::{Error, Result};
use farlens_wire::{
    Code, DecodeError, Limits, Reference,
    schema::{Schema, SchemaBuilder, Type},
    typed,
};
use serde::{Serialize, de::DeserializeOwned};

/// A value that can be a parameter of a remote method, or what it returns.
///
/// Implemented for everything that is `Schema`, `Serialize` and `DeserializeOwned`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed to or from a remote method",
    note = "derive `farlens::Schema`, `serde::Serialize` and `serde::Deserialize` for it; objects \
            are passed as their `…Ref`"
)]
pub trait Value: Schema + Serialize + DeserializeOwned + Send {}

impl<T: Schema + Serialize + DeserializeOwned + Send> Value for T {}

/// What a remote method can return: `farlens::Result<T>`, or a result with an error of its own.
///
/// An error of this library travels beside the answers, since it may also come from anything on the
/// way. An error type of the user is a part of the answer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a remote method returns",
    label = "no result that can travel",
    note = "a remote method returns `farlens::Result<T>`, or `Result<T, E>` with an error type of \
            its own",
    note = "`T` and `E` must have `farlens::Schema`, `serde::Serialize` and `serde::Deserialize`, \
            and `E` must have `From<farlens::Error>`"
)]
pub trait Answer: Sized + Send {
    /// What it gives when the method succeeds.
    type Value;

    /// How the answer is encoded.
    fn describe(builder: &mut SchemaBuilder) -> Type;

    /// The answer as it travels.
    ///
    /// # Errors
    /// That of the method, if it is one of this library; `INTERNAL` if the answer cannot be encoded.
    fn into_outcome(self) -> Result<Outcome>;

    /// The answer that came.
    ///
    /// # Errors
    /// What [`DecodeError`] lists.
    fn from_outcome(outcome: &Outcome) -> Result<Self, DecodeError>;

    /// The answer of a method that succeeded, or of a call that came to nothing.
    fn from_result(result: Result<Self::Value>) -> Self;
}

impl<T: Value> Answer for Result<T> {
    type Value = T;

    fn describe(builder: &mut SchemaBuilder) -> Type {
        T::build(builder)
    }

    fn into_outcome(self) -> Result<Outcome> {
        encode(&self?)
    }

    fn from_outcome(outcome: &Outcome) -> Result<Self, DecodeError> {
        decode(outcome).map(Ok)
    }

    fn from_result(result: Self) -> Self {
        result
    }
}

impl<T: Value, E: Value + From<Error>> Answer for Result<T, E> {
    type Value = T;

    fn describe(builder: &mut SchemaBuilder) -> Type {
        <Self as Schema>::build(builder)
    }

    fn into_outcome(self) -> Result<Outcome> {
        encode(&self)
    }

    fn from_outcome(outcome: &Outcome) -> Result<Self, DecodeError> {
        decode(outcome)
    }

    fn from_result(result: Result<T>) -> Self {
        result.map_err(E::from)
    }
}

/// An answer that holds `value`.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    typed::encode_with(value, &mut outcome.value, &mut outcome.table).map_err(|error| {
        Error::new(Code::INTERNAL, format!("the answer cannot be encoded: {error}"))
    })?;
    Ok(outcome)
}

/// The value that an answer holds.
pub(super) fn decode<T: DeserializeOwned>(outcome: &Outcome) -> Result<T, DecodeError> {
    typed::decode_with(&outcome.value, &outcome.table, &Limits::default())
}

impl Outcome {
    /// The reference that the answer is, also inside the `Ok` of an error type of its own. None
    /// where it is anything else, such as that error.
    pub(crate) fn reference(&self) -> Option<&Reference> {
        // The index of the first reference, alone or behind the index of the variant `Ok`.
        matches!(*self.value, [0] | [0, 0]).then(|| self.table.first()).flatten()
    }
}
