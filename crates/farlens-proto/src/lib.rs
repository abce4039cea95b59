//! What a Farlens link means: the deterministic, IO-free machines of links and streams.
//!
//! [`Link`] is both halves of the conversation with one peer. It knows no socket, clock, thread or
//! lock: bytes and moments are handed in, bytes, events and requests for data are taken out. That
//! is why the same seed always tells the same story, in the simulator and in the tests.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::panic
    )
)]

mod buffer;
mod change;
mod error;
mod event;
mod identity;
mod link;
mod stream;
mod time;

pub use buffer::chunk::{BadBatch, BatchBuilder, Chunk, ItemBatch};
pub use change::{Reach, Room, Rules};
pub use event::{Ask, DataRequest, Event, Reply};
pub use farlens_wire::{
    Flags, Kind,
    frame::{
        Fault,
        call::About,
        stream::{Credit, Guard, Purpose, Range, State, WriteTo},
    },
};
pub use identity::PeerIdentity;
pub use link::{
    Admission, Answer, BATCH_BYTES, CallOn, CallRequest, CallTicket, Called, Config, Link,
    LinkStats, References, TimeoutReason,
};
pub use stream::{
    peer::{Ahead, OpenOn, OpenRequest, ReadOutcome, StreamInfo},
    range_reader::{RangeStatus, RangeTicket},
    seek::SeekStatus,
    streamer::Accepted,
    writer::StepStatus,
};
pub use time::Time;
