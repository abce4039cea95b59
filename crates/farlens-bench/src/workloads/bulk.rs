//! Bytes, as fast as they come.

use super::check;
use crate::{
    Result,
    cell::Stand,
    data::Origin,
    measure::{Measured, Stopwatch},
    peer::Peer,
};

pub(super) async fn memory<P: Peer>(stand: &Stand<P>) -> Result<Measured> {
    read(stand, Origin::Memory).await
}

pub(super) async fn file<P: Peer>(stand: &Stand<P>) -> Result<Measured> {
    read(stand, Origin::File).await
}

pub(super) async fn write<P: Peer>(stand: &Stand<P>) -> Result<Measured> {
    let bytes = stand.stage.bytes;
    let watch = Stopwatch::start();
    let written = stand.peer.write().await?;
    let measured = watch.rate(bytes, 1e6);
    check("bytes", written, bytes)?;
    Ok(measured)
}

/// The stalled one is begun before the clock is.
pub(super) async fn beside_a_stalled_one<P: Peer>(stand: &Stand<P>) -> Result<Measured> {
    let stalled = match P::MULTIPLEXED {
        true => Some(stand.peer.stall().await?),
        false => None,
    };
    let measured = memory(stand).await;
    drop(stalled);
    measured
}

async fn read<P: Peer>(stand: &Stand<P>, origin: Origin) -> Result<Measured> {
    let bytes = stand.stage.bytes;
    let watch = Stopwatch::start();
    let received = stand.peer.bulk(origin).await?;
    let measured = watch.rate(bytes, 1e6);
    check("bytes", received, bytes)?;
    Ok(measured)
}
