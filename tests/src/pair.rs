//! Two links and a perfect wire between them: what one sends is what the other gets, at once.

use crate::refs::Holdings;
use crate::{
    source::{Source, position},
    store::Store,
};
use bytes::BytesMut;
use farlens_proto::{
    Ask, CallOn, CallRequest, CallTicket, Chunk, Config, Event, Guard, Link, LinkStats,
    OpenRequest, PeerIdentity, RangeStatus, ReadOutcome, SeekStatus, StepStatus, Time, WriteTo,
};
use farlens_wire::{
    AtEnd, Code, Edge, Flags, Kind, Limits, Pos, Side, Step, StreamId,
    frame::{
        Fault,
        stream::{Open, Target},
    },
};
use std::collections::BTreeMap;

/// One end of the pair and what its shell would hold.
#[derive(Debug)]
pub struct End {
    /// The link.
    pub link: Link,
    /// What happened and was not looked at.
    pub events: Vec<Event>,
    /// Which source serves which stream of the peer.
    pub serving: BTreeMap<StreamId, usize>,
    /// Published sources; the path of each is its index.
    pub sources: Vec<Source>,
    /// Which store serves which stream of the peer.
    pub storing: BTreeMap<StreamId, usize>,
    /// Published data that can be changed; the path of each is its index behind an `s`.
    pub stores: Vec<Store>,
    /// Requests for data that were answered.
    pub reads: usize,
}

/// Two ends.
#[derive(Debug)]
pub struct Pair {
    /// The end that opened the connection.
    pub client: End,
    /// The end that accepted it.
    pub server: End,
    /// The time that both are told.
    pub now: Time,
    /// Whether open requests and requests for data are served by [`Pair::step`].
    pub serves: bool,
}

/// Steps after which [`Pair::drive`] gives up: no test needs so many.
const LIVELOCK: usize = 100_000;

/// What a stream on a path is opened with: any kind, from the start, until the end.
#[must_use]
pub fn request(path: &str) -> OpenRequest {
    OpenRequest {
        on: String::from(path).into(),
        flags: Flags::READABLE,
        kind: None,
        start: Pos::START,
        at_end: AtEnd::Stop,
        delivery: farlens_wire::Delivery::Lossless,
        purpose: farlens_proto::Purpose::Use,
        ahead: farlens_proto::Ahead::Auto,
        lazy: false,
        fingerprint: None,
        urgency: farlens_wire::Urgency::USUAL,
    }
}

/// A configuration with these limits for a peer that is known.
#[must_use]
pub fn config(limits: Limits) -> Config {
    Config { limits, ..Config::default() }
}

impl End {
    /// Calls the method `m` of the root object.
    ///
    /// # Errors
    /// Those of the link.
    pub fn call(&mut self, args: Vec<u8>) -> Result<CallTicket, Fault> {
        self.link.call(CallRequest::new(CallOn::Root, "m", args), Time::ZERO)
    }

    fn new(side: Side, config: Config) -> Self {
        let peer = PeerIdentity::new([side.first_id() as u8; 32]);
        Self {
            link: Link::new(side, peer, config, Holdings::boxed(), Time::ZERO),
            events: Vec::new(),
            serving: BTreeMap::new(),
            sources: Vec::new(),
            storing: BTreeMap::new(),
            stores: Vec::new(),
            reads: 0,
        }
    }

    /// Serves one request of the link with what is published; says whether there was one.
    fn serve(&mut self) -> bool {
        let Some(request) = self.link.poll_request() else { return false };
        self.reads += 1;
        if let Some(&source) = self.serving.get(&request.stream) {
            let reply = self.sources[source].answer(request.ask);
            self.link.handle_reply(request.stream, request.serial, reply);
        } else if let Some(&store) = self.storing.get(&request.stream) {
            let changes = matches!(request.ask, Ask::Write { .. } | Ask::Truncate { .. });
            let reply = self.stores[store].answer(request.ask);
            self.link.handle_reply(request.stream, request.serial, reply);
            if changes {
                self.notify_store(store);
            }
        }
        true
    }

    fn take_event(&mut self, serves: bool) -> bool {
        let Some(event) = self.link.poll_event() else { return false };
        match &event {
            Event::OpenRequested {
                stream, open: Open { target: Target::Path(path), .. }, ..
            } if serves => {
                match (published(path, self.sources.len()), stored(path, self.stores.len())) {
                    (Some(index), _) => {
                        self.serving.insert(*stream, index);
                        self.link.accept(*stream, self.sources[index].accepted());
                    }
                    (_, Some(index)) => {
                        self.storing.insert(*stream, index);
                        self.link.accept(*stream, self.stores[index].accepted());
                    }
                    _ => self.link.refuse(*stream, Fault::new(Code::NOT_FOUND, path.as_str())),
                }
            }
            Event::StreamGone { stream } => {
                self.serving.remove(stream);
                self.storing.remove(stream);
            }
            _ => {}
        }
        self.events.push(event);
        true
    }

    /// Tells the link that a source looks different.
    pub fn notify(&mut self, source: usize) {
        let state = self.sources[source].state();
        let streams: Vec<_> =
            self.serving.iter().filter(|&(_, &s)| s == source).map(|(&id, _)| id).collect();
        for stream in streams {
            self.link.handle_state(stream, state.clone());
        }
    }

    /// Tells the link that a store looks different.
    pub fn notify_store(&mut self, store: usize) {
        let state = self.stores[store].state();
        for (&stream, _) in self.storing.iter().filter(|&(_, &s)| s == store) {
            self.link.handle_state(stream, state.clone());
        }
    }

    /// The only stream that this end serves.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn only_stream(&self) -> StreamId {
        *self.serving.keys().next().expect("a stream is served")
    }

    /// How often an event of this shape has come.
    #[must_use]
    pub fn count(&self, shape: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| shape(event)).count()
    }

    /// The reason for which the link is over.
    #[must_use]
    pub fn over(&self) -> Option<Code> {
        self.link.over().map(|fault| fault.code)
    }
}

impl Pair {
    /// Two links with these limits that have not spoken yet.
    #[must_use]
    pub fn new(client: Limits, server: Limits) -> Self {
        Self::with(config(client), config(server))
    }

    /// Two links with these configurations that have not spoken yet.
    #[must_use]
    pub fn with(client: Config, server: Config) -> Self {
        Self {
            client: End::new(Side::Initiator, client),
            server: End::new(Side::Acceptor, server),
            now: Time::ZERO,
            serves: true,
        }
    }

    /// Two links with default limits; the server publishes `sources`, and the hellos are exchanged.
    #[must_use]
    pub fn serving(sources: Vec<Source>) -> Self {
        Self::serving_with(Limits::default(), sources)
    }

    /// The same with these limits on both sides.
    #[must_use]
    pub fn serving_with(limits: Limits, sources: Vec<Source>) -> Self {
        let mut pair = Self::new(limits.clone(), limits);
        pair.server.sources = sources;
        pair.drive();
        pair
    }

    /// Two links with default limits; the server publishes `store`, and the client has opened it
    /// with these flags.
    #[must_use]
    pub fn storing(store: Store, flags: Flags) -> (Self, StreamId) {
        Self::storing_with(Limits::default(), store, flags)
    }

    /// The same with these limits on both sides.
    #[must_use]
    pub fn storing_with(limits: Limits, store: Store, flags: Flags) -> (Self, StreamId) {
        let mut pair = Self::serving_with(limits, Vec::new());
        pair.server.stores.push(store);
        let stream = pair.open(OpenRequest { flags, ..request("s0") });
        (pair, stream)
    }

    /// Moves one thing of each sort; says whether anything moved.
    pub fn step(&mut self) -> bool {
        let mut moved = false;
        for from_client in [true, false] {
            let (from, to) = if from_client {
                (&mut self.client, &mut self.server)
            } else {
                (&mut self.server, &mut self.client)
            };
            moved |= from.take_event(self.serves);
            moved |= self.serves && from.serve();
            let mut out = BytesMut::new();
            from.link.poll_transmit(&mut out, self.now);
            if !out.is_empty() && to.link.is_reading() {
                to.link.handle_input(out.freeze(), self.now);
                moved = true;
            }
        }
        moved
    }

    /// Moves everything until nothing moves.
    ///
    /// # Panics
    /// When that does not come to an end.
    pub fn drive(&mut self) {
        for _ in 0..LIVELOCK {
            if !self.step() {
                return;
            }
        }
        panic!("the links never come to rest");
    }

    /// Goes to `now`, and lets the links know where they asked for it.
    pub fn pass(&mut self, now: Time) {
        self.now = now;
        for end in [&mut self.client, &mut self.server] {
            if end.link.poll_timeout().is_some_and(|(due, _)| due <= now) {
                end.link.handle_timeout(now);
            }
        }
        self.drive();
    }

    /// Opens a stream of the client and waits for the answer.
    ///
    /// # Panics
    /// When the link does not even ask.
    pub fn open(&mut self, request: OpenRequest) -> StreamId {
        let stream = self.client.link.open(request).expect("the link asks");
        self.drive();
        stream
    }

    /// Opens the source with this index from its start.
    pub fn open_source(&mut self, index: usize) -> StreamId {
        self.open(request(&index.to_string()))
    }

    /// Takes up to `max` elements on the client.
    pub fn read(&mut self, stream: StreamId, max: u64) -> ReadOutcome {
        let outcome = self.client.link.read(stream, max);
        self.drive();
        outcome
    }

    /// Reads until nothing comes; how many elements came, and what came last.
    ///
    /// # Panics
    /// When an element is not the one that the source has at its position.
    pub fn read_all(&mut self, stream: StreamId, source: &Source) -> (u64, ReadOutcome) {
        let mut count = 0;
        loop {
            let at =
                self.client.link.stream_position(stream).map_or(0, farlens_wire::Position::get);
            match self.read(stream, u64::MAX) {
                ReadOutcome::Some(chunk) => {
                    let wrong = crate::model::first_wrong(source.seed, source.sizes, at, &chunk);
                    assert_eq!(wrong, None, "at {at}");
                    count += chunk.elements();
                }
                other => return (count, other),
            }
        }
    }

    /// Writes elements on the client and waits for the outcome.
    pub fn write(&mut self, stream: StreamId, to: WriteTo, chunk: Chunk) -> StepStatus {
        let step = match self.client.link.write(stream, to, None, Guard::default()) {
            Ok(step) => step,
            Err(fault) => return StepStatus::Failed { at: None, count: 0, fault },
        };
        self.client.link.push(stream, step, chunk);
        self.finish_step(stream, step)
    }

    /// Moves an end on the client and waits for the outcome.
    pub fn truncate(&mut self, stream: StreamId, edge: Edge, to: Pos) -> StepStatus {
        match self.client.link.truncate(stream, edge, to, Guard::default()) {
            Ok(step) => self.finish_step(stream, step),
            Err(fault) => StepStatus::Failed { at: None, count: 0, fault },
        }
    }

    /// Waits for the outcome of a step of the client and forgets it.
    pub fn finish_step(&mut self, stream: StreamId, step: Step) -> StepStatus {
        self.drive();
        let status = self.client.link.step_status(stream, step);
        self.client.link.forget_step(stream, step);
        status
    }

    /// Reads a place on the client and waits for its bytes.
    pub fn read_range(&mut self, stream: StreamId, at: u64, length: u64) -> RangeStatus {
        match self.client.link.ask_range(stream, position(at), length) {
            Ok(ticket) => {
                self.drive();
                self.client.link.take_range(stream, ticket)
            }
            Err(fault) => RangeStatus::Failed(fault),
        }
    }

    /// Seeks on the client and waits for the outcome.
    pub fn seek(&mut self, stream: StreamId, to: Pos) -> SeekStatus {
        match self.client.link.seek(stream, to, AtEnd::Stop, 0) {
            Ok(()) => {
                self.drive();
                self.client.link.take_seek_status(stream)
            }
            Err(fault) => SeekStatus::Failed(fault),
        }
    }

    /// Asserts that neither link holds anything.
    ///
    /// # Panics
    /// When one does.
    pub fn assert_at_rest(&self) {
        for end in [&self.client, &self.server] {
            assert_eq!(end.link.stats(), LinkStats::default(), "{:?}", end.link.side());
        }
    }
}

/// Whether a stream carries this kind.
#[must_use]
pub fn kind_of(link: &Link, stream: StreamId) -> Option<Kind> {
    Some(link.stream_info(stream)?.kind)
}

/// The source that a path names.
fn published(path: &str, count: usize) -> Option<usize> {
    path.parse().ok().filter(|&index| index < count)
}

/// The store that a path names.
fn stored(path: &str, count: usize) -> Option<usize> {
    published(path.strip_prefix('s')?, count)
}
