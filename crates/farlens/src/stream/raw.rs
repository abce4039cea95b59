//! A stream without a type: what byte and entity streams have in common.

mod ranges;
mod steps;

pub(crate) use ranges::RangeFuture;
pub(crate) use steps::StepGuard;

use crate::{
    Link, Result,
    link::{fault::to_error, shared::State, watcher::Watcher},
};
use farlens_proto::{self as proto, Chunk, OpenRequest, ReadOutcome, SeekStatus, StreamInfo};
use farlens_wire::{AtEnd, Code, Flags, Mode, Pos, Position, StreamId};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker, ready},
};

/// What a read gives.
pub(crate) enum Next {
    Elements(Chunk),
    /// Elements are left out here; a reader who wants all of them has lost the evicted ones.
    Gap {
        skipped: u64,
        evicted: bool,
    },
    End,
}

/// A stream that this side opened. Dropping it closes the stream.
pub(crate) struct RawStream {
    link: Link,
    id: StreamId,
    /// Counts what was changed here beside a cursor, so that what was read before may be old.
    changes: AtomicU64,
}

impl Drop for RawStream {
    fn drop(&mut self) {
        let observers = self.link.shared().with(|state| state.drop_handle(self.id));
        observers.into_iter().for_each(Waker::wake);
    }
}

impl RawStream {
    /// Asks for a stream without waiting for the answer.
    pub(crate) fn start(
        link: Link,
        request: OpenRequest,
        watcher: Option<Arc<Watcher>>,
    ) -> Result<Self> {
        Self::start_and(link, request, watcher, |_, _| ()).map(|(stream, ())| stream)
    }

    /// Asks for a stream, and with the same flight for what `also` asks for.
    fn start_and<T>(
        link: Link,
        request: OpenRequest,
        watcher: Option<Arc<Watcher>>,
        also: impl FnOnce(&mut State, StreamId) -> T,
    ) -> Result<(Self, T)> {
        let opened = link.shared().with(|state| {
            let id = state.proto.open(request)?;
            state.add_handle(id, watcher);
            Ok::<_, proto::Fault>((id, also(state, id)))
        });
        let (id, asked) = opened.map_err(|fault| to_error(&fault))?;
        Ok((Self { link, id, changes: AtomicU64::new(0) }, asked))
    }

    /// Opens a stream.
    pub(crate) async fn open(
        link: Link,
        request: OpenRequest,
        watcher: Option<Arc<Watcher>>,
    ) -> Result<Self> {
        let stream = Self::start(link, request, watcher)?;
        stream.opened().await?;
        Ok(stream)
    }

    /// Waits until it is open.
    pub(crate) async fn opened(&self) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_opened(cx)).await
    }

    fn poll_opened(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.link.shared().with(|state| {
            if state.proto.stream_info(self.id).is_some() {
                return Poll::Ready(Ok(()));
            }
            if let Some(fault) = state.proto.stream_over(self.id) {
                return Poll::Ready(Err(to_error(fault)));
            }
            state.wait_handle(self.id, cx);
            Poll::Pending
        })
    }

    pub(crate) const fn id(&self) -> StreamId {
        self.id
    }

    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    /// What is known since it is open.
    pub(crate) fn info(&self) -> Option<StreamInfo> {
        self.link.shared().peek(|link| link.stream_info(self.id).cloned())
    }

    /// What the data looks like, as last told.
    pub(crate) fn state(&self) -> proto::State {
        self.link.shared().peek(|link| link.stream_state(self.id).cloned()).unwrap_or_default()
    }

    /// The position of the first element that has not been taken.
    pub(crate) fn position(&self) -> Position {
        self.link.shared().peek(|link| link.stream_position(self.id)).unwrap_or_default()
    }

    /// The position of a consumer that holds `held` elements which it has not used.
    pub(crate) fn position_before(&self, held: u64) -> Position {
        before(self.position(), held)
    }

    /// How often the data was changed here beside a cursor.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether it may be written at the end and nowhere else.
    pub(crate) fn appends_only(&self) -> bool {
        self.info().is_some_and(|info| info.append_only)
    }

    /// What the stream allows.
    pub(crate) fn mode(&self) -> Mode {
        self.info().map_or(Mode::READ_FILE, |info| info.mode)
    }

    /// Closes the stream, and waits until the other side has confirmed it or the link is over.
    pub(crate) async fn closed(&self) {
        self.link.shared().with(|state| state.proto.close_stream(self.id));
        std::future::poll_fn(|cx| self.poll_forgotten(cx)).await;
    }

    fn poll_forgotten(&self, cx: &Context<'_>) -> Poll<()> {
        self.link.shared().with(|state| {
            if !state.proto.knows_stream(self.id) {
                return Poll::Ready(());
            }
            state.wait_writer(self.id, cx);
            Poll::Pending
        })
    }

    /// What comes next, at most `max` elements.
    pub(crate) fn poll_next(&self, cx: &Context<'_>, max: u64) -> Poll<Result<Next>> {
        self.link.shared().with(|state| match state.proto.read(self.id, max) {
            ReadOutcome::Some(chunk) => Poll::Ready(Ok(Next::Elements(chunk))),
            ReadOutcome::Gap { skipped, evicted } => {
                Poll::Ready(Ok(Next::Gap { skipped, evicted }))
            }
            ReadOutcome::End(_) => Poll::Ready(Ok(Next::End)),
            ReadOutcome::Failed(fault) => Poll::Ready(Err(to_error(&fault))),
            ReadOutcome::Pending => {
                state.wait_handle(self.id, cx);
                Poll::Pending
            }
        })
    }

    /// Asks to go elsewhere, from a consumer that holds `held` elements and gives them up.
    pub(crate) fn start_seek(&self, to: Pos, at_end: AtEnd, held: u64) -> Result<()> {
        let started = self.link.shared().with(|state| state.proto.seek(self.id, to, at_end, held));
        started.map_err(|fault| to_error(&fault))
    }

    /// Waits for the outcome of the last seek.
    pub(crate) fn poll_seek(&self, cx: &Context<'_>) -> Poll<Result<Position>> {
        self.link.shared().with(|state| match state.proto.take_seek_status(self.id) {
            SeekStatus::Done(at) => Poll::Ready(Ok(at)),
            SeekStatus::Failed(fault) => Poll::Ready(Err(to_error(&fault))),
            SeekStatus::Idle => {
                let fault = proto::Fault::new(Code::SEEKING, "a newer seek took its place");
                Poll::Ready(Err(to_error(&fault)))
            }
            SeekStatus::Pending => {
                state.wait_handle(self.id, cx);
                Poll::Pending
            }
        })
    }

    /// How many of `held` elements from `at` on to skip for a place that lies among them.
    pub(crate) fn skip_within(&self, to: Pos, at: Position, held: u64) -> Option<u64> {
        let Pos::Abs(to) = to else { return None };
        let skip = to.since(at);
        let among = self.mode().has(Flags::SEEK_FWD) && skip > 0 && skip < held;
        let stale = among && self.link.shared().peek(|link| link.has_stale_end(self.id));
        (among && !stale).then_some(skip)
    }

    /// Waits for the end of a seek.
    pub(crate) async fn finish_seek(&self) -> Result<Position> {
        std::future::poll_fn(|cx| Poll::Ready(ready!(self.poll_seek(cx)))).await
    }
}

/// The position of `held` elements that end at `at`.
pub(crate) fn before(at: Position, held: u64) -> Position {
    let back = i64::try_from(held).unwrap_or(i64::MAX).saturating_neg();
    at.offset(back).unwrap_or(at)
}
