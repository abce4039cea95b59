//! A file that streams may change, opened for one of them.
//!
//! Changes go to the file itself, one after the other. Streams on the same file share an [`Inode`],
//! so each sees at once what another did.

mod inode;

use super::{
    DataState, Fetched, ReadBudget, Stored, StreamerData,
    file::FOLLOW_EVERY,
    news::Pace,
    replace::Part,
    storage::{self, BLOCKING_READ_BYTES, READ_TRIES, Storage, io_failed, on_pool},
    wrong_kind,
};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{Chunk, Kind, Rules};
use farlens_wire::{Code, Edge, Flags, ModeOffer, Pos, Position};
use inode::Inode;
use std::{fs::File, sync::Arc};
use tokio::{runtime, sync::OwnedSemaphorePermit};

/// A file opened for one stream, which may change it if the mode says so.
pub(crate) struct LiveFile {
    handle: Arc<Handle>,
    /// Whether what other programs append is looked for.
    follow: bool,
    /// The right to be the only writer, which changes under way keep beyond the stream.
    permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// What work on the blocking pool holds, beyond the life of the stream if need be.
struct Handle {
    // Given up before the descriptor is, as `Inode` demands.
    inode: Arc<Inode>,
    file: Arc<dyn Storage>,
    /// Where the file goes, if it is to replace another.
    part: Option<Part>,
}

impl Drop for Handle {
    /// What is unfinished is removed on the blocking pool, since streams are dropped on a link's own
    /// task and a large file takes its time to go.
    fn drop(&mut self) {
        let Some(part) = self.part.take_if(|part| !part.is_finished()) else { return };
        if let Ok(runtime) = runtime::Handle::try_current() {
            let file = Arc::clone(&self.file);
            runtime.spawn_blocking(move || drop((part, file)));
        }
    }
}

impl LiveFile {
    /// Takes an open file; `None` unless it is a regular one. Blocks.
    pub(super) fn from_file(file: File, follow: bool) -> Result<Option<Self>> {
        if !storage::retry(|| file.metadata()).map_err(io_failed)?.is_file() {
            return Ok(None);
        }
        let stat = storage::retry(|| Storage::stat(&file)).map_err(io_failed)?;
        Ok(Some(Self::new(Inode::shared(stat), Arc::new(file), None, follow)))
    }

    /// Takes a regular file that was created in a directory. Blocks.
    pub(super) fn created(file: File, directory: File, follow: bool) -> Result<Self> {
        let stat = storage::retry(|| Storage::stat(&file)).map_err(io_failed)?;
        let live = Self::new(Inode::shared(stat), Arc::new(file), None, follow);
        live.handle.inode.was_created_in(Box::new(directory));
        Ok(live)
    }

    /// Takes a file that is to replace another. Blocks.
    pub(super) fn replacing(file: Arc<dyn Storage>, part: Part) -> Result<Self> {
        let stat = storage::retry(|| file.stat()).map_err(io_failed)?;
        Ok(Self::new(Arc::new(Inode::new(stat)), file, Some(part), false))
    }

    fn new(inode: Arc<Inode>, file: Arc<dyn Storage>, part: Option<Part>, follow: bool) -> Self {
        Self { handle: Arc::new(Handle { inode, file, part }), follow, permit: None }
    }

    /// The same with a permit that is given back once the last change is over.
    pub(crate) fn holding(self, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { permit: permit.map(Arc::new), ..self }
    }

    /// What the stream reads and writes.
    #[cfg(test)]
    pub(super) fn storage(&self) -> &Arc<dyn Storage> {
        &self.handle.file
    }

    /// How many bytes a request may read; none at the end as it is known.
    fn length(&self, at: Position, budget: ReadBudget) -> Option<usize> {
        let rest = self.handle.inode.facts().end.checked_sub(at.get()).filter(|rest| *rest > 0)?;
        Some(usize::try_from(rest).unwrap_or(usize::MAX).min(budget.byte_count()))
    }

    /// Runs a change on the blocking pool, to its end even when nobody waits for it any more.
    async fn on_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Handle) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (handle, permit) = (Arc::clone(&self.handle), self.permit.clone());
        let work = move || {
            let _permit = permit;
            work(&handle)
        };
        on_pool(work).await
    }
}

impl Handle {
    fn look(&self) -> Result<DataState> {
        Ok(self.inode.state(self.inode.change(&*self.file)?.facts()))
    }

    fn write(&self, to: Pos, bytes: &[u8], rules: &Rules) -> Result<Stored> {
        let change = self.inode.change(&*self.file)?;
        self.check_unfinished()?;
        let state = self.inode.state(change.facts());
        let room = state.judge_write(rules, to, bytes.len() as u64)?;
        let fits = usize::try_from(room.elements).unwrap_or(usize::MAX).min(bytes.len());
        let at = room.at.get();
        let stored = storage::write_most(&*self.file, bytes.get(..fits).unwrap_or(bytes), at)?;
        change.wrote(at, at.saturating_add(stored as u64));
        Ok(Stored { at: room.at, elements: stored as u64 })
    }

    fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        let change = self.inode.change(&*self.file)?;
        self.check_unfinished()?;
        let at = self.inode.state(change.facts()).judge_truncate(rules, edge, to)?;
        match edge {
            Edge::Before if at > Position::ZERO => {
                return Err(Error::new(Code::MODE_FORBIDS, "the start of a file must stay"));
            }
            Edge::Before => {}
            Edge::After => {
                storage::retry(|| self.file.set_len(at.get())).map_err(io_failed)?;
                change.moved_to(at.get());
            }
        }
        Ok(at)
    }

    fn sync(&self, finish: bool) -> Result<()> {
        self.inode.sync(|| match &self.part {
            Some(part) if part.is_finished() => Ok(()),
            Some(part) if finish => {
                // No write may be under way when the file gets its name.
                let _still = self.inode.change(&*self.file)?;
                part.finish(&*self.file)
            }
            _ => storage::retry(|| self.file.sync_data()).map_err(io_failed),
        })
    }

    /// A replacement of which a change failed is not whole.
    fn note<T>(&self, outcome: Result<T>) -> Result<T> {
        match &self.part {
            Some(part) => part.note(outcome),
            None => outcome,
        }
    }

    /// What has taken its place is no longer this stream's to change.
    fn check_unfinished(&self) -> Result<()> {
        match &self.part {
            Some(part) if part.is_finished() => {
                Err(Error::new(Code::CLOSED, "the replacement is finished"))
            }
            _ => Ok(()),
        }
    }
}

impl StreamerData for LiveFile {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        offers(self.follow)
    }

    async fn state(&self) -> Result<DataState> {
        self.on_pool(Handle::look).await
    }

    /// The state as the last change here has left it. What other programs append to a followed file
    /// is found by a look at it, which may wait.
    fn state_now(&self) -> Option<Result<DataState>> {
        let inode = &self.handle.inode;
        (!self.follow).then(|| Ok(inode.state(inode.facts())))
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let mut looked = false;
        for _ in 0..READ_TRIES {
            if let Some(length) = self.length(at, budget) {
                let length = length.min(BLOCKING_READ_BYTES);
                let bytes = storage::read_blocking(&self.handle.file, at.get(), length).await?;
                if !bytes.is_empty() {
                    return Ok(Fetched::Some(Chunk::Bytes(bytes)));
                }
            } else if looked {
                return Ok(Fetched::Nothing);
            }
            // Another program may have moved the end.
            self.state().await?;
            looked = true;
        }
        Err(storage::lost())
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let Some(length) = self.length(at, budget) else {
            return if self.follow { None } else { Some(Ok(Fetched::Nothing)) };
        };
        let read = storage::read_cached(&*self.handle.file, at.get(), length)?;
        Some(read.map(|bytes: Bytes| Fetched::Some(Chunk::Bytes(bytes))))
    }

    fn read_now_into(&self, at: Position, room: &mut [u8]) -> Option<Result<usize>> {
        let budget = ReadBudget { bytes: room.len(), elements: u64::MAX };
        let room = room.get_mut(..self.length(at, budget)?)?;
        storage::read_cached_into(&*self.handle.file, at.get(), room)
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        let Chunk::Bytes(bytes) = chunk else { return Err(wrong_kind()) };
        let rules = rules.clone();
        self.on_pool(move |handle| handle.note(handle.write(to, &bytes, &rules))).await
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        let rules = rules.clone();
        self.on_pool(move |handle| handle.note(handle.truncate(edge, to, &rules))).await
    }

    async fn sync(&self, finish: bool) -> Result<()> {
        self.on_pool(move |handle| handle.sync(finish)).await
    }

    /// Changes through here are told at once, and those that follow within a millisecond together.
    /// For those of others a followed file is looked at every 200 ms, and at once the first time.
    async fn changed(&self, seen: DataState) -> DataState {
        let inode = &self.handle.inode;
        let pace = Pace::start();
        if !self.follow {
            inode.differs_from(&seen).await;
            pace.keep().await;
            return inode.state(inode.facts());
        }
        loop {
            // A look that fails tells nothing; the next read or state will tell why.
            let _ = self.state().await;
            let told = tokio::time::timeout(FOLLOW_EVERY, inode.differs_from(&seen)).await;
            if told.is_ok() {
                pace.keep().await;
                return inode.state(inode.facts());
            }
        }
    }
}

impl std::fmt::Debug for LiveFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveFile").field("follow", &self.follow).finish_non_exhaustive()
    }
}

/// What a mode over a file that can be written must and may contain.
pub(super) fn offers(follow: bool) -> ModeOffer {
    let bounded = Flags::START_BOUNDED | Flags::END_BOUNDED;
    let required = if follow { bounded | Flags::END_CAN_INC } else { bounded };
    let end = Flags::END_CAN_INC | Flags::END_CAN_DEC | Flags::CAN_MOVE_END | Flags::END_LOCK;
    let data = Flags::READABLE | Flags::WRITABLE | Flags::SEEK | Flags::DATA_LOCK;
    ModeOffer { required, possible: data | end }
}

#[cfg(test)]
mod tests;
