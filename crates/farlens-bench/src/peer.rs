//! What a system has to do to be measured.

use crate::{
    Result,
    data::{Data, Message, Origin, Piece, message},
    live::Live,
    tls::Tls,
};
use futures::{StreamExt, stream::FuturesUnordered};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{runtime::Handle, sync::Barrier};

/// What servers and clients of a run share.
#[derive(Clone)]
pub(crate) struct Stage {
    /// Where servers run.
    pub(crate) server: Handle,
    /// Where clients run.
    pub(crate) client: Handle,
    pub(crate) data: Data,
    pub(crate) tls: Tls,
    /// Where the file of [`Origin::File`] is.
    pub(crate) path: PathBuf,
    /// Where the file is that clients write.
    pub(crate) written: PathBuf,
    /// What every reader reads: how much, and how many entities.
    pub(crate) bytes: u64,
    pub(crate) entities: u64,
    /// The live log of systems that have none.
    pub(crate) live: Live,
    /// Streams that are open at a time, at most.
    pub(crate) streams: u32,
    /// Bytes that a stream may be ahead of its reader, where that has to be set.
    pub(crate) window: u32,
}

/// Counts bytes as they come, for whoever looks meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<AtomicU64>);

impl Meter {
    /// So many more have come.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many have come.
    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A system: its server, and a connected client with one method for each thing that is measured.
///
/// Each method returns once everything has arrived and was looked at, and says what that was, so
/// that the workload can check it.
pub(crate) trait Peer: Sized + 'static {
    /// Whether one connection carries a bulk read and calls at the same time.
    const MULTIPLEXED: bool = true;
    /// A server that runs; dropping it stops it.
    type Server: Send + Sync + 'static;
    /// A stream whose reader does not read on.
    type Stalled;
    /// A stream on which nothing comes.
    type Quiet;
    /// The live log, opened.
    type Log;

    /// Starts a server that serves the data of the stage.
    async fn serve(stage: &Stage) -> Result<Self::Server>;

    /// Connects, from nothing up to where a first request can be made.
    async fn connect(stage: &Stage, server: &Self::Server) -> Result<Self>;

    /// Reads the bulk data of an origin, and counts the bytes as they come.
    async fn bulk(&self, origin: Origin, meter: &Meter) -> Result<()>;

    /// Writes as many bytes to the server's file, and waits until all are in it; says how many the
    /// server has written. It does not wait for the disk.
    async fn write(&self) -> Result<u64>;

    /// Begins a bulk read of memory and reads no further than its first piece.
    async fn stall(&self) -> Result<Self::Stalled>;

    /// Opens a stream on which nothing comes, and waits until the server has it.
    async fn quiet(&self) -> Result<Self::Quiet>;

    /// Opens the live log at its end.
    async fn open_log(&self) -> Result<Self::Log>;

    /// Reads so many bytes of it, and checks that they are the right ones; says how many came.
    async fn read_log(&self, log: Self::Log, bytes: u64) -> Result<u64>;

    /// Writes so many bytes to the live log, at the server.
    async fn write_log(stage: &Stage, _server: &Self::Server, bytes: u64) -> Result<()> {
        stage.live.write(&stage.data, bytes).await;
        Ok(())
    }

    /// Reads all entities, sent and taken one by one; adds up their ids.
    async fn entities(&self) -> Result<u64>;

    /// Reads the first `count` entities in a stream of its own; adds up their ids.
    async fn items(&self, count: u64) -> Result<u64>;

    /// Reads all entities in batches of [`crate::data::BATCH`]; adds up their ids.
    async fn batches(&self) -> Result<u64>;

    /// Sends a message and gets it back.
    async fn echo(&self, message: Message) -> Result<Message>;

    /// Reads a piece of the block.
    async fn read_at(&self, at: u64, len: usize) -> Result<Piece>;

    /// Reads a piece of the block, on a connection that has read nothing yet.
    async fn read_once(&self, at: u64, len: usize) -> Result<Piece> {
        self.read_at(at, len).await
    }

    /// Reads the bulk data of memory in so many streams at a time, and counts all bytes.
    async fn bulks(&self, streams: u64, meter: &Meter) -> Result<()> {
        let mut open: FuturesUnordered<_> =
            (0..streams).map(|_| self.bulk(Origin::Memory, meter)).collect();
        while let Some(read) = open.next().await {
            read?;
        }
        Ok(())
    }

    /// Opens the live log so many times, and once everybody is `ready` reads so many bytes of each;
    /// says how many came in all.
    async fn follow(&self, readers: u64, ready: &Barrier, bytes: u64) -> Result<u64> {
        let mut logs = Vec::new();
        for _ in 0..readers {
            logs.push(self.open_log().await?);
        }
        ready.wait().await;
        let mut reading: FuturesUnordered<_> =
            logs.into_iter().map(|log| self.read_log(log, bytes)).collect();
        let mut received = 0;
        while let Some(bytes) = reading.next().await {
            received += bytes?;
        }
        Ok(received)
    }

    /// Reads `count` entities in each of so many streams at a time; adds up their ids.
    async fn streams(&self, streams: u64, count: u64) -> Result<u64> {
        let mut open: FuturesUnordered<_> = (0..streams).map(|_| self.items(count)).collect();
        let mut sum = 0u64;
        while let Some(ids) = open.next().await {
            sum = sum.wrapping_add(ids?);
        }
        Ok(sum)
    }

    /// Calls with a message of its own; says whether that came back.
    async fn echoes_right(&self, n: u64) -> Result<bool> {
        let message = message(n);
        Ok(self.echo(message).await? == message)
    }

    /// Makes `count` calls, always `at_once` of them under way; says how many were answered as they
    /// had to be.
    async fn echoes(&self, count: u64, at_once: usize) -> Result<u64> {
        under_way((0..count).map(|n| self.echoes_right(n)), at_once).await
    }

    /// Makes calls one after another, beside those of other tasks; says how many were answered as
    /// they had to be.
    async fn calls(&self, calls: impl Iterator<Item = u64> + Send) -> Result<u64> {
        let mut right = 0;
        for n in calls {
            right += u64::from(self.echoes_right(n).await?);
        }
        Ok(right)
    }

    /// Does what the calls of so many tasks need beside these, until all of them are made.
    async fn carry_calls(&self, _callers: usize) -> Result<()> {
        Ok(())
    }

    /// Reads a piece; says whether it is as it has to be.
    async fn reads_right(&self, at: u64, len: usize) -> Result<bool> {
        Ok(self.read_at(at, len).await? == Piece::expected(at, len))
    }

    /// Reads pieces of `len` bytes at places, always `at_once` of them under way; says how many of
    /// them were as they have to be.
    async fn reads(&self, places: &[u64], len: usize, at_once: usize) -> Result<u64> {
        under_way(places.iter().map(|&at| self.reads_right(at, len)), at_once).await
    }

    /// The same calls in step, of which only the hand-written loops know anything.
    async fn echoes_in_step(&self, _count: u64, _at_once: usize) -> Result<u64> {
        Err("calls have callers here".into())
    }
}

/// Runs requests within one task, always `at_once` of them at a time; says how many went right.
pub(crate) async fn under_way<F: Future<Output = Result<bool>>>(
    requests: impl Iterator<Item = F>,
    at_once: usize,
) -> Result<u64> {
    let (mut under_way, mut right) = (FuturesUnordered::new(), 0);
    for request in requests {
        under_way.push(request);
        if under_way.len() == at_once
            && let Some(answer) = under_way.next().await
        {
            right += u64::from(answer?);
        }
    }
    while let Some(answer) = under_way.next().await {
        right += u64::from(answer?);
    }
    Ok(right)
}
