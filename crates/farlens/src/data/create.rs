//! Creating a file where none is.

use super::{
    live::LiveFile,
    replace::{NEW_FILE, create_failed},
};
use crate::{Error, Result};
use farlens_wire::Code;
use rustix::{fs::OFlags, io::Errno};
use std::{ffi::OsStr, fs::File};

/// How often the other is tried when a file is there and then is not, or the other way round.
const TRIES: usize = 16;

/// Opens what is there, or else creates an empty file in a directory. Never follows a link that
/// stands in the way. Blocks.
///
/// # Errors
/// Those of opening; `NOT_FOUND` when something stands there that cannot be opened; otherwise why
/// no file can be made.
pub(super) fn open_or_create(
    open: impl Fn() -> Result<LiveFile>,
    directory: impl Fn() -> Result<File>,
    name: &OsStr,
    follow: bool,
) -> Result<LiveFile> {
    for _ in 0..TRIES {
        match open() {
            Err(error) if error.code() == Code::NOT_FOUND => {}
            outcome => return outcome,
        }
        let directory = directory()?;
        if let Some(file) = create(&directory, name)? {
            return LiveFile::created(file, directory, follow);
        }
    }
    Err(Error::new(Code::NOT_FOUND, "something that is no file stands in the way"))
}

/// `None` when something stands there already.
fn create(directory: &File, name: &OsStr) -> Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = || rustix::fs::openat(directory, name, flags, NEW_FILE);
    match rustix::io::retry_on_intr(opened) {
        Ok(fd) => Ok(Some(fd.into())),
        Err(Errno::EXIST) => Ok(None),
        Err(error) => Err(create_failed(error)),
    }
}
