//! What the opener's side does to read places beside its cursor.

use super::{Phase, StreamPeer, closed};
use crate::{
    error::Violation,
    stream::{
        range_reader::{RangeStatus, RangeTicket},
        recv::ReceiveBudget,
    },
};
use bytes::Bytes;
use farlens_wire::{
    Code, Kind, Operation, Position,
    frame::{
        Fault,
        stream::{RangeEnd, RangeId},
    },
};

impl StreamPeer {
    /// Asks for the bytes of a place; `length` is not zero.
    pub(crate) fn ask_range(
        &mut self,
        at: Position,
        length: u64,
        budget: &mut ReceiveBudget,
    ) -> Result<RangeTicket, Fault> {
        match &self.phase {
            Phase::Over(fault) => return Err((**fault).clone()),
            Phase::Closing => return Err(closed()),
            Phase::Opening | Phase::Open => self.judge_ranges()?,
        }
        Ok(self.ranges.get_or_insert_default().ask(at, length, budget))
    }

    /// Whether places can be read, as far as that is known.
    fn judge_ranges(&self) -> Result<(), Fault> {
        let Some(info) = &self.info else { return Ok(()) };
        if info.kind != Kind::Bytes {
            return Err(Fault::new(Code::WRONG_KIND, "places can only be read of bytes"));
        }
        let allows = info.mode.allows(Operation::ReadRange);
        allows.map_err(|no| Fault::new(Code::MODE_FORBIDS, no.to_string()))
    }

    /// Places that were asked for before the mode was known may turn out not to be had.
    pub(super) fn check_early_ranges(&mut self, budget: &mut ReceiveBudget) {
        if let Err(fault) = self.judge_ranges()
            && let Some(ranges) = &mut self.ranges
        {
            ranges.fail_all(&fault, budget);
        }
    }

    /// What became of a range; its bytes are given once.
    pub(crate) fn take_range(&mut self, ticket: RangeTicket) -> RangeStatus {
        self.ranges.get_or_insert_default().poll(ticket)
    }

    /// Nobody waits for a range any more.
    pub(crate) fn forget_range(&mut self, ticket: RangeTicket, budget: &mut ReceiveBudget) {
        if let Some(ranges) = &mut self.ranges {
            ranges.forget(ticket, budget);
        }
    }

    /// The next range that is there or has failed, each once.
    pub(crate) fn take_done_range(&mut self) -> Option<RangeTicket> {
        self.ranges.as_mut()?.take_done()
    }

    /// Whether there are places to ask for now. Those of the first flight ride in the open frame.
    pub(super) fn asks_ranges(&self) -> bool {
        self.phase == Phase::Open && self.ranges.as_ref().is_some_and(|ranges| ranges.has_frame())
    }

    pub(crate) fn handle_range_data(
        &mut self,
        range: RangeId,
        at: Position,
        bytes: Bytes,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        match self.phase {
            Phase::Opening => Err(Violation::protocol("a range before the stream is open")),
            Phase::Open => {
                self.ranges.get_or_insert_default().handle_data(range, at, bytes, budget)
            }
            Phase::Closing | Phase::Over(_) => Ok(()),
        }
    }

    pub(crate) fn handle_range_end(
        &mut self,
        end: RangeEnd,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        match self.phase {
            Phase::Opening => Err(Violation::protocol("a range before the stream is open")),
            Phase::Open => self.ranges.get_or_insert_default().handle_end(end, budget),
            Phase::Closing | Phase::Over(_) => Ok(()),
        }
    }
}
