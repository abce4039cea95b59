//! A file as data: as it was when it was opened, followed while it grows, or changed by streams.
//!
//! [`FileData`] is a recipe; each stream opens the file anew. Where nobody may write, it reads from
//! its own [`OpenFile`]; otherwise from a [`LiveFile`], which shows what other streams change.
//! What the page cache holds is read on the spot, everything else on the blocking pool.

mod open;

pub use open::OpenFile;
pub(super) use open::{FOLLOW_EVERY, offers};

use super::{
    create::open_or_create,
    live::{self, LiveFile},
    replace::Part,
    storage::exhausted,
};
use crate::{Error, Result};
use farlens_proto::Purpose;
use farlens_wire::{Code, ModeOffer};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// How files are opened: a FIFO does not block, and no child process inherits them.
pub(super) const OPEN_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// How files are opened that are to be written, too.
pub(super) const CHANGE_FLAGS: OFlags =
    OFlags::RDWR.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// A file that is opened anew for each stream.
#[derive(Clone, Debug)]
pub struct FileData {
    path: PathBuf,
    follow: bool,
    writable: bool,
    append_only: bool,
    create: bool,
}

impl FileData {
    /// Publishes the regular file at `path` for reading. Nothing is opened yet. Symbolic links in
    /// the path are followed, since the one who publishes it names it.
    pub fn read_only(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self { path, follow: false, writable: false, append_only: false, create: false }
    }

    /// Publishes the regular file at `path` for reading, for writing in place and for being
    /// replaced, all as far as the grants of a peer go.
    ///
    /// All streams on the file see at once what one of them changes. Other programs should leave
    /// it alone meanwhile, unless they only append and it is [followed](FileData::follow).
    pub fn read_write(path: impl AsRef<Path>) -> Self {
        Self { writable: true, ..Self::read_only(path) }
    }

    /// Whether what other programs append later is part of the data; off by default.
    ///
    /// A followed file that nobody may write here may only grow. It is looked at every 200 ms while
    /// a reader waits at its end, so a file that is cut and grows past its former end between two
    /// looks goes unnoticed.
    #[must_use]
    pub const fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// Lets a file that may be written be written at its end and nowhere else, and not be replaced.
    #[must_use]
    pub const fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// Whether a file that may be written need not be there: who asks for that begins with an empty
    /// one. Off by default. Its directory must be there.
    #[must_use]
    pub const fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// What a mode over this file must and may contain.
    #[must_use]
    pub fn offers(&self) -> ModeOffer {
        if self.writable { live::offers(self.follow) } else { offers(self.follow) }
    }

    pub(crate) const fn is_writable(&self) -> bool {
        self.writable
    }

    pub(crate) const fn is_append_only(&self) -> bool {
        self.append_only
    }

    /// Whether the file can be opened now, or created where that is allowed. Blocks.
    pub(crate) fn check(&self) -> Result<()> {
        let named = |error: Error| {
            let text = format!("{} cannot be published", self.path.display());
            Error::new(error.code(), text).with_source(error)
        };
        let opened = match self.open_fd(self.writable) {
            Err(error) if self.create && error.code() == Code::NOT_FOUND => {
                return self.directory().map(drop).map_err(named);
            }
            opened => opened,
        };
        opened.and_then(|fd| regular(OpenFile::from_fd(fd, false)?)).map(drop).map_err(named)
    }

    /// Opens the file for one stream that reads it. Blocks, so it belongs on the blocking pool.
    ///
    /// # Errors
    /// `NOT_FOUND` where nothing is, `USAGE` for what is no regular file, `OVERLOADED` when no file
    /// can be opened any more, `STORAGE_IO` for anything else. The text does not show the path.
    pub fn open(&self) -> Result<OpenFile> {
        regular(OpenFile::from_fd(self.open_fd(false)?, self.follow)?)
    }

    /// Opens a file that may be written for one stream, which writes it or only reads. Blocks.
    ///
    /// # Errors
    /// As [`FileData::open`], `MODE_FORBIDS` where the file system does not let it be written, and
    /// what [`Part::begin`] fails with.
    pub(crate) fn open_live(&self, write: bool, purpose: Purpose) -> Result<LiveFile> {
        let open = || regular(LiveFile::from_file(self.open_fd(write)?.into(), self.follow)?);
        match purpose {
            Purpose::Create if self.create => {
                open_or_create(open, || self.directory(), self.name()?, self.follow)
            }
            Purpose::Replace { create } => self.replacement(create && self.create),
            _ => open(),
        }
    }

    /// Begins a file that is to take the place of this one, or of the one to which a link here
    /// leads.
    fn replacement(&self, may_be_new: bool) -> Result<LiveFile> {
        let real = std::fs::canonicalize(&self.path);
        let target = Self { path: real.unwrap_or_else(|_| self.path.clone()), ..self.clone() };
        let (part, file) = Part::begin(target.directory()?, target.name()?, may_be_new)?;
        LiveFile::replacing(file, part)
    }

    fn name(&self) -> Result<&OsStr> {
        let text = "the path leads to something that is no file";
        self.path.file_name().ok_or_else(|| Error::new(Code::USAGE, text))
    }

    fn directory(&self) -> Result<File> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        open_path(parent, OPEN_FLAGS.union(OFlags::DIRECTORY)).map(File::from)
    }

    fn open_fd(&self, write: bool) -> Result<OwnedFd> {
        open_path(&self.path, if write { CHANGE_FLAGS } else { OPEN_FLAGS })
    }
}

fn open_path(path: &Path, flags: OFlags) -> Result<OwnedFd> {
    rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))
        .map_err(|error| open_failed(error, flags.contains(OFlags::RDWR)))
}

fn regular<T>(file: Option<T>) -> Result<T> {
    file.ok_or_else(|| Error::new(Code::USAGE, "the path leads to something that is no file"))
}

fn open_failed(error: Errno, write: bool) -> Error {
    if let Some(exhausted) = exhausted(error) {
        return exhausted;
    }
    let (code, message) = match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => {
            (Code::NOT_FOUND, "the published file does not exist")
        }
        Errno::NXIO | Errno::ISDIR => (Code::USAGE, "the path leads to something that is no file"),
        Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY if write => {
            (Code::MODE_FORBIDS, "the file system does not let the published file be written")
        }
        _ => (Code::STORAGE_IO, "the published file cannot be opened"),
    };
    Error::new(code, message).with_source(error)
}
