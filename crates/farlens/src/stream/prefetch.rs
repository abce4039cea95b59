//! Reads beside the cursor what a reader in strides is going to want.

mod strides;

use super::raw::{RangeFuture, RawStream};
use crate::Result;
use bytes::Bytes;
use farlens_wire::{Bounds, Flags, Operation, Position};
use std::{
    collections::VecDeque,
    future::Future,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use strides::Strides;

/// The pattern of one reader, and what was asked for because of it.
///
/// A piece is what was there when it was read. Streams that are also written have none, so that a
/// reader sees what was written before its seek. News of another version, or of bounds that leave
/// a piece out, drop it.
#[derive(Debug, Default)]
pub(super) struct Prefetch {
    strides: Strides,
    /// Made with the first that is expected; few readers come so far.
    ahead: Option<Box<Pieces>>,
}

/// What is expected.
#[derive(Debug, Default)]
struct Pieces {
    /// In the order in which they are expected.
    pieces: VecDeque<Piece>,
    /// What the data was when they were asked for.
    version: Vec<u8>,
}

/// A run that was expected.
#[derive(Debug)]
pub(super) struct Piece {
    run: Range<u64>,
    bytes: RangeFuture,
}

impl Piece {
    /// Where it begins.
    pub(super) fn at(&self) -> Position {
        Position::new(self.run.start).unwrap_or(Position::MAX)
    }

    /// Waits for its bytes; none where the data has become shorter.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Bytes>> {
        Pin::new(&mut self.bytes).poll(&mut Context::from_waker(cx.waker()))
    }
}

impl Prefetch {
    /// The reader stands here, and how it came here says nothing.
    pub(super) fn begin(&mut self, at: Position) {
        self.strides.begin(at.get());
    }

    /// Forgets the pattern, and cancels what was asked for.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The reader, who has read up to `end`, goes to `to`: the piece that was read for that, if
    /// there is one. Asks for what is expected next.
    pub(super) fn turn(
        &mut self,
        raw: &Arc<RawStream>,
        end: Position,
        to: Position,
    ) -> Option<Piece> {
        self.strides.turn(end.get(), to.get());
        let equal = self.strides.are_equal();
        if !equal && self.ahead.as_ref().is_none_or(|ahead| ahead.pieces.is_empty()) {
            return None;
        }
        let state = raw.state();
        let ahead = self.ahead.get_or_insert_default();
        if state.version != ahead.version {
            ahead.pieces.clear();
            ahead.version = state.version;
        }
        ahead.pieces.retain(|piece| lies_in(&piece.run, &state.bounds));
        let piece = ahead.take(to);
        if piece.is_none() || !equal {
            ahead.pieces.clear();
        }
        ahead.fill(raw, &self.strides, &state.bounds);
        piece
    }
}

impl Pieces {
    /// The piece that begins here; what was expected before it is given up.
    fn take(&mut self, at: Position) -> Option<Piece> {
        let index = self.pieces.iter().position(|piece| piece.run.start == at.get())?;
        self.pieces.drain(..index);
        self.pieces.pop_front()
    }

    /// Asks for what is expected and not asked for, as far as all of it is there.
    fn fill(&mut self, raw: &Arc<RawStream>, strides: &Strides, bounds: &Bounds) {
        let mode = raw.mode();
        if mode.has(Flags::WRITABLE) || mode.allows(Operation::ReadRange).is_err() {
            return;
        }
        let missing = strides.expected().skip(self.pieces.len());
        let missing: Vec<_> = missing.take_while(|run| lies_in(run, bounds)).collect();
        // Should that fail, the seek goes the usual way and tells why.
        let Ok(asked) = raw.ask_ranges(&missing) else { return };
        let pieces = missing.into_iter().zip(asked).map(|(run, bytes)| Piece { run, bytes });
        self.pieces.extend(pieces);
    }
}

/// Whether all of a run is known to be there.
fn lies_in(run: &Range<u64>, bounds: &Bounds) -> bool {
    bounds.start.is_none_or(|start| start.get() <= run.start)
        && bounds.end.is_some_and(|end| run.end <= end.get())
}
