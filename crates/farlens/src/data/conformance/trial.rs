//! One piece of data under trial, beside the model of what it should hold.

use super::{
    Subject,
    bench::Bench,
    model::{Model, chunk_of, elements_of, position},
    report::{Verdict, broken, demand},
};
use crate::{
    Result,
    data::{DataState, Fetched, ReadBudget, Stored, StreamerData},
};
use bytes::Bytes;
use farlens_proto::Rules;
use farlens_wire::{Edge, Operation, Pos, Position};
use std::sync::Arc;

/// As much as there is.
pub(super) const ALL: ReadBudget = ReadBudget { bytes: usize::MAX, elements: u64::MAX };

pub(super) struct Trial<'a, S: Subject> {
    pub(super) bench: &'a Bench<'a, S>,
    pub(super) data: Arc<S::Data>,
    pub(super) model: Model,
    keep: S::Keep,
    /// The number of the next element that is made.
    made: u64,
    /// Whether the content was read that can be read only once.
    spent: bool,
}

/// A way in which data becomes another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    /// Elements come behind the end.
    Grow,
    /// The start goes up.
    Evict,
    /// The end goes down.
    Cut,
    /// Elements are replaced.
    Overwrite,
}

impl<'a, S: Subject> Trial<'a, S> {
    pub(super) fn new(
        bench: &'a Bench<'a, S>,
        data: Arc<S::Data>,
        keep: S::Keep,
        model: Model,
    ) -> Self {
        let made = model.end() - model.start();
        Self { bench, data, model, keep, made, spent: false }
    }

    pub(super) async fn state(&self) -> Verdict<DataState> {
        match self.bench.within("state", self.data.state()).await? {
            Ok(state) => Ok(state),
            Err(error) => broken(format!("state fails: {error}")),
        }
    }

    pub(super) async fn read(&self, at: u64, budget: ReadBudget) -> Verdict<Result<Fetched>> {
        let read = self.data.read_at(position(at), budget);
        self.bench.within(&format!("a read at {at}"), read).await
    }

    /// What lies at a place where something must lie.
    pub(super) fn some(&self, at: u64, answer: Result<Fetched>) -> Verdict<Vec<Bytes>> {
        let found = match answer {
            Ok(Fetched::Some(chunk)) => elements_of(&chunk),
            Ok(Fetched::Nothing) => {
                let (start, end) = (self.model.start(), self.model.end());
                return broken(format!("a read at {at} gives nothing within {start}..{end}"));
            }
            Err(error) => return broken(format!("a read at {at} fails: {error}")),
        };
        demand(!found.is_empty(), || format!("a read at {at} gives an empty chunk"))?;
        match self.model.first_wrong(at, &found) {
            Some(wrong) => broken(format!("a read at {at} gives a wrong element {wrong}")),
            None => Ok(found),
        }
    }

    /// Reads from one place to another, and holds it to the model.
    pub(super) async fn read_through(&self, from: u64, to: u64, budget: ReadBudget) -> Verdict {
        let mut at = from;
        while at < to {
            let budget = ReadBudget { elements: budget.elements.min(to - at), ..budget };
            let answer = self.read(at, budget).await?;
            at += self.some(at, answer)?.len() as u64;
        }
        Ok(())
    }

    /// Holds bounds and content to the model.
    pub(super) async fn is_as_modelled(&mut self) -> Verdict {
        let bounds = self.state().await?.bounds;
        let (start, end) = (self.model.start(), self.model.end());
        let fits = bounds.start.is_none_or(|at| at.get() == start)
            && bounds.end.is_none_or(|at| at.get() == end);
        demand(fits, || format!("the bounds are {bounds}, not {start}..{end}"))?;
        let once = !self.bench.seekable();
        if self.bench.reads().is_err() || (once && std::mem::replace(&mut self.spent, true)) {
            return Ok(());
        }
        self.read_through(start, end, ALL).await
    }

    pub(super) async fn write(
        &self,
        to: Pos,
        elements: &[Bytes],
        rules: &Rules,
    ) -> Verdict<Result<Stored>> {
        let write = self.data.write_at(to, chunk_of(self.bench.kind, elements), rules);
        self.bench.within(&format!("a write to {to}"), write).await
    }

    /// Writes what must be taken, at least in part.
    pub(super) async fn put(
        &mut self,
        to: Pos,
        elements: &[Bytes],
        rules: &Rules,
    ) -> Verdict<Stored> {
        match self.write(to, elements, rules).await? {
            Ok(stored) => self.note(to, elements, stored),
            Err(error) => broken(format!("a write to {to} fails: {error}")),
        }
    }

    /// Judges the answer to a write, and notes it in the model.
    pub(super) fn note(&mut self, to: Pos, elements: &[Bytes], stored: Stored) -> Verdict<Stored> {
        let (place, count) = (self.model.place(to), elements.len() as u64);
        let right = Some(stored.at.get()) == place && (1..=count).contains(&stored.elements);
        demand(right, || format!("a write of {count} elements to {to} answers {stored:?}"))?;
        self.model.put(stored, elements);
        Ok(stored)
    }

    pub(super) async fn truncate(
        &self,
        edge: Edge,
        to: Pos,
        rules: &Rules,
    ) -> Verdict<Result<Position>> {
        let moved = self.data.truncate(edge, to, rules);
        self.bench.within(&format!("moving an end to {to}"), moved).await
    }

    /// Moves an end that must move.
    pub(super) async fn cut(&mut self, edge: Edge, to: Pos) -> Verdict {
        let place = self.model.place(to);
        match self.truncate(edge, to, &self.bench.rules()).await? {
            Ok(at) if Some(at.get()) != place => {
                return broken(format!("an end moved to {to} is said to be at {at}"));
            }
            Ok(at) if edge == Edge::After => self.model.set_end(at.get()),
            Ok(at) => self.model.set_start(at.get()),
            Err(error) => return broken(format!("moving an end to {to} fails: {error}")),
        }
        Ok(())
    }

    /// Changes the data in some way; whether that is possible.
    pub(super) async fn change(&mut self, way: Move, count: u64) -> Verdict<bool> {
        let bench = self.bench;
        match way {
            Move::Grow => self.grow(count).await,
            Move::Evict => self.evict(self.model.start() + count).await,
            Move::Cut if bench.can(Operation::TruncateAfter) => {
                self.cut(Edge::After, Pos::FromEnd(-count.cast_signed())).await?;
                Ok(true)
            }
            Move::Overwrite if bench.overwrites() => {
                let others = bench.others(0, count);
                self.put(Pos::START, &others, &bench.rules()).await?;
                Ok(true)
            }
            Move::Cut | Move::Overwrite => Ok(false),
        }
    }

    async fn grow(&mut self, count: u64) -> Verdict<bool> {
        let bench = self.bench;
        let numbers = self.made..self.made + count;
        let grown = bench.subject.grow(&self.data, &mut self.keep, numbers.clone());
        if bench.within("growing the data", grown).await? {
            self.model.push(bench.elements(numbers));
        } else if bench.can(Operation::Extend) {
            let elements: Vec<_> = bench.elements(numbers).collect();
            self.put(Pos::END, &elements, &bench.rules()).await?;
        } else {
            return Ok(false);
        }
        self.made += count;
        Ok(true)
    }

    async fn evict(&mut self, before: u64) -> Verdict<bool> {
        let bench = self.bench;
        let evicted = bench.subject.evict(&self.data, &mut self.keep, position(before));
        if bench.within("evicting data", evicted).await? {
            let bounds = self.state().await?.bounds;
            let start = bounds.start.map_or(0, Position::get);
            self.model.set_start(start.min(self.model.end()));
            return Ok(true);
        }
        if !bench.can(Operation::TruncateBefore) {
            return Ok(false);
        }
        self.cut(Edge::Before, Pos::Abs(position(before))).await?;
        Ok(true)
    }
}
