//! Reading places beside the cursor.

use super::RawStream;
use crate::{Error, Result, link::fault::to_error};
use bytes::Bytes;
use farlens_proto::{RangeStatus, RangeTicket};
use farlens_wire::{Code, Position};
use std::{
    future::Future,
    ops::{Bound, Range, RangeBounds},
    pin::Pin,
    task::{Context, Poll},
};

/// The bytes of one place, on their way. Dropped, nobody waits for them any more.
pub(crate) struct RangeFuture<'a> {
    raw: &'a RawStream,
    ticket: Option<RangeTicket>,
}

impl RawStream {
    /// Asks for several places at once; an empty one costs nothing.
    pub(crate) fn ask_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<RangeFuture<'_>>> {
        self.link
            .shared()
            .with(|state| {
                let ask = |range: &Range<u64>| {
                    let mut future = RangeFuture { raw: self, ticket: None };
                    let length = range.end.saturating_sub(range.start);
                    if length > 0 {
                        let at = Position::new(range.start).unwrap_or(Position::MAX);
                        let ticket = state.proto.ask_range(self.id, at, length);
                        future.ticket = Some(ticket.map_err(|fault| to_error(&fault))?);
                    }
                    Ok(future)
                };
                let asked: Vec<Result<_>> = ranges.iter().map(ask).collect();
                Ok::<_, Error>(asked)
            })?
            .into_iter()
            .collect()
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

impl Future for RangeFuture<'_> {
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

impl Drop for RangeFuture<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.raw.link.shared().with(|state| state.forget_range(self.raw.id, ticket));
        }
    }
}
