//! Farlens beside its peers and the raw TLS limit: one process, one run, medians of interleaved
//! rounds. How each system is set up is in the README.

#![forbid(unsafe_code)]

mod cell;
mod data;
mod malloc;
mod measure;
mod peer;
mod report;
mod runtimes;
mod stage;
mod stats;
mod systems;
mod tls;
mod wan;
mod workloads;

use clap::{Parser, ValueEnum};
use malloc::Malloc;
use report::{Line, Setting};
use runtimes::{Layout, Runtimes};
use std::process::ExitCode;
use systems::System;
use workloads::{Amounts, Workload};

/// Whatever goes wrong here ends the run; what it was is only read by people.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measure farlens beside its peers and the raw TLS limit.
#[derive(Parser, Clone, Debug)]
struct Args {
    /// Do just enough to see that everything runs; the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// One line of JSON for each cell.
    #[arg(long)]
    json: bool,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Workload>,
    /// Only these systems.
    #[arg(long, value_delimiter = ',', value_enum)]
    systems: Vec<System>,
    /// Where servers and clients run.
    #[arg(long, value_enum, default_value = "multi")]
    rt: Layout,
    /// Whether freed memory goes back to the system.
    #[arg(long, value_enum, default_value = "system")]
    malloc: Malloc,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.malloc.take_effect().and_then(|()| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let amounts = if args.quick { Amounts::QUICK } else { Amounts::FULL };
    let setting = Setting { rt: args.rt, malloc: args.malloc, json: args.json };
    let runtimes = Runtimes::start(args.rt)?;
    let set = stage::Set::build(&runtimes, amounts)?;
    if !args.json {
        println!("{}\n{}", tls::SUITE, report::head());
    }
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for workload in chosen(&args.only) {
        let systems = chosen(&args.systems);
        let lines = control.block_on(measure(workload, &systems, &set.stage, args.quick, amounts));
        for (system, rounds, raw) in lines? {
            Line::new((workload, system), setting, &rounds, raw.as_deref()).print(setting)?;
        }
    }
    Ok(())
}

/// What was asked for, or everything.
fn chosen<T: ValueEnum + Clone>(asked: &[T]) -> Vec<T> {
    if asked.is_empty() { T::value_variants().to_vec() } else { asked.to_vec() }
}

/// The rounds of a system, and those of the raw loop if that took part.
type Rounds = (System, Vec<measure::Measured>, Option<Vec<measure::Measured>>);

/// Measures a workload: each round runs every system once, after one round that counts for nothing.
async fn measure(
    workload: Workload,
    systems: &[System],
    stage: &peer::Stage,
    quick: bool,
    amounts: Amounts,
) -> Result<Vec<Rounds>> {
    let mut cells = Vec::new();
    let stage = &workload.stage(stage, amounts);
    for &system in systems.iter().filter(|system| system.does(workload)) {
        let mut cell = system.cell(workload, stage, amounts).await?;
        cell.round().await.map_err(|error| format!("{system:?} {workload:?}: {error}"))?;
        cells.push((system, cell, Vec::new()));
    }
    loop {
        for (system, cell, rounds) in &mut cells {
            let measured = cell.round().await;
            rounds.push(measured.map_err(|error| format!("{system:?} {workload:?}: {error}"))?);
        }
        let values: Vec<_> = cells.iter().map(|(.., rounds)| report::values(rounds)).collect();
        if quick || !stats::another(&values) {
            break;
        }
    }
    let raw = cells.iter().find(|(system, ..)| *system == System::Raw);
    let raw = raw.map(|(.., rounds)| rounds.clone());
    Ok(cells.into_iter().map(|(system, _, rounds)| (system, rounds, raw.clone())).collect())
}
