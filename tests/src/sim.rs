//! A world of two links in which everything that may go wrong does, as a seed says.
//!
//! Time is virtual and jumps from one thing to the next. First comes *safety*: users, sources and
//! the wire do what they like, and after every step each reader must agree with the model. Then
//! comes *liveness*: the faults stop, and every operation must come to its end. Last, everything is
//! closed, and the links must hold nothing.

use crate::{
    model::{Last, Published, Reader},
    ops::{self, Op, View},
    pair::config,
    pattern::{self, Sizes},
    rng::{Rng, mix},
    source::{Source, mode},
    wire::{Cut, Wire},
};
use bytes::BytesMut;
use farlens_proto::{
    Ahead, Event, Link, LinkStats, OpenRequest, PeerIdentity, Purpose, Reply, SeekStatus, Time,
};
use farlens_wire::{
    AtEnd, CallId, Code, Delivery, Flags, Kind, Limits, ObjectId, Pos, Side, StreamId,
    frame::{Fault, stream::Target},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Steps after which a world that has not come to its end is stuck in a loop.
const LIVELOCK: u64 = 4_000_000;
/// Data that the pretended socket takes before it is full.
const SOCKET_BYTES: [usize; 3] = [500, 8_000, 200_000];

/// What became of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// A hash of everything that happened.
    pub hash: u64,
    /// Things that happened.
    pub steps: u64,
    /// The same as text, if that was wanted.
    pub trace: Vec<String>,
    /// Where the machines differ from the model.
    pub failure: Option<String>,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, record: bool) -> Outcome {
    let mut world = World::new(seed, record);
    let failure = world.run().err();
    let Trace { hash, lines, .. } = world.trace;
    let trace = lines.unwrap_or_default();
    Outcome { hash, steps: world.steps, trace, failure }
}

#[derive(Debug)]
struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    fn note(&mut self, now: u64, what: &str, numbers: &[u64]) {
        let mut hash = self.hash ^ now;
        for byte in what.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        for &number in numbers {
            hash = mix(hash ^ number);
        }
        self.hash = hash;
        if let Some(lines) = &mut self.lines {
            let mut line = format!("{:>12.6} {what}", now as f64 / 1e6);
            for number in numbers {
                let _ = write!(line, " {number}");
            }
            lines.push(line);
        }
    }

    fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>12} {}", "", text()));
        }
    }
}

/// Something that is due.
#[derive(Debug)]
enum Task {
    /// A source answers.
    Reply { node: usize, stream: StreamId, serial: u64, reply: Reply },
    /// The shell decides about a stream.
    Decide { node: usize, stream: StreamId },
    /// The shell hears that a source looks different.
    Notice { node: usize, source: usize },
    /// A handler has run.
    Answer { node: usize, call: CallId, args: Vec<u8> },
    /// The connection below is gone.
    Lost { node: usize },
}

#[derive(Debug)]
struct Node {
    link: Link,
    told_over: bool,
    /// Streams that the peer wants and that are not gone.
    wanted: BTreeSet<StreamId>,
    asked: BTreeMap<StreamId, farlens_wire::frame::stream::Open>,
    serving: BTreeMap<StreamId, usize>,
    calls: BTreeMap<CallId, Vec<u8>>,
    handling: BTreeSet<CallId>,
    drained: bool,
}

#[derive(Debug)]
struct Slot {
    node: usize,
    stream: StreamId,
    source: usize,
    wants_elements: bool,
    expected: Option<Result<u64, Code>>,
    reader: Reader,
    dirty: bool,
}

#[derive(Debug)]
struct World {
    rng: Rng,
    now: u64,
    steps: u64,
    trace: Trace,
    limits: [Limits; 2],
    nodes: [Node; 2],
    wires: [Wire; 2],
    cut: Cut,
    latency: (u64, u64),
    socket: usize,
    /// How long sources and handlers take, in microseconds, at the most.
    slow: u64,
    pace: u64,
    sources: Vec<Source>,
    published: Vec<Published>,
    slots: Vec<Slot>,
    agenda: BTreeMap<(u64, u64), Task>,
    serial: u64,
    /// Whether something was done to this connection that may end it.
    harmed: bool,
    call_bytes: u64,
}

macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}

/// Small limits, so that their edges are hit all the time.
fn tiny(rng: &mut Rng) -> Limits {
    let mut limits = Limits::default();
    limits.frame_bytes = 4 << 10;
    limits.message_bytes = 16 << 10;
    limits.streams = rng.between(1, 5) as u32;
    limits.calls = rng.between(1, 3) as u32;
    limits.stream_window_bytes = 1 + rng.small(2_000);
    limits.stream_window_max_bytes = limits.stream_window_bytes * rng.between(1, 6);
    limits.stream_window_items = 1 + rng.small(20);
    limits.receive_budget_bytes = 1 + rng.small(6_000);
    limits.send_queue_bytes = 1 + rng.small(10_000) as usize;
    limits
}

/// The smallest limits that are valid, or somewhat larger ones.
fn modest(rng: &mut Rng) -> Limits {
    let mut limits = Limits::default();
    limits.frame_bytes = (4 << 10) + rng.small(30 << 10) as usize;
    limits.message_bytes = 16 << 10;
    limits.streams = rng.between(2, 9) as u32;
    limits.calls = rng.between(1, 9) as u32;
    limits.stream_window_bytes = (16 << 10) + rng.small(200 << 10);
    limits.stream_window_max_bytes = limits.stream_window_bytes + rng.small(400 << 10);
    limits.stream_window_items = 1 + rng.small(3_000);
    limits.receive_budget_bytes = limits.stream_window_max_bytes;
    limits.send_queue_bytes = 2 * limits.frame_bytes + rng.small(1 << 20) as usize;
    limits
}

fn timers(rng: &mut Rng, limits: &mut Limits) {
    limits.ping_idle_ms = *rng.pick(&[200, 200, 1_000, 15_000]);
    limits.dead_after_ms = limits.ping_idle_ms + *rng.pick(&[800, 2_000, 30_000]);
}

fn source(rng: &mut Rng, length: u64, large: bool) -> Source {
    let seed = rng.draw();
    let mut source = match rng.below(4) {
        0 => Source::fixed_bytes(seed, rng.small(length)),
        1 => Source::growing_bytes(seed, rng.small(length)),
        kind => {
            let sizes = match rng.below(4) {
                _ if large => Sizes::Large,
                0 => Sizes::UpTo((16 << 10) - 8),
                1 => Sizes::UpTo(700),
                _ => Sizes::Small,
            };
            let count = if large { 12 } else { length / 16 };
            let fixed = Source::fixed_items(seed, rng.small(count), sizes);
            let growing = Source::growing_bytes(seed, fixed.end);
            if kind == 2 { fixed } else { Source { kind: Kind::Items, sizes, ..growing } }
        }
    };
    if rng.one_in(4) {
        let all = [Flags::NONE, Flags::SEEK_FWD, Flags::SEEK_REW];
        source = source.with_seek(*rng.pick(&all));
    }
    if rng.one_in(3) {
        // A file: its end is not final, though nobody says that it moves.
        source.ended = false;
        source.mode = mode(source.mode.flags().without(Flags::FIXED_DATA));
    }
    source
}

impl Node {
    fn new(side: Side, limits: Limits, now: u64) -> Self {
        let peer = PeerIdentity::new([side.first_id() as u8; 32]);
        Self {
            link: Link::new(side, peer, config(limits), Time::from_micros(now)),
            told_over: false,
            wanted: BTreeSet::new(),
            asked: BTreeMap::new(),
            serving: BTreeMap::new(),
            calls: BTreeMap::new(),
            handling: BTreeSet::new(),
            drained: false,
        }
    }
}

impl World {
    fn new(seed: u64, record: bool) -> Self {
        let mut rng = Rng::new(seed);
        let profile = rng.below(64);
        let mut limits = match profile {
            0 => [Limits::default(), Limits::default()],
            1..=5 => [modest(&mut rng), modest(&mut rng)],
            6..=9 => [tiny(&mut rng), modest(&mut rng)],
            _ => [tiny(&mut rng), tiny(&mut rng)],
        };
        for limits in &mut limits {
            timers(&mut rng, limits);
        }
        let large = profile == 0 && rng.one_in(4);
        let (length, call_bytes) = match profile {
            0 => (600_000, 60_000),
            1..=5 => (60_000, 3_000),
            _ => (2_500, 3_000),
        };
        let cut = match rng.below(16) {
            0 => Cut::UpTo(1),
            1..=4 => Cut::UpTo(rng.between(2, 60)),
            5..=8 => Cut::Whole,
            _ => Cut::Sometimes,
        };
        let cut = if profile < 6 && matches!(cut, Cut::UpTo(_)) { Cut::UpTo(9_000) } else { cut };
        let low = rng.small(5_000);
        let latency = (low, low + rng.small(20_000));
        let sources: Vec<Source> =
            (0..rng.between(1, 4)).map(|_| source(&mut rng, length, large)).collect();
        let published = sources.iter().map(Published::of).collect();
        let nodes = [
            Node::new(Side::Initiator, limits[0].clone(), 0),
            Node::new(Side::Acceptor, limits[1].clone(), 0),
        ];
        Self {
            now: 0,
            steps: 0,
            trace: Trace { hash: mix(seed), lines: record.then(Vec::new) },
            limits,
            nodes,
            wires: [Wire::new(cut, latency), Wire::new(cut, latency)],
            cut,
            latency,
            socket: *rng.pick(&SOCKET_BYTES),
            slow: rng.small(30_000),
            pace: 1 + rng.small(30_000),
            sources,
            published,
            slots: Vec::new(),
            agenda: BTreeMap::new(),
            serial: 0,
            harmed: false,
            call_bytes,
            rng,
        }
    }

    fn run(&mut self) -> Result<(), String> {
        self.pump()?;
        let count = 6 + self.rng.small(60);
        let harmless = self.rng.one_in(2);
        for _ in 0..count {
            let until = self.now + self.rng.below(self.pace) * self.rng.below(3);
            while self.advance(Some(until))? {}
            self.now = self.now.max(until);
            let view = View {
                readers: self.slots.len(),
                lengths: self.published.iter().map(Published::end).collect(),
                reads: self.slots.iter().map(|slot| slot.source).collect(),
                cuts: !harmless,
                call_bytes: self.call_bytes,
            };
            let op = ops::choose(&mut self.rng, &view);
            self.apply(op)?;
            self.pump()?;
        }
        self.liveness()?;
        self.rest()
    }

    // --- time --------------------------------------------------------------------------------

    /// Does the next thing that is due until `until`; says whether there was one.
    fn advance(&mut self, until: Option<u64>) -> Result<bool, String> {
        self.steps += 1;
        ensure!(self.steps < LIVELOCK, "no end after {LIVELOCK} steps");
        let mut next: Option<(u64, usize)> = None;
        let mut consider = |due: Option<u64>, what: usize| {
            if let Some(due) = due
                && next.is_none_or(|(at, _)| due < at)
            {
                next = Some((due, what));
            }
        };
        consider(self.agenda.keys().next().map(|&(due, _)| due), 0);
        for node in 0..2 {
            consider(self.wires[node].due(), 1 + node);
            let timeout = self.nodes[node].link.poll_timeout();
            consider(timeout.map(|(due, _)| due.micros()), 3 + node);
        }
        let Some((due, what)) = next else { return Ok(false) };
        if until.is_some_and(|until| due > until) {
            return Ok(false);
        }
        self.now = self.now.max(due);
        let now = Time::from_micros(self.now);
        match what {
            0 => {
                let Some((_, task)) = self.agenda.pop_first() else { return Ok(false) };
                self.perform(task);
            }
            1 | 2 => {
                let from = what - 1;
                if let Some(piece) = self.wires[from].take() {
                    self.trace.note(self.now, "arrive", &[from as u64, piece.len() as u64]);
                    self.trace.say(|| format!("{:02x?}", &piece[..piece.len().min(24)]));
                    let to = &mut self.nodes[1 - from].link;
                    if to.is_reading() {
                        to.handle_input(piece, now);
                    }
                }
            }
            _ => {
                let node = what - 3;
                self.trace.note(self.now, "timeout", &[node as u64]);
                self.nodes[node].link.handle_timeout(now);
            }
        }
        self.pump()?;
        Ok(true)
    }

    fn later(&mut self, task: Task) {
        let delay =
            if self.slow == 0 || self.rng.one_in(4) { 0 } else { self.rng.below(self.slow) };
        self.at(self.now + delay, task);
    }

    fn at(&mut self, due: u64, task: Task) {
        self.serial += 1;
        self.agenda.insert((due, self.serial), task);
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Reply { node, stream, serial, reply } => {
                self.trace.note(self.now, "reply", &[node as u64, stream.0, serial]);
                self.nodes[node].link.handle_reply(stream, serial, reply);
            }
            Task::Decide { node, stream } => self.decide(node, stream),
            Task::Notice { node, source } => {
                self.trace.note(self.now, "notice", &[node as u64, source as u64]);
                let state = self.sources[source].state();
                let node = &mut self.nodes[node];
                for (&stream, _) in node.serving.iter().filter(|&(_, &s)| s == source) {
                    node.link.handle_state(stream, state.clone());
                }
            }
            Task::Answer { node, call, mut args } => {
                if self.nodes[node].handling.remove(&call) {
                    self.trace.note(self.now, "answer", &[node as u64, call.0]);
                    args.reverse();
                    let outcome = if call.0.is_multiple_of(7) {
                        Err(Fault::new(Code::NO_SUCH_METHOD, "seven"))
                    } else {
                        Ok(args)
                    };
                    self.nodes[node].link.answer(call, outcome);
                }
            }
            Task::Lost { node } => {
                self.trace.note(self.now, "lost", &[node as u64]);
                self.nodes[node].link.handle_lost("the simulated cable was cut");
            }
        }
    }

    /// The shell of `node` says yes or no to a stream, and the model says which it must be.
    fn decide(&mut self, node: usize, stream: StreamId) {
        let Some(open) = self.nodes[node].asked.remove(&stream) else { return };
        let Target::Path(path) = &open.target else { return };
        let found = path.parse().ok().filter(|&index: &usize| index < self.sources.len());
        let (expected, wanted) = match found {
            None => {
                self.nodes[node].link.refuse(stream, Fault::new(Code::NOT_FOUND, path.as_str()));
                (Err(Code::NOT_FOUND), true)
            }
            Some(index) => {
                let wanted = self.nodes[node].link.accept(stream, self.sources[index].accepted());
                self.nodes[node].serving.insert(stream, index);
                let flags = Flags::from_bits(open.flags);
                (self.published[index].open(flags, open.kind, open.start), wanted)
            }
        };
        self.trace.note(self.now, "decide", &[node as u64, stream.0, u64::from(expected.is_ok())]);
        if let Some(slot) = self.slot(1 - node, stream).filter(|_| wanted) {
            slot.expected = Some(expected);
            slot.reader.may_end.extend(expected.err());
        }
    }

    fn slot(&mut self, node: usize, stream: StreamId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.node == node && slot.stream == stream)
    }

    // --- the shells --------------------------------------------------------------------------

    /// Takes everything out of both links, and looks at what changed.
    fn pump(&mut self) -> Result<(), String> {
        loop {
            let mut moved = false;
            for node in 0..2 {
                while let Some(event) = self.nodes[node].link.poll_event() {
                    moved = true;
                    self.event(node, event)?;
                }
                while let Some(request) = self.nodes[node].link.poll_request() {
                    moved = true;
                    let Some(&source) = self.nodes[node].serving.get(&request.stream) else {
                        return Err(format!("a request for {} that is not served", request.stream));
                    };
                    self.trace.note(self.now, "ask", &[node as u64, request.stream.0]);
                    let reply = self.sources[source].answer(request.ask);
                    let (stream, serial) = (request.stream, request.serial);
                    self.later(Task::Reply { node, stream, serial, reply });
                }
                moved |= self.transmit(node)?;
            }
            moved |= self.hang_up();
            if !moved {
                break;
            }
        }
        self.observe()?;
        self.check()
    }

    fn transmit(&mut self, node: usize) -> Result<bool, String> {
        let mut moved = false;
        while self.wires[node].in_flight() < self.socket {
            let mut out = BytesMut::new();
            let link = &mut self.nodes[node].link;
            let had = link.has_output();
            link.poll_transmit(&mut out);
            if out.is_empty() {
                break;
            }
            ensure!(had, "output out of nothing");
            moved = true;
            self.trace.note(self.now, "send", &[node as u64, out.len() as u64]);
            self.wires[node].send(out.freeze(), self.now, &mut self.rng);
        }
        Ok(moved)
    }

    /// A link that is over closes the connection once all is sent; the other side sees that.
    fn hang_up(&mut self) -> bool {
        for node in 0..2 {
            let sent = self.wires[node].is_empty() && !self.nodes[node].link.has_output();
            let [a, b] = &self.nodes;
            let (this, other) = if node == 0 { (a, b) } else { (b, a) };
            if this.link.over().is_some() && other.link.over().is_none() && sent {
                self.trace.note(self.now, "hang up", &[node as u64]);
                self.nodes[1 - node].link.handle_lost("the other side hung up");
                return true;
            }
        }
        false
    }

    fn event(&mut self, node: usize, event: Event) -> Result<(), String> {
        ensure!(!self.nodes[node].told_over, "{event:?} after the end of the link");
        self.trace.say(|| format!("node {node}: {event:?}").chars().take(160).collect());
        match event {
            Event::OpenRequested { stream, open } => {
                ensure!(self.nodes[node].wanted.insert(stream), "{stream} is wanted twice");
                self.nodes[node].asked.insert(stream, open);
                self.later(Task::Decide { node, stream });
            }
            Event::StreamGone { stream } => {
                let node = &mut self.nodes[node];
                node.asked.remove(&stream);
                node.serving.remove(&stream);
                ensure!(node.wanted.remove(&stream), "{stream} is gone twice");
            }
            Event::Changed { stream } => {
                if let Some(slot) = self.slot(node, stream) {
                    slot.dirty = true;
                }
            }
            Event::Called { call, args, .. } => {
                self.nodes[node].handling.insert(call);
                self.later(Task::Answer { node, call, args });
            }
            Event::Cancelled { call } => drop(self.nodes[node].handling.remove(&call)),
            Event::Answered { call, outcome } => self.answered(node, call, &outcome)?,
            Event::Over { fault } => {
                let rightly = match fault.code {
                    Code::LINK_LOST | Code::TIMEOUT => {
                        self.harmed || self.nodes[1 - node].link.over().is_some()
                    }
                    code => code == Code::GOING_AWAY && self.nodes.iter().any(|n| n.drained),
                };
                ensure!(rightly, "node {node} ended for no reason: {fault}");
                self.nodes[node].told_over = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn answered(
        &mut self,
        node: usize,
        call: CallId,
        outcome: &Result<Vec<u8>, Fault>,
    ) -> Result<(), String> {
        let Some(mut args) = self.nodes[node].calls.remove(&call) else {
            return Err(format!("{call} was answered twice, or never made"));
        };
        args.reverse();
        let over = self.nodes[node].link.over().map(|fault| fault.code);
        let sevenfold = call.0.is_multiple_of(7);
        let right = match outcome {
            Ok(value) => !sevenfold && *value == args,
            Err(fault) => {
                fault.code == Code::NO_SUCH_METHOD && sevenfold
                    || Some(fault.code) == over
                    || fault.code == Code::GOING_AWAY && self.nodes[1 - node].drained
            }
        };
        ensure!(right, "{call} was answered with {outcome:?}");
        Ok(())
    }

    /// Looks at the readers of which the links told something.
    fn observe(&mut self) -> Result<(), String> {
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            let node = slot.node;
            if let Some(fault) = self.nodes[node].link.over() {
                slot.reader.may_end.push(fault.code);
            } else if self.nodes.iter().any(|node| node.drained) {
                slot.reader.may_end.push(Code::GOING_AWAY);
            }
            slot.reader.may_end.dedup();
            if slot.dirty {
                self.look(index).map_err(|text| self.blame(index, &text))?;
            }
        }
        Ok(())
    }

    fn look(&mut self, index: usize) -> Result<(), String> {
        let slot = &mut self.slots[index];
        let link = &mut self.nodes[slot.node].link;
        if slot.reader.at.is_none()
            && let Some(info) = link.stream_info(slot.stream)
        {
            let at = info.opened_at.get();
            ensure!(slot.expected == Some(Ok(at)), "opened at {at}, not {:?}", slot.expected);
            slot.reader.opened(at);
        }
        let status = link.take_seek_status(slot.stream);
        if status != SeekStatus::Idle {
            let number = match &status {
                SeekStatus::Done(at) => at.get(),
                SeekStatus::Failed(fault) => u64::from(fault.code.number()) << 32,
                _ => u64::MAX,
            };
            self.trace.note(self.now, "seek status", &[index as u64, number]);
        }
        slot.reader.sought(&self.published[slot.source], &status)?;
        let position = link.stream_position(slot.stream).map(farlens_wire::Position::get);
        if let Some(at) = slot.reader.at.filter(|_| !slot.reader.is_seeking()) {
            ensure!(position == Some(at), "the link says {position:?}, the model {at}");
        }
        Ok(())
    }

    fn blame(&self, index: usize, text: &str) -> String {
        let slot = &self.slots[index];
        format!("reader {index} of source {} on node {}: {text}", slot.source, slot.node)
    }

    /// What must hold of the counters at any time.
    fn check(&self) -> Result<(), String> {
        for (node, limits) in self.nodes.iter().zip(&self.limits) {
            let stats = node.link.stats();
            let window = limits.stream_window_max_bytes.min(Limits::MIN_WINDOW_BYTES);
            let granted = limits.receive_budget_bytes + stats.consuming as u64 * window;
            ensure!(stats.granted_bytes <= granted, "{} granted", stats.granted_bytes);
            let queue = limits.send_queue_bytes + stats.serving * (2 << 20);
            ensure!(stats.queued_bytes <= queue, "{} queued", stats.queued_bytes);
            ensure!(stats.serving <= 2 * limits.streams as usize, "{} served", stats.serving);
            ensure!(stats.calls_in <= limits.calls as usize, "{} calls", stats.calls_in);
            ensure!(
                !node.told_over || stats.granted_bytes == 0 && stats.queued_bytes == 0,
                "a link that is over holds {stats:?}"
            );
        }
        Ok(())
    }

    // --- operations --------------------------------------------------------------------------

    fn apply(&mut self, op: Op) -> Result<(), String> {
        self.trace.say(|| format!("{op:?}"));
        match op {
            Op::Open { node, source, flags, kind, start, at_end, elements } => {
                let path = source.to_string();
                let fingerprint = None;
                let ahead = if elements { Ahead::Auto } else { Ahead::Nothing };
                let (delivery, purpose) = (Delivery::Lossless, Purpose::Use);
                let request = OpenRequest {
                    path,
                    flags,
                    kind,
                    start,
                    at_end,
                    delivery,
                    purpose,
                    ahead,
                    fingerprint,
                };
                self.open(node, source.min(self.sources.len() - 1), request)
            }
            Op::Read { reader, max } => {
                self.read(reader, max).map_err(|text| self.blame(reader, &text))
            }
            Op::Seek { reader, to, at_end, gives_back } => {
                let outcome = self.seek(reader, to, at_end, gives_back);
                outcome.map_err(|text| self.blame(reader, &text))
            }
            Op::Close { reader } => {
                let slot = self.slots.swap_remove(reader);
                self.trace.note(self.now, "close", &[reader as u64]);
                self.nodes[slot.node].link.close_stream(slot.stream);
                Ok(())
            }
            Op::Grow { source, elements } => {
                if !self.sources[source].ended && self.sources[source].mode.has(Flags::END_CAN_INC)
                {
                    self.sources[source].end += elements;
                    let end = self.sources[source].end;
                    self.published[source].ends.push(end);
                    self.notice(source);
                }
                Ok(())
            }
            Op::Finish { source } => {
                if self.sources[source].mode.has(Flags::END_CAN_INC) {
                    self.sources[source].ended = true;
                    self.published[source].ended = true;
                    self.notice(source);
                }
                Ok(())
            }
            Op::Break { source, at } => {
                self.sources[source].fails_at = Some(at);
                self.published[source].failures.push(at);
                Ok(())
            }
            Op::Repair { source } => {
                self.sources[source].fails_at = None;
                Ok(())
            }
            Op::Fail { reader } => {
                let slot = &mut self.slots[reader];
                slot.reader.may_end.push(Code::INTERNAL);
                slot.expected.get_or_insert(Err(Code::INTERNAL));
                let (node, stream) = (1 - slot.node, slot.stream);
                self.trace.note(self.now, "fail", &[node as u64, stream.0]);
                self.nodes[node].asked.remove(&stream);
                self.nodes[node].link.refuse(stream, Fault::new(Code::INTERNAL, "told to fail"));
                Ok(())
            }
            Op::Call { node, length } => self.call(node, length),
            Op::Cancel { node } => {
                if let Some((call, _)) = self.nodes[node].calls.pop_last() {
                    self.trace.note(self.now, "cancel", &[node as u64, call.0]);
                    self.nodes[node].link.cancel(call);
                }
                Ok(())
            }
            Op::Drain { node } => {
                self.trace.note(self.now, "drain", &[node as u64]);
                self.nodes[node].drained = true;
                self.nodes[node].link.drain(&Fault::new(Code::GOING_AWAY, "told to leave"));
                Ok(())
            }
            Op::Cut => {
                self.harmed = true;
                for node in 0..2 {
                    let left = self.rng.below(self.wires[node].in_flight() as u64 + 1) as usize;
                    self.wires[node].break_after(left);
                    let due = self.now + self.rng.small(100_000);
                    self.at(due, Task::Lost { node });
                }
                self.trace.note(self.now, "cut", &[]);
                self.reconnect()
            }
            Op::Stall { node, micros } => {
                self.harmed = true;
                self.trace.note(self.now, "stall", &[node as u64, micros]);
                self.wires[node].stall(self.now + micros);
                Ok(())
            }
        }
    }

    fn notice(&mut self, source: usize) {
        self.trace.note(self.now, "move", &[source as u64, self.sources[source].end]);
        for node in 0..2 {
            self.later(Task::Notice { node, source });
        }
    }

    fn open(&mut self, node: usize, source: usize, request: OpenRequest) -> Result<(), String> {
        let (at_end, wants_elements) = (request.at_end, request.ahead != Ahead::Nothing);
        let consuming = self.nodes[node].link.stats().consuming as u32;
        let allowed = match self.nodes[node].link.is_established() {
            true => self.limits[1 - node].streams,
            false => 1,
        };
        match self.nodes[node].link.open(request) {
            Ok(stream) => {
                ensure!(consuming < allowed, "a stream beyond the other side's {allowed}");
                self.trace.note(self.now, "open", &[node as u64, stream.0, source as u64]);
                let reader = Reader::opening(at_end);
                let expected = None;
                let dirty = false;
                let slot = Slot { node, stream, source, wants_elements, expected, reader, dirty };
                self.slots.push(slot);
                Ok(())
            }
            Err(fault) => {
                let right = match fault.code {
                    Code::TOO_MANY_STREAMS => consuming >= allowed,
                    Code::GOING_AWAY => self.nodes.iter().any(|node| node.drained),
                    code => {
                        let over = self.nodes[node].link.over();
                        over.is_some_and(|over| over.code == code)
                    }
                };
                ensure!(right, "open: {fault}");
                Ok(())
            }
        }
    }

    fn read(&mut self, index: usize, max: u64) -> Result<(), String> {
        let slot = &mut self.slots[index];
        let link = &mut self.nodes[slot.node].link;
        let over = link.stream_over(slot.stream).is_some();
        let outcome = link.read(slot.stream, max);
        let (what, number) = match &outcome {
            farlens_proto::ReadOutcome::Some(chunk) => ("read", chunk.elements()),
            farlens_proto::ReadOutcome::Gap { skipped, .. } => ("read a gap", *skipped),
            farlens_proto::ReadOutcome::Pending => ("read nothing", 0),
            farlens_proto::ReadOutcome::End(at) => ("read the end", at.get()),
            farlens_proto::ReadOutcome::Failed(fault) => {
                ("read failed", u64::from(fault.code.number()))
            }
        };
        self.trace.note(self.now, what, &[index as u64, number]);
        ensure!(!over || number > 0 || what != "read nothing", "silence on a stream that is over");
        slot.reader.read(&self.published[slot.source], max, &outcome)?;
        slot.dirty = what == "read";
        self.look(index)
    }

    fn seek(
        &mut self,
        index: usize,
        to: Pos,
        at_end: AtEnd,
        gives_back: bool,
    ) -> Result<(), String> {
        let slot = &mut self.slots[index];
        let link = &mut self.nodes[slot.node].link;
        let held = if gives_back && !slot.reader.is_seeking() {
            self.rng.below(slot.reader.taken + 1)
        } else {
            0
        };
        let outcome = link.seek(slot.stream, to, at_end, held).map_err(|fault| fault.code);
        let refused = outcome.err();
        let code = refused.map_or(0, |code| u64::from(code.number()));
        self.trace.note(self.now, "seek", &[index as u64, held, code]);
        slot.reader.seek(&self.published[slot.source], (to, at_end), held, outcome)?;
        if refused.is_some() {
            return Ok(());
        }
        let before = slot.reader.clone();
        let status = link.take_seek_status(slot.stream);
        slot.reader.sought(&self.published[slot.source], &status)?;
        if slot.reader.is_seeking() {
            slot.reader.give_back(held);
            slot.reader.taken = 0;
            slot.reader.last = before.last.filter(|&last| last == Last::Over);
        }
        slot.dirty = true;
        self.look(index)
    }

    fn call(&mut self, node: usize, length: usize) -> Result<(), String> {
        let args = pattern::bytes(self.rng.draw(), 0, length).to_vec();
        let waiting = self.nodes[node].link.stats().calls_out as u32;
        let established = self.nodes[node].link.is_established();
        let allowed = if established { self.limits[1 - node].calls } else { 1 };
        match self.nodes[node].link.call(ObjectId::ROOT, "turn", args.clone()) {
            Ok(call) => {
                ensure!(waiting < allowed, "a call beyond the other side's {allowed}");
                self.trace.note(self.now, "call", &[node as u64, call.0, length as u64]);
                self.nodes[node].calls.insert(call, args);
                Ok(())
            }
            Err(fault) => {
                let right = match fault.code {
                    Code::TOO_MANY_CALLS => waiting >= allowed,
                    Code::TOO_LARGE => length > 3_000,
                    Code::GOING_AWAY => self.nodes.iter().any(|node| node.drained),
                    code => {
                        let over = self.nodes[node].link.over();
                        over.is_some_and(|over| over.code == code)
                    }
                };
                ensure!(right, "call: {fault}");
                Ok(())
            }
        }
    }

    /// Lets both links end, looks at what they left, and makes a new connection on which every
    /// reader that can goes on from where it stands.
    fn reconnect(&mut self) -> Result<(), String> {
        while self.nodes.iter().any(|node| !node.told_over) {
            ensure!(self.advance(None)?, "a link that does not end");
        }
        self.farewell()?;
        self.agenda.clear();
        self.harmed = false;
        let sides = [Side::Initiator, Side::Acceptor];
        for (node, side) in sides.into_iter().enumerate() {
            self.nodes[node] = Node::new(side, self.limits[node].clone(), self.now);
            self.wires[node] = Wire::new(self.cut, self.latency);
        }
        self.trace.note(self.now, "reconnect", &[]);
        for slot in std::mem::take(&mut self.slots) {
            let at = slot.reader.at.unwrap_or(0);
            let request = OpenRequest {
                path: slot.source.to_string(),
                flags: Flags::READABLE,
                kind: None,
                start: Pos::Abs(crate::source::position(at)),
                at_end: slot.reader.at_end,
                delivery: Delivery::Lossless,
                purpose: Purpose::Use,
                ahead: Ahead::Auto,
                fingerprint: None,
            };
            self.open(slot.node, slot.source, request)?;
        }
        self.pump()
    }

    /// Reads what is left on links that are over, and closes it: nothing may stay.
    fn farewell(&mut self) -> Result<(), String> {
        for index in 0..self.slots.len() {
            for _ in 0..10_000 {
                self.read(index, u64::MAX).map_err(|text| self.blame(index, &text))?;
                let slot = &self.slots[index];
                if slot.reader.last.is_some() {
                    break;
                }
            }
            let slot = &self.slots[index];
            let ended = slot.reader.last.is_some() && !slot.reader.is_seeking();
            ensure!(ended, "reader {index} hears nothing of the end of its link");
            self.nodes[slot.node].link.close_stream(slot.stream);
        }
        for (index, node) in self.nodes.iter_mut().enumerate() {
            // A full socket may have held the farewell back.
            node.link.poll_transmit(&mut BytesMut::new());
            ensure!(!node.link.has_output(), "a link that is over wants to speak");
            ensure!(node.link.stats() == LinkStats::default(), "{:?}", node.link.stats());
            ensure!(node.calls.is_empty(), "calls of node {index} have no answer");
            ensure!(node.wanted.is_empty() && node.serving.is_empty(), "streams are still served");
            ensure!(node.handling.is_empty(), "handlers were not cancelled");
            ensure!(node.link.poll_timeout().is_none(), "a link that is over wants to be woken");
        }
        Ok(())
    }

    // --- the end -----------------------------------------------------------------------------

    /// No more faults: everything that was begun must come to its end, and only what the links
    /// tell may be needed for that.
    fn liveness(&mut self) -> Result<(), String> {
        self.trace.note(self.now, "liveness", &[]);
        for source in &mut self.sources {
            source.fails_at = None;
        }
        let leaving = self.nodes.iter().any(|node| node.drained || node.link.over().is_some());
        if leaving {
            // A side that drains waits for readers; these let go.
            for slot in std::mem::take(&mut self.slots) {
                self.nodes[slot.node].link.close_stream(slot.stream);
            }
            self.pump()?;
            self.reconnect()?;
        }
        for slot in &mut self.slots {
            slot.dirty = true;
        }
        loop {
            let mut busy = false;
            for index in 0..self.slots.len() {
                while self.slots[index].dirty {
                    busy = true;
                    self.slots[index].dirty = false;
                    self.look(index).map_err(|text| self.blame(index, &text))?;
                    self.push_on(index)?;
                }
            }
            self.pump()?;
            if busy || self.slots.iter().any(|slot| slot.dirty) {
                continue;
            }
            if self.is_done() {
                return Ok(());
            }
            let waits = self.agenda.is_empty() && self.wires.iter().all(Wire::is_empty);
            if waits {
                return Err(self.stuck());
            }
            ensure!(self.advance(None)?, "nothing is due");
            if self.nodes.iter().any(|node| node.told_over) {
                // A stall of the first phase may have killed the link.
                self.reconnect()?;
            }
        }
    }

    /// Does what the user of a reader would do next.
    fn push_on(&mut self, index: usize) -> Result<(), String> {
        let slot = &self.slots[index];
        if slot.reader.is_seeking() {
            return Ok(());
        }
        if slot.reader.last == Some(Last::Broken) {
            let source = &self.published[slot.source];
            if let Some(at) = slot.reader.at.filter(|_| source.flags.has_any(Flags::SEEK)) {
                let to = Pos::Abs(crate::source::position(at));
                let at_end = slot.reader.at_end;
                let outcome = self.seek(index, to, at_end, false);
                return outcome.map_err(|text| self.blame(index, &text));
            }
            return Ok(());
        }
        if slot.reader.last.is_none() {
            self.read(index, u64::MAX).map_err(|text| self.blame(index, &text))?;
            let slot = &mut self.slots[index];
            slot.dirty |= slot.reader.last == Some(Last::Broken);
        }
        Ok(())
    }

    fn is_slot_done(&self, slot: &Slot) -> bool {
        let source = &self.published[slot.source];
        let link = &self.nodes[slot.node].link;
        if slot.reader.is_seeking() {
            return false;
        }
        match slot.reader.last {
            Some(Last::Broken) => {
                !source.flags.has_any(Flags::SEEK) || link.stream_over(slot.stream).is_some()
            }
            Some(_) => true,
            None if !slot.wants_elements => slot.reader.at.is_some(),
            None => {
                slot.reader.at_end == AtEnd::Follow
                    && !source.ended
                    && slot.reader.at == Some(source.end())
                    && link.is_up_to_date(slot.stream)
            }
        }
    }

    fn is_done(&self) -> bool {
        self.slots.iter().all(|slot| self.is_slot_done(slot))
            && self.nodes.iter().all(|node| node.calls.is_empty())
    }

    fn stuck(&self) -> String {
        match self.slots.iter().position(|slot| !self.is_slot_done(slot)) {
            None => "a call is never answered".into(),
            Some(index) => {
                let slot = &self.slots[index];
                let source = &self.published[slot.source];
                let state = (source.end(), source.ended, slot.wants_elements);
                self.blame(index, &format!("is stuck: {:?}, source {state:?}", slot.reader))
            }
        }
    }

    /// Everything is closed: the links must hold nothing.
    fn rest(&mut self) -> Result<(), String> {
        for slot in std::mem::take(&mut self.slots) {
            self.nodes[slot.node].link.close_stream(slot.stream);
        }
        self.pump()?;
        while !self.agenda.is_empty() || !self.wires.iter().all(Wire::is_empty) {
            self.advance(None)?;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            ensure!(node.told_over || node.link.over().is_none(), "node {index} ended unseen");
            let stats = node.link.stats();
            ensure!(stats == LinkStats::default(), "at rest node {index} holds {stats:?}");
            ensure!(node.wanted.is_empty() && node.serving.is_empty(), "streams are still served");
        }
        Ok(())
    }
}
