//! How far ahead of its consumer a byte stream is sent at first after a seek.
//!
//! What lies between two seeks is a run. A consumer who leaves again and again after a little is
//! expected to do so once more, so the next run is granted about what the longer of the last two
//! took. One short run says nothing: headers and trailers are read like that before the rest.

use farlens_wire::Position;

/// Credit is a multiple of this.
const UNIT_BYTES: u64 = 4 << 10;
/// The least credit of a run.
const LEAST_BYTES: u64 = 2 * UNIT_BYTES;

/// The runs of one consumer, in bytes.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Where the present one began.
    from: Position,
    /// How long the last two were.
    last: [u64; 2],
}

impl Default for Runs {
    /// Of whom nothing is known may read on for ever.
    fn default() -> Self {
        Self { from: Position::ZERO, last: [u64::MAX; 2] }
    }
}

impl Runs {
    /// A run begins here.
    pub(crate) const fn begin(&mut self, at: Position) {
        self.from = at;
    }

    /// The present run ended here, with a seek. One without a byte is none.
    pub(crate) const fn end(&mut self, at: Position) {
        let length = at.since(self.from);
        if length > 0 {
            self.last = [self.last[1], length];
        }
        self.from = at;
    }

    /// Bytes to grant to the next run: half as much again as is expected, for runs that vary.
    pub(crate) fn expected(&self) -> u64 {
        let longer = self.last[0].max(self.last[1]);
        let bytes = longer.saturating_add(longer / 2);
        bytes.checked_next_multiple_of(UNIT_BYTES).unwrap_or(u64::MAX).max(LEAST_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lengths: &[u64]) -> u64 {
        let mut runs = Runs::default();
        for (index, &length) in lengths.iter().enumerate() {
            let from = Position::new(index as u64 * 1_000_000_007).unwrap();
            runs.begin(from);
            runs.end(from.forward(length).unwrap());
        }
        runs.expected()
    }

    #[test]
    fn two_short_runs_make_a_third_expected() {
        assert_eq!(after(&[]), u64::MAX);
        assert_eq!(after(&[4096]), u64::MAX, "this may be a header");
        assert_eq!(after(&[4096, 4096]), 8192);
        assert_eq!(after(&[1, 1, 1]), LEAST_BYTES);
    }

    #[test]
    fn the_longer_of_the_last_two_counts() {
        assert_eq!(after(&[1, 20_000, 4096]), 32_768);
        assert_eq!(after(&[20_000, 4096, 4096]), 8192);
        assert_eq!(after(&[4096, 4096, 3 << 20]), 9 << 19);
    }

    #[test]
    fn a_run_without_a_byte_is_none() {
        assert_eq!(after(&[4096, 0, 0, 4096, 0]), 8192);
        assert_eq!(after(&[0, 0, 0]), u64::MAX);
    }
}
