//! A middleware that is one question.

use super::{BoxFuture, Middleware, Request};
use crate::{Code, Error, Result};
use std::future::ready;

/// Serves the requests for which `judge` says so, and refuses all others with
/// `NOT_PERMITTED`.
///
/// The peer learns that it was refused. Who wants something to look absent writes a [`Middleware`]
/// that answers with `NOT_FOUND`.
///
/// ```
/// use farlens::{Server, middleware::{Asks, allow}};
///
/// let server = Server::builder().middleware(allow(|request| match &request.asks {
///     Asks::Call(call) => !call.method.starts_with("set_"),
///     _ => true,
/// }));
/// ```
pub fn allow<F>(judge: F) -> Allow<F>
where
    F: Fn(&Request<'_>) -> bool + Send + Sync + 'static,
{
    Allow(judge)
}

/// What [`allow`] makes.
#[derive(Clone)]
pub struct Allow<F>(F);

impl<F> std::fmt::Debug for Allow<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Allow")
    }
}

impl<F> Middleware for Allow<F>
where
    F: Fn(&Request<'_>) -> bool + Send + Sync + 'static,
{
    fn before<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<()>> {
        let judged = match (self.0)(request) {
            true => Ok(()),
            false => Err(refused(request)),
        };
        Box::pin(ready(judged))
    }
}

fn refused(request: &Request<'_>) -> Error {
    let what = match request.kind() {
        "link" => "this key is not let in",
        "lookup" => "this may not be looked up",
        "call" => "this method may not be called",
        _ => "this stream may not be opened",
    };
    Error::new(Code::NOT_PERMITTED, what)
}
