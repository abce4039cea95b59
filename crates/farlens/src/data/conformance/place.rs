//! Reading at places: anywhere, at the ends, outside, and by several readers.

use super::{
    FEW, Report, Subject,
    bench::Bench,
    model::{elements_of, position},
    report::{Verdict, applies, broken, demand},
    trial::{ALL, Move, Trial},
};
use crate::{
    Result,
    data::{Fetched, ReadBudget, StreamerData},
};
use farlens_wire::{Code, Flags};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Random places that are read.
const PLACES: u64 = 100;
const READERS: usize = 4;

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let rule = "A read at any place gives the elements that lie there.";
    bench.check(report, "any_place_can_be_read", rule, any_place(bench)).await;
    let rule = "Several readers at a time each see the same content.";
    bench.check(report, "concurrent_readers_agree", rule, readers_agree(bench)).await;
    let rule = "Data that only goes forward refuses other places, and goes on where it was; live \
                data may skip to a higher one.";
    bench.check(report, "other_places_break_nothing", rule, forward_only(bench)).await;
    let rule = "A read at a final end gives `Nothing`; at another it may wait for more.";
    bench.check(report, "nothing_lies_at_the_end", rule, at_the_end(bench)).await;
    let rule = "A read behind the end gives `Nothing` or `OUT_OF_RANGE`, or waits for more.";
    bench.check(report, "nothing_lies_behind_the_end", rule, behind_the_end(bench)).await;
    let rule = "A read before the start gives `Nothing`, `OUT_OF_RANGE` or `EVICTED`, at once; what \
                was not dropped keeps its place.";
    bench.check(report, "nothing_lies_before_the_start", rule, before_the_start(bench)).await;
    let rule = "What is added at the end can be read, also by a reader that waits there.";
    bench.check(report, "growth_reaches_readers", rule, growth_is_read(bench)).await;
}

async fn any_place<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    applies(bench.seekable(), "the data cannot seek")?;
    let trial = bench.make(bench.suite.elements).await?;
    let mut rng = bench.rng();
    for _ in 0..PLACES {
        let at = trial.model.start() + rng.below(bench.suite.elements);
        let bytes = usize::try_from(1 + rng.below(200)).unwrap_or(1);
        let answer = trial.read(at, ReadBudget { bytes, elements: 1 + rng.below(50) }).await?;
        trial.some(at, answer)?;
    }
    Ok(())
}

async fn readers_agree<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    applies(bench.seekable(), "the data cannot seek, so it has one reader")?;
    let trial = bench.make(bench.suite.elements).await?;
    let (start, end) = (trial.model.start(), trial.model.end());
    let mut readers = JoinSet::new();
    for reader in 1..=READERS {
        let data = Arc::clone(&trial.data);
        let budget = ReadBudget { bytes: reader * 37, elements: u64::MAX };
        readers.spawn(async move { read_all(&*data, start, end, budget).await });
    }
    while let Some(read) = bench.within("one of several readers", readers.join_next()).await? {
        let found = match read {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return broken(format!("one of several readers fails: {error}")),
            Err(error) => return broken(format!("one of several readers fails: {error}")),
        };
        if let Some(wrong) = trial.model.first_wrong(start, &found) {
            return broken(format!("one of several readers gets a wrong element {wrong}"));
        }
        let count = found.len() as u64;
        demand(count >= end - start, || format!("one of several readers gets {count} elements"))?;
    }
    Ok(())
}

async fn read_all(
    data: &impl StreamerData,
    start: u64,
    end: u64,
    budget: ReadBudget,
) -> Result<Vec<bytes::Bytes>> {
    let mut all = Vec::new();
    while start + (all.len() as u64) < end {
        match data.read_at(position(start + all.len() as u64), budget).await? {
            Fetched::Some(chunk) if !chunk.is_empty() => all.extend(elements_of(&chunk)),
            Fetched::Some(_) | Fetched::Nothing => break,
        }
        // Others have their turn, so that readers meet in the middle of the data.
        tokio::task::yield_now().await;
    }
    Ok(all)
}

async fn forward_only<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    applies(!bench.flags().has_any(Flags::SEEK), "the data can seek")?;
    let trial = bench.make(FEW).await?;
    let (start, end) = (trial.model.start(), trial.model.end());
    let two = ReadBudget { elements: 2, ..ALL };
    let mut at = start;
    while at < end {
        trial.read_through(at, end.min(at + 2), two).await?;
        at = end.min(at + 2);
        for other in [start, at + 5] {
            let Ok(Fetched::Some(chunk)) = trial.read(other, two).await? else { continue };
            if trial.model.first_wrong(other, &elements_of(&chunk)).is_some() {
                return broken(format!("at {at} a read at {other} gives elements of elsewhere"));
            }
            // Live data may leave out what lies between, and then goes on behind it.
            if trial.data.is_live() && other > at {
                at = other + chunk.elements();
            }
        }
    }
    Ok(())
}

async fn at_the_end<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    for elements in [0, 1, FEW] {
        let trial = bench.make(elements).await?;
        applies(trial.state().await?.bounds.end.is_some(), "the data has no known end")?;
        let end = trial.model.end();
        trial.read_through(trial.model.start(), end, ALL).await?;
        nothing_behind(&trial, end, &[]).await?;
    }
    Ok(())
}

async fn behind_the_end<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    let trial = bench.make(FEW).await?;
    applies(trial.state().await?.bounds.end.is_some(), "the data has no known end")?;
    let end = trial.model.end();
    let last = farlens_wire::Position::MAX.get();
    for at in [end + 1, end + 1_000, 1 << 62, last] {
        nothing_behind(&trial, at, &[Code::OUT_OF_RANGE]).await?;
    }
    Ok(())
}

/// Nothing may lie there, and a read may wait for it only where the end is not final.
async fn nothing_behind<S: Subject>(trial: &Trial<'_, S>, at: u64, codes: &[Code]) -> Verdict {
    if trial.state().await?.ended {
        let answer = trial.read(at, ALL).await?;
        return nothing(at, &answer, codes);
    }
    match trial.bench.briefly(trial.data.read_at(position(at), ALL)).await {
        Some(answer) => nothing(at, &answer, codes),
        None => Ok(()),
    }
}

fn nothing(at: u64, answer: &Result<Fetched>, codes: &[Code]) -> Verdict {
    match answer {
        Ok(Fetched::Nothing) => Ok(()),
        Ok(Fetched::Some(chunk)) => {
            broken(format!("a read at {at} gives {} elements", chunk.elements()))
        }
        Err(error) if codes.contains(&error.code()) => Ok(()),
        Err(error) => broken(format!("a read at {at} fails with {}: {error}", error.code())),
    }
}

async fn before_the_start<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    let mut trial = bench.make(FEW).await?;
    trial.change(Move::Evict, 5).await?;
    let start = trial.model.start();
    applies(start > 0, "nothing lies before the start")?;
    for at in [0, start / 2, start - 1] {
        let answer = trial.read(at, ALL).await?;
        nothing(at, &answer, &[Code::OUT_OF_RANGE, Code::EVICTED])?;
    }
    trial.is_as_modelled().await
}

async fn growth_is_read<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    let mut trial = bench.make(FEW).await?;
    let end = trial.model.end();
    trial.read_through(trial.model.start(), end, ALL).await?;
    let data = Arc::clone(&trial.data);
    let mut waiting = std::pin::pin!(data.read_at(position(end), ALL));
    let early = bench.briefly(&mut waiting).await;
    applies(trial.change(Move::Grow, 3).await?, "the data does not grow")?;
    let answer = match early {
        None => bench.within("a read that waits at the end", waiting).await?,
        Some(Ok(Fetched::Nothing)) => trial.read(end, ALL).await?,
        Some(answer) => answer,
    };
    let first = trial.some(end, answer)?.len() as u64;
    trial.read_through(end + first, trial.model.end(), ALL).await
}
