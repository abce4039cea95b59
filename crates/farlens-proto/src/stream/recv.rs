//! The receiving half: how much was granted, came and was consumed in one epoch.
//!
//! Credit counts from the start of the epoch and only rises. It is granted for what the application
//! consumed, so a slow reader holds at most its window and holds up nobody else. The window doubles
//! while the reader is faster than the credit lets the sender be.

use crate::error::Violation;
use farlens_wire::{Limits, frame::stream::Credit};

/// Credit granted on a link and not consumed, over all its streams.
///
/// `outstanding` is always the sum of the streams' own; when the limit is used up a stream still
/// gets [`Limits::MIN_WINDOW_BYTES`].
#[derive(Debug)]
pub(crate) struct ReceiveBudget {
    limit: u64,
    outstanding: u64,
}

impl ReceiveBudget {
    pub(crate) const fn new(limit: u64) -> Self {
        Self { limit, outstanding: 0 }
    }

    pub(crate) const fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// How much of `wanted` a stream may have outstanding that has `own` already.
    fn allow(&self, wanted: u64, own: u64) -> u64 {
        let others = self.outstanding.saturating_sub(own);
        let free = self.limit.saturating_sub(others);
        wanted.min(free.max(Limits::MIN_WINDOW_BYTES))
    }

    /// Reserves up to `wanted` bytes, all of which the peer is going to be asked for, for a stream
    /// that has `own` bytes reserved in this way already. Says how many; zero when that would be
    /// a crumb, and so never while `own` is zero.
    pub(crate) fn reserve(&mut self, wanted: u64, own: u64) -> u64 {
        let allowed = self.allow(own.saturating_add(wanted), own).saturating_sub(own);
        if allowed < wanted.min(Limits::MIN_WINDOW_BYTES) {
            return 0;
        }
        self.replace(0, allowed);
        allowed
    }

    /// Gives back what was reserved.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        self.replace(bytes, 0);
    }

    fn replace(&mut self, before: u64, after: u64) {
        self.outstanding = self.outstanding.saturating_sub(before).saturating_add(after);
    }
}

/// The window that a stream wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// What may be outstanding now.
    bytes: u64,
    /// What a consumer has who reads on; less is for one who is expected to leave soon.
    full_bytes: u64,
    max_bytes: u64,
    elements: u64,
}

impl Window {
    /// Nothing is wanted: only news about the data.
    pub(crate) const NONE: Self = Self::new(0, 0, 0);

    const fn new(bytes: u64, max_bytes: u64, elements: u64) -> Self {
        Self { bytes, full_bytes: bytes, max_bytes, elements }
    }

    /// Never more than this.
    pub(crate) const fn fixed(most: Credit) -> Self {
        Self::new(most.bytes, most.bytes, most.elements)
    }

    pub(crate) const fn from_limits(limits: &Limits) -> Self {
        let Limits { stream_window_bytes: bytes, stream_window_max_bytes: max, .. } = *limits;
        Self::new(bytes, max, limits.stream_window_items)
    }

    /// The window for a consumer who is expected to take `bytes`, and not more than in full.
    pub(crate) fn expecting(self, bytes: u64) -> Self {
        Self { bytes: bytes.min(self.full_bytes), ..self }
    }

    /// Whether the consumer is expected to leave before it has used a full window.
    pub(crate) const fn is_narrow(&self) -> bool {
        self.bytes < self.full_bytes
    }

    /// The consumer reads on. The way back to the full window is short, since its width was found
    /// to be right before.
    fn grow(&mut self) {
        self.bytes = if self.is_narrow() {
            self.bytes.saturating_mul(4).min(self.full_bytes)
        } else {
            self.bytes.saturating_mul(2).min(self.max_bytes)
        };
        self.full_bytes = self.full_bytes.max(self.bytes);
    }
}

/// What happened to the credit of one epoch. Elements are counted where they are entities; bytes
/// are bounded as bytes alone.
#[derive(Debug, Default)]
pub(crate) struct Receive {
    granted: Credit,
    received: Credit,
    consumed: Credit,
}

impl Receive {
    /// A new epoch with its first credit.
    pub(crate) fn start(window: Window, budget: &mut ReceiveBudget) -> Self {
        let bytes = if window.bytes == 0 { 0 } else { budget.allow(window.bytes, 0) };
        budget.replace(0, bytes);
        Self { granted: Credit { bytes, elements: window.elements }, ..Self::default() }
    }

    /// Ends the epoch; its credit returns to the budget.
    pub(crate) fn release(&mut self, budget: &mut ReceiveBudget) {
        budget.replace(self.outstanding(), 0);
        *self = Self::default();
    }

    pub(crate) const fn granted(&self) -> Credit {
        self.granted
    }

    pub(crate) const fn outstanding(&self) -> u64 {
        self.granted.bytes.saturating_sub(self.consumed.bytes)
    }

    /// Takes in bytes, which must end within the credit.
    pub(crate) fn take_bytes(&mut self, length: u64) -> Result<(), Violation> {
        let end = self.received.bytes.saturating_add(length);
        if end > self.granted.bytes {
            return Err(Violation::flow("bytes beyond the granted credit"));
        }
        self.received.bytes = end;
        Ok(())
    }

    /// Takes in entities, of which the last must begin within the credit; it is `last`
    /// bytes long, which only matters where the credit ends.
    pub(crate) fn take_items(
        &mut self,
        count: u64,
        encoded: u64,
        last: impl FnOnce() -> u64,
    ) -> Result<(), Violation> {
        self.check_item_start(0)?;
        if self.received.bytes.saturating_add(encoded) > self.granted.bytes {
            self.check_item_start(encoded.saturating_sub(last()))?;
        }
        let elements = self.received.elements.saturating_add(count);
        if elements > self.granted.elements {
            return Err(Violation::flow("more entities than granted"));
        }
        self.received.bytes = self.received.bytes.saturating_add(encoded);
        self.received.elements = elements;
        Ok(())
    }

    /// Whether an entity may begin `behind` so many bytes from here.
    pub(crate) fn check_item_start(&self, behind: u64) -> Result<(), Violation> {
        if self.received.bytes.saturating_add(behind) >= self.granted.bytes {
            return Err(Violation::flow("an entity begins beyond the granted credit"));
        }
        Ok(())
    }

    /// Notes what the application took, and grants more once it is worth a frame. `window` grows
    /// when the application waits for a sender whom the credit holds back; a narrow one when it
    /// was consumed, since that was not expected.
    pub(crate) fn consume(
        &mut self,
        taken: Credit,
        window: &mut Window,
        budget: &mut ReceiveBudget,
    ) -> bool {
        let before = self.outstanding();
        self.consumed.bytes = self.consumed.bytes.saturating_add(taken.bytes);
        self.consumed.elements = self.consumed.elements.saturating_add(taken.elements);
        budget.replace(before, self.outstanding());
        let step = (window.bytes / 8).clamp(64 << 10, 512 << 10).min(window.bytes / 2).max(1);
        let drained = self.consumed.bytes >= self.received.bytes;
        let blocked = self.granted.bytes.saturating_sub(self.received.bytes) < step;
        let reads_on = self.consumed.bytes >= window.bytes;
        let grows = if window.is_narrow() { reads_on } else { drained && blocked };
        if grows {
            window.grow();
        }
        self.grant(*window, step, budget)
    }

    fn grant(&mut self, window: Window, step: u64, budget: &mut ReceiveBudget) -> bool {
        if window.bytes == 0 {
            return false;
        }
        let own = self.outstanding();
        let allowed = budget.allow(window.bytes, own);
        let bytes = self.consumed.bytes.saturating_add(allowed);
        // Where the budget allows little, little is worth a frame: the sender may have nothing.
        let step = step.min(allowed / 2).max(1);
        let elements = self.consumed.elements.saturating_add(window.elements);
        let item_step = (window.elements / 8).max(1);
        let worth = bytes >= self.granted.bytes.saturating_add(step)
            || elements >= self.granted.elements.saturating_add(item_step);
        if worth {
            self.granted.bytes = self.granted.bytes.max(bytes);
            self.granted.elements = self.granted.elements.max(elements);
            budget.replace(own, self.outstanding());
        }
        worth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Window = Window::new(256 << 10, 1 << 20, 65_536);

    fn bytes(n: u64) -> Credit {
        Credit { bytes: n, elements: 0 }
    }

    #[test]
    fn one_byte_too_many_is_a_violation() {
        let mut budget = ReceiveBudget::new(1 << 20);
        let mut receive = Receive::start(WINDOW, &mut budget);
        assert!(receive.take_bytes(WINDOW.bytes).is_ok());
        assert!(receive.take_bytes(1).is_err());
    }

    #[test]
    fn a_window_grows_only_when_credit_holds_the_sender_back() {
        let mut budget = ReceiveBudget::new(16 << 20);
        let mut window = WINDOW;
        let mut receive = Receive::start(window, &mut budget);
        receive.take_bytes(64 << 10).unwrap();
        receive.consume(bytes(64 << 10), &mut window, &mut budget);
        assert_eq!(window.bytes, WINDOW.bytes, "the sender had credit left");
        let left = receive.granted().bytes - (64 << 10);
        receive.take_bytes(left).unwrap();
        receive.consume(bytes(left), &mut window, &mut budget);
        assert_eq!(window.bytes, 2 * WINDOW.bytes);
    }

    #[test]
    fn a_narrow_window_is_back_to_full_width_after_three_grants() {
        let mut budget = ReceiveBudget::new(16 << 20);
        let mut window = WINDOW.expecting(8 << 10);
        let mut receive = Receive::start(window, &mut budget);
        for _ in 0..3 {
            assert!(window.is_narrow());
            // However small the pieces are in which it comes and goes.
            for _ in 0..(receive.granted.bytes - receive.received.bytes) / 1_024 {
                receive.take_bytes(1_024).unwrap();
                receive.consume(bytes(1_024), &mut window, &mut budget);
            }
        }
        assert_eq!(window, WINDOW);
        assert_eq!(WINDOW.expecting(u64::MAX), WINDOW, "never wider than that");
    }

    #[test]
    fn a_stream_beyond_the_budget_still_moves() {
        let mut budget = ReceiveBudget::new(0);
        let mut window = WINDOW;
        let mut receive = Receive::start(window, &mut budget);
        for _ in 0..100 {
            let room = receive.granted.bytes - receive.received.bytes;
            assert!(room > 0, "credit must come back");
            receive.take_bytes(room).unwrap();
            receive.consume(bytes(room), &mut window, &mut budget);
        }
    }

    #[test]
    fn what_is_reserved_counts_and_comes_back() {
        let mut budget = ReceiveBudget::new(100 << 10);
        assert_eq!(budget.reserve(90 << 10, 0), 90 << 10);
        assert_eq!(budget.reserve(4 << 10, 90 << 10), 4 << 10);
        assert_eq!(budget.reserve(64 << 10, 94 << 10), 0, "6 KiB of 64 would be a crumb");
        assert_eq!(budget.reserve(64 << 10, 0), Limits::MIN_WINDOW_BYTES, "another stream");
        assert_eq!(budget.outstanding(), (94 << 10) + Limits::MIN_WINDOW_BYTES);
        budget.give_back(94 << 10);
        assert_eq!(budget.reserve(64 << 10, 0), 64 << 10);
        budget.give_back((64 << 10) + Limits::MIN_WINDOW_BYTES);
        assert_eq!(budget.outstanding(), 0);
    }

    proptest! {
        /// Credit is conserved: what was granted is consumed, outstanding or given back.
        #[test]
        fn credit_is_conserved(steps in prop::collection::vec((0usize..4, 1u64..300_000), 1..200)) {
            let mut budget = ReceiveBudget::new(600 << 10);
            let mut window = [WINDOW; 4];
            let mut streams: Vec<Receive> =
                window.iter().map(|&w| Receive::start(w, &mut budget)).collect();
            for (index, amount) in steps {
                let receive = &mut streams[index];
                let room = receive.granted.bytes - receive.received.bytes;
                if amount % 17 == 0 {
                    receive.release(&mut budget);
                    *receive = Receive::start(window[index], &mut budget);
                } else if amount.min(room) > 0 {
                    receive.take_bytes(amount.min(room)).unwrap();
                } else {
                    let waiting = receive.received.bytes - receive.consumed.bytes;
                    receive.consume(bytes(amount.min(waiting)), &mut window[index], &mut budget);
                }
                let sum: u64 = streams.iter().map(Receive::outstanding).sum();
                prop_assert_eq!(sum, budget.outstanding());
                prop_assert!(sum <= (600 << 10) + 4 * Limits::MIN_WINDOW_BYTES);
            }
            for receive in &mut streams {
                receive.release(&mut budget);
            }
            prop_assert_eq!(budget.outstanding(), 0);
        }
    }
}
