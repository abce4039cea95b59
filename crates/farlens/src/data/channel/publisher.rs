//! The sending end of a channel.

use super::{Shared, State};
use crate::data::{encode::encode_value, ended::Ended};
use crate::{Error, Result, link::trash::Covered};
use farlens_wire::{Code, Element, Reference};
use std::{
    fmt,
    marker::PhantomData,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// The sending end of a channel. A clone sends to the same one; when the last is dropped the end is
/// final.
///
/// Elements of one thread, or of one task that awaits each, keep their order.
pub struct Publisher<T> {
    inlet: Arc<Inlet>,
    element: PhantomData<fn(T)>,
}

/// What all clones share; its end is the end of the channel.
struct Inlet(Arc<Shared>);

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.end(Ended::Finished);
    }
}

/// How long a thread may be blocked for room.
enum Patience {
    None,
    Until(Instant),
    Endless,
}

impl<T> Publisher<T> {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { inlet: Arc::new(Inlet(shared)), element: PhantomData }
    }

    /// Makes the end final, for all clones: readers meet it after the last element.
    pub fn close(&self) {
        self.inlet.0.end(Ended::Finished);
    }

    /// Ends the channel with a failure, for all clones: readers get its code and text after the
    /// last element. The first end stays.
    pub fn fail(&self, error: &Error) {
        self.inlet.0.end(Ended::failed(error));
    }

    /// The number of readers that are attached now.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.inlet.0.state.lock().readers.len()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what is sent is given away")]
impl<T: Element> Publisher<T> {
    /// Sends a value, and blocks the thread while the buffer is full.
    ///
    /// Works from any thread. One that belongs to an async runtime, as those of its tasks and of
    /// its blocking pool do, is never blocked, since its readers may need it: where the buffer is
    /// full this fails there. [`Publisher::send_async`] waits instead.
    ///
    /// # Errors
    /// `USAGE` for a value that cannot be encoded, and for a full buffer in a thread of an async
    /// runtime; `CLOSED` when the channel has ended, or no reader is left and none can come, also
    /// while it waits. Nothing was sent then.
    pub fn send(&self, value: T) -> Result<()> {
        self.send_within(&value, &Patience::Endless)
    }

    /// As [`Publisher::send`], for this long at most.
    ///
    /// # Errors
    /// `TIMEOUT` when there was no room in time, and those of [`Publisher::send`].
    pub fn send_timeout(&self, value: T, patience: Duration) -> Result<()> {
        let patience = Instant::now().checked_add(patience);
        self.send_within(&value, &patience.map_or(Patience::Endless, Patience::Until))
    }

    /// Sends a value if there is room for it now. Never waits; works in any thread and task.
    ///
    /// # Errors
    /// `OVERLOADED` when the buffer is full, which says that the slowest reader is a whole buffer
    /// behind or that there is none; `USAGE` for a value that cannot be encoded; `CLOSED` as in
    /// [`Publisher::send`]. Nothing was sent then.
    pub fn try_send(&self, value: T) -> Result<()> {
        self.send_within(&value, &Patience::None)
    }

    /// Sends a value, and waits while the buffer is full without blocking the thread. When the
    /// future is dropped before it is ready, nothing was sent.
    ///
    /// # Errors
    /// `USAGE` for a value that cannot be encoded, `CLOSED` as in [`Publisher::send`].
    pub async fn send_async(&self, value: T) -> Result<()> {
        let shared = &*self.inlet.0;
        let encoded = encode_value(&value)?;
        drop(value);
        let push = || shared.push_if_room(&mut Covered::lock(&shared.state), &encoded);
        shared.room_news.wait_for(push).await?;
        shared.news.tell();
        Ok(())
    }

    fn send_within(&self, value: &T, patience: &Patience) -> Result<()> {
        let shared = &*self.inlet.0;
        let encoded = encode_value(value)?;
        let mut state = Covered::lock(&shared.state);
        let sent = loop {
            if let Some(sent) = shared.push_if_room(&mut state, &encoded) {
                break sent;
            }
            shared.block(&mut state, patience)?;
        };
        drop(state);
        sent?;
        shared.news.tell();
        Ok(())
    }
}

impl Shared {
    /// Appends an element, or says why that can never be; `None` while there is no room.
    fn push_if_room(
        &self,
        state: &mut State,
        (body, table): &(Vec<u8>, Vec<Reference>),
    ) -> Option<Result<()>> {
        if state.ended.is_some() {
            return Some(Err(Error::new(Code::CLOSED, "the channel has ended")));
        }
        if state.is_forsaken() {
            let text = "the channel is published no more and its last reader has left";
            return Some(Err(Error::new(Code::CLOSED, text)));
        }
        if state.is_full() {
            return None;
        }
        Some(state.log.push(body, table).map(drop))
    }

    /// Blocks the thread until something has changed.
    fn block(&self, state: &mut Covered<'_, State>, patience: &Patience) -> Result<()> {
        if matches!(patience, Patience::None) {
            return Err(full(state));
        }
        if Handle::try_current().is_ok() {
            return Err(must_not_block());
        }
        match patience {
            Patience::Until(until) if self.room.wait_until(state.inner(), *until).timed_out() => {
                Err(Error::new(Code::TIMEOUT, "the channel had no room in time"))
            }
            Patience::Until(_) | Patience::None => Ok(()),
            Patience::Endless => {
                self.room.wait(state.inner());
                Ok(())
            }
        }
    }
}

fn full(state: &State) -> Error {
    let capacity = state.capacity;
    let text = match state.readers.len() {
        0 => format!("the channel holds {capacity} elements and has no reader"),
        _ => format!("the slowest reader of the channel is {capacity} elements behind"),
    };
    Error::new(Code::OVERLOADED, text).with_hint("leave the element out, or wait and send it again")
}

fn must_not_block() -> Error {
    let text = "the channel is full, and a thread of an async runtime must not wait for it";
    let hint = "await send_async instead, or send from a thread outside of the runtime";
    Error::new(Code::USAGE, text).with_hint(hint)
}

impl<T> Clone for Publisher<T> {
    fn clone(&self) -> Self {
        Self { inlet: Arc::clone(&self.inlet), element: PhantomData }
    }
}

impl<T> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("readers", &self.readers()).finish_non_exhaustive()
    }
}
