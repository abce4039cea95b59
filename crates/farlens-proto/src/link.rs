//! One link as a value: bytes and time go in, bytes, events and requests come out.
//!
//! Its methods are of four kinds. *Getters* change nothing. *Inputs* (`handle_*`) bring what
//! happened outside: bytes from the peer, answers about data, the passing of time. *Commands* are
//! what the user wants. *Outputs* (`poll_*`) are called after each of these until they give
//! nothing more, in this order: [`Link::poll_event`], [`Link::poll_request`],
//! [`Link::poll_transmit`], [`Link::poll_timeout`].
//!
//! Nothing here reads a clock, waits, locks or does IO, so the same inputs always give the same
//! outputs.

mod calls;
mod handshake;
mod schedule;
mod shutdown;
mod timers;

use crate::{
    error::Violation,
    event::{DataRequest, Event, Reply},
    identity::PeerIdentity,
    stream::{
        peer::{OpenRequest, ReadOutcome, StreamInfo, StreamPeer},
        recv::{ReceiveBudget, Window},
        seek::SeekStatus,
        streamer::{Accepted, Streamer},
    },
    time::Time,
};
use bytes::{Bytes, BytesMut};
use calls::Calls;
use farlens_wire::{
    AtEnd, CallId, Code, FrameDecoder, Limits, ObjectId, Pos, Position, Side, StreamId,
    frame::{
        Control, Fault, Frame, FrameError, LinkFrame, StreamFrame,
        call::Call,
        stream::{Failed, Open, State, StreamControl},
    },
};
use handshake::Handshake;
pub use handshake::{Admission, Config};
use schedule::Schedule;
use shutdown::Shutdown;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
pub use timers::TimeoutReason;
use timers::{Bucket, Timers};

/// Frames are gathered until a batch has so many bytes: four full TLS records.
pub const BATCH_BYTES: usize = 64 << 10;
/// Opens that a peer may take back unanswered at once; ten more a second.
const RESET_BURST: u64 = 1_000;

/// Calls that a peer may take back unanswered at once; a hundred a second follow.
const CANCEL_BURST: u64 = 1_000;

/// Both halves of the conversation with one peer.
#[derive(Debug)]
pub struct Link {
    side: Side,
    peer: PeerIdentity,
    limits: Limits,
    decoder: FrameDecoder,
    handshake: Handshake,
    timers: Timers,
    shutdown: Shutdown,
    calls: Calls,
    schedule: Schedule,
    budget: ReceiveBudget,
    /// Streams that the peer opened.
    streamers: BTreeMap<StreamId, Streamer>,
    last_peer_stream: u64,
    /// Streams that this side opened.
    peers: BTreeMap<StreamId, StreamPeer>,
    next_stream: u64,
    events: VecDeque<Event>,
    /// Streams with a [`Event::Changed`] to tell of, each once.
    changed: BTreeSet<StreamId>,
    ignored_frames: u32,
    /// Opens that the peer takes back before they are answered.
    resets: Bucket,
    /// Calls that the peer takes back before they are answered.
    cancels: Bucket,
}

/// Counters of what a link holds, zero or idle once everything is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Streams that the peer opened and that are not over.
    pub serving: usize,
    /// Streams that this side opened and that are not over.
    pub consuming: usize,
    /// Calls of the peer that run here.
    pub calls_in: usize,
    /// Calls of this side that have no answer.
    pub calls_out: usize,
    /// Encoded bytes that wait to be sent.
    pub queued_bytes: usize,
    /// Credit granted and not consumed, in encoded bytes.
    pub granted_bytes: u64,
}

impl Link {
    /// A link with a peer that has proved who it is.
    #[must_use]
    pub fn new(side: Side, peer: PeerIdentity, config: Config, now: Time) -> Self {
        let limits = config.limits.clone();
        Self {
            side,
            peer,
            decoder: FrameDecoder::new(Limits::HELLO_BYTES),
            handshake: Handshake::new(side, config),
            timers: Timers::new(&limits, now),
            shutdown: Shutdown::default(),
            calls: Calls::new(side),
            schedule: Schedule::new(limits.send_queue_bytes),
            budget: ReceiveBudget::new(limits.receive_budget_bytes),
            streamers: BTreeMap::new(),
            last_peer_stream: 0,
            peers: BTreeMap::new(),
            next_stream: side.first_id(),
            events: VecDeque::new(),
            changed: BTreeSet::new(),
            ignored_frames: 0,
            resets: Bucket::new(RESET_BURST, 10, now),
            cancels: Bucket::new(CANCEL_BURST, 100, now),
            limits,
        }
    }

    // --- getters -----------------------------------------------------------------------------

    /// Which end this is.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Who the other end is.
    #[must_use]
    pub const fn peer(&self) -> PeerIdentity {
        self.peer
    }

    /// The other end's program, once its hello has come.
    #[must_use]
    pub fn peer_agent(&self) -> &str {
        self.handshake.peer_agent()
    }

    /// Whether the hellos are exchanged and accepted.
    #[must_use]
    pub const fn is_established(&self) -> bool {
        self.handshake.is_done()
    }

    /// Whether input may be handed in: not while the peer's admission is being decided.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        !self.handshake.is_deciding() && self.shutdown.over().is_none()
    }

    /// Why the link is over, once it is. Output may still wait to be sent.
    #[must_use]
    pub const fn over(&self) -> Option<&Fault> {
        self.shutdown.over()
    }

    /// Whether anything waits to be sent or to be asked for.
    #[must_use]
    pub fn has_output(&self) -> bool {
        let greets = self.handshake.has_output();
        let speaks = greets || self.handshake.may_send();
        let waits = self.timers.has_output() || self.calls.has_output() || self.schedule.has_work();
        greets || self.shutdown.has_output(speaks) || speaks && (waits || self.can_drain())
    }

    /// What the link holds.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            serving: self.streamers.len(),
            consuming: self.peers.len(),
            calls_in: self.calls.running(),
            calls_out: self.calls.waiting(),
            queued_bytes: self.schedule.queued(),
            granted_bytes: self.budget.outstanding(),
        }
    }

    /// What is known of a stream that this side opened, once it is open.
    #[must_use]
    pub fn stream_info(&self, stream: StreamId) -> Option<&StreamInfo> {
        self.peers.get(&stream)?.info()
    }

    /// What a stream was opened with.
    #[must_use]
    pub fn stream_request(&self, stream: StreamId) -> Option<&OpenRequest> {
        Some(self.peers.get(&stream)?.request())
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

    /// Why reading failed at the present position, if it did; a seek may help.
    #[must_use]
    pub fn stream_fault(&self, stream: StreamId) -> Option<&Fault> {
        self.peers.get(&stream)?.broken()
    }

    /// Whether a read would give elements.
    #[must_use]
    pub fn is_readable(&self, stream: StreamId) -> bool {
        self.peers.get(&stream).is_some_and(StreamPeer::is_readable)
    }

    /// Whether everything that the streamer has was consumed.
    #[must_use]
    pub fn is_up_to_date(&self, stream: StreamId) -> bool {
        self.peers.get(&stream).is_some_and(StreamPeer::is_up_to_date)
    }

    // --- inputs ------------------------------------------------------------------------------

    /// Bytes from the peer. What they break ends the link with [`Event::Over`].
    pub fn handle_input(&mut self, block: Bytes, now: Time) {
        if self.shutdown.over().is_some() {
            return;
        }
        self.timers.heard(now);
        self.decoder.push(block);
        self.decode(now);
    }

    fn decode(&mut self, now: Time) {
        while self.is_reading() {
            let outcome = match self.decoder.next() {
                Ok(None) => return,
                Ok(Some(frame)) => self.handle_frame(frame, now),
                Err(FrameError::Unsupported { kind, id, tag }) => {
                    self.refuse_extension(kind, id, tag)
                }
                Err(error) => Err(error.into()),
            };
            if let Err(Violation(fault)) = outcome {
                self.close(fault);
            }
        }
    }

    fn handle_frame(&mut self, frame: Frame, now: Time) -> Result<(), Violation> {
        let first = matches!(frame, Frame::Link(LinkFrame::Hello(_) | LinkFrame::Bye(_)));
        if !first {
            self.check_heard()?;
        }
        match frame {
            Frame::Link(frame) => self.handle_link_frame(frame, now),
            Frame::Call(id, frame) => {
                let refuse = self.shutdown.refuses_work();
                let running = self.calls.running();
                self.calls.handle(id, frame, &self.limits, refuse, &mut self.events)?;
                if self.calls.running() < running && !self.cancels.take(now) {
                    let text = "too many calls were taken back unanswered";
                    return Err(Violation::new(Code::EXCESSIVE_LOAD, text));
                }
                Ok(())
            }
            Frame::Stream(id, frame) => self.handle_stream_frame(id, frame, now),
            Frame::Ignorable(_) => {
                self.ignored_frames = self.ignored_frames.saturating_add(1);
                if self.ignored_frames > Limits::IGNORED_FRAMES {
                    return Err(Violation::new(Code::EXCESSIVE_LOAD, "too many unknown frames"));
                }
                Ok(())
            }
            _ => Err(Violation::protocol("a frame of an unknown family")),
        }
    }

    /// Only a hello may come first, or the farewell of a peer that turns this side away.
    fn check_heard(&self) -> Result<(), Violation> {
        if self.handshake.has_heard() {
            return Ok(());
        }
        Err(Violation::protocol("the first frame must be a hello"))
    }

    fn handle_link_frame(&mut self, frame: LinkFrame, now: Time) -> Result<(), Violation> {
        match frame {
            LinkFrame::Hello(hello) => {
                let event = self.handshake.handle_hello(hello)?;
                self.decoder.set_max_payload(self.limits.frame_bytes);
                self.timers.hello_came();
                self.events.push_back(event);
                Ok(())
            }
            LinkFrame::Ping(token) => self.timers.handle_ping(token, now),
            LinkFrame::Pong(token) => self.timers.handle_pong(token),
            LinkFrame::GoAway(frame) => {
                if self.shutdown.peer_leaves() {
                    self.events.push_back(Event::GoingAway { fault: frame.fault });
                }
                Ok(())
            }
            LinkFrame::Bye(frame) => {
                self.end(frame.fault, false);
                Ok(())
            }
            _ => Err(Violation::protocol("a link frame of an unknown kind")),
        }
    }

    fn handle_stream_frame(
        &mut self,
        id: StreamId,
        frame: StreamFrame,
        now: Time,
    ) -> Result<(), Violation> {
        if self.side.owns(id.0) {
            if id.0 >= self.next_stream {
                return Err(Violation::protocol("a frame for a stream that was never opened"));
            }
            return self.handle_streamer_frame(id, frame);
        }
        match frame {
            StreamFrame::Control(StreamControl::Open(open)) => self.handle_open(id, open),
            StreamFrame::Control(control) if id.0 <= self.last_peer_stream => {
                self.handle_opener_frame(id, &control, now)
            }
            _ => Err(Violation::protocol("elements to the side that has them, or an unknown id")),
        }
    }

    fn handle_open(&mut self, id: StreamId, open: Open) -> Result<(), Violation> {
        if id.0 <= self.last_peer_stream {
            return Err(Violation::protocol("a stream id was used twice"));
        }
        let (held, allowed) = (self.streamers.len(), self.limits.streams as usize);
        let mut streamer = Streamer::asked(open.clone());
        if self.shutdown.refuses_work() {
            streamer.fail(Fault::new(Code::GOING_AWAY, "the server is shutting down"));
        } else if held >= allowed {
            let text = format!("at most {allowed} streams may be open on a link");
            streamer.fail(Fault::new(Code::TOO_MANY_STREAMS, text));
        } else {
            streamer.tell();
            self.events.push_back(Event::OpenRequested { stream: id, open });
        }
        self.add_streamer(id, streamer)
    }

    /// Keeps a stream of the peer, if only until its refusal is sent. A peer that does not take
    /// refusals and goes on asking is at fault.
    fn add_streamer(&mut self, id: StreamId, streamer: Streamer) -> Result<(), Violation> {
        let allowed = self.limits.streams as usize;
        if self.streamers.len() >= allowed.saturating_mul(2) {
            let text = format!("at most {allowed} streams may be open on a link");
            return Err(Violation::new(Code::TOO_MANY_STREAMS, text));
        }
        self.last_peer_stream = id.0;
        self.streamers.insert(id, streamer);
        self.refresh_streamer(id);
        Ok(())
    }

    /// A frame from the opener of a stream to this side, which has the data.
    fn handle_opener_frame(
        &mut self,
        id: StreamId,
        control: &StreamControl,
        now: Time,
    ) -> Result<(), Violation> {
        if !matches!(
            control,
            StreamControl::Limit(_) | StreamControl::Seek(_) | StreamControl::Close(_)
        ) {
            return Err(Violation::protocol("a frame that only a streamer sends"));
        }
        let Some(streamer) = self.streamers.get_mut(&id) else { return Ok(()) };
        match control {
            StreamControl::Limit(limit) => streamer.handle_limit(*limit)?,
            StreamControl::Seek(seek) => streamer.handle_seek(*seek)?,
            _ => {
                if streamer.is_asked() && !self.resets.take(now) {
                    let text = "too many streams were taken back unanswered";
                    return Err(Violation::new(Code::EXCESSIVE_LOAD, text));
                }
                streamer.handle_close();
            }
        }
        self.refresh_streamer(id);
        Ok(())
    }

    /// A frame from the streamer to this side, which opened the stream.
    fn handle_streamer_frame(&mut self, id: StreamId, frame: StreamFrame) -> Result<(), Violation> {
        if let StreamFrame::Control(
            StreamControl::Open(_)
            | StreamControl::Limit(_)
            | StreamControl::Seek(_)
            | StreamControl::Close(_),
        ) = frame
        {
            return Err(Violation::protocol("a frame that only an opener sends"));
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let budget = &mut self.budget;
        match frame {
            StreamFrame::Data(data) => peer.handle_data(data)?,
            StreamFrame::Items(data) => peer.handle_items(data, self.limits.message_bytes)?,
            StreamFrame::ItemPart { total, part } => {
                peer.handle_part(total, &part, self.limits.message_bytes)?;
            }
            StreamFrame::Control(control) => match control {
                StreamControl::Opened(opened) => {
                    peer.handle_opened(opened)?;
                    peer.start_delayed_seek(budget);
                }
                StreamControl::Sought(frame) => peer.handle_sought(frame, budget)?,
                StreamControl::SeekFailed(frame) => peer.handle_seek_failed(frame, budget)?,
                StreamControl::State(state) => peer.handle_state(state)?,
                StreamControl::UpToDate(frame) => peer.handle_up_to_date(frame)?,
                StreamControl::End(frame) => peer.handle_end(frame)?,
                StreamControl::Broken(frame) => peer.handle_broken(frame)?,
                StreamControl::Failed(Failed { fault }) => self.end_peer(id, fault),
                StreamControl::Closed(_) => {
                    let fault = Fault::new(Code::CLOSED, "the stream was closed");
                    self.end_peer(id, fault);
                }
                _ => return Err(Violation::protocol("a stream frame of an unknown kind")),
            },
            _ => return Err(Violation::protocol("a stream frame of an unknown kind")),
        }
        self.refresh_peer(id);
        self.changed.insert(id);
        Ok(())
    }

    /// A stream that this side opened is over; it is forgotten once its consumer is gone, too.
    fn end_peer(&mut self, id: StreamId, fault: Fault) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.is_closing() {
            self.peers.remove(&id);
            self.schedule.forget(id);
        } else {
            peer.handle_over(fault, &mut self.budget);
            self.refresh_peer(id);
            self.changed.insert(id);
        }
    }

    fn refuse_extension(&mut self, kind: u8, id: u64, tag: u64) -> Result<(), Violation> {
        self.check_heard()?;
        let fault = Fault::new(Code::UNSUPPORTED, format!("extension {tag} is not known here"));
        match kind {
            Call::KIND => self.calls.refuse_unread(CallId(id), fault, &self.limits),
            Open::KIND if !self.side.owns(id) && id > self.last_peer_stream => {
                let mut streamer = Streamer::asked(crate::stream::unread_open());
                streamer.fail(fault);
                self.add_streamer(StreamId(id), streamer)
            }
            _ => Err(Violation(fault)),
        }
    }

    /// The answer to a [`DataRequest`].
    pub fn handle_reply(&mut self, stream: StreamId, serial: u64, reply: Reply) {
        if let Some(streamer) = self.streamers.get_mut(&stream) {
            streamer.handle_reply(serial, reply, self.handshake.peer_message_bytes());
            self.refresh_streamer(stream);
        }
    }

    /// The data below a stream looks different.
    pub fn handle_state(&mut self, stream: StreamId, state: State) {
        if let Some(streamer) = self.streamers.get_mut(&stream) {
            streamer.handle_state(state);
            self.refresh_streamer(stream);
        }
    }

    /// Time has passed; see [`Link::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Time) {
        if let Err(Violation(fault)) = self.timers.handle_timeout(now) {
            self.close(fault);
        }
    }

    /// The connection below is gone.
    pub fn handle_lost(&mut self, why: &str) {
        self.end(Fault::new(Code::LINK_LOST, why), false);
    }

    // --- commands ----------------------------------------------------------------------------

    /// Lets the peer in. What it sent behind its hello is handled at once.
    pub fn admit(&mut self, now: Time) {
        if self.handshake.admit() {
            self.events.push_back(Event::Established);
            self.decode(now);
        }
    }

    /// Turns the peer away.
    pub fn refuse_peer(&mut self, fault: Fault) {
        self.close(fault);
    }

    /// Asks the peer for a stream. [`Event::Changed`] tells when it is open, or why not.
    ///
    /// # Errors
    /// The link is over or the peer is leaving; the path is too long; the peer's limit on streams
    /// is reached.
    pub fn open(&mut self, request: OpenRequest) -> Result<StreamId, Fault> {
        self.shutdown.check_new_work()?;
        if request.path.len() > Limits::PATH_BYTES {
            let text = format!("a path has at most {} bytes", Limits::PATH_BYTES);
            return Err(Fault::new(Code::BAD_ADDRESS, text));
        }
        let allowed = self.handshake.peer_limits().streams;
        if self.peers.len() as u64 >= allowed {
            let text = format!("the other side allows {allowed} streams on a link");
            return Err(Fault::new(Code::TOO_MANY_STREAMS, text));
        }
        let id = StreamId(self.next_stream);
        self.next_stream = self.next_stream.saturating_add(2);
        let window = Window::from_limits(&self.limits);
        self.peers.insert(id, StreamPeer::open(request, window, &mut self.budget));
        self.refresh_peer(id);
        Ok(id)
    }

    /// Takes up to `max` elements of a stream.
    pub fn read(&mut self, stream: StreamId, max: u64) -> ReadOutcome {
        let Some(peer) = self.peers.get_mut(&stream) else {
            return ReadOutcome::Failed(Fault::new(Code::CLOSED, "the stream is closed"));
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
            return Err(Fault::new(Code::CLOSED, "the stream is closed"));
        };
        let outcome = peer.seek(to, at_end, held, &mut self.budget);
        self.refresh_peer(stream);
        outcome
    }

    /// What became of the last seek; success and failure are told once.
    pub fn take_seek_status(&mut self, stream: StreamId) -> SeekStatus {
        self.peers.get_mut(&stream).map_or(SeekStatus::Idle, StreamPeer::take_seek_status)
    }

    /// The consumer of a stream is gone.
    pub fn close_stream(&mut self, stream: StreamId) {
        let Some(peer) = self.peers.get_mut(&stream) else { return };
        if peer.close(&mut self.budget) {
            self.peers.remove(&stream);
            self.schedule.forget(stream);
        } else {
            self.refresh_peer(stream);
        }
    }

    /// Gives the peer the stream that it asked for. Says whether it still wants it.
    pub fn accept(&mut self, stream: StreamId, accepted: Accepted) -> bool {
        let Some(streamer) = self.streamers.get_mut(&stream).filter(|s| s.is_asked()) else {
            return false;
        };
        let schema = accepted.schema.as_ref().map_or(0, Vec::len);
        if schema.saturating_add(Limits::CONTROL_BYTES / 2) > self.handshake.peer_frame_bytes() {
            let text = format!("the schema of {schema} bytes does not fit into a frame");
            streamer.fail(Fault::new(Code::TOO_LARGE, text));
        } else {
            streamer.accept(accepted);
        }
        self.refresh_streamer(stream);
        true
    }

    /// Refuses the stream that the peer asked for, or ends one that it has.
    pub fn refuse(&mut self, stream: StreamId, fault: Fault) {
        if let Some(streamer) = self.streamers.get_mut(&stream) {
            streamer.fail(fault);
            self.refresh_streamer(stream);
        }
    }

    /// Calls a method of an object that the peer exports. [`Event::Answered`] brings the outcome.
    ///
    /// # Errors
    /// The link is over or the peer is leaving; the arguments are too large; the peer's limit on
    /// calls is reached. The call has not been made then.
    pub fn call(&mut self, object: ObjectId, method: &str, args: Vec<u8>) -> Result<CallId, Fault> {
        self.shutdown.check_new_work()?;
        self.calls.call(object, method, args, self.handshake.peer_limits())
    }

    /// Gives a call up.
    pub fn cancel(&mut self, call: CallId) {
        self.calls.cancel(call);
    }

    /// Answers a call of the peer.
    pub fn answer(&mut self, call: CallId, outcome: Result<Vec<u8>, Fault>) {
        self.calls.answer(call, outcome, self.handshake.peer_limits());
    }

    /// Stops taking new work, lets what moves finish, and ends the link then. Streams that only
    /// wait are ended at once.
    pub fn drain(&mut self, fault: &Fault) {
        if !self.shutdown.start_drain(fault.clone()) {
            return;
        }
        self.end_idle_streams(fault);
    }

    fn end_idle_streams(&mut self, fault: &Fault) {
        let idle = |(&id, streamer): (&StreamId, &Streamer)| streamer.is_idle().then_some(id);
        let ids: Vec<_> = self.streamers.iter().filter_map(idle).collect();
        for id in ids {
            self.refuse(id, fault.clone());
        }
    }

    /// Ends the link now: the reason is the last frame that the peer gets.
    pub fn close(&mut self, fault: Fault) {
        self.end(fault, true);
    }

    fn end(&mut self, fault: Fault, tell: bool) {
        if !self.shutdown.end(fault.clone(), tell) {
            return;
        }
        let outcome = Fault::new(fault.code, fault.text.clone());
        self.calls.end(&outcome, &mut self.events);
        self.handshake.end();
        self.timers.end();
        self.schedule.clear();
        for (stream, mut streamer) in std::mem::take(&mut self.streamers) {
            streamer.fail(outcome.clone());
            if streamer.take_farewell() {
                self.events.push_back(Event::StreamGone { stream });
            }
        }
        self.peers.retain(|_, peer| !peer.is_closing());
        for (&id, peer) in &mut self.peers {
            peer.handle_over(outcome.clone(), &mut self.budget);
            self.changed.insert(id);
        }
        self.events.push_back(Event::Over { fault });
    }

    // --- outputs -----------------------------------------------------------------------------

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(stream) = self.changed.pop_first() {
            return Some(Event::Changed { stream });
        }
        self.events.pop_front()
    }

    /// The next piece of work on data.
    pub fn poll_request(&mut self) -> Option<DataRequest> {
        for _ in 0..self.schedule.hungry_len() {
            let id = self.schedule.next_hungry()?;
            let room = self.schedule.room();
            let Some(streamer) = self.streamers.get_mut(&id) else { continue };
            let request = streamer.poll_request(id, room);
            self.refresh_streamer(id);
            if request.is_some() {
                return request;
            }
        }
        None
    }

    /// Appends frames to `out` until it has [`BATCH_BYTES`] or nothing more may go.
    pub fn poll_transmit(&mut self, out: &mut BytesMut) {
        self.handshake.put(out);
        if self.handshake.may_send() {
            self.timers.put(out);
            self.shutdown.put_notice(out);
            self.calls.put(out, BATCH_BYTES);
            self.put_stream_control(out);
            self.put_data(out);
            self.go_on_draining(out);
        }
        self.shutdown.put_last(out);
    }

    fn put_stream_control(&mut self, out: &mut BytesMut) {
        while out.len() < BATCH_BYTES {
            let Some(id) = self.schedule.next_control() else { return };
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.put_control(out, id);
            } else if let Some(streamer) = self.streamers.get_mut(&id) {
                if streamer.put_control(out, id) {
                    self.forget_streamer(id);
                } else {
                    self.refresh_streamer(id);
                }
            }
        }
    }

    fn put_data(&mut self, out: &mut BytesMut) {
        while let Some((id, room)) = self.schedule.next_data(BATCH_BYTES.saturating_sub(out.len()))
        {
            let room = room.min(self.handshake.peer_frame_bytes());
            let Some(streamer) = self.streamers.get_mut(&id) else { continue };
            let sent = streamer.put_data(out, id, room);
            self.refresh_streamer(id);
            if !sent {
                return;
            }
        }
    }

    fn go_on_draining(&mut self, out: &mut BytesMut) {
        if !self.shutdown.is_draining() {
            return;
        }
        let fault = self.shutdown.drain_reason();
        self.end_idle_streams(&fault);
        self.put_stream_control(out);
        if self.is_drained() {
            self.end(fault, true);
        }
    }

    /// Whether this side drains and owes the peer nothing more.
    fn is_drained(&self) -> bool {
        self.shutdown.is_draining()
            && self.streamers.is_empty()
            && self.calls.running() == 0
            && !self.calls.has_output()
    }

    /// Whether a drain can go on: with its end, or with that of a stream.
    fn can_drain(&self) -> bool {
        self.shutdown.is_draining()
            && (self.is_drained() || self.streamers.values().any(Streamer::is_idle))
    }

    fn forget_streamer(&mut self, id: StreamId) {
        if self.streamers.remove(&id).is_some() {
            self.schedule.forget(id);
        }
    }

    /// When [`Link::handle_timeout`] wants to be called, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, TimeoutReason)> {
        self.timers.next()
    }

    // --- bookkeeping -------------------------------------------------------------------------

    /// Tells the scheduler what a stream of the peer has to send and to ask for.
    fn refresh_streamer(&mut self, id: StreamId) {
        if let Some(streamer) = self.streamers.get_mut(&id) {
            if streamer.take_farewell() {
                self.events.push_back(Event::StreamGone { stream: id });
            }
            self.schedule.set(
                id,
                schedule::Needs {
                    control: streamer.has_control(),
                    data: streamer.has_data(),
                    hungry: streamer.wants_request(),
                    queued: streamer.queued(),
                    reserved: streamer.reserved(),
                },
            );
        }
    }

    fn refresh_peer(&mut self, id: StreamId) {
        if let Some(peer) = self.peers.get(&id) {
            let control = peer.has_control();
            self.schedule.set(id, schedule::Needs { control, ..schedule::Needs::default() });
        }
    }
}
