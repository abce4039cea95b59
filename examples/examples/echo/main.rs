//! The four patterns of a call, as they are known from gRPC, each with one method of one trait:
//!
//! | pattern | method of [`service::Echo`] |
//! |---|---|
//! | unary | `async fn hello(&self, name: String) -> Result<String>` |
//! | client streaming | `async fn gather(&self, messages: impl Stream) -> Result<Summary>` |
//! | server streaming | `fn repeat(&self, message: Message, …) -> impl Stream` |
//! | bidirectional | `fn converse(&self, messages: impl Stream) -> impl Stream` |
//!
//! There is no file beside the trait to generate code from. Alone it runs server and clients in one
//! process, checks everything and exits with 1 if something is wrong; apart they are two programs:
//!
//! ```sh
//! cargo run --release -p farlens-examples --example echo
//! cargo run --release -p farlens-examples --example echo -- server --port 5368
//! cargo run --release -p farlens-examples --example echo -- client --server TICKET --once
//! ```

mod both;
mod client;
mod large;
mod one_way;
mod server;
mod service;

use clap::{Parser, Subcommand};
use farlens::{Error, Result};
use std::process::ExitCode;
use tokio::runtime::Builder;

/// The four patterns of a call. Without a command, server and clients in one process.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Server(server::Options),
    Client(client::Options),
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let mut runtime = Builder::new_multi_thread();
    if let Some(Command::Server(server::Options { workers: Some(workers), .. })) = args.command {
        runtime.worker_threads(workers.get());
    }
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        match &args.command {
            None => alone().await,
            Some(Command::Server(options)) => server::serve(options).await,
            Some(Command::Client(options)) => client::test(options).await,
        }
    })
}

/// Server and clients in one process; nothing of them stays on disk.
async fn alone() -> Result<()> {
    let server = server::start(0, false).await?;
    let ticket = farlens_examples::ticket(&server)?;
    client::test_all(&ticket).await?;
    client::is_drained(&server, &farlens_examples::ticket(&server)?).await?;
    client::is_refused(&ticket).await?;
    println!("all is as it should be");
    Ok(())
}

/// What happened, and what to do about it.
fn in_one_line(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({}); {hint}", error.code()),
        None => format!("{error} ({})", error.code()),
    }
}
