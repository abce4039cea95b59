//! A token bucket: a rate in bytes, with a little to spend at once.
//!
//! Who takes bytes that are not there yet goes into debt, and waits until it would be paid: whoever
//! comes later waits behind. So nobody has to be woken, and large takes are not passed by small
//! ones. What is given back shortens the wait of those who come then.

use parking_lot::Mutex;
use std::{num::NonZeroU64, time::Duration};
use tokio::time::{Instant, sleep};

/// Bytes that may pass at once at the least, however low the rate is.
const LEAST_BURST: u64 = 64 << 10;
/// Bytes of one read at the most, so that many readers take turns.
const LARGEST_SHARE: u64 = 64 << 10;
/// And at the least, so that a slow reader is not served byte by byte.
const LEAST_SHARE: u64 = 512;
/// The parts of a byte in which the level is counted: what flows in within a nanosecond at one byte
/// a second.
const PARTS: i128 = 1_000_000_000;

/// A rate that any number of streams share.
#[derive(Debug)]
pub(crate) struct Bucket {
    flow: Flow,
    level: Mutex<Level>,
}

/// What flows in, and how much of it is kept.
#[derive(Debug)]
struct Flow {
    /// Bytes a second, which are parts a nanosecond.
    rate: NonZeroU64,
    /// The level at which the bucket is full.
    full: i128,
}

#[derive(Debug)]
struct Level {
    /// What may pass now, in parts of a byte; below zero what must flow in first.
    parts: i128,
    /// When that was so.
    at: Instant,
}

/// Bytes that were taken; what is not settled goes back.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    bucket: &'a Bucket,
    bytes: usize,
}

impl Taken<'_> {
    /// So many bytes have passed, whatever was taken for them.
    pub(super) fn settle(self, used: usize) {
        self.bucket.charge(used);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.bucket.level.lock().add(parts_of(self.bytes), &self.bucket.flow);
    }
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(rate: NonZeroU64) -> Self {
        let full = i128::from(rate.get().max(LEAST_BURST)) * PARTS;
        let level = Level { parts: full, at: Instant::now() };
        Self { flow: Flow { rate, full }, level: Mutex::new(level) }
    }

    /// The most bytes that one read asks for: what flows in within a tenth of a second, more or
    /// less.
    pub(super) fn share(&self) -> usize {
        let share = (self.flow.rate.get() / 10).clamp(LEAST_SHARE, LARGEST_SHARE);
        usize::try_from(share).unwrap_or(usize::MAX)
    }

    /// Takes bytes, and waits until they are there. To give up gives them back.
    pub(super) async fn take(&self, bytes: usize) -> Taken<'_> {
        let wait = self.level.lock().add(-parts_of(bytes), &self.flow);
        let taken = Taken { bucket: self, bytes };
        if !wait.is_zero() {
            sleep(wait).await;
        }
        taken
    }

    /// Takes bytes that are there.
    pub(super) fn take_now(&self, bytes: usize) -> Option<Taken<'_>> {
        let mut level = self.level.lock();
        level.add(0, &self.flow);
        if level.parts < parts_of(bytes) {
            return None;
        }
        level.add(-parts_of(bytes), &self.flow);
        Some(Taken { bucket: self, bytes })
    }

    /// Takes bytes that have passed already.
    pub(crate) fn charge(&self, bytes: usize) {
        self.level.lock().add(-parts_of(bytes), &self.flow);
    }
}

impl Level {
    /// Takes note of what has flowed in, and adds so much, or takes it; how long it takes until
    /// nothing is owed.
    fn add(&mut self, parts: i128, flow: &Flow) -> Duration {
        let (rate, now) = (flow.rate.get(), Instant::now());
        let passed = i128::try_from((now - self.at).as_nanos()).unwrap_or(i128::MAX);
        let inflow = passed.saturating_mul(rate.into());
        self.parts = self.parts.saturating_add(inflow).min(flow.full);
        self.parts = self.parts.saturating_add(parts).min(flow.full);
        self.at = now;
        let nanos = self.parts.min(0).unsigned_abs().div_ceil(rate.into());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

fn parts_of(bytes: usize) -> i128 {
    i128::try_from(bytes).unwrap_or(i128::MAX).saturating_mul(PARTS)
}
