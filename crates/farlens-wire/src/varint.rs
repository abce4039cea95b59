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

/// Appends `value`, one to ten bytes.
pub fn put(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
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
pub fn peek(input: &[u8]) -> Result<(u64, usize), VarintError> {
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
        fn round_trips(value: u64) {
            let mut out = Vec::new();
            put(&mut out, value);
            prop_assert_eq!(out.len(), len(value));
            prop_assert_eq!(peek(&out), Ok((value, out.len())));
            prop_assert_eq!(postcard::to_stdvec(&value).unwrap(), out);
        }
    }
}
