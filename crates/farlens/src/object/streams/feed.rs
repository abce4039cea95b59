//! A stream that borrows from what it comes from, made one that owns it.
//!
//! A method like `fn poses(&self) -> impl Stream` gives a stream that cannot leave the object. So it
//! stays in a future, which owns the object and hands over one item at a time. Future and stream are
//! one: nothing runs but while the reader waits, and dropping the stream drops all of it.

use crate::object::CallContext;
use futures::{FutureExt, Stream, StreamExt, future::BoxFuture};
use parking_lot::Mutex;
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// The items that `work` hands to its feeder, until it returns.
///
/// `work` runs at once up to [`Feeder::feed`], so what it makes its stream of is done then.
pub fn feed<T, F>(work: impl FnOnce(Feeder<T>) -> F) -> impl Stream<Item = T> + Send + 'static
where
    T: Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let place = Arc::new(Mutex::new(None));
    let context = CallContext::current().after_answer();
    let mut work = context.scope(work(Feeder(Arc::clone(&place)))).boxed();
    let done = work.poll_unpin(&mut Context::from_waker(Waker::noop())).is_ready();
    Feed { place, work: (!done).then_some(work) }
}

/// Hands items over to a stream.
pub struct Feeder<T>(Arc<Mutex<Option<T>>>);

impl<T> Feeder<T> {
    /// Hands over everything that `stream` gives, each item when the reader wants it.
    pub async fn feed(self, stream: impl Stream<Item = T>) {
        let mut stream = pin!(stream);
        wanted().await;
        while let Some(item) = stream.next().await {
            *self.0.lock() = Some(item);
            wanted().await;
        }
    }
}

/// Waits until the reader waits. Only the reader polls, so that is when this is polled again.
async fn wanted() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

struct Feed<T> {
    /// The item that was just made.
    place: Arc<Mutex<Option<T>>>,
    /// Until it has returned.
    work: Option<BoxFuture<'static, ()>>,
}

impl<T> Stream for Feed<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let Some(work) = &mut this.work else { return Poll::Ready(None) };
        if work.poll_unpin(cx).is_ready() {
            this.work = None;
            return Poll::Ready(None);
        }
        match this.place.lock().take() {
            Some(item) => Poll::Ready(Some(item)),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, stream};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// The first `count` numbers; says how many have been made.
    fn numbers(count: u32, made: &Arc<AtomicU32>) -> impl Stream<Item = u32> + Send + 'static {
        let made = Arc::clone(made);
        feed(move |feeder| async move {
            made.fetch_add(100, Ordering::Relaxed);
            let made = &made;
            let each = stream::iter(0..count).inspect(|_| {
                made.fetch_add(1, Ordering::Relaxed);
            });
            feeder.feed(each).await;
        })
    }

    #[test]
    fn items_are_made_one_at_a_time_and_when_they_are_wanted() {
        let made = Arc::new(AtomicU32::new(0));
        let mut numbers = Box::pin(numbers(3, &made));
        assert_eq!(made.load(Ordering::Relaxed), 100, "the stream is there, and no item");
        for n in 0..3 {
            assert_eq!(block_on(numbers.next()), Some(n));
            assert_eq!(made.load(Ordering::Relaxed), 101 + n);
        }
        assert_eq!(block_on(numbers.next()), None);
        assert_eq!(block_on(numbers.next()), None);
    }

    #[test]
    fn a_stream_that_is_dropped_lets_everything_go() {
        let made = Arc::new(AtomicU32::new(0));
        let mut numbers = Box::pin(numbers(3, &made));
        assert_eq!(block_on(numbers.next()), Some(0));
        drop(numbers);
        assert_eq!(Arc::strong_count(&made), 1);
    }

    #[tokio::test]
    async fn an_item_that_is_waited_for_wakes_the_reader() {
        let (give, take) = tokio::sync::oneshot::channel();
        let numbers = feed(move |feeder| async move {
            feeder.feed(stream::once(async move { take.await.unwrap_or(0) })).await;
        });
        let read = tokio::spawn(numbers.collect::<Vec<u32>>());
        tokio::task::yield_now().await;
        give.send(7).expect("the reader waits");
        assert_eq!(read.await.expect("it ends"), [7]);
    }

    #[tokio::test]
    async fn items_are_made_in_the_context_of_the_call() {
        let context = CallContext::default().of_call(None).expect("one level is allowed");
        let depths = context
            .scope(async {
                feed(|feeder| async move {
                    let depth = stream::once(async { CallContext::current().depth() });
                    feeder.feed(depth).await;
                })
            })
            .await;
        assert_eq!(depths.collect::<Vec<_>>().await, [1]);
    }
}
