//! Reading places beside the cursor.

use farlens_proto::{Ahead, Ask, Event, Fault, OpenRequest, RangeStatus, ReadOutcome, Reply};
use farlens_tests::{
    pair::{Pair, request},
    pattern::{self, Sizes},
    source::{Source, position},
    store::Store,
};
use farlens_wire::{Code, Flags, Position, StreamId};

const LENGTH: u64 = 3 << 20;

fn fixed() -> (Pair, StreamId) {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(9, LENGTH)]);
    let stream = pair.open_source(0);
    (pair, stream)
}

/// The bytes of a place.
fn place(at: u64, length: usize) -> RangeStatus {
    RangeStatus::Done(pattern::bytes(9, at, length))
}

fn failed(status: &RangeStatus) -> Option<Code> {
    match status {
        RangeStatus::Failed(fault) => Some(fault.code),
        _ => None,
    }
}

#[test]
fn b6_who_reads_nothing_ahead_gets_what_was_asked_for_and_no_more() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(9, LENGTH)]);
    let stream = pair.open(OpenRequest { ahead: Ahead::Nothing, ..request("0") });
    assert_eq!(pair.server.reads, 0);
    assert_eq!(pair.client.link.read(stream, 10), ReadOutcome::Pending);
    assert_eq!(pair.read_range(stream, 1_000, 10), place(1_000, 10));
    assert_eq!(pair.server.reads, 1, "one request for the place, and none for the cursor");
    assert!(!pair.client.link.is_readable(stream));
    let stats = (pair.client.link.stats().granted_bytes, pair.server.link.stats().queued_bytes);
    assert_eq!(stats, (0, 0));
}

#[test]
fn places_are_exact_and_leave_the_cursor_alone() {
    let (mut pair, stream) = fixed();
    let cases = [(0, 1), (LENGTH - 1, 1), (LENGTH / 2, 70_000), (5, 16_384), (1, 2_000_000)];
    for (at, length) in cases {
        assert_eq!(pair.read_range(stream, at, length), place(at, length as usize));
    }
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.client.link.stream_position(stream), Some(position(0)));
    assert_eq!(pair.read_all(stream, &source), (LENGTH, ReadOutcome::End(position(LENGTH))));
}

#[test]
fn many_places_are_told_of_once_each() {
    let (mut pair, stream) = fixed();
    let tickets: Vec<_> = (0..1_000u64)
        .map(|n| (n, pair.client.link.ask_range(stream, position(n * 3_000), 100).unwrap()))
        .collect();
    pair.drive();
    let told = |event: &Event| matches!(event, Event::RangeDone { .. });
    assert_eq!(pair.client.count(told), tickets.len());
    for (n, ticket) in tickets {
        assert_eq!(pair.client.link.take_range(stream, ticket), place(n * 3_000, 100));
        assert_eq!(failed(&pair.client.link.take_range(stream, ticket)), Some(Code::CLOSED));
    }
}

#[test]
fn a_place_that_ends_with_the_data_is_short_and_one_behind_it_is_out_of_range() {
    let (mut pair, stream) = fixed();
    assert_eq!(pair.read_range(stream, LENGTH - 5, 100), place(LENGTH - 5, 5));
    assert_eq!(pair.read_range(stream, LENGTH, 100), place(LENGTH, 0));
    let behind = pair.read_range(stream, LENGTH + 1, 1);
    assert_eq!(failed(&behind), Some(Code::OUT_OF_RANGE));
    assert!(
        matches!(pair.read_range(stream, Position::MAX.get(), 7), RangeStatus::Done(bytes) if bytes.is_empty())
    );
    assert_eq!(pair.read_range(stream, 3, 3), place(3, 3), "the stream lives");
}

#[test]
fn g1_places_outside_the_data_are_out_of_range() {
    let mut pair = Pair::serving(Vec::new());
    pair.server.stores.push(Store::bytes(*b"abcdef").starting_at(1_000));
    let stream = pair.open(OpenRequest { ahead: Ahead::Nothing, ..request("s0") });
    let bounds = pair.client.link.stream_state(stream).unwrap().bounds;
    assert_eq!((bounds.start, bounds.end), (Some(position(1_000)), Some(position(1_006))));
    for (at, length) in [(999, 1), (0, 1), (1_007, 1), (998, 4)] {
        let status = pair.read_range(stream, at, length);
        assert_eq!(failed(&status), Some(Code::OUT_OF_RANGE), "{length} at {at}");
    }
    let inside = pair.read_range(stream, 1_002, 2);
    assert!(matches!(inside, RangeStatus::Done(bytes) if bytes == "cd"));
}

#[test]
fn what_has_no_places_refuses_them_at_once() {
    let forward = Source::fixed_bytes(9, 100).with_seek(Flags::SEEK_FWD);
    let mut pair = Pair::serving(vec![forward, Source::fixed_items(9, 10, Sizes::Small)]);
    for (index, code) in [(0, Code::MODE_FORBIDS), (1, Code::WRONG_KIND)] {
        let stream = pair.open_source(index);
        assert_eq!(failed(&pair.read_range(stream, 0, 1)), Some(code));
        assert!(!pair.client.link.has_output());
        assert_eq!(pair.client.link.stream_over(stream), None);
    }
    let stream = pair.open_source(0);
    assert_eq!(failed(&pair.read_range(stream, 0, 0)), Some(Code::USAGE));
}

#[test]
fn a_place_that_is_asked_for_too_early_rides_with_the_open_frame() {
    let mut pair = Pair::serving(vec![
        Source::fixed_bytes(9, LENGTH),
        Source::fixed_bytes(9, LENGTH).with_seek(Flags::NONE),
    ]);
    for (path, expected) in [("0", None), ("1", Some(Code::MODE_FORBIDS))] {
        let stream = pair.client.link.open(request(path)).unwrap();
        let ticket = pair.client.link.ask_range(stream, position(77), 1_000).unwrap();
        pair.drive();
        let status = pair.client.link.take_range(stream, ticket);
        assert_eq!(failed(&status), expected);
        assert!(expected.is_some() || status == place(77, 1_000));
        pair.client.link.close_stream(stream);
    }
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn a_place_that_cannot_be_read_fails_alone() {
    let (mut pair, stream) = fixed();
    pair.serves = false;
    let bad = pair.client.link.ask_range(stream, position(500_000), 10).unwrap();
    let good = pair.client.link.ask_range(stream, position(100), 10).unwrap();
    pair.drive();
    let source = pair.server.sources[0].clone();
    while let Some(request) = pair.server.link.poll_request() {
        let torn = Fault::new(Code::STORAGE_IO, "torn");
        let reply = match request.ask {
            Ask::Range { at, .. } if at >= position(500_000) => Reply::Failed(torn),
            ask => source.answer(ask),
        };
        pair.server.link.handle_reply(stream, request.serial, reply);
    }
    pair.drive();
    assert_eq!(failed(&pair.client.link.take_range(stream, bad)), Some(Code::STORAGE_IO));
    assert_eq!(pair.client.link.take_range(stream, good), place(100, 10));
}

#[test]
fn places_that_nobody_waits_for_leave_nothing() {
    let (mut pair, stream) = fixed();
    for n in 0..300 {
        let ticket = pair.client.link.ask_range(stream, position(n * 5_000), 100_000).unwrap();
        if n % 3 == 0 {
            pair.step();
        }
        pair.client.link.forget_range(stream, ticket);
    }
    pair.drive();
    assert_eq!(pair.read_range(stream, 5, 5), place(5, 5));
    let ticket = pair.client.link.ask_range(stream, position(0), LENGTH).unwrap();
    pair.step();
    pair.client.link.close_stream(stream);
    assert_eq!(failed(&pair.client.link.take_range(stream, ticket)), Some(Code::CLOSED));
    pair.drive();
    pair.assert_at_rest();
}
