//! Canonical variable-length integers: seven bits a byte, least significant group first.
//!
//! The same shape as postcard's `u64`, with one addition: an encoding that is longer than needed
//! is refused, so that every value has exactly one encoding.

use bytes::BufMut;

/// The longest encoding of a 64-bit value, in bytes.
pub const MAX_LEN: usize = 10;

/// Why the bytes at hand are not a varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VarintError {
    /// The input ended inside the number; more bytes may complete it.
    Incomplete,
    /// The number is longer than necessary, longer than ten bytes or larger than 64 bits.
    NotCanonical,
}

/// The first bit of each byte of a word: whether another byte follows.
const GOES_ON: u64 = 0x8080_8080_8080_8080;

/// Appends `value`, one to ten bytes.
#[inline]
pub fn put(out: &mut impl BufMut, value: u64) {
    if value < 0x80 {
        out.put_u8(value as u8);
    } else {
        let (bytes, len) = spread(value);
        out.put_slice(bytes.get(..len).unwrap_or_default());
    }
}

/// The encoding of `value` with zeros behind it, and its length in bytes.
#[inline]
pub(crate) const fn spread(value: u64) -> ([u8; 16], usize) {
    // Groups of seven bits move into bytes of their own: of eight groups first four, then two.
    let mut low = value & ((1 << 56) - 1);
    low = (low & 0x0fff_ffff) | (low & !0x0fff_ffff) << 4;
    low = (low & 0x0000_3fff_0000_3fff) | (low & 0x0fff_c000_0fff_c000) << 2;
    low = (low & 0x007f_007f_007f_007f) | (low & 0x3f80_3f80_3f80_3f80) << 1;
    let word = low as u128 | (((value >> 56) & 0x7f) as u128) << 64 | ((value >> 63) as u128) << 72;
    let len = len(value);
    // All bytes but the last say that another one follows.
    let follow = (1u128 << (8 * (len - 1))) - 1;
    let more = (GOES_ON as u128) << 64 | GOES_ON as u128;
    ((word | more & follow).to_le_bytes(), len)
}

/// The encoded length of `value`, in bytes.
#[must_use]
pub const fn len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Reads one number from the front of `input` and says how many bytes it took.
///
/// # Errors
/// [`VarintError::Incomplete`] where more bytes are needed, [`VarintError::NotCanonical`] where no
/// further byte could help.
#[inline]
pub fn peek(input: &[u8]) -> Result<(u64, usize), VarintError> {
    match *input {
        [first, ..] if first < 0x80 => Ok((u64::from(first), 1)),
        [low, high, ..] if high.wrapping_sub(1) < 0x7f => {
            Ok((u64::from(low & 0x7f) | u64::from(high) << 7, 2))
        }
        _ => peek_long(input),
    }
}

fn peek_long(input: &[u8]) -> Result<(u64, usize), VarintError> {
    let Some(&head) = input.first_chunk::<8>() else { return peek_bytewise(input) };
    let word = u64::from_le_bytes(head);
    let ends = !word & GOES_ON;
    if ends == 0 {
        return peek_longest(gather(word), input.get(8..).unwrap_or_default());
    }
    // What lies behind the last byte is cut off.
    let word = word & (ends ^ (ends - 1));
    let used = ends.trailing_zeros() as usize / 8 + 1;
    let value = gather(word);
    // A last byte without a bit is one too many.
    if used > 1 && value >> (7 * (used - 1)) == 0 {
        return Err(VarintError::NotCanonical);
    }
    Ok((value, used))
}

/// What eight bytes say and those behind them, the first of which belongs to the same number.
fn peek_longest(value: u64, behind: &[u8]) -> Result<(u64, usize), VarintError> {
    match *behind {
        [] => Err(VarintError::Incomplete),
        [last @ 1..0x80, ..] => Ok((value | u64::from(last) << 56, 9)),
        [0, ..] => Err(VarintError::NotCanonical),
        [_] => Err(VarintError::Incomplete),
        [ninth, 1, ..] => Ok((value | u64::from(ninth & 0x7f) << 56 | 1 << 63, 10)),
        _ => Err(VarintError::NotCanonical),
    }
}

/// Seven bits of each byte of a word, close together.
#[inline]
const fn gather(word: u64) -> u64 {
    let word = word & !GOES_ON;
    let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
    (word & 0x0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4
}

fn peek_bytewise(input: &[u8]) -> Result<(u64, usize), VarintError> {
    let mut value = 0u64;
    for (index, &byte) in input.iter().take(MAX_LEN).enumerate() {
        let group = u64::from(byte & 0x7f);
        let shift = 7 * index as u32;
        if shift == 63 && group > 1 {
            return Err(VarintError::NotCanonical);
        }
        value |= group << shift;
        if byte & 0x80 == 0 {
            let padded = byte == 0 && index > 0;
            return if padded { Err(VarintError::NotCanonical) } else { Ok((value, index + 1)) };
        }
    }
    if input.len() < MAX_LEN {
        Err(VarintError::Incomplete)
    } else {
        Err(VarintError::NotCanonical)
    }
}

/// Takes one number off the front of `input`.
///
/// # Errors
/// As [`peek`]; `input` is unchanged then.
pub fn take(input: &mut &[u8]) -> Result<u64, VarintError> {
    let (value, used) = peek(input)?;
    *input = input.get(used..).unwrap_or_default();
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_longer_than_needed() {
        for bytes in [&[0x80, 0x00][..], &[0xff, 0x80, 0x00], &[0xff; 11]] {
            assert_eq!(peek(bytes), Err(VarintError::NotCanonical), "{bytes:x?}");
        }
    }

    #[test]
    fn refuses_bits_beyond_the_sixty_fourth() {
        let mut bytes = [0xff; 10];
        bytes[9] = 0x02;
        assert_eq!(peek(&bytes), Err(VarintError::NotCanonical));
        bytes[9] = 0x01;
        assert_eq!(peek(&bytes), Ok((u64::MAX, 10)));
    }

    #[test]
    fn asks_for_more_when_cut() {
        assert_eq!(peek(&[]), Err(VarintError::Incomplete));
        assert_eq!(peek(&[0x80; 9]), Err(VarintError::Incomplete));
    }

    proptest! {
        #[test]
        fn words_are_read_as_bytes_are(input in prop::collection::vec(any::<u8>(), 0..12)) {
            prop_assert_eq!(peek(&input), peek_bytewise(&input));
        }

        #[test]
        fn words_end_as_bytes_do(
            input in prop::collection::vec(prop_oneof![0u8..3, 0x7eu8..0x82, 0x80u8..], 0..12),
        ) {
            prop_assert_eq!(peek(&input), peek_bytewise(&input));
        }

        #[test]
        fn round_trips(bits in 0u32..64, value: u64) {
            let value = value >> bits;
            let mut out = Vec::new();
            put(&mut out, value);
            prop_assert_eq!(out.len(), len(value));
            prop_assert_eq!(peek(&out), Ok((value, out.len())));
            prop_assert_eq!(peek(&[&out[..], &[0xff; 9]].concat()), Ok((value, out.len())));
            prop_assert_eq!(postcard::to_stdvec(&value).unwrap(), out);
        }
    }
}
