//! What a peer did that ends the link.

use farlens_wire::{
    Code,
    frame::{Fault, FrameError},
};

/// The peer broke the protocol; the link ends with this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) Fault);

impl Violation {
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Self {
        Self(Fault::new(code, what))
    }

    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Self::new(Code::PROTOCOL_VIOLATION, what)
    }

    pub(crate) fn flow(what: impl Into<String>) -> Self {
        Self::new(Code::FLOW_CONTROL, what)
    }
}

impl From<FrameError> for Violation {
    fn from(error: FrameError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
