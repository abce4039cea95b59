//! Elements with references: what travels, who holds it, and that everything is given back.

mod hostile;
mod refused;

use farlens_proto::{
    Ahead, BatchBuilder, Chunk, Credit, ItemBatch, LinkStats, OpenRequest, ReadOutcome, StepStatus,
    WriteTo,
};
use farlens_tests::{
    pair::{Pair, request},
    refs::{Imported, Thing},
    rng::Rng,
    source::position,
    store::Store,
};
use farlens_wire::{AtEnd, Delivery, Flags, Limits, Pos, Reference, StreamId, WeakReference};

const RW: Flags = Flags::from_bits(Flags::READABLE.bits() | Flags::WRITABLE.bits());

fn thing(n: u64) -> Reference {
    Reference::new(Thing(n))
}

/// Entities whose bodies are `length` bytes, each with the references that it has.
fn entities(length: usize, tables: &[&[&Reference]]) -> Chunk {
    let mut batch = BatchBuilder::default();
    for (n, table) in tables.iter().enumerate() {
        let table: Vec<_> = table.iter().map(|&reference| reference.clone()).collect();
        batch.push_referring(&vec![n as u8; length], table);
    }
    Chunk::Items(batch.finish())
}

fn store(chunk: Chunk) -> Store {
    let mut store = Store { live: true, ..Store::items(&[]) };
    store.push(chunk);
    store
}

/// A store with one entity for each thing, and what tells whether a thing still lives.
fn things(count: u64) -> (Store, Vec<WeakReference>) {
    let mut store = Store { live: true, ..Store::items(&[]) };
    let living = (0..count).map(|n| {
        let thing = thing(n);
        store.push(entities(5, &[&[&thing]]));
        thing.downgrade()
    });
    let living = living.collect();
    (store, living)
}

fn open(store: Store, delivery: Delivery, window: u64) -> (Pair, StreamId) {
    let mut pair = Pair::serving(Vec::new());
    pair.server.stores.push(store);
    let ahead = Ahead::AtMost(Credit { bytes: 1 << 20, elements: window });
    let at_end = AtEnd::Follow;
    let stream = pair.open(OpenRequest { delivery, ahead, at_end, ..request("s0") });
    (pair, stream)
}

fn read(pair: &mut Pair, stream: StreamId, max: u64) -> ItemBatch {
    match pair.read(stream, max) {
        ReadOutcome::Some(Chunk::Items(batch)) => batch,
        other => panic!("{other:?}"),
    }
}

/// What the server exports, and what the client holds.
fn held(pair: &Pair) -> (usize, usize) {
    (pair.server.link.stats().exports, pair.client.link.stats().imports)
}

fn count_living(living: &[WeakReference]) -> usize {
    living.iter().filter(|thing| thing.upgrade().is_some()).count()
}

/// Lets go of everything but the links, and expects that these hold nothing.
fn assert_all_returned(mut pair: Pair, stream: StreamId, living: &[WeakReference]) {
    pair.client.link.close_stream(stream);
    pair.drive();
    pair.assert_at_rest();
    pair.server.stores.clear();
    pair.server.events.clear();
    pair.client.events.clear();
    assert_eq!(count_living(living), 0);
}

#[test]
fn an_element_comes_with_its_references() {
    let (first, second) = (thing(1), thing(2));
    let content = entities(10, &[&[&first, &second], &[], &[&second]]);
    let (mut pair, stream) = open(store(content), Delivery::Lossless, 100);
    let batch = read(&mut pair, stream, 3);
    assert_eq!([0, 1, 2].map(|n| batch.table(n).len()), [2, 0, 1]);
    assert_eq!(batch.table(0)[1], batch.table(2)[0]);
    assert_ne!(batch.table(0)[0], batch.table(0)[1]);
    assert!(batch.table(0)[0].get::<Imported>().is_some());
    assert_eq!(held(&pair), (2, 2));
    drop(batch);
    pair.drive();
    assert_eq!(held(&pair), (0, 0));
    assert_all_returned(pair, stream, &[first.downgrade()].map(|_| thing(9).downgrade()));
}

#[test]
fn two_readers_get_the_same_bodies_and_export_once() {
    let shared = thing(1);
    let (mut pair, one) = open(store(entities(3, &[&[&shared]])), Delivery::Lossless, 9);
    let two = pair.open(request("s0"));
    let (first, second) = (read(&mut pair, one, 1), read(&mut pair, two, 1));
    assert_eq!(first, second, "body and references");
    assert_eq!(held(&pair), (1, 1));
    drop(first);
    pair.drive();
    assert_eq!(held(&pair), (1, 1));
    drop(second);
    pair.drive();
    assert_eq!(held(&pair), (0, 0));
}

#[test]
fn what_goes_back_is_what_came_from_there() {
    let original = thing(1);
    let (mut pair, stream) = Pair::storing(store(entities(3, &[&[&original]])), RW);
    let batch = read(&mut pair, stream, 1);
    let written = pair.write(stream, WriteTo::At(Pos::END), Chunk::Items(batch));
    assert_eq!(written, StepStatus::Done { at: Some(position(1)), count: 1 });
    let tables = &pair.server.stores[0].tables;
    assert_eq!(tables[&1][..], [original], "it is the very same");
    assert_eq!(held(&pair), (0, 0));
    assert_eq!(pair.server.link.stats().imports, 0);
}

#[test]
fn what_an_opener_writes_is_lent_until_its_data_lets_go() {
    let (mut pair, stream) = Pair::storing(Store::items(&[]), RW);
    let (mine, also) = (thing(1), thing(2));
    let living = [mine.downgrade(), also.downgrade()];
    let chunk = entities(20, &[&[&mine], &[], &[&mine, &also]]);
    drop((mine, also));
    let written = pair.write(stream, WriteTo::At(Pos::END), chunk);
    assert_eq!(written, StepStatus::Done { at: Some(position(0)), count: 3 });
    assert_eq!((pair.client.link.stats().exports, pair.server.link.stats().imports), (2, 2));
    let tables = &pair.server.stores[0].tables;
    assert_eq!(tables[&0][0], tables[&2][0]);
    assert_eq!(count_living(&living), 2);
    pair.server.stores[0].drop_before(2);
    pair.drive();
    assert_eq!(count_living(&living), 2, "element 2 refers to both");
    pair.server.stores[0].drop_before(3);
    pair.drive();
    assert_all_returned(pair, stream, &living);
}

#[test]
fn a_write_that_fails_gives_back_what_it_lent() {
    let fault = farlens_proto::Fault::new(farlens_wire::Code::STORAGE_FULL, "no room");
    let store = Store { fault: Some(fault), ..Store::items(&[]) };
    let (mut pair, stream) = Pair::storing(store, RW);
    let mine = thing(1);
    let status = pair.write(stream, WriteTo::At(Pos::END), entities(20, &[&[&mine], &[&mine]]));
    assert!(matches!(status, StepStatus::Failed { count: 0, .. }), "{status:?}");
    let living = [mine.downgrade()];
    drop(mine);
    assert_all_returned(pair, stream, &living);
}

#[test]
fn a_seek_gives_back_what_was_buffered() {
    let (store, living) = things(50);
    let (mut pair, stream) = open(store, Delivery::Lossless, 20);
    assert_eq!(held(&pair), (20, 20));
    pair.serves = false;
    pair.client.link.seek(stream, Pos::Abs(position(45)), AtEnd::Follow, 0).expect("it may seek");
    pair.drive();
    assert_eq!(held(&pair), (0, 0));
    pair.serves = true;
    pair.drive();
    assert_eq!(held(&pair), (5, 5));
    assert_all_returned(pair, stream, &living);
}

/// Frames that the server sends while the client does not look.
fn in_flight(pair: &mut Pair) -> bytes::Bytes {
    let mut out = bytes::BytesMut::new();
    while let Some(request) = pair.server.link.poll_request() {
        let reply = pair.server.stores[0].answer(request.ask);
        pair.server.link.handle_reply(request.stream, request.serial, reply);
        pair.server.link.poll_transmit(&mut out, pair.now);
    }
    out.freeze()
}

#[test]
fn what_is_under_way_when_its_reader_leaves_is_given_back() {
    for (leaves, cut) in [(true, 0), (true, 7), (true, 40), (false, 0), (false, 7), (false, 40)] {
        let (store, living) = things(3);
        let (mut pair, stream) = open(store, Delivery::Lossless, 9);
        drop(read(&mut pair, stream, 3));
        pair.drive();
        pair.server.stores[0].push(entities(30, &[&[&thing(7)], &[&thing(8), &thing(9)]]));
        pair.server.notify_store(0);
        let frames = in_flight(&mut pair);
        assert_eq!(held(&pair), (3, 0));
        pair.client.link.handle_input(frames.slice(..cut), pair.now);
        if leaves {
            pair.client.link.close_stream(stream);
        } else {
            pair.client.link.seek(stream, Pos::START, AtEnd::Stop, 0).expect("it may");
        }
        pair.client.link.handle_input(frames.slice(cut..), pair.now);
        pair.drive();
        assert_all_returned(pair, stream, &living);
    }
}

#[test]
fn what_a_reader_of_the_latest_does_not_get_is_not_lent() {
    let (store, living) = things(2);
    let (mut pair, stream) = open(store, Delivery::Latest, 1);
    for n in 0..50 {
        pair.server.stores[0].push(entities(5, &[&[&thing(n)]]));
        pair.server.notify_store(0);
        pair.drive();
    }
    assert_eq!(held(&pair), (1, 1));
    let outcomes: Vec<_> = (0..9).map(|_| pair.read(stream, 1)).collect();
    let seen = outcomes.iter().filter(|outcome| matches!(outcome, ReadOutcome::Some(_)));
    assert_eq!(seen.count(), 2, "the first and the newest");
    assert_eq!(held(&pair), (2, 2));
    drop(outcomes);
    assert_all_returned(pair, stream, &living);
}

#[test]
fn what_is_evicted_before_it_was_sent_is_not_lent() {
    let (store, living) = things(10);
    let (mut pair, stream) = open(store, Delivery::Lossless, 2);
    pair.server.stores[0].drop_before(8);
    pair.server.notify_store(0);
    pair.drive();
    assert_eq!(held(&pair), (2, 2));
    assert!(count_living(&living) <= 5, "two here, two that are kept, one that was fetched");
    while !matches!(pair.read(stream, 1), ReadOutcome::Pending) {}
    assert_all_returned(pair, stream, &living);
}

#[test]
fn an_entity_in_parts_has_one_table_before_them() {
    let (one, two) = (thing(1), thing(2));
    let chunk = entities(100 << 10, &[&[&one, &two], &[], &[&two]]);
    let (mut pair, stream) = open(store(chunk), Delivery::Lossless, 9);
    for expected in [2, 0, 1] {
        let batch = read(&mut pair, stream, 1);
        let body = batch.iter().next().expect("one entity");
        assert_eq!((body.len(), batch.table(0).len()), (100 << 10, expected));
    }
    let living = [one.downgrade(), two.downgrade()];
    drop((one, two));
    assert_all_returned(pair, stream, &living);
}

#[test]
fn credit_counts_references_on_both_sides() {
    let all: Vec<_> = (0..100).map(thing).collect();
    let table: Vec<_> = all.iter().collect();
    let store = store(entities(3, &[&table[..]; 40]));
    let mut pair = Pair::serving(Vec::new());
    pair.server.stores.push(store);
    // Five of 4 + 3,200 bytes, of which the last begins within it and ends behind it.
    let ahead = Ahead::AtMost(Credit { bytes: 16_000, elements: 1_000 });
    let stream = pair.open(OpenRequest { ahead, ..request("s0") });
    let mut read_in_all = 0;
    while let ReadOutcome::Some(Chunk::Items(batch)) = pair.client.link.read(stream, u64::MAX) {
        read_in_all += batch.count();
        if read_in_all <= 5 {
            assert!(batch.count() <= 5);
        }
        drop(batch);
        pair.drive();
        assert!(pair.client.link.stats().granted_bytes <= 16_000);
    }
    assert_eq!((read_in_all, pair.client.over(), pair.server.over()), (40, None, None));
}

#[test]
fn f2_a_reference_in_an_element_lives_while_the_element_waits_for_its_reader() {
    let (store, living) = things(1);
    let (mut pair, stream) = open(store, Delivery::Lossless, 9);
    pair.server.stores.clear();
    assert_eq!(count_living(&living), 1, "the publisher has dropped its own");
    let batch = read(&mut pair, stream, 1);
    assert_eq!(count_living(&living), 1, "the reader holds it");
    drop(batch);
    pair.drive();
    pair.server.events.clear();
    assert_eq!(count_living(&living), 0);
}

#[test]
fn a_cut_link_lets_go_on_both_sides() {
    let (store, living) = things(20);
    let (mut pair, stream) = open(store, Delivery::Lossless, 20);
    drop(read(&mut pair, stream, 15));
    pair.drive();
    pair.server.stores[0].push(entities(30, &[&[&thing(7)]]));
    pair.server.notify_store(0);
    let frames = in_flight(&mut pair);
    pair.client.link.handle_input(frames.slice(..frames.len() - 10), pair.now);
    pair.client.link.handle_lost("cut");
    pair.server.link.handle_lost("cut");
    while pair.server.link.poll_event().is_some() {}
    pair.server.stores.clear();
    pair.server.events.clear();
    assert_eq!(pair.server.link.stats(), LinkStats::default());
    assert_eq!(count_living(&living), 0);
    // What had come can still be read.
    let mut left = 0;
    while let ReadOutcome::Some(Chunk::Items(batch)) = pair.client.link.read(stream, 1) {
        left += batch.table(0).len();
    }
    assert_eq!(left, 5);
    pair.client.link.close_stream(stream);
    assert_eq!(pair.client.link.stats(), LinkStats::default());
}

/// Elements with up to three references out of ten things.
fn drawn(rng: &mut Rng, things: &[Reference]) -> Chunk {
    let mut batch = BatchBuilder::default();
    for _ in 0..rng.between(1, 6) {
        let length = if rng.one_in(9) { 90_000 } else { rng.below(300) } as usize;
        let table: Vec<_> = (0..rng.below(4)).map(|_| rng.below(10) as usize).collect();
        let table: Vec<_> = table.into_iter().map(|n| things[n].clone()).collect();
        batch.push_referring(&vec![1; length], table);
    }
    Chunk::Items(batch.finish())
}

#[test]
fn whatever_is_done_all_that_was_lent_comes_back() {
    for seed in 0..300 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut limits = Limits::default();
        limits.stream_window_bytes = 1 << rng.between(10, 18);
        let mut pair = Pair::serving_with(limits, Vec::new());
        let mut store = Store { live: true, ..Store::items(&[]) };
        let things: Vec<_> = (0..10).map(thing).collect();
        let mine: Vec<_> = (20..30).map(thing).collect();
        let living: Vec<_> = things.iter().chain(&mine).map(Reference::downgrade).collect();
        store.push(drawn(&mut rng, &things));
        pair.server.stores.push(store);
        let delivery = if rng.one_in(2) { Delivery::Lossless } else { Delivery::Latest };
        let wish = OpenRequest { flags: RW, delivery, at_end: AtEnd::Follow, ..request("s0") };
        let stream = pair.open(wish);
        for _ in 0..40 {
            let end = pair.server.stores[0].end();
            let start = pair.server.stores[0].start;
            match rng.below(6) {
                0 => pair.server.stores[0].push(drawn(&mut rng, &things)),
                1 => drop(pair.client.link.read(stream, rng.between(1, 9))),
                2 => pair.server.stores[0].drop_before(rng.between(start, end)),
                3 => {
                    let to = Pos::Abs(position(rng.between(start, end)));
                    let _ = pair.client.link.seek(stream, to, AtEnd::Follow, 0);
                }
                4 => {
                    let guard = farlens_proto::Guard::default();
                    let to = WriteTo::At(Pos::END);
                    if let Ok(step) = pair.client.link.write(stream, to, None, guard) {
                        pair.client.link.push(stream, step, drawn(&mut rng, &mine));
                    }
                }
                _ => pair.drive(),
            }
            pair.server.notify_store(0);
            for _ in 0..rng.below(8) {
                pair.step();
            }
        }
        pair.client.link.close_stream(stream);
        pair.drive();
        drop((things, mine));
        pair.server.stores.clear();
        pair.drive();
        pair.assert_at_rest();
        pair.server.events.clear();
        pair.client.events.clear();
        assert_eq!(count_living(&living), 0, "seed {seed}");
    }
}
