//! What a method returns, as it travels.

use super::{
    Outcome, Outgoing, Remote,
    evolve::{self, Part},
    remote::malformed,
    streams::Passed,
};
use crate::{ByteStream, EntityStream, Error, Result};
use farlens_wire::{
    DecodeError, Element,
    schema::{Resolution, Schema, SchemaBuilder, Type},
    typed,
};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;

/// A value that can be a parameter of a remote method.
///
/// Implemented for everything that is `Schema`, `Serialize` and `DeserializeOwned`, which it does
/// not ask for itself: the compiler would name those first.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed to a remote method",
    note = "derive `farlens::Schema`, `serde::Serialize` and `serde::Deserialize` for it; objects \
            are passed as their `…Ref`"
)]
pub trait Parameter {
    /// How it is encoded.
    fn describe(builder: &mut SchemaBuilder) -> Type;
}

impl<T: Schema + Serialize + DeserializeOwned + Send> Parameter for T {
    fn describe(builder: &mut SchemaBuilder) -> Type {
        T::build(builder)
    }
}

/// What a result consists of.
pub trait Value: Schema + Serialize + DeserializeOwned + Send {}

impl<T: Schema + Serialize + DeserializeOwned + Send> Value for T {}

/// What a remote method can return: `farlens::Result<T>`, or a result with an error of its own.
///
/// An error of this library travels beside the answers, since it may also come from anything on the
/// way. An error type of the user is a part of the answer. A [`ByteStream`] or [`EntityStream`] is
/// passed as where it comes from, and opened by the caller together with the call.
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
    fn into_outcome(self) -> impl Future<Output = Result<Outcome>> + Send;

    /// The answer of a method that succeeded, or of a call that came to nothing.
    fn from_result(result: Result<Self::Value>) -> Self;

    /// Makes a call and waits for the answer.
    fn call(
        remote: &Remote,
        request: Result<Outgoing>,
    ) -> impl Future<Output = Self> + Send + use<Self>;

    /// Makes a call that nobody answers.
    fn notify(
        remote: &Remote,
        request: Result<Outgoing>,
    ) -> impl Future<Output = Self> + Send + use<Self>
    where
        Self: Answer<Value = ()>,
    {
        let remote = remote.clone();
        let request = request.map(|request| request.one_way(true));
        async move { Self::from_result(remote.invoke(request).await.map(drop)) }
    }
}

/// What came as the answer to a call, read by the interface that it was written by.
async fn answer_to<R: DeserializeOwned>(remote: &Remote, request: Result<Outgoing>) -> Result<R> {
    let request = request?;
    let (method, reader) = (request.0.method.clone(), request.0.interface.clone());
    let outcome = remote.invoke(Ok(request)).await?;
    let by = match (&outcome.writer, &reader) {
        (Some(writer), Some(reader)) => {
            Some(evolve::resolution(Part::Result, &method, writer, reader)?)
        }
        _ => None,
    };
    decode(&outcome, by.as_ref()).map_err(|error| malformed(&method, &error))
}

impl<T: Value> Answer for Result<T> {
    type Value = T;

    fn describe(builder: &mut SchemaBuilder) -> Type {
        T::build(builder)
    }

    async fn into_outcome(self) -> Result<Outcome> {
        Outcome::of(&self?)
    }

    fn from_result(result: Self) -> Self {
        result
    }

    fn call(
        remote: &Remote,
        request: Result<Outgoing>,
    ) -> impl Future<Output = Self> + Send + use<T> {
        let remote = remote.clone();
        async move { answer_to(&remote, request).await }
    }
}

impl<T: Value, E: Value + From<Error>> Answer for Result<T, E> {
    type Value = T;

    fn describe(builder: &mut SchemaBuilder) -> Type {
        <Self as Schema>::build(builder)
    }

    async fn into_outcome(self) -> Result<Outcome> {
        Outcome::of(&self)
    }

    fn from_result(result: Result<T>) -> Self {
        result.map_err(E::from)
    }

    fn call(
        remote: &Remote,
        request: Result<Outgoing>,
    ) -> impl Future<Output = Self> + Send + use<T, E> {
        let remote = remote.clone();
        async move { answer_to(&remote, request).await.unwrap_or_else(|error| Err(error.into())) }
    }
}

impl Answer for Result<ByteStream> {
    type Value = ByteStream;

    fn describe(builder: &mut SchemaBuilder) -> Type {
        ByteStream::describe(builder)
    }

    async fn into_outcome(self) -> Result<Outcome> {
        Outcome::of(&self?.pass().await?)
    }

    fn from_result(result: Self) -> Self {
        result
    }

    fn call(
        remote: &Remote,
        request: Result<Outgoing>,
    ) -> impl Future<Output = Self> + Send + use<> {
        opened(remote, request)
    }
}

impl<T: Element + Schema + 'static> Answer for Result<EntityStream<T>> {
    type Value = EntityStream<T>;

    fn describe(builder: &mut SchemaBuilder) -> Type {
        EntityStream::<T>::describe(builder)
    }

    async fn into_outcome(self) -> Result<Outcome> {
        Outcome::of(&self?.pass().await?)
    }

    fn from_result(result: Self) -> Self {
        result
    }

    fn call(
        remote: &Remote,
        request: Result<Outgoing>,
    ) -> impl Future<Output = Self> + Send + use<T> {
        opened(remote, request)
    }
}

/// The stream that a call answers with, opened in the same flight.
fn opened<P: Passed>(
    remote: &Remote,
    request: Result<Outgoing>,
) -> impl Future<Output = Result<P>> + Send + use<P> {
    let remote = remote.clone();
    async move { P::receive(remote.promise(request)).await }
}

/// The value that an answer holds.
pub(super) fn decode<T: DeserializeOwned>(
    outcome: &Outcome,
    by: Option<&Resolution>,
) -> Result<T, DecodeError> {
    let Outcome { value, table, limits, .. } = outcome;
    match by {
        None => typed::decode_with(value, table, limits),
        Some(by) => by.decode(value, table, limits),
    }
}
