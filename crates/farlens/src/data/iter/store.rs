//! What was pulled from a source and not read yet.

use super::{WORTHWHILE_BYTES, source::Source};
use crate::Result;
use crate::data::{Fetched, ReadBudget, ended::Ended, items::take_within, out_of_range};
use farlens_proto::{BatchBuilder, Chunk, ItemBatch};
use farlens_wire::{Bounds, Limits, Position, Reference};
use std::collections::VecDeque;

/// Entities that were pulled and not taken yet. Bounded by the budget of the last read.
pub(super) struct Store {
    /// The position of the first entity that was not taken yet.
    next: Position,
    /// Those that are worth sending, and those that are becoming so.
    ready: VecDeque<ItemBatch>,
    ready_cost: usize,
    ready_count: u64,
    fresh: BatchBuilder,
    /// What may still be pulled.
    left: ReadBudget,
    /// Absent while it runs, and when it has ended.
    pub(super) source: Option<Source>,
    pub(super) end: Option<Ended>,
    /// Whether a read has asked for something.
    begun: bool,
    pub(super) abandoned: bool,
    /// Encoded bytes for which a read waits.
    pub(super) wanted: Option<usize>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            next: Position::ZERO,
            ready: VecDeque::new(),
            ready_cost: 0,
            ready_count: 0,
            fresh: BatchBuilder::default(),
            left: ReadBudget { bytes: 0, elements: 0 },
            source: None,
            end: None,
            begun: false,
            abandoned: false,
            wanted: None,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The number of entities that are there.
    const fn count(&self) -> u64 {
        self.ready_count + self.fresh.count()
    }

    /// What all that is there costs, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.ready_cost + self.fresh.cost()
    }

    /// Whether a little is there and more is being made, so that waiting a moment pays.
    pub(super) fn grows(&self) -> bool {
        let running = self.source.is_none() && self.end.is_none();
        running && !self.is_empty() && self.cost() < WORTHWHILE_BYTES
    }

    /// Whether more can be pulled at once for the read that waits.
    pub(super) fn may_grow(&self) -> bool {
        self.source.is_some() && self.wants() && self.cost() < WORTHWHILE_BYTES
    }

    /// Whether more may be pulled.
    pub(super) const fn wants(&self) -> bool {
        self.left.bytes > 0 && self.left.elements > 0 && !self.abandoned
    }

    /// A read asks for entities from the first that was not taken.
    pub(super) fn ask(&mut self, budget: ReadBudget) {
        self.begun = true;
        self.left = ReadBudget {
            bytes: budget.bytes.saturating_sub(self.cost()),
            elements: budget.elements.saturating_sub(self.count()),
        };
    }

    /// Keeps an entity for the next read.
    pub(super) fn keep(&mut self, body: &[u8], table: &mut Vec<Reference>) {
        let cost = body.len() + table.len() * Limits::REFERENCE_BYTES;
        self.left.bytes = self.left.bytes.saturating_sub(cost);
        self.left.elements = self.left.elements.saturating_sub(1);
        if table.is_empty() {
            self.fresh.push(body);
        } else {
            self.fresh.push_referring(body, std::mem::take(table));
        }
        if self.fresh.cost() >= WORTHWHILE_BYTES {
            self.settle();
        }
    }

    /// Whether as much is there as a read waits for; true once.
    pub(super) fn take_awaited(&mut self) -> bool {
        let enough = self.wanted.is_some_and(|wanted| wanted <= self.cost());
        enough && self.wanted.take().is_some()
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
        if self.ready.is_empty() && self.fresh.count() > 0 {
            self.settle();
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
        self.next = self.next.forward(batch.count()).unwrap_or(Position::MAX);
        Some(Ok(Fetched::Some(Chunk::Items(batch))))
    }

    /// Known once the source is exhausted. A failure is no end.
    pub(super) fn end_position(&self) -> Option<Position> {
        self.end.as_ref().filter(|end| end.is_finished())?;
        self.next.forward(self.count())
    }

    /// The source as it was, if no read has asked for anything.
    pub(super) fn take_untouched(&mut self) -> Option<Source> {
        if self.begun { None } else { self.source.take() }
    }
}
