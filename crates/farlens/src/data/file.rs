//! A file as data: as it was when it was opened, or followed while it grows.
//!
//! [`FileData`] is a recipe; each stream opens the file anew and reads from its own [`OpenFile`].
//! What the page cache holds is read on the spot, everything else on the blocking pool.

use super::storage::{self, BLOCKING_READ_BYTES, FileStat, Storage, exhausted};
use super::{DataState, Fetched, ReadBudget, StreamerData, out_of_range};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{Chunk, Kind};
use farlens_wire::{Bounds, Code, Flags, ModeOffer, Position};
use parking_lot::Mutex;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    cmp::Ordering,
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How often a followed file is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// How files are opened: a FIFO does not block, and no child process inherits them.
pub(super) const OPEN_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// A file that is opened anew for each stream.
#[derive(Clone, Debug)]
pub struct FileData {
    path: PathBuf,
    follow: bool,
}

impl FileData {
    /// Publishes the regular file at `path` for reading. Nothing is opened yet. Symbolic links in
    /// the path are followed, since the one who publishes it names it.
    pub fn read_only(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), follow: false }
    }

    /// Whether what is appended later is part of the data; off by default.
    ///
    /// A followed file may only grow. It is looked at every 200 ms while a reader waits at its end,
    /// so a file that is cut and grows past its former end between two looks goes unnoticed.
    #[must_use]
    pub const fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// What a mode over this file must and may contain.
    #[must_use]
    pub fn offers(&self) -> ModeOffer {
        offers(self.follow)
    }

    /// Whether the file can be opened now. Blocks.
    pub(crate) fn check(&self) -> Result<()> {
        let named = |error: Error| {
            let text = format!("{} cannot be published", self.path.display());
            Error::new(error.code(), text).with_source(error)
        };
        self.open().map(drop).map_err(named)
    }

    /// Opens the file for one stream. Blocks, so it belongs on the blocking pool.
    ///
    /// # Errors
    /// `NOT_FOUND` where nothing is, `USAGE` for what is no regular file, `OVERLOADED` when no file
    /// can be opened any more, `STORAGE_IO` for anything else. The text does not show the path.
    pub fn open(&self) -> Result<OpenFile> {
        let fd =
            rustix::io::retry_on_intr(|| rustix::fs::open(&self.path, OPEN_FLAGS, Mode::empty()))
                .map_err(open_failed)?;
        OpenFile::from_fd(fd, self.follow)?
            .ok_or_else(|| Error::new(Code::USAGE, "the path leads to something that is no file"))
    }
}

/// A file opened for one stream. It stays readable when its name is removed or taken by another.
pub struct OpenFile {
    file: Arc<dyn Storage>,
    follow: bool,
    seen: Mutex<Seen>,
}

/// What is known of the length, in bytes.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The largest length that was reported: the end for good unless the file is followed.
    end: u64,
    /// The length that it was cut to.
    cut_to: Option<u64>,
}

impl OpenFile {
    /// Takes an open file; `None` unless it is a regular one.
    pub(super) fn from_fd(fd: OwnedFd, follow: bool) -> Result<Option<Self>> {
        let file = File::from(fd);
        let regular = storage::retry(|| file.metadata()).map_err(storage::io_failed)?.is_file();
        if !regular {
            return Ok(None);
        }
        Self::over(Arc::new(file), follow).map(Some)
    }

    fn over(file: Arc<dyn Storage>, follow: bool) -> Result<Self> {
        let end = storage::retry(|| file.stat()).map_err(storage::io_failed)?.size;
        Ok(Self { file, follow, seen: Mutex::new(Seen { end, cut_to: None }) })
    }

    /// Takes note of what the file is now; the state that follows from it.
    fn observe(&self, stat: FileStat) -> DataState {
        let mut seen = self.seen.lock();
        if stat.size < seen.end {
            seen.cut_to = Some(stat.size);
        } else if self.follow {
            seen.end = stat.size;
        }
        let end = if self.follow { stat.size } else { seen.end };
        DataState {
            bounds: bytes_to(end),
            version: version(stat, self.follow),
            ended: !self.follow,
        }
    }

    /// How many bytes a request may read, or its answer if that is known without reading.
    fn judge(&self, at: Position, budget: ReadBudget) -> Result<usize, Result<Fetched>> {
        let seen = *self.seen.lock();
        if let Some(size) = seen.cut_to {
            return Err(Err(truncated(size)));
        }
        if self.follow {
            // The system refuses a read that might go beyond the last offset there is.
            return match usize::try_from(Position::MAX.since(at)).unwrap_or(usize::MAX) {
                0 => Err(Ok(Fetched::Nothing)),
                rest => Ok(rest.min(budget.byte_count())),
            };
        }
        match seen.end.checked_sub(at.get()) {
            Some(0) => Err(Ok(Fetched::Nothing)),
            Some(rest) => Ok(usize::try_from(rest).unwrap_or(usize::MAX).min(budget.byte_count())),
            None => Err(Err(out_of_range(at, bytes_to(seen.end)))),
        }
    }

    /// What it means that nothing could be read at `at`; `None` when by now something can.
    async fn nothing_at(&self, at: Position) -> Option<Result<Fetched>> {
        let size = match storage::stat(&self.file).await {
            Ok(stat) => stat.size,
            Err(error) => return Some(Err(error)),
        };
        let mut seen = self.seen.lock();
        if size < seen.end {
            seen.cut_to = Some(size);
            return Some(Err(truncated(size)));
        }
        if self.follow {
            seen.end = size;
        }
        match size.cmp(&at.get()) {
            Ordering::Less => Some(Err(out_of_range(at, bytes_to(size)))),
            Ordering::Equal => Some(Ok(Fetched::Nothing)),
            Ordering::Greater => None,
        }
    }

    fn fetched(&self, at: Position, bytes: Bytes) -> Fetched {
        if self.follow {
            let mut seen = self.seen.lock();
            seen.end = seen.end.max(at.get().saturating_add(bytes.len() as u64));
        }
        Fetched::Some(Chunk::Bytes(bytes))
    }
}

impl StreamerData for OpenFile {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        offers(self.follow)
    }

    async fn state(&self) -> Result<DataState> {
        let state = self.observe(storage::stat(&self.file).await?);
        match self.seen.lock().cut_to {
            Some(size) => Err(truncated(size)),
            None => Ok(state),
        }
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let length = match self.judge(at, budget) {
            Ok(length) => length.min(BLOCKING_READ_BYTES),
            Err(answer) => return answer,
        };
        loop {
            let bytes = storage::read_blocking(&self.file, at.get(), length).await?;
            if !bytes.is_empty() {
                return Ok(self.fetched(at, bytes));
            }
            if let Some(answer) = self.nothing_at(at).await {
                return answer;
            }
        }
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let length = match self.judge(at, budget) {
            Ok(length) => length,
            Err(answer) => return Some(answer),
        };
        let read = storage::read_cached(&*self.file, at.get(), length)?;
        Some(read.map(|bytes| self.fetched(at, bytes)))
    }

    /// Looks every 200 ms, and at once the first time. A file that is not followed is not watched.
    async fn changed(&self, seen: DataState) -> DataState {
        if !self.follow {
            return std::future::pending().await;
        }
        loop {
            if let Ok(stat) = storage::stat(&self.file).await {
                let state = self.observe(stat);
                if state != seen {
                    return state;
                }
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    }
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("follow", &self.follow).finish_non_exhaustive()
    }
}

fn offers(follow: bool) -> ModeOffer {
    let bounded = Flags::READABLE | Flags::START_BOUNDED | Flags::END_BOUNDED;
    let required = if follow { bounded | Flags::END_CAN_INC } else { bounded };
    ModeOffer { required, possible: Flags::SEEK }
}

/// Device and inode; size and time of change too where the content is taken to stay.
fn version(stat: FileStat, follow: bool) -> Bytes {
    let mut bytes = [stat.device.to_be_bytes(), stat.inode.to_be_bytes()].concat();
    if !follow {
        bytes.extend(stat.size.to_be_bytes());
        bytes.extend(stat.modified.0.to_be_bytes());
        bytes.extend(stat.modified.1.to_be_bytes());
    }
    Bytes::from(bytes)
}

fn bytes_to(end: u64) -> Bounds {
    Bounds::up_to(Position::new(end).unwrap_or(Position::MAX))
}

fn truncated(size: u64) -> Error {
    Error::new(Code::TRUNCATED, format!("the file was truncated to {size} bytes while being read"))
}

fn open_failed(error: Errno) -> Error {
    if let Some(exhausted) = exhausted(error) {
        return exhausted;
    }
    let (code, message) = match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => {
            (Code::NOT_FOUND, "the published file does not exist")
        }
        Errno::NXIO | Errno::ISDIR => (Code::USAGE, "the path leads to something that is no file"),
        _ => (Code::STORAGE_IO, "the published file cannot be opened"),
    };
    Error::new(code, message).with_source(error)
}

#[cfg(test)]
mod tests;
