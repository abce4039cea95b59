//! The data types of this crate keep the rules that they set.

use super::*;
use crate::data::{
    FileData, FixedData, IterData, OpenFile, OpenIter, Spool, SpoolData, SpoolWriter,
};
use farlens_proto::BatchBuilder;
use std::io::Write;

fn element(kind: Kind, n: u64) -> Vec<u8> {
    match kind {
        Kind::Bytes => vec![byte_at(n)],
        Kind::Items => entity_at(n),
    }
}

/// How many checks passed, besides that none failed.
fn passed(report: &Report) -> usize {
    report.assert();
    report.checks().iter().filter(|check| check.outcome == Outcome::Passed).count()
}

struct Fixed(Kind);

impl Subject for Fixed {
    type Data = FixedData;
    type Keep = ();

    async fn make(&self, elements: u64) -> (FixedData, ()) {
        let data = match self.0 {
            Kind::Bytes => FixedData::bytes((0..elements).map(byte_at).collect::<Vec<_>>()),
            Kind::Items => {
                let mut batch = BatchBuilder::default();
                (0..elements).for_each(|n| batch.push(&entity_at(n)));
                FixedData::encoded(batch.finish())
            }
        };
        (data, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        element(self.0, n)
    }
}

#[tokio::test(start_paused = true)]
async fn fixed_data_conforms() {
    for kind in [Kind::Bytes, Kind::Items] {
        assert!(passed(&check(&Fixed(kind)).await) >= 20);
    }
}

/// Numbers with a schema.
struct Numbers;

impl Subject for Numbers {
    type Data = FixedData;
    type Keep = ();

    async fn make(&self, elements: u64) -> (FixedData, ()) {
        (FixedData::items(0..elements).expect("numbers can be encoded"), ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        let mut encoded = Vec::new();
        farlens_wire::Element::encode(&n, &mut encoded).expect("numbers can be encoded");
        encoded
    }
}

#[tokio::test(start_paused = true)]
async fn typed_data_conforms() {
    assert!(passed(&check(&Numbers).await) >= 20);
}

/// A spool with so many bytes in memory.
struct Spooled(Kind, usize);

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
    let suite = Suite::default().elements(7_000);
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

struct Iterated;

impl Subject for Iterated {
    type Data = OpenIter;
    type Keep = ();

    async fn make(&self, elements: u64) -> (OpenIter, ()) {
        let mut numbers = 0..elements;
        let next = move |body: &mut Vec<u8>| {
            body.extend(entity_at(numbers.next()?));
            Some(Ok(()))
        };
        (IterData::encoded(next).open().expect("nobody has it"), ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        entity_at(n)
    }
}

#[tokio::test]
async fn an_iterator_conforms_as_far_as_it_goes() {
    assert!(passed(&check(&Iterated).await) >= 13);
}

/// A file, followed or not.
struct OnDisk {
    follow: bool,
}

impl Subject for OnDisk {
    type Data = OpenFile;
    type Keep = tempfile::NamedTempFile;

    async fn make(&self, elements: u64) -> (OpenFile, tempfile::NamedTempFile) {
        let mut file = tempfile::NamedTempFile::new().expect("temporary files can be made");
        file.write_all(&(0..elements).map(byte_at).collect::<Vec<_>>()).expect("it is small");
        let data = FileData::read_only(file.path()).follow(self.follow);
        (data.open().expect("it is there"), file)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }

    async fn grow(
        &self,
        _: &OpenFile,
        file: &mut tempfile::NamedTempFile,
        numbers: Range<u64>,
    ) -> bool {
        if self.follow {
            file.write_all(&numbers.map(byte_at).collect::<Vec<_>>()).expect("it is small");
        }
        self.follow
    }
}

#[tokio::test]
async fn files_conform() {
    for follow in [false, true] {
        assert!(passed(&check(&OnDisk { follow }).await) >= 20);
    }
}
