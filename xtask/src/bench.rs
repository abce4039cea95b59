//! Builds and runs the comparison with farlens's peers, which is a workspace of its own.

use crate::run;
use std::{
    env,
    process::{Command, ExitCode},
};

/// Where it is, seen from the repository's root; what it builds lies beside everything else.
const MANIFEST: &str = "crates/farlens-bench/Cargo.toml";
const TARGET: &str = "target/bench";

/// Runs it with the arguments that stand behind the verb. Its standard output is its own.
pub(crate) fn run() -> ExitCode {
    let status = Command::new(run::cargo())
        .args(["run", "--release", "--locked", "--quiet"])
        .args(["--manifest-path", MANIFEST, "--target-dir", TARGET, "--"])
        .args(env::args_os().skip(2))
        .current_dir(run::root())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}
