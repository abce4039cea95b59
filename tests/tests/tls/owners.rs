//! What becomes of data that streams are opened on: who may have it, and when it is let go.

use crate::{House, code, drain, guarded, settled};
use bytes::Bytes;
use farlens::{
    AtEnd, Code, Entity, FileData, FixedData, Flags, IterData, OpenOptions, Server, Streamer,
};
use farlens_tests::pattern;
use futures::{StreamExt, TryStreamExt};
use std::{
    io::Write,
    sync::{Arc, Weak},
};

/// Numbers from zero on, and what lives as long as the iterator does.
fn numbers() -> (IterData, Weak<()>) {
    let alive = Arc::new(());
    let seen = Arc::downgrade(&alive);
    let numbers = (0u64..).inspect(move |_| {
        let _ = &alive;
    });
    (IterData::new(numbers), seen)
}

#[tokio::test]
async fn a12_where_only_one_can_have_the_data_the_second_is_refused_and_the_first_goes_on() {
    let (data, _alive) = numbers();
    let house = House::open(Server::builder().publish("/numbers", data)).await;
    let (link, other) = (house.link().await, house.link().await);
    let mut first = guarded(link.entities::<u64>("/numbers")).await.unwrap();
    assert_eq!(guarded(first.next()).await.unwrap().unwrap(), 0);
    for link in [&link, &other] {
        assert_eq!(code(guarded(link.entities::<u64>("/numbers")).await), Code::BUSY);
    }
    assert_eq!(guarded(first.next()).await.unwrap().unwrap(), 1);
    drop((first, link, other));
    house.is_well().await;
}

#[tokio::test]
async fn a12_data_that_can_be_shared_serves_many_each_at_its_own_place() {
    let house = House::plain().await;
    let link = house.link().await;
    let mut streams = Vec::new();
    for n in 0..20u64 {
        let mut stream = guarded(link.open("/data")).await.unwrap();
        guarded(stream.seek_to(farlens::Position::new(n * 10_000).unwrap())).await.unwrap();
        streams.push(stream);
    }
    for (n, mut stream) in (0..).zip(streams) {
        let (rest, outcome) = drain(&mut stream).await;
        assert!(outcome.is_ok());
        assert_eq!(pattern::first_wrong_byte(crate::SEED, n * 10_000, &rest), None);
    }
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn g2_data_that_was_let_go_says_so() {
    let (data, alive) = numbers();
    let house = House::open(Server::builder().publish("/numbers", data)).await;
    let link = house.link().await;
    let mut first = guarded(link.entities::<u64>("/numbers")).await.unwrap();
    assert_eq!(guarded(first.next()).await.unwrap().unwrap(), 0);
    drop(first);
    settled("the iterator is dropped", || alive.strong_count() == 0).await;
    assert_eq!(code(guarded(link.entities::<u64>("/numbers")).await), Code::CLOSED);
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn g4_bytes_are_bytes_whatever_they_mean() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    std::fs::write(&path, b"one\r\ntwo\n\xff\x1a").unwrap();
    let house = House::open(Server::builder().publish("/text", FileData::read_only(&path))).await;
    let link = house.link().await;
    let mut stream = guarded(link.open("/text")).await.unwrap();
    assert_eq!(drain(&mut stream).await.0, b"one\r\ntwo\n\xff\x1a");
    assert_eq!(code(guarded(link.entities::<Entity>("/text")).await), Code::WRONG_KIND);
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn g7_an_iterator_gives_its_items_forward_and_once() {
    let house = House::open(Server::builder().publish("/items", IterData::new(0..2_500u64))).await;
    let link = house.link().await;
    let mut stream = guarded(link.entities::<u64>("/items")).await.unwrap();
    assert!(!stream.mode().flags().has_any(Flags::SEEK));
    assert_eq!(code(guarded(stream.seek(farlens::Pos::START)).await), Code::MODE_FORBIDS);
    let all: Vec<u64> = guarded(stream.by_ref().try_collect()).await.unwrap();
    assert_eq!(all, (0..2_500).collect::<Vec<_>>());
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn g11_one_element_a_step_then_the_end_and_errors_as_they_are() {
    let items = FixedData::items([1u64, 2, 3]).unwrap();
    let fails = IterData::encoded({
        let mut n = 0u64;
        move |out| {
            n += 1;
            if n > 3 {
                return Some(Err(farlens::Error::new(Code::STORAGE_IO, "the tape tore")));
            }
            Some(Entity::Int(n.into()).encode(out).map_err(|_| unfit()))
        }
    });
    let builder = Server::builder().publish("/items", items).publish("/fails", fails);
    let house = House::open(builder).await;
    let link = house.link().await;
    let mut stream = guarded(link.entities::<u64>("/items")).await.unwrap();
    for n in 1..=3 {
        assert_eq!(guarded(stream.next()).await.unwrap().unwrap(), n);
        assert_eq!(stream.position().get(), n);
    }
    for _ in 0..2 {
        assert!(guarded(stream.next()).await.is_none());
    }
    drop(stream);
    crate::nothing_open(&link).await;
    let mut stream = guarded(link.entities::<Entity>("/fails")).await.unwrap();
    for n in 1..=3i128 {
        assert_eq!(guarded(stream.next()).await.unwrap().unwrap(), Entity::Int(n));
    }
    let error = guarded(stream.next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::SOURCE_FAILED);
    assert!(error.message().contains("the tape tore"), "{error}");
    assert!(guarded(stream.next()).await.is_none(), "nothing follows");
    drop((stream, link));
    house.is_well().await;
}

fn unfit() -> farlens::Error {
    farlens::Error::new(Code::INTERNAL, "unfit")
}

#[tokio::test]
async fn i5_dropping_a_stream_lets_its_data_go_without_further_ado() {
    let (data, alive) = numbers();
    let house = House::open(Server::builder().publish("/numbers", data)).await;
    let link = house.link().await;
    let mut stream = guarded(link.entities::<u64>("/numbers")).await.unwrap();
    for n in 0..1_000 {
        assert_eq!(guarded(stream.next()).await.unwrap().unwrap(), n);
    }
    assert_eq!(alive.strong_count(), 1);
    drop(stream);
    settled("the iterator is dropped", || alive.strong_count() == 0).await;
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn i5_i8_a_link_that_goes_lets_the_data_go_with_its_streams() {
    let (data, alive) = numbers();
    let house = House::open(Server::builder().publish("/numbers", data)).await;
    let link = house.link().await;
    let mut stream = guarded(link.entities::<u64>("/numbers")).await.unwrap();
    assert_eq!(guarded(stream.next()).await.unwrap().unwrap(), 0);
    link.close();
    settled("the iterator is dropped", || alive.strong_count() == 0).await;
    while let Some(next) = guarded(stream.next()).await {
        if let Err(error) = next {
            assert_eq!(error.code(), Code::LINK_CLOSED);
        }
    }
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn f1_entities_of_all_sorts_arrive_equal_and_in_order() {
    let nested = Entity::List(vec![1.into(), Entity::List(vec!["two".into(), Entity::Null])]);
    let sorts = vec![
        Entity::Null,
        true.into(),
        Entity::Int(i128::MIN),
        Entity::Int(i128::MAX),
        Entity::Int(237),
        Entity::F64(-0.0),
        Entity::F32(f32::INFINITY),
        "text, schöner".into(),
        Entity::Bytes(Bytes::from_static(b"\0\xff")),
        Entity::Bytes(Bytes::new()),
        nested.clone(),
        Entity::record("Pose", [("tool", "probe".into()), ("parts", nested)]),
    ];
    let many: Vec<_> = sorts.iter().cycle().take(5_000).cloned().collect();
    let data = FixedData::items(many.clone()).unwrap();
    let house = House::open(Server::builder().publish("/mixed", data)).await;
    let link = house.link().await;
    let stream = guarded(link.entities::<Entity>("/mixed")).await.unwrap();
    let all: Vec<Entity> = guarded(stream.try_collect()).await.unwrap();
    assert_eq!(all, many);
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn e1_e10_what_is_appended_to_a_followed_file_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, b"").unwrap();
    let file = FileData::read_only(&path).follow(true);
    let house = House::open(Server::builder().publish("/log", Streamer::from(file))).await;
    let link = house.link().await;
    let follow = OpenOptions::new().at_end(AtEnd::Follow);
    let mut stream = guarded(link.open_with("/log", follow)).await.unwrap();
    let mut log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    for n in 0..3 {
        let line = pattern::bytes(2, n * 50_000, 50_000);
        log.write_all(&line).unwrap();
        let mut all = Vec::new();
        while all.len() < line.len() {
            all.extend_from_slice(&guarded(stream.next_chunk()).await.unwrap().expect("no end"));
        }
        assert_eq!(all, line);
    }
    drop((stream, link));
    house.is_well().await;
}
