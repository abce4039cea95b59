//! All middleware of one side, around one request.

use super::{Completion, Middleware, Request};
use crate::{Error, Result};
use farlens_wire::Code;
use futures::FutureExt;
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::time::Instant;

/// Those that are asked, in this order.
#[derive(Clone, Default)]
pub(crate) struct Chain(Vec<Arc<dyn Middleware>>);

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} middleware", self.0.len())
    }
}

impl Chain {
    pub(crate) fn push(&mut self, middleware: impl Middleware) {
        self.0.push(Arc::new(middleware));
    }

    /// Serves a request with `work`, unless somebody refuses it. Whatever panics fails this request
    /// and nothing else.
    pub(crate) async fn run<T>(
        &self,
        request: &Request<'_>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let since = (!self.0.is_empty()).then(Instant::now);
        let mut watch = Watch { chain: self, request, asked: 0, since };
        for middleware in &self.0 {
            watch.asked += 1;
            let asked =
                contained("a middleware failed inside", async { middleware.before(request).await });
            if let Err(refusal) = asked.await {
                watch.end(Completion::Refused(&refusal));
                return Err(refusal);
            }
        }
        let outcome = contained("the source failed inside", work).await;
        watch.end(match &outcome {
            Ok(_) => Completion::Succeeded,
            Err(error) => Completion::Failed(error),
        });
        outcome
    }
}

/// Outlives the panics of `work`.
async fn contained<T>(text: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|_| Err(Error::new(Code::INTERNAL, text)))
}

/// Tells those who were asked what came of it, also where the request is dropped.
struct Watch<'a> {
    chain: &'a Chain,
    request: &'a Request<'a>,
    /// How many have been asked and are to be told.
    asked: usize,
    /// When it began, where somebody is asked at all.
    since: Option<Instant>,
}

impl Watch<'_> {
    fn end(mut self, completion: Completion<'_>) {
        self.tell(completion);
    }

    fn tell(&mut self, completion: Completion<'_>) {
        let Some(took) = self.since.map(|since| since.elapsed()) else { return };
        let asked = self.chain.0.iter().take(std::mem::take(&mut self.asked));
        for middleware in asked.rev() {
            // One that panics here has nothing left to refuse.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                middleware.after(self.request, completion, took);
            }));
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.tell(Completion::Cancelled);
    }
}
