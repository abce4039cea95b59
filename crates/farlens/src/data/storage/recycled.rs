//! Buffers of cached reads, used again once their readers are done.
//!
//! Each thread keeps a few of full size. They are warm, and cleared already, which takes as long as
//! the read itself.

use super::CACHED_READ_BYTES;
use bytes::{Bytes, BytesMut};
use std::{cell::RefCell, collections::VecDeque};

/// Buffers that a thread remembers: what one stream has fetched and not sent, and one more.
const KEPT: usize = 4;

thread_local! {
    /// Whole buffers of which parts may be lent.
    static LENT: RefCell<VecDeque<Bytes>> = const { RefCell::new(VecDeque::new()) };
}

/// A buffer of `length` bytes, [`CACHED_READ_BYTES`] at most.
/// What it contains is of no meaning.
pub(super) fn take(length: usize) -> BytesMut {
    if length < CACHED_READ_BYTES {
        return BytesMut::zeroed(length);
    }
    LENT.with_borrow_mut(|lent| {
        let free = lent.iter().position(Bytes::is_unique)?;
        lent.remove(free)?.try_into_mut().ok()
    })
    .unwrap_or_else(|| BytesMut::zeroed(CACHED_READ_BYTES))
}

/// The first `count` bytes of a buffer.
pub(super) fn lend(mut buffer: BytesMut, count: usize) -> Bytes {
    if buffer.len() < CACHED_READ_BYTES {
        buffer.truncate(count);
        return buffer.freeze();
    }
    let whole = buffer.freeze();
    // A short piece is copied, or it would keep the whole buffer from being used again.
    let lent = if count < CACHED_READ_BYTES / 2 {
        Bytes::copy_from_slice(&whole[..count])
    } else {
        whole.slice(..count)
    };
    LENT.with_borrow_mut(|kept| {
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(whole);
    });
    lent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_its_reader_is_done() {
        let lent = lend(take(CACHED_READ_BYTES), CACHED_READ_BYTES - 1);
        let place = lent.as_ptr();
        assert_ne!(take(CACHED_READ_BYTES).as_ptr(), place, "its reader is not");
        drop(lent);
        let again = take(CACHED_READ_BYTES);
        assert_eq!((again.as_ptr(), again.len()), (place, CACHED_READ_BYTES));
    }

    #[test]
    fn a_short_piece_keeps_no_buffer() {
        let whole = take(CACHED_READ_BYTES);
        let place = whole.as_ptr();
        let lent = lend(whole, 100);
        assert_eq!(lent.len(), 100);
        assert_eq!(take(CACHED_READ_BYTES).as_ptr(), place);
    }

    #[test]
    fn no_more_than_a_few_are_remembered() {
        let lent: Vec<Bytes> =
            (0..2 * KEPT).map(|_| lend(take(CACHED_READ_BYTES), CACHED_READ_BYTES)).collect();
        assert_eq!(LENT.with_borrow(VecDeque::len), KEPT);
        drop(lent);
    }
}
