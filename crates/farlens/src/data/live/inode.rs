//! What all streams on one file share, so that changes are serialised and seen at once.

use crate::data::{
    DataState, bytes_to,
    storage::{self, FileStat, Storage, io_failed},
};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_wire::Code;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Weak},
};
use tokio::sync::watch;

/// The files that streams have open here, by device and inode.
static OPEN: LazyLock<Mutex<HashMap<Key, Weak<Inode>>>> = LazyLock::new(Mutex::default);

type Key = (u64, u64);

/// A file that streams of this process may change.
///
/// It lives no longer than the descriptors of those who hold it, so a number that the file system
/// gives to another file never leads here.
pub(super) struct Inode {
    key: Key,
    /// Tells versions apart that different lives of this value gave out.
    seed: [u8; 16],
    facts: watch::Sender<Facts>,
    /// Held while a change is judged and made. Waits for the device, so not on a link's own task.
    changing: Mutex<()>,
    syncing: Mutex<Syncing>,
}

/// What is known of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Bytes in it.
    pub(super) end: u64,
    /// Counts what made bytes untrue that may have been handed out.
    pub(super) rewrites: u64,
}

/// What the next sync has to do.
#[derive(Default)]
struct Syncing {
    /// A sync has failed. The kernel forgets such a failure, and the data with it.
    failed: bool,
    /// The directory in which the file was created, until its name is on disk.
    directory: Option<Box<dyn Storage>>,
}

impl Inode {
    /// What those share who have this file open, found or made anew.
    pub(super) fn shared(stat: FileStat) -> Arc<Self> {
        let key = (stat.device, stat.inode);
        let mut open = OPEN.lock();
        if let Some(inode) = open.get(&key).and_then(Weak::upgrade) {
            return inode;
        }
        let inode = Arc::new(Self::new(stat));
        open.insert(key, Arc::downgrade(&inode));
        inode
    }

    /// The same for a file that nobody else opens.
    pub(super) fn new(stat: FileStat) -> Self {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&stat.modified.0.to_be_bytes());
        seed[8..].copy_from_slice(&stat.modified.1.to_be_bytes());
        Self {
            key: (stat.device, stat.inode),
            seed,
            facts: watch::Sender::new(Facts { end: stat.size, rewrites: 0 }),
            changing: Mutex::new(()),
            syncing: Mutex::default(),
        }
    }

    /// Demands that the next sync covers the name, too.
    pub(super) fn was_created_in(&self, directory: Box<dyn Storage>) {
        self.syncing.lock().directory = Some(directory);
    }

    pub(super) fn facts(&self) -> Facts {
        *self.facts.borrow()
    }

    pub(super) fn state(&self, facts: Facts) -> DataState {
        let numbers = [self.key.0, self.key.1, facts.rewrites].map(u64::to_be_bytes).concat();
        let version = Bytes::from([&numbers[..], &self.seed].concat());
        DataState { bounds: bytes_to(facts.end), version, ended: false }
    }

    /// Returns once the state differs from `seen`.
    pub(super) async fn differs_from(&self, seen: &DataState) {
        // It fails only once the sender is gone, which is held here.
        let _ = self.facts.subscribe().wait_for(|facts| self.state(*facts) != *seen).await;
    }

    /// Looks at what the file is by now, and keeps it so until the change is over. Blocks.
    pub(super) fn change(&self, file: &dyn Storage) -> Result<Change<'_>> {
        let held = self.changing.lock();
        let end = storage::retry(|| file.stat()).map_err(io_failed)?.size;
        let change = Change { inode: self, _held: held };
        change.moved_to(end);
        Ok(change)
    }

    /// Returns once everything survives a loss of power. Blocks.
    ///
    /// # Errors
    /// `STORAGE_IO` or `STORAGE_FULL`. After one, each later sync of the file fails.
    pub(super) fn sync(&self, sync: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut syncing = self.syncing.lock();
        if syncing.failed {
            let text = "an earlier attempt to make the data durable failed";
            return Err(Error::new(Code::STORAGE_IO, text)
                .with_hint("write the data once more, to another file"));
        }
        let name = |directory: &dyn Storage| storage::retry(|| directory.sync_all());
        let outcome = sync().and_then(|()| match &syncing.directory {
            Some(directory) => name(&**directory).map_err(io_failed),
            None => Ok(()),
        });
        syncing.failed = outcome.is_err();
        if outcome.is_ok() {
            syncing.directory = None;
        }
        outcome
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let mut open = OPEN.lock();
        // By now another life of the same file may stand there.
        if open.get(&self.key).is_some_and(|inode| inode.strong_count() == 0) {
            open.remove(&self.key);
        }
    }
}

/// The right to change a file; nobody else does meanwhile.
pub(super) struct Change<'a> {
    inode: &'a Inode,
    _held: MutexGuard<'a, ()>,
}

impl Change<'_> {
    pub(super) fn facts(&self) -> Facts {
        self.inode.facts()
    }

    /// The end is there now.
    pub(super) fn moved_to(&self, end: u64) {
        self.inode.facts.send_if_modified(|facts| {
            let before = *facts;
            facts.rewrites += u64::from(end < before.end);
            facts.end = end;
            *facts != before
        });
    }

    /// Bytes between these places are new.
    pub(super) fn wrote(&self, start: u64, end: u64) {
        self.inode.facts.send_modify(|facts| {
            facts.rewrites += u64::from(start < facts.end);
            facts.end = facts.end.max(end);
        });
    }
}
