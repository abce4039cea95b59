//! Data on its way to standard output, by a thread of its own.
//!
//! The link never waits in a write: pieces pass through a short queue, and the thread gathers what
//! waits there into one call. Bytes are written as they arrived, without a copy.

use bytes::Bytes;
use farlens::{Code, Error, Result};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, IoSlice, Write},
    os::{fd::AsFd, unix::fs::FileTypeExt},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Pieces that wait at most; each holds up to 64 KiB.
const QUEUE_PIECES: usize = 32;
/// Pieces that go into one call.
const GATHER_PIECES: usize = 16;

/// Some data and how many entities it shows.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    pub(crate) items: u64,
}

/// How writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// All of it was taken.
    All,
    /// Whoever read there has left.
    ReaderLeft,
    /// Whoever reads there does not, and the time is over.
    Stuck,
}

/// What has been written so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    bytes: AtomicU64,
    items: AtomicU64,
}

impl Counts {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    pub(crate) fn items(&self) -> u64 {
        self.items.load(Ordering::Acquire)
    }
}

/// The way to standard output.
pub(crate) struct DataOut {
    queue: mpsc::Sender<Piece>,
    done: oneshot::Receiver<io::Result<()>>,
    counts: Arc<Counts>,
}

impl DataOut {
    /// Starts the thread that writes.
    pub(crate) fn start() -> Result<Self> {
        let file = own_handle().map_err(unwritable)?;
        let (queue, pieces) = mpsc::channel(QUEUE_PIECES);
        let (told, done) = oneshot::channel();
        let counts = Arc::new(Counts::default());
        let written = Arc::clone(&counts);
        let work = move || {
            let _ = told.send(write_all(file, pieces, &written));
        };
        std::thread::Builder::new().name("stdout".into()).spawn(work).map_err(unwritable)?;
        Ok(Self { queue, done, counts })
    }

    /// Waits for room for one more piece; nothing when writing has ended.
    pub(crate) async fn room(&self) -> Option<mpsc::Permit<'_, Piece>> {
        self.queue.reserve().await.ok()
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Waits until all is written, up to a time if one is given.
    pub(crate) async fn finish(self, within: Option<Duration>) -> Result<Written> {
        drop(self.queue);
        let outcome = match within {
            None => self.done.await,
            Some(within) => match tokio::time::timeout(within, self.done).await {
                Ok(outcome) => outcome,
                Err(_) => return Ok(Written::Stuck),
            },
        };
        match outcome {
            Ok(Ok(())) => Ok(Written::All),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Written::ReaderLeft),
            Ok(Err(error)) => Err(unwritable(error)),
            Err(_) => Err(Error::new(Code::INTERNAL, "the thread that writes is gone")),
        }
    }
}

/// Waits until nobody reads standard output any more. That would show at the next write only, and
/// what is watched may be silent for days. Only pipes and sockets have somebody at the other end.
pub(crate) async fn abandoned() {
    let (told, gone) = oneshot::channel();
    let watch = move || {
        if let Ok(file) = own_handle()
            && has_reader(&file)
            && wait_for_hang_up(&file).is_ok()
        {
            let _ = told.send(());
        }
    };
    let watching = std::thread::Builder::new().name("stdout-reader".into()).spawn(watch);
    if watching.is_err() || gone.await.is_err() {
        // It cannot be known.
        std::future::pending::<()>().await;
    }
}

fn has_reader(file: &File) -> bool {
    let kind = file.metadata().map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
}

fn wait_for_hang_up(file: &File) -> rustix::io::Result<()> {
    // Errors and hang-ups are told without being asked for, and nothing else is.
    let mut polled = [PollFd::new(file, PollFlags::empty())];
    loop {
        match poll(&mut polled, None) {
            Ok(0) | Err(Errno::INTR) => {}
            outcome => return outcome.map(|_| ()),
        }
    }
}

/// Standard output as a file: the handle of the standard library looks for line ends in everything.
fn own_handle() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

fn unwritable(error: io::Error) -> Error {
    Error::new(Code::STORAGE_IO, "standard output cannot be written").with_source(error)
}

/// Writes pieces until there are no more.
fn write_all(mut file: File, mut pieces: mpsc::Receiver<Piece>, counts: &Counts) -> io::Result<()> {
    let mut batch = Vec::with_capacity(GATHER_PIECES);
    while pieces.blocking_recv_many(&mut batch, GATHER_PIECES) > 0 {
        write_batch(&mut file, &batch, counts)?;
        batch.clear();
    }
    Ok(())
}

fn write_batch(file: &mut File, batch: &[Piece], counts: &Counts) -> io::Result<()> {
    let mut slices: Vec<_> = batch.iter().map(|piece| IoSlice::new(&piece.bytes)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                counts.bytes.fetch_add(written as u64, Ordering::AcqRel);
                IoSlice::advance_slices(&mut rest, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    counts.items.fetch_add(batch.iter().map(|piece| piece.items).sum(), Ordering::AcqRel);
    Ok(())
}
