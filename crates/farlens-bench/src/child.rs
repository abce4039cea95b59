//! A workload that runs in a process of its own, since what it measures is what a process has:
//! this program starts itself again for each round.

use crate::{
    Result,
    cell::Cell,
    measure::Measured,
    report::name,
    runtimes::{Layout, Runtimes},
    stage::Set,
    systems::System,
    workloads::{Amounts, Workload},
};
use std::{env, pin::Pin, process::Stdio};
use tokio::process::Command;

/// What the child is to do.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Args {
    #[arg(long, value_enum)]
    workload: Workload,
    #[arg(long, value_enum)]
    system: System,
    #[arg(long, value_enum)]
    rt: Layout,
    /// Streams to open.
    #[arg(long)]
    idle: u64,
}

/// The cell of a child.
pub(crate) struct InChild(pub(crate) Args);

impl Args {
    /// A workload of a system.
    pub(crate) const fn new(
        (workload, system): (Workload, System),
        rt: Layout,
        amounts: Amounts,
    ) -> Self {
        Self { workload, system, rt, idle: amounts.idle }
    }

    /// Runs a round here, in the child, and prints what it gave.
    ///
    /// # Errors
    /// When the system fails.
    pub(crate) fn run(self) -> Result<()> {
        let amounts = Amounts { idle: self.idle, ..Amounts::QUICK };
        let runtimes = Runtimes::start(self.rt)?;
        let set = Set::build(&runtimes, amounts)?;
        let stage = self.workload.stage(&set.stage, amounts);
        let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let measured = control.block_on(async {
            let mut cell = self.system.cell(self.workload, &stage, amounts).await?;
            cell.round().await
        });
        println!("{}", serde_json::to_string(&measured?)?);
        Ok(())
    }
}

impl Cell for InChild {
    fn round(&mut self) -> Pin<Box<dyn Future<Output = Result<Measured>> + '_>> {
        let Self(Args { workload, system, rt, idle }) = *self;
        Box::pin(async move {
            let output = Command::new(env::current_exe()?)
                .args(["child", "--workload", workload.name(), "--system", &name(&system)])
                .args(["--rt", &name(&rt), "--idle", &idle.to_string()])
                .stderr(Stdio::inherit())
                .output()
                .await?;
            match output.status.success() {
                true => Ok(serde_json::from_slice(&output.stdout)?),
                false => Err("the child failed".into()),
            }
        })
    }
}
