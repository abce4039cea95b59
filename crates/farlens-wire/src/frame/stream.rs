//! Frames about streams, as seen from the side that opens one (the opener) and the side that has
//! the data (the streamer).
//!
//! ```text
//!  opener                             streamer
//!    Open {start, limit}  ------------->         asks, with the first credit
//!         <-------------  Opened {mode, at}      or Failed
//!         <-------------  Data | Items           within the limit of this epoch; a Table
//!                                                before each element with references
//!    Limit {epoch, bytes} ------------->         more credit, cumulative
//!         <-------------  UpToDate | End         nothing more for now | for good
//!    Seek {epoch + 1}     ------------->         a new epoch; older data is stale
//!         <-------------  Sought | SeekFailed
//!    Ranges               ------------->         places to read beside the epoch
//!         <-------------  RangeData, RangeEnd    in any order
//!    Write {step, to}     ------------->         a run of elements that are to be stored
//!    Data | Items         ------------->         within the write limit
//!    Truncate, Sync       ------------->         in the order of the steps
//!         <-------------  WriteLimit | Written | WriteFailed
//!    Close                ------------->
//!         <-------------  Closed                 the id is spent
//! ```
//!
//! What the opener writes is a sequence of numbered *steps*, applied in order: runs of elements,
//! truncations, demands to make durable what came before. In `Data`, `Items` and `ItemPart` of the
//! opener the step stands where the streamer writes the epoch, and the number of elements of the
//! run before these where it writes the position.

use super::{Fault, FrameError, call::Entry};
use crate::{
    AtEnd, Bounds, CallId, Delivery, Edge, Epoch, Kind, Mode, ObjectId, Pos, Position, Step,
    Urgency, varint,
};
use bytes::{BufMut, Bytes};
use serde::{Deserialize, Serialize};

super::frames! {
    /// A frame about one stream whose payload is a struct.
    StreamControl {
        0x20 Open "Asks for a stream." {
            fn put_extensions(&self, out: &mut Vec<u8>) {
                if self.urgency != Urgency::USUAL {
                    super::tlv::put(out, URGENCY, &[self.urgency.get()]);
                }
            }

            fn take_extension(&mut self, tag: u64, value: &[u8]) -> bool {
                if let (URGENCY, &[class]) = (tag, value) {
                    self.urgency = Urgency::new(class).unwrap_or(self.urgency);
                }
                tag == URGENCY
            }
        };
        0x21 Opened "The stream exists.";
        0x25 Limit "More credit.";
        0x26 Seek "Goes elsewhere.";
        0x27 Sought "The seek succeeded; what follows is of its epoch.";
        0x28 SeekFailed "The seek failed; the stream waits for another.";
        0x29 State "The bounds, the version or the finality of the end changed.";
        0x2a UpToDate "All there is has been sent; more may come.";
        0x2b End "All there is has been sent, and that was the end.";
        0x2c Broken "Reading failed here; a seek may help.";
        0x2d Close "The opener is done.";
        0x2e Closed "The streamer is done, too.";
        0x2f Failed "The stream is over, or never came to be.";
        0x30 Write "Starts a run of elements to store.";
        0x31 Truncate "Moves an end.";
        0x32 Sync "Makes durable what was written before.";
        0x33 WriteLimit "More credit for writing.";
        0x34 Written "How far the steps have been applied.";
        0x35 WriteFailed "A step failed; what belongs to it is dropped.";
        0x36 Ranges "Asks for the bytes of some places.";
        0x38 RangeEnd "A range has no more bytes than were sent.";
        0x39 Gap "Elements are left out.";
        0x3a Table "What the references of the element that follows point at.";
    }
}

/// A frame about one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamFrame {
    /// A struct.
    Control(StreamControl),
    /// Some bytes; a frame may be handed over in several of these.
    Data(Data),
    /// Some whole entities.
    Items(Data),
    /// A part of an entity that is too large for one frame.
    ItemPart {
        /// Length of the entity, in bytes.
        total: u64,
        /// This part, directly after the one before.
        part: Data,
    },
    /// Some bytes of a range.
    RangeData {
        /// The range.
        range: RangeId,
        /// The position of the first.
        at: Position,
        /// The bytes.
        payload: Bytes,
    },
}

/// Elements of one epoch from a position on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the layout of the hottest frame is settled")]
pub struct Data {
    /// The epoch that they belong to.
    pub epoch: Epoch,
    /// The position of the first.
    pub at: Position,
    /// The elements.
    pub payload: Bytes,
}

/// The TLV behind an open frame with the class of the stream, in one byte.
const URGENCY: u64 = 2;

/// The kind of a bulk frame of bytes.
pub const DATA: u8 = 0x22;
/// The kind of a bulk frame of entities.
pub const ITEMS: u8 = 0x23;
/// The kind of a frame with a part of one entity.
pub const ITEM_PART: u8 = 0x24;

/// The kind of a frame with some bytes of a range.
pub const RANGE_DATA: u8 = 0x37;

/// What a stream is opened on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Target {
    /// A published path.
    Path(String),
    /// A streamer that the receiver exports.
    Object(ObjectId),
    /// The first reference in the answer to a call that the sender made before and marked as
    /// pipelined.
    Answer(CallId),
}

/// How far the streamer may send within an epoch, counted from the epoch's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "credit counts bytes and elements")]
pub struct Credit {
    /// Encoded bytes. Bytes end at or before it; an entity may begin below it and end beyond.
    pub bytes: u64,
    /// Entities; of no meaning where a stream carries bytes.
    pub elements: u64,
}

/// What the data looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct State {
    /// The places that exist.
    pub bounds: Bounds,
    /// At most 64 bytes; equal versions mean equal elements.
    pub version: Vec<u8>,
    /// Whether the end is final.
    pub ended: bool,
}

impl State {
    /// The longest version, in bytes.
    pub const VERSION_BYTES: usize = 64;

    /// What is wrong with it, if something is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        if self.version.len() > Self::VERSION_BYTES {
            return Some("a version has at most 64 bytes");
        }
        let inverted = self.bounds.start.zip(self.bounds.end).is_some_and(|(s, e)| s > e);
        inverted.then_some("the start lies behind the end")
    }
}

/// Asks for a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Open {
    /// What to open.
    pub target: Target,
    /// The flags that the opener needs; the stream's mode has at least these. Without `READABLE`
    /// or `WRITABLE` among them it has no right to read or to write.
    pub flags: u16,
    /// What the opener expects, if it cares.
    pub kind: Option<Kind>,
    /// Where to begin.
    pub start: Pos,
    /// What to do at the end.
    pub at_end: AtEnd,
    /// Whether elements may be left out.
    pub delivery: Delivery,
    /// What to do where nothing is, or with what is there.
    pub purpose: Purpose,
    /// The first credit.
    pub credit: Credit,
    /// Places to read at once, as in [`Ranges`] with `first` zero.
    pub ranges: Vec<Range>,
    /// The fingerprint of the type that the opener decodes, if it has one.
    pub fingerprint: Option<[u8; 16]>,
    /// How soon elements go out beside those of other streams. It travels behind the others, and
    /// only where it is not the usual one.
    #[serde(skip)]
    pub urgency: Urgency,
}

/// What an opener is up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Purpose {
    /// To use what is there.
    #[default]
    Use,
    /// To use what is there, or to begin with nothing where nothing is.
    Create,
    /// To write what takes the place of what is there, all at once at the [`Sync`] that finishes.
    Replace {
        /// Whether it may be new.
        create: bool,
    },
}

/// A number that names a range on its stream, chosen by the opener, rising.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[expect(clippy::exhaustive_structs, reason = "an id is a number and stays one")]
pub struct RangeId(pub u64);

/// A place to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a place has a start and a length")]
pub struct Range {
    /// The first position.
    pub at: Position,
    /// Bytes from there, at least one.
    pub length: u64,
}

/// The stream exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Opened {
    /// What it carries.
    pub kind: Kind,
    /// What it allows.
    pub mode: Mode,
    /// Whether writing is allowed at the end and nowhere else.
    pub append_only: bool,
    /// The first credit for writing.
    pub write: Credit,
    /// What the data looks like.
    pub state: State,
    /// The absolute position where the first epoch begins.
    pub at: Position,
    /// The fingerprint of the entities' type; none for bytes and for untyped entities.
    pub fingerprint: Option<[u8; 16]>,
    /// The encoded schema of that type.
    pub schema: Option<Vec<u8>>,
}

/// More credit. Cumulative: a later one replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Limit {
    /// The epoch that it is for.
    pub epoch: Epoch,
    /// How far the streamer may send.
    pub credit: Credit,
}

/// Goes elsewhere, and starts a new epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Seek {
    /// The new epoch: one more than the last.
    pub epoch: Epoch,
    /// Where to.
    pub to: Pos,
    /// The consumer's own position, against which the direction is judged.
    pub from: Position,
    /// What to do at the end from now on.
    pub at_end: AtEnd,
    /// The first credit of the new epoch.
    pub credit: Credit,
}

/// The seek succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Sought {
    /// The epoch that the seek started.
    pub epoch: Epoch,
    /// Where it begins.
    pub at: Position,
    /// What the data looks like.
    pub state: State,
}

/// The seek failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct SeekFailed {
    /// The epoch that the seek would have started; it stays empty.
    pub epoch: Epoch,
    /// Why.
    pub fault: Fault,
    /// What the data looks like.
    pub state: State,
}

/// Everything up to here has been sent, and more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct UpToDate {
    /// The epoch.
    pub epoch: Epoch,
    /// The end as it is.
    pub at: Position,
}

/// Everything up to here has been sent, and this is the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct End {
    /// The epoch.
    pub epoch: Epoch,
    /// The end.
    pub at: Position,
}

/// Reading failed after everything up to here had been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Broken {
    /// The epoch.
    pub epoch: Epoch,
    /// The position that could not be read.
    pub at: Position,
    /// Why.
    pub fault: Fault,
}

/// Where a run of elements begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a new way to begin is a new frame version")]
pub enum WriteTo {
    /// Behind the run before; at first where the stream was opened.
    Here,
    /// At a place. `FromEnd(0)` appends: each piece then goes to the end as it is at that moment.
    At(Pos),
}

/// What must hold of the data for a step to be applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Guard {
    /// It has this version, of at most [`State::VERSION_BYTES`].
    pub version: Option<Vec<u8>>,
    /// It ends here.
    pub end: Option<Position>,
}

/// Starts a run of elements to store. Its guard is judged with its first elements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Write {
    /// The step, one more than the one before.
    pub step: Step,
    /// Where to.
    pub to: WriteTo,
    /// How many elements it has, if that is known. It is over then without another step.
    pub length: Option<u64>,
    /// On what condition.
    pub guard: Guard,
}

/// Moves an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Truncate {
    /// The step.
    pub step: Step,
    /// What to drop.
    pub edge: Edge,
    /// Where the end then is.
    pub to: Pos,
    /// On what condition.
    pub guard: Guard,
}

/// Makes durable what was written before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Sync {
    /// The step.
    pub step: Step,
    /// The opener knows how every step up to this one has ended. A later one that has failed makes
    /// this fail, too: nobody could tell what it made durable.
    pub seen: Step,
    /// Nothing more will be written. What was written in order to replace takes its place now.
    pub finish: bool,
}

/// More credit for writing, counted from the start of the stream. Cumulative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct WriteLimit {
    /// How far the opener may send.
    pub credit: Credit,
}

/// All steps before this one are settled, and this one as far as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Written {
    /// The step.
    pub step: Step,
    /// Where the run begins, or where the end is now.
    pub at: Position,
    /// Elements of the run that have been applied.
    pub count: u64,
}

/// A step failed. All steps before it are settled; its further elements are dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct WriteFailed {
    /// The step.
    pub step: Step,
    /// Elements of the run that had been applied.
    pub count: u64,
    /// Why.
    pub fault: Fault,
}

/// Asks for the bytes of some places, independently of the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Ranges {
    /// The id of the first; each further one has the next. Never one that was used before.
    pub first: RangeId,
    /// The places.
    pub ranges: Vec<Range>,
}

/// A range is over before all of its length was sent: the data ends there, or reading failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct RangeEnd {
    /// The range.
    pub range: RangeId,
    /// What failed, if something did.
    pub fault: Option<Fault>,
}

/// Elements of an epoch are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Gap {
    /// The epoch.
    pub epoch: Epoch,
    /// The first position that is left out.
    pub at: Position,
    /// The position that comes next.
    pub to: Position,
    /// Whether the data is gone, and not merely skipped for a reader that wants the latest.
    pub evicted: bool,
}

/// What the references of one element point at; the element follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Table {
    /// The epoch, or the step of an opener.
    pub epoch: Epoch,
    /// The position of the element, as its frame names it.
    pub at: Position,
    /// One line for each reference.
    pub table: Vec<Entry>,
}

/// The opener is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Close {}

/// The streamer is done, too; the id is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Closed {}

/// The stream is over, or never came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Failed {
    /// Why.
    pub fault: Fault,
}

impl StreamControl {
    /// Whether only an opener sends it.
    #[must_use]
    pub const fn is_openers(&self) -> bool {
        matches!(
            self,
            Self::Open(_)
                | Self::Limit(_)
                | Self::Seek(_)
                | Self::Close(_)
                | Self::Write(_)
                | Self::Truncate(_)
                | Self::Sync(_)
                | Self::Ranges(_)
        )
    }
}

impl StreamFrame {
    /// The kinds of this family that carry elements, with their names.
    pub const BULK_KINDS: &'static [(u8, &'static str)] =
        &[(DATA, "Data"), (ITEMS, "Items"), (ITEM_PART, "ItemPart"), (RANGE_DATA, "RangeData")];

    pub(crate) fn decode(kind: u8, id: u64, payload: &Bytes) -> Result<Option<Self>, FrameError> {
        let part = |skip| take_part(kind, payload, skip);
        Ok(match kind {
            DATA => Some(Self::Data(part(false)?.1)),
            ITEMS => Some(Self::Items(part(false)?.1)),
            ITEM_PART => {
                let (total, part) = part(true)?;
                Some(Self::ItemPart { total, part })
            }
            RANGE_DATA => {
                let Data { epoch, at, payload } = part(false)?.1;
                Some(Self::RangeData { range: RangeId(epoch.0), at, payload })
            }
            _ => StreamControl::decode_control(kind, id, payload)?.map(Self::Control),
        })
    }
}

impl<C: Into<StreamControl>> From<C> for StreamFrame {
    fn from(control: C) -> Self {
        Self::Control(control.into())
    }
}

/// Reads the fields before the elements; `total` only for parts of an entity.
fn take_part(kind: u8, payload: &Bytes, has_total: bool) -> Result<(u64, Data), FrameError> {
    let malformed = |what| FrameError::Malformed { kind, what };
    let mut rest: &[u8] = payload;
    let mut number = || varint::take(&mut rest).map_err(|_| malformed("a varint is malformed"));
    let epoch = Epoch(number()?);
    let at = Position::new(number()?).ok_or(malformed("a position beyond 2^63-1"))?;
    let total = if has_total { number()? } else { 0 };
    if rest.is_empty() && total > 0 || rest.is_empty() && !has_total {
        return Err(malformed("no elements"));
    }
    let payload = payload.slice(payload.len().saturating_sub(rest.len())..);
    Ok((total, Data { epoch, at, payload }))
}

/// Appends the header and the fields of a bulk frame; `length` bytes of elements must follow.
pub fn put_bulk_head(
    out: &mut impl BufMut,
    kind: u8,
    id: u64,
    (epoch, at): (Epoch, Position),
    total: Option<u64>,
    length: usize,
) {
    let fields = varint::len(epoch.0)
        .saturating_add(varint::len(at.get()))
        .saturating_add(total.map_or(0, varint::len));
    super::put_header(out, kind, id, fields.saturating_add(length));
    varint::put(out, epoch.0);
    varint::put(out, at.get());
    if let Some(total) = total {
        varint::put(out, total);
    }
}

/// The bytes that [`put_bulk_head`] takes at most for a payload of up to 1 MiB.
pub const BULK_HEAD_MAX: usize = 1 + 10 + 3 + 10 + 10 + 5;
