//! How wide a window has to be, from how long it takes until one is used up.
//!
//! A flight begins with a grant and ends when all that is granted by then has been consumed. What
//! a sender that credit does not hold back would have sent in the meantime is as wide as the
//! window should be: the rate at which elements came while they came, for as long as a grant takes
//! to show.
//!
//! ```text
//!  grant ─────── round trip ───────▶ first byte ── at the rate of the line ──▶ last byte consumed
//!        ◀──────── waited ─────────▶            ◀────────── busy ────────────▶
//! ```

use crate::time::Time;

/// So many round trips are granted ahead, as grants go out some time after what they replace.
const ROUND_TRIPS: u64 = 2;

/// So many microseconds are granted ahead where round trips are shorter than that. A sender that is
/// near would have to be told of new credit so often that telling it takes a good part of the time.
const AHEAD_MICROS: u64 = 1_000;

/// A flight that is over within so many microseconds was of a quick sender and a quick consumer.
const QUICK_MICROS: u64 = 5_000;

/// The shortest time in which something from the peer can answer what was sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoundTrip(Option<u64>);

impl RoundTrip {
    pub(crate) const UNKNOWN: Self = Self(None);

    /// It took so many microseconds once, which is too long if the peer had other things to do.
    pub(crate) fn saw(&mut self, micros: u64) {
        self.0 = Some(self.0.map_or(micros, |least| least.min(micros)));
    }

    /// In microseconds, once it was seen.
    pub(crate) const fn micros(self) -> Option<u64> {
        self.0
    }

    /// How long what is granted ahead has to last, in microseconds.
    fn horizon(self) -> Option<u64> {
        Some(self.two()?.max(AHEAD_MICROS))
    }

    fn two(self) -> Option<u64> {
        Some(self.0?.saturating_mul(ROUND_TRIPS))
    }

    /// What keeps a sender going, of a window of so many bytes that may be wider than that to save
    /// telling it of credit.
    pub(crate) fn least(self, window: u64) -> u64 {
        let (Some(two), Some(horizon)) = (self.two(), self.horizon()) else { return window };
        let part = u128::from(window).saturating_mul(u128::from(two));
        let part = part.checked_div(u128::from(horizon));
        part.and_then(|part| u64::try_from(part).ok()).unwrap_or(window)
    }
}

/// The flight that is under way in one epoch.
#[derive(Debug)]
pub(crate) struct Flight {
    began: Time,
    /// What had been consumed and granted then, in bytes from the start of the epoch.
    from: u64,
    to: u64,
    /// When something came, or the epoch began.
    arrived: Time,
    /// The longest wait of a consumer who had used up all that had come, in microseconds.
    waited: u64,
    /// What the sender was told that it may send.
    told: u64,
    /// What it had been told before something that has not shown, and the moment of that.
    awaited: Option<(u64, Time)>,
    /// Whether the last one wanted more than it had.
    was_short: bool,
    /// The count of what the link needs in which the stream took part last.
    pub(super) turn: u64,
}

impl Flight {
    /// The first of an epoch, which begins when the sender is told of it and is over when all up to
    /// `to` is consumed.
    pub(crate) const fn start(to: u64) -> Self {
        Self {
            began: Time::ZERO,
            from: 0,
            to,
            arrived: Time::ZERO,
            waited: 0,
            told: 0,
            awaited: None,
            was_short: true,
            turn: 0,
        }
    }

    /// The sender is told at this moment that it may send up to `granted`.
    pub(crate) fn tell(&mut self, granted: u64, now: Time) {
        if self.told == 0 {
            (self.began, self.arrived) = (now, now);
        }
        self.awaited.get_or_insert((self.told, now));
        self.told = granted;
    }

    /// Elements came, up to `received`; a consumer that is `idle` had used up all before them.
    pub(crate) fn arrive(&mut self, received: u64, idle: bool, now: Time, way: &mut RoundTrip) {
        if idle {
            self.waited = self.waited.max(now.micros_since(self.arrived));
        }
        self.arrived = now;
        if let Some((_, granted)) = self.awaited.take_if(|(before, _)| received > *before) {
            way.saw(now.micros_since(granted));
        }
    }

    /// Whether all of it is consumed.
    pub(crate) const fn is_over(&self, consumed: u64) -> bool {
        consumed >= self.to
    }

    /// Whether it took no longer than a quick consumer and a near sender need.
    pub(crate) const fn is_quick(&self, now: Time) -> bool {
        now.micros_since(self.began) < QUICK_MICROS
    }

    /// The window that would keep a sender going, where this one was too narrow for that.
    pub(crate) fn wanted(&self, consumed: u64, now: Time, way: RoundTrip) -> Option<u64> {
        let horizon = way.horizon()?;
        let took = now.micros_since(self.began);
        let busy = took.saturating_sub(self.waited).max(1);
        let bytes = u128::from(consumed.saturating_sub(self.from));
        let wanted = bytes.saturating_mul(u128::from(horizon)).checked_div(u128::from(busy))?;
        (took < horizon).then(|| u64::try_from(wanted).unwrap_or(u64::MAX))
    }

    /// Whether the sender may have waited for credit. So it is taken to be until a flight tells.
    pub(crate) const fn was_short(&self) -> bool {
        self.was_short
    }

    /// It is over, and would have had to be as wide as that.
    pub(crate) fn end(&mut self, wanted: Option<u64>, width: u64) {
        self.was_short = wanted.is_some_and(|wanted| wanted > width);
    }

    /// The next one begins, and is over when all up to `to` is consumed.
    pub(crate) const fn restart(&mut self, consumed: u64, to: u64, now: Time) {
        (self.began, self.from, self.to, self.waited) = (now, consumed, to, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;

    fn at(micros: u64) -> Time {
        Time::from_micros(micros)
    }

    /// A flight of 100 bytes of which the sender was told at the origin.
    fn told() -> Flight {
        let mut flight = Flight::start(100);
        flight.tell(100, at(0));
        flight
    }

    /// The same, of which the first come at one moment and the last at another.
    fn wanted(first: u64, last: u64) -> Option<u64> {
        let mut way = RoundTrip::UNKNOWN;
        way.saw(100 * MS);
        let mut flight = told();
        flight.arrive(1, true, at(first), &mut way);
        flight.arrive(100, true, at(last), &mut way);
        assert!(!flight.is_over(99) && flight.is_over(100));
        flight.wanted(100, at(last), way)
    }

    #[test]
    fn what_came_at_once_behind_a_long_wait_wants_two_round_trips_of_that_rate() {
        assert_eq!(wanted(100 * MS, 102 * MS), Some(100 * 200 / 2));
        assert_eq!(wanted(100 * MS, 150 * MS), Some(100 * 200 / 50));
        assert!(wanted(100 * MS, 100 * MS) > Some(1 << 20), "no line is as fast as that");
    }

    #[test]
    fn a_window_that_lasts_for_two_round_trips_is_wide_enough() {
        assert_eq!(wanted(100 * MS, 200 * MS), None);
        assert_eq!(wanted(1_000 * MS, 1_001 * MS), None, "the source was slow");
    }

    #[test]
    fn a_sender_that_is_near_is_granted_a_millisecond_ahead() {
        let mut way = RoundTrip::UNKNOWN;
        way.saw(20);
        let flight = told();
        assert_eq!(flight.wanted(100, at(50), way), Some(100 * 1_000 / 50));
        assert_eq!(flight.wanted(100, at(999), way), Some(100 * 1_000 / 999));
        assert_eq!(flight.wanted(100, at(1_000), way), None);
    }

    #[test]
    fn a_sender_that_is_near_needs_two_round_trips_of_its_millisecond() {
        for (round_trip, least) in [(20, 40), (250, 500), (500, 1_000), (100 * MS, 1_000)] {
            let mut way = RoundTrip::UNKNOWN;
            way.saw(round_trip);
            assert_eq!(way.least(1_000), least, "with round trips of {round_trip} us");
        }
        assert_eq!(RoundTrip::UNKNOWN.least(1_000), 1_000);
    }

    #[test]
    fn nothing_is_wanted_before_the_round_trip_is_known() {
        let flight = told();
        assert_eq!(flight.wanted(100, at(1), RoundTrip::UNKNOWN), None);
    }

    #[test]
    fn the_round_trip_is_the_shortest_between_a_grant_and_what_it_allowed() {
        let mut way = RoundTrip::UNKNOWN;
        let mut flight = told();
        flight.arrive(50, true, at(90 * MS), &mut way);
        assert_eq!(way, RoundTrip(Some(90 * MS)));
        flight.tell(200, at(100 * MS));
        flight.tell(300, at(110 * MS));
        flight.arrive(100, true, at(120 * MS), &mut way);
        assert_eq!(way, RoundTrip(Some(90 * MS)), "that was granted before");
        flight.arrive(101, true, at(150 * MS), &mut way);
        assert_eq!(way, RoundTrip(Some(50 * MS)));
    }
}
