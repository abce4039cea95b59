//! The measuring itself: workload by workload, round by round, system by system.

use crate::{
    Result,
    cell::Cell,
    child::{InChild, Job},
    interrupt::unless_interrupted,
    malloc::Malloc,
    measure::Measured,
    peer::Stage,
    report::{self, Line, Setting},
    runtimes::{Layout, Runtimes},
    stage::Set,
    stats,
    systems::System,
    tls,
    workloads::{Amounts, Workload},
};
use clap::ValueEnum;
use std::time::{Duration, Instant};

/// What is measured, and how.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Do just enough to see that everything runs; the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// One line of JSON for each cell.
    #[arg(long)]
    json: bool,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Workload>,
    /// Only these systems.
    #[arg(long, value_delimiter = ',', value_enum)]
    systems: Vec<System>,
    /// Where servers and clients run.
    #[arg(long, value_enum, default_value = "multi")]
    rt: Layout,
    /// Whether freed memory goes back to the system.
    #[arg(long, value_enum, default_value = "system")]
    malloc: Malloc,
}

/// A workload of a system with its rounds so far.
type Rounds = (System, Box<dyn Cell>, Vec<Measured>);

/// After this long a workload gets no more rounds than it needs.
const PATIENCE: Duration = Duration::from_secs(40);

impl Args {
    /// Measures everything that was asked for.
    ///
    /// # Errors
    /// When a system fails, or anything else arrives than was sent.
    pub(crate) fn run(&self) -> Result<()> {
        self.malloc.take_effect()?;
        let setting = Setting { rt: self.rt, malloc: self.malloc, json: self.json };
        let runtimes = Runtimes::start(self.rt)?;
        let set = Set::build(&runtimes, self.amounts())?;
        if !self.json {
            println!("{}\n{}", tls::SUITE, report::head());
        }
        let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        control.block_on(unless_interrupted(self.measure_all(&set.stage, setting)))
    }

    async fn measure_all(&self, stage: &Stage, setting: Setting) -> Result<()> {
        for workload in chosen(&self.only) {
            let rounds = self.measure(workload, stage).await?;
            let raw = rounds.iter().find(|(system, ..)| *system == System::Raw);
            let raw = raw.map(|(.., rounds)| rounds.as_slice());
            for (system, _, rounds) in &rounds {
                Line::new((workload, *system), setting, rounds, raw).print(setting)?;
            }
        }
        Ok(())
    }

    fn amounts(&self) -> Amounts {
        if self.quick { Amounts::QUICK } else { Amounts::FULL }
    }

    /// Each round runs every system once. One round before these counts for nothing, but over a
    /// line, where every round begins anew and takes the same time.
    async fn measure(&self, workload: Workload, stage: &Stage) -> Result<Vec<Rounds>> {
        let named = |system, error| format!("{} of {system:?}: {error}", workload.name());
        let stage = &workload.stage(stage, self.amounts());
        let over_line = matches!(workload, Workload::Wan { .. });
        let mut cells = Vec::new();
        for system in chosen(&self.systems) {
            if system.does(workload) {
                let mut cell = self.cell(workload, system, stage).await?;
                if !over_line {
                    cell.round().await.map_err(|error| named(system, error))?;
                }
                cells.push((system, cell, Vec::new()));
            }
        }
        let started = Instant::now();
        loop {
            for (system, cell, rounds) in &mut cells {
                rounds.push(cell.round().await.map_err(|error| named(*system, error))?);
            }
            let values: Vec<_> = cells.iter().map(|(.., rounds)| report::values(rounds)).collect();
            let patient = !over_line && started.elapsed() < PATIENCE;
            if self.quick || !stats::another(&values, patient) {
                return Ok(cells);
            }
        }
    }

    async fn cell(
        &self,
        workload: Workload,
        system: System,
        stage: &Stage,
    ) -> Result<Box<dyn Cell>> {
        match workload {
            Workload::IdleStreamBytes => {
                let streams = self.amounts().idle;
                Ok(Box::new(InChild(Job::IdleStreams { system, rt: self.rt, streams })))
            }
            _ => system.cell(workload, stage, self.amounts()).await,
        }
    }
}

/// What was asked for, or everything.
fn chosen<T: ValueEnum + Clone>(asked: &[T]) -> Vec<T> {
    if asked.is_empty() { T::value_variants().to_vec() } else { asked.to_vec() }
}
