//! Frames: the units on the wire, and one picture of all of them.
//!
//! ```text
//!  +------+-----------+---------------+----------------------+
//!  | kind | id varint | length varint | payload, length bytes|
//!  +------+-----------+---------------+----------------------+
//!
//!  kind  name         id      payload                                             sent by
//!  0x01  Hello        0       TLVs                                                both, first
//!  0x02  Ping         0       8 bytes                                             both
//!  0x03  Pong         0       8 bytes                                             both
//!  0x04  GoAway       0       {code, text}                                        both
//!  0x05  Bye          0       {code, text}                                        both, last
//!  0x06  Interface    0       {fingerprint, schema}                               both
//!  0x07  OneWayLimit  0       {depth, calls, bytes}                               both
//!  0x10  Call         call    {target, method, deadline_ms?, depth, one_way,      caller
//!                              pipelined, interface?, table, length, args}
//!  0x11  Return       call    {table, length, value}                              callee
//!  0x12  CallFailed   call    {code, text}                                        callee
//!  0x13  Cancel       call    {}                                                  caller
//!  0x14  CallPart     call    bytes                                               both
//!  0x15  Release      object  {count}                                             both
//!  0x20  Open         stream  {target, flags, kind?, start, at_end, delivery,     opener
//!                              purpose, limit, ranges, type?}
//!  0x21  Opened       stream  {kind, mode, append_only, write limit, state, at,   streamer
//!                              type?, schema?}
//!  0x22  Data         stream  epoch or step varint, at varint, bytes              both
//!  0x23  Items        stream  epoch or step varint, at varint, (length varint,    both
//!                              body)*
//!  0x24  ItemPart     stream  epoch or step varint, at varint, total varint,      both
//!                              bytes
//!  0x25  Limit        stream  {epoch, bytes, items}                               opener
//!  0x26  Seek         stream  {epoch, to, at_end, limit}                          opener
//!  0x27  Sought       stream  {epoch, at, state}                                  streamer
//!  0x28  SeekFailed   stream  {epoch, code, text, state}                          streamer
//!  0x29  State        stream  {bounds, version, ended}                            streamer
//!  0x2a  UpToDate     stream  {epoch, at}                                         streamer
//!  0x2b  End          stream  {epoch, at}                                         streamer
//!  0x2c  Broken       stream  {epoch, at, code, text}                             streamer
//!  0x2d  Close        stream  {}                                                  opener
//!  0x2e  Closed       stream  {}                                                  streamer
//!  0x2f  Failed       stream  {code, text}                                        streamer
//!  0x30  Write        stream  {step, to, length?, guard}                          opener
//!  0x31  Truncate     stream  {step, edge, to, guard}                             opener
//!  0x32  Sync         stream  {step, seen, finish}                                opener
//!  0x33  WriteLimit   stream  {bytes, items}                                      streamer
//!  0x34  Written      stream  {step, at, count}                                   streamer
//!  0x35  WriteFailed  stream  {step, count, code, text}                           streamer
//!  0x36  Ranges       stream  {first, (at, length)*}                              opener
//!  0x37  RangeData    stream  range varint, at varint, bytes                      streamer
//!  0x38  RangeEnd     stream  {range, (code, text)?}                              streamer
//!  0x39  Gap          stream  {epoch, at, to, evicted}                            streamer
//!  0x3a  Table        stream  {epoch or step, at, table}                          both
//! ```
//!
//! A payload in braces is a postcard struct followed by TLVs that later versions may add. Kinds
//! from 0x80 on may be skipped by who does not know them; other unknown kinds end the link.

pub mod call;
pub mod link;
pub mod stream;
pub(crate) mod tlv;

use crate::{Code, Page, varint};
use bytes::{BufMut, Bytes};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

pub use call::CallFrame;
pub use link::LinkFrame;
pub use stream::StreamFrame;

/// One unit on the wire, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// About the link itself.
    Link(LinkFrame),
    /// About one call.
    Call(crate::CallId, CallFrame),
    /// More of the arguments or of the result of one call.
    CallPart(crate::CallId, Bytes),
    /// About one exported object.
    Release(crate::ObjectId, call::Release),
    /// About one stream.
    Stream(crate::StreamId, StreamFrame),
    /// A kind from 0x80 on that this version does not know.
    Ignorable(u8),
}

/// The first kind that a receiver may skip without knowing it.
pub const FIRST_IGNORABLE: u8 = 0x80;

/// A frame that cannot be accepted. All but [`FrameError::Unsupported`] end the link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A kind below 0x80 that no version up to this one knows.
    UnknownKind(u8),
    /// The payload is longer than the limit for its kind.
    TooLarge {
        /// The kind of the frame.
        kind: u8,
        /// The length that its header claims, in bytes.
        length: u64,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The payload is no canonical encoding of what its kind demands.
    Malformed {
        /// The kind of the frame.
        kind: u8,
        /// What is wrong.
        what: &'static str,
    },
    /// A request with an extension that must be understood and is not. Only the request is refused.
    Unsupported {
        /// The kind of the frame.
        kind: u8,
        /// The call or stream that it speaks of.
        id: u64,
        /// The tag that is not known.
        tag: u64,
    },
}

impl FrameError {
    /// The number to report.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::UnknownKind(_) => Code::PROTOCOL_VIOLATION,
            Self::TooLarge { .. } => Code::FRAME_TOO_LARGE,
            Self::Malformed { .. } => Code::MALFORMED,
            Self::Unsupported { .. } => Code::UNSUPPORTED,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind(kind) => write!(f, "unknown frame kind 0x{kind:02x}"),
            Self::TooLarge { kind, length, limit } => {
                write!(f, "frame 0x{kind:02x} of {length} bytes, at most {limit} are allowed")
            }
            Self::Malformed { kind, what } => write!(f, "frame 0x{kind:02x}: {what}"),
            Self::Unsupported { kind, tag, .. } => {
                write!(f, "frame 0x{kind:02x} demands extension {tag}, which is not known here")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// A payload that is a postcard struct with room for TLVs behind it.
pub trait Control: Serialize + DeserializeOwned {
    /// The kind of the frame that carries it.
    const KIND: u8;

    /// Appends the whole frame where there is a quick way for it; says whether there was.
    fn put_plain(&self, _out: &mut impl BufMut, _id: u64) -> bool {
        false
    }

    /// Appends the TLVs that stand behind the struct.
    fn put_extensions(&self, _out: &mut Vec<u8>) {}

    /// Takes the value of a TLV; says whether the tag is known.
    fn take_extension(&mut self, _tag: u64, _value: &[u8]) -> bool {
        false
    }
}

/// Appends the header of a frame: three to twenty-one bytes.
pub fn put_header(out: &mut impl BufMut, kind: u8, id: u64, payload: usize) {
    out.put_u8(kind);
    varint::put(out, id);
    varint::put(out, payload as u64);
}

/// Payloads up to this length, in bytes, are encoded without memory from the heap.
const SMALL: usize = 256;

/// Appends a whole frame whose payload is `control`.
pub fn put_control<C: Control>(out: &mut impl BufMut, id: u64, control: &C) {
    if control.put_plain(out, id) {
        return;
    }
    let (mut small, large);
    small = [0; SMALL];
    let payload = match postcard::to_slice(control, &mut small) {
        Ok(payload) => payload,
        Err(_) => {
            large = postcard::to_stdvec(control).unwrap_or_default();
            large.as_slice()
        }
    };
    let mut extensions = Vec::new();
    control.put_extensions(&mut extensions);
    put_header(out, C::KIND, id, payload.len().saturating_add(extensions.len()));
    out.put_slice(payload);
    out.put_slice(&extensions);
}

/// Decodes a control payload: canonical, nothing trailing but TLVs that may be ignored.
fn take_control<C: Control>(id: u64, payload: &[u8]) -> Result<C, FrameError> {
    let malformed = |what| FrameError::Malformed { kind: C::KIND, what };
    let (mut control, rest) = postcard::take_from_bytes::<C>(payload)
        .map_err(|_| malformed("the payload is no valid struct of this kind"))?;
    let used = payload.len().saturating_sub(rest.len());
    let expected = Expected(payload.get(..used).unwrap_or_default());
    if postcard::serialize_with_flavor(&control, expected) != Ok(true) {
        return Err(malformed("the payload is not in canonical form"));
    }
    tlv::take_all(&mut control, id, rest)?;
    Ok(control)
}

/// What an encoder is to write: it fails where it writes anything else, and gives whether it wrote
/// all of it.
struct Expected<'a>(&'a [u8]);

impl postcard::ser_flavors::Flavor for Expected<'_> {
    type Output = bool;

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0 = self.0.strip_prefix(data).ok_or(postcard::Error::SerializeBufferFull)?;
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn finalize(self) -> postcard::Result<bool> {
        Ok(self.0.is_empty())
    }
}

/// A long run of bytes as one field: written at once, not byte by byte.
pub(crate) mod bulk {
    use bytes::Bytes;
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;
    use std::fmt;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D, T>(input: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: From<Bytes>,
    {
        struct Run;

        impl Visitor<'_> for Run {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes::copy_from_slice(bytes))
            }
        }

        input.deserialize_bytes(Run).map(T::from)
    }
}

/// Defines the enum of one family of frames, with its kinds and its decoder.
macro_rules! frames {
    (
        $(#[$doc:meta])*
        $family:ident { $($kind:literal $name:ident $text:literal $({ $($extensions:tt)* })?;)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $family { $(#[doc = $text] $name($name),)* }

        $(
            impl $crate::frame::Control for $name {
                const KIND: u8 = $kind;
                $($($extensions)*)?
            }

            impl From<$name> for $family {
                fn from(frame: $name) -> Self {
                    Self::$name(frame)
                }
            }
        )*

        impl $family {
            /// The kinds of this family with their names.
            pub const KINDS: &'static [(u8, &'static str)] = &[$(($kind, stringify!($name)),)*];

            /// The kind of this frame.
            #[must_use]
            pub const fn kind(&self) -> u8 {
                match self { $(Self::$name(_) => $kind,)* }
            }

            /// Appends the whole frame.
            pub fn put(&self, out: &mut impl bytes::BufMut, id: u64) {
                match self { $(Self::$name(frame) => $crate::frame::put_control(out, id, frame),)* }
            }

            fn decode_control(
                kind: u8,
                id: u64,
                payload: &[u8],
            ) -> Result<Option<Self>, $crate::frame::FrameError> {
                Ok(match kind {
                    $($kind => Some(Self::$name($crate::frame::take_control(id, payload)?)),)*
                    _ => None,
                })
            }
        }
    };
}
pub(crate) use frames;

impl Frame {
    /// Decodes a payload whose header has been read. Bulk data does not come this way.
    pub(crate) fn decode(
        kind: u8,
        id: u64,
        payload: &Bytes,
        page: &mut Page,
    ) -> Result<Self, FrameError> {
        // Calls first: nothing else comes as often.
        if id != 0
            && let Some(frame) = CallFrame::decode(kind, id, payload, page)?
        {
            return Ok(Self::Call(crate::CallId(id), frame));
        }
        let wrong_id = FrameError::Malformed { kind, what: "this kind goes with another id" };
        if let Some(frame) = LinkFrame::decode(kind, payload)? {
            return if id == 0 { Ok(Self::Link(frame)) } else { Err(wrong_id) };
        }
        if id == 0 && kind < FIRST_IGNORABLE {
            return Err(wrong_id);
        }
        if kind == call::CALL_PART {
            return Ok(Self::CallPart(crate::CallId(id), payload.clone()));
        }
        if kind == call::Release::KIND {
            return Ok(Self::Release(crate::ObjectId(id), take_control(id, payload)?));
        }
        if let Some(frame) = StreamFrame::decode(kind, id, payload)? {
            return Ok(Self::Stream(crate::StreamId(id), frame));
        }
        if kind >= FIRST_IGNORABLE {
            Ok(Self::Ignorable(kind))
        } else {
            Err(FrameError::UnknownKind(kind))
        }
    }
}

/// A failure as it crosses the link: a number and a short text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The number.
    pub code: Code,
    /// What happened, at most 1 KiB.
    pub text: String,
}

impl Fault {
    /// A failure; the text is cut to what may cross the link.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.len() > crate::Limits::TEXT_BYTES {
            let mut at = crate::Limits::TEXT_BYTES;
            while !text.is_char_boundary(at) {
                at = at.saturating_sub(1);
            }
            text.truncate(at);
        }
        Self { code, text }
    }
}

/// The text with control characters and those that change the direction of writing escaped: what
/// comes from a peer must not reach a terminal as it is.
#[must_use]
pub fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || turns(letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", printable(&self.text), self.code)
    }
}

impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.code.number(), &self.text).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Fault {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (number, text) = <(u16, String)>::deserialize(deserializer)?;
        Ok(Self::new(Code::from_number(number), text))
    }
}
