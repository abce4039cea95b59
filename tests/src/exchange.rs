//! Two links whose users make objects, pass them, call them, return them and drop them at random,
//! beside bulk, over a wire that delivers in pieces and late, and may be cut.
//!
//! The ledger knows which object each reference must be and what each call may come to. At the end
//! of each world nobody holds anything: every object was dropped once, every call came to one end,
//! and the tables of both links are empty.

mod ledger;
mod party;
mod users;

use crate::{rng::Rng, source::Source};
use bytes::BytesMut;
use farlens_proto::{Fault, LinkStats, Time};
use farlens_wire::{Code, Limits, Side};
use ledger::Ledger;
use party::Party;

/// What happened in a world, or in many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Objects that were made.
    pub objects: u64,
    /// Calls that were made.
    pub calls: u64,
    /// Calls that were made on the answer of another.
    pub built_upon: u64,
    /// Calls that ran.
    pub ran: u64,
    /// Calls that failed for a reason of the link.
    pub failed: u64,
    /// Streams that were opened on objects and answers.
    pub opens: u64,
    /// Links that were cut or drained.
    pub ended: u64,
}

impl Tally {
    /// Adds what happened in another world.
    pub fn add(&mut self, other: &Self) {
        self.objects += other.objects;
        self.calls += other.calls;
        self.built_upon += other.built_upon;
        self.ran += other.ran;
        self.failed += other.failed;
        self.opens += other.opens;
        self.ended += other.ended;
    }
}

/// Steps that a world takes to come to rest, at most.
const LIVELOCK: usize = 20_000;

struct World {
    rng: Rng,
    now: Time,
    parties: [Party; 2],
    /// Bytes on their way to each party.
    wires: [BytesMut; 2],
    ledger: Ledger,
    /// How the links end before the users are done, and after how many steps.
    doom: Option<(u64, Doom)>,
}

#[derive(Clone, Copy)]
enum Doom {
    Cut,
    Drain,
}

fn limits(rng: &mut Rng) -> Limits {
    let mut limits = Limits::default();
    limits.calls = *rng.pick(&[1, 2, 3, 8, 128]);
    limits.call_depth = *rng.pick(&[4, 16]);
    limits.argument_bytes = *rng.pick(&[16 << 10, 128 << 10, 4 << 20]);
    limits.frame_bytes = *rng.pick(&[4 << 10, 16 << 10, 64 << 10]);
    limits
}

/// Runs the world of this seed.
///
/// # Errors
/// What the links did that the ledger does not allow.
pub fn run(seed: u64) -> Result<Tally, String> {
    let mut world = World::new(seed);
    for step in 0..world.rng.between(50, 400) {
        if let Some((at, doom)) = world.doom
            && at == step
        {
            world.strike(doom)?;
        }
        world.step().map_err(|why| format!("step {step}: {why}"))?;
    }
    world.finish()?;
    Ok(world.ledger.tally)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let bulk = rng.one_in(3);
        let doom = match rng.below(8) {
            0 => Some((rng.below(200), Doom::Cut)),
            1 => Some((rng.below(200), Doom::Drain)),
            _ => None,
        };
        let mut ledger = Ledger::default();
        ledger.tally.ended = u64::from(doom.is_some());
        let parties = [Side::Initiator, Side::Acceptor].map(|side| {
            let source = Source::fixed_bytes(seed, if bulk { 4 << 20 } else { 100 });
            Party::new(side, limits(&mut rng), source)
        });
        let wires = [BytesMut::new(), BytesMut::new()];
        let mut world = Self { rng, now: Time::ZERO, parties, wires, ledger, doom };
        world.greet();
        if bulk {
            world.parties[0].open_bulk();
        }
        world
    }

    /// Lets the hellos pass.
    fn greet(&mut self) {
        for _ in 0..2 {
            for from in 0..2 {
                self.transmit(from);
                self.deliver(1 - from, usize::MAX);
            }
        }
        for party in &mut self.parties {
            while party.link.poll_event().is_some() {}
        }
    }

    fn transmit(&mut self, from: usize) {
        let mut out = BytesMut::new();
        self.parties[from].link.poll_transmit(&mut out, self.now);
        self.wires[1 - from].extend_from_slice(&out);
    }

    fn deliver(&mut self, to: usize, most: usize) {
        let some = self.wires[to].len().min(most);
        let block = self.wires[to].split_to(some).freeze();
        if !block.is_empty() && self.parties[to].link.is_reading() {
            self.parties[to].link.handle_input(block, self.now);
        }
    }

    /// Something happens at one of the ends, or between them.
    fn step(&mut self) -> Result<(), String> {
        let who = self.rng.below(2) as usize;
        match self.rng.below(10) {
            0..=3 => self.parties[who].act(&mut self.rng, &mut self.ledger, self.now)?,
            4..=5 => self.transmit(who),
            6..=8 => {
                let most = *self.rng.pick(&[1, 20, 300, 5_000, usize::MAX]);
                self.deliver(who, most);
            }
            _ => {
                let ms = self.rng.below(10);
                self.wait(ms);
            }
        }
        self.take_in()
    }

    /// Both users hear what their links tell.
    fn take_in(&mut self) -> Result<(), String> {
        for party in &mut self.parties {
            party.take_in(&mut self.rng, &mut self.ledger)?;
        }
        self.check_alive()
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        for party in &mut self.parties {
            if party.link.poll_timeout().is_some_and(|(due, _)| due <= self.now) {
                party.link.handle_timeout(self.now);
            }
        }
    }

    /// A link ends for no other reason than the world's.
    fn check_alive(&self) -> Result<(), String> {
        for party in &self.parties {
            match party.link.over() {
                Some(fault) if !self.ledger.ending => {
                    return Err(format!("{:?} is over: {fault}", party.side));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn strike(&mut self, doom: Doom) -> Result<(), String> {
        self.ledger.ending = true;
        match doom {
            Doom::Cut => {
                for party in &mut self.parties {
                    party.link.handle_lost("cut");
                }
                self.wires = [BytesMut::new(), BytesMut::new()];
            }
            Doom::Drain => {
                let who = self.rng.below(2) as usize;
                self.parties[who].link.drain(&Fault::new(Code::GOING_AWAY, "leaving"));
            }
        }
        self.take_in()
    }

    /// The users answer what they were asked and let go of the rest, until nothing moves.
    fn finish(&mut self) -> Result<(), String> {
        let mut quiet = 0;
        for _ in 0..LIVELOCK {
            let mut moves = false;
            self.wait(10);
            self.take_in()?;
            for who in 0..2 {
                moves |= self.parties[who].let_go(&mut self.rng, &mut self.ledger);
                self.transmit(who);
                moves |= !self.wires[1 - who].is_empty();
                self.deliver(1 - who, usize::MAX);
                self.take_in()?;
            }
            quiet = if moves { 0 } else { quiet + 1 };
            // Longer than any deadline.
            if quiet == 10 {
                return self.check_rest();
            }
        }
        Err("the links never come to rest".into())
    }

    fn check_rest(&self) -> Result<(), String> {
        for party in &self.parties {
            let stats = party.link.stats();
            if stats != LinkStats::default() {
                return Err(format!("{:?} holds {stats:?} at rest", party.side));
            }
            if party.link.has_output() {
                return Err(format!("{:?} has something to say at rest", party.side));
            }
        }
        self.ledger.check_rest()
    }
}
