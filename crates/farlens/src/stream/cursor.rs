//! Writing on from a place: the cursor that byte and entity writers share.

use super::raw::{RawStream, StepGuard};
use crate::Result;
use farlens_proto::{Chunk, Flags, Guard, WriteTo};
use farlens_wire::{Pos, Position};
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Where the next element is written, and the runs that are not known to be applied.
///
/// A write that fails is told of once, at the next operation; then the cursor stands behind the
/// last element of that run that was applied.
pub(super) struct WriteCursor {
    raw: Arc<RawStream>,
    /// The last one is that which is being written, unless the cursor has gone elsewhere.
    runs: VecDeque<StepGuard>,
    goes_on: bool,
    at: Position,
    /// Each write goes to the end as it is then.
    appends: bool,
    finish: Option<StepGuard>,
}

impl WriteCursor {
    pub(super) fn new(raw: Arc<RawStream>, appends: bool) -> Self {
        let at = raw.position();
        let appends = appends || raw.appends_only();
        Self { raw, runs: VecDeque::new(), goes_on: false, at, appends, finish: None }
    }

    /// Where the next element goes, unless it is appended.
    pub(super) const fn position(&self) -> Position {
        self.at
    }

    pub(super) const fn appends(&self) -> bool {
        self.appends
    }

    /// Goes on elsewhere.
    pub(super) fn go_to(&mut self, at: Position) {
        if at != self.at {
            self.goes_on = false;
            self.at = at;
        }
    }

    /// Waits for room for more elements.
    pub(super) fn poll_room(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.check()?;
        self.raw.poll_room(cx)
    }

    /// Takes elements over for which there is room.
    pub(super) fn poll_write(&mut self, cx: &Context<'_>, chunk: Chunk) -> Poll<Result<()>> {
        let elements = chunk.elements();
        let last = self.runs.back().filter(|_| self.goes_on);
        if !last.is_some_and(|run| run.push(chunk.clone())) {
            // It may have failed just now.
            self.check()?;
            let run = (self.place(), None, &Guard::default());
            let begun = ready!(self.raw.poll_run(cx, run, &chunk))?;
            self.runs.push_back(begun);
            self.goes_on = true;
        }
        self.at = self.at.forward(elements).unwrap_or(Position::MAX);
        Poll::Ready(Ok(()))
    }

    fn place(&self) -> WriteTo {
        if self.appends {
            return WriteTo::At(Pos::END);
        }
        if self.raw.mode().flags().has_any(Flags::SEEK) {
            WriteTo::At(Pos::Abs(self.at))
        } else {
            WriteTo::Here
        }
    }

    /// Tells of the first run that has failed, and forgets those that are applied.
    fn check(&mut self) -> Result<()> {
        while let Some(first) = self.runs.front() {
            let failure = first.failure();
            let open = self.runs.len() == 1 && self.goes_on;
            if failure.is_none() && (open || !first.is_applied()) {
                return Ok(());
            }
            self.runs.pop_front();
            if let Some((applied, error)) = failure {
                if open {
                    self.go_behind(applied.at, applied.count);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Stands behind what was applied of the run that was being written.
    fn go_behind(&mut self, base: Option<Position>, count: u64) {
        self.goes_on = false;
        if let Some(behind) = base.and_then(|base| base.forward(count)) {
            self.at = behind;
        }
    }

    /// Waits until everything that was written has been applied.
    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        let runs = self.runs.iter();
        let waits = runs.fold(false, |waits, run| run.poll_applied(cx).is_pending() || waits);
        self.check()?;
        if waits { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Waits until everything is applied and durable, and says that it was all.
    pub(super) fn poll_finish(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_flush(cx))?;
        let finish = match self.finish.take() {
            Some(finish) => finish,
            None => ready!(self.raw.poll_sync(cx, true))?,
        };
        let outcome = finish.poll_applied(cx);
        self.finish = Some(finish);
        outcome.map_ok(drop)
    }
}
