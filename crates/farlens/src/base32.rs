//! The one alphabet of words that people copy: RFC 4648 base32, lower case, no padding.
//!
//! Reading ignores case and says which letter is wrong.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE, DecodeKind};

/// Why a word is not base32. Positions count bytes of the word from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base32Error {
    /// This byte is outside the alphabet.
    Letter(usize),
    /// No encoder ends like this: letters are missing, or the last one is wrong.
    End,
}

/// The word for these bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// The bytes of this word, in either case.
pub(crate) fn decode(word: &str) -> Result<Vec<u8>, Base32Error> {
    BASE32_NOPAD_NOCASE.decode(word.as_bytes()).map_err(|error| match error.kind {
        DecodeKind::Symbol => Base32Error::Letter(error.position),
        _ => Base32Error::End,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_the_rfc() {
        assert_eq!(encode(b"foobar"), "mzxw6ytboi");
        assert_eq!(decode("MZXW6ytboi"), Ok(b"foobar".to_vec()));
    }

    #[test]
    fn errors_name_the_letter() {
        assert_eq!(decode("mzx06ytboi"), Err(Base32Error::Letter(3)));
        assert_eq!(decode("mzxw6y"), Err(Base32Error::End));
        assert_eq!(decode("mzxw6ytboj"), Err(Base32Error::End));
    }
}
