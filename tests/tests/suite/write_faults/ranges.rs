//! Hostile requests for places.

use super::*;

#[test]
fn range_ids_come_in_their_order() {
    for wrong in [1, u64::MAX] {
        let mut script = serving(&Source::fixed_bytes(1, 100));
        script.send(&ranges(wrong, &[(0, 1)]));
        script.assert_over(VIOLATION);
    }
    for wrong in [0, 1, 3] {
        let mut script = serving(&Source::fixed_bytes(1, 100));
        script.send(&ranges(0, &[(0, 1), (5, 1)]));
        script.assert_alive();
        script.send(&ranges(wrong, &[(0, 1)]));
        script.assert_over(VIOLATION);
    }
}

#[test]
fn more_than_256_ranges_at_once_end_the_link() {
    let many: Vec<_> = (0..257).map(|n| (n, 1)).collect();
    let mut script = serving(&Source::fixed_bytes(1, 1_000));
    script.send(&ranges(0, &many[..256]));
    script.assert_alive();
    script.send(&ranges(256, &many[..1]));
    script.assert_over(Code::EXCESSIVE_LOAD);
    let mut script = serving(&Source::fixed_bytes(1, 1_000));
    script.send(&ranges(0, &many));
    script.assert_over(Code::EXCESSIVE_LOAD);
}

#[test]
fn a_range_has_one_byte_at_least_and_one_mebibyte_at_most() {
    let max = i64::MAX as u64;
    for (at, length, dies) in [
        (0, 0, true),
        (0, 1, false),
        (0, 1 << 20, false),
        (0, (1 << 20) + 1, true),
        (0, u64::MAX, true),
        (max, 1, true),
        (max - 1, 1, false),
    ] {
        let mut script = serving(&Source::fixed_bytes(1, 100));
        script.send(&ranges(0, &[(at, length)]));
        assert_eq!(script.over(), dies.then_some(VIOLATION), "{length} at {at}");
    }
}

#[test]
fn ranges_that_come_with_the_open_frame_are_judged_alike() {
    let cases = [
        (Range { at: position(3), length: 4 }, None),
        (Range { at: position(3), length: 0 }, Some(VIOLATION)),
        (Range { at: position(3), length: (1 << 20) + 1 }, Some(VIOLATION)),
    ];
    for (range, code) in cases {
        let mut script = Script::server();
        script.send(&control(1, &Open { ranges: vec![range], ..script::open("x") }));
        script.assert_alive();
        assert_eq!(script.link.accept(ID, Source::fixed_bytes(1, 100).accepted()), code.is_none());
        assert_eq!(script.over(), code, "{range:?}");
    }
}

#[test]
fn i11_places_that_a_stream_does_not_have_fail_it_and_the_link_lives() {
    let forward = Source::fixed_bytes(1, 100).with_seek(Flags::SEEK_FWD);
    let entities = Source { kind: Kind::Items, ..Source::fixed_bytes(1, 100) };
    for (source, code) in [(forward, Code::MODE_FORBIDS), (entities, Code::WRONG_KIND)] {
        let mut script = serving(&source);
        script.send(&ranges(0, &[(0, 1)]));
        assert_stream_failed(&mut script, code);
    }
}
