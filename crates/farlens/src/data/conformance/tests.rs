//! The checks pass what is right and find what is wrong.

mod broken;
mod shapes;
mod shipped;
mod vector;

use super::*;
use broken::{Broken, Bug};
use farlens_proto::Kind;
use farlens_wire::Position;
use std::ops::Range;
use vector::VecData;

/// Data over a vector, with one thing wrong about it or nothing.
struct Patient {
    kind: Kind,
    bug: Option<Bug>,
}

impl Subject for Patient {
    type Data = Broken;
    type Keep = ();

    async fn make(&self, elements: u64) -> (Broken, ()) {
        let good = VecData::new(self.kind, (0..elements).map(|n| self.element(n).into()));
        (Broken::new(good, self.bug), ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        match self.kind {
            Kind::Bytes => vec![byte_at(n)],
            Kind::Items => entity_at(n),
        }
    }

    async fn grow(&self, data: &Broken, (): &mut (), numbers: Range<u64>) -> bool {
        data.good.push(numbers.map(|n| self.element(n).into()));
        true
    }

    async fn evict(&self, data: &Broken, (): &mut (), before: Position) -> bool {
        data.good.drop_before(before);
        true
    }
}

async fn diagnose(kind: Kind, bug: Option<Bug>) -> Report {
    check(&Patient { kind, bug }).await
}

#[tokio::test(start_paused = true)]
async fn data_over_a_vector_passes_everything_that_applies() {
    for kind in [Kind::Bytes, Kind::Items] {
        let report = diagnose(kind, None).await;
        report.assert();
        let left_out = |check: &&Check| matches!(check.outcome, Outcome::NotApplicable(_));
        let names: Vec<_> =
            report.checks().iter().filter(left_out).map(|check| check.name).collect();
        let mut expected = vec!["other_places_break_nothing", "ended_is_final"];
        expected.extend(["read_only_refuses_writes", "read_only_refuses_truncation"]);
        if kind == Kind::Bytes {
            expected.push("entities_decode");
        }
        for name in &names {
            assert!(expected.contains(name), "{name} does not apply to {kind:?}");
        }
        assert_eq!(names.len(), expected.len(), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_bug_is_found_under_the_name_of_its_rule() {
    for (bug, kind, names) in broken::BUGS {
        let report = diagnose(*kind, Some(*bug)).await;
        for name in *names {
            let found = report.failures().any(|check| check.name == *name);
            assert!(found, "{name} does not find {bug:?}:\n{report}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_rule_has_a_bug_that_breaks_it() {
    for check in diagnose(Kind::Bytes, None).await.checks() {
        let found = broken::BUGS.iter().any(|(.., names)| names.contains(&check.name));
        assert!(found, "no bug breaks {}", check.name);
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_and_what_panics_is_named_as_such() {
    for (bug, words) in [
        (Bug::ReadHangs, "a read at 0 does not answer within 10s"),
        (Bug::ReadPanics, "panics: ouch"),
    ] {
        let report = diagnose(Kind::Bytes, Some(bug)).await;
        let text = report.to_string();
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "with seed 7:\n  read_now_agrees: ")]
async fn a_report_panics_with_the_rules_that_are_broken_and_its_seed() {
    let patient = Patient { kind: Kind::Bytes, bug: Some(Bug::ReadNowIsShifted) };
    Suite::default().seed(7).check(&patient).await.assert();
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_tells_the_same_story() {
    let patient = Patient { kind: Kind::Bytes, bug: Some(Bug::SeekIsShifted) };
    let told = [3, 3].map(|seed| Suite::default().seed(seed));
    let mut stories = Vec::new();
    for suite in told {
        stories.push(suite.check(&patient).await.to_string());
    }
    assert_eq!(stories[0], stories[1]);
}
