//! The numbers that the command leaves behind. They are stable, and scripts may rely on them.

use farlens::{Code, Error};
use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

/// The numbers and what they mean, as `farlens help exit-codes` prints them.
pub(crate) const TABLE: &str = "\
Exit codes:
    0  ok; also a server that drained after SIGTERM or SIGINT, and a reader whose pipe was closed
    1  another failure: an object's own error, bad input, a source that failed or was truncated, a
       range outside the data
    2  usage, or cannot start: bad URL or ticket, bad parameters of a call, unusable key file, port
       in use
    3  not found, or no such method
    4  not permitted: the client is not authorised, the invite is used up, the mode forbids it, or
       what was handed out has been taken back
    5  the server's key is unknown or changed
    6  cannot connect, link lost, or timeout
    9  protocol or schema mismatch; bytes read as entities or the other way round
   10  data was dropped by its source before it could be read
  130  SIGINT ended a `put`, a `tail -f` or a `call` with a callback, or a second one a server that
       was draining; 143 likewise for SIGTERM";

impl Exit {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const FAILED: Self = Self(1);
    pub(crate) const USAGE: Self = Self(2);
    pub(crate) const LOST: Self = Self(10);
    pub(crate) const INTERRUPTED: Self = Self(130);
    pub(crate) const TERMINATED: Self = Self(143);

    /// What a failure leaves behind.
    pub(crate) fn of(error: &Error) -> Self {
        let code = error.code();
        match code.family() {
            // Malformed data was found while running, so the command did start.
            _ if code == Code::BAD_INPUT => Self::FAILED,
            _ if code == Code::EVICTED => Self::LOST,
            1 => Self::USAGE,
            family @ (3 | 4 | 5 | 6 | 9) => Self(family as u8),
            _ => Self::FAILED,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_that_the_table_explains() {
        for &code in Code::ALL {
            let Exit(number) = Exit::of(&Error::new(code, "x"));
            assert_ne!(number, 0, "{code}");
            assert!(TABLE.contains(&format!("\n{number:>5}  ")), "{code} leaves {number}");
        }
    }

    #[test]
    fn families_decide() {
        for (code, number) in [
            (Code::BAD_INPUT, 1),
            (Code::TRUNCATED, 1),
            (Code::EVICTED, 10),
            (Code::CANNOT_LISTEN, 2),
            (Code::NOT_FOUND, 3),
            (Code::BAD_INVITE, 4),
            (Code::SERVER_CHANGED, 5),
            (Code::LINK_LOST, 6),
            (Code::SCHEMA_MISMATCH, 9),
            (Code::TOO_LARGE, 1),
        ] {
            assert_eq!(Exit::of(&Error::new(code, "x")), Exit(number), "{code}");
        }
    }
}
