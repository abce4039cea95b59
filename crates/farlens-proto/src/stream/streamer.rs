//! The side that has the data: one stream's life, and who does what in it.
//!
//! Reading at the cursor, ranges and writing are independent of one another; each has a machine of
//! its own. What they share is what is known of the data.

mod judge;
mod reading;

pub(crate) use judge::wish_allowed;

use super::{
    hunger::Hunger,
    lane::{Lane, Rights},
    range_server::RangeServer,
    recv::{ReceiveBudget, Window},
};
use crate::{
    change::Reach,
    error::Violation,
    event::{DataRequest, Reply},
    link::Lender,
    time::Time,
};
use bytes::BytesMut;
use farlens_wire::{
    AtEnd, Code, Delivery, Flags, Kind, Mode, Operation, Position, Reference, Step, StreamId,
    Urgency,
    frame::{
        Fault, StreamFrame,
        stream::{
            Closed, Credit, Failed, Limit, Open, Opened, Range, RangeId, Seek, State, StreamControl,
        },
    },
};
use judge::judge_open;
use reading::Reading;

/// What the shell found for a stream that the peer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the shell builds it")]
pub struct Accepted {
    /// What the data consists of.
    pub kind: Kind,
    /// What the stream allows.
    pub mode: Mode,
    /// Whether it may be written at the end and nowhere else.
    pub append_only: bool,
    /// How far the peer may move the end.
    pub reach: Reach,
    /// Whether elements may be left out for a reader that wants the latest.
    pub live: bool,
    /// What the data looks like now.
    pub state: State,
    /// The fingerprint of the entities' type, if they have one.
    pub fingerprint: Option<[u8; 16]>,
    /// The encoded schema of that type.
    pub schema: Option<Vec<u8>>,
}

/// The streamer's side of one stream. There are many, and most of them only wait, so what is rarely
/// needed lies elsewhere.
#[derive(Debug)]
pub(crate) struct Streamer {
    phase: Phase,
    reading: Reading,
    /// From the first place that is asked for.
    ranges: Option<Box<RangeServer>>,
    /// Where the peer may write.
    lane: Option<Box<Lane>>,
    /// Whether it is the cursor's turn to ask, before the ranges'.
    cursor_asks: bool,
    urgency: Urgency,
    /// The last request's name.
    serial: u64,
    /// The shell was told of it, and not yet that it is gone.
    told: bool,
    /// The shell has the data, so nobody may be told that the stream is closed.
    held: bool,
}

#[derive(Debug)]
enum Phase {
    /// The shell is looking for the data.
    Asked(Box<Open>),
    /// The answer that says so waits with it, until it is sent.
    Live(Live),
    /// Only the last frame is left to send.
    Gone(Box<StreamControl>),
}

/// What is known of the data while the stream is open.
#[derive(Debug)]
pub(super) struct Live {
    kind: Kind,
    mode: Mode,
    rights: Rights,
    /// Whether the state may change.
    moves: bool,
    state: State,
    /// The state is to be told of.
    tell: bool,
    opened: Option<Box<Opened>>,
    /// The peer is done; what it wrote is still being applied.
    closing: bool,
}

impl Live {
    fn set_state(&mut self, state: State) -> Result<(), Fault> {
        if let Some(what) = state.fault() {
            return Err(Fault::new(Code::INTERNAL, what));
        }
        if self.state != state {
            self.state = state;
            self.tell = true;
        }
        Ok(())
    }
}

impl Streamer {
    pub(crate) fn asked(open: Open) -> Self {
        Self {
            reading: Reading::start(open.credit, open.at_end, open.delivery),
            ranges: None,
            lane: None,
            cursor_asks: false,
            urgency: open.urgency,
            serial: 0,
            told: false,
            held: false,
            phase: Phase::Asked(Box::new(open)),
        }
    }

    /// What was asked for, until it is given or refused.
    pub(crate) const fn asked_for(&self) -> Option<&Open> {
        match &self.phase {
            Phase::Asked(open) => Some(&**open),
            _ => None,
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

    /// Has `Closed` wait until the shell has let go of the data.
    pub(crate) const fn hold(&mut self) {
        self.held = true;
    }

    /// The shell has let go of the data.
    pub(crate) const fn release(&mut self) {
        self.held = false;
    }

    /// Whether all is over but for data that the shell has not let go of.
    const fn is_held(&self) -> bool {
        let Phase::Gone(last) = &self.phase else { return false };
        self.held && matches!(**last, StreamControl::Closed(_))
    }

    /// How soon its elements go out beside those of others.
    pub(crate) const fn urgency(&self) -> Urgency {
        self.urgency
    }

    /// Bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        let ranges = self.ranges.as_ref().map_or(0, |ranges| ranges.queued());
        self.reading.queued().saturating_add(ranges)
    }

    /// Bytes that are asked for and have not come.
    pub(crate) fn reserved(&self) -> usize {
        let ranges = self.ranges.as_ref().map_or(0, |ranges| ranges.reserved());
        self.reading.reserved().saturating_add(ranges)
    }

    /// Whether the shell still has to say yes or no.
    pub(crate) const fn is_asked(&self) -> bool {
        matches!(self.phase, Phase::Asked(_))
    }

    /// Whether the peer has all that it asked for, or waits for an answer that may be a refusal.
    pub(crate) fn is_idle(&self) -> bool {
        let reads = matches!(&self.phase, Phase::Live(live) if live.mode.has(Flags::READABLE));
        let at_rest = (!reads || self.reading.is_idle())
            && self.ranges.as_ref().is_none_or(|ranges| ranges.is_idle())
            && !self.lane.as_ref().is_some_and(|lane| lane.is_writing());
        self.is_asked() || (at_rest && !self.has_control() && !self.is_held())
    }

    // --- the life of the stream --------------------------------------------------------------

    /// The shell found the data.
    pub(crate) fn accept(
        &mut self,
        accepted: Accepted,
        window: Window,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        let Phase::Asked(open) = &self.phase else { return Ok(()) };
        let at = match judge_open(open, &accepted) {
            Ok(at) => at,
            Err(fault) => {
                self.fail(fault, budget);
                return Ok(());
            }
        };
        let ranges = open.ranges.clone();
        let Accepted { kind, mode, append_only, reach, state, fingerprint, schema, .. } = accepted;
        let writable = mode.has(Flags::WRITABLE);
        self.lane = writable.then(|| Box::new(Lane::open(at, Some(window), budget)));
        let opened = Opened {
            kind,
            mode,
            append_only,
            write: Credit::default(),
            state: state.clone(),
            at,
            fingerprint,
            schema,
        };
        let live = Live {
            kind,
            mode,
            rights: Rights { mode, append_only, reach },
            moves: mode.can_change_bounds(),
            state,
            tell: false,
            opened: Some(Box::new(opened)),
            closing: false,
        };
        self.reading.open_at(at, &live);
        self.phase = Phase::Live(live);
        if ranges.is_empty() {
            return Ok(());
        }
        self.handle_ranges(RangeId::default(), &ranges, budget)
    }

    /// Ends the stream with a reason.
    pub(crate) fn fail(&mut self, fault: Fault, budget: &mut ReceiveBudget) {
        self.end(Failed { fault }.into(), budget);
    }

    /// The peer is done with it: what it wrote is still applied.
    pub(crate) fn handle_close(&mut self, budget: &mut ReceiveBudget) {
        if let Phase::Live(live) = &mut self.phase {
            live.closing = true;
            if let Some(lane) = &mut self.lane {
                lane.close();
            }
            self.drop_reading();
        }
        self.finish_closing(budget);
    }

    fn finish_closing(&mut self, budget: &mut ReceiveBudget) {
        let waits = matches!(&self.phase, Phase::Live(live) if !live.closing);
        if waits {
            return;
        }
        let written = self.lane.as_mut().is_none_or(|lane| {
            // Nobody asks for work any more once only such a sync is left.
            lane.fail_blind_sync();
            lane.is_idle()
        });
        if written {
            self.end(Closed {}.into(), budget);
        }
    }

    fn end(&mut self, last: StreamControl, budget: &mut ReceiveBudget) {
        if !matches!(self.phase, Phase::Gone(_)) {
            self.drop_reading();
            if let Some(mut lane) = self.lane.take() {
                lane.end(budget);
            }
            self.phase = Phase::Gone(Box::new(last));
        }
    }

    fn drop_reading(&mut self) {
        self.reading = Reading::start(Credit::default(), AtEnd::Stop, Delivery::Lossless);
        self.ranges = None;
    }

    fn is_closing(&self) -> bool {
        matches!(&self.phase, Phase::Live(live) if live.closing)
    }

    // --- what the peer asks for --------------------------------------------------------------

    /// What is known of the data, for a frame that may only come while the stream is open; nothing
    /// where the stream is gone.
    fn live(&self) -> Result<Option<&Live>, Violation> {
        match &self.phase {
            Phase::Asked(_) => Err(Violation::protocol("a frame before the stream is open")),
            Phase::Live(live) if live.closing => {
                Err(Violation::protocol("a frame behind the close of its stream"))
            }
            Phase::Live(live) => Ok(Some(live)),
            Phase::Gone(_) => Ok(None),
        }
    }

    pub(crate) fn handle_limit(&mut self, limit: Limit) -> Result<(), Violation> {
        match self.phase {
            Phase::Gone(_) => Ok(()),
            _ => self.reading.handle_limit(limit),
        }
    }

    pub(crate) fn handle_seek(
        &mut self,
        seek: Seek,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        if self.live()?.is_some_and(|live| !live.mode.flags().has_any(Flags::SEEK)) {
            self.fail(Fault::new(Code::MODE_FORBIDS, "this stream cannot seek"), budget);
        }
        match &self.phase {
            Phase::Live(live) => self.reading.handle_seek(seek, live),
            _ => Ok(()),
        }
    }

    pub(crate) fn handle_ranges(
        &mut self,
        first: RangeId,
        ranges: &[Range],
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        let Some(live) = self.live()? else { return Ok(()) };
        if live.kind != Kind::Bytes {
            let what = "places can only be read of bytes";
            self.fail(Fault::new(Code::WRONG_KIND, what), budget);
            return Ok(());
        }
        if let Err(forbidden) = live.mode.allows(Operation::ReadRange) {
            self.fail(Fault::new(Code::MODE_FORBIDS, forbidden.to_string()), budget);
            return Ok(());
        }
        self.ranges.get_or_insert_default().accept(first, ranges)
    }

    /// A step of writing. One that the mode forbids ends the stream: the opener knew the mode.
    pub(crate) fn handle_step(
        &mut self,
        control: StreamControl,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        let Some(rights) = self.live()?.map(|live| live.rights) else { return Ok(()) };
        if let Err(fault) = Lane::judge(&control, rights) {
            self.fail(fault, budget);
            return Ok(());
        }
        let lane = self.lane.get_or_insert_default();
        match control {
            StreamControl::Write(write) => lane.handle_write(write),
            StreamControl::Truncate(truncate) => lane.handle_truncate(truncate),
            StreamControl::Sync(sync) => lane.handle_sync(sync),
            _ => Ok(()),
        }
    }

    /// Elements that the peer writes.
    pub(crate) fn handle_elements(
        &mut self,
        step: Step,
        frame: StreamFrame,
        message_bytes: usize,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        let Some(kind) = self.live()?.map(|live| live.kind) else { return Ok(()) };
        let lane = self.lane.get_or_insert_default();
        lane.handle_elements(step, frame, (kind, message_bytes), budget)
    }

    /// What an element refers to that the peer is going to write. Dropped where the element will
    /// be.
    pub(crate) fn handle_table(
        &mut self,
        step: Step,
        at: Position,
        table: Vec<Reference>,
    ) -> Result<(), Violation> {
        let Some(kind) = self.live()?.map(|live| live.kind) else { return Ok(()) };
        self.lane.get_or_insert_default().handle_table(step, at, table, kind)
    }

    // --- work on the data --------------------------------------------------------------------

    /// What the shell should do next, within `room` bytes of send budget; there may be `more_input`
    /// at hand.
    pub(crate) fn poll_request(
        &mut self,
        stream: StreamId,
        room: usize,
        more_input: bool,
    ) -> Option<DataRequest> {
        let Phase::Live(live) = &self.phase else { return None };
        let serial = self.serial.saturating_add(1);
        self.cursor_asks = !self.cursor_asks;
        let lane = self.lane.as_mut();
        let mut ask = lane.and_then(|lane| lane.poll_request(serial, live.rights, more_input));
        if ask.is_none() && self.cursor_asks {
            ask = self.reading.poll_request(serial, room, live);
        }
        let ask = ask
            .or_else(|| self.ranges.as_mut()?.poll_request(serial, room))
            .or_else(|| self.reading.poll_request(serial, room, live))?;
        self.serial = serial;
        Some(DataRequest { stream, serial, ask })
    }

    /// What [`Streamer::poll_request`] would ask for if it had room.
    pub(crate) fn hunger(&self) -> Hunger {
        let Phase::Live(live) = &self.phase else { return Hunger::None };
        if self.lane.as_ref().is_some_and(|lane| lane.wants_request()) {
            return Hunger::Other;
        }
        let ranges = self.ranges.as_ref().is_some_and(|ranges| ranges.wants_request());
        self.reading.hunger(live).max(if ranges { Hunger::Elements } else { Hunger::None })
    }

    /// The shell's answer to a request.
    pub(crate) fn handle_reply(
        &mut self,
        serial: u64,
        reply: Reply,
        message_bytes: usize,
        budget: &mut ReceiveBudget,
    ) {
        let Phase::Live(live) = &mut self.phase else { return };
        let lane = self.lane.as_mut();
        let outcome = match lane.map_or(Ok(false), |lane| lane.handle_reply(serial, &reply, budget))
        {
            Ok(false) if self.ranges.as_mut().is_some_and(|r| r.handle_reply(serial, &reply)) => {
                Ok(())
            }
            Ok(false) => {
                let taken = self.reading.handle_reply(serial, reply, live, message_bytes);
                taken.map(drop)
            }
            Ok(true) => Ok(()),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = outcome {
            self.fail(fault, budget);
        } else if self.is_closing() {
            self.finish_closing(budget);
        }
    }

    /// The data looks different.
    pub(crate) fn handle_state(&mut self, state: State, budget: &mut ReceiveBudget) {
        let Phase::Live(live) = &mut self.phase else { return };
        // News may be older than what was read meanwhile; only a new version tells of a cut.
        let cut = live.mode.has(Flags::END_CAN_DEC) && live.state.version != state.version;
        let end = state.bounds.end.filter(|_| cut);
        match live.set_state(state) {
            Ok(()) => {
                if let Some(end) = end {
                    self.reading.cut_off(end);
                }
                self.reading.handle_state(live);
            }
            Err(fault) => self.fail(fault, budget),
        }
    }

    // --- output ------------------------------------------------------------------------------

    /// Whether a control frame waits that may overtake elements.
    pub(crate) fn has_control(&self) -> bool {
        match &self.phase {
            Phase::Asked(_) => false,
            Phase::Gone(_) => !self.is_held(),
            Phase::Live(live) => {
                let told = live.opened.is_none() && !live.tell;
                let lane = self.lane.as_ref().is_some_and(|lane| lane.has_control());
                !told || self.reading.has_control() || lane
            }
        }
    }

    /// Whether elements at the cursor, or what follows them, may go out.
    pub(crate) fn has_data(&self) -> bool {
        self.is_reading() && self.reading.has_data()
    }

    /// Whether bytes of ranges may go out.
    pub(crate) fn has_ranges(&self) -> bool {
        self.is_reading() && self.ranges.as_ref().is_some_and(|ranges| ranges.has_data())
    }

    fn is_reading(&self) -> bool {
        matches!(&self.phase, Phase::Live(live) if !live.closing)
    }

    /// Appends the control frames that wait; says whether the stream is over.
    pub(crate) fn put_control(
        &mut self,
        out: &mut BytesMut,
        id: StreamId,
        now: Time,
        budget: &mut ReceiveBudget,
    ) -> bool {
        if self.is_held() {
            return false;
        }
        let live = match &mut self.phase {
            Phase::Asked(_) => return false,
            Phase::Gone(last) => {
                last.put(out, id.0);
                return true;
            }
            Phase::Live(live) => live,
        };
        if let Some(mut opened) = live.opened.take() {
            if let Some(lane) = &mut self.lane {
                opened.write = lane.first_credit(live.kind, now, budget);
            }
            StreamControl::from(*opened).put(out, id.0);
        }
        if let Some(answer) = self.reading.take_control() {
            answer.put(out, id.0);
        }
        while let Some(answer) =
            self.lane.as_mut().and_then(|lane| lane.take_control(live.kind, now))
        {
            answer.put(out, id.0);
        }
        if std::mem::take(&mut live.tell) {
            StreamControl::State(live.state.clone()).put(out, id.0);
        }
        false
    }

    /// Appends one frame of elements at the cursor, or what follows the last of them.
    pub(crate) fn put_data(
        &mut self,
        out: &mut BytesMut,
        id: StreamId,
        room: usize,
        lender: &mut Lender<'_>,
    ) -> bool {
        self.reading.put_data(out, id.0, room, lender)
    }

    /// Sends bytes where they were read, in `batch` from `head` on. Gives where their frame begins.
    pub(crate) fn send_in_place(
        &mut self,
        id: StreamId,
        serial: u64,
        batch: &mut [u8],
        head: usize,
    ) -> Option<usize> {
        match &mut self.phase {
            Phase::Live(live) if !live.closing => {
                self.reading.send_in_place((id.0, serial), batch, head, live)
            }
            _ => None,
        }
    }

    /// Appends one frame of a range.
    pub(crate) fn put_range(&mut self, out: &mut BytesMut, id: StreamId, room: usize) -> bool {
        self.ranges.as_mut().is_some_and(|ranges| ranges.put_frame(out, id.0, room))
    }
}

fn wrong_reply() -> Fault {
    Fault::new(Code::INTERNAL, "the source answered something else than was asked")
}
