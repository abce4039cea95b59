//! Reading places beside the cursor.

use super::RawStream;
use crate::{
    Error, Link, Result,
    link::{fault::to_error, shared::State},
};
use bytes::Bytes;
use farlens_proto::{Fault, OpenRequest, RangeStatus, RangeTicket};
use farlens_wire::{Code, Position, StreamId};
use std::{
    future::Future,
    ops::{Bound, Range, RangeBounds},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The bytes of one place, on their way. Dropped, nobody waits for them any more.
pub(crate) struct RangeFuture {
    raw: Arc<RawStream>,
    /// None where there is nothing to wait for.
    ticket: Option<RangeTicket>,
}

impl std::fmt::Debug for RangeFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RangeFuture").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

/// What became of asking for each of several places.
type Asked = Vec<Result<Option<RangeTicket>, Fault>>;

/// Asks for several places at once; an empty one costs nothing.
fn ask(state: &mut State, stream: StreamId, ranges: &[Range<u64>]) -> Asked {
    let ask = |range: &Range<u64>| {
        let length = range.end.saturating_sub(range.start);
        let at = Position::new(range.start).unwrap_or(Position::MAX);
        (length > 0).then(|| state.proto.ask_range(stream, at, length)).transpose()
    };
    ranges.iter().map(ask).collect()
}

impl RawStream {
    /// Asks for a stream and for places of it, in one flight as far as a request has room.
    pub(crate) fn start_with_ranges(
        link: Link,
        request: OpenRequest,
        ranges: &[Range<u64>],
    ) -> Result<(Arc<Self>, Vec<RangeFuture>)> {
        let also = |state: &mut State, id| ask(state, id, ranges);
        let (stream, asked) = Self::start_and(link, request, None, also)?;
        let stream = Arc::new(stream);
        let futures = stream.wait_for(asked)?;
        Ok((stream, futures))
    }

    /// Asks for several places at once.
    pub(crate) fn ask_ranges(self: &Arc<Self>, ranges: &[Range<u64>]) -> Result<Vec<RangeFuture>> {
        let asked = self.link.shared().with(|state| ask(state, self.id, ranges));
        self.wait_for(asked)
    }

    fn wait_for(self: &Arc<Self>, asked: Asked) -> Result<Vec<RangeFuture>> {
        // Each ticket gets its future, also when another place fails: dropped, they are forgotten.
        let futures: Vec<Result<_>> = asked
            .into_iter()
            .map(|ticket| {
                let ticket = ticket.map_err(|fault| to_error(&fault))?;
                Ok(RangeFuture { raw: Arc::clone(self), ticket })
            })
            .collect();
        futures.into_iter().collect()
    }

    /// The part of `range` that lies inside the bounds that are known.
    pub(crate) fn clamp(&self, range: &impl RangeBounds<u64>) -> Result<Range<u64>> {
        let bounds = self.state().bounds;
        let low = bounds.start.map_or(0, Position::get);
        let high = bounds.end.map_or(u64::MAX, Position::get);
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => low,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded if bounds.end.is_none() => {
                let text = "this data has no end up to which it could be read";
                return Err(Error::new(Code::OUT_OF_RANGE, text));
            }
            Bound::Unbounded => high,
        };
        if start < low || start > high {
            let text = format!("position {start} lies outside {bounds}");
            return Err(Error::new(Code::OUT_OF_RANGE, text));
        }
        Ok(start..end.min(high).max(start))
    }
}

impl Future for RangeFuture {
    type Output = Result<Bytes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes>> {
        let Some(ticket) = self.ticket else { return Poll::Ready(Ok(Bytes::new())) };
        let id = self.raw.id;
        let outcome = self.raw.link.shared().with(|state| {
            let status = state.proto.take_range(id, ticket);
            if status == RangeStatus::Pending {
                state.wait_range(id, ticket, cx);
            }
            status
        });
        let outcome = match outcome {
            RangeStatus::Pending => return Poll::Pending,
            RangeStatus::Done(bytes) => Ok(bytes),
            RangeStatus::Failed(fault) => Err(to_error(&fault)),
        };
        self.ticket = None;
        Poll::Ready(outcome)
    }
}

impl Drop for RangeFuture {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.raw.link.shared().with(|state| state.forget_range(self.raw.id, ticket));
        }
    }
}
