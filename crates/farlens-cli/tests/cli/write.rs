//! `put` and `truncate`: what is written is what stands there, or what stood there before.

use crate::process::{Dice, Home, Running, Served, failure, pattern};
use farlens::{Entity, Identity, Keep, Server, Streamer, Topic, Verb};
use serde_json::{Value, json};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

const SIZES: [usize; 6] = [0, 1, 16_383, 16_384, 65_537, 5 << 20];

/// A folder that clients may write to.
fn inbox(home: &Home, how: &str) -> (PathBuf, Served) {
    let folder = home.path("inbox");
    fs::create_dir_all(&folder).expect("a folder");
    let served = home.serve([folder.as_os_str(), OsStr::new(how)]);
    (folder, served)
}

/// Runs the command with something on its standard input.
fn feed(home: &Home, args: &[&str], input: &[u8]) -> Output {
    let path = home.write("input", input);
    let mut command = home.command("client");
    command.args(args).stdin(fs::File::open(path).expect("a file"));
    command.output().expect("it runs")
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one object")
}

/// All names in a folder, the hidden ones included.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one"));
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn what_is_put_is_there_byte_for_byte() {
    let home = Home::new();
    let (folder, served) = inbox(&home, "--write");
    for (size, name) in SIZES.into_iter().zip(["a b", "100%", "%41", "größe ✓", "#?&", "plain"])
    {
        let (content, file) = (pattern(size), home.write("local", pattern(size)));
        let target = served.at(&format!("/{}", name.replace('%', "%25")));
        let done = home.run(["put", "--json", &target, file.to_str().expect("text")]);
        let expected = json!({"path": format!("/{name}"), "action": "replace", "at": 0,
            "bytes": size, "level": "durable", "dry_run": false});
        assert_eq!(json_of(&done), expected);
        assert!(fs::read(folder.join(name)).expect("it is there") == content, "{name}");
        assert!(home.ok(["cat", &target]) == content, "{name}");
        // Shorter content takes the place of all of it, from a pipe as well.
        assert!(feed(&home, &["put", "-q", &target], b"short").status.success());
        assert_eq!(home.ok(["cat", &target]), b"short");
    }
    assert_eq!(names(&folder).len(), SIZES.len(), "nothing unfinished is left");
}

#[test]
fn patches_are_where_they_were_put() {
    let home = Home::new();
    let mut local = pattern(100_000);
    let file = home.write("disk", &local);
    let served = home.serve([file.as_os_str(), OsStr::new("--write")]);
    let mut dice = Dice(3);
    for round in 0..50u64 {
        let at = dice.below(100_000) as usize;
        let patch: Vec<u8> = pattern(dice.below(30_000) as usize).iter().map(|b| !b).collect();
        let offset = if round % 2 == 0 { at.to_string() } else { format!("{at:#x}") };
        let done = feed(&home, &["put", "--json", &served.ticket, "--at", &offset], &patch);
        assert_eq!(json_of(&done)["at"], at);
        local.resize(local.len().max(at + patch.len()), 0);
        local[at..at + patch.len()].copy_from_slice(&patch);
    }
    assert!(fs::read(&file).expect("a file") == local);
    let behind = local.len() + 10;
    let done = feed(&home, &["put", "-q", &served.ticket, "--at", &behind.to_string()], b"end");
    assert!(done.status.success());
    local.extend([0; 10]);
    local.extend(b"end");
    assert!(home.ok(["cat", &served.ticket]) == local);
}

#[test]
fn what_is_added_stands_at_the_end() {
    let home = Home::new();
    let (folder, served) = inbox(&home, "--write");
    let target = served.at("/log");
    for (index, text) in ["one\n", "", "two\n"].into_iter().enumerate() {
        let done = json_of(&feed(&home, &["put", "--json", "--append", &target], text.as_bytes()));
        assert_eq!((&done["action"], &done["bytes"]), (&json!("append"), &json!(text.len())));
        assert_eq!(done["at"], [0, 4, 4][index]);
    }
    assert_eq!(fs::read(folder.join("log")).expect("it is there"), b"one\ntwo\n");
    let none = feed(&home, &["put", "--json", "--no-create", &served.at("/none")], b"x");
    assert_eq!(failure(&none).1["code"], "E0301");
    let dry = feed(&home, &["put", "--json", "--dry-run", &served.at("/none")], b"12345");
    let dry = json_of(&dry);
    assert_eq!(
        (&dry["bytes"], &dry["level"], &dry["dry_run"]),
        (&json!(5), &json!(null), &json!(true))
    );
    assert_eq!(names(&folder), ["log"]);
}

#[test]
fn an_interrupted_put_leaves_the_old_content() {
    let home = Home::new();
    let (folder, served) = inbox(&home, "--write");
    fs::write(folder.join("x"), "old").expect("a file");
    let mut command = home.command("client");
    command.args(["put", "-q", &served.at("/x")]).stdin(Stdio::piped());
    let mut put = Running::start(&mut command);
    put.write(&pattern(200_000));
    // A part of it has arrived once an unfinished file has content.
    let part = || {
        let hidden = names(&folder).into_iter().find(|name| name.starts_with('.'))?;
        fs::metadata(folder.join(hidden)).ok().filter(|part| part.len() > 0)
    };
    while part().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(home.ok(["cat", &served.at("/x")]), b"old");
    put.interrupt();
    assert_eq!(put.end().0, 130);
    assert_eq!(fs::read(folder.join("x")).expect("it is there"), b"old");
    assert!(feed(&home, &["put", "-q", &served.at("/x")], b"new").status.success());
    assert_eq!(fs::read(folder.join("x")).expect("it is there"), b"new");
    assert_eq!(names(&folder), ["x"]);
}

#[test]
fn ends_are_moved_as_truncate_does() {
    let home = Home::new();
    let file = home.write("x", pattern(10_000));
    let served = home.serve([file.as_os_str(), OsStr::new("--write")]);
    let mut local = pattern(10_000);
    for (size, expected) in [
        ("5000", 5_000),
        ("+4K", 9_096),
        ("-4K", 5_000),
        ("1M", 1 << 20),
        ("8KB", 8_000),
        ("-9K", 0),
    ] {
        assert_eq!(home.ok(["truncate", "-s", size, &served.ticket]), b"");
        local.resize(expected, 0);
        assert!(fs::read(&file).expect("a file") == local, "{size}");
    }
    let told = home.run(["truncate", "--json", "-s", "7", &served.ticket]);
    let expected = json!({"path": "/x", "edge": "end", "at": 7, "level": "durable"});
    assert_eq!(json_of(&told), expected);
    let before = home.run(["truncate", "--json", "--before", "3", &served.ticket]);
    assert_eq!(failure(&before).1["code"], "E0403", "a file has no start that moves");
}

#[test]
fn who_may_only_read_is_told_who_could_help() {
    let home = Home::new();
    let served = home.serve_path(&home.write("x", "old"));
    for args in [
        &["put"][..],
        &["put", "--append"],
        &["put", "--at", "1"],
        &["put", "--dry-run"],
        &["truncate", "-s", "0"],
    ] {
        let output = feed(&home, &[args, &["--json", &served.ticket]].concat(), b"new");
        let (exit, error) = failure(&output);
        assert_eq!((exit, error["code"].as_str()), (Some(4), Some("E0403")), "{args:?} {error}");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("ticket")), "{error}");
    }
    assert_eq!(home.ok(["cat", &served.ticket]), b"old");
}

#[test]
fn what_may_be_added_to_keeps_what_it_has() {
    let home = Home::new();
    let file = home.write("x", "old");
    let alone = home.serve([file.as_os_str(), OsStr::new("--append-only")]);
    // The client may write beneath / since then, which is no right to more than is published.
    let (folder, writable) = inbox(&home, "--write");
    assert!(feed(&home, &["put", "-q", &writable.at("/x")], b"old").status.success());
    let (_, beneath) = inbox(&home, "--append-only");
    assert_eq!(names(&folder), ["x"]);
    for target in [&alone.ticket, &beneath.at("/x")] {
        for args in [&["put"][..], &["put", "--at", "1"], &["truncate", "-s", "0"]] {
            let output = feed(&home, &[args, &["--json", target]].concat(), b"new");
            let (exit, error) = failure(&output);
            assert_eq!((exit, error["code"].as_str()), (Some(4), Some("E0403")), "{args:?}");
            assert!(error["hint"].is_string(), "{error}");
        }
        assert!(feed(&home, &["put", "-q", "--append", target], b" new").status.success());
        assert_eq!(home.ok(["cat", target]), b"old new");
    }
}

#[test]
fn a_file_that_grows_too_large_ends_no_server() {
    let home = Home::new();
    let folder = home.path("inbox");
    fs::create_dir_all(&folder).expect("a folder");
    let mut limited = std::process::Command::new("sh");
    let server = home.command("server");
    limited.args(["-c", "ulimit -f 1 && exec \"$@\"", "sh"]).arg(server.get_program());
    limited.args(["serve", "--json", "--write", "--listen", "127.0.0.1:0"]).arg(&folder);
    for (name, value) in server.get_envs() {
        value.map(|value| limited.env(name, value));
    }
    let mut server = Running::start(&mut limited);
    let ticket = server.json()["ticket"].as_str().expect("a ticket").to_owned();
    let target = format!("{ticket}/x");
    assert!(feed(&home, &["put", "-q", &target], b"old").status.success());
    let (exit, error) = failure(&feed(&home, &["put", "--json", &target], &pattern(1 << 20)));
    assert_eq!((exit, error["code"].as_str()), (Some(1), Some("E0803")), "{error}");
    assert_eq!(home.ok(["cat", &target]), b"old", "the server is still there");
}

/// A server in this process, which has what the command cannot publish: topics that take more.
async fn topics() -> (Server, String) {
    let topic = |bound| Keep::new().count(bound);
    let server = Server::builder()
        .identity(Identity::generate().expect("a key"))
        .publish("/json", Streamer::new(Topic::<Entity>::new(topic(100_000))).writable())
        .publish("/text", Streamer::new(Topic::<String>::new(topic(100_000))).writable())
        .bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let ticket = server.invite_to("/", &[Verb::Read, Verb::Append]).expect("an invite");
    (server, ticket.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_added_as_entities() {
    let home = Home::new();
    let (_server, ticket) = topics().await;
    let (json, text) = (format!("{ticket}/json"), format!("{ticket}/text"));
    let many: String = (0..20_000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    let done = json_of(&feed(&home, &["put", "--json", "--jsonl", &json], many.as_bytes()));
    assert_eq!((&done["entities"], &done["at"]), (&json!(20_000), &json!(null)));
    assert!(home.ok(["iter", &json]) == many.as_bytes());
    assert_eq!(
        json_of(&feed(&home, &["put", "--json", "--lines", &json], b"a\n\nb"))["entities"],
        3
    );
    assert_eq!(home.ok(["tail", "-n", "3", &json]), b"\"a\"\n\"\"\n\"b\"\n");
    assert!(feed(&home, &["put", "-q", "--lines", &text], many.as_bytes()).status.success());
    assert!(home.ok(["iter", &text]) == many.as_bytes());
    let dry = feed(&home, &["put", "--json", "--dry-run", "--lines", &text], b"a\nb\n");
    assert_eq!(json_of(&dry)["entities"], 2);
    // What came before a bad line is there.
    let bad = failure(&feed(&home, &["put", "--json", "--jsonl", &json], b"1\n2\n{\n3\n"));
    let message = bad.1["message"].as_str().expect("text");
    assert!(bad.0 == Some(1) && message.contains("line 3"), "{bad:?}");
    assert!(message.contains("2 entities were written before"), "{bad:?}");
    assert_eq!(home.ok(["tail", "-n", "2", &json]), b"1\n2\n");
    for (args, code) in [
        (&["put", "--json", "--jsonl", &text][..], "E0906"),
        (&["put", "--json", &json], "E0907"),
        (&["put", "--json", "--append", &json], "E0907"),
        (&["put", "--json", "--lines", &format!("{ticket}/none")], "E0301"),
    ] {
        let (exit, error) = failure(&feed(&home, args, b"1\n"));
        assert_eq!(error["code"], code, "{args:?} {exit:?} {error}");
        assert!(error["hint"].is_string(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_put_is_there_while_the_input_goes_on() {
    let home = Home::new();
    let (_server, ticket) = topics().await;
    let target = format!("{ticket}/text");
    let mut command = home.command("client");
    let command = command.args(["put", "-q", "--lines", &target]).stdin(Stdio::piped());
    let mut put = Running::start(command);
    put.write(b"one\n");
    let mut tail = home.start(["tail", "-q", "-f", "-n", "+1", &target]);
    assert_eq!(tail.line(), "one\n");
    put.write(b"two\n");
    assert_eq!(tail.line(), "two\n");
    put.interrupt();
    assert_eq!(put.end(), (130, String::new()));
}

#[test]
fn bytes_and_entities_are_not_mixed() {
    let home = Home::new();
    let file = home.write("x", "old");
    let served = home.serve([file.as_os_str(), OsStr::new("--write")]);
    for form in ["--lines", "--jsonl"] {
        for dry in [&[][..], &["--dry-run"]] {
            let args = [&["put", "--json", form, &served.ticket][..], dry].concat();
            let (exit, error) = failure(&feed(&home, &args, b"1\n"));
            assert_eq!((exit, error["code"].as_str()), (Some(9), Some("E0907")), "{error}");
            assert!(error["hint"].is_string());
        }
    }
    assert_eq!(home.ok(["cat", &served.ticket]), b"old");
    let entities = home.serve(["-", "--lines"]);
    for args in [&["put"][..], &["put", "--append"], &["put", "--dry-run"], &["truncate", "-s0"]] {
        let output = feed(&home, &[args, &["--json", &entities.ticket]].concat(), b"1\n");
        let (exit, error) = failure(&output);
        assert_eq!((exit, error["code"].as_str()), (Some(9), Some("E0907")), "{args:?} {error}");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("--lines")));
    }
    let lines = feed(&home, &["put", "--json", "--lines", &entities.ticket], b"1\n");
    assert_eq!(failure(&lines).1["code"], "E0403");
}
