//! Bytes, as fast as they come.

use super::{amounts::ACTIVE, check};
use crate::{
    Result,
    cell::Stand,
    data::Origin,
    measure::{Measured, Stopwatch},
    peer::{Meter, Peer},
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
    let measured = streams(stand, ACTIVE).await;
    drop(stalled);
    measured
}

/// In so many streams at a time.
pub(super) async fn streams<P: Peer>(stand: &Stand<P>, streams: u64) -> Result<Measured> {
    let (bytes, meter) = (stand.stage.bytes * streams, Meter::default());
    let watch = Stopwatch::start();
    stand.peer.bulks(streams, &meter).await?;
    let measured = watch.rate(bytes, 1e6);
    check("bytes", meter.total(), bytes)?;
    Ok(measured)
}

async fn read<P: Peer>(stand: &Stand<P>, origin: Origin) -> Result<Measured> {
    let (bytes, meter) = (stand.stage.bytes, Meter::default());
    let watch = Stopwatch::start();
    stand.peer.bulk(origin, &meter).await?;
    let measured = watch.rate(bytes, 1e6);
    check("bytes", meter.total(), bytes)?;
    Ok(measured)
}
