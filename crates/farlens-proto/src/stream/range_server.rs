//! The streamer's half of ranges: reads places beside the cursor and sends what they hold.
//!
//! ```text
//!  accept ──▶ waiting ── poll_request ──▶ asked ── handle_reply ──▶ queued ── put_frame ──▶ gone
//!                ▲                          │                         │
//!                └── the rest of a short ───┴── what was sent makes ──┘
//!                    answer                     room for the rest
//! ```
//!
//! A range stands in one request at a time, so that its bytes come in order; near ranges stand in
//! the same one. Ranges take turns at the source and on the wire, so that a large one does not
//! hold up a small one.

mod merge;
#[cfg(test)]
mod tests;

use crate::{
    buffer::{StreamBuffer, chunk::Chunk},
    error::Violation,
    event::{Ask, Reply},
};
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    Bounds, Code, Epoch, Position,
    frame::{
        Fault, put_control,
        stream::{self, Range, RangeEnd, RangeId, State},
    },
};
use merge::{Group, Merge, Place, Waiting};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, VecDeque},
};

/// Ranges of one stream that may be unanswered at a time.
pub(crate) const MAX_RANGES: usize = 256;
/// The longest range, in bytes.
pub(crate) const MAX_RANGE_BYTES: u64 = 1 << 20;
/// Requests that may be at the source of one stream at a time.
const MAX_REQUESTS: usize = 16;
/// A range with so many bytes queued fetches no more.
const QUEUE_BYTES: usize = 128 << 10;
/// A source whose state contradicts its reads is asked so many times.
const MISSES: u8 = 3;

/// The ranges of one byte stream that the peer has asked for.
#[derive(Debug, Default)]
pub(crate) struct RangeServer {
    /// The id that the next range must have.
    next: u64,
    ranges: BTreeMap<RangeId, Entry>,
    waiting: Waiting,
    requests: BTreeMap<u64, Group>,
    /// Ranges with something to send, each once.
    turn: VecDeque<RangeId>,
    queued: usize,
    reserved: usize,
}

/// A range that is not sent in full.
#[derive(Debug)]
struct Entry {
    start: Position,
    /// The next byte to send.
    at: Position,
    /// The next byte to fetch.
    next: Position,
    /// Bytes to fetch from there.
    left: u64,
    /// It waits for a request or stands in one.
    fetching: bool,
    in_turn: bool,
    merge: Merge,
    /// Times in a row that the source found nothing although its end lies further on.
    misses: u8,
    queue: StreamBuffer,
    /// What follows the queued bytes when they are fewer than asked for.
    end: Option<RangeEnd>,
}

impl RangeServer {
    /// Takes in ranges that the peer asks for; from an open frame with `first` zero. Whether the
    /// stream has ranges at all is judged by the caller.
    ///
    /// # Errors
    /// Ids that are not the next ones, more than [`MAX_RANGES`] unanswered ranges, a range without
    /// bytes, of more than [`MAX_RANGE_BYTES`], or beyond 2^63-1.
    pub(crate) fn accept(&mut self, first: RangeId, ranges: &[Range]) -> Result<(), Violation> {
        if first.0 != self.next {
            return Err(Violation::protocol("a range whose id is not the next one"));
        }
        if self.ranges.len().saturating_add(ranges.len()) > MAX_RANGES {
            let text = format!("more than {MAX_RANGES} ranges at a time");
            return Err(Violation::new(Code::EXCESSIVE_LOAD, text));
        }
        for &Range { at, length } in ranges {
            if !(1..=MAX_RANGE_BYTES).contains(&length) || at.forward(length).is_none() {
                return Err(Violation::protocol("a range of no or too many bytes"));
            }
            let id = RangeId(self.next);
            self.next = self.next.saturating_add(1);
            self.ranges.insert(id, Entry::new(at, length));
            self.refresh(id);
        }
        Ok(())
    }

    /// The next request to the source, under the name `serial` and within `room` bytes of send
    /// budget.
    pub(crate) fn poll_request(&mut self, serial: u64, room: usize) -> Option<Ask> {
        if !self.wants_request() {
            return None;
        }
        let group = self.waiting.take_group(room)?;
        let ask = Ask::Range { at: group.at, bytes: group.bytes };
        self.reserved = self.reserved.saturating_add(group.reserved);
        self.requests.insert(serial, group);
        Some(ask)
    }

    /// Whether [`RangeServer::poll_request`] would ask for something if it had room.
    pub(crate) fn wants_request(&self) -> bool {
        !self.waiting.is_empty() && self.requests.len() < MAX_REQUESTS
    }

    /// The source's answer. Says whether it was to a request of these ranges.
    pub(crate) fn handle_reply(&mut self, serial: u64, reply: &Reply) -> bool {
        let Some(group) = self.requests.remove(&serial) else { return false };
        self.reserved = self.reserved.saturating_sub(group.reserved);
        for &id in &group.members {
            let Some(entry) = self.ranges.get_mut(&id) else { continue };
            entry.fetching = false;
            match reply {
                Reply::Some(Chunk::Bytes(bytes)) if (1..=group.bytes).contains(&bytes.len()) => {
                    self.queued = self.queued.saturating_add(entry.take(group.at, bytes));
                }
                Reply::Nothing(state) if state.fault().is_none() => {
                    entry.find_nothing(id, group.at, state);
                }
                // Another member may be what failed, or what lies between: each is tried alone.
                Reply::Failed(_) if group.members.len() > 1 => entry.merge = Merge::Never,
                Reply::Failed(fault) => entry.finish(id, Some(fault.clone())),
                _ => entry.finish(id, Some(wrong_reply())),
            }
            self.refresh(id);
        }
        true
    }

    /// Does with a range what is due after a change of it.
    fn refresh(&mut self, id: RangeId) {
        let Some(entry) = self.ranges.get_mut(&id) else { return };
        if entry.left > 0 && !entry.fetching && entry.queue.cost() < QUEUE_BYTES {
            entry.fetching = true;
            let place = Place { at: entry.next, length: entry.left, merge: entry.merge };
            self.waiting.push(id, place);
        }
        if entry.has_output() && !entry.in_turn {
            entry.in_turn = true;
            self.turn.push_back(id);
        }
        if entry.left == 0 && !entry.has_output() {
            self.ranges.remove(&id);
        }
    }

    /// Bytes that wait to be sent.
    pub(crate) const fn queued(&self) -> usize {
        self.queued
    }

    /// Bytes of send budget for requests that are not answered.
    pub(crate) const fn reserved(&self) -> usize {
        self.reserved
    }

    /// Whether a frame may go out.
    pub(crate) fn has_data(&self) -> bool {
        !self.turn.is_empty()
    }

    /// Whether every range that was accepted has been answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Appends one frame of the range whose turn it is, with a payload of at most `room` bytes, the
    /// end of a range aside; says whether it did.
    pub(crate) fn put_frame(&mut self, out: &mut BytesMut, id: u64, room: usize) -> bool {
        let room = room.saturating_sub(stream::BULK_HEAD_MAX);
        if room == 0 {
            return false;
        }
        let Some(range) = self.turn.pop_front() else { return false };
        let Some(entry) = self.ranges.get_mut(&range) else { return false };
        entry.in_turn = false;
        if let Some(Chunk::Bytes(bytes)) = entry.queue.pop(room as u64) {
            let at = (Epoch(range.0), entry.at);
            stream::put_bulk_head(out, stream::RANGE_DATA, id, at, None, bytes.len());
            out.extend_from_slice(&bytes);
            entry.at = entry.at.forward(bytes.len() as u64).unwrap_or(Position::MAX);
            self.queued = self.queued.saturating_sub(bytes.len());
        } else if let Some(end) = entry.end.take() {
            put_control(out, id, &end);
        }
        self.refresh(range);
        true
    }
}

impl Entry {
    fn new(start: Position, length: u64) -> Self {
        Self {
            start,
            at: start,
            next: start,
            left: length,
            fetching: false,
            in_turn: false,
            merge: Merge::default(),
            misses: 0,
            queue: StreamBuffer::default(),
            end: None,
        }
    }

    fn has_output(&self) -> bool {
        !self.queue.is_empty() || self.end.is_some()
    }

    /// Queues its share of `bytes`, which lie at `at`; says how many that are.
    fn take(&mut self, at: Position, bytes: &Bytes) -> usize {
        let skip = usize::try_from(self.next.since(at)).unwrap_or(usize::MAX);
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let length = bytes.len().saturating_sub(skip).min(left);
        if self.merge != Merge::Never {
            self.merge = if self.next == at { Merge::Freely } else { Merge::Resumed };
        }
        if length == 0 {
            return 0;
        }
        self.misses = 0;
        self.left = self.left.saturating_sub(length as u64);
        self.next = self.next.forward(length as u64).unwrap_or(Position::MAX);
        self.queue.push(Chunk::Bytes(bytes.slice(skip..skip.saturating_add(length))));
        length
    }

    /// Judges by the state of the data why a request from `at` on found nothing.
    fn find_nothing(&mut self, id: RangeId, at: Position, state: &State) {
        let Bounds { start, end } = state.bounds;
        if start.is_some_and(|start| start > self.next) {
            let text = format!("the data begins behind {}", self.next);
            return self.finish(id, Some(Fault::new(self.outside(Code::EVICTED), text)));
        }
        let asked = self.next == at;
        match end.map(|end| end.cmp(&self.next)) {
            Some(Ordering::Less) => {
                let text = format!("the data ends before {}", self.next);
                self.finish(id, Some(Fault::new(self.outside(Code::TRUNCATED), text)));
            }
            Some(Ordering::Equal) => self.finish(id, None),
            None if asked => self.finish(id, None),
            Some(Ordering::Greater) if asked => {
                self.misses = self.misses.saturating_add(1);
                if self.misses > MISSES {
                    self.finish(id, Some(wrong_reply()));
                }
            }
            Some(Ordering::Greater) | None => {}
        }
    }

    /// The reason that the data does not reach to the next byte: `lost` when it once did.
    fn outside(&self, lost: Code) -> Code {
        if self.next == self.start { Code::OUT_OF_RANGE } else { lost }
    }

    /// Nothing more is fetched.
    fn finish(&mut self, range: RangeId, fault: Option<Fault>) {
        self.left = 0;
        self.end = Some(RangeEnd { range, fault });
    }
}

fn wrong_reply() -> Fault {
    Fault::new(Code::INTERNAL, "the source answered something else than was asked")
}
