//! Bulk data over a long line, in one stream or in several that share it.

use super::check;
use crate::{
    Result,
    cell::Stand,
    measure::{Measured, Stopwatch},
    peer::Peer,
};

pub(super) async fn read<P: Peer>(stand: &Stand<P>, streams: u64) -> Result<Measured> {
    let bytes = stand.stage.bytes * streams;
    let watch = Stopwatch::start();
    let received = stand.peer.bulks(streams).await?;
    let measured = watch.rate(bytes, 1e6);
    check("bytes", received, bytes)?;
    Ok(measured)
}
