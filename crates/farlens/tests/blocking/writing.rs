//! Writing from threads: what is stored, and what a timeout leaves behind.

use super::{LONG, SHORT, SlowServer, at, code, pattern, start};
use farlens::{
    AtEnd, Code, Condition, Directory, Edge, MemData, OpenOptions, Spool, StreamEvent,
    StreamObserver, Topic,
    blocking::{ByteStream, Link},
};
use std::{
    io::{Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

const EDIT: OpenOptions = OpenOptions::new().write(true);

fn memory(bytes: &[u8]) -> farlens::ServerBuilder {
    farlens::Server::builder().publish("/m", MemData::new(bytes.to_vec()))
}

fn content(link: &Link, path: &str) -> Vec<u8> {
    let mut all = Vec::new();
    link.open(path).unwrap().read_to_end(&mut all).unwrap();
    all
}

#[test]
fn a_remote_file_is_read_and_written_as_a_local_one() {
    let (_server, link) = start(memory(b"0123456789"));
    let mut file = link.open_with("/m", EDIT).unwrap();
    let mut two = [0; 2];
    file.read_exact(&mut two).unwrap();
    file.write_all(b"AB").unwrap();
    file.read_exact(&mut two).unwrap();
    assert_eq!(&two, b"45", "reading goes on behind what was written");
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"xyz").unwrap();
    file.flush().unwrap();
    assert_eq!(content(&link, "/m"), b"01AB456789xyz");
    file.write_all(b"!").unwrap();
    assert_eq!(file.seek(SeekFrom::End(-2)).unwrap(), 12, "a seek waits for what was written");
    file.sync().unwrap();
    file.close().unwrap();
}

#[test]
fn places_are_read_and_changed_beside_the_cursor() {
    let (_server, link) = start(memory(b"0123456789"));
    let file = link.open_with("/m", EDIT).unwrap();
    assert_eq!(file.write_at(at(2), "AB").unwrap(), at(2));
    assert_eq!(file.append("xy").unwrap(), at(10));
    assert_eq!(file.read_at(1..5).unwrap(), "1AB4");
    assert_eq!(file.read_ranges(&[0..1, 10..12]).unwrap(), ["0", "xy"]);
    let stale = Condition::end(at(10));
    assert_eq!(file.when(stale).append("no").unwrap_err().code(), Code::CONFLICT);
    assert_eq!(file.when(Condition::end(at(12))).write_at(at(0), "Z").unwrap(), at(0));
    assert_eq!(file.truncate(Edge::After, at(3)).unwrap(), at(3));
    assert_eq!(content(&link, "/m"), b"Z1A");
}

#[test]
fn the_halves_belong_to_two_threads() {
    let (_server, link) = start(memory(&pattern(0, 300_000)));
    let (mut reader, mut writer) = link.open_with("/m", EDIT).unwrap().split();
    let writing = thread::spawn(move || {
        writer.seek_to(at(300_000));
        writer.write_all(&pattern(300_000, 300_000)).unwrap();
        writer.flush().unwrap();
        writer.sync().unwrap();
    });
    let mut first = vec![0; 300_000];
    reader.read_exact(&mut first).unwrap();
    assert!(first == pattern(0, 300_000));
    writing.join().unwrap();
    assert_eq!(reader.seek(SeekFrom::Start(300_000)).unwrap(), 300_000);
    let mut rest = vec![0; 300_000];
    reader.read_exact(&mut rest).unwrap();
    assert!(rest == pattern(300_000, 300_000));
}

#[test]
fn a_timeout_of_a_write_loses_nothing_and_doubles_nothing() {
    let server = SlowServer::serving(memory(b""));
    let mut file = server.while_it_answers(|link| link.open_with("/m", EDIT)).unwrap();
    let bytes = pattern(0, 3_000_000);
    let mut written = 0;
    for timeout in [Duration::ZERO, SHORT] {
        file.set_timeout(timeout);
        let error = loop {
            match file.write(&bytes[written..]) {
                Ok(taken) => written += taken,
                Err(error) => break error,
            }
        };
        assert_eq!(code(error), Code::TIMEOUT);
        assert_eq!(file.position(), at(written as u64));
        assert_eq!(code(file.flush().unwrap_err()), Code::TIMEOUT);
        assert_eq!(file.sync().unwrap_err().code(), Code::TIMEOUT);
    }
    assert!(written < bytes.len(), "nobody takes it all");
    file.set_timeout(LONG);
    let found = server.while_it_answers(|link| {
        file.write_all(&bytes[written..]).unwrap();
        file.flush().unwrap();
        content(link, "/m")
    });
    assert!(found == bytes);
}

#[test]
fn a_change_that_ran_out_of_time_may_be_made_and_says_so() {
    let server = SlowServer::serving(memory(b"0123456789"));
    let mut file = server.while_it_answers(|link| link.open_with("/m", EDIT)).unwrap();
    file.set_timeout(SHORT);
    let error = file.append("ab").unwrap_err();
    assert_eq!(error.code(), Code::TIMEOUT);
    assert!(error.hint().unwrap().contains("may still be made"));
    assert_eq!(file.read_at(0..5).unwrap_err().code(), Code::TIMEOUT);
    file.set_timeout(LONG);
    let again = server.while_it_answers(|_| file.when(Condition::end(at(10))).append("ab"));
    assert_eq!(again.unwrap_err().code(), Code::CONFLICT, "it was made, once");
}

#[test]
fn a_close_that_ran_out_of_time_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let root = Directory::read_only(folder.path()).unwrap().writable(true);
    let server = SlowServer::serving(farlens::Server::builder().publish("/", root));
    let upload = OpenOptions::new().read(false).replace(true).create(true);
    let mut file = server.while_it_answers(|link| link.open_with("/new", upload)).unwrap();
    file.write_all(b"all of it").unwrap();
    file.set_timeout(SHORT);
    let error = file.close().unwrap_err();
    assert!(error.hint().unwrap().contains("goes on"), "{error:?}");
    server.while_it_answers(|link| {
        while link.stat("/new").is_err() {
            thread::yield_now();
        }
    });
    assert_eq!(std::fs::read(folder.path().join("new")).unwrap(), b"all of it");
}

#[test]
fn a_close_gives_the_lock_back() {
    let flags = farlens::Flags::READABLE
        | farlens::Flags::WRITABLE
        | farlens::Flags::SEEK
        | farlens::Flags::START_BOUNDED
        | farlens::Flags::END_BOUNDED
        | farlens::Flags::DATA_LOCK;
    let locked = farlens::Streamer::new(MemData::new(vec![0; 10])).flags(flags);
    let (_server, link) = start(farlens::Server::builder().publish("/m", locked));
    for _ in 0..100 {
        let mut file = link.open_with("/m", EDIT).unwrap();
        assert_eq!(link.open_with("/m", EDIT).unwrap_err().code(), Code::BUSY);
        file.write_all(b"x").unwrap();
        file.close().unwrap();
    }
}

#[test]
fn the_events_of_a_sequence_are_an_iterator() {
    let topic = Topic::<u64>::keep_last(100);
    let (_server, link) = start(farlens::Server::builder().publish("/topic", topic.clone()));
    topic.send(7).unwrap();
    let follow = OpenOptions::new().at_end(AtEnd::Follow);
    let stream = link.entities_with::<u64>("/topic", follow).unwrap();
    assert_eq!(stream.skipped(), 0);
    let mut events = stream.events();
    let mut next = || loop {
        match events.next_timeout(LONG).unwrap().unwrap() {
            StreamEvent::Moved(_) => {}
            other => return other,
        }
    };
    assert_eq!(next(), StreamEvent::Item(7));
    assert_eq!(next(), StreamEvent::UpToDate);
    topic.close();
    assert_eq!(next(), StreamEvent::End(at(1)));
    assert!(events.next().is_none());
}

#[test]
fn what_cannot_be_written_refuses_a_value() {
    let topic = Topic::<u64>::keep_last(100);
    let (_server, link) = start(farlens::Server::builder().publish("/topic", topic));
    let mut stream = link.entities::<u64>("/topic").unwrap();
    let refused = stream.send(&1).and_then(|()| stream.flush()).unwrap_err();
    assert_eq!(refused.code(), Code::MODE_FORBIDS);
    stream.close().unwrap();
}

#[test]
fn an_observer_may_use_the_blocking_verbs() {
    struct Reads(Mutex<Option<ByteStream>>, mpsc::SyncSender<Vec<u8>>);
    impl StreamObserver for Reads {
        fn readable(&self) {
            let Some(mut stream) = self.0.lock().unwrap().take() else { return };
            let mut two = vec![0; 2];
            stream.seek_to(at(1)).and_then(|_| Ok(stream.read_exact(&mut two)?)).unwrap();
            self.1.send(two).unwrap();
        }
    }
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(farlens::Server::builder().publish("/live", bytes));
    let observed = super::follow(&link, "/live");
    let (told, heard) = mpsc::sync_channel(1);
    let used = super::follow(&link, "/live");
    let _kept = observed.observe(Arc::new(Reads(Mutex::new(Some(used)), told)));
    writer.push(b"abcd").unwrap();
    assert_eq!(heard.recv_timeout(LONG).unwrap(), b"bc");
}
