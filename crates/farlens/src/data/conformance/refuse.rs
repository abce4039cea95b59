//! Changes that must be refused, each for a reason of its own, and that must change nothing.

use super::{
    FEW, Report, Subject,
    bench::Bench,
    model::{chunk_of, position},
    report::{Stop, Verdict, applies, broken, demand},
    trial::Trial,
    write::place_to_write,
};
use crate::{Error, data::StreamerData};
use bytes::Bytes;
use farlens_proto::{Chunk, Guard, Kind, Reach, Rules};
use farlens_wire::{Code, Edge, Operation, Pos};

/// A change that must fail.
struct Refusal {
    name: &'static str,
    rule: &'static str,
    change: Verdict<(Change, Rules)>,
    /// With one of these codes; any will do where there is none.
    codes: &'static [Code],
}

enum Change {
    Write(Pos, Chunk),
    Truncate(Edge, Pos),
}

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let names: Vec<_> =
        refusals(bench, 0).into_iter().map(|refusal| (refusal.name, refusal.rule)).collect();
    for (index, (name, rule)) in names.into_iter().enumerate() {
        bench.check(report, name, rule, is_refused(bench, index)).await;
    }
    let rule = "A change that fails leaves state and content as they were.";
    bench.check(report, "failed_changes_leave_everything", rule, leave_everything(bench)).await;
}

/// Everything that data must refuse which ends at `end`.
fn refusals<S: Subject>(bench: &Bench<'_, S>, end: u64) -> Vec<Refusal> {
    let mut all = writes(bench, end);
    all.extend(guarded(bench, end));
    all.extend(truncations(bench, end));
    all.extend(without_a_right(bench));
    all
}

fn writes<S: Subject>(bench: &Bench<'_, S>, end: u64) -> Vec<Refusal> {
    let all = bench.rules();
    let chunk = || chunk_of(bench.kind, &bench.others(0, 2));
    let write = |to, rules| Ok((Change::Write(to, chunk()), rules));
    let wrong = match bench.kind {
        Kind::Bytes => chunk_of(Kind::Items, &[Bytes::from(super::entity_at(0))]),
        Kind::Items => Chunk::Bytes(Bytes::from_static(&[0])),
    };
    let reach = Reach { end: position(end), ..all.reach };
    let near = Reach { gap: 2, ..all.reach };
    let append = Rules { overwrite: bench.subject.appends_only(), ..all.clone() };
    vec![
        Refusal {
            name: "write_inside_needs_overwrite",
            rule: "Where only appending is allowed a write between the ends is `MODE_FORBIDS`.",
            change: bench.writes().and_then(|()| write(Pos::FromStart(2), append)),
            codes: &[Code::MODE_FORBIDS],
        },
        Refusal {
            name: "write_at_a_fixed_end",
            rule: "Without `grow` a write at the end is `END_OF_SPACE`.",
            change: bench
                .writes()
                .and_then(|()| write(Pos::END, Rules { grow: false, ..all.clone() })),
            codes: &[Code::END_OF_SPACE],
        },
        Refusal {
            name: "write_before_the_start",
            rule: "A write before the start is `OUT_OF_RANGE`.",
            change: bench.writes().and_then(|()| write(Pos::FromStart(-1), all.clone())),
            codes: &[Code::OUT_OF_RANGE],
        },
        Refusal {
            name: "write_beyond_the_reach",
            rule: "A write that would move the end beyond `reach.end` is `TOO_LONG`.",
            change: bench.extends().and_then(|()| write(Pos::END, Rules { reach, ..all.clone() })),
            codes: &[Code::TOO_LONG],
        },
        Refusal {
            name: "write_beyond_the_gap",
            rule: "A write more than `reach.gap` behind the end is `OUT_OF_RANGE`.",
            change: bench
                .extends()
                .and_then(|()| write(Pos::FromEnd(3), Rules { reach: near, ..all.clone() })),
            codes: &[Code::OUT_OF_RANGE],
        },
        Refusal {
            name: "write_of_the_wrong_kind",
            rule: "Bytes are refused by a sequence of entities, and the reverse.",
            change: place_to_write(bench).map(|to| (Change::Write(to, wrong), all.clone())),
            codes: &[],
        },
    ]
}

fn guarded<S: Subject>(bench: &Bench<'_, S>, end: u64) -> Vec<Refusal> {
    let version = Guard { version: Some(b"of another time".to_vec()), end: None };
    let ends = Guard { version: None, end: Some(position(end + 1)) };
    let write = |guard| {
        let chunk = chunk_of(bench.kind, &bench.others(0, 1));
        let to = place_to_write(bench)?;
        Ok((Change::Write(to, chunk), bench.rules().with_guard(guard)))
    };
    let truncate = |guard| {
        applies(bench.can(Operation::TruncateAfter), "no peer moves the end down")?;
        let change = Change::Truncate(Edge::After, Pos::FromEnd(-1));
        Ok((change, bench.rules().with_guard(guard)))
    };
    let codes = &[Code::CONFLICT];
    vec![
        Refusal {
            name: "write_guarded_by_version",
            rule: "A write that is meant for another version is `CONFLICT`.",
            change: write(version.clone()),
            codes,
        },
        Refusal {
            name: "write_guarded_by_end",
            rule: "A write that is meant for another end is `CONFLICT`.",
            change: write(ends.clone()),
            codes,
        },
        Refusal {
            name: "truncate_guarded_by_version",
            rule: "A truncation that is meant for another version is `CONFLICT`.",
            change: truncate(version),
            codes,
        },
        Refusal {
            name: "truncate_guarded_by_end",
            rule: "A truncation that is meant for another end is `CONFLICT`.",
            change: truncate(ends),
            codes,
        },
    ]
}

fn truncations<S: Subject>(bench: &Bench<'_, S>, end: u64) -> Vec<Refusal> {
    let all = bench.rules();
    let reach = Reach { end: position(end), ..all.reach };
    let of = |needs: Operation, edge, to, rules| {
        bench.writes()?;
        applies(bench.can(needs), "no peer moves this end in this way")?;
        Ok((Change::Truncate(edge, to), rules))
    };
    let (cut, extend, advance) =
        (Operation::TruncateAfter, Operation::Extend, Operation::TruncateBefore);
    let forbidden = &[Code::MODE_FORBIDS];
    vec![
        Refusal {
            name: "truncate_down_needs_shrink",
            rule: "Without `shrink` moving the end down is `MODE_FORBIDS`.",
            change: of(cut, Edge::After, Pos::FromEnd(-3), Rules { shrink: false, ..all.clone() }),
            codes: forbidden,
        },
        Refusal {
            name: "truncate_up_needs_grow",
            rule: "Without `grow` moving the end up is `MODE_FORBIDS`.",
            change: of(extend, Edge::After, Pos::FromEnd(3), Rules { grow: false, ..all.clone() }),
            codes: forbidden,
        },
        Refusal {
            name: "truncate_before_needs_advance",
            rule: "Without `advance` moving the start is `MODE_FORBIDS`.",
            change: of(
                advance,
                Edge::Before,
                Pos::FromStart(3),
                Rules { advance: false, ..all.clone() },
            ),
            codes: forbidden,
        },
        Refusal {
            name: "truncate_beyond_the_reach",
            rule: "Moving the end beyond `reach.end` is `TOO_LONG`, or `MODE_FORBIDS` where nothing \
                   but a write moves it up.",
            change: of(extend, Edge::After, Pos::FromEnd(1), Rules { reach, ..all.clone() }),
            codes: &[Code::TOO_LONG, Code::MODE_FORBIDS],
        },
        Refusal {
            name: "truncate_end_before_the_start",
            rule: "Moving the end before the start is `OUT_OF_RANGE`.",
            change: of(cut, Edge::After, Pos::FromStart(-1), all.clone()),
            codes: &[Code::OUT_OF_RANGE],
        },
        Refusal {
            name: "truncate_start_behind_the_end",
            rule: "Moving the start behind the end is `OUT_OF_RANGE`.",
            change: of(advance, Edge::Before, Pos::FromEnd(1), all),
            codes: &[Code::OUT_OF_RANGE],
        },
    ]
}

fn without_a_right<S: Subject>(bench: &Bench<'_, S>) -> Vec<Refusal> {
    let read_only = || applies(!bench.can(Operation::Write), "the data can be written");
    let chunk = || chunk_of(bench.kind, &bench.others(0, 1));
    let codes = &[Code::MODE_FORBIDS];
    vec![
        Refusal {
            name: "read_only_refuses_writes",
            rule: "Data that cannot be written answers every write with `MODE_FORBIDS`.",
            change: read_only().map(|()| (Change::Write(Pos::START, chunk()), Rules::all())),
            codes,
        },
        Refusal {
            name: "read_only_refuses_truncation",
            rule: "Data that cannot be written answers every truncation with `MODE_FORBIDS`.",
            change: read_only()
                .map(|()| (Change::Truncate(Edge::After, Pos::FromEnd(-1)), Rules::all())),
            codes,
        },
    ]
}

async fn is_refused<S: Subject>(bench: &Bench<'_, S>, index: usize) -> Verdict {
    let trial = bench.make(FEW).await?;
    let Some(refusal) = refusals(bench, trial.model.end()).into_iter().nth(index) else {
        return Ok(());
    };
    let (change, rules) = refusal.change?;
    let Some(error) = attempt(&trial, change, &rules).await? else {
        return broken("the change is not refused");
    };
    let right = refusal.codes.is_empty() || refusal.codes.contains(&error.code());
    demand(right, || format!("it fails with {}: {error}", error.code()))
}

/// The error that a change ends with, first of all of the way that must not wait.
async fn attempt<S: Subject>(
    trial: &Trial<'_, S>,
    change: Change,
    rules: &Rules,
) -> Verdict<Option<Error>> {
    let bench = trial.bench;
    Ok(match change {
        Change::Write(to, chunk) => match trial.data.write_now(to, &chunk, rules) {
            Some(answer) => answer.err(),
            None => bench.within("a write", trial.data.write_at(to, chunk, rules)).await?.err(),
        },
        Change::Truncate(edge, to) => trial.truncate(edge, to, rules).await?.err(),
    })
}

async fn leave_everything<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    for (index, Refusal { name, .. }) in refusals(bench, 0).into_iter().enumerate() {
        let mut trial = bench.make(FEW).await?;
        let before = trial.state().await?;
        let refusal = refusals(bench, trial.model.end()).into_iter().nth(index);
        let Some(Refusal { change: Ok((change, rules)), .. }) = refusal else { continue };
        if attempt(&trial, change, &rules).await?.is_none() {
            continue;
        }
        let after = trial.state().await?;
        demand(before == after, || format!("after {name} {before:?} is {after:?}"))?;
        trial.is_as_modelled().await.map_err(|stop| match stop {
            Stop::Broken(text) => Stop::Broken(format!("after {name} {text}")),
            excluded => excluded,
        })?;
    }
    Ok(())
}
