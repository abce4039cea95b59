//! Names of things on one link: streams, calls, objects, and what a stream carries.
//!
//! Ids are never reused on a link. The side that opened the connection uses odd numbers, the side
//! that accepted it even ones, so that both may open at the same time without asking.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Side {
    /// The end that opened the connection: the client. Its ids are odd.
    Initiator,
    /// The end that accepted the connection: the server. Its ids are even.
    Acceptor,
}

impl Side {
    /// From one id of a side to its next.
    pub const STEP: u64 = 2;

    /// The first id that this side may use.
    #[must_use]
    pub const fn first_id(self) -> u64 {
        match self {
            Self::Initiator => 1,
            Self::Acceptor => 2,
        }
    }

    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Acceptor,
            Self::Acceptor => Self::Initiator,
        }
    }

    /// Whether `id` belongs to what this side opens.
    #[must_use]
    pub const fn owns(self, id: u64) -> bool {
        id != 0 && id % 2 == self.first_id() % 2
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[expect(clippy::exhaustive_structs, reason = "an id is a number and stays one")]
        pub struct $name(pub u64);

        impl From<$name> for u64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    };
}

id!(
    /// A stream on a link, chosen by the side that opens it.
    StreamId,
    "stream"
);
id!(
    /// A call on a link, chosen by the caller.
    CallId,
    "call"
);
id!(
    /// An object that the receiver of the id exports. Zero is its root object.
    ObjectId,
    "object"
);

impl ObjectId {
    /// The root object, which each side has.
    pub const ROOT: Self = Self(0);
}

/// The number of a read context: each seek opens a new one, and data of an older one is stale.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[expect(clippy::exhaustive_structs, reason = "an epoch is a number and stays one")]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch that an open frame starts.
    pub const FIRST: Self = Self(0);

    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The number of something that an opener wants done to the data: a run of writes, a truncation.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[expect(clippy::exhaustive_structs, reason = "a step is a number and stays one")]
pub struct Step(pub u64);

impl Step {
    /// The step after this one. The first step of a stream is the one after the default.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a stream carries bytes or entities")]
pub enum Kind {
    /// A sequence of bytes; positions count bytes.
    Bytes,
    /// A sequence of encoded entities; positions count entities.
    Items,
}
