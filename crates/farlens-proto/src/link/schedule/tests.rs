use super::*;
use proptest::prelude::*;

const BATCH_BYTES: usize = 64 << 10;

fn class(number: u8) -> Urgency {
    Urgency::new(number).expect("a class")
}

fn elements(urgency: Urgency) -> Needs {
    Needs { urgency, data: true, ..Needs::default() }
}

/// Streams of these classes that never run out of elements.
fn busy(classes: &[u8]) -> Schedule {
    let mut schedule = Schedule::new(1 << 20);
    for (id, &number) in (0..).zip(classes) {
        schedule.set(StreamId(id), elements(class(number)));
    }
    schedule
}

/// What one batch has of each stream, whose frames are as long as allowed or as `frame`.
fn batch(schedule: &mut Schedule, frame: usize) -> Vec<(StreamId, usize)> {
    let (mut room, mut sent) = (BATCH_BYTES, Vec::new());
    while let Some((id, flow, allowed)) = schedule.next_data(room) {
        let bytes = allowed.min(frame);
        schedule.sent(id, flow, bytes);
        room -= bytes;
        sent.push((id, bytes));
    }
    sent
}

/// The bytes of each stream in so many batches.
fn shares(schedule: &mut Schedule, batches: usize) -> BTreeMap<u64, usize> {
    let mut shares = BTreeMap::new();
    for (id, bytes) in (0..batches).flat_map(|_| batch(schedule, usize::MAX)) {
        *shares.entry(id.0).or_default() += bytes;
    }
    shares
}

#[test]
fn the_most_urgent_goes_first() {
    for (low, high) in [(7, 5), (5, 3), (1, 0)] {
        let mut schedule = busy(&[low, high]);
        assert_eq!(batch(&mut schedule, usize::MAX), [(StreamId(1), 16 << 10); 4]);
    }
}

#[test]
fn who_has_elements_asks_for_more_once_there_is_room_for_a_quantum() {
    const BUDGET: usize = 4 * QUANTUM_BYTES;
    let mut schedule = Schedule::new(BUDGET);
    let needs = |hunger, queued| Needs { hunger, queued, ..Needs::default() };
    for id in 0..1_000 {
        schedule.set(StreamId(id), needs(Hunger::Elements, BUDGET / 1_000 + 1));
    }
    assert_eq!((schedule.hungry_len(), schedule.next_hungry()), (0, None), "the queue is full");
    schedule.set(StreamId(3), needs(Hunger::Other, BUDGET / 1_000 + 1));
    schedule.set(StreamId(2), needs(Hunger::Elements, 0));
    let asks: Vec<_> = std::iter::from_fn(|| schedule.next_hungry()).collect();
    assert_eq!(asks, [StreamId(3), StreamId(2)], "what takes no room, and who has nothing");
    for id in 0..260 {
        schedule.set(StreamId(id), needs(Hunger::Elements, 0));
        assert!(schedule.room(StreamId(id)) >= QUANTUM_BYTES);
    }
    assert_eq!(schedule.hungry_len(), 260 + 1_000);
}

#[test]
fn one_part_in_sixteen_is_left_to_the_classes_below() {
    let shares = shares(&mut busy(&[0, 5, 7]), 1_000);
    let all: usize = shares.values().sum();
    let below = shares[&1] + shares[&2];
    assert!((all / 18..all / 14).contains(&below), "{below} of {all}");
    assert!(shares[&1].abs_diff(shares[&2]) <= below / 8, "in turn: {shares:?}");
}

#[test]
fn places_are_read_two_classes_before_the_cursor() {
    let mut schedule = busy(&[4, 5, 3]);
    schedule.set(StreamId(1), Needs { ranges: true, ..elements(class(5)) });
    let mut first = Vec::new();
    for _ in 0..4 {
        let (id, flow, bytes) = schedule.next_data(BATCH_BYTES).expect("all are busy");
        schedule.sent(id, flow, bytes);
        first.push((id.0, flow));
    }
    let (cursor, places) = ((2, Flow::Cursor), (1, Flow::Ranges));
    assert_eq!(first, [cursor, places, cursor, places]);
}

#[test]
fn short_frames_use_a_turn_up() {
    let mut schedule = busy(&[5, 5]);
    let sent: Vec<_> = (0..8).flat_map(|_| batch(&mut schedule, 1_000)).collect();
    let first = sent.iter().filter(|(id, _)| id.0 == 0).count();
    assert!(first.abs_diff(sent.len() / 2) <= 16, "{first} of {}", sent.len());
    let turns = sent.chunk_by(|one, other| one.0 == other.0).count();
    assert!(turns <= sent.len() / 14, "{turns} turns of {} frames", sent.len());
}

#[test]
fn whoever_is_alone_fills_the_batch() {
    assert_eq!(batch(&mut busy(&[5]), usize::MAX), [(StreamId(0), BATCH_BYTES)]);
}

proptest! {
    /// Whatever the classes are, each stream gets a turn within a number of batches that only
    /// depends on how many there are; equal ones get equal parts.
    #[test]
    fn nobody_starves(classes in prop::collection::vec(0u8..8, 2..12)) {
        let streams = classes.len();
        let mut schedule = busy(&classes);
        let mut waits = vec![0; streams];
        let mut sent = vec![0usize; streams];
        for _ in 0..2_000 {
            waits.iter_mut().for_each(|wait| *wait += 1);
            for (id, bytes) in batch(&mut schedule, usize::MAX) {
                waits[id.0 as usize] = 0;
                sent[id.0 as usize] += bytes;
            }
            // A turn below costs fifteen above, which are four batches, and turns go round.
            let bound = 5 * 8 * streams;
            prop_assert!(waits.iter().all(|&wait| wait <= bound), "{waits:?}");
        }
        for (one, other) in (0..streams).zip(1..streams) {
            if classes[one] == classes[other] {
                prop_assert!(sent[one].abs_diff(sent[other]) <= 64 << 10, "{sent:?}");
            }
        }
    }

    /// Streams come, pause and go: whoever has elements and no more urgent rival is given a turn.
    #[test]
    fn turns_follow_what_streams_have(
        steps in prop::collection::vec((0u64..6, 0u8..8, any::<bool>(), 0u8..4), 1..300)
    ) {
        let mut schedule = Schedule::new(1 << 20);
        let mut known: BTreeMap<u64, Needs> = BTreeMap::new();
        for (id, number, ready, what) in steps {
            if what == 0 {
                schedule.forget(StreamId(id));
                known.remove(&id);
            } else {
                let urgency = known.get(&id).map_or(class(number), |needs| needs.urgency);
                let needs = Needs { urgency, data: ready, ranges: what == 2, ..Needs::default() };
                schedule.set(StreamId(id), needs);
                known.insert(id, needs);
            }
            let any = known.values().any(|needs| needs.data || needs.ranges);
            match schedule.next_data(BATCH_BYTES) {
                Some((id, flow, bytes)) => {
                    let needs = known[&id.0];
                    let ready = match flow {
                        Flow::Cursor => needs.data,
                        Flow::Ranges => needs.ranges,
                    };
                    prop_assert!(ready && bytes > 0);
                    schedule.sent(id, flow, bytes / 2);
                }
                None => prop_assert!(!any),
            }
        }
    }
}
