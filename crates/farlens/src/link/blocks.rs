//! Blocks of input that are full, to be used again once their readers are done.
//!
//! Warm memory is faster than new, which the system hands out page by page. A link whose input comes
//! in bursts would give all blocks back in each pause and have them anew right after it, so they are
//! kept for a while.

use bytes::BytesMut;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Input is gathered in blocks of so many bytes, well below what allocators give back to the system.
pub(super) const BLOCK_BYTES: usize = 64 << 10;
/// Blocks that are remembered, as many as a stream that is written may have gathered, and for good.
const FULL: usize = 32;
const IDLE: usize = 2;
/// How long all of them are remembered after the last one was filled.
const KEPT: Duration = Duration::from_millis(100);

/// Full blocks, in the order in which they were filled.
pub(super) struct Blocks {
    full: VecDeque<BytesMut>,
    /// Whether one was filled since the clock was last looked at.
    used: bool,
    until: Instant,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self { full: VecDeque::new(), used: false, until: Instant::now() }
    }

    /// Puts a full block aside and gives one whose readers are done, or a new one.
    pub(super) fn change(&mut self, full: BytesMut) -> BytesMut {
        self.used = true;
        self.full.push_back(full);
        let done = self.full.iter_mut().position(|block| block.try_reclaim(BLOCK_BYTES));
        let again = done.and_then(|index| self.full.remove(index));
        if self.full.len() > FULL {
            self.full.pop_front();
        }
        again.unwrap_or_else(|| BytesMut::with_capacity(BLOCK_BYTES))
    }

    /// Lets go of most blocks if none was filled for long; otherwise says when to look again.
    pub(super) fn forget(&mut self, now: Instant) -> Option<Instant> {
        if std::mem::take(&mut self.used) {
            self.until = now + KEPT;
        }
        if self.full.len() <= IDLE {
            return None;
        }
        if now < self.until {
            return Some(self.until);
        }
        self.full.truncate(IDLE);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block that is full, and what its reader holds of it.
    fn full() -> (BytesMut, BytesMut) {
        let mut block = BytesMut::zeroed(BLOCK_BYTES);
        let read = block.split();
        (block, read)
    }

    #[test]
    fn a_block_is_used_again_once_its_reader_is_done() {
        let mut blocks = Blocks::new();
        let (block, read) = full();
        let place = read.as_ptr();
        assert_ne!(blocks.change(block).as_ptr(), place, "its reader is not");
        drop(read);
        let (block, _read) = full();
        let again = blocks.change(block);
        assert_eq!((again.as_ptr(), again.capacity()), (place, BLOCK_BYTES));
    }

    #[test]
    fn blocks_outlast_a_pause_and_are_given_back_after_it() {
        let mut blocks = Blocks::new();
        let start = Instant::now();
        let read: Vec<BytesMut> = (0..2 * FULL)
            .map(|_| {
                let (block, read) = full();
                blocks.change(block);
                read
            })
            .collect();
        assert_eq!(blocks.full.len(), FULL, "no more than that, however many are read");
        assert_eq!(blocks.forget(start), Some(start + KEPT));
        assert_eq!(blocks.forget(start + KEPT / 2), Some(start + KEPT));
        assert_eq!(blocks.full.len(), FULL);
        assert_eq!(blocks.forget(start + KEPT), None);
        assert_eq!(blocks.full.len(), IDLE);
        drop(read);
    }
}
