//! A run that is interrupted ends as one that fails, so that its files go.

use crate::Result;
use tokio::signal::unix::{SignalKind, signal};

/// Does the work, unless the process is asked to end before it is done.
///
/// # Errors
/// Those of the work, and when it was interrupted.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = work => done,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    }
}
