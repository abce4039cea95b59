//! Gaps that are none, or too many.

use super::*;

#[test]
fn a_gap_leaves_something_out_and_stands_where_elements_are_due() {
    for (from, to) in [(3, 3), (3, 2), (3, 0), (2, 9), (4, 9)] {
        let (mut script, stream) = opener(Kind::Bytes);
        script.send(&data(stream.0, 0, 0, b"abc"));
        script.send(&gap(stream.0, 0, from, to));
        assert_eq!(script.over(), Some(VIOLATION), "{from} to {to}");
        assert!(matches!(script.link.read(stream, 9), ReadOutcome::Some(_)), "what came is good");
    }
    let (mut script, stream) = opener(Kind::Bytes);
    script.send(&gap(stream.0, 1, 0, 5));
    script.assert_over(VIOLATION);
}

#[test]
fn elements_follow_the_gap_before_them() {
    for wrong in [3, 4, 8, 10] {
        let (mut script, stream) = opener(Kind::Bytes);
        script.send(&[data(stream.0, 0, 0, b"abc"), gap(stream.0, 0, 3, 9)].concat());
        script.assert_alive();
        script.send(&data(stream.0, 0, wrong, b"x"));
        assert_eq!(script.over(), Some(VIOLATION), "at {wrong}");
    }
}

#[test]
fn there_is_no_gap_in_the_middle_of_an_entity_or_behind_the_end() {
    let (mut script, stream) = opener(Kind::Items);
    script.send(&bulk(stream::ITEM_PART, stream.0, 0, 0, Some(10), b"1234"));
    script.assert_alive();
    script.send(&gap(stream.0, 0, 0, 5));
    script.assert_over(VIOLATION);
    let (mut script, stream) = opener(Kind::Bytes);
    script.send(&control(stream.0, &End { epoch: Epoch(0), at: position(0) }));
    script.send(&gap(stream.0, 0, 0, 5));
    script.assert_over(VIOLATION);
}

#[test]
fn gaps_that_touch_are_one_and_a_flood_of_them_costs_nothing() {
    let (mut script, stream) = opener(Kind::Bytes);
    script.send(&data(stream.0, 0, 0, b"abc"));
    assert!(matches!(script.link.read(stream, 9), ReadOutcome::Some(_)));
    for n in 3..10_003 {
        script.send(&gap(stream.0, 0, n, n + 1));
    }
    script.assert_alive();
    let read = script.link.read(stream, 1);
    assert_eq!(read, ReadOutcome::Gap { skipped: 10_000, evicted: true });
    assert_eq!(script.link.read(stream, 1), ReadOutcome::Pending);
}

#[test]
fn gaps_that_nobody_comes_to_are_bounded() {
    let mut script = Script::client();
    let stream = script.link.open(request("x")).unwrap();
    script.frames();
    script.send(&control(stream.0, &opened(Kind::Bytes, &Store::bytes([7; 10]))));
    for n in 0..100_000 {
        let (at, id) = (2 * n, stream.0);
        script.send(&[data(id, 0, at, b"x"), gap(id, 0, at + 1, at + 2)].concat());
        if script.over().is_some() {
            script.assert_over(Code::EXCESSIVE_LOAD);
            return;
        }
    }
    panic!("a storm that never ends");
}

#[test]
fn gaps_before_the_first_element_are_none_for_who_asked_for_the_first() {
    let (mut script, stream) = opener(Kind::Bytes);
    for (from, to) in [(0, 3), (3, 9)] {
        script.send(&gap(stream.0, 0, from, to));
        assert_eq!(script.link.stream_position(stream), Some(position(to)));
        assert_eq!(script.link.read(stream, 9), ReadOutcome::Pending);
    }
    script.send(&[data(stream.0, 0, 9, b"abc"), gap(stream.0, 0, 12, 20)].concat());
    assert!(matches!(script.link.read(stream, 9), ReadOutcome::Some(_)));
    let read = script.link.read(stream, 9);
    assert_eq!(read, ReadOutcome::Gap { skipped: 8, evicted: true });
}
