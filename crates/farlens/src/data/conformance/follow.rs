//! Waiting for the state to change.

use super::{
    FEW, Report, Subject,
    bench::Bench,
    report::{Verdict, applies, demand},
    trial::Move,
};
use crate::data::{DataState, StreamerData};
use bytes::Bytes;
use std::sync::Arc;

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let rule = "`changed` resolves at once when the state differs already.";
    bench.check(report, "changed_tells_at_once", rule, at_once(bench)).await;
    let rule = "`changed` waits while nothing changes.";
    bench.check(report, "changed_waits", rule, waits(bench)).await;
    let rule = "`changed` resolves when elements come behind the end.";
    bench.check(report, "changed_tells_of_growth", rule, tells(bench, Move::Grow)).await;
    let rule = "`changed` resolves when the start goes up.";
    bench.check(report, "changed_tells_of_eviction", rule, tells(bench, Move::Evict)).await;
    let rule = "`changed` resolves when the end goes down.";
    bench.check(report, "changed_tells_of_cuts", rule, tells(bench, Move::Cut)).await;
    let rule = "`changed` resolves when elements are replaced, where a version tells of it.";
    bench.check(report, "changed_tells_of_overwrites", rule, tells(bench, Move::Overwrite)).await;
}

async fn at_once<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    applies(bench.changes(), "the data does not change")?;
    let trial = bench.make(FEW).await?;
    let state = trial.state().await?;
    let others = [
        DataState { version: Bytes::from_static(b"another"), ..state.clone() },
        DataState { bounds: Default::default(), ..state.clone() },
        DataState { ended: !state.ended, ..state.clone() },
    ];
    for seen in others {
        let told = bench.within("`changed` from another state", trial.data.changed(seen)).await?;
        demand(told == state, || format!("{told:?} is told, and it is {state:?}"))?;
    }
    Ok(())
}

async fn waits<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    let trial = bench.make(FEW).await?;
    let state = trial.state().await?;
    match bench.briefly(trial.data.changed(state)).await {
        Some(told) => demand(false, || format!("nothing changed, and {told:?} is told")),
        None => Ok(()),
    }
}

async fn tells<S: Subject>(bench: &Bench<'_, S>, way: Move) -> Verdict {
    let mut trial = bench.make(FEW).await?;
    let before = trial.state().await?;
    let data = Arc::clone(&trial.data);
    let mut waiting = std::pin::pin!(data.changed(before.clone()));
    let early = bench.briefly(&mut waiting).await;
    demand(early.is_none(), || "it resolves before anything changed".into())?;
    applies(trial.change(way, 3).await?, "the data does not change in this way")?;
    let unseen = matches!(way, Move::Overwrite) && before.version.is_empty();
    applies(!unseen, "the data has no version")?;
    let told = bench.within("`changed` after a change", waiting).await?;
    let now = trial.state().await?;
    demand(told != before && told.bounds == now.bounds, || {
        format!("{told:?} is told, it was {before:?} and is {now:?}")
    })
}
