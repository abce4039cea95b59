//! Encoded entities in memory, appended at the end and dropped at the start: what topics and
//! channels are made of.
//!
//! ```text
//!            start                                   end
//!              v                                      v
//!   | block ...... | block | block | block | tail ....   <- push
//! ```
//!
//! Blocks are sealed at 64 KiB, and reads share them. What is read of the tail is copied, since it
//! still grows. The start moves by single entities, memory is let go of by blocks.

use super::items::{SparseIndex, item_end, run_within, take_within};
use super::{Fetched, ReadBudget};
use crate::{Error, Result};
use bytes::{BufMut, Bytes, BytesMut};
use farlens_proto::{Chunk, ItemBatch};
use farlens_wire::{Bounds, Code, Limits, Position, Reference, varint};
use std::{collections::VecDeque, sync::Arc};

/// Encoded bytes of a block. One with a single larger entity has more.
const BLOCK_BYTES: usize = 64 * 1024;

/// A run of encoded entities whose start and end move up.
#[derive(Default)]
pub(super) struct ItemLog {
    sealed: VecDeque<Block>,
    tail: Tail,
    start: u64,
    /// Where entity `start` lies in the first block, or in the tail when there is no block.
    front: usize,
    /// What the references of entities from `start` on point at, with the number of each.
    tables: VecDeque<(u64, Arc<[Reference]>)>,
    /// What is counted for all from `start` to the end.
    bytes: usize,
}

/// A run that no longer grows.
struct Block {
    first: u64,
    encoded: Bytes,
    index: SparseIndex,
}

/// The run that grows.
#[derive(Default)]
struct Tail {
    first: u64,
    encoded: BytesMut,
    index: SparseIndex,
}

/// Entities that a request begins with, to be cut to its budget outside the lock of the log.
pub(super) struct Run {
    encoded: Bytes,
    skip: u64,
    /// By the index of the entity behind those that are skipped.
    tables: Vec<(u64, Arc<[Reference]>)>,
}

/// The bytes that an entity takes up, with its length before it.
pub(super) fn encoded_len(body: &[u8]) -> usize {
    varint::len(body.len() as u64) + body.len()
}

/// What bounds count for an entity: the bytes that it takes up, and 32 for each reference.
pub(super) fn cost(body: &[u8], table: &[Reference]) -> usize {
    encoded_len(body) + table.len() * Limits::REFERENCE_BYTES
}

impl ItemLog {
    /// The number of the first entity that is there.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// The number of entities that were ever appended.
    pub(super) const fn end(&self) -> u64 {
        self.tail.first + self.tail.index.count()
    }

    /// Entities that are there.
    pub(super) const fn len(&self) -> u64 {
        self.end() - self.start
    }

    /// Bytes that are counted for what is there, as [`cost`] does.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// From the first entity that is there to the end.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { start: Position::new(self.start), end: Position::new(self.end()) }
    }

    /// Appends an encoded entity, with what its references point at, and gives its place.
    ///
    /// # Errors
    /// `TOO_LARGE` beyond 2^63-1 entities.
    pub(super) fn push(&mut self, body: &[u8], table: &[Reference]) -> Result<Position> {
        let at = Position::new(self.end()).filter(|at| *at < Position::MAX).ok_or_else(|| {
            Error::new(Code::TOO_LARGE, "a sequence holds at most 2^63-1 elements")
        })?;
        let length = encoded_len(body);
        let filled = self.tail.encoded.len();
        if filled > 0 && filled + length > BLOCK_BYTES {
            self.seal_tail();
        }
        let Tail { encoded, index, .. } = &mut self.tail;
        index.note(encoded.len());
        varint::put(encoded, body.len() as u64);
        encoded.put_slice(body);
        if !table.is_empty() {
            self.tables.push_back((at.get(), table.into()));
        }
        self.bytes += cost(body, table);
        Ok(at)
    }

    fn seal_tail(&mut self) {
        let encoded = BytesMut::with_capacity(BLOCK_BYTES);
        let next = Tail { first: self.end(), encoded, index: SparseIndex::default() };
        let Tail { first, encoded, index } = std::mem::replace(&mut self.tail, next);
        let encoded = without_slack(encoded);
        self.sealed.push_back(Block { first, encoded, index });
    }

    /// Drops what lies before `to`.
    pub(super) fn drop_before(&mut self, to: u64) {
        while self.start < to && self.drop_first() {}
    }

    /// Drops the oldest entity; says whether there was one.
    pub(super) fn drop_first(&mut self) -> bool {
        let encoded = self.sealed.front().map_or(&self.tail.encoded[..], |block| &block.encoded);
        let length = encoded.len();
        let Some(next) = item_end(encoded, self.front) else { return false };
        self.bytes -= next - self.front;
        self.front = next;
        if self.tables.front().is_some_and(|(number, _)| *number == self.start)
            && let Some((_, table)) = self.tables.pop_front()
        {
            self.bytes -= table.len() * Limits::REFERENCE_BYTES;
        }
        self.start += 1;
        if next == length {
            self.front = 0;
            if self.sealed.pop_front().is_none() {
                self.empty_tail();
            }
        }
        true
    }

    /// Starts the tail anew, in the same memory unless that is larger than usual.
    fn empty_tail(&mut self) {
        let mut encoded = std::mem::take(&mut self.tail.encoded);
        encoded.clear();
        if encoded.capacity() > BLOCK_BYTES {
            encoded = BytesMut::new();
        }
        self.tail = Tail { first: self.end(), encoded, index: SparseIndex::default() };
    }

    /// The entities from number `at` on, which must be there. Copies at most a block.
    pub(super) fn run_from(&self, at: u64, budget: ReadBudget) -> Run {
        if at >= self.tail.first {
            let (offset, skip) = self.tail.index.near(at - self.tail.first);
            let run = run_within(&self.tail.encoded, offset, skip, budget);
            let encoded = Bytes::copy_from_slice(&self.tail.encoded[run]);
            return Run { encoded, skip: 0, tables: self.tables_from(at, self.end(), budget) };
        }
        let behind = self.sealed.partition_point(|block| block.first <= at);
        let block = &self.sealed[behind - 1];
        let (offset, skip) = block.index.near(at - block.first);
        let end = self.sealed.get(behind).map_or(self.tail.first, |next| next.first);
        let tables = self.tables_from(at, end, budget);
        Run { encoded: block.encoded.slice(offset..), skip, tables }
    }

    /// The tables of entities from `at` to `end`, up to the first that the budget has no room for.
    fn tables_from(&self, at: u64, end: u64, budget: ReadBudget) -> Vec<(u64, Arc<[Reference]>)> {
        let end = end.min(at.saturating_add(budget.elements));
        let from = self.tables.partition_point(|(number, _)| *number < at);
        let mut tables = Vec::new();
        let mut room = budget.bytes;
        for (number, table) in self.tables.range(from..) {
            if *number >= end {
                break;
            }
            tables.push((number - at, Arc::clone(table)));
            match room.checked_sub(table.len() * Limits::REFERENCE_BYTES) {
                Some(left) => room = left,
                None => break,
            }
        }
        tables
    }
}

impl Run {
    /// The entities that fit into the budget, one at least.
    pub(super) fn cut(self, budget: ReadBudget) -> Result<Fetched> {
        let run = self.encoded.slice(run_within(&self.encoded, 0, self.skip, budget));
        let batch = ItemBatch::parse(run).map(|batch| {
            let count = batch.count();
            let tables = self.tables.into_iter().take_while(move |(index, _)| *index < count);
            batch.with_tables(tables)
        });
        match batch.flatten() {
            Ok(mut batch) if !batch.is_empty() => {
                Ok(Fetched::Some(Chunk::Items(take_within(&mut batch, budget))))
            }
            _ => Err(Error::new(Code::INTERNAL, "the index of a log does not fit its content")),
        }
    }
}

/// Frozen, in memory of about its size: copied if more than an eighth of it is unused.
pub(super) fn without_slack(bytes: BytesMut) -> Bytes {
    if bytes.capacity() - bytes.len() > bytes.len() / 8 {
        return Bytes::copy_from_slice(&bytes);
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ReadBudget = ReadBudget { bytes: 1 << 20, elements: u64::MAX };

    fn body(n: u64) -> Vec<u8> {
        let mut body = n.to_be_bytes().to_vec();
        body.resize(8 + usize::try_from(n * 7 % 400).expect("small"), 0);
        body
    }

    /// The numbers of the entities that one read from `at` gives.
    fn numbers(log: &ItemLog, at: u64, budget: ReadBudget) -> Vec<u64> {
        let fetched = log.run_from(at, budget).cut(budget).expect("it is there");
        let Fetched::Some(Chunk::Items(batch)) = fetched else { panic!("entities") };
        let number = |body: &[u8]| u64::from_be_bytes(body[..8].try_into().expect("eight bytes"));
        batch.iter().map(number).collect()
    }

    #[test]
    fn every_entity_is_read_from_its_place_in_block_and_tail() {
        let mut log = ItemLog::default();
        for n in 0..5_000 {
            assert_eq!(log.push(&body(n), &[]).expect("room").get(), n);
        }
        assert!(log.sealed.len() > 10);
        for at in (0..5_000).step_by(37).chain([4_998, 4_999]) {
            let few = ReadBudget { bytes: 1 << 20, elements: 3 };
            let got = numbers(&log, at, few);
            assert!((1..=3).contains(&got.len()), "fewer where a block or the tail ends");
            assert!(got.iter().copied().eq(at..at + got.len() as u64));
        }
        let mut at = 0;
        while at < 5_000 {
            let got = numbers(&log, at, ALL);
            assert!(got.iter().copied().eq(at..at + got.len() as u64));
            at += got.len() as u64;
        }
    }

    #[test]
    fn dropping_moves_the_start_by_one_and_frees_whole_blocks() {
        let mut log = ItemLog::default();
        let mut sizes = VecDeque::new();
        for n in 0..20_000 {
            log.push(&body(n), &[]).expect("room");
            sizes.push_back(encoded_len(&body(n)));
            if n >= 500 {
                assert!(log.drop_first());
                sizes.pop_front();
            }
            assert_eq!(log.bytes(), sizes.iter().sum::<usize>());
            assert_eq!((log.start(), log.end()), ((n + 1).saturating_sub(500), n + 1));
            let held: usize = log.sealed.iter().map(|block| block.encoded.len()).sum();
            assert!(held + log.tail.encoded.len() <= log.bytes() + BLOCK_BYTES);
        }
        assert_eq!(numbers(&log, log.start(), ALL)[0], log.start());
        log.drop_before(u64::MAX);
        assert_eq!((log.len(), log.bytes(), log.tail.encoded.len()), (0, 0, 0));
        assert!(!log.drop_first());
        assert_eq!(log.push(&body(20_000), &[]).expect("room").get(), 20_000);
        assert_eq!(numbers(&log, 20_000, ALL), [20_000]);
    }

    #[test]
    fn an_entity_larger_than_a_block_has_one_of_its_own() {
        let mut log = ItemLog::default();
        for length in [10, 3 * BLOCK_BYTES, 10, BLOCK_BYTES] {
            log.push(&vec![7; length], &[]).expect("room");
        }
        for (at, length) in [(0, 10), (1, 3 * BLOCK_BYTES), (2, 10), (3, BLOCK_BYTES)] {
            let one = ReadBudget { bytes: 1, elements: 1 };
            let fetched = log.run_from(at, one).cut(one).expect("it is there");
            let Fetched::Some(Chunk::Items(batch)) = fetched else { panic!("entities") };
            assert_eq!(batch.iter().map(<[u8]>::len).collect::<Vec<_>>(), [length]);
        }
    }

    /// How many references entity `n` has.
    fn references(n: u64) -> usize {
        if n.is_multiple_of(3) { (n % 7) as usize } else { 0 }
    }

    fn table(n: u64) -> Vec<Reference> {
        (0..references(n)).map(|_| Reference::new(n)).collect()
    }

    #[test]
    fn tables_are_read_with_their_entities_and_go_with_them() {
        let mut log = ItemLog::default();
        for n in 0..3_000 {
            log.push(&body(n), &table(n)).expect("room");
            if n >= 1_000 {
                assert!(log.drop_first());
            }
        }
        assert!(log.sealed.len() > 2);
        let costs = (2_000..3_000).map(|n| encoded_len(&body(n)) + 32 * references(n));
        assert_eq!(log.bytes(), costs.sum::<usize>());
        for (at, bytes) in (2_000..3_000).zip([1, 300, 1_000, 5_000, 1 << 20].into_iter().cycle()) {
            let budget = ReadBudget { bytes, elements: 1 + at % 50 };
            let fetched = log.run_from(at, budget).cut(budget).expect("it is there");
            let Fetched::Some(Chunk::Items(batch)) = fetched else { panic!("entities") };
            assert!(batch.cost() <= bytes || batch.count() == 1);
            assert!((1..=budget.elements).contains(&batch.count()));
            for (index, n) in (0..batch.count()).zip(at..) {
                let found = batch.table(index);
                assert_eq!(found.len(), references(n), "entity {n}");
                assert!(found.iter().all(|reference| reference.get() == Some(&n)));
            }
        }
        log.drop_before(3_000);
        assert_eq!((log.bytes(), log.tables.len()), (0, 0));
    }
}
