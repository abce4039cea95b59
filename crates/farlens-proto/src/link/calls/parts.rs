//! Arguments and results that are longer than a frame: how they go out and how they come in.

use super::Answer;
use crate::error::Violation;
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    CallId, Code, Reference,
    frame::{call::CALL_PART, link::Announced, put_header},
};
use std::collections::VecDeque;

/// What goes with the first frame, in bytes; what is longer goes in parts, in turn with streams.
const INLINE_BYTES: usize = 16 << 10;
/// What the first frame needs beside names and table, in bytes, at most.
const HEAD_BYTES: usize = 128;
/// What one line of a table takes, in bytes, at most.
const ENTRY_BYTES: usize = 40;
/// One part, in bytes, at most.
const PART_BYTES: usize = 16 << 10;

/// A message that is going out.
#[derive(Debug)]
struct Sending {
    id: CallId,
    rest: Bytes,
}

/// Messages that are going out in parts, each in its turn.
#[derive(Debug, Default)]
pub(super) struct Outbox(VecDeque<Sending>);

impl Outbox {
    /// What the first frame carries of a message beside `name` bytes of text and `table` lines:
    /// all or nothing. And what is left then.
    pub(super) fn first_part(
        message: Bytes,
        name: usize,
        table: usize,
        peer: Announced,
    ) -> (Bytes, Bytes) {
        let frame = usize::try_from(peer.frame_bytes).unwrap_or(usize::MAX);
        let head =
            HEAD_BYTES.saturating_add(name).saturating_add(table.saturating_mul(ENTRY_BYTES));
        if message.len() <= frame.saturating_sub(head).min(INLINE_BYTES) {
            (message, Bytes::new())
        } else {
            (Bytes::new(), message)
        }
    }

    /// Has the rest of a message sent.
    pub(super) fn push(&mut self, id: CallId, rest: Bytes) {
        self.0.push_back(Sending { id, rest });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nobody wants the rest of a message.
    pub(super) fn forget(&mut self, id: CallId) {
        self.0.retain(|sending| sending.id != id);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends a part of the next message; says which one is whole now.
    pub(super) fn put(&mut self, out: &mut BytesMut, room: usize) -> Option<CallId> {
        let mut sending = self.0.pop_front()?;
        let part = sending.rest.split_to(sending.rest.len().min(room).min(PART_BYTES));
        put_header(out, CALL_PART, sending.id.0, part.len());
        out.extend_from_slice(&part);
        if sending.rest.is_empty() {
            return Some(sending.id);
        }
        self.0.push_back(sending);
        None
    }
}

/// A message that is coming in.
#[derive(Debug)]
pub(super) struct Inbox {
    length: usize,
    /// What came with the first frame: most messages are no longer than that.
    first: Bytes,
    /// That and the parts behind it, once there are any.
    got: BytesMut,
    table: Vec<Reference>,
}

impl Inbox {
    /// # Errors
    /// The length exceeds what this side announced, or the first part exceeds the length.
    pub(super) fn new(
        length: u64,
        first: Bytes,
        table: Vec<Reference>,
        allowed: usize,
    ) -> Result<Self, Violation> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > allowed {
            let text = format!("a message of {length} bytes, at most {allowed} are allowed");
            return Err(Violation::new(Code::TOO_LARGE, text));
        }
        if first.len() > length {
            return Err(Violation::protocol("a message is longer than it said"));
        }
        Ok(Self { length, first, got: BytesMut::new(), table })
    }

    pub(super) fn is_whole(&self) -> bool {
        self.len() == self.length
    }

    fn len(&self) -> usize {
        self.first.len().saturating_add(self.got.len())
    }

    pub(super) fn add(&mut self, part: &Bytes) -> Result<(), Violation> {
        if part.is_empty() || self.len().saturating_add(part.len()) > self.length {
            return Err(Violation::protocol("a message is longer than it said"));
        }
        if self.got.is_empty() {
            self.got = std::mem::take(&mut self.first).into();
        }
        self.got.extend_from_slice(part);
        Ok(())
    }

    pub(super) fn finish(self) -> Answer {
        let value = if self.got.is_empty() { self.first } else { self.got.freeze() };
        Answer { value, table: self.table }
    }
}
