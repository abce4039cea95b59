//! What runs in a process of its own, since it measures what a process has: this program starts
//! itself again for it.

use crate::{
    Result,
    cell::Cell,
    curves::Point,
    interrupt::unless_interrupted,
    measure::Measured,
    runtimes::{Layout, Runtimes},
    stage::Set,
    systems::System,
    workloads::{Amounts, Workload},
};
use serde::{Deserialize, Serialize};
use std::{env, pin::Pin, process::Stdio};
use tokio::process::Command;

/// What a child does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// A round of [`Workload::IdleStreamBytes`], with so many streams.
    IdleStreams { system: System, rt: Layout, streams: u64 },
    /// A point of a curve.
    Point(Point),
}

impl Job {
    /// Has a child do it.
    ///
    /// # Errors
    /// When it fails there; what went wrong is on standard error.
    pub(crate) async fn in_child(self) -> Result<Measured> {
        let output = Command::new(env::current_exe()?)
            .args(["child", &serde_json::to_string(&self)?])
            .stderr(Stdio::inherit())
            .output()
            .await?;
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout)?),
            false => Err("the child failed".into()),
        }
    }

    /// Does it here, in the child, and prints what it gave.
    ///
    /// # Errors
    /// When the system fails.
    pub(crate) fn here(self) -> Result<()> {
        let measured = match self {
            Self::IdleStreams { system, rt, streams } => idle_streams(system, rt, streams)?,
            Self::Point(point) => point.measure()?,
        };
        println!("{}", serde_json::to_string(&measured)?);
        Ok(())
    }
}

fn idle_streams(system: System, rt: Layout, streams: u64) -> Result<Measured> {
    let amounts = Amounts { idle: streams, ..Amounts::QUICK };
    let runtimes = Runtimes::start(rt)?;
    let set = Set::build(&runtimes, amounts)?;
    let stage = Workload::IdleStreamBytes.stage(&set.stage, amounts);
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    control.block_on(unless_interrupted(async {
        system.cell(Workload::IdleStreamBytes, &stage, amounts).await?.round().await
    }))
}

/// A cell each of whose rounds is a child.
pub(crate) struct InChild(pub(crate) Job);

impl Cell for InChild {
    fn round(&mut self) -> Pin<Box<dyn Future<Output = Result<Measured>> + '_>> {
        Box::pin(self.0.in_child())
    }
}
