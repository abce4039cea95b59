//! Test data as a function of its position, so that a wrong element shows itself anywhere.

use crate::rng::mix;
use bytes::Bytes;

/// The byte at a position of the stream with this seed.
#[must_use]
pub fn byte(seed: u64, at: u64) -> u8 {
    (mix(seed ^ (at >> 3)) >> ((at & 7) * 8)) as u8
}

/// A run of bytes.
#[must_use]
pub fn bytes(seed: u64, from: u64, length: usize) -> Bytes {
    let mut out = Vec::with_capacity(length + 8);
    let mut word = from >> 3;
    let skip = (from & 7) as usize;
    while out.len() < length + skip {
        out.extend_from_slice(&mix(seed ^ word).to_le_bytes());
        word += 1;
    }
    Bytes::from(out).slice(skip..skip + length)
}

/// How large the entities of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// Up to 40 bytes, some empty.
    Small,
    /// Mostly small, one in eight up to so many bytes.
    UpTo(usize),
    /// Small ones, some beyond a frame of 64 KiB, and some just below a message of 1 MiB.
    Large,
}

/// The length of the entity at a position, in bytes.
#[must_use]
pub fn entity_len(seed: u64, at: u64, sizes: Sizes) -> usize {
    let dice = mix(seed ^ mix(at));
    let amount = (dice >> 8) as usize;
    match (sizes, dice % 16) {
        (Sizes::Small, _) => amount % 41,
        (Sizes::UpTo(most), 0 | 1) => amount % (most + 1),
        (Sizes::Large, 0) => (1 << 20) - amount % 3,
        (Sizes::Large, 1 | 2) => (64 << 10) - 40 + amount % 80,
        (Sizes::Large, 3) => amount % (300 << 10),
        _ => amount % 24,
    }
}

/// The body of the entity at a position.
#[must_use]
pub fn entity(seed: u64, at: u64, sizes: Sizes) -> Bytes {
    bytes(mix(seed).wrapping_add(at), 0, entity_len(seed, at, sizes))
}

/// The offset of the first byte that is not the pattern's, if there is one.
#[must_use]
pub fn first_wrong_byte(seed: u64, at: u64, found: &[u8]) -> Option<u64> {
    if bytes(seed, at, found.len()) == found {
        return None;
    }
    (0..found.len() as u64).find(|&n| found[n as usize] != byte(seed, at + n))
}
