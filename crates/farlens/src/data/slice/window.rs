//! Which elements of a source a slice has, and where they lie in it.

use farlens_wire::{Bounds, Flags, ModeOffer, Position};
use std::ops::{Bound, RangeBounds};

/// A range of the positions of a source. Places *below* are the source's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    start: Position,
    /// Nothing where the slice goes on as far as its source.
    end: Option<Position>,
}

impl Window {
    /// The window of a range; nothing for one that is reversed or goes beyond 2^63-1.
    pub(crate) fn new(range: &impl RangeBounds<u64>) -> Option<Self> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.checked_add(1)?,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => Some(last.checked_add(1)?),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => None,
        };
        let start = Position::new(start)?;
        let end = match end {
            Some(end) => Some(Position::new(end).filter(|end| *end >= start)?),
            None => None,
        };
        Some(Self { start, end })
    }

    /// Where the slice begins.
    pub(crate) const fn start(self) -> Position {
        self.start
    }

    /// Where the slice ends, if that is given.
    pub(super) const fn end(self) -> Option<Position> {
        self.end
    }

    /// How many elements it has at the most.
    pub(super) fn len(self) -> Option<u64> {
        Some(self.end?.since(self.start))
    }

    /// A place of the slice in the source; nothing beyond 2^63-1.
    pub(super) const fn below(self, at: Position) -> Option<Position> {
        self.start.forward(at.get())
    }

    /// A place of the source in the slice; the nearest one for a place outside.
    pub(crate) fn above(self, at: Position) -> Position {
        let inside = self.end.map_or(at, |end| at.min(end));
        Position::new(inside.since(self.start)).unwrap_or_default()
    }

    /// What the slice has of these bounds. A slice has a start even where its source has none.
    pub(crate) fn bounds(self, source: Bounds) -> Bounds {
        let start = source.start.map_or(Position::ZERO, |start| self.above(start));
        Bounds { start: Some(start), end: source.end.map(|end| self.above(end)) }
    }

    /// What a mode over the slice must and may contain: a peer moves no end behind which, or before
    /// which, the source may have more.
    pub(crate) fn offer(self, source: ModeOffer) -> ModeOffer {
        let fixed = source.required.has(Flags::FIXED_DATA);
        let mut known = Flags::START_BOUNDED;
        let mut kept = Flags::NONE;
        if self.end.is_some() {
            kept = kept | Flags::CAN_MOVE_END;
        }
        if self.end.is_some() && fixed {
            known = known | Flags::END_BOUNDED;
        }
        if self.start > Position::ZERO {
            kept = kept | Flags::CAN_MOVE_START;
        }
        let required = source.required.without(kept) | known;
        ModeOffer { required, possible: source.possible.without(kept).without(known) }
    }
}
