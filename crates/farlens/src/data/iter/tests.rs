mod polled;

use super::*;
use crate::data::items::take_within;
use farlens_proto::{BatchBuilder, Chunk};
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
};

const MANY: ReadBudget = ReadBudget { bytes: 64 * 1024, elements: 1_000 };

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn budget(bytes: usize, elements: u64) -> ReadBudget {
    ReadBudget { bytes, elements }
}

/// Yields the numbers below `count` in four bytes each, and counts how many it was asked for.
fn numbers(count: usize) -> (OpenIter, Arc<AtomicUsize>) {
    let pulled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&pulled);
    let open = open(move |body| {
        let n = counter.load(Ordering::SeqCst);
        if n == count {
            return None;
        }
        counter.store(n + 1, Ordering::SeqCst);
        body.extend(u32::try_from(n).expect("small").to_be_bytes());
        Some(Ok(()))
    });
    (open, pulled)
}

fn open(next: impl FnMut(&mut Vec<u8>) -> Option<Result<()>> + Send + 'static) -> OpenIter {
    IterData::encoded(next).open().expect("nobody has it")
}

/// Reads to the end or the failure: how many entities, and which failure.
async fn drain(data: &OpenIter, budget: ReadBudget) -> (u64, Option<Error>) {
    let mut place = 0;
    loop {
        match data.read_at(at(place), budget).await {
            Ok(Fetched::Some(chunk)) => place += chunk.elements(),
            Ok(Fetched::Nothing) => return (place, None),
            Err(error) => return (place, Some(error)),
        }
    }
}

async fn elements(data: &OpenIter, from: u64, budget: ReadBudget) -> u64 {
    match data.read_at(at(from), budget).await.expect("no failure") {
        Fetched::Some(chunk) => chunk.elements(),
        Fetched::Nothing => 0,
    }
}

#[tokio::test]
async fn g7_exactly_the_items_come_and_then_the_end() {
    let (data, _) = numbers(2_500);
    assert_eq!(data.offers().possible, Flags::NONE, "no seeking");
    let before = data.state().await.expect("known");
    assert_eq!((before.bounds, before.ended), (Bounds::open_end(), false));
    let mut place = 0;
    while let Fetched::Some(chunk) = data.read_at(at(place), MANY).await.expect("no failure") {
        let Chunk::Items(batch) = chunk else { panic!("entities") };
        for body in batch.iter() {
            assert_eq!(u32::from_be_bytes(body.try_into().expect("four")), place as u32);
            place += 1;
        }
    }
    assert_eq!(place, 2_500);
    let after = data.changed(before).await;
    assert_eq!((after.bounds, after.ended), (Bounds::up_to(at(2_500)), true));
}

#[tokio::test]
async fn g8_an_error_comes_after_exactly_the_items_before_it() {
    for k in [0, 1, 500] {
        let mut left = k;
        let data = open(move |_| match left {
            0 => Some(Err(Error::new(Code::BAD_INPUT, "line 7 is no number"))),
            _ => {
                left -= 1;
                Some(Ok(()))
            }
        });
        let (count, error) = drain(&data, MANY).await;
        let error = error.expect("it fails");
        assert_eq!((count, error.code()), (k, Code::SOURCE_FAILED));
        assert_eq!(error.message(), "line 7 is no number");
        assert!(!data.state().await.expect("known").ended, "a failure is no end");
        assert!(drain(&data, MANY).await.1.is_some(), "and it stays");
    }
}

#[tokio::test]
async fn s11_a_panic_fails_the_stream_after_the_items_before_it() {
    let mut left = 3;
    let data = open(move |body| {
        assert!(left > 0, "a secret of the host");
        left -= 1;
        body.push(1);
        Some(Ok(()))
    });
    let (count, error) = drain(&data, MANY).await;
    let error = error.expect("it fails");
    assert_eq!((count, error.code()), (3, Code::INTERNAL));
    assert!(!error.to_string().contains("secret"));
}

#[tokio::test]
async fn g9_nothing_is_pulled_before_it_is_asked_for() {
    let (data, pulled) = numbers(usize::MAX);
    data.state().await.expect("known");
    assert!(data.read_now(at(0), MANY).is_none());
    assert_eq!(pulled.load(Ordering::SeqCst), 0);
    let mut place = 0;
    while place < 10 {
        place += elements(&data, place, budget(1_000, 10 - place)).await;
    }
    assert_eq!(pulled.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn s11_an_endless_iterator_is_pulled_within_the_budget() {
    let (data, pulled) = numbers(usize::MAX);
    let mut place = 0;
    for _ in 0..100 {
        place += elements(&data, place, budget(400, 1_000_000)).await;
    }
    let ahead = pulled.load(Ordering::SeqCst) - usize::try_from(place).expect("small");
    assert!(ahead <= 100, "{ahead} entities of four bytes for 400 bytes");
}

#[tokio::test]
async fn other_positions_are_out_of_range() {
    let (data, _) = numbers(10);
    let wrong = data.read_at(at(1), MANY).await.expect_err("ahead");
    assert_eq!(wrong.code(), Code::OUT_OF_RANGE);
    let taken = elements(&data, 0, budget(100, 1)).await;
    assert_eq!(taken, 1);
    let wrong = data.read_now(at(0), MANY).expect("known").expect_err("behind");
    assert_eq!(wrong.code(), Code::OUT_OF_RANGE);
}

#[tokio::test]
async fn what_did_not_fit_comes_first_the_next_time() {
    let mut sizes = [3_usize, 500, 2, 1].into_iter();
    let data = open(move |body| {
        body.resize(sizes.next()?, 0);
        Some(Ok(()))
    });
    let mut lengths = Vec::new();
    let mut place = 0;
    while let Fetched::Some(Chunk::Items(batch)) =
        data.read_at(at(place), budget(10, 10)).await.expect("no failure")
    {
        place += batch.count();
        let size: usize = batch.iter().map(<[u8]>::len).sum();
        assert!(size <= 10 || batch.count() == 1);
        lengths.extend(batch.iter().map(<[u8]>::len));
    }
    assert_eq!(lengths, [3, 500, 2, 1]);
}

#[test]
fn a_budget_of_elements_leaves_the_rest_in_place() {
    let mut builder = BatchBuilder::default();
    (0..5).for_each(|n| builder.push(&[n]));
    let mut batch = builder.finish();
    assert_eq!(take_within(&mut batch, budget(100, 2)).count(), 2);
    assert_eq!(take_within(&mut batch, budget(1, 9)).iter().next(), Some(&[2][..]));
    assert_eq!(batch.count(), 2);
}

/// An iterator that yields what the test sends, and tells when it was dropped.
struct Fed {
    items: mpsc::Receiver<u8>,
    dropped: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Drop for Fed {
    fn drop(&mut self) {
        let _ = self.dropped.take().expect("dropped once").send(());
    }
}

fn fed() -> (IterData, mpsc::SyncSender<u8>, tokio::sync::oneshot::Receiver<()>) {
    let (send, items) = mpsc::sync_channel(8);
    let (dropped, gone) = tokio::sync::oneshot::channel();
    let fed = Fed { items, dropped: Some(dropped) };
    let data = IterData::encoded(move |body| {
        // The whole of `fed` moves in, so that its end is seen.
        let fed = &fed;
        body.push(fed.items.recv().ok()?);
        Some(Ok(()))
    });
    (data, send, gone)
}

#[tokio::test]
async fn a_slow_iterator_delivers_each_item_as_it_comes() {
    let (data, send, _gone) = fed();
    let open = data.open().expect("free");
    for n in 0..5 {
        // Only one entity exists, and the iterator blocks behind it: the read must not wait.
        send.send(n).expect("it lives");
        assert_eq!(elements(&open, u64::from(n), MANY).await, 1);
    }
    drop(send);
    assert_eq!(elements(&open, 5, MANY).await, 0);
}

#[tokio::test]
async fn a_read_that_is_dropped_loses_nothing() {
    let (data, send, _gone) = fed();
    let open = data.open().expect("free");
    {
        let mut read = std::pin::pin!(open.read_at(at(0), MANY));
        let first = futures::poll!(&mut read);
        assert!(matches!(first, Poll::Pending), "the job runs and waits");
    }
    send.send(1).expect("it lives");
    send.send(2).expect("it lives");
    drop(send);
    let (count, error) = drain(&open, MANY).await;
    assert_eq!(count, 2);
    assert!(error.is_none());
}

#[tokio::test]
async fn g10_dropping_the_stream_drops_the_iterator() {
    let (data, send, gone) = fed();
    let open = data.open().expect("free");
    assert_eq!(data.open().expect_err("taken").code(), Code::BUSY);
    send.send(1).expect("it is awaited");
    assert!(open.read_at(at(0), ReadBudget { bytes: 1, elements: 1 }).await.is_ok());
    drop(open);
    gone.await.expect("dropped");
    assert_eq!(data.open().expect_err("used up").code(), Code::CLOSED);
}

#[tokio::test]
async fn a_stream_that_asked_for_nothing_leaves_the_iterator_as_it_was() {
    let (data, send, _gone) = fed();
    drop(data.open().expect("free"));
    let open = data.open().expect("free again");
    send.send(1).expect("it is awaited");
    assert!(open.read_at(at(0), ReadBudget { bytes: 1, elements: 1 }).await.is_ok());
}

#[tokio::test]
async fn g10_dropping_the_stream_while_the_iterator_blocks_drops_it_after_that() {
    let (data, send, gone) = fed();
    let open = data.open().expect("free");
    {
        let mut read = std::pin::pin!(open.read_at(at(0), MANY));
        assert!(matches!(futures::poll!(&mut read), Poll::Pending));
    }
    drop(open);
    send.send(1).expect("it blocks in its call");
    gone.await.expect("dropped");
}

#[tokio::test]
async fn an_iterator_that_ended_is_dropped_at_once() {
    let (data, send, gone) = fed();
    let open = data.open().expect("free");
    drop(send);
    assert_eq!(elements(&open, 0, MANY).await, 0);
    gone.await.expect("dropped although the stream is open");
}
