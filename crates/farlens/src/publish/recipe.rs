//! How the data of one stream comes to be, each time a stream is opened.

use crate::{
    RemotePath, Result,
    data::{
        Directory, FileData, IterData, LogFile, LogLines, channel::Outlet, erased::ErasedData,
        live::LiveFile,
    },
};
use farlens_proto::Purpose;
use farlens_wire::{Bounds, Element, Kind, ModeOffer, schema::SchemaDoc};
use std::sync::Arc;

/// What is published, before a stream is opened on it.
pub(super) trait Recipe: Send + Sync {
    /// What a mode over the data must and may contain.
    fn offers(&self) -> ModeOffer;

    /// What its elements are, and their type.
    fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>);

    /// The data for one stream that reads. May block.
    fn open(&self) -> Result<Arc<dyn ErasedData>>;

    /// Whether opening it never blocks.
    fn opens_at_once(&self) -> bool {
        false
    }

    /// Whether what is published is there now. May block.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The type and the bounds, where opening would take what only a reader may have.
    fn glance(&self) -> Option<(Option<Arc<SchemaDoc>>, Bounds)> {
        None
    }

    /// The file, if it is one that streams may change.
    fn writable_file(&self) -> Option<&dyn WritableFile> {
        None
    }
}

/// A file that streams may change.
pub(super) trait WritableFile {
    /// Opens it for one stream. May block.
    fn open_live(&self, write: bool, purpose: Purpose) -> Result<LiveFile>;
}

/// Data that all streams share.
pub(super) struct Shared(pub(super) Arc<dyn ErasedData>);

impl Recipe for Shared {
    fn offers(&self) -> ModeOffer {
        self.0.offers()
    }

    fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>) {
        (self.0.kind(), self.0.schema())
    }

    fn open(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(Arc::clone(&self.0))
    }

    fn opens_at_once(&self) -> bool {
        true
    }
}

/// Each stream opens the file anew.
impl Recipe for FileData {
    fn offers(&self) -> ModeOffer {
        self.offers()
    }

    fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>) {
        (Kind::Bytes, None)
    }

    fn open(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(Arc::new(self.open()?))
    }

    fn check(&self) -> Result<()> {
        self.check()
    }

    fn writable_file(&self) -> Option<&dyn WritableFile> {
        self.is_writable().then_some(self)
    }
}

impl WritableFile for FileData {
    fn open_live(&self, write: bool, purpose: Purpose) -> Result<LiveFile> {
        self.open_live(write, purpose)
    }
}

/// A file of a directory, opened anew by each stream.
pub(super) struct InDirectory {
    pub(super) directory: Arc<Directory>,
    /// Where it lies there.
    pub(super) path: RemotePath,
}

impl Recipe for InDirectory {
    fn offers(&self) -> ModeOffer {
        self.directory.offers()
    }

    fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>) {
        (Kind::Bytes, None)
    }

    fn open(&self) -> Result<Arc<dyn ErasedData>> {
        let components: Vec<_> = self.path.components().collect();
        Ok(Arc::new(self.directory.open(&components)?))
    }

    fn check(&self) -> Result<()> {
        self.open().map(drop)
    }

    fn writable_file(&self) -> Option<&dyn WritableFile> {
        self.directory.is_writable().then_some(self)
    }
}

impl WritableFile for InDirectory {
    fn open_live(&self, write: bool, purpose: Purpose) -> Result<LiveFile> {
        let components: Vec<_> = self.path.components().collect();
        let purpose = match purpose {
            Purpose::Create if self.directory.is_append_only() => Purpose::Use,
            purpose => purpose,
        };
        self.directory.open_live(&components, write, purpose)
    }
}

/// One stream at a time takes it.
impl Recipe for IterData {
    fn offers(&self) -> ModeOffer {
        self.offers()
    }

    fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>) {
        (Kind::Items, self.schema())
    }

    fn open(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(Arc::new(self.open()?))
    }

    fn opens_at_once(&self) -> bool {
        true
    }

    fn glance(&self) -> Option<(Option<Arc<SchemaDoc>>, Bounds)> {
        Some((self.schema(), Bounds::open_end()))
    }
}

/// Opened once, when it is published, for all streams.
impl Recipe for LogFile {
    fn offers(&self) -> ModeOffer {
        self.offers()
    }

    fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>) {
        (Kind::Bytes, None)
    }

    fn open(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(Arc::new(self.open()?))
    }

    fn check(&self) -> Result<()> {
        self.check()
    }
}

/// Opened once, when it is published, for all streams.
impl Recipe for LogLines {
    fn offers(&self) -> ModeOffer {
        self.offers()
    }

    fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>) {
        (Kind::Items, String::schema())
    }

    fn open(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(Arc::new(self.open()?))
    }

    fn check(&self) -> Result<()> {
        self.check()
    }
}

/// Each stream becomes a reader of it.
impl Recipe for Arc<Outlet> {
    fn offers(&self) -> ModeOffer {
        Outlet::offers(self)
    }

    fn form(&self) -> (Kind, Option<Arc<SchemaDoc>>) {
        (Kind::Items, self.schema())
    }

    fn open(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(Arc::new(Outlet::open(self)))
    }

    fn opens_at_once(&self) -> bool {
        true
    }

    fn glance(&self) -> Option<(Option<Arc<SchemaDoc>>, Bounds)> {
        Some((self.schema(), self.bounds()))
    }
}
