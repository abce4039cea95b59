//! Calls and opens on the answer of a call that is not there yet.

use farlens_proto::{CallOn, CallRequest, Event, Fault, OpenOn, OpenRequest};
use farlens_tests::{
    calling::{answer, called, on, pipelined, thing},
    pair::{Pair, request},
    refs::{Lens, Thing},
    script::{self, Script},
};
use farlens_wire::{
    CallId, Code, Limits, ObjectId, Reference, StreamId,
    frame::{
        CallFrame, Frame, StreamFrame,
        call::{Call, CallTarget, Cancel},
        stream::{self, StreamControl, Target},
    },
};

fn on_answer(parent: farlens_proto::CallTicket) -> CallRequest {
    on(CallOn::Answer(parent))
}

/// A hand-made call on the answer of another, pipelined itself.
fn call_on(id: u64, parent: u64) -> Vec<u8> {
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    call.target = CallTarget::Answer(CallId(parent));
    call.pipelined = true;
    script::control(id, &call)
}

fn first_call() -> Vec<u8> {
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    call.pipelined = true;
    script::control(1, &call)
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
fn a_call_on_an_answer_runs_once_that_is_there() {
    let mut pair = Pair::serving(Vec::new());
    let parent = pair.client.make(pipelined());
    let child = pair.client.make(on_answer(parent));
    pair.drive();
    let first = pair.server.take_called();
    assert_eq!(called(&pair.server.events).len(), 0);
    let object = thing(5);
    pair.server.link.answer(first.call, Ok(answer(std::slice::from_ref(&object))));
    let second = {
        pair.drive();
        pair.server.take_called()
    };
    assert_eq!(second.on, object);
    pair.server.link.answer(second.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(child), Some(Ok(())));
    drop((second, object));
    pair.client.events.clear();
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn a_call_on_an_answer_needs_no_flight_of_its_own() {
    let mut script = Script::client();
    let parent = script.make(pipelined());
    let child = script.make(CallRequest { pipelined: true, ..on_answer(parent) });
    script.make(on_answer(child));
    let targets: Vec<_> = script
        .frames()
        .into_iter()
        .filter_map(|frame| match frame {
            Frame::Call(id, CallFrame::Call(call)) => Some((id.0, call.target)),
            _ => None,
        })
        .collect();
    let root = CallTarget::Object(ObjectId::ROOT);
    let answer = |id| CallTarget::Answer(CallId(id));
    assert_eq!(targets, [(1, root), (3, answer(1)), (5, answer(3))]);
}

#[test]
fn a_call_on_a_failed_answer_fails_with_its_reason() {
    let mut pair = Pair::serving(Vec::new());
    let parent = pair.client.make(pipelined());
    let child = pair.client.make(CallRequest { pipelined: true, ..on_answer(parent) });
    let grandchild = pair.client.make(on_answer(child));
    pair.drive();
    let first = pair.server.take_called();
    pair.server.link.answer(first.call, Err(Fault::new(Code::APPLICATION, "no")));
    let late = pair.client.make(on_answer(parent));
    drop(first);
    pair.drive();
    for ticket in [parent, child, grandchild, late] {
        assert_eq!(pair.client.end_of(ticket), Some(Err(Code::APPLICATION)));
    }
    pair.assert_at_rest();
}

#[test]
fn calls_that_wait_here_fail_like_their_parent() {
    let mut limits = Limits::default();
    limits.calls = 1;
    for fails in [true, false] {
        let mut pair = Pair::serving_with(limits.clone(), Vec::new());
        let parent = pair.client.make(pipelined());
        pair.drive();
        let child = pair.client.make(CallRequest { pipelined: true, ..on_answer(parent) });
        let grandchild = pair.client.make(on_answer(child));
        pair.drive();
        let first = pair.server.take_called();
        if fails {
            pair.server.link.answer(first.call, Err(Fault::new(Code::APPLICATION, "no")));
        } else {
            pair.client.link.cancel(parent);
        }
        drop(first);
        pair.drive();
        let code = if fails { Code::APPLICATION } else { Code::CANCELLED };
        for ticket in [child, grandchild] {
            assert_eq!(pair.client.end_of(ticket), Some(Err(code)));
        }
        pair.assert_at_rest();
    }
}

#[test]
fn calls_that_wait_here_go_straight_to_the_object() {
    let mut limits = Limits::default();
    limits.calls = 1;
    let mut pair = Pair::serving_with(limits, Vec::new());
    let parent = pair.client.make(pipelined());
    let children: Vec<_> = (0..3).map(|_| pair.client.make(on_answer(parent))).collect();
    pair.drive();
    let first = pair.server.take_called();
    pair.server.link.answer(first.call, Ok(answer(&[thing(8)])));
    drop(first);
    for child in children {
        pair.drive();
        let called = pair.server.take_called();
        assert_eq!(called.on.get::<Thing>().map(|it| it.0), Some(8));
        pair.server.link.answer(called.call, Ok(answer(&[])));
        pair.drive();
        assert_eq!(pair.client.end_of(child), Some(Ok(())));
    }
    pair.client.events.clear();
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn a_call_on_a_cancelled_one_is_cancelled() {
    let mut pair = Pair::serving(Vec::new());
    let parent = pair.client.make(pipelined());
    let child = pair.client.make(on_answer(parent));
    pair.drive();
    pair.client.link.cancel(parent);
    pair.drive();
    assert_eq!(pair.client.end_of(child), Some(Err(Code::CANCELLED)));
    assert_eq!(pair.server.count(|event| matches!(event, Event::Cancelled { .. })), 1);
    let refused = pair.client.link.call(on_answer(parent), pair.now);
    assert_eq!(refused.unwrap_err().code, Code::NO_SUCH_OBJECT);
    pair.server.events.clear();
    pair.assert_at_rest();
}

#[test]
fn an_answer_without_an_object_of_the_callee_is_no_target() {
    let mut pair = Pair::serving(Vec::new());
    for table in [vec![], vec![thing(1)]] {
        let mut request = pipelined();
        request.table.clone_from(&table);
        let parent = pair.client.make(request);
        let child = pair.client.make(on_answer(parent));
        pair.drive();
        let first = pair.server.take_called();
        // The caller's own object comes back, or nothing at all.
        pair.server.link.answer(first.call, Ok(answer(&first.table)));
        drop(first);
        pair.drive();
        assert_eq!(pair.client.end_of(child), Some(Err(Code::NO_SUCH_OBJECT)));
        assert_eq!(called(&pair.server.events).len(), 0);
        pair.client.events.clear();
        pair.drive();
    }
    pair.assert_at_rest();
}

#[test]
fn only_a_pipelined_call_can_be_built_upon() {
    let mut script = Script::client();
    let plain = script.make(on(CallOn::Root));
    let one_way = script.make(CallRequest { one_way: true, ..pipelined() });
    script.frames();
    for ticket in [plain, one_way] {
        let refused = script.link.call(on_answer(ticket), script.now).unwrap_err();
        assert_eq!(refused.code, Code::NO_SUCH_OBJECT);
        let on = OpenOn::Answer(ticket);
        let refused = script.link.open(OpenRequest { on, ..request("") }).unwrap_err();
        assert_eq!(refused.code, Code::BUSY);
    }
    let mut script = Script::server();
    script.send(&script::control(1, &Call::new(ObjectId::ROOT, "m", Vec::new())));
    script.send(&call_on(3, 1));
    assert_eq!(failures(&script.frames()), [(3, Code::NO_SUCH_OBJECT)]);
    script.assert_alive();
}

#[test]
fn a_call_that_was_never_made_is_no_target() {
    for parent in [2, 3, 5, 7] {
        let mut script = Script::server();
        script.send(&first_call());
        script.send(&call_on(5, parent));
        if parent == 3 {
            // A number that was left out may belong to a call that is over.
            assert_eq!(failures(&script.frames()), [(5, Code::NO_SUCH_OBJECT)]);
        } else {
            script.assert_over(Code::PROTOCOL_VIOLATION);
        }
    }
}

#[test]
fn a_cancelled_answer_is_no_target() {
    let mut script = Script::server();
    script.send(&first_call());
    script.link.answer(CallId(1), Ok(answer(&[thing(1)])));
    script.frames();
    script.send(&call_on(3, 1));
    assert_eq!(called(&script.events).len(), 2);
    script.send(&script::control(1, &Cancel::default()));
    script.send(&call_on(5, 1));
    assert_eq!(failures(&script.frames()), [(5, Code::NO_SUCH_OBJECT)]);
    script.assert_alive();
}

#[test]
fn sixteen_calls_may_wait_for_each_other() {
    let mut script = Script::server();
    script.send(&first_call());
    for n in 1..=16 {
        script.send(&call_on(2 * n + 1, 2 * n - 1));
    }
    assert_eq!(script.frames(), []);
    script.send(&call_on(35, 33));
    assert_eq!(failures(&script.frames()), [(35, Code::TOO_DEEP)]);
    let mut open = script::open("");
    open.target = Target::Answer(CallId(33));
    script.send(&script::control(1, &open));
    let frames = script.frames();
    assert!(
        matches!(&frames[..], [Frame::Stream(_, StreamFrame::Control(StreamControl::Failed(f)))]
            if f.fault.code == Code::TOO_DEEP),
        "{frames:?}"
    );
    // With each answer there is room for one more behind the last.
    for n in 0..40 {
        script.link.answer(CallId(2 * n + 1), Ok(answer(&[thing(n)])));
        script.send(&call_on(2 * n + 37, if n == 0 { 33 } else { 2 * n + 35 }));
        let sent = script.frames();
        assert_eq!(failures(&sent), [], "call {n}");
        script.send(&script::control(2 * n + 1, &Cancel::default()));
        if n == 16 {
            // The refused call 35 stands in the way of nobody.
            break;
        }
    }
    script.assert_alive();
}

#[test]
fn a_long_chain_fails_as_one_without_piling_up() {
    // Calls in parts, the last of which come in reverse: each would wait behind the next.
    let mut script = Script::server();
    script.send(&first_call());
    for n in 1..=100 {
        let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
        call.target = CallTarget::Answer(CallId(2 * n - 1));
        (call.pipelined, call.length) = (true, 1);
        script.send(&script::control(2 * n + 1, &call));
    }
    let too_deep = failures(&script.frames());
    assert_eq!(too_deep.first(), Some(&(35, Code::TOO_DEEP)));
    assert_eq!(too_deep.len(), 84);
    script.link.answer(CallId(1), Err(Fault::new(Code::APPLICATION, "no")));
    assert_eq!(failures(&script.frames()).len(), 17);
    assert_eq!(script.link.stats().calls_in, 0);
    script.assert_alive();
}

#[test]
fn a_child_in_parts_is_bound_to_the_answer_when_it_begins() {
    let mut script = Script::server();
    let object = thing(4);
    script.send(&first_call());
    script.link.answer(CallId(1), Ok(answer(std::slice::from_ref(&object))));
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    call.target = CallTarget::Answer(CallId(1));
    call.length = 3;
    script.send(&script::control(3, &call));
    script.frames();
    // The caller has the answer and needs it no longer, while parts are on their way.
    script.send(&script::control(1, &Cancel::default()));
    script.send(&script::raw(0x14, 3, b"abc"));
    let second = called(&script.events).pop().expect("it runs");
    assert_eq!((second.on, &second.args[..]), (object, &b"abc"[..]));
}

#[test]
fn a_child_in_parts_outlives_the_answer_of_its_parent() {
    let mut pair = Pair::serving(Vec::new());
    let parent = pair.client.make(pipelined());
    let mut large = on_answer(parent);
    large.args = vec![7; 300_000].into();
    let child = pair.client.make(large);
    // The server answers as soon as it is asked, with most parts still to go.
    while called(&pair.server.events).is_empty() {
        pair.step();
    }
    let first = pair.server.take_called();
    pair.server.link.answer(first.call, Ok(answer(&[thing(2)])));
    pair.drive();
    let second = pair.server.take_called();
    assert_eq!(second.args.len(), 300_000);
    pair.server.link.answer(second.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(child), Some(Ok(())));
}

/// An open on an answer, made before that has come.
fn opened(pair: &mut Pair) -> (StreamId, CallId) {
    let parent = pair.client.make(pipelined());
    pair.drive();
    let on = OpenOn::Answer(parent);
    let stream = pair.client.link.open(OpenRequest { on, ..request("") }).expect("it is sent");
    let first = pair.server.take_called();
    (stream, first.call)
}

fn asked(pair: &Pair) -> Vec<Option<Reference>> {
    let on = |event: &Event| match event {
        Event::OpenRequested { on, .. } => Some(on.clone()),
        _ => None,
    };
    pair.server.events.iter().filter_map(on).collect()
}

#[test]
fn an_open_on_an_answer_finds_the_streamer_in_it() {
    let mut pair = Pair::serving(Vec::new());
    let (stream, parent) = opened(&mut pair);
    pair.drive();
    assert_eq!(asked(&pair), []);
    let lens = Reference::new(Lens(1));
    pair.server.link.answer(parent, Ok(answer(std::slice::from_ref(&lens))));
    pair.drive();
    assert_eq!(asked(&pair), [Some(lens)]);
    assert!(pair.client.link.knows_stream(stream));
}

#[test]
fn an_open_that_crosses_the_answer_finds_it_still() {
    let mut pair = Pair::serving(Vec::new());
    let (stream, parent) = opened(&mut pair);
    // The answer comes before the open is sent, which names the call.
    let lens = Reference::new(Lens(1));
    pair.server.link.answer(parent, Ok(answer(std::slice::from_ref(&lens))));
    let mut out = bytes::BytesMut::new();
    pair.server.link.poll_transmit(&mut out, pair.now);
    pair.client.link.handle_input(out.freeze(), pair.now);
    pair.drive();
    assert_eq!(asked(&pair), [Some(lens)]);
    assert_eq!(pair.client.link.stream_over(stream), None);
    assert_eq!(pair.server.link.stats().calls_answered, 0);
}

#[test]
fn an_open_on_a_failed_answer_fails_with_its_reason() {
    let mut pair = Pair::serving(Vec::new());
    let (stream, parent) = opened(&mut pair);
    pair.drive();
    pair.server.link.answer(parent, Err(Fault::new(Code::APPLICATION, "no")));
    pair.drive();
    let over = pair.client.link.stream_over(stream).map(|fault| fault.code);
    assert_eq!(over, Some(Code::APPLICATION));
    assert_eq!(asked(&pair), []);
    pair.client.link.close_stream(stream);
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn an_open_that_is_taken_back_before_the_answer_is_not_told() {
    let mut pair = Pair::serving(Vec::new());
    let (stream, parent) = opened(&mut pair);
    pair.drive();
    pair.client.link.close_stream(stream);
    pair.drive();
    pair.server.link.answer(parent, Ok(answer(&[Reference::new(Lens(1))])));
    pair.drive();
    assert_eq!(asked(&pair), []);
    let gone = |event: &Event| matches!(event, Event::StreamGone { .. });
    assert_eq!(pair.server.count(gone), 0);
    pair.client.events.clear();
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn opens_that_are_taken_back_before_the_answer_leave_nothing() {
    let mut script = Script::server();
    script.send(&first_call());
    let mut open = script::open("");
    open.target = Target::Answer(CallId(1));
    for n in 0..1_000 {
        script.send(&script::control(2 * n + 1, &open));
        script.send(&script::control(2 * n + 1, &stream::Close::default()));
        script.frames();
    }
    script.assert_alive();
    // Nothing of them waits for the answer.
    let books = format!("{:?}", script.link);
    assert!(!books.contains("Open(StreamId("), "{books}");
}

#[test]
fn a_part_that_fails_a_call_fails_the_opens_on_it() {
    let mut script = Script::server();
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    (call.pipelined, call.length, call.deadline_ms) = (true, 2, Some(10));
    script.send(&script::control(1, &call));
    let mut open = script::open("");
    open.target = Target::Answer(CallId(1));
    script.send(&script::control(1, &open));
    assert_eq!(script.frames(), []);
    script.now = script.now.plus_ms(10);
    script.link.handle_timeout(script.now);
    let frames = script.frames();
    assert_eq!(failures(&frames), [(1, Code::DEADLINE_EXCEEDED)]);
    assert_eq!(frames.len(), 2, "{frames:?}");
}

#[test]
fn answers_that_are_kept_count_until_they_are_given_up() {
    let mut limits = Limits::default();
    limits.calls = 2;
    let mut script = Script::server_with(limits);
    script.send(&first_call());
    script.send(&call_on(3, 1));
    script.link.answer(CallId(1), Ok(answer(&[thing(1)])));
    script.link.answer(CallId(3), Ok(answer(&[thing(2)])));
    script.frames();
    assert_eq!(script.link.stats().calls_answered, 2);
    script.send(&script::control(1, &Cancel::default()));
    script.send(&call_on(5, 3));
    script.assert_alive();
    script.events.clear();
    script.send(&call_on(7, 3));
    script.assert_over(Code::TOO_MANY_CALLS);
}

#[test]
fn pipelined_calls_keep_to_a_limit_of_one() {
    let mut limits = Limits::default();
    limits.calls = 1;
    let mut pair = Pair::serving_with(limits, Vec::new());
    let mut tickets = Vec::new();
    for _ in 0..50 {
        let parent = pair.client.make(pipelined());
        tickets.push(parent);
        tickets.push(pair.client.make(on_answer(parent)));
    }
    loop {
        pair.drive();
        if called(&pair.server.events).is_empty() {
            break;
        }
        let next = pair.server.take_called();
        pair.server.link.answer(next.call, Ok(answer(&[thing(1)])));
    }
    for ticket in tickets {
        assert_eq!(pair.client.end_of(ticket), Some(Ok(())));
    }
    assert_eq!((pair.client.over(), pair.server.over()), (None, None));
    pair.client.events.clear();
    pair.drive();
    pair.assert_at_rest();
}
