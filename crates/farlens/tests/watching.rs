//! Watching many streams over real TLS on loopback: what is told of data that moves.

use farlens::{
    Bounds, Change, Client, Code, Edge, Entity, Events, FileData, Identity, Link, MemData,
    OpenOptions, Position, Server, ServerBuilder, Topic, Verb, data,
};
use futures::StreamExt;
use std::time::Duration;

async fn start(builder: ServerBuilder) -> (Server, Link) {
    let builder = builder.identity(Identity::generate().unwrap());
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let ticket = server.invite_to("/", &[Verb::Read, Verb::Write]).unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    let link = client.connect(&ticket).await.unwrap();
    (server, link)
}

fn at(n: u64) -> Position {
    Position::new(n).unwrap()
}

fn between(start: u64, end: u64) -> Bounds {
    Bounds { start: Some(at(start)), end: Some(at(end)) }
}

async fn next(events: &mut Events) -> Change {
    let next = tokio::time::timeout(Duration::from_secs(60), events.next());
    next.await.expect("something is told").expect("a stream is left").change
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growth_is_told_apart_from_other_moves() {
    let (_server, link) =
        start(Server::builder().publish("/m", MemData::new(*b"0123456789"))).await;
    let mut events = link.watch(["/m"]).await.unwrap();
    assert!(matches!(next(&mut events).await, Change::Opened { len: Some(10), .. }));
    let file = link.open_with("/m", OpenOptions::new().write(true)).await.unwrap();
    file.append("ab").await.unwrap();
    assert!(matches!(next(&mut events).await, Change::Grew { len: 12 }));
    file.truncate(Edge::After, at(4)).await.unwrap();
    let cut = next(&mut events).await;
    assert!(matches!(cut, Change::Moved { bounds } if bounds == between(0, 4)), "{cut:?}");
    file.append("c").await.unwrap();
    let grew = next(&mut events).await;
    assert!(matches!(grew, Change::Grew { len: 5 }), "{grew:?}");
    file.truncate(Edge::Before, at(3)).await.unwrap();
    let moved = next(&mut events).await;
    assert!(matches!(moved, Change::Moved { bounds } if bounds == between(3, 5)), "{moved:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_tells_every_element_or_a_gap_and_where_it_starts() {
    const COUNT: u64 = 20_000;
    let topic = Topic::<u64>::keep_last(4);
    let (_server, link) = start(Server::builder().publish("/topic", topic.clone())).await;
    let mut events = link.watch(["/topic"]).await.unwrap();
    assert!(matches!(next(&mut events).await, Change::Opened { .. }));
    let sending = tokio::task::spawn_blocking(move || {
        for n in 0..COUNT {
            topic.send(n).unwrap();
        }
        topic.close();
    });
    let (mut place, mut last) = (0, None);
    loop {
        match next(&mut events).await {
            Change::Item { at, value } => {
                assert_eq!((at, value), (place, Entity::Int(place.into())));
                place += 1;
            }
            Change::Gap { skipped } => place += skipped,
            Change::Moved { bounds } => last = Some(bounds),
            Change::Ended { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(place, COUNT);
    assert_eq!(last, Some(between(COUNT - 4, COUNT)), "the last state is told");
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_refused_with_its_own_reason() {
    let (_publisher, channel) = data::channel::<u64>(16);
    let (_server, link) = start(Server::builder().publish("/channel", channel)).await;
    let mut events = link.watch(["/channel"]).await.unwrap();
    let Change::Gone { error } = next(&mut events).await else { panic!("it is refused") };
    assert_eq!(error.code(), Code::MODE_FORBIDS);
    assert!(error.message().contains("cannot be sought"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_read_on_after_a_cut_is_gone_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    std::fs::write(&path, b"0123456789").unwrap();
    let file = FileData::read_only(&path).follow(true);
    let (_server, link) = start(Server::builder().publish("/f", file)).await;
    let mut events = link.watch(["/f"]).await.unwrap();
    assert!(matches!(next(&mut events).await, Change::Opened { len: Some(10), .. }));
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4).unwrap();
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(event.change);
    }
    let gone = |change: &Change| matches!(change, Change::Gone { error } if error.code() == Code::TRUNCATED);
    assert!(told.len() <= 2 && told.last().is_some_and(gone), "{told:?}");
}
