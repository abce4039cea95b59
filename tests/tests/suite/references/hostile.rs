//! Tables where they do not belong.

use farlens_proto::{Link, OpenRequest};
use farlens_tests::{
    pair::request,
    script::{self, Script},
    source::{mode, position},
};
use farlens_wire::{
    Code, Epoch, Flags, Kind, ObjectId, StreamId,
    frame::{
        Control, Frame,
        call::{About, Entry},
        stream::{Broken, Closed, Credit, Gap, ITEM_PART, Opened, State, Table, UpToDate},
    },
};

/// A client with one open stream, which grants 1,000 bytes and 4 elements.
fn reader(kind: Kind) -> (Script, u64) {
    let mut script = Script::client();
    let ahead = farlens_proto::Ahead::AtMost(Credit { bytes: 1_000, elements: 4 });
    let stream = Link::open(&mut script.link, OpenRequest { ahead, ..request("x") });
    let StreamId(id) = stream.expect("it asks");
    script.frames();
    let opened = Opened {
        kind,
        mode: mode(Flags::READABLE | Flags::START_BOUNDED | Flags::SEEK),
        append_only: false,
        write: Credit::default(),
        state: State {
            bounds: farlens_wire::Bounds { start: Some(position(0)), end: None },
            ..State::default()
        },
        at: position(0),
        fingerprint: None,
        schema: None,
    };
    script.send(&script::control(id, &opened));
    script.assert_alive();
    (script, id)
}

fn table(epoch: u64, at: u64, objects: std::ops::Range<u64>) -> Table {
    let about = About::Object { interface: None };
    let table = objects.map(|n| Entry::Mine(ObjectId(n), about)).collect();
    Table { epoch: Epoch(epoch), at: position(at), table }
}

fn violates(frames: &[Vec<u8>]) -> Code {
    let (mut script, _) = reader(Kind::Items);
    for frame in frames {
        script.assert_alive();
        script.send(frame);
    }
    script.over().expect("the last frame is a violation")
}

fn frame<C: Control>(frame: &C) -> Vec<u8> {
    script::control(reader(Kind::Items).1, frame)
}

fn items(at: u64, count: usize) -> Vec<u8> {
    script::items(reader(Kind::Items).1, 0, at, &vec![&b"abc"[..]; count])
}

#[test]
fn a_table_stands_directly_before_its_element() {
    let id = reader(Kind::Items).1;
    let first = frame(&table(0, 0, 1..3));
    for frames in [
        vec![first.clone(), first.clone()],
        vec![frame(&table(0, 1, 1..2)), first.clone()],
        vec![items(0, 1), first.clone()],
        vec![frame(&table(0, 1, 1..2)), items(0, 1)],
        vec![frame(&table(0, 1, 1..2)), script::bulk(ITEM_PART, id, 0, 0, Some(9), b"abc")],
        vec![script::bulk(ITEM_PART, id, 0, 0, Some(9), b"abc"), first.clone()],
        vec![first.clone(), frame(&UpToDate { epoch: Epoch(0), at: position(0) })],
        vec![
            first.clone(),
            frame(&Gap { epoch: Epoch(0), at: position(0), to: position(3), evicted: true }),
        ],
        vec![
            first,
            frame(&Broken {
                epoch: Epoch(0),
                at: position(0),
                fault: farlens_proto::Fault::new(Code::STORAGE_IO, "broken"),
            }),
        ],
        vec![frame(&table(0, 0, 1..1))],
        vec![frame(&table(1, 0, 1..2))],
    ] {
        assert_eq!(violates(&frames), Code::PROTOCOL_VIOLATION, "{frames:?}");
    }
}

#[test]
fn bytes_have_no_tables() {
    let (mut script, id) = reader(Kind::Bytes);
    script.send(&script::control(id, &table(0, 0, 1..2)));
    script.assert_over(Code::PROTOCOL_VIOLATION);
}

#[test]
fn tables_beyond_the_credit_are_a_violation() {
    // Each counts as 31 references and a prefix.
    let tables = (0..3).map(|n| frame(&table(0, n, n * 31 + 1..n * 31 + 32)));
    assert_eq!(violates(&tables.collect::<Vec<_>>()), Code::FLOW_CONTROL);
}

#[test]
fn tables_of_one_frame_come_in_order_before_it() {
    let (mut script, id) = reader(Kind::Items);
    script.send(&frame(&table(0, 0, 1..3)));
    script.send(&frame(&table(0, 2, 2..4)));
    script.send(&items(0, 3));
    script.assert_alive();
    let outcome = script.link.read(StreamId(id), 9);
    let farlens_proto::ReadOutcome::Some(farlens_proto::Chunk::Items(batch)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!([0, 1, 2].map(|n| batch.table(n).len()), [2, 0, 2]);
    assert_eq!(batch.table(0)[1], batch.table(2)[0]);
    assert_eq!(script.link.stats().imports, 3);
    drop(batch);
    assert_eq!(given_back(&mut script), [(1, 1), (2, 2), (3, 1)]);
}

/// What the link gives back, by object.
fn given_back(script: &mut Script) -> Vec<(u64, u64)> {
    let releases = script.frames().into_iter().filter_map(|frame| match frame {
        Frame::Release(object, release) => Some((object.0, release.count)),
        _ => None,
    });
    let mut releases: Vec<_> = releases.collect();
    releases.sort_unstable();
    assert_eq!(script.link.stats().imports, 0);
    releases
}

#[test]
fn tables_of_a_stream_that_is_gone_are_given_back() {
    let (mut script, id) = reader(Kind::Items);
    script.send(&frame(&table(0, 0, 1..2)));
    script.link.close_stream(StreamId(id));
    script.send(&items(0, 1));
    script.send(&frame(&table(0, 1, 1..3)));
    script.send(&items(1, 1));
    assert_eq!(given_back(&mut script), [(1, 1), (1, 1), (2, 1)]);
    script.send(&script::control(id, &Closed {}));
    script.send(&frame(&table(0, 2, 3..4)));
    script.send(&items(2, 1));
    assert_eq!(given_back(&mut script), [(3, 1)]);
    script.assert_alive();
}

#[test]
fn tables_of_an_epoch_that_is_over_are_given_back() {
    let (mut script, id) = reader(Kind::Items);
    let to = farlens_wire::Pos::START;
    script.send(&frame(&table(0, 0, 1..3)));
    script.link.seek(StreamId(id), to, farlens_wire::AtEnd::Stop, 0).expect("it may");
    script.send(&items(0, 1));
    script.send(&frame(&table(0, 1, 3..4)));
    script.send(&items(1, 1));
    assert_eq!(given_back(&mut script), [(1, 1), (2, 1), (3, 1)]);
    script.assert_alive();
}

#[test]
fn a_table_on_a_stream_that_was_never_opened_is_a_violation() {
    for id in [99, 2] {
        let (mut script, _) = reader(Kind::Items);
        script.send(&script::control(id, &table(0, 0, 1..2)));
        script.assert_over(Code::PROTOCOL_VIOLATION);
    }
}
