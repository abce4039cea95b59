//! Many streams on one link: none starves, memory stays within its bound, and places that do not
//! exist are refused.

use crate::{House, LENGTH, SEED, code, drain, guarded, inner, nothing_open};
use farlens::{Code, Entity, FixedData, Limits, Pos, Position, Server};
use farlens_tests::pattern;
use futures::future::join_all;
use std::io::SeekFrom;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const BIG: usize = 6 << 20;

async fn with_big() -> House {
    let big = FixedData::bytes(pattern::bytes(4, 0, BIG));
    House::open(Server::builder().publish("/big", big)).await
}

#[tokio::test]
async fn one_stalled_reader_keeps_twenty_others_from_nothing() {
    let house = with_big().await;
    let link = house.link().await;
    let mut stalled = link.open("/big").await.unwrap();
    let reads = (0..20).map(|_| async {
        let mut stream = link.open("/data").await.unwrap();
        let (got, outcome) = drain(&mut stream).await;
        assert!(outcome.is_ok());
        assert_eq!((got.len(), pattern::first_wrong_byte(SEED, 0, &got)), (LENGTH, None));
    });
    join_all(reads).await;
    let (got, outcome) = drain(&mut stalled).await;
    assert!(outcome.is_ok());
    assert_eq!((got.len(), pattern::first_wrong_byte(4, 0, &got)), (BIG, None));
    drop(stalled);
    nothing_open(&link).await;
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn m7_slow_readers_are_granted_no_more_than_the_budget() {
    let house = with_big().await;
    let mut limits = Limits::default();
    limits.receive_budget_bytes = 1 << 20;
    limits.receive_budget_max_bytes = 1 << 20;
    limits.stream_window_max_bytes = 1 << 20;
    let bound = limits.receive_budget_bytes + 64 * Limits::MIN_WINDOW_BYTES;
    let link = house.link_with(limits).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(guarded(link.open("/big")).await.unwrap());
        assert!(link.stats().granted_bytes <= bound);
    }
    let mut places = vec![0u64; streams.len()];
    for _ in 0..40 {
        for (stream, place) in streams.iter_mut().zip(&mut places) {
            let mut some = [0; 3_000];
            guarded(stream.read_exact(&mut some)).await.unwrap();
            assert_eq!(pattern::first_wrong_byte(4, *place, &some), None);
            *place += 3_000;
            assert!(link.stats().granted_bytes <= bound, "{}", link.stats().granted_bytes);
        }
    }
    drop(streams);
    nothing_open(&link).await;
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn places_outside_are_refused_and_nothing_moves() {
    let house = with_big().await;
    let link = house.link().await;
    let mut stream = link.open("/data").await.unwrap();
    stream.read_exact(&mut [0; 10]).await.unwrap();
    let length = LENGTH as i64;
    for to in [
        SeekFrom::Current(-11),
        SeekFrom::Current(i64::MIN),
        SeekFrom::End(-length - 1),
        SeekFrom::End(i64::MIN),
        SeekFrom::End(1),
        SeekFrom::Start(LENGTH as u64 + 1),
        SeekFrom::Start(u64::MAX),
        SeekFrom::Start(1 << 63),
    ] {
        let error = guarded(stream.seek(to)).await.unwrap_err();
        assert_eq!(inner(&error).code(), Code::OUT_OF_RANGE, "{to:?}");
        assert_eq!(stream.position().get(), 10, "{to:?}");
    }
    for to in
        [Pos::FromStart(-1), Pos::FromStart(i64::MIN), Pos::FromEnd(1), Pos::Abs(Position::MAX)]
    {
        assert_eq!(code(guarded(stream.seek_to(to)).await), Code::OUT_OF_RANGE, "{to:?}");
        let options = farlens::OpenOptions::new().start(to);
        assert_eq!(code(guarded(link.open_with("/data", options)).await), Code::OUT_OF_RANGE);
    }
    let byte = guarded(stream.read_u8()).await.unwrap();
    assert_eq!(byte, pattern::byte(SEED, 10), "it reads on from where it was");
    assert_eq!(code(link.entities::<Entity>("/data").await), Code::WRONG_KIND);
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn operations_that_are_given_up_leave_nothing() {
    let house = with_big().await;
    let link = house.link().await;
    let mut rng = farlens_tests::rng::Rng::new(5);
    for _ in 0..300 {
        let turns = rng.below(6);
        let work = async {
            link.list("/").await.unwrap();
            let mut stream = link.open("/big").await.unwrap();
            stream.seek_to(Position::new(rng.below(BIG as u64)).unwrap()).await.unwrap();
            stream.next_chunk().await.unwrap();
        };
        // Given up after so many turns, in whatever it does then.
        let clock = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        futures::future::select(std::pin::pin!(work), std::pin::pin!(clock)).await;
    }
    nothing_open(&link).await;
    drop(link);
    house.is_well().await;
}
