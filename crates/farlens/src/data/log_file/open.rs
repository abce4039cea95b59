//! A log while it is followed.

use super::bell::Bell;
use super::follower::{Follower, Pace, open_regular};
use super::generations::Generations;
use super::log::{self, Found, Log};
use super::{offers, runtime};
use crate::data::storage::{BLOCKING_READ_BYTES, exhausted, on_pool};
use crate::data::{DataState, Fetched, ReadBudget, StreamerData, out_of_range};
use crate::{Error, Result};
use farlens_proto::{Chunk, Kind};
use farlens_wire::{Code, ModeOffer, Position};
use rustix::io::Errno;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// The least time between two looks, however much happens.
const LOOK_GAP: Duration = Duration::from_millis(1);

/// A log that is being followed. Clones share it; with the last one the following ends.
#[derive(Clone)]
pub struct OpenLog {
    pub(super) log: Arc<Log>,
    /// Absent when nothing will be added.
    pub(super) follower: Option<Arc<Task>>,
}

impl OpenLog {
    pub(in crate::data) fn follow(path: &Path, wait: bool, pace: Pace) -> Result<Self> {
        let runtime = runtime()?;
        let mut generations = Generations::default();
        match open_regular(path) {
            Err(error) if wait && error.kind() == io::ErrorKind::NotFound => {}
            opened => add(&mut generations, opened)?,
        }
        let log = Arc::new(Log::new(generations));
        let now = Instant::now().into_std();
        let follower = Follower::new(path.to_owned(), pace, Arc::clone(&log), now);
        let task = Task(runtime.spawn(run(follower, path.to_owned(), pace)).abort_handle());
        Ok(Self { log, follower: Some(Arc::new(task)) })
    }

    /// The bytes that a file has now, and none that come later.
    pub(in crate::data) fn fixed(path: &Path) -> Result<Self> {
        let mut generations = Generations::default();
        add(&mut generations, open_regular(path))?;
        generations.complete();
        Ok(Self { log: Arc::new(Log::new(generations)), follower: None })
    }

    pub(in crate::data) fn log(&self) -> &Arc<Log> {
        &self.log
    }
}

/// Ends a task when its last owner is gone.
pub(in crate::data) struct Task(pub(in crate::data) tokio::task::AbortHandle);

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
        let looked = Instant::now();
        let look = tokio::task::spawn_blocking(move || {
            follower.look(looked.into_std());
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

    /// What the present file is by now, so that the last state before a shutdown is told.
    async fn state(&self) -> Result<DataState> {
        if self.follower.is_some() {
            let log = Arc::clone(&self.log);
            on_pool(move || log.refresh()).await?;
        }
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

    /// A followed file has to be looked at, which may wait.
    fn state_now(&self) -> Option<Result<DataState>> {
        self.follower.is_none().then(|| Ok(self.log.state()))
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
