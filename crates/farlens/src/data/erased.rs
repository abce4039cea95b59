//! The object-safe twin of [`StreamerData`], boxed once per request.

use super::{DataState, Fetched, ReadBudget, StreamerData};
use crate::Result;
use farlens_proto::Kind;
use farlens_wire::{ModeOffer, Position, schema::SchemaDoc};
use futures::future::BoxFuture;
use std::sync::Arc;

/// A source of any type.
pub(crate) trait ErasedData: Send + Sync + 'static {
    fn kind(&self) -> Kind;
    fn offers(&self) -> ModeOffer;
    fn schema(&self) -> Option<Arc<SchemaDoc>>;
    fn state(&self) -> BoxFuture<'_, Result<DataState>>;
    fn read_at(&self, at: Position, budget: ReadBudget) -> BoxFuture<'_, Result<Fetched>>;
    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>>;
    fn changed(&self, seen: DataState) -> BoxFuture<'_, DataState>;
}

impl<D: StreamerData> ErasedData for D {
    fn kind(&self) -> Kind {
        StreamerData::kind(self)
    }

    fn offers(&self) -> ModeOffer {
        StreamerData::offers(self)
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        StreamerData::schema(self)
    }

    fn state(&self) -> BoxFuture<'_, Result<DataState>> {
        Box::pin(StreamerData::state(self))
    }

    fn read_at(&self, at: Position, budget: ReadBudget) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(StreamerData::read_at(self, at, budget))
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        StreamerData::read_now(self, at, budget)
    }

    fn changed(&self, seen: DataState) -> BoxFuture<'_, DataState> {
        Box::pin(StreamerData::changed(self, seen))
    }
}
