//! What a seed makes of limits, sources and the wire.

use super::{
    BTreeMap, Node, Tap, Trace, Weather, World,
    store::{Store, changeable, readable},
};
use crate::{
    model::Elements,
    pair::config,
    pattern::Sizes,
    rng::Rng,
    wire::{Cut, Wire},
};
use farlens_proto::{Link, PeerIdentity, Time};
use farlens_wire::{Kind, Limits, Side};
use std::collections::BTreeSet;

/// Data that the pretended socket takes before it is full.
const SOCKET_BYTES: [usize; 3] = [500, 8_000, 200_000];

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
    limits.receive_budget_max_bytes = limits.receive_budget_bytes * rng.between(1, 5);
    // A range is not asked for in crumbs: with less than 4 KiB of room it waits.
    limits.send_queue_bytes = (4 << 10) + rng.small(10_000) as usize;
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
    limits.receive_budget_max_bytes = limits.receive_budget_bytes * rng.between(1, 3);
    limits.send_queue_bytes = 2 * limits.frame_bytes + rng.small(1 << 20) as usize;
    limits
}

fn timers(rng: &mut Rng, limits: &mut Limits) {
    limits.ping_idle_ms = *rng.pick(&[200, 200, 1_000, 15_000]);
    limits.dead_after_ms = limits.ping_idle_ms + *rng.pick(&[800, 2_000, 30_000]);
}

fn elements(rng: &mut Rng, length: u64, large: bool) -> Elements {
    let seed = rng.draw();
    if rng.one_in(2) {
        return Elements::pattern(Kind::Bytes, seed, Sizes::Small, 0, rng.small(length));
    }
    let sizes = if large { Sizes::Large } else { item_sizes(rng) };
    let count = if large { 12 } else { length / 16 };
    Elements::pattern(Kind::Items, seed, sizes, 0, rng.small(count))
}

/// How large entities are, none beyond what any peer takes.
pub(super) fn item_sizes(rng: &mut Rng) -> Sizes {
    match rng.below(6) {
        0 => Sizes::UpTo((16 << 10) - 8),
        1 => Sizes::UpTo(700),
        _ => Sizes::Small,
    }
}

fn store(rng: &mut Rng, length: u64, large: bool) -> Store {
    let elements = elements(rng, length, large);
    if rng.one_in(3) { readable(rng, elements) } else { changeable(rng, elements) }
}

impl Node {
    pub(super) fn new(side: Side, limits: Limits, now: u64) -> Self {
        let peer = PeerIdentity::new([side.first_id() as u8; 32]);
        Self {
            link: Link::new(
                side,
                peer,
                config(limits),
                crate::refs::Holdings::boxed(),
                Time::from_micros(now),
            ),
            told_over: false,
            wanted: BTreeSet::new(),
            asked: BTreeMap::new(),
            serving: BTreeMap::new(),
            calls: BTreeMap::new(),
            handling: BTreeSet::new(),
            drained: false,
            tap: Tap::new(side),
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, weather: Weather, record: bool) -> Self {
        let mut rng = Rng::new(seed);
        let calm = weather == Weather::Calm;
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
            _ if calm => Cut::Whole,
            0 => Cut::UpTo(1),
            1..=4 => Cut::UpTo(rng.between(2, 60)),
            5..=8 => Cut::Whole,
            _ => Cut::Sometimes,
        };
        let cut = if profile < 6 && matches!(cut, Cut::UpTo(_)) { Cut::UpTo(9_000) } else { cut };
        let low = rng.small(5_000);
        let latency = if calm { (0, 0) } else { (low, low + rng.small(20_000)) };
        let stores: Vec<Store> =
            (0..rng.between(1, 4)).map(|_| store(&mut rng, length, large)).collect();
        let published = stores.iter().map(Store::published).collect();
        let nodes = [
            Node::new(Side::Initiator, limits[0].clone(), 0),
            Node::new(Side::Acceptor, limits[1].clone(), 0),
        ];
        Self {
            now: 0,
            steps: 0,
            trace: Trace::new(seed, record),
            weather,
            limits,
            nodes,
            wires: [Wire::new(cut, latency), Wire::new(cut, latency)],
            cut,
            latency,
            socket: *rng.pick(&SOCKET_BYTES),
            slow: if calm { 0 } else { rng.small(30_000) },
            pace: if rng.one_in(3) { 1 + rng.small(30_000) } else { rng.between(500, 40_000) },
            stores,
            published,
            connection: 0,
            records: BTreeMap::new(),
            slots: Vec::new(),
            agenda: BTreeMap::new(),
            serial: 0,
            harmed: false,
            call_bytes,
            run: length,
            rng,
        }
    }
}
