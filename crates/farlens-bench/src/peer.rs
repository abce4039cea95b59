//! What a system has to do to be measured.

use crate::{
    Result,
    data::{Data, Origin, Piece},
    tls::Tls,
};
use futures::{StreamExt, stream::FuturesUnordered};
use std::path::PathBuf;
use tokio::runtime::Handle;

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

    /// Starts a server that serves the data of the stage.
    async fn serve(stage: &Stage) -> Result<Self::Server>;

    /// Connects, from nothing up to where a first request can be made.
    async fn connect(stage: &Stage, server: &Self::Server) -> Result<Self>;

    /// Reads the bulk data of an origin; says how many bytes came.
    async fn bulk(&self, origin: Origin) -> Result<u64>;

    /// Writes as many bytes to the server's file, and waits until all are in it; says how many the
    /// server has written. It does not wait for the disk.
    async fn write(&self) -> Result<u64>;

    /// Begins a bulk read of memory and reads no further than its first piece.
    async fn stall(&self) -> Result<Self::Stalled>;

    /// Reads all entities, sent and taken one by one; adds up their ids.
    async fn entities(&self) -> Result<u64>;

    /// Reads the first `count` entities in a stream of its own; adds up their ids.
    async fn items(&self, count: u64) -> Result<u64>;

    /// Reads all entities in batches of [`crate::data::BATCH`]; adds up their ids.
    async fn batches(&self) -> Result<u64>;

    /// Has two numbers added.
    async fn add(&self, a: u64, b: u64) -> Result<u64>;

    /// Reads a piece of the block.
    async fn read_at(&self, at: u64, len: usize) -> Result<Piece>;

    /// Reads the bulk data of memory in so many streams at a time; says how many bytes came in all.
    async fn bulks(&self, streams: u64) -> Result<u64> {
        let mut open: FuturesUnordered<_> =
            (0..streams).map(|_| self.bulk(Origin::Memory)).collect();
        let mut received = 0;
        while let Some(bytes) = open.next().await {
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

    /// Makes `count` additions, always `at_once` of them under way; adds up the answers.
    async fn adds(&self, count: u64, at_once: usize) -> Result<u64> {
        let (mut under_way, mut sum) = (FuturesUnordered::new(), 0u64);
        for n in 0..count {
            under_way.push(self.add(n, 1));
            if under_way.len() == at_once
                && let Some(answer) = under_way.next().await
            {
                sum = sum.wrapping_add(answer?);
            }
        }
        while let Some(answer) = under_way.next().await {
            sum = sum.wrapping_add(answer?);
        }
        Ok(sum)
    }

    /// Reads a piece; says whether it is as it has to be.
    async fn reads_right(&self, at: u64, len: usize) -> Result<bool> {
        Ok(self.read_at(at, len).await? == Piece::expected(at, len))
    }

    /// Reads pieces of `len` bytes at places, always `at_once` of them under way; says how many of
    /// them were as they have to be.
    async fn reads(&self, places: &[u64], len: usize, at_once: usize) -> Result<u64> {
        let (mut under_way, mut good) = (FuturesUnordered::new(), 0);
        for &at in places {
            under_way.push(self.reads_right(at, len));
            if under_way.len() == at_once
                && let Some(right) = under_way.next().await
            {
                good += u64::from(right?);
            }
        }
        while let Some(right) = under_way.next().await {
            good += u64::from(right?);
        }
        Ok(good)
    }
}
