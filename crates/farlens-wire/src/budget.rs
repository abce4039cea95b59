//! What decoding one message may use up: depth, elements and memory.
//!
//! A length in the input is a claim. Each claim is charged here before anything is allocated or
//! repeated for it, so that few bytes can cost neither much memory, nor much time, nor any stack.

use crate::{Code, Limits};
use std::fmt;

/// What is left for the message that is being decoded.
///
/// The numbers only ever fall, except that leaving a level gives its depth back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    depth: u32,
    elements: u64,
    cost: usize,
}

impl Budget {
    /// The full budget of one message under `limits`.
    #[inline]
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self { depth: limits.depth, elements: limits.elements as u64, cost: limits.cost_bytes }
    }

    /// For bytes that were already decoded once under a real budget.
    pub(crate) const fn spent_before() -> Self {
        Self::of_depth(u32::MAX)
    }

    /// For bytes of our own, of which only the nesting is in question.
    pub(crate) const fn of_depth(depth: u32) -> Self {
        Self { depth, elements: u64::MAX, cost: usize::MAX }
    }

    /// Levels that may still be entered.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Elements that may still be decoded.
    #[must_use]
    pub const fn elements(&self) -> u64 {
        self.elements
    }

    /// Memory that may still be used, in bytes.
    #[must_use]
    pub const fn cost(&self) -> usize {
        self.cost
    }

    /// Goes one level down.
    ///
    /// # Errors
    /// [`DecodeError::Depth`] at the deepest level.
    #[inline]
    pub fn enter(&mut self) -> Result<(), DecodeError> {
        self.depth = self.depth.checked_sub(1).ok_or(DecodeError::Depth)?;
        Ok(())
    }

    /// Goes back up; each call answers one successful [`Budget::enter`].
    #[inline]
    pub fn leave(&mut self) {
        self.depth += 1;
    }

    /// Charges the elements of a list or the entries of a map, all at once.
    ///
    /// # Errors
    /// [`DecodeError::Elements`] where fewer are left.
    #[inline]
    pub fn spend_elements(&mut self, count: u64) -> Result<(), DecodeError> {
        self.elements = self.elements.checked_sub(count).ok_or(DecodeError::Elements)?;
        Ok(())
    }

    /// Charges memory, in bytes.
    ///
    /// # Errors
    /// [`DecodeError::Cost`] where less is left.
    #[inline]
    pub fn spend_cost(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.cost = self.cost.checked_sub(bytes).ok_or(DecodeError::Cost)?;
        Ok(())
    }

    /// Charges `count` things of `each` bytes.
    pub(crate) fn spend_costs(&mut self, count: usize, each: usize) -> Result<(), DecodeError> {
        self.spend_cost(count.checked_mul(each).ok_or(DecodeError::Cost)?)
    }
}

/// Why bytes were not decoded. The sender is to blame, and only the message is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends inside a value.
    Truncated,
    /// A number is longer than needed or too large for its type.
    NotCanonical,
    /// Bytes follow the value.
    Trailing,
    /// Text that is not UTF-8.
    Utf8,
    /// A byte that must be zero or one and is neither.
    BadBool,
    /// Text that is not exactly one character where one was due.
    BadChar,
    /// A number that stands for no kind of value, no type or no variant.
    BadTag,
    /// A length that exceeds the rest of the input.
    LengthBeyondInput,
    /// Two keys of a map, or two fields of a record, are the same.
    DuplicateKey,
    /// A key of a map is NaN, a reference or a compound value.
    BadKey,
    /// An unsigned number beyond 2^127-1, which no [`Entity`](crate::Entity) holds.
    IntTooLarge,
    /// Nesting beyond [`Limits::depth`].
    Depth,
    /// More elements than [`Limits::elements`].
    Elements,
    /// More memory than [`Limits::cost_bytes`].
    Cost,
    /// An index beyond the table of references beside the value.
    NoSuchReference,
    /// The reader asked the bytes for their type, which typed bytes do not tell.
    NotSelfDescribing,
    /// The reader's type refused a value that was well encoded.
    Refused(Box<str>),
}

impl DecodeError {
    /// [`Code::DECODE_LIMIT`] where a limit was hit, [`Code::MALFORMED`] otherwise.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Depth | Self::Elements | Self::Cost => Code::DECODE_LIMIT,
            _ => Code::MALFORMED,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the input ends inside a value",
            Self::NotCanonical => "a number is longer than needed or too large for its type",
            Self::Trailing => "bytes follow the value",
            Self::Utf8 => "text is not UTF-8",
            Self::BadBool => "a bool is neither 0 nor 1",
            Self::BadChar => "a char is not exactly one character",
            Self::BadTag => "a tag stands for nothing known",
            Self::LengthBeyondInput => "a length exceeds the rest of the input",
            Self::DuplicateKey => "a key occurs twice",
            Self::BadKey => "a key is NaN, a reference or a compound value",
            Self::IntTooLarge => "an integer exceeds 2^127-1",
            Self::Depth => "nesting exceeds Limits::depth",
            Self::Elements => "the elements exceed Limits::elements",
            Self::Cost => "the decoded size exceeds Limits::cost_bytes",
            Self::NoSuchReference => "a reference points beyond its table",
            Self::NotSelfDescribing => "the bytes do not tell their type",
            Self::Refused(reason) => reason,
        })
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    #[cold]
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Refused(reason.to_string().into_boxed_str())
    }
}

/// Why a value was not encoded. The caller is to blame, and nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// Nesting beyond the depth that receivers accept.
    Depth,
    /// Two keys of a map, or two fields of a record, are the same.
    DuplicateKey,
    /// A key of a map is NaN, a reference or a compound value.
    BadKey,
    /// A sequence or map whose length its `Serialize` does not tell beforehand.
    LengthUnknown,
    /// A sequence, map, tuple or structure with more or fewer parts than it announced, as made by
    /// `skip_serializing_if`.
    LengthWrong,
    /// More references in one message than [`Limits::REFERENCES`].
    References,
    /// A reference where no table of references goes with the value.
    ReferenceMisplaced,
    /// The value's own `Serialize` failed.
    Refused(Box<str>),
}

impl EncodeError {
    /// [`Code::DECODE_LIMIT`] for depth, [`Code::MALFORMED`] otherwise.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Depth => Code::DECODE_LIMIT,
            _ => Code::MALFORMED,
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Depth => "the value is nested more deeply than Limits::depth",
            Self::DuplicateKey => "a key occurs twice",
            Self::BadKey => "a key is NaN, a reference or a compound value",
            Self::LengthUnknown => "a sequence or map does not tell its length beforehand",
            Self::References => "a message carries more than 128 references",
            Self::ReferenceMisplaced => "references cannot be carried here",
            Self::LengthWrong => "a value has more or fewer parts than it announced",
            Self::Refused(reason) => reason,
        })
    }
}

impl std::error::Error for EncodeError {}

impl serde::ser::Error for EncodeError {
    #[cold]
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Refused(reason.to_string().into_boxed_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_to_the_last_unit() {
        let limits = Limits { depth: 2, elements: 3, cost_bytes: 5, ..Limits::default() };
        let mut budget = Budget::new(&limits);
        assert!(budget.enter().is_ok() && budget.enter().is_ok());
        assert_eq!(budget.enter(), Err(DecodeError::Depth));
        budget.leave();
        assert_eq!(budget.enter(), Ok(()));
        assert_eq!(budget.spend_elements(4), Err(DecodeError::Elements));
        assert_eq!(budget.spend_elements(3), Ok(()));
        assert_eq!(budget.spend_costs(usize::MAX, 2), Err(DecodeError::Cost));
        assert_eq!(budget.spend_cost(5), Ok(()));
        assert_eq!(budget.spend_cost(1), Err(DecodeError::Cost));
    }

    #[test]
    fn limits_have_their_own_code_and_are_named() {
        for (error, name) in [
            (DecodeError::Depth, "Limits::depth"),
            (DecodeError::Elements, "Limits::elements"),
            (DecodeError::Cost, "Limits::cost_bytes"),
        ] {
            assert_eq!(error.code(), Code::DECODE_LIMIT);
            assert!(error.to_string().contains(name), "{error}");
        }
        assert_eq!(DecodeError::Trailing.code(), Code::MALFORMED);
    }
}
