//! Seeking and position (group C of the behaviours).

use farlens_proto::{Chunk, Event, ReadOutcome, SeekStatus};
use farlens_tests::{
    pair::{Pair, request},
    pattern,
    script::{self, Script},
    source::{Source, position},
};
use farlens_wire::{
    AtEnd, Code, Flags, Pos, Position, StreamId,
    frame::{Frame, StreamFrame, stream::StreamControl},
};

const LENGTH: u64 = 400_000;

fn at(at: u64) -> Pos {
    Pos::Abs(position(at))
}

fn fixed() -> Pair {
    Pair::serving(vec![Source::fixed_bytes(9, LENGTH)])
}

fn failed(status: &SeekStatus) -> Option<Code> {
    match status {
        SeekStatus::Failed(fault) => Some(fault.code),
        _ => None,
    }
}

/// The next byte is the one at this position.
fn assert_next(pair: &mut Pair, stream: StreamId, at: u64) {
    let ReadOutcome::Some(Chunk::Bytes(bytes)) = pair.read(stream, 1) else {
        panic!("a byte was due");
    };
    assert_eq!(bytes[0], pattern::byte(9, at), "at {at}");
    assert_eq!(pair.client.link.stream_position(stream), Some(position(at + 1)));
}

#[test]
fn c1_a_seek_is_exact() {
    let mut pair = fixed();
    let stream = pair.open_source(0);
    for place in [0, 1, 7, 16_383, 16_384, LENGTH - 1, 3] {
        assert_eq!(pair.seek(stream, at(place)), SeekStatus::Done(position(place)));
        assert_next(&mut pair, stream, place);
    }
}

#[test]
fn c2_nothing_old_is_delivered_after_a_seek() {
    let mut pair = fixed();
    let stream = pair.client.link.open(request("0")).unwrap();
    // Data for the old place is under way in both buffers.
    for _ in 0..6 {
        pair.step();
    }
    pair.client.link.seek(stream, at(300_000), AtEnd::Stop, 0).unwrap();
    assert_eq!(pair.client.link.read(stream, u64::MAX), ReadOutcome::Pending);
    pair.drive();
    assert_next(&mut pair, stream, 300_000);
}

#[test]
fn c3_of_three_seeks_in_a_row_the_last_counts() {
    let mut pair = fixed();
    let stream = pair.open_source(0);
    for place in [399_000, 5, 390_000] {
        pair.client.link.seek(stream, at(place), AtEnd::Stop, 0).unwrap();
        assert_eq!(pair.client.link.take_seek_status(stream), SeekStatus::Pending);
    }
    pair.drive();
    assert_eq!(pair.client.link.take_seek_status(stream), SeekStatus::Done(position(390_000)));
    assert_eq!(pair.client.link.take_seek_status(stream), SeekStatus::Idle);
    assert_next(&mut pair, stream, 390_000);
}

#[test]
fn a_replaced_seek_leaves_no_trace_when_the_newer_one_fails() {
    let mut pair = fixed();
    let stream = pair.open_source(0);
    assert_next(&mut pair, stream, 0);
    pair.client.link.seek(stream, at(399_000), AtEnd::Stop, 0).unwrap();
    pair.client.link.seek(stream, at(LENGTH + 1), AtEnd::Stop, 0).unwrap();
    pair.drive();
    let status = pair.client.link.take_seek_status(stream);
    assert_eq!(failed(&status), Some(Code::OUT_OF_RANGE));
    assert_next(&mut pair, stream, 1);
}

#[test]
fn c4_places_count_from_both_ends() {
    let mut pair = fixed();
    let stream = pair.open_source(0);
    assert_eq!(pair.seek(stream, Pos::FromStart(10)), SeekStatus::Done(position(10)));
    assert_next(&mut pair, stream, 10);
    let status = pair.seek(stream, Pos::FromEnd(-10));
    assert_eq!(status, SeekStatus::Done(position(LENGTH - 10)));
    assert_next(&mut pair, stream, LENGTH - 10);
}

#[test]
fn c6_the_end_is_a_place() {
    let mut pair = fixed();
    let stream = pair.open_source(0);
    assert_eq!(pair.seek(stream, at(LENGTH)), SeekStatus::Done(position(LENGTH)));
    for _ in 0..3 {
        assert_eq!(pair.read(stream, 1), ReadOutcome::End(position(LENGTH)));
    }
}

#[test]
fn c7_c8_a_seek_outside_is_out_of_range_and_the_stream_lives() {
    let outside = [
        at(LENGTH + 1),
        Pos::FromEnd(1),
        Pos::FromStart(-1),
        Pos::FromEnd(-(LENGTH as i64) - 1),
        Pos::FromStart(i64::MIN),
        Pos::FromEnd(i64::MAX),
        Pos::Abs(Position::MAX),
    ];
    let mut pair = fixed();
    let stream = pair.open_source(0);
    for (index, to) in (0..).zip(outside) {
        assert_eq!(failed(&pair.seek(stream, to)), Some(Code::OUT_OF_RANGE), "{to}");
        assert_eq!(pair.client.link.take_seek_status(stream), SeekStatus::Idle);
        assert_next(&mut pair, stream, index);
    }
}

#[test]
fn a_failed_seek_does_not_change_what_happens_at_the_end() {
    let mut pair = Pair::serving(vec![Source::growing_bytes(9, 5)]);
    let stream = pair.open_source(0);
    pair.client.link.seek(stream, at(6), AtEnd::Follow, 0).unwrap();
    pair.drive();
    let status = pair.client.link.take_seek_status(stream);
    assert_eq!(failed(&status), Some(Code::OUT_OF_RANGE));
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source), (5, ReadOutcome::End(position(5))));
}

#[test]
fn c9_without_seek_flags_every_seek_is_refused_at_once() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(9, LENGTH).with_seek(Flags::NONE)]);
    let stream = pair.open_source(0);
    for to in [at(0), at(5), Pos::START, Pos::END] {
        let refused = pair.client.link.seek(stream, to, AtEnd::Stop, 0);
        assert_eq!(refused.unwrap_err().code, Code::MODE_FORBIDS);
    }
    assert!(!pair.client.link.has_output());
    assert_next(&mut pair, stream, 0);
}

#[test]
fn c11_one_direction_only() {
    let mut pair = Pair::serving(vec![
        Source::fixed_bytes(9, LENGTH).with_seek(Flags::SEEK_REW),
        Source::fixed_bytes(9, LENGTH).with_seek(Flags::SEEK_FWD),
    ]);
    let mut middle = request("0");
    middle.start = at(300_000);
    let back = pair.open(middle.clone());
    middle.on = String::from("1").into();
    let forth = pair.open(middle);
    for (stream, allowed, forbidden) in
        [(back, 299_000, Pos::FromEnd(0)), (forth, 350_000, Pos::FromStart(5))]
    {
        let refused = pair.seek(stream, forbidden);
        assert_eq!(failed(&refused), Some(Code::MODE_FORBIDS), "{forbidden}");
        assert_eq!(pair.seek(stream, at(allowed)), SeekStatus::Done(position(allowed)));
        assert_next(&mut pair, stream, allowed);
    }
    let refused = pair.client.link.seek(forth, at(1), AtEnd::Stop, 0);
    assert_eq!(refused.unwrap_err().code, Code::MODE_FORBIDS);
}

#[test]
fn c12_a_seek_before_the_stream_is_open_counts_once() {
    let mut pair = fixed();
    let stream = pair.client.link.open(request("0")).unwrap();
    pair.client.link.seek(stream, at(123), AtEnd::Stop, 0).unwrap();
    pair.drive();
    assert_eq!(pair.client.link.take_seek_status(stream), SeekStatus::Done(position(123)));
    assert_next(&mut pair, stream, 123);
    assert_next(&mut pair, stream, 124);
}

#[test]
fn c13_a_position_counts_what_was_consumed() {
    let mut pair = fixed();
    let stream = pair.open_source(0);
    assert!(pair.client.link.is_readable(stream));
    assert_eq!(pair.client.link.stream_position(stream), Some(position(0)));
    for place in 0..10 {
        assert_next(&mut pair, stream, place);
    }
}

#[test]
fn c15_a_seek_to_where_one_is_changes_nothing() {
    let mut pair = fixed();
    let stream = pair.open_source(0);
    assert_next(&mut pair, stream, 0);
    assert_eq!(pair.seek(stream, at(1)), SeekStatus::Done(position(1)));
    assert_next(&mut pair, stream, 1);
}

#[test]
fn c16_no_position_wraps_around() {
    assert_eq!(Position::new(1 << 63), None);
    assert_eq!(Position::MAX.forward(1), None);
    assert_eq!(Position::MAX.offset(1), None);
    let mut script = Script::client();
    let stream = script.link.open(request("0")).unwrap();
    script.frames();
    let mut source = Source::fixed_bytes(9, i64::MAX as u64);
    source.start = 0;
    let accepted = source.accepted();
    let opened = farlens_wire::frame::stream::Opened {
        append_only: false,
        write: farlens_wire::frame::stream::Credit::default(),
        kind: accepted.kind,
        mode: accepted.mode,
        state: accepted.state,
        at: Position::MAX,
        fingerprint: None,
        schema: None,
    };
    script.send(&script::control(stream.0, &opened));
    script.assert_alive();
    script.send(&script::data(stream.0, 0, i64::MAX as u64, b"x"));
    script.assert_over(Code::PROTOCOL_VIOLATION);
}

#[test]
fn elements_that_are_given_back_come_again() {
    let mut pair = fixed();
    let stream = pair.open_source(0);
    let ReadOutcome::Some(chunk) = pair.read(stream, 1_000) else { panic!("bytes") };
    let held = chunk.elements() - 10;
    pair.client.link.seek(stream, at(LENGTH + 1), AtEnd::Stop, held).unwrap();
    pair.drive();
    let status = pair.client.link.take_seek_status(stream);
    assert_eq!(failed(&status), Some(Code::OUT_OF_RANGE));
    assert_next(&mut pair, stream, 10);
}

#[test]
fn a_seek_storm_keeps_one_seek_under_way() {
    let mut script = Script::client();
    let stream = script.link.open(request("0")).unwrap();
    script.frames();
    let accepted = Source::fixed_bytes(9, LENGTH).accepted();
    let opened = farlens_wire::frame::stream::Opened {
        append_only: false,
        write: farlens_wire::frame::stream::Credit::default(),
        kind: accepted.kind,
        mode: accepted.mode,
        state: accepted.state,
        at: position(0),
        fingerprint: None,
        schema: None,
    };
    script.send(&script::control(stream.0, &opened));
    assert!(script.events.contains(&Event::Changed { stream }));
    let mut seeks = 0;
    for place in 0..1_000 {
        script.link.seek(stream, at(place), AtEnd::Stop, 0).unwrap();
        let seek = |frame: &Frame| {
            matches!(frame, Frame::Stream(_, StreamFrame::Control(StreamControl::Seek(_))))
        };
        seeks += script.frames().iter().filter(|frame| seek(frame)).count();
    }
    assert_eq!(seeks, 1);
}

#[test]
fn c17_a_seek_wakes_who_waits_for_elements_elsewhere() {
    let mut pair = Pair::serving(vec![Source::growing_bytes(9, 100)]);
    let follow =
        farlens_proto::OpenRequest { at_end: AtEnd::Follow, start: Pos::END, ..request("0") };
    let stream = pair.open(follow);
    assert_eq!(pair.read(stream, 1), ReadOutcome::Pending);
    pair.client.events.clear();
    pair.client.link.seek(stream, at(40), AtEnd::Follow, 0).unwrap();
    assert_eq!(pair.client.link.read(stream, 1), ReadOutcome::Pending);
    pair.drive();
    assert!(pair.client.events.contains(&Event::Changed { stream }));
    assert_next(&mut pair, stream, 40);
}

#[test]
fn what_was_dropped_is_no_place_to_go_to_even_if_it_was_read_ahead() {
    let mut pair = Pair::serving(vec![Source::growing_bytes(9, 100)]);
    let stream = pair.open_source(0);
    assert!(pair.client.link.is_readable(stream));
    pair.server.sources[0].start = 50;
    pair.server.notify(0);
    pair.drive();
    assert_eq!(failed(&pair.seek(stream, at(49))), Some(Code::OUT_OF_RANGE));
    assert_eq!(pair.seek(stream, at(50)), SeekStatus::Done(position(50)));
    assert_next(&mut pair, stream, 50);
}
