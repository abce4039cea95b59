//! What one producer writes and many read.

use super::*;
use crate::data::{Spool, SpoolData, SpoolWriter};

/// A spool with so many bytes in memory.
pub(super) struct Spooled(pub(super) Kind, pub(super) usize);

impl Subject for Spooled {
    type Data = SpoolData;
    type Keep = SpoolWriter;

    async fn make(&self, elements: u64) -> (SpoolData, SpoolWriter) {
        let (mut writer, data) = Spool::with_memory(self.0, self.1);
        for n in 0..elements {
            writer.push(&self.element(n)).expect("the folder for temporary files takes it");
        }
        (data, writer)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        element(self.0, n)
    }

    async fn grow(&self, _: &SpoolData, writer: &mut SpoolWriter, numbers: Range<u64>) -> bool {
        numbers.for_each(|n| writer.push(&self.element(n)).expect("memory takes it"));
        true
    }
}

#[tokio::test(start_paused = true)]
async fn spools_conform() {
    for kind in [Kind::Bytes, Kind::Items] {
        assert!(passed(&check(&Spooled(kind, 1 << 20)).await) >= 20);
    }
}

#[tokio::test]
async fn a_spool_that_went_on_in_a_file_conforms() {
    let suite = Suite::default().elements(3_500);
    assert!(passed(&suite.check(&Spooled(Kind::Items, 70_000)).await) >= 20);
}

/// A spool whose producer is done.
struct Finished;

impl Subject for Finished {
    type Data = SpoolData;
    type Keep = ();

    async fn make(&self, elements: u64) -> (SpoolData, ()) {
        let (data, writer) = Spooled(Kind::Items, 1 << 20).make(elements).await;
        writer.finish();
        (data, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        entity_at(n)
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_spool_conforms() {
    let report = check(&Finished).await;
    assert!(passed(&report) >= 20);
    let ended = report.checks().iter().find(|check| check.name == "ended_is_final");
    assert_eq!(ended.expect("it is checked").outcome, Outcome::Passed);
}
