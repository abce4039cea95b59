//! Clients with a known key that break the protocol: the link ends with a reason, nothing else does.

use crate::{House, code, guarded, impatient, settled};
use farlens::{Code, Kind, Server};
use farlens_tests::{
    hostile::{self, Farewell, Peer, control, data, hello, items},
    rng::Rng,
};
use farlens_wire::{
    Epoch, Limits, ObjectId,
    frame::{
        Frame, LinkFrame, StreamFrame,
        call::{Call, Cancel},
        put_header,
        stream::{Close, Credit, Limit, StreamControl},
    },
};
use tokio::io::AsyncReadExt;

fn header(kind: u8, id: u64, length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_header(&mut out, kind, id, length);
    out
}

fn link_frame(frame: &LinkFrame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.put(&mut out);
    out
}

/// Sends hello and these bytes, and says how the server ends it.
async fn ends(house: &House, greets: bool, bytes: &[u8]) -> Farewell {
    let mut peer = house.peer().await;
    let mut all = if greets { hello(&Limits::default()) } else { Vec::new() };
    all.extend_from_slice(bytes);
    // The server may have seen enough before everything is sent.
    let _ = peer.send(&all).await;
    peer.farewell().await
}

#[tokio::test]
async fn broken_frames_end_the_link_with_their_code() {
    let house = House::plain().await;
    let limit = |epoch, bytes| {
        let credit = Credit { bytes, elements: bytes };
        control(1, &Limit { epoch: Epoch(epoch), credit })
    };
    let open = control(1, &hostile::open("/data", 1_000));
    let cases: Vec<(&str, bool, Vec<u8>, Code)> = vec![
        ("no hello", false, link_frame(&LinkFrame::Ping(1)), Code::PROTOCOL_VIOLATION),
        ("a second hello", true, hello(&Limits::default()), Code::PROTOCOL_VIOLATION),
        ("a hello too large", false, header(0x01, 0, 4_097), Code::FRAME_TOO_LARGE),
        ("a frame too large", true, header(0x10, 1, (64 << 10) + 1), Code::FRAME_TOO_LARGE),
        ("a frame of 4 GiB", true, header(0x20, 1, u32::MAX as usize), Code::FRAME_TOO_LARGE),
        ("a frame of 2^63", true, header(0x22, 1, usize::MAX >> 1), Code::FRAME_TOO_LARGE),
        ("a kind that is not known", true, vec![0x7f, 1, 0], Code::PROTOCOL_VIOLATION),
        ("a length of eleven bytes", true, [&[0x20][..], &[0xff; 11]].concat(), Code::MALFORMED),
        ("a pong to no ping", true, link_frame(&LinkFrame::Pong(9)), Code::PROTOCOL_VIOLATION),
        (
            "an open of the wrong side",
            true,
            control(2, &hostile::open("/data", 1)),
            Code::PROTOCOL_VIOLATION,
        ),
        ("an id used twice", true, [&open[..], &open[..]].concat(), Code::PROTOCOL_VIOLATION),
        (
            "bytes to who has them",
            true,
            [&open[..], &data(1, 0, b"x")].concat(),
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "entities to who has them",
            true,
            [&open[..], &items(1, 0, &[b""])].concat(),
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "a streamer's frame",
            true,
            [&open[..], &control(1, &hostile::opened(Kind::Bytes, 1))].concat(),
            Code::PROTOCOL_VIOLATION,
        ),
        ("credit taken back", true, [&open[..], &limit(0, 999)].concat(), Code::FLOW_CONTROL),
        (
            "credit of another epoch",
            true,
            [&open[..], &limit(1, 2_000)].concat(),
            Code::PROTOCOL_VIOLATION,
        ),
        ("a cancel of no call", true, control(1, &Cancel::default()), Code::PROTOCOL_VIOLATION),
        ("a struct with a tail", true, [&header(0x2d, 1, 1)[..], &[1]].concat(), Code::MALFORMED),
    ];
    for (what, greets, bytes, expected) in cases {
        let said = ends(&house, greets, &bytes).await;
        assert_eq!(said.code(), Some(expected), "{what}: {said:?}");
    }
    house.is_well().await;
}

#[tokio::test]
async fn f16_j15_noise_after_the_handshake_ends_the_link() {
    let house = House::plain().await;
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let noise: Vec<u8> =
            (0..rng.between(200 << 10, 300 << 10)).map(|_| rng.draw() as u8).collect();
        let said = ends(&house, seed % 2 == 0, &noise).await;
        // A reset may overtake the last frame while this side still writes.
        if let Some(code) = said.code() {
            assert_eq!(code.family(), 9, "seed {seed}: {said:?}");
        }
    }
    house.is_well().await;
}

#[tokio::test]
async fn f12_a_client_that_says_nothing_is_let_go() {
    let house = House::open(Server::builder().limits(impatient())).await;
    let mut peer = house.peer().await;
    assert_eq!(peer.farewell().await.code(), Some(Code::TIMEOUT));
    house.is_well().await;
}

#[tokio::test]
async fn f5_j17_a_flood_of_pings_ends_the_link() {
    let house = House::plain().await;
    let other = house.link().await;
    let pings: Vec<u8> = (0..10_000).flat_map(|n| link_frame(&LinkFrame::Ping(n))).collect();
    assert_eq!(ends(&house, true, &pings).await.code(), Some(Code::EXCESSIVE_LOAD));
    assert!(other.stat("/data").await.is_ok());
    drop(other);
    house.is_well().await;
}

#[tokio::test]
async fn f7_streams_opened_and_taken_back_end_the_link() {
    let house = House::plain().await;
    let pair = |n: u64| {
        let id = 2 * n + 1;
        [control(id, &hostile::open("/data", 0)), control(id, &Close {})].concat()
    };
    let flood: Vec<u8> = (0..20_000).flat_map(pair).collect();
    let said = ends(&house, true, &flood).await.code();
    assert!(matches!(said, Some(Code::EXCESSIVE_LOAD | Code::TOO_MANY_STREAMS)), "{said:?}");
    house.is_well().await;
}

#[tokio::test]
async fn calls_made_and_taken_back_end_the_link() {
    let house = House::plain().await;
    let pair = |n: u64| {
        let id = 2 * n + 1;
        let call = Call::new(ObjectId::ROOT, "list", vec![1, b'/', 0]);
        [control(id, &call), control(id, &Cancel::default())].concat()
    };
    let flood: Vec<u8> = (0..20_000).flat_map(pair).collect();
    assert_eq!(ends(&house, true, &flood).await.code(), Some(Code::EXCESSIVE_LOAD));
    house.is_well().await;
}

#[tokio::test]
async fn m8_one_stream_too_many_is_refused_and_the_link_lives() {
    let house = House::plain().await;
    let mut peer = house.peer().await;
    peer.greet().await.unwrap();
    let opens: Vec<u8> =
        (0..257).flat_map(|n| control(2 * n + 1, &hostile::open("/data", 0))).collect();
    peer.send(&opens).await.unwrap();
    let (mut good, mut refused) = (0, 0);
    while good + refused < 257 {
        match peer.next().await.expect("the link lives") {
            Frame::Stream(_, StreamFrame::Control(StreamControl::Opened(_))) => good += 1,
            Frame::Stream(id, StreamFrame::Control(StreamControl::Failed(failed))) => {
                assert_eq!((id.0, failed.fault.code), (513, Code::TOO_MANY_STREAMS));
                refused += 1;
            }
            _ => {}
        }
    }
    assert_eq!((good, refused), (256, 1));
    peer.put(1, &Close {}).await.unwrap();
    while !matches!(
        peer.next().await.expect("the link lives"),
        Frame::Stream(_, StreamFrame::Control(StreamControl::Closed(_)))
    ) {}
    peer.put(515, &hostile::open("/data", 0)).await.unwrap();
    loop {
        match peer.next().await.expect("the link lives") {
            Frame::Stream(id, StreamFrame::Control(StreamControl::Opened(_))) if id.0 == 515 => {
                break;
            }
            Frame::Stream(_, StreamFrame::Control(StreamControl::Failed(_))) => panic!("refused"),
            _ => {}
        }
    }
    drop(peer);
    house.is_well().await;
}

#[tokio::test]
async fn m8_the_library_counts_its_own_streams() {
    let house = House::plain().await;
    let link = house.link().await;
    let mut streams = Vec::new();
    for _ in 0..256 {
        streams.push(guarded(link.open("/data")).await.unwrap());
    }
    assert_eq!(code(link.open("/data").await), Code::TOO_MANY_STREAMS);
    let last = streams.last_mut().unwrap();
    assert!(guarded(last.read_u8()).await.is_ok());
    streams.truncate(100);
    settled("the others are closed", || link.stats().consuming == 100).await;
    assert!(link.open("/data").await.is_ok());
    drop((streams, link));
    house.is_well().await;
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_refused_alike() {
    let house = House::plain().await;
    let mut peer: Peer = house.peer().await;
    peer.greet().await.unwrap();
    let long = format!("/{}", "x".repeat(300));
    let deep = "/x".repeat(65);
    let paths = [
        "", "data", "/nope", "/..", "/./data", "//data", "/data/", "/data/x", "/a\0b", &long, &deep,
    ];
    for (n, path) in paths.into_iter().enumerate() {
        peer.put(2 * n as u64 + 1, &hostile::open(path, 1_000)).await.unwrap();
        loop {
            match peer.next().await.expect("the link lives") {
                Frame::Stream(_, StreamFrame::Control(StreamControl::Failed(failed))) => {
                    let code = failed.fault.code;
                    assert!(
                        matches!(code, Code::NOT_FOUND | Code::BAD_ADDRESS),
                        "{path:?}: {code}"
                    );
                    break;
                }
                Frame::Stream(..) => panic!("{path:?} was opened"),
                _ => {}
            }
        }
    }
    drop(peer);
    house.is_well().await;
}
