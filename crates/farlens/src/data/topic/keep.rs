//! How much of a topic is kept.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// How much of a topic is kept: whichever bound is met first drops the oldest element.
///
/// There is always a bound in bytes, 64 MiB unless it is set. Count and age are unbounded unless
/// they are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    pub(super) count: u64,
    pub(super) bytes: usize,
    pub(super) age: Option<Duration>,
}

impl Default for Keep {
    fn default() -> Self {
        Self::new()
    }
}

impl Keep {
    /// Encoded bytes that are kept unless told otherwise: 64 MiB.
    pub const DEFAULT_BYTES: usize = 64 << 20;

    /// The last 64 MiB, of any number and age.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: u64::MAX, bytes: Self::DEFAULT_BYTES, age: None }
    }

    /// At most so many elements, one at least.
    #[must_use]
    pub const fn count(mut self, count: u64) -> Self {
        self.count = if count == 0 { 1 } else { count };
        self
    }

    /// At most so many encoded bytes, each element with its length before it, and 32 for each of
    /// its references. One that does not fit alone cannot be sent.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Elements younger than this. They stay up to a millisecond longer, or up to 1/4096 of the age
    /// if that is more.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }
}

/// When the elements of a topic were sent, as finely as their age needs it.
pub(super) struct Ages {
    age: Option<Duration>,
    /// Elements that were sent within this time go together.
    grain: Duration,
    marks: VecDeque<Mark>,
}

/// The elements from `first` to that of the next mark.
struct Mark {
    first: u64,
    since: Instant,
}

impl Ages {
    pub(super) fn new(age: Option<Duration>) -> Self {
        let grain = age.map_or(Duration::ZERO, |age| (age / 4096).max(Duration::from_millis(1)));
        Self { age, grain, marks: VecDeque::new() }
    }

    /// Notes that an element was sent now.
    pub(super) fn note(&mut self, element: u64) {
        if self.age.is_none() {
            return;
        }
        let now = Instant::now();
        if self.marks.back().is_none_or(|last| now.duration_since(last.since) >= self.grain) {
            self.marks.push_back(Mark { first: element, since: now });
        }
    }

    /// Forgets what lies before the start.
    pub(super) fn forget_before(&mut self, start: u64) {
        while self.marks.get(1).is_some_and(|second| second.first <= start) {
            self.marks.pop_front();
        }
    }

    /// When the oldest elements have been kept long enough, if they ever have.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let oldest = self.marks.front()?;
        oldest.since.checked_add(self.age?.checked_add(self.grain)?)
    }

    /// The first element that is not too old, of those up to `end`.
    pub(super) fn expire(&mut self, end: u64) -> Option<u64> {
        let mut start = None;
        while self.next_expiry().is_some_and(|expiry| expiry <= Instant::now()) {
            self.marks.pop_front();
            start = Some(self.marks.front().map_or(end, |mark| mark.first));
        }
        start
    }
}
