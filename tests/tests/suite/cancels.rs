//! A call may be given up in every state, and an end of the link in every state has an outcome.

use bytes::BytesMut;
use farlens_proto::{CallOn, CallRequest, CallTicket, Event, Fault, Time};
use farlens_tests::{
    calling::{answer, called, on, pipelined, thing},
    pair::Pair,
    script::{self, Script},
};
use farlens_wire::{
    CallId, Code, Limits, ObjectId, Side,
    frame::{
        CallFrame, Frame,
        call::{CALL_PART, Call, CallFailed, Cancel, Return},
    },
};

fn large() -> CallRequest {
    CallRequest { args: vec![0; 1 << 20].into(), ..on(CallOn::Root) }
}

fn narrow() -> Pair {
    let mut limits = Limits::default();
    limits.calls = 1;
    Pair::serving_with(limits, Vec::new())
}

/// Calls still pass, one at a time, and the link is at rest then.
fn assert_well(mut pair: Pair, given_up: CallTicket) {
    pair.drive();
    assert_eq!(pair.client.end_of(given_up), None, "who gave it up hears no more");
    for end in [&mut pair.client, &mut pair.server] {
        end.events.clear();
    }
    for _ in 0..3 {
        let call = pair.client.make(on(CallOn::Root));
        pair.drive();
        let called = pair.server.take_called();
        pair.server.link.answer(called.call, Ok(answer(&[])));
        pair.drive();
        assert_eq!(pair.client.end_of(call), Some(Ok(())));
    }
    assert_eq!((pair.client.over(), pair.server.over()), (None, None));
    pair.assert_at_rest();
}

#[test]
fn a_call_that_waits_is_given_up() {
    let mut pair = narrow();
    let first = pair.client.make(on(CallOn::Root));
    let second = pair.client.make(on(CallOn::Root));
    pair.drive();
    pair.client.link.cancel(second);
    pair.drive();
    let running = pair.server.take_called();
    pair.server.link.answer(running.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(first), Some(Ok(())));
    assert_well(pair, second);
}

#[test]
fn a_call_that_waits_behind_another_is_given_up() {
    let mut pair = Pair::serving(Vec::new());
    let first = pair.client.make(large());
    let second = pair.client.make(on(CallOn::Root));
    pair.step();
    pair.client.link.cancel(second);
    pair.drive();
    let running = pair.server.take_called();
    pair.server.link.answer(running.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(first), Some(Ok(())));
    assert_well(pair, second);
}

#[test]
fn a_call_in_parts_is_given_up_and_lets_others_to_its_object_go() {
    let mut pair = narrow();
    let call = pair.client.make(large());
    let behind = pair.client.make(on(CallOn::Root));
    pair.step();
    pair.client.link.cancel(call);
    pair.drive();
    let running = pair.server.take_called();
    assert!(running.args.is_empty());
    pair.server.link.answer(running.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(behind), Some(Ok(())));
    assert_eq!(pair.server.count(|event| matches!(event, Event::Cancelled { .. })), 0);
    assert_well(pair, call);
}

#[test]
fn a_running_call_is_given_up() {
    let mut pair = narrow();
    let call = pair.client.make(on(CallOn::Root));
    pair.drive();
    let running = pair.server.take_called();
    pair.client.link.cancel(call);
    pair.client.link.cancel(call);
    pair.drive();
    assert_eq!(pair.server.events.last(), Some(&Event::Cancelled { call: running.call }));
    pair.server.link.answer(running.call, Ok(answer(&[])));
    assert_well(pair, call);
}

#[test]
fn a_call_whose_answer_waits_or_is_on_its_way_is_given_up() {
    for on_its_way in [false, true] {
        for request in [on(CallOn::Root), pipelined()] {
            for size in [10, 1 << 20] {
                let mut pair = narrow();
                let call = pair.client.make(request.clone());
                pair.drive();
                let running = pair.server.take_called();
                pair.server.link.answer(running.call, Ok(vec![0; size].into()));
                let mut answered = BytesMut::new();
                if on_its_way {
                    pair.server.link.poll_transmit(&mut answered, pair.now);
                }
                pair.client.link.cancel(call);
                pair.client.link.handle_input(answered.freeze(), pair.now);
                pair.drive();
                assert_well(pair, call);
            }
        }
    }
}

#[test]
fn a_cancel_that_crosses_a_kept_answer_leaves_nothing() {
    let mut pair = narrow();
    let call = pair.client.make(pipelined());
    let child = pair.client.make(on(CallOn::Answer(call)));
    pair.drive();
    let running = pair.server.take_called();
    pair.server.link.answer(running.call, Ok(answer(&[thing(1)])));
    let mut answered = BytesMut::new();
    pair.server.link.poll_transmit(&mut answered, pair.now);
    assert_eq!(pair.server.link.stats().calls_answered, 1);
    pair.client.link.cancel(call);
    pair.client.link.handle_input(answered.freeze(), pair.now);
    pair.drive();
    assert_eq!(pair.client.end_of(child), Some(Err(Code::CANCELLED)));
    assert_well(pair, call);
}

#[test]
fn a_child_of_a_call_that_was_given_up_is_over_though_kept() {
    // A pipelined child that failed stays until it is cancelled, whatever becomes of its parent.
    let mut script = Script::server();
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    call.pipelined = true;
    script.send(&script::control(1, &call));
    call.target = farlens_wire::frame::call::CallTarget::Answer(CallId(1));
    call.deadline_ms = Some(5);
    script.send(&script::control(3, &call));
    script.now = script.now.plus_ms(5);
    script.link.handle_timeout(script.now);
    script.frames();
    script.events.clear();
    script.link.answer(CallId(1), Ok(answer(&[thing(1)])));
    script.send(&script::control(3, &Cancel::default()));
    script.frames();
    assert!(!script.events.iter().any(|event| matches!(event, Event::Cancelled { .. })));
    assert_eq!(script.link.stats().calls_in, 0);
    script.send(&script::control(1, &Cancel::default()));
    assert_eq!(script.link.stats().calls_answered, 0);
}

#[test]
fn a_cancel_of_a_call_in_parts_frees_its_bytes() {
    let mut script = Script::server();
    for n in 0..100 {
        let id = 2 * n + 1;
        let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
        call.length = 1 << 20;
        script.send(&script::control(id, &call));
        script.send(&script::raw(CALL_PART, id, &[0; 1000]));
        script.send(&script::control(id, &Cancel::default()));
    }
    script.assert_alive();
    assert_eq!(script.frames(), []);
    assert_eq!(script.link.stats(), farlens_proto::LinkStats::default());
}

#[test]
fn room_is_counted_alike_on_both_sides() {
    // The cancel goes before the call that takes its room, also where it was built upon.
    let mut limits = Limits::default();
    limits.calls = 1;
    let mut script = Script::silent(Side::Initiator);
    script.send(&script::hello(&limits));
    script.frames();
    let parent = script.make(pipelined());
    let next = script.make(on(CallOn::Root));
    script.frames();
    script.send(&script::control(1, &Return::new(vec![])));
    let frames = script.frames();
    assert!(
        matches!(
            frames[..],
            [
                Frame::Call(CallId(1), CallFrame::Cancel(_)),
                Frame::Call(CallId(3), CallFrame::Call(_))
            ]
        ),
        "{frames:?}"
    );
    assert_eq!((script.end_of(parent), script.end_of(next)), (Some(Ok(())), None));
}

#[test]
fn j3_j13_a_lost_link_fails_each_call_at_once_and_says_whether_it_may_have_run() {
    let mut pair = narrow();
    let sent = pair.client.make(on(CallOn::Root));
    let waiting = pair.client.make(pipelined());
    let child = pair.client.make(on(CallOn::Answer(waiting)));
    pair.drive();
    pair.client.link.handle_lost("cut");
    pair.server.link.handle_lost("cut");
    pair.drive();
    assert_eq!(pair.client.end_of(sent), Some(Err(Code::UNKNOWN)));
    for ticket in [waiting, child] {
        assert_eq!(pair.client.end_of(ticket), Some(Err(Code::NOT_RUN)));
    }
    assert!(matches!(pair.client.events.last(), Some(Event::Over { .. })));
    assert_eq!(pair.server.count(|event| matches!(event, Event::Cancelled { .. })), 1);
    let refused = pair.client.link.call(on(CallOn::Root), pair.now).unwrap_err();
    assert_eq!(refused.code, Code::LINK_LOST);
    pair.assert_at_rest();
}

#[test]
fn j14_a_draining_side_runs_nothing_new_and_answers_what_runs() {
    let mut script = Script::server();
    let call = |id| script::control(id, &Call::new(ObjectId::ROOT, "m", Vec::new()));
    script.send(&call(1));
    script.link.drain(&Fault::new(Code::GOING_AWAY, "leaving"));
    script.send(&call(3));
    assert_eq!(called(&script.events).len(), 1);
    let refused = script.frames().into_iter().find_map(|frame| match frame {
        Frame::Call(CallId(3), CallFrame::CallFailed(failed)) => Some(failed.fault.code),
        _ => None,
    });
    assert_eq!(refused, Some(Code::NOT_RUN));
    script.assert_alive();
    script.link.answer(CallId(1), Ok(vec![0; 100_000].into()));
    script.frames();
    assert_eq!(script.over(), Some(Code::GOING_AWAY));
}

#[test]
fn c11_calls_that_an_honest_side_gives_up_never_end_its_link() {
    let mut pair = Pair::serving(Vec::new());
    let mut now = Time::ZERO;
    for round in 0..100 {
        let calls: Vec<_> = (0..128).map(|_| pair.client.make(on(CallOn::Root))).collect();
        pair.drive();
        for call in calls {
            pair.client.link.cancel(call);
        }
        now = now.plus_ms(100);
        pair.pass(now);
        pair.drive();
        assert_eq!(pair.server.over(), None, "round {round}");
    }
    // What was given up and not taken back waits for its moment, without a frame or a turn.
    assert!(!pair.client.link.has_output());
    for _ in 0..100 {
        now = now.plus_ms(1_000);
        pair.pass(now);
        pair.drive();
    }
    pair.client.events.clear();
    pair.server.events.clear();
    pair.assert_at_rest();
}

#[test]
fn c11_a_call_that_fails_before_its_cancel_is_sent_needs_none() {
    for pipelined in [false, true] {
        let mut script = Script::client();
        for _ in 0..501 {
            let call = script.make(CallRequest { pipelined, ..on(CallOn::Root) });
            script.frames();
            script.link.cancel(call);
        }
        script.frames();
        let last = 2 * 500 + 1;
        let failed = CallFailed::new(Fault::new(Code::NOT_RUN, ""));
        script.send(&script::control(last, &failed));
        let cancel = Frame::Call(CallId(last), Cancel::default().into());
        let expected = if pipelined { vec![cancel] } else { Vec::new() };
        assert_eq!(script.frames(), expected);
        script.now = script.now.plus_ms(1_000);
        script.link.handle_timeout(script.now);
        assert_eq!(script.frames(), []);
    }
}
