//! Calls at the level of the link: bounds, order, and what a caller learns.

use farlens_proto::Event;
use farlens_tests::{
    pair::Pair,
    script::{self, Script},
};
use farlens_wire::{
    CallId, Code, Limits, ObjectId,
    frame::{
        CallFrame, Fault, Frame,
        call::{Call, Cancel, Return},
    },
};

fn call() -> Call {
    Call::new(ObjectId::ROOT, "m", Vec::new())
}

fn limits(calls: u32) -> Limits {
    let mut limits = Limits::default();
    limits.calls = calls;
    limits
}

#[test]
fn j4_answers_match_their_calls_in_any_order() {
    let mut pair = Pair::serving(Vec::new());
    let calls: Vec<_> = (0..5u8).map(|n| pair.client.call(vec![n]).unwrap()).collect();
    pair.drive();
    for (n, call) in (0..5u8).zip(started(&pair)).rev() {
        pair.server.link.answer(call, Ok(vec![n, n].into()));
        pair.server.link.answer(call, Ok(vec![9].into()));
    }
    pair.drive();
    for (n, call) in (0..5u8).zip(calls) {
        let outcome = Ok(vec![n, n].into());
        let right = |event: &Event| *event == Event::Answered { call, outcome: outcome.clone() };
        assert_eq!(pair.client.count(right), 1);
    }
    pair.assert_at_rest();
}

/// The calls that have come to the server, in order.
fn started(pair: &Pair) -> Vec<CallId> {
    let called = pair.server.events.iter().filter_map(|event| match event {
        Event::Called(called) => Some(called.call),
        _ => None,
    });
    called.collect()
}

#[test]
fn j8_calls_start_in_the_order_made() {
    let mut pair = Pair::serving(Vec::new());
    for n in 0..20 {
        pair.client.call(vec![n]).unwrap();
    }
    pair.drive();
    let args: Vec<_> = pair
        .server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Called(called) => Some(called.args[0]),
            _ => None,
        })
        .collect();
    assert_eq!(args, (0..20).collect::<Vec<_>>());
}

#[test]
fn a_call_beyond_the_limit_waits_here_and_ends_the_link_there() {
    let mut pair = Pair::serving_with(limits(3), Vec::new());
    for _ in 0..5 {
        pair.client.call(vec![]).unwrap();
    }
    pair.drive();
    assert_eq!(started(&pair).len(), 3);
    let first = started(&pair)[0];
    pair.server.link.answer(first, Ok(vec![].into()));
    pair.drive();
    assert_eq!(started(&pair).len(), 4);
    assert_eq!((pair.client.over(), pair.server.over()), (None, None));

    let mut script = Script::server();
    for n in 0..128 {
        script.send(&script::control(2 * n + 1, &call()));
    }
    script.assert_alive();
    script.send(&script::control(257, &call()));
    script.assert_over(Code::TOO_MANY_CALLS);
}

#[test]
fn answers_that_are_not_read_count_as_running_calls() {
    let mut script = Script::server();
    let mut answered = 0;
    for n in 0..100_000 {
        script.send(&script::control(2 * n + 1, &call()));
        if script.over().is_some() {
            break;
        }
        script.link.answer(CallId(2 * n + 1), Ok(vec![0; 60_000].into()));
        answered += 1;
    }
    assert_eq!(answered, 128);
    script.assert_over(Code::TOO_MANY_CALLS);
}

#[test]
fn a_cancelled_call_makes_room_though_its_answer_waits() {
    let mut script = Script::server();
    for n in 0..10_000 {
        let id = 2 * n + 1;
        script.send(&script::control(id, &call()));
        script.link.answer(CallId(id), Ok(vec![0; 1_000].into()));
        script.send(&script::control(id, &Cancel::default()));
    }
    script.assert_alive();
    assert_eq!(script.link.stats().calls_in, 0);
    assert!(script.frames().is_empty());
}

#[test]
fn an_answer_to_a_call_that_was_never_made_ends_the_link() {
    for id in [1, 3, 2] {
        let mut script = Script::client();
        script.send(&script::control(id, &Return::new(vec![1])));
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
}

#[test]
fn a_late_answer_is_dropped() {
    let mut script = Script::client();
    let made = script.call(vec![]).unwrap();
    script.frames();
    script.link.cancel(made);
    script.send(&script::control(1, &Return::new(vec![1])));
    script.send(&script::control(1, &Return::new(vec![1])));
    script.assert_alive();
    assert!(script.events.is_empty());
    let sent = script.frames();
    assert!(matches!(sent[..], [Frame::Call(_, CallFrame::Cancel(_))]), "{sent:?}");
}

#[test]
fn a_call_that_was_not_sent_is_taken_back_silently() {
    let mut script = Script::client();
    let made = script.call(vec![]).unwrap();
    script.link.cancel(made);
    assert!(script.frames().is_empty());
    assert_eq!(script.link.stats().calls_out, 0);
}

#[test]
fn ids_of_calls_are_used_once_and_by_their_side() {
    for second in [1, 2] {
        let mut script = Script::server();
        script.send(&script::control(1, &call()));
        script.send(&script::control(second, &call()));
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
    let mut script = Script::server();
    script.send(&script::control(1, &Cancel::default()));
    script.assert_over(Code::PROTOCOL_VIOLATION);
}

#[test]
fn j15_a_message_above_the_limit_fails_alone() {
    let mut pair = Pair::serving(Vec::new());
    let large = vec![0; (1 << 20) + 1];
    let refused = pair.client.call(large.clone()).unwrap_err();
    assert_eq!(refused.code, Code::TOO_LARGE);
    pair.client.call(vec![]).unwrap();
    pair.drive();
    let made = started(&pair)[0];
    pair.server.link.answer(made, Ok(large.into()));
    pair.drive();
    let told = |event: &Event| matches!(event, Event::Answered { outcome: Err(f), .. } if f.code == Code::TOO_LARGE);
    assert_eq!(pair.client.count(told), 1);
    assert_eq!(pair.client.over(), None);
}

#[test]
fn an_extension_that_must_be_understood_refuses_its_call_only() {
    let mut script = Script::server();
    script.send(&script::extended(1, &call(), 6));
    assert_eq!(script.events.len(), 1);
    script.send(&script::extended(3, &call(), 7));
    assert_eq!(script.events.len(), 1);
    let sent = script.frames();
    let refused = Fault::new(Code::UNSUPPORTED, "extension 7 is not known here");
    assert!(
        matches!(&sent[..], [Frame::Call(CallId(3), CallFrame::CallFailed(f))] if f.fault == refused),
        "{sent:?}"
    );
    script.assert_alive();
}

#[test]
fn requests_that_cannot_be_read_are_bounded_like_others() {
    let mut script = Script::server();
    for n in 0..128 {
        script.send(&script::extended(2 * n + 1, &call(), 7));
    }
    script.assert_alive();
    script.send(&script::extended(257, &call(), 7));
    script.assert_over(Code::TOO_MANY_CALLS);
    let mut script = Script::server();
    for n in 0..512 {
        script.send(&script::extended(2 * n + 1, &script::open("x"), 7));
    }
    script.assert_alive();
    script.send(&script::extended(1025, &script::open("x"), 7));
    script.assert_over(Code::TOO_MANY_STREAMS);
}

#[test]
fn c11_calls_that_are_taken_back_at_once_end_the_link() {
    let mut script = Script::server();
    for n in 0..1_001 {
        script.send(&script::control(2 * n + 1, &call()));
        script.send(&script::control(2 * n + 1, &Cancel::default()));
        let over = script.over();
        assert_eq!(over, (n == 1_000).then_some(Code::EXCESSIVE_LOAD), "call {n}");
    }
}
