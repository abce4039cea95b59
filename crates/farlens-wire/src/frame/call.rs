//! Frames about calls: a method of an exported object is run once and answers once.

use super::{Fault, FrameError};
use crate::ObjectId;
use serde::{Deserialize, Serialize};

super::frames! {
    /// A frame about one call.
    CallFrame {
        0x10 Call "Runs a method.";
        0x11 Return "The method's result.";
        0x12 CallFailed "The method did not succeed.";
        0x13 Cancel "The caller gave up.";
    }
}

/// Runs a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Call {
    /// The object, as the receiver exports it.
    pub object: ObjectId,
    /// The name of the method.
    pub method: String,
    /// Milliseconds that remain to the caller, if it set a deadline.
    pub deadline_ms: Option<u64>,
    /// The encoded arguments.
    pub args: Vec<u8>,
}

impl Call {
    /// A call without a deadline.
    pub fn new(object: ObjectId, method: impl Into<String>, args: Vec<u8>) -> Self {
        Self { object, method: method.into(), deadline_ms: None, args }
    }
}

/// The method's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Return {
    /// The encoded value.
    pub value: Vec<u8>,
}

impl Return {
    /// A result.
    #[must_use]
    pub const fn new(value: Vec<u8>) -> Self {
        Self { value }
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

/// The caller gave up; an answer may still cross this frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cancel {}

impl CallFrame {
    pub(crate) fn decode(kind: u8, id: u64, payload: &[u8]) -> Result<Option<Self>, FrameError> {
        Self::decode_control(kind, id, payload)
    }
}
