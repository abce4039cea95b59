//! Recognises a reader who goes through data in equal strides.

use std::ops::Range;

/// Places in line after which the next ones are expected: three, so two strides.
const STRIDES: u64 = 2;
/// The most runs that are expected at a time.
const MAX_RUNS: u64 = 8;
/// The most bytes of all of them together.
const MAX_BYTES: u64 = 1 << 20;

/// What lies between two seeks is a run, and from the start of one to the start of the next is a
/// stride. The longer equal ones follow one another, the more of them are expected.
#[derive(Debug, Default)]
pub(super) struct Strides {
    /// Where the present run began, if that is known.
    from: Option<u64>,
    stride: i64,
    /// Bytes of a run: the longest since the strides are equal.
    length: u64,
    /// Equal strides in a row.
    equal: u64,
}

impl Strides {
    /// The first run begins here, unless one is under way.
    pub(super) fn begin(&mut self, at: u64) {
        self.from.get_or_insert(at);
    }

    /// The present run ended at `end`, with a seek to `to`.
    pub(super) fn turn(&mut self, end: u64, to: u64) {
        let Some(from) = self.from.replace(to) else { return };
        let length = end.saturating_sub(from);
        let stride = i128::from(to) - i128::from(from);
        let stride = i64::try_from(stride).unwrap_or_default();
        if length == 0 || stride == 0 {
            self.equal = 0;
        } else if stride == self.stride && are_alike(length, self.length) {
            self.equal = self.equal.saturating_add(1);
            self.length = length.max(self.length);
        } else {
            (self.equal, self.stride, self.length) = (1, stride, length);
        }
    }

    /// Whether anything is expected.
    pub(super) const fn are_equal(&self) -> bool {
        self.equal >= STRIDES
    }

    /// The runs that are expected behind the present one, the next first.
    pub(super) fn expected(&self) -> impl Iterator<Item = Range<u64>> {
        let fit = MAX_BYTES.checked_div(self.length).unwrap_or_default();
        let count = if self.are_equal() { self.equal.min(MAX_RUNS).min(fit) } else { 0 };
        let places = (1..=count).map_while(|n| {
            let away = self.stride.checked_mul(i64::try_from(n).ok()?)?;
            self.from?.checked_add_signed(away)
        });
        places.map_while(|at| Some(at..at.checked_add(self.length)?))
    }
}

/// Whether neither is more than twice the other.
const fn are_alike(a: u64, b: u64) -> bool {
    a <= b.saturating_mul(2) && b <= a.saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is expected after runs from these places, each of its length, and then at a last one.
    fn expected(runs: &[(u64, u64)], last: u64) -> Vec<Range<u64>> {
        let mut strides = Strides::default();
        strides.begin(runs[0].0);
        let places = runs[1..].iter().map(|run| run.0).chain([last]);
        for (&(at, length), to) in runs.iter().zip(places) {
            strides.turn(at + length, to);
        }
        strides.expected().collect()
    }

    #[test]
    fn three_places_in_line_make_the_next_two_expected() {
        assert_eq!(expected(&[(100, 10)], 1_100), []);
        assert_eq!(
            expected(&[(100, 10), (1_100, 10)], 2_100),
            [3_100..3_110, 4_100..4_110],
            "as many as there were strides"
        );
    }

    #[test]
    fn backwards_ends_at_zero() {
        assert_eq!(expected(&[(2_500, 10), (2_000, 10), (1_500, 10)], 1_000), [500..510, 0..10]);
    }

    #[test]
    fn lengths_may_vary_and_the_longest_is_expected() {
        assert_eq!(expected(&[(0, 60), (1_000, 100)], 2_000), [3_000..3_100, 4_000..4_100]);
        assert_eq!(expected(&[(0, 40), (1_000, 100)], 2_000), [], "too different");
    }

    #[test]
    fn another_stride_and_a_run_without_a_byte_end_it() {
        assert_eq!(expected(&[(0, 10), (1_000, 10), (2_000, 10)], 3_001), []);
        assert_eq!(expected(&[(0, 10), (1_000, 10), (2_000, 0)], 3_000), []);
    }

    #[test]
    fn what_is_expected_is_bounded() {
        let many: Vec<_> = (0..50).map(|n| (n * 1_000, 10)).collect();
        assert_eq!(expected(&many, 50_000).len(), 8);
        let large: Vec<_> = (0..50).map(|n| (n << 30, 300 << 10)).collect();
        assert_eq!(expected(&large, 50 << 30).len(), 3);
        let huge: Vec<_> = (0..50).map(|n| (n << 30, 2 << 20)).collect();
        assert_eq!(expected(&huge, 50 << 30), []);
    }
}
