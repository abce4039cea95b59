//! How much a link sets aside for what it receives: more where much moves over a long line.
//!
//! On a long line most of what is granted is under way and not in memory, unless its reader stands
//! still. So more than the limit is granted only to readers that do not: twice what they took in
//! the last round trip, beside what those hold that took nothing.

use super::budget::LEFT_TO_OTHERS;
use crate::time::Time;

/// What was taken is counted for so many microseconds at least: nobody needs it more often.
const COUNT_MICROS: u64 = 1_000;

/// The limit on what a link may have outstanding, as it is now.
#[derive(Debug)]
pub(crate) struct Need {
    /// What there is without any need.
    least: u64,
    most: u64,
    limit: u64,
    /// The present count: its number, when it began, what has been taken since, and what those
    /// streams have outstanding that took some.
    turn: u64,
    began: Time,
    taken: u64,
    moving: u64,
}

impl Need {
    pub(super) fn new(least: u64, most: u64) -> Self {
        let most = most.max(least);
        Self { least, most, limit: least, turn: 1, began: Time::ZERO, taken: 0, moving: 0 }
    }

    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) const fn least(&self) -> u64 {
        self.least
    }

    /// A stream took some that had `outstanding` before and took part in that `turn` last. Gives
    /// the present turn.
    pub(super) const fn take(&mut self, bytes: u64, outstanding: u64, turn: u64) -> u64 {
        if turn != self.turn {
            self.moving = self.moving.saturating_add(outstanding);
        }
        self.taken = self.taken.saturating_add(bytes);
        self.turn
    }

    /// What a stream has outstanding has changed that took part in that turn last.
    pub(super) const fn replace(&mut self, before: u64, after: u64, turn: u64) {
        if turn == self.turn {
            self.moving = self.moving.saturating_sub(before).saturating_add(after);
        }
    }

    /// Time has passed, of which a round trip takes `round_trip` microseconds, on a link with so
    /// much outstanding.
    pub(super) fn pass(&mut self, now: Time, round_trip: u64, outstanding: u64) {
        let elapsed = now.micros_since(self.began);
        let period = round_trip.max(COUNT_MICROS);
        if elapsed < period {
            return;
        }
        let periods = elapsed.checked_div(period).unwrap_or(0);
        self.limit = self.needed(elapsed, round_trip, outstanding, periods);
        (self.began, self.taken, self.moving) = (now, 0, 0);
        self.turn = self.turn.saturating_add(1);
    }

    fn needed(&self, elapsed: u64, round_trip: u64, outstanding: u64, periods: u64) -> u64 {
        let idle = outstanding.saturating_sub(self.moving);
        let part = u128::from(self.taken).saturating_mul(u128::from(round_trip));
        let taken = part.checked_div(u128::from(elapsed)).unwrap_or(0);
        let twice = u64::try_from(taken).unwrap_or(u64::MAX).saturating_mul(2);
        // Less than that is what is left to others in any case.
        let is_long = twice >= self.least / LEFT_TO_OTHERS;
        let wanted = if is_long { idle.saturating_add(twice) } else { 0 };
        // A pause costs half of it for each round trip. What was granted cannot be taken back, and
        // who comes beside that finds some.
        let halved = self.limit.checked_shr(u32::try_from(periods).unwrap_or(u32::MAX));
        let beside = outstanding.saturating_add(outstanding / (LEFT_TO_OTHERS - 1)).min(self.limit);
        wanted.max(halved.unwrap_or(0)).max(beside).clamp(self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    /// A round trip, in microseconds.
    const LONG: u64 = 200_000;

    fn need() -> Need {
        Need::new(16 * MIB, 64 * MIB)
    }

    /// So many round trips, in each of which one stream takes so much of what it has outstanding,
    /// beside `idle` that others have.
    fn pass(need: &mut Need, trips: u64, taken: u64, outstanding: u64, idle: u64) -> u64 {
        for _ in 0..trips {
            need.take(taken, outstanding, 0);
            let now = Time::from_micros(need.began.micros() + LONG);
            need.pass(now, LONG, outstanding + idle);
        }
        need.limit() / MIB
    }

    #[test]
    fn what_moves_in_a_round_trip_is_needed_twice() {
        assert_eq!(pass(&mut need(), 1, 14 * MIB, 14 * MIB, 0), 28);
        assert_eq!(pass(&mut need(), 1, 8 * MIB, 14 * MIB, 0), 16, "never less than that");
        assert_eq!(pass(&mut need(), 9, 40 * MIB, 40 * MIB, 0), 64, "never more than that");
        assert_eq!(
            pass(&mut need(), 1, 10 * MIB, 10 * MIB, 4 * MIB),
            24,
            "beside what stands still"
        );
    }

    #[test]
    fn what_stands_still_widens_nothing() {
        assert_eq!(pass(&mut need(), 99, 0, 0, 16 * MIB), 16);
        // As little is left to others in any case.
        assert_eq!(pass(&mut need(), 99, MIB - 1, MIB, 15 * MIB), 16);
    }

    #[test]
    fn it_shrinks_when_credit_comes_back() {
        let mut need = need();
        assert_eq!(pass(&mut need, 1, 28 * MIB, 28 * MIB, 0), 56);
        assert_eq!(pass(&mut need, 9, 0, 42 * MIB, 0), 48, "an eighth is left to others");
        assert_eq!(pass(&mut need, 1, 0, 0, 0), 24, "half of it for each round trip");
        assert_eq!(pass(&mut need, 1, 0, 0, 0), 16);
    }

    #[test]
    fn a_short_line_needs_no_more_than_there_is() {
        let mut need = need();
        // 3 GB/s with 50 us: no round trip brings more than 160 KB.
        for ms in 1..1_000 {
            need.take(3 * MIB, 3 * MIB, 0);
            need.pass(Time::from_micros(ms * 1_000), 50, 16 * MIB);
            assert_eq!(need.limit(), 16 * MIB);
        }
    }
}
