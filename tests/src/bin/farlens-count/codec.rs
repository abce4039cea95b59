//! What frames and values cost by themselves, without a link.

use bytes::{Bytes, BytesMut};
use farlens_tests::{pattern, source::position};
use farlens_wire::{
    Epoch, FrameDecoder, Limits, ObjectId,
    frame::{CallFrame, Frame, call::Call, stream},
    typed,
};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// Bytes of a frame of data.
const DATA_BYTES: usize = 64 << 10;

/// A unit is one call frame with 32 bytes of arguments, written and read.
pub(crate) fn calls(units: u64) {
    let call = Call::new(ObjectId(0), "method", pattern::bytes(1, 0, 32).to_vec());
    let call = CallFrame::Call(call);
    let put = |out: &mut BytesMut| black_box(&call).put(out, 2);
    let (mut out, encoded) = encode(put);
    let mut decoder = FrameDecoder::new(DATA_BYTES);
    for _ in 0..units {
        out.clear();
        put(&mut out);
        black_box(next(&mut decoder, encoded.clone()));
    }
}

/// A unit is one frame of 64 KiB, its head written and both read. Head and data come apart, so no
/// copy of the data hides what the codec does.
pub(crate) fn data(units: u64) {
    let payload = pattern::bytes(1, 0, DATA_BYTES);
    let place = (Epoch(0), position(1 << 30));
    let put = |out: &mut BytesMut| {
        stream::put_bulk_head(out, stream::DATA, 2, black_box(place), None, DATA_BYTES);
    };
    let (mut out, head) = encode(put);
    let mut decoder = FrameDecoder::new(2 * DATA_BYTES);
    for _ in 0..units {
        out.clear();
        put(&mut out);
        decoder.push(head.clone());
        assert_eq!(decoder.next(), Ok(None), "the data is still to come");
        black_box(next(&mut decoder, payload.clone()));
    }
}

/// A buffer with room for what is put into it again and again, and the bytes of that.
fn encode(put: impl Fn(&mut BytesMut)) -> (BytesMut, Bytes) {
    let mut out = BytesMut::with_capacity(1024);
    put(&mut out);
    let encoded = Bytes::copy_from_slice(&out);
    (out, encoded)
}

/// The only frame of a block.
fn next(decoder: &mut FrameDecoder, block: Bytes) -> Frame {
    decoder.push(block);
    decoder.next().ok().flatten().expect("the frame is well formed and whole")
}

/// An entity of five fields.
#[derive(Serialize, Deserialize)]
struct Sample {
    id: u64,
    time_ns: u64,
    value: f64,
    label: String,
    valid: bool,
}

/// A unit is one entity of five fields, written and read.
pub(crate) fn entities(units: u64) {
    let sample = Sample {
        id: 12_345,
        time_ns: 1_700_000_000_000_000_000,
        value: 6_172.5,
        label: "probe-45".to_owned(),
        valid: true,
    };
    let (mut out, limits) = (Vec::new(), Limits::default());
    for _ in 0..units {
        out.clear();
        typed::encode(black_box(&sample), &mut out).expect("it can be written");
        black_box(typed::decode::<Sample>(black_box(&out), &limits).expect("it can be read"));
    }
}
