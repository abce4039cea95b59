//! A bounded sequence that every attached reader gets whole: a fast producer waits for the slowest.
//!
//! ```text
//!   Publisher --send--> | oldest .. buffer, at most `capacity` .. newest | --> ChannelReader 1
//!   Publisher --send-->     ^ dropped once every reader is past it         --> ChannelReader 2
//! ```

mod publisher;
mod reader;

pub use publisher::Publisher;
pub use reader::ChannelReader;

use super::ended::Ended;
use super::log::ItemLog;
use super::news::News;
use super::{DataState, fresh_version};
use bytes::Bytes;
use farlens_wire::{Bounds, Element, Flags, ModeOffer, Position, schema::SchemaDoc};
use parking_lot::{Condvar, Mutex};
use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

/// A channel of entities: what a [`Publisher`] sends goes to every stream that is open on the
/// [`Channel`], each element in order and none left out.
///
/// The buffer holds at most `capacity` elements, one at least, as they are encoded. Each reader
/// holds the elements that it has not read past; when the slowest is `capacity` behind, the
/// publisher waits, or is refused, as it sends. A reader that leaves, or whose link is lost, holds
/// nothing up any more. A new one begins with the oldest element in the buffer. While there is no
/// reader the buffer fills up, and then [`Unread`] says what happens.
///
/// ```
/// # fn main() -> farlens::Result<()> {
/// let (publisher, channel) = farlens::data::channel::<f32>(4_096);
/// let server = farlens::Server::builder().publish("/force", channel);
/// std::thread::spawn(move || {
///     for reading in [0.5, 0.75] {
///         publisher.send(reading)?; // waits for the slowest reader
///     }
///     Ok::<_, farlens::Error>(()) // the last publisher is dropped: the end is final
/// });
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn channel<T: Element>(capacity: u64) -> (Publisher<T>, Channel<T>) {
    let state = State {
        log: ItemLog::default(),
        capacity: capacity.max(1),
        readers: BTreeMap::new(),
        next_reader: 0,
        unread: Unread::Wait,
        ended: None,
        published: true,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        room: Condvar::new(),
        room_news: News::default(),
        news: News::default(),
        version: fresh_version(),
        schema: T::schema(),
    });
    let outlet = Arc::new(Outlet { shared: Arc::clone(&shared) });
    (Publisher::new(shared), Channel { outlet, element: PhantomData })
}

/// What happens when the buffer of a channel is full and it has no reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unread {
    /// The publisher waits for the first reader, who gets everything.
    #[default]
    Wait,
    /// The oldest element makes room for the newest.
    DropOldest,
}

/// The end of a channel to publish. Each stream that is opened on it gets every element from then
/// on. A clone is the same channel.
///
/// When every clone and every reader is gone, nobody can read any more: sending fails then.
pub struct Channel<T> {
    pub(crate) outlet: Arc<Outlet>,
    element: PhantomData<fn() -> T>,
}

impl<T> Channel<T> {
    /// What happens while nobody reads. Default: [`Unread::Wait`].
    #[must_use]
    pub fn unread(self, unread: Unread) -> Self {
        self.outlet.shared.state.lock().unread = unread;
        self.outlet.shared.tell_room();
        self
    }

    /// Attaches a reader, as each stream does.
    #[must_use]
    pub fn open(&self) -> ChannelReader {
        self.outlet.open()
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Self {
        Self { outlet: Arc::clone(&self.outlet), element: PhantomData }
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("bounds", &self.outlet.bounds()).finish_non_exhaustive()
    }
}

/// Where readers attach, whatever the elements are.
pub(crate) struct Outlet {
    shared: Arc<Shared>,
}

impl Outlet {
    pub(crate) fn open(&self) -> ChannelReader {
        ChannelReader::attach(&self.shared)
    }

    pub(crate) fn offers(&self) -> ModeOffer {
        offers()
    }

    pub(crate) fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.shared.schema.clone()
    }

    /// Where a reader that attached now would begin. How many elements there are is not known.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { start: Position::new(self.shared.state.lock().log.start()), end: None }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.shared.state.lock().published = false;
        self.shared.tell_room();
    }
}

struct Shared {
    /// Held for copies within memory.
    state: Mutex<State>,
    /// Told, with `room_news`, when a publisher that waits should look again.
    room: Condvar,
    room_news: News,
    /// Told of what is sent, and of the end.
    news: News,
    version: Bytes,
    schema: Option<Arc<SchemaDoc>>,
}

struct State {
    log: ItemLog,
    capacity: u64,
    /// The first element that each reader still needs.
    readers: BTreeMap<u64, u64>,
    next_reader: u64,
    unread: Unread,
    ended: Option<Ended>,
    /// Whether another reader can attach.
    published: bool,
}

impl State {
    /// Whether an element that is sent now has to wait. Makes room where that is allowed.
    fn is_full(&mut self) -> bool {
        let full = self.log.len() >= self.capacity;
        if full && self.readers.is_empty() && self.unread == Unread::DropOldest {
            return !self.log.drop_first();
        }
        full
    }

    /// Whether nobody reads, or ever can.
    fn is_forsaken(&self) -> bool {
        !self.published && self.readers.is_empty()
    }

    /// Drops what no reader needs. Without readers all of it is kept for the next.
    fn release(&mut self) {
        if let Some(needed) = self.readers.values().min() {
            self.log.drop_before(*needed);
        }
    }
}

impl Shared {
    /// Wakes the publishers that wait, threads and tasks.
    fn tell_room(&self) {
        self.room.notify_all();
        self.room_news.tell();
    }

    /// Ends the channel; the first end stays.
    fn end(&self, ended: Ended) {
        self.state.lock().ended.get_or_insert(ended);
        self.news.tell();
        self.tell_room();
    }

    /// What the channel looks like to a reader that began with element `first`.
    fn state_from(&self, first: u64) -> DataState {
        let state = self.state.lock();
        let bounds = Bounds { start: Position::new(first), ..state.log.bounds() };
        let ended = state.ended.as_ref().is_some_and(Ended::is_finished);
        DataState { bounds, version: self.version.clone(), ended }
    }
}

fn offers() -> ModeOffer {
    ModeOffer {
        required: Flags::READABLE | Flags::START_BOUNDED | Flags::END_BOUNDED | Flags::END_CAN_INC,
        possible: Flags::NONE,
    }
}

#[cfg(test)]
mod tests;
