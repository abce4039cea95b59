//! A file opened for one stream that reads it, where no stream may write it.

use crate::data::{
    DataState, Fetched, ReadBudget, StreamerData, bytes_to, out_of_range,
    storage::{self, BLOCKING_READ_BYTES, FileStat, READ_TRIES, Storage},
};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{Chunk, Kind};
use farlens_wire::{Code, Flags, ModeOffer, Position};
use parking_lot::Mutex;
use std::{cmp::Ordering, fs::File, os::fd::OwnedFd, sync::Arc, time::Duration};

/// How often a followed file is looked at.
pub(in crate::data) const FOLLOW_EVERY: Duration = Duration::from_millis(200);

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
    pub(in crate::data) fn from_fd(fd: OwnedFd, follow: bool) -> Result<Option<Self>> {
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

    /// Looks at what the file is now.
    async fn look(&self) -> Result<FileStat> {
        let known = self.seen.lock().end;
        let stat = storage::stat(&self.file).await?;
        self.take_note(stat, known);
        Ok(stat)
    }

    /// Takes note of a look that began when `known` was the length. A read may have found more
    /// meanwhile than the look did, so that proves no cut.
    fn take_note(&self, stat: FileStat, known: u64) {
        let mut seen = self.seen.lock();
        if stat.size < known {
            seen.cut_to = Some(stat.size);
        } else if self.follow {
            seen.end = seen.end.max(stat.size);
        }
    }

    /// The state of a file that a look found so. One that was cut is not read any more, but who
    /// follows its end is told where that goes.
    fn state_of(&self, stat: FileStat) -> DataState {
        let seen = *self.seen.lock();
        let goes_on = self.follow && seen.cut_to.is_some();
        DataState {
            bounds: bytes_to(if goes_on { stat.size } else { seen.end }),
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
        let size = match self.look().await {
            Ok(stat) => stat.size,
            Err(error) => return Some(Err(error)),
        };
        if let Some(size) = self.seen.lock().cut_to {
            return Some(Err(truncated(size)));
        }
        match size.cmp(&at.get()) {
            Ordering::Less => Some(Err(out_of_range(at, bytes_to(size)))),
            Ordering::Equal => Some(Ok(Fetched::Nothing)),
            Ordering::Greater => None,
        }
    }

    fn fetched(&self, at: Position, bytes: Bytes) -> Fetched {
        self.note_read(at, bytes.len());
        Fetched::Some(Chunk::Bytes(bytes))
    }

    /// What was read of a file that is followed is part of it, whatever the last look said.
    fn note_read(&self, at: Position, count: usize) {
        if self.follow {
            let mut seen = self.seen.lock();
            seen.end = seen.end.max(at.get().saturating_add(count as u64));
        }
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
        let state = self.state_of(self.look().await?);
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
        for _ in 0..READ_TRIES {
            let bytes = storage::read_blocking(&self.file, at.get(), length).await?;
            if !bytes.is_empty() {
                return Ok(self.fetched(at, bytes));
            }
            if let Some(answer) = self.nothing_at(at).await {
                return answer;
            }
        }
        Err(storage::lost())
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let length = match self.judge(at, budget) {
            Ok(length) => length,
            Err(answer) => return Some(answer),
        };
        let read = storage::read_cached(&*self.file, at.get(), length)?;
        Some(read.map(|bytes| self.fetched(at, bytes)))
    }

    fn read_now_into(&self, at: Position, room: &mut [u8]) -> Option<Result<usize>> {
        let budget = ReadBudget { bytes: room.len(), elements: u64::MAX };
        let length = self.judge(at, budget).ok()?;
        let read = storage::read_cached_into(&*self.file, at.get(), room.get_mut(..length)?)?;
        Some(read.inspect(|&count| self.note_read(at, count)))
    }

    /// Looks every 200 ms, and at once the first time. A file that is not followed is not watched.
    async fn changed(&self, seen: DataState) -> DataState {
        if !self.follow {
            return std::future::pending().await;
        }
        loop {
            if let Ok(stat) = self.look().await {
                let state = self.state_of(stat);
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

pub(in crate::data) fn offers(follow: bool) -> ModeOffer {
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

fn truncated(size: u64) -> Error {
    Error::new(Code::TRUNCATED, format!("the file was truncated to {size} bytes while being read"))
}

#[cfg(test)]
mod tests;
