//! `farlens bench loopback`: how fast a link is beside the plain TLS connection below it.

use crate::{
    args::Global,
    bench::{Cell, Plan, loopback},
    exit::Exit,
    output,
};
use farlens::Result;
use serde::Serialize;

/// Measure how fast a link is here, beside the plain TLS connection below it.
///
/// All in one process on loopback. Rounds of both are interleaved and medians shown; a ratio is the
/// median of the rounds' ratios, above 1 where the link is faster. Takes about half a minute.
#[derive(clap::Args, Debug)]
pub(crate) struct Bench {
    /// What to measure.
    #[arg(value_enum)]
    what: What,
    /// Rounds of each workload.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Mebibytes of each bulk read and of the file.
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    mebibytes: u32,
    /// Entities of each iteration.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    entities: u64,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum What {
    /// Server and client in this process, over 127.0.0.1.
    Loopback,
}

#[derive(Serialize)]
struct Line {
    id: &'static str,
    system: &'static str,
    value: f64,
    unit: &'static str,
    ratio_to_raw: Option<f64>,
    runs: u16,
}

pub(crate) async fn run(global: &Global, args: &Bench) -> Result<Exit> {
    let What::Loopback = args.what;
    let plan = Plan {
        rounds: usize::from(args.rounds),
        bytes: u64::from(args.mebibytes) << 20,
        entities: args.entities,
    };
    loopback(plan, |cell| {
        output::line(&if global.json { json(&cell, args.rounds) } else { text(&cell) });
    })
    .await?;
    Ok(Exit::OK)
}

fn text(cell: &Cell) -> String {
    let ratio = cell.ratio_to_raw.map(|ratio| format!("{ratio:.2} of raw")).unwrap_or_default();
    let Cell { id, system, value, unit, .. } = cell;
    format!("{id:<18} {system:<8} {value:>10.2} {unit:<16} {ratio}").trim_end().to_owned()
}

fn json(cell: &Cell, runs: u16) -> String {
    let Cell { id, system, value, unit, ratio_to_raw } = *cell;
    output::to_json(&Line { id, system, value, unit, ratio_to_raw, runs })
}
