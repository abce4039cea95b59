//! Bytes in memory that can be written, for any number of streams.

use super::{DataState, Fetched, ReadBudget, Stored, StreamerData, fresh_version, wrong_kind};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{Chunk, Kind, Rules};
use farlens_wire::{Bounds, Code, Edge, Flags, ModeOffer, Pos, Position};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::watch;

/// Bytes at most in memory, unless told otherwise.
const CAPACITY: usize = 1 << 30;

/// Bytes in memory whose ends can move. Clones share them.
///
/// Positions are absolute: they stay when the start goes up. Every read and every change copies
/// within memory, under a lock, and waits for nothing else. Nothing survives the process.
#[derive(Clone)]
pub struct MemData {
    shared: Arc<Shared>,
    capacity: usize,
}

struct Shared {
    content: watch::Sender<Content>,
    version: Bytes,
}

struct Content {
    start: u64,
    bytes: VecDeque<u8>,
    /// Counts what made bytes untrue that may have been handed out.
    rewrites: u64,
}

impl MemData {
    /// Begins with these bytes, at position zero. It may hold 1 GiB.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let content = Content { start: 0, bytes: bytes.into().into(), rewrites: 0 };
        let content = watch::Sender::new(content);
        Self { shared: Arc::new(Shared { content, version: fresh_version() }), capacity: CAPACITY }
    }

    /// How many bytes it may hold at a time, when it is written through this value and its clones.
    /// What does not fit is `STORAGE_FULL`.
    #[must_use]
    pub const fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// A copy of what it holds now, from its start to its end.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.shared.content.borrow().bytes.iter().copied().collect()
    }

    fn fetch(&self, at: Position, budget: ReadBudget) -> Fetched {
        let content = self.shared.content.borrow();
        let skip = at.get().checked_sub(content.start).and_then(|skip| usize::try_from(skip).ok());
        let Some(skip) = skip.filter(|skip| *skip < content.bytes.len()) else {
            return Fetched::Nothing;
        };
        let length = budget.byte_count().min(content.bytes.len() - skip);
        let (front, back) = content.bytes.as_slices();
        let mut copy = Vec::with_capacity(length);
        for slice in [front.get(skip..), back.get(skip.saturating_sub(front.len())..)] {
            let rest = slice.unwrap_or_default();
            copy.extend_from_slice(rest.get(..length - copy.len()).unwrap_or(rest));
        }
        Fetched::Some(Chunk::Bytes(Bytes::from(copy)))
    }

    /// Applies a change under the lock, and wakes those who wait for one if it succeeds.
    fn change<T>(&self, apply: impl FnOnce(&mut Content, DataState) -> Result<T>) -> Result<T> {
        let mut outcome = None;
        self.shared.content.send_if_modified(|content| {
            let state = self.shared.state_of(content);
            outcome.insert(apply(content, state)).is_ok()
        });
        outcome.unwrap_or_else(|| Err(Error::new(Code::INTERNAL, "a change was not applied")))
    }

    fn write(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Result<Stored> {
        let Chunk::Bytes(bytes) = chunk else { return Err(wrong_kind()) };
        self.change(|content, state| {
            let room = state.judge_write(rules, to, bytes.len() as u64)?;
            let skip = content.index(room.at)?;
            let fits = usize::try_from(room.elements).unwrap_or(usize::MAX);
            let fits = fits.min(bytes.len()).min(self.capacity.saturating_sub(skip));
            if fits == 0 && !bytes.is_empty() {
                return Err(full());
            }
            content.put(skip, bytes.get(..fits).unwrap_or_default())?;
            Ok(Stored { at: room.at, elements: fits as u64 })
        })
    }

    fn move_end(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        self.change(|content, state| {
            let end = state.bounds.end.unwrap_or_default();
            let at = state.judge_truncate(rules, edge, to)?;
            if at.since(end) > rules.reach.gap {
                // Zeros cost memory here, and time under the lock.
                let text =
                    format!("{at} lies more than {} behind the end at {end}", rules.reach.gap);
                return Err(Error::new(Code::OUT_OF_RANGE, text));
            }
            let length = content.index(at)?;
            match edge {
                Edge::Before => {
                    content.bytes.drain(..length.min(content.bytes.len()));
                    content.start = at.get();
                }
                Edge::After if length > self.capacity => return Err(full()),
                Edge::After => content.set_len(length)?,
            }
            Ok(at)
        })
    }
}

impl Shared {
    fn state_of(&self, content: &Content) -> DataState {
        let place = |n| Position::new(n).unwrap_or(Position::MAX);
        let end = place(content.start.saturating_add(content.bytes.len() as u64));
        let version = [&self.version[..], &content.rewrites.to_be_bytes()].concat();
        DataState {
            bounds: Bounds { start: Some(place(content.start)), end: Some(end) },
            version: Bytes::from(version),
            ended: false,
        }
    }

    fn state(&self) -> DataState {
        self.state_of(&self.content.borrow())
    }
}

impl Content {
    /// Where the byte at a position lies, which is not before the start.
    fn index(&self, at: Position) -> Result<usize> {
        usize::try_from(at.get().saturating_sub(self.start)).map_err(|_| full())
    }

    /// Cuts it, or lengthens it with zeros.
    fn set_len(&mut self, length: usize) -> Result<()> {
        self.reserve(length)?;
        self.rewrites += u64::from(length < self.bytes.len());
        self.bytes.resize(length, 0);
        Ok(())
    }

    /// Writes over what is there and appends the rest, behind zeros where a gap lies between.
    fn put(&mut self, skip: usize, bytes: &[u8]) -> Result<()> {
        self.reserve(skip.saturating_add(bytes.len()))?;
        if self.bytes.len() < skip {
            self.bytes.resize(skip, 0);
        }
        let (over, behind) = bytes.split_at(bytes.len().min(self.bytes.len() - skip));
        self.rewrites += u64::from(!over.is_empty());
        for (old, new) in self.bytes.range_mut(skip..skip + over.len()).zip(over) {
            *old = *new;
        }
        self.bytes.extend(behind);
        Ok(())
    }

    fn reserve(&mut self, length: usize) -> Result<()> {
        let more = length.saturating_sub(self.bytes.len());
        self.bytes.try_reserve(more).map_err(|error| full().with_source(error))
    }
}

impl StreamerData for MemData {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        let start = Flags::START_CAN_INC | Flags::CAN_MOVE_START | Flags::START_LOCK;
        let end = Flags::END_CAN_INC | Flags::END_CAN_DEC | Flags::CAN_MOVE_END | Flags::END_LOCK;
        let data = Flags::READABLE | Flags::WRITABLE | Flags::SEEK | Flags::DATA_LOCK;
        ModeOffer {
            required: Flags::START_BOUNDED | Flags::END_BOUNDED,
            possible: data | start | end,
        }
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.shared.state())
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        Some(Ok(self.shared.state()))
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        Ok(self.fetch(at, budget))
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        Some(Ok(self.fetch(at, budget)))
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        self.write(to, &chunk, rules)
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        Some(self.write(to, chunk, rules))
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        self.move_end(edge, to, rules)
    }

    async fn changed(&self, seen: DataState) -> DataState {
        let mut news = self.shared.content.subscribe();
        let differs = |content: &Content| self.shared.state_of(content) != seen;
        // It fails only once the sender is gone, which is held here.
        let _ = news.wait_for(differs).await;
        self.shared.state()
    }
}

impl std::fmt::Debug for MemData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemData").field("state", &self.shared.state()).finish_non_exhaustive()
    }
}

fn full() -> Error {
    Error::new(Code::STORAGE_FULL, "the memory for this data is used up")
}

#[cfg(test)]
mod tests;
