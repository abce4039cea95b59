//! Calls that call back: level by level, so that nobody waits for himself.

use farlens_proto::{CallOn, CallRequest};
use farlens_tests::{
    calling::{answer, called, on},
    pair::{End, Pair},
    script::{self, Script},
};
use farlens_wire::{
    Code, Limits, ObjectId,
    frame::{CallFrame, Frame, call::Call},
};

fn minimal(depth: u32) -> Limits {
    let mut limits = Limits::minimum();
    limits.call_depth = depth;
    limits
}

fn nested(depth: u32) -> CallRequest {
    CallRequest { depth, ..on(CallOn::Root) }
}

/// The end that makes the calls of a level: the two take turns.
fn caller(pair: &mut Pair, first: bool, depth: u32) -> &mut End {
    if first == depth.is_multiple_of(2) { &mut pair.client } else { &mut pair.server }
}

#[test]
fn calls_nest_64_deep_with_room_for_one_on_each_level() {
    let mut pair = Pair::serving_with(minimal(64), Vec::new());
    // Both sides at the same time, each with a second call that waits on every level.
    let mut open = Vec::new();
    for depth in 0..64 {
        for first in [true, false] {
            let caller = caller(&mut pair, first, depth);
            let (ticket, waiting) = (caller.make(nested(depth)), caller.make(nested(depth)));
            pair.drive();
            // Who is called makes the calls of the next level.
            let called = self::caller(&mut pair, first, depth + 1).take_called();
            assert_eq!(called.depth, depth);
            open.push((first, depth, ticket, waiting, called.call));
        }
    }
    for (first, depth, ticket, waiting, call) in open.into_iter().rev() {
        let callee = caller(&mut pair, first, depth + 1);
        callee.link.answer(call, Ok(answer(&[])));
        pair.drive();
        let second = caller(&mut pair, first, depth + 1).take_called();
        caller(&mut pair, first, depth + 1).link.answer(second.call, Ok(answer(&[])));
        pair.drive();
        for ticket in [ticket, waiting] {
            assert_eq!(caller(&mut pair, first, depth).end_of(ticket), Some(Ok(())));
        }
    }
    pair.assert_at_rest();
}

#[test]
fn the_level_below_the_last_is_too_deep_here_and_there() {
    let mut script = Script::client();
    let refused = script.link.call(nested(16), script.now).unwrap_err();
    assert_eq!(refused.code, Code::TOO_DEEP);
    script.make(nested(15));
    let mut script = Script::server();
    for (n, depth) in [(0, 15), (1, 16), (2, u32::MAX)] {
        let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
        call.depth = depth;
        script.send(&script::control(2 * n + 1, &call));
    }
    assert_eq!(called(&script.events).len(), 1);
    let codes: Vec<_> = script
        .frames()
        .into_iter()
        .filter_map(|frame| match frame {
            Frame::Call(id, CallFrame::CallFailed(failed)) => Some((id.0, failed.fault.code)),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [(3, Code::TOO_DEEP), (5, Code::TOO_DEEP)]);
    script.assert_alive();
}

#[test]
fn a_full_level_does_not_hold_up_the_next() {
    let mut pair = Pair::serving_with(minimal(2), Vec::new());
    let waiting: Vec<_> = (0..5).map(|_| pair.client.make(nested(0))).collect();
    let deeper = pair.client.make(nested(1));
    pair.drive();
    let depths: Vec<_> = called(&pair.server.events).iter().map(|it| it.depth).collect();
    assert_eq!(depths, [0, 1]);
    let calls = called(&pair.server.events);
    pair.server.events.clear();
    pair.server.link.answer(calls[1].call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(deeper), Some(Ok(())));
    assert_eq!(called(&pair.server.events).len(), 0, "the first level is still full");
    assert_eq!(pair.client.end_of(waiting[0]), None);
}

#[test]
fn each_level_has_its_own_limit_there() {
    let mut limits = Limits::default();
    (limits.calls, limits.call_depth) = (2, 3);
    let mut script = Script::server_with(limits);
    let mut id = 1;
    for depth in [0, 1, 2, 2, 1, 0] {
        let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
        call.depth = depth;
        script.send(&script::control(id, &call));
        id += 2;
    }
    script.assert_alive();
    script.events.clear();
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    call.depth = 1;
    script.send(&script::control(id, &call));
    script.assert_over(Code::TOO_MANY_CALLS);
}

#[test]
fn arguments_beyond_the_limit_wait_and_one_call_may_have_more() {
    let mut limits = Limits::minimum();
    (limits.calls, limits.message_bytes) = (8, 1 << 20);
    let mut pair = Pair::serving_with(limits, Vec::new());
    let sizes = [100_000, 10, 16_000, 370, 10, 500_000];
    for size in sizes {
        pair.client.make(CallRequest { args: vec![0; size].into(), ..on(CallOn::Root) });
    }
    let mut seen = Vec::new();
    for expected in [&[100_000][..], &[10, 16_000, 370], &[10], &[500_000]] {
        pair.drive();
        let now = called(&pair.server.events);
        let sizes: Vec<_> = now.iter().map(|it| it.args.len()).collect();
        seen.extend(sizes.clone());
        assert_eq!(sizes, expected);
        pair.server.events.clear();
        for call in now {
            pair.server.link.answer(call.call, Ok(answer(&[])));
        }
    }
    assert_eq!(seen, sizes);
    assert_eq!((pair.client.over(), pair.server.over()), (None, None));
}

#[test]
fn j22_a_call_that_does_not_return_lets_others_progress() {
    let mut pair = Pair::serving(Vec::new());
    let blocked = pair.client.make(on(CallOn::Root));
    pair.drive();
    let stuck = pair.server.take_called();
    for _ in 0..500 {
        let quick = pair.client.make(on(CallOn::Root));
        pair.drive();
        let called = pair.server.take_called();
        pair.server.link.answer(called.call, Ok(answer(&[])));
        pair.drive();
        assert_eq!(pair.client.end_of(quick), Some(Ok(())));
    }
    assert_eq!(pair.client.end_of(blocked), None);
    pair.server.link.answer(stuck.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(blocked), Some(Ok(())));
    pair.assert_at_rest();
}
