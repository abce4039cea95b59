//! Typed values, each made by the server and decoded by the client.

use super::check;
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

fn finish<P: Peer>(stand: &Stand<P>, watch: Stopwatch, sum: u64) -> Result<Measured> {
    let count = stand.stage.entities;
    let measured = watch.rate(count, 1e6);
    check("sum of ids", sum, count * (count - 1) / 2)?;
    Ok(measured)
}
