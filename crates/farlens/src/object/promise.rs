//! What a call that is under way will answer, as something that can be used already.

use super::{Outcome, Outgoing, evolve, imported::Place, remote::promised, runtime};
use crate::{
    Error, Result,
    link::{calling::Calling, fault::to_error, imported::Imported},
};
use farlens_proto::CallTicket;
use farlens_wire::{Code, Reference};
use std::{future::Future, sync::Arc};
use tokio::{sync::watch, task::AbortHandle};

type Answered = Result<Reference, Arc<Error>>;

/// A reference that is still to come. When nobody has it any more the call is given up.
pub(crate) struct Promised {
    answer: watch::Receiver<Option<Answered>>,
    call: Option<AbortHandle>,
    /// The call, where it went over a link on which others can be made upon it.
    way: Option<Way>,
}

/// How to reach an answer that is not there yet.
struct Way {
    /// The object of the peer that the first of the calls was made on; it knows the link.
    on: Reference,
    /// What the call itself was made on, which it needs until it is answered.
    _made_on: Reference,
    ticket: CallTicket,
}

impl Promised {
    /// Starts a call, which is to answer with a reference.
    pub(crate) fn start(
        call: impl Future<Output = Result<Reference>> + Send + 'static,
    ) -> Reference {
        Self::on_the_way(call, None)
    }

    /// Starts a call over a link that others can be made upon.
    pub(crate) fn calling(
        imported: &Imported,
        on: &Reference,
        (made_on, place): (&Reference, Place),
        request: Outgoing,
    ) -> Result<Reference> {
        let calling = imported.start(on, place, request)?;
        let ticket = calling.ticket();
        let way = Way { on: on.clone(), _made_on: made_on.clone(), ticket };
        Ok(Self::on_the_way(answered(calling), Some(way)))
    }

    fn on_the_way(
        call: impl Future<Output = Result<Reference>> + Send + 'static,
        way: Option<Way>,
    ) -> Reference {
        let runtime = match runtime("a pipelined call") {
            Ok(runtime) => runtime,
            Err(error) => return Self::failed(error),
        };
        let (tell, answer) = watch::channel(None);
        let call = runtime.spawn(async move {
            let answered = call.await.map_err(Arc::new);
            tell.send_replace(Some(answered));
        });
        Reference::new(Self { answer, call: Some(call.abort_handle()), way })
    }

    /// One that is known to come to nothing.
    pub(crate) fn failed(error: Error) -> Reference {
        let (_, answer) = watch::channel(Some(Err(Arc::new(error))));
        Reference::new(Self { answer, call: None, way: None })
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

    /// Where calls go that cannot wait for the answer; nothing once it is there.
    fn way(&self) -> Option<(&Imported, &Way)> {
        let way = self.way.as_ref().filter(|_| self.answer.borrow().is_none())?;
        Some((way.on.get::<Imported>()?, way))
    }

    /// The link and the call whose answer a stream can be opened on, while that is to come.
    pub(crate) fn opening(&self) -> Option<(crate::Link, CallTicket)> {
        let (imported, way) = self.way()?;
        Some((imported.link.clone()?, way.ticket))
    }

    /// Calls what the answer will be, before or after it has come.
    pub(crate) async fn deliver(&self, request: Outgoing) -> Result<Outcome> {
        if let Some((imported, way)) = self.way() {
            let place = Place::Answer(way.ticket);
            match imported.begin(&way.on, place, request.clone()).await {
                Ok(call) => {
                    let answer = call.await.map_err(|fault| to_error(&fault))?;
                    let writer = match request.known() {
                        None => None,
                        known => evolve::writer_of(&self.reference().await?, known).await?,
                    };
                    return Ok(Outcome { writer, ..imported.outcome(answer) });
                }
                // The answer has come between the two looks.
                Err(error) if error.code() == Code::NO_SUCH_OBJECT => {}
                Err(error) => return Err(error),
            }
        }
        let found = self.reference().await?;
        super::remote::deliver(found, request).await
    }

    /// A promise made upon this one, which `made_on` is, while its answer is to come.
    pub(crate) fn promise(&self, made_on: &Reference, request: &Outgoing) -> Option<Reference> {
        let (imported, way) = self.way()?;
        let place = (made_on, Place::Answer(way.ticket));
        Self::calling(imported, &way.on, place, request.clone()).ok()
    }
}

/// What a reference points at, once that is known.
///
/// # Errors
/// What the call failed with that was to give it.
pub(crate) async fn settled(reference: &Reference) -> Result<Reference> {
    let mut settled = reference.clone();
    while let Some(promised) = settled.get::<Promised>() {
        let found = promised.reference().await?;
        settled = found;
    }
    Ok(settled)
}

/// Waits for what is still to come in a table, so that it can be sent.
pub(crate) async fn settle(table: &mut [Reference]) -> Result<()> {
    for reference in table.iter_mut() {
        *reference = settled(reference).await?;
    }
    Ok(())
}

/// Whether something in a table is still to come.
pub(crate) fn is_unsettled(table: &[Reference]) -> bool {
    table.iter().any(|reference| reference.get::<Promised>().is_some())
}

async fn answered(calling: Calling) -> Result<Reference> {
    let answer = calling.await.map_err(|fault| to_error(&fault))?;
    promised(&Outcome::new(answer.value, answer.table))
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
