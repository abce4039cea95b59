//! Farlens beside its peers and the raw TLS limit: one process, one run, medians of interleaved
//! rounds. How each system is set up is in the README.

#![forbid(unsafe_code)]

mod cell;
mod child;
mod curves;
mod data;
mod interrupt;
mod live;
mod machine;
mod malloc;
mod measure;
mod page;
mod peer;
mod report;
mod run;
mod runtimes;
mod stage;
mod stats;
mod systems;
mod tls;
mod wan;
mod workloads;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Whatever goes wrong here ends the run; what it was is only read by people.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measure farlens beside its peers and the raw TLS limit.
#[derive(Parser, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: run::Args,
}

#[derive(Subcommand, Clone, Debug)]
enum Verb {
    /// Run one round in this process, for another that waits for it.
    #[command(hide = true)]
    Child { job: String },
    /// Measure what streams, links and messages cost as they grow, and plot it.
    Curves(curves::Args),
    /// Write the table of a run into a page.
    Page(page::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.verb {
        None => args.run.run(),
        Some(Verb::Child { job }) => do_job(&job),
        Some(Verb::Curves(curves)) => curves.run(),
        Some(Verb::Page(page)) => page.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn do_job(job: &str) -> Result<()> {
    serde_json::from_str::<child::Job>(job)?.here()
}
