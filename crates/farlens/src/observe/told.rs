//! What an observer knows already, and what is new.

use super::StreamObserver;
use crate::{Error, link::fault::to_error};
use farlens_proto::Link;
use farlens_wire::{Bounds, Epoch, Flags, Position, StreamId};

/// What an observer was told last.
#[derive(Default)]
pub(super) struct Told {
    bounds: Option<Bounds>,
    epoch: Option<Epoch>,
    end: Option<Position>,
    broken: bool,
    /// How often the stream had been without room when it was told to be writable.
    writable: Option<u64>,
    /// It was told of the end of the stream.
    pub(super) over: bool,
}

/// How a stream is now.
pub(super) struct News {
    bounds: Option<Bounds>,
    epoch: Option<Epoch>,
    end: Option<Position>,
    broken: Option<Error>,
    readable: bool,
    /// How often it has been without room, where a writer may hand in more.
    writable: Option<u64>,
    over: Option<Error>,
}

impl News {
    pub(super) fn of(link: &Link, stream: StreamId) -> Self {
        let info = link.stream_info(stream);
        let writes = info.is_some_and(|info| info.mode.has(Flags::WRITABLE));
        let writable = writes && link.is_writable(stream);
        Self {
            bounds: info.and_then(|_| link.stream_state(stream)).map(|state| state.bounds),
            epoch: link.stream_epoch(stream),
            end: link.stream_end(stream),
            broken: link.stream_fault(stream).map(to_error),
            readable: link.is_readable(stream),
            writable: writable.then(|| link.stream_stalls(stream)),
            over: link.stream_over(stream).map(to_error),
        }
    }
}

impl Told {
    /// Nothing more is to be told.
    pub(super) const OVER: Self =
        Self { bounds: None, epoch: None, end: None, broken: false, writable: None, over: true };

    /// Tells of what is new, each piece by one `call`, and gives what is known from then on.
    pub(super) fn tell(self, news: &News, call: impl Fn(&dyn Fn(&dyn StreamObserver))) -> Self {
        // Also where it was readable before: all of it may have been read meanwhile.
        if news.readable {
            call(&|observer| observer.readable());
        }
        if news.writable.is_some() && news.writable != self.writable {
            call(&|observer| observer.writable());
        }
        if let (Some(before), Some(bounds)) = (self.bounds, news.bounds)
            && before != bounds
        {
            call(&|observer| observer.moved(bounds));
        }
        let same = self.epoch == news.epoch;
        if let Some(end) = news.end.filter(|_| !same || self.end != news.end) {
            call(&|observer| observer.ended(end));
        }
        if let Some(error) = news.broken.as_ref().filter(|_| !same || !self.broken) {
            call(&|observer| observer.broken(error));
        }
        if let Some(error) = &news.over {
            call(&|observer| observer.failed(error));
        }
        Self {
            bounds: news.bounds.or(self.bounds),
            epoch: news.epoch,
            end: news.end,
            broken: news.broken.is_some(),
            writable: news.writable.or(self.writable),
            over: news.over.is_some(),
        }
    }
}
