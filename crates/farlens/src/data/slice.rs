//! A part of other data, with positions of its own.
//!
//! ```text
//!   source   0 ......... start =============== end ............
//!   slice                0 ................... end - start
//! ```
//!
mod aim;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use window::Window;

use super::{DataState, Fetched, ReadBudget, Stored, StreamerData, erased::ErasedData};
use crate::{Error, Result};
use farlens_proto::{Chunk, Kind, Rules};
use farlens_wire::{Code, Edge, Flags, ModeOffer, Pos, Position, schema::SchemaDoc};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The elements of a window of other data.
pub(crate) struct Slice {
    data: Arc<dyn ErasedData>,
    window: Window,
    /// Whether the source can be written at all.
    writable: bool,
    /// Nobody changes the source; where it shows no end it has none.
    fixed: bool,
    /// The source's end never goes down.
    end_stays: bool,
    /// The source was seen to reach the end of the window, and its end stays.
    full: AtomicBool,
}

/// As little as a read can ask for.
const ONE: ReadBudget = ReadBudget { bytes: 1, elements: 1 };

impl Slice {
    pub(crate) fn new(data: Arc<dyn ErasedData>, window: Window) -> Self {
        let ModeOffer { required, possible } = data.offers();
        let fixed = required.has(Flags::FIXED_DATA);
        let all = required | possible;
        let (writable, end_stays) = (all.has(Flags::WRITABLE), !all.has(Flags::END_CAN_DEC));
        Self { data, window, writable, fixed, end_stays, full: AtomicBool::new(false) }
    }

    /// What the slice looks like over a source that looks like this.
    fn view(&self, source: &DataState) -> DataState {
        let mut bounds = source.bounds;
        if self.fixed {
            bounds.end = bounds.end.or(self.window.end());
        }
        if self.window.end().is_some_and(|last| bounds.end.is_some_and(|end| end >= last)) {
            self.note_full();
        }
        let full = self.full.load(Ordering::Relaxed);
        if full {
            bounds.end = self.window.end();
        }
        let bounds = self.window.bounds(bounds);
        DataState { bounds, version: source.version.clone(), ended: source.ended || full }
    }

    fn note_full(&self) {
        if self.end_stays {
            self.full.store(true, Ordering::Relaxed);
        }
    }

    /// Where a read begins in the source, and how much of it lies inside; nothing outside.
    fn inside(&self, at: Position, budget: ReadBudget) -> Option<(Position, ReadBudget)> {
        let below = self.window.below(at)?;
        let Some(length) = self.window.len() else { return Some((below, budget)) };
        let rest = length.checked_sub(at.get()).filter(|rest| *rest > 0)?;
        Some((below, ReadBudget { elements: budget.elements.min(rest), ..budget }))
    }

    /// What was read at a place of the source, without what lies outside.
    fn cut(&self, below: Position, fetched: Fetched) -> Fetched {
        let Fetched::Some(mut chunk) = fetched else { return Fetched::Nothing };
        let rest = self.window.end().map_or(u64::MAX, |end| end.since(below));
        if chunk.elements() >= rest {
            self.note_full();
        }
        if chunk.elements() > rest {
            chunk = chunk.split_to(rest);
        }
        Fetched::Some(chunk)
    }

    /// What to make of a source that refuses a place: an error, unless it ends before that. Says
    /// whether to try again; then it ended before the slice, and has grown since. It is waited for
    /// where it lets its readers wait.
    async fn approach(&self, below: Position, refusal: Error) -> Result<bool> {
        let DataState { bounds, ended, .. } = self.data.state().await?;
        match bounds.end {
            Some(end) if end < self.window.start() && !ended => {
                Ok(matches!(self.data.read_at(end, ONE).await?, Fetched::Some(_)))
            }
            Some(end) if end <= below => Ok(false),
            _ => Err(refusal),
        }
    }
}

impl StreamerData for Slice {
    fn kind(&self) -> Kind {
        self.data.kind()
    }

    fn offers(&self) -> ModeOffer {
        self.window.offer(self.data.offers())
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.data.schema()
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.view(&self.data.state().await?))
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        Some(self.data.state_now()?.map(|source| self.view(&source)))
    }

    fn is_live(&self) -> bool {
        self.data.is_live()
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let Some((below, budget)) = self.inside(at, budget) else { return Ok(Fetched::Nothing) };
        loop {
            match self.data.read_at(below, budget).await {
                Ok(fetched) => return Ok(self.cut(below, fetched)),
                Err(refusal) if refusal.code() == Code::OUT_OF_RANGE => {
                    if !self.approach(below, refusal).await? {
                        return Ok(Fetched::Nothing);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let Some((below, budget)) = self.inside(at, budget) else {
            return Some(Ok(Fetched::Nothing));
        };
        match self.data.read_now(below, budget)? {
            // What that means is for the state to tell.
            Err(error) if error.code() == Code::OUT_OF_RANGE => None,
            read => Some(read.map(|fetched| self.cut(below, fetched))),
        }
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        let mut source = self.data.state().await?;
        loop {
            let (room, below) = self.aim_write(&source, to, chunk.elements(), rules)?;
            let part = chunk.clone().split_to(room.elements);
            match self.data.write_at(self.place_below(room.at)?, part, &below).await {
                Ok(stored) => return Ok(self.stored_above(stored)),
                Err(refusal) => source = self.moved(&source, refusal).await?,
            }
        }
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        let aimed = self.data.state_now()?.and_then(|source| {
            let (room, below) = self.aim_write(&source, to, chunk.elements(), rules)?;
            Ok((self.place_below(room.at)?, chunk.clone().split_to(room.elements), below))
        });
        let (place, part, below) = match aimed {
            Ok(aimed) => aimed,
            Err(error) => return Some(Err(error)),
        };
        match self.data.write_now(place, &part, &below)? {
            // Either the peer's own condition failed or the end moved: the other way tells.
            Err(error) if error.code() == Code::CONFLICT => None,
            stored => Some(stored.map(|stored| self.stored_above(stored))),
        }
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        let mut source = self.data.state().await?;
        loop {
            let (at, below) = self.aim_truncate(&source, edge, to, rules)?;
            let Some(below) = below else { return Ok(at) };
            match self.data.truncate(edge, self.place_below(at)?, &below).await {
                Ok(moved) => return Ok(self.window.above(moved)),
                Err(refusal) => source = self.moved(&source, refusal).await?,
            }
        }
    }

    async fn sync(&self, finish: bool) -> Result<()> {
        self.data.sync(finish).await
    }

    async fn changed(&self, seen: DataState) -> DataState {
        // Where the source fails its state tells why, whatever is told here.
        while let Ok(source) = self.data.state().await {
            let view = self.view(&source);
            if view != seen {
                return view;
            }
            self.data.changed(source).await;
        }
        seen
    }
}
