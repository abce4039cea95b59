//! The streams of a link that this side opened.

use super::{Link, schedule::Needs};
use crate::{
    error::Violation,
    stream::{
        peer::{OpenRequest, ReadOutcome, StreamInfo, StreamPeer},
        recv::Window,
        seek::SeekStatus,
    },
};
use farlens_wire::{
    AtEnd, Code, Limits, Pos, Position, StreamId,
    frame::{
        Fault, StreamFrame,
        stream::{Failed, State, StreamControl},
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

    /// Where the end is that the streamer has told of, whatever is still buffered before it.
    #[must_use]
    pub fn stream_end(&self, stream: StreamId) -> Option<Position> {
        self.peers.get(&stream)?.end()
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

    /// A frame from the streamer to this side, which opened the stream.
    pub(super) fn handle_streamer_frame(
        &mut self,
        id: StreamId,
        frame: StreamFrame,
    ) -> Result<(), Violation> {
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
    pub(super) fn end_peer(&mut self, id: StreamId, fault: Fault) {
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

    /// Asks the peer for a stream. [`crate::Event::Changed`] tells when it is open, or why not.
    ///
    /// # Errors
    /// The link is over or the peer is leaving; the path is too long; the peer's limit on streams
    /// is reached.
    pub fn open(&mut self, request: OpenRequest) -> Result<StreamId, Fault> {
        self.shutdown.check_new_work()?;
        let fits = self.handshake.peer_frame_bytes().saturating_sub(OPEN_OVERHEAD_BYTES);
        if request.path.len() > Limits::PATH_BYTES.min(fits) {
            let text = format!("a path has at most {} bytes here", Limits::PATH_BYTES.min(fits));
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

    pub(super) fn refresh_peer(&mut self, id: StreamId) {
        if let Some(peer) = self.peers.get(&id) {
            let control = peer.has_control();
            self.schedule.set(id, Needs { control, ..Needs::default() });
        }
    }
}
