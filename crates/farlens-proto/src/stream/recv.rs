//! The receiving half: how much was granted, came and was consumed in one epoch.
//!
//! Credit counts from the start of the epoch and only rises. It is granted for what the application
//! consumed, so a slow reader holds at most its window and holds up nobody else. The window widens
//! while the reader is faster than the credit lets the sender be.

mod budget;
mod need;
#[cfg(test)]
mod tests;
mod window;

use super::flight::Flight;
use crate::{error::Violation, time::Time};
pub(crate) use budget::ReceiveBudget;
use farlens_wire::frame::stream::Credit;
pub(crate) use window::Window;

/// What happened to the credit of one epoch. Elements are counted where they are entities; bytes
/// are bounded as bytes alone.
#[derive(Debug, Default)]
pub(crate) struct Receive {
    granted: Credit,
    received: Credit,
    consumed: Credit,
    /// When the sender was told of the first credit.
    told: Time,
    /// From the first elements, or where more than a window is granted at first: most streams that
    /// wait have had none.
    flight: Option<Box<Flight>>,
}

impl Receive {
    /// A new epoch with its first credit.
    pub(crate) fn start(window: Window, budget: &mut ReceiveBudget) -> Self {
        let bytes = if window.bytes == 0 { 0 } else { budget.allow_window(window, 0) };
        let granted = Credit { bytes, elements: window.elements_for(bytes) };
        let receive = Self { granted, ..Self::default() };
        budget.replace(0, bytes, receive.turn());
        receive
    }

    /// More first credit where the way is long, which the sender has not been told of. The window
    /// stays as it is: what the first elements show decides how much follows.
    pub(crate) fn begin(&mut self, window: Window, budget: &mut ReceiveBudget) {
        let own = self.outstanding();
        let bytes = budget.allow_first(window, own);
        if bytes > own {
            self.granted = Credit { bytes, elements: window.elements_for(bytes) };
            self.flight = Some(Box::new(Flight::start(own)));
            budget.replace(own, bytes, self.turn());
        }
    }

    /// The count of what the link needs in which it took part last.
    fn turn(&self) -> u64 {
        self.flight.as_ref().map_or(0, |flight| flight.turn)
    }

    /// Ends the epoch; its credit returns to the budget.
    pub(crate) fn release(&mut self, budget: &mut ReceiveBudget) {
        budget.replace(self.outstanding(), 0, self.turn());
        *self = Self::default();
    }

    pub(crate) const fn granted(&self) -> Credit {
        self.granted
    }

    /// The peer is told at this moment what is granted.
    pub(crate) fn tell(&mut self, now: Time) {
        match &mut self.flight {
            Some(flight) => flight.tell(self.granted.bytes, now),
            None => self.told = now,
        }
    }

    pub(crate) const fn outstanding(&self) -> u64 {
        self.granted.bytes.saturating_sub(self.consumed.bytes)
    }

    /// Takes in bytes, which must end within the credit.
    pub(crate) fn take_bytes(
        &mut self,
        length: u64,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        let end = self.received.bytes.saturating_add(length);
        if end > self.granted.bytes {
            return Err(Violation::flow("bytes beyond the granted credit"));
        }
        self.arrive(end, budget);
        Ok(())
    }

    fn arrive(&mut self, end: u64, budget: &mut ReceiveBudget) {
        let idle = self.consumed.bytes >= self.received.bytes;
        self.received.bytes = end;
        let flight = self.flight.get_or_insert_with(|| {
            let mut first = Flight::start(self.granted.bytes);
            first.tell(self.granted.bytes, self.told);
            Box::new(first)
        });
        flight.arrive(end, idle, budget.now, &mut budget.round_trip);
    }

    /// Takes in entities, of which the last must begin within the credit; it is `last`
    /// bytes long, which only matters where the credit ends.
    pub(crate) fn take_items(
        &mut self,
        count: u64,
        encoded: u64,
        last: impl FnOnce() -> u64,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        self.check_item_start(0)?;
        if self.received.bytes.saturating_add(encoded) > self.granted.bytes {
            self.check_item_start(encoded.saturating_sub(last()))?;
        }
        let elements = self.received.elements.saturating_add(count);
        if elements > self.granted.elements {
            return Err(Violation::flow("more entities than granted"));
        }
        self.arrive(self.received.bytes.saturating_add(encoded), budget);
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

    /// Notes what the application took, and grants more once it is worth a frame. `window` widens
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
        if let Some(flight) = &mut self.flight {
            flight.turn = budget.need.take(taken.bytes, before, flight.turn);
        }
        budget.replace(before, self.outstanding(), self.turn());
        let narrow = window.is_narrow();
        if narrow && self.consumed.bytes >= window.bytes {
            window.reopen();
        }
        let consumed = self.consumed.bytes;
        let over = self.flight.as_ref().is_some_and(|flight| flight.is_over(consumed));
        if over && !narrow {
            self.widen(window, budget);
        }
        let worth = self.grant(*window, budget);
        if over && let Some(flight) = &mut self.flight {
            // What has come already says nothing of the line, and what was granted at first may be
            // much more than a window.
            let to = self.received.bytes.saturating_add(window.bytes).min(self.granted.bytes);
            flight.restart(consumed, to, budget.now);
        }
        worth
    }

    /// Widens the window of a consumer who needs `wanted` bytes to work with, where that one is as
    /// quick as the sender: a flight that `taken` ends was short.
    pub(crate) fn widen_if_quick(
        &self,
        taken: Credit,
        wanted: u64,
        window: &mut Window,
        budget: &ReceiveBudget,
    ) {
        let consumed = self.consumed.bytes.saturating_add(taken.bytes);
        let quick = |flight: &Flight| flight.is_over(consumed) && flight.is_quick(budget.now);
        if self.flight.as_deref().is_some_and(quick) {
            window.widen(wanted, budget.share(self.outstanding()));
        }
    }

    fn widen(&mut self, window: &mut Window, budget: &ReceiveBudget) {
        let (consumed, own) = (self.consumed.bytes, self.outstanding());
        let Some(flight) = &mut self.flight else { return };
        let wanted = flight.wanted(consumed, budget.now, budget.round_trip);
        if let Some(wanted) = wanted {
            window.widen(wanted, budget.share(own));
        }
        flight.end(wanted, window.bytes);
    }

    fn grant(&mut self, window: Window, budget: &mut ReceiveBudget) -> bool {
        if window.bytes == 0 {
            return false;
        }
        let own = self.outstanding();
        let allowed = budget.allow_window(window, own);
        let bytes = self.consumed.bytes.saturating_add(allowed);
        // Where the budget allows little, little is worth a frame: the sender may have nothing. One
        // that has enough for two round trips goes on for one with little more than half of it.
        let is_short = self.flight.as_ref().is_none_or(|flight| flight.was_short());
        let eighths = if is_short { 1 } else { 3 };
        let step =
            (allowed.saturating_mul(eighths) / 8).clamp(64 << 10, 1 << 20).min(allowed / 2).max(1);
        let width = window.elements_for(allowed);
        let elements = self.consumed.elements.saturating_add(width);
        let item_step = (width.saturating_mul(eighths) / 8).max(1);
        let worth = bytes >= self.granted.bytes.saturating_add(step)
            || elements >= self.granted.elements.saturating_add(item_step);
        if worth {
            self.granted.bytes = self.granted.bytes.max(bytes);
            self.granted.elements = self.granted.elements.max(elements);
            budget.replace(own, self.outstanding(), self.turn());
        }
        worth
    }
}
