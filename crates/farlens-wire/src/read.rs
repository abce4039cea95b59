//! A cursor over the input of one message, shared by all decoders.
//!
//! Lengths are checked against what is left before anything is taken, and numbers must be minimal.

use crate::{
    DecodeError,
    varint::{self, VarintError},
};

/// What is left of the input.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    #[inline]
    pub(crate) const fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Succeeds where the input is used up.
    #[inline]
    pub(crate) const fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (&first, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (first, rest) =
            self.rest.split_at_checked(len).ok_or(DecodeError::LengthBeyondInput)?;
        self.rest = rest;
        Ok(first)
    }

    /// A length and so many bytes.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.length()?;
        self.slice(len)
    }

    /// A length and so many bytes of UTF-8.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Utf8)
    }

    /// A length that is not yet compared with anything.
    #[inline]
    pub(crate) fn length(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.u64()?).map_err(|_| DecodeError::LengthBeyondInput)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first))
            }
            _ => self.long_u64(),
        }
    }

    fn long_u64(&mut self) -> Result<u64, DecodeError> {
        match varint::peek(self.rest) {
            Ok((value, used)) => {
                self.rest = self.rest.get(used..).unwrap_or_default();
                Ok(value)
            }
            Err(VarintError::Incomplete) => Err(DecodeError::Truncated),
            Err(VarintError::NotCanonical) => Err(DecodeError::NotCanonical),
        }
    }

    pub(crate) fn u128(&mut self) -> Result<u128, DecodeError> {
        let mut value = 0u128;
        for (index, &byte) in self.rest.iter().take(19).enumerate() {
            let shift = 7 * index as u32;
            if shift == 126 && byte > 3 {
                return Err(DecodeError::NotCanonical);
            }
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                let padded = byte == 0 && index > 0;
                return if padded { Err(DecodeError::NotCanonical) } else { Ok(value) };
            }
        }
        Err(DecodeError::Truncated)
    }

    #[inline]
    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        let folded = self.u64()?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    #[inline]
    pub(crate) fn i128(&mut self) -> Result<i128, DecodeError> {
        let folded = self.u128()?;
        Ok((folded >> 1) as i128 ^ -((folded & 1) as i128))
    }
}

#[inline]
pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
        return;
    }
    let (bytes, len) = varint::spread(value);
    let end = out.len() + len;
    // A copy of fixed length is two instructions.
    out.extend_from_slice(&bytes);
    out.truncate(end);
}

pub(crate) fn put_u128(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(crate) fn put_i128(out: &mut Vec<u8>, value: i128) {
    put_u128(out, ((value << 1) ^ (value >> 127)) as u128);
}

/// Appends a length and so many bytes.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_minimal_and_fit() {
        for (bytes, error) in [
            (&[][..], DecodeError::Truncated),
            (&[0x80], DecodeError::Truncated),
            (&[0x80, 0x00], DecodeError::NotCanonical),
            (&[0xff; 9], DecodeError::Truncated),
            (&[0xff; 11], DecodeError::NotCanonical),
        ] {
            assert_eq!(Reader::new(bytes).u64(), Err(error), "{bytes:x?}");
        }
        assert_eq!(Reader::new(&[0x80, 0x00]).u128(), Err(DecodeError::NotCanonical));
        assert_eq!(Reader::new(&[0xff; 20]).u128(), Err(DecodeError::NotCanonical));
        assert_eq!(Reader::new(&[0xff; 18]).u128(), Err(DecodeError::Truncated));
    }

    proptest! {
        #[test]
        fn numbers_come_back(a: u64, b: i64, c: u128, d: i128) {
            let mut out = Vec::new();
            put_u64(&mut out, a);
            put_i64(&mut out, b);
            put_u128(&mut out, c);
            put_i128(&mut out, d);
            prop_assert_eq!(&out, &postcard::to_stdvec(&(a, b, c, d)).unwrap());
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.u64(), Ok(a));
            prop_assert_eq!(reader.i64(), Ok(b));
            prop_assert_eq!(reader.u128(), Ok(c));
            prop_assert_eq!(reader.i128(), Ok(d));
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }
}
