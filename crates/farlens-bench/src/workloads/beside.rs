//! A call each millisecond while bulk data flows: how long the calls take, and what they cost it.

use super::check;
use crate::{
    Result,
    cell::Stand,
    data::message,
    measure::{Measured, Stopwatch},
    peer::{Meter, Peer},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::MissedTickBehavior;

/// Between the starts of two calls.
const PACE: Duration = Duration::from_millis(1);

pub(super) async fn calls<P: Peer>(stand: &Arc<Stand<P>>) -> Result<Measured> {
    let (watch, times, _) = both(stand).await?;
    Ok(watch.latency(&times, 0.99))
}

pub(super) async fn bulk<P: Peer>(stand: &Arc<Stand<P>>) -> Result<Measured> {
    both(stand).await.map(|(.., bulk)| bulk)
}

/// The bulk read is a task of its own, as it would be in a program.
async fn both<P: Peer>(stand: &Arc<Stand<P>>) -> Result<(Stopwatch, Vec<Duration>, Measured)> {
    let second = match P::MULTIPLEXED {
        true => None,
        false => Some(P::connect(&stand.stage, &stand.server).await?),
    };
    let caller = second.as_ref().unwrap_or(&stand.peer);
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut times, meter) = (Vec::new(), Meter::default());
    let watch = Stopwatch::start();
    let mut bulk = (stand.tasks.bulk)(Arc::clone(stand), meter.clone());
    loop {
        tokio::select! {
            biased;
            ended = &mut bulk => {
                ended??;
                break;
            }
            _ = pace.tick() => {}
        }
        let started = Instant::now();
        let message = message(times.len() as u64);
        let answer = caller.echo(message).await?;
        times.push(started.elapsed());
        check("messages", u64::from(answer == message), 1)?;
    }
    let measured = watch.rate(meter.total(), 1e6);
    check("bytes", meter.total(), stand.stage.bytes)?;
    Ok((watch, times, measured))
}
