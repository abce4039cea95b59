//! The systems that are measured, a file for each.

mod capnp;
pub(crate) mod farlens;
mod http2;
mod hyper_h2;
pub(crate) mod raw;
mod remoc;
mod tarpc;
mod tonic;

use crate::{
    Result,
    cell::{Cell, OnThread, on_workers},
    peer::{Peer, Stage},
    workloads::{Amounts, Workload},
};
use serde::{Deserialize, Serialize};

/// A system, as it is named on the command line and in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum, Serialize, Deserialize)]
#[value(rename_all = "kebab-case")]
pub(crate) enum System {
    /// Loops written by hand for one workload each, on the same TLS.
    Raw,
    /// This project.
    Farlens,
    /// gRPC.
    Tonic,
    /// Channels and remote traits.
    Remoc,
    /// Calls of objects, with flow control for streams of calls.
    CapnpRpc,
    /// Calls.
    Tarpc,
    /// HTTP/2 by itself.
    HyperH2,
}

impl System {
    /// Whether it has a way to do that at all.
    pub(crate) fn does(self, workload: Workload) -> bool {
        match workload {
            Workload::Calls64Lockstep => matches!(self, Self::Raw),
            Workload::IdleStreamBytes => !matches!(self, Self::Raw | Self::Tarpc),
            Workload::EntitiesOne
            | Workload::Items1000Streams
            | Workload::StalledReaderWithout
            | Workload::StalledReader
            | Workload::Fanout64 => !matches!(self, Self::Tarpc),
            _ if workload.is_wan_of_some() => !matches!(self, Self::CapnpRpc | Self::Tarpc),
            _ => true,
        }
    }

    /// By how much less it does in a round that would take it many times as long as the others.
    /// Rates are the same with less.
    const fn eased(self, workload: Workload) -> u64 {
        match (self, workload) {
            (Self::Remoc | Self::CapnpRpc, Workload::EntitiesOne)
            | (Self::Remoc, Workload::Calls64 | Workload::Calls64Apart | Workload::Random4k64) => 8,
            _ => 1,
        }
    }

    /// Sets up a server and a client.
    ///
    /// # Errors
    /// When the system cannot be set up.
    pub(crate) async fn cell(
        self,
        workload: Workload,
        stage: &Stage,
        amounts: Amounts,
    ) -> Result<Box<dyn Cell>> {
        let eased = self.eased(workload);
        let stage = &Stage { entities: stage.entities / eased, ..stage.clone() };
        let amounts = Amounts { parallel: amounts.parallel / eased, ..amounts };
        Ok(match self {
            Self::Raw => on_workers!(raw::Raw, workload, stage, amounts),
            Self::Farlens => on_workers!(farlens::Farlens, workload, stage, amounts),
            Self::Tonic => on_workers!(tonic::Tonic, workload, stage, amounts),
            Self::Remoc => on_workers!(remoc::Remoc, workload, stage, amounts),
            Self::CapnpRpc => Box::new(OnThread::start::<capnp::Capnp>(workload, stage, amounts)),
            Self::Tarpc => on_workers!(tarpc::Tarpc, workload, stage, amounts),
            Self::HyperH2 => on_workers!(hyper_h2::HyperH2, workload, stage, amounts),
        })
    }
}
