//! Counts beside those of the baseline.

use super::baseline::Counts;
use std::{collections::BTreeSet, fmt};

/// How far a count may be from the baseline, in percent of that, upwards and downwards: what is
/// gained unseen would be lost unseen later.
pub(crate) const TOLERANCE_PERCENT: f64 = 5.0;

/// One case.
pub(crate) struct Line<'a> {
    case: &'a str,
    /// None where the case is new.
    baseline: Option<f64>,
    /// None where the case is gone.
    now: Option<f64>,
}

/// All cases that are in either, sorted.
pub(crate) fn lines<'a>(baseline: &'a Counts, now: &'a Counts) -> Vec<Line<'a>> {
    let cases: BTreeSet<_> = baseline.keys().chain(now.keys()).collect();
    let line = |case: &'a String| Line {
        case,
        baseline: baseline.get(case).copied(),
        now: now.get(case).copied(),
    };
    cases.into_iter().map(line).collect()
}

/// The lines below a heading.
pub(crate) fn table(lines: &[Line<'_>]) -> String {
    let mut table = format!("{:<14} {:>10} {:>10}   change\n", "case", "baseline", "now");
    for line in lines {
        table += &format!("{line}\n");
    }
    table
}

impl Line<'_> {
    /// Whether the baseline does not stand any more.
    pub(crate) fn differs(&self) -> bool {
        !self.change_percent().is_some_and(|percent| percent.abs() <= TOLERANCE_PERCENT)
    }

    fn change_percent(&self) -> Option<f64> {
        let (baseline, now) = self.baseline.zip(self.now)?;
        Some((now - baseline) / baseline * 100.0)
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count =
            |count: Option<f64>| count.map_or("-".to_owned(), |count| format!("{count:.1}"));
        let change = match (self.change_percent(), self.now) {
            (Some(percent), _) => format!("{percent:+.1} %"),
            (None, Some(_)) => "new".to_owned(),
            (None, None) => "gone".to_owned(),
        };
        let mark = if self.differs() { "  <--" } else { "" };
        let (baseline, now) = (count(self.baseline), count(self.now));
        write!(f, "{:<14} {baseline:>10} {now:>10} {change:>8}{mark}", self.case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(count: Option<f64>) -> Counts {
        count.map(|count| ("link/call".to_owned(), count)).into_iter().collect()
    }

    #[test]
    fn only_what_is_near_its_baseline_stands() {
        for (baseline, now, differs, change) in [
            (Some(1_000.0), Some(1_000.0), false, "+0.0 %"),
            (Some(1_000.0), Some(1_050.0), false, "+5.0 %"),
            (Some(1_000.0), Some(950.0), false, "-5.0 %"),
            (Some(1_000.0), Some(1_051.0), true, "+5.1 %"),
            (Some(1_000.0), Some(949.0), true, "-5.1 %"),
            (Some(0.0), Some(0.0), true, "NaN %"),
            (None, Some(1_000.0), true, "new"),
            (Some(1_000.0), None, true, "gone"),
        ] {
            let (baseline, now) = (counts(baseline), counts(now));
            let lines = lines(&baseline, &now);
            let [line] = &lines[..] else { panic!("one case is one line") };
            assert_eq!(line.differs(), differs, "{line}");
            assert!(line.to_string().contains(change), "{line}");
        }
    }

    #[test]
    fn cases_stand_in_order_wherever_they_are_from() {
        let one = |case: &str| Counts::from([(case.to_owned(), 1.0)]);
        let (baseline, now) = (one("link/call"), one("codec/call"));
        let cases: Vec<_> = lines(&baseline, &now).iter().map(|line| line.case).collect();
        assert_eq!(cases, ["codec/call", "link/call"]);
    }
}
