//! `watch`: every change of several streams is told, and the last state always is.

use crate::process::{Home, Running};
use serde_json::{Value, json};
use std::{fs::File, io::Write};

/// Reads events until one for `path` is `event`; gives them all.
fn until(watch: &mut Running, event: &str, path: &str) -> Vec<Value> {
    let mut all = vec![];
    loop {
        let value = watch.json();
        let found = value["event"] == event && value["path"] == path;
        all.push(value);
        if found {
            return all;
        }
    }
}

#[test]
fn three_streams_of_one_server_are_watched_to_their_end() {
    let home = Home::new();
    let (plain, grow) = (home.write("plain", "12345"), home.write("grow.log", "one\n"));
    let args = ["-".as_ref(), plain.as_os_str(), "--follow".as_ref(), grow.as_os_str()];
    let mut served = home.serve([&args[..], &["--jsonl".as_ref()]].concat());
    let mut watch = home.start(["watch", "--json", &served.ticket]);
    let mut events: Vec<Value> = vec![];
    while events.iter().filter(|event| event["event"] == "opened").count() < 3 {
        events.push(watch.json());
    }
    for opened in [
        json!({"event": "opened", "path": "/plain", "kind": "bytes", "len": 5}),
        json!({"event": "opened", "path": "/grow.log", "kind": "bytes", "len": 4}),
        json!({"event": "opened", "path": "/stdin", "kind": "items", "len": 0}),
    ] {
        assert!(events.contains(&opened), "{events:?}");
    }
    File::options().append(true).open(&grow).and_then(|mut log| log.write_all(b"two\n")).unwrap();
    events.extend(until(&mut watch, "grew", "/grow.log"));
    assert_eq!(events.last(), Some(&json!({"event": "grew", "path": "/grow.log", "len": 8})));
    served.process.write(b"{\"b\":[1.5,null],\"a\":-7}\n");
    events.extend(until(&mut watch, "item", "/stdin"));
    let item =
        json!({"event": "item", "path": "/stdin", "at": 0, "value": {"b": [1.5, null], "a": -7}});
    assert_eq!(events.last(), Some(&item));
    served.process.close_input();
    events.extend(until(&mut watch, "ended", "/stdin"));
    assert_eq!(events.last(), Some(&json!({"event": "ended", "path": "/stdin", "len": 1})));
    assert!(events.contains(&json!({"event": "ended", "path": "/plain", "len": 5})));
    served.process.terminate();
    for _ in 0..3 {
        let gone = watch.json();
        assert_eq!((&gone["event"], &gone["code"]), (&json!("gone"), &json!("E0604")));
    }
    assert_eq!(watch.line(), "");
    assert_eq!(watch.end(), (0, String::new()));
    assert_eq!(served.process.end().0, 0);
}

#[test]
fn the_last_state_is_told_before_the_shutdown() {
    let home = Home::new();
    let grow = home.write("grow.log", "one\n");
    let mut served = home.serve(["--follow".as_ref(), grow.as_os_str()]);
    let mut watch = home.start(["watch", "--json", &served.ticket]);
    assert_eq!(watch.json()["event"], "opened");
    File::options().append(true).open(&grow).and_then(|mut log| log.write_all(b"two\n")).unwrap();
    served.process.terminate();
    assert_eq!(watch.json(), json!({"event": "grew", "path": "/grow.log", "len": 8}));
    assert_eq!(watch.json()["event"], "gone");
    assert_eq!((watch.end().0, served.process.end().0), (0, 0));
}

#[test]
fn a_lost_link_is_told_of_every_stream() {
    let home = Home::new();
    let (a, b) = (home.write("a", "a"), home.write("b", "b"));
    let mut served = home.serve([&a, &b]);
    // Both targets are at one server, so both are on one link.
    let mut watch = home.start(["watch", "--json", &served.at("/a"), &served.at("/b")]);
    let mut ended = 0;
    while ended < 2 {
        ended += usize::from(watch.json()["event"] == "ended");
    }
    served.process.kill();
    for _ in 0..2 {
        let gone = watch.json();
        assert_eq!((&gone["event"], &gone["code"]), (&json!("gone"), &json!("E0602")));
    }
    assert_eq!(watch.end().0, 6);
}

#[test]
fn what_is_not_there_is_gone() {
    let home = Home::new();
    let (a, b) = (home.write("a", "a"), home.write("b", "b"));
    let served = home.serve([&a, &b]);
    let mut watch = home.start(["watch", "--json", &served.at("/nope"), &served.at("/a")]);
    let gone = until(&mut watch, "gone", "/nope");
    assert_eq!(gone.last().map(|event| &event["code"]), Some(&json!("E0301")));
    if !gone.iter().any(|event| event["event"] == "ended") {
        until(&mut watch, "ended", "/a");
    }
    served.process.terminate();
    until(&mut watch, "gone", "/a");
    assert_eq!(watch.end().0, 3, "the failure is told when all is over");
}

#[test]
fn a_log_that_is_cut_goes_on() {
    let home = Home::new();
    let grow = home.write("grow.log", "one\n");
    let served = home.serve(["--follow".as_ref(), grow.as_os_str()]);
    let mut watch = home.start(["watch", "--json", &served.ticket]);
    assert_eq!(watch.json()["event"], "opened");
    File::options().write(true).open(&grow).and_then(|log| log.set_len(1)).unwrap();
    File::options().append(true).open(&grow).and_then(|mut log| log.write_all(b"two\n")).unwrap();
    // A look may come before, between or behind the two, so growth may be told with the cut.
    let length = |event: &Value| match event["event"].as_str() {
        Some("moved") => Some(event["end"].as_u64()? - event["start"].as_u64()?),
        Some("grew") => event["len"].as_u64(),
        _ => panic!("{event}"),
    };
    while length(&watch.json()) != Some(5) {}
}

#[test]
fn an_input_that_goes_on_does_not_look_ended_at_the_shutdown() {
    let home = Home::new();
    let mut served = home.serve(["-", "--jsonl"]);
    served.process.write(b"1\n");
    let mut watch = home.start(["watch", "--json", &served.ticket]);
    assert_eq!(watch.json()["event"], "opened");
    let mut iter = home.start(["iter", "--json", &served.ticket]);
    assert_eq!(iter.line(), "1\n");
    served.process.terminate();
    let gone = until(&mut watch, "gone", "/stdin");
    assert!(gone.iter().all(|event| event["event"] != "ended"), "{gone:?}");
    assert_eq!(gone.last().map(|event| &event["code"]), Some(&json!("E0604")));
    assert_eq!(watch.end(), (0, String::new()));
    let (exit, text) = iter.end();
    assert!(exit == 6 && text.contains("E0604") && text.contains("1 entities arrived"), "{text}");
    assert_eq!(served.process.end().0, 0);
}

#[test]
fn a_reader_that_leaves_is_noticed_while_nothing_changes() {
    let home = Home::new();
    let served = home.serve(["-", "--jsonl"]);
    let mut watch = home.start(["watch", "--json", &served.ticket]);
    assert_eq!(watch.json()["event"], "opened");
    watch.leave();
    assert_eq!(watch.end(), (0, String::new()));
}

#[test]
fn what_is_listed_and_removed_is_left_out() {
    let home = Home::new();
    let (a, b) = (home.write("a", "a"), home.write("b", "b"));
    let served = home.serve([&a, &b]);
    std::fs::remove_file(a).expect("a file");
    let mut watch = home.start(["watch", "--json", &served.ticket]);
    assert_eq!(watch.json()["path"], "/b");
    served.process.terminate();
    let seen = until(&mut watch, "gone", "/b");
    assert!(seen.iter().all(|event| event["path"] == "/b"), "{seen:?}");
    assert_eq!(watch.end(), (0, String::new()));
}
