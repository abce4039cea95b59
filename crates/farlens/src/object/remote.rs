//! A handle of an object, whatever its interface is and wherever it lives.

use super::{
    CallContext, Dispatch, LocalObject, Outcome, Outgoing, answer,
    imported::Place,
    promise::{Promised, is_unsettled, settle},
    runtime,
};
use crate::{Error, Result, link::imported::Imported};
use farlens_proto::About;
use farlens_wire::{
    Code, Reference,
    schema::{Schema, SchemaBuilder, SchemaDoc, Type},
};
use futures::{FutureExt, future::BoxFuture};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;

/// An object that can be called, in this process or at the other end of a link.
///
/// Cheap to clone, and a value: it can be a parameter of a remote method, its result, or a part of
/// either. The object lives as long as somebody has a handle of it. The `…Ref` of a trait with
/// `#[farlens::remote]` is this with types.
#[derive(Clone)]
pub struct Remote {
    reference: Reference,
    timeout: Option<Duration>,
}

impl Remote {
    /// A handle of an object of this process.
    pub fn new(object: impl Dispatch) -> Self {
        Self::unchecked(Reference::new(LocalObject::new(object)))
    }

    /// A handle whose calls fail with `DEADLINE_EXCEEDED` unless they are answered in time. The
    /// handler is dropped then.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { reference: self.reference.clone(), timeout: Some(timeout) }
    }

    /// The name of its interface, where that is known without asking.
    pub(crate) fn interface_name(&self) -> Option<String> {
        self.reference.get::<LocalObject>()?.interface_name().map(str::to_owned)
    }

    /// What it points at.
    #[must_use]
    pub const fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Calls a method with parameters that serialise as a structure of their names. Dropping the
    /// future gives the call up.
    ///
    /// # Errors
    /// Whatever the method fails with; `NO_SUCH_METHOD`, `MALFORMED`, `SCHEMA_MISMATCH`;
    /// `DEADLINE_EXCEEDED`, `TOO_DEEP`, and any failure of the link.
    pub async fn call<A, R>(&self, method: &str, args: &A) -> Result<R>
    where
        A: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let request = Outgoing::new(method.to_owned(), args);
        let outcome = self.invoke(request).await?;
        answer::decode(&outcome, None).map_err(|error| malformed(method, &error))
    }

    /// Makes a call. What another call is still to answer with can be passed: this one is made once
    /// that has come.
    ///
    /// # Errors
    /// As [`Remote::call`], but for the answer, which is not looked at.
    #[doc(hidden)]
    pub async fn invoke(&self, request: Result<Outgoing>) -> Result<Outcome> {
        let request = self.contextual(request)?;
        match self.reference.get::<Imported>() {
            // What most calls are: there is nothing to wait for but the answer.
            Some(imported)
                if request.0.context.deadline().is_none() && !is_unsettled(&request.0.table) =>
            {
                imported.deliver(&self.reference, request).await
            }
            _ => Box::pin(self.deliver_in_time(request)).await,
        }
    }

    /// The object or stream that a call will answer with. The call is under way when this returns,
    /// and given up when nobody has the result any more.
    #[doc(hidden)]
    #[must_use]
    pub fn promise(&self, request: Result<Outgoing>) -> Reference {
        let started = self.contextual(request).and_then(|request| self.begin_promise(request));
        started.unwrap_or_else(Promised::failed)
    }

    fn begin_promise(&self, request: Outgoing) -> Result<Reference> {
        let reference = &self.reference;
        if is_unsettled(&request.0.table) {
            let call = self.deliver_in_time(request);
            return Ok(Promised::start(call.map(|outcome| promised(&outcome?))));
        }
        if let Some(imported) = reference.get::<Imported>() {
            return Promised::calling(imported, reference, (reference, Place::Object), request);
        }
        if let Some(promised) = reference.get::<Promised>()
            && let Some(reference) = promised.promise(reference, &request)
        {
            return Ok(reference);
        }
        let call = self.deliver_in_time(request);
        Ok(Promised::start(call.map(|outcome| promised(&outcome?))))
    }

    /// A handle of what a reference points at, which turns out at the first call.
    pub(crate) const fn unchecked(reference: Reference) -> Self {
        Self { reference, timeout: None }
    }

    /// Puts a call under the context that holds here.
    fn contextual(&self, request: Result<Outgoing>) -> Result<Outgoing> {
        let mut request = request?;
        request.0.context = CallContext::current().of_call(self.timeout)?;
        Ok(request)
    }

    /// Waits for what is no call of the user's, as long as a call may take.
    pub(super) async fn in_time<T>(
        &self,
        method: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(deadline) = CallContext::current().of_call(self.timeout)?.deadline() else {
            return work.await;
        };
        by(deadline, method, work).await
    }

    fn deliver_in_time(
        &self,
        request: Outgoing,
    ) -> impl Future<Output = Result<Outcome>> + Send + 'static + use<> {
        let reference = self.reference.clone();
        async move {
            let (deadline, method) = (request.0.context.deadline(), request.0.method.clone());
            let answer = deliver_settled(reference, request);
            let Some(deadline) = deadline else { return answer.await };
            by(deadline, &method, answer).await
        }
    }
}

/// Waits until `deadline`, which takes a runtime.
async fn by<T>(
    deadline: Instant,
    method: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    runtime("a call with a deadline")?;
    tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_| Err(too_late(method)))
}

/// Hands a call over once nothing that it passes is still to come: what a peer is to have must be
/// there.
async fn deliver_settled(reference: Reference, mut request: Outgoing) -> Result<Outcome> {
    settle(&mut request.0.table).await?;
    deliver(reference, request).await
}

/// Hands a call to whatever can answer it.
pub(super) fn deliver(
    reference: Reference,
    request: Outgoing,
) -> BoxFuture<'static, Result<Outcome>> {
    Box::pin(async move {
        if let Some(object) = reference.get::<LocalObject>() {
            return object.call(request).await;
        }
        if let Some(imported) = reference.get::<Imported>() {
            return imported.deliver(&reference, request).await;
        }
        if let Some(promised) = reference.get::<Promised>() {
            return promised.deliver(request).await;
        }
        Err(no_object())
    })
}

/// The interface of whatever can be called.
pub(super) fn describe(reference: Reference) -> BoxFuture<'static, Result<Arc<SchemaDoc>>> {
    Box::pin(async move {
        if let Some(object) = reference.get::<LocalObject>() {
            return Ok(Arc::clone(object.interface()));
        }
        if let Some(imported) = reference.get::<Imported>() {
            return imported.describe(&reference).await;
        }
        if let Some(promised) = reference.get::<Promised>() {
            return describe(promised.reference().await?).await;
        }
        Err(no_object())
    })
}

pub(super) fn promised(outcome: &Outcome) -> Result<Reference> {
    outcome.reference().cloned().ok_or_else(|| {
        Error::new(
            Code::NO_SUCH_OBJECT,
            "the call that this one waited for answered without an object",
        )
        .with_hint("make that call without `pipeline()` to see what it answers")
    })
}

fn too_late(method: &str) -> Error {
    let text = format!("`{method}` was not answered in the time that its caller set");
    Error::new(Code::DEADLINE_EXCEEDED, text)
}

fn no_object() -> Error {
    Error::new(Code::UNSUPPORTED, "what this reference points at cannot be called")
}

pub(super) fn malformed(method: &str, error: &farlens_wire::DecodeError) -> Error {
    Error::new(error.code(), format!("the answer of `{method}` is malformed: {error}"))
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Remote");
        out.field("reference", &self.reference.number());
        if let Some(timeout) = self.timeout {
            out.field("timeout", &timeout);
        }
        out.finish()
    }
}

impl TryFrom<Reference> for Remote {
    type Error = Error;

    /// A handle of what a reference points at.
    ///
    /// # Errors
    /// `UNSUPPORTED` when that is nothing that can be called.
    fn try_from(reference: Reference) -> Result<Self> {
        let callable = match reference.get::<Imported>() {
            Some(imported) => matches!(imported.about, About::Object { .. }),
            None => {
                reference.get::<LocalObject>().is_some() || reference.get::<Promised>().is_some()
            }
        };
        if callable { Ok(Self::unchecked(reference)) } else { Err(no_object()) }
    }
}

impl Serialize for Remote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reference.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Remote {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reference = Reference::deserialize(deserializer)?;
        Self::try_from(reference).map_err(serde::de::Error::custom)
    }
}

impl Schema for Remote {
    fn build(_: &mut SchemaBuilder) -> Type {
        Type::Reference
    }
}
