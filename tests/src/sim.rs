//! A world of two links in which everything that may go wrong does, as a seed says.
//!
//! Time is virtual and jumps from one thing to the next. First comes *safety*: users, sources and
//! the wire do what they like, and after every step each user must agree with the model. Then
//! comes *liveness*: the faults stop, and every operation must come to its end. Last, everything is
//! closed, and the links must hold nothing.
//!
//! * `setup`: what a seed makes of limits, sources and the wire.
//! * `clock`: what is due, and when.
//! * `shell` and `disk`: what the owner of each link does for it, and how its data answers.
//! * `store`: the data.
//! * `users` and `writers`: what is done to the links.
//! * `checks` and `tap`: what must hold of the links, and of what goes over the wire.
//! * `ending`: how links and worlds end.

mod checks;
mod clock;
mod disk;
mod ending;
mod setup;
mod shell;
mod store;
mod tap;
mod trace;
mod users;
mod writers;

use crate::{
    model::{Published, Reader, Writer, places::Place},
    ops::{self, User, View},
    rng::Rng,
    wire::{Cut, Wire},
};
use clock::Task;
use farlens_proto::{CallTicket, Link, OpenRequest, RangeTicket};
use farlens_wire::{CallId, Code, Flags, Limits, StreamId, frame::stream::Open};
use std::collections::{BTreeMap, BTreeSet};
use store::Store;
use tap::Tap;
use trace::Trace;
pub use trace::{Counts, Seen};

/// What became of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// A hash of everything that happened.
    pub hash: u64,
    /// Things that happened.
    pub steps: u64,
    /// How often each sort of them did.
    pub counts: Counts,
    /// The same as text, if that was wanted.
    pub trace: Vec<String>,
    /// Where the machines differ from the model.
    pub failure: Option<String>,
}

/// What the world around the links is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// The wire and the disks misbehave as the seed says.
    Stormy,
    /// What is sent arrives at once and whole, and disks answer at once: nothing but the machines
    /// and the program of operations is left.
    Calm,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, weather: Weather, record: bool) -> Outcome {
    let mut world = World::new(seed, weather, record);
    let failure = world.run().err();
    let Trace { hash, lines, counts } = world.trace;
    let trace = lines.unwrap_or_default();
    Outcome { hash, steps: world.steps, counts, trace, failure }
}

/// One end of the wire.
#[derive(Debug)]
struct Node {
    link: Link,
    told_over: bool,
    /// Streams that the peer wants and that are not gone.
    wanted: BTreeSet<StreamId>,
    asked: BTreeMap<StreamId, Open>,
    serving: BTreeMap<StreamId, usize>,
    calls: BTreeMap<CallTicket, Vec<u8>>,
    handling: BTreeSet<CallId>,
    drained: bool,
    /// What it has sent.
    tap: Tap,
}

/// Names a stream over all connections of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    connection: u64,
    /// The node that opened it.
    opener: usize,
    stream: StreamId,
}

/// What is known of a stream, also when its user is gone.
#[derive(Debug)]
struct Record {
    source: usize,
    writer: Writer,
    /// Changes and ranges that the shell is at.
    changes: usize,
    ranges: usize,
    /// Bytes of an entity that has left in part.
    part: u64,
}

/// The user of a stream.
#[derive(Debug)]
struct Slot {
    key: Key,
    source: usize,
    request: OpenRequest,
    expected: Option<Result<u64, Code>>,
    reader: Reader,
    /// Steps that were not told as over, and the latest.
    steps: BTreeSet<u64>,
    /// Ranges that were not told as over.
    places: BTreeMap<RangeTicket, Place>,
    /// Ranges that nobody waits for.
    forgotten: BTreeSet<RangeTicket>,
    dirty: bool,
}

impl Slot {
    fn writes(&self) -> bool {
        self.request.flags.has(Flags::WRITABLE)
    }
}

#[derive(Debug)]
struct World {
    rng: Rng,
    now: u64,
    steps: u64,
    trace: Trace,
    weather: Weather,
    limits: [Limits; 2],
    nodes: [Node; 2],
    wires: [Wire; 2],
    cut: Cut,
    latency: (u64, u64),
    socket: usize,
    /// How long sources and handlers take, in microseconds, at the most.
    slow: u64,
    pace: u64,
    stores: Vec<Store>,
    published: Vec<Published>,
    connection: u64,
    records: BTreeMap<Key, Record>,
    slots: Vec<Slot>,
    agenda: BTreeMap<(u64, u64), Task>,
    serial: u64,
    /// Whether something was done to this connection that may end it.
    harmed: bool,
    call_bytes: u64,
    run: u64,
}

macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}
use ensure;

impl World {
    fn user(&self, slot: &Slot) -> User {
        let ranges = writers::range_refusal(&self.published[slot.source], slot).is_none();
        User { source: slot.source, writes: slot.writes(), ranges }
    }

    fn run(&mut self) -> Result<(), String> {
        self.pump()?;
        let count = self.rng.between(6, 60);
        let harmless = self.weather == Weather::Calm || self.rng.one_in(2);
        for _ in 0..count {
            let until = self.now + self.rng.below(self.pace) * self.rng.below(3);
            while self.advance(Some(until))? {}
            self.now = self.now.max(until);
            let view = View {
                sources: self.stores.iter().map(|store| (store.start, store.end())).collect(),
                modes: self.published.iter().map(|published| published.flags).collect(),
                users: self.slots.iter().map(|slot| self.user(slot)).collect(),
                cuts: !harmless,
                call_bytes: self.call_bytes,
                run: self.run,
            };
            let op = ops::choose(&mut self.rng, &view);
            self.apply(op)?;
            self.pump()?;
        }
        self.liveness()?;
        self.rest()
    }
}
