//! Data that is all there and never changes: bytes or encoded entities in memory.
//!
//! Every read is answered at once with a slice of the same memory, for any number of readers.

use super::encode::encode_element;
use super::items::{SparseIndex, run_within, take_within};
use super::{DataState, Fetched, ReadBudget, StreamerData, fresh_version, out_of_range};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{BatchBuilder, Chunk, ItemBatch, Kind};
use farlens_wire::{Bounds, Code, Element, Flags, ModeOffer, Position, schema::SchemaDoc};
use std::sync::Arc;

/// Immutable data in memory. Cheap to share: reading copies nothing.
pub struct FixedData {
    content: Content,
    end: Position,
    version: Bytes,
    schema: Option<Arc<SchemaDoc>>,
}

enum Content {
    Bytes(Bytes),
    Items { batch: ItemBatch, index: SparseIndex },
}

impl std::fmt::Debug for FixedData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FixedData").field("end", &self.end).finish_non_exhaustive()
    }
}

impl FixedData {
    /// A sequence of bytes.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let count = bytes.len() as u64;
        Self::new(Content::Bytes(bytes), count)
    }

    /// A sequence of encoded entities. Costs one step an entity now, at most 256 at each read to
    /// find its first one, and eight bytes of memory for every 256.
    #[must_use]
    pub fn encoded(batch: ItemBatch) -> Self {
        let index = SparseIndex::of(batch.encoded());
        let count = index.count();
        Self::new(Content::Items { batch, index }, count)
    }

    /// A sequence of values, encoded once. Costs as [`FixedData::encoded`].
    ///
    /// # Errors
    /// `USAGE` for a value that cannot be encoded, naming its index.
    pub fn items<T: Element>(values: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut batch = BatchBuilder::default();
        for (index, value) in values.into_iter().enumerate() {
            batch.push_with(|out, table| encode_element(&value, index as u64, (out, table)))?;
        }
        Ok(Self { schema: T::schema(), ..Self::encoded(batch.finish()) })
    }

    fn new(content: Content, count: u64) -> Self {
        let end = Position::new(count).expect("memory holds fewer than 2^63 elements");
        Self { content, end, version: fresh_version(), schema: None }
    }

    fn bounds(&self) -> Bounds {
        Bounds::up_to(self.end)
    }

    fn fetch(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        if at > self.end {
            return Err(out_of_range(at, self.bounds()));
        }
        if at == self.end {
            return Ok(Fetched::Nothing);
        }
        let chunk = match &self.content {
            Content::Bytes(bytes) => Chunk::Bytes(slice(bytes, at, budget)),
            Content::Items { batch, index } => {
                let (from, skip) = index.near(at.get());
                let run = run_within(batch.encoded(), from, skip, budget);
                let run = ItemBatch::parse(batch.encoded().slice(run)).map_err(|_| damaged())?;
                Chunk::Items(with_tables_of(batch, at.get(), run, budget)?)
            }
        };
        Ok(Fetched::Some(chunk))
    }
}

impl StreamerData for FixedData {
    fn kind(&self) -> Kind {
        match self.content {
            Content::Bytes(_) => Kind::Bytes,
            Content::Items { .. } => Kind::Items,
        }
    }

    fn offers(&self) -> ModeOffer {
        ModeOffer {
            required: Flags::READABLE
                | Flags::START_BOUNDED
                | Flags::END_BOUNDED
                | Flags::FIXED_DATA,
            possible: Flags::SEEK,
        }
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.schema.clone()
    }

    async fn state(&self) -> Result<DataState> {
        Ok(DataState { bounds: self.bounds(), version: self.version.clone(), ended: true })
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.fetch(at, budget)
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        Some(self.fetch(at, budget))
    }
}

/// The bytes from `at` that fit into `budget`; `at` lies inside.
fn slice(bytes: &Bytes, at: Position, budget: ReadBudget) -> Bytes {
    let start = usize::try_from(at.get()).map_or(bytes.len(), |at| at.min(bytes.len()));
    let length = budget.byte_count().min(bytes.len() - start);
    bytes.slice(start..start + length)
}

/// Gives `run`, which lies at `at` in `batch`, its tables, and cuts it to `budget` with these.
fn with_tables_of(
    batch: &ItemBatch,
    at: u64,
    run: ItemBatch,
    budget: ReadBudget,
) -> Result<ItemBatch> {
    if !batch.has_references() {
        return Ok(run);
    }
    let tables = batch.tables(at..at.saturating_add(run.count()));
    let tables = tables.map(|(index, table)| (index - at, Arc::clone(table)));
    let mut run = run.with_tables(tables).map_err(|_| damaged())?;
    Ok(take_within(&mut run, budget))
}

fn damaged() -> Error {
    Error::new(Code::INTERNAL, "the index of the data does not fit the data")
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlens_proto::BatchBuilder;
    use farlens_wire::Reference;

    fn at(n: u64) -> Position {
        Position::new(n).expect("small")
    }

    fn fetch(data: &FixedData, from: u64, bytes: usize, elements: u64) -> Option<Chunk> {
        let budget = ReadBudget { bytes, elements };
        match data.read_now(at(from), budget).expect("memory answers at once").expect("in range") {
            Fetched::Some(chunk) => Some(chunk),
            Fetched::Nothing => None,
        }
    }

    fn numbers(count: u32) -> FixedData {
        let mut builder = BatchBuilder::default();
        for n in 0..count {
            builder.push(&n.to_be_bytes());
        }
        FixedData::encoded(builder.finish())
    }

    #[tokio::test]
    async fn g1_fixed_data_ends_where_it_ends_and_refuses_places_outside() {
        for (data, kind, end) in [
            (FixedData::bytes(&b"abc"[..]), Kind::Bytes, 3),
            (FixedData::bytes(Bytes::new()), Kind::Bytes, 0),
            (numbers(1_000), Kind::Items, 1_000),
            (FixedData::encoded(ItemBatch::default()), Kind::Items, 0),
        ] {
            assert_eq!(data.kind(), kind);
            let state = data.state().await.expect("memory does not fail");
            assert_eq!((state.bounds, state.ended), (Bounds::up_to(at(end)), true));
            assert_eq!(fetch(&data, end, 10, 10), None);
            let error = data.read_at(at(end + 1), ReadBudget { bytes: 1, elements: 1 }).await;
            assert_eq!(error.expect_err("outside").code(), Code::OUT_OF_RANGE);
        }
    }

    #[test]
    fn bytes_are_shared_and_not_copied() {
        let bytes = Bytes::from(vec![7; 1_000]);
        let data = FixedData::bytes(bytes.clone());
        for (from, budget, elements, want) in
            [(0, 10, 99, 0..10), (990, 100, 99, 990..1_000), (5, 10, 3, 5..8)]
        {
            let Some(Chunk::Bytes(got)) = fetch(&data, from, budget, elements) else {
                panic!("bytes are there");
            };
            assert_eq!(got.as_ptr(), bytes[want.start..].as_ptr());
            assert_eq!(got.len(), want.len());
        }
    }

    #[test]
    fn entities_are_read_from_any_position() {
        let data = numbers(1_000);
        for from in [0, 1, 255, 256, 257, 511, 999] {
            let Some(Chunk::Items(batch)) = fetch(&data, from, 12, 9) else {
                panic!("entities are there");
            };
            let expected: Vec<_> = (from..1_000).take(2).collect();
            let got: Vec<_> = batch
                .iter()
                .map(|body| u64::from(u32::from_be_bytes(body.try_into().expect("four bytes"))))
                .collect();
            assert_eq!(got, expected, "from {from}");
        }
    }

    #[test]
    fn two_sources_never_have_the_same_version() {
        let versions = [FixedData::bytes("a").version, FixedData::bytes("a").version];
        assert_ne!(versions[0], versions[1]);
        assert_eq!(versions[0].len(), 16);
    }

    #[test]
    fn its_mode_is_fixed_and_may_seek() {
        let offers = numbers(1).offers();
        assert!(offers.mode(offers.required).is_ok());
        assert!(offers.mode(offers.required | offers.possible).is_ok());
        assert!(offers.mode(Flags::READABLE).is_err());
        assert!(offers.mode(offers.required | Flags::WRITABLE).is_err());
    }

    #[test]
    fn references_are_read_from_any_position_and_count_in_the_budget() {
        let mut builder = BatchBuilder::default();
        for n in 0..1_000_u32 {
            let table: Vec<_> = (0..n % 3).map(|_| Reference::new(n)).collect();
            builder.push_referring(&n.to_be_bytes(), table);
        }
        let data = FixedData::encoded(builder.finish());
        // Elements cost 5, 37 and 69 bytes in turn.
        for (from, bytes, count) in
            [(0, 4, 1), (0, 42, 2), (255, 110, 2), (257, 111, 3), (998, 999, 2)]
        {
            let Some(Chunk::Items(batch)) = fetch(&data, from, bytes, 9) else {
                panic!("entities are there");
            };
            assert_eq!(batch.count(), count, "from {from}");
            for (index, n) in (0..count).zip(from..) {
                assert_eq!(batch.table(index).len() as u64, n % 3);
                let own = |reference: &Reference| reference.get() == u32::try_from(n).ok().as_ref();
                assert!(batch.table(index).iter().all(own));
            }
        }
    }
}
