//! A directory whose regular files may be read or written, and nothing outside it.
//!
//! The kernel keeps each lookup beneath the root and refuses symbolic links on the way. Whatever
//! may not be shown looks the same as what is not there.

mod change;

use super::entry::{Entry, EntryKind};
use super::file::{self, OPEN_FLAGS, OpenFile};
use super::{live, storage::exhausted};
use crate::{Error, Result};
use farlens_proto::Reach;
use farlens_wire::{Code, ModeOffer};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};
use std::{collections::BinaryHeap, os::fd::OwnedFd, path::Path};

/// Bytes at most in a name, as in every file system of Linux.
const MAX_NAME_BYTES: usize = 255;

/// How often a lookup is repeated that something else in the directory disturbed.
const LOOKUP_TRIES: usize = 16;

/// Nothing is followed, and nothing is left.
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A published directory.
///
/// It holds the directory itself, so renaming or replacing the directory's name changes nothing.
/// Shown are regular files and directories whose names are UTF-8 and do not start with a dot; what
/// is a link, a device, hidden or absent is `NOT_FOUND` alike. All methods block and belong on the
/// blocking pool.
#[derive(Debug)]
pub struct Directory {
    root: OwnedFd,
    writable: bool,
    append_only: bool,
    reach: Reach,
}

impl Directory {
    /// Opens the directory at `root`. Symbolic links in this path are followed, since the one who
    /// publishes it names it.
    ///
    /// # Errors
    /// `NOT_FOUND` where no directory is, `OVERLOADED` when no file can be opened any more,
    /// `STORAGE_IO` for anything else.
    pub fn read_only(root: impl AsRef<Path>) -> Result<Self> {
        let flags = OPEN_FLAGS.union(OFlags::DIRECTORY);
        rustix::io::retry_on_intr(|| rustix::fs::open(root.as_ref(), flags, Mode::empty()))
            .map(|root| Self { root, writable: false, append_only: false, reach: Reach::default() })
            .map_err(root_failed)
    }

    /// Whether files may be written, as far as the grants of a peer go: those that are there are
    /// changed in place or replaced, and new ones are created beside them. Off by default.
    /// Directories are not made, and nothing is removed.
    #[must_use]
    pub const fn writable(mut self, writable: bool) -> Self {
        self.writable = writable;
        self
    }

    /// Whether bytes that exist must stay: in a directory that may be written, peers add at the ends
    /// of the files that are there and do nothing else, whatever their grants say. Off by default.
    #[must_use]
    pub const fn append_only(mut self, append_only: bool) -> Self {
        self.append_only = append_only;
        self
    }

    /// How long peers may make each file. Default: that of [`Reach`].
    #[must_use]
    pub const fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    pub(crate) const fn is_writable(&self) -> bool {
        self.writable
    }

    pub(crate) const fn is_append_only(&self) -> bool {
        self.append_only
    }

    pub(crate) const fn file_reach(&self) -> Reach {
        self.reach
    }

    /// What a mode over a file in it must and may contain.
    pub(crate) fn offers(&self) -> ModeOffer {
        if self.writable { live::offers(false) } else { file::offers(false) }
    }

    /// Opens the regular file that lies at `components` below the root, for reading.
    ///
    /// # Errors
    /// `NOT_FOUND` for everything that is not shown, `OVERLOADED` when no file can be opened any
    /// more, `STORAGE_IO` when the storage fails.
    pub fn open(&self, components: &[&str]) -> Result<OpenFile> {
        if components.is_empty() {
            return Err(not_found());
        }
        let fd = self.lookup(components, OPEN_FLAGS)?;
        OpenFile::from_fd(fd, false)?.ok_or_else(not_found)
    }

    /// Lists the directory at `components`, sorted by the bytes of the names: the first `max`
    /// entries after the name `after`, and, if more follow, the name to go on behind. Costs a look at
    /// every name in it, and memory for `max` of them. A file that vanishes meanwhile is left out.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn list(
        &self,
        components: &[&str],
        after: Option<&str>,
        max: usize,
    ) -> Result<(Vec<Entry>, Option<String>)> {
        let dir = self.lookup(components, OPEN_FLAGS.union(OFlags::DIRECTORY))?;
        let (names, more) = smallest_names(&dir, after, max).map_err(lookup_failed)?;
        let next = names.last().filter(|_| more).cloned();
        let entries = names.into_iter().filter_map(|name| entry_at(&dir, &name)).collect();
        Ok((entries, next))
    }

    /// What lies at `components`; the root itself when there are none, under an empty name.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn stat(&self, components: &[&str]) -> Result<Entry> {
        let fd = self.lookup(components, OFlags::PATH.union(OFlags::CLOEXEC))?;
        let stat = rustix::fs::fstat(&fd).map_err(lookup_failed)?;
        let name = components.last().copied().unwrap_or_default();
        entry_of(name, &stat).ok_or_else(not_found)
    }

    fn lookup(&self, components: &[&str], flags: OFlags) -> Result<OwnedFd> {
        self.try_lookup(components, flags).map_err(lookup_failed)
    }

    fn try_lookup(&self, components: &[&str], flags: OFlags) -> Result<OwnedFd, Errno> {
        if !components.iter().all(|name| is_shown(name)) {
            return Err(Errno::NOENT);
        }
        match self.lookup_at_once(components, flags) {
            // A sandbox may refuse the call although the kernel knows it.
            Err(Errno::NOSYS | Errno::PERM) => self.lookup_stepwise(components, flags),
            outcome => outcome,
        }
    }

    fn lookup_at_once(&self, components: &[&str], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if components.is_empty() { ".".to_owned() } else { components.join("/") };
        let mut outcome = Err(Errno::AGAIN);
        for _ in 0..LOOKUP_TRIES {
            outcome = rustix::fs::openat2(&self.root, &path, flags, Mode::empty(), BENEATH);
            // EAGAIN: a rename elsewhere in the tree left the kernel unsure of the way.
            if !matches!(outcome, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
        }
        outcome
    }

    /// One component at a time, for kernels before 5.6. Names that lead upwards do not come here.
    fn lookup_stepwise(&self, components: &[&str], flags: OFlags) -> Result<OwnedFd, Errno> {
        let step = |dir: &OwnedFd, name: &str, flags: OFlags| {
            let flags = flags.union(OFlags::NOFOLLOW);
            rustix::io::retry_on_intr(|| rustix::fs::openat(dir, name, flags, Mode::empty()))
        };
        let Some((last, parents)) = components.split_last() else {
            return step(&self.root, ".", flags);
        };
        let through = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
        let mut dir = None;
        for parent in parents {
            dir = Some(step(dir.as_ref().unwrap_or(&self.root), parent, through)?);
        }
        step(dir.as_ref().unwrap_or(&self.root), last, flags)
    }
}

/// Whether a name may be shown. Hidden names include `.` and `..`.
fn is_shown(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.starts_with('.')
        && !name.contains(['/', '\0'])
}

/// The `max` smallest shown names behind `after`, sorted, and whether there are more.
fn smallest_names(
    dir: &OwnedFd,
    after: Option<&str>,
    max: usize,
) -> Result<(Vec<String>, bool), Errno> {
    let mut names = BinaryHeap::new();
    let mut more = false;
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        let wanted = is_shown(name) && after.is_none_or(|after| name > after);
        if !wanted || !may_be_shown(dir, name, entry.file_type()) {
            continue;
        }
        names.push(name.to_owned());
        if names.len() > max {
            names.pop();
            more = true;
        }
    }
    Ok((names.into_sorted_vec(), more))
}

/// Asks the file itself where the directory does not say what it is.
fn may_be_shown(dir: &OwnedFd, name: &str, kind: FileType) -> bool {
    match kind {
        FileType::RegularFile | FileType::Directory => true,
        FileType::Unknown => entry_at(dir, name).is_some(),
        _ => false,
    }
}

/// The entry of a name; `None` when it is gone or not shown.
fn entry_at(dir: &OwnedFd, name: &str) -> Option<Entry> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    entry_of(name, &stat)
}

fn entry_of(name: &str, stat: &Stat) -> Option<Entry> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let len = u64::try_from(stat.st_size).ok();
            Some(Entry::new(name, EntryKind::Bytes, len))
        }
        FileType::Directory => Some(Entry::new(name, EntryKind::Directory, None)),
        _ => None,
    }
}

fn not_found() -> Error {
    Error::new(Code::NOT_FOUND, "nothing is published at this path")
}

/// Everything but want of resources looks like absence.
fn lookup_failed(error: Errno) -> Error {
    exhausted(error).unwrap_or_else(not_found)
}

fn root_failed(error: Errno) -> Error {
    if let Some(exhausted) = exhausted(error) {
        return exhausted;
    }
    let (code, message) = match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => {
            (Code::NOT_FOUND, "there is no directory to publish")
        }
        _ => (Code::STORAGE_IO, "the directory to publish cannot be opened"),
    };
    Error::new(code, message).with_source(error)
}

#[cfg(test)]
mod tests;
