//! The lines of a file as entities, which are counted instead of the bytes.
//!
//! A splitter reads what the log of bytes beneath gains and remembers where every 256th line
//! begins; a read goes there and counts on. Nothing of the content stays in memory.

mod index;
mod lines;
mod split;

use super::log_file::{OpenLog, Pace, Task, cannot_publish, offers, runtime};
use super::storage::on_pool;
use super::{DataState, Fetched, ReadBudget, StreamerData};
use crate::Result;
use farlens_proto::Kind;
use farlens_wire::{Element, ModeOffer, Position, schema::SchemaDoc};
use lines::{Answer, Lines, Next};
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How long after a failed read of the file it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A text file whose lines are entities: each a `String` without its `\n` or `\r\n`.
///
/// What is no UTF-8 is replaced by U+FFFD. A line of more than 64 KiB is cut there, between two
/// characters, and goes on as the next line. The last line of a file counts once it has its
/// newline, or when the file is complete: nothing is appended to it any more.
///
/// The lines that were there in the beginning have to be found first, at the speed of the disk; the
/// state of the data is known after that, and lines are readable as soon as they are found.
///
/// Clones share one log.
#[derive(Clone, Debug)]
pub struct LogLines {
    path: PathBuf,
    follow: bool,
    wait: bool,
    pace: Pace,
    opened: Arc<Mutex<Option<OpenLines>>>,
}

impl LogLines {
    /// Publishes the lines of the regular file at `path`, with all that are appended to it and to
    /// its successors, by the rules of [`super::LogFile`]. Positions count lines. Where bytes are
    /// lost that were not split into lines yet, such as a line without its newline in a file that
    /// is cut, they count as one line that cannot be read.
    pub fn follow(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            follow: true,
            wait: false,
            pace: Pace::DEFAULT,
            opened: Arc::default(),
        }
    }

    /// Publishes the lines that the regular file at `path` has when it is published. What is
    /// appended later is not part of them.
    pub fn read_only(path: impl AsRef<Path>) -> Self {
        Self { follow: false, ..Self::follow(path) }
    }

    /// Whether a followed file may be absent when it is published; off by default.
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

    /// What a mode over lines must and may contain.
    #[must_use]
    pub fn offers(&self) -> ModeOffer {
        offers()
    }

    /// The lines, split from the first call on until the last handle to them is gone. Blocks, so it
    /// belongs on the blocking pool of a tokio runtime, with IO and time enabled.
    ///
    /// # Errors
    /// As [`super::LogFile::open`].
    pub fn open(&self) -> Result<OpenLines> {
        let mut opened = self.opened.lock();
        if let Some(lines) = &*opened {
            return Ok(lines.clone());
        }
        let bytes = if self.follow {
            OpenLog::follow(&self.path, self.wait, self.pace)?
        } else {
            OpenLog::fixed(&self.path)?
        };
        Ok(opened.insert(OpenLines::over(bytes, self.follow)?).clone())
    }

    /// As [`super::LogFile`] does.
    pub(crate) fn check(&self) -> Result<()> {
        self.open().map(drop).map_err(|error| cannot_publish(&self.path, error))
    }
}

/// Lines that are being split. Clones share them; with the last one the following ends.
#[derive(Clone)]
pub struct OpenLines {
    lines: Arc<Lines>,
    follow: bool,
    _bytes: OpenLog,
    _splitter: Arc<Task>,
}

impl OpenLines {
    fn over(bytes: OpenLog, follow: bool) -> Result<Self> {
        let lines = Arc::new(Lines::new(Arc::clone(bytes.log())));
        let splitter = Task(runtime()?.spawn(split(Arc::clone(&lines))).abort_handle());
        Ok(Self { lines, follow, _bytes: bytes, _splitter: Arc::new(splitter) })
    }
}

async fn split(lines: Arc<Lines>) {
    loop {
        let mut growth = std::pin::pin!(lines.log().news.notified());
        growth.as_mut().enable();
        let step = {
            let lines = Arc::clone(&lines);
            on_pool(move || lines.split()).await
        };
        lines.judge(step.as_ref().err());
        lines.news.notify_waiters();
        match step {
            Ok(Next::More) => {}
            Ok(Next::Wait) => growth.await,
            Ok(Next::Finish) => return,
            Err(_) => tokio::time::sleep(RETRY_AFTER).await,
        }
    }
}

impl StreamerData for OpenLines {
    fn kind(&self) -> Kind {
        Kind::Items
    }

    fn offers(&self) -> ModeOffer {
        offers()
    }

    /// That of `String`, by which a reader tells lines from entities that happen to be texts.
    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        String::schema()
    }

    async fn state(&self) -> Result<DataState> {
        loop {
            let mut news = std::pin::pin!(self.lines.news.notified());
            news.as_mut().enable();
            if let Some(state) = self.lines.settled_state() {
                return state;
            }
            news.await;
        }
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        loop {
            let mut news = std::pin::pin!(self.lines.news.notified());
            news.as_mut().enable();
            match self.lines.find(at) {
                Answer::Known(answer) => return answer,
                Answer::Later => news.await,
                Answer::From(near) => {
                    let lines = Arc::clone(&self.lines);
                    return on_pool(move || lines.read(near, at, budget)).await;
                }
            }
        }
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        match self.lines.find(at) {
            Answer::Known(answer) => Some(answer),
            Answer::Later => None,
            Answer::From(near) => self.lines.read_cached(near, at, budget),
        }
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        self.lines.settled_state()
    }

    fn is_live(&self) -> bool {
        self.follow
    }

    async fn changed(&self, seen: DataState) -> DataState {
        loop {
            let mut news = std::pin::pin!(self.lines.news.notified());
            news.as_mut().enable();
            let state = self.lines.state();
            if state != seen {
                return state;
            }
            news.await;
        }
    }
}

impl std::fmt::Debug for OpenLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenLines").field("state", &self.lines.state()).finish()
    }
}

#[cfg(test)]
mod tests;
