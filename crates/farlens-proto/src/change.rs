//! Whether data may be changed as asked, judged against what it is at the very moment.
//!
//! The streamer decides once what a peer may do at all; only the data knows its ends and its
//! version when the change happens. So the rules travel with each change, and whoever holds the
//! data calls [`Rules::judge_write`] or [`Rules::judge_truncate`] under its own lock.

use farlens_wire::{
    Bounds, Code, Edge, Mode, Operation, Pos, Position,
    frame::{
        Fault,
        stream::{Guard, State},
    },
};

/// What one change may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "sources and their tests build it")]
pub struct Rules {
    /// What must hold of the data.
    pub guard: Guard,
    /// Whether elements that exist may be written over.
    pub overwrite: bool,
    /// Whether the end may go up.
    pub grow: bool,
    /// Whether the end may go down.
    pub shrink: bool,
    /// Whether the start may go up.
    pub advance: bool,
    /// How long the data may become, and how far behind its end a write may begin.
    pub reach: Reach,
}

/// How far a peer may move the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "publishers build it")]
pub struct Reach {
    /// The highest position that the end may have. Default: 64 Gi elements.
    pub end: Position,
    /// Elements at most between the end and a write behind it. Default: 64 Mi. To move the end
    /// there by a truncation is a demand of its own and has no such bound.
    pub gap: u64,
}

impl Default for Reach {
    fn default() -> Self {
        Self { end: Position::new(64 << 30).unwrap_or(Position::MAX), gap: 64 << 20 }
    }
}

/// Where a write goes, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "sources read it")]
pub struct Room {
    /// The position of the first element.
    pub at: Position,
    /// How many elements there is room for, at least one.
    pub elements: u64,
}

impl Rules {
    /// What the peer of a stream may do.
    #[must_use]
    pub fn new(mode: Mode, append_only: bool, reach: Reach) -> Self {
        let may = |operation| mode.allows(operation).is_ok();
        Self {
            guard: Guard::default(),
            overwrite: may(Operation::Write) && !append_only,
            grow: may(Operation::Extend),
            shrink: may(Operation::TruncateAfter) && !append_only,
            advance: may(Operation::TruncateBefore) && !append_only,
            reach,
        }
    }

    /// Everything is allowed that the data can do.
    #[must_use]
    pub fn all() -> Self {
        Self { overwrite: true, grow: true, shrink: true, advance: true, ..Self::default() }
    }

    /// The same on a condition.
    #[must_use]
    pub fn with_guard(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    fn judge_guard(&self, state: &State) -> Result<(), Fault> {
        let conflict = |text: String| Err(Fault::new(Code::CONFLICT, text));
        if self.guard.version.as_ref().is_some_and(|version| *version != state.version) {
            return conflict("the data has another version by now".into());
        }
        match (self.guard.end, state.bounds.end) {
            (Some(wanted), Some(end)) if wanted != end => {
                conflict(format!("the data ends at {end}, not at {wanted}"))
            }
            (Some(wanted), None) => conflict(format!("the data has no end, not one at {wanted}")),
            _ => Ok(()),
        }
    }

    /// Where `elements` go that are to be written `to` a place, and how many of them fit.
    ///
    /// # Errors
    /// `CONFLICT` when the guard does not hold; `OUT_OF_RANGE` before the start or too far behind
    /// the end; `MODE_FORBIDS` where only appending is allowed; `END_OF_SPACE` when nothing fits
    /// before an end that must stay; `TOO_LONG` beyond what the publisher allows.
    pub fn judge_write(&self, state: &State, to: Pos, elements: u64) -> Result<Room, Fault> {
        self.judge_guard(state)?;
        let at = place(to, state.bounds)?;
        let end = state.bounds.end.unwrap_or(Position::MAX);
        if at < end && !self.overwrite {
            let text = format!("this stream only appends, at {end}");
            return Err(Fault::new(Code::MODE_FORBIDS, text));
        }
        if !self.grow {
            let room = end.since(at);
            if room == 0 {
                return Err(Fault::new(Code::END_OF_SPACE, format!("the data ends at {end}")));
            }
            return Ok(Room { at, elements: elements.min(room) });
        }
        let after = at.forward(elements).ok_or_else(|| self.too_long(Position::MAX))?;
        self.judge_end(state.bounds.end, at, after)?;
        Ok(Room { at, elements })
    }

    /// Where an end is after it was moved `to` a place.
    ///
    /// # Errors
    /// As [`Rules::judge_write`]; `MODE_FORBIDS` for a direction in which it must not move.
    pub fn judge_truncate(&self, state: &State, edge: Edge, to: Pos) -> Result<Position, Fault> {
        self.judge_guard(state)?;
        let bounds = state.bounds;
        let at = place(to, bounds)?;
        let end = bounds.end.unwrap_or(Position::MAX);
        let forbidden = |text| Err(Fault::new(Code::MODE_FORBIDS, text));
        match edge {
            Edge::After if at < end && !self.shrink => forbidden("the end must not go down"),
            Edge::After if at > end && !self.grow => forbidden("the end must not go up"),
            Edge::After if at > end && at > self.reach.end => Err(self.too_long(at)),
            Edge::Before if at > end => {
                let text = format!("position {at} lies outside {bounds}");
                Err(Fault::new(Code::OUT_OF_RANGE, text))
            }
            Edge::Before if bounds.start != Some(at) && !self.advance => {
                forbidden("the start must not move")
            }
            Edge::After | Edge::Before => Ok(at),
        }
    }

    /// Whether the end may go up for something that lies between `at` and `after`.
    fn judge_end(&self, end: Option<Position>, at: Position, after: Position) -> Result<(), Fault> {
        let Reach { end: limit, gap } = self.reach;
        if after > limit && end.is_none_or(|end| after > end) {
            return Err(self.too_long(after));
        }
        if let Some(end) = end.filter(|&end| at.since(end) > gap) {
            let text = format!("{at} lies more than {gap} behind the end at {end}");
            return Err(Fault::new(Code::OUT_OF_RANGE, text));
        }
        Ok(())
    }

    fn too_long(&self, after: Position) -> Fault {
        let limit = self.reach.end;
        let text = format!("the data may end at {limit} at the most, not at {after}");
        Fault::new(Code::TOO_LONG, text)
    }
}

/// The absolute place; the only side on which it may lie outside the bounds is behind the end.
fn place(to: Pos, bounds: Bounds) -> Result<Position, Fault> {
    let at = match to {
        Pos::Abs(at) => Some(at),
        Pos::FromStart(by) => bounds.start.and_then(|start| start.offset(by)),
        Pos::FromEnd(by) => bounds.end.and_then(|end| end.offset(by)),
    };
    let inside = at.filter(|&at| bounds.start.is_none_or(|start| start <= at));
    inside.ok_or_else(|| {
        Fault::new(Code::OUT_OF_RANGE, format!("position {to} lies outside {bounds}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u32) -> Position {
        Position::from(n)
    }

    fn state() -> State {
        let bounds = Bounds { start: Some(at(10)), end: Some(at(100)) };
        State { bounds, version: vec![7], ended: false }
    }

    fn fixed_end() -> Rules {
        Rules { grow: false, shrink: false, advance: false, ..Rules::all() }
    }

    #[test]
    fn d5_d6_a_write_grows_the_data_or_is_cut_at_its_end() {
        let room = |rules: &Rules, to, n| rules.judge_write(&state(), to, n);
        let fits = |at, elements| Ok(Room { at, elements });
        assert_eq!(room(&Rules::all(), Pos::Abs(at(95)), 20), fits(at(95), 20));
        assert_eq!(room(&fixed_end(), Pos::Abs(at(95)), 20), fits(at(95), 5));
        assert_eq!(room(&fixed_end(), Pos::END, 1).unwrap_err().code, Code::END_OF_SPACE);
        assert_eq!(room(&Rules::all(), Pos::Abs(at(9)), 1).unwrap_err().code, Code::OUT_OF_RANGE);
        assert_eq!(room(&Rules::all(), Pos::FromEnd(-91), 1).unwrap_err().code, Code::OUT_OF_RANGE);
    }

    #[test]
    fn who_may_only_append_writes_at_the_end() {
        let rules = Rules { overwrite: false, ..Rules::all() };
        assert_eq!(rules.judge_write(&state(), Pos::END, 3).unwrap().at, at(100));
        let inside = rules.judge_write(&state(), Pos::Abs(at(50)), 3);
        assert_eq!(inside.unwrap_err().code, Code::MODE_FORBIDS);
    }

    #[test]
    fn s8_giant_moves_of_the_end_are_refused() {
        let far = Position::new(1 << 60).unwrap();
        for to in [Pos::Abs(far), Pos::FromEnd(1 << 60)] {
            let moved = Rules::all().judge_truncate(&state(), Edge::After, to);
            assert_eq!(moved.unwrap_err().code, Code::TOO_LONG);
            let written = Rules::all().judge_write(&state(), to, 1);
            assert_eq!(written.unwrap_err().code, Code::TOO_LONG);
        }
        let gap = Rules::all().reach.gap;
        let edge = Pos::FromEnd(i64::try_from(gap).unwrap());
        assert!(Rules::all().judge_write(&state(), edge, 1).is_ok());
        let beyond = Pos::FromEnd(i64::try_from(gap).unwrap() + 1);
        let written = Rules::all().judge_write(&state(), beyond, 1);
        assert_eq!(written.unwrap_err().code, Code::OUT_OF_RANGE);
    }

    #[test]
    fn ends_move_only_where_they_may() {
        let moved = |rules: &Rules, edge, to| {
            rules.judge_truncate(&state(), edge, to).map_err(|fault| fault.code)
        };
        for edge in [Edge::Before, Edge::After] {
            assert_eq!(moved(&Rules::all(), edge, Pos::Abs(at(40))), Ok(at(40)));
            assert_eq!(moved(&fixed_end(), edge, Pos::Abs(at(40))), Err(Code::MODE_FORBIDS));
        }
        assert_eq!(moved(&fixed_end(), Edge::After, Pos::END), Ok(at(100)));
        assert_eq!(moved(&Rules::all(), Edge::After, Pos::FromEnd(5)), Ok(at(105)));
        let gap = i64::try_from(Rules::all().reach.gap).unwrap();
        assert!(moved(&Rules::all(), Edge::After, Pos::FromEnd(gap + 1)).is_ok());
        assert_eq!(moved(&Rules::all(), Edge::Before, Pos::FromEnd(5)), Err(Code::OUT_OF_RANGE));
        assert_eq!(moved(&Rules::all(), Edge::Before, Pos::Abs(at(9))), Err(Code::OUT_OF_RANGE));
    }

    #[test]
    fn a_guard_that_does_not_hold_is_a_conflict() {
        let guards = [
            Guard { version: Some(vec![8]), end: None },
            Guard { version: None, end: Some(at(99)) },
        ];
        for guard in guards {
            let rules = Rules::all().with_guard(guard);
            let written = rules.judge_write(&state(), Pos::END, 1);
            assert_eq!(written.unwrap_err().code, Code::CONFLICT);
        }
        let held = Guard { version: Some(vec![7]), end: Some(at(100)) };
        assert!(Rules::all().with_guard(held).judge_write(&state(), Pos::END, 1).is_ok());
    }

    #[test]
    fn the_default_reach_is_64_gi_elements() {
        assert_eq!(Reach::default().end.get(), 64 << 30);
    }
}
