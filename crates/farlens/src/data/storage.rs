//! The few calls that sources make on files, behind a trait so that tests can make them fail.
//!
//! Two ways to read: [`read_cached`] answers from memory and never waits for a device;
//! [`read_blocking`] waits and belongs on the blocking pool.

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
}

/// Reads up to `length` bytes (64 KiB at most) without waiting; `None` when that is impossible or
/// nothing was there, which [`read_blocking`] sorts out.
pub(super) fn read_cached(file: &dyn Storage, at: u64, length: usize) -> Option<Result<Bytes>> {
    let mut buffer = vec![0; length.min(CACHED_READ_BYTES)];
    match retry(|| file.read_cached(&mut buffer, at)) {
        Ok(0) => None,
        Ok(count) => {
            buffer.truncate(count);
            Some(Ok(Bytes::from(buffer)))
        }
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
    Error::new(Code::STORAGE_IO, "reading or writing the storage failed").with_source(error)
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
pub(super) mod double {
    use super::*;
    use parking_lot::Mutex;

    /// Content in memory. Each queued error fails one call of its kind, first in, first out.
    #[derive(Default)]
    pub(in crate::data) struct Double {
        pub(in crate::data) content: Mutex<Vec<u8>>,
        pub(in crate::data) cached_errors: Mutex<Vec<io::ErrorKind>>,
        pub(in crate::data) read_errors: Mutex<Vec<io::ErrorKind>>,
        /// Bytes that one read gives at most; zero stands for any number.
        pub(in crate::data) short: usize,
    }

    fn next_error(queue: &Mutex<Vec<io::ErrorKind>>) -> io::Result<()> {
        let mut queue = queue.lock();
        if queue.is_empty() { Ok(()) } else { Err(queue.remove(0).into()) }
    }

    impl Double {
        fn rest(&self, at: u64, length: usize) -> Vec<u8> {
            let cap = if self.short == 0 { length } else { self.short.min(length) };
            let content = self.content.lock();
            let start = usize::try_from(at).expect("small").min(content.len());
            content[start..].iter().copied().take(cap).collect()
        }
    }

    impl Storage for Double {
        fn read_cached(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
            next_error(&self.cached_errors)?;
            let rest = self.rest(at, buffer.len());
            buffer[..rest.len()].copy_from_slice(&rest);
            Ok(rest.len())
        }

        fn read(&self, buffer: &mut Vec<u8>, at: u64) -> io::Result<usize> {
            next_error(&self.read_errors)?;
            let rest = self.rest(at, buffer.capacity() - buffer.len());
            buffer.extend_from_slice(&rest);
            Ok(rest.len())
        }

        fn stat(&self) -> io::Result<FileStat> {
            let size = self.content.lock().len() as u64;
            Ok(FileStat { device: 1, inode: 2, size, modified: (3, 4) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{double::Double, *};
    use parking_lot::Mutex;
    use std::io::ErrorKind::{Interrupted, InvalidData, Unsupported, WouldBlock};

    fn double(cached: &[io::ErrorKind], read: &[io::ErrorKind]) -> Double {
        Double {
            content: Mutex::new((0..=255).collect()),
            cached_errors: Mutex::new(cached.to_vec()),
            read_errors: Mutex::new(read.to_vec()),
            short: 0,
        }
    }

    #[test]
    fn what_the_cache_does_not_hold_is_left_to_the_pool() {
        for error in [WouldBlock, Unsupported] {
            assert!(read_cached(&double(&[error], &[]), 0, 10).is_none());
        }
        assert!(read_cached(&double(&[], &[]), 256, 10).is_none(), "the end");
    }

    #[tokio::test]
    async fn d11_interruptions_are_retried_and_failures_reported() {
        let file = double(&[Interrupted, Interrupted], &[Interrupted, InvalidData]);
        let cached = read_cached(&file, 250, 99).expect("in memory").expect("no failure");
        assert_eq!(cached, Vec::from_iter(250..=255));
        let file: Arc<dyn Storage> = Arc::new(file);
        let error = read_blocking(&file, 0, 10).await.expect_err("the second try fails");
        assert_eq!(error.code(), Code::STORAGE_IO);
        let failed = double(&[InvalidData], &[]);
        let error = read_cached(&failed, 0, 1).expect("known").expect_err("a failure");
        assert_eq!(error.code(), Code::STORAGE_IO);
    }

    #[tokio::test]
    async fn d11_short_reads_are_joined_where_all_is_needed() {
        let file: Arc<dyn Storage> = Arc::new(Double { short: 7, ..double(&[], &[Interrupted]) });
        let bytes = read_exactly(&file, 1, 100).await.expect("all there");
        assert_eq!(bytes, Vec::from_iter(1..=100));
        let error = read_exactly(&file, 200, 100).await.expect_err("56 bytes are there");
        assert_eq!(error.code(), Code::STORAGE_IO);
    }

    #[test]
    fn a_real_file_in_the_cache_is_read_at_once() {
        use std::io::Write;
        let mut file = tempfile::tempfile().expect("temp dir");
        file.write_all(&[5; 100_000]).expect("space");
        if let Some(bytes) = read_cached(&file, 10, usize::MAX) {
            assert_eq!(bytes.expect("readable"), vec![5; CACHED_READ_BYTES]);
        }
        assert_eq!(Storage::stat(&file).expect("open").size, 100_000);
    }
}
