//! One request of a user: the parts into which it was cut, and what has come of them.
//!
//! Parts end in any order, but what an end means depends on all that lies before it: behind a
//! part that the end of the data cuts short, the others fail, and that is no failure of the whole.

use super::gather::Gathered;
use bytes::Bytes;
use farlens_wire::{
    Position,
    frame::{Fault, stream::Range},
};
use std::collections::VecDeque;

/// How a part ended.
#[derive(Debug)]
pub(super) enum PartEnd {
    /// All of it has come.
    Full,
    /// The data ends in it, or before it.
    Short,
    /// It could not be read.
    Failed(Fault),
}

#[derive(Debug)]
pub(super) struct Request {
    /// Where the next part will be cut off.
    next: Position,
    end: Position,
    /// The bytes before the first of `parts`, and those of that part.
    bytes: Gathered,
    /// Parts that are not settled, in the order of their places.
    parts: VecDeque<Part>,
    /// It is over, for this reason if it failed.
    over: Option<Result<(), Fault>>,
}

#[derive(Debug)]
struct Part {
    at: Position,
    /// What has come while there were parts before it.
    bytes: Gathered,
    end: Option<PartEnd>,
}

impl Request {
    pub(super) fn new(at: Position, end: Position) -> Self {
        Self {
            next: at,
            end,
            bytes: Gathered::default(),
            parts: VecDeque::new(),
            over: (at >= end).then_some(Ok(())),
        }
    }

    /// Bytes that no part has been cut for.
    pub(super) fn uncut(&self) -> u64 {
        self.end.since(self.next)
    }

    /// Cuts the next part off.
    pub(super) fn cut(&mut self, length: u64) -> Range {
        let at = self.next;
        self.next = at.forward(length).unwrap_or(self.end);
        self.parts.push_back(Part { at, bytes: Gathered::default(), end: None });
        Range { at, length }
    }

    /// Takes in bytes of the part that begins at `at`.
    pub(super) fn take(&mut self, at: Position, piece: Bytes) {
        match self.index(at) {
            Some(0) => self.bytes.push(piece),
            Some(index) => {
                if let Some(part) = self.parts.get_mut(index) {
                    part.bytes.push(piece);
                }
            }
            None => {}
        }
    }

    /// The part that begins at `at` has ended. When it ended early, no more may be cut off.
    pub(super) fn end_part(&mut self, at: Position, how: PartEnd) {
        let Some(index) = self.index(at) else { return };
        if !matches!(how, PartEnd::Full) {
            self.parts.truncate(index.saturating_add(1));
            self.end = self.next;
        }
        if let Some(part) = self.parts.get_mut(index) {
            part.end = Some(how);
        }
        self.settle();
    }

    /// Where in the queue the part is that begins at `at`, unless it no longer matters.
    fn index(&self, at: Position) -> Option<usize> {
        self.parts.binary_search_by_key(&at, |part| part.at).ok()
    }

    /// Goes over the parts at the front that have ended.
    fn settle(&mut self) {
        while let Some(how) = self.parts.front_mut().and_then(|part| part.end.take()) {
            self.parts.pop_front();
            match how {
                PartEnd::Full => {}
                PartEnd::Short => self.over = Some(Ok(())),
                PartEnd::Failed(fault) => self.fail(&fault),
            }
            if let Some(front) = self.parts.front_mut() {
                self.bytes.append(std::mem::take(&mut front.bytes));
            }
        }
        if self.parts.is_empty() && self.next == self.end {
            self.over.get_or_insert(Ok(()));
        }
    }

    /// Ends it with a reason, unless it is over.
    pub(super) fn fail(&mut self, fault: &Fault) {
        if self.over.is_none() {
            self.over = Some(Err(fault.clone()));
            self.parts.clear();
            self.bytes = Gathered::default();
        }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Its bytes, or why there are none.
    pub(super) fn into_outcome(self) -> Result<Bytes, Fault> {
        self.over.unwrap_or(Ok(())).map(|()| self.bytes.into_bytes())
    }
}
