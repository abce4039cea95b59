//! Files that only their owner may touch: keys and trust.
//!
//! Whole content or none: everything is written to a new file beside the target, synced, and then
//! takes its name. Files get mode 0600, directories made on the way 0700.

use crate::{Code, Error, Result};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// Mode bits that let others read.
pub(crate) const OTHERS_ACCESS: u32 = 0o077;
/// Mode bits that let others write.
pub(crate) const OTHERS_WRITE: u32 = 0o022;

/// Opens a regular file and checks that `forbidden` mode bits are clear.
///
/// # Errors
///
/// `code`, naming the file and the command that mends it. A missing file is `Ok(None)`.
pub(crate) fn open(path: &Path, forbidden: u32, code: Code) -> Result<Option<File>> {
    let failed = |error: io::Error| {
        Error::new(code, format!("{} cannot be read", path.display())).with_source(error)
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::new(code, format!("{} is not a regular file", path.display())));
    }
    if metadata.mode() & forbidden != 0 {
        let mode = metadata.mode() & 0o777;
        let message = format!("others may touch {}: its mode is {mode:04o}", path.display());
        return Err(
            Error::new(code, message).with_hint(format!("run: chmod 600 {}", path.display()))
        );
    }
    Ok(Some(file))
}

/// Reads a file of at most `max_bytes` as text.
///
/// # Errors
///
/// `code`, naming the file, if it is larger, unreadable or not UTF-8.
pub(crate) fn read_text(file: &File, path: &Path, max_bytes: u64, code: Code) -> Result<String> {
    let mut text = String::new();
    file.take(max_bytes + 1).read_to_string(&mut text).map_err(|error| {
        Error::new(code, format!("{} cannot be read", path.display())).with_source(error)
    })?;
    match text.len() as u64 > max_bytes {
        true => {
            Err(Error::new(code, format!("{} is longer than {max_bytes} bytes", path.display())))
        }
        false => Ok(text),
    }
}

/// Puts a new file in place; `Ok(false)` if there is one already, which then stays.
///
/// # Errors
///
/// `code`, naming the file. Needs a file system with hard links or renaming without replacement.
pub(crate) fn create(path: &Path, content: &[u8], code: Code) -> Result<bool> {
    let written = write_beside(path, content).map_err(|error| cannot_write(path, error, code))?;
    match written.persist_noclobber(path) {
        Ok(_) => sync_parent(path, code).map(|()| true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(cannot_write(path, error.error, code)),
    }
}

/// Puts a file in place of the one that may be there. A symbolic link stays, its target changes.
///
/// # Errors
///
/// `code`, naming the file. The old content is whole then.
pub(crate) fn replace(path: &Path, content: &[u8], code: Code) -> Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let written =
        write_beside(&target, content).map_err(|error| cannot_write(path, error, code))?;
    written.persist(&target).map_err(|error| cannot_write(path, error.error, code))?;
    sync_parent(&target, code)
}

/// Holds the lock that goes with `path` until dropped, across processes. Waits for it.
///
/// The lock is a file of its own, `PATH.lock`, because replacing `path` would replace its lock.
///
/// # Errors
///
/// `code`, naming the lock file.
pub(crate) fn lock(path: &Path, code: Code) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let locked = make_parent(&name).and_then(|()| {
        let file =
            File::options().create(true).truncate(false).write(true).mode(0o600).open(&name)?;
        file.lock()?;
        Ok(file)
    });
    locked.map_err(|error| cannot_write(&name, error, code))
}

fn write_beside(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    make_parent(path)?;
    let mut file = NamedTempFile::new_in(parent(path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn make_parent(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(parent(path))
}

/// Makes a new name durable.
fn sync_parent(path: &Path, code: Code) -> Result<()> {
    let synced = File::open(parent(path)).and_then(|directory| directory.sync_all());
    synced.map_err(|error| cannot_write(path, error, code))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn cannot_write(path: &Path, error: io::Error, code: Code) -> Error {
    Error::new(code, format!("{} cannot be written", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    const CODE: Code = Code::BAD_CONFIG;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn files_and_directories_are_for_the_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/file");
        assert!(create(&path, b"one", CODE).unwrap());
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        replace(&path, b"two", CODE).unwrap();
        assert_eq!(mode(&path), 0o600);
        drop(lock(&path, CODE).unwrap());
    }

    #[test]
    fn an_existing_file_is_not_created_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert!(create(&path, b"one", CODE).unwrap());
        assert!(!create(&path, b"two", CODE).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn replacing_keeps_a_symbolic_link() {
        let directory = tempfile::tempdir().unwrap();
        let (link, target) = (directory.path().join("link"), directory.path().join("target"));
        fs::write(&target, b"one").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, b"two", CODE).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"two");
    }

    #[test]
    fn what_others_may_touch_is_refused_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"x").unwrap();
        for (bits, forbidden, refused) in [
            (0o600, OTHERS_ACCESS, false),
            (0o640, OTHERS_ACCESS, true),
            (0o604, OTHERS_ACCESS, true),
            (0o644, OTHERS_WRITE, false),
            (0o664, OTHERS_WRITE, true),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(bits)).unwrap();
            match open(&path, forbidden, CODE) {
                Ok(file) => assert!(file.is_some() && !refused, "{bits:o}"),
                Err(error) => {
                    assert!(refused && error.message().contains("file"), "{error}");
                    assert!(error.hint().unwrap().contains("chmod 600"), "{error}");
                }
            }
        }
    }

    #[test]
    fn odd_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(open(&directory.path().join("none"), 0, CODE).unwrap().is_none());
        open(directory.path(), 0, CODE).expect_err("a directory");
        let path = directory.path().join("file");
        for (content, max_bytes, fine) in
            [(&b"12345"[..], 5, true), (b"12345", 4, false), (b"\xff", 5, false)]
        {
            fs::write(&path, content).unwrap();
            let file = open(&path, 0, CODE).unwrap().unwrap();
            assert_eq!(read_text(&file, &path, max_bytes, CODE).is_ok(), fine);
        }
    }
}
