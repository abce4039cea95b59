//! Bytes that are sent where they were read: as soon as nothing else waits, and not before.

use bytes::Bytes;
use farlens_proto::{Ask, BATCH_BYTES, Chunk, DataRequest, Reply};
use farlens_tests::{
    script::{self, Script},
    source::Source,
};
use farlens_wire::{
    AtEnd, Epoch, FrameDecoder, Pos, Position, StreamId,
    frame::{
        Frame, StreamFrame,
        stream::{BULK_HEAD_MAX, Credit, Data, Limit, Open, Seek},
    },
};

const STREAM: StreamId = StreamId(1);
const LENGTH: u64 = 200_000;

fn credit(bytes: u64) -> Credit {
    Credit { bytes, elements: bytes }
}

/// A server with one stream that may send so many bytes, what it read, and its first request.
fn reading(bytes: u64) -> (Script, Source, DataRequest) {
    let mut script = Script::server();
    let source = Source::fixed_bytes(3, LENGTH);
    script.send(&script::control(1, &Open { credit: credit(bytes), ..script::open("x") }));
    script.link.accept(STREAM, source.accepted());
    script.frames();
    let request = script.link.poll_request().expect("a reader waits");
    (script, source, request)
}

/// What a source reads for a request into a batch, up to `most` bytes.
fn read(source: &Source, request: &DataRequest, most: usize) -> Vec<u8> {
    let Ask::Read { at, bytes, elements } = request.ask else { panic!("{request:?}") };
    let Chunk::Bytes(found) = source.chunk(at.get(), bytes.min(most), elements) else {
        panic!("a source of bytes");
    };
    [&[0; BULK_HEAD_MAX][..], &found].concat()
}

fn send(script: &mut Script, request: &DataRequest, batch: &mut [u8]) -> Option<usize> {
    script.link.send_in_place(request.stream, request.serial, batch, BULK_HEAD_MAX)
}

/// The one frame of elements that a batch is.
fn data(batch: &[u8]) -> Data {
    let mut decoder = FrameDecoder::new(1 << 20);
    decoder.push(Bytes::copy_from_slice(batch));
    match decoder.next() {
        Ok(Some(Frame::Stream(STREAM, StreamFrame::Data(data)))) => data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_is_sent_to_its_end_in_place() {
    let (mut script, source, first) = reading(LENGTH);
    let (mut next, mut sent) = (Some(first), 0);
    while let Some(request) = next {
        let mut batch = read(&source, &request, BATCH_BYTES - BULK_HEAD_MAX);
        let begin = send(&mut script, &request, &mut batch).expect("nothing else waits");
        let data = data(&batch[begin..]);
        assert_eq!((data.epoch, data.at.get()), (Epoch::FIRST, sent));
        assert_eq!(
            Chunk::Bytes(data.payload.clone()),
            source.chunk(sent, data.payload.len(), 1 << 20)
        );
        sent += data.payload.len() as u64;
        next = script.link.poll_request();
    }
    assert_eq!(sent, LENGTH);
    let frames = script.frames();
    assert!(matches!(frames[..], [Frame::Stream(STREAM, StreamFrame::Control(_))]), "{frames:?}");
}

#[test]
fn what_waits_goes_first() {
    let (mut script, source, request) = reading(LENGTH);
    script.call(vec![7]).expect("established");
    let mut batch = read(&source, &request, 1000);
    assert_eq!(send(&mut script, &request, &mut batch), None);
    assert_eq!(script.frames().len(), 1, "the call");
    assert!(send(&mut script, &request, &mut batch).is_some());
}

#[test]
fn what_was_queued_goes_first() {
    let (mut script, source, first) = reading(1000);
    let Ask::Read { at, bytes, elements } = first.ask else { panic!("{first:?}") };
    let reply = Reply::Some(source.chunk(at.get(), bytes, elements));
    script.link.handle_reply(STREAM, first.serial, reply);
    script.send(&script::control(1, &Limit { epoch: Epoch::FIRST, credit: credit(2000) }));
    let request = script.link.poll_request().expect("there is more credit");
    let mut batch = read(&source, &request, 1000);
    assert_eq!(send(&mut script, &request, &mut batch), None);
    script.frames();
    let begin = send(&mut script, &request, &mut batch).expect("nothing else waits");
    assert_eq!(data(&batch[begin..]).at.get(), 1000);
}

#[test]
fn an_answer_to_an_old_request_is_not_sent() {
    let (mut script, source, old) = reading(LENGTH);
    let mut batch = read(&source, &old, 1000);
    let other = script.link.send_in_place(STREAM, old.serial + 1, &mut batch, BULK_HEAD_MAX);
    assert_eq!(other, None);
    let seek = Seek {
        epoch: Epoch::FIRST.next(),
        to: Pos::START,
        from: Position::ZERO,
        at_end: AtEnd::Stop,
        credit: credit(LENGTH),
    };
    script.send(&script::control(1, &seek));
    script.frames();
    assert_eq!(send(&mut script, &old, &mut batch), None);
}

#[test]
fn nobody_sends_more_than_was_asked_for_or_room_for_no_head() {
    let (mut script, source, request) = reading(1000);
    let mut long = [read(&source, &request, 1000), vec![0]].concat();
    assert_eq!(send(&mut script, &request, &mut long), None);
    let mut batch = read(&source, &request, 1000);
    let short = &mut batch[BULK_HEAD_MAX - 1..];
    assert_eq!(script.link.send_in_place(STREAM, request.serial, short, 1), None);
    assert_eq!(script.link.send_in_place(STREAM, request.serial, short, 2000), None);
    assert!(send(&mut script, &request, &mut batch).is_some());
}
