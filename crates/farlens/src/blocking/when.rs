//! Changes under a condition.

use super::background::Waiter;
use crate::Result;
use bytes::Bytes;
use farlens_wire::{Edge, Pos, Position};

/// Changes that are made only if a [`crate::Condition`] holds, else they are `CONFLICT`; see
/// [`crate::When`]. That is also how a change can be repeated safely after a `TIMEOUT`.
#[derive(Debug)]
pub struct When<'a> {
    pub(super) inner: crate::When<'a>,
    pub(super) waiter: &'a Waiter,
}

impl When<'_> {
    /// As [`super::ByteStream::write_at`].
    ///
    /// # Errors
    /// As [`crate::When::write_at`]. After a `TIMEOUT` the bytes may still be applied.
    pub fn write_at(&self, at: impl Into<Pos>, bytes: impl Into<Bytes>) -> Result<Position> {
        self.waiter.wait_for_change(self.inner.write_at(at, bytes))?
    }

    /// As [`super::ByteStream::append`].
    ///
    /// # Errors
    /// As [`crate::When::append`]. After a `TIMEOUT` the bytes may still be applied.
    pub fn append(&self, bytes: impl Into<Bytes>) -> Result<Position> {
        self.waiter.wait_for_change(self.inner.append(bytes))?
    }

    /// As [`super::ByteStream::truncate`].
    ///
    /// # Errors
    /// As [`crate::When::truncate`]. After a `TIMEOUT` the end may still be moved.
    pub fn truncate(&self, edge: Edge, to: impl Into<Pos>) -> Result<Position> {
        self.waiter.wait_for_change(self.inner.truncate(edge, to))?
    }
}
