//! Bulk data over a line of some length, in one stream or in several that share it: what comes in
//! a time, once the first round trips are over.

use super::{Amounts, amounts::Line};
use crate::{
    Result,
    cell::Stand,
    measure::{Measured, Stopwatch},
    peer::{Meter, Peer},
};
use tokio::time::sleep;

/// On a connection of its own, so that nothing is under way of the round before.
pub(super) async fn read<P: Peer>(
    stand: &Stand<P>,
    (ms, streams): (u64, u64),
    amounts: Amounts,
) -> Result<Measured> {
    let Line { first, then } = amounts.line(ms);
    let peer = P::connect(&stand.stage, &stand.server).await?;
    let meter = Meter::default();
    let clock = async {
        sleep(first).await;
        let (before, watch) = (meter.total(), Stopwatch::start());
        sleep(then).await;
        watch.rate(meter.total() - before, 1e6)
    };
    tokio::select! {
        measured = clock => Ok(measured),
        ended = peer.bulks(streams, &meter) => {
            ended?;
            Err("the data ended before the clock did".into())
        }
    }
}
