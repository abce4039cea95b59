//! What can be done to a stream, and the one table that says which mode allows it.

use super::{Flags, Mode};
use std::fmt;

/// Something that the peer of a stream does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Read on from where the stream stands.
    Read,
    /// Read places, whatever lies between them.
    ReadRange,
    /// Go to a lower position.
    SeekBackward,
    /// Go to a higher position.
    SeekForward,
    /// Write between the ends.
    Write,
    /// Write behind the end, or move it there.
    Extend,
    /// Drop what lies before a position.
    TruncateBefore,
    /// Drop what lies behind a position.
    TruncateAfter,
    /// Make durable what was written.
    Sync,
}

/// An operation that a mode does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forbidden {
    /// What was tried.
    pub operation: Operation,
    /// The flags for want of which it is forbidden.
    pub missing: Flags,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this stream does not allow to {}: it lacks {}", self.operation, self.missing)
    }
}

impl std::error::Error for Forbidden {}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::ReadRange => "read places",
            Self::SeekBackward => "seek backward",
            Self::SeekForward => "seek forward",
            Self::Write => "write",
            Self::Extend => "write behind the end",
            Self::TruncateBefore => "move the start",
            Self::TruncateAfter => "cut the end",
            Self::Sync => "make durable",
        })
    }
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::ReadRange,
        Self::SeekBackward,
        Self::SeekForward,
        Self::Write,
        Self::Extend,
        Self::TruncateBefore,
        Self::TruncateAfter,
        Self::Sync,
    ];

    /// The flags that a mode must have for it. No other flag has a say.
    #[must_use]
    pub const fn needs(self) -> Flags {
        let moves_end = Flags::WRITABLE.0 | Flags::CAN_MOVE_END.0;
        Flags(match self {
            Self::Read => Flags::READABLE.0,
            Self::ReadRange => Flags::READABLE.0 | Flags::SEEK.0,
            Self::SeekBackward => Flags::SEEK_REW.0,
            Self::SeekForward => Flags::SEEK_FWD.0,
            Self::Write | Self::Sync => Flags::WRITABLE.0,
            Self::Extend => moves_end | Flags::END_CAN_INC.0,
            Self::TruncateAfter => moves_end | Flags::END_CAN_DEC.0,
            Self::TruncateBefore => {
                Flags::WRITABLE.0 | Flags::CAN_MOVE_START.0 | Flags::START_CAN_INC.0
            }
        })
    }
}

impl Mode {
    /// Whether the peer of a stream with this mode may do that.
    ///
    /// # Errors
    /// [`Forbidden`], which names the flags that are missing.
    pub const fn allows(self, operation: Operation) -> Result<(), Forbidden> {
        let missing = operation.needs().without(self.0);
        if missing.0 == 0 { Ok(()) } else { Err(Forbidden { operation, missing }) }
    }

    /// What is left of this mode for a peer that asked only for some of `READABLE` and `WRITABLE`.
    /// Who does not write moves and locks nothing. Nothing is left of what has neither.
    #[must_use]
    pub const fn limited_to(self, wanted: Flags) -> Option<Self> {
        let mut flags = self.0;
        if !wanted.has(Flags::READABLE) {
            flags = flags.without(Flags::READABLE);
        }
        if !wanted.has(Flags::WRITABLE) {
            let rights = Flags::WRITABLE.0 | Flags::CAN_MOVE_START.0 | Flags::CAN_MOVE_END.0;
            let locks = Flags::DATA_LOCK.0 | Flags::START_LOCK.0 | Flags::END_LOCK.0;
            flags = flags.without(Flags(rights | locks));
        }
        let used = flags.has_any(Flags(Flags::READABLE.0 | Flags::WRITABLE.0));
        if used { Some(Self(flags)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mode with every flag that stands beside writing, and one with every flag beside fixed data.
    fn fullest() -> [Flags; 2] {
        let all = Flags::from_bits(u16::MAX);
        [all.without(Flags::FIXED_DATA), Flags::READABLE | Flags::SEEK | Flags::FIXED_DATA]
    }

    /// What each operation needs, written down once more and in another way: a row for each flag,
    /// a column for each operation in the order of [`Operation::ALL`].
    const TABLE: [(&str, &str); 16] = [
        ("READABLE", "xx......."),
        ("WRITABLE", "....xxxxx"),
        ("START_BOUNDED", "........."),
        ("START_CAN_DEC", "........."),
        ("START_CAN_INC", "......x.."),
        ("CAN_MOVE_START", "......x.."),
        ("END_BOUNDED", "........."),
        ("END_CAN_DEC", ".......x."),
        ("END_CAN_INC", ".....x..."),
        ("CAN_MOVE_END", ".....x.x."),
        ("SEEK_REW", ".xx......"),
        ("SEEK_FWD", ".x.x....."),
        ("FIXED_DATA", "........."),
        ("DATA_LOCK", "........."),
        ("START_LOCK", "........."),
        ("END_LOCK", "........."),
    ];

    #[test]
    fn every_cell_of_flag_and_operation_is_as_written() {
        for ((flag, name), (row, cells)) in Flags::ALL.into_iter().zip(TABLE) {
            assert_eq!(name, row);
            for (operation, cell) in Operation::ALL.into_iter().zip(cells.chars()) {
                for full in fullest() {
                    let with = Mode(full).allows(operation).is_ok();
                    let without = Mode(full.without(flag)).allows(operation).is_ok();
                    let matters = full.has(flag) && with && !without;
                    let expected = cell == 'x' && full.has(flag) && with;
                    assert_eq!(matters, expected, "{name} and {operation:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Mode::READ_FILE.allows(Operation::TruncateAfter).unwrap_err();
        assert_eq!(error.missing, Flags::WRITABLE | Flags::END_CAN_DEC | Flags::CAN_MOVE_END);
        assert!(error.to_string().contains("CAN_MOVE_END"), "{error}");
    }

    #[test]
    fn a_mode_that_is_limited_stays_valid_or_is_none() {
        for bits in 0..=u16::MAX {
            let Ok(mode) = Mode::try_from(bits) else { continue };
            for wanted in [Flags::READABLE, Flags::WRITABLE, Flags::READABLE | Flags::WRITABLE] {
                let Some(left) = mode.limited_to(wanted) else { continue };
                assert_eq!(Mode::new(left.flags()), Ok(left), "{mode} for {wanted}");
                assert!(!left.flags().without(wanted).has_any(Flags::READABLE | Flags::WRITABLE));
            }
        }
    }
}
