//! What the checks found.

use std::fmt;

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a rule is kept, broken or makes no demand")]
pub enum Outcome {
    /// The rule is kept.
    Passed,
    /// The rule makes no demand on this data, for this reason.
    NotApplicable(String),
    /// The rule is broken, in this way.
    Failed(String),
}

/// One rule and what came of checking it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// A short stable name.
    pub name: &'static str,
    /// What is demanded, in one sentence.
    pub rule: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// All checks of one run. `Display` gives one line each.
#[derive(Clone, Debug)]
pub struct Report {
    seed: u64,
    checks: Vec<Check>,
}

impl Report {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, checks: Vec::new() }
    }

    pub(super) fn add(&mut self, name: &'static str, rule: &'static str, verdict: Verdict) {
        let outcome = match verdict {
            Ok(()) => Outcome::Passed,
            Err(Stop::Excluded(reason)) => Outcome::NotApplicable(reason),
            Err(Stop::Broken(text)) => Outcome::Failed(text),
        };
        self.checks.push(Check { name, rule, outcome });
    }

    /// The seed that repeats this run.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The checks in the order in which they ran.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The checks that found a rule broken.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Failed(_)))
    }

    /// Whether no rule is broken.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Does nothing if no rule is broken.
    ///
    /// # Panics
    /// With a list of the rules that are broken and of how they are.
    #[track_caller]
    pub fn assert(&self) {
        if self.is_ok() {
            return;
        }
        let mut list = String::new();
        for Check { name, rule, outcome } in self.failures() {
            if let Outcome::Failed(text) = outcome {
                list += &format!("\n  {name}: {text}\n    the rule: {rule}");
            }
        }
        let (broken, all) = (self.failures().count(), self.checks.len());
        panic!("{broken} of {all} checks failed, with seed {}:{list}", self.seed);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, outcome, .. } in &self.checks {
            match outcome {
                Outcome::Passed => writeln!(f, "passed  {name}")?,
                Outcome::NotApplicable(reason) => writeln!(f, "-       {name}: {reason}")?,
                Outcome::Failed(text) => writeln!(f, "FAILED  {name}: {text}")?,
            }
        }
        write!(f, "{} failed, seed {}", self.failures().count(), self.seed)
    }
}

/// Why a check does not pass.
#[derive(Debug)]
pub(super) enum Stop {
    /// The rule makes no demand.
    Excluded(String),
    /// The rule is broken.
    Broken(String),
}

pub(super) type Verdict<T = ()> = Result<T, Stop>;

/// The rule makes no demand unless `holds`.
pub(super) fn applies(holds: bool, otherwise: &str) -> Verdict {
    if holds { Ok(()) } else { Err(Stop::Excluded(otherwise.to_owned())) }
}

/// The rule is broken unless `holds`.
pub(super) fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { broken(otherwise()) }
}

/// The rule is broken.
pub(super) fn broken<T>(text: impl Into<String>) -> Verdict<T> {
    Err(Stop::Broken(text.into()))
}
