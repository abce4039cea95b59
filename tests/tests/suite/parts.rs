//! Arguments and results that are longer than a frame.

use bytes::{Bytes, BytesMut};
use farlens_proto::{CallOn, CallRequest, Event, LinkStats};
use farlens_tests::{
    calling::{answer, called, on, outcomes, thing},
    pair::{Pair, request},
    pattern,
    rng::Rng,
    script::{self, Script},
    source::Source,
};
use farlens_wire::{
    CallId, Code, FrameDecoder, Limits, ObjectId,
    frame::{
        CallFrame, Frame, LinkFrame, StreamFrame,
        call::{CALL_PART, Call, CallFailed, Cancel, Return},
    },
};

fn announced(length: u64, args: &[u8]) -> Vec<u8> {
    let mut call = Call::new(ObjectId::ROOT, "m", args.to_vec());
    call.length = length;
    script::control(1, &call)
}

fn part(bytes: &[u8]) -> Vec<u8> {
    script::raw(CALL_PART, 1, bytes)
}

fn large(length: usize) -> CallRequest {
    CallRequest::new(CallOn::Root, "m", pattern::bytes(1, 0, length))
}

#[test]
fn a_call_in_any_cut_comes_as_one() {
    let all = pattern::bytes(3, 0, 5_000);
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut script = Script::server();
        let mut cut = rng.below(5_001) as usize;
        script.send(&announced(5_000, &all[..cut]));
        while cut < all.len() {
            assert_eq!(script.events, []);
            let more = 1 + rng.below(all.len() as u64 - cut as u64) as usize;
            script.send(&part(&all[cut..cut + more]));
            cut += more;
        }
        assert_eq!(called(&script.events)[0].args, all);
        script.assert_alive();
    }
}

#[test]
fn a_message_that_is_longer_than_it_said_ends_the_link() {
    let too_much: [&[Vec<u8>]; 5] = [
        &[announced(3, b"abcd")],
        &[announced(3, b"ab"), part(b"cd")],
        &[announced(3, b"ab"), part(b"c"), part(b"d")],
        &[announced(3, b"ab"), part(b"")],
        &[announced(0, b""), part(b"x")],
    ];
    for frames in too_much {
        let mut script = Script::server();
        for frame in frames {
            script.assert_alive();
            script.send(frame);
        }
        script.events.retain(|event| matches!(event, Event::Over { .. }));
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
}

#[test]
fn an_answer_that_is_longer_than_it_said_ends_the_link() {
    let returned = |length, value: &[u8]| {
        script::control(1, &Return { table: Vec::new(), length, value: value.to_vec().into() })
    };
    let failed = || {
        let fault = farlens_proto::Fault::new(Code::APPLICATION, "no");
        script::control(1, &CallFailed::new(fault))
    };
    let wrong: [&[Vec<u8>]; 5] = [
        &[part(b"x")],
        &[returned(2, b"abc")],
        &[returned(2, b"a"), part(b"bc")],
        &[returned(2, b"a"), returned(2, b"a")],
        &[returned(2, b"a"), failed()],
    ];
    for frames in wrong {
        let mut script = Script::client();
        script.make(on(CallOn::Root));
        script.frames();
        for frame in frames {
            script.assert_alive();
            script.send(frame);
        }
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
}

#[test]
fn j15_a_length_beyond_the_limit_ends_the_link_before_it_is_there() {
    let mut script = Script::server();
    script.send(&announced((1 << 20) + 1, b""));
    script.assert_over(Code::TOO_LARGE);
    let mut script = Script::server();
    script.send(&announced(u64::MAX, b""));
    script.assert_over(Code::TOO_LARGE);
}

#[test]
fn parts_of_a_call_that_is_over_are_dropped() {
    let mut script = Script::server();
    script.send(&announced(10, b"ab"));
    script.send(&script::control(1, &Cancel::default()));
    script.send(&part(b"cdefghij"));
    script.send(&part(b"and more"));
    assert_eq!(script.frames(), []);
    assert_eq!((script.events.len(), script.link.stats()), (0, LinkStats::default()));
    script.assert_alive();
    let mut script = Script::client();
    let call = script.make(on(CallOn::Root));
    script.frames();
    script.send(&script::control(1, &Return { table: Vec::new(), length: 9, value: Bytes::new() }));
    script.link.cancel(call);
    script.send(&part(b"ab"));
    script.send(&part(b"cd"));
    assert_eq!(script.events, []);
    script.assert_alive();
}

#[test]
fn a_part_of_no_call_ends_the_link() {
    for id in [1, 2, 4] {
        let mut script = Script::server();
        script.send(&script::raw(CALL_PART, id, b"x"));
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
}

#[test]
fn a_call_that_is_refused_early_stops_going_out() {
    let mut pair = Pair::serving(Vec::new());
    let (proxy, _object) = pair.hand_over();
    let mut script = Script::client();
    let call = script.make(large(1 << 20));
    let mut out = BytesMut::new();
    script.link.poll_transmit(&mut out, script.now);
    let fault = farlens_proto::Fault::new(Code::NO_SUCH_OBJECT, "gone");
    script.send(&script::control(1, &CallFailed::new(fault)));
    assert_eq!(script.end_of(call), Some(Err(Code::NO_SUCH_OBJECT)));
    assert!(!script.link.has_output());
    assert_eq!(script.link.stats(), LinkStats::default());
    drop(proxy);
}

#[test]
fn large_messages_pass_in_both_directions() {
    let mut limits = Limits::minimum();
    limits.message_bytes = 1 << 20;
    for limits in [Limits::default(), limits] {
        let mut pair = Pair::serving_with(limits, Vec::new());
        for length in [0, 1, 100, 4_095, 4_096, 16_384, 16_385, 1 << 20] {
            let mut request = large(length);
            request.table = (0..128).map(thing).collect();
            let call = pair.client.make(request);
            pair.drive();
            let asked = pair.server.take_called();
            assert_eq!((asked.args.len(), asked.table.len()), (length, 128));
            assert_eq!(asked.args, pattern::bytes(1, 0, length));
            let mut result = answer(&asked.table);
            result.value = asked.args;
            pair.server.link.answer(asked.call, Ok(result));
            pair.drive();
            let outcome = outcomes(&pair.client.events, call).remove(0).expect("it succeeds");
            assert_eq!((outcome.value.len(), outcome.table.len()), (length, 128));
            drop((outcome, asked.table));
            pair.client.events.clear();
            pair.drive();
            pair.assert_at_rest();
        }
    }
}

/// The frames of the next batch of a link.
fn batch(script: &mut Script) -> Vec<Frame> {
    let mut out = BytesMut::new();
    script.link.poll_transmit(&mut out, script.now);
    let mut decoder = FrameDecoder::new(1 << 20);
    decoder.push(out.freeze());
    std::iter::from_fn(|| decoder.next().expect("a link sends frames")).collect()
}

#[test]
fn large_arguments_share_the_link_with_a_stream() {
    let mut pair = Pair::serving(Vec::new());
    let source = Source::fixed_bytes(1, 8 << 20);
    let mut script = Script::server();
    let mut open = script::open("bulk");
    open.credit = farlens_proto::Credit { bytes: 1 << 40, elements: 1 << 40 };
    script.send(&script::control(1, &open));
    script.link.accept(farlens_wire::StreamId(1), source.accepted());
    script.frames();
    for _ in 0..4 {
        script.make(large(1 << 20));
    }
    let (mut parts, mut data) = (0, 0);
    for _ in 0..20 {
        while let Some(request) = script.link.poll_request() {
            script.link.handle_reply(request.stream, request.serial, source.answer(request.ask));
        }
        for frame in batch(&mut script) {
            match frame {
                Frame::CallPart(_, part) => parts += part.len(),
                Frame::Stream(_, StreamFrame::Data(more)) => data += more.payload.len(),
                _ => {}
            }
        }
    }
    assert!(parts > 200_000 && data > 500_000, "{parts} {data}");
    pair.drive();
}

#[test]
fn large_arguments_do_not_hold_up_a_small_call_to_another_object() {
    let mut pair = Pair::serving(Vec::new());
    let (other, _object) = pair.hand_over();
    pair.client.make(large(1 << 20));
    // Behind the large one, and in nobody's way.
    pair.client.make(on(CallOn::Root));
    pair.client.make(on(CallOn::Object(other)));
    let mut batches = 0;
    while called(&pair.server.events).is_empty() {
        pair.step();
        batches += 1;
    }
    assert!(batches <= 3, "{batches} steps");
    let first = pair.server.take_called();
    assert!(first.args.is_empty() && first.on.get::<farlens_tests::refs::Thing>().is_some());
    pair.drive();
    let lengths: Vec<_> = called(&pair.server.events).iter().map(|it| it.args.len()).collect();
    assert_eq!(lengths, [1 << 20, 0]);
}

#[test]
fn j8_calls_to_one_object_start_in_order_whatever_their_length() {
    let mut pair = Pair::serving(Vec::new());
    let (proxy, _object) = pair.hand_over();
    let mut rng = Rng::new(8);
    let mut expected = Vec::new();
    for n in 0..40u8 {
        let length = [1, 100, 20_000, 90_000][rng.below(4) as usize];
        let mut request = on(CallOn::Object(proxy.clone()));
        request.args = vec![n; length].into();
        request.one_way = rng.one_in(4);
        expected.push((n, length));
        pair.client.make(request);
    }
    pair.drive();
    let seen: Vec<_> =
        called(&pair.server.events).iter().map(|it| (it.args[0], it.args.len())).collect();
    assert_eq!(seen, expected);
}

#[test]
fn an_answer_in_parts_counts_until_its_last_part_is_out() {
    let mut limits = Limits::default();
    limits.calls = 4;
    let mut script = Script::server_with(limits);
    let call = |id| script::control(id, &Call::new(ObjectId::ROOT, "m", Vec::new()));
    for n in 0..4 {
        script.send(&call(2 * n + 1));
        script.link.answer(CallId(2 * n + 1), Ok(vec![0; 1 << 20].into()));
    }
    // The answers have begun, and their rest would wait in memory for whoever never reads it.
    assert_eq!(batch(&mut script).iter().filter(|it| matches!(it, Frame::Call(..))).count(), 4);
    assert_eq!(script.link.stats().calls_answered, 4);
    script.events.clear();
    script.send(&call(9));
    script.assert_over(Code::TOO_MANY_CALLS);
}

#[test]
fn a_cancel_stops_an_answer_in_parts() {
    let mut pair = Pair::serving(Vec::new());
    let call = pair.client.make(on(CallOn::Root));
    pair.drive();
    let asked = pair.server.take_called();
    pair.server.link.answer(asked.call, Ok(vec![0; 1 << 20].into()));
    pair.step();
    assert_eq!(pair.server.link.stats().calls_answered, 1);
    pair.client.link.cancel(call);
    pair.drive();
    assert_eq!(pair.client.end_of(call), None);
    pair.assert_at_rest();
}

#[test]
fn a_cut_link_has_not_run_what_was_not_sent_as_a_whole() {
    let mut pair = Pair::serving(Vec::new());
    let (other, _object) = pair.hand_over();
    let half = pair.client.make(large(1 << 20));
    let behind = pair.client.make(on(CallOn::Root));
    let whole = pair.client.make(on(CallOn::Object(other)));
    pair.step();
    pair.client.link.handle_lost("cut");
    pair.drive();
    assert_eq!(pair.client.end_of(half), Some(Err(Code::NOT_RUN)));
    assert_eq!(pair.client.end_of(behind), Some(Err(Code::NOT_RUN)));
    assert_eq!(pair.client.end_of(whole), Some(Err(Code::UNKNOWN)));
}

#[test]
fn a_long_queue_costs_no_more_for_each_call_than_a_short_one() {
    // With a cost that grows with the queue this would take minutes.
    let mut pair = Pair::serving(Vec::new());
    let tickets: Vec<_> = (0..50_000).map(|_| pair.client.make(on(CallOn::Root))).collect();
    let mut done = 0;
    while done < 40_000 {
        pair.step();
        for event in std::mem::take(&mut pair.server.events) {
            if let Event::Called(called) = event {
                pair.server.link.answer(called.call, Ok(Bytes::new().into()));
                done += 1;
            }
        }
        pair.client.events.clear();
    }
    for ticket in tickets {
        pair.client.link.cancel(ticket);
    }
    pair.drive();
    pair.assert_at_rest();
    let ping = script::link(&LinkFrame::Ping(1));
    pair.server.link.handle_input(ping.into(), pair.now);
    assert_eq!(pair.server.over(), None);
}

#[test]
fn a_frame_has_all_of_a_message_that_fits_and_nothing_of_one_that_does_not() {
    let mut script = Script::client();
    script.make(large(16_384));
    script.make(large(16_385));
    let inline: Vec<_> = script
        .frames()
        .into_iter()
        .filter_map(|frame| match frame {
            Frame::Call(_, CallFrame::Call(call)) => Some((call.length, call.args.len())),
            _ => None,
        })
        .collect();
    assert_eq!(inline, [(16_384, 16_384), (16_385, 0)]);
}

#[test]
fn a_stream_is_opened_while_parts_go_out() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    pair.client.make(large(1 << 20));
    let stream = pair.client.link.open(request("0")).expect("the link asks");
    let mut steps = 0;
    while pair.client.link.stream_info(stream).is_none() {
        pair.step();
        steps += 1;
    }
    assert!(steps < 8, "{steps}");
}
