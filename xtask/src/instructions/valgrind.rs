//! Runs programs where their instructions are counted.

use std::{
    env, io,
    path::Path,
    process::{Command, Output},
};

/// What makes counts independent of the processor and of the clock.
///
/// * The C library picks its copying by what the processor has, and one of its ways counts as one
///   instruction a byte. Without all of that it takes the one which every processor of this target
///   has, and keeps to it however large the caches are.
/// * The allocator of what is counted gives memory back after a time; it is told to keep it.
const ENVIRONMENT: [(&str, &str); 2] = [
    (
        "GLIBC_TUNABLES",
        "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX_Fast_Unaligned_Load,-AVX2,-AVX,-BMI2,\
         -ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,-MOVBE:glibc.cpu.x86_non_temporal_threshold=1073741824",
    ),
    ("MIMALLOC_PURGE_DELAY", "-1"),
];

/// Whether it is there.
pub(crate) fn check() -> Result<(), String> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(
            "instructions are counted by valgrind, which is not installed. On Debian and Ubuntu:\n  \
             apt-get install valgrind"
                .to_owned(),
        ),
        Err(error) => Err(format!("valgrind could not be run: {error}")),
    }
}

/// Instructions of all that `binary` does for so many units of a case.
pub(crate) fn instructions(binary: &Path, case: &str, units: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command
        .args(["--command-line-only=yes", "--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binary)
        .args([case, &units.to_string()])
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .envs(ENVIRONMENT);
    let said = String::from_utf8_lossy(&finish(&mut command)?.stderr).into_owned();
    collected(&said).ok_or_else(|| format!("valgrind did not say what it counted:\n{said}"))
}

/// The number in what valgrind says at the end.
fn collected(said: &str) -> Option<u64> {
    let (_, number) = said.lines().find_map(|line| line.split_once("Collected : "))?;
    number.trim().parse().ok()
}

/// What a command prints.
pub(crate) fn output(mut command: Command) -> Result<String, String> {
    Ok(String::from_utf8_lossy(&finish(&mut command)?.stdout).into_owned())
}

fn finish(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} could not be run: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} ended with {}:\n{said}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let said =
            "==9== Events    : Ir\n==9== Collected : 408418\n==9== \n==9== I refs: 408,418\n";
        assert_eq!(collected(said), Some(408_418));
        assert_eq!(collected("==9== Collected : many\n"), None);
        assert_eq!(collected("valgrind: no such file"), None);
    }
}
