//! Writing and moving ends (group D of the behaviours).

use bytes::Bytes;
use farlens_proto::{
    Ask, BatchBuilder, Chunk, Event, Guard, ReadOutcome, Reply, SeekStatus, StepStatus, WriteTo,
};
use farlens_tests::{
    pair::{Pair, request},
    pattern,
    source::{Source, position},
    store::Store,
};
use farlens_wire::{Code, Edge, Flags, Limits, Pos, Step, StreamId, frame::Fault};

const RW: Flags = Flags::from_bits(Flags::READABLE.bits() | Flags::WRITABLE.bits());

fn at(at: u64) -> Pos {
    Pos::Abs(position(at))
}

fn to(place: u64) -> WriteTo {
    WriteTo::At(at(place))
}

fn bytes(bytes: &'static [u8]) -> Chunk {
    Chunk::Bytes(Bytes::from_static(bytes))
}

fn patterned(length: usize) -> Chunk {
    Chunk::Bytes(pattern::bytes(7, 0, length))
}

fn digits() -> (Pair, StreamId) {
    Pair::storing(Store::bytes(*b"0123456789"), RW)
}

/// A store whose end its peers cannot move.
fn fixed_end() -> Store {
    let moves = Flags::CAN_MOVE_END | Flags::END_CAN_INC | Flags::END_CAN_DEC;
    Store::bytes(*b"0123456789").without(moves)
}

/// A credit of 100 bytes and 5 entities.
fn small() -> Limits {
    let mut limits = Limits::default();
    limits.stream_window_bytes = 100;
    limits.stream_window_max_bytes = 100;
    limits.stream_window_items = 5;
    limits
}

fn content(pair: &Pair) -> &[u8] {
    pair.server.stores[0].as_bytes()
}

fn done(place: u64, count: u64) -> StepStatus {
    StepStatus::Done { at: Some(position(place)), count }
}

fn failed(status: &StepStatus) -> Option<(u64, Code)> {
    match status {
        StepStatus::Failed { count, fault, .. } => Some((*count, fault.code)),
        _ => None,
    }
}

fn failed_seek(status: &SeekStatus) -> Option<Code> {
    match status {
        SeekStatus::Failed(fault) => Some(fault.code),
        _ => None,
    }
}

/// All that lies behind the reader.
fn rest(pair: &mut Pair, stream: StreamId) -> Vec<u8> {
    let mut all = Vec::new();
    while let ReadOutcome::Some(Chunk::Bytes(bytes)) = pair.read(stream, u64::MAX) {
        all.extend_from_slice(&bytes);
    }
    all
}

#[test]
fn d1_what_was_written_is_read_back() {
    let (mut pair, stream) = Pair::storing(Store::bytes(*b""), RW);
    let length = 300_000;
    assert_eq!(pair.write(stream, to(0), patterned(length)), done(0, length as u64));
    assert_eq!(pattern::first_wrong_byte(7, 0, content(&pair)), None);
    assert_eq!(pair.seek(stream, Pos::START), SeekStatus::Done(position(0)));
    assert_eq!(rest(&mut pair, stream), pattern::bytes(7, 0, length));
}

#[test]
fn d1_entities_of_every_size_are_stored_whole_and_in_order() {
    let (mut pair, stream) = Pair::storing(Store::items(&[]), RW);
    let bodies: Vec<_> = (0..30).map(|n| pattern::entity(5, n, pattern::Sizes::Large)).collect();
    let mut batch = BatchBuilder::default();
    bodies.iter().for_each(|body| batch.push(body));
    assert_eq!(pair.write(stream, to(0), Chunk::Items(batch.finish())), done(0, 30));
    assert_eq!(pair.server.stores[0].bodies(), bodies);
}

#[test]
fn d2_more_than_the_window_goes_in_parts_and_in_order() {
    let store = Store { most: 7, ..Store::bytes(*b"") };
    let (mut pair, stream) = Pair::storing_with(small(), store, RW);
    assert_eq!(pair.write(stream, to(0), patterned(1_000)), done(0, 1_000));
    assert_eq!(content(&pair), pattern::bytes(7, 0, 1_000));
}

#[test]
fn d3_a_streamer_that_stores_nothing_gets_its_window_and_no_more() {
    let (mut pair, stream) = Pair::storing_with(small(), Store::bytes(*b""), RW);
    pair.serves = false;
    let step = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, step, patterned(1_000)));
    pair.drive();
    let request = pair.server.link.poll_request().expect("it is to be stored");
    let Ask::Write { chunk, .. } = &request.ask else { panic!("{request:?}") };
    assert_eq!(chunk.elements(), 100);
    assert_eq!(pair.client.link.stats().queued_bytes, 0, "it waits in its stream");
    let status = pair.client.link.step_status(stream, step);
    assert_eq!(status, StepStatus::Pending { count: 0 });
    let reply = pair.server.stores[0].answer(request.ask);
    pair.server.link.handle_reply(stream, request.serial, reply);
    pair.serves = true;
    assert_eq!(pair.finish_step(stream, step), done(0, 1_000));
}

#[test]
fn d4_a_streamer_takes_64_changes_in_before_the_first_is_settled() {
    let (mut pair, stream) = digits();
    pair.serves = false;
    let sync = |pair: &mut Pair| pair.client.link.sync(stream, false);
    let steps: Vec<_> = (0..64).map(|_| sync(&mut pair).unwrap()).collect();
    assert!(!pair.client.link.is_writable(stream));
    assert_eq!(sync(&mut pair).unwrap_err().code, Code::OVERLOADED);
    pair.drive();
    pair.serves = true;
    pair.drive();
    assert!(pair.client.link.is_writable(stream) && pair.client.link.is_settled(stream));
    for step in steps {
        assert!(matches!(pair.finish_step(stream, step), StepStatus::Done { .. }));
    }
    assert_eq!(pair.server.stores[0].syncs.len(), 64);
    assert!(sync(&mut pair).is_ok());
}

#[test]
fn d5_writing_past_an_end_that_may_move_makes_the_data_longer() {
    let (mut pair, stream) = digits();
    assert_eq!(pair.write(stream, to(8), bytes(b"abcd")), done(8, 4));
    assert_eq!(content(&pair), b"01234567abcd");
    assert_eq!(pair.write(stream, WriteTo::At(Pos::END), bytes(b"ef")), done(12, 2));
    assert_eq!(pair.write(stream, to(16), bytes(b"g")), done(16, 1));
    assert_eq!(content(&pair), b"01234567abcdef\0\0g");
    let bounds = pair.client.link.stream_state(stream).unwrap().bounds;
    assert_eq!(bounds.len(), Some(17), "the writer is told, too");
}

#[test]
fn d6_writing_past_a_fixed_end_takes_what_fits_and_reports_the_rest() {
    let (mut pair, stream) = Pair::storing(fixed_end(), RW);
    let status = pair.write(stream, to(6), patterned(10));
    assert_eq!(failed(&status), Some((4, Code::END_OF_SPACE)));
    assert!(matches!(status, StepStatus::Failed { at: Some(at), .. } if at == position(6)));
    assert_eq!(content(&pair)[..6], *b"012345");
    assert_eq!(content(&pair)[6..], pattern::bytes(7, 0, 4));
    let status = pair.write(stream, to(10), bytes(b"x"));
    assert_eq!(failed(&status), Some((0, Code::END_OF_SPACE)));
    assert_eq!(pair.write(stream, to(9), bytes(b"x")), done(9, 1), "the stream lives");
}

#[test]
fn d7_where_others_may_move_the_end_writing_goes_on_once_they_have() {
    let store = fixed_end();
    let grows = farlens_tests::source::mode(store.mode.flags() | Flags::END_CAN_INC);
    let (mut pair, stream) = Pair::storing(Store { mode: grows, ..store }, RW);
    let status = pair.write(stream, to(10), bytes(b"x"));
    assert_eq!(failed(&status), Some((0, Code::END_OF_SPACE)));
    pair.server.stores[0].push(bytes(b"abc"));
    pair.server.notify_store(0);
    assert_eq!(pair.write(stream, to(10), bytes(b"xy")), done(10, 2));
    assert_eq!(content(&pair), b"0123456789xyc");
}

#[test]
fn d8_a_write_in_the_middle_changes_exactly_its_place() {
    let (mut pair, stream) = digits();
    assert_eq!(pair.write(stream, to(3), bytes(b"abc")), done(3, 3));
    assert_eq!(content(&pair), b"012abc6789");
}

#[test]
fn d9_after_a_truncation_writing_continues_behind_the_run_before() {
    let (mut pair, stream) = digits();
    assert_eq!(pair.write(stream, WriteTo::Here, bytes(b"ABCD")), done(0, 4));
    assert_eq!(pair.truncate(stream, Edge::After, at(4)), done(4, 0));
    assert_eq!(content(&pair), b"ABCD");
    assert_eq!(pair.write(stream, WriteTo::Here, bytes(b"EF")), done(4, 2));
    assert_eq!(content(&pair), b"ABCDEF");
}

#[test]
fn d10_a_start_that_goes_up_leaves_the_positions_of_the_rest() {
    let (mut pair, stream) = digits();
    assert_eq!(pair.truncate(stream, Edge::Before, at(4)), done(4, 0));
    assert_eq!(content(&pair), b"456789");
    let bounds = pair.client.link.stream_state(stream).unwrap().bounds;
    assert_eq!((bounds.start, bounds.end), (Some(position(4)), Some(position(10))));
    for outside in [at(3), Pos::FromStart(-1)] {
        assert_eq!(failed_seek(&pair.seek(stream, outside)), Some(Code::OUT_OF_RANGE));
    }
    assert_eq!(pair.seek(stream, at(5)), SeekStatus::Done(position(5)));
    assert_eq!(rest(&mut pair, stream), b"56789");
    let status = pair.write(stream, to(3), bytes(b"x"));
    assert_eq!(failed(&status), Some((0, Code::OUT_OF_RANGE)));
}

#[test]
fn d11_what_the_mode_forbids_is_refused_at_once_and_not_sent() {
    let moves = [(Flags::CAN_MOVE_START, Edge::Before), (Flags::CAN_MOVE_END, Edge::After)];
    for (mover, edge) in moves {
        let (mut pair, stream) = Pair::storing(Store::bytes(*b"0123").without(mover), RW);
        let refused = pair.client.link.truncate(stream, edge, at(2), Guard::default());
        assert_eq!(refused.unwrap_err().code, Code::MODE_FORBIDS);
        assert!(!pair.client.link.has_output());
        assert_eq!(pair.write(stream, to(0), bytes(b"x")), done(0, 1));
    }
    let logs = Store { append_only: true, ..Store::bytes(*b"0123") };
    let (mut pair, stream) = Pair::storing(logs, RW);
    for refused in [
        pair.client.link.write(stream, to(4), None, Guard::default()),
        pair.client.link.write(stream, WriteTo::Here, None, Guard::default()),
        pair.client.link.truncate(stream, Edge::After, at(2), Guard::default()),
        pair.client.link.truncate(stream, Edge::Before, at(2), Guard::default()),
    ] {
        assert_eq!(refused.unwrap_err().code, Code::MODE_FORBIDS);
    }
    assert!(!pair.client.link.has_output());
    assert_eq!(pair.write(stream, WriteTo::At(Pos::END), bytes(b"45")), done(4, 2));
}

#[test]
fn d12_a_truncation_comes_behind_what_was_handed_in_before_it() {
    let (mut pair, stream) = Pair::storing_with(small(), Store::bytes(*b""), RW);
    let run = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, run, patterned(1_000)));
    let cut = pair.client.link.truncate(stream, Edge::After, at(500), Guard::default()).unwrap();
    assert!(!pair.client.link.push(stream, run, bytes(b"late")), "the run is closed");
    assert_eq!(pair.finish_step(stream, cut), done(500, 0));
    assert_eq!(pair.finish_step(stream, run), done(0, 1_000));
    assert_eq!(content(&pair), pattern::bytes(7, 0, 500));
}

#[test]
fn d14_a_source_that_fails_to_store_is_reported_and_writing_can_go_on() {
    let (mut pair, stream) = Pair::storing(Store { most: 3, ..Store::bytes(*b"0123") }, RW);
    pair.server.stores[0].fault = Some(Fault::new(Code::STORAGE_FULL, "no room on the tape"));
    for status in
        [pair.write(stream, to(0), bytes(b"xyz")), pair.truncate(stream, Edge::After, at(1))]
    {
        let StepStatus::Failed { count: 0, fault, .. } = status else { panic!("{status:?}") };
        assert_eq!((fault.code, &*fault.text), (Code::STORAGE_FULL, "no room on the tape"));
    }
    pair.server.stores[0].fault = None;
    assert_eq!(pair.write(stream, to(0), bytes(b"xyzw")), done(0, 4));
    assert_eq!(content(&pair), b"xyzw");
}

#[test]
fn d14_what_follows_a_failure_in_its_run_is_dropped_and_what_is_another_step_is_not() {
    let (mut pair, stream) = Pair::storing_with(small(), fixed_end(), RW);
    let run = pair.client.link.write(stream, to(8), None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, run, patterned(1_000)));
    let next = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, next, bytes(b"ab")));
    assert_eq!(failed(&pair.finish_step(stream, run)), Some((2, Code::END_OF_SPACE)));
    assert_eq!(pair.finish_step(stream, next), done(0, 2));
    assert_eq!(content(&pair)[..8], *b"ab234567");
    // The credit of what was dropped came back.
    for _ in 0..20 {
        assert_eq!(pair.write(stream, to(0), patterned(10)), done(0, 10));
    }
}

#[test]
fn d15_f9_a_long_upload_holds_its_window_and_leaves_nothing() {
    let mut limits = Limits::default();
    limits.stream_window_bytes = 100_000;
    limits.stream_window_max_bytes = 100_000;
    let (mut pair, stream) = Pair::storing_with(limits, Store::bytes(*b""), Flags::WRITABLE);
    let granted = pair.server.link.stats().granted_bytes;
    let step = pair.client.link.write(stream, WriteTo::Here, None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, step, patterned(3 << 20)));
    let mut most = 0;
    while pair.step() {
        most = most.max(pair.server.link.stats().granted_bytes);
    }
    assert!(granted <= 100_000 && most <= 100_000, "{granted} and {most}");
    assert_eq!(pair.finish_step(stream, step), done(0, 3 << 20));
    pair.client.link.close_stream(stream);
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn d16_a_sync_that_succeeds_means_stored_and_one_that_fails_says_so() {
    let (mut pair, stream) = digits();
    let run = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, run, bytes(b"abc")));
    let sync = pair.client.link.sync(stream, false).unwrap();
    assert!(matches!(pair.finish_step(stream, sync), StepStatus::Done { count: 0, .. }));
    assert_eq!(content(&pair), b"abc3456789");
    pair.server.stores[0].fault = Some(Fault::new(Code::STORAGE_IO, "the disk is gone"));
    let sync = pair.client.link.sync(stream, false).unwrap();
    assert_eq!(failed(&pair.finish_step(stream, sync)), Some((0, Code::STORAGE_IO)));
    pair.server.stores[0].fault = None;
    let sync = pair.client.link.sync(stream, true).unwrap();
    assert!(matches!(pair.finish_step(stream, sync), StepStatus::Done { .. }));
    assert_eq!(pair.server.stores[0].syncs, [false, true]);
    let late = pair.client.link.sync(stream, true).unwrap_err();
    assert_eq!(late.code, Code::CLOSED, "nothing comes after the last sync");
}

#[test]
fn d14_a_sync_that_was_sent_before_a_failure_was_known_fails_with_it() {
    let (mut pair, stream) = digits();
    pair.server.stores[0].fault = Some(Fault::new(Code::STORAGE_FULL, "the disk is full"));
    let run = pair.client.link.write(stream, to(0), Some(3), Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, run, bytes(b"abc")));
    let blind = pair.client.link.sync(stream, false).unwrap();
    pair.drive();
    assert_eq!(failed(&pair.finish_step(stream, run)), Some((0, Code::STORAGE_FULL)));
    assert_eq!(failed(&pair.finish_step(stream, blind)), Some((0, Code::STORAGE_FULL)));
    assert_eq!(pair.server.stores[0].syncs, [false; 0], "what is incomplete was not synced");
    pair.server.stores[0].fault = None;
    let knowing = pair.client.link.sync(stream, true).unwrap();
    assert!(matches!(pair.finish_step(stream, knowing), StepStatus::Done { .. }));
}

#[test]
fn as_many_steps_may_begin_as_the_streamer_takes_however_short_they_are() {
    let (mut pair, stream) = digits();
    pair.serves = false;
    let first = pair.client.link.sync(stream, false).unwrap();
    let mut begun = 1;
    while pair.client.link.write(stream, to(0), Some(0), Guard::default()).is_ok() {
        begun += 1;
        assert!(begun < 100);
    }
    assert_eq!(begun, 64);
    pair.drive();
    pair.serves = true;
    pair.drive();
    assert!(matches!(pair.finish_step(stream, first), StepStatus::Done { .. }));
    assert!(pair.client.link.write(stream, to(0), None, Guard::default()).is_ok());
    assert!(pair.client.link.over().is_none() && pair.server.link.over().is_none());
}

#[test]
fn what_is_appended_and_short_stays_together() {
    let (mut pair, stream) = digits();
    pair.serves = false;
    let run = pair.client.link.write(
        stream,
        farlens_proto::WriteTo::At(Pos::END),
        Some(6),
        Guard::default(),
    );
    let run = run.unwrap();
    assert!(pair.client.link.push(stream, run, bytes(b"abc")));
    pair.drive();
    pair.serves = true;
    pair.drive();
    assert_eq!(content(&pair), b"0123456789", "half of it is not applied");
    assert!(pair.client.link.push(stream, run, bytes(b"def")));
    assert!(!pair.client.link.push(stream, run, bytes(b"g")), "it has all that it was to have");
    assert_eq!(pair.finish_step(stream, run), done(10, 6));
    assert_eq!(content(&pair), b"0123456789abcdef");
}

#[test]
fn d16_what_has_left_before_a_close_is_applied() {
    let (mut pair, stream) = digits();
    pair.serves = false;
    let run = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, run, bytes(b"abc")));
    pair.drive();
    pair.client.link.close_stream(stream);
    pair.drive();
    let gone = |event: &Event| matches!(event, Event::StreamGone { .. });
    assert_eq!(pair.server.count(gone), 0, "the data is still needed");
    pair.serves = true;
    pair.drive();
    assert_eq!(content(&pair), b"abc3456789");
    assert_eq!(pair.server.count(gone), 1);
    pair.assert_at_rest();
}

#[test]
fn d17_a_write_of_nothing_is_done_at_once_and_changes_nothing() {
    let (mut pair, stream) = digits();
    let before = pair.server.reads;
    let status = pair.write(stream, to(3), bytes(b""));
    assert_eq!(status, StepStatus::Done { at: None, count: 0 });
    assert_eq!((content(&pair), pair.server.stores[0].version), (&b"0123456789"[..], 0));
    assert_eq!(pair.server.reads, before, "nothing was asked of the data");
}

#[test]
fn d18_a_stream_that_is_only_read_refuses_every_change_at_once() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(3, 100)]);
    let stream = pair.open_source(0);
    for refused in [
        pair.client.link.write(stream, to(0), None, Guard::default()),
        pair.client.link.truncate(stream, Edge::After, at(5), Guard::default()),
        pair.client.link.sync(stream, true),
    ] {
        assert_eq!(refused.unwrap_err().code, Code::MODE_FORBIDS);
    }
    assert!(!pair.client.link.has_output() && !pair.client.link.push(stream, Step(1), bytes(b"x")));
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source).0, 100);
}

#[test]
fn d20_reading_and_writing_leave_each_others_place_alone() {
    let (mut pair, stream) = digits();
    assert_eq!(pair.read(stream, 2), ReadOutcome::Some(bytes(b"01")));
    assert_eq!(pair.write(stream, WriteTo::Here, bytes(b"ab")), done(0, 2));
    assert_eq!(pair.read(stream, 2), ReadOutcome::Some(bytes(b"23")));
    assert_eq!(pair.write(stream, WriteTo::Here, bytes(b"cd")), done(2, 2));
    assert_eq!(pair.client.link.stream_position(stream), Some(position(4)));
    // Who wants to read on behind what was written goes there.
    assert_eq!(pair.write(stream, to(6), bytes(b"x")), done(6, 1));
    assert_eq!(pair.seek(stream, at(7)), SeekStatus::Done(position(7)));
    assert_eq!(rest(&mut pair, stream), b"789");
}

#[test]
fn e4_what_was_read_ahead_and_is_cut_off_is_not_delivered() {
    let (mut pair, editor) = Pair::storing(Store::bytes(pattern::bytes(7, 0, 1_000)), RW);
    let reader = pair.open(request("s0"));
    let ReadOutcome::Some(first) = pair.read(reader, 10) else { panic!("it was read ahead") };
    assert_eq!(first.elements(), 10);
    assert_eq!(pair.truncate(editor, Edge::After, at(50)), done(50, 0));
    assert_eq!(rest(&mut pair, reader), pattern::bytes(7, 10, 40));
    let read = pair.read(reader, 1);
    assert!(matches!(read, ReadOutcome::Failed(fault) if fault.code == Code::TRUNCATED));
    assert_eq!(pair.seek(reader, at(45)), SeekStatus::Done(position(45)));
    assert_eq!(rest(&mut pair, reader), pattern::bytes(7, 45, 5));
}

#[test]
fn h4_h5_a_writer_without_credit_is_told_when_there_is_more() {
    let (mut pair, stream) = Pair::storing_with(small(), Store::bytes(*b""), RW);
    pair.serves = false;
    let step = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
    assert!(pair.client.link.is_writable(stream));
    assert!(pair.client.link.push(stream, step, patterned(200_000)));
    assert!(!pair.client.link.is_writable(stream), "more waits than is worth it");
    pair.drive();
    pair.client.events.clear();
    pair.serves = true;
    pair.drive();
    assert!(pair.client.link.is_writable(stream) && pair.client.link.is_settled(stream));
    assert!(pair.client.events.contains(&Event::Changed { stream }));
}

#[test]
fn i7_a_failing_streamer_ends_what_is_being_written_with_its_text() {
    let (mut pair, stream) = Pair::storing_with(small(), Store::bytes(*b""), RW);
    pair.serves = false;
    let run = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, run, patterned(1_000)));
    let sync = pair.client.link.sync(stream, true).unwrap();
    pair.drive();
    pair.client.events.clear();
    pair.server.link.refuse(stream, Fault::new(Code::STORAGE_IO, "the disk is gone"));
    pair.drive();
    assert!(pair.client.events.contains(&Event::Changed { stream }));
    for step in [run, sync] {
        let status = pair.client.link.step_status(stream, step);
        let StepStatus::Failed { count: 0, fault, .. } = status else { panic!("{status:?}") };
        assert_eq!((fault.code, &*fault.text), (Code::STORAGE_IO, "the disk is gone"));
    }
    let refused = pair.client.link.write(stream, to(0), None, Guard::default());
    assert_eq!(refused.unwrap_err().code, Code::STORAGE_IO);
    pair.client.link.close_stream(stream);
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn two_writers_with_one_condition_never_both_succeed() {
    let (mut pair, first) = digits();
    let second = pair.open(farlens_proto::OpenRequest { flags: RW, ..request("s0") });
    let guard = Guard { version: Some(vec![0]), end: Some(position(10)) };
    let mut steps = Vec::new();
    for stream in [first, second] {
        let step = pair.client.link.write(stream, to(0), None, guard.clone()).unwrap();
        assert!(pair.client.link.push(stream, step, bytes(b"mine")));
        steps.push((stream, step));
    }
    let outcomes: Vec<_> =
        steps.into_iter().map(|(stream, step)| pair.finish_step(stream, step)).collect();
    let won = outcomes.iter().filter(|status| **status == done(0, 4)).count();
    let lost = outcomes.iter().filter(|status| failed(status) == Some((0, Code::CONFLICT))).count();
    assert_eq!((won, lost), (1, 1), "{outcomes:?}");
}

#[test]
fn a_guard_is_judged_once_for_the_run() {
    let store = Store { most: 3, ..Store::bytes(*b"0123456789") };
    let (mut pair, stream) = Pair::storing(store, RW);
    let guard = Guard { version: Some(vec![0]), end: None };
    let step = pair.client.link.write(stream, to(0), None, guard).unwrap();
    assert!(pair.client.link.push(stream, step, bytes(b"abcdefg")));
    assert_eq!(pair.finish_step(stream, step), done(0, 7));
}

#[test]
fn a_source_that_answers_a_write_wrongly_fails_its_stream_only() {
    let lies = [
        Reply::Changed { at: position(0), elements: 0 },
        Reply::Changed { at: position(0), elements: 4 },
        Reply::Changed { at: farlens_wire::Position::MAX, elements: 3 },
        Reply::Synced,
        Reply::Nothing(Store::bytes(*b"").state()),
        Reply::Some(bytes(b"abc")),
    ];
    for lie in lies {
        let (mut pair, stream) = digits();
        pair.serves = false;
        let step = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
        assert!(pair.client.link.push(stream, step, bytes(b"abc")));
        pair.drive();
        let request = pair.server.link.poll_request().unwrap();
        pair.server.link.handle_reply(stream, request.serial, lie.clone());
        pair.drive();
        let status = pair.client.link.step_status(stream, step);
        assert_eq!(failed(&status), Some((0, Code::INTERNAL)), "{lie:?}");
        assert_eq!((pair.client.over(), pair.server.over()), (None, None));
    }
}

#[test]
fn a_step_that_is_forgotten_is_still_applied() {
    let (mut pair, stream) = digits();
    let step = pair.client.link.write(stream, to(0), None, Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, step, bytes(b"abc")));
    pair.client.link.forget_step(stream, step);
    pair.drive();
    assert_eq!(content(&pair), b"abc3456789");
    assert!(pair.client.link.is_settled(stream));
}

#[test]
fn a_short_append_that_is_cut_off_is_applied_when_its_stream_closes() {
    for syncs in [false, true] {
        let (mut pair, stream) = digits();
        let end = farlens_proto::WriteTo::At(Pos::END);
        let run = pair.client.link.write(stream, end, Some(100), Guard::default()).unwrap();
        assert!(pair.client.link.push(stream, run, bytes(b"abc")));
        pair.drive();
        assert_eq!(content(&pair), b"0123456789", "it waits for its rest");
        if syncs {
            pair.client.link.sync(stream, false).unwrap();
            pair.drive();
        }
        pair.client.link.close_stream(stream);
        pair.drive();
        assert_eq!(content(&pair), b"0123456789abc");
        pair.assert_at_rest();
    }
}

#[test]
fn entities_of_known_number_do_not_wait_for_more_than_their_credit() {
    let (mut pair, stream) = Pair::storing(Store::items(&[]), RW);
    let mut batch = farlens_proto::BatchBuilder::default();
    (0..100).for_each(|_| batch.push(&[7; 10_000]));
    let end = farlens_proto::WriteTo::At(Pos::END);
    let run = pair.client.link.write(stream, end, Some(100), Guard::default()).unwrap();
    assert!(pair.client.link.push(stream, run, Chunk::Items(batch.finish())));
    assert_eq!(pair.finish_step(stream, run), done(0, 100));
}

#[test]
fn a_sync_says_nothing_of_the_end() {
    let (mut pair, stream) = digits();
    pair.write(stream, to(0), bytes(b"abcdefghij"));
    pair.truncate(stream, Edge::After, Pos::Abs(position(5)));
    let sync = pair.client.link.sync(stream, false).unwrap();
    pair.finish_step(stream, sync);
    let end = pair.client.link.stream_state(stream).and_then(|state| state.bounds.end);
    assert_eq!(end, Some(position(5)));
}

#[test]
fn a_run_without_elements_does_not_hold_up_a_drain() {
    let (mut pair, stream) = digits();
    pair.client.link.write(stream, to(0), Some(0), Guard::default()).unwrap();
    pair.drive();
    pair.server.link.drain(&Fault::new(Code::GOING_AWAY, "told to leave"));
    pair.drive();
    assert!(pair.client.link.stream_over(stream).is_some());
}
