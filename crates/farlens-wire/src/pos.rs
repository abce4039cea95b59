//! Places in a sequence: [`Position`] is one, [`Pos`] asks for one, [`Bounds`] limits them.
//!
//! A position counts elements, bytes or entities, and means "before element n". It never exceeds
//! 2^63-1, so that a difference of two always fits an `i64`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An absolute place: the number of elements before it, at most 2^63-1.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Position(u64);

/// A number that is no [`Position`], since it is larger than 2^63-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PositionTooLarge;

impl fmt::Display for PositionTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a position is at most 2^63-1")
    }
}

impl std::error::Error for PositionTooLarge {}

impl Position {
    /// The place before the first element.
    pub const ZERO: Self = Self(0);
    /// The largest place.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The place after `elements` elements, or nothing beyond [`Position::MAX`].
    #[must_use]
    pub const fn new(elements: u64) -> Option<Self> {
        if elements <= Self::MAX.0 { Some(Self(elements)) } else { None }
    }

    /// The number of elements before this place.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// This place moved forward, or nothing beyond [`Position::MAX`].
    #[must_use]
    pub const fn forward(self, elements: u64) -> Option<Self> {
        match self.0.checked_add(elements) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// This place moved by a signed distance, or nothing outside `0..=`[`Position::MAX`].
    #[must_use]
    pub const fn offset(self, by: i64) -> Option<Self> {
        match self.0.checked_add_signed(by) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// How many elements lie between `earlier` and this place; zero when it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl TryFrom<u64> for Position {
    type Error = PositionTooLarge;

    fn try_from(elements: u64) -> Result<Self, PositionTooLarge> {
        Self::new(elements).ok_or(PositionTooLarge)
    }
}

impl From<Position> for u64 {
    fn from(position: Position) -> Self {
        position.0
    }
}

impl From<u32> for Position {
    fn from(elements: u32) -> Self {
        Self(u64::from(elements))
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A wish for a place. The streamer resolves it against the bounds of the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a new reference point is a new frame version")]
pub enum Pos {
    /// An absolute place.
    Abs(Position),
    /// So many elements after the first one that exists.
    FromStart(i64),
    /// So many elements after the end; negative numbers lie before it.
    FromEnd(i64),
}

impl Pos {
    /// The first element that exists.
    pub const START: Self = Self::FromStart(0);
    /// The end as it is when the request arrives.
    pub const END: Self = Self::FromEnd(0);

    /// The absolute place that this means within `bounds`.
    ///
    /// The result lies inside the bounds, the end included; where a side is open, any place there
    /// is inside.
    ///
    /// # Errors
    /// [`OutOfRange`] for a place outside, for the start of data that has none, and likewise for
    /// the end.
    pub fn resolve(self, bounds: Bounds) -> Result<Position, OutOfRange> {
        let out = OutOfRange { wanted: self, bounds };
        let place = match self {
            Self::Abs(position) => Some(position),
            Self::FromStart(by) => bounds.start.and_then(|start| start.offset(by)),
            Self::FromEnd(by) => bounds.end.and_then(|end| end.offset(by)),
        };
        place.filter(|&place| bounds.contains(place)).ok_or(out)
    }
}

impl From<Position> for Pos {
    fn from(position: Position) -> Self {
        Self::Abs(position)
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abs(position) => write!(f, "{position}"),
            Self::FromStart(by) => write!(f, "start{by:+}"),
            Self::FromEnd(by) => write!(f, "end{by:+}"),
        }
    }
}

/// The places that exist: from the first element to one past the last. Either side may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a sequence has two ends")]
pub struct Bounds {
    /// The first place, or nothing when the data is unbounded to the left.
    pub start: Option<Position>,
    /// One past the last element, or nothing when the data has no known end.
    pub end: Option<Position>,
}

impl Bounds {
    /// From zero to `end`.
    #[must_use]
    pub const fn up_to(end: Position) -> Self {
        Self { start: Some(Position::ZERO), end: Some(end) }
    }

    /// From zero with an open end.
    #[must_use]
    pub const fn open_end() -> Self {
        Self { start: Some(Position::ZERO), end: None }
    }

    /// Whether `place` lies inside, both ends included.
    #[must_use]
    pub fn contains(&self, place: Position) -> bool {
        self.start.is_none_or(|start| start <= place) && self.end.is_none_or(|end| place <= end)
    }

    /// The number of elements, where both ends are known.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        Some(self.end?.since(self.start?))
    }

    /// Whether both ends are known and nothing lies between them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(start) = self.start {
            write!(f, "{start}")?;
        }
        f.write_str("..")?;
        if let Some(end) = self.end {
            write!(f, "{end}")?;
        }
        Ok(())
    }
}

/// A place was asked for that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutOfRange {
    /// What was asked for.
    pub wanted: Pos,
    /// What there was.
    pub bounds: Bounds,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {} lies outside {}", self.wanted, self.bounds)
    }
}

impl std::error::Error for OutOfRange {}

/// What a reader wants at the end of data that may still grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "to stop or to go on is the whole choice")]
pub enum AtEnd {
    /// Reading ends at the end as it is when it is reached. A source that is still being produced,
    /// such as an iterator or a spool, has its end where its producer stops, and reading waits for
    /// what comes before it.
    #[default]
    Stop,
    /// Reading waits there until the end moves.
    Follow,
}

/// Whether a reader gets every element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "to get all or the newest is the whole choice")]
pub enum Delivery {
    /// Every element in order. What its source has dropped before it could be read is told of.
    #[default]
    Lossless,
    /// The newest element whenever there is credit for one; what is left out is counted.
    Latest,
}

/// An end of the data, named by what a truncation drops there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a sequence has two ends")]
pub enum Edge {
    /// What lies before a position: the start moves.
    Before,
    /// What lies behind a position: the end moves.
    After,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u32) -> Position {
        Position::from(n)
    }

    #[test]
    fn relative_places_become_absolute() {
        let bounds = Bounds { start: Some(at(10)), end: Some(at(100)) };
        for (wish, place) in [
            (Pos::Abs(at(10)), Some(10)),
            (Pos::Abs(at(100)), Some(100)),
            (Pos::Abs(at(9)), None),
            (Pos::Abs(at(101)), None),
            (Pos::FromStart(0), Some(10)),
            (Pos::FromStart(-1), None),
            (Pos::FromStart(i64::MIN), None),
            (Pos::FromEnd(0), Some(100)),
            (Pos::FromEnd(-90), Some(10)),
            (Pos::FromEnd(-91), None),
            (Pos::FromEnd(i64::MAX), None),
        ] {
            assert_eq!(wish.resolve(bounds).ok().map(Position::get), place, "{wish}");
        }
    }

    #[test]
    fn an_open_end_has_no_places_relative_to_it() {
        let bounds = Bounds::open_end();
        assert!(Pos::END.resolve(bounds).is_err());
        assert_eq!(Pos::Abs(Position::MAX).resolve(bounds), Ok(Position::MAX));
    }
}
