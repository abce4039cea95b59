//! Fifty streams that grow: every other one of entities, the rest of bytes.

use crate::service::Content;
use farlens::{Publication, Result, Spool, Topic, data::SpoolWriter};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many streams there are.
pub(crate) const STREAMS: usize = 50;
/// How often each grows.
pub(crate) const ROUNDS: u64 = 20;
/// Entities that are added in a round.
const ENTITIES: u64 = 3;
/// Bytes that are added in a round.
const BYTES: u64 = 300;

/// Element `at` of stream `index`, small enough for a byte.
fn element(index: usize, at: u64) -> u8 {
    ((index as u64 + 1).wrapping_mul(0x9e37_79b9).wrapping_add(at * at) % 251) as u8
}

/// The sum of all elements of all streams.
pub(crate) fn expected_sum() -> u64 {
    let sum = |index: usize| -> u64 {
        let each = if is_entities(index) { ENTITIES } else { BYTES };
        (0..ROUNDS * each).map(|at| u64::from(element(index, at))).sum()
    };
    (0..STREAMS).map(sum).sum()
}

const fn is_entities(index: usize) -> bool {
    index.is_multiple_of(2)
}

/// One stream, and how long it is.
struct Growing {
    sink: Sink,
    len: u64,
}

/// Where elements go.
enum Sink {
    Entities(Topic<u64>),
    Bytes(SpoolWriter),
    Ended,
}

/// All of them.
pub(crate) struct Streams(Vec<Mutex<Growing>>);

impl Streams {
    /// New ones, with what is to be published of them, and where.
    pub(crate) fn new() -> (Self, Vec<(String, Publication)>) {
        let (mut streams, mut published) = (Vec::new(), Vec::new());
        for index in 0..STREAMS {
            let (sink, publication) = if is_entities(index) {
                let topic = Topic::keep_last(ROUNDS * ENTITIES);
                (Sink::Entities(topic.clone()), topic.into())
            } else {
                let (writer, data) = Spool::bytes();
                (Sink::Bytes(writer), data.into())
            };
            streams.push(Mutex::new(Growing { sink, len: 0 }));
            published.push((Self::path(index), publication));
        }
        (Self(streams), published)
    }

    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn path(index: usize) -> String {
        format!("/streams/{index}")
    }

    pub(crate) const fn content(index: usize) -> Content {
        if is_entities(index) { Content::Entities } else { Content::Bytes }
    }

    /// Adds some elements; says how many there are then.
    pub(crate) fn grow(&self, index: usize) -> Result<u64> {
        let mut growing = self.growing(index);
        let Growing { sink, len } = &mut *growing;
        match sink {
            Sink::Entities(topic) => {
                for _ in 0..ENTITIES {
                    topic.send(u64::from(element(index, *len)))?;
                    *len += 1;
                }
            }
            Sink::Bytes(writer) => {
                let bytes: Vec<u8> = (*len..*len + BYTES).map(|at| element(index, at)).collect();
                writer.push(&bytes)?;
                *len += BYTES;
            }
            Sink::Ended => {}
        }
        Ok(*len)
    }

    /// Makes the end of a stream final.
    pub(crate) fn finish(&self, index: usize) {
        match std::mem::replace(&mut self.growing(index).sink, Sink::Ended) {
            Sink::Entities(topic) => topic.close(),
            Sink::Bytes(writer) => writer.finish(),
            Sink::Ended => {}
        }
    }

    fn growing(&self, index: usize) -> MutexGuard<'_, Growing> {
        self.0[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
