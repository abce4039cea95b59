//! The streams of a link that its peer opened: this side has the data.

use super::{
    BATCH_BYTES, Lender, Link,
    calls::Resolved,
    schedule::{Flow, Needs},
};
use crate::{
    error::Violation,
    event::{DataRequest, Event, Reply},
    stream::{
        range_server::MAX_RANGES,
        recv::Window,
        streamer::{Accepted, Streamer},
    },
    time::Time,
};
use bytes::BytesMut;
use farlens_wire::{
    Code, Reference, Step, StreamId,
    frame::{
        Fault, StreamFrame,
        stream::{self, Open, Ranges, State, StreamControl, Target},
    },
};

/// What an opened frame needs besides its schema, in bytes, at most.
const OPENED_OVERHEAD_BYTES: usize = 256;
/// A part of a call is not begun with less room than this in a batch.
const PART_WORTHWHILE: usize = 1 << 10;

impl Link {
    pub(super) fn handle_open(&mut self, id: StreamId, open: Open) -> Result<(), Violation> {
        if id.0 <= self.last_peer_stream {
            return Err(Violation::protocol("a stream id was used twice"));
        }
        if open.ranges.len() > MAX_RANGES {
            let text = format!("more than {MAX_RANGES} ranges at a time");
            return Err(Violation::new(Code::EXCESSIVE_LOAD, text));
        }
        let (held, allowed) = (self.streamers.len(), self.limits.streams as usize);
        let mut streamer = Streamer::asked(open.clone());
        if self.shutdown.refuses_work() {
            let fault = Fault::new(Code::GOING_AWAY, "the server is shutting down");
            streamer.fail(fault, &mut self.budget);
        } else if held >= allowed {
            let text = format!("at most {allowed} streams may be open on a link");
            streamer.fail(Fault::new(Code::TOO_MANY_STREAMS, text), &mut self.budget);
        } else {
            let on = self.open_target(id, &open.target)?;
            match on {
                Some(Ok(on)) => {
                    streamer.tell();
                    self.events.push_back(Event::OpenRequested { stream: id, open, on });
                }
                Some(Err(fault)) => streamer.fail(fault, &mut self.budget),
                None => {}
            }
        }
        self.add_streamer(id, streamer)
    }

    /// What a stream is opened on, if that is no path; why it is not to be had; or nothing, while
    /// it is still to come.
    fn open_target(
        &mut self,
        id: StreamId,
        target: &Target,
    ) -> Result<Option<Result<Option<Reference>, Fault>>, Violation> {
        match target {
            Target::Path(_) => Ok(Some(Ok(None))),
            Target::Object(object) => Ok(Some(match self.refs.target(*object)? {
                Some(reference) => Ok(Some(reference)),
                None => Err(Fault::new(Code::NO_SUCH_OBJECT, "the streamer was given back")),
            })),
            Target::Answer(call) => Ok(self.calls.open_on(id, *call)?.map(|found| found.map(Some))),
            _ => Err(Violation::protocol("a stream on a target of an unknown kind")),
        }
    }

    /// Goes on with streams whose target was the answer of a call that has come.
    pub(super) fn open_resolved(&mut self) {
        while let Some(Resolved { stream, outcome }) = self.calls.take_resolved() {
            let Some(streamer) = self.streamers.get_mut(&stream) else { continue };
            match outcome {
                Ok(on) => {
                    if let Some(open) = streamer.asked_for().cloned() {
                        streamer.tell();
                        let on = Some(on);
                        self.events.push_back(Event::OpenRequested { stream, open, on });
                    }
                }
                Err(fault) => streamer.fail(fault, &mut self.budget),
            }
            self.refresh_streamer(stream);
        }
    }

    /// Keeps a stream of the peer, if only until its refusal is sent. A peer that does not take
    /// refusals and goes on asking is at fault.
    pub(super) fn add_streamer(
        &mut self,
        id: StreamId,
        streamer: Streamer,
    ) -> Result<(), Violation> {
        let allowed = self.limits.streams as usize;
        if self.streamers.len() >= allowed.saturating_mul(2) {
            let text = format!("at most {allowed} streams may be open on a link");
            return Err(Violation::new(Code::TOO_MANY_STREAMS, text));
        }
        self.last_peer_stream = id.0;
        self.streamers.insert(id, Box::new(streamer));
        self.refresh_streamer(id);
        Ok(())
    }

    /// A frame from the opener of a stream to this side, which has the data.
    pub(super) fn handle_opener_frame(
        &mut self,
        id: StreamId,
        frame: StreamFrame,
        now: Time,
    ) -> Result<(), Violation> {
        let openers = match &frame {
            StreamFrame::Control(control) => control.is_openers(),
            StreamFrame::RangeData { .. } => false,
            _ => true,
        };
        if !openers {
            return Err(Violation::protocol("a frame that only a streamer sends"));
        }
        let Some(streamer) = self.streamers.get_mut(&id) else { return Ok(()) };
        let (message_bytes, budget) = (self.limits.message_bytes, &mut self.budget);
        match frame {
            StreamFrame::Data(stream::Data { epoch, .. })
            | StreamFrame::Items(stream::Data { epoch, .. })
            | StreamFrame::ItemPart { part: stream::Data { epoch, .. }, .. } => {
                streamer.handle_elements(Step(epoch.0), frame, message_bytes, budget)?;
            }
            StreamFrame::Control(control) => match control {
                StreamControl::Limit(limit) => streamer.handle_limit(limit)?,
                StreamControl::Seek(seek) => streamer.handle_seek(seek, budget)?,
                StreamControl::Ranges(Ranges { first, ranges }) => {
                    streamer.handle_ranges(first, &ranges, budget)?;
                }
                StreamControl::Close(_) => {
                    if streamer.is_asked() && !self.resets.take(now) {
                        let text = "too many streams were taken back unanswered";
                        return Err(Violation::new(Code::EXCESSIVE_LOAD, text));
                    }
                    if let Some(Open { target: Target::Answer(call), .. }) = streamer.asked_for() {
                        self.calls.leave(id, *call);
                    }
                    streamer.handle_close(budget);
                }
                step => streamer.handle_step(step, budget)?,
            },
            _ => return Err(Violation::protocol("a stream frame of an unknown kind")),
        }
        self.refresh_streamer(id);
        Ok(())
    }

    /// The answer to a [`DataRequest`].
    pub fn handle_reply(&mut self, stream: StreamId, serial: u64, reply: Reply) {
        if let Some(streamer) = self.streamers.get_mut(&stream) {
            let message_bytes = self.handshake.peer_message_bytes();
            streamer.handle_reply(serial, reply, message_bytes, &mut self.budget);
            self.refresh_streamer(stream);
        }
    }

    /// The data below a stream looks different.
    pub fn handle_state(&mut self, stream: StreamId, state: State) {
        if let Some(streamer) = self.streamers.get_mut(&stream) {
            streamer.handle_state(state, &mut self.budget);
            self.refresh_streamer(stream);
        }
    }

    /// Gives the peer the stream that it asked for. Says whether it still wants it.
    pub fn accept(&mut self, stream: StreamId, accepted: Accepted) -> bool {
        let Some(streamer) = self.streamers.get_mut(&stream).filter(|s| s.is_asked()) else {
            return false;
        };
        let schema = accepted.schema.as_ref().map_or(0, Vec::len);
        if schema.saturating_add(OPENED_OVERHEAD_BYTES) > self.handshake.peer_frame_bytes() {
            let text = format!("the schema of {schema} bytes does not fit into a frame");
            streamer.fail(Fault::new(Code::TOO_LARGE, text), &mut self.budget);
        } else {
            let window = Window::from_limits(&self.limits);
            if let Err(Violation(fault)) = streamer.accept(accepted, window, &mut self.budget) {
                self.close(fault);
                return false;
            }
        }
        self.refresh_streamer(stream);
        true
    }

    /// Has the peer wait, when it closes a stream, until [`Link::release_stream`] says that the data
    /// is free again. Right after [`Link::accept`].
    pub fn hold_stream(&mut self, stream: StreamId) {
        if let Some(streamer) = self.streamers.get_mut(&stream) {
            streamer.hold();
        }
    }

    /// The data of a stream that was held is free again.
    pub fn release_stream(&mut self, stream: StreamId) {
        if let Some(streamer) = self.streamers.get_mut(&stream) {
            streamer.release();
            self.refresh_streamer(stream);
        }
    }

    /// Refuses the stream that the peer asked for, or ends one that it has.
    pub fn refuse(&mut self, stream: StreamId, fault: Fault) {
        if let Some(streamer) = self.streamers.get_mut(&stream) {
            streamer.fail(fault, &mut self.budget);
            self.refresh_streamer(stream);
        }
    }

    pub(super) fn end_idle_streams(&mut self, fault: &Fault) {
        let idle = self.streamers.iter().filter(|(_, streamer)| streamer.is_idle());
        let ids: Vec<_> = idle.map(|(&id, _)| id).collect();
        for id in ids {
            self.refuse(id, fault.clone());
        }
    }

    /// The next piece of work on data.
    pub fn poll_request(&mut self) -> Option<DataRequest> {
        self.next_request(false)
    }

    /// The next piece of work on data that need not wait for the input that is at hand, and that the
    /// shell is going to hand in at once. What is left is taken with [`Link::poll_request`].
    pub fn poll_request_amid_input(&mut self) -> Option<DataRequest> {
        self.next_request(true)
    }

    fn next_request(&mut self, more_input: bool) -> Option<DataRequest> {
        for _ in 0..self.schedule.hungry_len() {
            let id = self.schedule.next_hungry()?;
            let room = self.schedule.room(id);
            let Some(streamer) = self.streamers.get_mut(&id) else { continue };
            let request = streamer.poll_request(id, room, more_input);
            self.refresh_streamer(id);
            if request.is_some() {
                return request;
            }
        }
        None
    }

    pub(super) fn put_data(&mut self, out: &mut BytesMut) {
        loop {
            let room = BATCH_BYTES.saturating_sub(out.len());
            if room > PART_WORTHWHILE && self.calls.has_parts() {
                let room = room.min(self.handshake.peer_frame_bytes());
                self.calls.put_part(out, room, &mut self.events);
            }
            let room = BATCH_BYTES.saturating_sub(out.len());
            let Some((id, flow, room)) = self.schedule.next_data(room) else {
                if room > PART_WORTHWHILE && self.calls.has_parts() {
                    continue;
                }
                return;
            };
            let room = room.min(self.handshake.peer_frame_bytes());
            let peer_allows = self.handshake.peer_limits().references;
            let mut lender = Lender { refs: &mut self.refs, peer_allows };
            let before = out.len();
            let sent = if let Some(streamer) = self.streamers.get_mut(&id) {
                let sent = match flow {
                    Flow::Cursor => streamer.put_data(out, id, room, &mut lender),
                    Flow::Ranges => streamer.put_range(out, id, room),
                };
                self.refresh_streamer(id);
                sent
            } else if let Some(peer) = self.peers.get_mut(&id) {
                let was_full = !peer.is_writable();
                let sent = peer.put_data(out, id.0, room, &mut lender);
                let has_room = was_full && peer.is_writable();
                if peer.take_refusal() || has_room {
                    self.changed.insert(id);
                }
                self.refresh_peer(id);
                sent
            } else {
                continue;
            };
            self.schedule.sent(id, flow, out.len().saturating_sub(before));
            if !sent {
                return;
            }
        }
    }

    pub(super) fn forget_streamer(&mut self, id: StreamId) {
        if self.streamers.remove(&id).is_some() {
            self.schedule.forget(id);
        }
    }

    /// Tells the scheduler what a stream of the peer has to send and to ask for.
    pub(super) fn refresh_streamer(&mut self, id: StreamId) {
        if let Some(streamer) = self.streamers.get_mut(&id) {
            if streamer.take_farewell() {
                self.events.push_back(Event::StreamGone { stream: id });
            }
            self.schedule.set(
                id,
                Needs {
                    urgency: streamer.urgency(),
                    control: streamer.has_control(),
                    data: streamer.has_data(),
                    ranges: streamer.has_ranges(),
                    hunger: streamer.hunger(),
                    queued: streamer.queued(),
                    reserved: streamer.reserved(),
                },
            );
        }
    }
}
