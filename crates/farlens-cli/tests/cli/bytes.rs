//! `serve`, `ls` and `cat`: files arrive whole, parts are exact, and a cut is never an end.

use crate::process::{Dice, Home, Served, failure, finished, pattern, stderr};
use std::{
    fs::File,
    io::{Read, Write},
};

const SIZES: [usize; 6] = [0, 1, 16_383, 16_384, 65_537, 3 << 20];

#[test]
fn files_arrive_whole_by_ticket_and_beneath_it() {
    let home = Home::new();
    for size in SIZES {
        home.write(&format!("dir/{size}"), pattern(size));
    }
    let folder = home.serve_path(&home.path("dir"));
    for size in SIZES {
        let single = home.serve_path(&home.path(&format!("dir/{size}")));
        assert!(home.ok(["cat", &single.ticket]) == pattern(size), "{size}");
        assert!(home.ok(["cat", &folder.at(&format!("/{size}"))]) == pattern(size), "{size}");
    }
}

#[test]
fn names_are_escaped_once() {
    let home = Home::new();
    for name in ["a b", "100%", "%41", "größe ✓", "#?&"] {
        home.write(&format!("dir/sub/{name}"), name);
    }
    let served = home.serve_path(&home.path("dir"));
    for (typed, name) in [
        ("a b", "a b"),
        ("a%20b", "a b"),
        ("100%25", "100%"),
        ("%2541", "%41"),
        ("größe ✓", "größe ✓"),
        ("gr%C3%B6%C3%9Fe%20%E2%9C%93", "größe ✓"),
        ("#?&", "#?&"),
    ] {
        let bytes = home.ok(["cat", &served.at(&format!("/sub/{typed}"))]);
        assert_eq!(String::from_utf8_lossy(&bytes), name);
    }
    let escape = home.run(["cat", &served.at("/sub/%2e%2e/x"), "--json"]);
    assert_eq!(failure(&escape).0, Some(2));
    let listed = String::from_utf8(home.ok(["ls", &served.at("/sub"), "--json"])).expect("text");
    assert_eq!(listed.lines().count(), 5);
    assert!(listed.contains(r#"{"path":"/sub/a b","name":"a b","kind":"bytes","len":3}"#));
}

#[test]
fn a_slash_behind_a_path_means_nothing() {
    let home = Home::new();
    home.write("dir/sub/x", "x");
    let served = home.serve_path(&home.path("dir"));
    assert_eq!(home.ok(["ls", &served.at("/sub/")]), home.ok(["ls", &served.at("/sub")]));
    assert_eq!(home.ok(["cat", &served.at("/sub/x/")]), b"x");
    assert_eq!(home.ok(["cat", &served.url("/sub/x/", Some(&served.key))]), b"x");
    assert_eq!(home.ok(["stat", &served.at("/sub/")]), home.ok(["stat", &served.at("/sub")]));
    let mut watch = home.start(["watch", "--json", &served.at("/sub/")]);
    assert_eq!(watch.json()["path"], "/sub/x");
    let twice = home.run(["ls", "--json", &served.at("/sub//")]);
    assert_eq!(failure(&twice).1["code"], "E0102");
}

#[test]
fn ranges_are_slices() {
    let home = Home::new();
    let size = 300_000u64;
    let content = pattern(size as usize);
    let served = home.serve_path(&home.write("data", &content));
    let cat = |range: &str| home.ok(["cat", &served.ticket, "--range", range]);
    let mut dice = Dice(7);
    for _ in 0..50 {
        let (a, b) = (dice.below(size), dice.below(size + 1));
        let (a, b) = (a.min(b), a.max(b));
        assert!(cat(&format!("{a}..{b}")) == content[a as usize..b as usize], "{a}..{b}");
    }
    assert!(cat("-512..") == content[content.len() - 512..]);
    assert!(cat("..1K") == content[..1024]);
    assert!(cat("299KB..") == content[299_000..]);
    assert!(cat("299999..400000") == content[299_999..], "what is inside");
    assert!(cat("300000..").is_empty());
    assert!(cat("-0..").is_empty(), "the end itself");
    assert!(cat("-300001..") == content, "all there is");
    assert!(cat("-1T..") == content);
    assert!(cat("-300001..-299999") == content[..1]);
    for (range, code, number) in [("300001..", "E0701", 1), ("5..3", "E0101", 2)] {
        let output = home.run(["cat", &served.ticket, "--json", "--range", range]);
        let (exit, error) = failure(&output);
        assert_eq!((exit, error["code"].as_str()), (Some(number), Some(code)), "{range}");
        assert!(output.stdout.is_empty() && error["hint"].is_string());
    }
}

#[test]
fn standard_input_is_bytes_while_it_comes() {
    let home = Home::new();
    let mut served = home.serve(["-", "--at", "/in/put"]);
    served.process.write(b"first ");
    let mut cat = home.start(["cat", "-q", &served.ticket]);
    let mut six = [0; 6];
    cat.out.read_exact(&mut six).expect("it comes before the end of the input");
    assert_eq!(&six, b"first ");
    served.process.write(b"last");
    served.process.close_input();
    assert_eq!(cat.line(), "last");
    assert_eq!(cat.end(), (0, String::new()));
    assert_eq!(served.process.json()["event"], "ended");
    assert_eq!(home.ok(["cat", &served.at("/")]), b"first last", "the server goes on");
}

/// A file that is too long to be read in any test.
fn endless(home: &Home) -> Served {
    let path = home.path("endless");
    File::create(&path).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    home.serve_path(&path)
}

/// The number before the word `bytes`, and whether it is exact.
fn count_in(text: &str) -> (u64, bool) {
    let before = text.split(" bytes arrived").next().expect("there is one");
    let number = before.rsplit(' ').next().expect("there is one");
    (number.parse().unwrap_or_else(|_| panic!("{text}")), !before.contains("at least"))
}

#[test]
fn a_killed_server_is_no_end() {
    let home = Home::new();
    let mut served = endless(&home);
    let mut cat = home.start(["cat", "-q", &served.ticket]);
    let mut all = vec![0; 1 << 20];
    cat.out.read_exact(&mut all).expect("it has begun");
    served.process.kill();
    cat.out.read_to_end(&mut all).expect("a pipe");
    let (exit, text) = cat.end();
    assert_eq!(exit, 6, "{text}");
    assert!(text.contains("[E0602]"), "{text}");
    let (count, exact) = count_in(&text);
    assert!(if exact { count == all.len() as u64 } else { count <= all.len() as u64 }, "{text}");
}

#[test]
fn a_killed_server_is_noticed_while_nobody_reads() {
    let home = Home::new();
    let mut served = endless(&home);
    let mut cat = home.start(["cat", "-q", &served.ticket]);
    cat.out.read_exact(&mut [0; 1000]).expect("it has begun");
    served.process.kill();
    // The pipe is full, and nothing is read from it before the end.
    assert_eq!(cat.end().0, 6);
}

#[test]
fn a_truncated_file_is_no_end() {
    let home = Home::new();
    let served = endless(&home);
    let mut cat = home.start(["cat", "-q", &served.ticket]);
    let mut all = vec![0; 1 << 20];
    cat.out.read_exact(&mut all).expect("it has begun");
    let file = File::options().write(true).open(home.path("endless")).expect("a file");
    file.set_len(1000).expect("shorter");
    cat.out.read_to_end(&mut all).expect("a pipe");
    let (exit, text) = cat.end();
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("[E0704]"), "{text}");
    assert_eq!(count_in(&text), (all.len() as u64, true));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let home = Home::new();
    let served = endless(&home);
    let mut cat = home.start(["cat", "-q", &served.ticket]);
    cat.out.read_exact(&mut [0; 1000]).expect("it has begun");
    cat.leave();
    assert_eq!(cat.end(), (0, String::new()));
}

#[test]
fn a_reader_that_leaves_is_noticed_while_nothing_comes() {
    let home = Home::new();
    let mut served = home.serve(["-"]);
    served.process.write(b"first\n");
    let mut cat = home.start(["cat", "-q", &served.ticket]);
    assert_eq!(cat.line(), "first\n");
    cat.leave();
    assert_eq!(cat.end(), (0, String::new()));
}

#[test]
fn several_arguments_stand_beside_each_other() {
    let home = Home::new();
    let (file, folder) = (home.write("a.bin", "a"), home.write("d/x", "x"));
    let folder = folder.parent().expect("it has one").as_os_str();
    let mut served = home.serve([file.as_os_str(), folder, "-".as_ref()]);
    served.process.close_input();
    assert_eq!(served.process.json()["event"], "ended");
    let listed = String::from_utf8(home.ok(["ls", &served.ticket])).expect("text");
    let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names, ["a.bin", "d/", "stdin"]);
    assert_eq!(home.ok(["cat", &served.at("/d/x")]), b"x");
    served.process.terminate();
    assert_eq!(served.process.end().0, 0);
}

#[test]
fn a_ticket_may_stay_out_of_the_command_line() {
    let home = Home::new();
    let served = home.serve_path(&home.write("d/x", "x").with_file_name(""));
    let mut file = File::create(home.path("ticket")).expect("a file");
    writeln!(file, "{}", served.ticket).expect("it is written");
    let path = home.path("ticket");
    let from_file = ["cat".as_ref(), "/x".as_ref(), "--ticket-file".as_ref(), path.as_os_str()];
    let output = home.run(from_file);
    assert_eq!((output.stdout.as_slice(), stderr(&output).as_str()), (&b"x"[..], ""));
    let mut command = home.command("client");
    let output = finished(command.args(["ls"]).env("FARLENS_TICKET", &served.ticket));
    assert!(output.stdout.ends_with(b"  x\n"));
    let typed = home.run(["cat", &served.at("/x")]);
    assert!(stderr(&typed).starts_with("warning: this ticket is a secret"));
    let shown = home.ok(["ticket", "show", &served.ticket, "--json"]);
    let shown = String::from_utf8(shown).expect("text");
    assert!(shown.contains("\"secret\":true") && !shown.contains("fls1"), "{shown}");
}
