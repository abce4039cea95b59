//! Interfaces that a side announces before its calls name them.

use farlens_proto::{CallOn, CallRequest, Event};
use farlens_tests::{
    calling::{called, on},
    pair::Pair,
    script::{self, Script},
};
use farlens_wire::{
    Code, ObjectId,
    frame::{LinkFrame, call::Call, link::Interface},
};

fn fingerprint(number: u64) -> [u8; 16] {
    u128::from(number).to_le_bytes()
}

fn announce(number: u64) -> Vec<u8> {
    let frame = Interface { fingerprint: fingerprint(number), schema: b"schema".to_vec() };
    script::link(&LinkFrame::Interface(frame))
}

#[test]
fn an_interface_comes_once_before_the_calls_that_name_it() {
    let mut pair = Pair::serving(Vec::new());
    let interface = Some(fingerprint(1));
    for _ in 0..2 {
        pair.client.link.announce(fingerprint(1), &[7; 50_000]).expect("it fits");
        pair.client.make(CallRequest { interface, ..on(CallOn::Root) });
    }
    pair.drive();
    let told =
        |event: &Event| matches!(event, Event::Interface { schema, .. } if schema.len() == 50_000);
    assert_eq!(pair.server.count(told), 1);
    assert!(matches!(pair.server.events[1], Event::Interface { .. }), "{:?}", pair.server.events);
    let names: Vec<_> = called(&pair.server.events).iter().map(|call| call.interface).collect();
    assert_eq!(names, [interface, interface]);
}

#[test]
fn many_large_interfaces_still_come_before_their_calls() {
    let mut pair = Pair::serving(Vec::new());
    for n in 0..17 {
        pair.client.link.announce(fingerprint(n), &[7; 60_000]).expect("it fits");
    }
    pair.client.make(CallRequest { interface: Some(fingerprint(16)), ..on(CallOn::Root) });
    pair.drive();
    assert_eq!(pair.server.over(), None);
    assert_eq!(called(&pair.server.events).len(), 1);
}

#[test]
fn an_interface_that_does_not_fit_is_refused_here() {
    let mut script = Script::client();
    let refused = script.link.announce(fingerprint(1), &[7; 64 << 10]).unwrap_err();
    assert_eq!(refused.code, Code::TOO_LARGE);
    for n in 0..256 {
        script.link.announce(fingerprint(n), b"schema").expect("there is room");
    }
    let refused = script.link.announce(fingerprint(256), b"schema").unwrap_err();
    assert_eq!(refused.code, Code::TOO_LARGE);
    let mut script = Script::client();
    for n in 0..32 {
        script.link.announce(fingerprint(n), &[7; 32 << 10]).expect("there is room");
    }
    let refused = script.link.announce(fingerprint(32), b"schema").unwrap_err();
    assert_eq!(refused.code, Code::TOO_LARGE);
}

#[test]
fn an_interface_that_is_announced_twice_ends_the_link() {
    let mut script = Script::server();
    script.send(&announce(1));
    script.send(&announce(2));
    script.assert_alive();
    script.send(&announce(1));
    script.assert_over(Code::PROTOCOL_VIOLATION);
}

#[test]
fn interfaces_are_bounded() {
    let mut script = Script::server();
    for n in 0..256 {
        script.send(&announce(n));
    }
    script.assert_alive();
    script.send(&announce(256));
    script.assert_over(Code::EXCESSIVE_LOAD);
    // Their schemas are kept, and are bounded all together.
    let mut script = Script::server();
    let large = |n| {
        let schema = vec![7; 32 << 10];
        script::link(&LinkFrame::Interface(Interface { fingerprint: fingerprint(n), schema }))
    };
    for n in 0..32 {
        script.send(&large(n));
    }
    script.assert_alive();
    script.send(&announce(32));
    script.assert_over(Code::EXCESSIVE_LOAD);
}

#[test]
fn a_call_that_names_an_unknown_interface_ends_the_link() {
    let mut script = Script::server();
    script.send(&announce(1));
    let mut call = Call::new(ObjectId::ROOT, "m", Vec::new());
    call.interface = Some(fingerprint(1));
    script.send(&script::control(1, &call));
    script.assert_alive();
    call.interface = Some(fingerprint(2));
    script.send(&script::control(3, &call));
    script.assert_over(Code::PROTOCOL_VIOLATION);
}
