//! A file in memory whose calls follow a script.

use super::{FileStat, Storage};
use parking_lot::Mutex;
use std::io::{self, ErrorKind};

/// What the next calls of one kind do: `None` lets one pass, an error fails it. First in, first
/// out; calls behind the last line of the script pass.
pub(in crate::data) type Script = Mutex<Vec<Option<ErrorKind>>>;

/// A script in which every line fails.
pub(in crate::data) fn failing(errors: &[ErrorKind]) -> Script {
    Mutex::new(errors.iter().copied().map(Some).collect())
}

/// Content in memory, with a script for each kind of call.
#[derive(Default)]
pub(in crate::data) struct Double {
    pub(in crate::data) content: Mutex<Vec<u8>>,
    pub(in crate::data) cached: Script,
    pub(in crate::data) reads: Script,
    pub(in crate::data) writes: Script,
    pub(in crate::data) resizes: Script,
    /// Both ways of syncing.
    pub(in crate::data) syncs: Script,
    /// Bytes that one read or write moves at most; zero stands for any number.
    pub(in crate::data) short: usize,
    /// Bytes that the file says it has beyond the content.
    pub(in crate::data) claimed: u64,
    /// Bytes that the content may have; zero stands for any number.
    pub(in crate::data) room: usize,
}

fn next(script: &Script) -> io::Result<()> {
    let mut script = script.lock();
    if script.is_empty() {
        return Ok(());
    }
    script.remove(0).map_or(Ok(()), |kind| Err(kind.into()))
}

fn place(at: u64) -> usize {
    usize::try_from(at).expect("small")
}

impl Double {
    fn cap(&self, length: usize) -> usize {
        if self.short == 0 { length } else { self.short.min(length) }
    }

    fn rest(&self, at: u64, length: usize) -> Vec<u8> {
        let content = self.content.lock();
        let start = place(at).min(content.len());
        content[start..].iter().copied().take(self.cap(length)).collect()
    }
}

impl Storage for Double {
    fn read_cached(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        next(&self.cached)?;
        let rest = self.rest(at, buffer.len());
        buffer[..rest.len()].copy_from_slice(&rest);
        Ok(rest.len())
    }

    fn read(&self, buffer: &mut Vec<u8>, at: u64) -> io::Result<usize> {
        next(&self.reads)?;
        let rest = self.rest(at, buffer.capacity() - buffer.len());
        buffer.extend_from_slice(&rest);
        Ok(rest.len())
    }

    fn stat(&self) -> io::Result<FileStat> {
        let size = self.content.lock().len() as u64 + self.claimed;
        Ok(FileStat { device: 1, inode: 2, size, modified: (3, 4) })
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        next(&self.writes)?;
        let room = if self.room == 0 { usize::MAX } else { self.room };
        let fits = self.cap(bytes.len()).min(room.saturating_sub(place(at)));
        if fits == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let mut content = self.content.lock();
        let end = place(at) + fits;
        if content.len() < end {
            content.resize(end, 0);
        }
        content[place(at)..end].copy_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        next(&self.resizes)?;
        self.content.lock().resize(place(length), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        next(&self.syncs)
    }

    fn sync_all(&self) -> io::Result<()> {
        next(&self.syncs)
    }
}
