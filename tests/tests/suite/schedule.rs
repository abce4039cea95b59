//! Whose turn it is: streams share a batch, and control goes before data.

use bytes::BytesMut;
use farlens_tests::{
    script::{self, Script},
    source::Source,
};
use farlens_wire::{
    CallId, Epoch, FrameDecoder, ObjectId, StreamId, Urgency,
    frame::{
        Frame, LinkFrame, StreamFrame,
        call::Call,
        put_control,
        stream::{Credit, Limit, Open},
    },
};
use std::collections::BTreeMap;

fn serve(script: &mut Script, source: &Source) {
    while let Some(request) = script.link.poll_request() {
        let reply = source.answer(request.ask);
        script.link.handle_reply(request.stream, request.serial, reply);
    }
}

/// A server with streams that have much to send.
fn busy(streams: u64) -> (Script, Source) {
    let mut script = Script::server();
    let credit = Credit { bytes: 32 << 20, elements: 32 << 20 };
    let source = Source::fixed_bytes(3, 32 << 20);
    for n in 0..streams {
        let open = Open { credit, ..script::open("x") };
        script.send(&script::control(2 * n + 1, &open));
        script.link.accept(StreamId(2 * n + 1), source.accepted());
    }
    serve(&mut script, &source);
    (script, source)
}

/// The frames of one batch.
fn batch(script: &mut Script) -> Vec<Frame> {
    let mut out = BytesMut::new();
    script.link.poll_transmit(&mut out, script.now);
    let mut decoder = FrameDecoder::new(1 << 20);
    decoder.push(out.freeze());
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next().expect("a link sends frames") {
        frames.push(frame);
    }
    frames
}

fn shares(frames: &[Frame]) -> BTreeMap<u64, usize> {
    let mut shares = BTreeMap::new();
    for frame in frames {
        if let Frame::Stream(id, StreamFrame::Data(data)) = frame {
            *shares.entry(id.0).or_default() += data.payload.len();
        }
    }
    shares
}

#[test]
fn streams_with_data_take_turns() {
    let (mut script, source) = busy(4);
    let mut sent: BTreeMap<u64, usize> = BTreeMap::new();
    for _ in 0..400 {
        for (id, bytes) in shares(&batch(&mut script)) {
            *sent.entry(id).or_default() += bytes;
        }
        serve(&mut script, &source);
        let (least, most) = (sent.values().min().unwrap(), sent.values().max().unwrap());
        // One batch ahead at the most, however long it goes on.
        assert!(sent.len() == 4 && most - least <= 64 << 10, "{sent:?}");
    }
}

#[test]
fn a_stream_that_is_alone_fills_the_batch() {
    let (mut script, _) = busy(1);
    batch(&mut script);
    let frames = batch(&mut script);
    assert_eq!(frames.len(), 1);
    assert!(shares(&frames)[&1] > 60 << 10);
}

#[test]
fn s24_the_more_urgent_goes_first_and_leaves_something() {
    let (mut script, source) = busy(1);
    let credit = Credit { bytes: 32 << 20, elements: 32 << 20 };
    let urgency = Urgency::INTERACTIVE;
    let open = Open { credit, urgency, ..script::open("x") };
    script.send(&script::control(3, &open));
    script.link.accept(StreamId(3), source.accepted());
    serve(&mut script, &source);
    let mut sent: BTreeMap<u64, usize> = BTreeMap::new();
    for _ in 0..200 {
        for (id, bytes) in shares(&batch(&mut script)) {
            *sent.entry(id).or_default() += bytes;
        }
        serve(&mut script, &source);
    }
    let all = sent[&1] + sent[&3];
    assert!((all / 20..all / 12).contains(&sent[&1]), "{sent:?}");
}

#[test]
fn s24_an_urgency_that_is_none_is_ignored() {
    for value in [&[][..], &[8], &[255], &[3, 0]] {
        let mut script = Script::server();
        let mut payload = Vec::new();
        put_control(&mut payload, 1, &script::open("x"));
        // The header is of three bytes; what is behind the struct makes the payload longer.
        payload[2] += 2 + value.len() as u8;
        payload.extend([2, value.len() as u8]);
        payload.extend(value);
        script.send(&payload);
        assert_eq!(script.link.over(), None, "{value:?}");
        assert_eq!(script.link.stats().serving, 1);
    }
}

#[test]
fn what_was_fetched_in_pieces_goes_out_in_one_frame() {
    let (mut script, source) = busy(0);
    let credit = |bytes| Credit { bytes, elements: bytes };
    script.send(&script::control(1, &Open { credit: credit(20_000), ..script::open("x") }));
    script.link.accept(StreamId(1), source.accepted());
    serve(&mut script, &source);
    script.send(&script::control(1, &Limit { epoch: Epoch::FIRST, credit: credit(45_000) }));
    serve(&mut script, &source);
    let frames = batch(&mut script);
    let is_data = |frame: &&Frame| matches!(frame, Frame::Stream(_, StreamFrame::Data(_)));
    assert_eq!((frames.iter().filter(is_data).count(), shares(&frames)[&1]), (1, 45_000));
}

#[test]
fn control_goes_before_data() {
    let (mut script, source) = busy(3);
    batch(&mut script);
    serve(&mut script, &source);
    script.send(&script::link(&LinkFrame::Ping(7)));
    script.send(&script::control(1, &Call::new(ObjectId::ROOT, "m", Vec::new())));
    script.link.answer(CallId(1), Ok(vec![1].into()));
    let mut state = source.state();
    state.version = vec![1];
    script.link.handle_state(StreamId(5), state);
    let frames = batch(&mut script);
    let is_data = |frame: &Frame| matches!(frame, Frame::Stream(_, StreamFrame::Data(_)));
    let first_data = frames.iter().position(is_data).expect("data follows");
    assert_eq!(first_data, 3, "{:?}", &frames[..first_data]);
    assert!(frames[first_data..].iter().all(is_data));
    assert!(matches!(frames[0], Frame::Link(LinkFrame::Pong(7))));
}

#[test]
fn a_stream_without_credit_holds_nobody_up() {
    let (mut script, source) = busy(2);
    let credit = Credit { bytes: 100, elements: 100 };
    script.send(&script::control(5, &Open { credit, ..script::open("x") }));
    script.link.accept(StreamId(5), source.accepted());
    let mut sent: BTreeMap<u64, usize> = BTreeMap::new();
    for _ in 0..20 {
        serve(&mut script, &source);
        for (id, bytes) in shares(&batch(&mut script)) {
            *sent.entry(id).or_default() += bytes;
        }
    }
    assert_eq!(sent[&5], 100);
    assert!(sent[&1] > 500 << 10 && sent[&3] > 500 << 10, "{sent:?}");
}
