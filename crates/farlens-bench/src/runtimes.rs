//! Where servers and clients run.

use crate::Result;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::{Builder, Handle, Runtime};

/// How servers and clients share the processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layout {
    /// One runtime with a worker for each processor runs both.
    Multi,
    /// The same, and each worker is pinned to its processor.
    Pinned,
    /// Each has a runtime of its own with one half of the processors, where there are two.
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
            Layout::Pinned => Ok(Self { server: pinned(&processors)?, client: None }),
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

/// A runtime with a worker for each of these processors, which stays there. Its other threads, which
/// start behind the workers, share them. Where that is refused all run anywhere.
fn pinned(processors: &[usize]) -> Result<Runtime> {
    let processors = processors.to_vec();
    let workers = processors.len().max(1);
    let started = AtomicUsize::new(0);
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .on_thread_start(move || {
            let worker = started.fetch_add(1, Ordering::Relaxed);
            let own = processors.get(worker).map_or(&processors[..], std::slice::from_ref);
            if let Err(error) = sched_setaffinity(None, &set_of(own)) {
                eprintln!("a thread could not be pinned: {error}");
            }
        })
        .enable_all()
        .build()?;
    Ok(runtime)
}

fn set_of(processors: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    processors.iter().for_each(|&processor| set.set(processor));
    set
}
