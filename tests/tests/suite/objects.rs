//! Objects of one side that the other holds: how long they live, and what a peer may say of them.

use bytes::{Bytes, BytesMut};
use farlens_proto::{About, CallOn, Event, LinkStats};
use farlens_tests::{
    calling::{answer, end_of, on, passing, thing},
    pair::Pair,
    refs::{Imported, Thing},
    script::{self, Script},
    source::Source,
};
use farlens_wire::{
    CallId, Code, Limits, ObjectId, Reference, StreamId,
    frame::{
        Frame, LinkFrame,
        call::{Call, Entry, Release, Return},
        stream::Target,
    },
};

const OBJECT: About = About::Object { interface: None };

fn with_table(id: u64, table: Vec<Entry>) -> Vec<u8> {
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    call.table = table;
    script::control(id, &call)
}

fn on_object(id: u64, object: u64) -> Vec<u8> {
    script::control(id, &Call::new(ObjectId(object), "m", Vec::new()))
}

/// A server that has handed object 1 to its client `times` times.
fn exporter(times: u64) -> (Script, Reference) {
    let mut script = Script::server();
    let object = thing(1);
    for n in 0..times {
        let id = 2 * n + 1;
        script.send(&script::control(id, &Call::new(ObjectId::ROOT, "m", Vec::new())));
        script.link.answer(CallId(id), Ok(answer(std::slice::from_ref(&object))));
    }
    script.frames();
    script.events.clear();
    (script, object)
}

fn released(events: &[Event]) -> Vec<u64> {
    let number = |event: &Event| match event {
        Event::Released { reference } => Some(reference.get::<Thing>().expect("a thing").0),
        _ => None,
    };
    events.iter().filter_map(number).collect()
}

#[test]
fn j9_the_last_proxy_that_is_dropped_releases_the_object_once() {
    let mut pair = Pair::serving(Vec::new());
    let (proxy, object) = pair.hand_over();
    assert_eq!(pair.server.link.stats().exports, 1);
    let copy = proxy.clone();
    drop(proxy);
    pair.drive();
    assert_eq!(released(&pair.server.events), [0; 0]);
    drop(copy);
    pair.drive();
    assert_eq!(released(&pair.server.events), [1]);
    pair.assert_at_rest();
    drop(object);
}

#[test]
fn j9_an_object_lives_while_another_copy_is_on_its_way() {
    let mut pair = Pair::serving(Vec::new());
    let (proxy, object) = pair.hand_over();
    // Given once more there, and given back here, at the same time.
    let call = pair.server.make(passing(&[object]));
    let mut given = BytesMut::new();
    pair.server.link.poll_transmit(&mut given, pair.now);
    drop(proxy);
    let mut back = BytesMut::new();
    pair.client.link.poll_transmit(&mut back, pair.now);
    pair.server.link.handle_input(back.freeze(), pair.now);
    pair.client.link.handle_input(given.freeze(), pair.now);
    pair.drive();
    let again = pair.client.take_called();
    assert_eq!(released(&pair.server.events), [0; 0]);
    assert_eq!(pair.server.link.stats().exports, 1);
    assert_eq!(again.table[0].get::<Imported>().map(|it| it.object), Some(ObjectId(1)));
    pair.client.link.answer(again.call, Ok(answer(&[])));
    drop(again);
    pair.drive();
    assert_eq!(pair.server.end_of(call), Some(Ok(())));
    assert_eq!(released(&pair.server.events), [1]);
    pair.assert_at_rest();
}

#[test]
fn j10_a_reference_that_comes_home_is_the_original() {
    let mut pair = Pair::serving(Vec::new());
    let (proxy, object) = pair.hand_over();
    pair.client.make(passing(&[proxy.clone(), proxy]));
    pair.drive();
    let called = pair.server.take_called();
    assert_eq!(called.table, [object.clone(), object]);
    pair.server.link.answer(called.call, Ok(answer(&called.table)));
    drop(called);
    pair.drive();
    // It came home and went out again: the client has it still.
    assert_eq!(pair.server.link.stats().exports, 1);
    pair.client.events.clear();
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn the_same_object_comes_as_the_same_reference() {
    let mut pair = Pair::serving(Vec::new());
    let object = thing(7);
    pair.server.make(passing(&[object.clone(), object.clone()]));
    pair.server.make(passing(&[object]));
    pair.drive();
    let (first, second) = (pair.client.take_called(), pair.client.take_called());
    assert_eq!(first.table[0], first.table[1]);
    assert_eq!(first.table[0], second.table[0]);
    for call in [first.call, second.call] {
        pair.client.link.answer(call, Ok(answer(&[])));
    }
    drop((first, second));
    pair.drive();
    assert_eq!(released(&pair.server.events), [7]);
    pair.assert_at_rest();
}

#[test]
fn an_id_that_was_never_given_ends_the_link() {
    let mut open = script::open("");
    open.target = Target::Object(ObjectId(2));
    let frames = [
        on_object(9, 2),
        with_table(9, vec![Entry::Yours(ObjectId(2))]),
        script::control(9, &open),
        script::control(2, &Release { count: 1 }),
    ];
    for frame in frames {
        let (mut script, _object) = exporter(1);
        script.send(&frame);
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
}

#[test]
fn an_id_that_was_given_back_fails_a_call_and_an_open_alone() {
    let (mut script, _object) = exporter(1);
    script.send(&script::control(1, &Release { count: 1 }));
    assert_eq!(released(&script.events), [1]);
    script.send(&on_object(3, 1));
    let mut open = script::open("");
    open.target = Target::Object(ObjectId(1));
    script.send(&script::control(1, &open));
    let failed = script.frames();
    assert_eq!(failed.len(), 2, "{failed:?}");
    let text = format!("{failed:?}");
    assert_eq!(text.matches("no_such_object").count(), 2, "{text}");
    script.assert_alive();
    script.send(&with_table(5, vec![Entry::Yours(ObjectId(1))]));
    script.assert_over(Code::PROTOCOL_VIOLATION);
}

#[test]
fn no_more_is_given_back_than_is_held() {
    for counts in [&[4][..], &[3, 1], &[0], &[1, 0], &[u64::MAX]] {
        let (mut script, _object) = exporter(3);
        for &count in counts {
            script.assert_alive();
            script.send(&script::control(1, &Release { count }));
        }
        script.events.retain(|event| !matches!(event, Event::Released { .. }));
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
}

#[test]
fn what_is_given_back_in_pieces_lives_until_the_last() {
    let (mut script, _object) = exporter(5);
    for (count, left) in [(2, 1), (2, 1), (1, 0)] {
        script.send(&script::control(1, &Release { count }));
        assert_eq!(script.link.stats().exports, left);
    }
    assert_eq!(released(&script.events), [1]);
    script.assert_alive();
}

#[test]
fn a_table_is_no_longer_than_128_and_has_no_root() {
    let mine = |n| Entry::Mine(ObjectId(n), OBJECT);
    let mut script = Script::server();
    script.send(&with_table(1, (1..=128).map(mine).collect()));
    script.assert_alive();
    assert_eq!(script.link.stats().imports, 128);
    script.send(&with_table(3, (1..=129).map(mine).collect()));
    script.assert_over(Code::PROTOCOL_VIOLATION);
    for root in [mine(0), Entry::Yours(ObjectId(0))] {
        let mut script = Script::server();
        script.send(&with_table(1, vec![root]));
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
    let mut script = Script::client();
    let long: Vec<_> = (0..129).map(thing).collect();
    let refused = script.link.call(passing(&long), script.now).unwrap_err();
    assert_eq!(refused.code, Code::TOO_MANY_REFERENCES);
}

#[test]
fn references_beyond_the_limit_end_a_link_that_was_told() {
    let mut limits = Limits::default();
    limits.references = 200;
    let mut script = Script::server_with(limits);
    let mine = |n| Entry::Mine(ObjectId(n), OBJECT);
    script.send(&with_table(1, (1..=128).map(mine).collect()));
    script.send(&with_table(3, (73..=200).map(mine).collect()));
    assert_eq!(script.link.stats().imports, 200);
    script.assert_alive();
    script.send(&with_table(5, vec![mine(201)]));
    script.assert_over(Code::TOO_MANY_REFERENCES);
}

#[test]
fn a_million_references_are_refused_here_before_they_are_sent() {
    let mut pair = Pair::serving(Vec::new());
    let (mut held, mut refused) = (Vec::new(), 0);
    for n in 0..1_000_000 / 100 {
        let table: Vec<_> = (n * 100..(n + 1) * 100).map(thing).collect();
        let made = pair.server.link.call(passing(&table), pair.now);
        match made {
            Ok(ticket) => {
                pair.drive();
                let called = pair.client.take_called();
                pair.client.link.answer(called.call, Ok(answer(&[])));
                held.push(called);
                pair.drive();
                assert_eq!(pair.server.end_of(ticket), Some(Ok(())));
                pair.server.events.clear();
            }
            Err(fault) => {
                assert_eq!(fault.code, Code::TOO_MANY_REFERENCES);
                refused += 1;
            }
        }
    }
    assert_eq!((held.len(), refused), (655, 10_000 - 655));
    assert_eq!(pair.server.link.stats().exports, 65_500);
    drop(held);
    pair.drive();
    pair.assert_at_rest();
    assert_eq!(released(&pair.server.events).len(), 65_500);
}

#[test]
fn a_call_that_waits_counts_its_references_when_it_goes() {
    let mut limits = Limits::default();
    (limits.calls, limits.references) = (1, 128);
    let mut pair = Pair::serving_with(limits, Vec::new());
    let tables: [Vec<_>; 2] = [0, 100].map(|from| (from..from + 100).map(thing).collect());
    let [first, second] = tables.map(|table| pair.client.make(passing(&table)));
    pair.drive();
    let called = pair.server.take_called();
    pair.server.link.answer(called.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(first), Some(Ok(())));
    assert_eq!(pair.client.end_of(second), Some(Err(Code::TOO_MANY_REFERENCES)));
    drop(called);
    pair.drive();
    pair.assert_at_rest();
}

#[test]
fn a_late_answer_gives_its_references_back() {
    let mut script = Script::client();
    let call = script.make(on(CallOn::Root));
    script.frames();
    script.link.cancel(call);
    script.frames();
    let table = vec![Entry::Mine(ObjectId(3), OBJECT); 2];
    script.send(&script::control(1, &Return { table, length: 9, value: Bytes::new() }));
    let frames = script.frames();
    assert_eq!(frames, [Frame::Release(ObjectId(3), Release { count: 2 })]);
    assert_eq!(script.link.stats(), LinkStats::default());
}

#[test]
fn a_link_that_ends_lets_go_of_everything_once() {
    let mut pair = Pair::serving(Vec::new());
    let (proxy, object) = pair.hand_over();
    pair.client.make(passing(&[thing(2), thing(3), proxy.clone()]));
    pair.drive();
    for end in [&mut pair.client, &mut pair.server] {
        end.link.handle_lost("cut");
    }
    pair.drive();
    let mut numbers = released(&pair.client.events);
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
    assert_eq!(released(&pair.server.events), [1]);
    drop((proxy, object));
    pair.assert_at_rest();
    // What is dropped now has nobody to be given back to.
    assert!(!pair.client.link.has_output() && !pair.server.link.has_output());
}

#[test]
fn nothing_is_given_back_behind_a_farewell() {
    let mut script = Script::client();
    let call = script.make(on(CallOn::Root));
    script.frames();
    let about = Entry::Mine(ObjectId(2), OBJECT);
    let value = Return { table: vec![about], length: 0, value: Bytes::new() };
    script.send(&script::control(1, &value));
    assert_eq!(end_of(&script.events, call), Some(Ok(())));
    script.link.close(farlens_proto::Fault::new(Code::LINK_CLOSED, "done"));
    script.events.clear();
    let frames = script.frames();
    assert!(matches!(frames[..], [Frame::Link(LinkFrame::Bye(_))]), "{frames:?}");
    assert!(!script.link.has_output());
}

#[test]
fn bulk_does_not_hold_up_what_is_given_back() {
    let source = Source::fixed_bytes(1, 64 << 20);
    let mut script = Script::server();
    let mut open = script::open("bulk");
    open.credit = farlens_proto::Credit { bytes: 1 << 40, elements: 1 << 40 };
    script.send(&script::control(1, &open));
    script.link.accept(StreamId(1), source.accepted());
    for _ in 0..16 {
        while let Some(request) = script.link.poll_request() {
            script.link.handle_reply(request.stream, request.serial, source.answer(request.ask));
        }
        if script.link.stats().imports == 0 {
            script.send(&with_table(1, vec![Entry::Mine(ObjectId(1), OBJECT)]));
        }
        script.events.clear();
        let mut out = BytesMut::new();
        script.link.poll_transmit(&mut out, script.now);
        assert!(out.len() > 60_000, "the stream never pauses");
        if script.link.stats().imports == 0 {
            return;
        }
    }
    panic!("it was never given back");
}

#[test]
fn what_a_call_is_made_on_lives_until_its_answer() {
    let mut pair = Pair::serving(Vec::new());
    let (proxy, _object) = pair.hand_over();
    let call = pair.client.make(on(CallOn::Object(proxy)));
    pair.drive();
    assert_eq!(released(&pair.server.events), [0; 0]);
    let called = pair.server.take_called();
    assert_eq!(called.on.get::<Thing>().map(|it| it.0), Some(1));
    pair.server.link.answer(called.call, Ok(answer(&[])));
    pair.drive();
    assert_eq!(pair.client.end_of(call), Some(Ok(())));
    assert_eq!(released(&pair.server.events), [1]);
}

#[test]
fn an_object_of_another_link_cannot_be_called_here() {
    let mut one = Pair::serving(Vec::new());
    let mut other = Pair::serving(Vec::new());
    let (proxy, _object) = one.hand_over();
    let refused = other.client.link.call(on(CallOn::Object(proxy.clone())), other.now);
    assert_eq!(refused.unwrap_err().code, Code::NO_SUCH_OBJECT);
    let refused = other.client.link.call(passing(&[proxy]), other.now);
    assert_eq!(refused.unwrap_err().code, Code::UNSUPPORTED);
    let call = other.client.make(on(CallOn::Root));
    other.drive();
    assert_eq!(other.client.end_of(call), None);
}
