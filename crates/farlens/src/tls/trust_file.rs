//! A text file with one entry per line that people edit while programs use it.
//!
//! Blank lines and what follows a `#` say nothing to the program. The file is read again whenever it
//! looks changed, and a line that makes no sense is an error: guessing what a rule of trust meant
//! could let somebody in. Appending replaces the file as a whole, under a lock that other processes
//! respect.

use crate::{Code, Error, Result, private};
use parking_lot::Mutex;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of such a file at most: some 40,000 lines.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// One line of a trust file.
pub(super) trait Entry: Clone + PartialEq {
    /// Reads what stands before the `#`, never blank, and the comment after it.
    fn parse(content: &str, comment: &str) -> Result<Self>;

    /// Writes the line, without its end.
    fn render(&self) -> String;
}

/// The entries of a file, kept in step with it.
pub(super) struct TrustFile<E> {
    path: PathBuf,
    known: Mutex<Known<E>>,
}

/// What was read, and how the file looked then.
struct Known<E> {
    stamp: Option<Stamp>,
    entries: Arc<[E]>,
}

/// Differs after every replacement, and after an edit in place unless it keeps the length within
/// one tick of the file system's clock.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl<E: Entry> TrustFile<E> {
    /// Reads `path`; a missing file has no entries.
    ///
    /// # Errors
    ///
    /// [`Code::BAD_CONFIG`] with the file and the line, also if others may write to the file.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let known = Known { stamp: None, entries: Arc::new([]) };
        let file = Self { path: path.to_owned(), known: Mutex::new(known) };
        file.entries()?;
        Ok(file)
    }

    /// The entries as the file has them. Costs one `stat`, and a whole read after a change.
    ///
    /// # Errors
    ///
    /// As [`TrustFile::load`], for as long as the file is wrong.
    pub(super) fn entries(&self) -> Result<Arc<[E]>> {
        let mut known = self.known.lock();
        let stamp = stamp_of(&self.path)?;
        if stamp != known.stamp {
            // The stamp is older than the content read here, so a change in between is seen later.
            let entries = parse_all(&read(&self.path)?, &self.path)?;
            *known = Known { stamp, entries: entries.into() };
        }
        Ok(Arc::clone(&known.entries))
    }

    /// Adds an entry as the last line, durably, unless the same is there.
    ///
    /// Waits for other processes that add. What people wrote stays as it is.
    ///
    /// # Errors
    ///
    /// As [`TrustFile::load`], and if the file cannot be written; it is unchanged then.
    pub(super) fn append(&self, entry: &E) -> Result<()> {
        let _lock = private::lock(&self.path, Code::BAD_CONFIG)?;
        let mut text = read(&self.path)?;
        if parse_all::<E>(&text, &self.path)?.contains(entry) {
            return Ok(());
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&entry.render());
        text.push('\n');
        private::replace(&self.path, text.as_bytes(), Code::BAD_CONFIG)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn stamp_of(path: &Path) -> Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Stamp {
            inode: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Error::new(Code::BAD_CONFIG, format!("{} cannot be read", path.display()))
                .with_source(error))
        }
    }
}

fn read(path: &Path) -> Result<String> {
    match private::open(path, private::OTHERS_WRITE, Code::BAD_CONFIG)? {
        Some(file) => private::read_text(&file, path, MAX_FILE_BYTES, Code::BAD_CONFIG),
        None => Ok(String::new()),
    }
}

fn parse_all<E: Entry>(text: &str, path: &Path) -> Result<Vec<E>> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (content, comment) = line.split_once('#').unwrap_or((line, ""));
        if content.trim().is_empty() {
            continue;
        }
        let entry = E::parse(content.trim(), comment.trim())
            .map_err(|error| at_line(path, index + 1, error))?;
        entries.push(entry);
    }
    Ok(entries)
}

fn at_line(path: &Path, line: usize, error: Error) -> Error {
    let hint = match error.hint() {
        Some(hint) => format!("mend the line or put # before it; {hint}"),
        None => "mend the line or put # before it".to_owned(),
    };
    Error::new(Code::BAD_CONFIG, format!("{}, line {line}, makes no sense", path.display()))
        .with_hint(hint)
        .with_source(error)
}
