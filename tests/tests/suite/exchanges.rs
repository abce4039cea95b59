//! Worlds in which both users make, pass, call, return and drop objects at random.

use farlens_tests::exchange;
use std::time::{SystemTime, UNIX_EPOCH};

#[test]
fn objects_are_dropped_once_and_calls_end_once_in_known_worlds() {
    let mut seen = exchange::Tally::default();
    for seed in 0..300 {
        let tally = exchange::run(seed).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        seen.add(&tally);
    }
    // The worlds are not all still.
    assert!(seen.ran > 3_000 && seen.built_upon > 1_000 && seen.opens > 300, "{seen:?}");
}

#[test]
fn objects_are_dropped_once_and_calls_end_once_in_worlds_that_nobody_has_seen() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let first = since.as_millis() as u64;
    for seed in first..first + 200 {
        exchange::run(seed).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}
