//! The data types of this crate keep the rules that they set.

mod attenuated;
mod channel;
mod directory;
mod file;
mod fixed;
mod iter;
mod live;
mod log;
mod mem;
mod relay;
mod spool;
mod topic;

use super::*;
use farlens_wire::{Entity, Limits};

fn element(kind: Kind, n: u64) -> Vec<u8> {
    match kind {
        Kind::Bytes => vec![byte_at(n)],
        Kind::Items => entity_at(n),
    }
}

fn bytes(numbers: Range<u64>) -> Vec<u8> {
    numbers.map(byte_at).collect()
}

/// The value of an element, for data that encodes by itself.
fn value(n: u64) -> Entity {
    Entity::decode(&entity_at(n), &Limits::default()).expect("it was encoded")
}

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

/// Checks of data whose reads are jobs for other threads: single bytes are read one by one.
async fn check_on_disk(subject: &impl Subject) -> Report {
    Suite::default().elements(150).check(subject).await
}

/// How many checks passed, besides that none failed.
fn passed(report: &Report) -> usize {
    report.assert();
    report.checks().iter().filter(|check| check.outcome == Outcome::Passed).count()
}

/// Whether a check passed, rather than that it made no demand.
fn has_passed(report: &Report, name: &str) -> bool {
    let check = report.checks().iter().find(|check| check.name == name);
    check.expect("it is checked").outcome == Outcome::Passed
}
