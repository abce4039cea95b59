//! A sequence that takes no memory: the squares, computed as they are read.

use farlens::{
    BatchBuilder, Bounds, Chunk, Code, Element, Error, Flags, Kind, ModeOffer, Position, Result,
    bytes::Bytes,
    data::{DataState, Fetched, ReadBudget, StreamerData, conformance::Subject},
    schema::SchemaDoc,
};
use std::sync::Arc;

/// Elements at most in one answer, whatever the budget: it is computed on the link's own task.
const RUN: u64 = 1_000;

/// The squares of the numbers below a bound.
pub(crate) struct Squares {
    end: Position,
}

impl Squares {
    /// As many numbers as have a square of 64 bits, or fewer.
    pub(crate) fn below(count: u32) -> Self {
        Self { end: Position::from(count) }
    }

    fn compute(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let mut batch = BatchBuilder::default();
        let mut body = Vec::new();
        let left = self.end.since(at).min(budget.elements).min(RUN);
        for n in at.get()..at.get().saturating_add(left) {
            body.clear();
            (n * n).encode(&mut body).map_err(|error| {
                Error::new(Code::INTERNAL, format!("{n} squared cannot be encoded: {error}"))
            })?;
            // Its length takes one more byte, since a number is never longer than 127 bytes.
            let full = batch.encoded_len() + 1 + body.len() > budget.bytes;
            if full && batch.count() > 0 {
                break;
            }
            batch.push(&body);
        }
        let nothing = batch.count() == 0;
        Ok(if nothing { Fetched::Nothing } else { Fetched::Some(Chunk::Items(batch.finish())) })
    }
}

impl StreamerData for Squares {
    fn kind(&self) -> Kind {
        Kind::Items
    }

    fn offers(&self) -> ModeOffer {
        let bounded = Flags::START_BOUNDED | Flags::END_BOUNDED;
        ModeOffer { required: Flags::READABLE | Flags::FIXED_DATA | bounded, possible: Flags::SEEK }
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        u64::schema()
    }

    async fn state(&self) -> Result<DataState> {
        // Squares never change, so every version of them is the same.
        let version = Bytes::from_static(b"squares");
        Ok(DataState { bounds: Bounds::up_to(self.end), version, ended: true })
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.compute(at, budget)
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        Some(self.compute(at, budget))
    }
}

/// How the checks make squares.
pub(crate) struct Maker;

impl Subject for Maker {
    type Data = Squares;
    type Keep = ();

    async fn make(&self, elements: u64) -> (Squares, ()) {
        (Squares::below(u32::try_from(elements).unwrap_or(u32::MAX)), ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        let mut encoded = Vec::new();
        (n * n).encode(&mut encoded).expect("a number can be encoded");
        encoded
    }
}
