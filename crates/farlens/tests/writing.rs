//! Writing over real TLS on loopback: files and memory that are written, sought, cut and replaced
//! as if they were local.

use farlens::{
    AtEnd, Client, Code, Condition, Directory, Edge, Entity, FileData, Identity, Link, MemData,
    OpenOptions, Pos, Position, Reach, Server, ServerBuilder, StreamEvent, StreamObserver,
    Streamer, Topic, Verb,
};
use futures::{FutureExt, SinkExt, TryStreamExt};
use std::{io::SeekFrom, sync::Arc};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

fn pattern(from: u64, length: usize) -> Vec<u8> {
    (from..from + length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

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

const EDIT: OpenOptions = OpenOptions::new().write(true);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_cursor_reads_and_writes_as_a_file_does() {
    let (_server, link) =
        start(Server::builder().publish("/m", MemData::new(*b"0123456789"))).await;
    let mut file = link.open_with("/m", EDIT).await.unwrap();
    let mut two = [0; 2];
    file.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"01");
    file.write_all(b"AB").await.unwrap();
    file.read_exact(&mut two).await.unwrap();
    assert_eq!(&two, b"45", "reading goes on behind what was written");
    assert_eq!(file.seek(SeekFrom::Start(0)).await.unwrap(), 0);
    let mut all = String::new();
    file.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "01AB456789");
    file.write_all(b"xyz").await.unwrap();
    assert_eq!(file.seek(SeekFrom::End(-5)).await.unwrap(), 8);
    all.clear();
    file.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "89xyz");
    assert_eq!(file.seek(SeekFrom::Start(16)).await.unwrap(), 16, "behind the end, to write there");
    file.write_all(b"!").await.unwrap();
    file.flush().await.unwrap();
    assert_eq!(file.read_at(..).await.unwrap(), &b"01AB456789xyz\0\0\0!"[..]);
    file.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_read_and_written_many_at_a_time() {
    let data = MemData::new(pattern(0, 1 << 20));
    let (_server, link) = start(Server::builder().publish("/m", data)).await;
    let file = link.open_with("/m", EDIT).await.unwrap();
    let ranges: Vec<_> = (0..64).map(|n| n * 16_000..n * 16_000 + 4_096).collect();
    let pieces = file.read_ranges(&ranges).await.unwrap();
    for (range, piece) in ranges.iter().zip(&pieces) {
        assert!(*piece == pattern(range.start, 4_096), "{range:?}");
    }
    let writes = (0..200u64).map(|n| {
        let file = &file;
        async move { file.write_at(at(n * 5_000), vec![n as u8; 3]).await.unwrap() }
    });
    let places = futures::future::join_all(writes).await;
    assert!(places.iter().enumerate().all(|(n, place)| place.get() == n as u64 * 5_000));
    for n in 0..200u64 {
        assert_eq!(file.read_at(n * 5_000..n * 5_000 + 3).await.unwrap(), vec![n as u8; 3]);
    }
    let whole = file.read_at(..).await.unwrap();
    assert_eq!(whole.len(), 1 << 20);
    assert_eq!(file.read_at(1 << 20..).await.unwrap().len(), 0);
    assert_eq!(file.read_at((1 << 20) + 1..).await.unwrap_err().code(), Code::OUT_OF_RANGE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_upload_arrives_whole_and_is_durable_when_closed() {
    let folder = tempfile::tempdir().unwrap();
    let root = Directory::read_only(folder.path()).unwrap().writable(true);
    let (_server, link) = start(Server::builder().publish("/", root)).await;
    let upload = OpenOptions::new().read(false).replace(true).create(true);
    for length in [0, 1, 16_384, 65_537, 20 << 20] {
        let path = folder.path().join("new");
        let before = std::fs::read(&path).ok();
        let mut file = link.open_with("/new", upload).await.unwrap();
        file.write_all(&pattern(7, length)).await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(std::fs::read(&path).ok(), before, "nothing is replaced before the close");
        file.close().await.unwrap();
        assert!(std::fs::read(&path).unwrap() == pattern(7, length), "{length}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let unfinished = link.open_with("/new", upload).await.unwrap();
    drop(unfinished);
    assert_eq!(link.open("/new").await.unwrap().bounds().len(), Some(20 << 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_conditions_and_truncation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, b"one\n").unwrap();
    let (_server, link) =
        start(Server::builder().publish("/log", FileData::read_write(&path))).await;
    let a = link.open_with("/log", OpenOptions::new().append(true)).await.unwrap();
    let b = link.open_with("/log", EDIT).await.unwrap();
    assert_eq!(a.append("two\n").await.unwrap(), at(4));
    assert_eq!(b.append("three\n").await.unwrap(), at(8));
    let held = a.when(Condition::end(at(14))).append("four\n").await.unwrap();
    assert_eq!(held, at(14));
    let refused = b.when(Condition::end(at(14))).append("five\n").await.unwrap_err();
    assert_eq!(refused.code(), Code::CONFLICT, "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\nthree\nfour\n");
    assert_eq!(b.truncate(Edge::After, Pos::Abs(at(8))).await.unwrap(), at(8));
    assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
    let far = b.truncate(Edge::After, at(1 << 60)).await.unwrap_err();
    assert_eq!(far.code(), Code::TOO_LONG);
    assert_eq!(b.truncate(Edge::Before, at(4)).await.unwrap_err().code(), Code::MODE_FORBIDS);
    let mut reader = link.open("/log").await.unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "one\ntwo\n");
    assert_eq!(reader.write_at(at(0), "x").await.unwrap_err().code(), Code::MODE_FORBIDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_halves_of_a_stream_work_at_the_same_time() {
    let data = Streamer::new(MemData::new(pattern(0, 300_000))).writable();
    let (_server, link) = start(Server::builder().publish("/m", data)).await;
    let (mut reader, mut writer) = link.open_with("/m", EDIT).await.unwrap().split();
    writer.seek_to(at(300_000));
    let bytes = pattern(300_000, 500_000);
    let mut first = vec![0; 300_000];
    let (read, written) = tokio::join!(reader.read_exact(&mut first), async {
        writer.write_all(&bytes).await?;
        writer.flush().await
    });
    read.unwrap();
    written.unwrap();
    assert!(first == pattern(0, 300_000));
    let mut rest = vec![0; 500_000];
    reader.seek(SeekFrom::Start(300_000)).await.unwrap();
    reader.read_exact(&mut rest).await.unwrap();
    assert!(rest == bytes);
    assert_eq!(writer.write_at(at(10), "xyz").await.unwrap(), at(10));
    assert_eq!(reader.read_at(9..14).await.unwrap().slice(1..4), "xyz");
    assert_eq!(writer.truncate(Edge::After, at(20)).await.unwrap(), at(20));
    writer.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_writer_at_a_time_where_the_data_is_locked() {
    let flags = farlens::Flags::READABLE
        | farlens::Flags::WRITABLE
        | farlens::Flags::SEEK
        | farlens::Flags::START_BOUNDED
        | farlens::Flags::END_BOUNDED
        | farlens::Flags::DATA_LOCK;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    std::fs::write(&path, pattern(0, 100)).unwrap();
    let disk = Streamer::from(FileData::read_write(&path)).flags(flags);
    let (_server, link) = start(Server::builder().publish("/disk", disk)).await;
    let mut first = link.open_with("/disk", EDIT).await.unwrap();
    let second = link.open_with("/disk", EDIT).await.unwrap_err();
    assert_eq!(second.code(), Code::BUSY);
    link.open("/disk").await.unwrap();
    first.seek(SeekFrom::Start(95)).await.unwrap();
    first.write_all(b"0123456789").await.unwrap();
    let error = first.flush().await.unwrap_err();
    let error = error.downcast::<farlens::Error>().unwrap();
    assert_eq!((error.code(), error.applied()), (Code::END_OF_SPACE, Some(5)), "{error}");
    assert_eq!(first.position(), at(100));
    first.close().await.unwrap();
    assert_eq!(&std::fs::read(&path).unwrap()[95..], b"01234");
    link.open_with("/disk", EDIT).await.expect("the lock is given back with the stream");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_append_to_a_topic_that_others_follow() {
    let topic = Topic::<u64>::keep_last(50_000);
    let published = Streamer::new(topic.clone()).writable();
    let (_server, link) = start(Server::builder().publish("/n", published)).await;
    let follow = OpenOptions::new().at_end(AtEnd::Follow);
    let mut reader = link.entities_with::<u64>("/n", follow).await.unwrap();
    let append = OpenOptions::new().read(false).append(true);
    let mut writer = link.entities_with::<u64>("/n", append).await.unwrap();
    let writing = async {
        for n in 0..20_000u64 {
            writer.feed(n).await.unwrap();
        }
        writer.close().await.unwrap();
    };
    let reading = async {
        for n in 0..20_000u64 {
            assert_eq!(reader.try_next().await.unwrap(), Some(n));
        }
    };
    tokio::join!(writing, reading);
    assert_eq!(topic.len(), 20_000);
    let mut untyped = link.entities_with::<Entity>("/n", append).await.unwrap();
    let error = untyped.send(Entity::from("text")).await.unwrap_err();
    assert_eq!(error.code(), Code::SCHEMA_MISMATCH);
    assert!(error.message().contains("text"), "{error}");
    assert_eq!(topic.len(), 20_000);
    untyped.send(Entity::Int(1)).await.unwrap();
    assert_eq!(topic.len(), 20_001, "an int that fits is the published type");
}

/// Hears of a reading that was broken off.
#[derive(Default)]
struct Cut(tokio::sync::Notify);

impl StreamObserver for Cut {
    fn broken(&self, _: &farlens::Error) {
        self.0.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_what_was_cut_off_is_not_delivered_any_more() {
    let memory = MemData::new(pattern(0, 100_000));
    let (_server, link) = start(Server::builder().publish("/m", memory)).await;
    let editor = link.open_with("/m", EDIT).await.unwrap();
    let mut reader = link.open("/m").await.unwrap();
    let mut first = [0; 5_000];
    reader.read_exact(&mut first).await.unwrap();
    let cut = Arc::new(Cut::default());
    let _observed = reader.observe(Arc::<Cut>::clone(&cut));
    editor.truncate(Edge::After, at(2_000)).await.unwrap();
    cut.0.notified().await;
    let error = loop {
        let from = reader.position().get();
        match reader.next_chunk().await {
            Ok(Some(bytes)) => assert!(bytes == pattern(from, bytes.len())),
            Ok(None) => panic!("a cut is no end"),
            Err(error) => break error,
        }
        assert!(reader.position() < at(100_000), "what was cut off came after all");
    };
    assert_eq!(error.code(), Code::TRUNCATED, "{error}");
    reader.seek(SeekFrom::Start(1_990)).await.unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, pattern(1_990, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_replaces_a_file_is_whole_or_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    std::fs::write(&path, b"old").unwrap();
    let reach = Reach { end: at(20), gap: 5 };
    let file = Streamer::from(FileData::read_write(&path)).reach(reach);
    let (_server, link) = start(Server::builder().publish("/f", file)).await;
    let replace = OpenOptions::new().read(false).replace(true);
    let mut file = link.open_with("/f", replace).await.unwrap();
    file.write_all(&[b'x'; 20]).await.unwrap();
    file.flush().await.unwrap();
    file.write_all(b"y").await.unwrap();
    file.flush().await.unwrap_err();
    assert_eq!(file.close().await.unwrap_err().code(), Code::TOO_LONG);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    let file = link.open_with("/f", replace).await.unwrap();
    file.append("new").await.unwrap();
    let unmet = file.when(Condition::end(at(7))).append("er").await.unwrap_err();
    assert_eq!(unmet.code(), Code::CONFLICT);
    file.close().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new", "a condition that is not met is no failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cursor_stays_behind_what_was_written_until_it_has_left() {
    let data = MemData::new(vec![b'.'; 1 << 20]);
    let (_server, link) = start(Server::builder().publish("/m", data.clone())).await;
    let mut file = link.open_with("/m", EDIT.window(100, 100)).await.unwrap();
    // A read that is given up while the reader is on its way.
    file.seek(SeekFrom::Start(500_000)).await.unwrap();
    file.write_all(&[b'a'; 1_000]).await.unwrap();
    file.flush().await.unwrap();
    if file.read_u8().now_or_never().is_some() {
        // The answer was there between two looks; nothing was given up then.
        file.seek(SeekFrom::Start(501_000)).await.unwrap();
    }
    assert_eq!(file.position(), at(501_000));
    file.write_all(b"b").await.unwrap();
    assert_eq!(file.read_u8().await.unwrap(), b'.');
    assert_eq!(file.position(), at(501_002));
    // A seek that fails.
    file.write_all(b"c").await.unwrap();
    file.seek(SeekFrom::End(-(2 << 20))).await.unwrap_err();
    assert_eq!(file.position(), at(501_003));
    // A read where nothing is yet.
    let behind = (1 << 20) + 9;
    assert_eq!(file.seek(SeekFrom::End(9)).await.unwrap(), behind);
    file.read_u8().await.unwrap_err();
    assert_eq!(file.position(), at(behind));
    file.write_all(b"d").await.unwrap();
    let (_, mut writer) = file.split();
    assert_eq!(writer.position(), at(behind + 1));
    writer.write_all(b"e").await.unwrap();
    writer.shutdown().await.unwrap();
    let all = data.to_vec();
    let found: Vec<_> = (b'b'..=b'e').map(|byte| all.iter().position(|b| *b == byte)).collect();
    let end = behind as usize;
    assert_eq!(found, [Some(501_000), Some(501_002), Some(end), Some(end + 1)]);
    assert_eq!(all.iter().filter(|byte| **byte == b'a').count(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entities_go_where_the_writer_stood_and_the_end_is_told_after_each_seek() {
    let topic = Topic::keep_last(100);
    (0..5_u32).for_each(|n| assert_eq!(topic.send(n).unwrap(), at(n.into())));
    let (_server, link) =
        start(Server::builder().publish("/t", Streamer::new(topic.clone()).writable())).await;
    let mut stream = link.entities_with::<u32>("/t", EDIT.start(Pos::END)).await.unwrap();
    stream.feed(5).await.unwrap();
    stream.seek(at(4)).await.unwrap();
    assert_eq!(topic.len(), 6);
    topic.close();
    let mut events = stream.events();
    for _ in 0..2 {
        events.stream().seek(at(5)).await.unwrap();
        let mut told = Vec::new();
        while let Some(event) = events.try_next().await.unwrap() {
            told.push(event);
        }
        told.retain(|event| !matches!(event, StreamEvent::Moved(_) | StreamEvent::UpToDate));
        assert_eq!(told, [StreamEvent::Item(5), StreamEvent::End(at(6))]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_a_seek_to_what_is_buffered_looks_for_the_end_again() {
    let memory = MemData::new(pattern(0, 1_000));
    let (_server, link) = start(Server::builder().publish("/m", memory)).await;
    let editor = link.open_with("/m", EDIT).await.unwrap();
    let mut reader = link.open("/m").await.unwrap();
    let mut first = [0; 100];
    reader.read_exact(&mut first).await.unwrap();
    editor.append(pattern(1_000, 500)).await.unwrap();
    reader.seek(SeekFrom::Start(200)).await.unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).await.unwrap();
    assert!(rest == pattern(200, 1_300), "{}", rest.len());
}
