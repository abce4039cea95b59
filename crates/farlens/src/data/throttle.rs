//! Data that is read and written no faster than its publisher allows.

mod bucket;
#[cfg(test)]
mod tests;

pub(crate) use bucket::Bucket;

use super::{DataState, Fetched, ReadBudget, Stored, StreamerData, erased::ErasedData};
use crate::Result;
use farlens_proto::{Chunk, Kind, Rules};
use farlens_wire::{Edge, ModeOffer, Pos, Position, schema::SchemaDoc};
use std::{pin::pin, sync::Arc};

/// Data whose elements pass through a bucket, reads and writes alike.
///
/// A read takes its share before it begins, and gives back what it did not use. One that has to
/// wait for its data takes nothing meanwhile, and pays for it afterwards: whoever comes next waits.
pub(crate) struct Throttled {
    data: Arc<dyn ErasedData>,
    bucket: Arc<Bucket>,
}

impl Throttled {
    pub(crate) const fn new(data: Arc<dyn ErasedData>, bucket: Arc<Bucket>) -> Self {
        Self { data, bucket }
    }

    /// A read within one share of the bucket.
    fn share(&self, budget: ReadBudget) -> ReadBudget {
        ReadBudget { bytes: budget.bytes.min(self.bucket.share()), ..budget }
    }
}

/// What a read costs.
fn cost(read: &Result<Fetched>) -> usize {
    match read {
        Ok(Fetched::Some(chunk)) => chunk.cost(),
        Ok(Fetched::Nothing) | Err(_) => 0,
    }
}

/// What a write costs: what is not stored is handed in again, unless it was refused.
fn cost_of_write(chunk: &Chunk, written: &Result<Stored>) -> usize {
    match written {
        Ok(stored) if stored.elements < chunk.elements() => {
            chunk.clone().split_to(stored.elements).cost()
        }
        Ok(_) | Err(_) => chunk.cost(),
    }
}

impl StreamerData for Throttled {
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
        self.data.state().await
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        self.data.state_now()
    }

    fn is_live(&self) -> bool {
        self.data.is_live()
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let budget = self.share(budget);
        let taken = self.bucket.take(budget.bytes).await;
        let mut read = pin!(self.data.read_at(at, budget));
        if let std::task::Poll::Ready(read) = futures::poll!(&mut read) {
            taken.settle(cost(&read));
            return read;
        }
        drop(taken);
        let read = read.await;
        self.bucket.charge(cost(&read));
        read
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let budget = self.share(budget);
        let taken = self.bucket.take_now(budget.bytes)?;
        let read = self.data.read_now(at, budget)?;
        taken.settle(cost(&read));
        Some(read)
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        let taken = self.bucket.take(chunk.cost()).await;
        let written = self.data.write_at(to, chunk.clone(), rules).await;
        taken.settle(cost_of_write(&chunk, &written));
        written
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        let taken = self.bucket.take_now(chunk.cost())?;
        let written = self.data.write_now(to, chunk, rules)?;
        taken.settle(cost_of_write(chunk, &written));
        Some(written)
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        self.data.truncate(edge, to, rules).await
    }

    async fn sync(&self, finish: bool) -> Result<()> {
        self.data.sync(finish).await
    }

    async fn changed(&self, seen: DataState) -> DataState {
        self.data.changed(seen).await
    }
}
