//! What the data should hold: the elements one by one, in a vector.

use crate::data::Stored;
use bytes::Bytes;
use farlens_proto::{BatchBuilder, Chunk, Kind};
use farlens_wire::{Pos, Position};
use std::collections::VecDeque;

/// The data as it should be.
#[derive(Clone, Debug)]
pub(super) struct Model {
    kind: Kind,
    start: u64,
    /// Nothing where any element will do: a gap that was left between entities.
    elements: VecDeque<Option<Bytes>>,
}

impl Model {
    pub(super) fn new(kind: Kind, start: u64, elements: impl IntoIterator<Item = Bytes>) -> Self {
        Self { kind, start, elements: elements.into_iter().map(Some).collect() }
    }

    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn end(&self) -> u64 {
        self.start + self.elements.len() as u64
    }

    pub(super) fn middle(&self) -> u64 {
        self.start + self.elements.len() as u64 / 2
    }

    /// The element at a position, if one should be there and it is known which.
    fn at(&self, position: u64) -> Option<&Bytes> {
        let index = usize::try_from(position.checked_sub(self.start)?).ok()?;
        self.elements.get(index)?.as_ref()
    }

    /// The first of these elements, found at `from`, that is not what it should be.
    pub(super) fn first_wrong(&self, from: u64, found: &[Bytes]) -> Option<u64> {
        let mut places = (from..).zip(found);
        places.find(|(place, got)| self.at(*place).is_some_and(|want| want != *got)).map(|at| at.0)
    }

    pub(super) fn place(&self, to: Pos) -> Option<u64> {
        match to {
            Pos::Abs(at) => Some(at.get()),
            Pos::FromStart(by) => self.start.checked_add_signed(by),
            Pos::FromEnd(by) => self.end().checked_add_signed(by),
        }
    }

    pub(super) fn push(&mut self, elements: impl IntoIterator<Item = Bytes>) {
        self.elements.extend(elements.into_iter().map(Some));
    }

    /// What a write stored: over what is there, and behind it.
    pub(super) fn put(&mut self, stored: Stored, elements: &[Bytes]) {
        let count = usize::try_from(stored.elements).unwrap_or(usize::MAX);
        self.set_end(self.end().max(stored.at.get()));
        let first = usize::try_from(stored.at.get() - self.start).unwrap_or(usize::MAX);
        for (index, element) in (first..).zip(elements.iter().take(count)) {
            match self.elements.get_mut(index) {
                Some(old) => *old = Some(element.clone()),
                None => self.elements.push_back(Some(element.clone())),
            }
        }
    }

    /// Cuts the end, or moves it up behind zeros.
    pub(super) fn set_end(&mut self, end: u64) {
        let filler = (self.kind == Kind::Bytes).then(|| Bytes::from_static(&[0]));
        let length = usize::try_from(end.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.elements.resize(length, filler);
    }

    pub(super) fn set_start(&mut self, start: u64) {
        while self.start < start {
            self.start += 1;
            self.elements.pop_front();
        }
    }
}

/// The elements of a chunk one by one: single bytes, or the bodies of entities.
pub(super) fn elements_of(chunk: &Chunk) -> Vec<Bytes> {
    match chunk {
        Chunk::Bytes(bytes) => (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect(),
        Chunk::Items(batch) => batch.iter().map(Bytes::copy_from_slice).collect(),
    }
}

/// The reverse.
pub(super) fn chunk_of(kind: Kind, elements: &[Bytes]) -> Chunk {
    match kind {
        Kind::Bytes => Chunk::Bytes(elements.concat().into()),
        Kind::Items => {
            let mut batch = BatchBuilder::default();
            for element in elements {
                batch.push(element);
            }
            Chunk::Items(batch.finish())
        }
    }
}

pub(super) fn position(n: u64) -> Position {
    Position::new(n).unwrap_or(Position::MAX)
}
