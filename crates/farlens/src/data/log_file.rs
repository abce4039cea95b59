//! A followed file as a log: bytes whose positions go on when the file is rotated.
//!
//! ```text
//!   app.log, inode 1  |  app.log, inode 2  |  app.log, inode 3
//!   0 ........... 899 | 900 ........ 1,399 | 1,400 .... grows
//! ```
//!
//! One follower looks after the path from the first [`LogFile::open`] on, for all streams. It is
//! woken by inotify where there is such a thing, and looks once a second all the same; elsewhere it
//! looks every 250 ms. What it believes are only the files themselves.

mod bell;
mod follower;
mod generations;
mod log;

pub(super) use follower::Pace;
pub(super) use log::{Found, Log};

use super::storage::{BLOCKING_READ_BYTES, exhausted, on_pool};
use super::{DataState, Fetched, ReadBudget, StreamerData, out_of_range};
use crate::{Error, Result};
use bell::Bell;
use farlens_proto::{Chunk, Kind};
use farlens_wire::{Code, Flags, ModeOffer, Position};
use follower::{Follower, open_regular};
use generations::Generations;
use parking_lot::Mutex;
use rustix::io::Errno;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// The least time between two looks, however much happens.
const LOOK_GAP: Duration = Duration::from_millis(1);

/// A file that is appended to and rotated, as one sequence of bytes.
///
/// Position 0 is the first byte of the file as it is when it is published, and positions never go
/// back. A rotation is noticed in two forms:
///
/// - *The path leads to another file.* The old file is followed until it has not grown for 250 ms
///   since the new one was noticed; then the new one's first byte has the position behind the old
///   one's last. What is written to the old file later is not part of the log. While a writer
///   never rests in the old file, four more files may wait; with a fifth the oldest takes over.
///   Every file that the path leads to anew is taken from its first byte.
/// - *The file is shorter than it was known to be*, or an old one is. Nothing that came before can
///   be read any more, and the bytes that it has now follow the last position that was known.
///
/// The path may lead nowhere for any time. The four files before the present one stay open and
/// readable, also when they are removed, and take up their space so long; with a fifth the start of
/// the data moves up, as it does to the end of a file that was cut. A read of a position below the
/// start gives [`Fetched::Nothing`].
///
/// What is lost and goes unnoticed: a file that is replaced twice, or cut and grown past its former
/// length, between two looks; and what was appended between the last look and a cut.
///
/// Clones share one log.
#[derive(Clone, Debug)]
pub struct LogFile {
    path: PathBuf,
    wait: bool,
    pace: Pace,
    opened: Arc<Mutex<Option<OpenLog>>>,
}

impl LogFile {
    /// Publishes the regular file at `path`, with all that is appended to it and to its successors.
    /// Nothing is opened yet. Symbolic links in the path are followed, since the one who publishes
    /// it names it.
    pub fn follow(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self { path, wait: false, pace: Pace::DEFAULT, opened: Arc::default() }
    }

    /// Whether the file may be absent when it is published; off by default. The log is empty then
    /// until the file comes.
    #[must_use]
    pub const fn wait(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// For tests, which have no time.
    #[cfg(test)]
    pub(super) const fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// What a mode over a log must and may contain.
    #[must_use]
    pub fn offers(&self) -> ModeOffer {
        offers()
    }

    /// The log, followed from the first call on until the last handle to it is gone. Blocks, so it
    /// belongs on the blocking pool of a tokio runtime, with IO and time enabled.
    ///
    /// # Errors
    /// `NOT_FOUND` where nothing is unless [`LogFile::wait`] allows it, `USAGE` for what is no
    /// regular file and outside of a runtime, `OVERLOADED` when no file can be opened any more,
    /// `STORAGE_IO` for anything else. The text does not show the path.
    pub fn open(&self) -> Result<OpenLog> {
        let mut opened = self.opened.lock();
        if let Some(log) = &*opened {
            return Ok(log.clone());
        }
        let log = OpenLog::follow(&self.path, self.wait, self.pace)?;
        Ok(opened.insert(log).clone())
    }

    /// Opens it now, so that what is absent is an error and nothing goes unnoticed from now on.
    /// Blocks.
    pub(crate) fn check(&self) -> Result<()> {
        self.open().map(drop).map_err(|error| cannot_publish(&self.path, error))
    }
}

/// A log that is being followed. Clones share it; with the last one the following ends.
#[derive(Clone)]
pub struct OpenLog {
    log: Arc<Log>,
    /// Absent when nothing will be added.
    _follower: Option<Arc<Task>>,
}

impl OpenLog {
    pub(super) fn follow(path: &Path, wait: bool, pace: Pace) -> Result<Self> {
        let runtime = runtime()?;
        let mut generations = Generations::default();
        match open_regular(path) {
            Err(error) if wait && error.kind() == io::ErrorKind::NotFound => {}
            opened => add(&mut generations, opened)?,
        }
        let log = Arc::new(Log::new(generations));
        let follower = Follower::new(path.to_owned(), pace, Arc::clone(&log), Instant::now());
        let task = Task(runtime.spawn(run(follower, path.to_owned(), pace)).abort_handle());
        Ok(Self { log, _follower: Some(Arc::new(task)) })
    }

    /// The bytes that a file has now, and none that come later.
    pub(super) fn fixed(path: &Path) -> Result<Self> {
        let mut generations = Generations::default();
        add(&mut generations, open_regular(path))?;
        generations.complete();
        Ok(Self { log: Arc::new(Log::new(generations)), _follower: None })
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }
}

/// Ends a task when its last owner is gone.
pub(super) struct Task(pub(super) tokio::task::AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(mut follower: Follower, path: PathBuf, pace: Pace) {
    let mut bell = None;
    if pace.notified
        && let Some((ringing, watches)) = Bell::new(&path)
    {
        bell = Some(ringing);
        follower.watch_with(watches);
    }
    loop {
        let looked = tokio::time::Instant::now();
        let look = tokio::task::spawn_blocking(move || {
            follower.look(Instant::now());
            follower
        });
        let Ok(back) = look.await else { return };
        follower = back;
        let rung = async {
            match &bell {
                Some(bell) => bell.rung().await,
                None => std::future::pending().await,
            }
        };
        // Running out of patience is as good a reason to look as the bell.
        let _ = tokio::time::timeout(follower.patience(), rung).await;
        tokio::time::sleep_until(looked + LOOK_GAP).await;
    }
}

impl StreamerData for OpenLog {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        offers()
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.log.state())
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let log = Arc::clone(&self.log);
        let length = budget.byte_count().min(BLOCKING_READ_BYTES);
        let found = on_pool(move || log.read(at.get(), length)).await?;
        self.fetched(at, found)
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let found = self.log.read_cached(at.get(), budget.byte_count())?;
        Some(found.and_then(|found| self.fetched(at, found)))
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        Some(Ok(self.log.state()))
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn changed(&self, seen: DataState) -> DataState {
        loop {
            let mut news = std::pin::pin!(self.log.news.notified());
            news.as_mut().enable();
            let state = self.log.state();
            if state != seen {
                return state;
            }
            news.await;
        }
    }
}

impl OpenLog {
    fn fetched(&self, at: Position, found: Found) -> Result<Fetched> {
        match found {
            Found::Piece(piece) => Ok(Fetched::Some(Chunk::Bytes(piece.bytes))),
            Found::Gone | Found::End => Ok(Fetched::Nothing),
            Found::Outside => Err(out_of_range(at, self.log.state().bounds)),
        }
    }
}

impl std::fmt::Debug for OpenLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenLog").field("state", &self.log.state()).finish()
    }
}

/// A log grows at its end and loses its start.
pub(super) fn offers() -> ModeOffer {
    ModeOffer {
        required: Flags::READABLE
            | Flags::START_BOUNDED
            | Flags::START_CAN_INC
            | Flags::END_BOUNDED
            | Flags::END_CAN_INC,
        possible: Flags::SEEK,
    }
}

/// Names the path for the one who publishes it.
pub(super) fn cannot_publish(path: &Path, error: Error) -> Error {
    Error::new(error.code(), format!("{} cannot be published", path.display())).with_source(error)
}

/// The runtime that the caller runs in.
pub(super) fn runtime() -> Result<Handle> {
    Handle::try_current().map_err(|error| {
        Error::new(Code::USAGE, "a log can only be opened within a tokio runtime")
            .with_source(error)
    })
}

fn add(generations: &mut Generations, opened: io::Result<Option<std::fs::File>>) -> Result<()> {
    let file = opened
        .map_err(open_failed)?
        .ok_or_else(|| Error::new(Code::USAGE, "the path leads to something that is no file"))?;
    let file = Arc::new(file);
    let length = log::length_of(&file)?;
    generations.push(file, length);
    Ok(())
}

fn open_failed(error: io::Error) -> Error {
    let errno = Errno::from_io_error(&error);
    if let Some(exhausted) = errno.and_then(exhausted) {
        return exhausted;
    }
    let (code, message) = match errno {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => {
            (Code::NOT_FOUND, "the published file does not exist")
        }
        _ => (Code::STORAGE_IO, "the published file cannot be opened"),
    };
    Error::new(code, message).with_source(error)
}

#[cfg(test)]
mod tests;
