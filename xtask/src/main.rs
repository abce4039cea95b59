//! The project's own checks: `cargo xtask test` runs on a desk what runs before a merge,
//! `cargo xtask instructions` compares what codec and link cost with what they did cost, and
//! `cargo xtask bench` compares farlens with its peers.
//!
//! Each verb is a line in [`VERBS`]; what `test` does is the table in [`steps`].

mod bench;
mod instructions;
mod run;
mod steps;
mod tally;

use std::process::ExitCode;

/// What one may ask for.
struct Verb {
    name: &'static str,
    what: &'static str,
    run: fn() -> ExitCode,
}

const VERBS: [Verb; 3] = [
    Verb { name: "test", what: "every check, in order, up to the first that fails", run: test },
    Verb {
        name: "instructions",
        what: "what codec and link cost, beside the baseline; --bless makes that the baseline",
        run: instructions::run,
    },
    Verb {
        name: "bench",
        what: "farlens beside its peers; arguments go on to it",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    match VERBS.iter().find(|verb| verb.name == wanted) {
        Some(verb) => (verb.run)(),
        None => usage(),
    }
}

fn test() -> ExitCode {
    run::all(steps::TEST)
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask <verb>");
    for verb in VERBS {
        eprintln!("  {:<12} {}", verb.name, verb.what);
    }
    ExitCode::from(2)
}
