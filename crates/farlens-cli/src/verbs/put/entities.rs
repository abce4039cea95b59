//! Entities: lines that are added to a sequence.

use super::{
    Action, Done, Put, in_other_words,
    source::{Source, spawn},
    with_progress,
};
use crate::{
    connect,
    input::{Form, Lines, Next},
};
use farlens::{
    Code, Element, Entity, EntityStream, Error, Kind, Link, OpenOptions, RemotePath, Result,
};
use futures::SinkExt;
use std::io::BufReader;
use tokio::sync::mpsc;

/// Entities that are handed over at a time, at most.
const BATCH: usize = 256;

/// Adds an entity for each line.
pub(super) async fn write(
    args: &Put,
    link: &Link,
    path: &RemotePath,
    source: Source,
) -> Result<Done> {
    let outcome = match link.entities_with::<String>(path.as_str(), options()).await {
        // Published as text, which holds no kinds: every line has to be one.
        Ok(stream) => match args.lines {
            true => add(stream, lines(args, source)?).await,
            false => Err(holds_text(path)),
        },
        Err(error) if error.code() == Code::SCHEMA_MISMATCH => {
            match link.entities_with::<Entity>(path.as_str(), options()).await {
                Ok(stream) => add(stream, lines(args, source)?).await,
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    };
    let count = match outcome {
        Ok(count) => count,
        Err(error) => {
            return Err(connect::explain_write(link, path.as_str(), Kind::Items, error).await);
        }
    };
    Ok(Done { action: Action::Append, at: None, count })
}

/// How many entities there are, read to the end.
pub(super) async fn count(args: &Put, source: Source) -> Result<u64> {
    let mut batches = lines(args, source)?;
    let mut count = 0;
    while let Some(batch) = batches.recv().await {
        count += batch?.len() as u64;
    }
    Ok(count)
}

const fn options() -> OpenOptions {
    OpenOptions::new().read(false).append(true)
}

/// What an element is made of.
trait FromLine: Element {
    fn from_line(value: Entity) -> Option<Self>;
}

impl FromLine for Entity {
    fn from_line(value: Entity) -> Option<Self> {
        Some(value)
    }
}

impl FromLine for String {
    fn from_line(mut value: Entity) -> Option<Self> {
        match &mut value {
            Entity::Text(text) => Some(std::mem::take(text)),
            _ => None,
        }
    }
}

/// Adds all batches. Whoever reads hears of a batch as soon as no other one waits behind it.
async fn add<T: FromLine>(
    mut stream: EntityStream<T>,
    mut batches: mpsc::Receiver<Result<Vec<Entity>>>,
) -> Result<u64> {
    let told = |error| with_progress(error, Action::Append, "entities", 0);
    let mut count = 0;
    while let Some(batch) = batches.recv().await {
        let batch = match batch {
            Ok(batch) => batch,
            // What came before a bad line stays.
            Err(error) => {
                stream.close().await.map_err(told)?;
                let text = format!("{error}; {count} entities were written before");
                return Err(in_other_words(&error, text));
            }
        };
        for value in batch.into_iter().filter_map(T::from_line) {
            stream.feed(value).await.map_err(told)?;
            count += 1;
        }
        if batches.is_empty() {
            stream.flush().await.map_err(told)?;
        }
    }
    stream.close().await.map_err(told)?;
    Ok(count)
}

/// The lines of a source as entities, in batches that do not wait for more input.
fn lines(args: &Put, source: Source) -> Result<mpsc::Receiver<Result<Vec<Entity>>>> {
    let form = if args.jsonl { Form::Json } else { Form::Text };
    let mut lines = Lines::new(BufReader::new(source.reader), source.name, form);
    spawn(move |queue: &mpsc::Sender<Result<Vec<Entity>>>| {
        let mut batch = Vec::new();
        let failed = loop {
            match lines.next() {
                Ok(Next::Value(value)) => batch.push(value),
                Ok(Next::End) => break None,
                Ok(Next::Bad(error)) | Err(error) => break Some(error),
            }
            let more = lines.reader().buffer().contains(&b'\n');
            if (!more || batch.len() >= BATCH)
                && queue.blocking_send(Ok(std::mem::take(&mut batch))).is_err()
            {
                return;
            }
        };
        // What came before a bad line is written.
        let rest = (!batch.is_empty()).then_some(Ok(batch));
        for last in rest.into_iter().chain(failed.map(Err)) {
            if queue.blocking_send(last).is_err() {
                return;
            }
        }
    })
}

fn holds_text(path: &RemotePath) -> Error {
    Error::new(Code::SCHEMA_MISMATCH, format!("{path} holds lines of text"))
        .with_hint("write lines with --lines")
}
