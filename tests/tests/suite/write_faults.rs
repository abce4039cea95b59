//! A hostile or broken peer that writes, is written to, reads places or leaves elements out.

mod gaps;
mod late;
mod ranges;
mod streamer;
mod writer;

use farlens_proto::{Credit, Guard, RangeStatus, ReadOutcome, WriteTo};
use farlens_tests::{
    pair::{config, request},
    script::{self, Script, bulk, control, data, items},
    source::{Source, position},
    store::Store,
};
use farlens_wire::{
    Code, Edge, Epoch, Flags, Kind, Limits, Pos, Side, Step, StreamId,
    frame::{
        Fault, Frame, StreamFrame,
        stream::{
            self, Close, Closed, End, Failed, Gap, Open, Opened, Range, RangeEnd, RangeId, Ranges,
            StreamControl, Sync, Truncate, Write, WriteFailed, WriteLimit, Written,
        },
    },
};

const VIOLATION: Code = Code::PROTOCOL_VIOLATION;
const ID: StreamId = StreamId(1);

fn at(at: u64) -> Pos {
    Pos::Abs(position(at))
}

/// A credit of 100 bytes and 5 entities.
fn small() -> Limits {
    let mut limits = Limits::default();
    limits.stream_window_bytes = 100;
    limits.stream_window_max_bytes = 100;
    limits.stream_window_items = 5;
    limits
}

/// A server under test, with stream 1 on this store.
fn storing(store: &Store) -> Script {
    let mut script = Script::with(Side::Acceptor, config(small()));
    script.greet();
    script.send(&control(1, &Open { credit: Credit::default(), ..script::open("x") }));
    assert!(script.link.accept(ID, store.accepted()));
    script.frames();
    script
}

fn writable() -> Script {
    storing(&Store::bytes(*b"0123456789"))
}

fn write(step: u64) -> Vec<u8> {
    control(
        1,
        &Write { step: Step(step), to: WriteTo::At(at(0)), length: None, guard: Guard::default() },
    )
}

fn truncate(step: u64) -> Vec<u8> {
    let (edge, to, guard) = (Edge::After, at(5), Guard::default());
    control(1, &Truncate { step: Step(step), edge, to, guard })
}

fn sync(step: u64) -> Vec<u8> {
    control(1, &Sync { step: Step(step), seen: Step(0), finish: false })
}

/// Everything that came before is answered, and the stream has failed for this reason.
fn assert_stream_failed(script: &mut Script, code: Code) {
    script.assert_alive();
    let sent = script.frames();
    let failed = |frame: &Frame| matches!(frame, Frame::Stream(ID, StreamFrame::Control(StreamControl::Failed(f))) if f.fault.code == code);
    assert_eq!(sent.iter().filter(|frame| failed(frame)).count(), 1, "{sent:?}");
    assert_eq!(script.link.poll_request(), None);
    // What is still under way from a peer that did not know is ignored, and the link serves on.
    for late in [write(9), truncate(7), sync(3), data(1, 9, 0, b"late"), control(1, &Close {})] {
        script.send(&late);
    }
    script.send(&control(3, &script::open("y")));
    script.assert_alive();
}

fn run_of(length: u64) -> Vec<u8> {
    let (to, guard) = (WriteTo::At(at(0)), Guard::default());
    control(1, &Write { step: Step(1), to, length: Some(length), guard })
}

fn ranges(first: u64, places: &[(u64, u64)]) -> Vec<u8> {
    let range = |&(at, length): &(u64, u64)| Range { at: position(at), length };
    let ranges = places.iter().map(range).collect();
    control(1, &Ranges { first: RangeId(first), ranges })
}

fn serving(source: &Source) -> Script {
    let mut script = Script::server();
    script.send(&control(1, &Open { credit: Credit::default(), ..script::open("x") }));
    assert!(script.link.accept(ID, source.accepted()));
    script.frames();
    script
}

fn opened(kind: Kind, store: &Store) -> Opened {
    let accepted = store.accepted();
    Opened {
        kind,
        mode: accepted.mode,
        append_only: false,
        write: Credit { bytes: 100, elements: 100 },
        state: accepted.state,
        at: position(0),
        fingerprint: None,
        schema: None,
    }
}

/// A client under test with a stream that it may read and write, and its id.
fn opener(kind: Kind) -> (Script, StreamId) {
    let mut script = Script::with(Side::Initiator, config(small()));
    script.greet();
    let stream = script.link.open(request("x")).unwrap();
    script.frames();
    let store = match kind {
        Kind::Bytes => Store::bytes([7; 1_000]),
        Kind::Items => Store::items(&[&b"a"[..]; 1_000]),
    };
    script.send(&control(stream.0, &opened(kind, &store)));
    script.assert_alive();
    (script, stream)
}

/// A client under test that has sent ten bytes of a run.
fn writer() -> (Script, StreamId) {
    let (mut script, stream) = opener(Kind::Bytes);
    let run = script.link.write(stream, WriteTo::Here, None, Guard::default()).unwrap();
    assert!(script.link.push(stream, run, farlens_proto::Chunk::Bytes(vec![1; 10].into())));
    script.frames();
    (script, stream)
}

fn written(step: u64, count: u64) -> Written {
    Written { step: Step(step), at: position(0), count }
}

fn write_failed(step: u64, count: u64) -> WriteFailed {
    let fault = Fault::new(Code::STORAGE_IO, "no");
    WriteFailed { step: Step(step), count, fault }
}

fn range_data(stream: u64, range: u64, at: u64, body: &[u8]) -> Vec<u8> {
    bulk(stream::RANGE_DATA, stream, range, at, None, body)
}

fn range_end(stream: u64, range: u64, fault: Option<Fault>) -> Vec<u8> {
    control(stream, &RangeEnd { range: RangeId(range), fault })
}

fn gap(stream: u64, epoch: u64, from: u64, to: u64) -> Vec<u8> {
    let (at, to) = (position(from), position(to));
    control(stream, &Gap { epoch: Epoch(epoch), at, to, evicted: true })
}
