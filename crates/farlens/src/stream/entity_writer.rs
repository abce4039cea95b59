//! The writing half of an entity stream: values are gathered into batches.

use super::{conversion::Conversion, cursor::WriteCursor, raw::RawStream};
use crate::{Error, Result};
use farlens_proto::{BatchBuilder, Chunk};
use farlens_wire::{Code, Element, Position};
use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Encodes values, and hands them over once they are worth a frame or are to be flushed.
pub(super) struct EntityWriter {
    raw: Arc<RawStream>,
    cursor: WriteCursor,
    conversion: Conversion,
    batch: BatchBuilder,
}

/// What is handed over at once, in bytes that credit counts.
const BATCH_BYTES: usize = 16 << 10;

impl EntityWriter {
    pub(super) fn new(raw: Arc<RawStream>, conversion: Conversion, appends: bool) -> Self {
        let cursor = WriteCursor::new(Arc::clone(&raw), appends);
        Self { raw, cursor, conversion, batch: BatchBuilder::default() }
    }

    pub(super) fn go_to(&mut self, at: Position) {
        self.cursor.go_to(at);
    }

    /// Waits until one more value may be added.
    pub(super) fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        if self.batch.cost() < BATCH_BYTES {
            return self.cursor.poll_room(cx);
        }
        self.poll_hand_over(cx)
    }

    /// Adds a value to the batch.
    pub(super) fn add<T: Element>(&mut self, value: &T) -> Result<()> {
        let limit = self.raw.link().shared().peek(farlens_proto::Link::peer_message_bytes);
        self.batch.push_with(|body, table| {
            self.conversion.encode(value, body, table)?;
            if body.len() > limit {
                let text = format!("an entity of {} bytes; the peer takes {limit}", body.len());
                return Err(Error::new(Code::TOO_LARGE, text));
            }
            Ok(())
        })
    }

    fn poll_hand_over(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        if self.batch.count() == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(self.cursor.poll_room(cx))?;
        let chunk = Chunk::Items(self.batch.finish());
        let handed = self.cursor.poll_write(cx, &chunk);
        if handed.is_pending()
            && let Chunk::Items(batch) = chunk
        {
            self.batch.restore(batch);
        }
        handed
    }

    /// Waits until everything that was added is applied.
    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_hand_over(cx))?;
        self.cursor.poll_flush(cx)
    }

    /// Waits until everything that was added is durable.
    pub(super) fn poll_close(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_hand_over(cx))?;
        self.cursor.poll_finish(cx)
    }
}
