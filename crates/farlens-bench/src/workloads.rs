//! What is measured, and the round behind each.

mod amounts;
mod beside;
mod bulk;
mod calls;
mod entities;
mod fanout;
mod first_byte;
mod id;
mod idle;
mod line;
mod random;

pub(crate) use amounts::Amounts;
pub(crate) use id::{Better, Workload};

use crate::{Result, cell::Stand, measure::Measured, peer::Peer};
use std::sync::Arc;

impl Workload {
    /// Runs one round.
    ///
    /// # Errors
    /// When the system fails, or anything else arrives than was sent.
    pub(crate) async fn round<P: Peer>(
        self,
        stand: Arc<Stand<P>>,
        amounts: Amounts,
    ) -> Result<Measured> {
        match self {
            Self::BulkReadMemory => bulk::memory(&stand).await,
            Self::BulkReadFile => bulk::file(&stand).await,
            Self::BulkWriteFile => bulk::write(&stand).await,
            Self::EntitiesOne => entities::one(&stand).await,
            Self::EntitiesBatch => entities::batch(&stand).await,
            Self::CallP50 => calls::sequential(&stand, amounts).await,
            Self::Calls64 => calls::parallel(&stand, amounts).await,
            Self::Calls64Apart => calls::apart(stand, amounts).await,
            Self::Calls64Lockstep => calls::in_step(&stand, amounts).await,
            Self::Random4kP50 => random::sequential(&stand, amounts).await,
            Self::Random4k64 => random::parallel(&stand, amounts).await,
            Self::FirstByte => first_byte::connect(&stand, amounts).await,
            Self::IdleStreamBytes => idle::streams(&stand, amounts).await,
            Self::Items1000Streams => entities::streams(&stand, amounts).await,
            Self::StalledReaderWithout => bulk::streams(&stand, amounts::ACTIVE).await,
            Self::StalledReader => bulk::beside_a_stalled_one(&stand).await,
            Self::Fanout64 => fanout::log(&stand, amounts).await,
            Self::CallP99BesideBulk => beside::calls(&stand).await,
            Self::BulkBesideCalls => beside::bulk(&stand).await,
            Self::Wan { ms, streams, .. } => line::read(&stand, (ms, streams), amounts).await,
        }
    }
}

/// Refuses what is not as it has to be.
fn check(what: &str, got: u64, expected: u64) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(format!("{what}: {got} arrived, not {expected}").into())
}
