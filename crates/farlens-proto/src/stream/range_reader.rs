//! The opener's half of ranges: asks for places beside the cursor and puts their bytes together.
//!
//! ```text
//!  ask ──▶ waiting ── budget ──▶ ready ── put_frame ──▶ asked ── handle_data, handle_end ──▶ poll
//! ```
//!
//! What a user asks for is cut into ranges that are small enough for the wire, and no more of them
//! are asked for than the receive budget has room for. Requests that wait for it take turns, so
//! that a large one does not hold up a small one. A method that takes the budget must be given the
//! same one each time.

mod gather;
mod request;
#[cfg(test)]
mod tests;

use super::{range_server::MAX_RANGES, recv::ReceiveBudget};
use crate::error::Violation;
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    Code, Position,
    frame::{
        Fault, put_control,
        stream::{Range, RangeEnd, RangeId, Ranges},
    },
};
use request::{PartEnd, Request};
use std::collections::{BTreeMap, VecDeque};

/// The longest range that is asked for on the wire, in bytes.
const PART_BYTES: u64 = 256 << 10;
/// The most ranges in an open frame, which may have a long path as well.
const OPEN_RANGES: usize = 64;

/// Names what a user asked for, on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RangeTicket(u64);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell must know every state")]
pub enum RangeStatus {
    /// Not all of it has come.
    Pending,
    /// The bytes; fewer than asked for where the data ends before, and then maybe none.
    Done(Bytes),
    /// It could not be read.
    Failed(Fault),
}

/// What one opener reads beside its cursor.
#[derive(Debug, Default)]
pub(crate) struct RangeReader {
    last_ticket: u64,
    requests: BTreeMap<RangeTicket, Request>,
    /// Requests of which a part is not cut off yet, in turn.
    waiting: VecDeque<RangeTicket>,
    /// Parts that are to be asked for.
    ready: VecDeque<Ready>,
    /// The id of the next range on the wire.
    next: u64,
    asked: BTreeMap<RangeId, Asked>,
    /// Bytes of all that is ready or asked for.
    reserved: u64,
    /// Requests that are over, until the shell has been told.
    done: VecDeque<RangeTicket>,
    over: Option<Fault>,
}

/// A part of a request that has its share of the budget.
#[derive(Clone, Copy, Debug)]
struct Ready {
    ticket: RangeTicket,
    range: Range,
}

/// A range that the streamer owes.
#[derive(Debug)]
struct Asked {
    /// Whose it is. The request may be gone already; what comes is dropped then.
    ticket: RangeTicket,
    range: Range,
    /// How much has come.
    came: u64,
}

impl RangeReader {
    /// Asks for `length` bytes from `at` on. What would lie beyond 2^63-1 is left out, as it can
    /// never be there. [`RangeReader::poll`] tells the outcome.
    pub(crate) fn ask(
        &mut self,
        at: Position,
        length: u64,
        budget: &mut ReceiveBudget,
    ) -> RangeTicket {
        self.last_ticket = self.last_ticket.saturating_add(1);
        let ticket = RangeTicket(self.last_ticket);
        let end = at.forward(length).unwrap_or(Position::MAX);
        let mut request = Request::new(at, end);
        if let Some(fault) = &self.over {
            request.fail(fault);
        } else if at < end {
            self.waiting.push_back(ticket);
        }
        self.requests.insert(ticket, request);
        self.cut(budget);
        ticket
    }

    /// Cuts parts off the requests that wait, as long as the budget and the streamer take them.
    fn cut(&mut self, budget: &mut ReceiveBudget) {
        while self.outstanding() < MAX_RANGES {
            let Some(&ticket) = self.waiting.front() else { return };
            let Some(request) = self.requests.get_mut(&ticket) else { return };
            let wanted = request.uncut().min(PART_BYTES);
            let length = budget.reserve(wanted, self.reserved);
            if length == 0 {
                return;
            }
            self.reserved = self.reserved.saturating_add(length);
            let range = request.cut(length);
            self.ready.push_back(Ready { ticket, range });
            let rest = request.uncut() > 0;
            self.waiting.pop_front();
            if rest {
                self.waiting.push_back(ticket);
            }
        }
    }

    /// Ranges that are asked for, or are about to be, and that are not answered in full.
    pub(crate) fn outstanding(&self) -> usize {
        self.ready.len().saturating_add(self.asked.len())
    }

    /// Whether [`RangeReader::put_frame`] would append something.
    pub(crate) fn has_frame(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Appends one frame that asks for all that may be asked for; says whether there was something.
    pub(crate) fn put_frame(&mut self, out: &mut BytesMut, id: u64) -> bool {
        let first = RangeId(self.next);
        let ranges = self.take_ready(MAX_RANGES);
        if ranges.is_empty() {
            return false;
        }
        put_control(out, id, &Ranges { first, ranges });
        true
    }

    /// The ranges for the open frame. Nothing may have been asked for before.
    pub(crate) fn take_ranges_for_open(&mut self) -> Vec<Range> {
        debug_assert_eq!(self.next, 0, "the open frame is the first");
        self.take_ready(OPEN_RANGES)
    }

    fn take_ready(&mut self, max: usize) -> Vec<Range> {
        let count = self.ready.len().min(max);
        let mut ranges = Vec::with_capacity(count);
        for Ready { ticket, range } in self.ready.drain(..count) {
            self.asked.insert(RangeId(self.next), Asked { ticket, range, came: 0 });
            self.next = self.next.saturating_add(1);
            ranges.push(range);
        }
        ranges
    }

    /// Bytes of a range have come.
    ///
    /// # Errors
    /// The range is not asked for or complete, or these are not its next bytes.
    pub(crate) fn handle_data(
        &mut self,
        range: RangeId,
        at: Position,
        payload: Bytes,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        if self.over.is_some() {
            return Ok(());
        }
        let Some(asked) = self.asked.get_mut(&range) else {
            return Err(Violation::protocol("bytes of a range that is not asked for"));
        };
        let came = asked.came.saturating_add(payload.len() as u64);
        if asked.range.at.forward(asked.came) != Some(at) || came > asked.range.length {
            return Err(Violation::protocol("bytes that are not the next ones of their range"));
        }
        asked.came = came;
        let complete = came == asked.range.length;
        let (ticket, start) = (asked.ticket, asked.range.at);
        if let Some(request) = self.requests.get_mut(&ticket) {
            request.take(start, payload);
        }
        if complete {
            self.settle(range, PartEnd::Full, budget);
        }
        Ok(())
    }

    /// A range ends before its length.
    ///
    /// # Errors
    /// The range is not asked for or complete.
    pub(crate) fn handle_end(
        &mut self,
        end: RangeEnd,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        if self.over.is_some() {
            return Ok(());
        }
        if !self.asked.contains_key(&end.range) {
            return Err(Violation::protocol("the end of a range that is not asked for"));
        }
        let how = end.fault.map_or(PartEnd::Short, PartEnd::Failed);
        self.settle(end.range, how, budget);
        Ok(())
    }

    /// Nothing more comes of a range.
    fn settle(&mut self, range: RangeId, how: PartEnd, budget: &mut ReceiveBudget) {
        let Some(Asked { ticket, range, .. }) = self.asked.remove(&range) else { return };
        self.give_back(range.length, budget);
        let early = !matches!(how, PartEnd::Full);
        if let Some(request) = self.requests.get_mut(&ticket) {
            let was_over = request.is_over();
            request.end_part(range.at, how);
            if request.is_over() && !was_over {
                self.done.push_back(ticket);
            }
            if early {
                // Whatever is not asked for yet lies behind.
                self.unask(ticket, budget);
            }
        }
        self.cut(budget);
    }

    /// The next request that is over, each once.
    pub(crate) fn take_done(&mut self) -> Option<RangeTicket> {
        self.done.pop_front()
    }

    /// Drops what is not on the wire of a request.
    fn unask(&mut self, ticket: RangeTicket, budget: &mut ReceiveBudget) {
        self.waiting.retain(|&other| other != ticket);
        let unsent = self.ready.iter().filter(|ready| ready.ticket == ticket);
        let bytes = unsent.fold(0u64, |sum, ready| sum.saturating_add(ready.range.length));
        self.ready.retain(|ready| ready.ticket != ticket);
        self.give_back(bytes, budget);
    }

    fn give_back(&mut self, bytes: u64, budget: &mut ReceiveBudget) {
        self.reserved = self.reserved.saturating_sub(bytes);
        budget.give_back(bytes);
    }

    /// What became of a request. An outcome is told once, and the ticket is spent then.
    pub(crate) fn poll(&mut self, ticket: RangeTicket) -> RangeStatus {
        match self.requests.get(&ticket) {
            None => RangeStatus::Failed(Fault::new(
                Code::CLOSED,
                "this request was answered or given up",
            )),
            Some(request) if !request.is_over() => RangeStatus::Pending,
            Some(_) => match self.requests.remove(&ticket).map(Request::into_outcome) {
                Some(Ok(bytes)) => RangeStatus::Done(bytes),
                Some(Err(fault)) => RangeStatus::Failed(fault),
                None => RangeStatus::Pending,
            },
        }
    }

    /// Nobody waits for a request any more. What still comes of it is dropped.
    pub(crate) fn forget(&mut self, ticket: RangeTicket, budget: &mut ReceiveBudget) {
        if self.requests.remove(&ticket).is_some() {
            self.unask(ticket, budget);
            self.cut(budget);
        }
    }

    /// The stream is over: what is pending, and all that is asked for later, fails with this
    /// reason. Frames that still come are ignored.
    pub(crate) fn fail_all(&mut self, fault: &Fault, budget: &mut ReceiveBudget) {
        for (&ticket, request) in self.requests.iter_mut().filter(|(_, request)| !request.is_over())
        {
            request.fail(fault);
            self.done.push_back(ticket);
        }
        self.waiting.clear();
        self.ready.clear();
        self.asked.clear();
        self.give_back(self.reserved, budget);
        self.over.get_or_insert_with(|| fault.clone());
    }
}
