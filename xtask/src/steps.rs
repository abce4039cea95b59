//! The table of checks. A new check is one more line in it.

/// One command and what its output must satisfy besides a zero exit status.
pub(crate) struct Step {
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Arguments of cargo, separated by blanks.
    pub(crate) cargo: &'static str,
    pub(crate) output: Output,
}

/// What is done with the standard output of a step.
#[derive(Clone, Copy)]
pub(crate) enum Output {
    /// It is shown.
    Shown,
    /// It is shown, and its test results count.
    Counted,
    /// It is kept back, and must contain none of these words.
    Lacks(&'static [&'static str]),
}

use Output::{Counted, Lacks, Shown};

const fn step(cargo: &'static str, output: Output) -> Step {
    Step { environment: &[], cargo, output }
}

/// What `cargo xtask test` runs, cheap and strict before slow.
pub(crate) const TEST: &[Step] = &[
    step("fmt --all --check", Shown),
    step(
        "tree -p farlens-wire --edges normal --prefix none --format {lib}",
        Lacks(&["tokio", "rustls", "rustix"]),
    ),
    step(
        "tree -p farlens-proto --edges normal --prefix none --format {lib}",
        Lacks(&["tokio", "rustls", "rustix"]),
    ),
    step("clippy --workspace --all-targets -- -D warnings", Shown),
    Step {
        environment: &[("RUSTDOCFLAGS", "-Dwarnings")],
        ..step("doc --workspace --no-deps", Shown)
    },
    step("test --workspace", Counted),
    step("run --release -p farlens-tests --bin farlens-sim -- --seeds 5000", Shown),
    step("run --release -p farlens-tests --bin farlens-sim -- --seeds 5000 --first fresh", Shown),
    step("run --release -p farlens-tests --bin farlens-sim -- --programs 10000", Shown),
    step(
        "run --release -p farlens-tests --bin farlens-sim -- --programs 5000 --first fresh",
        Shown,
    ),
    step("run --release -p farlens-tests --bin farlens-sim -- --references 50000", Shown),
    step(
        "run --release -p farlens-tests --bin farlens-sim -- --references 20000 --first fresh",
        Shown,
    ),
    step("xtask instructions", Shown),
    step("run --release -p farlens-cli -- demo", Shown),
    step("run --release -p farlens-examples --example sensor_fanout", Shown),
    step("run --release -p farlens-examples --example one_flight", Shown),
    step("run --release -p farlens-examples --example kept_log", Shown),
    step("run -p farlens-examples --example own_data", Shown),
    step("run -p farlens-examples --example echo", Shown),
    step("run -p farlens-examples --example chat", Shown),
    step("run -p farlens-examples --example callbacks", Shown),
    step("run -p farlens-examples --example evolve", Shown),
    step("run -p farlens-examples --example multi_stream_service", Shown),
    step("run -p farlens-examples --example probe", Shown),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_subcommand_of_its_own_line() {
        for (index, step) in TEST.iter().enumerate() {
            assert!(!step.cargo.is_empty());
            assert!(TEST[..index].iter().all(|earlier| earlier.cargo != step.cargo));
        }
    }
}
