//! Live data: lines of text, the newest part of an input, and readers that want the latest.

use crate::process::{Home, failure};
use serde_json::json;
use std::{fs::File, io::Write};

#[test]
fn lines_of_text_look_as_they_did() {
    let home = Home::new();
    let content = "plain\n\n\"quoted\"\t{}\nlast";
    let file = home.write("a.log", content);
    let printed = format!("{content}\n");
    let quoted = "\"plain\"\n\"\"\n\"\\\"quoted\\\"\\t{}\"\n\"last\"\n";
    let fixed = home.serve(["--lines".as_ref(), file.as_os_str()]);
    let mut stdin = home.serve(["-", "--lines"]);
    stdin.process.write(content.as_bytes());
    stdin.process.close_input();
    assert_eq!(
        stdin.process.json(),
        json!({"event": "ended", "path": "/stdin", "len": 4, "skipped": 0})
    );
    for served in [&fixed, &stdin] {
        for verb in ["cat", "tail", "iter"] {
            assert_eq!(home.ok([verb, &served.ticket]), printed.as_bytes(), "{verb}");
            assert_eq!(home.ok([verb, "--json", &served.ticket]), quoted.as_bytes(), "{verb}");
        }
        let last = home.ok(["iter", &served.ticket, "--from", "-1"]);
        assert_eq!(last, b"last\n");
        let stat = String::from_utf8(home.ok(["stat", "--json", &served.ticket])).expect("text");
        assert!(
            stat.contains("\"kind\":\"items\",\"len\":4,") && stat.contains("\"text\""),
            "{stat}"
        );
    }
}

#[test]
fn lines_of_a_log_are_followed_and_watched() {
    let home = Home::new();
    let log = home.write("log", "one\ntwo\n");
    let served = home.serve(["--lines".as_ref(), "--follow".as_ref(), log.as_os_str()]);
    let mut watch = home.start(["watch", "--json", &served.ticket]);
    assert_eq!(watch.json()["kind"], "items");
    let mut tail = home.start(["tail", "-q", "-f", "-n", "1", &served.ticket]);
    assert_eq!(tail.line(), "two\n");
    File::options().append(true).open(&log).and_then(|mut log| log.write_all(b"3\n")).unwrap();
    assert_eq!(tail.line(), "3\n");
    let item = json!({"event": "item", "path": "/log", "at": 2, "value": "3"});
    assert_eq!(watch.json(), item);
}

#[test]
fn only_the_newest_is_kept() {
    let home = Home::new();
    let all: String = (0..500).map(|number| format!("{number}\n")).collect();
    for (form, keep, first) in
        [("--lines", "100", 400), ("--jsonl", "100", 400), ("--lines", "500B", 450)]
    {
        let mut served = home.serve(["-", form, "--keep", keep, "--keep", "1h"]);
        served.process.write(all.as_bytes());
        served.process.close_input();
        assert_eq!(served.process.json()["len"], 500);
        let got = String::from_utf8(home.ok(["iter", "--json", &served.ticket])).expect("text");
        let kept = got.lines().count();
        if keep == "100" {
            assert_eq!(kept, 100);
        } else {
            assert!((80..=150).contains(&kept), "{kept}");
        }
        let last = got.lines().last().expect("one");
        assert_eq!(last.trim_matches('"'), "499");
        let one = home.ok(["iter", &served.ticket, "--from", &first.to_string(), "--count", "1"]);
        assert_eq!(one, format!("{first}\n").as_bytes());
    }
    let bare = home.run(["--json", "serve", "-", "--keep", "5", "--listen", "127.0.0.1:0"]);
    assert_eq!(failure(&bare).1["code"], "E0101");
}

#[test]
fn a_slow_reader_that_wants_the_latest_gets_it() {
    let home = Home::new();
    let mut served = home.serve(["-", "--jsonl", "--keep", "1000000"]);
    served.process.write(b"0\n");
    // Small windows, so that little is on its way when the pipe is full.
    let args = ["iter", "--latest", "--window", "2", &served.ticket];
    let mut iter = home.start(args);
    assert_eq!(iter.line(), "0\n");
    let many: String = (1..400_000).map(|number| format!("{number}\n")).collect();
    served.process.write(many.as_bytes());
    served.process.write(b"\"end\"\n");
    served.process.close_input();
    assert_eq!(served.process.json()["len"], 400_001);
    let (mut count, mut last) = (1u64, 0u64);
    loop {
        let line = iter.line();
        if line == "\"end\"\n" {
            break;
        }
        let number = line.trim_end().parse().expect("a number");
        assert!(number > last, "{number} after {last}");
        (last, count) = (number, count + 1);
    }
    let (exit, text) = iter.end();
    assert_eq!(exit, 0, "{text}");
    let skipped = text.lines().filter_map(|line| line.strip_prefix("skipped "));
    let skipped: u64 = skipped.map(|number| number.parse::<u64>().expect("a number")).sum();
    assert_eq!(count + skipped, 400_000);
    assert!(skipped > 0, "it was too slow for all of them");
}
