//! Bytes that are sent where they were read, behind room for the head of their frame.
//!
//! The shell reads them into the batch itself, which saves the copy of what is queued first. Only
//! where nothing else waits: there is no order to keep then.

use super::{BATCH_BYTES, Link};
use farlens_wire::{StreamId, frame::stream::BULK_HEAD_MAX};

impl Link {
    /// Makes a batch of bytes that were read for the request `serial` of a stream: `batch` from
    /// `head` on, [`BATCH_BYTES`] in all at most. Gives where the batch begins, after `head` less
    /// [`BULK_HEAD_MAX`].
    ///
    /// Nothing where they cannot be sent at once, as when other frames wait or the stream is gone;
    /// they belong into [`Link::handle_reply`] then, as any reply does.
    pub fn send_in_place(
        &mut self,
        stream: StreamId,
        serial: u64,
        batch: &mut [u8],
        head: usize,
    ) -> Option<usize> {
        let length = batch.len().checked_sub(head)?;
        let frame = length.saturating_add(BULK_HEAD_MAX);
        let most = self.handshake.peer_frame_bytes().min(BATCH_BYTES);
        if frame > most || self.has_output() || !self.handshake.may_send() {
            return None;
        }
        let begin = self.streamers.get_mut(&stream)?.send_in_place(stream, serial, batch, head);
        self.refresh_streamer(stream);
        begin
    }
}
