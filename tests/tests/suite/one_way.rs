//! Calls that nothing answers, and the credit for them.

use farlens_proto::{CallOn, CallRequest, LinkStats};
use farlens_tests::{
    calling::{answer, called, on},
    pair::Pair,
    rng::Rng,
    script::{self, Script},
};
use farlens_wire::{
    CallId, Code, Limits, ObjectId,
    frame::{
        Frame, LinkFrame,
        call::{CALL_PART, Call, Cancel},
        link::OneWayLimit,
    },
};

fn notice(length: usize) -> CallRequest {
    CallRequest { one_way: true, args: vec![0; length].into(), ..on(CallOn::Root) }
}

fn notice_frame(id: u64, length: u64) -> Vec<u8> {
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    (call.one_way, call.length) = (true, length);
    script::control(id, &call)
}

fn limits(calls: u32) -> Limits {
    let mut limits = Limits::default();
    limits.calls = calls;
    limits
}

/// The same with room for few bytes.
fn tight(calls: u32) -> Limits {
    let mut limits = limits(calls);
    limits.argument_bytes = 16 << 10;
    limits
}

#[test]
fn j7_a_one_way_call_has_no_answer() {
    let mut pair = Pair::serving(Vec::new());
    let call = pair.client.make(notice(3));
    pair.drive();
    assert_eq!(pair.client.end_of(call), Some(Ok(())), "it was sent");
    let called = pair.server.take_called();
    assert!(called.one_way);
    pair.server.link.answer(called.call, Ok(vec![1; 100].into()));
    assert!(!pair.server.link.has_output());
    pair.assert_at_rest();
}

#[test]
fn one_way_calls_wait_for_credit_and_credit_comes_back() {
    for calls in [1, 2, 3, 128] {
        let mut pair = Pair::serving_with(limits(calls), Vec::new());
        let tickets: Vec<_> = (0..1_000).map(|_| pair.client.make(notice(1))).collect();
        let mut done = 0;
        loop {
            pair.drive();
            let now = called(&pair.server.events);
            assert!(now.len() <= calls as usize);
            pair.server.events.clear();
            if now.is_empty() {
                break;
            }
            for call in &now {
                pair.server.link.answer(call.call, Ok(answer(&[])));
                done += 1;
            }
        }
        assert_eq!(done, 1_000);
        for ticket in tickets {
            assert_eq!(pair.client.end_of(ticket), Some(Ok(())));
        }
        pair.assert_at_rest();
    }
}

#[test]
fn one_way_calls_of_any_size_never_get_stuck() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let limits = tight(1 + rng.below(4) as u32);
        let mut pair = Pair::serving_with(limits, Vec::new());
        let count = 200;
        for _ in 0..count {
            let length = [0, 1, 5_000, 16_384, 100_000][rng.below(5) as usize];
            pair.client.make(notice(length));
        }
        let (mut done, mut running) = (0, Vec::new());
        while done < count {
            pair.drive();
            running.extend(called(&pair.server.events));
            pair.server.events.clear();
            assert!(!running.is_empty(), "stuck after {done}");
            let next = running.swap_remove(rng.below(running.len() as u64) as usize);
            pair.server.link.answer(next.call, Ok(answer(&[])));
            done += 1;
        }
        pair.drive();
        assert_eq!((pair.client.over(), pair.server.over()), (None, None));
        pair.assert_at_rest();
    }
}

#[test]
fn one_way_calls_beyond_the_credit_end_the_link() {
    let mut script = Script::server_with(limits(2));
    script.send(&notice_frame(1, 0));
    script.send(&notice_frame(3, 0));
    script.assert_alive();
    script.events.clear();
    script.send(&notice_frame(5, 0));
    script.assert_over(Code::TOO_MANY_CALLS);
    // The last may go beyond the bytes, the next may not begin there.
    let mut script = Script::server_with(tight(8));
    script.send(&notice_frame(1, 16_383));
    script.send(&notice_frame(3, 1 << 20));
    script.assert_alive();
    script.send(&notice_frame(5, 0));
    script.assert_over(Code::TOO_MANY_CALLS);
}

#[test]
fn refused_one_way_calls_give_their_credit_back() {
    let mut script = Script::server_with(limits(2));
    let mut deep = Call::new(ObjectId::ROOT, "m", Vec::new());
    (deep.one_way, deep.depth) = (true, 99);
    for n in 0..50 {
        script.send(&script::control(2 * n + 1, &deep));
        let frames = script.frames();
        let credit = |frame: &Frame| matches!(frame, Frame::Link(LinkFrame::OneWayLimit(_)));
        assert!(frames.iter().all(credit), "{frames:?}");
        script.assert_alive();
    }
}

#[test]
fn credit_that_is_taken_back_ends_the_link() {
    let on = |depth, calls, bytes| {
        script::link(&LinkFrame::OneWayLimit(OneWayLimit { depth, calls, bytes }))
    };
    let limit = |calls, bytes| on(0, calls, bytes);
    let mut script = Script::client();
    script.send(&limit(10, 10));
    script.send(&limit(10, 10));
    script.assert_alive();
    script.send(&limit(9, 10));
    script.assert_over(Code::FLOW_CONTROL);
    let mut script = Script::client();
    script.send(&limit(10, 10));
    script.send(&limit(11, 9));
    script.assert_over(Code::FLOW_CONTROL);
    // Each level has its own, and there are no more levels than the peer said.
    let mut script = Script::client();
    script.send(&limit(10, 10));
    script.send(&on(15, 9, 9));
    script.assert_alive();
    script.send(&on(16, 10, 10));
    script.assert_over(Code::PROTOCOL_VIOLATION);
}

/// Both sides, each with its first call under way, whose handler makes the next.
#[test]
fn one_way_calls_that_call_back_never_wait_for_themselves() {
    let mut limits = Limits::minimum();
    limits.call_depth = 16;
    let mut pair = Pair::serving_with(limits, Vec::new());
    let of = |depth| CallRequest { depth, ..notice(1) };
    let mut calls = vec![(pair.client.make(of(0)), pair.server.make(of(0)))];
    let mut handlers = Vec::new();
    for depth in 1..16 {
        pair.drive();
        handlers.push((pair.client.take_called(), pair.server.take_called()));
        calls.push((pair.client.make(of(depth)), pair.server.make(of(depth))));
    }
    pair.drive();
    // Each was sent, although no handler of those above has come to its end.
    for (here, there) in calls {
        assert_eq!(pair.client.end_of(here), Some(Ok(())));
        assert_eq!(pair.server.end_of(there), Some(Ok(())));
    }
    handlers.push((pair.client.take_called(), pair.server.take_called()));
    for (here, there) in handlers {
        pair.client.link.answer(here.call, Ok(answer(&[])));
        pair.server.link.answer(there.call, Ok(answer(&[])));
    }
    pair.drive();
    pair.assert_at_rest();
}

/// A handler that is one way asks back, and the one that it asks gives notice.
#[test]
fn a_one_way_call_behind_a_call_behind_a_one_way_call_is_sent() {
    let mut limits = Limits::minimum();
    limits.call_depth = 4;
    let mut pair = Pair::serving_with(limits, Vec::new());
    pair.client.make(notice(0));
    pair.drive();
    let first = pair.server.take_called();
    let second = pair.server.make(CallRequest { depth: 1, ..on(CallOn::Root) });
    pair.drive();
    let asked = pair.client.take_called();
    let third = pair.client.make(CallRequest { depth: 2, ..notice(0) });
    pair.drive();
    assert_eq!(pair.client.end_of(third), Some(Ok(())));
    pair.client.link.answer(asked.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.server.end_of(second), Some(Ok(())));
    let last = pair.server.take_called();
    for called in [first, last] {
        pair.server.link.answer(called.call, Ok(answer(&[])));
    }
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn a_one_way_call_that_is_given_up_in_parts_is_given_up_there() {
    let mut pair = Pair::serving_with(limits(1), Vec::new());
    for _ in 0..20 {
        let large = pair.client.make(notice(1 << 20));
        pair.step();
        assert_eq!(pair.server.link.stats().calls_in, 1);
        pair.client.link.cancel(large);
        let small = pair.client.make(notice(0));
        pair.drive();
        assert_eq!(pair.client.end_of(small), Some(Ok(())));
        let called = pair.server.take_called();
        assert_eq!(called.args.len(), 0);
        pair.server.link.answer(called.call, Ok(answer(&[])));
        pair.drive();
        pair.assert_at_rest();
    }
    assert_eq!((pair.client.over(), pair.server.over()), (None, None));
}

#[test]
fn a_cancelled_one_way_call_takes_nothing_from_others() {
    let mut script = Script::server_with(limits(2));
    for n in 0..10 {
        let id = 4 * n + 1;
        script.send(&notice_frame(id, 5));
        script.send(&script::control(id, &Cancel::default()));
        script.send(&script::raw(CALL_PART, id, b"abcde"));
        script.send(&script::control(id + 2, &Call::new(ObjectId::ROOT, "m", Vec::new())));
        script.link.answer(CallId(id + 2), Ok(answer(&[])));
        script.frames();
        script.assert_alive();
    }
    assert_eq!(script.link.stats(), LinkStats::default());
    // The levels are counted right: a third call at a time is too many.
    for id in [101, 103] {
        script.send(&script::control(id, &Call::new(ObjectId::ROOT, "m", Vec::new())));
    }
    script.assert_alive();
    script.events.clear();
    script.send(&script::control(105, &Call::new(ObjectId::ROOT, "m", Vec::new())));
    script.assert_over(Code::TOO_MANY_CALLS);
}

#[test]
fn one_way_calls_do_not_take_the_room_of_others() {
    let mut pair = Pair::serving_with(limits(1), Vec::new());
    pair.client.make(notice(0));
    let asked = pair.client.make(on(CallOn::Root));
    pair.drive();
    assert_eq!(called(&pair.server.events).len(), 2);
    let second = called(&pair.server.events).remove(1);
    pair.server.link.answer(second.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(asked), Some(Ok(())));
}
