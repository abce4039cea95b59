//! An object of this process, as it lies inside a reference.

use super::{CallContext, Dispatch, Incoming, Outcome, Outgoing, runtime};
use crate::{Error, Result, link::trash};
use farlens_wire::{Code, schema::SchemaDoc};
use futures::{FutureExt, future::BoxFuture};
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::runtime::Handle;

/// The object that a reference of this process points at.
///
/// References are dropped in places where no code of users may run, so the object is buried.
pub(crate) struct LocalObject {
    object: Option<Arc<dyn Dispatch>>,
    interface: Arc<SchemaDoc>,
}

impl LocalObject {
    pub(crate) fn new(object: impl Dispatch) -> Self {
        Self { interface: object.interface(), object: Some(Arc::new(object)) }
    }

    fn object(&self) -> Result<Arc<dyn Dispatch>> {
        self.object.clone().ok_or_else(|| Error::new(Code::NO_SUCH_OBJECT, "the object is gone"))
    }

    pub(crate) const fn interface(&self) -> &Arc<SchemaDoc> {
        &self.interface
    }

    /// The name of its interface; none where what dispatches by hand has none.
    pub(crate) fn interface_name(&self) -> Option<&str> {
        Some(&self.interface.definition_of(self.interface.root())?.name)
    }

    /// Answers a call from this process. Dropping the future drops the handler's.
    pub(crate) async fn call(&self, request: Outgoing) -> Result<Outcome> {
        let (context, one_way) = (request.0.context.clone(), request.0.one_way);
        let call = request.into_incoming(&self.interface);
        if one_way {
            let runtime = runtime("a one-way call")?;
            let work = Box::pin(self.serve(context.after_answer(), call)?);
            hand_over(work, &runtime).await;
            return Ok(Outcome::default());
        }
        let differs = call.writer.is_some();
        let outcome = self.serve(context, call)?.await?;
        let writer = differs.then(|| Arc::clone(&self.interface));
        Ok(Outcome { writer, ..outcome })
    }

    /// The answer to a call, for a caller in this process or at the other end of a link.
    pub(crate) fn serve(
        &self,
        context: CallContext,
        call: Incoming,
    ) -> Result<impl Future<Output = Result<Outcome>> + Send + 'static> {
        Ok(run(self.object()?, context, call))
    }
}

/// Runs a handler in its context and outlives its panics.
fn run(
    object: Arc<dyn Dispatch>,
    context: CallContext,
    call: Incoming,
) -> impl Future<Output = Result<Outcome>> + Send + 'static {
    // The first look at the call is user code as well.
    let work = AssertUnwindSafe(async move { object.call(call).await }).catch_unwind();
    let answer = async move { work.await.unwrap_or_else(|_| Err(panicked())) };
    context.scope(answer)
}

/// Runs a handler that nobody waits for. Those of one caller begin in the order of the calls.
async fn hand_over(mut work: BoxFuture<'static, Result<Outcome>>, runtime: &Handle) {
    if futures::poll!(&mut work).is_pending() {
        runtime.spawn(work);
    }
}

fn panicked() -> Error {
    Error::new(Code::INTERNAL, "a handler failed inside")
}

impl Drop for LocalObject {
    fn drop(&mut self) {
        trash::bury(Box::new(self.object.take()));
    }
}
