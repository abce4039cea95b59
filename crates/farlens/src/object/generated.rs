//! What the code that `#[farlens::remote]` writes calls. Nothing else should.

pub use super::answer::{Answer, Parameter};
pub use super::remote::Remote;
pub use super::streams::{Feeder, Item, RemoteStreamer, feed};
pub use super::{Dispatch, Incoming, Outcome, Outgoing};
pub use crate::Publication;
pub use farlens_wire::{Reference, schema};
pub use futures::future::BoxFuture;
pub use serde;

use super::evolve::{self, Part};
use crate::{Error, Result};
use farlens_wire::{Code, Limits, schema::SchemaDoc, typed};
use futures::FutureExt;
use serde::{Serialize, de::DeserializeOwned};

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

/// The parameters of a call that came to an object with the interface `I`.
///
/// # Errors
/// `MALFORMED`, `DECODE_LIMIT` or `SCHEMA_MISMATCH`, with the name of the method.
pub fn arguments<I: schema::Schema, A: DeserializeOwned>(call: &Incoming) -> Result<A> {
    let Incoming { method, args, table, writer } = call;
    let limits = Limits::default();
    let decoded = match writer {
        None => typed::decode_with(args, table, &limits),
        Some(writer) => evolve::resolution(Part::Arguments, method, writer, &SchemaDoc::of::<I>())?
            .decode(args, table, &limits),
    };
    decoded.map_err(|error| {
        Error::new(error.code(), format!("the arguments of `{method}` are malformed: {error}"))
    })
}

/// The answer to a call of a method that there is not.
#[must_use]
pub fn no_such_method(interface: &str, call: &Incoming) -> BoxFuture<'static, Result<Outcome>> {
    let text = format!("{interface} has no method `{}`", call.method.escape_debug());
    std::future::ready(Err(Error::new(Code::NO_SUCH_METHOD, text))).boxed()
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
