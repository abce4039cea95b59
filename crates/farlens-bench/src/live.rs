//! A live log for systems that have none of their own: each reader gets everything in order, and a
//! writer waits for the slowest.

use crate::{
    Result,
    data::{Data, Piece},
};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Notify;

/// Bytes of an entry.
pub(crate) const ENTRY: usize = 1 << 10;
/// Entries that a reader may be behind.
pub(crate) const BEHIND: usize = 1024;

/// The log at its server. What is written at a time is a log of its own for whoever reads then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    log: Arc<Mutex<Arc<Log>>>,
}

#[derive(Debug, Default)]
struct Log {
    state: Mutex<State>,
    written: Notify,
    taken: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Bytes>,
    /// Entries that every reader has taken.
    gone: usize,
    /// How many each reader has taken.
    readers: Vec<usize>,
    ended: bool,
}

impl Live {
    /// A reader of what is written next.
    pub(crate) fn reader(&self) -> Reader {
        let log = Arc::clone(&self.log.lock());
        let mut state = log.state.lock();
        let index = state.readers.len();
        state.readers.push(0);
        drop(state);
        Reader { log, index }
    }

    /// Writes so many bytes for whoever reads now.
    pub(crate) async fn write(&self, data: &Data, bytes: u64) {
        let log = std::mem::take(&mut *self.log.lock());
        for entry in entries(data, bytes) {
            log.write(entry).await;
        }
        log.state.lock().ended = true;
        log.written.notify_waiters();
    }
}

impl Log {
    async fn write(&self, entry: Bytes) {
        loop {
            let taken = self.taken.notified();
            if self.state.lock().put(&entry) {
                break;
            }
            taken.await;
        }
        self.written.notify_waiters();
    }
}

/// One that reads.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    index: usize,
}

impl Reader {
    /// The next entries in one piece, `most` bytes of those that are there. Nothing at the end.
    pub(crate) async fn next(&mut self, most: usize) -> Option<Bytes> {
        loop {
            let written = self.log.written.notified();
            let (taken, ended) = self.log.state.lock().take(self.index, most / ENTRY);
            if !taken.is_empty() {
                self.log.taken.notify_one();
                return Some(one_piece(taken));
            }
            if ended {
                return None;
            }
            written.await;
        }
    }
}

impl State {
    /// Puts an entry behind the others, if the slowest reader leaves room.
    fn put(&mut self, entry: &Bytes) -> bool {
        let room = self.entries.len() < BEHIND;
        if room {
            self.entries.push_back(entry.clone());
        }
        room
    }

    /// Takes what a reader has not, and says whether no more will come.
    fn take(&mut self, reader: usize, most: usize) -> (Vec<Bytes>, bool) {
        let from = self.readers[reader] - self.gone;
        let taken: Vec<_> = self.entries.range(from..).take(most).cloned().collect();
        self.readers[reader] += taken.len();
        let slowest = self.readers.iter().min().map_or(self.gone, |slowest| *slowest);
        self.entries.drain(..slowest - self.gone);
        self.gone = slowest;
        (taken, self.ended)
    }
}

fn one_piece(mut entries: Vec<Bytes>) -> Bytes {
    if entries.len() == 1 {
        return entries.remove(0);
    }
    let mut piece = BytesMut::with_capacity(entries.len() * ENTRY);
    entries.iter().for_each(|entry| piece.extend_from_slice(entry));
    piece.freeze()
}

/// The entries of so many bytes, each a function of its place.
pub(crate) fn entries(data: &Data, bytes: u64) -> impl Iterator<Item = Bytes> + Send + 'static {
    data.to_write(bytes, ENTRY)
}

/// What a reader of the log has taken, which must be what lies there.
#[derive(Debug, Default)]
pub(crate) struct Taken(u64);

impl Taken {
    /// Takes what came next.
    ///
    /// # Errors
    /// When that is anything else.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<()> {
        if !piece.is_empty() && Piece::of(piece) != Piece::expected(self.0, piece.len()) {
            return Err(format!("what came of the log at {} does not lie there", self.0).into());
        }
        self.0 += piece.len() as u64;
        Ok(())
    }

    /// Bytes in all.
    pub(crate) const fn bytes(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::data;

    #[tokio::test]
    async fn every_reader_gets_every_entry() {
        let (live, data) = (Live::default(), data(0));
        let mut readers = [live.reader(), live.reader()];
        let writing = live.clone();
        let bytes = 3 * (BEHIND * ENTRY) as u64;
        let writer = tokio::spawn(async move { writing.write(&data, bytes).await });
        let reading = readers.iter_mut().map(async |reader| {
            let mut taken = Taken::default();
            while let Some(piece) = reader.next(4 * ENTRY).await {
                taken.take(&piece).unwrap();
            }
            taken.bytes()
        });
        assert_eq!(futures::future::join_all(reading).await, [bytes, bytes]);
        writer.await.unwrap();
    }

    #[test]
    fn an_entry_of_another_place_is_noticed() {
        let data = data(0);
        let mut taken = Taken::default();
        taken.take(&data.piece(0, 100)).unwrap();
        assert!(taken.take(&data.piece(101, 100)).is_err());
    }
}
