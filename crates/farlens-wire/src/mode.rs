//! What a stream allows. A [`Mode`] that exists is valid: building one is checking it.
//!
//! The sixteen flags are those of the Versile stream model. The `*_CAN_*` flags describe the data,
//! whoever moves it; `CAN_MOVE_*` say that the holder of this stream may be the mover; the locks
//! say that nobody else is.

mod operation;

pub use operation::{Forbidden, Operation};

use serde::{Deserialize, Serialize};
use std::{fmt, ops};

/// A set of mode flags that nobody has judged yet.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u16);

macro_rules! flags {
    ($($name:ident = $bit:literal, $text:literal;)*) => {
        impl Flags {
            $(#[doc = $text] pub const $name: Self = Self(1 << $bit);)*

            /// Every flag with its name, in the order of the bits.
            pub const ALL: [(Self, &'static str); 16] = [$((Self::$name, stringify!($name)),)*];
        }
    };
}

flags! {
    READABLE = 0, "The peer may read.";
    WRITABLE = 1, "The peer may write.";
    START_BOUNDED = 2, "The data has a first position.";
    START_CAN_DEC = 3, "The first position may go down.";
    START_CAN_INC = 4, "The first position may go up.";
    CAN_MOVE_START = 5, "The peer of this stream may move the start.";
    END_BOUNDED = 6, "The data has an end.";
    END_CAN_DEC = 7, "The end may go down.";
    END_CAN_INC = 8, "The end may go up.";
    CAN_MOVE_END = 9, "The peer of this stream may move the end.";
    SEEK_REW = 10, "The peer may seek towards lower positions.";
    SEEK_FWD = 11, "The peer may seek towards higher positions.";
    FIXED_DATA = 12, "Nobody can change the data.";
    DATA_LOCK = 13, "Only this stream changes the data.";
    START_LOCK = 14, "Only this stream moves the start.";
    END_LOCK = 15, "Only this stream moves the end.";
}

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Seeking both ways.
    pub const SEEK: Self = Self(Self::SEEK_REW.0 | Self::SEEK_FWD.0);

    /// The set with these bits; every bit has a meaning.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The set as bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in this set.
    #[must_use]
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What is here and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (flag, name) in Self::ALL {
            if self.has(flag) {
                write!(f, "{between}{name}")?;
                between = " | ";
            }
        }
        if *self == Self::NONE { f.write_str("none") } else { Ok(()) }
    }
}

/// A set of flags that makes sense together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Mode(Flags);

/// Why a set of flags is no [`Mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModeError {
    /// Neither readable nor writable.
    NoUse,
    /// The first set contradicts the second.
    Contradiction(Flags, Flags),
    /// The first set means nothing unless at least one flag of the second is there too.
    Needs(Flags, Flags),
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUse => f.write_str("a mode needs READABLE or WRITABLE"),
            Self::Contradiction(a, b) => write!(f, "{a} contradicts {b}"),
            Self::Needs(a, b) => write!(f, "{a} needs one of {b}"),
        }
    }
}

impl std::error::Error for ModeError {}

/// `(flag, what it cannot stand beside)`.
const CONTRADICTIONS: [(Flags, Flags); 2] = [
    (Flags::FIXED_DATA, Flags(Flags::WRITABLE.0 | Flags::DATA_LOCK.0)),
    (
        Flags::FIXED_DATA,
        Flags(
            Flags::START_CAN_DEC.0
                | Flags::START_CAN_INC.0
                | Flags::END_CAN_DEC.0
                | Flags::END_CAN_INC.0
                | Flags::START_LOCK.0
                | Flags::END_LOCK.0,
        ),
    ),
];

/// `(flag, one of which it needs)`.
const NEEDS: [(Flags, Flags); 11] = [
    (Flags::CAN_MOVE_START, Flags(Flags::START_CAN_DEC.0 | Flags::START_CAN_INC.0)),
    (Flags::CAN_MOVE_END, Flags(Flags::END_CAN_DEC.0 | Flags::END_CAN_INC.0)),
    (Flags::CAN_MOVE_START, Flags::WRITABLE),
    (Flags::CAN_MOVE_END, Flags::WRITABLE),
    (Flags::DATA_LOCK, Flags::WRITABLE),
    (Flags::START_CAN_DEC, Flags::START_BOUNDED),
    (Flags::START_CAN_INC, Flags::START_BOUNDED),
    (Flags::END_CAN_DEC, Flags::END_BOUNDED),
    (Flags::END_CAN_INC, Flags::END_BOUNDED),
    (Flags::START_LOCK, Flags::START_BOUNDED),
    (Flags::END_LOCK, Flags::END_BOUNDED),
];

impl Mode {
    /// Readable data whose bounds are fixed and whose bytes may change: an ordinary file, seekable.
    pub const READ_FILE: Self = Self(Flags(
        Flags::READABLE.0 | Flags::START_BOUNDED.0 | Flags::END_BOUNDED.0 | Flags::SEEK.0,
    ));

    /// Judges `flags`.
    ///
    /// # Errors
    /// The first rule that they break: neither readable nor writable; fixed data that may be
    /// written, locked or moved; a right to move an end that cannot move or on a stream that cannot
    /// be written; movement or a lock of an end that does not exist.
    pub fn new(flags: Flags) -> Result<Self, ModeError> {
        if !flags.has_any(Flags::READABLE | Flags::WRITABLE) {
            return Err(ModeError::NoUse);
        }
        for (flag, other) in CONTRADICTIONS {
            if flags.has(flag) && flags.has_any(other) {
                return Err(ModeError::Contradiction(flag, Flags(flags.0 & other.0)));
            }
        }
        for (flag, one_of) in NEEDS {
            if flags.has(flag) && !flags.has_any(one_of) {
                return Err(ModeError::Needs(flag, one_of));
            }
        }
        Ok(Self(flags))
    }

    /// The flags.
    #[must_use]
    pub const fn flags(self) -> Flags {
        self.0
    }

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Flags) -> bool {
        self.0.has(flags)
    }

    /// Whether an end of the data may move while the stream is open.
    #[must_use]
    pub const fn can_change_bounds(self) -> bool {
        self.0.has_any(Flags(
            Flags::START_CAN_DEC.0
                | Flags::START_CAN_INC.0
                | Flags::END_CAN_DEC.0
                | Flags::END_CAN_INC.0,
        ))
    }
}

impl TryFrom<u16> for Mode {
    type Error = ModeError;

    fn try_from(bits: u16) -> Result<Self, ModeError> {
        Self::new(Flags(bits))
    }
}

impl From<Mode> for u16 {
    fn from(mode: Mode) -> Self {
        mode.0.0
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a source of data demands of a mode and what it can do beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every flag is required, possible or excluded")]
pub struct ModeOffer {
    /// Flags that the mode must have.
    pub required: Flags,
    /// Flags that the mode may have besides; all others are excluded.
    pub possible: Flags,
}

/// Why a mode does not fit the data below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// The data demands flags that the mode lacks.
    Missing(Flags),
    /// The mode has flags that the data cannot honour.
    Unable(Flags),
    /// The flags contradict themselves.
    Invalid(ModeError),
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(flags) => write!(f, "the data demands {flags}"),
            Self::Unable(flags) => write!(f, "the data cannot do {flags}"),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OfferError {}

impl ModeOffer {
    /// Judges `flags` against the data.
    ///
    /// # Errors
    /// What is missing, what is too much, or which rule of [`Mode::new`] is broken.
    pub fn mode(&self, flags: Flags) -> Result<Mode, OfferError> {
        let missing = self.required.without(flags);
        if missing != Flags::NONE {
            return Err(OfferError::Missing(missing));
        }
        let unable = flags.without(self.required | self.possible);
        if unable != Flags::NONE {
            return Err(OfferError::Unable(unable));
        }
        Mode::new(flags).map_err(OfferError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Flags = Flags::READABLE;

    #[test]
    fn a1_neither_readable_nor_writable_is_refused() {
        assert_eq!(Mode::new(Flags::END_BOUNDED), Err(ModeError::NoUse));
    }

    #[test]
    fn a2_fixed_data_is_not_writable() {
        let flags = READ | Flags::WRITABLE | Flags::FIXED_DATA;
        assert!(matches!(Mode::new(flags), Err(ModeError::Contradiction(..))));
    }

    #[test]
    fn a3_moving_an_end_needs_an_end_that_moves() {
        for (mover, bound, way) in [
            (Flags::CAN_MOVE_START, Flags::START_BOUNDED, Flags::START_CAN_INC),
            (Flags::CAN_MOVE_START, Flags::START_BOUNDED, Flags::START_CAN_DEC),
            (Flags::CAN_MOVE_END, Flags::END_BOUNDED, Flags::END_CAN_INC),
            (Flags::CAN_MOVE_END, Flags::END_BOUNDED, Flags::END_CAN_DEC),
        ] {
            let without = READ | Flags::WRITABLE | bound | mover;
            assert!(matches!(Mode::new(without), Err(ModeError::Needs(flag, _)) if flag == mover));
            assert!(Mode::new(without | way).is_ok());
        }
    }

    #[test]
    fn a4_a5_the_data_has_a_say() {
        let offer = ModeOffer { required: READ | Flags::START_BOUNDED, possible: Flags::SEEK };
        assert_eq!(offer.mode(READ), Err(OfferError::Missing(Flags::START_BOUNDED)));
        let more = READ | Flags::START_BOUNDED | Flags::WRITABLE;
        assert_eq!(offer.mode(more), Err(OfferError::Unable(Flags::WRITABLE)));
        assert!(offer.mode(READ | Flags::START_BOUNDED | Flags::SEEK_FWD).is_ok());
    }

    #[test]
    fn a6_a7_contradictions_of_the_ancestor_are_refused() {
        let grows = Flags::END_BOUNDED | Flags::END_CAN_INC;
        for flags in [
            READ | Flags::FIXED_DATA | grows,
            READ | Flags::END_LOCK,
            READ | grows | Flags::CAN_MOVE_END,
            READ | Flags::FIXED_DATA | Flags::DATA_LOCK,
            READ | Flags::START_CAN_INC,
        ] {
            assert!(Mode::new(flags).is_err(), "{flags}");
        }
    }

    #[test]
    fn every_set_of_flags_is_judged_without_a_panic() {
        let valid = (0..=u16::MAX).filter(|&bits| Mode::try_from(bits).is_ok()).count();
        assert!(valid > 0 && valid < 32_768, "{valid} of 65,536 are valid");
    }
}
