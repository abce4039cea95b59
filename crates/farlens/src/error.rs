//! The one error of the library: a code, a sentence, a hint and a cause.

use farlens_wire::{Code, OutOfRange};
use std::{error::Error as StdError, fmt, io};

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in families that callers branch on. [`Error::code`] is finer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself makes no sense: a bad URL, an unusable key file, a port in use.
    Usage,
    /// Nothing is there.
    NotFound,
    /// The peer is not allowed to do this, or the mode forbids it.
    NotPermitted,
    /// The server's key is unknown or changed.
    Untrusted,
    /// No link, or no longer: whatever was under way has not ended properly.
    Link,
    /// The stream cannot go on here: out of range, busy, changed, truncated, closed.
    Stream,
    /// The storage or the source behind a stream failed.
    Storage,
    /// The two ends do not understand each other.
    Protocol,
    /// A limit was reached.
    Limit,
    /// A failure inside.
    Internal,
}

/// The error of every fallible operation.
///
/// `Display` gives one sentence. What to do about it is in [`Error::hint`], and the stable number
/// in [`Error::code`].
pub struct Error(Box<Inner>);

struct Inner {
    code: Code,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    skipped: Option<u64>,
    applied: Option<u64>,
}

impl Error {
    /// An error with a code and a sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            hint: None,
            source: None,
            skipped: None,
            applied: None,
        }))
    }

    /// The same with advice on what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Elements that are gone before they could be read. Reading goes on behind them.
    pub(crate) fn evicted(skipped: u64) -> Self {
        let text = format!("{skipped} elements were dropped by their source before they were read");
        let mut error = Self::new(Code::EVICTED, text)
            .with_hint("read on: the next element is the first that is still kept");
        error.0.skipped = Some(skipped);
        error
    }

    /// The same with what had been applied of a write.
    #[must_use]
    pub(crate) fn with_applied(mut self, elements: u64) -> Self {
        self.0.applied = Some(elements);
        self
    }

    /// With `EVICTED`: how many elements are gone. Reading goes on behind them.
    #[must_use]
    pub fn skipped(&self) -> Option<u64> {
        self.0.skipped
    }

    /// With a write that failed: how many of its elements had been applied, from its first one on.
    #[must_use]
    pub fn applied(&self) -> Option<u64> {
        self.0.applied
    }

    /// The stable number, the same on the wire and on the command line.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence that `Display` prints, without the cause.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next, if there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The family.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.0.code.family() {
            1 => ErrorKind::Usage,
            3 => ErrorKind::NotFound,
            4 => ErrorKind::NotPermitted,
            5 => ErrorKind::Untrusted,
            6 => ErrorKind::Link,
            7 => ErrorKind::Stream,
            8 => ErrorKind::Storage,
            9 => ErrorKind::Protocol,
            10 => ErrorKind::Limit,
            _ => ErrorKind::Internal,
        }
    }

    /// Whether the same request may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.code.is_retryable()
    }
}

impl fmt::Debug for Error {
    /// What `main` prints of an error that it returns: the sentence, the number and the advice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{}]", self.0.code)?;
        match &self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<OutOfRange> for Error {
    fn from(error: OutOfRange) -> Self {
        Self::new(Code::OUT_OF_RANGE, error.to_string())
    }
}

impl From<Error> for io::Error {
    /// Keeps the kind; `io::Error::get_ref` and a downcast give the [`Error`] back.
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Usage => io::ErrorKind::InvalidInput,
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::NotPermitted | ErrorKind::Untrusted => io::ErrorKind::PermissionDenied,
            ErrorKind::Link if error.code() == Code::TIMEOUT => io::ErrorKind::TimedOut,
            ErrorKind::Link => io::ErrorKind::ConnectionAborted,
            ErrorKind::Stream if error.code() == Code::OUT_OF_RANGE => io::ErrorKind::InvalidInput,
            ErrorKind::Protocol => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<io::Error> for Error {
    /// Gives back the [`Error`] that an [`io::Error`] holds, as those of the streams here do. Any
    /// other becomes `STORAGE_IO`, and data that ended before a buffer was full `OUT_OF_RANGE`.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(other) if other.kind() == io::ErrorKind::UnexpectedEof => {
                Self::new(Code::OUT_OF_RANGE, "the data ended before that").with_source(other)
            }
            Err(other) => Self::new(Code::STORAGE_IO, "a file operation failed").with_source(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_io_traits() {
        let error = Error::new(Code::LINK_LOST, "cut").with_hint("connect again");
        let there = io::Error::from(error);
        assert_eq!(there.kind(), io::ErrorKind::ConnectionAborted);
        let back = Error::from(there);
        assert_eq!((back.code(), back.hint()), (Code::LINK_LOST, Some("connect again")));
    }

    #[test]
    fn errors_of_others_are_of_the_storage() {
        let error = Error::from(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(error.code(), Code::STORAGE_IO);
        let error = Error::from(io::Error::from(io::ErrorKind::UnexpectedEof));
        assert_eq!(error.code(), Code::OUT_OF_RANGE);
    }
}
