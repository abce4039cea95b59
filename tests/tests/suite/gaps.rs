//! Elements that are left out: dropped by their source, or skipped for who wants the latest.

use farlens_proto::{Ahead, BatchBuilder, Chunk, Credit, Event, OpenRequest, ReadOutcome};
use farlens_tests::{
    pair::{Pair, request},
    source::position,
    store::Store,
};
use farlens_wire::{AtEnd, Code, Delivery, Flags, Pos, StreamId};

fn body(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

fn entities(range: std::ops::Range<u64>) -> Chunk {
    let mut batch = BatchBuilder::default();
    range.for_each(|n| batch.push(&body(n)));
    Chunk::Items(batch.finish())
}

/// Pushed entities, each of which is its position.
fn pushed(count: u64) -> Store {
    let mut store = Store { live: true, ..Store::items(&[]) };
    store.push(entities(0..count));
    store
}

fn push(pair: &mut Pair, range: std::ops::Range<u64>) {
    pair.server.stores[0].push(entities(range));
    pair.server.notify_store(0);
    pair.drive();
}

fn open(store: Store, delivery: Delivery, window: u64) -> (Pair, StreamId) {
    let mut pair = Pair::serving(Vec::new());
    pair.server.stores.push(store);
    let ahead = Ahead::AtMost(Credit { bytes: 1 << 20, elements: window });
    let at_end = AtEnd::Follow;
    let stream = pair.open(OpenRequest { delivery, ahead, at_end, ..request("s0") });
    (pair, stream)
}

/// What a reader sees.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Element(u64),
    Skipped(u64),
    Evicted(u64),
}

fn next(pair: &mut Pair, stream: StreamId) -> Option<Seen> {
    match pair.read(stream, 1) {
        ReadOutcome::Some(Chunk::Items(mut batch)) => {
            let (body, _) = batch.pop().expect("one element");
            Some(Seen::Element(u64::from_be_bytes((*body).try_into().expect("eight bytes"))))
        }
        ReadOutcome::Gap { skipped, evicted: true } => Some(Seen::Evicted(skipped)),
        ReadOutcome::Gap { skipped, evicted: false } => Some(Seen::Skipped(skipped)),
        ReadOutcome::Pending => None,
        other => panic!("{other:?}"),
    }
}

fn all(pair: &mut Pair, stream: StreamId) -> Vec<Seen> {
    std::iter::from_fn(|| next(pair, stream)).collect()
}

#[test]
fn e3_a_start_that_passes_the_reader_is_told_once_and_reading_goes_on() {
    let (mut pair, stream) = open(pushed(10), Delivery::Lossless, 2);
    // Two have arrived; the six behind them are dropped before they could be sent.
    pair.server.stores[0].drop_before(8);
    pair.server.notify_store(0);
    pair.drive();
    let seen = all(&mut pair, stream);
    let expected =
        [Seen::Element(0), Seen::Element(1), Seen::Evicted(6), Seen::Element(8), Seen::Element(9)];
    assert_eq!(seen, expected);
    assert_eq!(pair.client.link.stream_position(stream), Some(position(10)));
    pair.client.link.seek(stream, Pos::Abs(position(3)), AtEnd::Stop, 0).unwrap();
    pair.drive();
    let status = pair.client.link.take_seek_status(stream);
    assert!(
        matches!(&status, farlens_proto::SeekStatus::Failed(fault) if fault.code == Code::OUT_OF_RANGE)
    );
    push(&mut pair, 10..11);
    assert_eq!(all(&mut pair, stream), [Seen::Element(10)], "a failed seek changes nothing");
}

#[test]
fn e3_bytes_that_were_dropped_are_told_of_in_their_place() {
    let mut limits = farlens_wire::Limits::default();
    (limits.stream_window_bytes, limits.stream_window_max_bytes) = (100, 100);
    let content: Vec<u8> = (0..=255).cycle().take(1_000).collect();
    let (mut pair, stream) = Pair::storing_with(limits, Store::bytes(content), Flags::READABLE);
    pair.server.stores[0].drop_before(900);
    pair.server.notify_store(0);
    pair.drive();
    let (mut read, mut gaps) = (0, Vec::new());
    loop {
        match pair.read(stream, u64::MAX) {
            ReadOutcome::Some(chunk) => read += chunk.elements(),
            ReadOutcome::Gap { skipped, evicted } => {
                assert!(evicted);
                gaps.push(skipped);
            }
            other => {
                assert_eq!(other, ReadOutcome::End(position(1_000)));
                break;
            }
        }
    }
    assert_eq!((read + gaps.iter().sum::<u64>(), gaps.len()), (1_000, 1));
}

/// A stream of ten entities that is open, while the first read of them has no answer yet.
fn open_and_wait(start: Pos, delivery: Delivery) -> (Pair, StreamId) {
    let mut pair = Pair::serving(Vec::new());
    pair.server.stores.push(pushed(10));
    pair.serves = false;
    let at_end = AtEnd::Follow;
    let stream = pair.open(OpenRequest { start, delivery, at_end, ..request("s0") });
    pair.server.storing.insert(stream, 0);
    pair.server.link.accept(stream, pair.server.stores[0].accepted());
    pair.drive();
    (pair, stream)
}

/// Drops what lies before `start`, and answers what has waited.
fn drop_before(pair: &mut Pair, start: u64) {
    pair.server.stores[0].drop_before(start);
    pair.server.notify_store(0);
    pair.serves = true;
    pair.drive();
}

#[test]
fn e3_who_asked_for_the_first_element_misses_nothing_of_what_was_dropped_before_it_came() {
    let (mut pair, stream) = open_and_wait(Pos::START, Delivery::Lossless);
    assert_eq!(pair.client.link.stream_position(stream), Some(position(0)));
    drop_before(&mut pair, 8);
    assert_eq!(pair.client.link.stream_position(stream), Some(position(8)));
    assert_eq!(all(&mut pair, stream), [Seen::Element(8), Seen::Element(9)]);
}

#[test]
fn e3_who_asked_for_a_certain_element_is_told_that_it_was_dropped() {
    for start in [Pos::Abs(position(0)), Pos::FromStart(1), Pos::FromEnd(-10)] {
        let (mut pair, stream) = open_and_wait(start, Delivery::Lossless);
        let at = pair.client.link.stream_position(stream).unwrap().get();
        drop_before(&mut pair, 8);
        let expected = [Seen::Evicted(8 - at), Seen::Element(8), Seen::Element(9)];
        assert_eq!(all(&mut pair, stream), expected, "{start}");
    }
}

#[test]
fn who_wants_the_latest_is_told_what_is_skipped_from_the_first_element_that_there_is() {
    let (mut pair, stream) = open_and_wait(Pos::START, Delivery::Latest);
    drop_before(&mut pair, 4);
    assert_eq!(all(&mut pair, stream), [Seen::Skipped(5), Seen::Element(9)]);
}

#[test]
fn who_has_been_told_that_nothing_is_there_yet_is_told_of_what_it_misses_then() {
    let (mut pair, stream) = open(pushed(0), Delivery::Lossless, 2);
    assert!(pair.client.link.is_up_to_date(stream));
    pair.server.stores[0].push(entities(0..10));
    pair.server.stores[0].drop_before(8);
    pair.server.notify_store(0);
    pair.drive();
    let expected = [Seen::Evicted(8), Seen::Element(8), Seen::Element(9)];
    assert_eq!(all(&mut pair, stream), expected);
}

#[test]
fn e7_a_reader_knows_both_ends_as_they_move() {
    let (mut pair, stream) = open(pushed(3), Delivery::Lossless, 2);
    let bounds = |pair: &Pair| {
        let bounds = pair.client.link.stream_state(stream).unwrap().bounds;
        (bounds.start.unwrap().get(), bounds.end.unwrap().get())
    };
    assert_eq!(bounds(&pair), (0, 3));
    push(&mut pair, 3..9);
    assert_eq!(bounds(&pair), (0, 9));
    pair.client.events.clear();
    pair.server.stores[0].drop_before(4);
    pair.server.notify_store(0);
    pair.drive();
    assert_eq!(bounds(&pair), (4, 9));
    assert!(pair.client.events.contains(&Event::Changed { stream }));
}

#[test]
fn who_wants_the_latest_gets_it_and_the_number_of_what_was_left_out() {
    let (mut pair, stream) = open(pushed(0), Delivery::Latest, 2);
    for n in 0..100 {
        push(&mut pair, n..n + 1);
    }
    // Two came while there was credit.
    assert_eq!(next(&mut pair, stream), Some(Seen::Element(0)));
    let seen = all(&mut pair, stream);
    let expected = [Seen::Element(1), Seen::Skipped(97), Seen::Element(99)];
    assert_eq!(seen, expected);
    push(&mut pair, 100..101);
    assert_eq!(all(&mut pair, stream), [Seen::Element(100)], "who keeps up misses nothing");
}

#[test]
fn who_wants_the_latest_gets_it_even_before_there_is_news_of_it() {
    let (mut pair, stream) = open(pushed(1), Delivery::Latest, 1);
    assert_eq!(next(&mut pair, stream), Some(Seen::Element(0)));
    push(&mut pair, 1..50);
    pair.server.stores[0].push(entities(50..100));
    assert_eq!(next(&mut pair, stream), None, "its credit is used by the element in its hands");
    assert_eq!(all(&mut pair, stream), [Seen::Skipped(98), Seen::Element(99)]);
}

#[test]
fn elements_and_gaps_add_up_for_every_pace() {
    for pace in 1..9u64 {
        let (mut pair, stream) = open(pushed(0), Delivery::Latest, 2);
        let (mut sum, mut last) = (0, None);
        for n in 0..200 {
            push(&mut pair, n..n + 1);
            if n % pace != 0 {
                continue;
            }
            match next(&mut pair, stream) {
                Some(Seen::Element(n)) => {
                    assert_eq!(n, sum);
                    (sum, last) = (sum + 1, Some(n));
                }
                Some(Seen::Skipped(n)) => sum += n,
                other => panic!("{other:?}"),
            }
        }
        for seen in all(&mut pair, stream) {
            match seen {
                Seen::Element(n) => (sum, last) = (n + 1, Some(n)),
                Seen::Skipped(n) => sum += n,
                Seen::Evicted(_) => panic!("nothing was dropped"),
            }
        }
        assert_eq!((sum, last), (200, Some(199)), "pace {pace}");
    }
}

#[test]
fn the_latest_can_only_be_had_of_live_entities() {
    let bytes = Store { live: true, ..Store::bytes(*b"0123") };
    let still = Store { live: false, ..pushed(3) };
    for store in [bytes, still] {
        let (pair, stream) = open(store, Delivery::Latest, 2);
        let over = pair.client.link.stream_over(stream).map(|fault| fault.code);
        assert_eq!(over, Some(Code::MODE_FORBIDS));
        assert_eq!((pair.client.over(), pair.server.over()), (None, None));
    }
}

#[test]
fn a_topic_that_forgets_skips_for_who_wants_the_latest() {
    let (mut pair, stream) = open(pushed(10), Delivery::Latest, 1);
    assert_eq!(all(&mut pair, stream), [Seen::Skipped(9), Seen::Element(9)]);
    push(&mut pair, 10..20);
    pair.server.stores[0].drop_before(20);
    pair.server.notify_store(0);
    push(&mut pair, 20..22);
    let mut seen = all(&mut pair, stream);
    // What was read last made room when nothing more was found.
    seen.extend(all(&mut pair, stream));
    assert!(matches!(seen.last(), Some(Seen::Element(21))), "{seen:?}");
    assert_eq!(pair.client.link.stream_position(stream), Some(position(22)));
}

#[test]
fn who_wants_the_latest_where_all_is_dropped_is_told_once_and_gets_what_comes_then() {
    let (mut pair, stream) = open(pushed(1), Delivery::Latest, 1);
    assert_eq!(next(&mut pair, stream), Some(Seen::Element(0)));
    push(&mut pair, 1..20);
    pair.server.stores[0].drop_before(20);
    pair.server.notify_store(0);
    pair.serves = false;
    // Its credit was used by the element in its hands. What is asked of the data is answered late.
    let mut gaps = Vec::new();
    loop {
        if let ReadOutcome::Gap { skipped, evicted } = pair.read(stream, 1) {
            gaps.push((skipped, evicted));
        }
        let Some(request) = pair.server.link.poll_request() else { break };
        pair.drive();
        let reply = pair.server.stores[0].answer(request.ask);
        pair.server.link.handle_reply(request.stream, request.serial, reply);
    }
    assert_eq!(gaps, [(19, false)]);
    pair.serves = true;
    push(&mut pair, 20..21);
    assert_eq!(next(&mut pair, stream), Some(Seen::Element(20)));
}
