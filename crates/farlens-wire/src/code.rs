//! Numbers for what can go wrong, the same on the wire, in the library and on the command line.

use std::fmt;

/// The number of a failure. Its hundreds name the family, which decides the exit code of the
/// command.
///
/// A peer may send a number that is not known here; it is kept, and only its family is understood.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

macro_rules! codes {
    ($($number:literal $name:ident $word:literal $text:literal;)*) => {
        impl Code {
            $(#[doc = $text] pub const $name: Self = Self($number);)*

            /// Every code that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A short stable word, as in `not_found`; `unknown` for a number not known here.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self.0 {
                    $($number => $word,)*
                    _ => "unknown",
                }
            }

            /// One sentence on what it means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self.0 {
                    $($number => $text,)*
                    _ => "A failure that this version does not know.",
                }
            }
        }
    };
}

codes! {
    101 USAGE "usage" "The request itself makes no sense.";
    102 BAD_ADDRESS "bad_address" "A URL, a ticket or a path is malformed.";
    103 BAD_IDENTITY "bad_identity" "A key file is missing, unreadable, unsafe or no key.";
    104 CANNOT_LISTEN "cannot_listen" "The listening address cannot be used.";
    105 BAD_INPUT "bad_input" "The data to publish is malformed.";
    106 BAD_CONFIG "bad_config" "A configuration or trust file is malformed or unsafe.";
    301 NOT_FOUND "not_found" "Nothing is published at this path.";
    302 NO_SUCH_METHOD "no_such_method" "The object has no such method.";
    303 NO_SUCH_OBJECT "no_such_object" "No such object is exported on this link.";
    401 NOT_AUTHORIZED "not_authorized" "The server does not know the client's key.";
    402 NOT_PERMITTED "not_permitted" "The client's grants do not cover this.";
    403 MODE_FORBIDS "mode_forbids" "The stream's mode does not allow this.";
    404 BAD_INVITE "bad_invite" "The invite is unknown, used up or expired.";
    405 REVOKED "revoked" "What was handed out has been taken back or has expired.";
    501 UNKNOWN_SERVER "unknown_server" "The server's key is not known here.";
    502 SERVER_CHANGED "server_changed" "The server showed another key than the known one.";
    601 CANNOT_CONNECT "cannot_connect" "No link could be made.";
    602 LINK_LOST "link_lost" "The link was cut.";
    603 TIMEOUT "timeout" "No answer came in time.";
    604 GOING_AWAY "going_away" "The other side is shutting down.";
    605 STALLED "stalled" "The other side takes no bytes.";
    606 LINK_CLOSED "link_closed" "The link was closed.";
    607 NOT_RUN "not_run" "The call was not run: it may be made again.";
    608 UNKNOWN "unknown_outcome" "The link was lost before the answer: the call may have run.";
    609 DEADLINE_EXCEEDED "deadline_exceeded" "The deadline of the call has passed.";
    701 OUT_OF_RANGE "out_of_range" "The position lies outside the data.";
    702 BUSY "busy" "The source serves one stream at a time and has one.";
    703 DATA_CHANGED "data_changed" "The data changed under a stream that relied on it.";
    704 TRUNCATED "truncated" "The data ends before the position that was being read.";
    705 EVICTED "evicted" "The data at this position has been dropped by its source.";
    706 CLOSED "closed" "The stream is closed.";
    707 SEEKING "seeking" "A newer seek took the place of this one.";
    708 END_OF_SPACE "end_of_space" "The end of the data is reached and cannot be moved.";
    709 CONFLICT "conflict" "The data is not what the change was meant for.";
    801 STORAGE_IO "storage_io" "Reading or writing the storage failed.";
    802 SOURCE_FAILED "source_failed" "The source of the data reported a failure.";
    803 STORAGE_FULL "storage_full" "The storage has no room left.";
    901 PROTOCOL_VIOLATION "protocol_violation" "The other side broke the protocol.";
    902 FRAME_TOO_LARGE "frame_too_large" "A frame exceeds the limit.";
    903 FLOW_CONTROL "flow_control" "Data beyond the granted credit.";
    904 DECODE_LIMIT "decode_limit" "A value exceeds a decoding limit.";
    905 MALFORMED "malformed" "Bytes that are no valid encoding.";
    906 SCHEMA_MISMATCH "schema_mismatch" "The types of the two ends differ.";
    907 WRONG_KIND "wrong_kind" "Bytes were asked of an entity stream, or the other way round.";
    908 NO_COMMON_VERSION "no_common_version" "The two ends share no protocol version.";
    909 UNSUPPORTED "unsupported" "The other side does not support this.";
    1001 TOO_MANY_STREAMS "too_many_streams" "The limit on open streams is reached.";
    1002 TOO_MANY_CALLS "too_many_calls" "The limit on running calls is reached.";
    1003 TOO_LARGE "too_large" "A message exceeds the limit.";
    1004 OVERLOADED "overloaded" "The limit on links or files is reached.";
    1005 EXCESSIVE_LOAD "excessive_load" "The other side sends more of something cheap than allowed.";
    1006 TOO_LONG "too_long" "The data would become longer than its publisher allows.";
    1007 TOO_MANY_REFERENCES "too_many_references" "The limit on references is reached.";
    1008 TOO_DEEP "too_deep" "Calls are nested more deeply than allowed.";
    1101 INTERNAL "internal" "A handler or source failed inside.";
    1102 CANCELLED "cancelled" "The caller gave up.";
    1103 APPLICATION "application" "The object reported a failure of its own.";
}

impl Code {
    /// The code with this number.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The hundreds: 3 for everything not found, 6 for the link, and so on.
    #[must_use]
    pub const fn family(self) -> u16 {
        self.0 / 100
    }

    /// Whether the same request may succeed later without any change.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::CANNOT_CONNECT
                | Self::LINK_LOST
                | Self::TIMEOUT
                | Self::GOING_AWAY
                | Self::NOT_RUN
                | Self::STALLED
                | Self::BUSY
                | Self::TOO_MANY_STREAMS
                | Self::TOO_MANY_CALLS
                | Self::OVERLOADED
        )
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {}", self.word())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{:04}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_are_unique() {
        for (index, code) in Code::ALL.iter().enumerate() {
            for other in &Code::ALL[..index] {
                assert_ne!(code.number(), other.number());
                assert_ne!(code.word(), other.word());
            }
        }
    }

    #[test]
    fn an_unknown_number_keeps_its_family() {
        let code = Code::from_number(699);
        assert_eq!((code.family(), code.word()), (6, "unknown"));
    }
}
