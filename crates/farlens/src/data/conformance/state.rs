//! Bounds, version and the final end.

use super::{
    FEW, Report, Subject,
    bench::Bench,
    report::{Verdict, applies, broken, demand},
    trial::{ALL, Move, Trial},
};
use crate::data::{DataState, StreamerData};
use farlens_proto::State;
use farlens_wire::{Edge, Flags, Pos};

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let rule = "The bounds hold what was made, neither less nor more, and are not inverted.";
    bench.check(report, "bounds_hold_what_was_made", rule, bounds(bench)).await;
    let rule = "A version has 64 bytes at most.";
    bench.check(report, "version_is_short", rule, version_is_short(bench)).await;
    let rule = "Where nothing changes, neither does the state; reading changes nothing.";
    bench.check(report, "state_stays_while_nothing_changes", rule, stays(bench)).await;
    let rule = "`state_now` gives nothing, or what `state` gives.";
    bench.check(report, "state_now_agrees", rule, state_now_agrees(bench)).await;
    let rule = "An end that is final does not move, whoever asks for it.";
    bench.check(report, "ended_is_final", rule, ended_is_final(bench)).await;
}

async fn bounds<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    for elements in [0, 1, FEW] {
        let bounds = bench.make(elements).await?.state().await?.bounds;
        for (flag, there) in [
            (Flags::START_BOUNDED, bounds.start.is_some()),
            (Flags::END_BOUNDED, bounds.end.is_some()),
        ] {
            let promised = bench.offer.required.has(flag);
            demand(there || !promised, || format!("{flag} is required, the bounds are {bounds}"))?;
        }
        let (Some(start), Some(end)) = (bounds.start, bounds.end) else { continue };
        demand(start <= end, || format!("the bounds {bounds} are inverted"))?;
        demand(end.since(start) == elements, || {
            format!("{elements} elements were made, and the bounds are {bounds}")
        })?;
    }
    Ok(())
}

async fn version_is_short<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    let mut trial = bench.make(FEW).await?;
    for way in [Move::Grow, Move::Overwrite, Move::Cut] {
        let length = trial.state().await?.version.len();
        demand(length <= State::VERSION_BYTES, || format!("a version has {length} bytes"))?;
        trial.change(way, 2).await?;
    }
    Ok(())
}

async fn stays<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    let trial = bench.make(FEW).await?;
    let before = trial.state().await?;
    let again = trial.state().await?;
    demand(before == again, || format!("it was {before:?} and is {again:?}"))?;
    if bench.reads().is_err() {
        return Ok(());
    }
    trial.read_through(trial.model.start(), trial.model.end(), ALL).await?;
    let after = trial.state().await?;
    demand(before.version == after.version, || "the version changes as it is read".into())?;
    // Data that is produced as it is read may come to know its end by it.
    let same = before.bounds == after.bounds || before.bounds.end.is_none();
    demand(same, || format!("the bounds were {} and are {}", before.bounds, after.bounds))
}

async fn state_now_agrees<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    let mut trial = bench.make(FEW).await?;
    let mut answers = 0;
    for way in [Move::Grow, Move::Overwrite, Move::Cut, Move::Evict] {
        if let Some(now) = trial.data.state_now() {
            answers += 1;
            let state = trial.state().await?;
            match now {
                Ok(now) => demand(now == state, || format!("{now:?} is not {state:?}"))?,
                Err(error) => return broken(format!("state_now fails: {error}")),
            }
        }
        trial.change(way, 2).await?;
    }
    applies(answers > 0, "`state_now` gives nothing")
}

async fn ended_is_final<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    let trial = bench.make(FEW).await?;
    let ended = reach_the_end(&trial).await?;
    applies(ended.ended, "the end is not final")?;
    let mut trial = trial;
    let last: Vec<_> = bench.elements(FEW..FEW + 1).collect();
    // Whether these are refused is for other checks: here it is the end that must stay.
    let _ = trial.write(Pos::END, &last, &bench.rules()).await?;
    let _ = trial.truncate(Edge::After, Pos::FromEnd(1), &bench.rules()).await?;
    let _ = trial.truncate(Edge::After, Pos::FromEnd(-1), &bench.rules()).await?;
    if bench.extends().is_err() {
        trial.change(Move::Grow, 1).await?;
    }
    let after = trial.state().await?;
    let same = (ended.bounds.end, true) == (after.bounds.end, after.ended);
    demand(same, || format!("the final state {ended:?} became {after:?}"))
}

/// The state after everything was read and nothing more came.
async fn reach_the_end<S: Subject>(trial: &Trial<'_, S>) -> Verdict<DataState> {
    let bench = trial.bench;
    if bench.reads().is_ok() {
        let (start, end) = (trial.model.start(), trial.model.end());
        trial.read_through(start, end, ALL).await?;
        let _ = bench.briefly(trial.data.read_at(super::model::position(end), ALL)).await;
    }
    trial.state().await
}
