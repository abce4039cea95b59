//! How often something happened and how long it took, in a fixed space.

use std::time::Duration;

/// Durations are told apart up to a factor of two: bucket `n` holds those below `2^n` microseconds
/// that no bucket before it holds, and the last one everything above.
const BUCKETS: usize = 40;

/// How often something happened, and how long it took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// How often.
    pub count: u64,
    /// How many of these did not succeed: failed, refused or cancelled.
    pub errors: u64,
    /// The shortest time. Zero while nothing was counted.
    pub min: Duration,
    /// The longest time.
    pub max: Duration,
    total: Duration,
    buckets: [u64; BUCKETS],
}

impl Default for Figures {
    fn default() -> Self {
        let zero = Duration::ZERO;
        let buckets = [0; BUCKETS];
        Self { count: 0, errors: 0, min: zero, max: zero, total: zero, buckets }
    }
}

impl Figures {
    pub(super) fn count(&mut self, took: Duration, failed: bool) {
        self.min = if self.count == 0 { took } else { self.min.min(took) };
        self.max = self.max.max(took);
        self.count += 1;
        self.errors += u64::from(failed);
        self.total = self.total.saturating_add(took);
        if let Some(bucket) = self.buckets.get_mut(bucket_of(took)) {
            *bucket += 1;
        }
    }

    /// The time that it took on average. Zero while nothing was counted.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let nanos = self.total.as_nanos().checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The time within which this share of all was done, such as 0.5 or 0.99. At most twice the
    /// true one, and never above [`Figures::max`].
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (share.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return below(bucket).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// How many took less than a time, and that time, for all times that tell any apart.
    pub fn histogram(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counted = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        counted.map(|(bucket, count)| (below(bucket), *count))
    }
}

fn bucket_of(took: Duration) -> usize {
    let micros = took.as_micros();
    let bits = (u128::BITS - micros.leading_zeros()) as usize;
    bits.min(BUCKETS - 1)
}

fn below(bucket: usize) -> Duration {
    if bucket + 1 >= BUCKETS { Duration::MAX } else { Duration::from_micros(1 << bucket) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn figures(times: impl IntoIterator<Item = Duration>) -> Figures {
        let mut figures = Figures::default();
        times.into_iter().for_each(|took| figures.count(took, false));
        figures
    }

    #[test]
    fn nothing_counted_is_all_zero() {
        let none = Figures::default();
        assert_eq!((none.min, none.mean(), none.max), Default::default());
        assert_eq!(none.quantile(0.5), Duration::ZERO);
        assert_eq!(none.histogram().count(), 0);
    }

    #[test]
    fn quantiles_are_right_up_to_a_factor_of_two() {
        let figures = figures((1..=1000).map(|n| n * MILLI));
        assert_eq!((figures.min, figures.max, figures.count), (MILLI, 1000 * MILLI, 1000));
        assert_eq!(figures.mean(), Duration::from_micros(500_500));
        for (share, truth) in [(0.0, 1), (0.01, 10), (0.5, 500), (0.99, 990), (1.0, 1000)] {
            let found = figures.quantile(share);
            assert!(found >= truth * MILLI && found <= 2 * truth * MILLI, "{share}: {found:?}");
        }
    }

    #[test]
    fn times_without_bounds_are_counted() {
        let figures = figures([Duration::ZERO, Duration::MAX, Duration::MAX]);
        assert_eq!((figures.min, figures.max), (Duration::ZERO, Duration::MAX));
        assert_eq!(figures.quantile(0.99), Duration::MAX);
        assert_eq!(figures.histogram().map(|(_, count)| count).sum::<u64>(), 3);
    }
}
