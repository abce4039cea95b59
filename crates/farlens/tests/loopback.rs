//! The main job over real TLS on loopback: files that seek, sequences that iterate, many watched.

use farlens::{
    AtEnd, Change, Client, Code, Directory, Entity, FileData, FixedData, Flags, Identity, IterData,
    Link, MemData, OpenOptions, Pos, Position, Server, ServerBuilder, Spool, Verb,
};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::{io::SeekFrom, io::Write};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

fn pattern(from: u64, length: usize) -> Vec<u8> {
    (from..from + length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

async fn start(builder: ServerBuilder) -> (Server, Link) {
    let builder = builder.identity(Identity::generate().unwrap());
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let link = join(&server).await;
    (server, link)
}

async fn join(server: &Server) -> Link {
    let ticket = server.invite("/").unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    client.connect(&ticket).await.unwrap()
}

fn at(n: u64) -> Position {
    Position::new(n).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_every_size_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [0usize, 1, 16_383, 16_384, 65_537, 3_000_000];
    let mut builder = Server::builder();
    for size in sizes {
        let path = folder.path().join(size.to_string());
        std::fs::write(&path, pattern(0, size)).unwrap();
        builder = builder.publish(&format!("/{size}"), FileData::read_only(&path));
    }
    builder = builder.publish("/dir", Directory::read_only(folder.path()).unwrap());
    let (server, link) = start(builder).await;
    for size in sizes {
        for path in [format!("/{size}"), format!("/dir/{size}")] {
            let mut stream = link.open(&path).await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            assert!(all == pattern(0, size), "{path}");
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the end stays the end");
        }
    }
    let names: Vec<_> =
        link.list("/dir").await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["0", "1", "16383", "16384", "3000000", "65537"]);
    assert_eq!(link.stat("/65537").await.unwrap().entry.len, Some(65_537));
    assert_eq!(link.open("/nope").await.unwrap_err().code(), Code::NOT_FOUND);
    assert_eq!(link.open("/dir/../65537").await.unwrap_err().code(), Code::BAD_ADDRESS);
    server.shutdown(std::time::Duration::from_secs(5)).await;
    assert_eq!(link.closed().await.code(), Code::GOING_AWAY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeking_feels_local() {
    let size = 2_000_000;
    let data = FixedData::bytes(pattern(0, size));
    let (_server, link) = start(Server::builder().publish("/data", data)).await;
    let mut stream = link.open("/data").await.unwrap();
    let mut buffer = vec![0; 1000];
    for n in 0..200u64 {
        let place = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size as u64;
        assert_eq!(stream.seek(SeekFrom::Start(place)).await.unwrap(), place);
        let length = 1000.min(size - place as usize);
        stream.read_exact(&mut buffer[..length]).await.unwrap();
        assert!(buffer[..length] == pattern(place, length), "at {place}");
        assert_eq!(stream.position(), at(place + length as u64));
    }
    assert_eq!(stream.seek(SeekFrom::End(-512)).await.unwrap(), size as u64 - 512);
    let mut tail = Vec::new();
    stream.read_to_end(&mut tail).await.unwrap();
    assert!(tail == pattern(size as u64 - 512, 512));
    let error = stream.seek(SeekFrom::Start(size as u64 + 1)).await.unwrap_err();
    let error = error.get_ref().unwrap().downcast_ref::<farlens::Error>().unwrap();
    assert_eq!(error.code(), Code::OUT_OF_RANGE);
    assert_eq!(stream.position(), at(size as u64), "a failed seek moves nothing");
    assert_eq!(stream.seek(SeekFrom::Current(-10)).await.unwrap(), size as u64 - 10);
    assert_eq!(
        stream.seek(SeekFrom::End(-(size as i64) - 1)).await.unwrap_err().kind(),
        std::io::ErrorKind::InvalidInput
    );
    assert_eq!(stream.read_u8().await.unwrap(), pattern(size as u64 - 10, 1)[0]);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, farlens::Schema)]
struct Pose {
    tool: String,
    t_ns: u64,
    m: [f32; 12],
}

fn pose(n: u64) -> Pose {
    Pose { tool: format!("tool-{}", n % 7), t_ns: n * 1_000, m: [n as f32; 12] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entities_iterate_and_seek() {
    let builder = Server::builder()
        .publish("/poses", FixedData::items((0..100_000).map(pose)).unwrap())
        .publish("/once", IterData::new((0..5_000).map(pose)));
    let (_server, link) = start(builder).await;
    let mut poses = link.entities::<Pose>("/poses").await.unwrap();
    for n in 0..1000 {
        assert_eq!(poses.try_next().await.unwrap(), Some(pose(n)));
    }
    for place in [0, 5, 999, 50_000, 99_999, 7] {
        assert_eq!(poses.seek(at(place)).await.unwrap(), at(place));
        assert_eq!(poses.try_next().await.unwrap(), Some(pose(place)));
        assert_eq!(poses.position(), at(place + 1));
    }
    poses.seek(Pos::FromEnd(-100)).await.unwrap();
    assert_eq!(poses.by_ref().count().await, 100);
    assert_eq!(poses.seek(at(100_001)).await.unwrap_err().code(), Code::OUT_OF_RANGE);

    let once: Vec<Pose> = link.entities("/once").await.unwrap().try_collect().await.unwrap();
    assert!(once == (0..5_000).map(pose).collect::<Vec<_>>());
    let error = link.entities::<u32>("/poses").await.unwrap_err();
    assert_eq!(error.code(), Code::SCHEMA_MISMATCH, "{error}");
    let mut any = link.entities::<Entity>("/poses").await.unwrap();
    let first = any.try_next().await.unwrap().unwrap();
    assert_eq!(first.into_typed::<Pose>().unwrap(), pose(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_growing_file_is_followed_and_many_are_watched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, b"one\n").unwrap();
    let (mut writer, lines) = Spool::items();
    let builder = Server::builder()
        .publish("/log", FileData::read_only(&path).follow(true))
        .publish("/fixed", FixedData::bytes(pattern(0, 10)))
        .publish("/lines", lines);
    let (server, link) = start(builder).await;
    let mut events = link.watch(["/log", "/fixed", "/lines", "/none"]).await.unwrap();
    let mut follow =
        link.open_with("/log", OpenOptions::new().at_end(AtEnd::Follow)).await.unwrap();
    let mut four = [0; 4];
    follow.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"one\n");
    let mut opened = 0;
    while opened < 3 {
        if let Change::Opened { .. } = events.next().await.unwrap().change {
            opened += 1;
        }
    }
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"two\n").unwrap();
    follow.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"two\n");
    let mut body = Vec::new();
    Entity::Int(7).encode(&mut body).unwrap();
    writer.push(&body).unwrap();
    writer.finish();
    let (mut grew, mut item, mut ended) = (false, false, false);
    while !(grew && item && ended) {
        let event = events.next().await.unwrap();
        match event.change {
            Change::Grew { len } => grew |= event.path.as_str() == "/log" && len == 8,
            Change::Item { at, value } => item |= at == 0 && value == Entity::Int(7),
            Change::Ended { .. } => ended |= event.path.as_str() == "/lines",
            _ => {}
        }
    }
    server.shutdown(std::time::Duration::from_secs(5)).await;
    let mut gone = 0;
    while let Some(event) = events.next().await {
        gone += usize::from(matches!(event.change, Change::Gone { .. }));
    }
    assert!(gone >= 3, "{gone}");
    let error = follow.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted, "a cut is no end: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_known_is_refused() {
    let (server, _link) = start(Server::builder().publish("/a", FixedData::bytes("x"))).await;
    let url = format!("farlens://{}/a#{}", server.local_addr(), server.key());
    let stranger = Client::builder().identity(Identity::generate().unwrap());
    let error = stranger.connect(&url).await.unwrap_err();
    assert_eq!(error.code(), Code::NOT_AUTHORIZED, "{error}");
    let wrong =
        format!("farlens://{}/a#{}", server.local_addr(), Identity::generate().unwrap().key_id());
    let client = Client::builder().identity(Identity::generate().unwrap());
    assert_eq!(client.connect(&wrong).await.unwrap_err().code(), Code::SERVER_CHANGED);
    let none = format!("farlens://{}/a", server.local_addr());
    let client = Client::builder().identity(Identity::generate().unwrap());
    assert_eq!(client.connect(&none).await.unwrap_err().code(), Code::UNKNOWN_SERVER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j18_a_wrong_path_a_refused_port_and_a_bad_name_are_told_apart() {
    let (server, link) = start(Server::builder().publish("/a/b", FixedData::bytes("x"))).await;
    assert!(link.open("/a/b").await.is_ok());
    assert_eq!(link.open("/a/c").await.unwrap_err().code(), Code::NOT_FOUND);
    let key = server.key();
    // Nobody listens where a listener was a moment ago.
    let freed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, code) in [
        (format!("farlens://{freed}/a/b#{key}"), Code::CANNOT_CONNECT),
        (format!("farlens://a b/a/b#{key}"), Code::BAD_ADDRESS),
    ] {
        let client = Client::builder().identity(Identity::generate().unwrap());
        assert_eq!(client.connect(&url).await.unwrap_err().code(), code, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j24_the_nearest_publication_answers_and_no_path_has_two() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "beneath").unwrap();
    let directory = || Directory::read_only(folder.path()).unwrap();
    let builder = Server::builder()
        .publish("/", directory())
        .publish("/deep", directory())
        .publish("/deep/a", FixedData::bytes("itself"));
    let (_server, link) = start(builder).await;
    for (path, expected) in [("/a", "beneath"), ("/deep/a", "itself")] {
        let mut text = String::new();
        link.open(path).await.unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, expected, "{path}");
    }
    let twice = Server::builder().publish("/deep", directory()).publish("/deep", directory());
    let twice = twice.identity(Identity::generate().unwrap()).bind("127.0.0.1:0").await;
    assert_eq!(twice.unwrap_err().code(), Code::USAGE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_lead_nowhere_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let client = Identity::generate().unwrap();
    let server = Server::builder()
        .identity(Identity::generate().unwrap())
        .authorize(client.key_id(), vec!["read /dir/b".parse().unwrap()])
        .publish("/dir", Directory::read_only(folder.path()).unwrap())
        .publish("/other", FixedData::bytes("x"))
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let url = format!("farlens://{}/#{}", server.local_addr(), server.key());
    let link = Client::builder().identity(client).connect(&url).await.unwrap();
    let names = |entries: Vec<farlens::Entry>| -> Vec<String> {
        entries.into_iter().map(|entry| entry.name).collect()
    };
    assert_eq!(names(link.list("/").await.unwrap()), ["dir"]);
    assert_eq!(names(link.list("/dir").await.unwrap()), ["b"]);
    assert!(link.open("/dir/b").await.is_ok());
    for path in ["/dir/a", "/other", "/none"] {
        assert_eq!(link.open(path).await.unwrap_err().code(), Code::NOT_FOUND);
        assert_eq!(link.stat(path).await.unwrap_err().code(), Code::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_listing_comes_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = vec!["0450x".to_owned()];
    for n in 0..1_000 {
        std::fs::write(folder.path().join(format!("{n:04}")), "").unwrap();
        expected.push(format!("{n:04}"));
    }
    expected.sort();
    let builder = Server::builder()
        .publish("/", Directory::read_only(folder.path()).unwrap())
        .publish("/0450x", FixedData::bytes("x"));
    let (_server, link) = start(builder).await;
    let entries = link.list("/").await.unwrap();
    assert_eq!(entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_ticket_carries_the_rights_that_its_server_gave_it() {
    let builder = Server::builder().publish("/mem", MemData::new(*b"abc"));
    let (server, reader) = start(builder).await;
    let verbs = [Verb::Read, Verb::Write];
    let ticket = server.invite_to("/mem", &verbs).unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    let writer = client.connect(&ticket).await.unwrap();
    for (link, writable) in [(reader, false), (writer, true)] {
        let mode = link.stat("/mem").await.unwrap().mode().unwrap();
        assert_eq!(mode.has(Flags::WRITABLE), writable);
        let mut content = Vec::new();
        link.open("/mem").await.unwrap().read_to_end(&mut content).await.unwrap();
        assert_eq!(content, b"abc");
    }
    assert_eq!(server.invite_to("/mem", &[]).unwrap_err().code(), Code::USAGE);
}
