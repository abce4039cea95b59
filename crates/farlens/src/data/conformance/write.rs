//! Writes that must be taken, and what they change.

use super::{
    FEW, Report, Subject,
    bench::Bench,
    model::chunk_of,
    report::{Verdict, applies, broken, demand},
    trial::{ALL, Trial},
};
use crate::data::StreamerData;
use bytes::Bytes;
use farlens_proto::{Guard, Reach, Rules};
use farlens_wire::{Code, Operation, Pos};
use std::sync::Arc;
use tokio::task::JoinSet;

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let rule = "A write between the ends replaces exactly those elements.";
    bench.check(report, "write_replaces_exactly", rule, replaces(bench)).await;
    let rule = "A write at `FromEnd(0)` answers with the place of the end and moves it.";
    bench.check(report, "write_appends", rule, appends(bench)).await;
    let rule = "A write over the end replaces what is before it and appends the rest.";
    bench.check(report, "write_crosses_the_end", rule, crosses(bench)).await;
    let rule = "Without `grow` a write stores what fits before the end, and leaves the end there.";
    bench.check(report, "write_stops_at_a_fixed_end", rule, stops(bench)).await;
    let rule = "A write behind the end leaves zeros between bytes, or is refused whole.";
    bench.check(report, "write_leaves_a_gap_of_zeros", rule, gap(bench)).await;
    let rule = "A write whose guard holds is done.";
    bench.check(report, "write_passes_its_guard", rule, passes_guard(bench)).await;
    let rule = "`write_now` gives nothing and stores nothing, or stores as `write_at` does.";
    bench.check(report, "write_now_stores", rule, write_now(bench)).await;
    let rule = "Appends at the same time lie behind one another, each whole.";
    bench.check(report, "concurrent_appends_are_whole", rule, concurrent_appends(bench)).await;
    let rule = "The version changes when elements are replaced.";
    bench.check(report, "version_tells_of_overwrites", rule, version(bench)).await;
    let rule = "`sync` succeeds, with and without `finish`, and changes no element.";
    bench.check(report, "sync_succeeds", rule, sync(bench)).await;
}

fn overwrites<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.writes()?;
    applies(bench.overwrites(), "the data only appends")
}

fn over_and_on<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    overwrites(bench)?;
    bench.extends()
}

async fn replaces<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    overwrites(bench)?;
    let mut trial = bench.make(FEW).await?;
    let (start, middle, end) = (trial.model.start(), trial.model.middle(), trial.model.end());
    let last = Pos::Abs(super::model::position(end - 1));
    let inside = i64::try_from(middle - start).unwrap_or(0);
    for (salt, to, count) in
        [(1, Pos::FromStart(inside), 5), (2, Pos::START, 1), (3, last, 1), (4, Pos::FromEnd(-9), 9)]
    {
        let others = bench.others(salt, count);
        trial.put(to, &others, &bench.rules()).await?;
        trial.is_as_modelled().await?;
    }
    Ok(())
}

async fn appends<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.extends()?;
    let append = Rules { overwrite: false, ..bench.rules() };
    for rules in [append, bench.rules()] {
        let mut trial = bench.make(FEW).await?;
        for salt in 0..3 {
            trial.put(Pos::END, &bench.others(salt, 4), &rules).await?;
        }
        trial.is_as_modelled().await?;
    }
    Ok(())
}

async fn crosses<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    over_and_on(bench)?;
    let mut trial = bench.make(FEW).await?;
    trial.put(Pos::FromEnd(-2), &bench.others(0, 5), &bench.rules()).await?;
    trial.is_as_modelled().await
}

async fn stops<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    overwrites(bench)?;
    let mut trial = bench.make(FEW).await?;
    applies(trial.state().await?.bounds.end.is_some(), "the data has no known end")?;
    let rules = Rules { grow: false, ..bench.rules() };
    let (others, mut at) = (bench.others(0, 5), trial.model.end() - 2);
    let end = trial.model.end();
    while at < end {
        let left = others.get(usize::try_from(at + 2 - end).unwrap_or(0)..).unwrap_or_default();
        let to = Pos::Abs(super::model::position(at));
        let stored = match trial.write(to, left, &rules).await? {
            Ok(stored) => stored,
            Err(error) => return broken(format!("a write to {to} fails: {error}")),
        };
        demand(stored.elements <= end - at, || {
            format!("{} elements are stored where {} fit", stored.elements, end - at)
        })?;
        at += trial.note(to, left, stored)?.elements;
    }
    trial.is_as_modelled().await
}

async fn gap<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.extends()?;
    let mut trial = bench.make(FEW).await?;
    let before = trial.state().await?;
    let end = super::model::position(trial.model.end() + 5);
    let rules = Rules { reach: Reach { end, gap: 3 }, ..bench.rules() };
    let (to, others) = (Pos::FromEnd(3), bench.others(0, 2));
    match trial.write(to, &others, &rules).await? {
        Ok(stored) => trial.note(to, &others, stored).map(drop)?,
        Err(_) => {
            let after = trial.state().await?;
            demand(before == after, || "a write that was refused changed the state".into())?;
        }
    }
    trial.is_as_modelled().await
}

async fn passes_guard<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.writes()?;
    let mut trial = bench.make(FEW).await?;
    let state = trial.state().await?;
    let guard = Guard { version: Some(state.version.to_vec()), end: state.bounds.end };
    let rules = bench.rules().with_guard(guard);
    let to = place_to_write(bench)?;
    trial.put(to, &bench.others(0, 1), &rules).await?;
    trial.is_as_modelled().await
}

/// Where any write goes that has to go somewhere.
pub(super) fn place_to_write<S: Subject>(bench: &Bench<'_, S>) -> Verdict<Pos> {
    bench.writes()?;
    if bench.overwrites() {
        return Ok(Pos::START);
    }
    bench.extends().map(|()| Pos::END)
}

async fn write_now<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    let to = place_to_write(bench)?;
    let mut trial = bench.make(FEW).await?;
    let before = trial.state().await?;
    let others = bench.others(0, 3);
    let answer = trial.data.write_now(to, &chunk_of(bench.kind, &others), &bench.rules());
    let stored = match answer {
        Some(Ok(stored)) => stored,
        Some(Err(error)) => return broken(format!("`write_now` to {to} fails: {error}")),
        None => {
            let after = trial.state().await?;
            demand(before == after, || "`write_now` gives nothing and changes the data".into())?;
            trial.is_as_modelled().await?;
            return applies(false, "`write_now` gives nothing");
        }
    };
    trial.note(to, &others, stored)?;
    trial.is_as_modelled().await
}

async fn concurrent_appends<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.extends()?;
    let mut trial = bench.make(0).await?;
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let (data, rules, kind) = (Arc::clone(&trial.data), bench.rules(), bench.kind);
        let runs: Vec<_> = (0..8).map(|run| bench.others(writer * 8 + run, 3)).collect();
        writers.spawn(async move {
            let mut done = Vec::new();
            for run in runs {
                done.push((data.write_at(Pos::END, chunk_of(kind, &run), &rules).await, run));
                tokio::task::yield_now().await;
            }
            done
        });
    }
    let mut done = Vec::new();
    while let Some(runs) = bench.within("one of several writers", writers.join_next()).await? {
        match runs {
            Ok(runs) => done.extend(runs),
            Err(error) => return broken(format!("one of several writers fails: {error}")),
        }
    }
    in_order(&mut trial, done)?;
    trial.is_as_modelled().await
}

/// Notes the appends in the order of their places: each must begin where the one before ends.
fn in_order<S: Subject>(
    trial: &mut Trial<'_, S>,
    done: Vec<(crate::Result<crate::data::Stored>, Vec<Bytes>)>,
) -> Verdict {
    let mut placed = Vec::new();
    for (stored, run) in done {
        match stored {
            Ok(stored) => placed.push((stored, run)),
            Err(error) => return broken(format!("one of several appends fails: {error}")),
        }
    }
    placed.sort_by_key(|(stored, _)| stored.at);
    for (stored, run) in placed {
        trial.note(Pos::END, &run, stored)?;
    }
    Ok(())
}

async fn version<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    overwrites(bench)?;
    let mut trial = bench.make(FEW).await?;
    let before = trial.state().await?.version;
    applies(!before.is_empty(), "the data has no version")?;
    trial.put(Pos::START, &bench.others(0, 8), &bench.rules()).await?;
    let after = trial.state().await?.version;
    demand(before != after, || "the version stays as elements are replaced".into())
}

async fn sync<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.writes()?;
    let mut trial = bench.make(FEW).await?;
    for finish in [false, true] {
        if !finish && let Ok(to) = place_to_write(bench) {
            trial.put(to, &bench.others(0, 2), &bench.rules()).await?;
        }
        match bench.within("sync", trial.data.sync(finish)).await? {
            Ok(()) => {}
            Err(error) if error.code() == Code::CLOSED && finish => {}
            Err(error) => return broken(format!("sync fails: {error}")),
        }
    }
    if bench.can(Operation::Read) && bench.seekable() {
        trial.read_through(trial.model.start(), trial.model.end(), ALL).await?;
    }
    trial.is_as_modelled().await
}
