//! Reading at the cursor: elements are fetched in bounded requests and sent within the credit.

use super::{Live, judge::judge_seek, wrong_reply};
use crate::{
    buffer::chunk::Chunk,
    error::Violation,
    event::{Ask, Reply},
    link::Lender,
    stream::{hunger::Hunger, send::Send},
};
use bytes::BytesMut;
use farlens_wire::{
    AtEnd, Bounds, Code, Delivery, Epoch, Flags, Kind, Position,
    frame::{
        Fault,
        stream::{
            Broken, Credit, End, Gap, Limit, Seek, SeekFailed, Sought, State, StreamControl,
            UpToDate,
        },
    },
};
use std::cmp::Ordering;

/// One epoch of reading.
#[derive(Debug)]
pub(super) struct Reading {
    epoch: Epoch,
    at_end: AtEnd,
    delivery: Delivery,
    /// The next position to fetch.
    next: Position,
    send: Send,
    fetch: Fetch,
    serial: u64,
    /// The state was told while a request was under way, whose answer may be older.
    news: bool,
    /// The answer to a seek.
    answer: Option<Box<StreamControl>>,
    /// Elements that are left out, behind those that are queued when it is noted.
    gap: Option<Box<Gap>>,
    /// What follows the queued elements.
    tail: Option<Box<StreamControl>>,
    /// Nothing more comes in this epoch.
    spent: bool,
    /// And that is because reading failed, or because a seek did.
    broken: bool,
    /// Times in a row that the source found nothing although its end lies further on.
    misses: u8,
}

/// What is asked of the shell.
#[derive(Debug, PartialEq, Eq)]
enum Fetch {
    /// Nothing.
    None,
    /// Elements have been asked for, no more than this.
    Reading { bytes: usize, elements: u64 },
    /// The end must be known before the latest is fetched; it has been asked for.
    Looking,
    /// It is known.
    Looked,
    /// At the end as it was last seen; a state that differs goes on.
    Waiting,
    /// The state must be known before this seek is resolved; not asked for yet.
    Resolve(Box<Seek>),
    /// It has been asked for.
    Resolving(Box<Seek>),
}

/// The most encoded bytes that one fetch asks for.
const FETCH_BYTES: u64 = 256 << 10;
/// A stream with so many bytes queued fetches no more.
const QUEUE_BYTES: usize = 128 << 10;
/// A source whose state contradicts its reads is asked so many times.
const MISSES: u8 = 3;

impl Reading {
    pub(super) fn start(credit: Credit, at_end: AtEnd, delivery: Delivery) -> Self {
        Self {
            epoch: Epoch::FIRST,
            at_end,
            delivery,
            next: Position::ZERO,
            send: Send::start(Position::ZERO, credit),
            fetch: Fetch::None,
            serial: 0,
            news: false,
            answer: None,
            gap: None,
            tail: None,
            spent: false,
            broken: false,
            misses: 0,
        }
    }

    /// Begins at a place.
    pub(super) fn open_at(&mut self, at: Position, live: &Live) {
        self.go_to(at);
        self.stop_at_known_end(live);
    }

    fn go_to(&mut self, at: Position) {
        self.next = at;
        self.send = Send::start(at, self.send.limit());
    }

    /// Bytes that wait to be sent.
    pub(super) fn queued(&self) -> usize {
        self.send.queued()
    }

    /// Bytes that are asked for and have not come.
    pub(super) const fn reserved(&self) -> usize {
        match self.fetch {
            Fetch::Reading { bytes, .. } => bytes,
            _ => 0,
        }
    }

    /// Whether the peer has all that it asked for.
    pub(super) fn is_idle(&self) -> bool {
        let told = self.send.is_empty() && self.tail.is_none() && self.answer.is_none();
        let quiet = self.spent || self.fetch == Fetch::Waiting || self.send.is_unwanted();
        told && self.gap.is_none() && quiet
    }

    // --- input -------------------------------------------------------------------------------

    pub(super) fn handle_limit(&mut self, limit: Limit) -> Result<(), Violation> {
        if limit.epoch != self.epoch {
            return Err(Violation::protocol("credit for another epoch than the current one"));
        }
        self.send.raise(limit.credit)
    }

    /// A seek of a stream that may seek at all.
    pub(super) fn handle_seek(&mut self, seek: Seek, live: &Live) -> Result<(), Violation> {
        let owed = matches!(self.fetch, Fetch::Resolve(_) | Fetch::Resolving(_));
        if seek.epoch != self.epoch.next() || owed || self.answer.is_some() {
            return Err(Violation::protocol("a seek before the one before was answered"));
        }
        self.epoch = seek.epoch;
        self.at_end = seek.at_end;
        self.send = Send::start(self.next, seek.credit);
        self.misses = 0;
        self.gap = None;
        self.tail = None;
        self.spent = true;
        self.broken = true;
        if live.moves {
            self.fetch = Fetch::Resolve(Box::new(seek));
        } else {
            self.resolve(seek, live);
        }
        Ok(())
    }

    /// Answers a seek from what is known of the data.
    fn resolve(&mut self, seek: Seek, live: &Live) {
        self.fetch = Fetch::None;
        let state = live.state.clone();
        match judge_seek(live.mode, seek, &state) {
            Ok(at) => {
                self.go_to(at);
                self.spent = false;
                self.broken = false;
                self.answer = Some(boxed(Sought { epoch: seek.epoch, at, state }));
                self.stop_at_known_end(live);
            }
            Err(fault) => {
                self.answer = Some(boxed(SeekFailed { epoch: seek.epoch, fault, state }));
            }
        }
    }

    // --- work --------------------------------------------------------------------------------

    /// What the shell should do next, within `room` bytes of send budget.
    pub(super) fn poll_request(&mut self, serial: u64, room: usize, live: &Live) -> Option<Ask> {
        let ask = match &self.fetch {
            Fetch::Resolve(seek) => {
                self.fetch = Fetch::Resolving(seek.clone());
                Ask::State
            }
            Fetch::None if self.looks_first(live) && self.wants_elements(live) => {
                self.fetch = Fetch::Looking;
                Ask::State
            }
            Fetch::None | Fetch::Looked if self.wants_elements(live) && room > 0 => {
                self.skip_to_latest(live);
                let credit = self.send.fetchable(live.kind);
                let bytes = credit.bytes.min(FETCH_BYTES).min(room as u64);
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                let elements = match self.delivery {
                    Delivery::Lossless => credit.elements,
                    Delivery::Latest => 1,
                };
                self.fetch = Fetch::Reading { bytes, elements };
                Ask::Read { at: self.next, bytes, elements }
            }
            _ => return None,
        };
        self.news = false;
        self.serial = serial;
        Some(ask)
    }

    /// Whether the source is to be asked for its end first: what was told of it may be older.
    fn looks_first(&self, live: &Live) -> bool {
        self.delivery == Delivery::Latest && live.moves && !live.state.ended
    }

    /// A reader that wants the latest gets the last element that there is, and the next where all
    /// are gone.
    fn skip_to_latest(&mut self, live: &Live) {
        let Bounds { start, end } = live.state.bounds;
        let newest = end.and_then(|end| end.offset(-1)).max(start);
        if self.delivery == Delivery::Latest
            && let Some(to) = newest.filter(|&newest| newest > self.next)
        {
            self.leave_out(to, false);
        }
    }

    fn leave_out(&mut self, to: Position, evicted: bool) {
        let at = self.gap.as_ref().map_or(self.next, |gap| gap.at);
        self.gap = Some(Box::new(Gap { epoch: self.epoch, at, to, evicted }));
        self.next = to;
    }

    /// What [`Reading::poll_request`] would ask for if it had room.
    pub(super) fn hunger(&self, live: &Live) -> Hunger {
        match self.fetch {
            Fetch::Resolve(_) => Hunger::Other,
            Fetch::None if self.looks_first(live) && self.wants_elements(live) => Hunger::Other,
            Fetch::None | Fetch::Looked if self.wants_elements(live) => Hunger::Elements,
            _ => Hunger::None,
        }
    }

    fn wants_elements(&self, live: &Live) -> bool {
        let credit = self.send.fetchable(live.kind);
        let latest = self.delivery == Delivery::Latest;
        // What is behind a gap is fetched once all that is before it has been sent.
        let passed = self.gap.is_none() && !latest || self.send.is_empty();
        live.mode.has(Flags::READABLE)
            && !self.spent
            && self.tail.is_none()
            && passed
            && credit.bytes > 0
            && credit.elements > 0
            && self.send.queued() < QUEUE_BYTES
    }

    /// The shell's answer; says whether it was to a request of this epoch.
    pub(super) fn handle_reply(
        &mut self,
        serial: u64,
        reply: Reply,
        live: &mut Live,
        message_bytes: usize,
    ) -> Result<bool, Fault> {
        let asked =
            matches!(self.fetch, Fetch::Reading { .. } | Fetch::Looking | Fetch::Resolving(_));
        if serial != self.serial || !asked {
            return Ok(false);
        }
        match std::mem::replace(&mut self.fetch, Fetch::None) {
            Fetch::Reading { bytes, elements } => match reply {
                Reply::Some(chunk) if is_within(&chunk, bytes, elements) => {
                    self.take_chunk(chunk, live, message_bytes);
                }
                Reply::Some(_) => self.break_off(wrong_reply()),
                // An end that was met before the news may be none any more: the next read tells.
                Reply::Nothing(_) if self.news => {}
                Reply::Nothing(state) => self.handle_nothing(state, live)?,
                Reply::Failed(fault) => self.break_off(fault),
                _ => return Err(wrong_reply()),
            },
            Fetch::Looking => match reply {
                Reply::State(state) | Reply::Nothing(state) => {
                    if !self.news {
                        live.set_state(state)?;
                    }
                    self.fetch = Fetch::Looked;
                }
                Reply::Failed(fault) => self.break_off(fault),
                _ => return Err(wrong_reply()),
            },
            Fetch::Resolving(seek) => match reply {
                Reply::State(state) | Reply::Nothing(state) => {
                    if !self.news {
                        live.set_state(state)?;
                    }
                    self.resolve(*seek, live);
                }
                Reply::Failed(fault) => {
                    let state = live.state.clone();
                    self.answer = Some(boxed(SeekFailed { epoch: seek.epoch, fault, state }));
                }
                _ => return Err(wrong_reply()),
            },
            other => self.fetch = other,
        }
        Ok(true)
    }

    fn handle_nothing(&mut self, state: State, live: &mut Live) -> Result<(), Fault> {
        live.set_state(state)?;
        self.misses = self.misses.saturating_add(1);
        if self.misses > MISSES {
            self.break_off(wrong_reply());
        } else {
            self.reach_end(live);
        }
        Ok(())
    }

    /// Queues elements; the first entity that the peer would not take breaks the reading off.
    fn take_chunk(&mut self, mut chunk: Chunk, live: &mut Live, message_bytes: usize) {
        if let Some(fitting) = chunk.first_over(message_bytes) {
            let first = chunk.split_to(fitting);
            if !first.is_empty() {
                self.queue_chunk(first, live);
            }
            let text = format!("an entity of more than the reader's {message_bytes} bytes");
            self.break_off(Fault::new(Code::TOO_LARGE, text));
        } else {
            self.queue_chunk(chunk, live);
        }
    }

    fn queue_chunk(&mut self, chunk: Chunk, live: &mut Live) {
        let fits = chunk.kind() == live.kind && !chunk.is_empty();
        let Some(after) = self.next.forward(chunk.elements()).filter(|_| fits) else {
            return self.break_off(wrong_reply());
        };
        if self.go_behind(after, live) {
            self.send.push(chunk);
            self.stop_at_known_end(live);
        }
    }

    /// Goes on behind elements that end there; says whether they may be sent.
    fn go_behind(&mut self, after: Position, live: &mut Live) -> bool {
        if let Some(end) = live.state.bounds.end.filter(|&end| end < after) {
            // They were read before the data was cut, and came to its last end.
            if live.state.ended {
                self.break_off(truncated(end));
                return false;
            }
            // The elements themselves tell the peer of it.
            live.state.bounds.end = Some(after);
        }
        self.misses = 0;
        self.next = after;
        true
    }

    fn break_off(&mut self, fault: Fault) {
        self.spent = true;
        self.broken = true;
        self.tail = Some(boxed(Broken { epoch: self.epoch, at: self.next, fault }));
    }

    /// Where the end cannot move it needs no read that finds nothing.
    fn stop_at_known_end(&mut self, live: &Live) {
        if live.state.ended && live.state.bounds.end == Some(self.next) {
            self.reach_end(live);
        }
    }

    /// The source has nothing at the next position, as of the state that is known.
    fn reach_end(&mut self, live: &Live) {
        let (epoch, at) = (self.epoch, self.next);
        let Bounds { start, end } = live.state.bounds;
        if let Some(start) = start.filter(|&start| start > at) {
            self.misses = 0;
            return self.leave_out(start, self.delivery == Delivery::Lossless);
        }
        match end.map(|end| end.cmp(&at)) {
            Some(Ordering::Greater) => return,
            Some(Ordering::Less) => {
                return self.break_off(truncated(end.unwrap_or_default()));
            }
            Some(Ordering::Equal) | None => {}
        }
        if live.state.ended || self.at_end == AtEnd::Stop {
            self.spent = true;
            self.tail = Some(boxed(End { epoch, at }));
        } else {
            self.fetch = Fetch::Waiting;
            self.tail = Some(boxed(UpToDate { epoch, at }));
        }
    }

    /// The data was cut before what has been fetched: none of that is true any more, not even an
    /// end that was told.
    pub(super) fn cut_off(&mut self, end: Position) {
        // Who takes no elements has got none that were cut off.
        if self.broken || self.next <= end || self.send.is_unwanted() {
            return;
        }
        self.stop_short(truncated(end));
    }

    /// Breaks off behind what has been sent, whatever has been fetched.
    fn stop_short(&mut self, fault: Fault) {
        self.send.drop_queue();
        self.gap = None;
        self.fetch = Fetch::None;
        self.break_off(fault);
    }

    /// The data looks different: wait on where nothing came, read on where something did.
    pub(super) fn handle_state(&mut self, live: &Live) {
        self.news = true;
        if self.fetch != Fetch::Waiting {
            return;
        }
        let moved = live.state.bounds.end != Some(self.next);
        if moved || live.state.ended {
            self.misses = 0;
            self.fetch = Fetch::None;
            self.tail = None;
        }
        if live.state.ended && !moved {
            self.reach_end(live);
        }
    }

    // --- output ------------------------------------------------------------------------------

    pub(super) const fn has_control(&self) -> bool {
        self.answer.is_some()
    }

    pub(super) fn take_control(&mut self) -> Option<Box<StreamControl>> {
        self.answer.take()
    }

    /// Whether elements, or what follows them, may go out.
    pub(super) fn has_data(&self) -> bool {
        self.send.is_ready() || (self.send.is_empty() && (self.tail.is_some() || self.is_at_gap()))
    }

    fn is_at_gap(&self) -> bool {
        self.gap.as_ref().is_some_and(|gap| gap.at == self.send.at())
    }

    /// Sends bytes that were read for a request of this epoch as they lie in `batch`, from `head`
    /// on. Gives where their frame begins, or nothing where they have to wait their turn.
    pub(super) fn send_in_place(
        &mut self,
        (id, serial): (u64, u64),
        batch: &mut [u8],
        head: usize,
        live: &mut Live,
    ) -> Option<usize> {
        let length = batch.len().checked_sub(head).filter(|&length| length > 0)?;
        let asked = matches!(self.fetch, Fetch::Reading { bytes, .. } if length <= bytes);
        let next = self.send.is_empty() && self.gap.is_none() && self.tail.is_none();
        if serial != self.serial || !asked || !next || live.kind != Kind::Bytes {
            return None;
        }
        let after = self.next.forward(length as u64)?;
        if live.state.ended && live.state.bounds.end.is_some_and(|end| end < after) {
            return None;
        }
        let begin = self.send.send_in_place(batch, head, (id, self.epoch))?;
        self.fetch = Fetch::None;
        if self.go_behind(after, live) {
            self.stop_at_known_end(live);
        }
        Some(begin)
    }

    /// Appends one frame of elements, or what follows the last of them.
    pub(super) fn put_data(
        &mut self,
        out: &mut BytesMut,
        id: u64,
        room: usize,
        lender: &mut Lender<'_>,
    ) -> bool {
        if let Some(gap) = self.gap.take_if(|gap| gap.at == self.send.at()) {
            StreamControl::from(*gap).put(out, id);
            self.send.skip_to(gap.to);
            return true;
        }
        let sent = self.send.put_frame(out, (id, self.epoch), room, lender);
        if let Some(fault) = self.send.take_refusal() {
            self.stop_short(fault);
        }
        if sent {
            return true;
        }
        let Some(mut tail) = self.tail.take_if(|_| self.send.is_empty()) else { return false };
        if let StreamControl::Broken(broken) = &mut *tail {
            // What was dropped was not sent, whatever had been fetched.
            broken.at = self.send.at();
        }
        tail.put(out, id);
        true
    }
}

/// A frame that waits; few streams have one at a time.
fn boxed(frame: impl Into<StreamControl>) -> Box<StreamControl> {
    Box::new(frame.into())
}

fn truncated(end: Position) -> Fault {
    Fault::new(Code::TRUNCATED, format!("the data was cut and ends at {end} now"))
}

/// Whether a source kept to what it was asked for. A single entity may be of any size.
fn is_within(chunk: &Chunk, bytes: usize, elements: u64) -> bool {
    match chunk {
        Chunk::Bytes(found) => found.len() <= bytes,
        Chunk::Items(batch) => batch.count() <= elements,
    }
}
