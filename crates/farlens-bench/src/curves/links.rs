//! Many links to one server, none of which does anything.

use crate::{
    Result,
    measure::{Measured, Stopwatch, resident_bytes},
    peer::{Peer, Stage},
};
use std::time::Duration;

/// What is still on its way when all are open has come after this.
const SETTLED: Duration = Duration::from_millis(200);

pub(super) async fn idle<P: Peer>(stage: &Stage, links: u64) -> Result<Measured> {
    let server = P::serve(stage).await?;
    // The first one pays for what is there once.
    let mut open = vec![P::connect(stage, &server).await?];
    tokio::time::sleep(SETTLED).await;
    let before = resident_bytes()?;
    let watch = Stopwatch::start();
    for _ in 0..links {
        open.push(P::connect(stage, &server).await?);
    }
    tokio::time::sleep(SETTLED).await;
    let measured = watch.megabytes(links, resident_bytes()?.saturating_sub(before));
    drop(open);
    Ok(measured)
}
