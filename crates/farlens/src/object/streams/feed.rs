//! A stream that borrows from what it comes from, made data that owns it.
//!
//! A method like `fn poses(&self) -> impl Stream` gives a stream that cannot leave the object. So it
//! stays in a future, which owns the object and hands items over while a read waits for them.
//! Future and data are one: nothing runs but while the reader waits, and dropping the data drops all
//! of it.

use super::Item;
use crate::{
    data::{Desk, IterData},
    object::CallContext,
};
use futures::{FutureExt, Stream, StreamExt};
use std::{
    marker::PhantomData,
    task::{Context, Waker},
};

/// Data of the items that `work` hands to its feeder.
///
/// `work` runs at once up to [`Feeder::feed`], so what it makes its stream of is done then.
pub(super) fn feed<I, F>(work: impl FnOnce(Feeder<I>) -> F) -> IterData
where
    I: Item,
    F: Future<Output = ()> + Send + 'static,
{
    let desk = Desk::default();
    let feeder = Feeder { desk: desk.clone(), items: PhantomData };
    let mut work = CallContext::current().after_answer().scope(work(feeder)).boxed();
    // Nothing is asked for yet, so it comes no further than to its feeder.
    let _ = work.poll_unpin(&mut Context::from_waker(Waker::noop()));
    IterData::lent::<I::Element>(work, desk)
}

/// Hands items over to a reader.
pub struct Feeder<I> {
    desk: Desk,
    items: PhantomData<fn(I)>,
}

impl<I: Item> Feeder<I> {
    /// Hands over everything that `stream` gives, each item when the reader wants it.
    pub async fn feed(self, stream: impl Stream<Item = I>) {
        self.desk.fill(stream.map(I::into_result)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Chunk, Result,
        data::{Fetched, OpenIter, ReadBudget, StreamerData},
    };
    use farlens_wire::Position;
    use futures::{executor::block_on, stream};
    use std::sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    };

    /// The first `count` numbers; says how many have been made.
    fn numbers(count: u8, made: &Arc<AtomicU8>) -> IterData {
        let made = Arc::clone(made);
        feed(move |feeder| async move {
            made.fetch_add(100, Ordering::Relaxed);
            let made = &made;
            let each = stream::iter((0..count).map(Ok)).inspect(|_: &Result<u8>| {
                made.fetch_add(1, Ordering::Relaxed);
            });
            feeder.feed(each).await;
        })
    }

    /// Reads so many numbers at the most, from that place on.
    async fn try_read(data: &OpenIter, at: u64, elements: u64) -> Result<Vec<u8>> {
        let at = Position::new(at).unwrap_or_default();
        let fetched = data.read_at(at, ReadBudget { bytes: 1 << 10, elements }).await?;
        let Fetched::Some(Chunk::Items(batch)) = fetched else { return Ok(Vec::new()) };
        Ok(batch.iter().map(|body| body.iter().sum()).collect())
    }

    async fn read(data: &OpenIter, at: u64, elements: u64) -> Vec<u8> {
        try_read(data, at, elements).await.expect("there are numbers, or the end")
    }

    #[test]
    fn items_are_made_when_they_are_wanted_and_none_ahead() {
        let made = Arc::new(AtomicU8::new(0));
        let numbers = numbers(3, &made).open().expect("nobody has it");
        assert_eq!(made.load(Ordering::Relaxed), 100, "the stream is there, and no item");
        assert_eq!(block_on(read(&numbers, 0, 1)), [0]);
        assert_eq!(made.load(Ordering::Relaxed), 101);
        assert_eq!(block_on(read(&numbers, 1, 2)), [1, 2]);
        assert_eq!(made.load(Ordering::Relaxed), 103);
        assert!(block_on(read(&numbers, 3, 1)).is_empty());
        assert!(block_on(read(&numbers, 3, 1)).is_empty());
    }

    #[test]
    fn a_stream_that_is_dropped_lets_everything_go() {
        let made = Arc::new(AtomicU8::new(0));
        let numbers = numbers(3, &made).open().expect("nobody has it");
        assert_eq!(block_on(read(&numbers, 0, 1)), [0]);
        drop(numbers);
        assert_eq!(Arc::strong_count(&made), 1);
    }

    #[test]
    fn what_was_made_before_a_panic_is_read() {
        let each = stream::iter((0..3).map(|n| if n < 2 { Ok(n) } else { panic!("a test") }));
        let numbers = feed(|feeder: Feeder<Result<u8>>| async move { feeder.feed(each).await });
        let numbers = numbers.open().expect("nobody has it");
        assert_eq!(block_on(read(&numbers, 0, 5)), [0, 1]);
        assert!(block_on(try_read(&numbers, 2, 5)).is_err());
    }

    #[tokio::test]
    async fn an_item_that_is_waited_for_wakes_the_reader() {
        let (give, take) = tokio::sync::oneshot::channel();
        let numbers = feed(move |feeder| async move {
            feeder.feed(stream::once(async move { Ok(take.await.unwrap_or(0u8)) })).await;
        });
        let numbers = numbers.open().expect("nobody has it");
        let read = tokio::spawn(async move { read(&numbers, 0, 1).await });
        tokio::task::yield_now().await;
        give.send(7).expect("the reader waits");
        assert_eq!(read.await.expect("it ends"), [7]);
    }

    #[tokio::test]
    async fn items_are_made_in_the_context_of_the_call() {
        let context = CallContext::default().of_call(None).expect("one level is allowed");
        let made = context.scope(async {
            feed(|feeder| async move {
                let depth = stream::once(async { Ok(CallContext::current().depth() as u8) });
                feeder.feed(depth).await;
            })
        });
        let depths = made.await.open().expect("nobody has it");
        assert_eq!(read(&depths, 0, 5).await, [1]);
    }
}
