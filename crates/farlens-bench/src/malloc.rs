//! How memory is given back to the system.
//!
//! glibc reads its settings when a process starts, so the process starts itself again with them.

use crate::Result;
use serde::{Deserialize, Serialize};
use std::{env, os::unix::process::CommandExt, process::Command};

/// How the allocator is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Malloc {
    /// As the system has it.
    System,
    /// Freed memory is kept, so that large buffers cost no system call and no fresh pages.
    Keep,
}

/// glibc's own names; 1 GiB is more than anything here allocates at once.
const KEEPING: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
    ("MALLOC_TRIM_THRESHOLD_", "1073741824"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

impl Malloc {
    /// Comes back when the process runs with this setting, and otherwise replaces it by one that
    /// does.
    ///
    /// # Errors
    /// When the process cannot be started again.
    pub(crate) fn take_effect(self) -> Result<()> {
        let set = |(name, value): &(&str, &str)| env::var(name).is_ok_and(|found| found == *value);
        if self == Self::System || KEEPING.iter().all(set) {
            return Ok(());
        }
        let mut again = Command::new(env::current_exe()?);
        Err(again.args(env::args_os().skip(1)).envs(KEEPING).exec().into())
    }
}
