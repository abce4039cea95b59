//! Reading from the start to the end.

use super::{
    Report, Subject,
    bench::Bench,
    model::position,
    report::{Verdict, applies, broken, demand},
    trial::{ALL, Trial},
};
use crate::data::{Fetched, ReadBudget, StreamerData};
use bytes::Bytes;
use farlens_proto::{Chunk, Kind};
use farlens_wire::{Budget, Entity, Limits, schema::decode_with};
use futures::FutureExt;

/// Single bytes, single elements, odd numbers, usual ones, and as much as there is.
const BUDGETS: [ReadBudget; 7] = [
    ReadBudget { bytes: 1, elements: u64::MAX },
    ReadBudget { bytes: usize::MAX, elements: 1 },
    ReadBudget { bytes: 7, elements: 3 },
    ReadBudget { bytes: 61, elements: u64::MAX },
    ReadBudget { bytes: 4_096, elements: 129 },
    ReadBudget { bytes: 65_536, elements: 1_000 },
    ALL,
];

pub(super) async fn run<S: Subject>(bench: &Bench<'_, S>, report: &mut Report) {
    let rule = "Reads from the start, each where the last one ended, give exactly the content.";
    let content = walks(bench, |_, _| Ok(()));
    bench.check(report, "reads_add_up_to_the_content", rule, content).await;
    let rule = "An answer keeps within its budget; a single entity may exceed the bytes.";
    bench.check(report, "reads_keep_their_budget", rule, walks(bench, keeps_budget)).await;
    let rule = "An answer that is not `Nothing` has one element at least.";
    bench.check(report, "reads_are_never_empty", rule, walks(bench, is_not_empty)).await;
    let rule = "What is read is of the kind that the data says.";
    let kinds = walks(bench, |chunk, _| {
        demand(chunk.kind() == bench.kind, || format!("{:?} is given", chunk.kind()))
    });
    bench.check(report, "chunks_have_the_kind", rule, kinds).await;
    let rule = "`read_now` gives nothing, or what `read_at` gives.";
    bench.check(report, "read_now_agrees", rule, read_now_agrees(bench)).await;
    let rule = "A read that is dropped before it is done loses no element.";
    bench.check(report, "dropped_reads_lose_nothing", rule, dropped_reads(bench)).await;
    let rule = "Every entity decodes by the schema, or by itself where there is none.";
    bench.check(report, "entities_decode", rule, entities_decode(bench)).await;
}

/// Reads everything within each budget, and judges each answer before its content.
async fn walks<S: Subject>(
    bench: &Bench<'_, S>,
    judge: impl Fn(&Chunk, ReadBudget) -> Verdict,
) -> Verdict {
    bench.reads()?;
    for budget in BUDGETS {
        let trial = bench.make(bench.suite.elements).await?;
        let mut at = trial.model.start();
        while at < trial.model.end() {
            let answer = trial.read(at, budget).await?;
            if let Ok(Fetched::Some(chunk)) = &answer {
                judge(chunk, budget)?;
            }
            at += trial.some(at, answer)?.len() as u64;
        }
        let ends = trial.state().await?.bounds.end;
        demand(ends.is_none() || at == trial.model.end(), || format!("reading goes on to {at}"))?;
    }
    Ok(())
}

fn keeps_budget(chunk: &Chunk, budget: ReadBudget) -> Verdict {
    let (bytes, elements) = (chunk.cost(), chunk.elements());
    let alone = chunk.kind() == Kind::Items && elements == 1;
    let kept = elements <= budget.elements && (bytes <= budget.bytes || alone);
    demand(kept, || format!("{bytes} bytes and {elements} elements for {budget:?}"))
}

fn is_not_empty(chunk: &Chunk, _: ReadBudget) -> Verdict {
    demand(!chunk.is_empty(), || "an empty chunk is given".into())
}

async fn read_now_agrees<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    let mut answers = 0;
    for budget in BUDGETS {
        let trial = bench.make(bench.suite.elements).await?;
        let mut at = trial.model.start();
        while at < trial.model.end() {
            let budget =
                ReadBudget { elements: budget.elements.min(trial.model.end() - at), ..budget };
            read_now_into_agrees(&trial, at, budget)?;
            let answer = match trial.data.read_now(position(at), budget) {
                Some(answer) => {
                    answers += 1;
                    answer
                }
                None => trial.read(at, budget).await?,
            };
            at += trial.some(at, answer)?.len() as u64;
        }
        agree_at(&trial, at).await?;
    }
    applies(answers > 0, "`read_now` gives nothing")
}

/// What is read into room that others provide is what is there, and no more than has room.
fn read_now_into_agrees<S: Subject>(trial: &Trial<'_, S>, at: u64, budget: ReadBudget) -> Verdict {
    let bytes = budget.bytes.min(usize::try_from(budget.elements).unwrap_or(usize::MAX));
    let mut room = vec![0; bytes.min(1 << 16)];
    match trial.data.read_now_into(position(at), &mut room) {
        Some(Ok(count)) => {
            let found = room.get(..count).filter(|found| !found.is_empty());
            let Some(found) = found else {
                return broken(format!("`read_now_into` gives {count} of {bytes} bytes at {at}"));
            };
            let chunk = Fetched::Some(Chunk::Bytes(Bytes::copy_from_slice(found)));
            trial.some(at, Ok(chunk)).map(drop)
        }
        Some(Err(error)) => broken(format!("`read_now_into` fails at {at}: {error}")),
        None => Ok(()),
    }
}

/// At the end neither way of reading may give elements.
async fn agree_at<S: Subject>(trial: &Trial<'_, S>, at: u64) -> Verdict {
    if trial.state().await?.bounds.end.is_none() {
        return Ok(());
    }
    match trial.data.read_now(position(at), ALL) {
        Some(Ok(Fetched::Some(_))) => broken(format!("`read_now` gives elements at the end, {at}")),
        Some(Err(error)) => broken(format!("`read_now` fails at the end, {at}: {error}")),
        Some(Ok(Fetched::Nothing)) | None => Ok(()),
    }
}

async fn dropped_reads<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    for budget in BUDGETS {
        let trial = bench.make(bench.suite.elements).await?;
        let mut at = trial.model.start();
        let mut dropped = false;
        while at < trial.model.end() {
            let answer = match trial.data.read_at(position(at), budget).now_or_never() {
                // Dropped; half of them are begun once more before one is waited for.
                None if !dropped && at.is_multiple_of(2) => {
                    dropped = true;
                    continue;
                }
                None => trial.read(at, budget).await?,
                Some(answer) => answer,
            };
            dropped = false;
            at += trial.some(at, answer)?.len() as u64;
        }
    }
    Ok(())
}

async fn entities_decode<S: Subject>(bench: &Bench<'_, S>) -> Verdict {
    bench.reads()?;
    let trial = bench.make(bench.suite.elements).await?;
    let schema = trial.data.schema();
    if bench.kind == Kind::Bytes {
        demand(schema.is_none(), || "bytes have a schema".into())?;
        return applies(false, "bytes are not decoded");
    }
    let limits = Limits::default();
    let mut at = trial.model.start();
    while at < trial.model.end() {
        let batch = match trial.read(at, ALL).await? {
            Ok(Fetched::Some(Chunk::Items(batch))) if !batch.is_empty() => batch,
            other => return trial.some(at, other).map(drop),
        };
        for (index, body) in batch.iter().enumerate() {
            let table = batch.table(index as u64);
            let decoded = match &schema {
                Some(schema) => decode_with(schema, body, table, &mut Budget::new(&limits)),
                None => Entity::decode_with(body, table, &limits),
            };
            if let Err(error) = decoded {
                return broken(format!("entity {at} does not decode: {error}"));
            }
            at += 1;
        }
    }
    Ok(())
}
