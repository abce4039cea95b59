//! Calls that are not waited for to their end.

use crate::desk::{Desk, DeskRef, News};
use farlens::{Code, Result};
use farlens_examples::{check, wrong};
use std::time::{Duration, Instant};
use tokio::{sync::mpsc, time::timeout};

/// How long the caller waits for a handler that sleeps.
const DEADLINE: Duration = Duration::from_millis(200);
/// How long the server may take to tell.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whatever ends a call at the caller ends its handler, too, wherever it stands.
pub(crate) async fn deadline_and_drop(
    desk: &DeskRef,
    mut news: mpsc::Receiver<News>,
) -> Result<()> {
    let started = Instant::now();
    let late = desk.with_timeout(DEADLINE).sleep().await.err();
    let late = late.ok_or_else(|| wrong("a deadline was missed in silence"))?;
    println!("after {:.0?}: {late}", started.elapsed());
    check(late.code() == Code::DEADLINE_EXCEEDED, "the deadline is what ends the call")?;
    check(started.elapsed() >= DEADLINE, "it is waited for until the deadline")?;
    told(&mut news, &[News::Began, News::Dropped]).await?;
    println!("the handler was dropped");

    tokio::select! {
        _ = desk.sleep() => return Err(wrong("a sleep without an end has ended")),
        // What select does with the call now is all that it takes to give it up: it drops it.
        began = told(&mut news, &[News::Began]) => began?,
    }
    told(&mut news, &[News::Dropped]).await?;
    println!("a call that was dropped dropped its handler");
    Ok(())
}

/// Waits until the handler has told this.
async fn told(news: &mut mpsc::Receiver<News>, expected: &[News]) -> Result<()> {
    for expected in expected {
        let told = timeout(PATIENCE, news.recv()).await.ok().flatten();
        check(told.as_ref() == Some(expected), format!("{told:?} came where {expected:?} was"))?;
    }
    Ok(())
}
