//! The rules of a change, judged by data against the state that it is in.

use super::DataState;
use crate::{Error, Result};
use farlens_proto::{Fault, Room, Rules, State};
use farlens_wire::{Edge, Pos, Position};

impl DataState {
    /// Where `elements` go that are to be written `to` a place, and how many of them fit. To be
    /// called under the lock under which they are then stored.
    ///
    /// # Errors
    /// Those of [`Rules::judge_write`].
    pub fn judge_write(&self, rules: &Rules, to: Pos, elements: u64) -> Result<Room> {
        rules.judge_write(&self.to_proto(), to, elements).map_err(refusal)
    }

    /// Where an end is after it was moved `to` a place. To be called under the lock under which it
    /// then moves.
    ///
    /// # Errors
    /// Those of [`Rules::judge_truncate`].
    pub fn judge_truncate(&self, rules: &Rules, edge: Edge, to: Pos) -> Result<Position> {
        rules.judge_truncate(&self.to_proto(), edge, to).map_err(refusal)
    }

    fn to_proto(&self) -> State {
        let Self { bounds, version, ended } = self;
        State { bounds: *bounds, version: version.to_vec(), ended: *ended }
    }
}

fn refusal(fault: Fault) -> Error {
    Error::new(fault.code, fault.text)
}
