//! Where a relay stands at the origin.

use crate::{
    Result,
    data::{Fetched, ReadBudget},
    stream::raw::{Next, RawStream},
};
use farlens_proto::{Chunk, ItemBatch, Kind};
use farlens_wire::{AtEnd, Pos, Position};
use std::{
    future::poll_fn,
    task::{Context, Poll},
};

/// The cursor of a relay. A read that is dropped leaves it where it was, or to be sought anew.
pub(super) struct Cursor {
    /// The position of the next element; nothing while that has to be sought.
    at: Option<Position>,
    /// What was taken from the link and is still to be read.
    held: ItemBatch,
    kind: Kind,
    /// Up to here the origin has dropped what there was; told once.
    dropped: Option<Position>,
}

impl Cursor {
    pub(super) fn new(at: Position, kind: Kind) -> Self {
        Self { at: Some(at), held: ItemBatch::default(), kind, dropped: None }
    }

    pub(super) const fn take_dropped(&mut self) -> Option<Position> {
        self.dropped.take()
    }

    pub(super) fn is_at(&self, at: Position) -> bool {
        self.at == Some(at)
    }

    /// Has the next read ask the origin again.
    pub(super) fn forget(&mut self) {
        self.at = None;
    }

    /// Reads from `at`, going there first if need be.
    pub(super) async fn read(
        &mut self,
        raw: &RawStream,
        at: Position,
        budget: ReadBudget,
    ) -> Result<Fetched> {
        if self.at != Some(at) {
            self.at = None;
            let held = std::mem::take(&mut self.held).count();
            raw.start_seek(Pos::Abs(at), AtEnd::Follow, held)?;
            self.at = Some(raw.finish_seek().await?);
        }
        poll_fn(|cx| self.poll_read(raw, cx, budget)).await
    }

    fn poll_read(
        &mut self,
        raw: &RawStream,
        cx: &Context<'_>,
        budget: ReadBudget,
    ) -> Poll<Result<Fetched>> {
        if !self.held.is_empty() {
            return Poll::Ready(Ok(self.take(budget)));
        }
        let at = self.at.unwrap_or_default();
        let most = match self.kind {
            Kind::Bytes => budget.byte_count() as u64,
            Kind::Items => budget.elements,
        };
        Poll::Ready(match raw.poll_next(cx, most) {
            Poll::Ready(Ok(Next::Elements(Chunk::Items(batch)))) => {
                self.held = batch;
                Ok(self.take(budget))
            }
            Poll::Ready(Ok(Next::Elements(chunk))) => {
                self.at = at.forward(chunk.elements());
                Ok(Fetched::Some(chunk))
            }
            // What was dropped shows in the bounds.
            Poll::Ready(Ok(Next::Gap { skipped, .. })) => {
                self.at = at.forward(skipped);
                self.dropped = self.at;
                Ok(Fetched::Nothing)
            }
            Poll::Ready(Ok(Next::End)) => Ok(Fetched::Nothing),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending if raw.state().bounds.end.is_some_and(|end| end <= at) => {
                Ok(Fetched::Nothing)
            }
            Poll::Pending => return Poll::Pending,
        })
    }

    /// As much of what is held as fits, and one element in any case.
    fn take(&mut self, budget: ReadBudget) -> Fetched {
        let fitting = self.held.clone().split_to(budget.elements).split_fitting(budget.bytes);
        let batch = self.held.split_to(fitting.count().max(1));
        self.at = self.at.and_then(|at| at.forward(batch.count()));
        Fetched::Some(Chunk::Items(batch))
    }
}
