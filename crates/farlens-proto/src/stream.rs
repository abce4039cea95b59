//! Streams: the life of one, seen from both sides.
//!
//! ```text
//!  StreamPeer (opens and consumes)            Streamer (has the data)
//!
//!   Opening ──Open──────────────────────────▶  Asked ── accept ──▶ Live
//!      │  ◀─────────────────────────Opened──     │                  │
//!      ▼                                         └─ refuse ─┐       │ fail, drain
//!    Open ◀──Data, Items, State, UpToDate───────────────────│───  Live
//!      │  ──Limit──────────────────────────▶                │       │
//!      │  ──Seek: a new epoch──────────────▶                │       │
//!      │  ◀──Sought | SeekFailed────────────────────────────│───  Live
//!      │  ◀──Gap | End | Broken: something is missing, or the epoch is over──  Live
//!      │  ──Ranges─────────────────────────▶                │       │
//!      │  ◀──RangeData, RangeEnd────────────────────────────│───  Live
//!      │  ──Write, Data… | Truncate | Sync─▶                │       │
//!      │  ◀──WriteLimit, Written | WriteFailed──────────────│───  Live
//!      │                                                    ▼       ▼
//!     Over ◀──Failed─────────────────────────────────────  gone   gone
//!      │
//!   closing ──Close────────────────────────▶  gone
//!     gone ◀──Closed──────────────────────────
//! ```
//!
//! Only numbers move here; the data itself rests in a [`crate::buffer::StreamBuffer`]. The side
//! that opens numbers the epochs, so only that side ever sees stale data.
//!
//! Three things go on in a stream at the same time, each in machines of its own: reading at the
//! cursor (`peer` and `streamer::reading`), places beside it (`range_reader` and `range_server`),
//! and writing (`writer` and `lane`). What arrives goes through `intake` and `recv` on either side,
//! what leaves through `send`.

pub(crate) mod ahead;
mod flight;
pub(crate) mod hunger;
pub(crate) mod intake;
pub(crate) mod lane;
pub(crate) mod peer;
#[cfg(test)]
mod range_model;
pub(crate) mod range_reader;
pub(crate) mod range_server;
pub(crate) mod recv;
pub(crate) mod seek;
pub(crate) mod send;
pub(crate) mod streamer;
pub(crate) mod writer;

use farlens_wire::{
    AtEnd, Delivery, Pos,
    frame::stream::{Credit, Open, Purpose, Target},
};

/// What stands for an open frame that could not be read, until its refusal is sent.
pub(crate) const fn unread_open() -> Open {
    Open {
        target: Target::Path(String::new()),
        flags: 0,
        kind: None,
        start: Pos::START,
        at_end: AtEnd::Stop,
        delivery: Delivery::Lossless,
        purpose: Purpose::Use,
        ranges: Vec::new(),
        credit: Credit { bytes: 0, elements: 0 },
        fingerprint: None,
        urgency: farlens_wire::Urgency::USUAL,
    }
}

#[cfg(test)]
mod tests {
    use super::{peer::StreamPeer, streamer::Streamer};

    #[test]
    fn a_stream_that_waits_is_small() {
        let sizes = (size_of::<Streamer>(), size_of::<StreamPeer>());
        assert!(sizes.0 <= 328 && sizes.1 <= 504, "{sizes:?} bytes");
    }
}
