//! Calls that nothing answers: how many may be under way, level by level, on either side.
//!
//! A handler of such a call may make further ones, a level deeper. If the levels shared their
//! credit, two sides that call each other back could wait for each other for ever.

use super::callee::NO_LEVEL;
use crate::error::Violation;
use bytes::BytesMut;
use farlens_wire::{
    Code, Limits,
    frame::{
        LinkFrame,
        link::{Announced, OneWayLimit},
    },
};
use std::collections::BTreeMap;

/// So many calls and bytes of arguments, counted from the start of the link.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    calls: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.calls = self.calls.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What one level has had of the peer's one-way calls.
#[derive(Clone, Copy, Debug, Default)]
struct Come {
    come: Count,
    done: Count,
    /// What the peer was told last.
    granted: Count,
}

impl Come {
    /// Whether half of what the peer may have under way is free again and it does not know.
    fn is_due(&self, limits: &Limits) -> bool {
        let fresh = |done: u64, granted: u64, window: u64| {
            let more = done.saturating_add(window).saturating_sub(granted.max(window));
            more > 0 && more.saturating_mul(2) >= window
        };
        fresh(self.done.calls, self.granted.calls, u64::from(limits.calls))
            || fresh(self.done.bytes, self.granted.bytes, limits.argument_bytes as u64)
    }
}

/// The one-way calls of the peer.
#[derive(Debug, Default)]
pub(super) struct Notices(BTreeMap<u32, Come>);

impl Notices {
    /// Counts a call, if the peer keeps to what it was told.
    pub(super) fn admit(
        &mut self,
        depth: u32,
        length: u64,
        limits: &Limits,
    ) -> Result<(), Violation> {
        let Come { come, done, .. } = self.0.entry(depth).or_default();
        if come.calls.saturating_sub(done.calls) >= u64::from(limits.calls)
            || come.bytes.saturating_sub(done.bytes) >= limits.argument_bytes as u64
        {
            return Err(Violation::new(Code::TOO_MANY_CALLS, "more one-way calls than allowed"));
        }
        come.add(length);
        Ok(())
    }

    /// A call is done with.
    pub(super) fn finish(&mut self, depth: u32, length: u64) {
        if let Some(level) = self.0.get_mut(&depth) {
            level.done.add(length);
        }
    }

    pub(super) fn is_due(&self, limits: &Limits) -> bool {
        self.0.iter().any(|(&depth, level)| depth != NO_LEVEL && level.is_due(limits))
    }

    /// Appends what the peer is to know.
    pub(super) fn put(&mut self, out: &mut BytesMut, limits: &Limits) {
        for (&depth, level) in &mut self.0 {
            if depth != NO_LEVEL && level.is_due(limits) {
                let calls = level.done.calls.saturating_add(u64::from(limits.calls));
                let bytes = level.done.bytes.saturating_add(limits.argument_bytes as u64);
                level.granted = Count { calls, bytes };
                LinkFrame::OneWayLimit(OneWayLimit { depth, calls, bytes }).put(out);
            }
        }
    }
}

/// The one-way calls of this side: what was sent of each level, and what may be.
#[derive(Debug, Default)]
pub(super) struct Allowance(BTreeMap<u32, (Count, Count)>);

impl Allowance {
    /// Whether another call may be sent, which may then go beyond the bytes.
    pub(super) fn has_room(&self, depth: u32, peer: Announced) -> bool {
        let (sent, limit) = self.0.get(&depth).copied().unwrap_or_default();
        sent.calls < limit.calls.max(peer.calls)
            && sent.bytes < limit.bytes.max(peer.argument_bytes)
    }

    pub(super) fn send(&mut self, depth: u32, length: u64) {
        self.0.entry(depth).or_default().0.add(length);
    }

    pub(super) fn handle_limit(
        &mut self,
        limit: OneWayLimit,
        peer: Announced,
    ) -> Result<(), Violation> {
        let OneWayLimit { depth, calls, bytes } = limit;
        if u64::from(depth) >= peer.call_depth {
            return Err(Violation::protocol("one-way calls on a level that is not allowed"));
        }
        let (_, before) = self.0.entry(depth).or_default();
        if calls < before.calls || bytes < before.bytes {
            return Err(Violation::flow("one-way calls were taken back"));
        }
        *before = Count { calls, bytes };
        Ok(())
    }
}
