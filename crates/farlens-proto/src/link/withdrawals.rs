//! Streams that are to be taken back before they were answered, no faster than any peer bears.

use super::timers::Bucket;
use crate::time::Time;
use farlens_wire::StreamId;
use std::collections::VecDeque;

/// Half of what a peer that is this library bears: at once, and in a second.
const PACE: (u64, u64) = (500, 5);

/// Those that wait for their turn.
#[derive(Debug)]
pub(super) struct Withdrawals {
    waiting: VecDeque<StreamId>,
    pace: Bucket,
    paused_until: Option<Time>,
}

impl Withdrawals {
    pub(super) const fn new(now: Time) -> Self {
        let pace = Bucket::new(PACE.0, PACE.1, now);
        Self { waiting: VecDeque::new(), pace, paused_until: None }
    }

    pub(super) fn push(&mut self, stream: StreamId) {
        self.waiting.push_back(stream);
    }

    /// When there is one whose turn comes.
    pub(super) const fn next_turn(&self) -> Option<Time> {
        self.paused_until
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        self.paused_until = self.paused_until.filter(|until| *until > now);
    }

    /// Whether one may have its turn now.
    pub(super) fn has_output(&self) -> bool {
        !self.waiting.is_empty() && self.paused_until.is_none()
    }

    /// The next of those that are still `wanted`, if its turn has come.
    pub(super) fn next(
        &mut self,
        now: Time,
        wanted: impl Fn(StreamId) -> bool,
    ) -> Option<StreamId> {
        while let Some(&stream) = self.waiting.front() {
            if wanted(stream) {
                if self.paused_until.is_some() || !self.pace.take(now) {
                    self.paused_until = Some(self.pace.refills_at());
                    return None;
                }
                self.waiting.pop_front();
                return Some(stream);
            }
            self.waiting.pop_front();
        }
        self.paused_until = None;
        None
    }

    /// The link is over.
    pub(super) fn end(&mut self) {
        self.waiting.clear();
        self.paused_until = None;
    }
}
