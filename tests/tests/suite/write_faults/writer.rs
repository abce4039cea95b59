//! A hostile writer: what it must not get away with.

use super::*;

#[test]
fn d21_one_byte_beyond_the_credit_for_writing_ends_the_link() {
    let mut script = writable();
    script.send(&write(1));
    script.send(&data(1, 1, 0, &[7; 100]));
    script.assert_alive();
    script.send(&data(1, 1, 100, &[7]));
    script.assert_over(Code::FLOW_CONTROL);
    let mut script = writable();
    script.send(&[write(1), data(1, 1, 0, &[7; 101])].concat());
    script.assert_over(Code::FLOW_CONTROL);
}

#[test]
fn d21_credit_for_writing_counts_over_all_steps_and_entities() {
    let mut script = writable();
    for step in 1..=10 {
        script.send(&[write(step), data(1, step, 0, &[7; 10])].concat());
    }
    script.assert_alive();
    script.send(&[write(11), data(1, 11, 0, &[7])].concat());
    script.assert_over(Code::FLOW_CONTROL);
    let mut script = storing(&Store::items(&[]));
    script.send(&[write(1), items(1, 1, 0, &[b"1", b"2", b"3", b"4", b"5"])].concat());
    script.assert_alive();
    script.send(&items(1, 1, 5, &[b"6"]));
    script.assert_over(Code::FLOW_CONTROL);
}

#[test]
fn credit_for_writing_comes_back_as_elements_are_stored() {
    let mut store = Store::bytes(*b"");
    let mut script = storing(&store);
    script.send(&[write(1), data(1, 1, 0, &[7; 100])].concat());
    let request = script.link.poll_request().unwrap();
    script.link.handle_reply(ID, request.serial, store.answer(request.ask));
    let told: Vec<_> = script.frames();
    let credit = told.iter().find_map(|frame| match frame {
        Frame::Stream(_, StreamFrame::Control(StreamControl::WriteLimit(limit))) => {
            Some(limit.credit)
        }
        _ => None,
    });
    assert_eq!(credit.map(|credit| credit.bytes), Some(200), "{told:?}");
    script.send(&data(1, 1, 100, &[7; 100]));
    script.assert_alive();
    script.send(&data(1, 1, 200, &[7]));
    script.assert_over(Code::FLOW_CONTROL);
}

#[test]
fn progress_of_a_run_of_which_more_has_come_is_told_with_that() {
    let mut store = Store::bytes(*b"");
    let mut script = storing(&store);
    let mut answer = |script: &mut Script| {
        let request = script.link.poll_request().unwrap();
        let reply = store.answer(request.ask);
        (request.serial, reply)
    };
    script.send(&[write(1), data(1, 1, 0, &[7; 10])].concat());
    let (first, reply) = answer(&mut script);
    script.send(&data(1, 1, 10, &[7; 10]));
    script.link.handle_reply(ID, first, reply);
    assert_eq!(script.frames(), []);
    let (second, reply) = answer(&mut script);
    script.link.handle_reply(ID, second, reply);
    let told = StreamFrame::Control(written(1, 20).into());
    assert_eq!(script.frames(), [Frame::Stream(ID, told)]);
}

#[test]
fn d21_a_push_of_nothing_is_malformed_and_ends_the_link() {
    let mut script = writable();
    script.send(&[write(1), data(1, 1, 0, b"")].concat());
    script.assert_over(Code::MALFORMED);
}

#[test]
fn d11_i11_changes_that_the_mode_forbids_fail_their_stream_and_the_link_lives() {
    let read_only = Source::fixed_bytes(1, 10);
    let log = Store { append_only: true, ..Store::bytes(*b"0123") };
    let fixed = Store::bytes(*b"0123").without(Flags::CAN_MOVE_END | Flags::CAN_MOVE_START);
    let here = control(
        1,
        &Write { step: Step(1), to: WriteTo::Here, length: None, guard: Guard::default() },
    );
    let (edge, guard) = (Edge::Before, Guard::default());
    let before = control(1, &Truncate { step: Step(1), edge, to: at(1), guard });
    for frame in [write(1), here.clone(), truncate(1), before.clone(), sync(1)] {
        let mut script = Script::server();
        script.send(&control(1, &script::open("x")));
        script.link.accept(ID, read_only.accepted());
        script.frames();
        script.send(&frame);
        assert_stream_failed(&mut script, Code::MODE_FORBIDS);
    }
    for frame in [write(1), here, truncate(1), before.clone()] {
        let mut script = storing(&log);
        script.send(&frame);
        assert_stream_failed(&mut script, Code::MODE_FORBIDS);
    }
    for frame in [truncate(1), before] {
        let mut script = storing(&fixed);
        script.send(&frame);
        assert_stream_failed(&mut script, Code::MODE_FORBIDS);
    }
}

#[test]
fn i13_steps_that_skip_or_repeat_end_the_link() {
    let frames: [fn(u64) -> Vec<u8>; 3] = [write, truncate, sync];
    for frame in frames {
        for wrong in [0, 2, u64::MAX] {
            let mut script = writable();
            script.send(&frame(wrong));
            assert_eq!(script.over(), Some(VIOLATION), "{wrong} first");
        }
        for wrong in [0, 1, 3] {
            let mut script = writable();
            script.send(&sync(1));
            script.send(&frame(wrong));
            assert_eq!(script.over(), Some(VIOLATION), "{wrong} behind 1");
        }
    }
}

#[test]
fn d21_elements_of_a_step_that_takes_none_end_the_link() {
    for (first, step) in [(truncate(1), 1), (sync(1), 1), (write(1), 2), (write(1), 0)] {
        let mut script = writable();
        script.send(&first);
        script.assert_alive();
        script.send(&data(1, step, 0, b"x"));
        script.assert_over(VIOLATION);
    }
    // A run is over once another step has begun.
    let mut script = writable();
    script.send(&[write(1), data(1, 1, 0, b"a"), sync(2), data(1, 1, 1, b"b")].concat());
    script.assert_over(VIOLATION);
    let mut script = writable();
    script.send(&data(1, 0, 0, b"x"));
    script.assert_over(VIOLATION);
}

#[test]
fn i13_elements_that_do_not_follow_those_before_end_the_link() {
    for wrong in [0, 2, 4, i64::MAX as u64] {
        let mut script = writable();
        script.send(&[write(1), data(1, 1, 0, b"abc")].concat());
        script.send(&data(1, 1, wrong, b"x"));
        assert_eq!(script.over(), Some(VIOLATION), "at {wrong}");
    }
}

#[test]
fn f10_elements_of_another_kind_never_reach_the_data() {
    let mut script = writable();
    script.send(&[write(1), items(1, 1, 0, &[b"entity"])].concat());
    script.assert_over(VIOLATION);
    let mut script = storing(&Store::items(&[]));
    script.send(&[write(1), data(1, 1, 0, b"bytes")].concat());
    script.assert_over(VIOLATION);
    assert_eq!(script.link.poll_request(), None);
}

#[test]
fn d4_sixty_five_changes_at_once_end_the_link() {
    let mut script = writable();
    (1..=64).for_each(|step| script.send(&sync(step)));
    script.assert_alive();
    script.send(&sync(65));
    script.assert_over(Code::EXCESSIVE_LOAD);
    // Runs that nobody filled are over when the next one begins.
    let mut script = writable();
    (1..=1_000).for_each(|step| script.send(&write(step)));
    script.assert_alive();
    assert_eq!(script.link.poll_request(), None);
}

#[test]
fn answers_that_are_not_read_are_bounded() {
    let mut store = Store::bytes(*b"0123456789");
    let mut script = storing(&store);
    for step in 1..100_000 {
        script.send(&sync(step));
        if script.over().is_some() {
            script.assert_over(Code::EXCESSIVE_LOAD);
            return;
        }
        let request = script.link.poll_request().expect("it is to be made durable");
        script.link.handle_reply(ID, request.serial, store.answer(request.ask));
    }
    panic!("a storm that never ends");
}

#[test]
fn an_entity_that_is_not_sent_to_its_end_is_no_entity() {
    let part = bulk(stream::ITEM_PART, 1, 1, 0, Some(10), b"1234");
    for next in [write(2), sync(2), truncate(2)] {
        let mut script = storing(&Store::items(&[]));
        script.send(&[write(1), part.clone()].concat());
        script.assert_alive();
        script.send(&next);
        script.assert_over(VIOLATION);
    }
    let mut script = storing(&Store::items(&[]));
    script.send(&[write(1), part].concat());
    assert_eq!(script.link.poll_request(), None, "nothing of it is stored");
    script.send(&control(1, &Close {}));
    script.frames();
    script.assert_alive();
    assert_eq!(script.link.stats(), farlens_proto::LinkStats::default());
}

#[test]
fn a_run_has_no_more_elements_than_it_was_to_have() {
    let mut script = writable();
    script.send(&[run_of(5), data(1, 1, 0, b"abcde")].concat());
    script.assert_alive();
    script.send(&data(1, 1, 5, b"f"));
    script.assert_over(VIOLATION);
    for length in [0, 5] {
        let mut script = writable();
        script.send(&[run_of(length), data(1, 1, 0, b"abcdef")].concat());
        script.assert_over(VIOLATION);
        assert_eq!(script.link.poll_request(), None, "nothing of it is stored");
    }
}

#[test]
fn nothing_follows_the_last_sync_or_the_close() {
    let last = control(1, &Sync { step: Step(1), seen: Step(0), finish: true });
    for next in [write(2), truncate(2), sync(2), data(1, 1, 0, b"x")] {
        let mut script = writable();
        script.send(&last);
        script.assert_alive();
        script.send(&next);
        script.assert_over(VIOLATION);
    }
    for next in [write(2), data(1, 1, 1, b"x"), ranges(0, &[(0, 1)])] {
        let mut script = writable();
        // What waits to be stored keeps the stream.
        script.send(&[write(1), data(1, 1, 0, b"x"), control(1, &Close {})].concat());
        script.assert_alive();
        script.send(&next);
        script.assert_over(VIOLATION);
    }
}

#[test]
fn d14_d16_a_sync_that_was_sent_before_a_failure_was_known_fails_with_it() {
    let (full, fault) = (Code::STORAGE_FULL, |code| Some(Fault::new(code, "full")));
    for (seen, expected) in [(0, Some(full)), (1, None)] {
        let mut store = Store::bytes(*b"0123456789");
        store.fault = fault(full);
        let mut script = storing(&store);
        script.send(&[write(1), data(1, 1, 0, b"x")].concat());
        let request = script.link.poll_request().unwrap();
        script.link.handle_reply(ID, request.serial, store.answer(request.ask));
        store.fault = None;
        script.send(&control(1, &Sync { step: Step(2), seen: Step(seen), finish: false }));
        if let Some(request) = script.link.poll_request() {
            script.link.handle_reply(ID, request.serial, store.answer(request.ask));
        }
        let sent = script.frames();
        let failure = sent.iter().find_map(|frame| match frame {
            Frame::Stream(_, StreamFrame::Control(StreamControl::WriteFailed(failed))) => {
                (failed.step == Step(2)).then_some(failed.fault.code)
            }
            _ => None,
        });
        assert_eq!(failure, expected, "{sent:?}");
        assert_eq!(store.syncs.len(), usize::from(expected.is_none()));
    }
}

#[test]
fn a_condition_on_a_version_that_cannot_be_ends_the_link() {
    let to = WriteTo::At(at(0));
    for (bytes, code) in [(64, None), (65, Some(VIOLATION)), (4_000, Some(VIOLATION))] {
        let guard = Guard { version: Some(vec![1; bytes]), end: None };
        let (step, edge) = (Step(1), Edge::After);
        let frames = [
            control(1, &Write { step, to, length: None, guard: guard.clone() }),
            control(1, &Truncate { step, edge, to: at(5), guard }),
        ];
        for frame in frames {
            let mut script = writable();
            script.send(&frame);
            assert_eq!(script.over(), code, "{bytes} bytes");
        }
    }
}

#[test]
fn changes_before_the_stream_is_open_end_the_link() {
    for frame in [write(1), truncate(1), sync(1), data(1, 1, 0, b"x"), ranges(0, &[(0, 1)])] {
        let mut script = Script::server();
        script.send(&control(1, &script::open("x")));
        script.send(&frame);
        script.assert_over(VIOLATION);
    }
}
