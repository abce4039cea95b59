//! User code that produces entities one after the other.

use super::job::Sink;
use crate::data::{encode::encode_element, ended::Ended};
use crate::{Error, Result};
use farlens_wire::{Code, Element};
use futures::Stream;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Hands entities to the sink until that has enough, or says how they ended.
type Run = Box<dyn FnMut(&mut Sink) -> Option<Ended> + Send>;

/// The same where entities may have to be waited for. What was handed over is in the store once the
/// sink is dropped.
type PollRun = Box<dyn FnMut(&mut Context<'_>, Sink) -> Poll<Option<Ended>> + Send>;

/// What is pulled.
pub(super) enum Source {
    /// May block, so it runs on a thread of its own.
    Blocking(Run),
    /// Never blocks, so the read that waits polls it.
    Polled(PollRun),
}

impl Source {
    /// Entities that `next` encodes until it gives nothing.
    pub(super) fn encoded(
        mut next: impl FnMut(&mut Vec<u8>) -> Option<Result<()>> + Send + 'static,
    ) -> Self {
        Self::Blocking(Box::new(move |sink| {
            loop {
                let (body, _) = sink.entity();
                match next(body) {
                    None => return Some(Ended::Finished),
                    Some(Err(error)) => return Some(failed(&error)),
                    Some(Ok(())) if sink.keep() => {}
                    Some(Ok(())) => return None,
                }
            }
        }))
    }

    /// The values of an iterator.
    pub(super) fn values<T: Element>(values: impl Iterator<Item = T> + Send + 'static) -> Self {
        let mut values = values.enumerate();
        Self::Blocking(Box::new(move |sink| {
            loop {
                let Some((index, value)) = values.next() else { return Some(Ended::Finished) };
                if let Err(error) = encode_element(&value, index as u64, sink.entity()) {
                    return Some(failed(&error));
                }
                if !sink.keep() {
                    return None;
                }
            }
        }))
    }

    /// The values of a stream, up to its first error.
    pub(super) fn stream<T: Element>(
        values: impl Stream<Item = Result<T>> + Send + 'static,
    ) -> Self {
        let mut values = Box::pin(values);
        let mut index = 0;
        Self::Polled(Box::new(move |cx, mut sink| {
            poll_into(values.as_mut(), &mut index, cx, &mut sink)
        }))
    }
}

/// Hands the values of a stream to the sink until that has enough, or says how they ended. The next
/// one is the `index`th.
pub(super) fn poll_into<T: Element>(
    mut values: Pin<&mut impl Stream<Item = Result<T>>>,
    index: &mut u64,
    cx: &mut Context<'_>,
    sink: &mut Sink,
) -> Poll<Option<Ended>> {
    loop {
        let encoded = match ready!(values.as_mut().poll_next(cx)) {
            None => return Poll::Ready(Some(Ended::Finished)),
            Some(next) => next.and_then(|value| encode_element(&value, *index, sink.entity())),
        };
        if let Err(error) = encoded {
            return Poll::Ready(Some(failed(&error)));
        }
        *index += 1;
        if !sink.keep() {
            return Poll::Ready(None);
        }
    }
}

fn failed(error: &Error) -> Ended {
    Ended::Failed(Code::SOURCE_FAILED, error.to_string())
}

/// Runs user code; a panic is how the source ended.
pub(super) fn contained<T>(run: impl FnOnce() -> T) -> Result<T, Ended> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|_| Ended::failed(&Error::new(Code::INTERNAL, "the source of the data panicked")))
}

/// Drops user code, which may panic.
pub(super) fn discard(source: Option<Source>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(source)));
}
