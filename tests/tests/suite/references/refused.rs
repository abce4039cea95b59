//! References that cannot be lent: the elements before them arrive, and the stream says why.

use super::{RW, entities, open, read, store, thing};
use farlens_proto::{Chunk, Guard, ReadOutcome, SeekStatus, StepStatus, WriteTo};
use farlens_tests::{pair::Pair, source::position, store::Store};
use farlens_wire::{Code, Delivery, Limits, Pos, Reference};

/// Something that is no peer's business.
fn private() -> Reference {
    Reference::new("private")
}

#[test]
fn a_reader_gets_what_lies_before_an_unfit_reference_and_a_seek_leads_past_it() {
    let (fit, unfit) = (thing(1), private());
    let tables: [&[&Reference]; 4] = [&[&fit], &[], &[&fit, &unfit], &[&fit]];
    let (mut pair, stream) = open(store(entities(9, &tables)), Delivery::Lossless, 9);
    assert_eq!(read(&mut pair, stream, 9).count(), 2);
    match pair.read(stream, 9) {
        ReadOutcome::Failed(fault) => assert_eq!(fault.code, Code::UNSUPPORTED),
        other => panic!("{other:?}"),
    }
    let past = Pos::Abs(position(3));
    assert_eq!(pair.seek(stream, past), SeekStatus::Done(position(3)));
    assert_eq!(read(&mut pair, stream, 9).table(0).len(), 1);
}

#[test]
fn an_unfit_reference_in_the_first_element_breaks_the_reading_off_at_once() {
    for length in [9, 100 << 10] {
        let chunk = entities(length, &[&[&private()]]);
        let (mut pair, stream) = open(store(chunk), Delivery::Lossless, 9);
        let outcome = pair.read(stream, 9);
        let ReadOutcome::Failed(fault) = outcome else { panic!("{outcome:?}") };
        assert_eq!(fault.code, Code::UNSUPPORTED);
        pair.client.link.close_stream(stream);
        pair.drive();
        pair.assert_at_rest();
    }
}

fn few() -> Limits {
    let mut limits = Limits::default();
    limits.references = 128;
    limits
}

#[test]
fn a_reader_who_holds_too_much_is_told_and_can_go_on() {
    let all: Vec<_> = (0..200).map(thing).collect();
    let (one, two): (Vec<_>, Vec<_>) = (all[..100].iter().collect(), all[100..].iter().collect());
    let store = store(entities(9, &[&one, &two]));
    let (mut pair, stream) = Pair::storing_with(few(), store, RW);
    let first = read(&mut pair, stream, 9);
    assert_eq!(first.count(), 1);
    match pair.read(stream, 9) {
        ReadOutcome::Failed(fault) => assert_eq!(fault.code, Code::TOO_MANY_REFERENCES),
        other => panic!("{other:?}"),
    }
    drop(first);
    pair.drive();
    assert_eq!(pair.seek(stream, Pos::Abs(position(1))), SeekStatus::Done(position(1)));
    assert_eq!(read(&mut pair, stream, 9).table(0).len(), 100);
}

#[test]
fn a_run_fails_behind_what_could_be_lent_and_nothing_more_is_written() {
    let (mut pair, stream) = Pair::storing(Store::items(&[]), RW);
    let fit = thing(1);
    let chunk = entities(9, &[&[&fit], &[], &[&private()], &[&fit]]);
    let step = pair.client.link.write(stream, WriteTo::At(Pos::END), None, Guard::default());
    let step = step.expect("it may write");
    assert!(pair.client.link.push(stream, step, chunk));
    let sync = pair.client.link.sync(stream, false).expect("it may");
    pair.drive();
    match pair.client.link.step_status(stream, step) {
        StepStatus::Failed { at, count, fault } => {
            assert_eq!((at, count, fault.code), (Some(position(0)), 2, Code::UNSUPPORTED));
        }
        other => panic!("{other:?}"),
    }
    let synced = pair.client.link.step_status(stream, sync);
    assert!(matches!(synced, StepStatus::Failed { .. }), "{synced:?}");
    let next = pair.write(stream, WriteTo::At(Pos::END), entities(9, &[&[]]));
    let StepStatus::Failed { fault, .. } = next else { panic!("{next:?}") };
    assert_eq!(fault.code, Code::UNSUPPORTED);
    assert_eq!(pair.server.stores[0].bodies().len(), 2);
    assert!(pair.server.stores[0].syncs.is_empty());
    assert_eq!(pair.seek(stream, Pos::START), SeekStatus::Done(position(0)));
    assert_eq!(read(&mut pair, stream, 9).count(), 2, "reading is another matter");
    assert_eq!((pair.client.over(), pair.server.over()), (None, None));
}

#[test]
fn a_step_that_fails_here_wakes_whoever_waits_for_it() {
    let (mut pair, stream) = Pair::storing(Store::items(&[]), RW);
    let step = pair.client.link.write(stream, WriteTo::At(Pos::END), None, Guard::default());
    let step = step.expect("it may write");
    assert!(pair.client.link.push(stream, step, entities(9, &[&[&private()]])));
    pair.client.events.clear();
    pair.drive();
    let status = pair.client.link.step_status(stream, step);
    assert!(matches!(status, StepStatus::Failed { at: None, count: 0, .. }), "{status:?}");
    let changed = farlens_proto::Event::Changed { stream };
    assert!(pair.client.events.contains(&changed));
    assert!(!pair.client.link.push(stream, step, Chunk::Items(Default::default())));
}
