//! The contract between the service and who observes it, and the service.

use crate::streams::{ROUNDS, Streams};
use farlens::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

/// What a stream consists of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) enum Content {
    Entities,
    Bytes,
}

/// A client that is told of all streams. It lives there, and the service calls it.
#[farlens::remote]
pub(crate) trait Observer {
    /// A stream has so many elements now, of which the last came just now; none follow if it has
    /// ended. Nobody waits for the answer.
    #[farlens(one_way)]
    async fn changed(&self, path: String, content: Content, len: u64, ended: bool) -> Result<()>;
}

/// The service.
#[farlens::remote]
pub(crate) trait Service {
    /// Tells this observer of every change from now on, until its link ends.
    async fn observe(&self, observer: ObserverRef) -> Result<()>;

    /// Lets the streams grow to their ends, once.
    async fn produce(&self) -> Result<()>;
}

/// Fills the streams, and tells of it.
pub(crate) struct Station {
    /// None once they are being filled.
    idle: Mutex<Option<Streams>>,
    observers: Arc<Mutex<Vec<ObserverRef>>>,
}

impl Station {
    pub(crate) fn new(streams: Streams) -> Self {
        Self { idle: Mutex::new(Some(streams)), observers: Arc::default() }
    }
}

impl Service for Station {
    async fn observe(&self, observer: ObserverRef) -> Result<()> {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).push(observer);
        Ok(())
    }

    async fn produce(&self) -> Result<()> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let streams = idle.ok_or_else(|| Error::new(Code::CONFLICT, "the streams grow already"))?;
        // The caller does not wait for that, so it is no part of the call.
        tokio::spawn(produce(streams, Arc::clone(&self.observers)));
        Ok(())
    }
}

/// Everything grows a little, and observers are told, round by round.
async fn produce(streams: Streams, observers: Arc<Mutex<Vec<ObserverRef>>>) {
    for round in 1..=ROUNDS {
        for index in 0..streams.count() {
            let Ok(len) = streams.grow(index) else { return };
            let ended = round == ROUNDS;
            if ended {
                streams.finish(index);
            }
            tell(&observers, index, len, ended).await;
        }
        // Whoever else is in this process has its turn.
        tokio::task::yield_now().await;
    }
}

/// Tells everybody of one stream. Who cannot be told any more is forgotten.
async fn tell(observers: &Mutex<Vec<ObserverRef>>, index: usize, len: u64, ended: bool) {
    let all = std::mem::take(&mut *observers.lock().unwrap_or_else(PoisonError::into_inner));
    let mut left = Vec::with_capacity(all.len());
    for observer in all {
        let (path, content) = (Streams::path(index), Streams::content(index));
        if observer.changed(path, content, len, ended).await.is_ok() {
            left.push(observer);
        }
    }
    // Others may have come in the meantime.
    observers.lock().unwrap_or_else(PoisonError::into_inner).append(&mut left);
}
