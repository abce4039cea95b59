//! Does one kind of work a given number of times, for `cargo xtask instructions` to count what one
//! unit of it costs.
//!
//! Neither time nor threads nor chance has a say in it, so two runs take the same instructions.

mod codec;
mod link;

use std::process::ExitCode;

/// What a block costs here depends on its size. In the system's allocator it depends on all blocks
/// before it as well, and so on the length of this program's path.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: farlens-count [CASE UNITS]

Does so many units of a case; without arguments it lists the cases, each with as many units as
make what happens only now and then count evenly.";

/// Work that is made of equal units.
struct Case {
    name: &'static str,
    /// Enough for buffers, windows and maps to have come to their size.
    units: u64,
    run: fn(u64),
}

const CASES: [Case; 6] = [
    Case { name: "codec/call", units: 2_000, run: codec::calls },
    Case { name: "codec/data", units: 2_000, run: codec::data },
    Case { name: "codec/entity", units: 2_000, run: codec::entities },
    Case { name: "link/call", units: 2_000, run: link::calls },
    Case { name: "link/data", units: 1_000, run: link::data },
    Case { name: "link/entity", units: 200_000, run: link::entities },
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [] => {
            for Case { name, units, .. } in &CASES {
                println!("{name} {units}");
            }
            ExitCode::SUCCESS
        }
        [name, units] => {
            let case = CASES.iter().find(|case| case.name == name);
            let Some((case, units)) = case.zip(units.parse().ok()) else { return usage() };
            (case.run)(units);
            ExitCode::SUCCESS
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
