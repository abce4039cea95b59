//! A hash for numbers that this process gives out, which nobody can choose so that they collide.

use std::hash::Hasher;

/// Spreads numbers that follow one another.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

/// 2^64 divided by the golden ratio, made odd.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // Tables look at both ends of a hash, and multiplying fills only the upper one well.
        self.0 = (self.0 ^ number).wrapping_mul(SPREAD).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
