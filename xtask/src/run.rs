//! Runs steps one after another, shows what they print as it comes, and stops at the first failure.

use crate::steps::{Output, Step};
use crate::tally::Tally;
use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

/// Runs `steps`. The last line printed counts the tests that ran.
pub(crate) fn all(steps: &[Step]) -> ExitCode {
    let mut tally = Tally::default();
    let failed = steps.iter().find_map(|step| timed(step, &mut tally).err());
    if let Some(why) = &failed {
        println!("\n{why}");
    }
    println!("{tally}");
    if failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs a step; the error says how to repeat it.
fn timed(step: &Step, tally: &mut Tally) -> Result<(), String> {
    let line = command_line(step);
    println!("==> {line}");
    let started = Instant::now();
    let outcome = run(step, tally);
    let seconds = started.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => {
            println!("==> ok in {seconds:.1} s");
            Ok(())
        }
        Err(why) => {
            Err(format!("FAILED after {seconds:.1} s: {why}\nTo repeat it, run:\n  {line}"))
        }
    }
}

fn run(step: &Step, tally: &mut Tally) -> Result<(), String> {
    let mut found = None;
    let status = stream(step, |line| match step.output {
        Output::Shown => show(line),
        Output::Counted => {
            tally.note(line);
            show(line)
        }
        Output::Lacks(words) => {
            found = found.or_else(|| words.iter().find(|word| line.contains(**word)).copied());
            Ok(())
        }
    })
    .map_err(|error| format!("it could not be run: {error}"))?;
    match (status, found) {
        (false, _) => Err("it reported a failure".to_owned()),
        (true, Some(word)) => Err(format!("its output mentions {word}")),
        (true, None) => Ok(()),
    }
}

/// Runs the command in the repository's root; `each` gets its lines as they come. Whether it
/// succeeded.
fn stream(step: &Step, mut each: impl FnMut(&str) -> io::Result<()>) -> io::Result<bool> {
    let mut child = Command::new(cargo())
        .args(step.cargo.split(' '))
        .envs(step.environment.iter().copied())
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line)? > 0 {
            each(String::from_utf8_lossy(&line).trim_end_matches('\n'))?;
            line.clear();
        }
    }
    Ok(child.wait()?.success())
}

fn show(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// As one would type it.
fn command_line(step: &Step) -> String {
    let environment: String =
        step.environment.iter().map(|(name, value)| format!("{name}={value} ")).collect();
    format!("{environment}cargo {}", step.cargo)
}

/// The cargo that runs this.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(cargo: &'static str, output: Output) -> Step {
        Step { environment: &[("CARGO_TERM_COLOR", "never")], cargo, output }
    }

    #[test]
    fn a_failure_says_how_to_repeat_it() {
        let error = timed(&step("--version", Output::Lacks(&["cargo"])), &mut Tally::default());
        let text = error.expect_err("cargo names itself");
        assert!(text.ends_with("\n  CARGO_TERM_COLOR=never cargo --version"), "{text}");
    }

    #[test]
    fn a_word_that_must_not_occur_fails_the_step() {
        let mut tally = Tally::default();
        assert!(run(&step("--version", Output::Lacks(&["rustls"])), &mut tally).is_ok());
        let error = run(&step("--version", Output::Lacks(&["rustls", "cargo"])), &mut tally);
        assert_eq!(error, Err("its output mentions cargo".to_owned()));
    }
}
