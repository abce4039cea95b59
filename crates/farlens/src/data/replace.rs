//! Replacing a file by another one, all at once.
//!
//! What is written goes to a file beside the target, `.NAME.RANDOM.farlens-part`, which takes the
//! target's name once it is complete and on disk. Until then the old content stays, and whoever
//! has it open keeps it for good. The file is locked as long as somebody writes it, so one that a
//! crash left behind is known by its missing lock and removed when the next replacement begins.
//! Permissions are taken over; owner and group are those of any file that this process makes.

use super::{
    fresh_version,
    storage::{self, Storage, exhausted, io_failed},
};
use crate::{Error, Result};
use farlens_wire::Code;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    fs::{File, TryLockError},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// How the names of unfinished files end. They begin with a dot, so they are never published.
const SUFFIX: &str = ".farlens-part";

/// Bytes of the target's name that such a name repeats at most, so that it stays a name.
const STEM_BYTES: usize = 200;

/// How often another name is tried, after one that is taken or was swept away at once.
const TRIES: usize = 16;

/// Permissions of what is unfinished: its owner's alone.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Permissions of a file that is new, before the process's mask.
pub(super) const NEW_FILE: Mode = PRIVATE.union(Mode::RGRP).union(Mode::ROTH);

/// Permissions that a file takes over from the one that it replaces.
const KEPT_BITS: u32 = 0o777;

/// An unfinished file and the name that it is to take. Dropping it unfinished removes it.
pub(super) struct Part {
    directory: File,
    /// Holds the lock.
    file: Arc<File>,
    name: OsString,
    target: OsString,
    /// Permissions for a target that is new.
    new_mode: Mode,
    /// Whether it has the target's name.
    finished: AtomicBool,
    /// Why a change of it failed. Something is missing then, so it never gets that name.
    failed: OnceLock<Code>,
}

impl Part {
    /// Creates an empty file that is to take the name `target` in `directory`, and removes what a
    /// crash has left there of the same target. Blocks.
    ///
    /// # Errors
    /// `NOT_FOUND` when something stands at the target that is no regular file, or nothing at all
    /// and it may not be new; `MODE_FORBIDS` when the file system lets no new one be made;
    /// `OVERLOADED`, `STORAGE_FULL` or `STORAGE_IO` when no file can be made for another reason, or
    /// none beside the one that is there.
    pub(super) fn begin(
        directory: File,
        target: &OsStr,
        may_be_new: bool,
    ) -> Result<(Self, Arc<File>)> {
        let old = permissions(&directory, target)?;
        if old.is_none() && !may_be_new {
            return Err(no_file());
        }
        sweep(&directory, target);
        // A new file's permissions are taken from one that is made so, which knows the mask.
        let mode = if old.is_some() { PRIVATE } else { NEW_FILE };
        for _ in 0..TRIES {
            let name = part_name(target);
            let created = create(&directory, &name, mode).map_err(|error| match error.code() {
                Code::MODE_FORBIDS if old.is_some() => none_beside(error),
                _ => error,
            });
            let Some(file) = created? else { continue };
            let file = Arc::new(file);
            let new_mode = file.metadata().map_err(io_failed)?.mode();
            let part = Self {
                directory,
                file: Arc::clone(&file),
                name,
                target: target.to_owned(),
                new_mode: Mode::from_raw_mode(new_mode & KEPT_BITS),
                finished: AtomicBool::new(false),
                failed: OnceLock::new(),
            };
            rustix::fs::fchmod(&*file, PRIVATE).map_err(|error| io_failed(error.into()))?;
            return Ok((part, file));
        }
        Err(Error::new(Code::STORAGE_IO, "no name was left for an unfinished file"))
    }

    /// Whether the file has taken its target's name. Nothing may be written to it then.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Passes on what became of a change. After one that failed this is not finished any more, unless
    /// a condition was not met, which is no failure.
    pub(super) fn note<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome
            && error.code() != Code::CONFLICT
        {
            let _ = self.failed.set(error.code());
        }
        outcome
    }

    /// Makes `file`, which is this one, durable and gives it the target's name. Blocks.
    ///
    /// # Errors
    /// `CONFLICT` when something stands at the target by now that is no regular file;
    /// `STORAGE_FULL` or `STORAGE_IO` when the storage fails; the code of the first change that
    /// failed, if one did.
    pub(super) fn finish(&self, file: &dyn Storage) -> Result<()> {
        if let Some(code) = self.failed.get() {
            let text = "not all that was to replace the file could be written: the old one stays";
            return Err(Error::new(*code, text).with_hint("open it again and write all of it"));
        }
        let mode =
            permissions(&self.directory, &self.target).map_err(|error| match error.code() {
                Code::NOT_FOUND => {
                    Error::new(Code::CONFLICT, "what stands there by now is no regular file")
                }
                _ => error,
            })?;
        rustix::fs::fchmod(&*self.file, mode.unwrap_or(self.new_mode))
            .map_err(|error| io_failed(error.into()))?;
        storage::retry(|| file.sync_all()).map_err(io_failed)?;
        rustix::fs::renameat(&self.directory, &self.name, &self.directory, &self.target)
            .map_err(|error| io_failed(error.into()))?;
        self.finished.store(true, Ordering::Release);
        // The lock tells unfinished files; this one is the users' now.
        let _ = self.file.unlock();
        storage::retry(|| self.directory.sync_all()).map_err(io_failed)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !*self.finished.get_mut() {
            // What cannot be removed is swept up later, once the lock is gone.
            let _ = rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }
}

/// The permissions of the regular file at a name; none where nothing is.
fn permissions(directory: &File, name: &OsStr) -> Result<Option<Mode>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
            Ok(Some(Mode::from_raw_mode(stat.st_mode & KEPT_BITS)))
        }
        Ok(_) => Err(no_file()),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(io_failed(error.into())),
    }
}

/// Creates a file and locks it; `None` when the name is taken, or was swept away before the lock.
fn create(directory: &File, name: &OsStr, mode: Mode) -> Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::io::retry_on_intr(|| rustix::fs::openat(directory, name, flags, mode));
    let file = match opened {
        Ok(fd) => File::from(fd),
        Err(Errno::EXIST) => return Ok(None),
        Err(error) => return Err(create_failed(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            let _ = rustix::fs::unlinkat(directory, name, AtFlags::empty());
            return Err(io_failed(error));
        }
    }
    let is_there = file.metadata().map_err(io_failed)?.nlink() > 0;
    Ok(is_there.then_some(file))
}

/// Removes the unfinished files of a target that nobody writes any more. What cannot be looked at
/// stays.
fn sweep(directory: &File, target: &OsStr) {
    let Ok(entries) = Dir::read_from(directory) else { return };
    for entry in entries.flatten() {
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if is_part_of(name, target) {
            let _ = remove_left_over(directory, name);
        }
    }
}

/// Removes an unfinished file unless somebody holds its lock. The lock is held meanwhile: who has
/// just created the file and comes too late for the lock takes another name.
fn remove_left_over(directory: &File, name: &OsStr) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
    if file.metadata()?.is_file() && file.try_lock().is_ok() {
        rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
    }
    Ok(())
}

/// The beginning of the names of unfinished files for a target.
fn stem(target: &OsStr) -> Vec<u8> {
    let bytes = target.as_bytes();
    let bytes = bytes.get(..STEM_BYTES).unwrap_or(bytes);
    [b".", bytes, b"."].concat()
}

fn part_name(target: &OsStr) -> OsString {
    let draw: String = fresh_version().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let bytes = [&stem(target), draw.as_bytes(), SUFFIX.as_bytes()].concat();
    OsStr::from_bytes(&bytes).to_owned()
}

fn is_part_of(name: &OsStr, target: &OsStr) -> bool {
    let draw = name
        .as_bytes()
        .strip_prefix(stem(target).as_slice())
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    draw.is_some_and(|draw| draw.len() == 16 && draw.iter().all(u8::is_ascii_hexdigit))
}

fn no_file() -> Error {
    Error::new(Code::NOT_FOUND, "there is no file to replace")
}

/// The file may be written, only not replaced. Who takes the one for the other must not think that
/// writing is what is left.
fn none_beside(error: Error) -> Error {
    let text = "the file system lets no file be made beside this one, to take its place";
    Error::new(Code::STORAGE_IO, text)
        .with_hint("let the server write to the directory, or change the file in place")
        .with_source(error)
}

/// The error of a file that could not be made in a directory that is there.
pub(super) fn create_failed(error: Errno) -> Error {
    exhausted(error).unwrap_or_else(|| match error {
        Errno::NAMETOOLONG | Errno::ILSEQ | Errno::INVAL => no_file().with_source(error),
        Errno::ACCESS | Errno::PERM | Errno::ROFS => {
            let text = "the file system does not let a file be made there";
            Error::new(Code::MODE_FORBIDS, text).with_source(error)
        }
        error => io_failed(error.into()),
    })
}

#[cfg(test)]
mod tests;
