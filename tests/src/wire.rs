//! One direction of a connection that delays, cuts up and loses bytes as it is told.

use crate::rng::Rng;
use bytes::Bytes;
use std::collections::VecDeque;

/// How blocks are cut up on their way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// Not at all.
    Whole,
    /// Into pieces of up to so many bytes.
    UpTo(u64),
    /// Now and then.
    Sometimes,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Wire {
    cut: Cut,
    latency: (u64, u64),
    queue: VecDeque<(u64, Bytes)>,
    in_flight: usize,
    last_due: u64,
    stalled_until: u64,
    broken: bool,
}

impl Wire {
    pub(crate) const fn new(cut: Cut, latency: (u64, u64)) -> Self {
        Self {
            cut,
            latency,
            queue: VecDeque::new(),
            in_flight: 0,
            last_due: 0,
            stalled_until: 0,
            broken: false,
        }
    }

    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// When the next piece arrives.
    pub(crate) fn due(&self) -> Option<u64> {
        Some(self.queue.front()?.0.max(self.stalled_until))
    }

    pub(crate) fn send(&mut self, mut block: Bytes, now: u64, rng: &mut Rng) {
        if self.broken {
            return;
        }
        self.in_flight += block.len();
        while !block.is_empty() {
            let whole = block.len() as u64;
            let length = match self.cut {
                Cut::Whole => whole,
                Cut::UpTo(most) => rng.between(1, most).min(whole),
                Cut::Sometimes if rng.one_in(3) => rng.between(1, whole),
                Cut::Sometimes => whole,
            };
            let due = (now + rng.between(self.latency.0, self.latency.1)).max(self.last_due);
            self.last_due = due;
            self.queue.push_back((due, block.split_to(length as usize)));
        }
    }

    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let (_, piece) = self.queue.pop_front()?;
        self.in_flight -= piece.len();
        Some(piece)
    }

    pub(crate) fn stall(&mut self, until: u64) {
        self.stalled_until = until;
    }

    /// Breaks after `left` of the bytes that are under way.
    pub(crate) fn break_after(&mut self, mut left: usize) {
        self.broken = true;
        let mut kept = VecDeque::new();
        for (due, mut piece) in std::mem::take(&mut self.queue) {
            piece.truncate(left);
            left -= piece.len();
            if piece.is_empty() {
                break;
            }
            kept.push_back((due, piece));
        }
        self.in_flight = kept.iter().map(|(_, piece)| piece.len()).sum();
        self.queue = kept;
    }
}
