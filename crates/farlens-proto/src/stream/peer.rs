//! The side that opens a stream and consumes it.
//!
//! There are many, and most of them only wait, so what is rarely needed lies elsewhere.

mod input;
mod ranges;
mod writing;

use super::{
    ahead::Runs,
    intake::Intake,
    lane::Rights,
    range_reader::RangeReader,
    recv::{Receive, ReceiveBudget, Window},
    seek::{SeekStatus, Seeks, Wish},
    streamer::wish_allowed,
    writer::Writer,
};
use crate::{
    buffer::{StreamBuffer, chunk::Chunk},
    link::CallTicket,
    time::Time,
};
use bytes::BytesMut;
use farlens_wire::{
    AtEnd, Code, Delivery, Epoch, Flags, Kind, Mode, Operation, Pos, Position, Reference, StreamId,
    Urgency,
    frame::{
        Fault,
        stream::{Close, Credit, Gap, Limit, Open, Purpose, Seek, State, StreamControl, Target},
    },
};
use std::collections::VecDeque;

/// What a stream is opened on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell builds it")]
pub enum OpenOn {
    /// A published path.
    Path(String),
    /// A streamer of the peer, which is to be held until the stream is open.
    Streamer(Reference),
    /// The first reference in the answer to a call that was made as pipelined and has been sent.
    Answer(CallTicket),
}

impl From<String> for OpenOn {
    fn from(path: String) -> Self {
        Self::Path(path)
    }
}

/// What a stream is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the shell builds it")]
pub struct OpenRequest {
    /// What it is opened on.
    pub on: OpenOn,
    /// The flags that the stream must offer.
    pub flags: Flags,
    /// What it must carry, if that matters.
    pub kind: Option<Kind>,
    /// Where to begin.
    pub start: Pos,
    /// What to do at the end.
    pub at_end: AtEnd,
    /// Whether elements may be left out.
    pub delivery: Delivery,
    /// What to do where nothing is, or with what is there.
    pub purpose: Purpose,
    /// How far the streamer may send ahead: nothing where only news of the data are wanted.
    pub ahead: Ahead,
    /// Whether nothing is granted before the first read or seek.
    pub lazy: bool,
    /// The fingerprint of the type that will be decoded.
    pub fingerprint: Option<[u8; 16]>,
    /// How soon elements go out beside those of other streams, on either side.
    pub urgency: Urgency,
}

/// How far a streamer may send ahead of the consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell chooses one")]
pub enum Ahead {
    /// As the limits of the link say, more where that helps, less for a reader of bytes that seeks
    /// on again and again after a little.
    #[default]
    Auto,
    /// The same, but so many encoded bytes and entities at first, and never more.
    AtMost(Credit),
    /// Nothing.
    Nothing,
}

/// What is known of a stream once it is open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the shell reads it")]
pub struct StreamInfo {
    /// What it carries.
    pub kind: Kind,
    /// What it allows.
    pub mode: Mode,
    /// Whether it may be written at the end and nowhere else.
    pub append_only: bool,
    /// The fingerprint of the entities' type.
    pub fingerprint: Option<[u8; 16]>,
    /// The encoded schema of that type.
    pub schema: Option<Vec<u8>>,
    /// The absolute position where it was opened.
    pub opened_at: Position,
}

/// What a read gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell must know every outcome")]
pub enum ReadOutcome {
    /// Elements, at least one.
    Some(Chunk),
    /// Elements are left out here, at least one; the position is behind them now.
    Gap {
        /// How many.
        skipped: u64,
        /// Whether the data is gone, and not merely skipped for a reader that wants the latest.
        evicted: bool,
    },
    /// Nothing yet.
    Pending,
    /// The end, at this position.
    End(Position),
    /// Nothing more can be read; a seek may help unless the stream is over.
    Failed(Fault),
}

/// The opener's side of one stream.
#[derive(Debug)]
pub(crate) struct StreamPeer {
    /// What is asked for, until that is answered.
    asked: Option<Box<Asked>>,
    urgency: Urgency,
    delivery: Delivery,
    phase: Phase,
    info: Option<StreamInfo>,
    state: State,
    epoch: Epoch,
    at_end: AtEnd,
    /// The next element that the consumer gets.
    position: Position,
    /// Opened at the first element that there is; since then nothing but gaps has come, and no
    /// other place was asked for.
    unbegun: bool,
    runs: Runs,
    window: Window,
    intake: Intake,
    /// Handed out and not counted as consumed.
    taken: Credit,
    buffer: StreamBuffer,
    /// What is left out between the elements in the buffer, or behind them.
    gaps: Option<Box<Gaps>>,
    finish: Option<Finish>,
    seeks: Seeks,
    slots: Slots,
    /// From the first place that is asked for.
    ranges: Option<Box<RangeReader>>,
    /// From the first credit for writing.
    writer: Option<Box<Writer>>,
}

/// What most readers never come to.
#[derive(Debug, Default)]
struct Gaps(VecDeque<Gap>);

#[derive(Debug)]
struct Asked {
    request: OpenRequest,
    target: Target,
    /// Whether the consumer has come for elements already.
    is_read: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    /// Over, for this reason; what is buffered can still be read.
    Over(Box<Fault>),
    /// The consumer is gone; the streamer has not confirmed it.
    Closing,
}

#[derive(Debug, PartialEq, Eq)]
enum Finish {
    UpToDate,
    End(Position),
    Broken(Box<Fault>),
}

/// Frames that wait, one of each sort at the most.
#[derive(Debug, Default)]
struct Slots {
    open: bool,
    seek: Option<Wish>,
    limit: bool,
    close: bool,
    /// The close of a stream that has no answer yet: it waits for the answer, or for its turn.
    withdrawal: bool,
}

/// With a longer path the first ranges do not ride in the open frame, which must fit into the
/// smallest one that a peer may allow.
const ROOMY_PATH_BYTES: usize = 2 << 10;

impl StreamPeer {
    pub(crate) fn open(
        request: OpenRequest,
        target: Target,
        window: Window,
        budget: &mut ReceiveBudget,
    ) -> Self {
        let window = match request.ahead {
            Ahead::Auto => window,
            Ahead::AtMost(most) => Window::fixed(most),
            Ahead::Nothing => Window::NONE,
        };
        let receive = match request.lazy {
            true => Receive::default(),
            false => Receive::start(window, budget),
        };
        Self {
            phase: Phase::Opening,
            info: None,
            state: State::default(),
            epoch: Epoch::FIRST,
            at_end: request.at_end,
            position: Position::ZERO,
            unbegun: request.start == Pos::START,
            runs: Runs::default(),
            window,
            intake: Intake::new(receive),
            taken: Credit::default(),
            buffer: StreamBuffer::default(),
            gaps: None,
            finish: None,
            seeks: Seeks::default(),
            slots: Slots { open: true, ..Slots::default() },
            ranges: None,
            writer: None,
            delivery: request.delivery,
            urgency: request.urgency,
            asked: Some(Box::new(Asked { request, target, is_read: false })),
        }
    }

    pub(crate) const fn info(&self) -> Option<&StreamInfo> {
        self.info.as_ref()
    }

    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    /// How soon its elements go out beside those of others.
    pub(crate) const fn urgency(&self) -> Urgency {
        self.urgency
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// Why the stream is over, if it is.
    pub(crate) const fn over(&self) -> Option<&Fault> {
        match &self.phase {
            Phase::Over(fault) => Some(fault),
            _ => None,
        }
    }

    /// Where the end is, if it was told.
    pub(crate) const fn end(&self) -> Option<Position> {
        match &self.finish {
            Some(Finish::End(at)) => Some(*at),
            _ => None,
        }
    }

    /// Why reading failed at the present position, if it did.
    pub(crate) const fn broken(&self) -> Option<&Fault> {
        match &self.finish {
            Some(Finish::Broken(fault)) => Some(fault),
            _ => None,
        }
    }

    /// Whether all that there is has been consumed, as far as the streamer said.
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.is_drained() && matches!(self.finish, Some(Finish::UpToDate | Finish::End(_)))
    }

    /// Whether a read gives elements, or tells of some that are left out.
    pub(crate) fn is_readable(&self) -> bool {
        !self.is_drained()
    }

    /// Whether the mode allows reading, as far as it is known.
    fn may_read(&self) -> bool {
        self.info.as_ref().is_none_or(|info| info.mode.allows(Operation::Read).is_ok())
    }

    fn first_gap(&self) -> Option<&Gap> {
        self.gaps.as_ref()?.0.front()
    }

    fn is_drained(&self) -> bool {
        self.buffer.is_empty() && self.first_gap().is_none()
    }

    // --- commands ----------------------------------------------------------------------------

    /// Takes up to `max` elements. Who comes again has used those of the last time.
    pub(crate) fn read(&mut self, max: u64, budget: &mut ReceiveBudget) -> ReadOutcome {
        self.count_taken(budget);
        let at_gap = self.first_gap().is_some_and(|gap| gap.at == self.position);
        if at_gap && let Some(gap) = self.gaps.as_mut().and_then(|gaps| gaps.0.pop_front()) {
            self.position = gap.to;
            return ReadOutcome::Gap { skipped: gap.to.since(gap.at), evicted: gap.evicted };
        }
        let before_gap = self.first_gap().map_or(u64::MAX, |gap| gap.at.since(self.position));
        if let Some(chunk) = self.buffer.pop(max.min(before_gap)) {
            let elements = chunk.elements();
            self.position = self.position.forward(elements).unwrap_or(Position::MAX);
            let entities = if chunk.kind() == Kind::Items { elements } else { 0 };
            self.taken = Credit { bytes: chunk.cost() as u64, elements: entities };
            if !self.holds_credit() {
                self.count_taken(budget);
            }
            return ReadOutcome::Some(chunk);
        }
        if self.seeks.under_way || self.seeks.waiting.is_some() {
            return ReadOutcome::Pending;
        }
        match (&self.finish, &self.phase) {
            (_, Phase::Closing) => ReadOutcome::Failed(closed()),
            (_, Phase::Open) if !self.may_read() => ReadOutcome::Failed(unreadable()),
            (Some(Finish::End(at)), _) => ReadOutcome::End(*at),
            (Some(Finish::Broken(fault)), _) | (_, Phase::Over(fault)) => {
                ReadOutcome::Failed((**fault).clone())
            }
            _ => {
                self.grant_first(budget);
                ReadOutcome::Pending
            }
        }
    }

    /// The first read of a stream that was granted nothing when it was opened.
    fn grant_first(&mut self, budget: &mut ReceiveBudget) {
        if let Some(asked) = &mut self.asked {
            asked.is_read = true;
        } else if self.phase == Phase::Open && self.intake.receive.granted().bytes == 0 {
            self.intake.receive = Receive::start(self.window, budget);
            if self.delivery == Delivery::Lossless {
                self.intake.receive.begin(self.window, budget);
            }
            self.slots.limit |= self.intake.receive.granted().bytes > 0;
        }
    }

    /// Whether what was handed out uses credit until the consumer comes for more. One who is
    /// expected to leave soon may do so in the middle of it; for one who wants the latest what is
    /// fetched now would only grow old behind it.
    fn holds_credit(&self) -> bool {
        self.window.is_narrow() || self.delivery == Delivery::Latest
    }

    /// What was handed out is consumed, and makes room for more.
    fn count_taken(&mut self, budget: &mut ReceiveBudget) {
        let taken = std::mem::take(&mut self.taken);
        let moves = self.phase == Phase::Open && !self.seeks.under_way;
        if moves && taken != Credit::default() {
            self.slots.limit |= self.intake.receive.consume(taken, &mut self.window, budget);
        }
    }

    /// Goes elsewhere. The consumer still holds `held` elements that it took and did not use.
    ///
    /// A place that is buffered already is reached at once; otherwise the streamer is asked, and
    /// [`StreamPeer::take_seek_status`] tells how it went.
    pub(crate) fn seek(
        &mut self,
        to: Pos,
        at_end: AtEnd,
        held: u64,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Fault> {
        match &self.phase {
            Phase::Over(fault) => return Err((**fault).clone()),
            Phase::Closing => return Err(closed()),
            Phase::Opening | Phase::Open => {}
        }
        let back = i64::try_from(held).unwrap_or(i64::MAX).saturating_neg();
        let from = self.position.offset(back).unwrap_or(self.position);
        if let Some(info) = &self.info {
            wish_allowed(info.mode, from, to)?;
        }
        let wish = Wish { to, at_end };
        self.unbegun = false;
        self.seeks.outcome = None;
        if self.phase == Phase::Opening || self.seeks.under_way {
            self.seeks.waiting = Some(wish);
        } else if !self.skip_to(wish, budget) {
            self.position = from;
            self.runs.end(from);
            self.send_seek(wish, budget);
        }
        Ok(())
    }

    /// Whether an end was told that may have moved since: a seek looks again.
    pub(crate) fn has_stale_end(&self) -> bool {
        let moves = self.info.as_ref().is_some_and(|info| info.mode.can_change_bounds());
        self.end().is_some() && moves && !self.state.ended
    }

    /// Reaches a place inside the buffer without asking anybody.
    fn skip_to(&mut self, wish: Wish, budget: &mut ReceiveBudget) -> bool {
        let Pos::Abs(to) = wish.to else { return false };
        let known = self.first_gap().map_or(self.intake.next(), |gap| gap.at);
        // What has been dropped meanwhile is no place any more, even if it is still buffered.
        let exists = self.state.bounds.contains(to);
        let inside = to >= self.position && to < known && exists;
        if !inside || wish.at_end != self.at_end || self.has_stale_end() {
            return false;
        }
        while to > self.position {
            if !matches!(self.read(to.since(self.position), budget), ReadOutcome::Some(_)) {
                return false;
            }
        }
        self.seeks.outcome = Some(Ok(to));
        true
    }

    fn send_seek(&mut self, wish: Wish, budget: &mut ReceiveBudget) {
        self.epoch = self.epoch.next();
        self.seeks.at_end = wish.at_end;
        self.drop_elements(budget);
        self.finish = None;
        if self.info.as_ref().is_some_and(|info| info.kind == Kind::Bytes) {
            self.window = self.window.expecting(self.runs.expected());
        }
        self.intake.receive = Receive::start(self.window, budget);
        self.seeks.under_way = true;
        self.seeks.silent = false;
        self.slots.limit = false;
        self.slots.seek = Some(wish);
    }

    /// Forgets what has come, and the credit for more.
    fn drop_elements(&mut self, budget: &mut ReceiveBudget) {
        self.buffer.clear();
        self.gaps = None;
        self.intake.restart(self.position);
        self.intake.receive.release(budget);
        self.taken = Credit::default();
    }

    /// What became of the last seek; success and failure are told once.
    pub(crate) fn take_seek_status(&mut self) -> SeekStatus {
        self.seeks.take_status()
    }

    /// A seek made before the stream was open goes out behind the answer to it.
    pub(crate) fn start_delayed_seek(&mut self, budget: &mut ReceiveBudget) {
        let Some(wish) = self.seeks.waiting else { return };
        let allowed =
            self.info.as_ref().map(|info| wish_allowed(info.mode, self.position, wish.to));
        match allowed {
            Some(Err(fault)) => {
                self.seeks.waiting = None;
                self.seeks.outcome = Some(Err(Box::new(fault)));
            }
            _ => self.start_waiting_seek(budget),
        }
    }

    /// The consumer is gone. Says whether the stream can be forgotten at once.
    pub(crate) fn close(&mut self, budget: &mut ReceiveBudget) -> bool {
        if self.is_closing() {
            return false;
        }
        self.drop_elements(budget);
        self.end_machines(&closed(), budget);
        let sought = self.seeks.take_status() == SeekStatus::Pending;
        self.seeks = Seeks { outcome: sought.then(|| Err(Box::new(closed()))), ..Seeks::default() };
        if self.over().is_some() {
            return true;
        }
        let unsent = self.slots.open;
        let unanswered = self.info.is_none();
        self.phase = Phase::Closing;
        self.slots = Slots { close: !unanswered, withdrawal: unanswered, ..Slots::default() };
        unsent
    }

    /// Whether it is to be taken back before it was answered.
    pub(crate) const fn is_withdrawn(&self) -> bool {
        self.slots.withdrawal
    }

    /// Has a stream that is to be taken back closed now: it was answered, or may be taken back.
    pub(crate) const fn close_withdrawn(&mut self) {
        self.slots.close |= self.slots.withdrawal;
        self.slots.withdrawal = false;
    }

    /// The stream, or its link, is over. What is buffered stays readable.
    pub(crate) fn handle_over(&mut self, fault: Fault, budget: &mut ReceiveBudget) {
        if self.over().is_some() {
            return;
        }
        self.phase = Phase::Over(Box::new(fault.clone()));
        self.slots = Slots::default();
        self.intake.receive.release(budget);
        self.intake.drop_unfinished();
        self.end_machines(&fault, budget);
        let answered = self.seeks.under_way && !self.seeks.silent || self.seeks.waiting.is_some();
        self.seeks = Seeks { outcome: self.seeks.outcome.take(), ..Seeks::default() };
        if answered {
            self.seeks.outcome = Some(Err(Box::new(fault)));
        }
    }

    fn end_machines(&mut self, fault: &Fault, budget: &mut ReceiveBudget) {
        if let Some(ranges) = &mut self.ranges {
            ranges.fail_all(fault, budget);
        }
        if let Some(writer) = &mut self.writer {
            writer.end(fault);
        }
    }

    fn start_waiting_seek(&mut self, budget: &mut ReceiveBudget) {
        if !self.seeks.under_way
            && let Some(wish) = self.seeks.waiting.take()
        {
            self.seeks.outcome = None;
            self.send_seek(wish, budget);
        }
    }

    // --- output ------------------------------------------------------------------------------

    pub(crate) fn has_control(&self) -> bool {
        self.slots.open
            || self.slots.seek.is_some()
            || self.slots.limit
            || self.slots.close
            || self.asks_ranges()
    }

    /// Appends the frames that wait, which go out at this moment.
    pub(crate) fn put_control(
        &mut self,
        out: &mut BytesMut,
        id: StreamId,
        now: Time,
        budget: &mut ReceiveBudget,
    ) {
        let withdrawal = self.slots.withdrawal;
        let slots = std::mem::replace(&mut self.slots, Slots { withdrawal, ..Slots::default() });
        // Old elements are of no use to one who wants the latest.
        if slots.open && self.delivery == Delivery::Lossless {
            self.intake.receive.begin(self.window, budget);
        }
        let credit = self.credit();
        if slots.open || slots.limit || slots.seek.is_some() {
            self.intake.receive.tell(now);
        }
        if slots.open
            && let Some(open) = self.open_frame(credit)
        {
            StreamControl::Open(open).put(out, id.0);
        }
        if let Some(Wish { to, at_end }) = slots.seek {
            let seek = Seek { epoch: self.epoch, to, from: self.position, at_end, credit };
            StreamControl::Seek(seek).put(out, id.0);
        } else if slots.limit {
            StreamControl::Limit(Limit { epoch: self.epoch, credit }).put(out, id.0);
        }
        if self.asks_ranges()
            && let Some(ranges) = &mut self.ranges
        {
            ranges.put_frame(out, id.0);
        }
        if slots.close {
            StreamControl::Close(Close {}).put(out, id.0);
        }
    }

    /// What the streamer may send. On bytes it may hold back at the elements, too: they bind no less.
    fn credit(&self) -> Credit {
        let Credit { bytes, elements } = self.intake.receive.granted();
        let asked = || self.asked.as_ref()?.request.kind;
        let kind = self.info.as_ref().map(|info| info.kind).or_else(asked);
        let least = if kind == Some(Kind::Bytes) { bytes } else { 0 };
        Credit { bytes, elements: elements.max(least) }
    }

    fn open_frame(&mut self, credit: Credit) -> Option<Open> {
        let Asked { request, target, .. } = self.asked.as_deref_mut()?;
        let target = std::mem::replace(target, Target::Path(String::new()));
        let is_roomy = !matches!(&target, Target::Path(path) if path.len() > ROOMY_PATH_BYTES);
        let ranges = self.ranges.as_mut().filter(|_| is_roomy);
        Some(Open {
            target,
            flags: request.flags.bits(),
            kind: request.kind,
            start: request.start,
            at_end: request.at_end,
            delivery: request.delivery,
            purpose: request.purpose,
            credit,
            ranges: ranges.map_or(Vec::new(), |ranges| ranges.take_ranges_for_open()),
            fingerprint: request.fingerprint,
            urgency: request.urgency,
        })
    }
}

fn closed() -> Fault {
    Fault::new(Code::CLOSED, "the stream is closed")
}

fn unreadable() -> Fault {
    Fault::new(Code::MODE_FORBIDS, "this stream is not for reading")
}
