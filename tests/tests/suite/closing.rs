//! How streams and links end (group I of the behaviours).

use farlens_proto::{Admission, Config, Event, Link, LinkStats, ReadOutcome, SeekStatus, Time};
use farlens_tests::{
    pair::{Pair, config, request},
    script::{self, Script},
    source::{Source, position},
};
use farlens_wire::{
    AtEnd, Code, Limits, ObjectId, Pos, Side,
    frame::{
        CallFrame, Fault, Frame, LinkFrame, StreamFrame,
        call::Cancel,
        stream::{Close, Closed, StreamControl},
    },
};

fn is_gone(event: &Event) -> bool {
    matches!(event, Event::StreamGone { .. })
}

fn going() -> Fault {
    Fault::new(Code::GOING_AWAY, "leaving")
}

fn code(outcome: &ReadOutcome) -> Option<Code> {
    match outcome {
        ReadOutcome::Failed(fault) => Some(fault.code),
        _ => None,
    }
}

#[test]
fn i1_a_closed_stream_is_gone_exactly_once() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    let stream = pair.open_source(0);
    pair.client.link.close_stream(stream);
    pair.drive();
    assert_eq!(pair.server.count(is_gone), 1);
    pair.assert_at_rest();
}

#[test]
fn a_repeated_close_frame_tells_nothing_new() {
    let mut script = Script::server();
    script.send(&script::control(1, &script::open("x")));
    for _ in 0..1_000 {
        script.send(&script::control(1, &Close {}));
    }
    assert_eq!(script.events.iter().filter(|event| is_gone(event)).count(), 1);
    script.frames();
    script.link.close(going());
    script.frames();
    assert_eq!(script.events.iter().filter(|event| is_gone(event)).count(), 1);
}

#[test]
fn i2_a_close_with_everything_in_flight_is_confirmed() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 3 << 20)]);
    let stream = pair.open_source(0);
    assert!(matches!(pair.client.link.read(stream, u64::MAX), ReadOutcome::Some(_)));
    pair.client.link.seek(stream, Pos::Abs(position(2 << 20)), AtEnd::Stop, 0).unwrap();
    pair.client.link.seek(stream, Pos::START, AtEnd::Stop, 0).unwrap();
    pair.client.link.close_stream(stream);
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn i3_what_waits_on_a_closed_stream_is_told_so() {
    let mut pair = Pair::serving(vec![Source::growing_bytes(1, 0)]);
    let stream = pair.open_source(0);
    pair.client.link.seek(stream, Pos::END, AtEnd::Follow, 0).unwrap();
    pair.client.link.close_stream(stream);
    assert_eq!(code(&pair.client.link.read(stream, 1)), Some(Code::CLOSED));
    let status = pair.client.link.take_seek_status(stream);
    assert!(matches!(status, SeekStatus::Failed(fault) if fault.code == Code::CLOSED));
    let again = pair.client.link.seek(stream, Pos::START, AtEnd::Stop, 0);
    assert_eq!(again.unwrap_err().code, Code::CLOSED);
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn i4_a_broken_stream_closes_like_any_other() {
    let mut broken = Source::fixed_bytes(1, 100);
    broken.fails_at = Some(0);
    let mut pair = Pair::serving(vec![broken]);
    let stream = pair.open_source(0);
    assert_eq!(code(&pair.read(stream, 1)), Some(Code::SOURCE_FAILED));
    pair.client.link.close_stream(stream);
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn i6_a_stream_closed_before_it_was_open_leaves_nothing() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    pair.serves = false;
    let stream = pair.client.link.open(request("0")).unwrap();
    pair.client.link.seek(stream, Pos::Abs(position(5)), AtEnd::Stop, 0).unwrap();
    pair.drive();
    pair.client.link.close_stream(stream);
    pair.server.link.accept(stream, pair.server.sources[0].accepted());
    pair.drive();
    pair.assert_at_rest();
    let unsent = pair.client.link.open(request("0")).unwrap();
    pair.client.link.close_stream(unsent);
    pair.drive();
    pair.assert_at_rest();
    assert_eq!(pair.server.count(|event| matches!(event, Event::OpenRequested { .. })), 1);
}

#[test]
fn an_open_that_was_taken_back_is_not_wanted_any_more() {
    let mut script = Script::server();
    script.send(&script::control(1, &script::open("x")));
    script.send(&script::control(1, &Close {}));
    let stream = farlens_wire::StreamId(1);
    assert!(!script.link.accept(stream, Source::fixed_bytes(1, 1).accepted()));
}

#[test]
fn b17_i7_a_failing_streamer_wakes_the_reader_with_its_text() {
    let mut pair = Pair::serving(vec![Source::growing_bytes(1, 0)]);
    let mut follow = request("0");
    follow.at_end = AtEnd::Follow;
    let stream = pair.open(follow);
    assert_eq!(pair.read(stream, 1), ReadOutcome::Pending);
    pair.client.events.clear();
    pair.server.link.refuse(stream, Fault::new(Code::STORAGE_IO, "the disk is gone"));
    pair.drive();
    assert!(pair.client.events.contains(&Event::Changed { stream }));
    let ReadOutcome::Failed(fault) = pair.read(stream, 1) else { panic!("it failed") };
    assert_eq!((fault.code, fault.text.as_str()), (Code::STORAGE_IO, "the disk is gone"));
    pair.client.link.close_stream(stream);
    pair.assert_at_rest();
}

#[test]
fn i8_link_loss_ends_everything_and_is_never_an_end_of_stream() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    let stream = pair.open_source(0);
    let call = pair.client.call(Vec::new()).unwrap();
    pair.drive();
    pair.client.events.clear();
    let mut fresh = pair.client.link.open(request("0")).unwrap();
    for end in [&mut pair.client, &mut pair.server] {
        end.link.handle_lost("cut");
    }
    pair.drive();
    assert_eq!(code(&pair.read(fresh, 1)), Some(Code::LINK_LOST));
    // What had come, the end included, is still there.
    let source = pair.server.sources[0].clone();
    assert_eq!(pair.read_all(stream, &source), (100, ReadOutcome::End(position(100))));
    let answered = |event: &Event| matches!(event, Event::Answered { call: c, outcome: Err(f) } if *c == call && f.code == Code::UNKNOWN);
    assert_eq!(pair.client.count(answered), 1);
    assert!(matches!(pair.client.events.last(), Some(Event::Over { .. })));
    assert_eq!(pair.server.count(is_gone), 1);
    for stream in [stream, std::mem::replace(&mut fresh, stream)] {
        pair.client.link.close_stream(stream);
    }
    pair.assert_at_rest();
    assert_eq!(pair.client.link.poll_event(), None);
}

#[test]
fn i10_closing_twice_says_it_once() {
    let mut script = Script::client();
    let stream = script.link.open(request("0")).unwrap();
    script.frames();
    script.link.close_stream(stream);
    let closes = |frames: Vec<Frame>| {
        let close = |frame: &Frame| {
            matches!(frame, Frame::Stream(_, StreamFrame::Control(StreamControl::Close(_))))
        };
        frames.into_iter().filter(close).count()
    };
    assert_eq!(closes(script.frames()), 1);
    script.link.close_stream(stream);
    assert_eq!(closes(script.frames()), 0);
}

#[test]
fn a_close_that_is_confirmed_is_told_of() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    let stream = pair.open_source(0);
    pair.client.link.close_stream(stream);
    pair.client.events.clear();
    assert!(pair.client.link.knows_stream(stream));
    pair.drive();
    assert!(pair.client.events.contains(&Event::Changed { stream }));
    assert!(!pair.client.link.knows_stream(stream));
}

#[test]
fn who_waits_for_a_close_hears_of_the_end_of_the_link() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    let stream = pair.open_source(0);
    pair.client.link.close_stream(stream);
    pair.client.link.handle_lost("cut");
    assert_eq!(pair.client.link.poll_event(), Some(Event::Changed { stream }));
    assert!(!pair.client.link.knows_stream(stream));
}

#[test]
fn i1_a_close_is_confirmed_once_the_data_is_free() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    let stream = pair.open_source(0);
    pair.server.link.hold_stream(stream);
    pair.client.link.close_stream(stream);
    pair.drive();
    assert_eq!(pair.server.count(is_gone), 1);
    assert!(pair.client.link.knows_stream(stream), "the data is not free yet");
    pair.server.link.drain(&going());
    pair.drive();
    assert_eq!(pair.server.over(), None, "a drain waits for it, too");
    pair.server.link.release_stream(stream);
    pair.drive();
    assert!(!pair.client.link.knows_stream(stream));
    assert_eq!(pair.server.over(), Some(Code::GOING_AWAY));
    pair.assert_at_rest();
}

#[test]
fn a_failure_is_told_at_once_though_the_data_is_held() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    let stream = pair.open_source(0);
    pair.server.link.hold_stream(stream);
    pair.server.link.refuse(stream, Fault::new(Code::STORAGE_IO, "the disk is gone"));
    pair.drive();
    assert_eq!(
        pair.client.link.stream_over(stream).map(|fault| fault.code),
        Some(Code::STORAGE_IO)
    );
    pair.server.link.release_stream(stream);
    pair.client.link.close_stream(stream);
    pair.assert_at_rest();
}

#[test]
fn i12_unread_data_is_released_at_close() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 1 << 20)]);
    let stream = pair.open_source(0);
    assert!(pair.client.link.is_readable(stream));
    assert!(pair.client.link.stats().granted_bytes > 0);
    pair.client.link.close_stream(stream);
    assert_eq!(pair.client.link.stats().granted_bytes, 0);
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn nothing_is_told_after_the_end_of_a_link() {
    let by_invite = Config { admission: Admission::ByInvite, ..config(Limits::default()) };
    let mut script = Script::with(Side::Acceptor, by_invite);
    script.send(&script::hello(&Limits::default()));
    assert!(matches!(script.events.last(), Some(Event::Admission { .. })));
    script.link.handle_lost("cut");
    script.send(&[]);
    while let Some(event) = script.link.poll_event() {
        script.events.push(event);
    }
    assert!(matches!(script.events.last(), Some(Event::Over { .. })));
    script.link.admit(Time::ZERO);
    assert_eq!(script.link.poll_event(), None);
    assert!(!script.link.is_established());
}

#[test]
fn a_client_that_is_turned_away_learns_why() {
    let by_invite = Config { admission: Admission::ByInvite, ..config(Limits::default()) };
    let mut pair = Pair::with(config(Limits::default()), by_invite);
    pair.drive();
    pair.server.link.refuse_peer(Fault::new(Code::BAD_INVITE, "used up"));
    pair.drive();
    assert_eq!(pair.client.over(), Some(Code::BAD_INVITE));
}

#[test]
fn a_link_that_may_not_speak_yet_has_no_output() {
    let by_invite = Config { admission: Admission::ByInvite, ..config(Limits::default()) };
    let mut script = Script::with(Side::Acceptor, by_invite);
    script.send(&script::hello(&Limits::default()));
    script.link.handle_timeout(Time::ZERO.plus_ms(15_000));
    script.link.drain(&going());
    assert!(script.frames().is_empty() && !script.link.has_output());
    script.link.admit(Time::ZERO.plus_ms(15_000));
    assert!(matches!(script.frames().first(), Some(Frame::Link(LinkFrame::Hello(_)))));
}

#[test]
fn a_drained_link_delivers_every_answer_that_it_owes() {
    let mut pair = Pair::serving(Vec::new());
    let calls = 8;
    for _ in 0..calls {
        pair.client.call(Vec::new()).unwrap();
    }
    pair.drive();
    pair.server.link.drain(&going());
    let asked: Vec<_> = pair.server.events.iter().filter_map(called).collect();
    for call in asked {
        pair.server.link.answer(call, Ok(vec![1; 60_000].into()));
    }
    pair.drive();
    let good = |event: &Event| matches!(event, Event::Answered { outcome: Ok(_), .. });
    assert_eq!(pair.client.count(good), calls);
    assert_eq!(pair.client.over(), Some(Code::GOING_AWAY));
}

fn called(event: &Event) -> Option<farlens_wire::CallId> {
    match event {
        Event::Called(called) => Some(called.call),
        _ => None,
    }
}

#[test]
fn a_draining_link_ends_when_its_last_call_is_cancelled() {
    let mut script = Script::server();
    script.send(&script::control(
        1,
        &farlens_wire::frame::call::Call::new(ObjectId::ROOT, "m", vec![]),
    ));
    script.link.drain(&going());
    script.frames();
    script.assert_alive();
    script.send(&script::control(1, &Cancel::default()));
    assert!(script.link.has_output());
    script.frames();
    assert_eq!(script.over(), Some(Code::GOING_AWAY));
}

#[test]
fn a_leaving_peer_gets_no_new_work_and_finishes_the_old() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 1 << 20)]);
    let source = pair.server.sources[0].clone();
    let stream = pair.open_source(0);
    pair.server.link.drain(&going());
    pair.drive();
    assert_eq!(pair.client.count(|event| matches!(event, Event::GoingAway { .. })), 1);
    assert_eq!(pair.client.link.open(request("0")).unwrap_err().code, Code::GOING_AWAY);
    let call = pair.client.call(Vec::new());
    assert_eq!(call.unwrap_err().code, Code::GOING_AWAY);
    assert_eq!(pair.read_all(stream, &source).0, 1 << 20);
    assert_eq!(pair.client.over(), Some(Code::GOING_AWAY));
}

#[test]
fn work_that_crosses_the_notice_is_refused() {
    let mut script = Script::server();
    script.send(&script::control(1, &script::open("kept")));
    script.link.accept(farlens_wire::StreamId(1), Source::growing_bytes(1, 5).accepted());
    script.send(&script::control(
        1,
        &farlens_wire::frame::call::Call::new(ObjectId::ROOT, "m", vec![]),
    ));
    script.link.drain(&going());
    script.send(&script::control(3, &script::open("late")));
    script.send(&script::control(
        3,
        &farlens_wire::frame::call::Call::new(ObjectId::ROOT, "m", vec![]),
    ));
    let frames = script.frames();
    let refused = |frame: &Frame| match frame {
        Frame::Stream(id, StreamFrame::Control(StreamControl::Failed(f))) => {
            id.0 == 3 && f.fault.code == Code::GOING_AWAY
        }
        Frame::Call(id, CallFrame::CallFailed(f)) => id.0 == 3 && f.fault.code == Code::NOT_RUN,
        _ => false,
    };
    assert_eq!(frames.iter().filter(|frame| refused(frame)).count(), 2, "{frames:?}");
    script.assert_alive();
}

#[test]
fn a_closed_link_holds_nothing() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 1 << 20)]);
    let stream = pair.open_source(0);
    pair.server.link.close(going());
    pair.drive();
    assert_eq!(pair.client.over(), Some(Code::GOING_AWAY));
    pair.client.link.close_stream(stream);
    pair.assert_at_rest();
    let idle = |link: &Link| link.stats() == LinkStats::default() && link.poll_timeout().is_none();
    assert!(idle(&pair.client.link) && idle(&pair.server.link));
}

#[test]
fn opens_that_are_dropped_at_once_never_end_an_honest_link() {
    let mut script = Script::client();
    let mut closes = 0;
    let mut opened = 0;
    for ms in 0..40_000u64 {
        script.now = Time::from_micros(ms * 1_000);
        script.link.handle_timeout(script.now);
        // Sixty a second, of a user who changes their mind; the server answers none of them.
        if ms % 16 == 0 && script.link.stats().consuming < 256 {
            let stream = script.link.open(request("0")).unwrap();
            opened += 1;
            script.frames();
            script.link.close_stream(stream);
        }
        for frame in script.frames() {
            if is_close(&frame)
                && let Frame::Stream(id, _) = frame
            {
                closes += 1;
                script.send(&script::control(id.0, &Closed {}));
            }
        }
    }
    assert!(opened > 600, "{opened}");
    assert!((500..=500 + 5 * 40).contains(&closes), "{closes} closes");
}

#[test]
fn a_dropped_open_is_closed_when_its_answer_comes() {
    let mut script = Script::client();
    let opened = crate::faults::opened(&Source::fixed_bytes(1, 100), 0);
    for n in 0..600u64 {
        let stream = script.link.open(request("0")).unwrap();
        script.frames();
        script.link.close_stream(stream);
        let closed = script.frames().iter().any(is_close);
        assert_eq!(closed, n < 500, "open {n}");
        script.send(&script::control(stream.0, &opened));
        let late = script.frames().iter().any(is_close);
        assert_eq!(late, n >= 500, "open {n}");
        script.send(&script::control(stream.0, &Closed {}));
    }
    assert_eq!(script.link.stats().consuming, 0);
    script.assert_alive();
}

fn is_close(frame: &Frame) -> bool {
    matches!(frame, Frame::Stream(_, StreamFrame::Control(StreamControl::Close(_))))
}
