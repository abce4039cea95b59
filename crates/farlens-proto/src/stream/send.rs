//! The sending half: what waits to go out in one epoch, and how far it may.

use crate::{
    buffer::{
        StreamBuffer,
        chunk::{Chunk, ItemBatch},
    },
    error::Violation,
    link::Lender,
};
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    Epoch, Kind, Position, Reference,
    frame::{
        Fault, put_control,
        stream::{self, Credit, Table},
    },
};

/// Elements that have been fetched, and the credit they may use.
#[derive(Debug, Default)]
pub(crate) struct Send {
    limit: Credit,
    sent: Credit,
    /// The position of the first element that has not been sent.
    at: Position,
    queue: StreamBuffer,
    /// An entity that is going out in parts.
    part: Option<Box<Part>>,
    /// Why the next entity, which has been dropped, cannot go out.
    refusal: Option<Box<Fault>>,
}

#[derive(Debug)]
struct Part {
    total: usize,
    rest: Bytes,
}

impl Send {
    pub(crate) fn start(at: Position, limit: Credit) -> Self {
        Self { limit, at, ..Self::default() }
    }

    /// Goes on with another run of elements under the same credit.
    pub(crate) fn restart(&mut self, queue: StreamBuffer) {
        self.at = Position::ZERO;
        self.queue = queue;
    }

    /// The position of the first element that has not been sent.
    pub(crate) const fn at(&self) -> Position {
        self.at
    }

    /// Leaves out the elements before `to`, none of which is queued.
    pub(crate) fn skip_to(&mut self, to: Position) {
        self.at = to;
    }

    /// Forgets what waits, but for the rest of an entity that is going out.
    pub(crate) fn drop_queue(&mut self) {
        self.queue.clear();
    }

    pub(crate) const fn limit(&self) -> Credit {
        self.limit
    }

    /// Raises the limit, which must not fall.
    pub(crate) fn raise(&mut self, limit: Credit) -> Result<(), Violation> {
        if limit.bytes < self.limit.bytes || limit.elements < self.limit.elements {
            return Err(Violation::flow("credit was taken back"));
        }
        self.limit = limit;
        Ok(())
    }

    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.queue.push(chunk);
    }

    /// Bytes that wait, a started entity included.
    pub(crate) fn queued(&self) -> usize {
        let part = self.part.as_ref().map_or(0, |part| part.rest.len());
        self.queue.cost().saturating_add(part)
    }

    /// Credit beyond what is sent and queued; a fetch may ask for that much.
    pub(crate) fn fetchable(&self, kind: Kind) -> Credit {
        // An entity that is going out in parts is counted in bytes, but not yet as an element.
        let bytes = self.sent.bytes.saturating_add(self.queue.cost() as u64);
        let bytes = self.limit.bytes.saturating_sub(bytes);
        if kind == Kind::Bytes {
            return Credit { bytes, elements: bytes };
        }
        let part = u64::from(self.part.is_some());
        let elements = self.sent.elements.saturating_add(self.queue.elements());
        let elements = self.limit.elements.saturating_sub(elements.saturating_add(part));
        Credit { bytes, elements }
    }

    /// Whether the peer wants no elements at all.
    pub(crate) const fn is_unwanted(&self) -> bool {
        self.limit.bytes == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.part.is_none()
    }

    /// Whether something may go out.
    pub(crate) fn is_ready(&self) -> bool {
        self.part.is_some()
            || (!self.queue.is_empty() && self.sent.bytes < self.limit.bytes && self.allowed() > 0)
    }

    /// Entities that may still go out; bytes are bounded as bytes alone.
    fn allowed(&self) -> u64 {
        match self.queue.kind() {
            Some(Kind::Items) => self.limit.elements.saturating_sub(self.sent.elements),
            _ => u64::MAX,
        }
    }

    /// Why nothing goes out from here on: the references of the next entity could not be lent. Told
    /// once.
    pub(crate) fn take_refusal(&mut self) -> Option<Fault> {
        self.refusal.take().map(|fault| *fault)
    }

    /// Appends one frame whose payload is at most `room` bytes, with the tables that belong before
    /// it; says whether it did.
    pub(crate) fn put_frame(
        &mut self,
        out: &mut BytesMut,
        to: (u64, Epoch),
        room: usize,
        lender: &mut Lender<'_>,
    ) -> bool {
        let room = room.saturating_sub(stream::BULK_HEAD_MAX);
        if room == 0 || !self.is_ready() {
            return false;
        }
        if self.part.is_some() {
            return self.put_part(out, to, room);
        }
        let left = self.limit.bytes.saturating_sub(self.sent.bytes);
        let within = usize::try_from(left).unwrap_or(usize::MAX).min(room);
        let allowed = self.allowed();
        if let Some(mut batch) = self.queue.pop_fitting(within) {
            if batch.count() > allowed {
                let rest = batch.split_off(allowed);
                self.queue.unpop(Chunk::Items(rest));
            }
            return self.put_items(out, to, &mut batch, lender);
        }
        if self.queue.kind() == Some(Kind::Bytes) {
            self.put_bytes(out, to, within);
            return true;
        }
        match self.queue.pop(within as u64) {
            Some(Chunk::Items(batch)) => self.put_large(out, to, room, batch, lender),
            _ => false,
        }
    }

    /// Sends up to `most` bytes in one frame, whatever the pieces in which they were fetched.
    fn put_bytes(&mut self, out: &mut BytesMut, (id, epoch): (u64, Epoch), most: usize) {
        let length = self.queue.cost().min(most);
        stream::put_bulk_head(out, stream::DATA, id, (epoch, self.at), None, length);
        let mut left = length;
        while left > 0
            && let Some(Chunk::Bytes(bytes)) = self.queue.pop(left as u64)
        {
            out.extend_from_slice(&bytes);
            left = left.saturating_sub(bytes.len());
        }
        self.count(length, length as u64);
    }

    /// Puts the head of a frame right before bytes that lie in `batch` from `head` on, and counts
    /// them as sent. Gives where the frame begins; nothing where they go beyond the credit.
    pub(crate) fn send_in_place(
        &mut self,
        batch: &mut [u8],
        head: usize,
        (id, epoch): (u64, Epoch),
    ) -> Option<usize> {
        let length = batch.len().checked_sub(head)?;
        if length as u64 > self.limit.bytes.saturating_sub(self.sent.bytes) {
            return None;
        }
        let mut bytes = [0; stream::BULK_HEAD_MAX];
        let mut left = bytes.as_mut_slice();
        stream::put_bulk_head(&mut left, stream::DATA, id, (epoch, self.at), None, length);
        let taken = stream::BULK_HEAD_MAX.saturating_sub(left.len());
        let begin = head.checked_sub(taken)?;
        batch.get_mut(begin..head)?.copy_from_slice(bytes.get(..taken)?);
        self.count(length, length as u64);
        Some(begin)
    }

    fn put_bulk(&self, out: &mut BytesMut, (id, epoch): (u64, Epoch), kind: u8, payload: &[u8]) {
        stream::put_bulk_head(out, kind, id, (epoch, self.at), None, payload.len());
        out.extend_from_slice(payload);
    }

    /// Sends the entities of `batch` up to the first whose references cannot be lent.
    fn put_items(
        &mut self,
        out: &mut BytesMut,
        to: (u64, Epoch),
        batch: &mut ItemBatch,
        lender: &mut Lender<'_>,
    ) -> bool {
        if let Some(refused) = self.put_tables(out, to, batch, lender) {
            drop(batch.split_off(refused));
        }
        if batch.is_empty() {
            return false;
        }
        self.put_bulk(out, to, stream::ITEMS, batch.encoded());
        self.count(batch.cost(), batch.count());
        true
    }

    /// Lends what the entities of `batch` refer to; gives the index of the first for which that
    /// fails.
    fn put_tables(
        &mut self,
        out: &mut BytesMut,
        to: (u64, Epoch),
        batch: &ItemBatch,
        lender: &mut Lender<'_>,
    ) -> Option<u64> {
        if !batch.has_references() {
            return None;
        }
        for (index, table) in batch.tables(0..batch.count()) {
            let at = self.at.forward(index).unwrap_or(Position::MAX);
            if let Err(fault) = put_table(out, to, at, table, lender) {
                self.refusal = Some(Box::new(fault));
                return Some(index);
            }
        }
        None
    }

    /// Sends the first entity of `batch`, which does not fit, whole or in parts.
    fn put_large(
        &mut self,
        out: &mut BytesMut,
        to: (u64, Epoch),
        room: usize,
        mut batch: ItemBatch,
        lender: &mut Lender<'_>,
    ) -> bool {
        let mut first = batch.split_to(1);
        self.queue.unpop(Chunk::Items(batch));
        if first.encoded().len() <= room {
            return self.put_items(out, to, &mut first, lender);
        }
        if self.put_tables(out, to, &first, lender).is_some() {
            return false;
        }
        let cost = first.cost();
        let Some((rest, _)) = first.pop() else { return false };
        self.count(cost, 0);
        self.part = Some(Box::new(Part { total: rest.len(), rest }));
        self.put_part(out, to, room)
    }

    fn put_part(&mut self, out: &mut BytesMut, (id, epoch): (u64, Epoch), room: usize) -> bool {
        let Some(part) = self.part.as_mut() else { return false };
        let piece = part.rest.split_to(part.rest.len().min(room));
        let total = Some(part.total as u64);
        stream::put_bulk_head(out, stream::ITEM_PART, id, (epoch, self.at), total, piece.len());
        out.extend_from_slice(&piece);
        if part.rest.is_empty() {
            self.part = None;
            self.count(0, 1);
        }
        true
    }

    fn count(&mut self, bytes: usize, elements: u64) {
        self.sent.bytes = self.sent.bytes.saturating_add(bytes as u64);
        self.sent.elements = self.sent.elements.saturating_add(elements);
        self.at = self.at.forward(elements).unwrap_or(Position::MAX);
    }
}

/// Lends the references of one entity.
fn put_table(
    out: &mut BytesMut,
    (id, epoch): (u64, Epoch),
    at: Position,
    table: &[Reference],
    lender: &mut Lender<'_>,
) -> Result<(), Fault> {
    let table = lender.lend(table)?;
    put_control(out, id, &Table { epoch, at, table });
    Ok(())
}
