//! What was pulled from a source and not read yet.

use super::{
    WORTHWHILE_BYTES,
    recent::{Leash, Recent},
    source::Source,
};
use crate::Result;
use crate::data::{Fetched, ReadBudget, ended::Ended, items::take_within, out_of_range};
use farlens_proto::{BatchBuilder, Chunk, ItemBatch};
use farlens_wire::{Bounds, Position, Reference};
use std::{collections::VecDeque, sync::Arc};

/// Entities that were pulled and not taken yet. Bounded by the budget of the last read.
pub(super) struct Store {
    /// The run that whoever pulls has not handed in.
    recent: Arc<Recent>,
    /// What was taken of that run before its time.
    early: Early,
    leash: Arc<Leash>,
    /// The position of the first entity that was not taken yet.
    next: Position,
    /// Those that are worth sending, and those that are becoming so.
    ready: VecDeque<ItemBatch>,
    ready_cost: usize,
    ready_count: u64,
    fresh: BatchBuilder,
    /// What all that was taken has cost, in bytes.
    taken_bytes: u64,
    /// What may be pulled, counted from the first entity.
    asked: Amount,
    /// Absent while a thread has it, and when it has ended.
    pub(super) source: Option<Source>,
    /// The thread that has it waits until more is asked for.
    resting: bool,
    pub(super) end: Option<Ended>,
    /// Whether a read has asked for something.
    begun: bool,
    pub(super) abandoned: bool,
    /// What must have been pulled for the read that waits, in bytes from the first entity on.
    awaited: Option<u64>,
}

/// Entities, and what credit counts for them in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) bytes: u64,
    pub(super) elements: u64,
}

/// The first entities of a run.
#[derive(Default)]
struct Early {
    bytes: usize,
    elements: usize,
}

impl Store {
    pub(super) fn new(recent: Arc<Recent>, leash: Arc<Leash>) -> Self {
        Self {
            recent,
            early: Early::default(),
            leash,
            next: Position::ZERO,
            ready: VecDeque::new(),
            ready_cost: 0,
            ready_count: 0,
            fresh: BatchBuilder::default(),
            taken_bytes: 0,
            asked: Amount::default(),
            source: None,
            resting: false,
            end: None,
            begun: false,
            abandoned: false,
            awaited: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cost() == 0
    }

    /// What all that is there costs, in bytes.
    pub(super) fn cost(&self) -> usize {
        let recent = self.recent.len().saturating_sub(self.early.bytes);
        self.ready_cost + self.fresh.cost() + recent
    }

    /// All that was handed in.
    pub(super) fn made(&self) -> Amount {
        let here = (self.ready_cost + self.fresh.cost()) as u64;
        let elements = self.next.get() + self.ready_count + self.fresh.count();
        Amount { bytes: self.taken_bytes + here, elements }
    }

    /// Whether a little is there and more is being made, so that waiting a moment pays.
    pub(super) fn grows(&self) -> bool {
        let running = self.source.is_none() && !self.resting && self.end.is_none();
        running && !self.is_empty() && self.cost() < WORTHWHILE_BYTES
    }

    /// Whether more can be pulled at once for the read that waits.
    pub(super) fn may_grow(&self) -> bool {
        self.source.is_some() && self.wants() && self.cost() < WORTHWHILE_BYTES
    }

    /// Whether more may be pulled.
    pub(super) fn wants(&self) -> bool {
        let made = self.made();
        let wanted = made.bytes < self.asked.bytes && made.elements < self.asked.elements;
        wanted && !self.abandoned
    }

    /// The thread that has the source has pulled what was asked for.
    pub(super) fn begin_rest(&mut self) {
        self.resting = !self.wants() && !self.abandoned;
    }

    /// Whether that thread has nothing to do.
    pub(super) fn rests(&self) -> bool {
        self.resting && !self.abandoned
    }

    /// That thread is to go on, if it rests; says whether it does.
    pub(super) fn end_rest(&mut self) -> bool {
        std::mem::take(&mut self.resting)
    }

    /// A read asks for entities from the first that was not taken.
    pub(super) fn ask(&mut self, budget: ReadBudget) {
        self.begun = true;
        self.asked = Amount {
            bytes: self.taken_bytes.saturating_add(budget.bytes as u64),
            elements: self.next.get().saturating_add(budget.elements),
        };
        self.set_leash();
    }

    /// A read waits until so many bytes are there.
    pub(super) fn await_bytes(&mut self, bytes: usize) {
        self.awaited = Some(self.taken_bytes.saturating_add(bytes as u64));
        self.set_leash();
    }

    /// Nobody will read any more. Gives the source, unless it runs.
    pub(super) fn abandon(&mut self) -> Option<Source> {
        self.abandoned = true;
        self.set_leash();
        self.source.take()
    }

    fn set_leash(&self) {
        if self.abandoned {
            self.leash.set(0, 0);
        } else {
            let bytes = self.awaited.map_or(self.asked.bytes, |most| most.min(self.asked.bytes));
            self.leash.set(bytes, self.asked.elements);
        }
    }

    /// Takes a run in, which is shown no more.
    pub(super) fn take_in(&mut self, run: &mut BatchBuilder) {
        let early = std::mem::take(&mut self.early);
        self.recent.clear();
        if early.elements == 0 {
            self.fresh.append(run);
        } else {
            run.finish().iter().skip(early.elements).for_each(|body| self.fresh.push(body));
        }
        self.settle_if_worthwhile();
    }

    /// Keeps one more entity, behind all runs.
    pub(super) fn keep(&mut self, body: &[u8], table: &mut Vec<Reference>) {
        if table.is_empty() {
            self.fresh.push(body);
        } else {
            self.fresh.push_referring(body, std::mem::take(table));
        }
        self.settle_if_worthwhile();
    }

    /// Takes what is shown of a run before it is handed in.
    fn take_early(&mut self) {
        let bytes = self.recent.behind(self.early.bytes);
        self.early.bytes += bytes.len();
        for body in ItemBatch::parse(bytes.into()).unwrap_or_default().iter() {
            self.fresh.push(body);
            self.early.elements += 1;
        }
    }

    /// Whether as much is there as a read waits for; true once.
    pub(super) fn take_awaited(&mut self) -> bool {
        let made = self.made().bytes;
        let enough = self.awaited.take_if(|awaited| *awaited <= made).is_some();
        if enough {
            self.set_leash();
        }
        enough
    }

    fn settle_if_worthwhile(&mut self) {
        if self.fresh.cost() >= WORTHWHILE_BYTES {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let batch = self.fresh.finish();
        self.ready_cost += batch.cost();
        self.ready_count += batch.count();
        self.ready.push_back(batch);
    }

    /// What is there for a request; `None` when the source has to be asked.
    pub(super) fn answer(&mut self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        if at != self.next {
            let bounds = Bounds { start: Some(self.next), end: Some(self.next) };
            return Some(Err(out_of_range(at, bounds)));
        }
        if self.ready.is_empty() {
            self.take_early();
            if self.fresh.count() > 0 {
                self.settle();
            }
        }
        let Some(front) = self.ready.front_mut() else {
            return self.end.as_ref().map(Ended::answer);
        };
        let batch = take_within(front, budget);
        if front.is_empty() {
            self.ready.pop_front();
        }
        self.ready_cost -= batch.cost();
        self.ready_count -= batch.count();
        self.taken_bytes += batch.cost() as u64;
        self.next = self.next.forward(batch.count()).unwrap_or(Position::MAX);
        Some(Ok(Fetched::Some(Chunk::Items(batch))))
    }

    /// Known once the source is exhausted. A failure is no end.
    pub(super) fn end_position(&self) -> Option<Position> {
        self.end.as_ref().filter(|end| end.is_finished())?;
        Position::new(self.made().elements)
    }

    /// The source as it was, if no read has asked for anything.
    pub(super) fn take_untouched(&mut self) -> Option<Source> {
        if self.begun { None } else { self.source.take() }
    }
}
