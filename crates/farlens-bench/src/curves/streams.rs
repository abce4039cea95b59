//! Many streams on one link.

use crate::{
    Result,
    measure::{Measured, Stopwatch, most_resident_bytes, resident_bytes},
    peer::{Meter, Peer, Stage},
    systems::farlens::Farlens,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::time::Duration;

/// What is still on its way when all are open has come after this.
const SETTLED: Duration = Duration::from_millis(200);
/// Streams that are being opened at a time.
const AT_ONCE: usize = 64;

/// The bytes of all streams together, in time, from before they are opened.
pub(super) async fn rate<P: Peer>(stage: &Stage, streams: u64) -> Result<Measured> {
    let server = P::serve(stage).await?;
    let peer = P::connect(stage, &server).await?;
    let meter = Meter::default();
    let watch = Stopwatch::start();
    peer.bulks(streams, &meter).await?;
    let received = meter.total();
    let measured = watch.rate(received, 1e6);
    match received == stage.bytes * streams {
        true => Ok(measured),
        false => Err(format!("{received} bytes arrived").into()),
    }
}

/// What they keep at the most while all are read.
pub(super) async fn memory(stage: &Stage, streams: u64) -> Result<Measured> {
    let server = Farlens::serve(stage).await?;
    let peer = Farlens::connect(stage, &server).await?;
    let before = resident_bytes()?;
    let watch = Stopwatch::start();
    peer.bulks(streams, &Meter::default()).await?;
    Ok(watch.megabytes(streams, most_resident_bytes()?.saturating_sub(before)))
}

/// What they keep while nothing comes.
pub(super) async fn idle(stage: &Stage, streams: u64) -> Result<Measured> {
    let server = Farlens::serve(stage).await?;
    let peer = Farlens::connect(stage, &server).await?;
    // The first one pays for what is there once.
    let first = peer.quiet().await?;
    let before = resident_bytes()?;
    let watch = Stopwatch::start();
    let opening = stream::iter(0..streams).map(|_| peer.quiet()).buffer_unordered(AT_ONCE);
    let idle: Vec<_> = opening.try_collect().await?;
    tokio::time::sleep(SETTLED).await;
    let measured = watch.megabytes(streams, resident_bytes()?.saturating_sub(before));
    drop((first, idle));
    Ok(measured)
}
