//! Reading and changing places without a cursor, many at a time.

use super::{OpenOptions, raw::RawStream};
use crate::{Link, RemotePath, Result};
use bytes::Bytes;
use farlens_proto::{Ahead, Chunk, Guard, Kind, OpenRequest, WriteTo};
use farlens_wire::{Edge, Pos, Position};
use std::{
    ops::{Range, RangeBounds},
    sync::Arc,
};

/// What must hold of the data for a change to be made. Judged at the very moment of the change, so
/// two writers with the same condition never both succeed.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    guard: Guard,
}

impl Condition {
    /// The data still has this version; see [`crate::ByteStream::version`].
    #[must_use]
    pub fn version(version: impl Into<Bytes>) -> Self {
        Self { guard: Guard { version: Some(version.into().to_vec()), end: None } }
    }

    /// The data still ends here.
    #[must_use]
    pub fn end(end: Position) -> Self {
        Self { guard: Guard { version: None, end: Some(end) } }
    }

    /// And it ends here.
    #[must_use]
    pub fn and_end(mut self, end: Position) -> Self {
        self.guard.end = Some(end);
        self
    }
}

/// Changes that are made only if a [`Condition`] holds, else they are `CONFLICT`.
pub struct When<'a> {
    pub(super) raw: &'a Arc<RawStream>,
    pub(super) condition: Condition,
}

impl std::fmt::Debug for When<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("When").field("condition", &self.condition).finish_non_exhaustive()
    }
}

impl When<'_> {
    /// As [`crate::ByteStream::write_at`].
    ///
    /// # Errors
    /// `CONFLICT` when the condition does not hold, and those of [`crate::ByteStream::write_at`].
    pub async fn write_at(&self, at: impl Into<Pos>, bytes: impl Into<Bytes>) -> Result<Position> {
        self.put(at.into(), bytes.into()).await
    }

    /// As [`crate::ByteStream::append`].
    ///
    /// # Errors
    /// `CONFLICT` when the condition does not hold, and those of [`crate::ByteStream::append`].
    pub async fn append(&self, bytes: impl Into<Bytes>) -> Result<Position> {
        self.put(Pos::END, bytes.into()).await
    }

    /// As [`crate::ByteStream::truncate`].
    ///
    /// # Errors
    /// `CONFLICT` when the condition does not hold, and those of [`crate::ByteStream::truncate`].
    pub async fn truncate(&self, edge: Edge, to: impl Into<Pos>) -> Result<Position> {
        self.raw.truncate(edge, to.into(), self.condition.guard.clone()).await
    }

    async fn put(&self, to: Pos, bytes: Bytes) -> Result<Position> {
        if bytes.is_empty() {
            return Ok(match to {
                Pos::Abs(at) => at,
                _ => self.raw.state().bounds.end.unwrap_or_default(),
            });
        }
        let guard = self.condition.guard.clone();
        let applied = self.raw.write(WriteTo::At(to), guard, Chunk::Bytes(bytes)).await?;
        Ok(applied.at.unwrap_or_default())
    }
}

impl RawStream {
    /// The bytes of one place.
    pub(super) async fn read_at(self: &Arc<Self>, range: impl RangeBounds<u64>) -> Result<Bytes> {
        let range = self.clamp(&range)?;
        let mut asked = self.ask_ranges(&[range])?;
        match asked.pop() {
            Some(bytes) => bytes.await,
            None => Ok(Bytes::new()),
        }
    }

    /// The bytes of several places.
    pub(super) async fn read_ranges(self: &Arc<Self>, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let clamped: Vec<_> =
            ranges.iter().map(|range| self.clamp(range)).collect::<Result<_>>()?;
        futures::future::try_join_all(self.ask_ranges(&clamped)?).await
    }

    /// The bytes of several places of a stream that is opened for nothing else.
    pub(crate) async fn read_once(
        link: &Link,
        path: &RemotePath,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        let request = OpenOptions::new().request(path.into(), Kind::Bytes)?;
        // Nothing but the places is wanted.
        let request = OpenRequest { ahead: Ahead::Nothing, ..request };
        let (stream, asked) = Self::start_with_ranges(link.clone(), request, ranges)?;
        stream.opened().await?;
        futures::future::try_join_all(asked).await
    }
}
