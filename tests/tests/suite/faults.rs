//! A hostile or broken peer (rows F, M and S10 of the fault table): what it costs, and whom.

use bytes::BytesMut;
use farlens_proto::{Event, Link, PeerIdentity, ReadOutcome, Time};
use farlens_tests::{
    pair::{Pair, config, request},
    refs::Holdings,
    rng::Rng,
    script::{self, Script, bulk, control, data, items, raw},
    source::{Source, position},
};
use farlens_wire::{
    AtEnd, Code, Epoch, Flags, Limits, Pos, Side, StreamId,
    frame::{
        Fault, Frame, LinkFrame, StreamFrame,
        link::{Bye, GoAway},
        stream::{
            self, Close, Closed, Credit, End, Failed, Limit, Opened, Seek, Sought, State,
            StreamControl, UpToDate,
        },
    },
    varint,
};

const VIOLATION: Code = Code::PROTOCOL_VIOLATION;

pub(crate) fn opened(source: &Source, at: u64) -> Opened {
    let accepted = source.accepted();
    Opened {
        append_only: false,
        write: farlens_wire::frame::stream::Credit::default(),
        kind: accepted.kind,
        mode: accepted.mode,
        state: accepted.state,
        at: position(at),
        fingerprint: None,
        schema: None,
    }
}

/// A client under test with an open stream on bytes without end, its id and its first credit.
fn reader_of(source: &Source, limits: Limits) -> (Script, u64) {
    let mut script = Script::with(Side::Initiator, config(limits));
    script.greet();
    let stream = script.link.open(request("0")).expect("the link asks");
    script.frames();
    script.send(&control(stream.0, &opened(source, 0)));
    script.assert_alive();
    (script, stream.0)
}

fn bytes_reader() -> (Script, u64) {
    reader_of(&Source::growing_bytes(1, 1 << 40), small())
}

fn items_reader() -> (Script, u64) {
    let source = Source { kind: farlens_wire::Kind::Items, ..Source::growing_bytes(1, 1 << 40) };
    reader_of(&source, small())
}

/// A credit of 100 bytes and 5 entities.
fn small() -> Limits {
    let mut limits = Limits::default();
    limits.stream_window_bytes = 100;
    limits.stream_window_max_bytes = 100;
    limits.stream_window_items = 5;
    limits
}

/// A server under test with one stream that was accepted.
fn serving(source: &Source) -> Script {
    let mut script = Script::server();
    script.send(&control(1, &script::open("x")));
    assert!(script.link.accept(StreamId(1), source.accepted()));
    script.frames();
    script
}

/// The link ends for this reason, and nothing of the stream reached its reader.
fn assert_refused(mut script: Script, stream: u64, code: Code) {
    script.assert_over(code);
    assert!(!script.link.is_readable(StreamId(stream)));
    let read = script.link.read(StreamId(stream), 1);
    assert!(matches!(read, ReadOutcome::Failed(fault) if fault.code == code));
    script.link.close_stream(StreamId(stream));
    assert_eq!(script.link.stats(), farlens_proto::LinkStats::default());
}

fn elements(script: &mut Script, stream: u64) -> u64 {
    let mut count = 0;
    while let ReadOutcome::Some(chunk) = script.link.read(StreamId(stream), u64::MAX) {
        count += chunk.elements();
    }
    count
}

// --- F: framing and control ------------------------------------------------------------------

#[test]
fn f1_a_frame_one_byte_over_the_limit_is_refused_from_its_header() {
    let limit = Limits::default().frame_bytes;
    for (kind, limit) in [(stream::DATA, limit), (0x10, limit), (0x2d, Limits::CONTROL_BYTES)] {
        for (length, dies) in [(limit, false), (limit + 1, true), (usize::MAX, true)] {
            let mut script = Script::server();
            let mut header = Vec::new();
            farlens_wire::frame::put_header(&mut header, kind, 1, length);
            script.send(&header);
            assert_eq!(script.over(), dies.then_some(Code::FRAME_TOO_LARGE), "{kind:#x} {length}");
        }
    }
}

#[test]
fn f2_an_unknown_kind_ends_the_link_unless_it_may_be_ignored() {
    let mut script = Script::server();
    script.send(&raw(0x7f, 1, b""));
    script.assert_over(VIOLATION);
    let mut script = Script::server();
    for _ in 0..Limits::IGNORED_FRAMES {
        script.send(&raw(0x80, 0, b"whatever"));
    }
    script.assert_alive();
    script.send(&raw(0xff, 3, b""));
    script.assert_over(Code::EXCESSIVE_LOAD);
}

#[test]
fn f5_f6_a_ping_flood_costs_one_slot_and_ends() {
    let mut script = Script::server();
    for token in 0..20 {
        script.send(&script::link(&LinkFrame::Ping(token)));
    }
    assert_eq!(script.frames(), [Frame::Link(LinkFrame::Pong(19))]);
    script.send(&script::link(&LinkFrame::Ping(20)));
    script.assert_over(Code::EXCESSIVE_LOAD);
}

#[test]
fn the_shortest_ping_interval_is_no_flood() {
    let mut eager = Limits::default();
    eager.ping_idle_ms = 200;
    let mut pair = Pair::new(eager, Limits::default());
    pair.drive();
    for tick in 1..=2_000 {
        pair.pass(Time::ZERO.plus_ms(200 * tick));
        assert_eq!((pair.client.over(), pair.server.over()), (None, None), "tick {tick}");
    }
}

#[test]
fn a_pong_to_no_ping_ends_the_link() {
    let mut script = Script::server();
    script.send(&script::link(&LinkFrame::Pong(1)));
    script.assert_over(VIOLATION);
}

#[test]
fn f7_opens_that_are_taken_back_at_once_end_the_link() {
    let mut script = Script::server();
    let mut opened = 0;
    for n in 0..100_000 {
        script.send(&control(2 * n + 1, &script::open("x")));
        script.send(&control(2 * n + 1, &Close {}));
        script.frames();
        if script.over().is_some() {
            break;
        }
        opened += 1;
    }
    assert!((900..=1_001).contains(&opened), "{opened}");
    assert_eq!(script.over(), Some(Code::EXCESSIVE_LOAD));
    assert_eq!(script.link.stats(), farlens_proto::LinkStats::default());
}

#[test]
fn f8_refusals_that_are_not_read_are_bounded() {
    let mut script = Script::server();
    for n in 0..100_000 {
        script.send(&control(2 * n + 1, &script::open("x")));
        assert!(script.link.stats().serving <= 512);
        if script.over().is_some() {
            script.assert_over(Code::TOO_MANY_STREAMS);
            assert_eq!(script.events.len(), 256 + 256 + 1);
            return;
        }
    }
    panic!("a storm that never ends");
}

#[test]
fn a_leaving_link_bounds_its_refusals_too() {
    let mut script = serving(&Source::growing_bytes(1, 1 << 30));
    script.link.drain(&Fault::new(Code::GOING_AWAY, "leaving"));
    for n in 1..100_000 {
        script.send(&control(2 * n + 1, &script::open("x")));
        assert!(script.link.stats().serving <= 512);
        if script.over().is_some() {
            return;
        }
    }
    panic!("a storm that never ends");
}

#[test]
fn f12_the_first_frame_is_a_hello_and_there_is_one() {
    let firsts = [
        script::link(&LinkFrame::Ping(1)),
        control(1, &script::open("x")),
        script::extended(1, &script::open("x"), 7),
        script::extended(
            1,
            &farlens_wire::frame::call::Call::new(farlens_wire::ObjectId::ROOT, "m", vec![]),
            7,
        ),
        data(1, 0, 0, b"x"),
        raw(0x80, 0, b""),
    ];
    for first in firsts {
        let mut script = Script::silent(Side::Acceptor);
        script.send(&first);
        assert_eq!(script.over(), Some(VIOLATION), "{first:02x?}");
        assert_eq!(script.link.stats(), farlens_proto::LinkStats::default());
    }
    let mut script = Script::server();
    script.send(&script::hello(&Limits::default()));
    script.assert_over(VIOLATION);
}

#[test]
fn f12_a_hello_is_small_and_comes_in_time() {
    let mut script = Script::silent(Side::Acceptor);
    let mut header = Vec::new();
    farlens_wire::frame::put_header(&mut header, 0x01, 0, Limits::HELLO_BYTES + 1);
    script.send(&header);
    script.assert_over(Code::FRAME_TOO_LARGE);
    let mut pair = Pair::new(Limits::default(), Limits::default());
    pair.server.link.handle_timeout(Time::ZERO.plus_ms(4_999));
    assert_eq!(pair.server.over(), None);
    let (due, _) = pair.server.link.poll_timeout().unwrap();
    assert_eq!(due, Time::ZERO.plus_ms(5_000));
    pair.server.link.handle_timeout(due);
    assert_eq!(pair.server.over(), Some(Code::TIMEOUT));
}

#[test]
fn f14_a_leaving_peer_may_repeat_itself() {
    let mut script = Script::client();
    for _ in 0..3 {
        let fault = Fault::new(Code::GOING_AWAY, "soon");
        script.send(&script::link(&LinkFrame::GoAway(GoAway::new(fault))));
    }
    assert_eq!(script.events.len(), 1);
    assert_eq!(script.link.open(request("0")).unwrap_err().code, Code::GOING_AWAY);
}

#[test]
fn f17_a_frame_that_never_comes_whole_leaves_the_rest_alone_until_the_link_is_dead() {
    let (mut script, id) = bytes_reader();
    script.send(&data(id, 0, 0, b"here"));
    let whole = data(id, 0, 4, b"not here");
    script.send(&whole[..3]);
    assert_eq!(elements(&mut script, id), 4);
    script.frames();
    script.link.handle_timeout(Time::ZERO.plus_ms(45_000));
    script.send(&[]);
    assert_eq!(script.over(), Some(Code::LINK_LOST));
}

#[test]
fn a_farewell_in_the_middle_is_no_end() {
    let (mut script, id) = bytes_reader();
    script.send(&data(id, 0, 0, b"abc"));
    script.send(&script::link(&LinkFrame::Bye(Bye::new(Fault::new(Code::OVERLOADED, "bye")))));
    assert_eq!(script.over(), Some(Code::OVERLOADED));
    assert!(script.frames().is_empty(), "a farewell is not answered");
    assert_eq!(elements(&mut script, id), 3);
    let read = script.link.read(StreamId(id), 1);
    assert!(matches!(read, ReadOutcome::Failed(fault) if fault.code == Code::OVERLOADED));
}

#[test]
fn a_payload_that_is_not_canonical_ends_the_link() {
    let mut script = Script::server();
    // Epoch 0 in two bytes.
    script.send(&raw(0x25, 1, &[0x80, 0, 1, 1]));
    assert_eq!(script.over(), Some(Code::MALFORMED));
    let mut script = Script::server();
    let mut trailing = control(1, &Close {});
    trailing[2] = 1;
    trailing.push(0xff);
    script.send(&trailing);
    assert_eq!(script.over(), Some(Code::MALFORMED));
}

#[test]
fn a_path_too_long_for_the_other_sides_frames_is_refused_here() {
    let longest = "x".repeat(Limits::PATH_BYTES);
    let mut smallest = Limits::default();
    smallest.frame_bytes = 4 << 10;
    for (limits, code) in [(smallest, Code::BAD_ADDRESS), (Limits::default(), Code::NOT_FOUND)] {
        let mut pair = Pair::serving_with(limits, Vec::new());
        let outcome = match pair.client.link.open(request(&longest)) {
            Err(fault) => fault,
            Ok(stream) => {
                pair.drive();
                pair.client.link.stream_over(stream).expect("nothing is published").clone()
            }
        };
        assert_eq!(outcome.code, code);
        assert_eq!(pair.server.over(), None);
    }
    let mut pair = Pair::serving(Vec::new());
    let refused = pair.client.link.open(request(&format!("{longest}x")));
    assert_eq!(refused.unwrap_err().code, Code::BAD_ADDRESS);
}

#[test]
fn an_extension_that_must_be_understood_refuses_its_stream_only() {
    let mut script = Script::server();
    script.send(&script::extended(1, &script::open("x"), 4));
    script.send(&script::extended(3, &script::open("x"), 5));
    assert_eq!(script.events.len(), 1);
    let sent = script.frames();
    assert!(
        matches!(&sent[..], [Frame::Stream(StreamId(3), StreamFrame::Control(StreamControl::Failed(f)))] if f.fault.code == Code::UNSUPPORTED),
        "{sent:?}"
    );
    script.assert_alive();
}

// --- ids -------------------------------------------------------------------------------------

#[test]
fn an_id_is_used_once_by_its_own_side() {
    for second in [1, 3] {
        let mut script = Script::server();
        script.send(&control(3, &script::open("x")));
        script.send(&control(second, &script::open("x")));
        script.assert_over(VIOLATION);
    }
    let mut script = Script::server();
    script.send(&control(2, &script::open("x")));
    script.assert_over(VIOLATION);
    // Also where this side has closed a stream of that number.
    let mut script = Script::client();
    let stream = script.link.open(request("0")).unwrap();
    script.frames();
    script.link.close_stream(stream);
    script.frames();
    script.send(&control(stream.0, &Closed {}));
    script.assert_alive();
    script.send(&control(stream.0, &script::open("x")));
    script.assert_over(VIOLATION);
}

#[test]
fn a_frame_for_what_was_never_opened_ends_the_link() {
    for id in [1, 2] {
        let mut script = Script::server();
        script.send(&control(id, &Close {}));
        assert_eq!(script.over(), Some(VIOLATION), "id {id}");
        let mut script = Script::client();
        script.send(&data(id, 0, 0, b"x"));
        assert_eq!(script.over(), Some(VIOLATION), "id {id}");
    }
}

#[test]
fn frames_for_closed_ids_are_ignored() {
    let (mut script, id) = bytes_reader();
    script.link.close_stream(StreamId(id));
    for late in [
        data(id, 0, 0, b"late"),
        control(id, &End { epoch: Epoch(0), at: position(4) }),
        control(id, &Closed {}),
        data(id, 0, 4, b"later"),
        control(id, &Failed { fault: Fault::new(Code::INTERNAL, "") }),
    ] {
        script.send(&late);
        script.assert_alive();
    }
    let mut script = serving(&Source::growing_bytes(1, 10));
    script.send(&control(1, &Close {}));
    script.frames();
    for late in
        [control(1, &Close {}), control(1, &Limit { epoch: Epoch(9), credit: Credit::default() })]
    {
        script.send(&late);
        script.assert_alive();
    }
}

#[test]
fn elements_to_the_side_that_has_them_end_the_link() {
    let mut script = serving(&Source::growing_bytes(1, 10));
    script.send(&data(1, 0, 0, b"x"));
    script.assert_over(VIOLATION);
    let mut script = serving(&Source::growing_bytes(1, 10));
    script.send(&control(1, &UpToDate { epoch: Epoch(0), at: position(0) }));
    script.assert_over(VIOLATION);
}

// --- M: credit -------------------------------------------------------------------------------

#[test]
fn m1_one_byte_beyond_the_credit_ends_the_link() {
    let (mut script, id) = bytes_reader();
    script.send(&data(id, 0, 0, &[7; 100]));
    script.assert_alive();
    script.send(&data(id, 0, 100, &[7]));
    script.assert_over(Code::FLOW_CONTROL);
    let (mut script, id) = bytes_reader();
    script.send(&data(id, 0, 0, &[7; 101]));
    assert_refused(script, id, Code::FLOW_CONTROL);
}

#[test]
fn m1_one_entity_beyond_the_credit_ends_the_link() {
    let (mut script, id) = items_reader();
    script.send(&items(id, 0, 0, &[b"1", b"2", b"3", b"4", b"5"]));
    script.assert_alive();
    script.send(&items(id, 0, 5, &[b"6"]));
    script.assert_over(Code::FLOW_CONTROL);
    let (mut script, id) = items_reader();
    script.send(&items(id, 0, 0, &[&b""[..]; 6]));
    assert_refused(script, id, Code::FLOW_CONTROL);
}

#[test]
fn m1_an_entity_may_begin_within_the_credit_and_no_other_beyond_it() {
    let (mut script, id) = items_reader();
    script.send(&items(id, 0, 0, &[&[1; 98], &[2; 5_000]]));
    script.assert_alive();
    script.send(&items(id, 0, 2, &[b"x"]));
    script.assert_over(Code::FLOW_CONTROL);
    // The first fills the credit; the second begins beyond it, in the same frame.
    let (mut script, id) = items_reader();
    script.send(&items(id, 0, 0, &[&[1; 99], b"x"]));
    assert_refused(script, id, Code::FLOW_CONTROL);
    let (mut script, id) = items_reader();
    script.send(&items(id, 0, 0, &[&[1; 99]]));
    script.send(&bulk(stream::ITEM_PART, id, 0, 1, Some(5_000), &[1; 10]));
    script.assert_over(Code::FLOW_CONTROL);
}

#[test]
fn m2_a_limit_never_falls_and_is_for_the_present_epoch() {
    let good = Credit { bytes: 1_000, elements: 1_000 };
    let cases = [
        (0, Credit { bytes: 999, elements: 1_000 }, Some(Code::FLOW_CONTROL)),
        (0, Credit { bytes: 1_000, elements: 999 }, Some(Code::FLOW_CONTROL)),
        (0, good, None),
        (0, Credit { bytes: u64::MAX, elements: u64::MAX }, None),
        (1, good, Some(VIOLATION)),
    ];
    for (epoch, credit, code) in cases {
        let mut script = serving(&Source::growing_bytes(1, 10));
        script.send(&control(1, &Limit { epoch: Epoch(epoch), credit }));
        assert_eq!(script.over(), code, "{credit:?}");
    }
    let mut script = serving(&Source::fixed_bytes(1, 10));
    script.send(&control(1, &seek(1)));
    script.frames();
    script.send(&control(1, &Limit { epoch: Epoch(0), credit: good }));
    script.assert_over(VIOLATION);
}

#[test]
fn m8_a_stream_over_the_limit_is_refused_and_the_link_lives() {
    let mut script = Script::server();
    for n in 0..257 {
        script.send(&control(2 * n + 1, &script::open("x")));
    }
    script.assert_alive();
    let sent = script.frames();
    assert!(
        matches!(&sent[..], [Frame::Stream(StreamId(513), StreamFrame::Control(StreamControl::Failed(f)))] if f.fault.code == Code::TOO_MANY_STREAMS),
        "{sent:?}"
    );
    assert_eq!(script.events.len(), 256);
    script.send(&control(1, &Close {}));
    script.frames();
    script.send(&control(515, &script::open("x")));
    assert!(matches!(script.events.last(), Some(Event::OpenRequested { .. })));
}

// --- positions, epochs and ends --------------------------------------------------------------

fn seek(epoch: u64) -> Seek {
    Seek {
        epoch: Epoch(epoch),
        to: Pos::START,
        from: position(0),
        at_end: AtEnd::Stop,
        credit: Credit { bytes: 100, elements: 100 },
    }
}

#[test]
fn i13_holes_overlaps_and_places_beyond_the_largest_end_the_link() {
    for at in [0, 2, 4, 1 << 40, i64::MAX as u64] {
        let (mut script, id) = bytes_reader();
        script.send(&data(id, 0, 0, b"abc"));
        script.send(&data(id, 0, at, b"x"));
        assert_eq!(script.over(), Some(VIOLATION), "at {at}");
        // What came before is good.
        assert_eq!(elements(&mut script, id), 3);
    }
    let (mut script, id) = bytes_reader();
    let mut payload = vec![0];
    varint::put(&mut payload, 1 << 63);
    payload.push(b'x');
    script.send(&raw(stream::DATA, id, &payload));
    assert_eq!(script.over(), Some(Code::MALFORMED));
}

#[test]
fn nothing_follows_an_end() {
    let ends = |id, at| {
        [
            control(id, &End { epoch: Epoch(0), at: position(at) }),
            control(
                id,
                &stream::Broken {
                    epoch: Epoch(0),
                    at: position(at),
                    fault: Fault::new(Code::STORAGE_IO, ""),
                },
            ),
        ]
    };
    for index in 0..2 {
        let (mut script, id) = bytes_reader();
        script.send(&data(id, 0, 0, b"abc"));
        script.send(&ends(id, 3)[index]);
        script.assert_alive();
        script.send(&data(id, 0, 3, b"d"));
        script.assert_over(VIOLATION);
        let (mut script, id) = bytes_reader();
        script.send(&ends(id, 3)[index]);
        assert_refused(script, id, VIOLATION);
    }
}

#[test]
fn an_epoch_of_the_future_ends_the_link_and_a_stale_one_is_dropped() {
    let (script_before, id) = bytes_reader();
    let mut script = script_before;
    script.send(&data(id, 1, 0, b"x"));
    assert_refused(script, id, VIOLATION);
    let (mut script, id) = bytes_reader();
    script.link.seek(StreamId(id), Pos::Abs(position(50)), AtEnd::Stop, 0).unwrap();
    script.frames();
    for stale in [
        data(id, 0, 0, &[7; 100]),
        data(id, 0, 999, &[7; 5_000]),
        control(id, &End { epoch: Epoch(0), at: position(77) }),
    ] {
        script.send(&stale);
        script.assert_alive();
    }
    let state = State::default();
    script.send(&control(id, &Sought { epoch: Epoch(1), at: position(50), state }));
    script.send(&data(id, 1, 50, b"abc"));
    script.assert_alive();
    assert_eq!(elements(&mut script, id), 3);
    assert_eq!(script.link.stream_position(StreamId(id)), Some(position(53)));
}

#[test]
fn elements_before_the_answer_to_a_seek_end_the_link() {
    let (mut script, id) = bytes_reader();
    script.link.seek(StreamId(id), Pos::Abs(position(50)), AtEnd::Stop, 0).unwrap();
    script.frames();
    script.send(&data(id, 1, 50, b"abc"));
    assert_refused(script, id, VIOLATION);
}

#[test]
fn answers_to_seeks_that_were_not_made_end_the_link() {
    for epoch in [0, 1] {
        let (mut script, id) = bytes_reader();
        let frame = Sought { epoch: Epoch(epoch), at: position(0), state: State::default() };
        script.send(&control(id, &frame));
        assert_refused(script, id, VIOLATION);
    }
}

#[test]
fn a_stream_is_opened_once_and_as_it_was_asked_for() {
    let (mut script, id) = bytes_reader();
    script.send(&control(id, &opened(&Source::growing_bytes(1, 5), 0)));
    script.assert_over(VIOLATION);
    let wrong_place = opened(&Source::growing_bytes(1, 5), 6);
    let unseekable = opened(&Source::growing_bytes(1, 5).with_seek(Flags::NONE), 0);
    for answer in [wrong_place, unseekable] {
        let mut script = Script::client();
        let flags = Flags::READABLE | Flags::SEEK;
        let wanted = farlens_proto::OpenRequest { flags, ..request("0") };
        let stream = script.link.open(wanted).unwrap();
        script.frames();
        script.send(&control(stream.0, &answer));
        script.assert_over(VIOLATION);
    }
    let mut script = Script::client();
    let stream = script.link.open(request("0")).unwrap();
    script.frames();
    script.send(&data(stream.0, 0, 0, b"x"));
    script.assert_over(VIOLATION);
}

#[test]
fn a_seek_comes_after_the_answer_and_one_at_a_time() {
    let mut script = Script::server();
    script.send(&control(1, &script::open("x")));
    script.send(&control(1, &seek(1)));
    script.assert_over(VIOLATION);
    let mut script = serving(&Source::growing_bytes(1, 10));
    script.send(&control(1, &seek(1)));
    script.send(&control(1, &seek(2)));
    script.assert_over(VIOLATION);
    for epoch in [0, 2] {
        let mut script = serving(&Source::growing_bytes(1, 10));
        script.send(&control(1, &seek(epoch)));
        script.assert_over(VIOLATION);
    }
}

#[test]
fn i11_a_forbidden_seek_fails_its_stream_and_the_link_lives() {
    let mut script = serving(&Source::growing_bytes(1, 10).with_seek(Flags::NONE));
    script.send(&control(1, &seek(1)));
    script.send(&control(
        1,
        &Limit { epoch: Epoch(1), credit: Credit { bytes: 200, elements: 200 } },
    ));
    script.assert_alive();
    let sent = script.frames();
    assert!(
        matches!(&sent[..], [Frame::Stream(_, StreamFrame::Control(StreamControl::Failed(f)))] if f.fault.code == Code::MODE_FORBIDS),
        "{sent:?}"
    );
    assert_eq!(script.events.iter().filter(|e| matches!(e, Event::StreamGone { .. })).count(), 1);
    script.send(&control(3, &script::open("x")));
    script.assert_alive();
}

#[test]
fn s10_what_came_before_a_failure_is_still_readable() {
    let (mut script, id) = bytes_reader();
    script.send(&data(id, 0, 0, b"abc"));
    script.send(&control(id, &End { epoch: Epoch(0), at: position(3) }));
    script.send(&control(id, &Failed { fault: Fault::new(Code::INTERNAL, "after the end") }));
    assert_eq!(elements(&mut script, id), 3);
    assert_eq!(script.link.read(StreamId(id), 1), ReadOutcome::End(position(3)));
    script.assert_alive();
}

// --- entities --------------------------------------------------------------------------------

#[test]
fn lengths_that_do_not_add_up_end_the_link() {
    for body in [&[5u8, b'a'][..], &[0x80], &[0x80, 0], &[1, b'a', 200]] {
        let (mut script, id) = items_reader();
        script.send(&bulk(stream::ITEMS, id, 0, 0, None, body));
        assert_refused(script, id, Code::MALFORMED);
    }
    let (mut script, id) = items_reader();
    script.send(&bulk(stream::ITEMS, id, 0, 0, None, b""));
    assert_refused(script, id, Code::MALFORMED);
}

#[test]
fn elements_of_another_kind_end_the_link() {
    let (mut script, id) = items_reader();
    script.send(&data(id, 0, 0, b"bytes"));
    assert_refused(script, id, VIOLATION);
    let (mut script, id) = bytes_reader();
    script.send(&items(id, 0, 0, &[b"entity"]));
    assert_refused(script, id, VIOLATION);
}

#[test]
fn lies_about_parts_end_the_link() {
    let part = |id, at, total, body: &[u8]| bulk(stream::ITEM_PART, id, 0, at, Some(total), body);
    let limit = Limits::default().message_bytes as u64;
    type Lie = (&'static str, fn(u64, u64) -> Vec<u8>, Code);
    let (mut script, id) = items_reader();
    script.send(&part(id, 0, limit + 1, b"x"));
    assert_refused(script, id, Code::TOO_LARGE);
    let lies: [Lie; 7] = [
        ("another total", |id, _| bulk(stream::ITEM_PART, id, 0, 0, Some(9), b"x"), VIOLATION),
        ("too much", |id, _| bulk(stream::ITEM_PART, id, 0, 0, Some(10), b"1234567"), VIOLATION),
        ("the next place", |id, _| bulk(stream::ITEM_PART, id, 0, 1, Some(10), b"x"), VIOLATION),
        ("no bytes", |id, _| bulk(stream::ITEM_PART, id, 0, 0, Some(10), b""), Code::MALFORMED),
        ("others between", |id, _| items(id, 0, 0, &[b"x"]), VIOLATION),
        ("an end", |id, _| control(id, &End { epoch: Epoch(0), at: position(0) }), VIOLATION),
        (
            "up to date",
            |id, _| control(id, &UpToDate { epoch: Epoch(0), at: position(0) }),
            VIOLATION,
        ),
    ];
    for (name, lie, code) in lies {
        let (mut script, id) = items_reader();
        script.send(&part(id, 0, 10, b"1234"));
        script.assert_alive();
        script.send(&lie(id, 0));
        assert_eq!(script.over(), Some(code), "{name}");
        assert_refused(script, id, code);
    }
    let (mut script, id) = items_reader();
    script.send(&part(id, 0, 10, b"1234"));
    script.send(&part(id, 0, 10, b"567890"));
    script.send(&part(id, 1, 0, b""));
    script.assert_alive();
    assert_eq!(elements(&mut script, id), 2);
}

// --- anything --------------------------------------------------------------------------------

/// A frame that is well formed and often fits the state of a link that reads `stream`.
fn likely(rng: &mut Rng, stream: StreamId, link: &Link) -> Vec<u8> {
    let theirs = link.side().other().first_id();
    let epoch = Epoch(rng.small(1));
    let here = link.stream_position(stream).unwrap_or_default();
    let at = if rng.one_in(9) { position(rng.small(60)) } else { here };
    let credit = Credit { bytes: 1_000 + rng.small(3_000), elements: 1_000 + rng.small(3_000) };
    let fault = Fault::new(Code::INTERNAL, "");
    let state = Source::fixed_bytes(1, 50).state();
    match rng.below(24) {
        0 => control(theirs, &Limit { epoch, credit }),
        1 => control(theirs, &seek(epoch.0)),
        2 => control(theirs, &Close {}),
        3 => control(stream.0, &Sought { epoch, at, state }),
        4 => control(stream.0, &stream::SeekFailed { epoch, fault, state }),
        5..=7 => control(stream.0, &state),
        8..=10 => control(stream.0, &UpToDate { epoch, at }),
        11 => control(stream.0, &End { epoch, at }),
        12 => control(theirs + 2 * rng.small(8), &script::open("x")),
        13 => control(stream.0, &Failed { fault }),
        14 => script::link(&LinkFrame::Ping(1)),
        _ => data(stream.0, epoch.0, at.get(), &[7; 3]),
    }
}

/// A frame of any kind whose payload is noise.
fn noise(rng: &mut Rng) -> Vec<u8> {
    let kind = if rng.one_in(9) { 0x80 } else { rng.between(1, 0x3a) as u8 };
    let body: Vec<u8> = (0..rng.small(24)).map(|_| rng.small(255) as u8).collect();
    raw(kind, rng.below(4), &body)
}

/// A link with an open stream in each direction, and the id of the one that it reads.
fn busy(side: Side, source: &Source) -> (Link, StreamId) {
    let mut link =
        Link::new(side, PeerIdentity::new([1; 32]), config(small()), Holdings::boxed(), Time::ZERO);
    link.handle_input(script::hello(&Limits::default()).into(), Time::ZERO);
    let stream = link.open(request("0")).expect("the link asks");
    link.poll_transmit(&mut BytesMut::new(), Time::ZERO);
    let theirs = StreamId(side.other().first_id());
    link.handle_input(control(stream.0, &opened(source, 0)).into(), Time::ZERO);
    link.handle_input(control(theirs.0, &script::open("x")).into(), Time::ZERO);
    assert!(link.accept(theirs, source.accepted()));
    (link, stream)
}

#[test]
fn f16_random_frames_never_panic_and_leave_nothing() {
    let source = Source::growing_bytes(1, 50);
    let mut rng = Rng::new(16);
    let mut frames = 0;
    for case in 0..24_000u64 {
        let side = if case % 2 == 0 { Side::Acceptor } else { Side::Initiator };
        let (mut link, stream) = busy(side, &source);
        for _ in 0..40 {
            let frame =
                if rng.one_in(30) { noise(&mut rng) } else { likely(&mut rng, stream, &link) };
            link.handle_input(frame.into(), Time::ZERO);
            while matches!(link.read(stream, 1 + rng.small(9)), ReadOutcome::Some(_)) {}
            if rng.one_in(9) {
                // Refusals are as good as success here.
                let _ = link.seek(stream, Pos::Abs(position(rng.below(60))), AtEnd::Stop, 0);
            }
            while link.poll_event().is_some() {}
            while let Some(request) = link.poll_request() {
                link.handle_reply(request.stream, request.serial, source.answer(request.ask));
            }
            link.poll_transmit(&mut BytesMut::new(), Time::ZERO);
            if link.over().is_some() {
                break;
            }
            frames += 1;
        }
        link.handle_lost("enough");
        link.close_stream(stream);
        assert_eq!(link.stats(), farlens_proto::LinkStats::default(), "case {case}");
    }
    assert!(frames > 20_000, "only {frames} frames were survived: little was tested");
}
