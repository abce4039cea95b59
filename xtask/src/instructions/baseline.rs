//! The file with the counts to compare with: one line for each case, sorted.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// The instructions of one unit of each case.
pub(crate) type Counts = BTreeMap<String, f64>;

/// Counts and the compiler that they were taken with.
#[derive(Debug, PartialEq)]
pub(crate) struct Baseline {
    /// The first line of `rustc -vV`.
    pub(crate) compiler: String,
    pub(crate) counts: Counts,
}

const ABOUT: &str = "# Instructions of one unit of each case, as `farlens-count` does them.
# Written by `cargo xtask instructions --bless`.
";
const COMPILER: &str = "compiler";

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{ABOUT}{COMPILER} {}", self.compiler)?;
        self.counts.iter().try_for_each(|(case, count)| writeln!(f, "{case} {count:.1}"))
    }
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut compiler, mut counts) = (String::new(), Counts::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let malformed = || format!("`{line}` is no case with its count");
            let (name, value) = line.split_once(' ').ok_or_else(malformed)?;
            if name == COMPILER {
                value.clone_into(&mut compiler);
            } else {
                counts.insert(name.to_owned(), value.parse().map_err(|_| malformed())?);
            }
        }
        Ok(Self { compiler, counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let counts = [("link/call", 18_662.1), ("codec/call", 5_057.0)];
        let counts = counts.map(|(case, count)| (case.to_owned(), count)).into();
        let baseline = Baseline { compiler: "rustc 1.89.0 (abc 2025-08-04)".to_owned(), counts };
        let text = baseline.to_string();
        assert!(text.ends_with("\ncodec/call 5057.0\nlink/call 18662.1\n"), "{text}");
        assert_eq!(text.parse(), Ok(baseline));
    }

    #[test]
    fn a_line_without_a_count_is_named() {
        for line in ["link/call", "link/call many"] {
            let error = format!("# counts\n{line}\n").parse::<Baseline>();
            assert_eq!(error, Err(format!("`{line}` is no case with its count")));
        }
    }
}
