//! What is due, and when.

use super::{Key, World, disk::Sort, ensure};
use crate::model::Published;
use farlens_proto::{Ask, Reply, Time};
use farlens_wire::{CallId, StreamId};

/// Steps after which a world that has not come to its end is stuck in a loop.
const LIVELOCK: u64 = 4_000_000;

/// Something that is due.
#[derive(Debug)]
pub(super) enum Task {
    /// A source is asked.
    Perform { key: Key, serial: u64, ask: Ask },
    /// A source answers.
    Reply { key: Key, serial: u64, sort: Sort, reply: Reply },
    /// The shell decides about a stream.
    Decide { node: usize, stream: StreamId },
    /// The shell hears that a source looks different.
    Notice { node: usize, source: usize },
    /// A handler has run.
    Answer { node: usize, call: CallId, args: Vec<u8> },
    /// The connection below is gone.
    Lost { node: usize },
}

impl World {
    pub(super) fn count_step(&mut self) -> Result<(), String> {
        self.steps += 1;
        ensure!(self.steps < LIVELOCK, "no end after {LIVELOCK} steps");
        Ok(())
    }

    /// Does the next thing that is due until `until`; says whether there was one.
    pub(super) fn advance(&mut self, until: Option<u64>) -> Result<bool, String> {
        self.count_step()?;
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
        match what {
            0 => {
                let Some((_, task)) = self.agenda.pop_first() else { return Ok(false) };
                self.perform(task)?;
            }
            1 | 2 => self.arrive(what - 1),
            _ => {
                let node = what - 3;
                self.trace.note(self.now, "timeout", &[node as u64]);
                self.nodes[node].link.handle_timeout(Time::from_micros(self.now));
            }
        }
        self.pump()?;
        Ok(true)
    }

    fn arrive(&mut self, from: usize) {
        if let Some(piece) = self.wires[from].take() {
            self.trace.note(self.now, "arrive", &[from as u64, piece.len() as u64]);
            self.trace.say(|| format!("{:02x?}", &piece[..piece.len().min(24)]));
            let to = &mut self.nodes[1 - from].link;
            if to.is_reading() {
                to.handle_input(piece, Time::from_micros(self.now));
            }
        }
    }

    pub(super) fn later(&mut self, task: Task) {
        let delay =
            if self.slow == 0 || self.rng.one_in(4) { 0 } else { self.rng.below(self.slow) };
        self.at(self.now + delay, task);
    }

    pub(super) fn at(&mut self, due: u64, task: Task) {
        self.serial += 1;
        self.agenda.insert((due, self.serial), task);
    }

    fn perform(&mut self, task: Task) -> Result<(), String> {
        match task {
            Task::Perform { key, serial, ask } => return self.ask_store(key, serial, &ask),
            Task::Reply { key, serial, sort, reply } => self.reply(key, serial, sort, reply)?,
            Task::Decide { node, stream } => self.decide(node, stream),
            Task::Notice { node, source } => {
                self.trace.note(self.now, "notice", &[node as u64, source as u64]);
                let state = self.stores[source].state();
                let node = &mut self.nodes[node];
                for (&stream, _) in node.serving.iter().filter(|&(_, &s)| s == source) {
                    node.link.handle_state(stream, state.clone());
                }
            }
            Task::Answer { node, call, args } => self.answer(node, call, args),
            Task::Lost { node } => {
                self.trace.note(self.now, "lost", &[node as u64]);
                self.nodes[node].link.handle_lost("the simulated cable was cut");
            }
        }
        Ok(())
    }

    /// All nodes will hear that a source looks different.
    pub(super) fn notice(&mut self, source: usize) {
        let now = Published::now(&self.published[source]) as u64;
        self.trace.note(self.now, "move", &[source as u64, self.stores[source].end(), now]);
        for node in 0..2 {
            self.later(Task::Notice { node, source });
        }
    }
}
