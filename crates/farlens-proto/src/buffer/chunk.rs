//! A run of consecutive elements: bytes, or encoded entities. Only here do positions meet data.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use farlens_wire::{Kind, varint};

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

    /// The encoded size that credit counts, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Items(batch) => batch.encoded().len(),
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
/// an entity is judged by whoever decodes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemBatch {
    count: u64,
    encoded: Bytes,
}

/// The bytes are no batch: a length is malformed or exceeds what is there.
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
        Ok(Self { count, encoded })
    }

    /// A batch whose count and lengths come from batches that were checked.
    pub(crate) const fn trusted(count: u64, encoded: Bytes) -> Self {
        Self { count, encoded }
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
        self.count = self.count.saturating_sub(count);
        Self { count, encoded: self.encoded.split_to(used) }
    }

    /// Takes everything behind the first `count` entities off.
    #[must_use]
    pub fn split_off(&mut self, count: u64) -> Self {
        let first = self.split_to(count);
        std::mem::replace(self, first)
    }

    /// The longest run from the front that fits into `bytes`; empty when the first does not.
    #[must_use]
    pub fn split_fitting(&mut self, bytes: usize) -> Self {
        if self.encoded.len() <= bytes {
            return std::mem::take(self);
        }
        let mut rest: &[u8] = &self.encoded;
        let mut fitting = 0u64;
        while let Some((_, after)) = split_item(rest) {
            if self.encoded.len().saturating_sub(after.len()) > bytes {
                break;
            }
            rest = after;
            fitting = fitting.saturating_add(1);
        }
        self.split_to(fitting)
    }

    /// The length of the first entity with its prefix, in bytes.
    #[must_use]
    pub fn first_encoded_len(&self) -> usize {
        split_item(&self.encoded)
            .map_or(0, |(_, rest)| self.encoded.len().saturating_sub(rest.len()))
    }

    /// The length of the last entity with its prefix, in bytes. Costs one step an entity.
    #[must_use]
    pub fn last_encoded_len(&self) -> usize {
        let mut rest: &[u8] = &self.encoded;
        let mut last = 0;
        while let Some((_, after)) = split_item(rest) {
            last = rest.len().saturating_sub(after.len());
            rest = after;
        }
        last
    }

    /// Takes the body of the first entity off.
    #[must_use]
    pub fn pop(&mut self) -> Option<Bytes> {
        let (length, prefix) = varint::peek(&self.encoded).ok()?;
        let length = usize::try_from(length).ok()?;
        if length > self.encoded.len().checked_sub(prefix)? {
            return None;
        }
        self.encoded.advance(prefix);
        self.count = self.count.saturating_sub(1);
        Some(self.encoded.split_to(length))
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
    body: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { count: 0, encoded: BytesMut::with_capacity(bytes), body: Vec::new() }
    }

    /// Appends one entity that is encoded already.
    pub fn push(&mut self, body: &[u8]) {
        varint::put(&mut self.encoded, body.len() as u64);
        self.encoded.put_slice(body);
        self.count = self.count.saturating_add(1);
    }

    /// Appends one entity that `encode` writes. When it fails nothing is appended.
    ///
    /// # Errors
    /// Those of `encode`.
    pub fn push_with<E>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let outcome = encode(&mut body);
        if outcome.is_ok() {
            self.push(&body);
        }
        self.body = body;
        outcome
    }

    /// Puts entities back that were finished, before whatever came after them.
    pub fn restore(&mut self, batch: ItemBatch) {
        let behind = self.finish();
        self.count = batch.count.saturating_add(behind.count);
        self.encoded.unsplit(batch.encoded.into());
        self.encoded.extend_from_slice(&behind.encoded);
    }

    /// Entities so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Encoded bytes so far.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.encoded.len()
    }

    /// The batch; the builder is empty afterwards.
    #[must_use]
    pub fn finish(&mut self) -> ItemBatch {
        let count = std::mem::take(&mut self.count);
        ItemBatch { count, encoded: self.encoded.split().freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bodies: &[&[u8]]) -> ItemBatch {
        let mut builder = BatchBuilder::default();
        for body in bodies {
            builder.push(body);
        }
        builder.finish()
    }

    #[test]
    fn f7_splitting_and_joining_loses_nothing() {
        let bodies: [&[u8]; 4] = [b"", b"a", b"bc", b"def"];
        for n in 0..=5 {
            let mut rest = batch(&bodies);
            let first = rest.split_to(n);
            let all: Vec<_> = first.iter().chain(rest.iter()).collect();
            assert_eq!(all, bodies, "split at {n}");
            assert_eq!(first.count() + rest.count(), 4);
        }
    }

    #[test]
    fn a_batch_splits_where_it_fits() {
        let mut rest = batch(&[b"aa", b"bb", b"cc"]);
        assert_eq!(rest.split_fitting(7).count(), 2);
        assert_eq!(rest.split_fitting(2).count(), 0);
        assert_eq!(rest.split_fitting(3).count(), 1);
    }

    #[test]
    fn lying_lengths_are_refused() {
        for bytes in [&[1u8][..], &[0x80], &[0x80, 0], &[0xff, 0xff, 0xff, 0xff, 0x0f, 1]] {
            assert_eq!(ItemBatch::parse(Bytes::copy_from_slice(bytes)), Err(BadBatch));
        }
    }
}
