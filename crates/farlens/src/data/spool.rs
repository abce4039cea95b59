//! A growing sequence that one producer writes and many read, from anywhere in it.
//!
//! It is kept whole: the first part in memory, what follows in a temporary file without a name.
//! Both consist of sealed blocks of about 64 KiB; only the tail still grows.
//!
//! ```text
//!   | block | block | ... up to the memory bound | block | ... in the file | tail |  <- push
//! ```

mod log;

use super::ended::Ended;
use super::storage::{self, BLOCKING_READ_BYTES};
use super::{DataState, Fetched, ReadBudget, StreamerData, fresh_version};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{Chunk, Kind};
use farlens_wire::{Code, Element, Flags, ModeOffer, Position, schema::SchemaDoc};
use log::{Found, Log, OnDisk};
use parking_lot::Mutex;
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, OnceLock},
};
use tokio::sync::Notify;

/// Bytes kept in memory before a spool continues in a file, unless told otherwise.
const MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// Where spools come from: sequences that are kept whole while they are produced.
///
/// The producer's end is the end: a reader waits for it, also with [`crate::AtEnd::Stop`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Spool;

impl Spool {
    /// An empty sequence of entities, with 64 MiB in memory.
    #[must_use]
    pub fn items() -> (SpoolWriter, SpoolData) {
        Self::with_memory(Kind::Items, MEMORY_BYTES)
    }

    /// An empty sequence of `T`, whose readers learn that type, with 64 MiB in memory. What is
    /// pushed is an encoded `T`; whether it is a valid one is found by its readers.
    #[must_use]
    pub fn items_of<T: Element>() -> (SpoolWriter, SpoolData) {
        Self::with(Kind::Items, MEMORY_BYTES, T::schema())
    }

    /// An empty sequence of bytes, with 64 MiB in memory.
    #[must_use]
    pub fn bytes() -> (SpoolWriter, SpoolData) {
        Self::with_memory(Kind::Bytes, MEMORY_BYTES)
    }

    /// An empty sequence that keeps its first `memory_bytes` in memory and the rest in a file in
    /// [`std::env::temp_dir`] that only this process can open. Besides these bytes, memory holds
    /// the last 64 KiB or the last entity, and about 150 bytes for every 64 KiB.
    #[must_use]
    pub fn with_memory(kind: Kind, memory_bytes: usize) -> (SpoolWriter, SpoolData) {
        Self::with(kind, memory_bytes, None)
    }

    fn with(
        kind: Kind,
        memory_bytes: usize,
        schema: Option<Arc<SchemaDoc>>,
    ) -> (SpoolWriter, SpoolData) {
        let shared = Arc::new(Shared {
            kind,
            schema,
            log: Mutex::new(Log::new(kind)),
            news: Notify::new(),
            file: OnceLock::new(),
            version: fresh_version(),
        });
        let writer =
            SpoolWriter { shared: Arc::clone(&shared), memory_left: memory_bytes, file_end: 0 };
        (writer, SpoolData { shared })
    }
}

struct Shared {
    kind: Kind,
    /// The type of the entities, where they have one.
    schema: Option<Arc<SchemaDoc>>,
    /// Held for copies within memory, never for a call on the file.
    log: Mutex<Log>,
    /// Told of every push and of the end.
    news: Notify,
    file: OnceLock<Arc<File>>,
    version: Bytes,
}

/// The producing end of a spool. Dropping it without [`SpoolWriter::finish`] fails the sequence.
pub struct SpoolWriter {
    shared: Arc<Shared>,
    memory_left: usize,
    file_end: u64,
}

impl SpoolWriter {
    /// Appends some bytes, or one encoded entity. Readers see it at once. Waits for nothing but the
    /// disk, and for that only beyond the memory bound, once every 64 KiB.
    ///
    /// # Errors
    /// `CLOSED` once the sequence has failed, `TOO_LARGE` beyond 2^63-1 elements, `STORAGE_IO` when
    /// the file cannot be written: the sequence has failed then, and what was pushed before stays
    /// readable.
    pub fn push(&mut self, element: &[u8]) -> Result<()> {
        let full = {
            let mut log = self.shared.log.lock();
            if log.ended.is_some() {
                return Err(Error::new(Code::CLOSED, "the sequence has failed"));
            }
            log.push(element)?
        };
        self.shared.news.notify_waiters();
        if full { self.seal() } else { Ok(()) }
    }

    /// Ends the sequence: readers meet its end.
    pub fn finish(self) {
        self.end(Ended::Finished);
    }

    /// Ends the sequence with a failure: readers get `SOURCE_FAILED` with this text after the last
    /// element.
    pub fn fail(self, text: impl Into<String>) {
        self.end(Ended::Failed(Code::SOURCE_FAILED, text.into()));
    }

    /// Ends the sequence with a failure of another kind, such as `GOING_AWAY` when the producer is
    /// told to stop: readers get its code and text after the last element.
    pub fn fail_with(self, error: &Error) {
        self.end(Ended::failed(error));
    }

    /// The first end stays.
    fn end(&self, ended: Ended) {
        self.shared.log.lock().ended.get_or_insert(ended);
        self.shared.news.notify_waiters();
    }

    /// Makes a block of the tail, and moves it to the file when memory is used up.
    fn seal(&mut self) -> Result<()> {
        let (block, bytes) = self.shared.log.lock().seal_tail();
        if let Some(left) = self.memory_left.checked_sub(bytes.len()) {
            self.memory_left = left;
            return Ok(());
        }
        // A smaller block must not find room in memory later: the file holds all that follows.
        self.memory_left = 0;
        if let Err(error) = self.write_out(&bytes) {
            self.end(Ended::Failed(Code::STORAGE_IO, "the spool file cannot be written".into()));
            return Err(storage::io_failed(error));
        }
        let place = OnDisk { offset: self.file_end, length: bytes.len() };
        self.file_end += bytes.len() as u64;
        self.shared.log.lock().moved_to_disk(block, place);
        Ok(())
    }

    fn write_out(&self, bytes: &[u8]) -> io::Result<()> {
        let file = match self.shared.file.get() {
            Some(file) => file,
            None => {
                let created = Arc::new(nameless_file(&std::env::temp_dir())?);
                self.shared.file.get_or_init(|| created)
            }
        };
        file.write_all_at(bytes, self.file_end)
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        let text = "the producer left without finishing".to_owned();
        self.end(Ended::Failed(Code::SOURCE_FAILED, text));
    }
}

/// The reading end of a spool, for any number of streams. Clones read the same sequence.
#[derive(Clone)]
pub struct SpoolData {
    shared: Arc<Shared>,
}

impl SpoolData {
    fn state_now(&self) -> DataState {
        let log = self.shared.log.lock();
        DataState {
            bounds: log.bounds(),
            version: self.shared.version.clone(),
            ended: log.ended.as_ref().is_some_and(Ended::is_finished),
        }
    }

    fn file(&self) -> Option<Arc<dyn storage::Storage>> {
        self.shared.file.get().map(|file| Arc::clone(file) as Arc<dyn storage::Storage>)
    }

    async fn read_file(&self, place: OnDisk, skip: u64, budget: ReadBudget) -> Result<Fetched> {
        let file = self.file().ok_or_else(lost)?;
        let length = match self.shared.kind {
            Kind::Bytes => place.length.min(budget.byte_count()).min(BLOCKING_READ_BYTES),
            Kind::Items => place.length,
        };
        let bytes = storage::read_exactly(&file, place.offset, length).await?;
        log::cut(self.shared.kind, &bytes, skip, budget).map(Fetched::Some).ok_or_else(lost)
    }

    fn read_file_now(&self, place: OnDisk, skip: u64, budget: ReadBudget) -> Option<Chunk> {
        let length = match self.shared.kind {
            Kind::Bytes => place.length.min(budget.byte_count()),
            Kind::Items => place.length,
        };
        let file = self.shared.file.get()?;
        let bytes = storage::read_cached(&**file, place.offset, length)?.ok()?;
        log::cut(self.shared.kind, &bytes, skip, budget)
    }
}

impl StreamerData for SpoolData {
    fn kind(&self) -> Kind {
        self.shared.kind
    }

    fn offers(&self) -> ModeOffer {
        ModeOffer {
            required: Flags::READABLE
                | Flags::START_BOUNDED
                | Flags::END_BOUNDED
                | Flags::END_CAN_INC,
            possible: Flags::SEEK,
        }
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.shared.schema.clone()
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.state_now())
    }

    /// Waits for the producer at the end as it is, so the answer `AtEnd` is final here.
    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        loop {
            let mut news = std::pin::pin!(self.shared.news.notified());
            news.as_mut().enable();
            let found = self.shared.log.lock().find(at, budget);
            match found {
                Found::Answer(answer) => return answer,
                Found::Disk(place, skip) => return self.read_file(place, skip, budget).await,
                Found::Nothing => news.await,
            }
        }
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let found = self.shared.log.lock().find(at, budget);
        match found {
            Found::Answer(answer) => Some(answer),
            Found::Disk(place, skip) => {
                self.read_file_now(place, skip, budget).map(|chunk| Ok(Fetched::Some(chunk)))
            }
            Found::Nothing => None,
        }
    }

    async fn changed(&self, seen: DataState) -> DataState {
        loop {
            let mut news = std::pin::pin!(self.shared.news.notified());
            news.as_mut().enable();
            let state = self.state_now();
            if state != seen {
                return state;
            }
            news.await;
        }
    }
}

impl std::fmt::Debug for SpoolWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpoolWriter").field("kind", &self.shared.kind).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SpoolData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpoolData").field("state", &self.state_now()).finish()
    }
}

/// A file in `dir` that has no name and goes away with its last descriptor.
fn nameless_file(dir: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let owner = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(fd) = rustix::fs::open(dir, flags | OFlags::TMPFILE, owner) {
        return Ok(File::from(fd));
    }
    // Not every file system knows files without a name: give it one that nobody guesses.
    let name: String = fresh_version().iter().map(|byte| format!("{byte:02x}")).collect();
    let path = dir.join(format!(".farlens-{name}"));
    let fd = rustix::fs::open(&path, flags | OFlags::CREATE | OFlags::EXCL, owner)?;
    std::fs::remove_file(&path)?;
    Ok(File::from(fd))
}

fn lost() -> Error {
    Error::new(Code::STORAGE_IO, "the spool file lost what was written to it")
}

#[cfg(test)]
mod tests;
