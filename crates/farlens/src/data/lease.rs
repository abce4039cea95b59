//! Data that is handed out for a time: until a moment, or until it is taken back.

use super::{DataState, Fetched, ReadBudget, Stored, StreamerData, erased::ErasedData};
use crate::{Error, Result};
use farlens_proto::{Chunk, Kind, Rules};
use farlens_wire::{Code, Edge, ModeOffer, Pos, Position, schema::SchemaDoc};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Takes back what was handed out: see [`crate::Streamer::revocable`].
///
/// Clones take back the same. Dropping them all takes nothing back, and leaves nobody who can.
#[derive(Clone, Debug)]
pub struct Revoker {
    revoked: Arc<watch::Sender<bool>>,
}

impl Revoker {
    /// Takes it back. When this returns no operation on the data begins any more, opens included,
    /// and the streams that are open are about to end with `REVOKED`, those that only wait, too. A
    /// change that has begun is made to its end. To do it again changes nothing.
    pub fn revoke(&self) {
        self.revoked.send_if_modified(|revoked| !std::mem::replace(revoked, true));
    }

    /// Whether it was taken back.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        *self.revoked.borrow()
    }
}

/// The moment at which something expires: a point in time, or a time from now on. It is that of
/// tokio's clock, which nobody sets.
#[derive(Clone, Copy, Debug)]
pub struct Expiry(Option<Instant>);

impl From<Duration> for Expiry {
    /// So long after this call. What lies beyond all clocks never comes.
    fn from(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }
}

impl From<Instant> for Expiry {
    fn from(moment: Instant) -> Self {
        Self(Some(moment))
    }
}

impl From<std::time::Instant> for Expiry {
    fn from(moment: std::time::Instant) -> Self {
        Self(Some(Instant::from_std(moment)))
    }
}

/// How long something is handed out.
#[derive(Clone, Debug)]
pub(crate) enum Lease {
    Until(Expiry),
    UntilRevoked(Revoker),
}

impl Lease {
    /// One that ends with the returned revoker.
    pub(crate) fn revocable() -> (Self, Revoker) {
        let revoker = Revoker { revoked: Arc::new(watch::Sender::new(false)) };
        (Self::UntilRevoked(revoker.clone()), revoker)
    }

    /// Whether it still holds.
    ///
    /// # Errors
    /// `REVOKED` when it does not.
    pub(crate) fn check(&self) -> Result<()> {
        let over = match self {
            Self::Until(Expiry(moment)) => moment.is_some_and(|moment| moment <= Instant::now()),
            Self::UntilRevoked(revoker) => revoker.is_revoked(),
        };
        if !over {
            return Ok(());
        }
        let text = match self {
            Self::Until(_) => "what was handed out here has expired",
            Self::UntilRevoked(_) => "what was handed out here has been taken back",
        };
        Err(Error::new(Code::REVOKED, text))
    }

    /// Waits until it is over.
    async fn over(&self) {
        match self {
            Self::Until(Expiry(Some(moment))) => sleep_until(*moment).await,
            Self::Until(Expiry(None)) => std::future::pending().await,
            Self::UntilRevoked(Revoker { revoked }) => {
                // It fails only once the sender is gone, which is held here.
                let _ = revoked.subscribe().wait_for(|revoked| *revoked).await;
            }
        }
    }
}

/// Data under a lease: once that is over every operation fails with `REVOKED`.
pub(crate) struct Leased {
    data: Arc<dyn ErasedData>,
    lease: Lease,
}

impl Leased {
    pub(crate) const fn new(data: Arc<dyn ErasedData>, lease: Lease) -> Self {
        Self { data, lease }
    }

    /// The answer of the data, unless the lease is over.
    fn answer_now<T>(&self, answer: impl FnOnce() -> Option<Result<T>>) -> Option<Result<T>> {
        self.lease.check().map_or_else(|error| Some(Err(error)), |()| answer())
    }
}

impl StreamerData for Leased {
    fn kind(&self) -> Kind {
        self.data.kind()
    }

    fn offers(&self) -> ModeOffer {
        self.data.offers()
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.data.schema()
    }

    async fn state(&self) -> Result<DataState> {
        self.lease.check()?;
        let state = self.data.state().await;
        self.lease.check().and(state)
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        self.answer_now(|| self.data.state_now())
    }

    fn is_live(&self) -> bool {
        self.data.is_live()
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.lease.check()?;
        let read = self.data.read_at(at, budget).await;
        // What comes after the end is nobody's to see.
        self.lease.check().and(read)
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        self.answer_now(|| self.data.read_now(at, budget))
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        self.lease.check()?;
        self.data.write_at(to, chunk, rules).await
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        self.answer_now(|| self.data.write_now(to, chunk, rules))
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        self.lease.check()?;
        self.data.truncate(edge, to, rules).await
    }

    async fn sync(&self, finish: bool) -> Result<()> {
        self.lease.check()?;
        self.data.sync(finish).await
    }

    /// Resolves with the end of the lease, too: the state, which is asked for then, tells of it.
    async fn changed(&self, seen: DataState) -> DataState {
        tokio::select! {
            () = self.lease.over() => seen.clone(),
            changed = self.data.changed(seen.clone()) => changed,
        }
    }
}

#[cfg(test)]
mod tests;
