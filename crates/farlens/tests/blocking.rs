//! The blocking API over real TLS on loopback, from plain threads and from stranger places.

use farlens::{
    AtEnd, Change, Client, Code, Entity, Error, FileData, FixedData, Identity, OpenOptions, Pos,
    Position, ServerBuilder, Spool, StreamObserver,
    blocking::{self, ByteStream, Link, Server},
};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, BufRead, Read, Seek, SeekFrom},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes, unless it hangs.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

fn pattern(from: u64, length: usize) -> Vec<u8> {
    (from..from + length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

fn at(n: u64) -> Position {
    Position::new(n).unwrap()
}

fn start(builder: ServerBuilder) -> (Server, Link) {
    let builder = builder.identity(Identity::generate().unwrap());
    let server = Server::bind(builder, "127.0.0.1:0").unwrap();
    let ticket = server.invite("/").unwrap().to_string();
    let link = client().connect(&ticket).unwrap();
    (server, link)
}

fn client() -> blocking::Client {
    let settings = Client::builder().identity(Identity::generate().unwrap());
    blocking::Client::new(settings).with_timeout(LONG)
}

/// A server with `size` patterned bytes at `/data`.
fn start_with_data(size: usize) -> (Server, Link) {
    start(farlens::Server::builder().publish("/data", FixedData::bytes(pattern(0, size))))
}

/// A server that stands still unless it is told to answer.
struct SlowServer {
    link: Link,
    _server: farlens::Server,
    runtime: tokio::runtime::Runtime,
}

impl SlowServer {
    /// With `size` patterned bytes at `/data`.
    fn start(size: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_server, link) = runtime.block_on(async {
            let builder = farlens::Server::builder()
                .identity(Identity::generate().unwrap())
                .publish("/data", FixedData::bytes(pattern(0, size)));
            let server = builder.bind("127.0.0.1:0").await.unwrap();
            let ticket = server.invite("/").unwrap().to_string();
            let connecting = tokio::task::spawn_blocking(move || client().connect(&ticket));
            (server, connecting.await.unwrap().unwrap())
        });
        Self { link, _server, runtime }
    }

    /// Does `work` on a thread of its own while the server runs on this one.
    fn while_it_answers<T: Send>(&self, work: impl FnOnce(&Link) -> T + Send) -> T {
        let (done, finished) = tokio::sync::oneshot::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let link = &self.link;
                let _ = done.send(work(link));
            });
            self.runtime.block_on(finished).unwrap()
        })
    }
}

fn follow(link: &Link, path: &str) -> ByteStream {
    link.open_with(path, OpenOptions::new().at_end(AtEnd::Follow)).unwrap()
}

fn code(error: io::Error) -> Code {
    Error::from(error).code()
}

#[test]
fn files_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [0usize, 1, 65_537, 3_000_000];
    let mut builder = farlens::Server::builder();
    for size in sizes {
        let path = folder.path().join(size.to_string());
        std::fs::write(&path, pattern(0, size)).unwrap();
        builder = builder.publish(&format!("/{size}"), FileData::read_only(&path));
    }
    let (server, link) = start(builder);
    for size in sizes {
        let mut stream = link.open(&format!("/{size}")).unwrap();
        let mut all = Vec::new();
        assert_eq!(stream.read_to_end(&mut all).unwrap(), size);
        assert!(all == pattern(0, size), "{size}");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the end stays the end");
        assert_eq!(stream.next_chunk().unwrap(), None);
        assert!(stream.fill_buf().unwrap().is_empty());
        assert_eq!(stream.position(), at(size as u64));
    }
    let names: Vec<_> = link.list("/").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["0", "1", "3000000", "65537"]);
    assert_eq!(link.stat("/65537").unwrap().entry.len, Some(65_537));
    assert_eq!(link.open("/nope").unwrap_err().code(), Code::NOT_FOUND);
    assert_eq!(link.entities::<Entity>("/1").unwrap_err().code(), Code::WRONG_KIND);
    assert_eq!(link.peer(), server.key());
    assert_eq!(link.closed(Duration::ZERO).unwrap_err().code(), Code::TIMEOUT);
    server.shutdown(LONG);
    assert_eq!(link.closed(LONG).unwrap().code(), Code::GOING_AWAY);
}

#[test]
fn seeking_feels_local() {
    let size = 500_000;
    let (_server, link) = start_with_data(size);
    let mut stream = link.open("/data").unwrap();
    let mut buffer = [0; 1000];
    for n in 0..100u64 {
        let place = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size as u64;
        assert_eq!(stream.seek(SeekFrom::Start(place)).unwrap(), place);
        let length = buffer.len().min(size - place as usize);
        stream.read_exact(&mut buffer[..length]).unwrap();
        assert!(buffer[..length] == pattern(place, length), "at {place}");
        assert_eq!(stream.stream_position().unwrap(), place + length as u64);
    }
    assert_eq!(stream.seek(SeekFrom::End(-512)).unwrap(), size as u64 - 512);
    let mut tail = Vec::new();
    stream.read_to_end(&mut tail).unwrap();
    assert!(tail == pattern(size as u64 - 512, 512));
    assert_eq!(stream.seek_to(at(7)).unwrap(), at(7));
    assert_eq!(stream.seek(SeekFrom::Current(3)).unwrap(), 10);
    let error = stream.seek(SeekFrom::Start(size as u64 + 1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(stream.position(), at(10), "a failed seek moves nothing");
    assert_eq!(stream.bounds().len(), Some(size as u64));
    stream.rewind().unwrap();
    assert_eq!(stream.next_chunk().unwrap().unwrap()[..5], pattern(0, 5));
}

#[test]
fn a_seek_that_ran_out_of_time_is_still_made() {
    let server = SlowServer::start(200_000);
    let mut stream = server.while_it_answers(|link| {
        let mut stream = link.open("/data").unwrap();
        stream.read_exact(&mut [0; 100_000]).unwrap();
        stream
    });
    for timeout in [Duration::ZERO, SHORT] {
        stream.set_timeout(timeout);
        let error = stream.seek(SeekFrom::Start(7)).unwrap_err();
        assert_eq!(code(error), Code::TIMEOUT);
        assert_eq!(stream.stream_position().unwrap(), 100_000, "nobody has answered it");
    }
    stream.set_timeout(LONG);
    let mut rest = Vec::new();
    server.while_it_answers(|_| stream.read_to_end(&mut rest)).unwrap();
    assert!(rest == pattern(7, 200_000 - 7));
    stream.set_timeout(SHORT);
    assert_eq!(stream.seek_to(at(5)).unwrap_err().code(), Code::TIMEOUT);
    stream.set_timeout(None);
    let found = server.while_it_answers(|_| stream.seek_to(at(50)));
    assert_eq!(found.unwrap(), at(50), "a newer one takes its place");
    server.while_it_answers(|_| stream.read_exact(&mut rest[..10])).unwrap();
    assert_eq!(rest[..10], pattern(50, 10));
}

#[test]
fn a_request_that_ran_out_of_time_is_given_up() {
    let server = SlowServer::start(10);
    for timeout in [Duration::ZERO, SHORT] {
        let hurried = server.link.with_timeout(timeout);
        assert_eq!(hurried.timeout(), Some(timeout));
        assert_eq!(hurried.stat("/data").unwrap_err().code(), Code::TIMEOUT);
        assert_eq!(hurried.list("/").unwrap_err().code(), Code::TIMEOUT);
        assert_eq!(hurried.open("/data").unwrap_err().code(), Code::TIMEOUT);
        assert_eq!(hurried.watch(["/data"]).unwrap_err().code(), Code::TIMEOUT);
    }
    assert_eq!(server.link.timeout(), Some(LONG), "a clone's timeout is its own");
    let stat = server.while_it_answers(|link| link.stat("/data")).unwrap();
    assert_eq!(stat.entry.len, Some(10));
}

#[test]
fn lines_are_lines() {
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let data = FixedData::bytes(text.into_bytes());
    let (_server, link) = start(farlens::Server::builder().publish("/text", data));
    let mut count = 0;
    for (n, line) in link.open("/text").unwrap().lines().enumerate() {
        assert_eq!(line.unwrap(), format!("line {n}"));
        count += 1;
    }
    assert_eq!(count, 20_000);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, farlens::Schema)]
struct Pose {
    tool: String,
    m: [f32; 12],
}

fn pose(n: u64) -> Pose {
    Pose { tool: format!("tool-{}", n % 7), m: [n as f32; 12] }
}

#[test]
fn entities_iterate_and_seek() {
    let poses = FixedData::items((0..10_000).map(pose)).unwrap();
    let (_server, link) = start(farlens::Server::builder().publish("/poses", poses));
    let mut poses = link.entities::<Pose>("/poses").unwrap();
    for (n, found) in (0..1000).zip(poses.by_ref()) {
        assert_eq!(found.unwrap(), pose(n));
    }
    assert_eq!(poses.seek(at(5_000)).unwrap(), at(5_000));
    assert_eq!(poses.next_timeout(LONG).unwrap().unwrap(), pose(5_000));
    poses.seek(Pos::FromEnd(-100)).unwrap();
    assert_eq!(poses.position(), at(9_900));
    assert_eq!(poses.by_ref().count(), 100);
    assert_eq!(poses.seek(at(10_001)).unwrap_err().code(), Code::OUT_OF_RANGE);
    let all: Result<Vec<Pose>, _> = link.entities("/poses").unwrap().collect();
    assert!(all.unwrap() == (0..10_000).map(pose).collect::<Vec<_>>());
    let error = link.entities::<u32>("/poses").unwrap_err();
    assert_eq!(error.code(), Code::SCHEMA_MISMATCH);
}

#[test]
fn b10_a_timeout_loses_nothing() {
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(farlens::Server::builder().publish("/live", bytes));
    let mut stream = follow(&link, "/live");
    let (first, second) = (pattern(0, 1000), pattern(1000, 100_000));
    writer.push(&first).unwrap();
    let mut all = vec![0; first.len()];
    stream.read_exact(&mut all).unwrap();
    for timeout in [Duration::ZERO, SHORT] {
        stream.set_timeout(timeout);
        let start = Instant::now();
        let error = stream.read(&mut [0; 16]).unwrap_err();
        assert!(start.elapsed() >= timeout);
        assert_eq!((error.kind(), code(error)), (io::ErrorKind::TimedOut, Code::TIMEOUT));
        assert_eq!(stream.fill_buf().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(stream.next_chunk().unwrap_err().code(), Code::TIMEOUT);
        assert_eq!(stream.position(), at(1000));
    }
    let pushing = thread::spawn(move || {
        for part in second.chunks(777) {
            writer.push(part).unwrap();
        }
        writer.finish();
    });
    // Most of these looks find nothing; what they find must be all, in order.
    let give_up = Instant::now() + LONG;
    for timeout in [Duration::ZERO, Duration::from_micros(50)].into_iter().cycle() {
        assert!(Instant::now() < give_up, "only {} bytes came", all.len());
        stream.set_timeout(timeout);
        match stream.read_to_end(&mut all) {
            Ok(_) => break,
            Err(error) => assert_eq!(code(error), Code::TIMEOUT),
        }
    }
    pushing.join().unwrap();
    assert!(all == pattern(0, 101_000));
}

#[test]
fn entities_and_events_have_timeouts() {
    let (mut writer, items) = Spool::items();
    let (_server, link) = start(farlens::Server::builder().publish("/live", items));
    let mut body = Vec::new();
    Entity::Int(7).encode(&mut body).unwrap();
    let mut items = link.entities::<Entity>("/live").unwrap();
    let mut events = link.watch(["/live", "/none"]).unwrap();
    let gone = events.next().unwrap().unwrap();
    assert_eq!(gone.path.as_str(), "/none");
    assert!(matches!(gone.change, Change::Gone { .. }));
    assert!(matches!(events.next().unwrap().unwrap().change, Change::Opened { .. }));
    for timeout in [Duration::ZERO, SHORT] {
        assert_eq!(items.next_timeout(timeout).unwrap().unwrap_err().code(), Code::TIMEOUT);
        assert_eq!(events.next_timeout(timeout).unwrap().unwrap_err().code(), Code::TIMEOUT);
    }
    writer.push(&body).unwrap();
    writer.finish();
    assert_eq!(items.next().unwrap().unwrap(), Entity::Int(7));
    assert!(items.next().is_none());
    let event = events.next().unwrap().unwrap();
    assert!(matches!(event.change, Change::Item { at: 0, value: Entity::Int(7) }), "{event:?}");
    assert!(matches!(events.next().unwrap().unwrap().change, Change::Ended { .. }));
}

#[test]
fn closing_from_another_thread_wakes_a_reader() {
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(farlens::Server::builder().publish("/live", bytes));
    writer.push(b"x").unwrap();
    let mut stream = follow(&link, "/live");
    stream.set_timeout(None);
    let (told, heard) = mpsc::sync_channel(1);
    let reader = thread::spawn(move || {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        told.send(()).unwrap();
        stream.read(&mut byte).unwrap_err()
    });
    heard.recv().unwrap();
    let start = Instant::now();
    link.close();
    assert_eq!(code(reader.join().unwrap()), Code::LINK_CLOSED);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(link.is_closed());
    assert_eq!(link.closed(None).unwrap().code(), Code::LINK_CLOSED);
    assert_eq!(link.open("/live").unwrap_err().code(), Code::LINK_CLOSED);
}

#[test]
fn a_server_that_is_dropped_ends_its_links() {
    let (server, link) = start_with_data(10);
    let mut stream = link.open("/data").unwrap();
    drop(server);
    assert_eq!(link.closed(LONG).unwrap().code(), Code::GOING_AWAY);
    let mut rest = Vec::new();
    // What had arrived is good; if that is not all, the rest is an error and not an end.
    match stream.read_to_end(&mut rest) {
        Ok(_) => assert_eq!(rest, pattern(0, 10)),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted),
    }
}

#[test]
fn many_threads_share_one_link() {
    let (_server, link) = start_with_data(400_000);
    let readers = (0..16u64).map(|n| {
        let link = link.clone();
        thread::spawn(move || {
            let mut stream = link.open("/data").unwrap();
            stream.seek(SeekFrom::Start(n * 1000)).unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            assert!(all == pattern(n * 1000, 400_000 - n as usize * 1000), "thread {n}");
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.join().unwrap();
    }
}

#[test]
fn a_stream_may_move_between_threads() {
    let (_server, link) = start_with_data(100_000);
    let mut stream = link.open("/data").unwrap();
    drop(link);
    let mut all = Vec::new();
    for _ in 0..4 {
        (stream, all) = thread::spawn(move || {
            let mut part = [0; 25_000];
            stream.read_exact(&mut part).unwrap();
            all.extend(part);
            (stream, all)
        })
        .join()
        .unwrap();
    }
    assert!(all == pattern(0, 100_000));
}

#[test]
fn an_observer_is_told() {
    struct Tell(mpsc::SyncSender<()>);
    impl StreamObserver for Tell {
        fn readable(&self) {
            let _ = self.0.try_send(());
        }
    }
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(farlens::Server::builder().publish("/live", bytes));
    let stream = follow(&link, "/live");
    let (told, heard) = mpsc::sync_channel(1);
    let _observation = stream.observe(Arc::new(Tell(told)));
    writer.push(b"x").unwrap();
    heard.recv_timeout(LONG).unwrap();
}

/// Everything once, and small requests many times.
fn use_it_all() {
    let poses = FixedData::items((0..1000).map(pose)).unwrap();
    let builder = farlens::Server::builder()
        .publish("/data", FixedData::bytes(pattern(0, 300_000)))
        .publish("/poses", poses);
    let (server, link) = start(builder);
    let mut all = Vec::new();
    link.open("/data").unwrap().read_to_end(&mut all).unwrap();
    assert!(all == pattern(0, 300_000));
    for _ in 0..300 {
        assert_eq!(link.stat("/data").unwrap().entry.len, Some(300_000));
        assert_eq!(link.closed(Duration::ZERO).unwrap_err().code(), Code::TIMEOUT);
    }
    assert_eq!(link.entities::<Pose>("/poses").unwrap().count(), 1000);
    link.close();
    server.shutdown(LONG);
}

#[test]
fn it_works_on_threads_of_other_runtimes() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::task::spawn_blocking(use_it_all).await.unwrap();
        tokio::spawn(async { use_it_all() }).await.unwrap();
        use_it_all();
    });
}

#[test]
fn it_works_on_the_only_thread_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { use_it_all() });
}

#[test]
fn it_works_nested_in_another_executor() {
    futures::executor::block_on(async { use_it_all() });
}

#[test]
fn handles_are_for_all_threads() {
    const fn shared<T: Send + Sync>() {}
    const {
        shared::<Link>();
        shared::<Server>();
        shared::<ByteStream>();
        shared::<blocking::EntityStream<Entity>>();
        shared::<blocking::Events>();
    }
}
