//! What a call that is under way will answer, as something that can be used already.

use crate::{Error, Result};
use farlens_wire::{Code, Reference};
use std::{future::Future, sync::Arc};
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};

type Answered = Result<Reference, Arc<Error>>;

/// A reference that is still to come. When nobody has it any more the call is given up.
pub(crate) struct Promised {
    answer: watch::Receiver<Option<Answered>>,
    call: Option<AbortHandle>,
}

impl Promised {
    /// Starts a call, which is to answer with a reference.
    pub(crate) fn start(
        call: impl Future<Output = Result<Reference>> + Send + 'static,
    ) -> Reference {
        let Ok(runtime) = Handle::try_current() else {
            let text = "a pipelined call was made outside of a tokio runtime";
            return Self::failed(Error::new(Code::USAGE, text));
        };
        let (tell, answer) = watch::channel(None);
        let call = runtime.spawn(async move {
            let answered = call.await.map_err(Arc::new);
            tell.send_replace(Some(answered));
        });
        Reference::new(Self { answer, call: Some(call.abort_handle()) })
    }

    /// One that is known to come to nothing.
    pub(crate) fn failed(error: Error) -> Reference {
        let (_, answer) = watch::channel(Some(Err(Arc::new(error))));
        Reference::new(Self { answer, call: None })
    }

    /// Waits for the reference.
    ///
    /// # Errors
    /// What the call failed with, each time anew.
    pub(crate) async fn reference(&self) -> Result<Reference> {
        let mut answer = self.answer.clone();
        let answered = match answer.wait_for(Option::is_some).await {
            Ok(answered) => answered.clone(),
            Err(_) => None,
        };
        match answered {
            Some(Ok(reference)) => Ok(reference),
            Some(Err(error)) => Err(again(&error)),
            None => Err(Error::new(Code::CANCELLED, "the runtime of the call was shut down")),
        }
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            call.abort();
        }
    }
}

/// The same error for one more caller, its cause as text.
fn again(error: &Error) -> Error {
    let copy = Error::new(error.code(), error.to_string());
    match error.hint() {
        Some(hint) => copy.with_hint(hint),
        None => copy,
    }
}
