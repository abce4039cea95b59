//! Runs seeds of the simulated world and says where the machines differ from the model.

use farlens_tests::{
    exchange::{self, Tally},
    rng,
    sim::{self, Counts, Seen, Weather},
};
use std::{
    panic,
    process::ExitCode,
    time::{Instant, SystemTime},
};

const USAGE: &str = "\
usage: farlens-sim [--seeds N | --programs N | --references N] [--first S|fresh] [--trace]

  --seeds N      runs N worlds in which the wire, the disks and the users misbehave; 1000 without
  --programs N   runs N random programs of up to 60 operations on two links, with a perfect wire and
                 data that answers at once: nothing but the machines against the plain model
  --references N runs N worlds in which both users make, pass, call, return and drop objects
  --first S      begins with this seed; `fresh` with one that no run before has begun with
  --trace        tells all that happens, where there is one seed
  --help         tells this

Each seed is a world of its own. The same seed gives the same trace hash on every machine.";
/// One in so many seeds is run twice when there are many.
const TWICE: u64 = 50;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Worlds(Weather),
    References,
}

struct Options {
    seeds: u64,
    mode: Mode,
    first: u64,
    trace: bool,
}

fn options() -> Option<Options> {
    let mode = Mode::Worlds(Weather::Stormy);
    let mut options = Options { seeds: 1_000, mode, first: 0, trace: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seeds" => options.seeds = args.next()?.parse().ok()?,
            "--programs" => {
                options.seeds = args.next()?.parse().ok()?;
                options.mode = Mode::Worlds(Weather::Calm);
            }
            "--references" => {
                options.seeds = args.next()?.parse().ok()?;
                options.mode = Mode::References;
            }
            "--first" => {
                let first = args.next()?;
                options.first = if first == "fresh" { fresh() } else { first.parse().ok()? };
            }
            "--trace" => options.trace = true,
            _ => return None,
        }
    }
    Some(options)
}

/// A seed that no run before has begun with.
fn fresh() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// The outcome of a seed; a panic is one, too.
fn run(seed: u64, weather: Weather, record: bool) -> Result<sim::Outcome, String> {
    panic::catch_unwind(|| sim::run(seed, weather, record)).map_err(|_| "a panic, see above".into())
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let Some(Options { seeds, mode, first, trace }) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match mode {
        Mode::Worlds(weather) => run_worlds(seeds, weather, first, trace),
        Mode::References => run_references(seeds, first),
    }
}

fn run_references(seeds: u64, first: u64) -> ExitCode {
    let began = Instant::now();
    let (mut tally, mut different) = (Tally::default(), 0u64);
    for seed in first..first.saturating_add(seeds) {
        let outcome = panic::catch_unwind(|| exchange::run(seed));
        match outcome.unwrap_or_else(|_| Err("a panic, see above".into())) {
            Ok(more) => tally.add(&more),
            Err(reason) => {
                different += 1;
                println!("seed {seed}: {reason}");
                println!("  again: farlens-sim --first {seed} --references 1");
                if different == 20 {
                    println!("that is enough");
                    break;
                }
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{:.0} seeds a second: {tally:?}", seeds as f64 / seconds.max(1e-9));
    if different > 0 {
        println!("{different} of {seeds} seeds, first {first}, differ from the ledger");
        return ExitCode::FAILURE;
    }
    println!("{seeds} seeds, first {first}: no difference from the ledger");
    ExitCode::SUCCESS
}

fn run_worlds(seeds: u64, weather: Weather, first: u64, trace: bool) -> ExitCode {
    let began = Instant::now();
    let record = trace && seeds == 1;
    let (mut hash, mut steps, mut different) = (0, 0, 0u64);
    let mut counts = Counts::default();
    for seed in first..first.saturating_add(seeds) {
        let outcome = run(seed, weather, record);
        let mut reason = None;
        match &outcome {
            Err(panic) => reason = Some(panic.clone()),
            Ok(outcome) => {
                for line in &outcome.trace {
                    println!("{line}");
                }
                hash = rng::mix(hash ^ outcome.hash);
                steps += outcome.steps;
                counts.iter_mut().zip(outcome.counts).for_each(|(sum, count)| *sum += count);
                reason = reason.or(outcome.failure.clone());
                let twice = seeds <= 100 || seed % TWICE == 0;
                if twice && run(seed, weather, false).is_ok_and(|again| again.hash != outcome.hash)
                {
                    reason = reason.or(Some("two runs have different traces".into()));
                }
            }
        }
        if let Some(reason) = reason {
            different += 1;
            println!("seed {seed}: {reason}");
            let mode = if weather == Weather::Calm { "programs" } else { "seeds" };
            println!("  again: farlens-sim --first {seed} --{mode} 1 --trace");
            if different == 20 {
                println!("that is enough");
                break;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{steps} steps, {:.0} seeds a second", seeds as f64 / seconds.max(1e-9));
    for (what, count) in Seen::ALL.iter().zip(counts) {
        eprintln!("{count:>10} {what}");
    }
    if different > 0 {
        println!("{different} of {seeds} seeds, first {first}, differ from the model");
        return ExitCode::FAILURE;
    }
    println!("{seeds} seeds, first {first}: no difference from the model (trace hash {hash:016x})");
    ExitCode::SUCCESS
}
