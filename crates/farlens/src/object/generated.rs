//! What the code that `#[farlens::remote]` writes calls. Nothing else should.

pub use super::answer::{Answer, Parameter};
pub use super::remote::Remote;
pub use super::streams::{Feeder, Item, Passed, RemoteStreamer};
pub use super::{Dispatch, Incoming, Outcome, Outgoing};
pub use crate::Publication;
pub use farlens_wire::{Reference, schema};
pub use futures::future::BoxFuture;
pub use serde;

use crate::Result;
use farlens_wire::schema::SchemaDoc;
use serde::Serialize;
use std::sync::Arc;

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

/// A reference whose type says what can be called.
pub trait Described {
    /// The interface, found once for the whole program.
    fn interface() -> &'static Arc<SchemaDoc>;
}

/// A call of `method` with what `args` makes, by the interface `I` that the caller knows.
///
/// # Errors
/// That of `args`, and those of [`Outgoing::new`].
pub fn request<I: Described, A: Serialize>(
    method: &'static str,
    args: impl FnOnce() -> Result<A>,
) -> Result<Outgoing> {
    Ok(Outgoing::new(method, &args()?)?.of_interface(Arc::clone(I::interface())))
}
