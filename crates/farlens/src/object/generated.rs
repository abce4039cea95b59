//! What the code that `#[farlens::remote]` writes calls. Nothing else should.

pub use super::answer::{Answer, Value};
pub use super::remote::Remote;
pub use super::streams::RemoteStreamer;
pub use super::streams::{Feeder, Item, describe, feed, publish};
pub use super::{Dispatch, Incoming, Outcome, Outgoing};
pub use crate::Publication;
pub use farlens_wire::{Reference, schema};
pub use futures::future::BoxFuture;
pub use serde;

use super::{answer, remote::malformed, streams};
use crate::{Error, Result};
use farlens_wire::{Code, Limits, schema::SchemaDoc, typed};
use futures::{FutureExt, Stream, TryFutureExt};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;

/// What a pipelined method gives: something that can be used before it is known.
pub trait Pipelined {
    /// The handle of what `reference` will turn out to be.
    fn from_promise(reference: Reference) -> Self;
}

impl Pipelined for RemoteStreamer {
    fn from_promise(reference: Reference) -> Self {
        Self::unchecked(reference)
    }
}

impl Pipelined for Remote {
    fn from_promise(reference: Reference) -> Self {
        Self::unchecked(reference)
    }
}

/// Compiles where `T` can be a parameter.
pub const fn check_parameter<T: Value>() {}

/// Compiles where `R` can be returned.
pub const fn check_answer<R: Answer>() {}

/// Compiles where `I` can be the item of a stream.
pub const fn check_item<I: Item>() {}

/// The parameters of a call that came.
///
/// # Errors
/// `MALFORMED` or `DECODE_LIMIT`, with the name of the method.
pub fn arguments<A: DeserializeOwned>(call: &Incoming) -> Result<A> {
    typed::decode_with(&call.args, &call.table, &Limits::default()).map_err(|error| {
        let text = format!("the arguments of `{}` are malformed: {error}", call.method);
        Error::new(error.code(), text)
    })
}

/// The answer to a call of a method that there is not.
#[must_use]
pub fn no_such_method(interface: &str, call: &Incoming) -> BoxFuture<'static, Result<Outcome>> {
    let text = format!("{interface} has no method `{}`", call.method.escape_debug());
    std::future::ready(Err(Error::new(Code::NO_SUCH_METHOD, text))).boxed()
}

/// An answer that is a reference to a stream.
///
/// # Errors
/// That of `stream`.
pub fn streamed(stream: Result<Reference>) -> Result<Outcome> {
    answer::encode(&stream?)
}

/// A call of `method` with what `args` makes, by the interface `I` that the caller knows.
///
/// # Errors
/// That of `args`, and those of [`Outgoing::new`].
pub fn request<I: schema::Schema, A: Serialize>(
    method: &str,
    args: impl FnOnce() -> Result<A>,
) -> Result<Outgoing> {
    Ok(Outgoing::new(method, &args()?)?.of_interface(SchemaDoc::of::<I>()))
}

/// Calls a method.
pub fn call<R: Answer>(
    remote: &Remote,
    request: Result<Outgoing>,
) -> impl Future<Output = R> + Send + use<R> {
    let remote = remote.clone();
    async move {
        let method = request.as_ref().map(|request| request.method.clone()).unwrap_or_default();
        let answer = remote.invoke(request).await.and_then(|outcome| {
            R::from_outcome(&outcome).map_err(|error| malformed(&method, &error))
        });
        answer.unwrap_or_else(|error| R::from_result(Err(error)))
    }
}

/// Calls a method that nobody waits for.
pub fn notify<R: Answer<Value = ()>>(
    remote: &Remote,
    request: Result<Outgoing>,
) -> impl Future<Output = R> + Send + use<R> {
    let remote = remote.clone();
    async move {
        let request = request.map(|request| Outgoing { one_way: true, ..request });
        R::from_result(remote.invoke(request).await.map(drop))
    }
}

/// Calls a method and reads the stream that it answers with. The call is made when the first item
/// is asked for.
pub fn stream<I: Item>(
    remote: &Remote,
    request: Result<Outgoing>,
) -> impl Stream<Item = Result<I::Element>> + Send + use<I> {
    let remote = remote.clone();
    let call = async move {
        let request = request?;
        let method = request.method.clone();
        let outcome = remote.invoke(Ok(request)).await?;
        let reference = answer::decode(&outcome).map_err(|error| malformed(&method, &error))?;
        Ok(streams::open::<I>(reference))
    };
    call.try_flatten_stream()
}

/// The stream that a parameter is a reference to.
pub fn open<I: Item>(
    reference: Reference,
) -> impl Stream<Item = Result<I::Element>> + Send + 'static {
    streams::open::<I>(reference)
}
