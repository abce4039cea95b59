//! How fast a link is beside the transport below it, in one process and one run.
//!
//! Each round measures the raw loop and the link one after the other, so that what disturbs the
//! machine disturbs both; medians of the rounds are shown. The raw loop is what one would write by
//! hand on the same TLS connection, with the same cipher and the same runtime.

mod bulk;
mod entities;
mod memory;

use farlens::Result;
use std::time::Duration;

/// What one workload took, in each round.
struct Rounds {
    raw: Vec<Duration>,
    farlens: Vec<Duration>,
}

/// What is printed of one workload.
pub(crate) struct Cell {
    pub(crate) id: &'static str,
    pub(crate) system: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Against the raw loop of the same round, where there is one: above 1 is better than raw.
    pub(crate) ratio_to_raw: Option<f64>,
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) bytes: u64,
    pub(crate) entities: u64,
}

/// Measures everything and hands over each result as soon as it is there.
pub(crate) async fn loopback(plan: Plan, mut show: impl FnMut(Cell)) -> Result<()> {
    let peak = memory::peak_above_idle(plan.bytes).await?;
    let mib = 1024.0 * 1024.0;
    show(Cell {
        id: "memory_file",
        system: "farlens",
        value: peak as f64 / mib,
        unit: "MiB above idle",
        ratio_to_raw: None,
    });
    let bulk = bulk::measure(plan).await?;
    bulk.show("bulk_read_memory", plan.bytes as f64 / 1e6, "MB/s", &mut show);
    let entities = entities::measure(plan).await?;
    entities.show("entities_one", plan.entities as f64 / 1e6, "M items/s", &mut show);
    Ok(())
}

impl Rounds {
    const fn new() -> Self {
        Self { raw: Vec::new(), farlens: Vec::new() }
    }

    fn show(&self, id: &'static str, amount: f64, unit: &'static str, show: &mut impl FnMut(Cell)) {
        let ratios = self.raw.iter().zip(&self.farlens);
        let ratio = median(ratios.map(|(raw, own)| raw.as_secs_f64() / own.as_secs_f64()));
        let rate = |times: &[Duration]| amount / median(times.iter().map(Duration::as_secs_f64));
        let raw = rate(&self.raw);
        show(Cell { id, system: "raw", value: raw, unit, ratio_to_raw: Some(1.0) });
        let own = rate(&self.farlens);
        show(Cell { id, system: "farlens", value: own, unit, ratio_to_raw: Some(ratio) });
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
