use super::*;
use farlens_proto::Chunk;
use farlens_wire::Entity;
use std::{pin::pin, thread};
use tokio::{sync::oneshot, time::advance};

const ALL: ReadBudget = ReadBudget { bytes: 256 << 10, elements: u64::MAX };

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn bounds(start: u64, end: u64) -> Bounds {
    Bounds { start: Some(at(start)), end: Some(at(end)) }
}

fn filled(keep: Keep, count: u64) -> Topic<u64> {
    let topic = Topic::new(keep);
    for n in 0..count {
        assert_eq!(topic.send(n).expect("open").get(), n);
    }
    topic
}

/// The values of one read; none where nothing is.
fn values(topic: &Topic<u64>, from: u64) -> Vec<u64> {
    match topic.read_now(at(from), ALL).expect("memory answers at once").expect("in range") {
        Fetched::Some(Chunk::Items(batch)) => {
            let limits = farlens_wire::Limits::default();
            batch.iter().map(|body| u64::decode(body, &limits).expect("a number")).collect()
        }
        Fetched::Some(Chunk::Bytes(_)) => panic!("entities"),
        Fetched::Nothing => Vec::new(),
    }
}

/// Reads as a link does that follows, until the end is final, and checks that nothing is left out
/// and nothing comes twice. Tells of its first read.
async fn follow(topic: Topic<u64>, from: u64, mut read_once: Option<oneshot::Sender<u64>>) -> u64 {
    let mut place = from;
    loop {
        let seen = topic.shared.state();
        let got = values(&topic, place);
        for value in &got {
            assert_eq!(*value, place, "no gap and no double");
            place += 1;
        }
        if let Some(read_once) = read_once.take() {
            read_once.send(place).expect("it is awaited");
        }
        if got.is_empty() {
            if seen.ended {
                return place;
            }
            topic.changed(seen).await;
        }
    }
}

#[tokio::test]
async fn a_late_reader_starts_at_the_first_kept_and_goes_live_without_gap_or_double() {
    let topic = filled(Keep::new().count(30_000), 50_000);
    assert_eq!(topic.bounds(), bounds(20_000, 50_000));
    let (read_once, started) = oneshot::channel();
    let reader = tokio::spawn(follow(topic.clone(), 20_000, Some(read_once)));
    let first = started.await.expect("it reads");
    assert!(first > 20_000, "something was kept");
    let sender = thread::spawn(move || {
        // No more than the reader's first place allows to be dropped.
        for n in 50_000..first + 30_000 {
            topic.send(n).expect("open");
        }
        topic.close();
        topic.bounds()
    });
    let end = reader.await.expect("it got all");
    assert_eq!(sender.join().expect("it sent all"), bounds(first, end));
    assert_eq!(end, first + 30_000);
}

#[test]
fn the_count_bounds_what_is_kept() {
    for (count, sent, start) in [(1, 0, 0), (1, 9, 8), (10, 10, 0), (10, 11, 1), (0, 9, 8)] {
        let topic = filled(Keep::new().count(count), sent);
        assert_eq!(topic.bounds(), bounds(start, sent), "the last {count} of {sent}");
        assert_eq!((topic.len(), topic.is_empty()), (sent - start, sent == 0));
        assert!(values(&topic, start).into_iter().eq(start..sent));
    }
}

#[test]
fn the_encoded_bytes_bound_what_is_kept() {
    let topic = Topic::<u64>::keep_bytes(1_000);
    for n in 0..500 {
        topic.send_encoded(&[7; 99]).expect("it fits");
        assert_eq!(topic.len(), (n + 1).min(10));
    }
    let error = topic.send_encoded(&[7; 1_000]).expect_err("it never fits");
    assert_eq!((error.code(), topic.bounds()), (Code::TOO_LARGE, bounds(490, 500)));
    topic.send_encoded(&[7; 998]).expect("alone it fits");
    assert_eq!(topic.bounds(), bounds(500, 501));
}

#[tokio::test(start_paused = true)]
async fn the_age_bounds_what_is_kept_also_when_nothing_is_sent() {
    let topic = Topic::keep_for(Duration::from_secs(10));
    for n in 0..100_u64 {
        topic.send(n).expect("open");
        advance(Duration::from_millis(100)).await;
    }
    // The first was sent ten seconds ago, and stays a little longer.
    assert_eq!(topic.bounds(), bounds(0, 100));
    advance(Duration::from_millis(50)).await;
    assert_eq!(topic.bounds(), bounds(1, 100));
    assert!(values(&topic, 0).is_empty());
    advance(Duration::from_secs(5)).await;
    assert_eq!(topic.shared.state().bounds, bounds(51, 100));
    topic.send(100).expect("open");
    advance(Duration::from_secs(9)).await;
    assert_eq!(topic.bounds(), bounds(100, 101));
    advance(Duration::from_secs(2)).await;
    assert_eq!((topic.bounds(), topic.len()), (bounds(101, 101), 0));
}

#[tokio::test(start_paused = true)]
async fn elements_that_grow_old_are_told_of_by_a_timer() {
    let topic = filled(Keep::new().age(Duration::from_secs(3_600)), 3);
    let seen = topic.shared.state();
    let since = tokio::time::Instant::now();
    let state = topic.changed(seen).await;
    assert_eq!(state.bounds, bounds(3, 3));
    assert_eq!(since.elapsed().as_secs(), 3_600);
}

#[test]
fn an_age_needs_little_memory_for_any_number_of_elements() {
    let topic = filled(Keep::new().age(Duration::from_secs(3_600)), 10_000);
    let kept = topic.shared.kept.lock();
    assert!(kept.ages.next_expiry().is_some());
    drop(kept);
    let endless = filled(Keep::new().age(Duration::MAX), 10);
    assert_eq!(endless.bounds(), bounds(0, 10));
    assert_eq!(endless.shared.kept.lock().ages.next_expiry(), None);
}

#[test]
fn a_slow_reader_finds_that_the_start_has_moved() {
    let topic = filled(Keep::new().count(10), 10);
    assert_eq!(values(&topic, 0)[0], 0);
    topic.send(10).expect("open");
    assert!(values(&topic, 0).is_empty());
    let state = topic.state_now().expect("at once").expect("memory does not fail");
    assert_eq!((state.bounds, state.ended), (bounds(1, 11), false));
    assert!(values(&topic, 1).into_iter().eq(1..11));
    assert!(values(&topic, 11).is_empty(), "the live end");
    assert!(topic.is_live(), "and what lies between may be left out");
    let error = topic.read_now(at(12), ALL).expect("at once").expect_err("outside");
    assert_eq!(error.code(), Code::OUT_OF_RANGE);
}

#[test]
fn a_read_keeps_to_its_budget_and_gives_one_at_least() {
    let topic = filled(Keep::new(), 100);
    for (bytes, elements, count) in [(1, 9, 1), (6, 9, 3), (1_000, 5, 5), (1_000, 1, 1)] {
        let budget = ReadBudget { bytes, elements };
        let Some(Ok(Fetched::Some(chunk))) = topic.read_now(at(7), budget) else {
            panic!("it is there");
        };
        assert_eq!(chunk.elements(), count, "{budget:?}");
    }
}

#[tokio::test]
async fn a_closed_topic_takes_nothing_more_and_is_read_to_its_end() {
    let topic = filled(Keep::new(), 3);
    let version = topic.shared.state().version;
    let reader = tokio::spawn(follow(topic.clone(), 0, None));
    topic.close();
    topic.close();
    assert_eq!(topic.send(3).expect_err("closed").code(), Code::CLOSED);
    assert_eq!(reader.await.expect("it ends"), 3);
    let state = topic.state().await.expect("memory does not fail");
    assert_eq!((state.bounds, state.ended, state.version), (bounds(0, 3), true, version));
}

#[tokio::test]
async fn a_failed_topic_is_read_up_to_its_failure() {
    let topic = filled(Keep::new().count(2), 3);
    let seen = topic.shared.state();
    topic.fail(&Error::new(Code::SOURCE_FAILED, "the pipe burst"));
    topic.close();
    assert_eq!(topic.send(3).expect_err("over").code(), Code::CLOSED);
    let state = topic.changed(seen).await;
    assert_eq!((state.bounds.start, state.bounds.end, state.ended), (Some(at(1)), None, false));
    assert_eq!(values(&topic, 1), [1, 2]);
    let error = topic.read_at(at(3), ALL).await.expect_err("it failed");
    assert_eq!((error.code(), error.message()), (Code::SOURCE_FAILED, "the pipe burst"));
}

#[test]
fn a_value_that_cannot_be_encoded_leaves_the_topic_as_it_was() {
    let topic = Topic::<Entity>::keep_last(10);
    assert!(StreamerData::schema(&topic).is_none(), "entities are untyped");
    topic.send(Entity::Int(1)).expect("open");
    let deep = (0..100).fold(Entity::Null, |inner, _| Entity::List(vec![inner]));
    assert_eq!(topic.send(deep).expect_err("too deep").code(), Code::USAGE);
    assert_eq!(topic.bounds(), bounds(0, 1));
    assert_eq!(topic.send(Entity::Int(2)).expect("open"), at(1));
}

#[test]
fn eight_threads_keep_each_their_order() {
    const EACH: u64 = 5_000;
    let topic = Topic::<u64>::keep_last(8 * EACH);
    thread::scope(|scope| {
        for thread in 0..8 {
            let topic = topic.clone();
            scope.spawn(move || {
                for n in 0..EACH {
                    topic.send(thread << 32 | n).expect("open");
                }
            });
        }
    });
    assert_eq!(topic.len(), 8 * EACH);
    let (mut place, mut next) = (0, [0; 8]);
    while place < 8 * EACH {
        for value in values(&topic, place) {
            let thread = usize::try_from(value >> 32).expect("small");
            assert_eq!(value & 0xffff_ffff, next[thread]);
            next[thread] += 1;
            place += 1;
        }
    }
    assert_eq!(next, [EACH; 8]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_sleeps_and_is_told_of_many_changes_together() {
    let topic = filled(Keep::new().age(Duration::from_secs(7_200)), 1);
    let mut polls = 0;
    let mut changed = pin!(topic.changed(topic.shared.state()));
    let counted = std::future::poll_fn(|cx| {
        polls += 1;
        changed.as_mut().poll(cx)
    });
    let waited = tokio::time::timeout(Duration::from_secs(3_600), counted).await;
    assert!(waited.is_err(), "nothing has changed");
    assert!(polls <= 3, "{polls} looks in an hour");
    for n in 1..100 {
        topic.send(n).expect("open");
    }
    assert_eq!(changed.await.bounds, bounds(0, 100));
    let since = tokio::time::Instant::now();
    topic.send(100).expect("open");
    let state = topic.changed(topic.shared.state());
    topic.send(101).expect("open");
    assert_eq!(state.await.bounds, bounds(0, 102));
    assert!(since.elapsed() <= Duration::from_millis(2));
}

#[test]
fn what_elements_refer_to_counts_and_lives_as_long_as_they_do() {
    let topic = Topic::<Entity>::keep_bytes(80);
    let mut living = Vec::new();
    for n in 0..5 {
        let thing = Reference::new(n);
        living.push(thing.downgrade());
        topic.send(Entity::Reference(thing)).expect("it is small");
        let alive = living.iter().filter(|thing| thing.upgrade().is_some()).count();
        assert_eq!((alive, topic.len()), (living.len().min(2), living.len().min(2) as u64));
    }
    let three = (0..3).map(|n| Entity::Reference(Reference::new(n))).collect();
    let error = topic.send(Entity::List(three)).expect_err("96 bytes and some more");
    assert_eq!(error.code(), Code::TOO_LARGE);
    assert_eq!(topic.len(), 2);
}
