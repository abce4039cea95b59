//! A hostile streamer, seen from the side that writes and reads places.

use super::*;

#[test]
fn answers_to_steps_that_were_not_made_end_the_link() {
    for step in [0, 2, u64::MAX] {
        let (mut script, stream) = writer();
        script.send(&control(stream.0, &written(step, 0)));
        assert_eq!(script.over(), Some(VIOLATION), "{step}");
        let (mut script, stream) = writer();
        script.send(&control(stream.0, &write_failed(step, 0)));
        assert_eq!(script.over(), Some(VIOLATION), "{step}");
    }
    // Begun, and not sent yet.
    let (mut script, stream) = writer();
    script.link.sync(stream, false).unwrap();
    script.send(&control(stream.0, &written(1, 10)));
    script.assert_alive();
    script.send(&control(stream.0, &written(2, 0)));
    script.assert_over(VIOLATION);
}

#[test]
fn more_than_was_sent_is_not_applied() {
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &written(1, 11)));
    script.assert_over(VIOLATION);
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &write_failed(1, 11)));
    script.assert_over(VIOLATION);
    // What was handed in here and waits for credit has not been sent either.
    let (mut script, stream) = opener(Kind::Bytes);
    let run = script.link.write(stream, WriteTo::Here, None, Guard::default()).unwrap();
    assert!(script.link.push(stream, run, farlens_proto::Chunk::Bytes(vec![1; 200].into())));
    script.frames();
    script.send(&control(stream.0, &written(1, 100)));
    script.assert_alive();
    script.send(&control(stream.0, &written(1, 101)));
    script.assert_over(VIOLATION);
    // A step without elements applies none.
    let (mut script, stream) = opener(Kind::Bytes);
    script.link.sync(stream, false).unwrap();
    script.frames();
    script.send(&control(stream.0, &written(1, 1)));
    script.assert_over(VIOLATION);
}

#[test]
fn what_was_applied_does_not_go_back() {
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &written(1, 5)));
    script.assert_alive();
    script.send(&control(stream.0, &written(1, 4)));
    script.assert_over(VIOLATION);
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &written(1, 5)));
    script.send(&control(stream.0, &write_failed(1, 4)));
    script.assert_over(VIOLATION);
}

#[test]
fn a_step_is_not_passed_over() {
    for answer in [0, 1] {
        let (mut script, stream) = writer();
        script.link.sync(stream, false).unwrap();
        script.frames();
        script.send(&control(stream.0, &written(1, 9)));
        script.assert_alive();
        if answer == 0 {
            script.send(&control(stream.0, &written(2, 0)));
        } else {
            script.send(&control(stream.0, &write_failed(2, 0)));
        }
        script.assert_over(VIOLATION);
    }
}

#[test]
fn a_step_fails_once_and_makes_no_progress_after_that() {
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &write_failed(1, 3)));
    script.assert_alive();
    script.send(&control(stream.0, &write_failed(1, 3)));
    script.assert_over(VIOLATION);
    let (mut script, stream) = writer();
    script.send(&control(stream.0, &write_failed(1, 3)));
    script.send(&control(stream.0, &written(1, 5)));
    script.assert_over(VIOLATION);
}

#[test]
fn a_write_limit_never_falls() {
    let cases = [
        (Credit { bytes: 100, elements: 100 }, None),
        (Credit { bytes: 101, elements: 200 }, None),
        (Credit { bytes: 99, elements: 200 }, Some(Code::FLOW_CONTROL)),
        (Credit { bytes: 200, elements: 99 }, Some(Code::FLOW_CONTROL)),
    ];
    for (credit, code) in cases {
        let (mut script, stream) = writer();
        script.send(&control(stream.0, &WriteLimit { credit }));
        assert_eq!(script.over(), code, "{credit:?}");
    }
}

#[test]
fn answers_about_writing_before_the_stream_is_open_end_the_link() {
    let credit = Credit { bytes: 1_000, elements: 1_000 };
    for frame in
        [control(1, &WriteLimit { credit }), control(1, &written(1, 0)), range_end(1, 0, None)]
    {
        let mut script = Script::client();
        script.link.open(request("x")).unwrap();
        script.frames();
        script.send(&frame);
        script.assert_over(VIOLATION);
    }
}

#[test]
fn bytes_of_a_range_come_in_order_and_within_it() {
    type Lie = (&'static str, fn(u64) -> Vec<u8>, Code);
    let lies: [Lie; 8] = [
        ("an unknown range", |id| range_data(id, 1, 50, b"x"), VIOLATION),
        ("before its place", |id| range_data(id, 0, 49, b"x"), VIOLATION),
        ("behind its place", |id| range_data(id, 0, 51, b"x"), VIOLATION),
        ("beyond its end", |id| range_data(id, 0, 50, &[7; 11]), VIOLATION),
        ("nothing", |id| range_data(id, 0, 50, b""), Code::MALFORMED),
        ("the end of an unknown range", |id| range_end(id, 1, None), VIOLATION),
        (
            "a part twice",
            |id| [range_data(id, 0, 50, b"abc"), range_data(id, 0, 50, b"abc")].concat(),
            VIOLATION,
        ),
        (
            "more behind the whole",
            |id| [range_data(id, 0, 50, &[7; 10]), range_end(id, 0, None)].concat(),
            VIOLATION,
        ),
    ];
    for (name, lie, code) in lies {
        let (mut script, stream) = opener(Kind::Bytes);
        let ticket = script.link.ask_range(stream, position(50), 10).unwrap();
        script.frames();
        script.send(&lie(stream.0));
        assert_eq!(script.over(), Some(code), "{name}");
        let status = script.link.take_range(stream, ticket);
        let whole = name == "more behind the whole";
        assert_eq!(matches!(status, RangeStatus::Done(_)), whole, "{name}: {status:?}");
    }
    let (mut script, stream) = opener(Kind::Bytes);
    let ticket = script.link.ask_range(stream, position(50), 10).unwrap();
    script.frames();
    script.send(&range_data(stream.0, 0, 50, b"abc"));
    script.send(&range_data(stream.0, 0, 53, b"de"));
    script.send(&range_end(stream.0, 0, None));
    script.assert_alive();
    assert!(matches!(script.link.take_range(stream, ticket), RangeStatus::Done(b) if b == "abcde"));
}

#[test]
fn bytes_of_a_range_that_nobody_asked_for_yet_end_the_link() {
    let (mut script, stream) = opener(Kind::Bytes);
    script.link.ask_range(stream, position(50), 10).unwrap();
    // The request waits to be sent.
    script.send(&range_data(stream.0, 0, 50, b"abc"));
    script.assert_over(VIOLATION);
}
