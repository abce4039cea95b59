//! Counts the instructions of codec and link, and compares them with the baseline.
//!
//! Counts are the same in every run, whatever else the machine does, so a change of a few percent
//! shows, which times would hide in their noise. They say nothing of caches and system calls: what
//! is fast is for `cargo xtask bench` to say.

mod baseline;
mod compare;
mod valgrind;

use crate::run;
use baseline::{Baseline, Counts};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// The baseline, seen from the repository's root.
const BASELINE: &str = "tests/instructions.txt";
const BLESS: &str = "cargo xtask instructions --bless";
/// The only target that the baseline holds for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Compares, or makes what is counted the baseline.
pub(crate) fn run() -> ExitCode {
    let args: Vec<_> = env::args().skip(2).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => check(),
        ["--bless"] => bless(),
        _ => {
            eprintln!("usage: cargo xtask instructions [--bless]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), String> {
    let compiler = Compiler::of_this_machine()?;
    if compiler.target != TARGET {
        println!("{BASELINE} holds for {TARGET}; on {} nothing is compared", compiler.target);
        return Ok(());
    }
    let baseline = read()?;
    let counts = count()?;
    let lines = compare::lines(&baseline.counts, &counts);
    print!("{}", compare::table(&lines));
    let differing = lines.iter().filter(|line| line.differs()).count();
    if differing == 0 {
        return Ok(());
    }
    let (of, most) = (lines.len(), compare::TOLERANCE_PERCENT);
    let mut why = format!("{differing} of {of} cases differ by more than {most} % from {BASELINE}");
    if baseline.compiler != compiler.version {
        let (then, now) = (baseline.compiler, compiler.version);
        why += &format!("\nThat was made with {then}; this is {now}");
    }
    Err(format!("{why}\nIf that is meant, also where it is less, make it the baseline:\n  {BLESS}"))
}

fn bless() -> Result<(), String> {
    let compiler = Compiler::of_this_machine()?;
    if compiler.target != TARGET {
        return Err(format!("{BASELINE} holds for {TARGET}; this is {}", compiler.target));
    }
    let counts = count()?;
    // What cannot be read is about to be replaced.
    let before = read().map(|baseline| baseline.counts).unwrap_or_default();
    print!("{}", compare::table(&compare::lines(&before, &counts)));
    let baseline = Baseline { compiler: compiler.version, counts };
    fs::write(run::root().join(BASELINE), baseline.to_string())
        .map_err(|error| format!("{BASELINE} cannot be written: {error}"))?;
    println!("{BASELINE} is written");
    Ok(())
}

fn read() -> Result<Baseline, String> {
    let text = fs::read_to_string(run::root().join(BASELINE)).map_err(|error| error.to_string());
    let baseline = text.and_then(|text| text.parse());
    baseline.map_err(|why| format!("{BASELINE}: {why}\nTo make it anew, run:\n  {BLESS}"))
}

/// The instructions of one unit of each case.
fn count() -> Result<Counts, String> {
    valgrind::check()?;
    let binary = build()?;
    let listing = valgrind::output(Command::new(&binary))?;
    listing.lines().map(|line| count_case(&binary, line)).collect()
}

fn count_case(binary: &Path, line: &str) -> Result<(String, f64), String> {
    let split = line.split_once(' ').and_then(|(name, units)| Some((name, units.parse().ok()?)));
    let (name, units): (_, u64) = split.ok_or(format!("`{line}` is no case with its units"))?;
    let once = valgrind::instructions(binary, name, units)?;
    let twice = valgrind::instructions(binary, name, 2 * units)?;
    // What happens once, as the start of the process, is in both.
    Ok((name.to_owned(), twice.saturating_sub(once) as f64 / units as f64))
}

/// Builds what is counted, in the profile in which it is shipped; where it is.
fn build() -> Result<PathBuf, String> {
    let status = Command::new(run::cargo())
        .args(["build", "--release", "-p", "farlens-tests", "--bin", "farlens-count"])
        .current_dir(run::root())
        .status();
    if !status.map_err(|error| format!("cargo could not be run: {error}"))?.success() {
        return Err("farlens-count could not be built".to_owned());
    }
    // This binary lies beside, in the directory of its own profile.
    let own = env::current_exe().map_err(|error| format!("this binary is not found: {error}"))?;
    let target = own.ancestors().nth(2).ok_or("this binary lies in no target directory")?;
    Ok(target.join("release/farlens-count"))
}

/// What the baseline depends on besides the code.
struct Compiler {
    version: String,
    target: String,
}

impl Compiler {
    fn of_this_machine() -> Result<Self, String> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.arg("-vV");
        let text = valgrind::output(command)?;
        let target = text.lines().find_map(|line| line.strip_prefix("host: "));
        let found = text.lines().next().zip(target);
        let (version, target) = found.ok_or("rustc does not say what it is")?;
        Ok(Self { version: version.to_owned(), target: target.to_owned() })
    }
}
