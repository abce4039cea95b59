//! How a stream is opened.

use crate::RemotePath;
use farlens_proto::{Kind, OpenRequest};
use farlens_wire::{AtEnd, Flags, Pos};

/// How a stream is opened: from where, and what happens at its end.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    start: Pos,
    at_end: AtEnd,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOptions {
    /// From the first element to the end as it is when it is reached.
    #[must_use]
    pub const fn new() -> Self {
        Self { start: Pos::START, at_end: AtEnd::Stop }
    }

    /// Where to begin. Default: the first element that exists.
    #[must_use]
    pub fn start(mut self, start: impl Into<Pos>) -> Self {
        self.start = start.into();
        self
    }

    /// What to do at the end of data that may grow. Default: [`AtEnd::Stop`].
    #[must_use]
    pub const fn at_end(mut self, at_end: AtEnd) -> Self {
        self.at_end = at_end;
        self
    }

    pub(crate) const fn end_policy(&self) -> AtEnd {
        self.at_end
    }

    pub(crate) fn request(&self, path: &RemotePath, kind: Kind) -> OpenRequest {
        OpenRequest {
            path: path.as_str().to_owned(),
            flags: Flags::READABLE,
            kind: Some(kind),
            start: self.start,
            at_end: self.at_end,
            elements: true,
            fingerprint: None,
        }
    }
}
