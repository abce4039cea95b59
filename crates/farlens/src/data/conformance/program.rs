//! Random programs of reads and changes, step by step beside a model.

use super::{
    FEW, Report, Subject,
    bench::{Bench, Rng},
    model::{chunk_of, position},
    report::{Stop, Verdict, demand},
    trial::{ALL, Trial},
};
use crate::data::{ReadBudget, StreamerData};
use farlens_wire::{Edge, Flags, Operation, Pos};

/// Steps of one program.
const STEPS: u64 = 400;
/// Elements at most in one write.
const RUN: u64 = 12;

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let rule = "After any changes in any order the data holds what they make of it.";
    bench.check(report, "random_programs_agree", rule, program(bench)).await;
}

async fn program<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.writes()?;
    let mut rng = bench.rng();
    let mut trial = bench.make(FEW).await?;
    for number in 0..STEPS {
        step(&mut trial, &mut rng, number).await.map_err(|stop| match stop {
            Stop::Broken(text) => Stop::Broken(format!("at step {number}: {text}")),
            excluded => excluded,
        })?;
    }
    trial.is_as_modelled().await
}

async fn step<S: Subject>(trial: &mut Trial<'_, S>, rng: &mut Rng, number: u64) -> Verdict {
    match rng.below(8) {
        0..3 => write(trial, rng, number).await?,
        3 => truncate(trial, rng, Edge::After).await?,
        4 => truncate(trial, rng, Edge::Before).await?,
        _ => return read(trial, rng).await,
    }
    let bounds = trial.state().await?.bounds;
    let (start, end) = (trial.model.start(), trial.model.end());
    let fits = bounds.start.is_none_or(|at| at.get() == start)
        && bounds.end.is_none_or(|at| at.get() == end);
    demand(fits, || format!("the bounds are {bounds}, not {start}..{end}"))
}

async fn write<S: Subject>(trial: &mut Trial<'_, S>, rng: &mut Rng, number: u64) -> Verdict {
    let bench = trial.bench;
    let length = trial.model.end() - trial.model.start();
    let behind = if bench.extends().is_ok() { 3 } else { 0 };
    let back = if bench.overwrites() { rng.below(length + behind + 1).cast_signed() } else { 0 };
    let to = Pos::FromEnd(behind.cast_signed() - back);
    let elements = bench.others(number, 1 + rng.below(RUN));
    let chunk = chunk_of(bench.kind, &elements);
    let answer = match trial.data.write_now(to, &chunk, &bench.rules()) {
        Some(answer) => answer,
        None => trial.write(to, &elements, &bench.rules()).await?,
    };
    // Data may be full or know no gaps: what it refuses is for other checks.
    let Ok(stored) = answer else { return Ok(()) };
    trial.note(to, &elements, stored)?;
    dropped_by_itself(trial).await
}

/// Data whose start may go up may drop its oldest elements for new ones.
async fn dropped_by_itself<S: Subject>(trial: &mut Trial<'_, S>) -> Verdict {
    let start = trial.state().await?.bounds.start;
    if trial.bench.flags().has(Flags::START_CAN_INC)
        && let Some(start) = start
    {
        trial.model.set_start(start.get().min(trial.model.end()));
    }
    Ok(())
}

async fn truncate<S: Subject>(trial: &mut Trial<'_, S>, rng: &mut Rng, edge: Edge) -> Verdict {
    let needs = match edge {
        Edge::After => Operation::TruncateAfter,
        Edge::Before => Operation::TruncateBefore,
    };
    if !trial.bench.can(needs) {
        return Ok(());
    }
    let by = rng.below(RUN / 2).min(trial.model.end() - trial.model.start()).cast_signed();
    let to = match edge {
        Edge::After => Pos::FromEnd(-by),
        Edge::Before => Pos::FromStart(by),
    };
    trial.cut(edge, to).await
}

async fn read<S: Subject>(trial: &Trial<'_, S>, rng: &mut Rng) -> Verdict {
    let bench = trial.bench;
    let (start, end) = (trial.model.start(), trial.model.end());
    if start == end || bench.reads().is_err() || !bench.seekable() {
        return Ok(());
    }
    let at = start + rng.below(end - start);
    let bytes = usize::try_from(1 + rng.below(300)).unwrap_or(1);
    let budget = ReadBudget { bytes, ..ALL };
    let answer = match trial.data.read_now(position(at), budget) {
        Some(answer) => answer,
        None => trial.read(at, budget).await?,
    };
    trial.some(at, answer).map(drop)
}
