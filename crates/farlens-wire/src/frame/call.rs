//! Frames about calls: a method of an exported object is run at most once and answers at most once.
//!
//! Arguments and results may be longer than a frame: the first frame says how long they are, and
//! parts follow until they are whole. What their references point at stands in a table beside them.

mod plain;

use super::{Control, Fault, FrameError, tlv};
use crate::{CallId, Kind, Name, ObjectId, Page};
use bytes::{BufMut, Bytes};
use serde::{Deserialize, Serialize};

super::frames! {
    /// A frame about one call whose payload is a struct.
    CallFrame {
        0x10 Call "Runs a method." {
            fn put_plain(&self, out: &mut impl BufMut, id: u64) -> bool {
                plain::put_call(self, out, id)
            }
        };
        0x11 Return "The method's result." {
            fn put_plain(&self, out: &mut impl BufMut, id: u64) -> bool {
                plain::put_return(self, out, id)
            }
        };
        0x12 CallFailed "The method did not succeed.";
        0x13 Cancel "The caller gave up, or needs the answer no longer.";
    }
}

/// The kind of a frame with a further part of arguments or of a result.
pub const CALL_PART: u8 = 0x14;

/// What a method is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallTarget {
    /// An object, as the receiver exports it.
    Object(ObjectId),
    /// The first reference in the answer to a call that the sender made before and marked as
    /// pipelined.
    Answer(CallId),
}

/// One line of a table of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Entry {
    /// Something that the sender exports.
    Mine(ObjectId, About),
    /// Something that the receiver exports and the sender holds.
    Yours(ObjectId),
}

/// What is known of something that is exported without asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum About {
    /// It can be called.
    Object {
        /// The fingerprint of its interface, if it has one of its own.
        interface: Option<[u8; 16]>,
    },
    /// It can be opened as a stream.
    Stream {
        /// What it carries.
        kind: Kind,
        /// The bits of the mode that it is opened with at the most.
        mode: u16,
        /// Whether elements that exist cannot be changed.
        append_only: bool,
        /// The fingerprint of its elements' type, if they have one.
        schema: Option<[u8; 16]>,
    },
}

/// Runs a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Call {
    /// What it is called on.
    pub target: CallTarget,
    /// The name of the method.
    pub method: Name,
    /// Milliseconds that remain to the caller, if it set a deadline.
    pub deadline_ms: Option<u64>,
    /// How many calls this one is nested in: zero for a call that no handler makes.
    pub depth: u32,
    /// Nothing answers it.
    pub one_way: bool,
    /// Other calls may be made on its answer: the receiver keeps that until a [`Cancel`].
    pub pipelined: bool,
    /// The caller's interface, announced before, where the receiver has another.
    pub interface: Option<[u8; 16]>,
    /// What the references in the arguments point at.
    pub table: Vec<Entry>,
    /// Length of the arguments, in bytes.
    pub length: u64,
    /// Their beginning.
    #[serde(with = "super::bulk")]
    pub args: Bytes,
}

impl Call {
    /// A plain call whose arguments fit into its frame and have no references.
    pub fn new(object: ObjectId, method: impl Into<Name>, args: impl Into<Bytes>) -> Self {
        let args = args.into();
        Self {
            target: CallTarget::Object(object),
            method: method.into(),
            deadline_ms: None,
            depth: 0,
            one_way: false,
            pipelined: false,
            interface: None,
            table: Vec::new(),
            length: args.len() as u64,
            args,
        }
    }
}

/// The method's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Return {
    /// What the references in the value point at.
    pub table: Vec<Entry>,
    /// Length of the value, in bytes.
    pub length: u64,
    /// Its beginning.
    #[serde(with = "super::bulk")]
    pub value: Bytes,
}

impl Return {
    /// A result that fits into its frame and has no references.
    pub fn new(value: impl Into<Bytes>) -> Self {
        let value = value.into();
        Self { table: Vec::new(), length: value.len() as u64, value }
    }
}

/// The method did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallFailed {
    /// Why.
    pub fault: Fault,
}

impl CallFailed {
    /// A failure.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self { fault }
    }
}

/// The caller gave up, and an answer may still cross this frame; or it needs no longer the answer
/// that the receiver keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cancel {}

/// The sender has given up what it held of an object that the receiver exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Release {
    /// How many of the times that it came in a table are given back.
    pub count: u64,
}

impl Control for Release {
    const KIND: u8 = 0x15;
}

impl CallFrame {
    pub(crate) fn decode(
        kind: u8,
        id: u64,
        payload: &[u8],
        page: &mut Page,
    ) -> Result<Option<Self>, FrameError> {
        if kind == Call::KIND
            && let Some((mut call, rest)) = plain::take_call(payload, page)
        {
            tlv::take_all(&mut call, id, rest)?;
            return Ok(Some(Self::Call(call)));
        }
        if kind == Return::KIND
            && let Some((mut frame, rest)) = plain::take_return(payload, page)
        {
            tlv::take_all(&mut frame, id, rest)?;
            return Ok(Some(Self::Return(frame)));
        }
        Self::decode_control(kind, id, payload)
    }
}
