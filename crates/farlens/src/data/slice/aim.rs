//! What a change of a slice is to its source.
//!
//! It is judged twice: here in the positions of the slice, and by the source, which is told the end
//! that was seen here. Where that has moved in between, both judge anew.

use super::Slice;
use crate::{
    Error, Result,
    data::{DataState, Stored, not_writable},
};
use farlens_proto::{Guard, Reach, Room, Rules};
use farlens_wire::{Code, Edge, Pos, Position};

impl Slice {
    /// What a change of the slice may do: no end is moved behind which the source may have more.
    fn own_rules(&self, rules: &Rules) -> Result<Rules> {
        if !self.writable {
            return Err(not_writable());
        }
        let (open, first) = (self.window.end().is_none(), self.window.start() == Position::ZERO);
        Ok(Rules {
            grow: rules.grow && open,
            shrink: rules.shrink && open,
            advance: rules.advance && first,
            ..rules.clone()
        })
    }

    /// The same rules in the positions of a source that is to end where it was seen to.
    fn rules_below(&self, rules: Rules, source: &DataState) -> Rules {
        let end = self.window.below(rules.reach.end).unwrap_or(Position::MAX);
        Rules {
            guard: Guard { version: rules.guard.version, end: source.bounds.end },
            reach: Reach { end, ..rules.reach },
            ..rules
        }
    }

    /// Where a write goes in the slice, and by which rules in the source.
    pub(super) fn aim_write(
        &self,
        source: &DataState,
        to: Pos,
        elements: u64,
        rules: &Rules,
    ) -> Result<(Room, Rules)> {
        let rules = self.own_rules(rules)?;
        let room = self.view(source).judge_write(&rules, to, elements)?;
        self.check_begun(source)?;
        Ok((room, self.rules_below(rules, source)))
    }

    /// Where an end goes in the slice, and by which rules in the source; no rules where it is there
    /// already.
    pub(super) fn aim_truncate(
        &self,
        source: &DataState,
        edge: Edge,
        to: Pos,
        rules: &Rules,
    ) -> Result<(Position, Option<Rules>)> {
        let (view, rules) = (self.view(source), self.own_rules(rules)?);
        let at = view.judge_truncate(&rules, edge, to)?;
        let there = match edge {
            Edge::Before => view.bounds.start,
            Edge::After => view.bounds.end,
        };
        if there == Some(at) {
            return Ok((at, None));
        }
        self.check_begun(source)?;
        Ok((at, Some(self.rules_below(rules, source))))
    }

    /// What is written to a source that ends before the slice would leave a gap outside of it.
    fn check_begun(&self, source: &DataState) -> Result<()> {
        match source.bounds.end {
            Some(end) if end < self.window.start() => {
                let text = "the data ends before this part of it begins";
                Err(Error::new(Code::OUT_OF_RANGE, text))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn place_below(&self, at: Position) -> Result<Pos> {
        let text = || format!("position {at} lies outside of what any data has");
        let below = self.window.below(at);
        below.map(Pos::Abs).ok_or_else(|| Error::new(Code::OUT_OF_RANGE, text()))
    }

    pub(super) fn stored_above(&self, stored: Stored) -> Stored {
        Stored { at: self.window.above(stored.at), ..stored }
    }

    /// The state to judge by anew, after the source refused a change that was right when it was
    /// judged. `refusal` comes back where that is not because the source has moved.
    pub(super) async fn moved(&self, seen: &DataState, refusal: Error) -> Result<DataState> {
        if refusal.code() != Code::CONFLICT {
            return Err(refusal);
        }
        let now = self.data.state().await?;
        if now == *seen { Err(refusal) } else { Ok(now) }
    }
}
