//! An entity stream with what happens between its elements.

use super::entities::{EntityStream, Step};
use crate::Result;
use farlens_wire::{Bounds, Element, Epoch, Position};
use futures::Stream;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// An element, or something that a reader may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent<T> {
    /// An element.
    Item(T),
    /// Elements are left out here: skipped for a reader that wants the latest, or dropped by their
    /// source before they could be read.
    Gap {
        /// How many.
        skipped: u64,
    },
    /// The ends of the data are others than before. Told before any element that shows it.
    Moved(Bounds),
    /// All there is has been read; more may come.
    UpToDate,
    /// All there is has been read, up to this position, and that was the end.
    End(Position),
}

/// The events of an entity stream. See [`EntityStream::events`].
#[derive(Debug)]
pub struct StreamEvents<T> {
    stream: EntityStream<T>,
    bounds: Option<Bounds>,
    up_to_date: bool,
    /// The epoch whose end, or failure, was told; a seek begins another.
    ended: Option<Option<Epoch>>,
}

impl<T> StreamEvents<T> {
    pub(super) const fn new(stream: EntityStream<T>) -> Self {
        Self { stream, bounds: None, up_to_date: false, ended: None }
    }

    /// The stream itself, to seek in it or to ask where it stands.
    pub const fn stream(&mut self) -> &mut EntityStream<T> {
        &mut self.stream
    }

    /// What has changed about the data since that was told last.
    fn moved(&mut self) -> Option<Bounds> {
        let now = self.stream.bounds();
        let before = self.bounds.replace(now);
        before.filter(|before| *before != now).map(|_| now)
    }
}

impl<T: Element> Stream for StreamEvents<T> {
    type Item = Result<StreamEvent<T>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(bounds) = this.moved() {
            return Poll::Ready(Some(Ok(StreamEvent::Moved(bounds))));
        }
        let event = match this.stream.poll_step(cx) {
            Poll::Ready(Ok(Step::Item(value))) => StreamEvent::Item(value),
            Poll::Ready(Ok(Step::Gap { skipped, .. })) => StreamEvent::Gap { skipped },
            Poll::Ready(Ok(Step::End)) if this.ended == Some(this.stream.epoch()) => {
                return Poll::Ready(None);
            }
            Poll::Ready(Ok(Step::End)) => {
                this.ended = Some(this.stream.epoch());
                this.up_to_date = false;
                return Poll::Ready(Some(Ok(StreamEvent::End(this.stream.position()))));
            }
            Poll::Ready(Err(error)) => {
                this.ended = Some(this.stream.epoch());
                return Poll::Ready(Some(Err(error)));
            }
            Poll::Pending if !this.up_to_date && this.stream.is_up_to_date() => {
                this.up_to_date = true;
                return Poll::Ready(Some(Ok(StreamEvent::UpToDate)));
            }
            Poll::Pending => return Poll::Pending,
        };
        this.up_to_date = false;
        this.ended = None;
        Poll::Ready(Some(Ok(event)))
    }
}
