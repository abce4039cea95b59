//! Pieces of 4 KiB from places all over the block.

use super::{Amounts, check};
use crate::{
    Result,
    cell::Stand,
    data::{BLOCK, Piece},
    measure::{Measured, Stopwatch},
    peer::Peer,
};
use std::time::Instant;

/// Reads that are under way at a time.
const AT_ONCE: usize = 64;
/// Bytes of a piece.
const LEN: usize = 4 << 10;

pub(super) async fn sequential<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let mut times = Vec::with_capacity(amounts.sequential as usize);
    let watch = Stopwatch::start();
    for at in (0..amounts.sequential).map(place) {
        let started = Instant::now();
        let piece = stand.peer.read_at(at, LEN).await?;
        times.push(started.elapsed());
        if piece != Piece::expected(at, LEN) {
            return Err(format!("{piece:?} is not what lies at {at}").into());
        }
    }
    Ok(watch.latency(&times, 0.5))
}

pub(super) async fn parallel<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let count = amounts.parallel;
    let places: Vec<u64> = (0..count).map(place).collect();
    let watch = Stopwatch::start();
    let good = stand.peer.reads(&places, LEN, AT_ONCE).await?;
    let measured = watch.rate(count, 1.0);
    check("pieces", good, count)?;
    Ok(measured)
}

/// The place of a read, with no stride that anything could guess.
fn place(n: u64) -> u64 {
    let mixed = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 31)) % (BLOCK - LEN) as u64
}
