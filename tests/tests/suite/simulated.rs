//! What the simulator found, told again as small stories, and some of its seeds.

use bytes::Bytes;
use farlens_proto::{
    Ask, Chunk, Event, Guard, ReadOutcome, Rules, SeekStatus, StepStatus, WriteTo,
};
use farlens_tests::{
    pair::Pair,
    sim::{self, Weather},
    source::{Source, position},
    store::Store,
};
use farlens_wire::{Code, Edge, Flags, Pos, frame::Fault};

const RW: Flags = Flags::from_bits(Flags::READABLE.bits() | Flags::WRITABLE.bits());

/// Seeds of the stormy world that have told of a fault once.
const STORMY: [u64; 8] =
    [298, 1538, 50_004, 50_071, 201_894, 1_795_273_483_005, 1_795_320_701_560, 1_795_321_158_271];

/// Programs that have.
const CALM: [u64; 1] = [1_795_319_850_208];

fn digits() -> Store {
    Store::bytes(*b"0123456789")
}

#[test]
fn seeds_that_once_told_of_a_fault_tell_of_none() {
    for seed in STORMY {
        assert_eq!(sim::run(seed, Weather::Stormy, false).failure, None, "seed {seed}");
    }
    for seed in (0..50).chain(CALM) {
        assert_eq!(sim::run(seed, Weather::Calm, false).failure, None, "program {seed}");
    }
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in 0..20 {
        let hash = || sim::run(seed, Weather::Stormy, false).hash;
        assert_eq!(hash(), hash(), "seed {seed}");
    }
}

#[test]
fn d4_runs_without_elements_count_while_one_before_them_waits() {
    let (mut pair, stream) = Pair::storing(digits(), RW);
    pair.serves = false;
    let link = &mut pair.client.link;
    let first = link.write(stream, WriteTo::At(Pos::END), None, Guard::default()).expect("room");
    assert!(link.push(stream, first, Chunk::Bytes(Bytes::from_static(b"x"))));
    let empty = |_: &u32| link.write(stream, WriteTo::Here, None, Guard::default()).is_ok();
    assert_eq!((0..100).take_while(empty).count(), 63);
    pair.drive();
    assert_eq!(pair.server.over(), None, "the streamer takes all that the opener may begin");
    pair.serves = true;
    assert!(matches!(pair.finish_step(stream, first), StepStatus::Done { count: 1, .. }));
    let link = &mut pair.client.link;
    assert!(link.write(stream, WriteTo::Here, None, Guard::default()).is_ok());
}

#[test]
fn a_range_is_told_of_once_though_its_stream_ends_before_it_is_taken() {
    let mut pair = Pair::serving(vec![Source::fixed_bytes(1, 100)]);
    let stream = pair.open_source(0);
    pair.client.link.ask_range(stream, position(10), 5).expect("places can be read");
    pair.drive();
    let served = pair.server.only_stream();
    pair.server.link.refuse(served, Fault::new(Code::INTERNAL, "broken"));
    pair.drive();
    assert_eq!(pair.client.count(|event| matches!(event, Event::RangeDone { .. })), 1);
}

#[test]
fn a_seek_to_where_the_data_was_cut_asks_for_what_is_there_now() {
    let (mut pair, stream) = Pair::storing(digits(), RW);
    assert!(matches!(pair.read(stream, 3), ReadOutcome::Some(_)));
    let store = &mut pair.server.stores[0];
    let to = Pos::Abs(position(5));
    store.answer(Ask::Truncate { edge: Edge::After, to, rules: Rules::all() });
    pair.server.notify_store(0);
    pair.drive();
    assert!(matches!(pair.read(stream, 9), ReadOutcome::Some(chunk) if chunk.elements() == 2));
    let failed = pair.read(stream, 9);
    assert!(matches!(failed, ReadOutcome::Failed(fault) if fault.code == Code::TRUNCATED));
    assert_eq!(pair.seek(stream, to), SeekStatus::Done(position(5)));
    assert_eq!(pair.read(stream, 9), ReadOutcome::End(position(5)));
}
