//! A source that is a future: whoever reads lends it the sink, and it fills that.
//!
//! So a stream can be read that borrows from something, and lives in the future which owns that. It
//! takes a lock for each run of entities and none for an entity.

use super::{
    IterData,
    job::Sink,
    source::{Source, poll_into},
};
use crate::{Result, data::ended::Ended};
use farlens_wire::Element;
use futures::{FutureExt, Stream, future::BoxFuture};
use parking_lot::Mutex;
use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

/// Where the reader and the future leave things for each other.
#[derive(Clone, Default)]
pub(crate) struct Desk(Arc<Mutex<Turn>>);

#[derive(Default)]
enum Turn {
    /// Nobody reads, or the reader waits for the future.
    #[default]
    Idle,
    /// A read wants what fits.
    Begun(Sink),
    /// It has enough.
    Filled,
    Over(Ended),
}

impl Desk {
    /// Hands over everything that `values` gives, each value when a read wants it. Nothing is taken
    /// of them before this is polled by one.
    pub(crate) async fn fill<T: Element>(self, values: impl Stream<Item = Result<T>>) {
        let (mut values, mut index) = (pin!(values), 0);
        let end = poll_fn(|cx| {
            // Values are user code, so the sink is off the desk meanwhile.
            let Turn::Begun(mut sink) = self.swap(Turn::Idle) else { return Poll::Pending };
            let polled = poll_into(values.as_mut(), &mut index, cx, &mut sink);
            drop(sink);
            match polled {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(end)) => Poll::Ready(end),
                Poll::Ready(None) => {
                    self.swap(Turn::Filled);
                    Poll::Pending
                }
            }
        });
        let end = end.await;
        self.swap(Turn::Over(end));
    }

    fn swap(&self, turn: Turn) -> Turn {
        std::mem::replace(&mut *self.0.lock(), turn)
    }
}

impl IterData {
    /// Publishes the values that `work` fills the desk with, as [`IterData::from_stream`] does. It
    /// is polled only while a read waits.
    pub(crate) fn lent<T: Element>(mut work: BoxFuture<'static, ()>, desk: Desk) -> Self {
        let source = Source::Polled(Box::new(move |cx, sink| {
            desk.swap(Turn::Begun(sink));
            let done = work.poll_unpin(cx).is_ready();
            match desk.swap(Turn::Idle) {
                Turn::Over(end) => Poll::Ready(Some(end)),
                Turn::Filled => Poll::Ready(None),
                _ if done => Poll::Ready(Some(Ended::Finished)),
                _ => Poll::Pending,
            }
        }));
        Self::of(source, T::schema())
    }
}
