//! From nothing to the first byte, on a connection of its own each time.

use super::Amounts;
use crate::{
    Result,
    cell::Stand,
    data::Piece,
    measure::{Measured, Stopwatch},
    peer::Peer,
};
use std::time::Instant;

pub(super) async fn connect<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let mut times = Vec::with_capacity(amounts.connections as usize);
    let watch = Stopwatch::start();
    for at in 0..amounts.connections {
        let started = Instant::now();
        let peer = P::connect(&stand.stage, &stand.server).await?;
        let piece = peer.read_once(at, 1).await?;
        times.push(started.elapsed());
        if piece != Piece::expected(at, 1) {
            return Err(format!("{piece:?} is not what lies at {at}").into());
        }
    }
    Ok(watch.latency(&times, 0.5))
}
