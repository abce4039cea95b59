//! Counts tests from the lines in which the test runner sums up each binary.

use std::fmt;

/// How many tests passed and failed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Adds what a line of output reports; most report nothing.
    pub(crate) fn note(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        self.passed += count(counts, " passed");
        self.failed += count(counts, " failed");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number in front of `word`.
fn count(counts: &str, word: &str) -> u64 {
    let before = counts.split(word).next().filter(|before| before.len() < counts.len());
    let number = before.and_then(|before| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_summary_lines_count() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a_test_with_1 passed ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "test result: nonsense",
            "",
        ] {
            tally.note(line);
        }
        assert_eq!(tally.to_string(), "17 passed, 2 failed");
    }
}
