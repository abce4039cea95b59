//! Where the elements of a streamer come from.
//!
//! Data is *positional*: it owns no cursor, so several streams can share one source and seeking
//! costs it nothing. A source that can only go forward refuses other positions.

pub(crate) mod channel;
pub mod conformance;
mod create;
mod dir;
mod encode;
mod ended;
mod entry;
pub(crate) mod erased;
mod file;
mod fixed;
mod items;
mod iter;
mod judge;
pub(crate) mod lease;
pub(crate) mod live;
mod log;
mod log_file;
mod log_lines;
mod mem;
mod news;
pub(crate) mod relay;
mod replace;
pub(crate) mod slice;
mod spool;
mod storage;
pub(crate) mod throttle;
mod topic;

pub use channel::{Channel, ChannelReader, Publisher, Unread, channel};
pub use dir::Directory;
pub use entry::{Entry, EntryKind};
pub use file::{FileData, OpenFile};
pub use fixed::FixedData;
pub(crate) use iter::Desk;
pub use iter::{IterData, OpenIter};
pub use log_file::{LogFile, OpenLog};
pub use log_lines::{LogLines, OpenLines};
pub use mem::MemData;
pub use spool::{Spool, SpoolData, SpoolWriter};
pub use topic::{Keep, Topic};

use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{Chunk, Kind, Rules};
use farlens_wire::{Bounds, Code, Edge, ModeOffer, Pos, Position, schema::SchemaDoc};
use std::{
    future::Future,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

/// What a source looks like at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "implementors of StreamerData build it")]
pub struct DataState {
    /// The places that exist.
    pub bounds: Bounds,
    /// Changes when elements that were handed out may no longer be true. At most 64 bytes; equal
    /// versions mean equal elements. Empty when the source cannot tell.
    pub version: Bytes,
    /// Whether the end is final: nothing will be added any more.
    pub ended: bool,
}

/// How much one request may fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "implementors of StreamerData read it")]
pub struct ReadBudget {
    /// Encoded bytes at most, never zero. A single entity may exceed it, up to the message limit.
    pub bytes: usize,
    /// Elements at most, never zero.
    pub elements: u64,
}

impl ReadBudget {
    /// How many bytes it allows where each byte is an element.
    fn byte_count(self) -> usize {
        usize::try_from(self.elements).map_or(self.bytes, |elements| elements.min(self.bytes))
    }
}

/// The answer to a request.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a read gives something or meets the end")]
pub enum Fetched {
    /// Elements from the position asked for, at least one.
    Some(Chunk),
    /// Nothing lies at the position asked for: it is the end as it is now, or the bounds have moved
    /// past it. [`StreamerData::state`] tells which, and whether the end may still move.
    Nothing,
}

/// The answer to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "implementors of StreamerData build it")]
pub struct Stored {
    /// The position of the first element.
    pub at: Position,
    /// Elements that were stored, at least one. Fewer than were handed in when no more fit; the
    /// rest is then handed in again, and fails if it still does not.
    pub elements: u64,
}

/// A source of bytes or entities, read at positions.
///
/// Methods are called outside every lock. For each open stream at most one cursor read, some range
/// reads and one change are under way at a time; dropping the value releases what it holds. A panic
/// inside fails that stream and nothing else.
///
/// Data that can be written overrides [`StreamerData::write_at`] and what goes with it. It judges
/// each change by [`DataState::judge_write`] or [`DataState::judge_truncate`], under the lock that
/// makes the change atomic, and then [`StreamerData::changed`] resolves.
///
/// [`conformance::check`] holds a data type to all of this.
pub trait StreamerData: Send + Sync + 'static {
    /// What the elements are.
    fn kind(&self) -> Kind;

    /// What a mode over this data must and may contain.
    fn offers(&self) -> ModeOffer;

    /// The type of the entities; none for bytes and for untyped entities.
    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        None
    }

    /// Bounds, version and whether the end is final, as of now.
    fn state(&self) -> impl Future<Output = Result<DataState>> + Send;

    /// Reads from `at`, within `budget`.
    ///
    /// A source whose elements are still being produced waits here for the next one. The future is
    /// dropped when the reader seeks or leaves; a source must not lose elements then.
    fn read_at(
        &self,
        at: Position,
        budget: ReadBudget,
    ) -> impl Future<Output = Result<Fetched>> + Send;

    /// Answers a read without waiting, if that is possible; `None` sends the request to
    /// [`StreamerData::read_at`]. Runs on the link's own task, so it must never block.
    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let _ = (at, budget);
        None
    }

    /// Reads bytes from `at` into `room`, without waiting and as many as there are at once; gives how
    /// many, at least one. `None` sends the request to [`StreamerData::read_now`]. For sources that
    /// would have to copy them anyway: they are sent where they were put. Must never block.
    fn read_now_into(&self, at: Position, room: &mut [u8]) -> Option<Result<usize>> {
        let _ = (at, room);
        None
    }

    /// [`StreamerData::state`] without waiting, if that is possible. Must never block.
    fn state_now(&self) -> Option<Result<DataState>> {
        None
    }

    /// Whether elements may be left out for a reader that wants only the latest: so it is with data
    /// that is pushed or kept, and not with data that is produced as it is read.
    fn is_live(&self) -> bool {
        false
    }

    /// Whether the state changes only as elements are read, as it is where they are made for the
    /// reader. Nobody waits for [`StreamerData::changed`] then.
    fn is_pulled(&self) -> bool {
        false
    }

    /// Stores elements, all of them or as many as fit. `Pos::FromEnd(0)` appends.
    ///
    /// # Errors
    /// Those of [`Rules::judge_write`], and any failure of the storage. Nothing was stored then.
    fn write_at(
        &self,
        to: Pos,
        chunk: Chunk,
        rules: &Rules,
    ) -> impl Future<Output = Result<Stored>> + Send {
        let _ = (to, chunk, rules);
        std::future::ready(Err(not_writable()))
    }

    /// Answers a write without waiting, if that is possible; `None` sends it to
    /// [`StreamerData::write_at`]. Runs on the link's own task, so it must never block.
    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        let _ = (to, chunk, rules);
        None
    }

    /// Moves an end, and gives its absolute position.
    ///
    /// # Errors
    /// Those of [`Rules::judge_truncate`], and any failure of the storage.
    fn truncate(
        &self,
        edge: Edge,
        to: Pos,
        rules: &Rules,
    ) -> impl Future<Output = Result<Position>> + Send {
        let _ = (edge, to, rules);
        std::future::ready(Err(not_writable()))
    }

    /// Returns when everything stored before survives a loss of power, as far as this data can
    /// promise that; memory promises nothing and returns at once. With `finish` nothing more will
    /// be written, and what was written in order to replace something takes its place.
    ///
    /// # Errors
    /// Any failure of the storage. After one, no later sync of the same data may succeed.
    fn sync(&self, finish: bool) -> impl Future<Output = Result<()>> + Send {
        let _ = finish;
        std::future::ready(Ok(()))
    }

    /// Resolves when the state differs from `seen`, at once if it does already. Each time costs a
    /// frame on each stream, so data that changes all the time gathers changes for a millisecond.
    fn changed(&self, seen: DataState) -> impl Future<Output = DataState> + Send {
        let _ = seen;
        std::future::pending()
    }
}

/// A version that no other source has: sixteen bytes, drawn from the seeds of the standard hasher.
fn fresh_version() -> Bytes {
    let draw = || RandomState::new().build_hasher().finish().to_be_bytes();
    Bytes::from([draw(), draw()].concat())
}

fn not_writable() -> Error {
    Error::new(Code::MODE_FORBIDS, "this data cannot be written")
}

fn wrong_kind() -> Error {
    Error::new(Code::WRONG_KIND, "this data consists of bytes, not of entities")
}

fn bytes_to(end: u64) -> Bounds {
    Bounds::up_to(Position::new(end).unwrap_or(Position::MAX))
}

/// The error of a request for a place that this source does not serve.
fn out_of_range(at: Position, bounds: Bounds) -> Error {
    Error::new(Code::OUT_OF_RANGE, format!("position {at} lies outside {bounds}"))
}
