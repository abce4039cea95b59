//! The lines of a log as their readers see them.

use super::index::{Anchor, Index};
use super::split::{LINE_BYTES, first_line};
use crate::data::log::encoded_len;
use crate::data::log_file::{Found, Log};
use crate::data::storage::{BLOCKING_READ_BYTES, CACHED_READ_BYTES};
use crate::data::{DataState, Fetched, ReadBudget, out_of_range};
use crate::{Error, Result};
use farlens_proto::{BatchBuilder, Chunk};
use farlens_wire::{Bounds, Code, Element, Position};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

/// Bytes that are split at a time. Enough for the longest line.
const SPLIT_BYTES: usize = BLOCKING_READ_BYTES;

/// What the splitter and all readers of one log share.
pub(super) struct Lines {
    log: Arc<Log>,
    /// Never held during a call on a file.
    known: Mutex<Known>,
    /// Told after each step of the splitter.
    pub(super) news: Notify,
}

#[derive(Default)]
struct Known {
    index: Index,
    /// Whether all was split that was there in the beginning.
    settled: bool,
    /// Why nothing more is split at present.
    trouble: Option<(Code, String)>,
}

/// What the splitter is to do next.
pub(super) enum Next {
    /// Go on.
    More,
    /// Wait for growth.
    Wait,
    /// Nothing: there will be no more lines.
    Finish,
}

/// What the lines from a position on are.
pub(super) enum Answer {
    Known(Result<Fetched>),
    /// Nothing is known until the splitter gets there.
    Later,
    /// They are in the log, beginning at a line at or before the position.
    From(Anchor),
}

impl Lines {
    pub(super) fn new(log: Arc<Log>) -> Self {
        Self { log, known: Mutex::default(), news: Notify::new() }
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Runs `look` on what is known, after anything lost to the log is forgotten here, too.
    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        let start = self.log.start();
        let mut known = self.known.lock();
        known.index.advance(start);
        look(&mut known)
    }

    /// Splits what follows. Blocks.
    pub(super) fn split(&self) -> Result<Next> {
        let from = self.with(|known| known.index.end());
        let piece = match self.log.read(from.at, SPLIT_BYTES)? {
            Found::Piece(piece) => piece,
            Found::Gone => return Ok(Next::More),
            Found::End | Found::Outside => return Ok(self.rest()),
        };
        let mut ends = Vec::new();
        let mut used = 0;
        while let Some(line) = first_line(&piece.bytes[used..], piece.last) {
            used += line.next;
            ends.push(from.at + used as u64);
        }
        let whole = self.with(|known| {
            // What was read may have been lost meanwhile.
            if known.index.end() == from {
                if piece.first {
                    known.index.begin_file();
                }
                ends.iter().for_each(|&end| known.index.push(end));
            }
            used == piece.bytes.len() || !ends.is_empty()
        });
        Ok(if whole { Next::More } else { self.rest() })
    }

    /// All that is there is split.
    fn rest(&self) -> Next {
        let ended = self.log.state().ended;
        self.known.lock().settled = true;
        if ended { Next::Finish } else { Next::Wait }
    }

    /// Takes note of how the last step went: readers get a failure at the end, until one succeeds.
    pub(super) fn judge(&self, failure: Option<&Error>) {
        let trouble = failure.map(|error| (error.code(), error.message().to_owned()));
        self.known.lock().trouble = trouble;
    }

    /// What the lines look like; `None` until all is split that was there in the beginning.
    pub(super) fn settled_state(&self) -> Option<Result<DataState>> {
        let (settled, trouble) = self.with(|known| (known.settled, known.trouble.clone()));
        match trouble {
            _ if settled => Some(Ok(self.state())),
            Some((code, text)) => Some(Err(Error::new(code, text))),
            None => None,
        }
    }

    pub(super) fn state(&self) -> DataState {
        let complete = self.log.state().ended;
        self.with(|known| DataState {
            bounds: bounds(&known.index),
            version: self.log.version(),
            ended: known.settled && complete,
        })
    }

    /// What is known of a line.
    pub(super) fn find(&self, at: Position) -> Answer {
        self.with(|known| {
            let (start, end) = (known.index.start(), known.index.end().line);
            if at.get() < start {
                return Answer::Known(Ok(Fetched::Nothing));
            }
            if at.get() < end {
                let near = known.index.near(at.get());
                return near.map_or_else(|| Answer::Known(Err(changed())), Answer::From);
            }
            match &known.trouble {
                Some((code, text)) => Answer::Known(Err(Error::new(*code, text.clone()))),
                None if !known.settled => Answer::Later,
                None if at.get() == end => Answer::Known(Ok(Fetched::Nothing)),
                None => Answer::Known(Err(out_of_range(at, bounds(&known.index)))),
            }
        })
    }

    /// Reads lines from `at` on, which come after `near`; nothing when they were lost. Blocks.
    pub(super) fn read(&self, near: Anchor, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let length = budget.bytes.clamp(2 * LINE_BYTES, SPLIT_BYTES);
        let mut run = Run::new(near, at, budget, self.with(|known| known.index.end().line));
        while !run.full {
            let Found::Piece(piece) = self.log.read(run.next.at, length)? else { break };
            if !run.take(&piece.bytes, piece.last)? {
                return Err(changed());
            }
        }
        Ok(self.finish(run))
    }

    /// [`Lines::read`] of what the page cache holds; `None` when that does not suffice.
    pub(super) fn read_cached(
        &self,
        near: Anchor,
        at: Position,
        budget: ReadBudget,
    ) -> Option<Result<Fetched>> {
        let mut run = Run::new(near, at, budget, self.with(|known| known.index.end().line));
        let piece = match self.log.read_cached(near.at, CACHED_READ_BYTES)? {
            Ok(Found::Piece(piece)) => piece,
            Ok(_) => return None,
            Err(error) => return Some(Err(error)),
        };
        if let Err(error) = run.take(&piece.bytes, piece.last) {
            return Some(Err(error));
        }
        (run.batch.count() > 0).then(|| Ok(self.finish(run)))
    }

    fn finish(&self, mut run: Run) -> Fetched {
        if run.batch.count() == 0 {
            return Fetched::Nothing;
        }
        self.with(|known| known.index.pause(run.next));
        Fetched::Some(Chunk::Items(run.batch.finish()))
    }
}

/// Lines that are being read.
struct Run {
    next: Anchor,
    at: u64,
    /// Behind the last line that is known.
    end: u64,
    budget: ReadBudget,
    batch: BatchBuilder,
    /// A line as it is encoded, which may be longer than its text.
    body: Vec<u8>,
    full: bool,
}

impl Run {
    fn new(near: Anchor, at: Position, budget: ReadBudget, end: u64) -> Self {
        let batch = BatchBuilder::default();
        Self { next: near, at: at.get(), end, budget, batch, body: Vec::new(), full: false }
    }

    /// Takes the lines of `bytes`, which lie at `next`; whether there was one at least.
    fn take(&mut self, bytes: &[u8], last: bool) -> Result<bool> {
        let mut used = 0;
        while !self.full && self.next.line < self.end {
            let rest = &bytes[used..];
            let Some(line) = first_line(rest, last) else { break };
            if self.next.line >= self.at && !self.add(&rest[..line.text])? {
                break;
            }
            used += line.next;
            self.next = Anchor { line: self.next.line + 1, at: self.next.at + line.next as u64 };
        }
        self.full |= self.next.line == self.end;
        Ok(used > 0 || self.full)
    }

    /// Adds a line unless it exceeds the budget; the first one always fits.
    fn add(&mut self, text: &[u8]) -> Result<bool> {
        let count = self.batch.count();
        if count > 0 && count >= self.budget.elements {
            self.full = true;
            return Ok(false);
        }
        let text = String::from_utf8_lossy(text).into_owned();
        self.body.clear();
        Element::encode(&text, &mut self.body).map_err(|error| {
            Error::new(Code::INTERNAL, "a line cannot be encoded").with_source(error)
        })?;
        let length = self.batch.encoded_len() + encoded_len(&self.body);
        if count > 0 && length > self.budget.bytes {
            self.full = true;
            return Ok(false);
        }
        self.batch.push(&self.body);
        Ok(true)
    }
}

fn bounds(index: &Index) -> Bounds {
    let position = |line| Some(Position::new(line).unwrap_or(Position::MAX));
    Bounds { start: position(index.start()), end: position(index.end().line) }
}

fn changed() -> Error {
    Error::new(Code::DATA_CHANGED, "the file was changed in another way than by appending to it")
}
