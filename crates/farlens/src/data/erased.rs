//! The object-safe twin of [`StreamerData`], boxed once per request.

use super::{DataState, Fetched, ReadBudget, Stored, StreamerData};
use crate::Result;
use farlens_proto::{Chunk, Kind, Rules};
use farlens_wire::{Edge, ModeOffer, Pos, Position, schema::SchemaDoc};
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
    fn read_now_into(&self, at: Position, room: &mut [u8]) -> Option<Result<usize>>;
    fn state_now(&self) -> Option<Result<DataState>>;
    fn is_live(&self) -> bool;
    fn is_pulled(&self) -> bool;
    fn write_at<'a>(
        &'a self,
        to: Pos,
        chunk: Chunk,
        rules: &'a Rules,
    ) -> BoxFuture<'a, Result<Stored>>;
    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>>;
    fn truncate<'a>(
        &'a self,
        edge: Edge,
        to: Pos,
        rules: &'a Rules,
    ) -> BoxFuture<'a, Result<Position>>;
    fn sync(&self, finish: bool) -> BoxFuture<'_, Result<()>>;
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

    fn read_now_into(&self, at: Position, room: &mut [u8]) -> Option<Result<usize>> {
        StreamerData::read_now_into(self, at, room)
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        StreamerData::state_now(self)
    }

    fn is_live(&self) -> bool {
        StreamerData::is_live(self)
    }

    fn is_pulled(&self) -> bool {
        StreamerData::is_pulled(self)
    }

    fn write_at<'a>(
        &'a self,
        to: Pos,
        chunk: Chunk,
        rules: &'a Rules,
    ) -> BoxFuture<'a, Result<Stored>> {
        Box::pin(StreamerData::write_at(self, to, chunk, rules))
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        StreamerData::write_now(self, to, chunk, rules)
    }

    fn truncate<'a>(
        &'a self,
        edge: Edge,
        to: Pos,
        rules: &'a Rules,
    ) -> BoxFuture<'a, Result<Position>> {
        Box::pin(StreamerData::truncate(self, edge, to, rules))
    }

    fn sync(&self, finish: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(StreamerData::sync(self, finish))
    }

    fn changed(&self, seen: DataState) -> BoxFuture<'_, DataState> {
        Box::pin(StreamerData::changed(self, seen))
    }
}

/// A source with something that is dropped right after it, such as a permit to give back.
pub(crate) struct Held<G> {
    data: Arc<dyn ErasedData>,
    _guard: G,
}

impl<G> Held<G> {
    pub(crate) const fn new(data: Arc<dyn ErasedData>, guard: G) -> Self {
        Self { data, _guard: guard }
    }
}

impl<G: Send + Sync + 'static> ErasedData for Held<G> {
    fn kind(&self) -> Kind {
        self.data.kind()
    }

    fn offers(&self) -> ModeOffer {
        self.data.offers()
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.data.schema()
    }

    fn state(&self) -> BoxFuture<'_, Result<DataState>> {
        self.data.state()
    }

    fn read_at(&self, at: Position, budget: ReadBudget) -> BoxFuture<'_, Result<Fetched>> {
        self.data.read_at(at, budget)
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        self.data.read_now(at, budget)
    }

    fn read_now_into(&self, at: Position, room: &mut [u8]) -> Option<Result<usize>> {
        self.data.read_now_into(at, room)
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        self.data.state_now()
    }

    fn is_live(&self) -> bool {
        self.data.is_live()
    }

    fn is_pulled(&self) -> bool {
        self.data.is_pulled()
    }

    fn write_at<'a>(
        &'a self,
        to: Pos,
        chunk: Chunk,
        rules: &'a Rules,
    ) -> BoxFuture<'a, Result<Stored>> {
        self.data.write_at(to, chunk, rules)
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        self.data.write_now(to, chunk, rules)
    }

    fn truncate<'a>(
        &'a self,
        edge: Edge,
        to: Pos,
        rules: &'a Rules,
    ) -> BoxFuture<'a, Result<Position>> {
        self.data.truncate(edge, to, rules)
    }

    fn sync(&self, finish: bool) -> BoxFuture<'_, Result<()>> {
        self.data.sync(finish)
    }

    fn changed(&self, seen: DataState) -> BoxFuture<'_, DataState> {
        self.data.changed(seen)
    }
}
