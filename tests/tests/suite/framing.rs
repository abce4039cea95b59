//! The frame decoder: the same frames however the bytes are cut, and nothing that panics.

use bytes::Bytes;
use farlens_tests::{rng::Rng, script};
use farlens_wire::{
    AtEnd, Epoch, FrameDecoder, Limits, ObjectId, Pos,
    frame::{
        Frame, LinkFrame, StreamFrame,
        call::{Call, Return},
        stream::{self, Close, Credit, Data, Limit, Seek},
    },
};

fn decoder() -> FrameDecoder {
    let mut decoder = FrameDecoder::new(64 << 10);
    decoder.set_max_payload(64 << 10);
    decoder
}

/// A session of frames of every length and kind.
fn session(rng: &mut Rng) -> Vec<u8> {
    let mut out = script::hello(&Limits::default());
    for _ in 0..rng.between(1, 12) {
        let id = 1 + rng.small(1 << 40);
        let at = rng.small(1 << 60);
        let body: Vec<u8> = (0..1 + rng.small(3_000)).map(|n| n as u8).collect();
        let credit = Credit { bytes: rng.small(u64::MAX - 1), elements: rng.small(1 << 50) };
        out.extend(match rng.below(10) {
            0 => script::link(&LinkFrame::Ping(rng.draw())),
            1 => script::control(id, &Call::new(ObjectId(at), "method", body)),
            2 => script::control(id, &Return::new(Vec::new())),
            3 => script::control(id, &Limit { epoch: Epoch(at), credit }),
            4 => script::control(id, &Close {}),
            5 => script::items(id, at, at, &[&body, b"", &body]),
            6 => script::bulk(stream::ITEM_PART, id, at, at, Some(1 << 20), &body),
            7 => script::raw(0x80 + (at % 128) as u8, id, &body),
            8 => {
                let from = script_position(at);
                let to = Pos::FromEnd(-(at as i64));
                script::control(
                    id,
                    &Seek { epoch: Epoch(1), to, from, at_end: AtEnd::Follow, credit },
                )
            }
            _ => script::data(id, at, at, &body),
        });
    }
    out
}

fn script_position(at: u64) -> farlens_wire::Position {
    farlens_tests::source::position(at)
}

/// Joins the pieces of one frame of bytes, which come as they arrive.
fn joined(frames: Vec<Frame>) -> Vec<Frame> {
    let mut out: Vec<Frame> = Vec::new();
    for frame in frames {
        if let Frame::Stream(id, StreamFrame::Data(new)) = &frame
            && let Some(Frame::Stream(before, StreamFrame::Data(data))) = out.last_mut()
            && before == id
            && data.epoch == new.epoch
            && data.at.forward(data.payload.len() as u64) == Some(new.at)
        {
            let payload = [&data.payload[..], &new.payload[..]].concat().into();
            *data = Data { payload, ..data.clone() };
            continue;
        }
        out.push(frame);
    }
    out
}

fn decode(pieces: impl Iterator<Item = Bytes>) -> Vec<Frame> {
    let mut decoder = decoder();
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(frame) = decoder.next().expect("a session of good frames") {
            frames.push(frame);
        }
    }
    joined(frames)
}

#[test]
fn the_same_frames_come_however_the_bytes_are_cut() {
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let bytes = Bytes::from(session(&mut rng));
        let whole = decode(std::iter::once(bytes.clone()));
        let single = decode((0..bytes.len()).map(|n| bytes.slice(n..=n)));
        assert_eq!(whole, single, "seed {seed}, single bytes");
        let mut rest = bytes;
        let most = rng.between(2, 5_000);
        let cut = std::iter::from_fn(|| {
            let length = (rng.between(1, most) as usize).min(rest.len());
            (length > 0).then(|| rest.split_to(length))
        });
        assert_eq!(whole, decode(cut), "seed {seed}, pieces of up to {most}");
    }
}

#[test]
fn a_session_cut_anywhere_gives_a_prefix_of_its_frames() {
    let bytes = Bytes::from(session(&mut Rng::new(5)));
    let whole = decode(std::iter::once(bytes.clone()));
    for length in 0..bytes.len() {
        let frames = decode(std::iter::once(bytes.slice(..length)));
        let complete = frames.len().saturating_sub(1);
        assert_eq!(frames[..complete], whole[..complete], "cut at {length}");
    }
}

#[test]
fn random_bytes_are_an_error_or_frames_and_never_a_panic() {
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let mut decoder = decoder();
        let mut bytes = session(&mut rng);
        for _ in 0..rng.between(1, 4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.draw() as u8;
        }
        bytes.truncate(400);
        decoder.push(bytes.into());
        while let Ok(Some(_)) = decoder.next() {}
    }
}
