//! The list of promises is kept in step with the tests that it names.

use std::{collections::BTreeSet, fs, path::PathBuf};

const LIST: &str = include_str!("../../../docs/behaviours.md");

/// The file that the first part of a test's name in the list stands for.
fn file(place: &str) -> PathBuf {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let (first, rest) = place.split_once('/').expect("a place has two parts");
    let folder = match first {
        "suite" => "tests/tests/suite",
        "tls" => "tests/tests/tls",
        "api" => "crates/farlens/tests",
        "farlens" => "crates/farlens/src",
        "proto" => "crates/farlens-proto/src",
        "wire" => "crates/farlens-wire/src",
        other => panic!("{other} is no place of tests"),
    };
    root.join(folder).join(format!("{rest}.rs"))
}

/// The rows: number and what is said of its tests.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIST.lines().filter_map(|line| {
        let mut cells = line.trim_matches('|').split(" | ");
        let number = cells.next()?.trim();
        let numbered = number.starts_with(|c: char| c.is_ascii_uppercase())
            && number[1..].bytes().all(|b| b.is_ascii_digit())
            && number.len() > 1;
        numbered.then(|| (number, cells.last().unwrap_or_default()))
    })
}

fn tests(cell: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    cell.split('`').filter_map(|word| word.split_once("::"))
}

#[test]
fn every_test_that_the_list_names_is_there() {
    let mut count = 0;
    for (number, cell) in rows() {
        for (place, name) in tests(cell) {
            let text = fs::read_to_string(file(place)).unwrap_or_default();
            assert!(text.contains(&format!("fn {name}(")), "{number}: {place}::{name}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_promise_is_in_the_list_once_and_has_a_test_of_its_number_or_a_reason() {
    let mut seen = BTreeSet::new();
    for (number, cell) in rows() {
        assert!(seen.insert(number), "{number} is listed twice");
        let word = number.to_lowercase();
        let bears = |(_, name): (&str, &str)| name.split('_').any(|part| part == word);
        let reasons = ["left:", "does not arise:", "by the types:"];
        let excused = reasons.iter().any(|reason| cell.starts_with(reason));
        assert!(tests(cell).any(bears) || excused, "{number}: {cell}");
    }
    assert_eq!(seen.len(), 132);
}
