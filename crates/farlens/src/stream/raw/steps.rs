//! Writing in numbered steps.

use super::RawStream;
use crate::{Error, Result, link::fault::to_error};
use farlens_proto::{Chunk, Fault, Guard, Link, StepStatus, WriteTo};
use farlens_wire::{Code, Edge, Pos, Position, Step};
use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

/// A step that was begun. Dropped, nobody asks for it any more; it is applied all the same.
pub(crate) struct StepGuard {
    raw: Arc<RawStream>,
    step: Step,
}

/// What was applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied {
    /// Where a run begins, or where an end is now.
    pub(crate) at: Option<Position>,
    /// Elements.
    pub(crate) count: u64,
}

impl Drop for StepGuard {
    fn drop(&mut self) {
        self.raw.link.shared().with(|state| state.proto.forget_step(self.raw.id, self.step));
    }
}

impl StepGuard {
    /// Adds elements to a run; says whether it still took them.
    pub(crate) fn push(&self, chunk: Chunk) -> bool {
        self.raw.link.shared().with(|state| state.proto.push(self.raw.id, self.step, chunk))
    }

    /// Waits until everything of the step that was handed in has been applied.
    pub(crate) fn poll_applied(&self, cx: &Context<'_>) -> Poll<Result<Applied>> {
        self.raw.link.shared().with(|state| match state.proto.step_status(self.raw.id, self.step) {
            StepStatus::Pending { .. } => {
                state.wait_writer(self.raw.id, cx);
                Poll::Pending
            }
            StepStatus::Done { at, count } => Poll::Ready(Ok(Applied { at, count })),
            StepStatus::Failed { count, fault, .. } => {
                Poll::Ready(Err(to_error(&fault).with_applied(count)))
            }
        })
    }

    /// Whether the step has failed, and how far it had come then.
    pub(crate) fn failure(&self) -> Option<(Applied, Error)> {
        let status = self.raw.link.shared().peek(|link| link.step_status(self.raw.id, self.step));
        match status {
            StepStatus::Failed { at, count, fault } => {
                Some((Applied { at, count }, to_error(&fault).with_applied(count)))
            }
            _ => None,
        }
    }

    /// Whether everything of the step that was handed in has been applied.
    pub(crate) fn is_applied(&self) -> bool {
        let status = self.raw.link.shared().peek(|link| link.step_status(self.raw.id, self.step));
        matches!(status, StepStatus::Done { .. })
    }

    pub(crate) async fn applied(&self) -> Result<Applied> {
        std::future::poll_fn(|cx| self.poll_applied(cx)).await
    }
}

impl RawStream {
    /// Begins a step as soon as one more may begin.
    fn poll_step(
        self: &Arc<Self>,
        cx: &Context<'_>,
        begin: impl FnOnce(&mut Link) -> Result<Step, Fault>,
    ) -> Poll<Result<StepGuard>> {
        let begun = self.link.shared().with(|state| match begin(&mut state.proto) {
            Err(fault) if fault.code == Code::OVERLOADED => {
                state.wait_writer(self.id, cx);
                Poll::Pending
            }
            begun => Poll::Ready(begun),
        });
        Poll::Ready(match ready!(begun) {
            Ok(step) => Ok(StepGuard { raw: Arc::clone(self), step }),
            Err(fault) => Err(to_error(&fault)),
        })
    }

    /// Begins a run of elements with its first ones, all of them: a run of known length has no more.
    pub(crate) fn poll_run(
        self: &Arc<Self>,
        cx: &Context<'_>,
        (to, length, guard): (WriteTo, Option<u64>, &Guard),
        chunk: &Chunk,
    ) -> Poll<Result<StepGuard>> {
        self.poll_step(cx, |link| {
            let step = link.write(self.id, to, length, guard.clone())?;
            link.push(self.id, step, chunk.clone());
            Ok(step)
        })
    }

    pub(crate) fn poll_sync(
        self: &Arc<Self>,
        cx: &Context<'_>,
        finish: bool,
    ) -> Poll<Result<StepGuard>> {
        self.poll_step(cx, |link| link.sync(self.id, finish))
    }

    /// Waits until a writer who can wait should go on.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.link.shared().with(|state| {
            if let Some(fault) = state.proto.stream_over(self.id) {
                return Poll::Ready(Err(to_error(fault)));
            }
            if state.proto.is_writable(self.id) {
                return Poll::Ready(Ok(()));
            }
            state.wait_writer(self.id, cx);
            Poll::Pending
        })
    }

    /// Writes elements to a place, whole, and waits until they are applied.
    pub(crate) async fn write(
        self: &Arc<Self>,
        to: WriteTo,
        guard: Guard,
        chunk: Chunk,
    ) -> Result<Applied> {
        let run = (to, Some(chunk.elements()), &guard);
        let begun = std::future::poll_fn(|cx| self.poll_run(cx, run, &chunk)).await?;
        self.note_change();
        begun.applied().await
    }

    /// Moves an end and gives its absolute position.
    pub(crate) async fn truncate(
        self: &Arc<Self>,
        edge: Edge,
        to: Pos,
        guard: Guard,
    ) -> Result<Position> {
        let begin = |link: &mut Link| link.truncate(self.id, edge, to, guard.clone());
        let begun = std::future::poll_fn(|cx| self.poll_step(cx, begin)).await?;
        self.note_change();
        Ok(begun.applied().await?.at.unwrap_or_default())
    }

    /// Waits until what was written before is durable.
    pub(crate) async fn sync(self: &Arc<Self>, finish: bool) -> Result<()> {
        let begun = std::future::poll_fn(|cx| self.poll_sync(cx, finish)).await?;
        begun.applied().await.map(drop)
    }

    fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}
