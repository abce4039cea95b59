//! Ends that are moved.

use super::{
    FEW, Report, Subject,
    bench::Bench,
    report::{Verdict, applies, demand},
};
use farlens_wire::{Edge, Operation, Pos};

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let rule = "Cutting the end moves it exactly there; what is left stays as it was.";
    bench.check(report, "truncate_moves_the_end", rule, moves_the_end(bench)).await;
    let rule = "Moving the start drops what lies before it; what is left keeps its places.";
    bench.check(report, "truncate_moves_the_start", rule, moves_the_start(bench)).await;
    let rule = "Moving the end up leaves zeros between bytes, or is refused whole.";
    bench.check(report, "truncate_lengthens_with_zeros", rule, lengthens(bench)).await;
    let rule = "Moving an end to where it is succeeds and changes nothing.";
    bench.check(report, "truncate_to_the_same_end", rule, to_the_same(bench)).await;
    let rule = "The version changes when elements are cut off the end.";
    bench.check(report, "version_tells_of_cuts", rule, version(bench)).await;
}

fn cuts<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.writes()?;
    applies(bench.can(Operation::TruncateAfter), "no peer moves the end down")
}

fn advances<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.writes()?;
    applies(bench.can(Operation::TruncateBefore), "no peer moves the start up")
}

async fn moves_the_end<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    cuts(bench)?;
    let mut trial = bench.make(FEW).await?;
    let middle = Pos::Abs(super::model::position(trial.model.middle()));
    for to in [Pos::FromEnd(-1), middle, Pos::FromStart(3), Pos::START] {
        trial.cut(Edge::After, to).await?;
        trial.is_as_modelled().await?;
    }
    if bench.extends().is_ok() {
        trial.put(Pos::END, &bench.others(0, 4), &bench.rules()).await?;
    }
    trial.is_as_modelled().await
}

async fn moves_the_start<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    advances(bench)?;
    let mut trial = bench.make(FEW).await?;
    let middle = Pos::Abs(super::model::position(trial.model.middle()));
    for to in [Pos::FromStart(1), middle, Pos::FromEnd(-3), Pos::END] {
        trial.cut(Edge::Before, to).await?;
        trial.is_as_modelled().await?;
    }
    if bench.extends().is_ok() {
        trial.put(Pos::END, &bench.others(0, 4), &bench.rules()).await?;
    }
    trial.is_as_modelled().await
}

async fn lengthens<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.extends()?;
    let mut trial = bench.make(FEW).await?;
    let before = trial.state().await?;
    match trial.truncate(Edge::After, Pos::FromEnd(7), &bench.rules()).await? {
        Ok(at) => {
            let end = trial.model.end() + 7;
            demand(at.get() == end, || format!("the end is moved to {end}, and said to be {at}"))?;
            trial.model.set_end(end);
        }
        Err(_) => {
            let after = trial.state().await?;
            demand(before == after, || "what was refused changed the state".into())?;
        }
    }
    trial.is_as_modelled().await
}

async fn to_the_same<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    let ends = [
        (cuts(bench).is_ok(), Edge::After, Pos::END),
        (advances(bench).is_ok(), Edge::Before, Pos::START),
    ];
    applies(ends.iter().any(|(can, ..)| *can), "no peer drops anything")?;
    let mut trial = bench.make(FEW).await?;
    for (_, edge, to) in ends.into_iter().filter(|(can, ..)| *can) {
        trial.cut(edge, to).await?;
    }
    trial.is_as_modelled().await
}

async fn version<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    cuts(bench)?;
    let mut trial = bench.make(FEW).await?;
    let before = trial.state().await?.version;
    applies(!before.is_empty(), "the data has no version")?;
    trial.cut(Edge::After, Pos::FromEnd(-8)).await?;
    let after = trial.state().await?.version;
    demand(before != after, || "the version stays as elements are cut off".into())
}
