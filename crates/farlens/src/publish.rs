//! What a server publishes: streams and directories at paths.

mod attenuated;
mod origin;
mod recipe;
mod streamer;

pub use crate::data::lease::{Expiry, Revoker};
pub use streamer::Streamer;

use crate::{
    Error, Listing, Remote, RemotePath, Result,
    data::{
        Channel, Directory, Entry, EntryKind, FileData, FixedData, IterData, LogFile, LogLines,
        MemData, SpoolData, Topic,
        erased::ErasedData,
        throttle::{Bucket, Throttled},
    },
    link::numbers::NumberHasher,
};
use bytes::Bytes;
use farlens_proto::{Purpose, Reach};
use farlens_wire::{Bounds, Code, Element, Flags, Mode, Position, Reference};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasherDefault,
    sync::Arc,
};
use streamer::default_mode;
pub(crate) use streamer::limited;
use tokio::sync::Semaphore;

/// Something that can stand at a path.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Publication {
    /// A stream.
    Stream(Streamer),
    /// A directory, with all that lies beneath.
    Directory(Arc<Directory>),
    /// An object that can be called.
    Object(Remote),
}

impl Publication {
    /// Whether what is published is there now. May block.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Stream(streamer) => streamer.origin().check(),
            Self::Directory(_) | Self::Object(_) => Ok(()),
        }
    }
}

impl From<Streamer> for Publication {
    fn from(streamer: Streamer) -> Self {
        Self::Stream(streamer)
    }
}

impl From<Remote> for Publication {
    fn from(object: Remote) -> Self {
        Self::Object(object)
    }
}

impl From<FileData> for Publication {
    fn from(file: FileData) -> Self {
        Self::Stream(file.into())
    }
}

impl From<IterData> for Publication {
    fn from(iter: IterData) -> Self {
        Self::Stream(iter.into())
    }
}

impl From<LogFile> for Publication {
    fn from(log: LogFile) -> Self {
        Self::Stream(log.into())
    }
}

impl From<LogLines> for Publication {
    fn from(lines: LogLines) -> Self {
        Self::Stream(lines.into())
    }
}

impl From<FixedData> for Publication {
    fn from(data: FixedData) -> Self {
        Self::Stream(data.into())
    }
}

impl From<MemData> for Publication {
    /// Peers may write it, as far as their grants go.
    fn from(data: MemData) -> Self {
        Self::Stream(Streamer::new(data).writable())
    }
}

impl From<SpoolData> for Publication {
    fn from(data: SpoolData) -> Self {
        Self::Stream(data.into())
    }
}

impl<T: Element + 'static> From<Topic<T>> for Publication {
    fn from(topic: Topic<T>) -> Self {
        Self::Stream(topic.into())
    }
}

impl<T> From<Channel<T>> for Publication {
    fn from(channel: Channel<T>) -> Self {
        Self::Stream(channel.into())
    }
}

impl From<Directory> for Publication {
    fn from(directory: Directory) -> Self {
        Self::Directory(Arc::new(directory))
    }
}

impl From<Vec<u8>> for Publication {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static [u8]> for Publication {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<Bytes> for Publication {
    fn from(bytes: Bytes) -> Self {
        FixedData::bytes(bytes).into()
    }
}

/// What is known of a path without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, crate::Schema)]
#[non_exhaustive]
pub struct Stat {
    /// Name, kind and length.
    pub entry: Entry,
    flags: u16,
    /// The places that exist.
    pub bounds: Bounds,
    /// The type of the entities, readable; none for bytes and untyped entities.
    pub schema: Option<String>,
}

impl Stat {
    /// What is known of something with this mode, or of a directory or object without one.
    #[must_use]
    pub fn new(entry: Entry, mode: Option<Mode>, bounds: Bounds, schema: Option<String>) -> Self {
        let flags = mode.map_or(Flags::NONE, Mode::flags).bits();
        Self { entry, flags, bounds, schema }
    }

    /// What a stream opened there allows; nothing for a directory.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        Mode::try_from(self.flags).ok()
    }

    /// The same for a peer that has only these of `READABLE` and `WRITABLE`.
    pub(crate) fn limited_to(mut self, granted: Flags) -> Self {
        let mode = self.mode().and_then(|mode| mode.limited_to(granted));
        self.flags = mode.map_or(Flags::NONE, Mode::flags).bits();
        self
    }
}

/// What was opened for a stream, and what its peer may do with it.
pub(crate) struct Found {
    pub(crate) data: Arc<dyn ErasedData>,
    pub(crate) mode: Mode,
    /// Whether elements that exist may not be changed.
    pub(crate) append_only: bool,
    /// How far the end may be moved.
    pub(crate) reach: Reach,
    /// Whether elements may be left out for a peer that wants only the latest.
    pub(crate) live: bool,
    /// Whether what was written is durable before a close of it has succeeded.
    pub(crate) sync_on_close: bool,
    /// Whether it may be taken back, also where nothing changes any more.
    pub(crate) leased: bool,
    /// What holds reads and writes back.
    throttles: Vec<Arc<Bucket>>,
}

impl Found {
    /// Data of another peer, which judges every change and may lose its link at any time.
    pub(crate) fn relayed(data: Arc<dyn ErasedData>, mode: Mode, append_only: bool) -> Self {
        let reach = Reach { end: Position::MAX, gap: u64::MAX };
        Self { append_only, reach, leased: true, ..Self::new(data, mode) }
    }

    /// Data that a peer may change as its mode says.
    fn new(data: Arc<dyn ErasedData>, mode: Mode) -> Self {
        let live = data.is_live();
        let reach = Reach::default();
        Self {
            data,
            mode,
            append_only: false,
            reach,
            live,
            sync_on_close: true,
            leased: false,
            throttles: Vec::new(),
        }
    }

    /// The same with what is read and written held back. That comes around everything else, so that
    /// what has waited is judged when its turn comes, and not before.
    fn throttled(mut self) -> Self {
        for bucket in self.throttles.drain(..) {
            self.data = Arc::new(Throttled::new(self.data, bucket));
        }
        self
    }
}

/// Everything that a server publishes, by path.
#[derive(Debug, Default)]
pub(crate) struct Publications {
    at: BTreeMap<RemotePath, Publication>,
    /// Where objects stand, by the numbers of their references; the first place of each.
    objects: HashMap<u64, RemotePath, BuildHasherDefault<NumberHasher>>,
}

/// What stands at a path, or above it.
enum Place<'a> {
    Stream(&'a Streamer),
    Object(&'a Remote),
    Directory(&'a Arc<Directory>, RemotePath),
    /// Nothing but the way to publications beneath.
    Way,
}

impl Publications {
    pub(crate) fn insert(&mut self, path: &RemotePath, publication: Publication) -> Result<()> {
        if let Publication::Stream(streamer) = &publication {
            streamer.mode()?;
        }
        if let Publication::Object(object) = &publication {
            let number = object.reference().number();
            self.objects.entry(number).or_insert_with(|| path.clone());
        }
        if self.at.insert(path.clone(), publication).is_some() {
            let text = format!("two things are published at {path}");
            return Err(Error::new(Code::USAGE, text));
        }
        Ok(())
    }

    /// Where an object is published.
    pub(crate) fn path_of(&self, object: &Reference) -> Option<&RemotePath> {
        self.objects.get(&object.number())
    }

    /// The path that a ticket for everything carries.
    pub(crate) fn common_path(&self) -> RemotePath {
        match self.at.keys().next() {
            Some(path) if self.at.len() == 1 => path.clone(),
            _ => RemotePath::root(),
        }
    }

    fn find(&self, path: &RemotePath) -> Result<Place<'_>> {
        match self.at.get(path) {
            Some(Publication::Stream(streamer)) => return Ok(Place::Stream(streamer)),
            Some(Publication::Object(object)) => return Ok(Place::Object(object)),
            _ => {}
        }
        let above = self.at.iter().rev().find_map(|(at, publication)| match publication {
            Publication::Directory(directory) => {
                Some(Place::Directory(directory, path.strip_prefix(at)?))
            }
            Publication::Stream(_) | Publication::Object(_) => None,
        });
        match above {
            Some(place) => Ok(place),
            None if path.is_root() || self.is_way(path) => Ok(Place::Way),
            None => Err(nothing_at(path)),
        }
    }

    /// Whether something is published beneath a path.
    fn is_way(&self, path: &RemotePath) -> bool {
        self.at.keys().any(|at| at != path && at.is_within(path))
    }

    /// Opens the data at a path for a peer that may have these of `READABLE` and `WRITABLE`.
    pub(crate) async fn open(
        &self,
        path: &RemotePath,
        wanted: Flags,
        purpose: Purpose,
    ) -> Result<Found> {
        let found = match self.find(path)? {
            Place::Stream(streamer) => streamer.clone().open_aside(wanted, purpose).await,
            Place::Directory(directory, rest) => {
                Streamer::in_directory(directory, rest).open_aside(wanted, purpose).await
            }
            Place::Object(_) => Err(no_stream(path)),
            Place::Way => Err(nothing_at(path)),
        };
        found.map_err(|error| name_path(error, path))
    }

    /// The object at a path.
    pub(crate) fn object(&self, path: &RemotePath) -> Result<Remote> {
        match self.find(path)? {
            Place::Object(object) => Ok(object.clone()),
            Place::Stream(_) | Place::Directory(..) => Err(no_object(path)),
            Place::Way => Err(nothing_at(path)),
        }
    }

    /// Where there are objects at a path or beneath it.
    pub(crate) fn objects_within(&self, path: &RemotePath) -> impl Iterator<Item = &RemotePath> {
        let objects = self.at.iter().filter_map(|(at, publication)| match publication {
            Publication::Object(_) => Some(at),
            Publication::Stream(_) | Publication::Directory(_) => None,
        });
        objects.filter(|at| at.is_within(path))
    }

    /// The stream at a path, which is there.
    pub(crate) async fn streamer(&self, path: &RemotePath) -> Result<Streamer> {
        match self.find(path)? {
            Place::Stream(streamer) => Ok(streamer.clone()),
            Place::Directory(directory, rest) => {
                let streamer = Streamer::in_directory(directory, rest);
                let checked = streamer.clone();
                let there = blocking(move || checked.origin().check()).await;
                there.map(|()| streamer).map_err(|error| name_path(error, path))
            }
            Place::Object(_) => Err(no_stream(path)),
            Place::Way => Err(nothing_at(path)),
        }
    }

    pub(crate) async fn stat(&self, path: &RemotePath) -> Result<Stat> {
        let name = path.file_name().unwrap_or_default();
        let way = || file_stat(Entry::new(name, EntryKind::Directory, None), None);
        let found = match self.find(path)? {
            Place::Stream(streamer) => streamer.stat(name).await,
            Place::Object(object) => Ok(object_stat(name, object)),
            Place::Directory(directory, rest) => {
                let mode = default_mode(directory.offers(), directory.is_writable()).ok();
                let directory = Arc::clone(directory);
                let entry = blocking(move || {
                    let components: Vec<_> = rest.components().collect();
                    directory.stat(&components)
                });
                match entry.await {
                    Err(_) if self.is_way(path) => Ok(way()),
                    entry => {
                        entry.map(|entry| file_stat(Entry { name: name.into(), ..entry }, mode))
                    }
                }
            }
            Place::Way => Ok(way()),
        };
        found.map_err(|error| name_path(error, path))
    }

    /// The first entries at a path after a name, of those that `visible` lets pass.
    pub(crate) async fn list(
        &self,
        path: &RemotePath,
        after: Option<String>,
        visible: impl Fn(&RemotePath) -> bool,
    ) -> Result<Listing> {
        let mut found = match self.find(path)? {
            Place::Stream(_) | Place::Object(_) => {
                return self.stat(path).await.map(|stat| single(stat.entry));
            }
            Place::Directory(directory, rest) => {
                let (directory, after) = (Arc::clone(directory), after.clone());
                let page = blocking(move || {
                    let components: Vec<_> = rest.components().collect();
                    if directory.stat(&components)?.kind != EntryKind::Directory {
                        return Ok(single(directory.stat(&components)?));
                    }
                    let (entries, next) =
                        directory.list(&components, after.as_deref(), Listing::PAGE)?;
                    Ok(Listing { entries, next })
                });
                match page.await {
                    Err(_) if self.is_way(path) => Listing::default(),
                    page => page.map_err(|error| name_path(error, path))?,
                }
            }
            Place::Way => Listing::default(),
        };
        found.entries.retain(|entry| path.join(&entry.name).is_ok_and(|at| visible(&at)));
        for entry in self.published_beneath(path, &visible).await {
            let before = found.next.as_ref().is_none_or(|next| entry.name <= *next);
            if before && after.as_ref().is_none_or(|after| entry.name > *after) {
                found.entries.retain(|other| other.name != entry.name);
                found.entries.push(entry);
            }
        }
        found.entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found.cut())
    }

    /// The publications that lie beneath a path, or the next part of the way to them.
    async fn published_beneath(
        &self,
        path: &RemotePath,
        visible: impl Fn(&RemotePath) -> bool,
    ) -> Vec<Entry> {
        let mut entries = BTreeMap::new();
        for at in self.at.keys().filter(|at| *at != path && visible(at)) {
            let Some(rest) = at.strip_prefix(path) else { continue };
            let Some(name) = rest.components().next() else { continue };
            let direct = path.join(name).ok().filter(|direct| direct == at);
            let stat = match &direct {
                Some(direct) => Box::pin(self.stat(direct)).await.ok(),
                None => None,
            };
            match (direct, stat) {
                (_, Some(stat)) => drop(entries.insert(name.to_owned(), stat.entry)),
                // What is gone is not shown, unless something lies beneath it.
                (Some(_), None) => {}
                (None, None) => {
                    let way = Entry::new(name, EntryKind::Directory, None);
                    entries.entry(name.to_owned()).or_insert(way);
                }
            }
        }
        entries.into_values().collect()
    }
}

fn single(entry: Entry) -> Listing {
    Listing { entries: vec![entry], next: None }
}

/// What is known of a file or directory; streams on a file have this mode.
fn file_stat(entry: Entry, mode: Option<Mode>) -> Stat {
    let mode = mode.filter(|_| entry.kind != EntryKind::Directory);
    let flags = mode.map_or(Flags::NONE, Mode::flags);
    let end = entry.len.and_then(farlens_wire::Position::new);
    let bounds = end.map_or(Bounds::default(), Bounds::up_to);
    Stat { entry, flags: flags.bits(), bounds, schema: None }
}

/// What is known of an object.
fn object_stat(name: &str, object: &Remote) -> Stat {
    let entry = Entry::new(name, EntryKind::Object, None);
    let schema = object.interface_name();
    Stat { entry, flags: Flags::NONE.bits(), bounds: Bounds::default(), schema }
}

fn no_stream(path: &RemotePath) -> Error {
    Error::new(Code::WRONG_KIND, format!("what is published at {path} is no stream"))
        .with_hint("look it up as an object and call its methods")
}

fn no_object(path: &RemotePath) -> Error {
    Error::new(Code::WRONG_KIND, format!("what is published at {path} is no object"))
        .with_hint("open it as a stream")
}

pub(crate) fn nothing_at(path: &RemotePath) -> Error {
    Error::new(Code::NOT_FOUND, format!("nothing is published at {path}"))
}

/// Says where something is missing; sources do not know their path.
fn name_path(error: Error, path: &RemotePath) -> Error {
    // What became a device or a directory since it was published is no file for the peer.
    let missing = matches!(error.code(), Code::NOT_FOUND | Code::USAGE);
    if missing { nothing_at(path) } else { error }
}

/// Threads that look at files for peers at a time, whatever they ask for and take back.
static BLOCKING: Semaphore = Semaphore::const_new(8);

/// Runs what may block on the pool for such work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    // The permit lasts as long as the work does, also where nobody waits for it any more.
    let permit = BLOCKING.acquire().await;
    let work = move || {
        let _permit = permit;
        work()
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Error::new(Code::INTERNAL, "the source failed inside")))
}
