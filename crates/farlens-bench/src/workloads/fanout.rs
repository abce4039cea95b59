//! A live log with many readers, some on each of several connections.

use super::{Amounts, check};
use crate::{
    Result,
    cell::Stand,
    measure::{Measured, Stopwatch},
    peer::Peer,
};
use std::sync::Arc;
use tokio::sync::Barrier;

/// Connections, each of which is a client with a task of its own.
const CONNECTIONS: usize = 8;
/// Readers on each of them.
const READERS: u64 = 8;

pub(super) async fn log<P: Peer>(stand: &Arc<Stand<P>>, amounts: Amounts) -> Result<Measured> {
    let ready = Arc::new(Barrier::new(CONNECTIONS + 1));
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let peer = P::connect(&stand.stage, &stand.server).await?;
        clients.push((stand.tasks.follow)(peer, READERS, Arc::clone(&ready), amounts.log_bytes));
    }
    ready.wait().await;
    let watch = Stopwatch::start();
    let writer = (stand.tasks.write_log)(Arc::clone(stand), amounts.log_bytes);
    let mut received = 0;
    for client in clients {
        received += client.await??;
    }
    let measured = watch.rate(received, 1e6);
    writer.await??;
    check("bytes", received, CONNECTIONS as u64 * READERS * amounts.log_bytes)?;
    Ok(measured)
}
