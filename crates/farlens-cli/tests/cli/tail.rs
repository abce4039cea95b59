//! `tail`: the end of everything, and what comes behind it, whatever happens on the way.

use crate::process::{Home, Running, Served, failure};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read, Write},
    path::Path,
    process::Stdio,
    time::Duration,
};

fn append(path: &Path, text: &str) {
    let mut file = File::options().append(true).create(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("it takes it");
}

fn line(number: usize) -> String {
    format!("line {number} {}\n", "x".repeat(number * 7 % 90))
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(line).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn the_last_lines_and_bytes_are_those_of_the_file() {
    let home = Home::new();
    let all = lines(0..5_000);
    let served = home.serve_path(&home.write("log", &all));
    let tail = |args: &[&str]| text(home.ok([&["tail", &served.ticket], args].concat()));
    assert_eq!(tail(&[]), lines(4_990..5_000));
    assert_eq!(tail(&["-n", "3"]), lines(4_997..5_000));
    assert_eq!(tail(&["-n", "4000"]), lines(1_000..5_000));
    assert_eq!(tail(&["-n", "6000"]), all);
    assert_eq!(tail(&["-n", "0"]), "");
    assert_eq!(tail(&["-n", "+1"]), all);
    assert_eq!(tail(&["-n", "+4999"]), lines(4_998..5_000));
    assert_eq!(tail(&["-n", "+9999"]), "");
    assert_eq!(tail(&["-c", "100"]), all[all.len() - 100..]);
    assert_eq!(tail(&["-c", "1M"]), all);
    assert_eq!(tail(&["-c", "+101"]), all[100..]);
    let open = home.serve_path(&home.write("open", "one\ntwo\nthree"));
    assert_eq!(text(home.ok(["tail", "-n2", &open.ticket])), "two\nthree");
    let empty = home.serve_path(&home.write("empty", ""));
    assert_eq!(text(home.ok(["tail", &empty.ticket])), "");
}

#[test]
fn entities_have_a_tail_too() {
    let home = Home::new();
    let mut served = home.serve(["-", "--jsonl"]);
    for number in 0..100 {
        served.process.write(format!("{{\"n\":{number}}}\n\"{number}\"\n").as_bytes());
    }
    served.process.close_input();
    assert_eq!(served.process.json()["event"], "ended");
    let tail = |args: &[&str]| text(home.ok([&["tail", &served.ticket], args].concat()));
    assert_eq!(tail(&["-n", "2"]), "{\"n\":99}\n\"99\"\n");
    assert_eq!(tail(&["-n", "+200"]), "\"99\"\n");
    assert_eq!(tail(&[]).lines().count(), 10);
    assert_eq!(tail(&["-f", "-n", "1"]), "\"99\"\n", "what has ended is not waited for");
    let output = home.run(["tail", "--json", "-c", "5", &served.ticket]);
    assert_eq!(failure(&output).1["code"], "E0907");
}

#[test]
fn a_log_is_followed_through_its_rotations() {
    let home = Home::new();
    let log = home.write("log", lines(0..20));
    let served = home.serve(["--follow".as_ref(), log.as_os_str()]);
    let mut tail = home.start(["tail", "-q", "-f", "-n", "5", &served.ticket]);
    let mut expect = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            assert_eq!(tail.line(), line(number));
        }
    };
    expect(15..20);
    for round in 0..4 {
        let first = 20 + round * 10;
        append(&log, &lines(first..first + 5));
        expect(first..first + 5);
        // So long after the last line both kinds of rotation lose nothing.
        std::thread::sleep(Duration::from_millis(1_500));
        let old = home.path(&format!("log.{round}"));
        match round % 2 {
            0 => {
                fs::rename(&log, old).expect("another name");
                File::create_new(&log).expect("a new file");
            }
            _ => {
                fs::copy(&log, old).expect("a copy");
                File::options().write(true).open(&log).and_then(|log| log.set_len(0)).expect("cut");
            }
        }
        append(&log, &lines(first + 5..first + 10));
        expect(first + 5..first + 10);
    }
    tail.interrupt();
    assert_eq!(tail.end(), (130, String::new()));
}

/// Starts a server where another one was, with the same key.
fn again(home: &Home, before: &mut Served, args: &[&OsStr]) -> Served {
    before.process.kill();
    before.process.end();
    let mut command = home.command("server");
    command.args(["serve", "--json", "--listen", &before.addr]).args(args);
    let mut process = Running::start(&mut command);
    assert_eq!(process.json()["event"], "listening");
    let (ticket, addr, key) = (before.ticket.clone(), before.addr.clone(), before.key.clone());
    Served { process, ticket, addr, key }
}

#[test]
fn a_server_that_comes_back_is_followed_on() {
    let home = Home::new();
    let log = home.write("log", lines(0..20));
    let args = ["--follow".as_ref(), log.as_os_str()];
    for form in [&[][..], &["--lines".as_ref()]] {
        fs::write(&log, lines(0..20)).expect("a file");
        let args = [&args[..], form].concat();
        let mut served = home.serve(&args);
        let mut tail = home.start(["tail", "-f", "-n", "2", &served.ticket]);
        assert_eq!(tail.line() + &tail.line(), lines(18..20));
        append(&log, &line(20));
        assert_eq!(tail.line(), line(20));
        served.process.kill();
        served.process.end();
        append(&log, &line(21));
        let mut served = again(&home, &mut served, &args);
        assert_eq!(tail.line(), line(21), "nothing twice, nothing lost");
        // What is not what it was is printed from its start; a shutdown is no end either.
        served.process.terminate();
        served.process.end();
        fs::write(&log, lines(100..103)).expect("another file");
        let mut served = again(&home, &mut served, &args);
        assert_eq!(tail.line() + &tail.line() + &tail.line(), lines(100..103));
        // From then on that is what it knows.
        served.process.kill();
        served.process.end();
        append(&log, &line(103));
        let _served = again(&home, &mut served, &args);
        assert_eq!(tail.line(), line(103), "nothing of the new file twice");
        tail.interrupt();
        let (exit, text) = tail.end();
        assert!(exit == 130 && text.contains("another stream"), "{text}");
    }
}

#[test]
fn a_server_that_comes_back_after_a_rotation_is_followed_on() {
    let home = Home::new();
    let log = home.write("log", lines(0..20));
    let args = ["--follow".as_ref(), log.as_os_str()];
    let mut served = home.serve(args);
    let mut tail = home.start(["tail", "-q", "-f", "-n", "2", &served.ticket]);
    assert_eq!(tail.line() + &tail.line(), lines(18..20));
    fs::rename(&log, home.path("log.1")).expect("another name");
    fs::write(&log, lines(20..23)).expect("a new file");
    assert_eq!(tail.line() + &tail.line() + &tail.line(), lines(20..23));
    served.process.kill();
    served.process.end();
    append(&log, &line(23));
    let _served = again(&home, &mut served, &args);
    assert_eq!(tail.line(), line(23), "nothing of the new file twice, nothing lost");
    tail.interrupt();
    assert_eq!(tail.end().0, 130);
}

#[test]
fn a_file_that_a_peer_cuts_is_followed_on() {
    let home = Home::new();
    let file = home.write("log", "one\ntwo\n");
    let served = home.serve(["--write".as_ref(), file.as_os_str()]);
    let mut tail = home.start(["tail", "-f", &served.ticket]);
    assert_eq!(tail.line() + &tail.line(), "one\ntwo\n");
    for (size, text) in [("4", "2\n"), ("0", "1\n"), ("+1", "3\n")] {
        home.ok(["truncate", "-s", size, &served.ticket]);
        let mut command = home.command("client");
        command.args(["put", "-q", "--append", &served.ticket]).stdin(Stdio::piped());
        let mut put = Running::start(&mut command);
        put.write(text.as_bytes());
        put.close_input();
        assert_eq!(put.end().0, 0);
        assert_eq!(tail.line().trim_start_matches('\0'), text);
    }
    served.process.terminate();
    tail.interrupt();
    let (exit, text) = tail.end();
    assert!(exit == 130 && text.contains("cut at 4") && text.contains("cut at 0"), "{text}");
}

#[test]
fn what_is_lost_is_told_and_may_be_a_failure() {
    const LONG: u64 = 400 << 20;
    for strict in [&[][..], &["--strict"]] {
        let home = Home::new();
        let log = home.write("log", "");
        let file = File::options().write(true).open(&log).expect("a file");
        file.set_len(LONG).expect("a hole");
        let served = home.serve(["--follow".as_ref(), log.as_os_str()]);
        let end = || {
            let stat = home.ok(["stat", "--json", &served.ticket]);
            let stat: serde_json::Value = serde_json::from_slice(&stat).expect("JSON");
            stat["end"].as_u64()
        };
        assert_eq!(end(), Some(LONG));
        let args = ["tail", "-q", "-f", "-n", "+1", &served.ticket];
        let mut tail = home.start([&args[..], strict].concat());
        tail.out.read_exact(&mut [0]).expect("it has begun");
        // What does not fit on the way to a reader that stands still is lost.
        file.set_len(0).expect("empty");
        append(&log, "end\n");
        while end() != Some(LONG + 4) {}
        let (mut count, mut block) = (1, vec![0; 1 << 20]);
        loop {
            let read = tail.out.read(&mut block).expect("a pipe");
            count += read as u64;
            if read == 0 || block[..read].ends_with(b"end\n") {
                break;
            }
        }
        if strict.is_empty() {
            tail.interrupt();
        }
        let (exit, text) = tail.end();
        if strict.is_empty() {
            let told = format!("… {} bytes were lost\n", LONG + 4 - count);
            assert_eq!((exit, text), (130, told));
        } else {
            assert!(exit == 10 && text.contains("[E0705]"), "{exit} {text}");
        }
    }
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let home = Home::new();
    let log = home.write("log", lines(0..20));
    let served = home.serve(["--follow".as_ref(), log.as_os_str()]);
    let mut tail = home.start(["tail", "-q", "-f", &served.ticket]);
    assert_eq!(tail.line(), line(10));
    tail.leave();
    assert_eq!(tail.end(), (0, String::new()));
}
