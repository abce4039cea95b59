//! Live sequences of which the newest part is kept.

use super::*;
use crate::data::{Keep, Topic};
use std::time::Duration;

/// Which bound is met by the next element that comes.
pub(super) enum Bound {
    Count,
    Bytes,
    Age,
}

/// A topic that is full, or whose older half is old already.
pub(super) struct Kept {
    pub(super) bound: Bound,
    /// Whether peers send to it, rather than its owner.
    pub(super) by_peers: bool,
}

/// Long for what checks wait for, and short beside their watchdog.
const AGE: Duration = Duration::from_secs(6);

/// Encoded bytes that any single element has at most.
const LARGEST: usize = 64;

/// Elements that are dropped before those that are made.
const EARLIER: Range<u64> = 7_000..7_009;

impl Kept {
    /// An empty topic, and whether the given number of elements fills it.
    fn empty(&self, elements: u64) -> (Topic<Entity>, bool) {
        let encoded: usize = (0..elements).map(|n| entity_at(n).len() + 1).sum();
        let (keep, full) = match self.bound {
            Bound::Count => (Keep::new().count(elements), elements > 0),
            Bound::Bytes => (Keep::new().bytes(encoded.max(LARGEST)), encoded >= LARGEST),
            Bound::Age => (Keep::new().age(AGE), false),
        };
        (Topic::new(keep), full)
    }
}

fn send(topic: &Topic<Entity>, numbers: Range<u64>) {
    for n in numbers {
        topic.send_encoded(&entity_at(n)).expect("it fits");
    }
}

impl Subject for Kept {
    type Data = Topic<Entity>;
    type Keep = ();

    async fn make(&self, elements: u64) -> (Topic<Entity>, ()) {
        let (topic, full) = self.empty(elements);
        if full {
            send(&topic, EARLIER);
        }
        send(&topic, 0..elements / 2);
        if matches!(self.bound, Bound::Age) {
            tokio::time::advance(AGE / 2).await;
        }
        send(&topic, elements / 2..elements);
        (topic, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        entity_at(n)
    }

    fn appends_only(&self) -> bool {
        true
    }

    fn drops_oldest(&self) -> bool {
        !matches!(self.bound, Bound::Age)
    }

    async fn grow(&self, topic: &Topic<Entity>, (): &mut (), numbers: Range<u64>) -> bool {
        if !self.by_peers {
            send(topic, numbers);
        }
        !self.by_peers
    }

    async fn evict(&self, _: &Topic<Entity>, (): &mut (), _: Position) -> bool {
        let by_time = matches!(self.bound, Bound::Age);
        if by_time {
            tokio::time::advance(AGE / 2 + AGE / 100).await;
        }
        by_time
    }
}

#[tokio::test(start_paused = true)]
async fn topics_conform_whatever_bounds_them_and_whoever_sends() {
    for by_peers in [false, true] {
        for bound in [Bound::Count, Bound::Bytes, Bound::Age] {
            assert!(passed(&check(&Kept { bound, by_peers }).await) >= 35);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_grows_too_old_is_told_of() {
    let report = check(&Kept { bound: Bound::Age, by_peers: false }).await;
    assert!(has_passed(&report, "changed_tells_of_eviction"));
    assert!(has_passed(&report, "nothing_lies_before_the_start"));
}
