//! The index of a spool: which elements lie in which block, and where the block is.

use crate::data::ended::Ended;
use crate::data::items::{SparseIndex, run_within};
use crate::data::log::without_slack;
use crate::data::{Fetched, ReadBudget, out_of_range};
use crate::{Error, Result};
use bytes::{BufMut, Bytes, BytesMut};
use farlens_proto::{Chunk, ItemBatch, Kind};
use farlens_wire::{Bounds, Code, Position, varint};

/// Bytes after which the tail becomes a block. A block is longer only by its last entity.
const BLOCK_BYTES: usize = 64 * 1024;

/// A run of bytes in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnDisk {
    pub(super) offset: u64,
    pub(super) length: usize,
}

/// Where the elements of a request are.
pub(super) enum Found {
    /// Here, or nowhere ever.
    Answer(Result<Fetched>),
    /// In the file, after so many entities of the run.
    Disk(OnDisk, u64),
    /// Not produced yet.
    Nothing,
}

/// Everything that was pushed.
pub(super) struct Log {
    kind: Kind,
    blocks: Vec<Block>,
    tail: Tail,
    pub(super) ended: Option<Ended>,
}

/// A run of elements that no longer grows.
struct Block {
    first: u64,
    place: Place,
    index: SparseIndex,
}

enum Place {
    Memory(Bytes),
    Disk(OnDisk),
}

/// The run that grows.
#[derive(Default)]
struct Tail {
    first: u64,
    elements: u64,
    encoded: BytesMut,
    index: SparseIndex,
}

impl Log {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, blocks: Vec::new(), tail: Tail::default(), ended: None }
    }

    /// From zero to the end as it is.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds::up_to(Position::new(self.end()).unwrap_or(Position::MAX))
    }

    fn end(&self) -> u64 {
        self.tail.first + self.tail.elements
    }

    /// Appends to the tail; whether it is to be sealed.
    pub(super) fn push(&mut self, element: &[u8]) -> Result<bool> {
        let added = match self.kind {
            Kind::Bytes => element.len() as u64,
            Kind::Items => 1,
        };
        if self.end().checked_add(added).and_then(Position::new).is_none() {
            return Err(Error::new(Code::TOO_LARGE, "a sequence holds at most 2^63-1 elements"));
        }
        if self.kind == Kind::Items {
            self.tail.index.note(self.tail.encoded.len());
            varint::put(&mut self.tail.encoded, element.len() as u64);
        }
        self.tail.encoded.put_slice(element);
        self.tail.elements += added;
        Ok(self.tail.encoded.len() >= BLOCK_BYTES)
    }

    /// Makes a block of the tail: its number and its bytes.
    pub(super) fn seal_tail(&mut self) -> (usize, Bytes) {
        let next = Tail { first: self.end(), ..Tail::default() };
        let tail = std::mem::replace(&mut self.tail, next);
        let encoded = without_slack(tail.encoded);
        let place = Place::Memory(encoded.clone());
        self.blocks.push(Block { first: tail.first, place, index: tail.index });
        (self.blocks.len() - 1, encoded)
    }

    /// Lets go of the memory of a block that the file holds.
    pub(super) fn moved_to_disk(&mut self, block: usize, place: OnDisk) {
        self.blocks[block].place = Place::Disk(place);
    }

    /// Looks for the elements from `at` on.
    pub(super) fn find(&self, at: Position, budget: ReadBudget) -> Found {
        let at_element = at.get();
        if at_element > self.end() {
            return Found::Answer(Err(out_of_range(at, self.bounds())));
        }
        if at_element == self.end() {
            let ended = self.ended.as_ref();
            return ended.map_or(Found::Nothing, |ended| Found::Answer(ended.answer()));
        }
        if at_element >= self.tail.first {
            return self.tail.find(self.kind, at_element, budget);
        }
        let behind = self.blocks.partition_point(|block| block.first <= at_element);
        self.blocks[behind - 1].find(self.kind, at_element, budget)
    }
}

impl Block {
    fn find(&self, kind: Kind, at: u64, budget: ReadBudget) -> Found {
        let (offset, skip) = locate(kind, &self.index, at - self.first);
        match &self.place {
            Place::Memory(bytes) => answer(cut(kind, &bytes.slice(offset..), skip, budget)),
            Place::Disk(place) => {
                let length = place.length - offset;
                Found::Disk(OnDisk { offset: place.offset + offset as u64, length }, skip)
            }
        }
    }
}

impl Tail {
    /// Copies at most a block, since what it lies in still grows.
    fn find(&self, kind: Kind, at: u64, budget: ReadBudget) -> Found {
        let (offset, skip) = locate(kind, &self.index, at - self.first);
        let rest = &self.encoded[offset..];
        let run = run_of(kind, rest, skip, budget);
        let copy = Bytes::copy_from_slice(&rest[run]);
        answer(cut(kind, &copy, 0, budget))
    }
}

/// The offset to start at for the nth element of a run, and how many entities to skip from there.
fn locate(kind: Kind, index: &SparseIndex, n: u64) -> (usize, u64) {
    match kind {
        Kind::Bytes => (usize::try_from(n).expect("a run lies in memory or is a block"), 0),
        Kind::Items => index.near(n),
    }
}

fn run_of(kind: Kind, encoded: &[u8], skip: u64, budget: ReadBudget) -> std::ops::Range<usize> {
    match kind {
        Kind::Bytes => 0..encoded.len().min(budget.byte_count()),
        Kind::Items => run_within(encoded, 0, skip, budget),
    }
}

/// The elements of a run after `skip` entities, within `budget`; `None` when not even one is whole.
pub(super) fn cut(kind: Kind, encoded: &Bytes, skip: u64, budget: ReadBudget) -> Option<Chunk> {
    let run = encoded.slice(run_of(kind, encoded, skip, budget));
    let chunk = match kind {
        Kind::Bytes => Chunk::Bytes(run),
        Kind::Items => Chunk::Items(ItemBatch::parse(run).ok()?),
    };
    (!chunk.is_empty()).then_some(chunk)
}

fn answer(chunk: Option<Chunk>) -> Found {
    Found::Answer(chunk.map(Fetched::Some).ok_or_else(|| {
        Error::new(Code::INTERNAL, "the index of the spool does not fit its content")
    }))
}

#[cfg(test)]
impl Log {
    /// Bytes held in memory, and what the tail has room for.
    pub(super) fn memory(&self) -> (usize, usize) {
        let sealed = self.blocks.iter().map(|block| match &block.place {
            Place::Memory(bytes) => bytes.len(),
            Place::Disk(_) => 0,
        });
        (sealed.sum::<usize>() + self.tail.encoded.len(), self.tail.encoded.capacity())
    }
}
