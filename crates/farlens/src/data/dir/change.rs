//! Files of a directory that streams may change.
//!
//! All of it stays beneath the root: what is there is looked up by the rules for reading, and what
//! is made gets its name through the descriptor of a directory that was looked up so.

use super::{Directory, is_shown, lookup_failed, not_found};
use crate::data::{
    create::open_or_create,
    file::{CHANGE_FLAGS, OPEN_FLAGS},
    live::LiveFile,
    replace::Part,
};
use crate::{Error, Result};
use farlens_proto::Purpose;
use farlens_wire::Code;
use rustix::{fs::OFlags, io::Errno};
use std::{ffi::OsStr, fs::File};

impl Directory {
    /// Opens the regular file that lies at `components` below the root, in a directory that may be
    /// written, for a stream that writes it or only reads. Blocks.
    ///
    /// # Errors
    /// As [`Directory::open`]; `MODE_FORBIDS` where the file system does not let a file that may be
    /// read be written or made; `STORAGE_FULL` when there is no room for a new one.
    pub(crate) fn open_live(
        &self,
        components: &[&str],
        write: bool,
        purpose: Purpose,
    ) -> Result<LiveFile> {
        let (name, parents) = components.split_last().ok_or_else(not_found)?;
        if !is_shown(name) {
            return Err(not_found());
        }
        let name = OsStr::new(name);
        let open = || self.open_existing(components, write);
        let parent = || self.parent(parents);
        match purpose {
            Purpose::Create => open_or_create(open, parent, name, false),
            Purpose::Replace { create } => {
                let (part, file) = Part::begin(parent()?, name, create)?;
                LiveFile::replacing(file, part)
            }
            _ => open(),
        }
    }

    fn open_existing(&self, components: &[&str], write: bool) -> Result<LiveFile> {
        let flags = if write { CHANGE_FLAGS } else { OPEN_FLAGS };
        match self.try_lookup(components, flags) {
            Ok(fd) => LiveFile::from_file(fd.into(), false)?.ok_or_else(not_found),
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY) if write => {
                self.open(components)?;
                let text = "the file system does not let this file be written";
                Err(Error::new(Code::MODE_FORBIDS, text))
            }
            Err(error) => Err(lookup_failed(error)),
        }
    }

    fn parent(&self, components: &[&str]) -> Result<File> {
        self.lookup(components, OPEN_FLAGS.union(OFlags::DIRECTORY)).map(File::from)
    }
}

#[cfg(test)]
mod tests;
