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
mod open;

pub(super) use follower::Pace;
pub(super) use log::{Found, Log};
pub use open::OpenLog;
pub(super) use open::Task;

use crate::{Error, Result};
use farlens_wire::{Code, Flags, ModeOffer};
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::runtime::Handle;

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
/// start gives [`super::Fetched::Nothing`].
///
/// What is lost and goes unnoticed: a file that is replaced twice, or cut and grown past its former
/// length, between two looks; and what was appended between the last look and a cut. Whoever writes
/// to a file that is cut has to open it with `O_APPEND`: otherwise it goes on behind a hole, which
/// reads as zeros.
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

#[cfg(test)]
mod tests;
