//! Frames that come after their stream is over.

use super::*;

#[test]
fn i10_late_frames_about_a_closed_stream_are_ignored() {
    let (mut script, stream) = writer();
    let ticket = script.link.ask_range(stream, position(50), 10).unwrap();
    script.frames();
    script.link.close_stream(stream);
    let id = stream.0;
    for late in [
        control(id, &written(1, 10)),
        control(id, &written(7, 70)),
        control(id, &write_failed(1, 0)),
        control(id, &WriteLimit { credit: Credit::default() }),
        range_data(id, 0, 50, b"abc"),
        range_end(id, 5, None),
        gap(id, 0, 0, 5),
        control(id, &Closed {}),
        control(id, &written(1, 10)),
        range_data(id, 0, 50, b"abc"),
        gap(id, 0, 9, 3),
        control(id, &Failed { fault: Fault::new(Code::INTERNAL, "") }),
    ] {
        script.send(&late);
        script.assert_alive();
    }
    let gone = script.link.take_range(stream, ticket);
    assert!(matches!(gone, RangeStatus::Failed(fault) if fault.code == Code::CLOSED));
    script.frames();
    assert_eq!(script.link.stats(), farlens_proto::LinkStats::default());
}

#[test]
fn frames_of_the_wrong_side_end_the_link_whether_the_stream_is_open_or_not() {
    let openers = [write(1), truncate(1), sync(1), ranges(0, &[(0, 1)])];
    for frame in openers {
        let (mut script, _) = writer();
        script.send(&frame);
        script.assert_over(VIOLATION);
        let (mut script, stream) = writer();
        script.link.close_stream(stream);
        script.frames();
        script.send(&control(1, &Closed {}));
        script.send(&frame);
        script.assert_over(VIOLATION);
    }
    let credit = Credit::default();
    let streamers = [
        control(1, &written(1, 0)),
        control(1, &write_failed(1, 0)),
        control(1, &WriteLimit { credit }),
        range_data(1, 0, 0, b"x"),
        range_end(1, 0, None),
        gap(1, 0, 0, 1),
    ];
    for frame in streamers {
        let mut script = writable();
        script.send(&frame);
        script.assert_over(VIOLATION);
    }
}
