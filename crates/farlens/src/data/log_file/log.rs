//! A log as its readers see it: bytes at positions, in whichever file they lie.

use super::generations::{Generations, Lookup, Place};
use crate::Result;
use crate::data::storage::{self, Storage, io_failed, lost};
use crate::data::{DataState, fresh_version};
use bytes::Bytes;
use parking_lot::Mutex;
use rustix::fs::{AtFlags, StatxFlags};
use std::{fs::File, sync::Arc};
use tokio::sync::Notify;

/// What the follower and all readers of one log share.
pub(in crate::data) struct Log {
    /// Never held during a call on a file.
    pub(super) generations: Mutex<Generations>,
    /// Told of growth, of a new file and of everything else that may move a bound.
    pub(in crate::data) news: Notify,
    version: Bytes,
}

/// Bytes of one file.
pub(in crate::data) struct Piece {
    pub(in crate::data) bytes: Bytes,
    /// Whether the file begins with them.
    pub(in crate::data) first: bool,
    /// Whether the file ends behind them for good.
    pub(in crate::data) last: bool,
}

/// What lies at a position.
pub(in crate::data) enum Found {
    /// At least one byte.
    Piece(Piece),
    /// It can no longer be read.
    Gone,
    /// Nothing yet.
    End,
    /// It lies behind the end.
    Outside,
}

impl Log {
    pub(super) fn new(generations: Generations) -> Self {
        let generations = Mutex::new(generations);
        Self { generations, news: Notify::new(), version: fresh_version() }
    }

    pub(in crate::data) fn version(&self) -> Bytes {
        self.version.clone()
    }

    /// The first position that can be read.
    pub(in crate::data) fn start(&self) -> u64 {
        self.generations.lock().start()
    }

    pub(in crate::data) fn state(&self) -> DataState {
        let generations = self.generations.lock();
        DataState {
            bounds: generations.bounds(),
            version: self.version(),
            ended: generations.is_complete(),
        }
    }

    /// Changes what is known of the files, and tells everybody.
    pub(super) fn change(&self, change: impl FnOnce(&mut Generations)) {
        change(&mut self.generations.lock());
        self.news.notify_waiters();
    }

    /// Looks at the present file, whose follower may not have noticed yet what happened to it.
    /// Blocks.
    pub(super) fn refresh(&self) -> Result<()> {
        let Some(present) = self.generations.lock().present() else { return Ok(()) };
        let length = length_of(&present.file)?;
        if length < present.length {
            self.change(|generations| generations.shrink(present.serial, length));
        } else if length > present.length {
            self.change(|generations| generations.grow(present.serial, length));
        }
        Ok(())
    }

    /// Reads `length` bytes from `at`, fewer only where a file ends. Blocks.
    pub(in crate::data) fn read(&self, at: u64, length: usize) -> Result<Found> {
        let place = match self.place(at) {
            Ok(place) => place,
            Err(found) => return Ok(found),
        };
        let length = within(&place, length);
        let mut buffer = Vec::with_capacity(length);
        while buffer.len() < length {
            let offset = place.offset + buffer.len() as u64;
            let read = storage::retry(|| Storage::read(&*place.file, &mut buffer, offset));
            if read.map_err(io_failed)? == 0 {
                break;
            }
        }
        buffer.truncate(length);
        let size = storage::retry(|| place.file.metadata()).map_err(io_failed)?.len();
        self.confirm(at, &place, Bytes::from(buffer), size)
    }

    /// [`Log::read`] of what the page cache holds, 64 KiB at most; `None` when it holds nothing.
    pub(in crate::data) fn read_cached(&self, at: u64, length: usize) -> Option<Result<Found>> {
        let place = match self.place(at) {
            Ok(place) => place,
            Err(found) => return Some(Ok(found)),
        };
        let bytes = storage::read_cached(&*place.file, place.offset, within(&place, length))?;
        let size = size_now(&place.file)?;
        Some(bytes.and_then(|bytes| self.confirm(at, &place, bytes, size)))
    }

    fn place(&self, at: u64) -> Result<Place, Found> {
        match self.generations.lock().find(at) {
            Lookup::Here(place) => Ok(place),
            Lookup::Gone => Err(Found::Gone),
            Lookup::End => Err(Found::End),
            Lookup::Outside => Err(Found::Outside),
        }
    }

    /// Hands out bytes unless the file was found, after the read, to have been cut: then they may
    /// be those that were written in their place.
    fn confirm(&self, at: u64, place: &Place, bytes: Bytes, size: u64) -> Result<Found> {
        if size < place.length {
            self.change(|generations| generations.shrink(place.serial, size));
        }
        if at < self.start() {
            return Ok(Found::Gone);
        }
        if bytes.is_empty() {
            return Err(lost());
        }
        let end = place.offset + bytes.len() as u64;
        let last = place.closed && end == place.length;
        Ok(Found::Piece(Piece { bytes, first: place.offset == 0, last }))
    }
}

/// How much of `length` bytes lies in the file.
fn within(place: &Place, length: usize) -> usize {
    usize::try_from(place.length - place.offset).map_or(length, |rest| rest.min(length))
}

/// The length of the file as this machine knows it; never asks another one, so it does not wait.
fn size_now(file: &File) -> Option<u64> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let stat = rustix::fs::statx(file, "", flags, StatxFlags::SIZE).ok()?;
    Some(stat.stx_size)
}

/// How long a file is now.
pub(super) fn length_of(file: &Arc<File>) -> Result<u64> {
    Ok(storage::retry(|| file.metadata()).map_err(io_failed)?.len())
}

#[cfg(test)]
impl Log {
    /// A log that says it has `length` bytes in a file that cannot be read.
    pub(in crate::data) fn unreadable(length: u64) -> Self {
        let file = File::options().write(true).open("/dev/null").expect("there");
        let mut generations = Generations::default();
        generations.push(Arc::new(file), length);
        Self::new(generations)
    }
}
