//! Data of a stream that another process publishes, for peers of this one.
//!
//! Each stream that a peer opens here has a stream of its own at the origin, opened with the same
//! demands. Bytes are read through its cursor as long as they are read one after the other, and
//! beside it where a reader asks elsewhere, so many places may be on their way at a time. A stream
//! that may be written reads every place anew. Entities have the cursor alone, which is moved.
//!
//! What happens at the origin happens here: its state, its end, what it drops, and its failures. It
//! judges the changes, too, by the mode that it has opened the stream with.

mod cursor;

use super::{DataState, Fetched, ReadBudget, Stored, StreamerData, not_writable};
use crate::{
    Error, Link, Result, link::fault::to_error, object::beyond, publish::Found,
    stream::raw::RawStream,
};
use cursor::Cursor;
use farlens_proto::{Ahead, Chunk, Kind, OpenOn, OpenRequest, Rules, StreamInfo, WriteTo};
use farlens_wire::{
    AtEnd, Bounds, Budget, Code, Delivery, Edge, Flags, ModeOffer, Pos, Position,
    frame::stream::Open, schema::SchemaDoc,
};
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
};
use tokio::sync::{Mutex, MutexGuard};

/// A stream at the origin, as data.
pub(crate) struct Relay {
    raw: Arc<RawStream>,
    info: StreamInfo,
    schema: Option<Arc<SchemaDoc>>,
    /// What lies before is not shown.
    from: Option<Position>,
    cursor: Mutex<Cursor>,
    /// Where the last place that was read beside the cursor ended.
    sequel: AtomicU64,
    /// Up to here the origin has dropped what there was.
    dropped: AtomicU64,
}

/// Opens a stream at its origin as a peer asks for it; it begins at `from`, if that is given.
///
/// # Errors
/// Those of the origin, and of the link with it.
pub(crate) async fn open(
    way: (Link, OpenOn),
    from: Option<Position>,
    open: &Open,
) -> Result<Found> {
    let relay = Relay::open(way, from, open).await?;
    let StreamInfo { mode, append_only, .. } = relay.info;
    Ok(Found::relayed(Arc::new(relay), mode, append_only))
}

/// Where the origin is to begin: where the reader will, so that nothing is sent in vain.
fn start(open: &Open, from: Option<Position>) -> Pos {
    match (open.start, from) {
        (Pos::FromStart(by), Some(from)) => from.offset(by).map_or(open.start, Pos::Abs),
        (start, _) => start,
    }
}

impl Relay {
    pub(crate) async fn open(
        (link, on): (Link, OpenOn),
        from: Option<Position>,
        open: &Open,
    ) -> Result<Self> {
        let wanted = Flags::from_bits(open.flags);
        let request = OpenRequest {
            on,
            flags: wanted,
            kind: open.kind,
            start: start(open, from),
            at_end: AtEnd::Follow,
            delivery: Delivery::Lossless,
            purpose: open.purpose,
            ahead: if wanted.has(Flags::READABLE) { Ahead::Auto } else { Ahead::Nothing },
            lazy: open.credit.bytes == 0,
            fingerprint: None,
            urgency: open.urgency,
        };
        let opened = RawStream::open(link.clone(), request, None).await;
        Self::new(opened.map_err(|error| beyond(&link, error))?, from)
    }

    fn new(raw: RawStream, from: Option<Position>) -> Result<Self> {
        let raw = Arc::new(raw);
        let closed = || Error::new(Code::CLOSED, "the stream is closed");
        let info = raw.info().ok_or_else(closed)?;
        let mut budget = Budget::new(raw.link().limits());
        let schema = info.schema.as_deref().map(|schema| SchemaDoc::decode(schema, &mut budget));
        let schema = schema.transpose().map_err(|error| {
            Error::new(error.code(), format!("the type of the origin is malformed: {error}"))
        })?;
        Ok(Self {
            cursor: Mutex::new(Cursor::new(raw.position(), info.kind)),
            schema: schema.map(Arc::new),
            sequel: AtomicU64::new(u64::MAX),
            dropped: AtomicU64::new(0),
            raw,
            info,
            from,
        })
    }

    fn bounds(&self) -> Bounds {
        let mut bounds = self.raw.state().bounds;
        let dropped = Position::new(self.dropped.load(Ordering::Acquire)).unwrap_or_default();
        let first = self.from.unwrap_or_default().max(dropped);
        if first > Position::ZERO {
            bounds.start = bounds.start.max(Some(first));
            bounds.end = bounds.end.map(|end| end.max(first));
        }
        bounds
    }

    /// Whether nothing lies there, as far as is known.
    fn is_outside(&self, at: Position) -> bool {
        let Bounds { start, end } = self.bounds();
        start.is_some_and(|start| at < start) || end.is_some_and(|end| at >= end)
    }

    /// Why the stream is over, once everything that came before has been read.
    fn failure(&self) -> Option<Error> {
        let id = self.raw.id();
        let fault = self.raw.link().shared().peek(|link| {
            let read = !link.is_readable(id);
            link.stream_over(id).filter(|_| read).cloned()
        })?;
        Some(self.beyond(to_error(&fault)))
    }

    fn beyond(&self, error: Error) -> Error {
        beyond(self.raw.link(), error)
    }

    /// Whether `at` is read with the cursor. To be asked once for each read.
    fn reads_on(&self, at: Position, cursor: &Cursor) -> bool {
        let beside = self.info.kind == Kind::Bytes && self.info.mode.has(Flags::SEEK);
        if !beside {
            return true;
        }
        let writes = self.info.mode.has(Flags::WRITABLE);
        let follows = cursor.is_at(at) || self.sequel.load(Ordering::Relaxed) == at.get();
        follows && !writes
    }

    async fn read_beside(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let wanted = at.get()..at.get().saturating_add(budget.byte_count() as u64);
        let range = self.raw.clamp(&wanted)?;
        if range.is_empty() {
            return Ok(Fetched::Nothing);
        }
        let mut asked = self.raw.ask_ranges(&[range])?;
        let Some(bytes) = asked.pop() else { return Ok(Fetched::Nothing) };
        let bytes = bytes.await?;
        if bytes.is_empty() {
            return Ok(Fetched::Nothing);
        }
        let end = at.get().saturating_add(bytes.len() as u64);
        self.sequel.store(end, Ordering::Relaxed);
        Ok(Fetched::Some(Chunk::Bytes(bytes)))
    }

    async fn read(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        if self.is_outside(at) {
            return Ok(Fetched::Nothing);
        }
        if let Ok(cursor) = self.cursor.try_lock()
            && self.reads_on(at, &cursor)
        {
            return self.read_on(cursor, at, budget).await;
        }
        if self.info.kind == Kind::Bytes && self.info.mode.has(Flags::SEEK) {
            return self.read_beside(at, budget).await;
        }
        self.read_on(self.cursor.lock().await, at, budget).await
    }

    async fn read_on(
        &self,
        mut cursor: MutexGuard<'_, Cursor>,
        at: Position,
        budget: ReadBudget,
    ) -> Result<Fetched> {
        let read = cursor.read(&self.raw, at, budget).await;
        if let Some(dropped) = cursor.take_dropped() {
            self.dropped.fetch_max(dropped.get(), Ordering::AcqRel);
        }
        match read {
            // It went while the cursor was on its way there.
            Err(error) if error.code() == Code::OUT_OF_RANGE && self.is_outside(at) => {
                Ok(Fetched::Nothing)
            }
            read => read,
        }
    }

    /// What is known once something was changed: what the cursor holds may be old.
    async fn forget_ahead(&self) {
        self.cursor.lock().await.forget();
    }

    async fn write(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        let run = (WriteTo::At(to), Some(chunk.elements()), &rules.guard);
        let begun = poll_fn(|cx| self.raw.poll_run(cx, run, &chunk)).await?;
        let applied = match begun.applied().await {
            Ok(applied) => applied,
            // What was stored is told of first; the rest fails when it comes again.
            Err(error) => match begun.failure() {
                Some((applied, _)) if applied.count > 0 => applied,
                _ => return Err(error),
            },
        };
        let (at, elements) = (applied.at.unwrap_or_default(), applied.count);
        Ok(Stored { at, elements })
    }
}

impl StreamerData for Relay {
    fn kind(&self) -> Kind {
        self.info.kind
    }

    fn offers(&self) -> ModeOffer {
        ModeOffer { required: self.info.mode.flags(), possible: Flags::NONE }
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.schema.clone()
    }

    async fn state(&self) -> Result<DataState> {
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let farlens_proto::State { version, ended, .. } = self.raw.state();
        Ok(DataState { bounds: self.bounds(), version: version.into(), ended })
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.read(at, budget).await.map_err(|error| self.beyond(error))
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        if !self.info.mode.has(Flags::WRITABLE) {
            return Err(not_writable());
        }
        if chunk.kind() != self.info.kind {
            let text = "these elements are of another kind than those at the origin";
            return Err(Error::new(Code::WRONG_KIND, text));
        }
        let stored = self.write(to, chunk, rules).await;
        self.forget_ahead().await;
        stored.map_err(|error| self.beyond(error))
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        let moved = self.raw.truncate(edge, to, rules.guard.clone()).await;
        self.forget_ahead().await;
        moved.map_err(|error| self.beyond(error))
    }

    async fn sync(&self, finish: bool) -> Result<()> {
        self.raw.sync(finish).await.map_err(|error| self.beyond(error))
    }

    async fn changed(&self, seen: DataState) -> DataState {
        poll_fn(|cx| {
            // Registered first, so that no change is missed.
            self.raw.link().shared().with(|state| state.wait_writer(self.raw.id(), cx));
            let farlens_proto::State { version, ended, .. } = self.raw.state();
            let now = DataState { bounds: self.bounds(), version: version.into(), ended };
            if now != seen || self.failure().is_some() { Poll::Ready(now) } else { Poll::Pending }
        })
        .await
    }
}
