//! A run of elements, as plain as it can be.

use crate::pattern::{self, Sizes};
use bytes::Bytes;
use farlens_proto::{BatchBuilder, Chunk};
use farlens_wire::Kind;

/// Bytes, or the bodies of entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elements {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Entities.
    Items(Vec<Bytes>),
}

impl Elements {
    /// No elements of this kind.
    #[must_use]
    pub const fn none(kind: Kind) -> Self {
        match kind {
            Kind::Bytes => Self::Bytes(Vec::new()),
            Kind::Items => Self::Items(Vec::new()),
        }
    }

    /// What fills the space between an end and what is written behind it.
    #[must_use]
    pub fn filler(kind: Kind, count: u64) -> Self {
        match kind {
            Kind::Bytes => Self::Bytes(vec![0; count as usize]),
            Kind::Items => Self::Items(vec![Bytes::new(); count as usize]),
        }
    }

    /// The elements of a pattern from a position on.
    #[must_use]
    pub fn pattern(kind: Kind, seed: u64, sizes: Sizes, from: u64, count: u64) -> Self {
        match kind {
            Kind::Bytes => Self::Bytes(pattern::bytes(seed, from, count as usize).to_vec()),
            Kind::Items => {
                Self::Items((from..from + count).map(|n| pattern::entity(seed, n, sizes)).collect())
            }
        }
    }

    /// What a chunk carries.
    #[must_use]
    pub fn of(chunk: &Chunk) -> Self {
        match chunk {
            Chunk::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Chunk::Items(batch) => Self::Items(batch.iter().map(Bytes::copy_from_slice).collect()),
        }
    }

    /// What they are.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Bytes(_) => Kind::Bytes,
            Self::Items(_) => Kind::Items,
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Items(items) => items.len() as u64,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements at `from` and before `to`.
    #[must_use]
    pub fn slice(&self, from: u64, to: u64) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes[from as usize..to as usize].to_vec()),
            Self::Items(items) => Self::Items(items[from as usize..to as usize].to_vec()),
        }
    }

    /// As a chunk: from `from` and before `to`, as many as fit into `bytes`, and one at least.
    #[must_use]
    pub fn chunk(&self, from: u64, to: u64, bytes: usize) -> Chunk {
        match self {
            Self::Bytes(all) => {
                let to = (from as usize + bytes).min(to as usize);
                Chunk::Bytes(Bytes::copy_from_slice(&all[from as usize..to]))
            }
            Self::Items(all) => {
                let mut batch = BatchBuilder::default();
                for body in &all[from as usize..to as usize] {
                    let prefix = farlens_wire::varint::len(body.len() as u64);
                    let fits = batch.encoded_len() + prefix + body.len() <= bytes;
                    if batch.count() > 0 && !fits {
                        break;
                    }
                    batch.push(body);
                }
                Chunk::Items(batch.finish())
            }
        }
    }

    /// Puts `run` behind them.
    pub fn append(&mut self, run: &Self) {
        match (self, run) {
            (Self::Bytes(all), Self::Bytes(run)) => all.extend_from_slice(run),
            (Self::Items(all), Self::Items(run)) => all.extend_from_slice(run),
            _ => panic!("elements of two kinds"),
        }
    }

    /// Puts `run` over what is at `at` and behind; `at` is at most their number.
    pub fn put(&mut self, at: u64, run: &Self) {
        let behind = (at + run.len()).min(self.len());
        let rest = self.slice(behind, self.len());
        self.truncate(at);
        self.append(run);
        self.append(&rest);
    }

    /// Keeps the first `count`.
    pub fn truncate(&mut self, count: u64) {
        match self {
            Self::Bytes(all) => all.truncate(count as usize),
            Self::Items(all) => all.truncate(count as usize),
        }
    }

    /// Whether `count` elements from `at` on are those of `other` from `there` on.
    #[must_use]
    pub fn equals(&self, at: u64, other: &Self, there: u64, count: u64) -> bool {
        let (here, there) = (at as usize..(at + count) as usize, there as usize);
        let there = there..there + count as usize;
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a[here] == b[there],
            (Self::Items(a), Self::Items(b)) => a[here] == b[there],
            _ => false,
        }
    }
}
