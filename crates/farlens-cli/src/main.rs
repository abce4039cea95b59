//! The farlens command: publish, list, read, iterate and watch remote streams.
//!
//! Each verb is one file in `verbs/`. Standard output carries data only; what people or logs should
//! know goes to standard error, and `exit` says which number a failure leaves behind.

mod args;
mod bench;
mod connect;
mod exit;
mod input;
mod json;
mod lines;
mod log;
mod number;
mod output;
mod pump;
mod range;
mod signals;
mod stdout;
mod verbs;

use args::Cli;
use clap::Parser;
use exit::Exit;
use std::process::ExitCode;

/// Threads for calls that block, such as reads that the page cache cannot answer.
const BLOCKING_THREADS: usize = 16;
/// More workers than this do not make one link faster.
const WORKERS_MAX: usize = 4;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return args::refuse(&error).into(),
    };
    log::start(&cli.global);
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.min(WORKERS_MAX))
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let failed = farlens::Error::new(farlens::Code::INTERNAL, "no threads can be started");
            return report(&cli, &failed.with_source(error)).into();
        }
    };
    let outcome = runtime.block_on(verbs::run(&cli));
    // What is still under way, such as a read of standard input, ends with the process.
    runtime.shutdown_background();
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => report(&cli, &error).into(),
    }
}

fn report(cli: &Cli, error: &farlens::Error) -> Exit {
    output::report(&cli.global, error);
    Exit::of(error)
}
