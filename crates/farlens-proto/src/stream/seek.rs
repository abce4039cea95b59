//! Seeking, as the opener sees it: one seek under way, one waiting, a newer one takes its place.

use farlens_wire::{AtEnd, Pos, Position, frame::Fault};

/// A place to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) to: Pos,
    pub(crate) at_end: AtEnd,
}

/// What became of the last seek.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell must know every state")]
pub enum SeekStatus {
    /// Nothing to tell: no seek since the last time one was told of.
    Idle,
    /// The streamer has not answered yet.
    Pending,
    /// It succeeded, and the next element is the one at this position.
    Done(Position),
    /// It failed; the position is what it was.
    Failed(Fault),
}

/// The seeks of one stream.
#[derive(Debug, Default)]
pub(crate) struct Seeks {
    /// Whether the streamer owes an answer.
    pub(crate) under_way: bool,
    /// The answer is owed to nobody: it only finds the way back after a seek that failed.
    pub(crate) silent: bool,
    /// What holds at the end once the seek under way has succeeded.
    pub(crate) at_end: AtEnd,
    pub(crate) waiting: Option<Wish>,
    pub(crate) outcome: Option<Result<Position, Box<Fault>>>,
}

impl Seeks {
    /// What to tell; an outcome is told once.
    pub(crate) fn take_status(&mut self) -> SeekStatus {
        if self.waiting.is_some() || (self.under_way && !self.silent) {
            return SeekStatus::Pending;
        }
        match self.outcome.take() {
            None => SeekStatus::Idle,
            Some(Ok(at)) => SeekStatus::Done(at),
            Some(Err(fault)) => SeekStatus::Failed(*fault),
        }
    }
}
