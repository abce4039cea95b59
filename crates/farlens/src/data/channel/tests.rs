use super::*;
use crate::data::{Fetched, ReadBudget, StreamerData};
use crate::{Error, Result};
use farlens_proto::Chunk;
use farlens_wire::{Code, Limits, Position};
use std::{pin::pin, sync::mpsc, thread, time::Duration};

const ALL: ReadBudget = ReadBudget { bytes: 256 << 10, elements: u64::MAX };

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn decode(fetched: Fetched) -> Vec<u64> {
    match fetched {
        Fetched::Some(Chunk::Items(batch)) => {
            let limits = Limits::default();
            batch.iter().map(|body| u64::decode(body, &limits).expect("a number")).collect()
        }
        Fetched::Some(Chunk::Bytes(_)) => panic!("entities"),
        Fetched::Nothing => Vec::new(),
    }
}

/// What is there without waiting; nothing where a read would wait.
fn now(reader: &ChannelReader, from: u64, elements: u64) -> Option<Vec<u64>> {
    let budget = ReadBudget { elements, ..ALL };
    reader.read_now(at(from), budget).map(|answer| decode(answer.expect("in range")))
}

/// Reads to the end or the failure.
async fn drain(reader: &ChannelReader) -> (Vec<u64>, Option<Error>) {
    let first = reader.current().bounds.start.expect("it has one").get();
    let mut all = Vec::new();
    loop {
        match reader.read_at(at(first + all.len() as u64), ALL).await.map(decode) {
            Ok(values) if values.is_empty() => return (all, None),
            Ok(values) => all.extend(values),
            Err(error) => return (all, Some(error)),
        }
    }
}

fn code(result: Result<()>) -> Code {
    result.expect_err("it is refused").code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_gets_every_element_of_a_thread_that_is_held_back() {
    let (publisher, channel) = channel::<u64>(64);
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let reader = channel.open();
            tokio::spawn(async move { drain(&reader).await.0 })
        })
        .collect();
    let sender = thread::spawn(move || (0..20_000).try_for_each(|n| publisher.send(n)));
    for reader in readers {
        assert!(reader.await.expect("it reads").into_iter().eq(0..20_000));
    }
    sender.join().expect("no panic").expect("all was sent");
}

#[test]
fn a_full_buffer_refuses_and_a_read_further_on_makes_room() {
    let (publisher, channel) = channel::<u64>(3);
    let (slow, fast) = (channel.open(), channel.open());
    (0..3).for_each(|n| publisher.try_send(n).expect("room"));
    assert_eq!(code(publisher.try_send(3)), Code::OVERLOADED);
    assert_eq!(now(&fast, 0, 9), Some(vec![0, 1, 2]));
    assert_eq!(now(&fast, 3, 9), None, "it would wait");
    assert_eq!(code(publisher.try_send(3)), Code::OVERLOADED, "the slow one needs them");
    assert_eq!(now(&slow, 0, 2), Some(vec![0, 1]));
    assert_eq!(code(publisher.try_send(3)), Code::OVERLOADED, "they may be asked for again");
    assert_eq!(now(&slow, 2, 1), Some(vec![2]));
    publisher.try_send(3).expect("room");
    publisher.try_send(4).expect("room");
    assert_eq!(code(publisher.try_send(5)), Code::OVERLOADED);
    // A reader that wants only the latest leaves out what it likes.
    assert!(slow.is_live());
    assert_eq!(now(&slow, 4, 9), Some(vec![4]));
    assert_eq!(now(&fast, 4, 9), Some(vec![4]));
    publisher.try_send(5).expect("room");
    let error = slow.read_now(at(3), ALL).expect("known").expect_err("it was let go of");
    assert_eq!(error.code(), Code::OUT_OF_RANGE);
    let error = slow.read_now(at(7), ALL).expect("known").expect_err("beyond the end");
    assert_eq!(error.code(), Code::OUT_OF_RANGE);
}

#[test]
fn a_new_reader_starts_with_the_oldest_in_the_buffer() {
    let (publisher, channel) = channel::<u64>(10);
    (0..5).for_each(|n| publisher.try_send(n).expect("room"));
    let first = channel.open();
    assert_eq!(now(&first, 0, 3), Some(vec![0, 1, 2]));
    assert_eq!(now(&first, 3, 1), Some(vec![3]));
    let second = channel.open();
    let state = second.state_now().expect("at once").expect("memory does not fail");
    assert_eq!((state.bounds.start, state.bounds.end), (Some(at(3)), Some(at(5))));
    assert_eq!(now(&second, 3, 9), Some(vec![3, 4]));
    assert_eq!(first.current().bounds.start, Some(at(0)), "where it began stays");
}

#[test]
fn without_a_reader_the_buffer_fills_and_then_the_sender_waits_for_one() {
    let (publisher, channel) = channel::<u64>(4);
    let (filled, is_full) = mpsc::sync_channel(1);
    let sender = thread::spawn(move || {
        for n in 0..6 {
            if n == 4 {
                assert_eq!(code(publisher.try_send(n)), Code::OVERLOADED);
                filled.send(()).expect("the test waits");
            }
            publisher.send(n).expect("a reader comes");
        }
    });
    is_full.recv().expect("it fills");
    let reader = channel.open();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("one");
    assert!(runtime.block_on(drain(&reader)).0.into_iter().eq(0..6));
    sender.join().expect("it was released");
}

#[test]
fn without_a_reader_the_oldest_goes_if_that_is_wanted() {
    let (publisher, channel) = channel::<u64>(4);
    let channel = channel.unread(Unread::DropOldest);
    (0..10).for_each(|n| publisher.send(n).expect("room is made"));
    let reader = channel.open();
    assert_eq!(code(publisher.try_send(10)), Code::OVERLOADED, "now there is a reader");
    assert_eq!(now(&reader, 6, 9), Some(vec![6, 7, 8, 9]));
}

/// How a `send` ended that was blocked on a full channel when `free` ran. What that gives back
/// lives until then.
fn blocked_until<K>(
    free: impl FnOnce(Publisher<u64>, ChannelReader, Channel<u64>) -> K,
) -> Result<()> {
    let (publisher, channel) = channel::<u64>(1);
    let reader = channel.open();
    publisher.send(0).expect("room");
    let (started, about_to_block) = mpsc::sync_channel(1);
    let other = publisher.clone();
    let sender = thread::spawn(move || {
        started.send(()).expect("the test waits");
        other.send(1)
    });
    about_to_block.recv().expect("it starts");
    let kept = free(publisher, reader, channel);
    let sent = sender.join().expect("no panic");
    drop(kept);
    sent
}

fn read_past_the_first(reader: &ChannelReader) {
    assert_eq!(now(reader, 0, 1), Some(vec![0]));
    let _ = now(reader, 1, 1);
}

#[test]
fn a_blocked_sender_is_released_by_whatever_ends_its_waiting() {
    let went_on = blocked_until(|_, reader, _| {
        read_past_the_first(&reader);
        reader
    });
    went_on.expect("the reader went on");
    let slow_one_left = blocked_until(|_, reader, channel| {
        let other = channel.open();
        read_past_the_first(&other);
        drop(reader);
        other
    });
    slow_one_left.expect("the slow reader left");
    let unread = blocked_until(|_, reader, channel| {
        drop(reader);
        channel.unread(Unread::DropOldest)
    });
    unread.expect("room was made");
    let closed = blocked_until(|publisher, reader, _| {
        publisher.close();
        reader
    });
    assert_eq!(code(closed), Code::CLOSED);
    let forsaken = blocked_until(|_, reader, channel| drop((reader, channel)));
    assert_eq!(code(forsaken), Code::CLOSED);
}

#[test]
fn a_send_gives_up_in_time_or_at_once_in_a_thread_of_a_runtime() {
    let (publisher, _channel) = channel::<u64>(1);
    publisher.send(0).expect("room");
    assert_eq!(code(publisher.send_timeout(1, Duration::from_millis(5))), Code::TIMEOUT);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("one");
    runtime.block_on(async {
        let error = publisher.send(1).expect_err("it must not block");
        assert_eq!(error.code(), Code::USAGE);
        assert!(error.hint().is_some_and(|hint| hint.contains("send_async")));
        assert_eq!(code(publisher.send_timeout(1, Duration::MAX)), Code::USAGE);
        assert_eq!(code(publisher.try_send(1)), Code::OVERLOADED);
    });
}

#[tokio::test]
async fn an_async_sender_waits_without_blocking_and_a_dropped_send_sends_nothing() {
    let (publisher, channel) = channel::<u64>(1);
    let reader = channel.open();
    publisher.send_async(0).await.expect("room");
    assert!(futures::poll!(pin!(publisher.send_async(7))).is_pending());
    let sender = tokio::spawn(async move {
        for n in 1..1_000 {
            publisher.send_async(n).await?;
        }
        Ok::<_, Error>(())
    });
    assert!(drain(&reader).await.0.into_iter().eq(0..1_000));
    sender.await.expect("no panic").expect("all was sent");
}

#[tokio::test]
async fn the_last_publisher_ends_the_channel() {
    let (publisher, channel) = channel::<u64>(10);
    let other = publisher.clone();
    publisher.try_send(0).expect("room");
    drop(publisher);
    let reader = channel.open();
    assert!(!reader.current().ended);
    other.try_send(1).expect("one is left");
    drop(other);
    assert_eq!(now(&reader, 0, 9), Some(vec![0, 1]));
    assert_eq!(now(&reader, 2, 9), Some(vec![]), "the end is final");
    let state = reader.state().await.expect("memory does not fail");
    assert_eq!((state.bounds, state.ended), (Bounds::up_to(at(2)), true));
}

#[tokio::test]
async fn a_failure_comes_after_the_last_element_and_stays() {
    let (publisher, channel) = channel::<u64>(10);
    let reader = channel.open();
    publisher.try_send(0).expect("room");
    publisher.fail(&Error::new(Code::SOURCE_FAILED, "the probe fell off"));
    publisher.close();
    assert_eq!(code(publisher.try_send(1)), Code::CLOSED);
    assert_eq!(now(&reader, 0, 9), Some(vec![0]));
    let failure = reader.read_now(at(1), ALL).expect("known").expect_err("it failed");
    assert_eq!(failure.code(), Code::SOURCE_FAILED);
    let failure = reader.read_at(at(1), ALL).await.expect_err("it stays");
    assert_eq!((failure.code(), failure.message()), (Code::SOURCE_FAILED, "the probe fell off"));
    assert!(!reader.current().ended, "a failure is no end");
}

#[test]
fn a_value_that_cannot_be_encoded_is_refused_and_leaves_nothing_behind() {
    let (publisher, channel) = channel::<farlens_wire::Entity>(10);
    let reader = channel.open();
    let deep =
        |n| (0..n).fold(farlens_wire::Entity::Null, |e, _| farlens_wire::Entity::List(vec![e]));
    assert_eq!(code(publisher.send(deep(100))), Code::USAGE);
    publisher.send(deep(1)).expect("room");
    assert_eq!(reader.current().bounds, Bounds::up_to(at(1)));
}

#[test]
fn eight_threads_keep_each_their_order() {
    const EACH: u64 = 2_000;
    let (publisher, channel) = channel::<u64>(32);
    let reader = channel.open();
    let senders: Vec<_> = (0..8)
        .map(|thread| {
            let publisher = publisher.clone();
            thread::spawn(move || (0..EACH).try_for_each(|n| publisher.send(thread << 32 | n)))
        })
        .collect();
    drop(publisher);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("one");
    let (all, _) = runtime.block_on(drain(&reader));
    let mut next = [0; 8];
    for value in all {
        let thread = usize::try_from(value >> 32).expect("small");
        assert_eq!(value & 0xffff_ffff, next[thread]);
        next[thread] += 1;
    }
    assert_eq!(next, [EACH; 8]);
    for sender in senders {
        sender.join().expect("no panic").expect("all was sent");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_sleeps_until_something_is_sent() {
    let (publisher, channel) = channel::<u64>(10);
    let reader = channel.open();
    let mut polls = 0;
    let mut read = pin!(reader.read_at(at(0), ALL));
    let counted = std::future::poll_fn(|cx| {
        polls += 1;
        read.as_mut().poll(cx)
    });
    assert!(tokio::time::timeout(Duration::from_secs(3_600), counted).await.is_err());
    assert!(polls <= 3, "{polls} looks in an hour");
    publisher.try_send(0).expect("room");
    assert_eq!(decode(read.await.expect("in range")), [0]);
}
