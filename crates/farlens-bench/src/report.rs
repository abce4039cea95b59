//! What is printed: a line of a table, or of JSON, for each cell.

use crate::{
    malloc::Malloc,
    measure::Measured,
    runtimes::Layout,
    stats,
    systems::System,
    workloads::{Better, Workload},
};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How all cells of a run were measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) rt: Layout,
    pub(crate) malloc: Malloc,
    pub(crate) json: bool,
}

/// A cell with all its rounds in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) system: String,
    pub(crate) rt: Layout,
    pub(crate) malloc: Malloc,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) better: Better,
    pub(crate) ratio_to_raw: Option<f64>,
    cpu_ns_per_unit: f64,
    pub(crate) runs: usize,
    min: f64,
    max: f64,
}

impl Line {
    /// Sums up the rounds of a system beside those of the raw loop.
    pub(crate) fn new(
        (workload, system): (Workload, System),
        setting: Setting,
        rounds: &[Measured],
        raw: Option<&[Measured]>,
    ) -> Self {
        let values = values(rounds);
        let cpu: Vec<f64> = rounds.iter().map(|round| round.cpu_ns / round.units).collect();
        let at = |p| stats::quantile(&values, p).unwrap_or(f64::NAN);
        Self {
            id: workload.name().to_owned(),
            system: name(&system),
            rt: setting.rt,
            malloc: setting.malloc,
            value: at(0.5),
            unit: workload.unit().to_owned(),
            better: workload.better(),
            ratio_to_raw: raw.and_then(|raw| stats::ratio(&values, &self::values(raw))),
            cpu_ns_per_unit: stats::median(&cpu).unwrap_or(f64::NAN),
            runs: rounds.len(),
            min: at(0.0),
            max: at(1.0),
        }
    }

    /// Prints it to standard output.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(crate) fn print(&self, setting: Setting) -> crate::Result<()> {
        use std::io::Write;
        let text = if setting.json { serde_json::to_string(self)? } else { self.row() };
        writeln!(std::io::stdout(), "{text}")?;
        Ok(())
    }

    fn row(&self) -> String {
        let Self { id, system, value, unit, cpu_ns_per_unit, runs, min, max, .. } = self;
        let ratio = self.ratio_to_raw.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        format!(
            "{id:<22} {system:<10} {value:>12.2} {unit:<10} {ratio:>6} {cpu_ns_per_unit:>12.2} \
             {runs:>4} {min:>12.2} {max:>12.2}"
        )
    }
}

/// The values of rounds.
pub(crate) fn values(rounds: &[Measured]) -> Vec<f64> {
    rounds.iter().map(|round| round.value).collect()
}

/// The head of the table.
pub(crate) fn head() -> String {
    format!(
        "{:<22} {:<10} {:>12} {:<10} {:>6} {:>12} {:>4} {:>12} {:>12}",
        "id", "system", "median", "unit", "/ raw", "cpu ns/unit", "runs", "min", "max"
    )
}

/// A value as it is named on the command line.
pub(crate) fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
