//! What a peer can ask for, as a middleware sees it.

use crate::{Flags, KeyId, Kind, Pos, RemotePath};
use farlens_proto::Purpose;
use farlens_wire::frame::{printable, stream};
use std::{fmt, ops::Range, time::Duration};

/// Something that a peer asks for. Values that it passes are no part of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The key that the peer proved.
    pub peer: KeyId,
    /// What it wants.
    pub asks: Asks<'a>,
}

/// What a request is for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Asks<'a> {
    /// To be let in. The key is proved and nothing else is known of the peer; whether it is let in
    /// at all is judged afterwards.
    #[non_exhaustive]
    Link {
        /// Whether it shows an invite.
        invited: bool,
    },
    /// To look something up by its path.
    Lookup(Lookup<'a>),
    /// To call a method.
    Call(Call<'a>),
    /// To open a stream.
    Open(Open<'a>),
}

/// A call of the root object that looks up a path.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lookup<'a> {
    /// What it wants to know.
    pub kind: LookupKind,
    /// Where.
    pub path: &'a RemotePath,
}

/// What is looked up at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LookupKind {
    /// What lies there, by name.
    List,
    /// What is known of it.
    Stat,
    /// A reference to an object.
    Object,
    /// A reference to a stream.
    Streamer,
}

impl LookupKind {
    pub(crate) const ALL: [Self; 4] = [Self::List, Self::Stat, Self::Object, Self::Streamer];

    /// The method of [`crate::Gateway`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Stat => "stat",
            Self::Object => "object",
            Self::Streamer => "streamer",
        }
    }
}

/// What is called or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// What stands at a path: a stream that is opened by it, or an object that is published there,
    /// however the peer came to it.
    Path(&'a RemotePath),
    /// Something that the peer got as a reference.
    Reference,
    /// The root object, for anything but a [`Lookup`].
    Root,
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(&printable(path.as_str())),
            Self::Reference => f.write_str("a reference"),
            Self::Root => f.write_str("the root object"),
        }
    }
}

/// A method that is to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The object.
    pub object: Target<'a>,
    /// The name of its interface; empty for an object of another peer.
    pub interface: &'a str,
    /// The method, as the peer names it: there may be none of that name.
    pub method: &'a str,
    /// One for a call that no other call made, and one more for each call in between.
    pub depth: u32,
    /// Whether nobody waits for the answer.
    pub one_way: bool,
    /// How long its caller waits. None without an end.
    pub remaining: Option<Duration>,
}

/// A stream that is to be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Open<'a> {
    /// The streamer.
    pub target: Target<'a>,
    /// What the peer needs: `READABLE`, `WRITABLE` and what else it insists on.
    pub wanted: Flags,
    /// Bytes or entities, if the peer cares.
    pub kind: Option<Kind>,
    /// Where it begins.
    pub start: Pos,
    /// Whether it uses, creates or replaces what is there.
    pub purpose: Purpose,
    pub(crate) ranges: &'a [stream::Range],
}

impl Open<'_> {
    /// The places that the peer reads at once, in elements.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges.iter().map(|range| {
            let start = u64::from(range.at);
            start..start.saturating_add(range.length)
        })
    }
}

impl<'a> Request<'a> {
    pub(crate) const fn new(peer: KeyId, asks: Asks<'a>) -> Self {
        Self { peer, asks }
    }

    /// What kind of request it is: `link`, `lookup`, `call` or `open`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.asks {
            Asks::Link { .. } => "link",
            Asks::Lookup(_) => "lookup",
            Asks::Call(_) => "call",
            Asks::Open(_) => "open",
        }
    }
}
