//! The smallest call there is: a message of 32 bytes there, and the same back.

use super::{Amounts, check};
use crate::{
    Result,
    cell::Stand,
    data::message,
    measure::{Measured, Stopwatch},
    peer::Peer,
};
use std::{sync::Arc, time::Instant};

/// Calls that are under way at a time.
const AT_ONCE: usize = 64;

pub(super) async fn sequential<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let mut times = Vec::with_capacity(amounts.sequential as usize);
    let watch = Stopwatch::start();
    for n in 0..amounts.sequential {
        let message = message(n);
        let started = Instant::now();
        let answer = stand.peer.echo(message).await?;
        times.push(started.elapsed());
        check("messages", u64::from(answer == message), 1)?;
    }
    Ok(watch.latency(&times, 0.5))
}

pub(super) async fn parallel<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let count = amounts.parallel;
    let watch = Stopwatch::start();
    let right = stand.peer.echoes(count, AT_ONCE).await?;
    let measured = watch.rate(count, 1.0);
    check("messages", right, count)?;
    Ok(measured)
}

/// Each caller is a task, as it is in most programs.
pub(super) async fn apart<P: Peer>(stand: Arc<Stand<P>>, amounts: Amounts) -> Result<Measured> {
    let count = amounts.parallel;
    let watch = Stopwatch::start();
    let callers = (0..AT_ONCE).map(|first| {
        let calls = (first as u64..count).step_by(AT_ONCE);
        (stand.tasks.calls)(Arc::clone(&stand), calls)
    });
    let callers: Vec<_> = callers.collect();
    stand.peer.carry_calls(callers.len()).await?;
    let mut right = 0;
    for caller in callers {
        right += caller.await??;
    }
    let measured = watch.rate(count, 1.0);
    check("messages", right, count)?;
    Ok(measured)
}

pub(super) async fn in_step<P: Peer>(stand: &Stand<P>, amounts: Amounts) -> Result<Measured> {
    let count = amounts.parallel;
    let watch = Stopwatch::start();
    let right = stand.peer.echoes_in_step(count, AT_ONCE).await?;
    let measured = watch.rate(count, 1.0);
    check("messages", right, count)?;
    Ok(measured)
}
