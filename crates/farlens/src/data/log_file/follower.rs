//! Looking after a path: growth, and the files that take one another's place.

use super::{bell::Watches, generations::OLD_GENERATIONS, log::Log};
use crate::data::file::OPEN_FLAGS;
use crate::data::storage;
use rustix::{fs::Mode, io::Errno};
use std::{
    collections::VecDeque,
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// How often files are looked at.
#[derive(Clone, Copy, Debug)]
pub(in crate::data) struct Pace {
    /// How long at most between two looks where the system does not tell of changes, and how long a
    /// file must not have grown before its successor takes its place.
    pub(in crate::data) poll: Duration,
    /// How long at most between two looks where the system does tell.
    pub(in crate::data) net: Duration,
    /// Whether the system is asked to tell.
    pub(in crate::data) notified: bool,
}

impl Pace {
    pub(in crate::data) const DEFAULT: Self =
        Self { poll: Duration::from_millis(250), net: Duration::from_secs(1), notified: true };
}

/// Follows one path. Its calls block.
pub(super) struct Follower {
    path: PathBuf,
    pace: Pace,
    log: Arc<Log>,
    watches: Option<Watches>,
    /// Files that the path led to after the present one, oldest first.
    successors: VecDeque<Arc<File>>,
    /// When the present file last grew, or its first successor was noticed if that was later.
    quiet_since: Instant,
    /// The present file, by its serial, and its length at the last look.
    seen: (u64, u64),
    /// When to look again at the latest.
    next: Duration,
}

impl Follower {
    pub(super) fn new(path: PathBuf, pace: Pace, log: Arc<Log>, now: Instant) -> Self {
        Self {
            path,
            pace,
            log,
            watches: None,
            successors: VecDeque::new(),
            quiet_since: now,
            seen: (0, 0),
            next: Duration::ZERO,
        }
    }

    /// Has `watches` kept on the files that matter.
    pub(super) fn watch_with(&mut self, watches: Watches) {
        self.watches = Some(watches);
    }

    /// How long after the last look the next one is due.
    pub(super) fn patience(&self) -> Duration {
        self.next
    }

    /// Takes note of everything that happened since the last look. What fails is tried again with
    /// the next one: that a path leads nowhere for a while is part of a rotation.
    pub(super) fn look(&mut self, now: Instant) {
        self.look_at_present(now);
        self.look_at_path(now);
        self.go_on(now);
        self.next = self.rest(now);
    }

    fn look_at_present(&mut self, now: Instant) {
        let Some(present) = self.log.generations.lock().present() else { return };
        let Ok(meta) = storage::retry(|| present.file.metadata()) else { return };
        let (serial, length) = self.seen;
        // Readers may have noticed growth before this look.
        if meta.len() > present.length || serial == present.serial && meta.len() > length {
            self.quiet_since = now;
        }
        self.seen = (present.serial, meta.len());
        if meta.len() < present.length {
            self.log.change(|log| log.shrink(present.serial, meta.len()));
        } else if meta.len() > present.length {
            self.log.change(|log| log.grow(present.serial, meta.len()));
        }
    }

    /// Opens what the path leads to if that is another file than the last one.
    fn look_at_path(&mut self, now: Instant) {
        let Ok(there) = storage::retry(|| std::fs::metadata(&self.path)) else { return };
        if self.is_latest(&there) {
            return;
        }
        // Between the two calls yet another file may have come there.
        let Ok(Some(file)) = open_regular(&self.path) else { return };
        if storage::retry(|| file.metadata()).map_or(true, |meta| self.is_latest(&meta)) {
            return;
        }
        if self.successors.is_empty() {
            self.quiet_since = now;
        }
        self.successors.push_back(Arc::new(file));
    }

    fn is_latest(&self, meta: &Metadata) -> bool {
        let latest = match self.successors.back() {
            Some(file) => Some(Arc::clone(file)),
            None => self.log.generations.lock().present().map(|present| present.file),
        };
        let known = latest.and_then(|file| storage::retry(|| file.metadata()).ok());
        known.is_some_and(|known| (known.dev(), known.ino()) == (meta.dev(), meta.ino()))
    }

    /// Lets the successor take over from a file that is complete.
    fn go_on(&mut self, now: Instant) {
        let nothing_yet = self.log.generations.lock().present().is_none();
        let quiet = now.saturating_duration_since(self.quiet_since) >= self.pace.poll;
        let crowded = self.successors.len() > OLD_GENERATIONS;
        if !(nothing_yet || quiet || crowded) {
            return;
        }
        let Some(file) = self.successors.pop_front() else { return };
        let length = storage::retry(|| file.metadata()).map_or(0, |meta| meta.len());
        self.log.change(|log| log.push(file, length));
        self.quiet_since = now;
    }

    /// When to look again, with the watches on the right files.
    fn rest(&mut self, now: Instant) -> Duration {
        let present = self.log.generations.lock().present();
        let mut rest = self.pace.poll;
        if let Some(watches) = &mut self.watches {
            let file = present.as_ref().map(|present| (present.serial, &*present.file));
            if watches.point_at(&self.path, file) {
                return Duration::ZERO;
            }
            if watches.are_complete() {
                rest = self.pace.net;
            }
        }
        if self.successors.is_empty() {
            return rest;
        }
        let quiet = now.saturating_duration_since(self.quiet_since);
        rest.min(self.pace.poll.saturating_sub(quiet))
    }
}

/// Opens a regular file; `None` for anything else.
pub(super) fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let open = || rustix::fs::open(path, OPEN_FLAGS, Mode::empty());
    let file = match rustix::io::retry_on_intr(open) {
        Ok(fd) => File::from(fd),
        Err(Errno::NXIO | Errno::ISDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let regular = storage::retry(|| file.metadata())?.is_file();
    Ok(regular.then_some(file))
}

#[cfg(test)]
mod tests;
