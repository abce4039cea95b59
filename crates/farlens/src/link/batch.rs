//! What goes out next, in memory that is used again.
//!
//! Usually the link puts frames into it. While long batches follow one another a source may read
//! straight into it, which saves a copy; the head of the frame then goes before what was read.

use bytes::BytesMut;
use farlens_proto::BATCH_BYTES;
use farlens_wire::frame::stream::BULK_HEAD_MAX;

/// A source reads straight into a batch only behind one of so many bytes. Others would have to be
/// lengthened, which clears what is new.
const LONG: usize = BATCH_BYTES / 2;

/// A batch, and how much of it has been sent.
pub(super) struct Batch {
    bytes: BytesMut,
    sent: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::with_capacity(BATCH_BYTES + 1024), sent: 0 }
    }

    /// Whether all of it has been sent.
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// What has not been sent.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// So many bytes more have been sent.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.bytes.len());
    }

    /// An empty one to put frames into.
    pub(super) fn begin(&mut self) -> &mut BytesMut {
        self.sent = 0;
        self.bytes.clear();
        &mut self.bytes
    }

    /// Whether a source may read into it.
    pub(super) fn follows_a_long_one(&self) -> bool {
        self.is_empty() && self.bytes.len() >= LONG
    }

    /// Room for up to `bytes` bytes behind the head of their frame. What lies there is of no
    /// meaning, and the batch stays empty.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let length = BATCH_BYTES.min(BULK_HEAD_MAX.saturating_add(bytes));
        self.bytes.resize(length, 0);
        self.sent = length;
        &mut self.bytes[BULK_HEAD_MAX..]
    }

    /// The room with so many bytes in it, and where these begin.
    pub(super) fn with_read(&mut self, count: usize) -> (&mut [u8], usize) {
        self.bytes.truncate(BULK_HEAD_MAX + count);
        self.sent = self.bytes.len();
        (&mut self.bytes, BULK_HEAD_MAX)
    }

    /// Has it sent from there on.
    pub(super) fn send_from(&mut self, begin: usize) {
        self.sent = begin.min(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_goes_out_behind_its_head() {
        let mut batch = Batch::new();
        batch.begin().resize(LONG, 1);
        assert!(!batch.follows_a_long_one(), "it has not been sent");
        batch.advance(LONG);
        assert!(batch.follows_a_long_one());
        let room = batch.room(usize::MAX);
        assert_eq!(room.len(), BATCH_BYTES - BULK_HEAD_MAX);
        room[..3].copy_from_slice(b"abc");
        assert!(batch.is_empty(), "nothing goes out that is not asked for");
        let (bytes, head) = batch.with_read(3);
        bytes[head - 1] = b'H';
        batch.send_from(head - 1);
        assert_eq!(batch.rest(), b"Habc");
        batch.advance(4);
        assert!(batch.is_empty() && !batch.follows_a_long_one());
        assert!(batch.begin().is_empty());
    }
}
