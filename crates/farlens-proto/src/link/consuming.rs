//! The streams of a link that this side opened.

use super::{Link, schedule::Needs};
use crate::{
    buffer::chunk::Chunk,
    error::Violation,
    event::Event,
    stream::{
        peer::{OpenOn, OpenRequest, ReadOutcome, StreamInfo, StreamPeer},
        range_reader::{RangeStatus, RangeTicket},
        recv::Window,
        seek::SeekStatus,
        writer::StepStatus,
    },
    time::Time,
};
use farlens_wire::{
    AtEnd, Code, Edge, Epoch, Limits, Pos, Position, Step, StreamId,
    frame::{
        Fault, StreamFrame,
        stream::{self, Failed, Guard, State, StreamControl, Target, WriteTo},
    },
};

/// What an open frame needs besides its path, in bytes, at most.
const OPEN_OVERHEAD_BYTES: usize = 128;

impl Link {
    /// What is known of a stream that this side opened, once it is open.
    #[must_use]
    pub fn stream_info(&self, stream: StreamId) -> Option<&StreamInfo> {
        self.peers.get(&stream)?.info()
    }

    /// What the data of a stream looks like, as last told.
    #[must_use]
    pub fn stream_state(&self, stream: StreamId) -> Option<&State> {
        Some(self.peers.get(&stream)?.state())
    }

    /// The position of the next element that a read gives.
    #[must_use]
    pub fn stream_position(&self, stream: StreamId) -> Option<Position> {
        Some(self.peers.get(&stream)?.position())
    }

    /// Why a stream that this side opened is over, if it is.
    #[must_use]
    pub fn stream_over(&self, stream: StreamId) -> Option<&Fault> {
        self.peers.get(&stream)?.over()
    }

    /// Where the end is that the streamer has told of, whatever is still buffered before it.
    #[must_use]
    pub fn stream_end(&self, stream: StreamId) -> Option<Position> {
        self.peers.get(&stream)?.end()
    }

    /// Whether an end was told that may have moved since, so that a seek must ask again.
    #[must_use]
    pub fn has_stale_end(&self, stream: StreamId) -> bool {
        self.peers.get(&stream).is_some_and(|peer| peer.has_stale_end())
    }

    /// Why reading failed at the present position, if it did; a seek may help.
    #[must_use]
    pub fn stream_fault(&self, stream: StreamId) -> Option<&Fault> {
        self.peers.get(&stream)?.broken()
    }

    /// Whether a stream that this side opened still takes a place, here or at the peer.
    #[must_use]
    pub fn knows_stream(&self, stream: StreamId) -> bool {
        self.peers.contains_key(&stream)
    }

    /// What lies between two seeks, the present one.
    #[must_use]
    pub fn stream_epoch(&self, stream: StreamId) -> Option<Epoch> {
        Some(self.peers.get(&stream)?.epoch())
    }

    /// Whether a read would give elements.
    #[must_use]
    pub fn is_readable(&self, stream: StreamId) -> bool {
        self.peers.get(&stream).is_some_and(|peer| peer.is_readable())
    }

    /// Whether everything that the streamer has was consumed.
    #[must_use]
    pub fn is_up_to_date(&self, stream: StreamId) -> bool {
        self.peers.get(&stream).is_some_and(|peer| peer.is_up_to_date())
    }

    /// A frame from the streamer to this side, which opened the stream.
    pub(super) fn handle_streamer_frame(
        &mut self,
        id: StreamId,
        frame: StreamFrame,
    ) -> Result<(), Violation> {
        let Some(peer) = self.peers.get_mut(&id) else { return check_streamers(&frame) };
        let message_bytes = self.limits.message_bytes;
        let budget = &mut self.budget;
        // Who waits for a range is told of it alone.
        let is_range = matches!(
            frame,
            StreamFrame::RangeData { .. } | StreamFrame::Control(StreamControl::RangeEnd(_))
        );
        match frame {
            StreamFrame::Data(stream::Data { epoch, .. })
            | StreamFrame::Items(stream::Data { epoch, .. })
            | StreamFrame::ItemPart { part: stream::Data { epoch, .. }, .. } => {
                peer.handle_elements(epoch, frame, message_bytes)?;
            }
            StreamFrame::RangeData { range, at, payload } => {
                peer.handle_range_data(range, at, payload, budget)?;
            }
            StreamFrame::Control(control) => match control {
                StreamControl::Opened(opened) => {
                    peer.handle_opened(opened, budget)?;
                    peer.start_delayed_seek(budget);
                }
                StreamControl::Sought(frame) => peer.handle_sought(frame, budget)?,
                StreamControl::SeekFailed(frame) => peer.handle_seek_failed(frame, budget)?,
                StreamControl::State(state) => peer.handle_state(state)?,
                StreamControl::UpToDate(frame) => peer.handle_up_to_date(frame)?,
                StreamControl::End(frame) => peer.handle_end(frame)?,
                StreamControl::Broken(frame) => peer.handle_broken(frame)?,
                StreamControl::Gap(frame) => peer.handle_gap(frame)?,
                StreamControl::RangeEnd(frame) => peer.handle_range_end(frame, budget)?,
                StreamControl::WriteLimit(_)
                | StreamControl::Written(_)
                | StreamControl::WriteFailed(_) => peer.handle_step_frame(control)?,
                StreamControl::Failed(Failed { fault }) => self.end_peer(id, fault),
                StreamControl::Closed(_) => {
                    let fault = Fault::new(Code::CLOSED, "the stream was closed");
                    self.end_peer(id, fault);
                }
                _ => return Err(Violation::protocol("a frame that only an opener sends")),
            },
            _ => return Err(Violation::protocol("a stream frame of an unknown kind")),
        }
        self.tell_ranges(id);
        self.refresh_peer(id);
        if !is_range {
            self.changed.insert(id);
        }
        Ok(())
    }

    fn tell_ranges(&mut self, id: StreamId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        while let Some(ticket) = peer.take_done_range() {
            self.events.push_back(Event::RangeDone { stream: id, ticket });
        }
    }

    /// A stream that this side opened is over; it is forgotten once its consumer is gone, too.
    pub(super) fn end_peer(&mut self, id: StreamId, fault: Fault) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        self.changed.insert(id);
        if peer.is_closing() {
            self.peers.remove(&id);
            self.schedule.forget(id);
        } else {
            peer.handle_over(fault, &mut self.budget);
            self.tell_ranges(id);
            self.refresh_peer(id);
        }
    }

    /// Asks the peer for a stream. [`crate::Event::Changed`] tells when it is open, or why not.
    ///
    /// # Errors
    /// The link is over or the peer is leaving; the path is too long; the streamer lies behind
    /// another link; the call has not been sent (`BUSY`) or has ended; the peer's limit on streams
    /// is reached.
    pub fn open(&mut self, request: OpenRequest) -> Result<StreamId, Fault> {
        self.shutdown.check_new_work()?;
        let target = self.target_of(&request.on)?;
        let allowed = self.handshake.peer_limits().streams;
        if self.peers.len() as u64 >= allowed {
            let text = format!("the other side allows {allowed} streams on a link");
            return Err(Fault::new(Code::TOO_MANY_STREAMS, text));
        }
        let id = StreamId(self.next_stream);
        self.next_stream = self.next_stream.saturating_add(2);
        let window = Window::from_limits(&self.limits);
        let peer = StreamPeer::open(request, target, window, &mut self.budget);
        self.peers.insert(id, Box::new(peer));
        self.refresh_peer(id);
        Ok(id)
    }

    fn target_of(&self, on: &OpenOn) -> Result<Target, Fault> {
        match on {
            OpenOn::Path(path) => {
                let fits = self.handshake.peer_frame_bytes().saturating_sub(OPEN_OVERHEAD_BYTES);
                let allowed = Limits::PATH_BYTES.min(fits);
                if path.len() > allowed {
                    let text = format!("a path has at most {allowed} bytes here");
                    return Err(Fault::new(Code::BAD_ADDRESS, text));
                }
                Ok(Target::Path(path.clone()))
            }
            OpenOn::Streamer(reference) => {
                self.refs.origin(reference).map(Target::Object).ok_or_else(|| {
                    Fault::new(Code::NO_SUCH_OBJECT, "the streamer lies behind another link")
                })
            }
            OpenOn::Answer(call) => {
                self.calls.id(*call).map(Target::Answer).ok_or_else(|| {
                    Fault::new(Code::BUSY, "the call has not been sent, or has ended")
                })
            }
        }
    }

    /// Takes up to `max` elements of a stream. They count as consumed when the consumer comes for
    /// more, if not before: one who waits for more without that may wait for ever.
    pub fn read(&mut self, stream: StreamId, max: u64) -> ReadOutcome {
        let Some(peer) = self.peers.get_mut(&stream) else {
            return ReadOutcome::Failed(closed());
        };
        let outcome = peer.read(max, &mut self.budget);
        self.refresh_peer(stream);
        outcome
    }

    /// Goes elsewhere in a stream whose consumer holds `held` elements that it has not used.
    /// [`Link::take_seek_status`] tells how it went.
    ///
    /// # Errors
    /// What is known to be impossible without asking: the stream is over, or its mode forbids it.
    pub fn seek(
        &mut self,
        stream: StreamId,
        to: Pos,
        at_end: AtEnd,
        held: u64,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&stream) else {
            return Err(closed());
        };
        let outcome = peer.seek(to, at_end, held, &mut self.budget);
        self.refresh_peer(stream);
        outcome
    }

    /// What became of the last seek; success and failure are told once.
    pub fn take_seek_status(&mut self, stream: StreamId) -> SeekStatus {
        self.peers.get_mut(&stream).map_or(SeekStatus::Idle, |peer| peer.take_seek_status())
    }

    /// Begins a run of elements to store; [`Link::push`] hands them in. One whose length is known
    /// is over once it has them; any other goes on until the next step begins. Bytes of known
    /// length that are appended, 8 KiB at the most, stay together.
    ///
    /// # Errors
    /// What is known to be impossible without asking: the stream is over, its mode forbids it, or
    /// too many changes are under way (`OVERLOADED`; wait for one).
    pub fn write(
        &mut self,
        stream: StreamId,
        to: WriteTo,
        length: Option<u64>,
        guard: Guard,
    ) -> Result<Step, Fault> {
        self.change(stream, |peer| peer.write(to, length, guard))
    }

    /// Adds elements to a run; says whether it still took them. It does until the next step begins
    /// or it fails. How much is handed in is the caller's own choice.
    pub fn push(&mut self, stream: StreamId, step: Step, chunk: Chunk) -> bool {
        let Some(peer) = self.peers.get_mut(&stream).filter(|peer| peer.takes_more(step)) else {
            return false;
        };
        peer.push(chunk);
        self.refresh_peer(stream);
        true
    }

    /// Moves an end of the data.
    ///
    /// # Errors
    /// As [`Link::write`].
    pub fn truncate(
        &mut self,
        stream: StreamId,
        edge: Edge,
        to: Pos,
        guard: Guard,
    ) -> Result<Step, Fault> {
        self.change(stream, |peer| peer.truncate(edge, to, guard))
    }

    /// Makes durable what was written before; with `finish` nothing more will be written.
    ///
    /// # Errors
    /// As [`Link::write`].
    pub fn sync(&mut self, stream: StreamId, finish: bool) -> Result<Step, Fault> {
        self.change(stream, |peer| peer.sync(finish))
    }

    fn change<T>(
        &mut self,
        stream: StreamId,
        change: impl FnOnce(&mut StreamPeer) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let peer = self.peers.get_mut(&stream).ok_or_else(closed)?;
        let outcome = change(peer);
        self.refresh_peer(stream);
        outcome
    }

    /// Whether a writer who can wait should hand in more.
    #[must_use]
    pub fn is_writable(&self, stream: StreamId) -> bool {
        self.peers.get(&stream).is_some_and(|peer| peer.is_writable())
    }

    /// How often a writer found, or left, a stream without room for more. Where it has grown since
    /// one looked, the stream was not writable in between.
    #[must_use]
    pub fn stream_stalls(&self, stream: StreamId) -> u64 {
        self.peers.get(&stream).map_or(0, |peer| peer.stalls())
    }

    /// Whether nothing that was written waits to be applied.
    #[must_use]
    pub fn is_settled(&self, stream: StreamId) -> bool {
        self.peers.get(&stream).is_none_or(|peer| peer.is_settled())
    }

    /// What became of a step, until it is forgotten.
    #[must_use]
    pub fn step_status(&self, stream: StreamId, step: Step) -> StepStatus {
        match self.peers.get(&stream) {
            Some(peer) => peer.step_status(step),
            None => StepStatus::Failed { at: None, count: 0, fault: closed() },
        }
    }

    /// Nobody will ask for a step any more.
    pub fn forget_step(&mut self, stream: StreamId, step: Step) {
        if let Some(peer) = self.peers.get_mut(&stream) {
            peer.forget_step(step);
        }
    }

    /// Asks for the bytes of a place, beside the cursor. [`Event::RangeDone`] tells when they are
    /// there. Bounded by the receive budget: what does not fit waits its turn.
    ///
    /// # Errors
    /// The stream is over, carries entities, or its mode forbids it; the length is zero.
    pub fn ask_range(
        &mut self,
        stream: StreamId,
        at: Position,
        length: u64,
    ) -> Result<RangeTicket, Fault> {
        if length == 0 {
            return Err(Fault::new(Code::USAGE, "a range has at least one byte"));
        }
        let peer = self.peers.get_mut(&stream).ok_or_else(closed)?;
        let ticket = peer.ask_range(at, length, &mut self.budget);
        self.refresh_peer(stream);
        ticket
    }

    /// What became of a range; its bytes are given once.
    pub fn take_range(&mut self, stream: StreamId, ticket: RangeTicket) -> RangeStatus {
        match self.peers.get_mut(&stream) {
            Some(peer) => peer.take_range(ticket),
            None => RangeStatus::Failed(closed()),
        }
    }

    /// Nobody waits for a range any more.
    pub fn forget_range(&mut self, stream: StreamId, ticket: RangeTicket) {
        if let Some(peer) = self.peers.get_mut(&stream) {
            peer.forget_range(ticket, &mut self.budget);
            self.refresh_peer(stream);
        }
    }

    /// The consumer of a stream is gone; done twice it changes nothing. [`Event::Changed`] tells
    /// when the peer has confirmed it, and [`Link::knows_stream`] gives no from then on.
    pub fn close_stream(&mut self, stream: StreamId) {
        let Some(peer) = self.peers.get_mut(&stream) else { return };
        if peer.close(&mut self.budget) {
            self.peers.remove(&stream);
            self.schedule.forget(stream);
            return;
        }
        if peer.is_withdrawn() {
            self.withdrawals.push(stream);
        }
        self.refresh_peer(stream);
    }

    /// Takes back streams that have no answer, as far as that may go.
    pub(super) fn withdraw(&mut self, now: Time) {
        let peers = &self.peers;
        let wanted = |id| peers.get(&id).is_some_and(|peer| peer.is_withdrawn());
        let mut turns = Vec::new();
        while let Some(id) = self.withdrawals.next(now, wanted) {
            turns.push(id);
        }
        for id in turns {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.close_withdrawn();
            }
            self.refresh_peer(id);
        }
    }

    pub(super) fn refresh_peer(&mut self, id: StreamId) {
        if let Some(peer) = self.peers.get(&id) {
            let needs =
                Needs { control: peer.has_control(), data: peer.has_data(), ..Needs::default() };
            self.schedule.set(id, needs);
        }
    }
}

fn closed() -> Fault {
    Fault::new(Code::CLOSED, "the stream is closed")
}

/// A late frame to a stream that is gone must still be one that a streamer sends.
fn check_streamers(frame: &StreamFrame) -> Result<(), Violation> {
    match frame {
        StreamFrame::Control(control) if control.is_openers() => {
            Err(Violation::protocol("a frame that only an opener sends"))
        }
        _ => Ok(()),
    }
}
