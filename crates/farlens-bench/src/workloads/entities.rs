//! Typed values, each made by the server and decoded by the client.

use super::{Amounts, amounts::MANY as STREAMS, check};
use crate::{
    Result,
    cell::Stand,
    measure::{Measured, Stopwatch},
    peer::Peer,
};

pub(super) async fn one<P: Peer>(stand: &Stand<P>) -> Result<Measured> {
    let watch = Stopwatch::start();
    let sum = stand.peer.entities().await?;
    finish(stand, watch, sum)
}

pub(super) async fn batch<P: Peer>(stand: &Stand<P>) -> Result<Measured> {
    let watch = Stopwatch::start();
    let sum = stand.peer.batches().await?;
    finish(stand, watch, sum)
}

pub(super) async fn streams<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let watch = Stopwatch::start();
    let sum = stand.peer.streams(STREAMS, amounts.each).await?;
    let measured = watch.rate(STREAMS * amounts.each, 1e6);
    check("sum of ids", sum, STREAMS * ids(amounts.each))?;
    Ok(measured)
}

fn finish<P: Peer>(stand: &Stand<P>, watch: Stopwatch, sum: u64) -> Result<Measured> {
    let count = stand.stage.entities;
    let measured = watch.rate(count, 1e6);
    check("sum of ids", sum, ids(count))?;
    Ok(measured)
}

/// What the ids of the first `count` entities add up to.
fn ids(count: u64) -> u64 {
    count * (count - 1) / 2
}
