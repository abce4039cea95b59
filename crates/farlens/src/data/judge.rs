//! The rules of a change, judged by data against the state that it is in.

use super::DataState;
use crate::{
    Result,
    link::{driver::to_wire, fault::to_error},
};
use farlens_proto::{Room, Rules};
use farlens_wire::{Edge, Pos, Position};

impl DataState {
    /// Where `elements` go that are to be written `to` a place, and how many of them fit. To be
    /// called under the lock under which they are then stored.
    ///
    /// # Errors
    /// Those of [`Rules::judge_write`].
    pub fn judge_write(&self, rules: &Rules, to: Pos, elements: u64) -> Result<Room> {
        let judged = rules.judge_write(&to_wire(self.clone()), to, elements);
        judged.map_err(|fault| to_error(&fault))
    }

    /// Where an end is after it was moved `to` a place. To be called under the lock under which it
    /// then moves.
    ///
    /// # Errors
    /// Those of [`Rules::judge_truncate`].
    pub fn judge_truncate(&self, rules: &Rules, edge: Edge, to: Pos) -> Result<Position> {
        let judged = rules.judge_truncate(&to_wire(self.clone()), edge, to);
        judged.map_err(|fault| to_error(&fault))
    }
}
