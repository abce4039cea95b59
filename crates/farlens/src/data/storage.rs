//! The few calls that sources make on files, behind a trait so that tests can make them fail.
//!
//! Two ways to read: [`read_cached`] answers from memory and never waits for a device;
//! [`read_blocking`] waits and belongs on the blocking pool. So does all that changes a file.

mod recycled;

use crate::{Error, Result};
use bytes::Bytes;
use farlens_wire::Code;
use rustix::io::{Errno, ReadWriteFlags};
use std::{
    fs::File,
    io::{self, IoSliceMut},
    os::unix::fs::MetadataExt,
    sync::Arc,
};

/// Bytes at most in one read that must not wait. Bounds the time on the link's own task.
pub(super) const CACHED_READ_BYTES: usize = 64 * 1024;

/// Bytes at most in one read on the blocking pool.
pub(super) const BLOCKING_READ_BYTES: usize = 256 * 1024;

/// How often a read is repeated that found nothing where the file says it has something: it may
/// have changed between the two.
pub(super) const READ_TRIES: usize = 4;

/// What identifies a file and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStat {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) modified: (i64, i64),
}

/// An open file as sources see it.
pub(super) trait Storage: Send + Sync + 'static {
    /// Reads what is in the page cache; `WouldBlock` or `Unsupported` when that cannot be had.
    fn read_cached(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Reads into the spare capacity of `buffer`, waiting for the device.
    fn read(&self, buffer: &mut Vec<u8>, at: u64) -> io::Result<usize>;

    /// What the file is at this moment.
    fn stat(&self) -> io::Result<FileStat>;

    /// Writes some of `bytes`; gives how many.
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<usize>;

    /// Cuts the file, or lengthens it with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Returns once the content survives a loss of power.
    fn sync_data(&self) -> io::Result<()>;

    /// The same for the content, the permissions and, of a directory, the names.
    fn sync_all(&self) -> io::Result<()>;
}

impl Storage for File {
    fn read_cached(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut slices = [IoSliceMut::new(buffer)];
        Ok(rustix::io::preadv2(self, &mut slices, at, ReadWriteFlags::NOWAIT)?)
    }

    fn read(&self, buffer: &mut Vec<u8>, at: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(self, rustix::buffer::spare_capacity(buffer), at)?)
    }

    fn stat(&self) -> io::Result<FileStat> {
        let meta = self.metadata()?;
        Ok(FileStat {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        Ok(rustix::io::pwrite(self, bytes, at)?)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Self::set_len(self, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        Self::sync_all(self)
    }
}

/// Reads up to `length` bytes (64 KiB at most) without waiting; `None` when that is impossible or
/// nothing was there, which [`read_blocking`] sorts out.
pub(super) fn read_cached(file: &dyn Storage, at: u64, length: usize) -> Option<Result<Bytes>> {
    let mut buffer = recycled::take(length.min(CACHED_READ_BYTES));
    let read = read_cached_into(file, at, &mut buffer);
    let count = read.as_ref().and_then(|read| read.as_ref().ok());
    let bytes = recycled::lend(buffer, count.copied().unwrap_or_default());
    Some(read?.map(|_| bytes))
}

/// The same into `room`, as much as fits. Gives how many bytes, at least one.
pub(super) fn read_cached_into(
    file: &dyn Storage,
    at: u64,
    room: &mut [u8],
) -> Option<Result<usize>> {
    match retry(|| file.read_cached(room, at)) {
        Ok(count) => (count > 0).then_some(Ok(count)),
        Err(error) if cannot_tell(&error) => None,
        Err(error) => Some(Err(io_failed(error))),
    }
}

/// Reads up to `length` bytes on the blocking pool; empty at the end of the file.
pub(super) async fn read_blocking(
    file: &Arc<dyn Storage>,
    at: u64,
    length: usize,
) -> Result<Bytes> {
    let file = Arc::clone(file);
    on_pool(move || {
        let mut buffer = Vec::with_capacity(length.max(1));
        retry(|| file.read(&mut buffer, at)).map_err(io_failed)?;
        Ok(Bytes::from(buffer))
    })
    .await
}

/// Reads exactly `length` bytes on the blocking pool.
pub(super) async fn read_exactly(file: &Arc<dyn Storage>, at: u64, length: usize) -> Result<Bytes> {
    let file = Arc::clone(file);
    on_pool(move || {
        let mut buffer = Vec::with_capacity(length);
        while buffer.len() < length {
            let place = at + buffer.len() as u64;
            if retry(|| file.read(&mut buffer, place)).map_err(io_failed)? == 0 {
                return Err(io_failed(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        buffer.truncate(length);
        Ok(Bytes::from(buffer))
    })
    .await
}

/// Writes all of `bytes`, or as many as the storage takes; gives how many. Blocks.
///
/// # Errors
/// `STORAGE_FULL` or `STORAGE_IO` when it takes none.
pub(super) fn write_most(file: &dyn Storage, bytes: &[u8], at: u64) -> Result<usize> {
    let mut stored = 0;
    while let Some(rest) = bytes.get(stored..).filter(|rest| !rest.is_empty()) {
        match retry(|| file.write(rest, at + stored as u64)) {
            Ok(count) if count > 0 => stored += count,
            // What was stored is told first. The rest is handed in again, and fails by itself.
            _ if stored > 0 => break,
            Ok(_) => return Err(io_failed(io::ErrorKind::WriteZero.into())),
            Err(error) => return Err(io_failed(error)),
        }
    }
    Ok(stored)
}

/// What the file is at this moment, asked on the blocking pool since a remote file system may wait.
pub(super) async fn stat(file: &Arc<dyn Storage>) -> Result<FileStat> {
    let file = Arc::clone(file);
    on_pool(move || retry(|| file.stat()).map_err(io_failed)).await
}

/// Runs `work` on the blocking pool. It runs to its end even when the future is dropped.
pub(super) async fn on_pool<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => {
            Err(Error::new(Code::INTERNAL, "work on the blocking pool failed").with_source(error))
        }
    }
}

/// The error of a failed call on storage.
pub(super) fn io_failed(error: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let (code, message) = match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            (Code::STORAGE_FULL, "the storage has no room left")
        }
        _ => (Code::STORAGE_IO, "reading or writing the storage failed"),
    };
    Error::new(code, message).with_source(error)
}

/// The error of a file that does not have what it says it has, as those of some kernel interfaces.
pub(super) fn lost() -> Error {
    io_failed(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has fewer bytes than it said"))
}

/// The error that says that opening failed for want of resources, whatever was asked for.
pub(super) fn exhausted(error: Errno) -> Option<Error> {
    match error {
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => {
            Some(Error::new(Code::OVERLOADED, "too many open files").with_source(error))
        }
        Errno::IO => Some(io_failed(error.into())),
        _ => None,
    }
}

/// Repeats a call that a signal interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

fn cannot_tell(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, Unsupported, WouldBlock};
    matches!(error.kind(), WouldBlock | Unsupported | InvalidInput)
}

/// A file whose calls follow a script.
#[cfg(test)]
pub(super) mod double;

#[cfg(test)]
mod tests;
