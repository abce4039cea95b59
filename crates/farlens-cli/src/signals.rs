//! The signals that ask the command to stop.

use crate::exit::Exit;
use farlens::{Code, Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Makes a file that would exceed the process's limit (`ulimit -f`) a failed write, from now on,
/// and not the end of the process.
///
/// # Errors
/// `INTERNAL` when signals cannot be received.
pub(crate) fn survive_size_limit() -> Result<()> {
    // What listens is gone at once; that the signal no longer kills stays.
    listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|error| {
        Error::new(Code::INTERNAL, "signals cannot be received").with_source(error)
    })
}

/// SIGINT and SIGTERM, from now on.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one; what the process leaves behind if it ends of it at once.
    pub(crate) async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::INTERRUPTED,
            _ = self.terminate.recv() => Exit::TERMINATED,
        }
    }
}
