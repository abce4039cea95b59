//! Objects that are called, wherever they live, and what `#[farlens::remote]` expands to.
//!
//! An object is a [`Dispatch`] inside a [`Reference`](farlens_wire::Reference). A [`Remote`] calls
//! what its reference points at: an object of this process through the same encoding as one at the
//! other end of a link, so that both answer alike. Nothing here knows what a trait of the user looks
//! like:
//!
//! ```text
//!   ProbeRef ── Remote ──▶ LocalObject ──▶ Dispatch of any `T: Probe`
//!      (macro)       │        (context, panics)      (macro)
//!                    ├──▶ Promised      what a call that is under way will answer
//!                    └──▶ an object of a peer
//! ```

mod answer;
mod context;
mod dynamic;
mod encoded;
pub(crate) mod evolve;
pub mod generated;
pub(crate) mod imported;
mod incoming;
mod local;
mod promise;
mod remote;
mod request;
pub(crate) mod streams;

pub use answer::Answer;
pub use context::CallContext;
pub use dynamic::{DynamicAnswer, DynamicObject};
pub use incoming::{Incoming, Outcome};
pub use remote::Remote;
pub use request::Outgoing;
pub use streams::RemoteStreamer;

pub(crate) use imported::beyond;
pub(crate) use local::LocalObject;
pub(crate) use promise::{settle, settled};
pub(crate) use streams::{LocalStreamer, View};

use crate::{Error, Result};
use farlens_wire::{Code, Limits, schema::SchemaDoc};
use futures::future::BoxFuture;
use std::sync::{Arc, LazyLock};
use tokio::runtime::Handle;

/// What decoding something that has not left the process may cost: as much as any link allows.
pub(crate) fn own_limits() -> Arc<Limits> {
    static LIMITS: LazyLock<Arc<Limits>> =
        LazyLock::new(|| Arc::new(Limits::default().message(64 << 20)));
    Arc::clone(&LIMITS)
}

/// The runtime that is to run `what`.
///
/// # Errors
/// `USAGE` where there is none.
pub(crate) fn runtime(what: &str) -> Result<Handle> {
    Handle::try_current().map_err(|_| {
        Error::new(Code::USAGE, format!("{what} was made outside of a tokio runtime"))
            .with_hint("make it in a task of a runtime, or within `Handle::enter`")
    })
}

/// An object whose methods are called by name.
///
/// `#[farlens::remote]` implements it for every trait that it is put on. Implement it by hand for
/// objects whose methods are only known at run time.
pub trait Dispatch: Send + Sync + 'static {
    /// What can be called. Its root is a named type that is an interface.
    fn interface(&self) -> Arc<SchemaDoc>;

    /// Runs one method. What it may have to wait for belongs into the future, which is dropped when
    /// the caller gives up; a panic inside fails this call and nothing else.
    ///
    /// # Errors
    /// Whatever the method fails with; `NO_SUCH_METHOD`, `MALFORMED` and `SCHEMA_MISMATCH` before
    /// anything was run.
    fn call(self: Arc<Self>, call: Incoming) -> BoxFuture<'static, Result<Outcome>>;
}
