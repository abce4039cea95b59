//! What a server publishes: streams and directories at paths.

use crate::{
    Error, RemotePath, Result,
    data::{
        Channel, Directory, Entry, EntryKind, FileData, FixedData, IterData, SpoolData,
        StreamerData, Topic, channel::Outlet, erased::ErasedData,
    },
};
use bytes::Bytes;
use farlens_proto::Kind;
use farlens_wire::{Bounds, Code, Element, Flags, Mode, ModeOffer};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Semaphore;

/// A lens to publish: data and what peers may do with it.
///
/// The mode is judged when the streamer is published, against itself and against the data.
#[derive(Clone, Debug)]
pub struct Streamer {
    recipe: Recipe,
    flags: Option<Flags>,
}

/// How the data of one stream comes to be.
#[derive(Clone)]
enum Recipe {
    /// All streams share it.
    Shared(Arc<dyn ErasedData>),
    /// Each stream opens the file anew.
    File(FileData),
    /// One stream at a time takes it.
    Iter(Arc<IterData>),
    /// Each stream becomes a reader of it.
    Channel(Arc<Outlet>),
}

impl std::fmt::Debug for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shared(_) => f.write_str("Shared"),
            Self::File(file) => file.fmt(f),
            Self::Iter(_) => f.write_str("Iter"),
            Self::Channel(_) => f.write_str("Channel"),
        }
    }
}

/// Flags that a streamer has unless it is told otherwise, where its data can honour them.
const DEFAULT_FLAGS: Flags = Flags::from_bits(
    Flags::READABLE.bits()
        | Flags::SEEK.bits()
        | Flags::START_BOUNDED.bits()
        | Flags::END_BOUNDED.bits()
        | Flags::END_CAN_INC.bits(),
);

impl Streamer {
    /// A lens on data of any kind, shared by all streams, with everything that reading can use.
    pub fn new(data: impl StreamerData) -> Self {
        Self { recipe: Recipe::Shared(Arc::new(data)), flags: None }
    }

    /// The same with exactly these flags. [`crate::ServerBuilder::bind`] fails if the data cannot
    /// honour them or they contradict themselves.
    #[must_use]
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.flags = Some(flags);
        self
    }

    /// The mode that streams of this lens have.
    ///
    /// # Errors
    /// `USAGE` when the flags contradict themselves or the data.
    pub fn mode(&self) -> Result<Mode> {
        let offer = match &self.recipe {
            Recipe::Shared(data) => data.offers(),
            Recipe::File(file) => file.offers(),
            Recipe::Iter(iter) => iter.offers(),
            Recipe::Channel(channel) => channel.offers(),
        };
        mode_for(offer, self.flags)
    }

    /// Opens the data for one stream. May block.
    pub(crate) fn open(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(match &self.recipe {
            Recipe::Shared(data) => Arc::clone(data),
            Recipe::File(file) => Arc::new(file.open()?),
            Recipe::Iter(iter) => Arc::new(iter.open()?),
            Recipe::Channel(channel) => Arc::new(channel.open()),
        })
    }

    /// What it is, without taking what only one stream can have. May block.
    async fn stat(&self, name: &str) -> Result<Stat> {
        let flags = self.mode()?.flags();
        let taken = match &self.recipe {
            Recipe::Iter(iter) => Some((iter.schema(), Bounds::open_end())),
            Recipe::Channel(channel) => Some((channel.schema(), channel.bounds())),
            Recipe::Shared(_) | Recipe::File(_) => None,
        };
        if let Some((schema, bounds)) = taken {
            let schema = schema.map(|schema| schema.to_string());
            let entry = Entry::new(name, EntryKind::Items, bounds.len());
            return Ok(Stat { entry, flags: flags.bits(), bounds, schema });
        }
        let recipe = self.clone();
        let data = blocking(move || recipe.open()).await?;
        let bounds = data.state().await?.bounds;
        let kind = match data.kind() {
            Kind::Bytes => EntryKind::Bytes,
            Kind::Items => EntryKind::Items,
        };
        let schema = data.schema().map(|schema| schema.to_string());
        let entry = Entry::new(name, kind, bounds.len());
        Ok(Stat { entry, flags: flags.bits(), bounds, schema })
    }
}

fn mode_for(offer: ModeOffer, flags: Option<Flags>) -> Result<Mode> {
    let possible = Flags::from_bits(offer.possible.bits() & DEFAULT_FLAGS.bits());
    let flags = flags.unwrap_or(offer.required | possible);
    offer.mode(flags).map_err(|error| Error::new(Code::USAGE, format!("a mode is wrong: {error}")))
}

/// Something that can stand at a path.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Publication {
    /// A stream.
    Stream(Streamer),
    /// A directory, with all that lies beneath.
    Directory(Arc<Directory>),
}

impl Publication {
    /// Whether what is published is there now. May block.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Stream(Streamer { recipe: Recipe::File(file), .. }) => file.check(),
            Self::Stream(_) | Self::Directory(_) => Ok(()),
        }
    }
}

impl From<Streamer> for Publication {
    fn from(streamer: Streamer) -> Self {
        Self::Stream(streamer)
    }
}

impl From<FileData> for Publication {
    fn from(file: FileData) -> Self {
        Self::Stream(Streamer { recipe: Recipe::File(file), flags: None })
    }
}

impl From<IterData> for Publication {
    fn from(iter: IterData) -> Self {
        Self::Stream(Streamer { recipe: Recipe::Iter(Arc::new(iter)), flags: None })
    }
}

impl From<FixedData> for Publication {
    fn from(data: FixedData) -> Self {
        Self::Stream(Streamer::new(data))
    }
}

impl From<SpoolData> for Publication {
    fn from(data: SpoolData) -> Self {
        Self::Stream(Streamer::new(data))
    }
}

impl<T: Element + 'static> From<Topic<T>> for Publication {
    fn from(topic: Topic<T>) -> Self {
        Self::Stream(Streamer::new(topic))
    }
}

impl<T> From<Channel<T>> for Publication {
    fn from(channel: Channel<T>) -> Self {
        Self::Stream(Streamer { recipe: Recipe::Channel(channel.outlet), flags: None })
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What a stream opened there allows; nothing for a directory.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        Mode::try_from(self.flags).ok()
    }
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    /// Where the next page begins: behind this name. Nothing behind the last page.
    pub(crate) next: Option<String>,
}

/// Entries of one page: with the longest names they fit into one frame.
const PAGE: usize = 200;

/// Everything that a server publishes, by path.
#[derive(Debug, Default)]
pub(crate) struct Publications(BTreeMap<RemotePath, Publication>);

/// What stands at a path, or above it.
enum Place<'a> {
    Stream(&'a Streamer),
    Directory(&'a Arc<Directory>, RemotePath),
    /// Nothing but the way to publications beneath.
    Way,
}

impl Publications {
    pub(crate) fn insert(&mut self, path: &RemotePath, publication: Publication) -> Result<()> {
        if let Publication::Stream(streamer) = &publication {
            streamer.mode()?;
        }
        if self.0.insert(path.clone(), publication).is_some() {
            let text = format!("two things are published at {path}");
            return Err(Error::new(Code::USAGE, text));
        }
        Ok(())
    }

    /// The path that a ticket for everything carries.
    pub(crate) fn common_path(&self) -> RemotePath {
        match self.0.keys().next() {
            Some(path) if self.0.len() == 1 => path.clone(),
            _ => RemotePath::root(),
        }
    }

    fn find(&self, path: &RemotePath) -> Result<Place<'_>> {
        if let Some(Publication::Stream(streamer)) = self.0.get(path) {
            return Ok(Place::Stream(streamer));
        }
        let above = self.0.iter().rev().find_map(|(at, publication)| match publication {
            Publication::Directory(directory) => {
                Some(Place::Directory(directory, path.strip_prefix(at)?))
            }
            Publication::Stream(_) => None,
        });
        match above {
            Some(place) => Ok(place),
            None if path.is_root() || self.is_way(path) => Ok(Place::Way),
            None => Err(nothing_at(path)),
        }
    }

    /// Whether something is published beneath a path.
    fn is_way(&self, path: &RemotePath) -> bool {
        self.0.keys().any(|at| at != path && at.is_within(path))
    }

    /// Opens the data at a path, with the mode that streams on it have.
    pub(crate) async fn open(&self, path: &RemotePath) -> Result<(Arc<dyn ErasedData>, Mode)> {
        match self.find(path)? {
            Place::Stream(streamer) => {
                let (mode, streamer) = (streamer.mode()?, streamer.clone());
                let data = blocking(move || streamer.open()).await;
                Ok((data.map_err(|error| name_path(error, path))?, mode))
            }
            Place::Directory(directory, rest) => {
                let directory = Arc::clone(directory);
                let data: Arc<dyn ErasedData> = blocking(move || {
                    let components: Vec<_> = rest.components().collect();
                    Ok(Arc::new(directory.open(&components)?) as Arc<dyn ErasedData>)
                })
                .await
                .map_err(|error| name_path(error, path))?;
                let mode = mode_for(data.offers(), None)?;
                Ok((data, mode))
            }
            Place::Way => Err(nothing_at(path)),
        }
    }

    pub(crate) async fn stat(&self, path: &RemotePath) -> Result<Stat> {
        let name = path.file_name().unwrap_or_default();
        let way = || file_stat(Entry::new(name, EntryKind::Directory, None));
        let found = match self.find(path)? {
            Place::Stream(streamer) => streamer.stat(name).await,
            Place::Directory(directory, rest) => {
                let directory = Arc::clone(directory);
                let entry = blocking(move || {
                    let components: Vec<_> = rest.components().collect();
                    directory.stat(&components)
                });
                match entry.await {
                    Err(_) if self.is_way(path) => Ok(way()),
                    entry => entry.map(|entry| file_stat(Entry { name: name.into(), ..entry })),
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
            Place::Stream(_) => return self.stat(path).await.map(|stat| single(stat.entry)),
            Place::Directory(directory, rest) => {
                let (directory, after) = (Arc::clone(directory), after.clone());
                let page = blocking(move || {
                    let components: Vec<_> = rest.components().collect();
                    if directory.stat(&components)?.kind != EntryKind::Directory {
                        return Ok(single(directory.stat(&components)?));
                    }
                    let (entries, next) = directory.list(&components, after.as_deref(), PAGE)?;
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
        if found.entries.len() > PAGE {
            found.entries.truncate(PAGE);
            found.next = found.entries.last().map(|entry| entry.name.clone());
        }
        Ok(found)
    }

    /// The publications that lie beneath a path, or the next part of the way to them.
    async fn published_beneath(
        &self,
        path: &RemotePath,
        visible: impl Fn(&RemotePath) -> bool,
    ) -> Vec<Entry> {
        let mut entries = BTreeMap::new();
        for at in self.0.keys().filter(|at| *at != path && visible(at)) {
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

fn file_stat(entry: Entry) -> Stat {
    let flags = match entry.kind {
        EntryKind::Directory => Flags::NONE,
        _ => Mode::READ_FILE.flags(),
    };
    let end = entry.len.and_then(farlens_wire::Position::new);
    let bounds = end.map_or(Bounds::default(), Bounds::up_to);
    Stat { entry, flags: flags.bits(), bounds, schema: None }
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
