//! Live data over real TLS on loopback: topics, channels and asynchronous streams.

use farlens::{
    AtEnd, Change, Client, Code, Entity, Error, Identity, IterData, Keep, Link, OpenOptions, Pos,
    Position, Publication, Server, Topic, data::channel,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{thread, time::Duration};

async fn start(publication: impl Into<Publication>) -> Server {
    let builder = Server::builder().identity(Identity::generate().unwrap());
    builder.publish("/live", publication).bind("127.0.0.1:0").await.unwrap()
}

async fn join(server: &Server) -> Link {
    let ticket = server.invite("/live").unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    client.connect(&ticket).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_read_from_what_is_kept_and_then_live() {
    let topic = Topic::new(Keep::new().count(50_000));
    (0..60_000_u64).for_each(|n| assert_eq!(topic.send(n).unwrap().get(), n));
    let server = start(topic.clone()).await;
    let link = join(&server).await;
    let stat = link.stat("/live").await.unwrap();
    assert_eq!((stat.bounds, stat.schema.as_deref()), (topic.bounds(), Some("u64")));
    let options = OpenOptions::new().start(Pos::FromEnd(-1_000)).at_end(AtEnd::Follow);
    let mut live = link.entities_with::<u64>("/live", options).await.unwrap();
    assert_eq!(live.position(), Position::from(59_000));
    let sender = thread::spawn(move || {
        (60_000..100_000).try_for_each(|n| topic.send(n).map(drop)).unwrap();
        topic.close();
    });
    let mut next = 59_000;
    while let Some(value) = live.try_next().await.unwrap() {
        assert_eq!(value, next);
        next += 1;
    }
    assert_eq!(next, 100_000, "the end is final");
    sender.join().unwrap();
    server.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_waits_for_the_slowest_stream_until_that_or_its_link_is_gone() {
    let (publisher, readings) = channel::<Vec<u8>>(16);
    let server = start(readings).await;
    let links = [join(&server).await, join(&server).await, join(&server).await];
    assert!(links[0].stat("/live").await.unwrap().schema.is_some());
    assert_eq!(publisher.readers(), 0, "to look at it is not to read it");
    let reader = links[0].entities::<Vec<u8>>("/live").await.unwrap();
    let closes = links[1].entities::<Vec<u8>>("/live").await.unwrap();
    let loses = links[2].entities::<Vec<u8>>("/live").await.unwrap();
    assert_eq!(publisher.readers(), 3);
    let (full, is_full) = tokio::sync::oneshot::channel();
    let sender = thread::spawn(move || {
        // Windows and queues fill before the buffer does: nobody reads yet.
        let mut sent = 0_u64;
        while publisher.send_timeout(vec![7; 60_000], Duration::from_millis(200)).is_ok() {
            sent += 1;
        }
        full.send(()).unwrap();
        for _ in 0..100 {
            publisher.send(vec![7; 60_000]).unwrap();
            sent += 1;
        }
        sent
    });
    is_full.await.unwrap();
    let count = tokio::spawn(reader.try_fold(0_u64, async |n, _| Ok(n + 1)));
    drop(closes);
    links[2].close();
    drop(loses);
    assert_eq!(count.await.unwrap().unwrap(), sender.join().unwrap(), "none was lost");
    server.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_is_released_when_its_server_is_gone() {
    let (publisher, readings) = channel::<Vec<u8>>(4);
    let server = start(readings).await;
    let link = join(&server).await;
    let _unread = link.entities::<Vec<u8>>("/live").await.unwrap();
    let (done, released) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let error = loop {
            if let Err(error) = publisher.send(vec![7; 60_000]) {
                break error;
            }
        };
        done.send(error).unwrap();
    });
    server.shutdown(Duration::from_millis(100)).await;
    drop(server);
    assert_eq!(released.await.unwrap().code(), Code::CLOSED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_watched_and_a_channel_is_not() {
    let (publisher, readings) = channel::<u32>(2);
    let server = start(readings).await;
    let mut events = join(&server).await.watch(["/live"]).await.unwrap();
    let Change::Gone { error } = events.next().await.unwrap().change else { panic!("refused") };
    assert_eq!((error.code(), publisher.readers()), (Code::MODE_FORBIDS, 0));

    let topic = Topic::keep_last(10);
    let server = start(topic.clone()).await;
    let mut events = join(&server).await.watch(["/live"]).await.unwrap();
    let opened = events.next().await.unwrap().change;
    assert!(matches!(opened, Change::Opened { len: Some(0), .. }), "{opened:?}");
    topic.send(7_u32).unwrap();
    let item = events.next().await.unwrap().change;
    let Change::Item { at: 0, value } = item else { panic!("{item:?}") };
    assert_eq!(value, Entity::from(7_u64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_publisher_is_an_error_after_the_last_element() {
    let (publisher, readings) = channel::<u32>(16);
    let server = start(readings).await;
    let link = join(&server).await;
    let mut live = link.entities::<u32>("/live").await.unwrap();
    publisher.send_async(1).await.unwrap();
    publisher.fail(&Error::new(Code::SOURCE_FAILED, "the probe fell off"));
    assert_eq!(live.try_next().await.unwrap(), Some(1));
    let error = live.try_next().await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::SOURCE_FAILED, "the probe fell off"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_topic_is_an_error_after_the_last_element_also_for_who_waits() {
    let topic = Topic::keep_last(10);
    topic.send(1_u32).unwrap();
    let server = start(topic.clone()).await;
    let link = join(&server).await;
    let options = OpenOptions::new().at_end(AtEnd::Follow);
    let mut waits = link.entities_with::<u32>("/live", options).await.unwrap();
    assert_eq!(waits.try_next().await.unwrap(), Some(1));
    let waiting = tokio::spawn(async move { waits.try_next().await });
    tokio::task::yield_now().await;
    topic.fail(&Error::new(Code::SOURCE_FAILED, "the pipe burst"));
    assert_eq!(waiting.await.unwrap().unwrap_err().message(), "the pipe burst");
    let mut late = link.entities::<u32>("/live").await.unwrap();
    assert_eq!(late.try_next().await.unwrap(), Some(1));
    assert_eq!(late.try_next().await.unwrap_err().code(), Code::SOURCE_FAILED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asynchronous_stream_is_iterated_by_one_reader() {
    let values = stream::iter(0..10_000_u64).then(async |n| {
        tokio::task::yield_now().await;
        n
    });
    let server = start(IterData::from_value_stream(values)).await;
    let (link, other) = (join(&server).await, join(&server).await);
    let live = link.entities::<u64>("/live").await.unwrap();
    assert_eq!(other.entities::<u64>("/live").await.unwrap_err().code(), Code::BUSY);
    let all: Vec<u64> = live.try_collect().await.unwrap();
    assert!(all.into_iter().eq(0..10_000));
}
