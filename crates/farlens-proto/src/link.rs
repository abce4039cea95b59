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
mod consuming;
mod handshake;
mod in_place;
mod refs;
mod schedule;
mod serving;
mod shutdown;
mod timers;
mod withdrawals;

use crate::{
    error::Violation,
    event::Event,
    identity::PeerIdentity,
    stream::{peer::StreamPeer, recv::ReceiveBudget, streamer::Streamer},
    time::Time,
};
use bytes::{Bytes, BytesMut};
pub use calls::{Answer, CallOn, CallRequest, CallTicket, Called};
use calls::{Calls, Inlet};
use farlens_wire::{
    CallId, Code, FrameDecoder, Limits, Side, Step, StreamId,
    frame::{
        CallFrame, Control, Fault, Frame, FrameError, LinkFrame, StreamFrame,
        call::{Call, Release},
        link::{Hello, Interface},
        stream::{Open, StreamControl, Table},
    },
};
use handshake::Handshake;
pub use handshake::{Admission, Config};
pub(crate) use refs::Lender;
pub use refs::References;
use refs::Refs;
use schedule::Schedule;
use shutdown::Shutdown;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
pub use timers::TimeoutReason;
use timers::{Bucket, Timers};
use withdrawals::Withdrawals;

/// Frames are gathered until a batch has so many bytes: four full TLS records.
pub const BATCH_BYTES: usize = 64 << 10;
/// Opens that a peer may take back unanswered at once; ten more a second.
const RESET_BURST: u64 = 1_000;

/// Calls that a peer may take back unanswered at once; a hundred a second follow.
const CANCEL_BURST: u64 = 1_000;
/// Interfaces that a peer may announce on one link.
const MAX_INTERFACES: usize = 256;
/// Their schemas together, in bytes: they are kept as long as the link.
const MAX_INTERFACE_BYTES: usize = 1 << 20;

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
    refs: Refs,
    /// Interfaces that were announced, and those that are to be.
    known_interfaces: BTreeSet<[u8; 16]>,
    known_bytes: usize,
    announced: BTreeSet<[u8; 16]>,
    announced_bytes: usize,
    announce: VecDeque<Interface>,
    schedule: Schedule,
    budget: ReceiveBudget,
    /// Streams that the peer opened.
    streamers: BTreeMap<StreamId, Box<Streamer>>,
    last_peer_stream: u64,
    /// Streams that this side opened.
    peers: BTreeMap<StreamId, Box<StreamPeer>>,
    next_stream: u64,
    events: VecDeque<Event>,
    /// Streams with a [`Event::Changed`] to tell of, each once.
    changed: BTreeSet<StreamId>,
    ignored_frames: u32,
    /// Opens of this side that are taken back before they are answered.
    withdrawals: Withdrawals,
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
    /// Calls of the peer that are answered, and whose answers wait to be sent or are kept.
    pub calls_answered: usize,
    /// Calls of this side that have no answer.
    pub calls_out: usize,
    /// Objects of this side that the peer holds.
    pub exports: usize,
    /// Objects of the peer that this side holds.
    pub imports: usize,
    /// Encoded bytes that wait to be sent.
    pub queued_bytes: usize,
    /// Credit granted and not consumed, in encoded bytes.
    pub granted_bytes: u64,
}

impl Link {
    /// A link with a peer that has proved who it is.
    #[must_use]
    pub fn new(
        side: Side,
        peer: PeerIdentity,
        config: Config,
        references: Box<dyn References>,
        now: Time,
    ) -> Self {
        let limits = config.limits.clone();
        Self {
            side,
            peer,
            decoder: FrameDecoder::new(Limits::HELLO_BYTES),
            handshake: Handshake::new(side, config),
            timers: Timers::new(&limits, now),
            shutdown: Shutdown::default(),
            calls: Calls::new(side),
            refs: Refs::new(references, limits.references),
            known_interfaces: BTreeSet::new(),
            known_bytes: 0,
            announced: BTreeSet::new(),
            announced_bytes: 0,
            announce: VecDeque::new(),
            schedule: Schedule::new(limits.send_queue_bytes),
            budget: ReceiveBudget::new(
                limits.receive_budget_bytes,
                limits.receive_budget_max_bytes,
            ),
            streamers: BTreeMap::new(),
            last_peer_stream: 0,
            peers: BTreeMap::new(),
            next_stream: side.first_id(),
            events: VecDeque::new(),
            changed: BTreeSet::new(),
            ignored_frames: 0,
            withdrawals: Withdrawals::new(now),
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

    /// The longest entity that the other end takes, in bytes.
    #[must_use]
    pub fn peer_message_bytes(&self) -> usize {
        self.handshake.peer_message_bytes()
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
        let waits = self.timers.has_output()
            || self.calls.has_output(self.handshake.peer_limits(), &self.limits)
            || !self.announce.is_empty()
            || self.refs.has_output()
            || self.withdrawals.has_output()
            || self.schedule.has_work();
        greets || self.shutdown.has_output(speaks) || speaks && (waits || self.can_drain())
    }

    /// What the link holds.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            serving: self.streamers.len(),
            consuming: self.peers.len(),
            calls_in: self.calls.running(),
            calls_answered: self.calls.answered(),
            calls_out: self.calls.waiting(),
            exports: self.refs.exports(),
            imports: self.refs.imports(),
            queued_bytes: self.schedule.queued(),
            granted_bytes: self.budget.outstanding(),
        }
    }

    // --- inputs ------------------------------------------------------------------------------

    /// Bytes from the peer. What they break ends the link with [`Event::Over`].
    pub fn handle_input(&mut self, block: Bytes, now: Time) {
        if self.shutdown.over().is_some() {
            return;
        }
        self.timers.heard(now);
        self.budget.set_now(now);
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
                self.budget.saw_call();
                self.handle_call_frame(id, frame, now)
            }
            Frame::CallPart(id, part) => {
                let (calls, mut inlet) = self.calls_inlet(now);
                calls.handle_part(id, &part, &mut inlet)?;
                self.open_resolved();
                Ok(())
            }
            Frame::Release(object, Release { count }) => {
                if let Some(reference) = self.refs.handle_release(object, count)? {
                    self.events.push_back(Event::Released { reference });
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

    fn handle_call_frame(
        &mut self,
        id: CallId,
        frame: CallFrame,
        now: Time,
    ) -> Result<(), Violation> {
        if let CallFrame::Call(Call { interface: Some(interface), .. }) = &frame
            && !self.known_interfaces.contains(interface)
        {
            return Err(Violation::protocol("a call names an interface that was not announced"));
        }
        let (calls, mut inlet) = self.calls_inlet(now);
        let taken_back = calls.handle(id, frame, &mut inlet)?;
        if taken_back && !self.cancels.take(now) {
            let text = "too many calls were taken back unanswered";
            return Err(Violation::new(Code::EXCESSIVE_LOAD, text));
        }
        self.open_resolved();
        Ok(())
    }

    fn calls_inlet(&mut self, now: Time) -> (&mut Calls, Inlet<'_>) {
        let inlet = Inlet {
            limits: &self.limits,
            refuses: self.shutdown.refuses_work(),
            refs: &mut self.refs,
            now,
            events: &mut self.events,
        };
        (&mut self.calls, inlet)
    }

    fn handle_interface(&mut self, frame: Interface) -> Result<(), Violation> {
        let Interface { fingerprint, schema } = frame;
        self.known_bytes = self.known_bytes.saturating_add(schema.len());
        if self.known_interfaces.len() >= MAX_INTERFACES || self.known_bytes > MAX_INTERFACE_BYTES {
            return Err(Violation::new(Code::EXCESSIVE_LOAD, "too many interfaces"));
        }
        if !self.known_interfaces.insert(fingerprint) {
            return Err(Violation::protocol("an interface was announced twice"));
        }
        self.events.push_back(Event::Interface { fingerprint, schema });
        Ok(())
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
                if let Some(micros) = self.handshake.heard_after(now) {
                    self.budget.greeted(micros);
                }
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
            LinkFrame::Interface(frame) => self.handle_interface(frame),
            LinkFrame::OneWayLimit(limit) => {
                let peer = self.handshake.peer_limits();
                self.calls.handle_one_way_limit(limit, peer)
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
            return match frame {
                StreamFrame::Control(StreamControl::Table(table)) => self.handle_table(id, &table),
                frame => self.handle_streamer_frame(id, frame),
            };
        }
        match frame {
            StreamFrame::Control(StreamControl::Open(open)) => self.handle_open(id, open),
            StreamFrame::Control(StreamControl::Table(table)) if id.0 <= self.last_peer_stream => {
                self.handle_table(id, &table)
            }
            frame if id.0 <= self.last_peer_stream => self.handle_opener_frame(id, frame, now),
            _ => Err(Violation::protocol("a frame for a stream that was never opened")),
        }
    }

    /// What an element refers to. The peer counts that as held from here on, whatever becomes of
    /// the element, so it is received first and given back where nobody takes it.
    fn handle_table(&mut self, id: StreamId, frame: &Table) -> Result<(), Violation> {
        let table = self.refs.receive(&frame.table)?;
        if let Some(peer) = self.peers.get_mut(&id) {
            return peer.handle_table(frame.epoch, frame.at, table);
        }
        match self.streamers.get_mut(&id) {
            Some(streamer) => streamer.handle_table(Step(frame.epoch.0), frame.at, table),
            None => Ok(()),
        }
    }

    fn refuse_extension(&mut self, kind: u8, id: u64, tag: u64) -> Result<(), Violation> {
        let fault = Fault::new(Code::UNSUPPORTED, format!("extension {tag} is not known here"));
        if kind != Hello::KIND {
            self.check_heard()?;
        }
        match kind {
            Call::KIND => {
                self.calls.refuse_unread(CallId(id), fault, &self.limits, &mut self.events)
            }
            Open::KIND if !self.side.owns(id) && id > self.last_peer_stream => {
                let mut streamer = Streamer::asked(crate::stream::unread_open());
                streamer.fail(fault, &mut self.budget);
                self.add_streamer(StreamId(id), streamer)
            }
            _ => Err(Violation(fault)),
        }
    }

    /// Time has passed; see [`Link::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Time) {
        self.budget.set_now(now);
        if let Err(Violation(fault)) = self.timers.handle_timeout(now) {
            self.close(fault);
        }
        self.calls.handle_timeout(now, &mut self.events);
        self.withdrawals.handle_timeout(now);
        self.open_resolved();
    }

    /// The connection below is gone.
    pub fn handle_lost(&mut self, why: &str) {
        self.end(Fault::new(Code::LINK_LOST, why), false);
    }

    // --- commands ----------------------------------------------------------------------------

    /// Lets the peer in. What it sent behind its hello is handled at once.
    pub fn admit(&mut self, now: Time) {
        self.budget.set_now(now);
        if self.handshake.admit() {
            self.events.push_back(Event::Established);
            self.decode(now);
        }
    }

    /// Turns the peer away.
    pub fn refuse_peer(&mut self, fault: Fault) {
        self.close(fault);
    }

    /// Calls a method. It waits until the peer has room for it; [`Event::Answered`] brings the
    /// outcome.
    ///
    /// # Errors
    /// The link is over or the peer is leaving; the arguments or their references are too many; the
    /// call is nested too deeply; what it is made on is gone. The call has not been made then.
    pub fn call(&mut self, request: CallRequest, now: Time) -> Result<CallTicket, Fault> {
        self.shutdown.check_new_work()?;
        let peer = self.handshake.peer_limits();
        self.calls.call(request, (peer, &self.refs), now)
    }

    /// Gives a call up.
    pub fn cancel(&mut self, call: CallTicket) {
        self.calls.cancel(call, &mut self.events);
    }

    /// Answers a call of the peer.
    pub fn answer(&mut self, call: CallId, outcome: Result<Answer, Fault>) {
        let peer = self.handshake.peer_limits();
        self.calls.answer(call, outcome, (peer, &self.refs), &mut self.events);
        self.open_resolved();
    }

    /// Tells the peer of an interface, once, before calls that name it.
    ///
    /// # Errors
    /// The schema does not fit into a frame of the peer, or too many were announced.
    pub fn announce(&mut self, fingerprint: [u8; 16], schema: &[u8]) -> Result<(), Fault> {
        if self.announced.contains(&fingerprint) {
            return Ok(());
        }
        let bytes = self.announced_bytes.saturating_add(schema.len());
        if schema.len().saturating_add(64) > self.handshake.peer_frame_bytes()
            || self.announced.len() >= MAX_INTERFACES
            || bytes > MAX_INTERFACE_BYTES
        {
            let text = format!("an interface of {} bytes cannot be announced", schema.len());
            return Err(Fault::new(Code::TOO_LARGE, text));
        }
        self.announced.insert(fingerprint);
        self.announced_bytes = bytes;
        self.announce.push_back(Interface { fingerprint, schema: schema.to_vec() });
        Ok(())
    }

    /// Stops taking new work, lets what moves finish, and ends the link then. Streams that only
    /// wait are ended at once.
    pub fn drain(&mut self, fault: &Fault) {
        if !self.shutdown.start_drain(fault.clone()) {
            return;
        }
        self.end_idle_streams(fault);
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
        self.announce.clear();
        for reference in self.refs.end() {
            self.events.push_back(Event::Released { reference });
        }
        self.handshake.end();
        self.timers.end();
        self.withdrawals.end();
        self.schedule.clear();
        for (stream, mut streamer) in std::mem::take(&mut self.streamers) {
            streamer.fail(outcome.clone(), &mut self.budget);
            if streamer.take_farewell() {
                self.events.push_back(Event::StreamGone { stream });
            }
        }
        // Who waits for a close to be confirmed waits no longer.
        self.changed.extend(self.peers.keys());
        self.peers.retain(|_, peer| !peer.is_closing());
        for (&id, peer) in &mut self.peers {
            peer.handle_over(outcome.clone(), &mut self.budget);
            while let Some(ticket) = peer.take_done_range() {
                self.events.push_back(Event::RangeDone { stream: id, ticket });
            }
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

    /// Appends frames to `out` until it has [`BATCH_BYTES`] or nothing more may go.
    pub fn poll_transmit(&mut self, out: &mut BytesMut, now: Time) {
        self.budget.set_now(now);
        self.handshake.put(out, now);
        if self.handshake.may_send() {
            self.timers.put(out);
            self.shutdown.put_notice(out);
            self.put_calls(out, now);
            self.withdraw(now);
            self.put_stream_control(out, now);
            self.calls.put_spent(out, BATCH_BYTES);
            // What is given back is named by nothing that still waits, or it would be held.
            self.refs.put(out, BATCH_BYTES);
            self.put_data(out);
            self.go_on_draining(out, now);
        }
        self.shutdown.put_last(out);
    }

    fn put_calls(&mut self, out: &mut BytesMut, now: Time) {
        while out.len() < BATCH_BYTES
            && let Some(frame) = self.announce.pop_front()
        {
            LinkFrame::Interface(frame).put(out);
        }
        // Calls may name what is still to be announced.
        if !self.announce.is_empty() {
            return;
        }
        let terms = (self.handshake.peer_limits(), &self.limits);
        self.calls.put(out, BATCH_BYTES, terms, &mut self.refs, now, &mut self.events);
    }

    fn put_stream_control(&mut self, out: &mut BytesMut, now: Time) {
        while out.len() < BATCH_BYTES {
            let Some(id) = self.schedule.next_control() else { return };
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.put_control(out, id, now, &mut self.budget);
            } else if let Some(streamer) = self.streamers.get_mut(&id) {
                if streamer.put_control(out, id, now, &mut self.budget) {
                    self.forget_streamer(id);
                } else {
                    self.refresh_streamer(id);
                }
            }
        }
    }

    fn go_on_draining(&mut self, out: &mut BytesMut, now: Time) {
        if !self.shutdown.is_draining() {
            return;
        }
        let fault = self.shutdown.drain_reason();
        self.end_idle_streams(&fault);
        self.put_stream_control(out, now);
        if self.is_drained() {
            self.end(fault, true);
        }
    }

    /// Whether this side drains and owes the peer nothing more.
    fn is_drained(&self) -> bool {
        self.shutdown.is_draining()
            && self.streamers.is_empty()
            && self.calls.running() == 0
            && !self.calls.has_output(self.handshake.peer_limits(), &self.limits)
    }

    /// Whether a drain can go on: with its end, or with that of a stream.
    fn can_drain(&self) -> bool {
        self.shutdown.is_draining()
            && (self.is_drained() || self.streamers.values().any(|streamer| streamer.is_idle()))
    }

    /// When [`Link::handle_timeout`] wants to be called, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, TimeoutReason)> {
        let call = self.calls.next_deadline().map(|due| (due, TimeoutReason::Call));
        let open = self.withdrawals.next_turn().map(|due| (due, TimeoutReason::Open));
        self.timers.next().into_iter().chain(call).chain(open).min_by_key(|(time, _)| *time)
    }
}
