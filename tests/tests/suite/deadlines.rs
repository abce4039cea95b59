//! Deadlines of calls, in virtual time.

use farlens_proto::{CallOn, CallRequest, Event, LinkStats, Time, TimeoutReason};
use farlens_tests::{
    calling::{answer, called, on, pipelined, thing},
    pair::Pair,
    script::{self, Script},
};
use farlens_wire::{
    CallId, Code, Limits, ObjectId, Side,
    frame::{
        CallFrame, Frame,
        call::{CALL_PART, Call, CallTarget, Return},
    },
};

fn hurried(ms: u64) -> CallRequest {
    CallRequest { timeout_ms: Some(ms), ..on(CallOn::Root) }
}

fn at(ms: u64) -> Time {
    Time::ZERO.plus_ms(ms)
}

fn hurried_frame(id: u64, ms: u64) -> Call {
    let mut call = Call::new(ObjectId::ROOT, format!("m{id}"), Vec::new());
    call.deadline_ms = Some(ms);
    call
}

fn pass(script: &mut Script, ms: u64) {
    script.now = at(ms);
    assert!(script.link.poll_timeout().is_some_and(|(due, _)| due <= script.now));
    script.link.handle_timeout(script.now);
}

/// The failures that were sent, by call.
fn failures(frames: &[Frame]) -> Vec<(u64, Code)> {
    let failed = |frame: &Frame| match frame {
        Frame::Call(id, CallFrame::CallFailed(failed)) => Some((id.0, failed.fault.code)),
        _ => None,
    };
    frames.iter().filter_map(failed).collect()
}

#[test]
fn j6_a_call_ends_at_its_deadline_and_a_late_reply_does_no_harm() {
    let mut script = Script::client();
    let call = script.make(hurried(500));
    script.frames();
    assert_eq!(script.link.poll_timeout(), Some((at(500), TimeoutReason::Call)));
    script.link.handle_timeout(at(499));
    script.frames();
    assert_eq!(script.end_of(call), None);
    pass(&mut script, 500);
    assert_eq!(script.frames(), []);
    assert_eq!(script.end_of(call), Some(Err(Code::DEADLINE_EXCEEDED)));
    script.send(&script::control(1, &Return::new(vec![1])));
    script.assert_alive();
    assert_eq!(script.end_of(call), Some(Err(Code::DEADLINE_EXCEEDED)));
    assert_eq!(script.link.stats(), LinkStats::default());
}

#[test]
fn a_deadline_travels_as_what_remains_of_it() {
    let mut limits = Limits::default();
    limits.calls = 1;
    let mut pair = Pair::serving_with(limits, Vec::new());
    pair.client.make(on(CallOn::Root));
    pair.client.make(hurried(500));
    pair.drive();
    pair.pass(at(200));
    let first = pair.server.take_called();
    pair.server.link.answer(first.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.server.take_called().timeout_ms, Some(300));
}

#[test]
fn a_call_that_waits_here_ends_at_its_deadline_unsent() {
    let mut limits = Limits::default();
    limits.calls = 1;
    let mut pair = Pair::serving_with(limits, Vec::new());
    pair.client.make(on(CallOn::Root));
    let late = pair.client.make(hurried(500));
    pair.drive();
    pair.pass(at(500));
    assert_eq!(pair.client.end_of(late), Some(Err(Code::DEADLINE_EXCEEDED)));
    assert_eq!(called(&pair.server.events).len(), 1);
    assert_eq!(pair.client.link.stats().calls_out, 1);
}

#[test]
fn the_callee_gives_up_at_the_deadline_by_itself() {
    let mut script = Script::server();
    script.send(&script::control(1, &hurried_frame(1, 100)));
    script.send(&script::control(3, &hurried_frame(3, 50)));
    assert_eq!(called(&script.events)[0].timeout_ms, Some(100));
    script.events.clear();
    pass(&mut script, 50);
    assert_eq!(failures(&script.frames()), [(3, Code::DEADLINE_EXCEEDED)]);
    assert_eq!(script.events, [Event::Cancelled { call: CallId(3) }]);
    script.link.answer(CallId(3), Ok(vec![1].into()));
    assert_eq!(script.frames(), []);
    pass(&mut script, 100);
    assert_eq!(failures(&script.frames()), [(1, Code::DEADLINE_EXCEEDED)]);
    assert_eq!(script.link.stats(), LinkStats::default());
}

#[test]
fn an_answered_call_has_no_deadline_any_more() {
    let mut script = Script::server();
    script.send(&script::control(1, &hurried_frame(1, 100)));
    script.link.answer(CallId(1), Ok(vec![1].into()));
    assert!(script.link.poll_timeout().is_none_or(|(_, why)| why != TimeoutReason::Call));
}

#[test]
fn a_call_that_arrives_in_parts_or_waits_for_another_has_its_deadline() {
    let mut script = Script::server();
    let mut parent = Call::new(ObjectId::ROOT, "m", Vec::new());
    parent.pipelined = true;
    script.send(&script::control(1, &parent));
    let mut waiting = hurried_frame(3, 100);
    (waiting.target, waiting.pipelined) = (CallTarget::Answer(CallId(1)), true);
    script.send(&script::control(3, &waiting));
    let mut arriving = hurried_frame(5, 100);
    arriving.length = 2;
    script.send(&script::control(5, &arriving));
    script.events.clear();
    pass(&mut script, 100);
    let late = Code::DEADLINE_EXCEEDED;
    assert_eq!(failures(&script.frames()), [(3, late), (5, late)]);
    assert_eq!(script.events, []);
    // Neither the parts that are still on their way nor the answer bring them back.
    script.send(&script::raw(CALL_PART, 5, b"ab"));
    script.link.answer(CallId(1), Ok(answer(&[thing(1)])));
    assert_eq!(script.frames().len(), 1);
    assert_eq!(script.events, []);
    assert_eq!(script.link.stats().calls_in, 0);
    script.assert_alive();
}

#[test]
fn children_end_with_the_deadline_of_their_parent() {
    let mut pair = Pair::serving(Vec::new());
    let mut pair_limits = Limits::default();
    pair_limits.calls = 1;
    let mut narrow = Pair::serving_with(pair_limits, Vec::new());
    for pair in [&mut pair, &mut narrow] {
        let parent = pair.client.make(CallRequest { timeout_ms: Some(100), ..pipelined() });
        let child = pair.client.make(on(CallOn::Answer(parent)));
        pair.drive();
        pair.pass(at(100));
        assert_eq!(pair.client.end_of(parent), Some(Err(Code::DEADLINE_EXCEEDED)));
        let end = pair.client.end_of(child);
        let codes = [Code::DEADLINE_EXCEEDED, Code::CANCELLED];
        assert!(codes.map(|code| Some(Err(code))).contains(&end), "{end:?}");
        pair.client.events.clear();
        pair.drive();
        pair.assert_at_rest();
    }
}

#[test]
fn j6_a_deadline_of_zero_and_one_without_end_are_deadlines() {
    let mut script = Script::client();
    let now = script.make(hurried(0));
    let never = script.make(hurried(u64::MAX));
    pass(&mut script, 0);
    let sent = script.frames();
    assert_eq!(script.end_of(now), Some(Err(Code::DEADLINE_EXCEEDED)));
    assert_eq!(script.end_of(never), None);
    assert_eq!(sent.len(), 1, "the other was not sent");
    let mut script = Script::server();
    script.send(&script::control(1, &hurried_frame(1, u64::MAX)));
    script.send(&script::control(3, &hurried_frame(3, 0)));
    pass(&mut script, 0);
    assert_eq!(failures(&script.frames()), [(3, Code::DEADLINE_EXCEEDED)]);
}

#[test]
fn many_late_calls_are_nobodys_fault() {
    // More than a peer may take back unanswered.
    let mut pair = Pair::serving(Vec::new());
    for round in 1..=40 {
        let calls: Vec<_> = (0..100)
            .map(|n| {
                let request = CallRequest { pipelined: n % 2 == 0, ..hurried(10) };
                pair.client.link.call(request, pair.now).expect("the link lives")
            })
            .collect();
        pair.drive();
        pair.pass(at(10 * round));
        for call in calls {
            assert_eq!(pair.client.end_of(call), Some(Err(Code::DEADLINE_EXCEEDED)));
        }
        pair.client.events.clear();
        pair.server.events.clear();
    }
    assert_eq!((pair.client.over(), pair.server.over()), (None, None));
    pair.assert_at_rest();
}

#[test]
fn a_late_call_takes_its_room_until_the_peer_has_answered() {
    let mut limits = Limits::default();
    limits.calls = 1;
    let mut script = Script::silent(Side::Initiator);
    script.send(&script::hello(&limits));
    script.make(hurried(10));
    script.make(on(CallOn::Root));
    script.frames();
    pass(&mut script, 10);
    assert_eq!(script.frames(), []);
    // The answer is long: what is left of it is not wanted.
    script
        .send(&script::control(1, &Return { table: Vec::new(), length: 9, value: vec![1].into() }));
    let sent = script.frames();
    assert!(
        matches!(
            sent[..],
            [
                Frame::Call(CallId(1), CallFrame::Cancel(_)),
                Frame::Call(CallId(3), CallFrame::Call(_))
            ]
        ),
        "{sent:?}"
    );
    script.send(&script::raw(CALL_PART, 1, b"abcdefgh"));
    assert_eq!(script.frames().len(), 0);
    script.assert_alive();
}

#[test]
fn a_call_may_be_late_in_the_middle_of_its_answer() {
    let mut script = Script::client();
    script.make(CallRequest { pipelined: true, ..hurried(10) });
    script.frames();
    script
        .send(&script::control(1, &Return { table: Vec::new(), length: 9, value: vec![1].into() }));
    pass(&mut script, 10);
    let sent = script.frames();
    assert!(matches!(sent[..], [Frame::Call(CallId(1), CallFrame::Cancel(_))]), "{sent:?}");
    script.send(&script::raw(CALL_PART, 1, b"abcdefgh"));
    assert_eq!(script.link.stats(), LinkStats::default());
    script.assert_alive();
}

#[test]
fn a_one_way_call_that_is_late_is_dropped_and_makes_room() {
    let mut limits = Limits::default();
    limits.calls = 2;
    let mut script = Script::server_with(limits);
    for n in 0..20 {
        let mut call = hurried_frame(2 * n + 1, 10);
        call.one_way = true;
        script.send(&script::control(2 * n + 1, &call));
        script.now = script.now.plus_ms(10);
        script.link.handle_timeout(script.now);
        assert_eq!(failures(&script.frames()), []);
    }
    script.assert_alive();
    assert_eq!(script.link.stats(), LinkStats::default());
}
