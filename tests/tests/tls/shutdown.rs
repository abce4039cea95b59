//! Servers that leave: in good order, in a hurry, and while somebody is at the door.

use crate::{House, SECOND, code, drain, guarded, settled};
use farlens::{AtEnd, Code, FileData, FixedData, OpenOptions, Server};
use farlens_tests::{certs, hostile::Peer, pattern};
use std::time::Duration;
use tokio::io::AsyncReadExt;

const BIG: usize = 12 << 20;

fn big() -> FixedData {
    FixedData::bytes(pattern::bytes(2, 0, BIG))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n11_who_reads_gets_all_and_who_waits_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, b"one\n").unwrap();
    let builder = Server::builder().publish("/big", big());
    let house = House::open(builder.publish("/log", FileData::read_only(&path).follow(true))).await;
    let (reading, waiting) = (house.link().await, house.link().await);
    let mut follower =
        waiting.open_with("/log", OpenOptions::new().at_end(AtEnd::Follow)).await.unwrap();
    follower.read_exact(&mut [0; 4]).await.unwrap();
    let mut reader = reading.open("/big").await.unwrap();
    assert!(reader.read_u8().await.is_ok());
    let grace = 5 * SECOND;
    let shut = tokio::time::timeout(grace + SECOND, house.server.shutdown(grace));
    let (shut, (rest, outcome), told) =
        tokio::join!(shut, drain(&mut reader), guarded(follower.next_chunk()));
    assert!(shut.is_ok(), "it returns within the grace and a second");
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!((rest.len(), pattern::first_wrong_byte(2, 1, &rest)), (BIG - 1, None));
    assert_eq!(code(told), Code::GOING_AWAY);
    assert_eq!(code(reading.open("/big").await), Code::GOING_AWAY);
    settled("no link is left", || house.server.link_count() == 0).await;
}

#[tokio::test]
async fn n11_j14_who_reads_too_slowly_is_cut_off_and_knows_it() {
    let house = House::open(Server::builder().publish("/big", big())).await;
    let links = [house.link().await, house.link().await];
    let mut readers = Vec::new();
    for link in &links {
        for _ in 0..50 {
            readers.push(guarded(link.open("/big")).await.unwrap());
        }
    }
    let shut = house.server.shutdown(Duration::from_millis(50));
    assert!(tokio::time::timeout(Duration::from_millis(50) + SECOND, shut).await.is_ok());
    for reader in &mut readers {
        let (got, outcome) = drain(reader).await;
        assert_eq!(pattern::first_wrong_byte(2, 0, &got), None);
        assert!(matches!(code(outcome), Code::GOING_AWAY | Code::LINK_LOST));
    }
    settled("no link is left", || house.server.link_count() == 0).await;
}

#[tokio::test]
async fn a_server_that_is_dropped_ends_no_stream_properly() {
    let house = House::open(Server::builder().publish("/big", big())).await;
    let link = house.link().await;
    let mut reader = link.open("/big").await.unwrap();
    let first = guarded(reader.next_chunk()).await.unwrap().unwrap();
    drop(house);
    let (rest, outcome) = drain(&mut reader).await;
    let code = code(outcome);
    assert!(matches!(code, Code::GOING_AWAY | Code::LINK_LOST), "{code}");
    assert_eq!(pattern::first_wrong_byte(2, first.len() as u64, &rest), None);
    assert!(first.len() + rest.len() < BIG);
    assert!(reader.read(&mut [0]).await.is_err(), "never the end");
}

#[tokio::test]
async fn who_is_at_the_door_when_the_server_leaves_is_sent_away() {
    for dropped in [true, false] {
        let house = House::plain().await;
        let config = certs::client(Some(&house.key), &[certs::ALPN]);
        // Hands are shaken and nothing is said: no link yet, but soon.
        let mut peer = Peer::connect(house.address(), &config).await.unwrap();
        if dropped {
            drop(house);
        } else {
            house.server.shutdown(Duration::ZERO).await;
        }
        peer.greet().await.unwrap();
        assert_eq!(peer.farewell().await.code(), Some(Code::GOING_AWAY), "dropped: {dropped}");
    }
}
