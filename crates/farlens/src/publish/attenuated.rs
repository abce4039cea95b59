//! Streamers that give less than another one has.
//!
//! Each knows the one that it was made of, and opens that first. So what holds there holds here,
//! too: its mode, its reach, its one writer, and whatever took from it before.

use super::{
    Found, Streamer,
    origin::{LOCKS, Origin},
};
use crate::{
    Error, Result,
    data::{
        erased::ErasedData,
        lease::{Expiry, Lease, Leased, Revoker},
        slice::{Slice, Window},
        throttle::Bucket,
    },
};
use farlens_proto::Purpose;
use farlens_wire::{Bounds, Code, Flags, ModeOffer, Position, schema::SchemaDoc};
use std::{num::NonZeroU64, ops::RangeBounds, sync::Arc};

/// Another streamer, and what is taken from it.
pub(super) struct Attenuated {
    source: Streamer,
    limit: Limit,
}

/// What is taken.
pub(super) enum Limit {
    ReadOnly,
    Slice(Window),
    Rate(Arc<Bucket>),
    Lease(Lease),
    /// What was asked for makes no sense.
    Nonsense(&'static str),
}

/// Flags of a stream that changes something.
const CHANGES: Flags = Flags::from_bits(
    Flags::WRITABLE.bits()
        | Flags::CAN_MOVE_START.bits()
        | Flags::CAN_MOVE_END.bits()
        | LOCKS.bits(),
);

impl Streamer {
    /// The same for reading only, whatever the data can do and whoever has a grant to write.
    ///
    /// ```
    /// use farlens::{Flags, MemData, Streamer};
    ///
    /// # fn main() -> farlens::Result<()> {
    /// let board = Streamer::new(MemData::new(*b"news")).writable();
    /// let window = board.clone().read_only();
    /// assert!(board.mode()?.has(Flags::WRITABLE));
    /// assert!(!window.mode()?.has(Flags::WRITABLE));
    /// // Nothing that is set on it gives that back.
    /// assert!(!window.writable().mode()?.has(Flags::WRITABLE));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn read_only(self) -> Self {
        self.attenuated(Limit::ReadOnly)
    }

    /// Only the elements of a range, bytes or entities. Position zero of the slice is where the
    /// range begins; a slice of a slice counts from there.
    ///
    /// A range with an end never has more than that, and as much of it as its source has by then.
    /// One without an end goes on as its source does. What the source drops at its start is
    /// dropped here, and elements keep their positions. The version is that of the source, so it
    /// changes with elements outside, too.
    ///
    /// Where the source can be written so can the slice, inside of it. An end that the range gives
    /// cannot be moved by a peer, so nothing is written behind what the slice has, and a start that
    /// it gives cannot be moved either. A slice is never created or replaced by a peer. A
    /// [`Streamer::reach`] set on the slice counts from its start.
    ///
    /// A range that is reversed or exceeds 2^63-1 is `USAGE` when the streamer is published, and so
    /// is a range that begins later than at zero on data that cannot seek.
    ///
    /// ```
    /// use farlens::{FixedData, Server, Streamer};
    ///
    /// let book = Streamer::new(FixedData::bytes(&b"one two three"[..]));
    /// let server = Server::builder()
    ///     .publish("/two", book.clone().slice(4..7)) // "two"
    ///     .publish("/wo", book.clone().slice(4..7).slice(1..)) // "wo"
    ///     .publish("/rest", book.slice(4..)); // "two three"
    /// ```
    #[must_use]
    pub fn slice(self, range: impl RangeBounds<u64>) -> Self {
        let reversed = "a slice begins before its end, and neither exceeds 2^63-1";
        self.attenuated(Window::new(&range).map_or(Limit::Nonsense(reversed), Limit::Slice))
    }

    /// So many bytes a second at the most, as they are encoded, read and written together by all
    /// streams on this streamer and its clones.
    ///
    /// After a pause the bytes of one second may pass at once, or 64 KiB if that is more. Who comes
    /// too early waits, in the order of arrival, and no other stream of its link waits with it.
    /// What has to be waited for anyway, such as the next element of live data, is counted when it
    /// comes, so it may exceed the rate for a moment, and what follows waits the longer. A write
    /// that waits is made even if its stream is gone meanwhile. Zero is `USAGE` when the streamer
    /// is published.
    ///
    /// ```
    /// # use farlens::{FixedData, Streamer};
    /// # let film = FixedData::bytes(vec![0; 1000]);
    /// let film = Streamer::new(film).rate(2_000_000);
    /// assert!(film.mode().is_ok());
    /// assert!(film.rate(0).mode().is_err());
    /// ```
    #[must_use]
    pub fn rate(self, bytes_per_s: u64) -> Self {
        let rate = NonZeroU64::new(bytes_per_s);
        let nothing = "at a rate of zero nothing passes: do not publish it";
        let limit = rate.map(|rate| Limit::Rate(Arc::new(Bucket::new(rate))));
        self.attenuated(limit.unwrap_or(Limit::Nonsense(nothing)))
    }

    /// Until a moment, or for a time from this call on. From then on opens are refused with
    /// `REVOKED`, nothing is read or written any more, and streams that are open end with
    /// `REVOKED`, those that only wait, too. A change that has begun is made to its end.
    ///
    /// ```
    /// # use farlens::{FixedData, Streamer};
    /// # use std::time::{Duration, Instant};
    /// # let data = Streamer::new(FixedData::bytes(vec![0; 1000]));
    /// let guest = data.clone().expires(Duration::from_secs(3600));
    /// let other = data.expires(Instant::now() + Duration::from_secs(7200));
    /// ```
    #[must_use]
    pub fn expires(self, when: impl Into<Expiry>) -> Self {
        self.attenuated(Limit::Lease(Lease::Until(when.into())))
    }

    /// Until it is taken back by the [`Revoker`], with the same effect as [`Streamer::expires`]
    /// has. That holds for all clones of the streamer and for all that is made of it. To drop the
    /// revoker takes nothing back.
    ///
    /// ```
    /// use farlens::{MemData, Streamer};
    ///
    /// # fn main() -> farlens::Result<()> {
    /// let all = Streamer::new(MemData::new(vec![0; 4096])).writable();
    /// let (part, revoker) = all.clone().slice(1024..2048).rate(1_000_000).revocable();
    /// let server = farlens::Server::builder().publish("/all", all).publish("/part", part);
    /// // Later:
    /// revoker.revoke();
    /// assert!(revoker.is_revoked());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn revocable(self) -> (Self, Revoker) {
        let (lease, revoker) = Lease::revocable();
        (self.attenuated(Limit::Lease(lease)), revoker)
    }
}

impl Attenuated {
    pub(super) const fn new(source: Streamer, limit: Limit) -> Self {
        Self { source, limit }
    }

    pub(super) const fn source(&self) -> &Origin {
        self.source.origin()
    }

    pub(super) fn is_append_only(&self) -> bool {
        self.source.is_append_only()
    }

    /// What a mode must and may contain: that of the source is the most there can be.
    pub(super) fn offers(&self) -> Result<ModeOffer> {
        let usage = |text| Err(Error::new(Code::USAGE, text));
        let ModeOffer { required, possible } = self.source.offers_at_most()?;
        match &self.limit {
            Limit::Nonsense(text) => usage(*text),
            Limit::Slice(window)
                if window.start() > Position::ZERO && !self.source().can_seek() =>
            {
                usage("data that cannot seek can only be sliced from its start on")
            }
            Limit::Slice(window) => Ok(window.offer(ModeOffer { required, possible })),
            Limit::ReadOnly => Ok(ModeOffer {
                required: required.without(CHANGES),
                possible: possible.without(CHANGES),
            }),
            Limit::Rate(_) | Limit::Lease(_) => Ok(ModeOffer { required, possible }),
        }
    }

    /// Whether what is opened is all that the source has, and may be changed as there.
    const fn is_whole(&self) -> bool {
        matches!(self.limit, Limit::Rate(_) | Limit::Lease(_))
    }

    pub(super) fn is_whole_file(&self) -> bool {
        self.is_whole() && self.source().is_whole_file()
    }

    pub(super) fn open(&self, wanted: Flags, purpose: Purpose) -> Result<Found> {
        self.check_lease()?;
        let purpose = match purpose {
            Purpose::Create if !self.is_whole() => Purpose::Use,
            purpose => purpose,
        };
        let mut found = self.source.open_at_once(wanted, purpose)?;
        found.data = self.limit(found.data);
        match &self.limit {
            Limit::Slice(window) => found.reach.end = window.above(found.reach.end),
            Limit::Rate(bucket) => found.throttles.push(Arc::clone(bucket)),
            Limit::Lease(_) => found.leased = true,
            Limit::ReadOnly | Limit::Nonsense(_) => {}
        }
        Ok(found)
    }

    /// Data of the source without what is taken from it. What holds it back comes later.
    fn limit(&self, data: Arc<dyn ErasedData>) -> Arc<dyn ErasedData> {
        match &self.limit {
            Limit::Slice(window) => Arc::new(Slice::new(data, *window)),
            Limit::Lease(lease) => Arc::new(Leased::new(data, lease.clone())),
            Limit::ReadOnly | Limit::Rate(_) | Limit::Nonsense(_) => data,
        }
    }

    pub(super) fn look(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(self.limit(self.source().look()?))
    }

    pub(super) fn glance(&self) -> Option<(Option<Arc<SchemaDoc>>, Bounds)> {
        let (schema, bounds) = self.source().glance()?;
        Some(match &self.limit {
            Limit::Slice(window) => (schema, window.bounds(bounds)),
            _ => (schema, bounds),
        })
    }

    pub(super) fn check_lease(&self) -> Result<()> {
        if let Limit::Lease(lease) = &self.limit {
            lease.check()?;
        }
        self.source().check_lease()
    }
}

#[cfg(test)]
mod tests;
