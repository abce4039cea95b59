use super::*;
use crate::data::FileData;
use crate::data::storage::double::{Double, failing};
use farlens_wire::{Bounds, Mode as StreamMode};
use rustix::fs::Mode;
use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn budget(bytes: usize) -> ReadBudget {
    ReadBudget { bytes, elements: u64::MAX }
}

/// The bytes as a link reads them: on the spot if possible, otherwise on the pool.
async fn read(file: &OpenFile, from: u64, bytes: usize) -> Result<Option<Bytes>> {
    let fetched = match file.read_now(at(from), budget(bytes)) {
        Some(answer) => answer?,
        None => file.read_at(at(from), budget(bytes)).await?,
    };
    Ok(match fetched {
        Fetched::Some(Chunk::Bytes(bytes)) => Some(bytes),
        Fetched::Some(Chunk::Items(_)) => panic!("a file holds bytes"),
        Fetched::Nothing => None,
    })
}

/// A file with `content` in a directory of its own.
fn sample(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("sample");
    fs::write(&path, content).expect("space");
    (dir, path)
}

fn append(path: &Path, content: &[u8]) {
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("there");
    file.write_all(content).expect("space");
}

fn cut(path: &Path, length: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("there");
    file.set_len(length).expect("possible");
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn a_file_is_read_to_its_end_in_pieces() {
    let content = pattern(300_000);
    let (_dir, path) = sample(&content);
    let file = FileData::read_only(&path).open().expect("there");
    let state = file.state().await.expect("open");
    assert_eq!((state.bounds, state.ended), (Bounds::up_to(at(300_000)), true));
    let mut got = Vec::new();
    while let Some(bytes) = read(&file, got.len() as u64, 1_000_000).await.expect("readable") {
        assert!(bytes.len() <= BLOCKING_READ_BYTES);
        got.extend_from_slice(&bytes);
    }
    assert_eq!(got, content);
    let outside = read(&file, 300_001, 1).await.expect_err("outside");
    assert_eq!(outside.code(), Code::OUT_OF_RANGE);
}

#[tokio::test]
async fn a_budget_bounds_bytes_and_elements() {
    let (_dir, path) = sample(&pattern(100));
    let file = FileData::read_only(&path).open().expect("there");
    for (bytes, elements, length) in [(7, 99, 7), (99, 7, 7), (500, 500, 90)] {
        let budget = ReadBudget { bytes, elements };
        let Ok(Fetched::Some(chunk)) = file.read_at(at(10), budget).await else {
            panic!("bytes are there");
        };
        assert_eq!(chunk.elements(), length);
    }
}

#[tokio::test]
async fn d7_what_is_appended_is_not_part_of_a_plain_file() {
    let (_dir, path) = sample(b"abc");
    let file = FileData::read_only(&path).open().expect("there");
    let before = file.state().await.expect("open");
    append(&path, b"def");
    let after = file.state().await.expect("open");
    assert_eq!(before.bounds, after.bounds);
    assert_ne!(before.version, after.version, "size and time are in it");
    assert_eq!(read(&file, 0, 99).await.expect("readable"), Some(Bytes::from("abc")));
    assert_eq!(read(&file, 3, 99).await.expect("readable"), None);
}

#[tokio::test]
async fn d7_d8_a_file_that_loses_its_name_stays_readable() {
    let (_dir, path) = sample(b"old");
    let file = FileData::read_only(&path).open().expect("there");
    let other = path.with_extension("new");
    fs::write(&other, b"new!").expect("space");
    fs::rename(&other, &path).expect("same directory");
    assert_eq!(read(&file, 0, 99).await.expect("readable"), Some(Bytes::from("old")));
    fs::remove_file(&path).expect("there");
    assert_eq!(read(&file, 1, 99).await.expect("readable"), Some(Bytes::from("ld")));
    assert_eq!(FileData::read_only(&path).open().expect_err("gone").code(), Code::NOT_FOUND);
}

#[tokio::test]
async fn a_file_that_shrinks_is_an_error_and_never_an_end() {
    for follow in [false, true] {
        let (_dir, path) = sample(&pattern(1_000));
        let file = FileData::read_only(&path).follow(follow).open().expect("there");
        cut(&path, 100);
        assert_eq!(read(&file, 0, 60).await.expect("still there").map(|b| b.len()), Some(60));
        let error = read(&file, 100, 60).await.expect_err("it was cut");
        assert_eq!(error.code(), Code::TRUNCATED);
        assert_eq!(error.message(), "the file was truncated to 100 bytes while being read");
        append(&path, &pattern(2_000));
        assert!(read(&file, 0, 60).await.is_err(), "what was cut stays cut");
        assert!(file.state().await.is_err());
    }
}

#[tokio::test]
async fn a_followed_file_grows_and_says_so() {
    let (_dir, path) = sample(b"abc");
    let file = FileData::read_only(&path).follow(true).open().expect("there");
    let seen = file.state().await.expect("open");
    assert_eq!((seen.bounds, seen.ended), (Bounds::up_to(at(3)), false));
    assert_eq!(read(&file, 3, 99).await.expect("readable"), None);
    append(&path, b"def");
    let grown = file.changed(seen.clone()).await;
    assert_eq!((grown.bounds, &grown.version), (Bounds::up_to(at(6)), &seen.version));
    assert_eq!(read(&file, 3, 99).await.expect("readable"), Some(Bytes::from("def")));
    let outside = read(&file, 7, 1).await.expect_err("outside");
    assert_eq!(outside.code(), Code::OUT_OF_RANGE);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_follower_looks_again() {
    let (_dir, path) = sample(b"");
    let file = FileData::read_only(&path).follow(true).open().expect("there");
    let seen = file.state().await.expect("open");
    let (grown, ()) = tokio::join!(file.changed(seen), async {
        tokio::time::sleep(FOLLOW_EVERY / 2).await;
        append(&path, b"x");
    });
    assert_eq!(grown.bounds, Bounds::up_to(at(1)));
    cut(&path, 0);
    let shrunk = file.changed(grown).await;
    assert_eq!(shrunk.bounds, Bounds::up_to(at(0)));
    let error = read(&file, 0, 1).await.expect_err("it was cut");
    assert_eq!(error.code(), Code::TRUNCATED);
}

#[test]
fn only_regular_files_are_opened_and_a_fifo_does_not_block() {
    let (dir, path) = sample(b"x");
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .expect("possible");
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("possible");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("possible");
    for (path, code) in [
        (fifo.as_path(), Code::USAGE),
        (&socket, Code::USAGE),
        (dir.path(), Code::USAGE),
        (Path::new("/dev/null"), Code::USAGE),
        (&dir.path().join("absent"), Code::NOT_FOUND),
        (&path.join("below"), Code::NOT_FOUND),
    ] {
        let error = FileData::read_only(path).open().expect_err("no regular file");
        assert_eq!(error.code(), code, "{}", path.display());
    }
    assert!(FileData::read_only(&link).open().is_ok(), "its owner named it");
}

#[test]
fn the_modes_fit_the_data() {
    let plain = FileData::read_only("x").offers();
    assert_eq!(plain.mode(StreamMode::READ_FILE.flags()), Ok(StreamMode::READ_FILE));
    let followed = FileData::read_only("x").follow(true).offers();
    assert!(followed.mode(StreamMode::READ_FILE.flags()).is_err(), "its end may move");
    assert!(followed.mode(StreamMode::READ_FILE.flags() | Flags::END_CAN_INC).is_ok());
}

#[tokio::test]
async fn d11_failing_storage_is_reported_and_a_cold_cache_is_not_a_failure() {
    let double = Double {
        content: Mutex::new(pattern(100)),
        cached: failing(&[ErrorKind::WouldBlock, ErrorKind::Other]),
        reads: failing(&[ErrorKind::Interrupted, ErrorKind::Other]),
        ..Double::default()
    };
    let file = OpenFile::over(Arc::new(double), false).expect("it has a size");
    assert!(file.read_now(at(0), budget(9)).is_none(), "cold");
    let failed = file.read_now(at(0), budget(9)).expect("known").expect_err("a failure");
    assert_eq!(failed.code(), Code::STORAGE_IO);
    let failed = file.read_at(at(0), budget(9)).await.expect_err("after an interruption");
    assert_eq!(failed.code(), Code::STORAGE_IO);
    assert_eq!(read(&file, 0, 9).await.expect("well again").map(|b| b.len()), Some(9));
}

#[test]
fn a_version_has_a_fixed_width() {
    let stat = FileStat { device: 1, inode: 2, size: 3, modified: (4, 5) };
    assert_eq!((version(stat, true).len(), version(stat, false).len()), (16, 40));
    let touched = FileStat { modified: (4, 6), ..stat };
    assert_eq!(version(stat, true), version(touched, true));
    assert_ne!(version(stat, false), version(touched, false));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_lacks_what_it_claims_fails_instead_of_being_read_for_ever() {
    for follow in [false, true] {
        let content = Mutex::new(b"abc".to_vec());
        let double = Double { content, claimed: 9, ..Double::default() };
        let file = OpenFile::over(Arc::new(double), follow).expect("a double has a state");
        let read = tokio::time::timeout(Duration::from_secs(60), read(&file, 3, 8)).await;
        assert_eq!(read.expect("at once").expect_err("lost").code(), Code::STORAGE_IO);
    }
}

#[test]
fn a_look_that_began_before_a_read_proves_no_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, b"one\n").unwrap();
    let fd = OwnedFd::from(File::open(&path).unwrap());
    let file = OpenFile::from_fd(fd, true).unwrap().unwrap();
    let before = storage::retry(|| file.file.stat()).unwrap();
    file.fetched(Position::new(4).unwrap(), Bytes::from_static(b"two\n"));
    file.take_note(before, 4);
    assert_eq!(file.state_of(before).bounds, bytes_to(8));
    file.take_note(before, 8);
    assert_eq!(file.seen.lock().cut_to, Some(4), "one that began behind it does");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_cut_file_is_told_as_it_grows_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, b"one\n").unwrap();
    let log = File::options().write(true).open(&path).unwrap();
    let file = OpenFile::from_fd(OwnedFd::from(File::open(&path).unwrap()), true).unwrap().unwrap();
    let mut state = file.state().await.unwrap();
    for length in [1, 5, 2, 7] {
        log.set_len(length).unwrap();
        state = file.changed(state).await;
        assert_eq!(state.bounds, bytes_to(length));
    }
}
