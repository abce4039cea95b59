//! What arrives: each piece must follow the one before and lie within the credit.
//!
//! Both sides take elements in through this, the opener what it reads and the streamer what it is
//! to store. The elements themselves go on to a buffer.

use super::recv::Receive;
use crate::{
    buffer::chunk::{BatchBuilder, Chunk, ItemBatch},
    error::Violation,
};
use bytes::{Bytes, BytesMut};
use farlens_wire::{Code, Kind, Limits, Position, Reference, frame::StreamFrame};

/// The order of one run of elements, and the credit that they use.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    pub(crate) receive: Receive,
    /// Where the next element belongs.
    next: Position,
    /// Few streams have something of that at a time.
    unfinished: Option<Box<Unfinished>>,
}

/// What came of entities that have not come to their end.
#[derive(Debug, Default)]
struct Unfinished {
    /// Tables whose entities are still to come, with the position of each.
    tables: Vec<(Position, Vec<Reference>)>,
    /// The least that credit counts for these entities, in bytes.
    announced: u64,
    partial: Option<Partial>,
}

/// An entity that arrives in parts.
#[derive(Debug)]
struct Partial {
    total: usize,
    bytes: BytesMut,
}

impl Intake {
    pub(crate) const fn new(receive: Receive) -> Self {
        Self { receive, next: Position::ZERO, unfinished: None }
    }

    /// The next element belongs here. What had come in part is dropped.
    pub(crate) fn restart(&mut self, next: Position) {
        self.next = next;
        self.drop_unfinished();
    }

    /// Drops what belongs to an entity that has not come to its end.
    pub(crate) fn drop_unfinished(&mut self) {
        self.unfinished = None;
    }

    /// Where the next element belongs.
    pub(crate) const fn next(&self) -> Position {
        self.next
    }

    /// Whether every entity that has begun has come to its end, and every table its entity.
    pub(crate) fn check_whole(&self) -> Result<(), Violation> {
        self.check_no_part()?;
        if self.unfinished.as_ref().is_some_and(|unfinished| !unfinished.tables.is_empty()) {
            return Err(Violation::protocol("a table without its entity"));
        }
        Ok(())
    }

    fn check_no_part(&self) -> Result<(), Violation> {
        if self.unfinished.as_ref().is_some_and(|unfinished| unfinished.partial.is_some()) {
            return Err(Violation::protocol("an entity was not sent to its end"));
        }
        Ok(())
    }

    /// Whether something that follows whole elements may stand at `at`.
    pub(crate) fn check_between(&self, at: Position) -> Result<(), Violation> {
        self.check_whole()?;
        self.check_place(at)
    }

    fn check_place(&self, at: Position) -> Result<(), Violation> {
        if self.next == at {
            return Ok(());
        }
        Err(Violation::protocol("elements that do not follow the ones before"))
    }

    /// Takes a bulk frame in. Gives its elements, unless an entity is still incomplete.
    pub(crate) fn take(
        &mut self,
        frame: StreamFrame,
        kind: Kind,
        message_bytes: usize,
    ) -> Result<Option<Chunk>, Violation> {
        let chunk = match (frame, kind) {
            (StreamFrame::Data(data), Kind::Bytes) => {
                self.check_place(data.at)?;
                Some(self.take_bytes(data.payload)?)
            }
            (StreamFrame::Items(data), Kind::Items) => {
                self.check_no_part()?;
                self.check_place(data.at)?;
                Some(self.take_items(data.payload, message_bytes)?)
            }
            (StreamFrame::ItemPart { total, part }, Kind::Items) => {
                self.check_place(part.at)?;
                self.take_part(total, &part.payload, message_bytes)?
            }
            _ => return Err(Violation::protocol("elements of another kind than the stream's")),
        };
        if let Some(chunk) = &chunk {
            let after = self.next.forward(chunk.elements());
            self.next = after.ok_or_else(|| Violation::protocol("elements beyond 2^63-1"))?;
        }
        Ok(chunk)
    }

    /// Takes in what the references of an entity point at that comes with the next frame. As many
    /// tables may wait for that as could belong to entities within the credit.
    pub(crate) fn take_table(
        &mut self,
        at: Position,
        table: Vec<Reference>,
        kind: Kind,
    ) -> Result<(), Violation> {
        if kind != Kind::Items || table.is_empty() {
            return Err(Violation::protocol("a table for elements that refer to nothing"));
        }
        self.check_no_part()?;
        let unfinished = self.unfinished.get_or_insert_default();
        if at < self.next || unfinished.tables.last().is_some_and(|(before, _)| *before >= at) {
            return Err(Violation::protocol("a table for an entity that has come"));
        }
        self.receive.check_item_start(unfinished.announced)?;
        let references = table.len().saturating_mul(Limits::REFERENCE_BYTES) as u64;
        // An entity has a prefix, if nothing else.
        unfinished.announced = unfinished.announced.saturating_add(references).saturating_add(1);
        unfinished.tables.push((at, table));
        Ok(())
    }

    /// Gives entities from the next position on the tables that have come for them.
    fn add_tables(&mut self, batch: ItemBatch) -> Result<ItemBatch, Violation> {
        let Some(unfinished) = self.unfinished.take() else { return Ok(batch) };
        let next = self.next;
        let tables = unfinished.tables.into_iter();
        let tables = tables.map(|(at, table)| (at.since(next), table.into()));
        batch.with_tables(tables).map_err(|_| no_such_entity())
    }

    fn take_bytes(&mut self, bytes: Bytes) -> Result<Chunk, Violation> {
        self.receive.take_bytes(bytes.len() as u64)?;
        Ok(Chunk::Bytes(bytes))
    }

    fn take_items(&mut self, encoded: Bytes, message_bytes: usize) -> Result<Chunk, Violation> {
        let batch = ItemBatch::parse(encoded).map_err(|_| {
            Violation::new(Code::MALFORMED, "the lengths of entities do not add up")
        })?;
        if batch.is_empty() {
            return Err(Violation::protocol("a frame without entities"));
        }
        let batch = self.add_tables(batch)?;
        let cost = batch.cost() as u64;
        self.receive.take_items(batch.count(), cost, || batch.last_cost() as u64)?;
        let chunk = Chunk::Items(batch);
        if chunk.first_over(message_bytes).is_some() {
            return Err(too_large(message_bytes));
        }
        Ok(chunk)
    }

    fn take_part(
        &mut self,
        total: u64,
        part: &[u8],
        message_bytes: usize,
    ) -> Result<Option<Chunk>, Violation> {
        let total = usize::try_from(total).ok().filter(|&total| total <= message_bytes);
        let total = total.ok_or_else(|| too_large(message_bytes))?;
        let unfinished = self.unfinished.get_or_insert_default();
        let mut partial = match unfinished.partial.take() {
            Some(partial) => partial,
            None => {
                self.receive.check_item_start(0)?;
                if unfinished.tables.iter().any(|(at, _)| *at != self.next) {
                    return Err(no_such_entity());
                }
                Partial { total, bytes: BytesMut::new() }
            }
        };
        let filled = partial.bytes.len().saturating_add(part.len());
        if partial.total != total || filled > total {
            return Err(Violation::protocol("the parts of an entity do not add up"));
        }
        // Copied on purpose: an entity must be contiguous to be decoded.
        partial.bytes.extend_from_slice(part);
        if filled < total {
            unfinished.partial = Some(partial);
            return Ok(None);
        }
        let mut batch = BatchBuilder::default();
        batch.push(&partial.bytes);
        let batch = self.add_tables(batch.finish())?;
        let cost = batch.cost() as u64;
        self.receive.take_items(1, cost, || cost)?;
        Ok(Some(Chunk::Items(batch)))
    }
}

fn no_such_entity() -> Violation {
    Violation::protocol("a table for an entity that the next frame does not hold")
}

fn too_large(message_bytes: usize) -> Violation {
    Violation::new(Code::TOO_LARGE, format!("an entity of more than {message_bytes} bytes"))
}
