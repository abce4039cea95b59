//! Where the content comes from, read by a thread of its own.

use crate::input::unreadable;
use bytes::Bytes;
use farlens::{Code, Error, Result};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};
use tokio::sync::mpsc;

/// Bytes that are read at a time.
const BLOCK_BYTES: usize = 64 << 10;
/// Pieces that wait at most.
const QUEUE: usize = 4;

/// A file or standard input.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) reader: Box<dyn Read + Send>,
}

impl Source {
    /// Opens it; nothing and `-` are standard input.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self { name: "standard input".to_owned(), reader: Box::new(io::stdin()) });
        };
        let name = path.display().to_string();
        let unusable =
            |error| Error::new(Code::USAGE, format!("{name} cannot be read")).with_source(error);
        let file = File::open(path).map_err(unusable)?;
        if file.metadata().map_err(unusable)?.is_dir() {
            let text = format!("{name} is a directory");
            return Err(Error::new(Code::USAGE, text).with_hint("put its files one by one"));
        }
        Ok(Self { name, reader: Box::new(file) })
    }

    /// The content in pieces; nothing behind the last one.
    pub(super) fn pieces(mut self) -> Result<mpsc::Receiver<Result<Bytes>>> {
        spawn(move |queue: &mpsc::Sender<Result<Bytes>>| {
            while let Some(piece) = self.piece().transpose() {
                let failed = piece.is_err();
                if queue.blocking_send(piece).is_err() || failed {
                    return;
                }
            }
        })
    }

    /// How many bytes there are, read to the end.
    pub(super) async fn count(self) -> Result<u64> {
        let mut pieces = self.pieces()?;
        let mut count = 0;
        while let Some(piece) = pieces.recv().await {
            count += piece?.len() as u64;
        }
        Ok(count)
    }

    fn piece(&mut self) -> Result<Option<Bytes>> {
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            match self.reader.read(&mut block) {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    block.truncate(count);
                    return Ok(Some(Bytes::from(block)));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.name, error)),
            }
        }
    }
}

/// Runs a reader that may block on a thread of its own; it ends when nobody takes what it sends.
pub(super) fn spawn<T: Send + 'static>(
    read: impl FnOnce(&mpsc::Sender<T>) + Send + 'static,
) -> Result<mpsc::Receiver<T>> {
    let (queue, pieces) = mpsc::channel(QUEUE);
    let spawned = std::thread::Builder::new().name("input".into()).spawn(move || read(&queue));
    spawned.map_err(|error| {
        Error::new(Code::INTERNAL, "no thread can be started").with_source(error)
    })?;
    Ok(pieces)
}
