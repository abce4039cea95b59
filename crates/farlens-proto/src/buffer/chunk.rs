//! A run of consecutive elements: bytes, or encoded entities. Only here do positions meet data.

use super::tables::{Table, Tables, cost_of};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use farlens_wire::{Kind, Limits, Reference, varint};
use std::{ops::Range, sync::Arc};

/// A run of consecutive elements of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a stream carries bytes or entities")]
pub enum Chunk {
    /// Some bytes.
    Bytes(Bytes),
    /// Some encoded entities.
    Items(ItemBatch),
}

impl Chunk {
    /// What it carries.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Bytes(_) => Kind::Bytes,
            Self::Items(_) => Kind::Items,
        }
    }

    /// The number of elements.
    #[must_use]
    pub fn elements(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Items(batch) => batch.count(),
        }
    }

    /// What credit counts for it, in bytes: the encoded size, and 32 for each reference.
    #[must_use]
    pub fn cost(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Items(batch) => batch.cost(),
        }
    }

    /// Whether it has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements() == 0
    }

    /// The index of the first entity that is longer than `bytes`. Bytes have none.
    pub(crate) fn first_over(&self, bytes: usize) -> Option<u64> {
        let Self::Items(batch) = self else { return None };
        if batch.encoded().len() <= bytes {
            return None;
        }
        batch.iter().position(|body| body.len() > bytes).map(|index| index as u64)
    }

    /// Takes the first `elements` off, or all of them when there are fewer.
    #[must_use]
    pub fn split_to(&mut self, elements: u64) -> Self {
        match self {
            Self::Bytes(bytes) => {
                let at = usize::try_from(elements).map_or(bytes.len(), |n| n.min(bytes.len()));
                Self::Bytes(bytes.split_to(at))
            }
            Self::Items(batch) => Self::Items(batch.split_to(elements)),
        }
    }
}

/// Encoded entities behind one another, each with its length before it as a varint.
///
/// A batch that exists is well formed: its lengths add up and its count is right. What is *inside*
/// an entity is judged by whoever decodes it. An entity with references has a table of what they
/// point at, and its body holds indices into that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemBatch {
    count: u64,
    encoded: Bytes,
    tables: Tables,
}

/// The bytes are no batch: a length is malformed or exceeds what is there. Or a table belongs to
/// none of its entities, or is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadBatch;

impl ItemBatch {
    /// Checks `encoded` and counts its entities. Costs one step an entity.
    ///
    /// # Errors
    /// [`BadBatch`] when the lengths do not add up.
    pub fn parse(encoded: Bytes) -> Result<Self, BadBatch> {
        let mut rest: &[u8] = &encoded;
        let mut count = 0u64;
        while !rest.is_empty() {
            let (_, after) = split_item(rest).ok_or(BadBatch)?;
            rest = after;
            count = count.saturating_add(1);
        }
        Ok(Self { count, encoded, tables: Tables::default() })
    }

    /// A batch whose count, lengths and tables come from batches that were checked.
    pub(crate) const fn trusted(count: u64, encoded: Bytes, tables: Tables) -> Self {
        Self { count, encoded, tables }
    }

    /// The same entities with what the references of some of them point at, each with the index of
    /// its entity in rising order. Tables that they had are dropped.
    ///
    /// # Errors
    /// [`BadBatch`] when an index does not rise or there is no such entity, or a table has more
    /// than 128 references.
    pub fn with_tables(
        mut self,
        tables: impl IntoIterator<Item = (u64, Arc<[Reference]>)>,
    ) -> Result<Self, BadBatch> {
        self.tables = Tables::default();
        let mut next = 0;
        for (index, table) in tables {
            if index < next || index >= self.count || table.len() > Limits::REFERENCES {
                return Err(BadBatch);
            }
            self.tables.push(index, table);
            next = index.saturating_add(1);
        }
        Ok(self)
    }

    /// The number of entities.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Lengths and bodies as they travel.
    #[must_use]
    pub const fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// What credit counts for it, in bytes: the encoded size, and 32 for each reference.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.encoded.len().saturating_add(self.tables.cost())
    }

    /// Whether an entity of it has references.
    #[must_use]
    pub const fn has_references(&self) -> bool {
        !self.tables.is_empty()
    }

    /// What the references of the entity with an index point at; nothing if it has none.
    #[inline]
    #[must_use]
    pub fn table(&self, index: u64) -> &[Reference] {
        self.tables.get(index)
    }

    /// The tables of the entities with these indices, with the index of each.
    pub fn tables(&self, indices: Range<u64>) -> impl Iterator<Item = (u64, &Arc<[Reference]>)> {
        self.tables.within(indices)
    }

    /// Takes the first `count` entities off, or all of them when there are fewer.
    #[must_use]
    pub fn split_to(&mut self, count: u64) -> Self {
        if count >= self.count {
            return std::mem::take(self);
        }
        let mut rest: &[u8] = &self.encoded;
        for _ in 0..count {
            rest = split_item(rest).map_or(&[], |(_, after)| after);
        }
        let used = self.encoded.len().saturating_sub(rest.len());
        self.split_at(count, used)
    }

    /// Takes the first `count` entities off, which are `used` bytes long and not all.
    fn split_at(&mut self, count: u64, used: usize) -> Self {
        self.count = self.count.saturating_sub(count);
        Self { count, encoded: self.encoded.split_to(used), tables: self.tables.split_to(count) }
    }

    pub(crate) fn into_tables(self) -> Tables {
        self.tables
    }

    /// Takes everything behind the first `count` entities off.
    #[must_use]
    pub fn split_off(&mut self, count: u64) -> Self {
        let first = self.split_to(count);
        std::mem::replace(self, first)
    }

    /// The longest run from the front whose cost is at most `bytes`; empty when that of the first
    /// entity is more. Costs one step an entity unless all of them fit.
    #[must_use]
    pub fn split_fitting(&mut self, bytes: usize) -> Self {
        if self.cost() <= bytes {
            return std::mem::take(self);
        }
        let (count, used) = self.run_within(bytes);
        self.split_at(count, used)
    }

    /// How many entities from the front have a cost of at most `bytes` together. Costs one step an
    /// entity unless all of them do.
    #[must_use]
    pub fn fitting(&self, bytes: usize) -> u64 {
        if self.cost() <= bytes { self.count } else { self.run_within(bytes).0 }
    }

    /// How many entities from the front have a cost of at most `bytes` together, of which not all
    /// have, and how long they are.
    fn run_within(&self, bytes: usize) -> (u64, usize) {
        let mut tables = self.tables.iter().peekable();
        let (mut count, mut used, mut referred) = (0u64, 0usize, 0usize);
        while let Some((_, next)) = self.body_at(used) {
            if let Some((_, table)) = tables.next_if(|(index, _)| *index == count) {
                referred = referred.saturating_add(cost_of(table.len()));
            }
            if next.saturating_add(referred) > bytes {
                break;
            }
            used = next;
            count = count.saturating_add(1);
        }
        (count, used)
    }

    /// What credit counts for the last entity, in bytes. Costs one step an entity.
    #[must_use]
    pub fn last_cost(&self) -> usize {
        let mut rest: &[u8] = &self.encoded;
        let mut last = 0usize;
        while let Some((_, after)) = split_item(rest) {
            last = rest.len().saturating_sub(after.len());
            rest = after;
        }
        last.saturating_add(cost_of(self.table(self.count.saturating_sub(1)).len()))
    }

    /// Takes the first entity off: its body, and what its references point at.
    #[must_use]
    pub fn pop(&mut self) -> Option<(Bytes, Option<Arc<[Reference]>>)> {
        let (length, prefix) = varint::peek(&self.encoded).ok()?;
        let length = usize::try_from(length).ok()?;
        if length > self.encoded.len().checked_sub(prefix)? {
            return None;
        }
        self.encoded.advance(prefix);
        self.count = self.count.saturating_sub(1);
        Some((self.encoded.split_to(length), self.tables.pop()))
    }

    /// The body that begins at an offset into [`ItemBatch::encoded`], and the offset of the next.
    #[inline]
    #[must_use]
    pub fn body_at(&self, offset: usize) -> Option<(&[u8], usize)> {
        let (body, rest) = split_item(self.encoded.get(offset..)?)?;
        Some((body, self.encoded.len().saturating_sub(rest.len())))
    }

    /// The bodies, without taking them off.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest: &[u8] = &self.encoded;
        std::iter::from_fn(move || {
            let (body, after) = split_item(rest)?;
            rest = after;
            Some(body)
        })
    }
}

/// The first body of a batch and what follows it.
#[inline]
fn split_item(batch: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, prefix) = varint::peek(batch).ok()?;
    batch.get(prefix..)?.split_at_checked(usize::try_from(length).ok()?)
}

/// Collects encoded entities into a batch.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    count: u64,
    encoded: BytesMut,
    tables: Tables,
    body: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { encoded: BytesMut::with_capacity(bytes), ..Self::default() }
    }

    /// Appends one entity that is encoded already and has no references.
    #[inline]
    pub fn push(&mut self, body: &[u8]) {
        varint::put(&mut self.encoded, body.len() as u64);
        self.encoded.put_slice(body);
        self.count = self.count.saturating_add(1);
    }

    /// Appends one entity that is encoded already, with what its references point at: at most 128.
    pub fn push_referring(&mut self, body: &[u8], table: impl Into<Arc<[Reference]>>) {
        self.tables.push(self.count, table.into());
        self.push(body);
    }

    /// Appends one entity that `encode` writes, and what its references point at. When it fails
    /// nothing is appended.
    ///
    /// # Errors
    /// Those of `encode`.
    pub fn push_with<E>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>, &mut Vec<Reference>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut body, mut table) = (std::mem::take(&mut self.body), Vec::new());
        body.clear();
        let outcome = encode(&mut body, &mut table);
        if outcome.is_ok() {
            if !table.is_empty() {
                self.tables.push(self.count, Table::from(table));
            }
            self.push(&body);
        }
        self.body = body;
        outcome
    }

    /// Moves all entities of `other` behind its own. The other one keeps its room.
    pub fn append(&mut self, other: &mut Self) {
        self.tables.append(self.count, std::mem::take(&mut other.tables));
        self.count = self.count.saturating_add(std::mem::take(&mut other.count));
        self.encoded.extend_from_slice(&other.encoded);
        other.encoded.clear();
    }

    /// Puts entities back that were finished, before whatever came after them.
    pub fn restore(&mut self, batch: ItemBatch) {
        let behind = self.finish();
        self.count = batch.count.saturating_add(behind.count);
        self.encoded.unsplit(batch.encoded.into());
        self.encoded.extend_from_slice(&behind.encoded);
        self.tables = batch.tables;
        self.tables.append(batch.count, behind.tables);
    }

    /// Entities so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Lengths and bodies so far, as they travel.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// Encoded bytes so far.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.encoded.len()
    }

    /// What credit counts for them, in bytes: the encoded size, and 32 for each reference.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.encoded.len().saturating_add(self.tables.cost())
    }

    /// The batch; the builder is empty afterwards.
    #[must_use]
    pub fn finish(&mut self) -> ItemBatch {
        let count = std::mem::take(&mut self.count);
        let tables = std::mem::take(&mut self.tables);
        ItemBatch { count, encoded: self.encoded.split().freeze(), tables }
    }
}

#[cfg(test)]
mod tests;
