//! What a link may have granted in all, and what is known of the way to the peer.

use super::{super::flight::RoundTrip, need::Need, window::Window};
use crate::time::Time;
use farlens_wire::Limits;

/// Credit granted on a link and not consumed, over all its streams, and what is known of the way.
///
/// `outstanding` is always the sum of the streams' own; when what is needed is used up a stream
/// still gets [`Limits::MIN_WINDOW_BYTES`].
#[derive(Debug)]
pub(crate) struct ReceiveBudget {
    pub(super) need: Need,
    outstanding: u64,
    /// Streams that have a part of it.
    holders: u64,
    pub(super) now: Time,
    pub(super) round_trip: RoundTrip,
    /// How many microseconds the answer to this side's hello took; zero where nothing answered it.
    /// That may be anything, so no window is judged by it.
    greeting: u64,
    /// When the latest call or answer came.
    called: Option<Time>,
}

/// Calls are under way for so many microseconds after the latest call or answer.
pub(super) const BESIDE_CALLS_MICROS: u64 = 5_000;

/// What a stream beside calls may be sent ahead at least, in bytes, where its window allows it.
pub(super) const BESIDE_CALLS_BYTES: u64 = 512 << 10;

/// A window that is wider than at first leaves this part of the room to others, so that a stream
/// that comes later finds some, and streams that go on wanting come to equal shares.
pub(super) const LEFT_TO_OTHERS: u64 = 8;

/// What a line is taken to carry in a microsecond before anything has come over it: 1 Gbit/s.
const UNKNOWN_LINE_BYTES: u64 = 125;

/// First credit leaves this part of the budget to others: nobody knows yet whether it is of use.
const LEFT_BY_THE_FIRST: u64 = 4;

impl ReceiveBudget {
    /// A budget of so many bytes, which flow may widen up to `most`.
    pub(crate) fn new(bytes: u64, most: u64) -> Self {
        Self {
            need: Need::new(bytes, most),
            outstanding: 0,
            holders: 0,
            now: Time::ZERO,
            round_trip: RoundTrip::UNKNOWN,
            greeting: 0,
            called: None,
        }
    }

    /// A call or an answer has come just now.
    pub(crate) const fn saw_call(&mut self) {
        self.called = Some(self.now);
    }

    /// The time is this, or a little later.
    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = now;
        if let Some(micros) = self.round_trip.micros() {
            self.need.pass(now, micros, self.outstanding);
        }
    }

    /// The peer has answered this side's hello after so many microseconds.
    pub(crate) const fn greeted(&mut self, micros: u64) {
        self.greeting = micros;
    }

    pub(crate) const fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// What others leave to a stream that has `own` outstanding.
    const fn room(&self, own: u64) -> u64 {
        self.need.limit().saturating_sub(self.outstanding.saturating_sub(own))
    }

    /// An equal share for a stream that has `own` outstanding.
    pub(super) fn share(&self, own: u64) -> u64 {
        let others = self.holders.saturating_sub(u64::from(own > 0));
        self.need.limit().checked_div(others.saturating_add(1)).unwrap_or(u64::MAX)
    }

    /// How much of `wanted` a stream may have outstanding that has `own` already.
    fn allow(&self, wanted: u64, own: u64) -> u64 {
        wanted.min(self.room(own).max(Limits::MIN_WINDOW_BYTES))
    }

    /// How wide a window may be that has `own` outstanding already.
    pub(super) fn allow_window(&self, window: Window, own: u64) -> u64 {
        let room = self.room(own);
        let fair = room.saturating_sub(room / LEFT_TO_OTHERS).max(window.first_bytes);
        self.allow(self.restrain(window.bytes).min(fair), own)
    }

    /// How much a stream is granted at once that has `own` outstanding and begins on a line of which
    /// only the round trip may be known: what may come before the next credit arrives. Where streams
    /// begin together they share that.
    pub(super) fn allow_first(&self, window: Window, own: u64) -> u64 {
        let micros = self.round_trip.micros().unwrap_or(self.greeting);
        let under_way = micros.saturating_mul(UNKNOWN_LINE_BYTES).min(window.max_bytes);
        let most = |bytes: u64| bytes.saturating_sub(bytes / LEFT_BY_THE_FIRST);
        let share = most(self.need.least()).checked_div(self.holders).unwrap_or(0);
        let bytes = under_way.min(share).min(most(self.room(own)));
        if own > 0 { bytes.max(own) } else { 0 }
    }

    /// How much of a window of so many bytes is granted: beside calls only what the sender needs,
    /// since all that is on the way already comes before an answer.
    fn restrain(&self, window: u64) -> u64 {
        let under_way = |called| self.now.micros_since(called) < BESIDE_CALLS_MICROS;
        if self.called.is_some_and(under_way) {
            window.min(self.round_trip.least(window).max(BESIDE_CALLS_BYTES))
        } else {
            window
        }
    }

    /// Reserves up to `wanted` bytes, all of which the peer is going to be asked for, for a stream
    /// that has `own` bytes reserved in this way already. Says how many; zero when that would be
    /// a crumb, and so never while `own` is zero.
    pub(crate) fn reserve(&mut self, wanted: u64, own: u64) -> u64 {
        let allowed = self.allow(own.saturating_add(wanted), own).saturating_sub(own);
        if allowed < wanted.min(Limits::MIN_WINDOW_BYTES) {
            return 0;
        }
        self.outstanding = self.outstanding.saturating_add(allowed);
        allowed
    }

    /// Gives back what was reserved.
    pub(crate) const fn give_back(&mut self, bytes: u64) {
        self.outstanding = self.outstanding.saturating_sub(bytes);
    }

    /// What a stream has outstanding has changed, which took part in that turn of the need last.
    pub(super) fn replace(&mut self, before: u64, after: u64, turn: u64) {
        self.need.replace(before, after, turn);
        self.outstanding = self.outstanding.saturating_sub(before).saturating_add(after);
        self.holders = self.holders.saturating_sub(u64::from(before > 0));
        self.holders = self.holders.saturating_add(u64::from(after > 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_calls_a_near_sender_is_granted_no_more_than_it_needs() {
        let wide = Window::new(4 << 20, 4 << 20, 1);
        let ms = 1_000;
        for (round_trip, called, later, granted) in [
            (20, true, 4_999, BESIDE_CALLS_BYTES),
            (20, true, 5_000, 4 << 20),
            (20, false, 0, 4 << 20),
            (250, true, 0, 2 << 20),
            (100 * ms, true, 0, 4 << 20),
        ] {
            let mut budget = ReceiveBudget::new(64 << 20, 64 << 20);
            budget.round_trip.saw(round_trip);
            if called {
                budget.saw_call();
            }
            budget.set_now(Time::from_micros(later));
            let allowed = budget.allow_window(wide, 0);
            assert_eq!(allowed, granted, "{round_trip} {called} {later}");
        }
    }

    #[test]
    fn what_is_reserved_counts_and_comes_back() {
        let mut budget = ReceiveBudget::new(100 << 10, 100 << 10);
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
}
