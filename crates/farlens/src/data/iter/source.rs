//! User code that produces entities one after the other.

use crate::data::{encode::encode_element, ended::Ended};
use crate::{Error, Result};
use farlens_wire::{Code, Element, Reference};
use futures::{FutureExt, Stream};
use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

/// Where the next entity goes: its encoding, and what its references point at.
type Out<'a> = (&'a mut Vec<u8>, &'a mut Vec<Reference>);
/// Appends the next entity; nothing when there is no further one.
type Next = Box<dyn FnMut(Out<'_>) -> Option<Result<()>> + Send>;
/// The same where the entity may have to be waited for.
type PollNext = Box<dyn FnMut(&mut Context<'_>, Out<'_>) -> Poll<Option<Result<()>>> + Send>;

/// What is pulled.
pub(super) enum Source {
    /// May block, so it runs on a thread of its own.
    Blocking(Next),
    /// Never blocks, so it is polled in a task.
    Polled(PollNext),
}

impl Source {
    /// The values of an iterator.
    pub(super) fn values<T: Element>(values: impl Iterator<Item = T> + Send + 'static) -> Self {
        let mut values = values.enumerate();
        Self::Blocking(Box::new(move |out| {
            let (index, value) = values.next()?;
            Some(encode_element(&value, index as u64, out))
        }))
    }

    /// The values of a stream, up to its first error.
    pub(super) fn stream<T: Element>(
        values: impl Stream<Item = Result<T>> + Send + 'static,
    ) -> Self {
        let mut values = Box::pin(values);
        let mut index = 0;
        Self::Polled(Box::new(move |cx, out| {
            values.as_mut().poll_next(cx).map(|next| {
                let encoded = next?.and_then(|value| encode_element(&value, index, out));
                index += 1;
                Some(encoded)
            })
        }))
    }
}

/// One entity into `out`, or how the source ended.
pub(super) fn step(next: &mut Next, out: Out<'_>) -> Option<Ended> {
    outcome(catch_unwind(AssertUnwindSafe(|| next(out))).ok())
}

/// The same of a source that is polled.
pub(super) async fn step_polled(next: &mut PollNext, (body, table): Out<'_>) -> Option<Ended> {
    let polled = AssertUnwindSafe(poll_fn(|cx| next(cx, (&mut *body, &mut *table)))).catch_unwind();
    outcome(polled.await.ok())
}

/// What a step came to; nothing where it panicked.
fn outcome(step: Option<Option<Result<()>>>) -> Option<Ended> {
    match step {
        Some(Some(Ok(()))) => None,
        Some(None) => Some(Ended::Finished),
        Some(Some(Err(error))) => Some(Ended::Failed(Code::SOURCE_FAILED, error.to_string())),
        None => Some(Ended::failed(&panicked())),
    }
}

fn panicked() -> Error {
    Error::new(Code::INTERNAL, "the source of the data panicked")
}

/// Drops user code, which may panic.
pub(super) fn discard(source: Option<Source>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(source)));
}
