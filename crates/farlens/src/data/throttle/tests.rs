use super::{Bucket, Throttled};
use crate::data::{Fetched, FixedData, MemData, ReadBudget, StreamerData, Topic};
use bytes::Bytes;
use farlens_proto::{Chunk, Rules};
use farlens_wire::{Pos, Position};
use futures::FutureExt;
use std::{num::NonZeroU64, sync::Arc, time::Duration};
use tokio::time::{Instant, advance};

const BURST: usize = 64 << 10;

fn bucket(rate: u64) -> Arc<Bucket> {
    Arc::new(Bucket::new(NonZeroU64::new(rate).expect("not zero")))
}

fn at(n: usize) -> Position {
    Position::new(n as u64).expect("small")
}

const fn want(bytes: usize) -> ReadBudget {
    ReadBudget { bytes, elements: u64::MAX }
}

/// Reads bytes to the end; how long that takes.
async fn drain(data: &Throttled, length: usize) -> Duration {
    let (begun, mut place) = (Instant::now(), 0);
    while place < length {
        match data.read_at(at(place), want(256 << 10)).await.expect("memory does not fail") {
            Fetched::Some(chunk) => place += chunk.cost(),
            Fetched::Nothing => panic!("nothing lies at {place}"),
        }
    }
    begun.elapsed()
}

fn about(time: Duration, seconds: f64) {
    assert!((time.as_secs_f64() - seconds).abs() < 0.02, "{time:?}, not {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn what_exceeds_the_burst_takes_its_time_to_be_read() {
    for (rate, length, seconds) in [
        (1_000, BURST, 0.0),
        (1_000, BURST + 5_120, 5.12),
        (100_000, 100_000, 0.0),
        (100_000, 400_000, 3.0),
        (50_000_000, 150_000_000, 2.0),
    ] {
        let data = Throttled::new(Arc::new(FixedData::bytes(vec![0; length])), bucket(rate));
        about(drain(&data, length).await, seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_share_a_bucket_share_its_rate() {
    let bucket = bucket(100_000);
    let data = || Throttled::new(Arc::new(FixedData::bytes(vec![0; 100_000])), Arc::clone(&bucket));
    let (one, two, three, four) = (data(), data(), data(), data());
    let begun = Instant::now();
    let read = async |data: Throttled| drain(&data, 100_000).await;
    let _ = tokio::join!(read(one), read(two), read(three), read(four));
    about(begun.elapsed(), 3.0);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_no_more_than_the_burst_passes_at_once() {
    let data = Throttled::new(Arc::new(FixedData::bytes(vec![0; 300_000])), bucket(100_000));
    about(drain(&data, 300_000).await, 2.0);
    advance(Duration::from_secs(3_600)).await;
    about(drain(&data, 300_000).await, 2.0);
}

#[tokio::test(start_paused = true)]
async fn writes_wait_as_reads_do_and_stay_whole() {
    let memory = MemData::new([]);
    let data = Throttled::new(Arc::new(memory.clone()), bucket(100_000));
    let chunk = || Chunk::Bytes(Bytes::from(vec![1; 80_000]));
    let begun = Instant::now();
    for written in 1..=4 {
        let stored = data.write_at(Pos::END, chunk(), &Rules::all()).await;
        assert_eq!(stored.map(|stored| stored.elements).ok(), Some(80_000));
        assert_eq!(memory.to_vec().len(), written * 80_000);
    }
    about(begun.elapsed(), 2.2);
}

#[tokio::test(start_paused = true)]
async fn what_can_pass_at_once_does_and_what_cannot_is_left_to_waiting() {
    let data = Throttled::new(Arc::new(MemData::new(vec![0; 200_000])), bucket(10_000));
    let mut place = 0;
    while let Some(read) = data.read_now(at(place), want(1_000)) {
        let Ok(Fetched::Some(chunk)) = read else { panic!("nothing lies at {place}") };
        place += chunk.cost();
    }
    assert_eq!(place, BURST / 1_000 * 1_000);
    let chunk = Chunk::Bytes(Bytes::from(vec![1; 1_000]));
    assert!(data.write_now(Pos::START, &chunk, &Rules::all()).is_none());
    advance(Duration::from_millis(100)).await;
    assert!(data.write_now(Pos::START, &chunk, &Rules::all()).is_some());
    assert!(data.read_now(at(0), want(1_000)).is_none());
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_takes_nothing_from_those_who_come_later() {
    let data = Throttled::new(Arc::new(FixedData::bytes(vec![0; 100_000])), bucket(1_000));
    drain(&data, BURST).await;
    for _ in 0..100 {
        assert!(data.read_at(at(0), want(512)).now_or_never().is_none());
    }
    let begun = Instant::now();
    let read = data.read_at(at(0), want(500)).await;
    assert!(matches!(read, Ok(Fetched::Some(_))));
    about(begun.elapsed(), 0.5);
}

#[tokio::test(start_paused = true)]
async fn readers_that_wait_for_elements_hold_up_nobody() {
    let (publisher, channel) = crate::data::channel::<u64>(8);
    let bucket = bucket(1_000);
    let readers: Vec<_> =
        (0..50).map(|_| Throttled::new(Arc::new(channel.open()), Arc::clone(&bucket))).collect();
    let waiting =
        futures::future::join_all(readers.iter().map(|reader| reader.read_at(at(0), want(9_000))));
    let mut waiting = std::pin::pin!(waiting);
    assert!(waiting.as_mut().now_or_never().is_none());
    let topic = Topic::<u64>::new(crate::data::Keep::new());
    topic.send(7).expect("it fits");
    let beside = Throttled::new(Arc::new(topic), bucket);
    assert!(beside.read_now(at(0), want(9_000)).is_some(), "nothing has passed");
    publisher.send(7).expect("there is room");
    assert!(waiting.await.iter().all(|read| matches!(read, Ok(Fetched::Some(_)))));
}
