//! Moves data from a link to standard output, and tells an end from a failure.

use crate::{
    exit::Exit,
    stdout::{Counts, DataOut, Piece, Written, abandoned},
};
use farlens::{Code, Error, ErrorKind, Link, Result};
use futures::{Stream, StreamExt};
use std::{collections::VecDeque, pin::pin, time::Duration};

/// How long what has arrived may take to be written once the link is lost.
const FAREWELL: Duration = Duration::from_millis(400);

/// What the count in a failure's message counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Bytes,
    Entities,
}

/// Writes everything that `data` gives. A failure says how much had arrived by then.
///
/// A lost link is noticed while standard output takes nothing, too.
pub(crate) async fn run(
    link: &Link,
    unit: Unit,
    data: impl Stream<Item = Result<Piece>>,
) -> Result<Exit> {
    let out = DataOut::start()?;
    let counts = out.counts();
    let outcome = deliver(link, data, &out).await;
    let within = match &outcome {
        Err(error) if error.kind() == ErrorKind::Link => Some(FAREWELL),
        _ => None,
    };
    let written = out.finish(within).await?;
    match outcome {
        Ok(()) => Ok(Exit::OK),
        // Nobody is left to whom the failure makes a difference.
        Err(_) if written == Written::ReaderLeft && within.is_none() => Ok(Exit::OK),
        Err(error) => Err(with_count(&error, unit, &counts, written)),
    }
}

/// Passes pieces on until the end, a failure, or until nobody reads any more.
async fn deliver(
    link: &Link,
    data: impl Stream<Item = Result<Piece>>,
    out: &DataOut,
) -> Result<()> {
    let mut data = pin!(data);
    let mut over = pin!(link.closed());
    let mut abandoned = pin!(abandoned());
    loop {
        let room = tokio::select! {
            biased;
            room = out.room() => room,
            _ = &mut over => return deliver_rest(data, out).await,
        };
        let Some(room) = room else { return Ok(()) };
        let next = tokio::select! {
            biased;
            next = data.next() => next,
            () = &mut abandoned => return Ok(()),
        };
        match next {
            Some(piece) => room.send(piece?),
            None => return Ok(()),
        }
    }
}

/// The link is over while standard output is slow: finds out whether all had arrived by then. What
/// is left is bounded by the stream's window.
async fn deliver_rest(
    mut data: std::pin::Pin<&mut impl Stream<Item = Result<Piece>>>,
    out: &DataOut,
) -> Result<()> {
    let mut rest = VecDeque::new();
    let failure = loop {
        match data.next().await {
            Some(Ok(piece)) => rest.push_back(piece),
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    let write = async {
        while let Some(piece) = rest.pop_front() {
            let Some(room) = out.room().await else { return };
            room.send(piece);
        }
    };
    match failure {
        None => {
            write.await;
            Ok(())
        }
        Some(error) => {
            let _ = tokio::time::timeout(FAREWELL, write).await;
            Err(error)
        }
    }
}

fn with_count(error: &Error, unit: Unit, counts: &Counts, written: Written) -> Error {
    // A write that does not return may have delivered a part.
    let least = if written == Written::Stuck { "at least " } else { "" };
    let count = match unit {
        Unit::Bytes => format!("{} bytes", counts.bytes()),
        Unit::Entities => format!("{} entities", counts.items()),
    };
    let hint = error.hint().map(str::to_owned);
    let counted = Error::new(error.code(), format!("{error}; {least}{count} arrived"));
    match hint {
        Some(hint) => counted.with_hint(hint),
        None if error.code() == Code::SOURCE_FAILED => {
            counted.with_hint("what arrived is good; the rest does not exist")
        }
        None => counted,
    }
}
