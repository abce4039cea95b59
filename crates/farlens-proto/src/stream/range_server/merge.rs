//! Which places are fetched together.
//!
//! Who waits longest is served first, together with what lies near: one request for many small
//! places costs a source about as much as a request for one of them.

use farlens_wire::{Position, frame::stream::RangeId};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
};

/// Bytes between two places that are rather read and dropped than asked for apart.
pub(super) const GAP_BYTES: u64 = 16 << 10;
/// The most bytes that one request asks for.
pub(super) const FETCH_BYTES: u64 = 256 << 10;
/// A part of a place is not worth a request with less room than this.
const WORTHWHILE_BYTES: u64 = 4 << 10;

/// With whom a place may be fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Merge {
    /// With all that is near.
    #[default]
    Freely,
    /// Before its turn, and with what is near behind it: an answer ended before it or in it. Who
    /// comes first in a request gets bytes however short the answer is.
    Resumed,
    /// With none: reading it together with others failed.
    Never,
}

/// What is still to be fetched of a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: Position,
    /// Bytes from there, at least one.
    pub(super) length: u64,
    pub(super) merge: Merge,
}

/// Ranges that one request serves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Where the request begins, and the first of the members as well.
    pub(super) at: Position,
    /// Bytes from there.
    pub(super) bytes: usize,
    /// The most bytes that it costs: what is read, or what its members get of it if that is more.
    pub(super) reserved: usize,
    /// In the order of their places. All but the first are covered whole.
    pub(super) members: Vec<RangeId>,
}

type Key = (Position, RangeId);

/// Ranges that wait to be asked for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    places: BTreeMap<Key, Wait>,
    /// The same by the time that they came. Those that are resumed came at zero.
    order: BTreeSet<(u64, Key)>,
    arrivals: u64,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    end: Position,
    length: u64,
    merge: Merge,
    arrival: u64,
}

/// What a group covers while it is put together.
#[derive(Clone, Copy, Debug)]
struct Span {
    at: Position,
    end: Position,
    /// Bytes for its members together; more than it covers where they overlap.
    total: u64,
}

impl Span {
    /// The span with one member more, if it then keeps within `cap`.
    fn with(self, (at, _): Key, wait: &Wait, cap: u64) -> Option<Self> {
        let joined = Self {
            at: self.at.min(at),
            end: self.end.max(wait.end),
            total: self.total.saturating_add(wait.length),
        };
        (joined.end.since(joined.at) <= cap && joined.total <= cap).then_some(joined)
    }
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a range behind those that wait, or one that is resumed before those that are not.
    pub(super) fn push(&mut self, range: RangeId, place: Place) {
        let Place { at, length, merge } = place;
        let end = at.forward(length).unwrap_or(Position::MAX);
        self.arrivals = self.arrivals.saturating_add(1);
        let arrival = if merge == Merge::Resumed { 0 } else { self.arrivals };
        self.order.insert((arrival, (at, range)));
        self.places.insert((at, range), Wait { end, length, merge, arrival });
    }

    /// Takes the range that waits longest and its neighbours, as far as they fit into `room` bytes.
    pub(super) fn take_group(&mut self, room: usize) -> Option<Group> {
        let cap = FETCH_BYTES.min(room as u64);
        let &(_, oldest) = self.order.first()?;
        let wait = self.places.get(&oldest)?;
        if cap < wait.length.min(WORTHWHILE_BYTES) {
            return None;
        }
        let first = self.walk_back(oldest, cap);
        let (span, members) = self.walk_on(first, cap)?;
        for key in &members {
            if let Some(wait) = self.places.remove(key) {
                self.order.remove(&(wait.arrival, *key));
            }
        }
        let bytes = span.end.since(span.at);
        Some(Group {
            at: span.at,
            bytes: usize::try_from(bytes).ok()?,
            reserved: usize::try_from(bytes.max(span.total)).ok()?,
            members: members.into_iter().map(|(_, range)| range).collect(),
        })
    }

    /// The first of the neighbours before `from` whose group still has `from` in it.
    fn walk_back(&self, from: Key, cap: u64) -> Key {
        let Some(wait) = self.places.get(&from).filter(|wait| wait.merge == Merge::Freely) else {
            return from;
        };
        let mut first = from;
        let mut span = Span { at: from.0, end: wait.end, total: wait.length };
        for (&key, wait) in self.places.range(..from).rev() {
            if wait.merge == Merge::Never {
                continue;
            }
            let near = first.0.since(wait.end) <= GAP_BYTES;
            let Some(joined) = span.with(key, wait, cap).filter(|_| near) else { break };
            (first, span) = (key, joined);
        }
        first
    }

    /// The group that begins with `first`.
    fn walk_on(&self, first: Key, cap: u64) -> Option<(Span, Vec<Key>)> {
        let wait = self.places.get(&first)?;
        let covered = wait.length.min(cap);
        let mut span = Span { at: first.0, end: first.0.forward(covered)?, total: covered };
        let mut members = vec![first];
        if wait.merge == Merge::Never {
            return Some((span, members));
        }
        for (&key, wait) in self.places.range((Excluded(first), Unbounded)) {
            if key.0.since(span.end) > GAP_BYTES || span.total == cap {
                break;
            }
            let joined = span.with(key, wait, cap).filter(|_| wait.merge != Merge::Never);
            if let Some(joined) = joined {
                span = joined;
                members.push(key);
            }
        }
        Some((span, members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting(places: &[(u32, u64)]) -> Waiting {
        let mut waiting = Waiting::default();
        for (id, &(at, length)) in places.iter().enumerate() {
            let place = Place { at: Position::from(at), length, merge: Merge::Freely };
            waiting.push(RangeId(id as u64), place);
        }
        waiting
    }

    fn members(waiting: &mut Waiting, room: usize) -> Option<Vec<u64>> {
        Some(waiting.take_group(room)?.members.into_iter().map(|range| range.0).collect())
    }

    #[test]
    fn what_is_near_the_oldest_on_either_side_goes_with_it() {
        let far = 1 << 20;
        let mut places =
            waiting(&[(50_000, 100), (far, 1), (66_484, 10), (40_000, 10), (50_050, 10)]);
        let group = places.take_group(1 << 20).unwrap();
        assert_eq!(group.at.get(), 40_000);
        assert_eq!(group.bytes, 26_494, "up to the end of the last");
        assert_eq!(group.members, [3, 0, 4, 2].map(RangeId));
        assert_eq!(members(&mut places, 1 << 20), Some(vec![1]));
        assert!(places.is_empty() && places.order.is_empty());
    }

    #[test]
    fn one_byte_beyond_the_gap_is_another_request() {
        let mut near = waiting(&[(0, 10), (10 + (16 << 10), 1)]);
        assert_eq!(members(&mut near, 1 << 20), Some(vec![0, 1]));
        let mut far = waiting(&[(0, 10), (11 + (16 << 10), 1)]);
        assert_eq!(members(&mut far, 1 << 20), Some(vec![0]));
    }

    #[test]
    fn a_large_range_goes_alone_and_in_parts() {
        let mut places = waiting(&[(0, 1 << 20), (100, 100)]);
        let group = places.take_group(1 << 20).unwrap();
        assert_eq!((group.bytes, group.members.len()), (256 << 10, 1));
        assert_eq!(members(&mut places, 1 << 20), Some(vec![1]));
    }

    #[test]
    fn copies_of_one_place_do_not_multiply_what_is_reserved() {
        let mut places = waiting(&[(0, 100 << 10); 5]);
        let group = places.take_group(1 << 20).unwrap();
        assert_eq!((group.members.len(), group.bytes, group.reserved), (2, 100 << 10, 200 << 10));
    }

    #[test]
    fn little_room_asks_for_little_but_for_no_crumb() {
        let mut places = waiting(&[(0, 10_000)]);
        assert_eq!(places.take_group(4095), None);
        assert_eq!(places.take_group(5000).unwrap().bytes, 5000);
        let mut places = waiting(&[(0, 10)]);
        assert_eq!(places.take_group(9), None);
        assert_eq!(places.take_group(10).unwrap().bytes, 10);
    }

    fn merge() -> impl Strategy<Value = Merge> {
        prop_oneof![4 => Just(Merge::Freely), 1 => Just(Merge::Resumed), 1 => Just(Merge::Never)]
    }

    proptest! {
        #[test]
        fn each_group_has_the_oldest_and_keeps_its_bounds(
            places in prop::collection::vec((0u32..1 << 20, 1u64..300_000, merge()), 1..60),
            room in 4096usize..400_000,
        ) {
            let mut waiting = Waiting::default();
            for (id, &(at, length, merge)) in places.iter().enumerate() {
                waiting.push(RangeId(id as u64), Place { at: at.into(), length, merge });
            }
            let mut left: Vec<u64> = (0..places.len() as u64).collect();
            left.sort_by_key(|&id| {
                let (at, _, merge) = places[usize::try_from(id).unwrap()];
                if merge == Merge::Resumed { (0, at, id) } else { (1, 0, id) }
            });
            while let Some(group) = waiting.take_group(room) {
                let ids: Vec<u64> = group.members.iter().map(|range| range.0).collect();
                prop_assert!(ids.contains(&left[0]), "whose turn it is is served");
                left.retain(|id| !ids.contains(id));
                let cap = room.min(256 << 10);
                prop_assert!(group.bytes > 0 && group.bytes <= group.reserved);
                prop_assert!(group.reserved <= cap);
                let place = |id: &u64| places[usize::try_from(*id).unwrap()];
                prop_assert_eq!(u64::from(place(&ids[0]).0), group.at.get());
                for id in &ids[1..] {
                    let (at, length, merge) = place(id);
                    let end = group.at.get() + group.bytes as u64;
                    prop_assert!(u64::from(at) >= group.at.get() && u64::from(at) + length <= end);
                    prop_assert_ne!(merge, Merge::Never);
                }
                prop_assert!(ids.len() == 1 || place(&ids[0]).2 != Merge::Never);
            }
            prop_assert!(left.is_empty());
        }
    }
}
