//! A hostile or broken peer that writes, is written to, reads places or leaves elements out.

use farlens_proto::{Credit, Guard, RangeStatus, ReadOutcome, WriteTo};
use farlens_tests::{
    pair::{config, request},
    script::{self, Script, bulk, control, data, items},
    source::{Source, position},
    store::Store,
};
use farlens_wire::{
    Code, Edge, Epoch, Flags, Kind, Limits, Pos, Side, Step, StreamId,
    frame::{
        Fault, Frame, StreamFrame,
        stream::{
            self, Close, Closed, End, Failed, Gap, Open, Opened, Range, RangeEnd, RangeId, Ranges,
            StreamControl, Sync, Truncate, Write, WriteFailed, WriteLimit, Written,
        },
    },
};

const VIOLATION: Code = Code::PROTOCOL_VIOLATION;
const ID: StreamId = StreamId(1);

fn at(at: u64) -> Pos {
    Pos::Abs(position(at))
}

/// A credit of 100 bytes and 5 entities.
fn small() -> Limits {
    let mut limits = Limits::default();
    limits.stream_window_bytes = 100;
    limits.stream_window_max_bytes = 100;
    limits.stream_window_items = 5;
    limits
}

/// A server under test, with stream 1 on this store.
fn storing(store: &Store) -> Script {
    let mut script = Script::with(Side::Acceptor, config(small()));
    script.greet();
    script.send(&control(1, &Open { credit: Credit::default(), ..script::open("x") }));
    assert!(script.link.accept(ID, store.accepted()));
    script.frames();
    script
}

fn writable() -> Script {
    storing(&Store::bytes(*b"0123456789"))
}

fn write(step: u64) -> Vec<u8> {
    control(
        1,
        &Write { step: Step(step), to: WriteTo::At(at(0)), length: None, guard: Guard::default() },
    )
}

fn truncate(step: u64) -> Vec<u8> {
    let (edge, to, guard) = (Edge::After, at(5), Guard::default());
    control(1, &Truncate { step: Step(step), edge, to, guard })
}

fn sync(step: u64) -> Vec<u8> {
    control(1, &Sync { step: Step(step), seen: Step(0), finish: false })
}

/// Everything that came before is answered, and the stream has failed for this reason.
fn assert_stream_failed(script: &mut Script, code: Code) {
    script.assert_alive();
    let sent = script.frames();
    let failed = |frame: &Frame| matches!(frame, Frame::Stream(ID, StreamFrame::Control(StreamControl::Failed(f))) if f.fault.code == code);
    assert_eq!(sent.iter().filter(|frame| failed(frame)).count(), 1, "{sent:?}");
    assert_eq!(script.link.poll_request(), None);
    // What is still under way from a peer that did not know is ignored, and the link serves on.
    for late in [write(9), truncate(7), sync(3), data(1, 9, 0, b"late"), control(1, &Close {})] {
        script.send(&late);
    }
    script.send(&control(3, &script::open("y")));
    script.assert_alive();
}

// --- a hostile writer ------------------------------------------------------------------------

#[test]
fn d21_one_byte_beyond_the_credit_for_writing_ends_the_link() {
    let mut script = writable();
    script.send(&write(1));
    script.send(&data(1, 1, 0, &[7; 100]));
    script.assert_alive();
    script.send(&data(1, 1, 100, &[7]));
    script.assert_over(Code::FLOW_CONTROL);
    let mut script = writable();
    script.send(&[write(1), data(1, 1, 0, &[7; 101])].concat());
    script.assert_over(Code::FLOW_CONTROL);
}

#[test]
fn d21_credit_for_writing_counts_over_all_steps_and_entities() {
    let mut script = writable();
    for step in 1..=10 {
        script.send(&[write(step), data(1, step, 0, &[7; 10])].concat());
    }
    script.assert_alive();
    script.send(&[write(11), data(1, 11, 0, &[7])].concat());
    script.assert_over(Code::FLOW_CONTROL);
    let mut script = storing(&Store::items(&[]));
    script.send(&[write(1), items(1, 1, 0, &[b"1", b"2", b"3", b"4", b"5"])].concat());
    script.assert_alive();
    script.send(&items(1, 1, 5, &[b"6"]));
    script.assert_over(Code::FLOW_CONTROL);
}

#[test]
fn credit_for_writing_comes_back_as_elements_are_stored() {
    let mut store = Store::bytes(*b"");
    let mut script = storing(&store);
    script.send(&[write(1), data(1, 1, 0, &[7; 100])].concat());
    let request = script.link.poll_request().unwrap();
    script.link.handle_reply(ID, request.serial, store.answer(request.ask));
    let told: Vec<_> = script.frames();
    let credit = told.iter().find_map(|frame| match frame {
        Frame::Stream(_, StreamFrame::Control(StreamControl::WriteLimit(limit))) => {
            Some(limit.credit)
        }
        _ => None,
    });
    assert_eq!(credit.map(|credit| credit.bytes), Some(200), "{told:?}");
    script.send(&data(1, 1, 100, &[7; 100]));
    script.assert_alive();
    script.send(&data(1, 1, 200, &[7]));
    script.assert_over(Code::FLOW_CONTROL);
}

#[test]
fn d21_a_push_of_nothing_is_malformed_and_ends_the_link() {
    let mut script = writable();
    script.send(&[write(1), data(1, 1, 0, b"")].concat());
    script.assert_over(Code::MALFORMED);
}

#[test]
fn d11_i11_changes_that_the_mode_forbids_fail_their_stream_and_the_link_lives() {
    let read_only = Source::fixed_bytes(1, 10);
    let log = Store { append_only: true, ..Store::bytes(*b"0123") };
    let fixed = Store::bytes(*b"0123").without(Flags::CAN_MOVE_END | Flags::CAN_MOVE_START);
    let here = control(
        1,
        &Write { step: Step(1), to: WriteTo::Here, length: None, guard: Guard::default() },
    );
    let (edge, guard) = (Edge::Before, Guard::default());
    let before = control(1, &Truncate { step: Step(1), edge, to: at(1), guard });
    for frame in [write(1), here.clone(), truncate(1), before.clone(), sync(1)] {
        let mut script = Script::server();
        script.send(&control(1, &script::open("x")));
        script.link.accept(ID, read_only.accepted());
        script.frames();
        script.send(&frame);
        assert_stream_failed(&mut script, Code::MODE_FORBIDS);
    }
    for frame in [write(1), here, truncate(1), before.clone()] {
        let mut script = storing(&log);
        script.send(&frame);
        assert_stream_failed(&mut script, Code::MODE_FORBIDS);
    }
    for frame in [truncate(1), before] {
        let mut script = storing(&fixed);
        script.send(&frame);
        assert_stream_failed(&mut script, Code::MODE_FORBIDS);
    }
}

#[test]
fn i13_steps_that_skip_or_repeat_end_the_link() {
    let frames: [fn(u64) -> Vec<u8>; 3] = [write, truncate, sync];
    for frame in frames {
        for wrong in [0, 2, u64::MAX] {
            let mut script = writable();
            script.send(&frame(wrong));
            assert_eq!(script.over(), Some(VIOLATION), "{wrong} first");
        }
        for wrong in [0, 1, 3] {
            let mut script = writable();
            script.send(&sync(1));
            script.send(&frame(wrong));
            assert_eq!(script.over(), Some(VIOLATION), "{wrong} behind 1");
        }
    }
}

#[test]
fn d21_elements_of_a_step_that_takes_none_end_the_link() {
    for (first, step) in [(truncate(1), 1), (sync(1), 1), (write(1), 2), (write(1), 0)] {
        let mut script = writable();
        script.send(&first);
        script.assert_alive();
        script.send(&data(1, step, 0, b"x"));
        script.assert_over(VIOLATION);
    }
    // A run is over once another step has begun.
    let mut script = writable();
    script.send(&[write(1), data(1, 1, 0, b"a"), sync(2), data(1, 1, 1, b"b")].concat());
    script.assert_over(VIOLATION);
    let mut script = writable();
    script.send(&data(1, 0, 0, b"x"));
    script.assert_over(VIOLATION);
}

#[test]
fn i13_elements_that_do_not_follow_those_before_end_the_link() {
    for wrong in [0, 2, 4, i64::MAX as u64] {
        let mut script = writable();
        script.send(&[write(1), data(1, 1, 0, b"abc")].concat());
        script.send(&data(1, 1, wrong, b"x"));
        assert_eq!(script.over(), Some(VIOLATION), "at {wrong}");
    }
}

#[test]
fn f10_elements_of_another_kind_never_reach_the_data() {
    let mut script = writable();
    script.send(&[write(1), items(1, 1, 0, &[b"entity"])].concat());
    script.assert_over(VIOLATION);
    let mut script = storing(&Store::items(&[]));
    script.send(&[write(1), data(1, 1, 0, b"bytes")].concat());
    script.assert_over(VIOLATION);
    assert_eq!(script.link.poll_request(), None);
}

#[test]
fn d4_sixty_five_changes_at_once_end_the_link() {
    let mut script = writable();
    (1..=64).for_each(|step| script.send(&sync(step)));
    script.assert_alive();
    script.send(&sync(65));
    script.assert_over(Code::EXCESSIVE_LOAD);
    // Runs that nobody filled are over when the next one begins.
    let mut script = writable();
    (1..=1_000).for_each(|step| script.send(&write(step)));
    script.assert_alive();
    assert_eq!(script.link.poll_request(), None);
}

#[test]
fn answers_that_are_not_read_are_bounded() {
    let mut store = Store::bytes(*b"0123456789");
    let mut script = storing(&store);
    for step in 1..100_000 {
        script.send(&sync(step));
        if script.over().is_some() {
            script.assert_over(Code::EXCESSIVE_LOAD);
            return;
        }
        let request = script.link.poll_request().expect("it is to be made durable");
        script.link.handle_reply(ID, request.serial, store.answer(request.ask));
    }
    panic!("a storm that never ends");
}

#[test]
fn an_entity_that_is_not_sent_to_its_end_is_no_entity() {
    let part = bulk(stream::ITEM_PART, 1, 1, 0, Some(10), b"1234");
    for next in [write(2), sync(2), truncate(2)] {
        let mut script = storing(&Store::items(&[]));
        script.send(&[write(1), part.clone()].concat());
        script.assert_alive();
        script.send(&next);
        script.assert_over(VIOLATION);
    }
    let mut script = storing(&Store::items(&[]));
    script.send(&[write(1), part].concat());
    assert_eq!(script.link.poll_request(), None, "nothing of it is stored");
    script.send(&control(1, &Close {}));
    script.frames();
    script.assert_alive();
    assert_eq!(script.link.stats(), farlens_proto::LinkStats::default());
}

#[test]
fn changes_before_the_stream_is_open_end_the_link() {
    for frame in [write(1), truncate(1), sync(1), data(1, 1, 0, b"x"), ranges(0, &[(0, 1)])] {
        let mut script = Script::server();
        script.send(&control(1, &script::open("x")));
        script.send(&frame);
        script.assert_over(VIOLATION);
    }
}

// --- hostile ranges --------------------------------------------------------------------------

fn ranges(first: u64, places: &[(u64, u64)]) -> Vec<u8> {
    let range = |&(at, length): &(u64, u64)| Range { at: position(at), length };
    let ranges = places.iter().map(range).collect();
    control(1, &Ranges { first: RangeId(first), ranges })
}

fn serving(source: &Source) -> Script {
    let mut script = Script::server();
    script.send(&control(1, &Open { credit: Credit::default(), ..script::open("x") }));
    assert!(script.link.accept(ID, source.accepted()));
    script.frames();
    script
}

#[test]
fn range_ids_come_in_their_order() {
    for wrong in [1, u64::MAX] {
        let mut script = serving(&Source::fixed_bytes(1, 100));
        script.send(&ranges(wrong, &[(0, 1)]));
        script.assert_over(VIOLATION);
    }
    for wrong in [0, 1, 3] {
        let mut script = serving(&Source::fixed_bytes(1, 100));
        script.send(&ranges(0, &[(0, 1), (5, 1)]));
        script.assert_alive();
        script.send(&ranges(wrong, &[(0, 1)]));
        script.assert_over(VIOLATION);
    }
}

#[test]
fn more_than_256_ranges_at_once_end_the_link() {
    let many: Vec<_> = (0..257).map(|n| (n, 1)).collect();
    let mut script = serving(&Source::fixed_bytes(1, 1_000));
    script.send(&ranges(0, &many[..256]));
    script.assert_alive();
    script.send(&ranges(256, &many[..1]));
    script.assert_over(Code::EXCESSIVE_LOAD);
    let mut script = serving(&Source::fixed_bytes(1, 1_000));
    script.send(&ranges(0, &many));
    script.assert_over(Code::EXCESSIVE_LOAD);
}

#[test]
fn a_range_has_one_byte_at_least_and_one_mebibyte_at_most() {
    let max = i64::MAX as u64;
    for (at, length, dies) in [
        (0, 0, true),
        (0, 1, false),
        (0, 1 << 20, false),
        (0, (1 << 20) + 1, true),
        (0, u64::MAX, true),
        (max, 1, true),
        (max - 1, 1, false),
    ] {
        let mut script = serving(&Source::fixed_bytes(1, 100));
        script.send(&ranges(0, &[(at, length)]));
        assert_eq!(script.over(), dies.then_some(VIOLATION), "{length} at {at}");
    }
}

#[test]
fn ranges_that_come_with_the_open_frame_are_judged_alike() {
    let cases = [
        (Range { at: position(3), length: 4 }, None),
        (Range { at: position(3), length: 0 }, Some(VIOLATION)),
        (Range { at: position(3), length: (1 << 20) + 1 }, Some(VIOLATION)),
    ];
    for (range, code) in cases {
        let mut script = Script::server();
        script.send(&control(1, &Open { ranges: vec![range], ..script::open("x") }));
        script.assert_alive();
        assert_eq!(script.link.accept(ID, Source::fixed_bytes(1, 100).accepted()), code.is_none());
        assert_eq!(script.over(), code, "{range:?}");
    }
}

#[test]
fn i11_places_that_a_stream_does_not_have_fail_it_and_the_link_lives() {
    let forward = Source::fixed_bytes(1, 100).with_seek(Flags::SEEK_FWD);
    let entities = Source { kind: Kind::Items, ..Source::fixed_bytes(1, 100) };
    for (source, code) in [(forward, Code::MODE_FORBIDS), (entities, Code::WRONG_KIND)] {
        let mut script = serving(&source);
        script.send(&ranges(0, &[(0, 1)]));
        assert_stream_failed(&mut script, code);
    }
}

// --- a hostile streamer ----------------------------------------------------------------------

fn opened(kind: Kind, store: &Store) -> Opened {
    let accepted = store.accepted();
    Opened {
        kind,
        mode: accepted.mode,
        append_only: false,
        write: Credit { bytes: 100, elements: 100 },
        state: accepted.state,
        at: position(0),
        fingerprint: None,
        schema: None,
    }
}

/// A client under test with a stream that it may read and write, and its id.
fn opener(kind: Kind) -> (Script, StreamId) {
    let mut script = Script::with(Side::Initiator, config(small()));
    script.greet();
    let stream = script.link.open(request("x")).unwrap();
    script.frames();
    let store = match kind {
        Kind::Bytes => Store::bytes([7; 1_000]),
        Kind::Items => Store::items(&[&b"a"[..]; 1_000]),
    };
    script.send(&control(stream.0, &opened(kind, &store)));
    script.assert_alive();
    (script, stream)
}

/// A client under test that has sent ten bytes of a run and a sync behind it, and has more to send.
fn writer() -> (Script, StreamId) {
    let (mut script, stream) = opener(Kind::Bytes);
    let run = script.link.write(stream, WriteTo::Here, None, Guard::default()).unwrap();
    assert!(script.link.push(stream, run, farlens_proto::Chunk::Bytes(vec![1; 10].into())));
    script.frames();
    (script, stream)
}

fn written(step: u64, count: u64) -> Written {
    Written { step: Step(step), at: position(0), count }
}

fn write_failed(step: u64, count: u64) -> WriteFailed {
    let fault = Fault::new(Code::STORAGE_IO, "no");
    WriteFailed { step: Step(step), count, fault }
}

#[test]
fn answers_to_steps_that_were_not_made_end_the_link() {
    for step in [0, 2, u64::MAX] {
        let (mut script, stream) = writer();
        script.send(&control(stream.0, &written(step, 0)));
        assert_eq!(script.over(), Some(VIOLATION), "{step}");
        let (mut script, stream) = writer();
        script.send(&control(stream.0, &write_failed(step, 0)));
        assert_eq!(script.over(), Some(VIOLATION), "{step}");
    }
    // Begun, and not sent yet.
    let (mut script, stream) = writer();
    script.link.sync(stream, false).unwrap();
    script.send(&control(stream.0, &written(1, 10)));
    script.assert_alive();
    script.send(&control(stream.0, &written(2, 0)));
    script.assert_over(VIOLATION);
}

#[test]
fn more_than_was_sent_is_not_applied() {
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &written(1, 11)));
    script.assert_over(VIOLATION);
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &write_failed(1, 11)));
    script.assert_over(VIOLATION);
    // What was handed in here and waits for credit has not been sent either.
    let (mut script, stream) = opener(Kind::Bytes);
    let run = script.link.write(stream, WriteTo::Here, None, Guard::default()).unwrap();
    assert!(script.link.push(stream, run, farlens_proto::Chunk::Bytes(vec![1; 200].into())));
    script.frames();
    script.send(&control(stream.0, &written(1, 100)));
    script.assert_alive();
    script.send(&control(stream.0, &written(1, 101)));
    script.assert_over(VIOLATION);
    // A step without elements applies none.
    let (mut script, stream) = opener(Kind::Bytes);
    script.link.sync(stream, false).unwrap();
    script.frames();
    script.send(&control(stream.0, &written(1, 1)));
    script.assert_over(VIOLATION);
}

#[test]
fn what_was_applied_does_not_go_back() {
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &written(1, 5)));
    script.assert_alive();
    script.send(&control(stream.0, &written(1, 4)));
    script.assert_over(VIOLATION);
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &written(1, 5)));
    script.send(&control(stream.0, &write_failed(1, 4)));
    script.assert_over(VIOLATION);
}

#[test]
fn a_step_is_not_passed_over() {
    for answer in [0, 1] {
        let (mut script, stream) = writer();
        script.link.sync(stream, false).unwrap();
        script.frames();
        script.send(&control(stream.0, &written(1, 9)));
        script.assert_alive();
        if answer == 0 {
            script.send(&control(stream.0, &written(2, 0)));
        } else {
            script.send(&control(stream.0, &write_failed(2, 0)));
        }
        script.assert_over(VIOLATION);
    }
}

#[test]
fn a_step_fails_once_and_makes_no_progress_after_that() {
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &write_failed(1, 3)));
    script.assert_alive();
    script.send(&control(stream.0, &write_failed(1, 3)));
    script.assert_over(VIOLATION);
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &write_failed(1, 3)));
    script.send(&control(stream.0, &written(1, 5)));
    script.assert_over(VIOLATION);
}

#[test]
fn a_write_limit_never_falls() {
    let cases = [
        (Credit { bytes: 100, elements: 100 }, None),
        (Credit { bytes: 101, elements: 200 }, None),
        (Credit { bytes: 99, elements: 200 }, Some(Code::FLOW_CONTROL)),
        (Credit { bytes: 200, elements: 99 }, Some(Code::FLOW_CONTROL)),
    ];
    for (credit, code) in cases {
        let (mut script, stream) = writer();
        script.send(&control(stream.0, &WriteLimit { credit }));
        assert_eq!(script.over(), code, "{credit:?}");
    }
}

#[test]
fn answers_about_writing_before_the_stream_is_open_end_the_link() {
    let credit = Credit { bytes: 1_000, elements: 1_000 };
    for frame in
        [control(1, &WriteLimit { credit }), control(1, &written(1, 0)), range_end(1, 0, None)]
    {
        let mut script = Script::client();
        script.link.open(request("x")).unwrap();
        script.frames();
        script.send(&frame);
        script.assert_over(VIOLATION);
    }
}

fn range_data(stream: u64, range: u64, at: u64, body: &[u8]) -> Vec<u8> {
    bulk(stream::RANGE_DATA, stream, range, at, None, body)
}

fn range_end(stream: u64, range: u64, fault: Option<Fault>) -> Vec<u8> {
    control(stream, &RangeEnd { range: RangeId(range), fault })
}

#[test]
fn bytes_of_a_range_come_in_order_and_within_it() {
    type Lie = (&'static str, fn(u64) -> Vec<u8>, Code);
    let lies: [Lie; 8] = [
        ("an unknown range", |id| range_data(id, 1, 50, b"x"), VIOLATION),
        ("before its place", |id| range_data(id, 0, 49, b"x"), VIOLATION),
        ("behind its place", |id| range_data(id, 0, 51, b"x"), VIOLATION),
        ("beyond its end", |id| range_data(id, 0, 50, &[7; 11]), VIOLATION),
        ("nothing", |id| range_data(id, 0, 50, b""), Code::MALFORMED),
        ("the end of an unknown range", |id| range_end(id, 1, None), VIOLATION),
        (
            "a part twice",
            |id| [range_data(id, 0, 50, b"abc"), range_data(id, 0, 50, b"abc")].concat(),
            VIOLATION,
        ),
        (
            "more behind the whole",
            |id| [range_data(id, 0, 50, &[7; 10]), range_end(id, 0, None)].concat(),
            VIOLATION,
        ),
    ];
    for (name, lie, code) in lies {
        let (mut script, stream) = opener(Kind::Bytes);
        let ticket = script.link.ask_range(stream, position(50), 10).unwrap();
        script.frames();
        script.send(&lie(stream.0));
        assert_eq!(script.over(), Some(code), "{name}");
        let status = script.link.take_range(stream, ticket);
        let whole = name == "more behind the whole";
        assert_eq!(matches!(status, RangeStatus::Done(_)), whole, "{name}: {status:?}");
    }
    let (mut script, stream) = opener(Kind::Bytes);
    let ticket = script.link.ask_range(stream, position(50), 10).unwrap();
    script.frames();
    script.send(&range_data(stream.0, 0, 50, b"abc"));
    script.send(&range_data(stream.0, 0, 53, b"de"));
    script.send(&range_end(stream.0, 0, None));
    script.assert_alive();
    assert!(matches!(script.link.take_range(stream, ticket), RangeStatus::Done(b) if b == "abcde"));
}

#[test]
fn bytes_of_a_range_that_nobody_asked_for_yet_end_the_link() {
    let (mut script, stream) = opener(Kind::Bytes);
    script.link.ask_range(stream, position(50), 10).unwrap();
    // The request waits to be sent.
    script.send(&range_data(stream.0, 0, 50, b"abc"));
    script.assert_over(VIOLATION);
}

// --- gaps ------------------------------------------------------------------------------------

fn gap(stream: u64, epoch: u64, from: u64, to: u64) -> Vec<u8> {
    let (at, to) = (position(from), position(to));
    control(stream, &Gap { epoch: Epoch(epoch), at, to, evicted: true })
}

#[test]
fn a_gap_leaves_something_out_and_stands_where_elements_are_due() {
    for (from, to) in [(3, 3), (3, 2), (3, 0), (2, 9), (4, 9)] {
        let (mut script, stream) = opener(Kind::Bytes);
        script.send(&data(stream.0, 0, 0, b"abc"));
        script.send(&gap(stream.0, 0, from, to));
        assert_eq!(script.over(), Some(VIOLATION), "{from} to {to}");
        assert!(matches!(script.link.read(stream, 9), ReadOutcome::Some(_)), "what came is good");
    }
    let (mut script, stream) = opener(Kind::Bytes);
    script.send(&gap(stream.0, 1, 0, 5));
    script.assert_over(VIOLATION);
}

#[test]
fn elements_follow_the_gap_before_them() {
    for wrong in [3, 4, 8, 10] {
        let (mut script, stream) = opener(Kind::Bytes);
        script.send(&[data(stream.0, 0, 0, b"abc"), gap(stream.0, 0, 3, 9)].concat());
        script.assert_alive();
        script.send(&data(stream.0, 0, wrong, b"x"));
        assert_eq!(script.over(), Some(VIOLATION), "at {wrong}");
    }
}

#[test]
fn there_is_no_gap_in_the_middle_of_an_entity_or_behind_the_end() {
    let (mut script, stream) = opener(Kind::Items);
    script.send(&bulk(stream::ITEM_PART, stream.0, 0, 0, Some(10), b"1234"));
    script.assert_alive();
    script.send(&gap(stream.0, 0, 0, 5));
    script.assert_over(VIOLATION);
    let (mut script, stream) = opener(Kind::Bytes);
    script.send(&control(stream.0, &End { epoch: Epoch(0), at: position(0) }));
    script.send(&gap(stream.0, 0, 0, 5));
    script.assert_over(VIOLATION);
}

#[test]
fn gaps_that_touch_are_one_and_a_flood_of_them_costs_nothing() {
    let (mut script, stream) = opener(Kind::Bytes);
    for n in 0..10_000 {
        script.send(&gap(stream.0, 0, n, n + 1));
    }
    script.assert_alive();
    let read = script.link.read(stream, 1);
    assert_eq!(read, ReadOutcome::Gap { skipped: 10_000, evicted: true });
    assert_eq!(script.link.read(stream, 1), ReadOutcome::Pending);
}

// --- late frames -----------------------------------------------------------------------------

#[test]
fn i10_late_frames_about_a_closed_stream_are_ignored() {
    let (mut script, stream) = writer();
    let ticket = script.link.ask_range(stream, position(50), 10).unwrap();
    script.frames();
    script.link.close_stream(stream);
    let id = stream.0;
    for late in [
        control(id, &written(1, 10)),
        control(id, &written(7, 70)),
        control(id, &write_failed(1, 0)),
        control(id, &WriteLimit { credit: Credit::default() }),
        range_data(id, 0, 50, b"abc"),
        range_end(id, 5, None),
        gap(id, 0, 0, 5),
        control(id, &Closed {}),
        control(id, &written(1, 10)),
        range_data(id, 0, 50, b"abc"),
        gap(id, 0, 9, 3),
        control(id, &Failed { fault: Fault::new(Code::INTERNAL, "") }),
    ] {
        script.send(&late);
        script.assert_alive();
    }
    let gone = script.link.take_range(stream, ticket);
    assert!(matches!(gone, RangeStatus::Failed(fault) if fault.code == Code::CLOSED));
    script.frames();
    assert_eq!(script.link.stats(), farlens_proto::LinkStats::default());
}

#[test]
fn frames_of_the_wrong_side_end_the_link_whether_the_stream_is_open_or_not() {
    let openers = [write(1), truncate(1), sync(1), ranges(0, &[(0, 1)])];
    for frame in openers {
        let (mut script, _) = writer();
        script.send(&frame);
        script.assert_over(VIOLATION);
        let (mut script, stream) = writer();
        script.link.close_stream(stream);
        script.frames();
        script.send(&control(1, &Closed {}));
        script.send(&frame);
        script.assert_over(VIOLATION);
    }
    let credit = Credit::default();
    let streamers = [
        control(1, &written(1, 0)),
        control(1, &write_failed(1, 0)),
        control(1, &WriteLimit { credit }),
        range_data(1, 0, 0, b"x"),
        range_end(1, 0, None),
        gap(1, 0, 0, 1),
    ];
    for frame in streamers {
        let mut script = writable();
        script.send(&frame);
        script.assert_over(VIOLATION);
    }
}
