//! The receiving half: how much was granted, came and was consumed in one epoch.
//!
//! Credit counts from the start of the epoch and only rises. It is granted for what the application
//! consumed, so a slow reader holds at most its window and holds up nobody else. The window widens
//! while the reader is faster than the credit lets the sender be.

use super::flight::{Flight, RoundTrip};
use crate::{error::Violation, time::Time};
use farlens_wire::{Limits, frame::stream::Credit};

/// Credit granted on a link and not consumed, over all its streams, and what is known of the way.
///
/// `outstanding` is always the sum of the streams' own; when the limit is used up a stream still
/// gets [`Limits::MIN_WINDOW_BYTES`].
#[derive(Debug)]
pub(crate) struct ReceiveBudget {
    limit: u64,
    outstanding: u64,
    /// Streams that have a part of it.
    holders: u64,
    now: Time,
    round_trip: RoundTrip,
    /// When the latest call or answer came.
    called: Option<Time>,
}

/// Calls are under way for so many microseconds after the latest call or answer.
const BESIDE_CALLS_MICROS: u64 = 5_000;

/// What a stream beside calls may be sent ahead at least, in bytes, where its window allows it.
const BESIDE_CALLS_BYTES: u64 = 512 << 10;

/// A window that is wider than at first leaves this part of the room to others, so that a stream
/// that comes later finds some, and streams that go on wanting come to equal shares.
const LEFT_TO_OTHERS: u64 = 8;

impl ReceiveBudget {
    pub(crate) const fn new(limit: u64) -> Self {
        Self {
            limit,
            outstanding: 0,
            holders: 0,
            now: Time::ZERO,
            round_trip: RoundTrip::UNKNOWN,
            called: None,
        }
    }

    /// A call or an answer has come just now.
    pub(crate) const fn saw_call(&mut self) {
        self.called = Some(self.now);
    }

    /// The time is this, or a little later.
    pub(crate) const fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    pub(crate) const fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// What others leave to a stream that has `own` outstanding.
    const fn room(&self, own: u64) -> u64 {
        self.limit.saturating_sub(self.outstanding.saturating_sub(own))
    }

    /// An equal share for a stream that has `own` outstanding.
    fn share(&self, own: u64) -> u64 {
        let others = self.holders.saturating_sub(u64::from(own > 0));
        self.limit.checked_div(others.saturating_add(1)).unwrap_or(self.limit)
    }

    /// How much of `wanted` a stream may have outstanding that has `own` already.
    fn allow(&self, wanted: u64, own: u64) -> u64 {
        wanted.min(self.room(own).max(Limits::MIN_WINDOW_BYTES))
    }

    /// How wide a window may be that has `own` outstanding already.
    fn allow_window(&self, window: Window, own: u64) -> u64 {
        let room = self.room(own);
        let fair = room.saturating_sub(room / LEFT_TO_OTHERS).max(window.first_bytes);
        self.allow(self.restrain(window.bytes).min(fair), own)
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

    /// What a stream has outstanding has changed.
    fn replace(&mut self, before: u64, after: u64) {
        self.outstanding = self.outstanding.saturating_sub(before).saturating_add(after);
        self.holders = self.holders.saturating_sub(u64::from(before > 0));
        self.holders = self.holders.saturating_add(u64::from(after > 0));
    }
}

/// The window that a stream wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// What may be outstanding now.
    bytes: u64,
    /// What a consumer has of whom nothing is known.
    first_bytes: u64,
    /// What a consumer has who reads on; less is for one who is expected to leave soon.
    full_bytes: u64,
    max_bytes: u64,
    /// Entities that may be outstanding at first. Their number widens with the bytes.
    elements: u64,
}

impl Window {
    /// Nothing is wanted: only news about the data.
    pub(crate) const NONE: Self = Self::new(0, 0, 0);

    const fn new(bytes: u64, max_bytes: u64, elements: u64) -> Self {
        Self { bytes, first_bytes: bytes, full_bytes: bytes, max_bytes, elements }
    }

    /// Never more than this.
    pub(crate) const fn fixed(most: Credit) -> Self {
        Self::new(most.bytes, most.bytes, most.elements)
    }

    pub(crate) const fn from_limits(limits: &Limits) -> Self {
        let Limits { stream_window_bytes: bytes, stream_window_max_bytes: max, .. } = *limits;
        Self::new(bytes, max, limits.stream_window_items)
    }

    /// What may be outstanding now.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The window for a consumer who is expected to take `bytes`, and not more than in full.
    pub(crate) fn expecting(self, bytes: u64) -> Self {
        Self { bytes: bytes.min(self.full_bytes), ..self }
    }

    /// Whether the consumer is expected to leave before it has used a full window.
    pub(crate) const fn is_narrow(&self) -> bool {
        self.bytes < self.full_bytes
    }

    /// The consumer reads on although that was not expected. The way back to the full window is
    /// short, since its width was found to be right before.
    fn reopen(&mut self) {
        self.bytes = self.bytes.saturating_mul(4).min(self.full_bytes);
    }

    /// A sender was held back that would have sent `wanted` bytes. Beyond a fair `share` a window
    /// only doubles at a time, for others that are as fast must get theirs.
    fn widen(&mut self, wanted: u64, share: u64) {
        let most = self.bytes.saturating_mul(2).max(share).min(self.max_bytes);
        self.bytes = wanted.min(most).max(self.bytes);
        self.full_bytes = self.full_bytes.max(self.bytes);
    }

    /// Entities for so many bytes of credit.
    fn elements_for(&self, bytes: u64) -> u64 {
        let times = bytes.checked_div(self.first_bytes).unwrap_or(0).max(1);
        self.elements.saturating_mul(times)
    }
}

/// What happened to the credit of one epoch. Elements are counted where they are entities; bytes
/// are bounded as bytes alone.
#[derive(Debug, Default)]
pub(crate) struct Receive {
    granted: Credit,
    received: Credit,
    consumed: Credit,
    /// When the sender was told of the first credit.
    told: Time,
    /// From the first elements: most streams that wait have had none.
    flight: Option<Box<Flight>>,
}

impl Receive {
    /// A new epoch with its first credit.
    pub(crate) fn start(window: Window, budget: &mut ReceiveBudget) -> Self {
        let bytes = if window.bytes == 0 { 0 } else { budget.allow_window(window, 0) };
        budget.replace(0, bytes);
        let granted = Credit { bytes, elements: window.elements_for(bytes) };
        Self { granted, ..Self::default() }
    }

    /// Ends the epoch; its credit returns to the budget.
    pub(crate) fn release(&mut self, budget: &mut ReceiveBudget) {
        budget.replace(self.outstanding(), 0);
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
        let first = || Box::new(Flight::start(self.granted.bytes, self.told));
        let flight = self.flight.get_or_insert_with(first);
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
        budget.replace(before, self.outstanding());
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
            flight.restart(consumed, self.granted.bytes, budget.now);
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
            budget.replace(own, self.outstanding());
        }
        worth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const WINDOW: Window = Window::new(256 << 10, 1 << 20, 65_536);

    fn bytes(n: u64) -> Credit {
        Credit { bytes: n, elements: 0 }
    }

    const MS: u64 = 1_000;

    /// A link of which it is known that a round trip takes 100 ms, at the origin of time.
    fn far_away(limit: u64) -> ReceiveBudget {
        let mut budget = ReceiveBudget::new(limit);
        budget.round_trip.saw(100 * MS);
        budget
    }

    /// All that is granted comes at once and is consumed at once, at a moment.
    fn take_all(receive: &mut Receive, window: &mut Window, budget: &mut ReceiveBudget, ms: u64) {
        budget.set_now(Time::from_micros(ms * MS));
        let room = receive.granted.bytes - receive.received.bytes;
        assert!(room > 0, "credit must come back");
        receive.take_bytes(room, budget).unwrap();
        receive.consume(bytes(room), window, budget);
        receive.tell(budget.now);
    }

    #[test]
    fn one_byte_too_many_is_a_violation() {
        let mut budget = ReceiveBudget::new(1 << 20);
        let mut receive = Receive::start(WINDOW, &mut budget);
        assert!(receive.take_bytes(WINDOW.bytes, &mut budget).is_ok());
        assert!(receive.take_bytes(1, &mut budget).is_err());
    }

    #[test]
    fn a_window_widens_only_when_it_is_used_up_within_two_round_trips() {
        for (ms, wider) in [(101, true), (199, true), (201, false), (10_000, false)] {
            let mut budget = far_away(16 << 20);
            let mut window = WINDOW;
            let mut receive = Receive::start(window, &mut budget);
            receive.tell(Time::ZERO);
            take_all(&mut receive, &mut window, &mut budget, ms);
            assert_eq!(window.bytes > WINDOW.bytes, wider, "used up after {ms} ms");
            assert!(window.bytes <= WINDOW.max_bytes);
            assert_eq!(receive.outstanding(), window.bytes, "granted at once");
        }
    }

    #[test]
    fn a_quick_consumer_gets_the_window_that_it_needs() {
        for (ms, wider) in [(4, true), (5, false)] {
            let mut budget = ReceiveBudget::new(16 << 20);
            let mut window = WINDOW;
            let mut receive = Receive::start(window, &mut budget);
            receive.tell(Time::ZERO);
            budget.set_now(Time::from_micros(ms * MS));
            receive.take_bytes(WINDOW.bytes, &mut budget).unwrap();
            let wanted = 2 * WINDOW.bytes;
            receive.widen_if_quick(bytes(WINDOW.bytes - 1), wanted, &mut window, &budget);
            assert_eq!(window.bytes, WINDOW.bytes, "not all is consumed");
            receive.widen_if_quick(bytes(WINDOW.bytes), wanted, &mut window, &budget);
            assert_eq!(window.bytes == wanted, wider, "used up after {ms} ms");
        }
    }

    #[test]
    fn beside_calls_a_near_sender_is_granted_no_more_than_it_needs() {
        let wide = Window::new(4 << 20, 4 << 20, 1);
        for (round_trip, called, later, granted) in [
            (20, true, 4_999, BESIDE_CALLS_BYTES),
            (20, true, 5_000, 4 << 20),
            (20, false, 0, 4 << 20),
            (250, true, 0, 2 << 20),
            (100 * MS, true, 0, 4 << 20),
        ] {
            let mut budget = ReceiveBudget::new(64 << 20);
            budget.round_trip.saw(round_trip);
            if called {
                budget.saw_call();
            }
            budget.set_now(Time::from_micros(later));
            let receive = Receive::start(wide, &mut budget);
            assert_eq!(receive.granted.bytes, granted, "{round_trip} {called} {later}");
        }
    }

    #[test]
    fn credit_that_was_granted_before_a_call_stays_and_is_not_renewed() {
        let mut budget = ReceiveBudget::new(64 << 20);
        budget.round_trip.saw(20);
        let mut wide = Window::new(4 << 20, 4 << 20, 1);
        let mut receive = Receive::start(wide, &mut budget);
        budget.saw_call();
        receive.take_bytes(4 << 20, &mut budget).unwrap();
        receive.consume(bytes(3 << 20), &mut wide, &mut budget);
        assert_eq!(receive.outstanding(), 1 << 20);
        receive.consume(bytes(1 << 20), &mut wide, &mut budget);
        assert_eq!(receive.outstanding(), BESIDE_CALLS_BYTES);
        budget.set_now(Time::from_micros(BESIDE_CALLS_MICROS));
        receive.take_bytes(BESIDE_CALLS_BYTES, &mut budget).unwrap();
        receive.consume(bytes(BESIDE_CALLS_BYTES), &mut wide, &mut budget);
        assert_eq!(receive.outstanding(), 4 << 20, "nobody has called for long");
    }

    #[test]
    fn a_reader_who_takes_its_time_has_the_window_of_its_own_rate() {
        let mut budget = far_away(16 << 20);
        let mut window = WINDOW;
        let mut receive = Receive::start(window, &mut budget);
        receive.tell(Time::ZERO);
        // 4 KiB each millisecond; what is granted comes a round trip later.
        let mut on_the_way = VecDeque::from([0; 100]);
        for ms in 1..2_000 {
            budget.set_now(Time::from_micros(ms * MS));
            on_the_way.push_back(receive.granted.bytes);
            let come = on_the_way.pop_front().unwrap_or_default() - receive.received.bytes;
            receive.take_bytes(come, &mut budget).unwrap();
            let there = receive.received.bytes - receive.consumed.bytes;
            if receive.consume(bytes(there.min(4 << 10)), &mut window, &mut budget) {
                receive.tell(budget.now);
            }
        }
        let two_round_trips = 200 * (4 << 10);
        let all = two_round_trips..two_round_trips * 5 / 4;
        assert!(all.contains(&window.bytes), "{} bytes", window.bytes);
    }

    #[test]
    fn a_sender_that_has_enough_is_told_less_often() {
        // The reader takes 256 KiB in that many milliseconds, in 64 pieces, a round trip later.
        for (ms, told) in [(64, 12), (640, 8)] {
            let mut budget = far_away(16 << 20);
            let mut window = Window { max_bytes: WINDOW.bytes, ..WINDOW };
            let mut receive = Receive::start(window, &mut budget);
            receive.tell(Time::ZERO);
            let mut take = |turn: u64| {
                budget.set_now(Time::from_micros((100 + turn * ms / 64) * MS));
                receive.take_bytes(4 << 10, &mut budget).unwrap();
                let worth = receive.consume(bytes(4 << 10), &mut window, &mut budget);
                if worth {
                    receive.tell(budget.now);
                }
                worth
            };
            assert!((0..64).filter(|&turn| take(turn)).count() > 0);
            let grants = (64..256).filter(|&turn| take(turn)).count();
            assert_eq!(grants, told, "for 768 KiB, with {ms} ms for a window");
        }
    }

    #[test]
    fn who_comes_later_finds_room_beside_the_widest_window() {
        let limit = 16 << 20;
        let (mut budget, wide) = (far_away(limit), Window::new(256 << 10, 16 << 20, 1));
        let mut window = [wide; 4];
        let mut streams: Vec<Receive> = Vec::new();
        for index in 0..4u64 {
            let mut receive = Receive::start(wide, &mut budget);
            receive.tell(budget.now);
            assert_eq!(receive.outstanding(), wide.bytes, "stream {index}");
            streams.push(receive);
            for turn in 1..100 {
                let ms = (100 * index + turn) * 101;
                for (receive, window) in streams.iter_mut().zip(&mut window) {
                    take_all(receive, window, &mut budget, ms);
                }
            }
            let shares: Vec<_> =
                streams.iter().map(|receive| receive.outstanding() >> 10).collect();
            let fair = (limit >> 10) * 7 / (8 + 7 * index);
            let equal = shares.iter().all(|share| share.abs_diff(fair) <= fair / 8);
            assert!(equal, "{shares:?} and not {fair} each");
        }
    }

    #[test]
    fn entities_are_granted_in_proportion() {
        let mut budget = far_away(64 << 20);
        let mut window = Window::new(256 << 10, 1 << 20, 100);
        let mut receive = Receive::start(window, &mut budget);
        assert_eq!(receive.granted().elements, 100);
        take_all(&mut receive, &mut window, &mut budget, 101);
        assert_eq!(receive.granted().elements, 400);
    }

    #[test]
    fn a_narrow_window_is_back_to_full_width_after_three_grants() {
        let mut budget = ReceiveBudget::new(16 << 20);
        let full = Window { max_bytes: WINDOW.bytes, ..WINDOW };
        let mut window = full.expecting(8 << 10);
        let mut receive = Receive::start(window, &mut budget);
        for _ in 0..3 {
            assert!(window.is_narrow());
            // However small the pieces are in which it comes and goes.
            for _ in 0..(receive.granted.bytes - receive.received.bytes) / 1_024 {
                receive.take_bytes(1_024, &mut budget).unwrap();
                receive.consume(bytes(1_024), &mut window, &mut budget);
            }
        }
        assert_eq!(window, full);
        assert_eq!(full.expecting(u64::MAX), full, "never wider than that");
    }

    #[test]
    fn a_stream_beyond_the_budget_still_moves() {
        let mut budget = ReceiveBudget::new(0);
        let mut window = WINDOW;
        let mut receive = Receive::start(window, &mut budget);
        for _ in 0..100 {
            take_all(&mut receive, &mut window, &mut budget, 0);
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
        fn credit_is_conserved(
            steps in prop::collection::vec((0usize..4, 1u64..300_000, 0u64..20_000), 1..200)
        ) {
            let mut budget = ReceiveBudget::new(600 << 10);
            let mut now = 0;
            let mut window = [WINDOW; 4];
            let mut streams: Vec<Receive> =
                window.iter().map(|&w| Receive::start(w, &mut budget)).collect();
            for (index, amount, later) in steps {
                now += later;
                budget.set_now(Time::from_micros(now));
                let receive = &mut streams[index];
                let room = receive.granted.bytes - receive.received.bytes;
                if amount % 17 == 0 {
                    receive.release(&mut budget);
                    *receive = Receive::start(window[index], &mut budget);
                } else if amount.min(room) > 0 {
                    receive.take_bytes(amount.min(room), &mut budget).unwrap();
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
