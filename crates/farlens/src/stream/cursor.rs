//! Writing on from a place: the cursor that byte and entity writers share.

use super::raw::{RawStream, StepGuard};
use crate::{Error, Result};
use farlens_proto::{Chunk, Flags, Guard, WriteTo};
use farlens_wire::{Pos, Position};
use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Where the next element is written, and the run that is being written.
///
/// A write that fails is told of once, at the next operation; then the cursor stands behind the
/// last element that was applied.
pub(super) struct WriteCursor {
    raw: Arc<RawStream>,
    run: Option<StepGuard>,
    at: Position,
    /// Each write goes to the end as it is then.
    appends: bool,
    finish: Option<StepGuard>,
}

impl WriteCursor {
    pub(super) fn new(raw: Arc<RawStream>, appends: bool) -> Self {
        let at = raw.position();
        let appends = appends || raw.appends_only();
        Self { raw, run: None, at, appends, finish: None }
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
            self.run = None;
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
        if !self.run.as_ref().is_some_and(|run| run.push(chunk.clone())) {
            let place = (self.place(), &Guard::default());
            self.run = Some(ready!(self.raw.poll_run(cx, place, &chunk))?);
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

    /// Tells of a write that has failed.
    fn check(&mut self) -> Result<()> {
        let Some((applied, error)) = self.run.as_ref().and_then(StepGuard::failure) else {
            return Ok(());
        };
        self.give_up(applied.at, applied.count);
        Err(error)
    }

    fn give_up(&mut self, base: Option<Position>, count: u64) {
        self.run = None;
        if let Some(behind) = base.and_then(|base| base.forward(count)) {
            self.at = behind;
        }
    }

    /// Waits until everything that was written has been applied.
    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        let Some(run) = &self.run else { return Poll::Ready(Ok(())) };
        let outcome = ready!(run.poll_applied(cx));
        let failed = self.check();
        Poll::Ready(outcome.and(failed))
    }

    /// Waits until everything is applied and durable, and says that it was all.
    pub(super) fn poll_finish(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_flush(cx))?;
        if self.finish.is_none() {
            self.finish = Some(ready!(self.raw.poll_sync(cx, true))?);
        }
        let finish = self.finish.as_ref().map(|finish| finish.poll_applied(cx));
        let outcome = ready!(finish.unwrap_or(Poll::Ready(Err(unfinished()))));
        Poll::Ready(outcome.map(drop))
    }
}

fn unfinished() -> Error {
    Error::new(farlens_wire::Code::INTERNAL, "the end of writing was not asked for")
}
