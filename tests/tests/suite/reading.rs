//! Reading, moving ends and entities (groups A, B, E and F of the behaviours).

use farlens_proto::{Ask, Chunk, Event, OpenRequest, ReadOutcome, Reply, SeekStatus};
use farlens_tests::{
    pair::{Pair, request},
    pattern::Sizes,
    script::{self, Script},
    source::{Source, position},
};
use farlens_wire::{
    AtEnd, Code, Epoch, Flags, Kind, Limits, Pos, StreamId,
    frame::{
        Frame, StreamFrame,
        stream::{Credit, Limit, Seek, StreamControl},
    },
};

fn one(source: Source) -> (Pair, StreamId, Source) {
    let mut pair = Pair::serving(vec![source.clone()]);
    let stream = pair.open_source(0);
    (pair, stream, source)
}

fn follow(path: &str) -> OpenRequest {
    OpenRequest { at_end: AtEnd::Follow, ..request(path) }
}

fn code(outcome: &ReadOutcome) -> Option<Code> {
    match outcome {
        ReadOutcome::Failed(fault) => Some(fault.code),
        _ => None,
    }
}

#[test]
fn a9_a_stream_begins_where_it_was_opened() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(3, 100)]);
    for (start, at) in
        [(Pos::START, 0), (Pos::END, 100), (Pos::FromEnd(-7), 93), (Pos::Abs(position(50)), 50)]
    {
        let stream = pair.open(OpenRequest { start, ..request("0") });
        let info = pair.client.link.stream_info(stream).unwrap();
        assert_eq!(info.opened_at, position(at));
        assert_eq!(pair.client.link.stream_position(stream), Some(position(at)));
        let source = pair.server.sources[0].clone();
        assert_eq!(pair.read_all(stream, &source), (100 - at, ReadOutcome::End(position(100))));
    }
}

#[test]
fn a13_a_read_before_the_stream_is_open_waits() {
    let mut pair = Pair::new(Limits::default(), Limits::default());
    pair.server.sources.push(Source::fixed_bytes(3, 100));
    let stream = pair.client.link.open(request("0")).unwrap();
    assert_eq!(pair.client.link.read(stream, 10), ReadOutcome::Pending);
    pair.drive();
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source).0, 100);
}

#[test]
fn a_lazy_stream_is_sent_nothing_before_it_is_read() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(3, 400_000)]);
    let lazy = || OpenRequest { lazy: true, ..request("0") };
    let stream = pair.open(lazy());
    pair.drive();
    assert_eq!(pair.client.link.read(stream, 10), ReadOutcome::Pending, "nothing has come");
    pair.drive();
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source), (400_000, ReadOutcome::End(position(400_000))));

    let early = pair.client.link.open(lazy()).unwrap();
    assert_eq!(pair.client.link.read(early, 10), ReadOutcome::Pending);
    pair.drive();
    assert_eq!(pair.read_all(early, &source).0, 400_000, "read before it was open");

    let sought = pair.open(lazy());
    pair.drive();
    pair.client.link.seek(sought, Pos::Abs(position(7)), AtEnd::Stop, 0).unwrap();
    pair.drive();
    assert!(matches!(pair.client.link.read(sought, 1), ReadOutcome::Some(_)), "a seek fetches");
}

#[test]
fn b1_b4_reads_give_what_was_asked_for_and_no_more() {
    let (mut pair, stream, source) = one(Source::fixed_bytes(3, 70_000));
    let mut at = 0;
    for max in [1, 1_000, 3, 40_000].into_iter().cycle() {
        let ReadOutcome::Some(chunk) = pair.read(stream, max) else { break };
        assert!((1..=max).contains(&chunk.elements()));
        let wrong = farlens_tests::model::first_wrong(source.seed, source.sizes, at, &chunk);
        assert_eq!(wrong, None);
        at += chunk.elements();
    }
    assert_eq!(at, 70_000);
}

#[test]
fn b2_b3_the_end_is_told_every_time_even_of_nothing() {
    for length in [0, 1] {
        let (mut pair, stream, source) = one(Source::fixed_bytes(3, length));
        pair.read_all(stream, &source);
        for _ in 0..3 {
            assert_eq!(pair.read(stream, 5), ReadOutcome::End(position(length)));
        }
        assert!(pair.client.events.contains(&Event::Changed { stream }));
    }
}

#[test]
fn b5_everything_can_be_read() {
    for source in [
        Source::fixed_bytes(3, 3 << 20),
        Source::fixed_items(4, 10_001, Sizes::Small),
        Source::fixed_items(5, 40, Sizes::Large),
    ] {
        let end = source.end;
        let (mut pair, stream, source) = one(source);
        assert_eq!(pair.read_all(stream, &source), (end, ReadOutcome::End(position(end))));
        pair.client.link.close_stream(stream);
        pair.drive();
        pair.assert_at_rest();
    }
}

#[test]
fn b7_a_reader_that_does_not_read_gets_its_window_and_no_more() {
    let (mut pair, stream, _) = one(Source::fixed_bytes(3, 3 << 20));
    let window = Limits::default().stream_window_bytes;
    let mut held = 0;
    while pair.client.link.is_readable(stream) {
        // Reads beside the link: nothing is granted, since nothing goes out.
        let ReadOutcome::Some(chunk) = pair.client.link.read(stream, u64::MAX) else { break };
        held += chunk.elements();
    }
    assert_eq!(held, window);
    assert_eq!(pair.server.link.stats().queued_bytes, 0);
}

#[test]
fn bytes_are_not_counted_as_entities() {
    let mut limits = Limits::default();
    limits.stream_window_items = 1;
    let mut pair = Pair::serving_with(limits, vec![Source::fixed_bytes(3, 3 << 20)]);
    let stream = pair.open_source(0);
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source).0, 3 << 20);
    assert!(pair.server.reads < 100, "{} requests for 3 MiB", pair.server.reads);
}

#[test]
fn a_used_up_budget_leaves_each_stream_a_window() {
    let length = 300_000;
    let mut pair = Pair::serving(vec![Source::fixed_bytes(3, length)]);
    let source = pair.server.sources[0].clone();
    let streams: Vec<_> = (0..100).map(|_| pair.open_source(0)).collect();
    let granted = pair.client.link.stats().granted_bytes;
    assert!(granted <= (16 << 20) + 100 * Limits::MIN_WINDOW_BYTES);
    for &stream in streams.iter().rev() {
        assert_eq!(pair.read_all(stream, &source), (length, ReadOutcome::End(position(length))));
    }
}

#[test]
fn one_entity_of_credit_is_one_entity_even_in_parts() {
    let mut limits = Limits::default();
    limits.stream_window_items = 1;
    let mut pair =
        Pair::serving_with(limits, vec![Source::fixed_items(5, 40, Sizes::UpTo(500_000))]);
    let source = pair.server.sources[0].clone();
    let stream = pair.open_source(0);
    assert_eq!(pair.read_all(stream, &source), (40, ReadOutcome::End(position(40))));
    assert_eq!(pair.client.over(), None);
}

#[test]
fn b9_no_frame_is_too_large_and_no_more_is_under_way_than_there_is_credit() {
    let source = Source::fixed_bytes(3, 3 << 20);
    for bytes in [1_000, 200_000] {
        let mut script = Script::server();
        let credit = Credit { bytes, elements: bytes };
        script.send(&script::control(
            1,
            &farlens_wire::frame::stream::Open { credit, ..script::open("x") },
        ));
        script.link.accept(StreamId(1), source.accepted());
        let mut sent = 0;
        while let Some(request) = script.link.poll_request() {
            script.link.handle_reply(StreamId(1), request.serial, source.answer(request.ask));
            for frame in script.frames() {
                let Frame::Stream(_, StreamFrame::Data(data)) = frame else { continue };
                assert!(data.payload.len() <= Limits::default().frame_bytes);
                sent += data.payload.len() as u64;
            }
        }
        assert_eq!(sent, bytes);
    }
}

#[test]
fn b12_credit_goes_out_at_once_as_elements_are_taken() {
    let (mut pair, stream, _) = one(Source::fixed_bytes(3, 3 << 20));
    assert!(!pair.client.link.has_output());
    let half = Limits::default().stream_window_bytes / 2;
    let mut taken = 0;
    while taken < half {
        let ReadOutcome::Some(chunk) = pair.client.link.read(stream, half - taken) else {
            panic!("it was read ahead");
        };
        taken += chunk.elements();
    }
    assert!(pair.client.link.has_output(), "before the window is used up");
}

#[test]
fn b14_what_was_credited_before_a_failure_can_still_be_read() {
    let (mut pair, stream, source) = one(Source::growing_bytes(3, 1_000));
    pair.server.link.refuse(stream, farlens_proto::Fault::new(Code::INTERNAL, "broke"));
    pair.drive();
    let (count, last) = pair.read_all(stream, &source);
    // The end had come, too, and it was true when it came.
    assert_eq!((count, last), (1_000, ReadOutcome::End(position(1_000))));
}

#[test]
fn b15_what_a_stream_does_not_offer_is_refused() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(3, 10)]);
    let wanted = [
        (Flags::WRITABLE, None, "0", Pos::START, Code::MODE_FORBIDS),
        (Flags::READABLE, Some(Kind::Items), "0", Pos::START, Code::WRONG_KIND),
        (Flags::READABLE, None, "0", Pos::FromEnd(1), Code::OUT_OF_RANGE),
        (Flags::READABLE, None, "nothing", Pos::START, Code::NOT_FOUND),
    ];
    for (flags, kind, path, start, refusal) in wanted {
        let asked = OpenRequest { flags, kind, start, ..request(path) };
        let stream = pair.open(asked);
        assert_eq!(code(&pair.read(stream, 1)), Some(refusal));
        assert_eq!(pair.client.link.stream_over(stream).map(|f| f.code), Some(refusal));
        pair.client.link.close_stream(stream);
    }
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn b16_a_source_that_fails_breaks_the_reading_and_a_seek_mends_it() {
    let mut source = Source::fixed_bytes(3, 1_000);
    source.fails_at = Some(400);
    let (mut pair, stream, source) = one(source);
    let (count, last) = pair.read_all(stream, &source);
    assert_eq!((count, code(&last)), (400, Some(Code::SOURCE_FAILED)));
    assert_eq!(code(&pair.read(stream, 1)), Some(Code::SOURCE_FAILED));
    pair.server.sources[0].fails_at = None;
    assert_eq!(pair.seek(stream, Pos::Abs(position(400))), SeekStatus::Done(position(400)));
    assert_eq!(pair.read_all(stream, &source), (600, ReadOutcome::End(position(1_000))));
}

#[test]
fn e1_a_follower_waits_at_the_end_and_gets_what_comes() {
    let mut pair = Pair::serving(vec![Source::growing_bytes(3, 100)]);
    let stream = pair.open(follow("0"));
    for end in [100u64, 101, 70_000] {
        pair.server.sources[0].end = end;
        pair.server.notify(0);
        pair.drive();
        let source = pair.server.sources[0].clone();
        assert_eq!(pair.read_all(stream, &source).1, ReadOutcome::Pending);
        assert_eq!(pair.client.link.stream_position(stream), Some(position(end)));
        assert!(pair.client.link.is_up_to_date(stream));
        let state = pair.client.link.stream_state(stream).unwrap();
        assert_eq!(state.bounds.end, Some(position(end)));
    }
    pair.server.sources[0].ended = true;
    pair.server.notify(0);
    pair.drive();
    assert_eq!(pair.read(stream, 1), ReadOutcome::End(position(70_000)));
}

#[test]
fn e2_an_end_that_was_told_stays_until_a_seek() {
    let (mut pair, stream, source) = one(Source::growing_bytes(3, 100));
    assert_eq!(pair.read_all(stream, &source), (100, ReadOutcome::End(position(100))));
    pair.server.sources[0].end = 200;
    pair.server.notify(0);
    pair.drive();
    assert_eq!(pair.read(stream, 1), ReadOutcome::End(position(100)));
    assert_eq!(pair.seek(stream, Pos::Abs(position(100))), SeekStatus::Done(position(100)));
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source), (100, ReadOutcome::End(position(200))));
}

#[test]
fn e4_what_was_read_before_the_last_cut_is_not_told_as_the_end() {
    let mut pair = Pair::serving(vec![Source::growing_bytes(3, 100)]);
    pair.serves = false;
    let stream = pair.open(OpenRequest { start: Pos::Abs(position(60)), ..request("0") });
    pair.server.serving.insert(stream, 0);
    pair.server.link.accept(stream, pair.server.sources[0].accepted());
    pair.drive();
    let read = pair.server.link.poll_request().expect("it has credit");
    let late = pair.server.sources[0].answer(read.ask);
    (pair.server.sources[0].end, pair.server.sources[0].ended) = (50, true);
    pair.server.notify(0);
    pair.server.link.handle_reply(stream, read.serial, late);
    pair.serves = true;
    pair.drive();
    assert_eq!(code(&pair.read(stream, 1)), Some(Code::TRUNCATED));
}

#[test]
fn e4_an_end_that_moved_below_the_reader_is_no_end() {
    let (mut pair, stream, source) = {
        let mut pair = Pair::serving(vec![Source::growing_bytes(3, 100)]);
        let stream = pair.open(follow("0"));
        let source = pair.server.sources[0].clone();
        (pair, stream, source)
    };
    pair.read_all(stream, &source);
    pair.server.sources[0].end = 50;
    pair.server.notify(0);
    pair.drive();
    assert_eq!(code(&pair.read(stream, 1)), Some(Code::TRUNCATED));
    assert_eq!(pair.seek(stream, Pos::Abs(position(20))), SeekStatus::Done(position(20)));
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source).0, 30);
}

#[test]
fn e5_news_without_credit_push_nothing_and_one_credit_brings_all() {
    let mut script = Script::server();
    let mut open = script::open("x");
    open.credit = Credit { bytes: 10, elements: 1_000 };
    open.at_end = AtEnd::Follow;
    script.send(&script::control(1, &open));
    let mut source = Source::growing_bytes(3, 10);
    script.link.accept(StreamId(1), source.accepted());
    let serve = |script: &mut Script, source: &Source| {
        while let Some(request) = script.link.poll_request() {
            let reply = source.answer(request.ask);
            script.link.handle_reply(StreamId(1), request.serial, reply);
        }
        script
            .frames()
            .into_iter()
            .filter_map(|frame| match frame {
                Frame::Stream(_, StreamFrame::Data(data)) => Some(data.payload.len()),
                _ => None,
            })
            .sum::<usize>()
    };
    assert_eq!(serve(&mut script, &source), 10);
    for end in 11..20 {
        source.end = end;
        script.link.handle_state(StreamId(1), source.state());
        assert_eq!(serve(&mut script, &source), 0);
    }
    let credit = Credit { bytes: 1_000, elements: 1_000 };
    script.send(&script::control(1, &Limit { epoch: Epoch::FIRST, credit }));
    assert_eq!(serve(&mut script, &source), 9);
}

#[test]
fn e9_without_an_end_there_is_no_end() {
    let mut source = Source::growing_bytes(3, 100);
    source.tells_end = false;
    let mut pair = Pair::serving(vec![source]);
    let stream = pair.open(follow("0"));
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source), (100, ReadOutcome::Pending));
    let refused = pair.seek(stream, Pos::END);
    assert!(matches!(refused, SeekStatus::Failed(fault) if fault.code == Code::OUT_OF_RANGE));
    assert_eq!(pair.read(stream, 1), ReadOutcome::Pending);
    assert_eq!(pair.client.link.stream_position(stream), Some(position(100)));
}

#[test]
fn f4_f5_entities_travel_in_pieces_bounded_in_bytes() {
    let mut script = Script::server();
    let mut open = script::open("x");
    open.credit = Credit { bytes: 64 << 20, elements: 1_000 };
    script.send(&script::control(1, &open));
    let source = Source::fixed_items(5, 20, Sizes::UpTo(1_000_000));
    script.link.accept(StreamId(1), source.accepted());
    let mut parts = 0;
    while let Some(request) = script.link.poll_request() {
        script.link.handle_reply(StreamId(1), request.serial, source.answer(request.ask));
        for frame in script.frames() {
            if let Frame::Stream(
                _,
                StreamFrame::Items(data) | StreamFrame::ItemPart { part: data, .. },
            ) = frame
            {
                assert!(data.payload.len() <= Limits::default().frame_bytes);
                parts += 1;
            }
        }
    }
    assert!(parts > 20);
}

/// A stream that follows ten bytes, with its first request for data.
fn asked(at_end: AtEnd) -> (Script, Source, u64) {
    let mut script = Script::server();
    script.send(&script::control(
        1,
        &farlens_wire::frame::stream::Open { at_end, ..script::open("x") },
    ));
    let source = Source::growing_bytes(3, 10);
    script.link.accept(StreamId(1), source.accepted());
    let request = script.link.poll_request().unwrap();
    assert!(matches!(request.ask, Ask::Read { .. }));
    (script, source, request.serial)
}

#[test]
fn growth_that_overtakes_an_older_answer_is_not_lost() {
    let (mut script, mut source, serial) = asked(AtEnd::Follow);
    script.link.handle_reply(
        StreamId(1),
        serial,
        source.answer(Ask::Read { at: position(0), bytes: 99, elements: 99 }),
    );
    let request = script.link.poll_request().unwrap();
    let old = source.answer(request.ask);
    source.end = 20;
    script.link.handle_state(StreamId(1), source.state());
    script.link.handle_reply(StreamId(1), request.serial, old);
    let again = script.link.poll_request().expect("the end moved");
    assert!(matches!(again.ask, Ask::Read { at, .. } if at == position(10)));
    let told = script.frames();
    let state = |frame: &Frame| matches!(frame, Frame::Stream(_, StreamFrame::Control(StreamControl::State(s))) if s.bounds.end == Some(position(20)));
    assert!(told.iter().any(state), "{told:?}");
}

#[test]
fn news_that_change_nothing_do_not_hide_that_a_reader_is_up_to_date() {
    let (mut script, source, serial) = asked(AtEnd::Follow);
    script.link.handle_reply(
        StreamId(1),
        serial,
        source.answer(Ask::Read { at: position(0), bytes: 99, elements: 99 }),
    );
    let request = script.link.poll_request().unwrap();
    script.link.handle_reply(StreamId(1), request.serial, source.answer(request.ask));
    let mut state = source.state();
    state.version = vec![1];
    script.link.handle_state(StreamId(1), state);
    let told = script.frames();
    let fresh = |frame: &Frame| {
        matches!(frame, Frame::Stream(_, StreamFrame::Control(StreamControl::UpToDate(_))))
    };
    assert!(told.iter().any(fresh), "{told:?}");
}

#[test]
fn credit_that_comes_before_an_answer_counts() {
    let mut script = Script::server();
    let nothing = Credit::default();
    let some = Credit { bytes: 100, elements: 100 };
    script.send(&script::control(
        1,
        &farlens_wire::frame::stream::Open { credit: nothing, ..script::open("x") },
    ));
    script.send(&script::control(1, &Limit { epoch: Epoch::FIRST, credit: some }));
    script.link.accept(StreamId(1), Source::growing_bytes(3, 10).accepted());
    assert!(script.link.poll_request().is_some());
    script.frames();
    let seek = Seek {
        epoch: Epoch(1),
        to: Pos::START,
        from: position(0),
        at_end: AtEnd::Stop,
        credit: nothing,
    };
    script.send(&script::control(1, &seek));
    script.send(&script::control(1, &Limit { epoch: Epoch(1), credit: some }));
    let request = script.link.poll_request().unwrap();
    assert_eq!(request.ask, Ask::State);
    script.link.handle_reply(
        StreamId(1),
        request.serial,
        Reply::State(Source::growing_bytes(3, 10).state()),
    );
    assert!(matches!(script.link.poll_request().map(|r| r.ask), Some(Ask::Read { .. })));
}

#[test]
fn a_source_that_answers_more_than_was_asked_breaks_its_stream_only() {
    let mut script = Script::server();
    let credit = Credit { bytes: 1_000, elements: 2 };
    script.send(&script::control(
        1,
        &farlens_wire::frame::stream::Open { credit, ..script::open("x") },
    ));
    let source = Source::fixed_items(3, 10, Sizes::Small);
    script.link.accept(StreamId(1), source.accepted());
    let request = script.link.poll_request().unwrap();
    script.link.handle_reply(StreamId(1), request.serial, Reply::Some(source.chunk(0, 1_000, 3)));
    let told = script.frames();
    let broken = |frame: &Frame| {
        matches!(frame, Frame::Stream(_, StreamFrame::Control(StreamControl::Broken(_))))
    };
    assert!(told.iter().any(broken), "{told:?}");
    script.assert_alive();
}

#[test]
fn an_entity_beyond_the_readers_message_limit_breaks_its_stream_only() {
    let mut small = Limits::default();
    small.message_bytes = 16 << 10;
    let mut pair = Pair::new(small, Limits::default());
    pair.server.sources = vec![Source::fixed_items(5, 40, Sizes::UpTo(60_000))];
    pair.drive();
    let stream = pair.open_source(0);
    let source = pair.server.sources[0].clone();
    let first = (0..).find(|&n| farlens_tests::pattern::entity_len(5, n, source.sizes) > 16 << 10);
    let (count, last) = pair.read_all(stream, &source);
    assert_eq!((Some(count), code(&last)), (first, Some(Code::TOO_LARGE)));
    assert_eq!(pair.client.over(), None);
}

#[test]
fn requests_under_way_are_within_the_send_budget_and_nobody_waits_for_those_of_others() {
    let mut script = Script::server();
    let credit = Credit { bytes: 64 << 20, elements: 64 << 20 };
    let source = Source::fixed_bytes(3, 64 << 20);
    for id in (1..201).step_by(2) {
        script.send(&script::control(
            id,
            &farlens_wire::frame::stream::Open { credit, ..script::open("x") },
        ));
        script.link.accept(StreamId(id), source.accepted());
    }
    let mut asked = 0;
    let mut requests = Vec::new();
    while let Some(request) = script.link.poll_request() {
        let Ask::Read { bytes, .. } = request.ask else { panic!("{request:?}") };
        asked += bytes;
        requests.push(request);
    }
    assert_eq!(requests.len(), 100, "each may ask, although none is answered");
    let bound = Limits::default().send_queue_bytes + 100 * (16 << 10);
    assert!(asked <= bound, "{asked} bytes were asked for");
    for request in requests {
        script.link.handle_reply(request.stream, request.serial, source.answer(request.ask));
    }
    assert_eq!(script.link.stats().queued_bytes, asked);
    script.frames();
    assert!(script.link.poll_request().is_some());
}

#[test]
fn chunks_are_what_the_stream_carries() {
    let (mut pair, stream, _) = one(Source::fixed_items(5, 3, Sizes::Small));
    assert_eq!(farlens_tests::pair::kind_of(&pair.client.link, stream), Some(Kind::Items));
    assert!(matches!(pair.read(stream, 1), ReadOutcome::Some(Chunk::Items(_))));
}

#[test]
fn a_streamer_that_counts_bytes_as_elements_is_not_held_back() {
    let mut script = Script::client();
    for kind in [None, Some(Kind::Bytes)] {
        let wanted = OpenRequest { kind, ..request("0") };
        let stream = script.link.open(wanted).unwrap();
        let asked = script.frames();
        let accepted = Source::growing_bytes(3, 10).accepted();
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
        let credit = |frame: &Frame| match frame {
            Frame::Stream(_, StreamFrame::Control(StreamControl::Limit(limit))) => {
                Some(limit.credit)
            }
            Frame::Stream(_, StreamFrame::Control(StreamControl::Open(open))) => Some(open.credit),
            _ => None,
        };
        let told = asked.iter().chain(&script.frames()).filter_map(credit).last().unwrap();
        assert!(told.elements >= told.bytes, "{told:?}");
    }
}
