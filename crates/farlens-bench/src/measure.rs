//! What a round gives, and the clocks behind it.

use crate::{Result, stats};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// What one round of a cell gave.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Measured {
    /// Bytes, items, calls or connections that the round took in all.
    pub(crate) units: f64,
    /// Time that all threads of the process spent on it, server and client, in nanoseconds.
    pub(crate) cpu_ns: f64,
    /// The figure that is reported, in the unit of its workload.
    pub(crate) value: f64,
}

/// Both clocks at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: process_time() }
    }

    /// A rate: so many units in the time since the start, reported in units of `unit` a second.
    pub(crate) fn rate(self, units: u64, unit: f64) -> Measured {
        let (seconds, cpu_ns) = self.stop();
        let units = units as f64;
        Measured { units, cpu_ns, value: units / unit / seconds }
    }

    /// A quantile of how long each unit took, in microseconds.
    pub(crate) fn latency(self, times: &[Duration], p: f64) -> Measured {
        let (_, cpu_ns) = self.stop();
        let micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        let value = stats::quantile(&micros, p).unwrap_or(f64::NAN);
        Measured { units: micros.len() as f64, cpu_ns, value }
    }

    /// An amount of memory, in MB, for so many units in all.
    pub(crate) fn megabytes(self, units: u64, bytes: u64) -> Measured {
        let (_, cpu_ns) = self.stop();
        Measured { units: units as f64, cpu_ns, value: bytes as f64 / 1e6 }
    }

    /// An amount of something, for each unit.
    pub(crate) fn amount(self, units: u64, amount: u64) -> Measured {
        let (_, cpu_ns) = self.stop();
        let units = units as f64;
        Measured { units, cpu_ns, value: amount as f64 / units }
    }

    fn stop(self) -> (f64, f64) {
        let cpu = process_time().saturating_sub(self.cpu);
        (self.wall.elapsed().as_secs_f64(), cpu.as_nanos() as f64)
    }
}

/// Bytes of memory that this process holds for itself: no files, and nothing of the kernel.
///
/// # Errors
/// Where the system does not say.
pub(crate) fn resident_bytes() -> Result<u64> {
    status("RssAnon:")
}

/// The same, at the most since this process has started.
///
/// # Errors
/// Where the system does not say.
pub(crate) fn most_resident_bytes() -> Result<u64> {
    Ok(status("VmHWM:")?.saturating_sub(status("RssFile:")?))
}

fn status(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.ok_or_else(|| format!("/proc/self/status has no {name}"))? << 10)
}

fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
