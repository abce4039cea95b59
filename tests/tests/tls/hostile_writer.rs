//! Clients that may write and break its rules, or leave in the middle of it.

use crate::{House, code, guarded, settled};
use farlens::{
    Client, Code, Edge, Keep, Link, MemData, OpenOptions, Pos, Position, Server, Streamer, Topic,
    Verb,
};
use farlens_tests::{
    certs,
    hostile::{self, Farewell, Peer, control, data},
    pattern,
};
use farlens_wire::{
    Flags, Step,
    frame::{
        Frame, StreamFrame,
        stream::{Guard, Open, StreamControl, Sync, Truncate, Write, WriteTo},
    },
};
use futures::SinkExt;
use tokio::io::AsyncWriteExt;

/// Bytes in memory at `/bytes` that the hand-made client may write.
async fn house() -> (House, MemData) {
    let bytes = MemData::new(*b"0123456789");
    let streamer = Streamer::new(bytes.clone()).writable();
    let builder = Server::builder().publish("/bytes", streamer);
    (House::open(builder).await, bytes)
}

/// A hand-made client with the right to write, that has opened this path.
async fn writer(house: &House, path: &str) -> (Peer, u64) {
    let ticket = house.server.invite_to("/", &[Verb::Read, Verb::Write]).unwrap().to_string();
    let client = Client::builder().identity(house.key.identity());
    drop(guarded(client.connect(&ticket)).await.unwrap());
    let config = certs::client(Some(&house.key), &[certs::ALPN]);
    let mut peer = Peer::connect(house.address(), &config).await.unwrap();
    peer.greet().await.unwrap();
    let flags = if path == "/bytes" { Flags::WRITABLE } else { Flags::READABLE };
    peer.put(1, &Open { flags: flags.bits(), ..hostile::open(path, 0) }).await.unwrap();
    loop {
        match peer.next().await.expect("the link lives") {
            Frame::Stream(_, StreamFrame::Control(StreamControl::Opened(opened))) => {
                return (peer, opened.write.bytes);
            }
            Frame::Stream(_, StreamFrame::Control(StreamControl::Failed(failed))) => {
                panic!("{:?}", failed.fault)
            }
            _ => {}
        }
    }
}

fn write(step: u64) -> Vec<u8> {
    let to = WriteTo::At(Pos::START);
    control(1, &Write { step: Step(step), to, length: None, guard: Guard::default() })
}

fn sync(step: u64) -> Vec<u8> {
    control(1, &Sync { step: Step(step), seen: Step(0), finish: false })
}

/// Elements of step 1, the first of which has this index in its run.
fn elements(at: u64, bytes: &[u8]) -> Vec<u8> {
    // The step stands where a streamer writes the epoch.
    farlens_tests::script::data(1, 1, at, bytes)
}

#[tokio::test]
async fn d21_who_writes_beyond_the_credit_is_sent_away() {
    let (house, bytes) = house().await;
    let (mut peer, credit) = writer(&house, "/bytes").await;
    let all = pattern::bytes(3, 0, credit as usize * 4);
    // All at once: what is applied meanwhile gives credit that the peer does not wait for.
    let mut frames = write(1);
    for (n, part) in (0..).zip(all.chunks(32 << 10)) {
        frames.extend(elements(n * (32 << 10), part));
    }
    frames.extend(elements(all.len() as u64 + 1, b"not the next"));
    let _ = peer.send(&frames).await;
    let end = peer.farewell().await.code();
    assert!(
        matches!(end, Some(Code::FLOW_CONTROL | Code::PROTOCOL_VIOLATION)),
        "{end:?}: beyond the credit, or else out of order"
    );
    let stored = bytes.to_vec();
    assert!(stored.len() <= all.len());
    drop(peer);
    house.is_well().await;
}

#[tokio::test]
async fn d21_elements_without_a_run_end_the_link_and_change_nothing() {
    for frames in [elements(0, b"x"), [sync(1), elements(0, b"x")].concat(), data(1, 0, b"x")] {
        let (house, bytes) = house().await;
        let (mut peer, _) = writer(&house, "/bytes").await;
        peer.send(&frames).await.unwrap();
        assert_eq!(peer.farewell().await.code(), Some(Code::PROTOCOL_VIOLATION));
        assert_eq!(bytes.to_vec(), b"0123456789");
        drop(peer);
        house.is_well().await;
    }
}

#[tokio::test]
async fn i11_a_forged_change_fails_its_stream_and_the_link_serves_on() {
    let (house, bytes) = house().await;
    let to = Pos::Abs(Position::from(1));
    let truncate = Truncate { step: Step(1), edge: Edge::After, to, guard: Guard::default() };
    for forged in [write(1), sync(1), control(1, &truncate)] {
        let (mut peer, _) = writer(&house, "/data").await;
        peer.send(&forged).await.unwrap();
        peer.send(&control(3, &hostile::open("/bytes", 100))).await.unwrap();
        let (mut failed, mut opened) = (None, false);
        while failed.is_none() || !opened {
            let frame = peer.next().await.expect("the link lives");
            let Frame::Stream(id, StreamFrame::Control(frame)) = frame else { continue };
            match frame {
                StreamControl::Failed(frame) if id.0 == 1 => failed = Some(frame.fault.code),
                StreamControl::Opened(_) if id.0 == 3 => opened = true,
                _ => {}
            }
        }
        assert_eq!(failed, Some(Code::MODE_FORBIDS));
    }
    assert_eq!(bytes.to_vec(), b"0123456789");
    house.is_well().await;
}

#[tokio::test]
async fn a_flood_of_syncs_that_are_not_listened_to_ends() {
    let (house, _bytes) = house().await;
    let (mut peer, _) = writer(&house, "/bytes").await;
    let mut step = 1;
    let flood = async {
        loop {
            let frames: Vec<u8> = (step..step + 1_000).flat_map(sync).collect();
            step += 1_000;
            if peer.send(&frames).await.is_err() {
                return;
            }
        }
    };
    guarded(flood).await;
    let end = peer.farewell().await;
    assert!(matches!(end, Farewell::Bye(Code::EXCESSIVE_LOAD, _) | Farewell::Silent), "{end:?}");
    drop(peer);
    house.is_well().await;
}

#[tokio::test]
async fn i5_a_writer_that_is_gone_leaves_a_whole_beginning_and_no_lock() {
    let locked = Flags::READABLE
        | Flags::WRITABLE
        | Flags::SEEK
        | Flags::START_BOUNDED
        | Flags::END_BOUNDED
        | Flags::END_CAN_INC
        | Flags::CAN_MOVE_END
        | Flags::DATA_LOCK;
    let bytes = MemData::new(Vec::new());
    let streamer = Streamer::new(bytes.clone()).flags(locked);
    let house = House::open(Server::builder().publish("/log", streamer)).await;
    let options = OpenOptions::new().write(true);
    let link = house.link_to_write().await;
    let mut stream = guarded(link.open_with("/log", options)).await.unwrap();
    let all = pattern::bytes(3, 0, 2 << 20);
    guarded(stream.write_all(&all[..1 << 20])).await.unwrap();
    let other = house.link_to_write().await;
    assert_eq!(code(guarded(other.open_with("/log", options)).await), Code::BUSY);
    link.close();
    drop((stream, link));
    let again = guarded(async {
        loop {
            match other.open_with("/log", options).await {
                Ok(stream) => return stream,
                Err(error) => assert_eq!(error.code(), Code::BUSY),
            }
        }
    });
    let mut stream = again.await;
    let stored = bytes.to_vec();
    assert_eq!(pattern::first_wrong_byte(3, 0, &stored), None, "what came is a beginning");
    // Whoever resumes goes on behind it.
    guarded(stream.seek_to(Pos::END)).await.unwrap();
    guarded(stream.write_all(&all[stored.len()..])).await.unwrap();
    guarded(stream.close()).await.unwrap();
    assert_eq!(bytes.to_vec(), all);
    drop(other);
    house.is_well().await;
}

async fn appending(house: &House) -> (Link, farlens::EntityStream<String>) {
    let link = house.link_to_write().await;
    let append = OpenOptions::new().read(false).append(true);
    let stream = guarded(link.entities_with("/words", append)).await.unwrap();
    (link, stream)
}

#[tokio::test]
async fn an_entity_beyond_the_limit_of_the_peer_is_refused_here_and_the_link_lives() {
    let topic = Topic::<String>::new(Keep::new().count(10));
    let streamer = Streamer::new(topic.clone()).writable();
    let house = House::open(Server::builder().publish("/words", streamer)).await;
    let (link, mut stream) = appending(&house).await;
    guarded(stream.send("first".into())).await.unwrap();
    let error = guarded(stream.send("x".repeat(2 << 20))).await;
    assert_eq!(code(error), Code::TOO_LARGE);
    guarded(stream.send("x".repeat(1_000_000))).await.unwrap();
    guarded(stream.send("last".into())).await.unwrap();
    guarded(stream.close()).await.unwrap();
    settled("all that fits has come", || topic.len() == 3).await;
    drop((stream, link));
    house.is_well().await;
}
