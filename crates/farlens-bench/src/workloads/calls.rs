//! The smallest call there is: two numbers there, one back.

use super::{Amounts, check};
use crate::{
    Result,
    cell::Stand,
    measure::{Measured, Stopwatch},
    peer::Peer,
};
use std::time::Instant;

/// Calls that are under way at a time.
const AT_ONCE: usize = 64;

pub(super) async fn sequential<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let mut times = Vec::with_capacity(amounts.sequential as usize);
    let watch = Stopwatch::start();
    for n in 0..amounts.sequential {
        let started = Instant::now();
        let answer = stand.peer.add(n, 1).await?;
        times.push(started.elapsed());
        check("sum", answer, n + 1)?;
    }
    Ok(watch.latency(&times, 0.5))
}

pub(super) async fn parallel<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let count = amounts.parallel;
    let watch = Stopwatch::start();
    let sum = stand.peer.adds(count, AT_ONCE).await?;
    let measured = watch.rate(count, 1.0);
    check("sum of sums", sum, count * (count + 1) / 2)?;
    Ok(measured)
}
