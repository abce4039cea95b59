//! One hook that sees everything a peer asks for, and may refuse it.
//!
//! A [`Middleware`] is asked before anything is done for a peer, with the key that the peer proved,
//! and told afterwards what came of it. There is no request of a peer that goes around it:
//!
//! ```text
//!  hello of a client ──▶ Link    ─┐
//!  call of the root  ──▶ Lookup  ─┤                            grants, gateways,
//!  any other call    ──▶ Call    ─┼─▶ before, before, … ──▶  publications, handlers ──▶ after, …
//!  open of a stream  ──▶ Open    ─┘         │
//!                                           └─ an error refuses it, and nothing is run
//! ```
//!
//! What is granted when a stream is opened covers what is then done with it: reads, seeks, ranges
//! and writes are not asked for one by one. A frame that is malformed, a path that breaks the rules
//! of paths and parameters that cannot be decoded are refused before anybody is asked, and nothing
//! is run for them. References that are resumed by a token do not exist yet.
//!
//! Both sides of a link serve their peer, so both can have middleware:
//! [`crate::ServerBuilder::middleware`] and [`crate::ClientBuilder::middleware`].
//!
//! ```
//! use farlens::{
//!     Client, Code, Error, Server,
//!     middleware::{self, Asks, BoxFuture, Middleware, Request, Timing},
//! };
//!
//! /// Lets nobody write, whatever the grants say.
//! struct Frozen;
//!
//! impl Middleware for Frozen {
//!     fn before<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, farlens::Result<()>> {
//!         Box::pin(async move {
//!             match &request.asks {
//!                 Asks::Open(open) if open.wanted.has(farlens::Flags::WRITABLE) => {
//!                     Err(Error::new(Code::MODE_FORBIDS, "nothing is written today"))
//!                 }
//!                 _ => Ok(()),
//!             }
//!         })
//!     }
//! }
//!
//! let timing = Timing::new();
//! let server = Server::builder()
//!     .middleware(timing.clone())
//!     .middleware(Frozen)
//!     .middleware(middleware::allow(|request| match &request.asks {
//!         Asks::Call(call) => call.method != "reboot",
//!         _ => true,
//!     }));
//! let client = Client::builder().middleware(timing.clone());
//! ```

mod allow;
mod chain;
mod request;
mod timing;

pub use allow::{Allow, allow};
pub(crate) use chain::Chain;
pub use farlens_proto::Purpose;
pub use futures::future::BoxFuture;
pub use request::{Asks, Call, Lookup, LookupKind, Open, Request, Target};
pub use timing::{Figures, Snapshot, Timing};

use crate::{Error, Result};
use std::{future::ready, sync::Arc, time::Duration};

/// Sees what peers ask for; see [the module](self).
///
/// It runs in the tasks that serve peers and must not block them. One that panics refuses the
/// request with `INTERNAL` and harms nobody else.
pub trait Middleware: Send + Sync + 'static {
    /// Decides whether a request is served. Several are asked in the order in which they were
    /// added, up to the first that refuses. Default: it is served.
    ///
    /// # Errors
    /// What the peer gets instead of what it asked for.
    fn before<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<()>> {
        let _ = request;
        Box::pin(ready(Ok(())))
    }

    /// Told what came of a request that this one was asked about, and how long that took, from
    /// before the first was asked. Those of one request are told in the opposite order.
    fn after(&self, request: &Request<'_>, completion: Completion<'_>, took: Duration) {
        let _ = (request, completion, took);
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Completion<'a> {
    /// It was served.
    Succeeded,
    /// It was tried and failed, which includes what grants forbid.
    Failed(&'a Error),
    /// A middleware refused it.
    Refused(&'a Error),
    /// Nobody waits for it any more: the peer took it back, or the link is over.
    Cancelled,
}

impl<M: Middleware + ?Sized> Middleware for Arc<M> {
    fn before<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<()>> {
        (**self).before(request)
    }

    fn after(&self, request: &Request<'_>, completion: Completion<'_>, took: Duration) {
        (**self).after(request, completion, took);
    }
}
