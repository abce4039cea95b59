//! Streamers that give less than another one has, as peers meet them.

use crate::{House, LENGTH, SEED, code, drain, guarded, inner, settled};
use farlens::{
    AtEnd, Bounds, Code, Edge, FixedData, Flags, IterData, Keep, MemData, OpenOptions, Pos,
    Position, Server, Streamer, Topic,
};
use farlens_tests::pattern;
use futures::{SinkExt, StreamExt};
use std::{io::SeekFrom, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    time::{Instant, advance, pause, resume},
};

const EDIT: OpenOptions = OpenOptions::new().write(true);

fn at(n: u64) -> Position {
    Position::new(n).unwrap()
}

fn follow() -> OpenOptions {
    OpenOptions::new().at_end(AtEnd::Follow)
}

#[tokio::test]
async fn who_reads_a_slice_sees_exactly_that() {
    let data = || Streamer::new(FixedData::bytes(pattern::bytes(SEED, 0, LENGTH)));
    let builder = Server::builder()
        .publish("/part", data().slice(1_000..200_000))
        .publish("/nested", data().slice(1_000..).slice(500..=1_499).slice(..600))
        .publish("/nothing", data().slice(7..7));
    let house = House::open(builder).await;
    let link = house.link().await;
    for (path, from, length) in
        [("/part", 1_000, 199_000), ("/nested", 1_500, 600), ("/nothing", 7, 0)]
    {
        let stat = guarded(link.stat(path)).await.unwrap();
        assert_eq!((stat.entry.len, stat.bounds), (Some(length), Bounds::up_to(at(length))));
        let mut stream = guarded(link.open(path)).await.unwrap();
        assert_eq!(stream.bounds(), stat.bounds);
        let (all, outcome) = drain(&mut stream).await;
        assert!(outcome.is_ok());
        assert_eq!((all.len() as u64, pattern::first_wrong_byte(SEED, from, &all)), (length, None));
        assert_eq!(code(guarded(stream.seek_to(at(length + 1))).await), Code::OUT_OF_RANGE);
        assert_eq!(code(guarded(stream.seek_to(Pos::FromStart(-1))).await), Code::OUT_OF_RANGE);
        let beyond = guarded(stream.read_at(length + 1..length + 2)).await;
        assert_eq!(code(beyond), Code::OUT_OF_RANGE);
    }
    let mut stream = guarded(link.open("/part")).await.unwrap();
    guarded(stream.seek(SeekFrom::End(-5))).await.unwrap();
    let mut rest = Vec::new();
    guarded(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, pattern::bytes(SEED, 199_995, 5));
    let place = guarded(stream.read_at(10..20)).await.unwrap();
    assert_eq!(place, pattern::bytes(SEED, 1_010, 10));
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn a_slice_of_what_grows_is_followed_to_its_own_end() {
    let topic = Topic::<u64>::new(Keep::new().count(1_000));
    let all = Streamer::new(topic.clone()).writable();
    let builder = Server::builder()
        .publish("/some", all.clone().slice(3..6))
        .publish("/rest", all.slice(4..));
    let house = House::open(builder).await;
    let link = house.link_to_write().await;
    let mut some = guarded(link.entities_with::<u64>("/some", follow())).await.unwrap();
    let options = follow().write(true);
    let mut rest = guarded(link.entities_with::<u64>("/rest", options)).await.unwrap();
    for n in 0..4 {
        topic.send(n).unwrap();
    }
    assert_eq!(guarded(some.next()).await.unwrap().unwrap(), 3);
    assert_eq!(some.position(), at(1));
    guarded(rest.send(4)).await.unwrap();
    guarded(rest.send(5)).await.unwrap();
    assert_eq!(topic.bounds(), Bounds::up_to(at(6)));
    assert_eq!(guarded(some.next()).await.unwrap().unwrap(), 4);
    assert_eq!(guarded(some.next()).await.unwrap().unwrap(), 5);
    assert!(guarded(some.next()).await.is_none(), "a slice that is full has ended");
    assert_eq!(guarded(rest.next()).await.unwrap().unwrap(), 4);
    assert_eq!(guarded(rest.next()).await.unwrap().unwrap(), 5);
    topic.send(6).unwrap();
    assert_eq!(guarded(rest.next()).await.unwrap().unwrap(), 6);
    assert_eq!(rest.position(), at(3));
    drop((some, rest, link));
    house.is_well().await;
}

#[tokio::test]
async fn what_the_source_drops_is_dropped_from_its_slice() {
    let topic = Topic::<u64>::new(Keep::new().count(4));
    let house =
        House::open(Server::builder().publish("/late", Streamer::new(topic.clone()).slice(5..)))
            .await;
    let link = house.link().await;
    let mut late = guarded(link.entities_with::<u64>("/late", follow())).await.unwrap();
    for n in 0..20 {
        topic.send(n).unwrap();
    }
    let mut missed = 0;
    let mut got = Vec::new();
    while got.last() != Some(&19) {
        match guarded(late.next()).await.unwrap() {
            Ok(n) => got.push(n),
            Err(error) => missed += error.skipped().unwrap(),
        }
    }
    assert_eq!(missed + got.len() as u64, 15);
    assert_eq!((late.position(), late.bounds().start), (at(15), Some(at(11))));
    drop((late, link));
    house.is_well().await;
}

#[tokio::test]
async fn nothing_is_written_outside_of_a_slice() {
    let data = MemData::new(*b"0123456789");
    let all = Streamer::new(data.clone()).writable();
    let builder = Server::builder()
        .publish("/middle", all.clone().slice(3..6))
        .publish("/read", all.clone().slice(3..6).read_only())
        .publish("/rest", all.slice(8..));
    let house = House::open(builder).await;
    let link = house.link_to_write().await;
    let mut middle = guarded(link.open_with("/middle", EDIT)).await.unwrap();
    let mut watched = guarded(link.open_with("/read", follow())).await.unwrap();
    assert_eq!(guarded(watched.next_chunk()).await.unwrap().unwrap(), "345");
    guarded(middle.seek(SeekFrom::Start(1))).await.unwrap();
    guarded(middle.write_all(b"abcd")).await.unwrap();
    let error = guarded(middle.flush()).await.unwrap_err();
    assert_eq!((inner(&error).code(), inner(&error).applied()), (Code::END_OF_SPACE, Some(2)));
    assert_eq!(data.to_vec(), b"0123ab6789");
    assert_eq!(code(guarded(middle.write_at(at(3), "x")).await), Code::END_OF_SPACE);
    assert_eq!(code(guarded(middle.write_at(Pos::FromStart(-1), "x")).await), Code::OUT_OF_RANGE);
    assert_eq!(code(guarded(middle.append("x")).await), Code::MODE_FORBIDS);
    for edge in [Edge::Before, Edge::After] {
        let cut = guarded(middle.truncate(edge, at(1))).await;
        assert_eq!(code(cut), Code::MODE_FORBIDS, "{edge:?}");
    }
    assert_eq!(code(guarded(link.open_with("/read", EDIT)).await), Code::MODE_FORBIDS);
    let rest = guarded(link.open_with("/rest", EDIT)).await.unwrap();
    assert_eq!(guarded(rest.append("xyz")).await.unwrap(), at(2));
    assert_eq!(code(guarded(rest.truncate(Edge::Before, at(1))).await), Code::MODE_FORBIDS);
    assert_eq!(guarded(rest.truncate(Edge::After, at(1))).await.unwrap(), at(1));
    assert_eq!(data.to_vec(), b"0123ab678");
    guarded(watched.seek_to(at(0))).await.unwrap();
    assert_eq!(guarded(watched.next_chunk()).await.unwrap().unwrap(), "3ab");
    assert!(!watched.mode().has(Flags::WRITABLE));
    drop((middle, watched, rest, link));
    house.is_well().await;
}

#[tokio::test]
async fn what_is_taken_back_ends_every_stream_on_it_and_no_other() {
    let topic = Topic::<u64>::new(Keep::new());
    let memory = MemData::new(*b"0123456789");
    let all = Streamer::new(topic.clone());
    let (live, first) = all.clone().revocable();
    let (still, second) = Streamer::new(FixedData::bytes(vec![7; 100])).slice(10..).revocable();
    let (board, third) = Streamer::new(memory.clone()).writable().rate(1 << 20).revocable();
    let builder = Server::builder()
        .publish("/all", all)
        .publish("/live", live.read_only())
        .publish("/still", still)
        .publish("/board", board);
    let house = House::open(builder).await;
    let link = house.link_to_write().await;
    let mut beside = guarded(link.entities_with::<u64>("/all", follow())).await.unwrap();
    let mut waiting = guarded(link.entities_with::<u64>("/live", follow())).await.unwrap();
    let mut at_end = guarded(link.open("/still")).await.unwrap();
    let board = guarded(link.open_with("/board", EDIT)).await.unwrap();
    topic.send(1).unwrap();
    assert_eq!(guarded(waiting.next()).await.unwrap().unwrap(), 1);
    assert_eq!(drain(&mut at_end).await.0.len(), 90);
    guarded(board.append("ab")).await.unwrap();

    let next = tokio::spawn(async move { (waiting.next().await, waiting) });
    tokio::task::yield_now().await;
    for revoker in [&first, &second, &third] {
        revoker.revoke();
    }
    let (ended, waiting) = guarded(next).await.unwrap();
    assert_eq!(code(ended.unwrap()), Code::REVOKED);
    // What has read all of it and waits for nothing is ended all the same.
    let seek = async {
        loop {
            match at_end.seek_to(at(0)).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return error.code(),
            }
        }
    };
    assert_eq!(guarded(seek).await, Code::REVOKED);
    assert_eq!(code(guarded(board.append("cd")).await), Code::REVOKED);
    assert_eq!(memory.to_vec(), b"0123456789ab");
    drop((waiting, at_end, board));
    settled("only one stream is open", || link.stats().consuming == 1).await;

    for path in ["/live", "/board", "/still"] {
        assert_eq!(code(guarded(link.stat(path)).await), Code::REVOKED);
    }
    assert_eq!(code(guarded(link.open("/still")).await), Code::REVOKED);
    assert_eq!(code(guarded(link.open_with("/board", EDIT)).await), Code::REVOKED);
    assert_eq!(code(guarded(link.entities::<u64>("/live")).await), Code::REVOKED);
    topic.send(2).unwrap();
    assert_eq!(guarded(beside.next()).await.unwrap().unwrap(), 1);
    assert_eq!(guarded(beside.next()).await.unwrap().unwrap(), 2, "the source goes on");
    drop((beside, link));
    house.is_well().await;
}

#[tokio::test]
async fn what_is_lent_and_not_taken_back_is_read_to_its_end() {
    let (items, _revoker) = Streamer::from(IterData::new(0..2_500_u64)).revocable();
    let (part, _revoker) = items.rate(1 << 20).slice(..2_000).revocable();
    let house = House::open(Server::builder().publish("/items", part)).await;
    let link = house.link().await;
    let mut items = guarded(link.entities::<u64>("/items")).await.unwrap();
    for n in 0..2_000 {
        assert_eq!(guarded(items.next()).await.unwrap().unwrap(), n);
    }
    assert!(guarded(items.next()).await.is_none());
    drop((items, link));
    house.is_well().await;
}

#[tokio::test]
async fn what_has_expired_ends_who_waits_for_it() {
    let time = Duration::from_secs(8);
    let topic = Topic::<u64>::new(Keep::new());
    let lent = Streamer::new(topic.clone()).expires(Instant::now() + time).slice(..);
    let house = House::open(Server::builder().publish("/lent", lent)).await;
    let link = house.link().await;
    let mut waiting = guarded(link.entities_with::<u64>("/lent", follow())).await.unwrap();
    topic.send(1).unwrap();
    assert_eq!(guarded(waiting.next()).await.unwrap().unwrap(), 1);
    pause();
    advance(time).await;
    resume();
    assert_eq!(code(guarded(waiting.next()).await.unwrap()), Code::REVOKED);
    assert_eq!(code(guarded(link.entities::<u64>("/lent")).await), Code::REVOKED);
    drop((waiting, link));
    house.is_well().await;
}

#[tokio::test]
async fn a_rate_holds_back_its_own_streams_and_no_others() {
    const BURST: usize = 64 << 10;
    let slow = Streamer::new(FixedData::bytes(pattern::bytes(SEED, 0, LENGTH))).rate(10_000);
    let house = House::open(Server::builder().publish("/slow", slow)).await;
    let link = house.link().await;
    let (mut one, mut two) = (link.open("/slow").await.unwrap(), link.open("/slow").await.unwrap());
    let mut beside = link.open("/data").await.unwrap();
    pause();
    let begun = Instant::now();
    let mut all = Vec::new();
    beside.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), LENGTH);
    let mut parts = [vec![0; BURST], vec![0; 50_000]];
    let [first, second] = &mut parts;
    let (first, second) = tokio::join!(one.read_exact(first), two.read_exact(second));
    first.unwrap();
    second.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
    resume();
    for part in &parts {
        assert_eq!(pattern::first_wrong_byte(SEED, 0, part), None);
    }
    drop((one, two, beside, link));
    house.is_well().await;
}

#[tokio::test]
async fn many_streams_that_wait_for_a_rate_keep_nobody_else_on_their_link_waiting() {
    let slow = Streamer::new(FixedData::bytes(pattern::bytes(SEED, 0, LENGTH))).rate(1);
    let house = House::open(Server::builder().publish("/slow", slow)).await;
    let link = house.link().await;
    let mut waiting = Vec::new();
    for _ in 0..40 {
        waiting.push(guarded(link.open("/slow")).await.unwrap());
    }
    let mut beside = guarded(link.open("/data")).await.unwrap();
    let (all, outcome) = drain(&mut beside).await;
    assert!(outcome.is_ok());
    assert_eq!(all.len(), LENGTH);
    drop((waiting, beside, link));
    house.is_well().await;
}
