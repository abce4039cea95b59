//! What members and server agree upon.

use farlens::{RemoteStreamer, Result};
use serde::{Deserialize, Serialize};

/// Something that happened in the room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) enum Event {
    Joined { name: String },
    Said { name: String, text: String },
    Left { name: String },
}

impl Event {
    pub(crate) fn joined(name: &str) -> Self {
        Self::Joined { name: name.into() }
    }

    pub(crate) fn said(name: &str, text: &str) -> Self {
        Self::Said { name: name.into(), text: text.into() }
    }

    pub(crate) fn left(name: &str) -> Self {
        Self::Left { name: name.into() }
    }
}

/// A member. It lives in the client, and the server calls it.
#[farlens::remote]
pub(crate) trait Member {
    /// Something happened. Nobody waits for the answer.
    #[farlens(one_way)]
    async fn heard(&self, event: Event) -> Result<()>;
}

/// Where one comes in.
#[farlens::remote]
pub(crate) trait Lobby {
    /// Lets a member in: it hears everything from its own joining on.
    async fn join(&self, name: String, member: MemberRef) -> Result<Joined>;
}

/// What a new member gets.
#[derive(Clone, Debug, Serialize, Deserialize, farlens::Schema)]
pub(crate) struct Joined {
    /// Whoever drops it has left.
    pub(crate) room: RoomRef,
    /// The newest events, and those that come: a stream of [`Event`].
    pub(crate) history: RemoteStreamer,
}

/// The room as one member has it: the server knows who speaks.
#[farlens::remote]
pub(crate) trait Room {
    /// Says something to everybody. It was sent to all when this returns.
    async fn say(&self, text: String) -> Result<()>;
}
