//! Changes of many streams, for one task.

use crate::{
    EntryKind, Error, Link, RemotePath, Result, Stat,
    link::{fault::to_error, watcher::Watcher},
    stream::raw::RawStream,
};
use farlens_proto::{
    self as proto, Ahead, Chunk, Kind, OpenRequest, Purpose, ReadOutcome, SeekStatus, StreamInfo,
};
use farlens_wire::{
    AtEnd, Bounds, Budget, Code, Delivery, Entity, Flags, Limits, Pos, Reference, StreamId,
    Urgency,
    schema::{SchemaDoc, decode_with},
};
use futures::Stream;
use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Something happened to a watched stream.
#[derive(Debug)]
#[non_exhaustive]
pub struct WatchEvent {
    /// The path that is watched.
    pub path: RemotePath,
    /// What happened.
    pub change: Change,
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Change {
    /// The stream is open.
    Opened {
        /// What it carries.
        kind: Kind,
        /// Its length in elements, where it is known.
        len: Option<u64>,
    },
    /// A new entity.
    Item {
        /// Its index.
        at: u64,
        /// The entity.
        value: Entity,
    },
    /// Data of bytes has grown at its end, and not changed otherwise.
    Grew {
        /// Its new length in elements.
        len: u64,
    },
    /// The start of the data has moved, or its end was cut. Its end may have grown besides.
    Moved {
        /// Where the data lies now.
        bounds: Bounds,
    },
    /// Elements that existed were skipped.
    Gap {
        /// How many.
        skipped: u64,
    },
    /// The end is final.
    Ended {
        /// The final length in elements, where it is known.
        len: Option<u64>,
    },
    /// The stream is over, for this reason. Nothing follows for this path.
    Gone {
        /// Why.
        error: Error,
    },
}

/// Changes of many streams. See [`Link::watch`].
///
/// Level-triggered: growth that happens while nobody looks is told of once, with its last state.
/// It ends when every stream is gone.
pub struct Events {
    link: Link,
    watcher: Arc<Watcher>,
    streams: BTreeMap<StreamId, Watched>,
    queue: VecDeque<WatchEvent>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("streams", &self.streams.len()).finish_non_exhaustive()
    }
}

struct Watched {
    path: RemotePath,
    /// Kept so that the stream stays open.
    raw: RawStream,
    schema: Option<SchemaDoc>,
    opened: bool,
    ended: bool,
    bounds: Bounds,
    /// Where it tries to go on after the data was cut.
    cut_at: Option<Pos>,
}

/// What there is to tell of one stream.
struct Look {
    info: Option<StreamInfo>,
    bounds: Bounds,
    ended: bool,
    chunk: Option<(u64, Chunk)>,
    skipped: Option<u64>,
    over: Option<Error>,
}

impl Events {
    pub(crate) async fn open(link: &Link, paths: Vec<RemotePath>) -> Self {
        let mut events = Self {
            link: link.clone(),
            watcher: Arc::default(),
            streams: BTreeMap::new(),
            queue: VecDeque::new(),
        };
        for path in paths {
            let opened = match link.stat(path.as_str()).await {
                Ok(stat) => events.start(&path, &stat),
                Err(error) => Err(error),
            };
            match opened {
                Ok(raw) => drop(events.streams.insert(raw.id(), Watched::new(path, raw))),
                Err(error) => {
                    events.queue.push_back(WatchEvent { path, change: Change::Gone { error } });
                }
            }
        }
        events
    }

    /// Opens what is to be watched at its end: bytes for their bounds alone, entities to be read.
    fn start(&self, path: &RemotePath, stat: &Stat) -> Result<RawStream> {
        let Some(mode) = stat.mode() else {
            let (what, hint) = match stat.entry.kind {
                EntryKind::Object => ("an object", "call its methods"),
                _ => ("a directory", "watch what lies in it"),
            };
            let text = format!("{path} is {what}, not a stream");
            return Err(Error::new(Code::WRONG_KIND, text).with_hint(hint));
        };
        if stat.entry.kind == EntryKind::Items && !mode.flags().has_any(Flags::SEEK) {
            let text = format!(
                "{path} cannot be sought, so whoever watches it would be one of its readers: it \
                 would take elements from others or hold their sender up"
            );
            return Err(Error::new(Code::MODE_FORBIDS, text).with_hint("read it instead"));
        }
        let request = OpenRequest {
            on: path.into(),
            flags: Flags::READABLE,
            kind: None,
            start: if stat.bounds.end.is_some() { Pos::END } else { Pos::START },
            at_end: AtEnd::Follow,
            delivery: Delivery::Lossless,
            purpose: Purpose::Use,
            ahead: if stat.entry.kind == EntryKind::Items { Ahead::Auto } else { Ahead::Nothing },
            lazy: false,
            fingerprint: None,
            urgency: Urgency::USUAL,
        };
        RawStream::start(self.link.clone(), request, Some(Arc::clone(&self.watcher)))
    }

    /// Finds out what is new of a stream.
    fn look(&mut self, id: StreamId) {
        let Some(mut watched) = self.streams.remove(&id) else { return };
        let look = watched.look();
        let again = look.chunk.is_some() || look.skipped.is_some();
        let limits = self.link.limits().clone();
        let gone = watched.tell(look, &limits, &mut self.queue);
        if again {
            self.watcher.look_at(id);
        }
        if !gone || again {
            self.streams.insert(id, watched);
        }
    }
}

impl Watched {
    fn new(path: RemotePath, raw: RawStream) -> Self {
        let bounds = Bounds::default();
        Self { path, raw, schema: None, opened: false, ended: false, bounds, cut_at: None }
    }

    fn look(&mut self) -> Look {
        let id = self.raw.id();
        self.raw.link().shared().with(|state| {
            let at = state.proto.stream_position(id).unwrap_or_default().get();
            let outcome = state.proto.read(id, u64::MAX);
            // What lies before the cut and was not read yet comes first.
            if matches!(outcome, ReadOutcome::Failed(_) | ReadOutcome::Pending) {
                go_on_at_cut(&mut state.proto, id, &mut self.cut_at);
            }
            let link = &state.proto;
            let known = link.stream_state(id);
            // Bytes are not read; of entities the last ones may come after the news of their end.
            let ended = match link.stream_info(id).map(|info| info.kind) {
                Some(Kind::Bytes) => known.is_some_and(|state| state.ended),
                _ => matches!(outcome, ReadOutcome::End(_)),
            };
            let (chunk, skipped) = match outcome {
                ReadOutcome::Some(chunk) => (Some((at, chunk)), None),
                ReadOutcome::Gap { skipped, .. } => (None, Some(skipped)),
                ReadOutcome::End(_) | ReadOutcome::Failed(_) | ReadOutcome::Pending => (None, None),
            };
            let broken = match link.stream_over(id) {
                Some(fault) => Some(to_error(fault)),
                None => link.stream_fault(id).map(to_error),
            };
            Look {
                info: link.stream_info(id).cloned(),
                bounds: known.map(|state| state.bounds).unwrap_or_default(),
                ended,
                chunk,
                skipped,
                over: broken,
            }
        })
    }

    /// Queues what is new; says whether the stream is gone.
    fn tell(&mut self, look: Look, limits: &Limits, queue: &mut VecDeque<WatchEvent>) -> bool {
        let path = self.path.clone();
        let mut push = |change| queue.push_back(WatchEvent { path: path.clone(), change });
        let is_bytes = look.info.as_ref().is_some_and(|info| info.kind == Kind::Bytes);
        if let Some(info) = look.info
            && !std::mem::replace(&mut self.opened, true)
        {
            self.bounds = look.bounds;
            self.schema = info
                .schema
                .as_deref()
                .and_then(|bytes| SchemaDoc::decode(bytes, &mut Budget::new(limits)).ok());
            push(Change::Opened { kind: info.kind, len: look.bounds.len() });
        }
        if let Some((at, Chunk::Items(batch))) = &look.chunk {
            for (index, body) in batch.iter().enumerate() {
                let at = at.saturating_add(index as u64);
                match self.decode(body, batch.table(index as u64), limits) {
                    Some(value) => push(Change::Item { at, value }),
                    None => push(Change::Gap { skipped: 1 }),
                }
            }
        }
        if let Some(skipped) = look.skipped {
            push(Change::Gap { skipped });
        }
        let before = std::mem::replace(&mut self.bounds, look.bounds);
        if before.start != look.bounds.start || is_cut(before, look.bounds) {
            push(Change::Moved { bounds: look.bounds });
        } else if is_bytes && look.bounds.end > before.end {
            push(Change::Grew { len: look.bounds.len().unwrap_or_default() });
        }
        let all_read = is_bytes || look.chunk.is_none() && look.skipped.is_none();
        if look.ended && all_read && self.opened && !std::mem::replace(&mut self.ended, true) {
            push(Change::Ended { len: look.bounds.len() });
        }
        match look.over {
            Some(error) if look.chunk.is_none() && look.skipped.is_none() => {
                push(Change::Gone { error });
                true
            }
            _ => false,
        }
    }

    fn decode(&self, body: &[u8], table: &[Reference], limits: &Limits) -> Option<Entity> {
        match &self.schema {
            Some(schema) => decode_with(schema, body, table, &mut Budget::new(limits)).ok(),
            None => Entity::decode_with(body, table, limits).ok(),
        }
    }
}

/// Goes on where the data was cut, if that was before the place where it stood. Once: what cannot be
/// read there either stays a failure, and is told.
fn go_on_at_cut(link: &mut proto::Link, id: StreamId, tried: &mut Option<Pos>) {
    if matches!(link.take_seek_status(id), SeekStatus::Done(_)) {
        *tried = None;
    }
    let is_cut = |fault: &proto::Fault| fault.code == Code::TRUNCATED;
    if link.stream_over(id).is_some() || !link.stream_fault(id).is_some_and(is_cut) {
        return;
    }
    let end = link.stream_state(id).and_then(|state| state.bounds.end);
    let to = end.map_or(Pos::END, Pos::Abs);
    if *tried != Some(to) && link.seek(id, to, AtEnd::Follow, 0).is_ok() {
        *tried = Some(to);
    }
}

/// Whether an end that was known lies further to the front now.
fn is_cut(before: Bounds, now: Bounds) -> bool {
    matches!((before.end, now.end), (Some(before), Some(now)) if now < before)
}

impl Stream for Events {
    type Item = WatchEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.queue.pop_front() {
                return Poll::Ready(Some(event));
            }
            if this.streams.is_empty() {
                return Poll::Ready(None);
            }
            let id = ready!(this.watcher.poll_dirty(cx));
            this.look(id);
        }
    }
}
