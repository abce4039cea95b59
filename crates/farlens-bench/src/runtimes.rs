//! Where servers and clients run.

use crate::Result;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Handle, Runtime};

/// How servers and clients share the processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layout {
    /// One runtime with a worker for each processor runs both.
    Multi,
    /// Each has a runtime of its own, pinned to one half of the processors where that can be done.
    Split,
}

/// The runtimes of a run, which end with it.
#[derive(Debug)]
pub(crate) struct Runtimes {
    server: Runtime,
    client: Option<Runtime>,
}

impl Runtimes {
    /// Starts them.
    ///
    /// # Errors
    /// When there are no threads to be had.
    pub(crate) fn start(layout: Layout) -> Result<Self> {
        let processors = allowed();
        let (first, second) = processors.split_at(processors.len() / 2);
        match layout {
            Layout::Split if !first.is_empty() => {
                Ok(Self { server: pinned(first)?, client: Some(pinned(second)?) })
            }
            Layout::Split | Layout::Multi => {
                let server = Builder::new_multi_thread().enable_all().build()?;
                Ok(Self { server, client: None })
            }
        }
    }

    /// Where servers run.
    pub(crate) fn server(&self) -> Handle {
        self.server.handle().clone()
    }

    /// Where clients run.
    pub(crate) fn client(&self) -> Handle {
        self.client.as_ref().unwrap_or(&self.server).handle().clone()
    }
}

/// Processors that this process may use.
fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|&processor| set.is_set(processor)).collect()
}

/// A runtime whose workers stay on these processors; where that is refused they run anywhere.
fn pinned(processors: &[usize]) -> Result<Runtime> {
    let mut set = CpuSet::new();
    processors.iter().for_each(|&processor| set.set(processor));
    let runtime = Builder::new_multi_thread()
        .worker_threads(processors.len())
        .on_thread_start(move || {
            if let Err(error) = sched_setaffinity(None, &set) {
                eprintln!("a worker could not be pinned: {error}");
            }
        })
        .enable_all()
        .build()?;
    Ok(runtime)
}
