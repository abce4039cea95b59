//! What holds of an iterator holds of an asynchronous stream.

use super::*;
use futures::{channel::mpsc, stream};
use tokio::sync::oneshot;

/// The numbers below `count`, and how many of them were taken.
fn counted(count: u64) -> (IterData, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let values = stream::iter(0..count).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    (IterData::from_value_stream(values), taken)
}

/// Values that the test sends, and word of when the stream was dropped.
fn fed() -> (IterData, mpsc::Sender<u64>, oneshot::Receiver<()>) {
    let (send, values) = mpsc::channel(8);
    let (dropped, gone) = oneshot::channel::<()>();
    let values = values.map(move |value| {
        let _whole = &dropped;
        value
    });
    (IterData::from_value_stream(values), send, gone)
}

#[tokio::test]
async fn exactly_the_values_come_and_then_the_end() {
    let (data, taken) = counted(2_500);
    assert_eq!(data.schema(), IterData::new([0_u64]).schema());
    let open = data.open().expect("free");
    let (count, error) = drain(&open, MANY).await;
    assert_eq!((count, error.is_none(), taken.load(Ordering::SeqCst)), (2_500, true, 2_500));
    let state = open.state().await.expect("known");
    assert_eq!((state.bounds, state.ended), (Bounds::up_to(at(2_500)), true));
}

#[tokio::test]
async fn an_error_comes_after_exactly_the_values_before_it() {
    for k in [0, 1, 500] {
        let failing = (0..k).map(Ok).chain([Err(Error::new(Code::BAD_INPUT, "no number"))]);
        let values = stream::iter(failing.chain([Ok(k)]));
        let open = IterData::from_stream(values).open().expect("free");
        let (count, error) = drain(&open, MANY).await;
        let error = error.expect("it fails");
        assert_eq!((count, error.code()), (k, Code::SOURCE_FAILED));
        assert_eq!(error.message(), "no number");
        assert!(drain(&open, MANY).await.1.is_some(), "and it stays");
    }
}

#[tokio::test]
async fn a_panic_fails_the_stream_after_the_values_before_it() {
    let values = stream::iter(0..9_u64).inspect(|n| assert!(*n < 3, "a secret of the host"));
    let open = IterData::from_value_stream(values).open().expect("free");
    let (count, error) = drain(&open, MANY).await;
    let error = error.expect("it fails");
    assert_eq!((count, error.code()), (3, Code::INTERNAL));
    assert!(!error.to_string().contains("secret"));
}

#[tokio::test]
async fn nothing_is_taken_beyond_what_was_asked_for() {
    let (data, taken) = counted(u64::MAX);
    let open = data.open().expect("free");
    open.state().await.expect("known");
    assert!(open.read_now(at(0), MANY).is_none());
    tokio::task::yield_now().await;
    assert_eq!(taken.load(Ordering::SeqCst), 0);
    let mut place = 0;
    while place < 10 {
        place += elements(&open, place, budget(1_000, 10 - place)).await;
    }
    assert_eq!(taken.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn a_value_that_did_not_fit_comes_first_the_next_time() {
    let values = stream::iter([3, 500, 2, 1].map(|length| vec![0_u8; length]));
    let open = IterData::from_value_stream(values).open().expect("free");
    let (mut place, mut lengths) = (0, Vec::new());
    while let Fetched::Some(Chunk::Items(batch)) =
        open.read_at(at(place), budget(10, 10)).await.expect("no failure")
    {
        place += batch.count();
        let size: usize = batch.iter().map(<[u8]>::len).sum();
        assert!(size <= 10 || batch.count() == 1);
        lengths.extend(batch.iter().map(<[u8]>::len));
    }
    assert_eq!(lengths, [4, 502, 3, 2], "each with its own length before it");
}

#[tokio::test]
async fn a_slow_stream_delivers_each_value_as_it_comes() {
    let (data, mut send, _gone) = fed();
    let open = data.open().expect("free");
    for n in 0..5 {
        {
            let mut read = std::pin::pin!(open.read_at(at(n), MANY));
            assert!(futures::poll!(&mut read).is_pending(), "a read that is dropped loses nothing");
        }
        send.try_send(n).expect("it lives");
        assert_eq!(elements(&open, n, MANY).await, 1);
    }
    drop(send);
    assert_eq!(elements(&open, 5, MANY).await, 0);
}

#[tokio::test]
async fn dropping_the_reader_drops_a_stream_that_waits() {
    let (data, _send, gone) = fed();
    let open = data.open().expect("free");
    assert_eq!(data.open().expect_err("taken").code(), Code::BUSY);
    {
        let mut read = std::pin::pin!(open.read_at(at(0), MANY));
        assert!(futures::poll!(&mut read).is_pending());
    }
    drop(open);
    assert!(gone.await.is_err(), "dropped although nothing was sent");
    assert_eq!(data.open().expect_err("used up").code(), Code::CLOSED);
}

#[tokio::test]
async fn a_reader_that_asked_for_nothing_leaves_the_stream_as_it_was() {
    let (data, taken) = counted(3);
    drop(data.open().expect("free"));
    assert_eq!(taken.load(Ordering::SeqCst), 0);
    assert_eq!(drain(&data.open().expect("free again"), MANY).await.0, 3);
}
