//! How long a run gathers before it is stored, and where its changes end.

use farlens_proto::{Ask, Chunk, DataRequest, Guard, WriteTo};
use farlens_tests::{pair::Pair, pattern, source::position, store::Store};
use farlens_wire::{Flags, Pos};

const RW: Flags = Flags::from_bits(Flags::READABLE.bits() | Flags::WRITABLE.bits());

/// A streamer to which so many bytes of a run have come, which is to have `known` if that was said.
fn having(place: u64, length: usize, known: Option<u64>) -> Pair {
    let (mut pair, stream) = Pair::storing(Store::bytes(*b"0123456789"), RW);
    pair.serves = false;
    let link = &mut pair.client.link;
    let to = WriteTo::At(Pos::Abs(position(place)));
    let step = link.write(stream, to, known, Guard::default()).unwrap();
    assert!(link.push(stream, step, Chunk::Bytes(pattern::bytes(7, 0, length))));
    pair.drive();
    pair
}

/// How many bytes the change stores that is asked for.
fn stored(request: Option<DataRequest>) -> usize {
    match request.map(|request| request.ask) {
        Some(Ask::Write { chunk: Chunk::Bytes(bytes), .. }) => bytes.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_that_goes_on_gathers_while_there_is_more_input_but_not_for_long() {
    let mut pair = having(0, 1_000, None);
    let rounds = (0..100).take_while(|_| pair.server.link.poll_request_amid_input().is_none());
    assert!((1..20).contains(&rounds.count()));
}

#[test]
fn what_need_not_gather_is_asked_for_amid_input() {
    for (length, known) in [(1_000, Some(1_000)), (100_000, None)] {
        let mut pair = having(0, length, known);
        assert!(pair.server.link.poll_request_amid_input().is_some(), "{length}");
    }
}

#[test]
fn a_change_of_a_run_that_goes_on_ends_at_a_border_of_the_storage() {
    let (kib_4, kib_64, kib_256) = (4 << 10, 64 << 10, 256 << 10);
    for (place, length, end) in [
        (0, 100_000, kib_64),
        (5_000, 100_000, kib_64),
        (60_000, 70_000, 31 * kib_4),
        (kib_256 - 30_000, 100_000, kib_256),
    ] {
        let stored = stored(having(place, length, None).server.link.poll_request_amid_input());
        assert_eq!(place + stored as u64, end, "{length} bytes at {place}");
    }
    let mut pair = having(0, 100_000, None);
    assert_eq!(stored(pair.server.link.poll_request()), 100_000, "no more is at hand");
}
