//! What a link tells its shell, and what it asks of it.

use crate::{
    buffer::chunk::Chunk,
    change::Rules,
    link::{Answer, CallTicket, Called},
    stream::range_reader::RangeTicket,
};
use farlens_wire::{
    CallId, Edge, Pos, Position, Reference, StreamId,
    frame::{Fault, stream},
};

/// Something that the shell must know of.
///
/// Events about streams that this side opened are hints: the state itself is read from the link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The client's key is not known and must be judged by its invite, if it brought one. Nothing
    /// more is taken in until [`crate::Link::admit`] or [`crate::Link::refuse_peer`].
    Admission {
        /// The proof that came in the hello.
        invite: Option<Vec<u8>>,
    },
    /// The peer's hello has come and was accepted.
    Established,
    /// The peer asks for a stream: answer with [`crate::Link::accept`] or [`crate::Link::refuse`].
    OpenRequested {
        /// The stream.
        stream: StreamId,
        /// What is wanted.
        open: stream::Open,
        /// What it is opened on, where that is no path.
        on: Option<Reference>,
    },
    /// A stream that the peer had opened is over; its data may be released. It follows each
    /// [`Event::OpenRequested`] once.
    StreamGone {
        /// The stream.
        stream: StreamId,
    },
    /// Something about a stream that this side opened has changed.
    Changed {
        /// The stream.
        stream: StreamId,
    },
    /// A range that this side asked for is there, or is not to be had.
    RangeDone {
        /// The stream.
        stream: StreamId,
        /// The ticket that it was asked for with.
        ticket: RangeTicket,
    },
    /// The peer calls: answer with [`crate::Link::answer`].
    Called(Called),
    /// The peer gave up a call; an answer to it is dropped.
    Cancelled {
        /// The call.
        call: CallId,
    },
    /// A call that others may be made upon has been sent.
    Sent {
        /// The call.
        call: CallTicket,
    },
    /// A call of this side has ended.
    Answered {
        /// The call.
        call: CallTicket,
        /// The result, or why there is none.
        outcome: Result<Answer, Fault>,
    },
    /// The peer holds an object of this side no longer. To be dropped outside of any lock.
    Released {
        /// The object.
        reference: Reference,
    },
    /// The peer's calls may name an interface from now on.
    Interface {
        /// Its name in [`Called::interface`].
        fingerprint: [u8; 16],
        /// The encoded schema.
        schema: Vec<u8>,
    },
    /// The peer is about to leave and takes no new work.
    GoingAway {
        /// Why.
        fault: Fault,
    },
    /// The link is over. No event follows.
    Over {
        /// Why.
        fault: Fault,
    },
}

/// Work on data that the link asks of its shell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataRequest {
    /// The stream whose data is meant.
    pub stream: StreamId,
    /// Names this request in the reply. A newer [`Ask::Read`] or [`Ask::State`] of the same stream
    /// takes the place of the one before, which need not be answered any more.
    pub serial: u64,
    /// What to do.
    pub ask: Ask,
}

/// The work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell must know every kind of work")]
pub enum Ask {
    /// Read elements.
    Read {
        /// From here.
        at: Position,
        /// At most so many encoded bytes, never zero.
        bytes: usize,
        /// At most so many elements, never zero.
        elements: u64,
    },
    /// Say what the data looks like now.
    State,
    /// Read bytes beside the cursor; several of these may be under way.
    Range {
        /// From here.
        at: Position,
        /// So many, never zero.
        bytes: usize,
    },
    /// Store elements. One change at a time is under way on a stream; it must run to its end.
    Write {
        /// Where the first goes.
        to: Pos,
        /// The elements, at least one.
        chunk: Chunk,
        /// What the change may do.
        rules: Rules,
    },
    /// Move an end.
    Truncate {
        /// Which.
        edge: Edge,
        /// Where to.
        to: Pos,
        /// What the change may do.
        rules: Rules,
    },
    /// Make durable what was stored.
    Sync {
        /// Nothing more will be written.
        finish: bool,
    },
}

impl Ask {
    /// Whether it is the last demand to make something durable.
    #[must_use]
    pub const fn is_finish(&self) -> bool {
        matches!(self, Self::Sync { finish: true })
    }
}

/// The answer to a [`DataRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell answers with one of these")]
pub enum Reply {
    /// Elements from the position asked for.
    Some(Chunk),
    /// Nothing lies at that position; what the data looks like now tells why.
    Nothing(stream::State),
    /// What the data looks like now.
    State(stream::State),
    /// Elements were stored, or an end was moved.
    Changed {
        /// Where the elements begin, or where the end is.
        at: Position,
        /// Elements that were stored, at least one of those that were handed in.
        elements: u64,
    },
    /// What was stored is durable.
    Synced,
    /// It did not work.
    Failed(Fault),
}
