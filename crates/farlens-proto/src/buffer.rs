//! The bounded queue between a stream and its user, for bytes and entities alike.
//!
//! Whoever fills it has checked the credit, so the window bounds it. Small chunks are joined into
//! blocks of their own, so that a crumb never pins the large block of which it is a slice.

pub(crate) mod chunk;
pub(crate) mod tables;

use bytes::BytesMut;
use chunk::{Chunk, ItemBatch};
use farlens_wire::Kind;
use std::collections::VecDeque;
use tables::Tables;

/// Chunks shorter than this are copied together; also the size of the blocks they are copied to.
pub(crate) const JOIN_BYTES: usize = 16 << 10;

/// A queue of consecutive elements.
#[derive(Debug, Default)]
pub(crate) struct StreamBuffer {
    chunks: VecDeque<Chunk>,
    /// Crumbs, behind all of `chunks`.
    tail: Option<Box<Tail>>,
    elements: u64,
    cost: usize,
}

#[derive(Debug)]
struct Tail {
    items: Option<u64>,
    bytes: BytesMut,
    tables: Tables,
}

impl Tail {
    fn new(kind: Kind, bytes: BytesMut) -> Self {
        let items = (kind == Kind::Items).then_some(0);
        Self { items, bytes, tables: Tables::default() }
    }

    fn add(&mut self, chunk: Chunk) {
        match (chunk, &mut self.items) {
            (Chunk::Bytes(bytes), _) => self.bytes.extend_from_slice(&bytes),
            (Chunk::Items(batch), items) => {
                let before = items.unwrap_or_default();
                self.bytes.extend_from_slice(batch.encoded());
                *items = Some(before.saturating_add(batch.count()));
                self.tables.append(before, batch.into_tables());
            }
        }
    }

    fn cost(&self) -> usize {
        self.bytes.len().saturating_add(self.tables.cost())
    }

    fn freeze(self) -> Chunk {
        let bytes = self.bytes.freeze();
        match self.items {
            None => Chunk::Bytes(bytes),
            Some(count) => Chunk::Items(ItemBatch::trusted(count, bytes, self.tables)),
        }
    }
}

impl StreamBuffer {
    /// Elements in it.
    pub(crate) const fn elements(&self) -> u64 {
        self.elements
    }

    /// What credit counts for all that is in it, in bytes.
    pub(crate) const fn cost(&self) -> usize {
        self.cost
    }

    /// What it holds, if it holds something.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let tail =
            || self.tail.as_ref().map(|tail| tail.items.map_or(Kind::Bytes, |_| Kind::Items));
        self.chunks.front().map(Chunk::kind).or_else(tail)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.elements == 0
    }

    /// Adds a chunk of the same kind as those before.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        let (elements, length) = (chunk.elements(), chunk.cost());
        if elements == 0 {
            return;
        }
        self.elements = self.elements.saturating_add(elements);
        self.cost = self.cost.saturating_add(length);
        if length >= JOIN_BYTES {
            self.settle_tail();
            self.chunks.push_back(chunk);
        } else {
            self.join(chunk, length);
        }
    }

    fn join(&mut self, chunk: Chunk, length: usize) {
        let full = |tail: &Tail| tail.cost().saturating_add(length) > JOIN_BYTES;
        if self.tail.as_deref().is_some_and(full) {
            self.settle_tail();
        }
        let kind = chunk.kind();
        let tail = self.tail.get_or_insert_with(|| Box::new(Tail::new(kind, BytesMut::new())));
        // Copied on purpose: a small slice would keep its whole block alive.
        tail.add(chunk);
    }

    fn settle_tail(&mut self) {
        if let Some(tail) = self.tail.take() {
            self.chunks.push_back(tail.freeze());
        }
    }

    /// Takes a chunk of at most `max` elements off the front.
    pub(crate) fn pop(&mut self, max: u64) -> Option<Chunk> {
        if self.chunks.is_empty() {
            self.settle_tail();
        }
        let front = self.chunks.front_mut()?;
        let taken =
            if front.elements() <= max { self.chunks.pop_front()? } else { front.split_to(max) };
        self.account_out(&taken);
        Some(taken)
    }

    /// Takes what lies at the front as one chunk, joined from several up to a cost of `max` bytes:
    /// one large piece of work costs less than many small ones. Batches of entities stay whole.
    pub(crate) fn pop_joined(&mut self, max: usize) -> Option<Chunk> {
        let splits = self.kind() == Some(Kind::Bytes);
        let within = |room: usize| if splits { room as u64 } else { u64::MAX };
        let first = self.pop(within(max))?;
        if self.is_empty() || first.cost() >= max {
            return Some(first);
        }
        let room = max.min(first.cost().saturating_add(self.cost));
        let mut all = Tail::new(first.kind(), BytesMut::with_capacity(room));
        all.add(first);
        while all.cost() < max
            && let Some(next) = self.pop(within(max.saturating_sub(all.cost())))
        {
            if all.cost().saturating_add(next.cost()) > max {
                self.unpop(next);
                break;
            }
            all.add(next);
        }
        Some(all.freeze())
    }

    /// Takes entities off the front that fit into `bytes`; nothing when the first does not.
    pub(crate) fn pop_fitting(&mut self, bytes: usize) -> Option<ItemBatch> {
        if self.chunks.is_empty() {
            self.settle_tail();
        }
        let Chunk::Items(front) = self.chunks.front_mut()? else { return None };
        let taken = front.split_fitting(bytes);
        if front.is_empty() {
            self.chunks.pop_front();
        }
        if taken.is_empty() {
            return None;
        }
        let taken = Chunk::Items(taken);
        self.account_out(&taken);
        match taken {
            Chunk::Items(batch) => Some(batch),
            Chunk::Bytes(_) => None,
        }
    }

    /// Puts back what was just taken.
    pub(crate) fn unpop(&mut self, chunk: Chunk) {
        if !chunk.is_empty() {
            self.elements = self.elements.saturating_add(chunk.elements());
            self.cost = self.cost.saturating_add(chunk.cost());
            self.chunks.push_front(chunk);
        }
    }

    fn account_out(&mut self, taken: &Chunk) {
        self.elements = self.elements.saturating_sub(taken.elements());
        self.cost = self.cost.saturating_sub(taken.cost());
    }

    /// Keeps the first `elements`.
    pub(crate) fn truncate(&mut self, elements: u64) {
        let mut kept = Self::default();
        while let Some(chunk) = self.pop(elements.saturating_sub(kept.elements)) {
            if chunk.is_empty() {
                break;
            }
            kept.push(chunk);
        }
        *self = kept;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn pattern(from: u64, length: usize) -> Bytes {
        (from..from + length as u64).map(|n| (n * 7 % 251) as u8).collect::<Vec<_>>().into()
    }

    proptest! {
        #[test]
        fn f7_what_goes_in_comes_out(
            pushes in prop::collection::vec(1usize..40_000, 1..12),
            pops in prop::collection::vec(1u64..50_000, 1..40),
        ) {
            let mut buffer = StreamBuffer::default();
            let mut pushed = 0u64;
            for length in pushes {
                buffer.push(Chunk::Bytes(pattern(pushed, length)));
                pushed += length as u64;
            }
            prop_assert_eq!(buffer.elements(), pushed);
            let mut popped = 0u64;
            for max in pops.into_iter().cycle() {
                let Some(Chunk::Bytes(bytes)) = buffer.pop(max) else { break };
                prop_assert!(!bytes.is_empty() && bytes.len() as u64 <= max);
                prop_assert_eq!(&bytes, &pattern(popped, bytes.len()));
                popped += bytes.len() as u64;
            }
            prop_assert_eq!(popped, pushed);
            prop_assert_eq!((buffer.elements(), buffer.cost()), (0, 0));
        }
    }

    #[test]
    fn what_is_joined_is_what_was_pushed() {
        let mut buffer = StreamBuffer::default();
        for n in 0..20 {
            buffer.push(Chunk::Bytes(pattern(n * 30_000, 30_000)));
        }
        let mut at = 0;
        while let Some(Chunk::Bytes(bytes)) = buffer.pop_joined(100_000) {
            assert_eq!(bytes, pattern(at, bytes.len()));
            assert_eq!(bytes.len(), 100_000);
            at += bytes.len() as u64;
        }
        assert_eq!((at, buffer.cost()), (600_000, 0));
    }

    #[test]
    fn what_is_cut_off_is_gone() {
        for kept in [0, 1, 20_000, 39_999, 50_000] {
            let mut buffer = StreamBuffer::default();
            buffer.push(Chunk::Bytes(pattern(0, 20_000)));
            buffer.push(Chunk::Bytes(pattern(20_000, 20_000)));
            buffer.truncate(kept);
            let mut left = Vec::new();
            while let Some(Chunk::Bytes(bytes)) = buffer.pop(u64::MAX) {
                left.extend_from_slice(&bytes);
            }
            assert_eq!(left, pattern(0, kept.min(40_000) as usize), "{kept}");
        }
    }

    #[test]
    fn a_crumb_does_not_pin_its_block() {
        let block = pattern(0, 65_536);
        let mut buffer = StreamBuffer::default();
        buffer.push(Chunk::Bytes(block.slice(10..20)));
        let Some(Chunk::Bytes(crumb)) = buffer.pop(u64::MAX) else { panic!("ten bytes") };
        assert_eq!(crumb, block.slice(10..20));
        assert!(block.is_unique());
    }
}
