//! How much one stream may have outstanding, as far as the budget of its link goes.

use farlens_wire::{Limits, frame::stream::Credit};

/// The window that a stream wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// What may be outstanding now.
    pub(super) bytes: u64,
    /// What a consumer has of whom nothing is known.
    pub(super) first_bytes: u64,
    /// What a consumer has who reads on; less is for one who is expected to leave soon.
    full_bytes: u64,
    pub(super) max_bytes: u64,
    /// Entities that may be outstanding at first. Their number widens with the bytes.
    elements: u64,
}

impl Window {
    /// Nothing is wanted: only news about the data.
    pub(crate) const NONE: Self = Self::new(0, 0, 0);

    pub(super) const fn new(bytes: u64, max_bytes: u64, elements: u64) -> Self {
        Self { bytes, first_bytes: bytes, full_bytes: bytes, max_bytes, elements }
    }

    /// Never more than this.
    pub(crate) const fn fixed(most: Credit) -> Self {
        Self::new(most.bytes, most.bytes, most.elements)
    }

    pub(crate) const fn from_limits(limits: &Limits) -> Self {
        let Limits { stream_window_bytes: bytes, stream_window_max_bytes: max, .. } = *limits;
        Self::new(bytes, max, limits.stream_window_items)
    }

    /// What may be outstanding now.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The window for a consumer who is expected to take `bytes`, and not more than in full.
    pub(crate) fn expecting(self, bytes: u64) -> Self {
        Self { bytes: bytes.min(self.full_bytes), ..self }
    }

    /// Whether the consumer is expected to leave before it has used a full window.
    pub(crate) const fn is_narrow(&self) -> bool {
        self.bytes < self.full_bytes
    }

    /// The consumer reads on although that was not expected. The way back to the full window is
    /// short, since its width was found to be right before.
    pub(super) fn reopen(&mut self) {
        self.bytes = self.bytes.saturating_mul(4).min(self.full_bytes);
    }

    /// A sender was held back that would have sent `wanted` bytes. Beyond a fair `share` a window
    /// only doubles at a time, for others that are as fast must get theirs.
    pub(super) fn widen(&mut self, wanted: u64, share: u64) {
        let most = self.bytes.saturating_mul(2).max(share).min(self.max_bytes);
        self.bytes = wanted.min(most).max(self.bytes);
        self.full_bytes = self.full_bytes.max(self.bytes);
    }

    /// Entities for so many bytes of credit.
    pub(super) fn elements_for(&self, bytes: u64) -> u64 {
        let times = bytes.checked_div(self.first_bytes).unwrap_or(0).max(1);
        self.elements.saturating_mul(times)
    }
}
