//! `serve --jsonl` and `iter`: lines of JSON come back value by value, from any place.

use crate::process::{Dice, Home, Served, stderr};
use serde_json::Value;

/// Lines of all kinds, as a program might write them.
fn lines(count: usize) -> Vec<String> {
    let mut dice = Dice(42);
    (0..count).map(|index| line(&mut dice, index, 3)).collect()
}

const SCALARS: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1.7976931348623157e308",
    "-1.7976931348623157E+308",
    "5e-324",
    "2.2250738585072014e-308",
    "0.1",
    "-0.0",
    "1e3",
    "123456789.123456789",
    r#""""#,
    r#""plain""#,
    r#""Grüße, 世界 🌍""#,
    r#""\u0000\u001f\u00e9\ud83d\ude00""#,
    r#""\"\\\/\b\f\n\r\t""#,
    r#"" ""#,
    "[]",
    "{}",
];

fn line(dice: &mut Dice, index: usize, depth: u64) -> String {
    let scalar = |dice: &mut Dice| SCALARS[dice.below(SCALARS.len() as u64) as usize].to_owned();
    match dice.below(if depth == 0 { 1 } else { 4 }) {
        0 | 1 => scalar(dice),
        2 => {
            let many = dice.below(5);
            let items: Vec<_> = (0..many).map(|_| line(dice, index, depth - 1)).collect();
            format!("[{}]", items.join(" , "))
        }
        _ => {
            let many = dice.below(12);
            let entries = (0..many)
                .map(|n| format!(r#""k{n} \u00fc{index}":{}"#, line(dice, index, depth - 1)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
    }
}

/// Equal value by value: integers to the digit, other numbers to the bit.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.to_string(), b.to_string());
            let whole = |text: &str| text.parse::<i128>().ok();
            match (whole(&a), whole(&b)) {
                (Some(a), Some(b)) => a == b,
                (None, None) => {
                    let bits = |text: &str| text.parse::<f64>().map(f64::to_bits);
                    bits(&a).is_ok() && bits(&a) == bits(&b)
                }
                _ => false,
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn assert_same(output: &[u8], expected: &[String]) {
    let output = std::str::from_utf8(output).expect("text");
    assert_eq!(output.lines().count(), expected.len());
    for (index, (got, expected)) in output.lines().zip(expected).enumerate() {
        let parse = |text: &str| serde_json::from_str(text).expect("JSON");
        assert!(same(&parse(got), &parse(expected)), "line {index}: {expected} became {got}");
    }
}

fn serve_lines(home: &Home, lines: &[String]) -> Served {
    let mut served = home.serve(["-", "--jsonl"]);
    served.process.write((lines.join("\n") + "\n").as_bytes());
    served.process.close_input();
    let ended = served.process.json();
    assert_eq!(ended["event"], "ended");
    assert_eq!(ended["len"], lines.len());
    served
}

#[test]
fn lines_come_back_value_by_value() {
    let home = Home::new();
    let all = lines(2_000);
    let served = serve_lines(&home, &all);
    assert_same(&home.ok(["iter", &served.ticket]), &all);
    assert_same(&home.ok(["cat", &served.at("/"), "--range", "10..20"]), &all[10..20]);
    for (from, count) in [("0", 3), ("17", 100), ("1999", 5), ("2000", 1), ("-1", 1), ("-50", 20)] {
        let number: i64 = from.parse().expect("a number");
        let start =
            if number < 0 { 2_000 - number.unsigned_abs() as usize } else { number as usize };
        let end = (start + count).min(2_000);
        let args = ["iter", &served.ticket, "--from", from, "--count", &count.to_string()];
        assert_same(&home.ok(args), &all[start..end]);
    }
    assert_same(&home.ok(["iter", &served.ticket, "--from=-7"]), &all[1_993..]);
    assert_same(&home.ok(["iter", &served.ticket, "--from", "-2001"]), &all);
    assert_same(&home.ok(["iter", &served.ticket, "--from", "-0"]), &[]);
    assert_same(&home.ok(["cat", &served.ticket, "--range", "-5000..3"]), &all[..3]);
    let output = home.run(["iter", "-q", &served.ticket, "--from", "2001"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("[E0701]"), "{}", stderr(&output));
}

#[test]
fn entities_are_there_while_the_input_goes_on() {
    let home = Home::new();
    let mut served = home.serve(["-", "--jsonl", "--at", "/live"]);
    served.process.write(b"{\"n\":1}\n\n  \n");
    let mut iter = home.start(["iter", "-q", &served.ticket]);
    assert_eq!(iter.line(), "{\"n\":1}\n");
    served.process.write(b"{\"n\":2}\r\n3");
    assert_eq!(iter.line(), "{\"n\":2}\n");
    served.process.close_input();
    assert_eq!(iter.line(), "3\n", "the last line needs no end");
    assert_eq!(iter.end(), (0, String::new()));
}

#[test]
fn a_bad_line_ends_the_input_with_its_number() {
    let home = Home::new();
    let mut served = home.serve(["-", "--jsonl"]);
    served.process.write(b"1\n2\n");
    let mut iter = home.start(["iter", "-q", &served.ticket]);
    assert_eq!((iter.line(), iter.line()), ("1\n".into(), "2\n".into()));
    served.process.write(b"\n{\"a\":1,\"a\":2}\n5\n");
    let (exit, text) = served.process.end();
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("line 4 of standard input") && text.contains("E0105"), "{text}");
    let (exit, text) = iter.end();
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("line 4") && text.contains("[E0802]"), "{text}");
    assert!(text.contains("2 entities arrived"), "{text}");
}

#[test]
fn bad_lines_may_be_left_out() {
    let home = Home::new();
    let mut served = home.serve(["-", "--jsonl", "--skip-bad"]);
    let long = format!("\"{}\"\n", "x".repeat(1 << 20));
    served.process.write(b"1\n\"\\ud800\"\n\xff\n");
    served.process.write(long.as_bytes());
    served.process.write(b"{\n2\n");
    served.process.close_input();
    for number in [2, 3, 4, 5] {
        let skipped = served.process.json();
        let message = skipped["message"].as_str().expect("text");
        assert!(message.contains(&format!("line {number} ")), "{message}");
    }
    let ended = served.process.json();
    assert_eq!((&ended["len"], &ended["skipped"]), (&2.into(), &4.into()));
    assert_eq!(home.ok(["iter", &served.ticket]), b"1\n2\n");
}

#[test]
fn a_file_of_lines_is_a_sequence() {
    let home = Home::new();
    let all = lines(50);
    let path = home.write("all.jsonl", all.join("\n"));
    let mut served = home.serve(["--jsonl".as_ref(), path.as_os_str()]);
    assert_eq!(served.process.json()["event"], "ended");
    assert_same(&home.ok(["iter", &served.ticket]), &all);
    let stat = String::from_utf8(home.ok(["stat", &served.ticket, "--json"])).expect("text");
    assert!(stat.contains(r#"{"path":"/all.jsonl","kind":"items","len":50,"#), "{stat}");
}

#[test]
fn bytes_are_no_entities() {
    let home = Home::new();
    let served = home.serve_path(&home.write("x", "x"));
    let output = home.run(["iter", "-q", &served.ticket]);
    assert_eq!(output.status.code(), Some(9));
    assert!(stderr(&output).contains("farlens cat"));
}

#[test]
fn the_first_line_may_be_all_one_wants() {
    let home = Home::new();
    let served = serve_lines(&home, &lines(2_000));
    let mut iter = home.start(["iter", "-q", &served.ticket]);
    assert!(iter.line().ends_with('\n'));
    iter.leave();
    assert_eq!(iter.end(), (0, String::new()));
}

#[test]
fn a_reader_that_leaves_is_noticed_while_no_entity_comes() {
    let home = Home::new();
    let mut served = home.serve(["-", "--jsonl"]);
    served.process.write(b"1\n");
    let mut iter = home.start(["iter", "-q", &served.ticket]);
    assert_eq!(iter.line(), "1\n");
    iter.leave();
    assert_eq!(iter.end(), (0, String::new()));
}
