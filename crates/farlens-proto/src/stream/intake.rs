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
use farlens_wire::{Code, Kind, Position, frame::StreamFrame};

/// The order of one run of elements, and the credit that they use.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    pub(crate) receive: Receive,
    /// Where the next element belongs.
    next: Position,
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
        Self { receive, next: Position::ZERO, partial: None }
    }

    /// The next element belongs here. What had come in part is dropped.
    pub(crate) fn restart(&mut self, next: Position) {
        self.next = next;
        self.partial = None;
    }

    /// Where the next element belongs.
    pub(crate) const fn next(&self) -> Position {
        self.next
    }

    /// Whether every entity that has begun has come to its end.
    pub(crate) fn check_whole(&self) -> Result<(), Violation> {
        if self.partial.is_some() {
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
                self.check_between(data.at)?;
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

    fn take_bytes(&mut self, bytes: Bytes) -> Result<Chunk, Violation> {
        self.receive.take_bytes(bytes.len() as u64)?;
        Ok(Chunk::Bytes(bytes))
    }

    fn take_items(&mut self, encoded: Bytes, message_bytes: usize) -> Result<Chunk, Violation> {
        let length = encoded.len() as u64;
        let batch = ItemBatch::parse(encoded).map_err(|_| {
            Violation::new(Code::MALFORMED, "the lengths of entities do not add up")
        })?;
        if batch.is_empty() {
            return Err(Violation::protocol("a frame without entities"));
        }
        self.receive.take_items(batch.count(), length, || batch.last_encoded_len() as u64)?;
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
        let mut partial = match self.partial.take() {
            Some(partial) => partial,
            None => {
                self.receive.check_item_start(0)?;
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
            self.partial = Some(partial);
            return Ok(None);
        }
        let mut batch = BatchBuilder::default();
        batch.push(&partial.bytes);
        let batch = batch.finish();
        let length = batch.encoded().len() as u64;
        self.receive.take_items(1, length, || length)?;
        Ok(Some(Chunk::Items(batch)))
    }
}

fn too_large(message_bytes: usize) -> Violation {
    Violation::new(Code::TOO_LARGE, format!("an entity of more than {message_bytes} bytes"))
}
