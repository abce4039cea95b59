//! The side that has the data: fetches it in bounded requests and sends it within the credit.

use super::send::Send;
use crate::{
    buffer::chunk::Chunk,
    error::Violation,
    event::{Ask, DataRequest, Reply},
};
use bytes::BytesMut;
use farlens_wire::{
    AtEnd, Bounds, Code, Epoch, Flags, Kind, Mode, Pos, Position, StreamId,
    frame::{
        Fault,
        stream::{
            Broken, Closed, Credit, End, Failed, Limit, Open, Opened, Seek, SeekFailed, Sought,
            State, StreamControl, UpToDate,
        },
    },
};
use std::cmp::Ordering;

/// What the shell found for a stream that the peer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the shell builds it")]
pub struct Accepted {
    /// What the data consists of.
    pub kind: Kind,
    /// What the stream allows.
    pub mode: Mode,
    /// What the data looks like now.
    pub state: State,
    /// The fingerprint of the entities' type, if they have one.
    pub fingerprint: Option<[u8; 16]>,
    /// The encoded schema of that type.
    pub schema: Option<Vec<u8>>,
}

/// The streamer's side of one stream.
#[derive(Debug)]
pub(crate) struct Streamer {
    phase: Phase,
    epoch: Epoch,
    at_end: AtEnd,
    /// The next position to fetch.
    next: Position,
    send: Send,
    fetch: Fetch,
    /// The state was told while a request was under way, whose answer may be older.
    news: bool,
    serial: u64,
    /// Control frames that wait, one of each sort at the most.
    answer: Option<StreamControl>,
    tell_state: bool,
    /// What follows the queued elements.
    tail: Option<StreamControl>,
    /// Nothing more comes in this epoch.
    spent: bool,
    /// Times in a row that the source found nothing although its end lies further on.
    misses: u8,
    /// The shell was told of it, and not yet that it is gone.
    told: bool,
}

#[derive(Debug)]
enum Phase {
    /// The shell is looking for the data.
    Asked(Open),
    Live(Live),
    /// Only the last frame is left to send.
    Gone(StreamControl),
}

#[derive(Debug)]
struct Live {
    kind: Kind,
    mode: Mode,
    state: State,
}

/// What is asked of the shell.
#[derive(Debug, PartialEq, Eq)]
enum Fetch {
    /// Nothing.
    None,
    /// Elements have been asked for, no more than this.
    Reading { bytes: usize, elements: u64 },
    /// At the end as it was last seen; a state that differs goes on.
    Waiting,
    /// The state must be known before this seek is resolved; not asked for yet.
    Resolve(Seek),
    /// It has been asked for.
    Resolving(Seek),
}

/// The most encoded bytes that one fetch asks for.
const FETCH_BYTES: u64 = 256 << 10;
/// A stream with so many bytes queued fetches no more.
const QUEUE_BYTES: usize = 128 << 10;
/// A source whose state contradicts its reads is asked so many times.
const MISSES: u8 = 3;

impl Streamer {
    pub(crate) fn asked(open: Open) -> Self {
        Self {
            epoch: Epoch::FIRST,
            at_end: open.at_end,
            next: Position::ZERO,
            send: Send::start(Position::ZERO, open.credit),
            fetch: Fetch::None,
            news: false,
            serial: 0,
            answer: None,
            tell_state: false,
            tail: None,
            spent: false,
            misses: 0,
            told: false,
            phase: Phase::Asked(open),
        }
    }

    /// Notes that the shell was told of it.
    pub(crate) fn tell(&mut self) {
        self.told = true;
    }

    /// Whether the shell must be told that it is gone; true once.
    pub(crate) fn take_farewell(&mut self) -> bool {
        matches!(self.phase, Phase::Gone(_)) && std::mem::take(&mut self.told)
    }

    /// Bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.send.queued()
    }

    /// Whether the shell still has to say yes or no.
    pub(crate) const fn is_asked(&self) -> bool {
        matches!(self.phase, Phase::Asked(_))
    }

    /// Whether the peer has all that it asked for, or waits for an answer that may be a refusal.
    pub(crate) fn is_idle(&self) -> bool {
        let told = self.send.is_empty() && self.tail.is_none() && !self.has_control();
        let quiet = self.spent || self.fetch == Fetch::Waiting || self.send.is_unwanted();
        self.is_asked() || (told && quiet)
    }

    /// The shell found the data.
    pub(crate) fn accept(&mut self, accepted: Accepted) {
        let Phase::Asked(open) = &self.phase else { return };
        match judge(open, &accepted) {
            Err(fault) => self.fail(fault),
            Ok(at) => {
                self.next = at;
                self.send = Send::start(at, self.send.limit());
                let Accepted { kind, mode, state, fingerprint, schema } = accepted;
                let opened = Opened {
                    kind,
                    mode,
                    append_only: false,
                    write: Credit::default(),
                    state: state.clone(),
                    at,
                    fingerprint,
                    schema,
                };
                self.answer = Some(opened.into());
                self.phase = Phase::Live(Live { kind, mode, state });
                self.stop_at_known_end();
            }
        }
    }

    /// Ends the stream with a reason.
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.end(Failed { fault }.into());
    }

    /// The peer is done with it.
    pub(crate) fn handle_close(&mut self) {
        self.end(Closed {}.into());
    }

    fn end(&mut self, last: StreamControl) {
        if !matches!(self.phase, Phase::Gone(_)) {
            self.send = Send::default();
            self.fetch = Fetch::None;
            self.answer = None;
            self.tell_state = false;
            self.tail = None;
            self.phase = Phase::Gone(last);
        }
    }

    pub(crate) fn handle_limit(&mut self, limit: Limit) -> Result<(), Violation> {
        if matches!(self.phase, Phase::Gone(_)) {
            return Ok(());
        }
        if limit.epoch != self.epoch {
            return Err(Violation::protocol("credit for another epoch than the current one"));
        }
        self.send.raise(limit.credit)
    }

    pub(crate) fn handle_seek(&mut self, seek: Seek) -> Result<(), Violation> {
        let live = match &self.phase {
            Phase::Asked(_) => return Err(Violation::protocol("a seek before the stream is open")),
            Phase::Gone(_) => return Ok(()),
            Phase::Live(live) => live,
        };
        let owed = matches!(self.fetch, Fetch::Resolve(_) | Fetch::Resolving(_));
        if seek.epoch != self.epoch.next() || owed || self.answer.is_some() {
            return Err(Violation::protocol("a seek before the one before was answered"));
        }
        if !live.mode.flags().has_any(Flags::SEEK) {
            self.fail(Fault::new(Code::MODE_FORBIDS, "this stream cannot seek"));
            return Ok(());
        }
        let moving = live.mode.can_change_bounds();
        self.epoch = seek.epoch;
        self.at_end = seek.at_end;
        self.send = Send::start(self.next, seek.credit);
        self.misses = 0;
        self.tail = None;
        self.spent = true;
        if moving {
            self.fetch = Fetch::Resolve(seek);
        } else {
            self.resolve(seek);
        }
        Ok(())
    }

    /// Answers a seek from what is known of the data.
    fn resolve(&mut self, seek: Seek) {
        let Phase::Live(live) = &self.phase else { return };
        self.fetch = Fetch::None;
        let state = live.state.clone();
        match judge_seek(live.mode, seek, &state) {
            Ok(at) => {
                self.next = at;
                self.send = Send::start(at, self.send.limit());
                self.spent = false;
                self.answer = Some(Sought { epoch: seek.epoch, at, state }.into());
                self.stop_at_known_end();
            }
            Err(fault) => {
                self.answer = Some(SeekFailed { epoch: seek.epoch, fault, state }.into());
            }
        }
    }

    /// What the shell should do next, within `room` bytes of send budget.
    pub(crate) fn poll_request(&mut self, stream: StreamId, room: usize) -> Option<DataRequest> {
        if !matches!(self.phase, Phase::Live(_)) {
            return None;
        }
        let ask = match self.fetch {
            Fetch::Resolve(seek) => {
                self.fetch = Fetch::Resolving(seek);
                Ask::State
            }
            Fetch::None if self.wants_elements() && room > 0 => {
                let credit = self.fetchable();
                let bytes = credit.bytes.min(FETCH_BYTES).min(room as u64);
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                let elements = credit.elements;
                self.fetch = Fetch::Reading { bytes, elements };
                Ask::Read { at: self.next, bytes, elements }
            }
            _ => return None,
        };
        self.news = false;
        self.serial = self.serial.saturating_add(1);
        Some(DataRequest { stream, serial: self.serial, ask })
    }

    /// Whether [`Streamer::poll_request`] would ask for something.
    pub(crate) fn wants_request(&self) -> bool {
        matches!(self.phase, Phase::Live(_))
            && match self.fetch {
                Fetch::Resolve(_) => true,
                Fetch::None => self.wants_elements(),
                _ => false,
            }
    }

    /// Bytes that are asked for and have not come.
    pub(crate) const fn reserved(&self) -> usize {
        match self.fetch {
            Fetch::Reading { bytes, .. } => bytes,
            _ => 0,
        }
    }

    fn fetchable(&self) -> Credit {
        match &self.phase {
            Phase::Live(live) => self.send.fetchable(live.kind),
            _ => Credit::default(),
        }
    }

    fn wants_elements(&self) -> bool {
        let credit = self.fetchable();
        matches!(&self.phase, Phase::Live(live) if live.mode.has(Flags::READABLE))
            && !self.spent
            && self.tail.is_none()
            && credit.bytes > 0
            && credit.elements > 0
            && self.send.queued() < QUEUE_BYTES
    }

    /// The shell's answer to a request.
    pub(crate) fn handle_reply(&mut self, serial: u64, reply: Reply, message_bytes: usize) {
        if serial != self.serial {
            return;
        }
        match std::mem::replace(&mut self.fetch, Fetch::None) {
            Fetch::Reading { bytes, elements } => match reply {
                Reply::Some(chunk) if is_within(&chunk, bytes, elements) => {
                    self.take_chunk(chunk, message_bytes);
                }
                Reply::Some(_) => self.break_off(wrong_reply()),
                other => self.handle_no_elements(other),
            },
            Fetch::Resolving(seek) => match reply {
                Reply::State(state) | Reply::Nothing(state) => {
                    self.learn(state);
                    self.resolve(seek);
                }
                Reply::Failed(fault) => {
                    let Phase::Live(live) = &self.phase else { return };
                    let state = live.state.clone();
                    self.answer = Some(SeekFailed { epoch: seek.epoch, fault, state }.into());
                }
                _ => self.fail(wrong_reply()),
            },
            other => self.fetch = other,
        }
    }

    fn handle_no_elements(&mut self, reply: Reply) {
        match reply {
            // An end that was met before the news may be none any more: the next read tells.
            Reply::Nothing(_) if self.news => {}
            Reply::Nothing(state) => {
                self.set_state(state);
                self.misses = self.misses.saturating_add(1);
                if self.misses > MISSES {
                    self.break_off(wrong_reply());
                } else {
                    self.reach_end();
                }
            }
            Reply::Failed(fault) => self.break_off(fault),
            _ => self.fail(wrong_reply()),
        }
    }

    /// Queues elements; the first entity that the peer would not take breaks the reading off.
    fn take_chunk(&mut self, mut chunk: Chunk, message_bytes: usize) {
        if let Some(fitting) = chunk.first_over(message_bytes) {
            let first = chunk.split_to(fitting);
            if !first.is_empty() {
                self.queue_chunk(first);
            }
            let text = format!("an entity of more than the reader's {message_bytes} bytes");
            self.break_off(Fault::new(Code::TOO_LARGE, text));
        } else {
            self.queue_chunk(chunk);
        }
    }

    fn queue_chunk(&mut self, chunk: Chunk) {
        let Phase::Live(live) = &mut self.phase else { return };
        let fits = chunk.kind() == live.kind && !chunk.is_empty();
        let Some(after) = self.next.forward(chunk.elements()).filter(|_| fits) else {
            return self.break_off(wrong_reply());
        };
        if live.state.bounds.end.is_some_and(|end| end < after) {
            live.state.bounds.end = Some(after);
            self.tell_state = true;
        }
        self.misses = 0;
        self.next = after;
        self.send.push(chunk);
        self.stop_at_known_end();
    }

    fn break_off(&mut self, fault: Fault) {
        self.spent = true;
        self.tail = Some(Broken { epoch: self.epoch, at: self.next, fault }.into());
    }

    /// Where the end cannot move it needs no read that finds nothing.
    fn stop_at_known_end(&mut self) {
        let Phase::Live(live) = &self.phase else { return };
        if live.state.ended && live.state.bounds.end == Some(self.next) {
            self.reach_end();
        }
    }

    /// The source has nothing at the next position, as of the state that is known.
    fn reach_end(&mut self) {
        let Phase::Live(live) = &self.phase else { return };
        let (epoch, at) = (self.epoch, self.next);
        let Bounds { start, end } = live.state.bounds;
        if start.is_some_and(|start| start > at) {
            self.break_off(Fault::new(Code::EVICTED, format!("the data begins behind {at}")));
            return;
        }
        match end.map(|end| end.cmp(&at)) {
            Some(Ordering::Greater) => return,
            Some(Ordering::Less) => {
                let text = format!("the data ends before {at}");
                self.break_off(Fault::new(Code::TRUNCATED, text));
                return;
            }
            Some(Ordering::Equal) | None => {}
        }
        if live.state.ended || self.at_end == AtEnd::Stop {
            self.spent = true;
            self.tail = Some(End { epoch, at }.into());
        } else {
            self.fetch = Fetch::Waiting;
            self.tail = Some(UpToDate { epoch, at }.into());
        }
    }

    /// The data looks different.
    pub(crate) fn handle_state(&mut self, state: State) {
        self.news = true;
        self.set_state(state);
        if self.fetch == Fetch::Waiting {
            self.reconsider_end();
        }
    }

    /// Waits on where nothing came, reads on where something did.
    fn reconsider_end(&mut self) {
        let Phase::Live(live) = &self.phase else { return };
        let moved = live.state.bounds.end != Some(self.next);
        if moved || live.state.ended {
            self.misses = 0;
            self.fetch = Fetch::None;
            self.tail = None;
        }
        if live.state.ended && !moved {
            self.reach_end();
        }
    }

    /// Takes over the state of an answer unless something newer was told since it was asked for.
    fn learn(&mut self, state: State) {
        if !self.news {
            self.set_state(state);
        }
    }

    fn set_state(&mut self, state: State) {
        if let Some(what) = state.fault() {
            return self.fail(Fault::new(Code::INTERNAL, what));
        }
        if let Phase::Live(live) = &mut self.phase
            && live.state != state
        {
            live.state = state;
            self.tell_state = true;
        }
    }

    /// Whether a control frame waits that may overtake elements.
    pub(crate) fn has_control(&self) -> bool {
        self.answer.is_some() || self.tell_state || matches!(self.phase, Phase::Gone(_))
    }

    /// Whether elements, or what follows them, may go out.
    pub(crate) fn has_data(&self) -> bool {
        self.send.is_ready() || (self.send.is_empty() && self.tail.is_some())
    }

    /// Appends the control frames that wait; says whether the stream is over.
    pub(crate) fn put_control(&mut self, out: &mut BytesMut, id: StreamId) -> bool {
        if let Phase::Gone(last) = &self.phase {
            last.put(out, id.0);
            return true;
        }
        if let Some(answer) = self.answer.take() {
            answer.put(out, id.0);
        }
        if std::mem::take(&mut self.tell_state)
            && let Phase::Live(live) = &self.phase
        {
            StreamControl::State(live.state.clone()).put(out, id.0);
        }
        false
    }

    /// Appends one frame of elements, or what follows the last of them.
    pub(crate) fn put_data(&mut self, out: &mut BytesMut, id: StreamId, room: usize) -> bool {
        if self.send.put_frame(out, id.0, self.epoch, room) {
            return true;
        }
        match self.tail.take_if(|_| self.send.is_empty()) {
            Some(tail) => {
                tail.put(out, id.0);
                true
            }
            None => false,
        }
    }
}

/// Whether a source kept to what it was asked for. A single entity may be of any size.
fn is_within(chunk: &Chunk, bytes: usize, elements: u64) -> bool {
    match chunk {
        Chunk::Bytes(found) => found.len() <= bytes,
        Chunk::Items(batch) => batch.count() <= elements,
    }
}

fn wrong_reply() -> Fault {
    Fault::new(Code::INTERNAL, "the source answered something else than was asked")
}

/// Whether the stream can be opened as asked, and where it begins.
fn judge(open: &Open, accepted: &Accepted) -> Result<Position, Fault> {
    if open.kind.is_some_and(|kind| kind != accepted.kind) {
        let what = match accepted.kind {
            Kind::Bytes => "this is a byte stream, not entities",
            Kind::Items => "this is an entity stream, not bytes",
        };
        return Err(Fault::new(Code::WRONG_KIND, what));
    }
    let missing = Flags::from_bits(open.flags).without(accepted.mode.flags());
    if missing != Flags::NONE {
        let what = format!("the stream does not offer {missing}");
        return Err(Fault::new(Code::MODE_FORBIDS, what));
    }
    if let Some(what) = accepted.state.fault() {
        return Err(Fault::new(Code::INTERNAL, what));
    }
    let bounds = accepted.state.bounds;
    let at = open
        .start
        .resolve(bounds)
        .map_err(|out| Fault::new(Code::OUT_OF_RANGE, out.to_string()))?;
    if bounds.start.is_some_and(|start| start != at) && !accepted.mode.flags().has_any(Flags::SEEK)
    {
        let what = "this stream cannot seek: it begins at its start";
        return Err(Fault::new(Code::MODE_FORBIDS, what));
    }
    Ok(at)
}

/// Whether a seek is allowed, judged against the consumer's position, and where it leads.
fn judge_seek(mode: Mode, seek: Seek, state: &State) -> Result<Position, Fault> {
    let at = seek
        .to
        .resolve(state.bounds)
        .map_err(|out| Fault::new(Code::OUT_OF_RANGE, out.to_string()))?;
    direction_allowed(mode, seek.from, at)?;
    Ok(at)
}

/// Whether `mode` allows going from one place to another.
pub(crate) fn direction_allowed(mode: Mode, from: Position, to: Position) -> Result<(), Fault> {
    let (allowed, way) = match to.cmp(&from) {
        Ordering::Less => (mode.has(Flags::SEEK_REW), "backward"),
        Ordering::Greater => (mode.has(Flags::SEEK_FWD), "forward"),
        Ordering::Equal => (mode.flags().has_any(Flags::SEEK), "at all"),
    };
    if allowed {
        return Ok(());
    }
    let text = format!("this stream cannot seek {way} (from {from} to {to})");
    Err(Fault::new(Code::MODE_FORBIDS, text))
}

/// Whether a wish leads anywhere that `mode` allows, as far as that is known before it is resolved.
pub(crate) fn wish_allowed(mode: Mode, from: Position, to: Pos) -> Result<(), Fault> {
    match to {
        Pos::Abs(to) => direction_allowed(mode, from, to),
        Pos::FromStart(_) | Pos::FromEnd(_) if mode.flags().has_any(Flags::SEEK) => Ok(()),
        Pos::FromStart(_) | Pos::FromEnd(_) => {
            Err(Fault::new(Code::MODE_FORBIDS, "this stream cannot seek"))
        }
    }
}
