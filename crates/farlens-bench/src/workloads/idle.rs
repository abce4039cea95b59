//! Streams on which nothing comes: what each keeps in memory, at both sides together.
//!
//! Memory is that of the process, so this runs in one of its own; see [`crate::child`].

use super::{Amounts, amounts::FIRST_IDLE};
use crate::{
    Result,
    cell::Stand,
    measure::{Measured, Stopwatch, resident_bytes},
    peer::Peer,
};
use futures::{StreamExt, stream};
use std::time::Duration;

/// Streams that are being opened at a time.
const AT_ONCE: usize = 64;
/// What is still on its way when the last one is open has come after this.
const SETTLED: Duration = Duration::from_millis(200);

pub(super) async fn streams<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let first = open(stand, FIRST_IDLE).await?;
    let before = resident_bytes()?;
    let watch = Stopwatch::start();
    let idle = open(stand, amounts.idle).await?;
    let after = resident_bytes()?;
    let measured = watch.amount(amounts.idle, after.saturating_sub(before));
    drop((first, idle));
    Ok(measured)
}

async fn open<P: Peer>(stand: &Stand<P>, count: u64) -> Result<Vec<P::Quiet>> {
    let mut streams = Vec::with_capacity(usize::try_from(count)?);
    let mut opening = stream::iter(0..count).map(|_| stand.peer.quiet()).buffer_unordered(AT_ONCE);
    while let Some(stream) = opening.next().await {
        streams.push(stream?);
    }
    tokio::time::sleep(SETTLED).await;
    Ok(streams)
}
