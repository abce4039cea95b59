use super::*;
use crate::data::{DataState, Fetched, ReadBudget, StreamerData};
use bytes::Bytes;
use farlens_proto::Chunk;
use farlens_wire::{Bounds, Position};
use std::{fs, io::Write, time::Duration};

/// The longest that anything may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Woken by the system with a net too wide to help, and by the clock alone.
const PACES: [Pace; 2] = [
    Pace { poll: Duration::from_millis(20), net: DEADLINE, notified: true },
    Pace { poll: Duration::from_millis(5), net: DEADLINE, notified: false },
];

const ALL: ReadBudget = ReadBudget { bytes: 1 << 20, elements: u64::MAX };

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn append(path: &Path, content: &[u8]) {
    let mut file =
        fs::OpenOptions::new().append(true).create(true).open(path).expect("a place to write");
    file.write_all(content).expect("space");
}

/// The bytes as a link reads them: on the spot if possible, otherwise on the pool.
async fn read(log: &OpenLog, from: u64) -> Result<Option<Bytes>> {
    let fetched = match log.read_now(at(from), ALL) {
        Some(answer) => answer?,
        None => log.read_at(at(from), ALL).await?,
    };
    Ok(match fetched {
        Fetched::Some(Chunk::Bytes(bytes)) => Some(bytes),
        Fetched::Some(Chunk::Items(_)) => panic!("a log file holds bytes"),
        Fetched::Nothing => None,
    })
}

/// The state once it satisfies `enough`.
async fn state_when(log: &OpenLog, enough: impl Fn(u64, u64) -> bool) -> DataState {
    let waiting = async {
        let mut state = log.state().await.expect("always known");
        loop {
            let Bounds { start: Some(start), end: Some(end) } = state.bounds else {
                panic!("both ends are known");
            };
            if enough(start.get(), end.get()) {
                return state;
            }
            state = log.changed(state).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("it changes in time")
}

async fn until_end(log: &OpenLog, end: u64) {
    state_when(log, |_, now| now >= end).await;
}

/// A log that is followed, with `content`.
fn sample(content: &[u8], pace: Pace) -> (tempfile::TempDir, PathBuf, OpenLog) {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("log");
    append(&path, content);
    let log = LogFile::follow(&path).pace(pace).open().expect("there");
    (dir, path, log)
}

#[tokio::test]
async fn a_log_grows_and_says_so() {
    for pace in PACES {
        let (_dir, path, log) = sample(b"abc", pace);
        let seen = log.state().await.expect("known");
        assert_eq!((seen.bounds, seen.ended), (Bounds::up_to(at(3)), false));
        assert_eq!(read(&log, 3).await.expect("readable"), None);
        append(&path, b"def");
        let grown = state_when(&log, |_, end| end == 6).await;
        assert_eq!(grown.version, seen.version);
        assert_eq!(read(&log, 1).await.expect("readable"), Some(Bytes::from("bcdef")));
        assert_eq!(read(&log, 7).await.expect_err("outside").code(), Code::OUT_OF_RANGE);
    }
}

#[tokio::test]
async fn a_log_survives_ten_rotations_by_renaming() {
    for pace in PACES {
        let (_dir, path, log) = sample(b"", pace);
        let mut expected = String::new();
        let mut got = Vec::new();
        for round in 0..10 {
            let lines: String = (0..100).map(|n| format!("{round} {n}\n")).collect();
            append(&path, lines.as_bytes());
            expected += &lines;
            // The next rotation has to come after this file took over.
            until_end(&log, expected.len() as u64).await;
            while let Some(bytes) = read(&log, got.len() as u64).await.expect("readable") {
                got.extend_from_slice(&bytes);
            }
            let old = path.with_extension(round.to_string());
            fs::rename(&path, &old).expect("same directory");
            append(&old, b"late\n");
            expected += "late\n";
            append(&path, b"");
        }
        until_end(&log, expected.len() as u64).await;
        while let Some(bytes) = read(&log, got.len() as u64).await.expect("readable") {
            got.extend_from_slice(&bytes);
        }
        assert_eq!(String::from_utf8(got).expect("text"), expected);
    }
}

#[tokio::test]
async fn a_log_survives_ten_rotations_by_cutting() {
    for pace in PACES {
        let (_dir, path, log) = sample(b"", pace);
        let mut expected = String::new();
        let mut got = Vec::new();
        for round in 0..10 {
            let lines: String = (0..100 - round).map(|n| format!("{round} {n}\n")).collect();
            append(&path, lines.as_bytes());
            expected += &lines;
            // What is not read before the cut is lost.
            until_end(&log, expected.len() as u64).await;
            while let Some(bytes) = read(&log, got.len() as u64).await.expect("readable") {
                got.extend_from_slice(&bytes);
            }
            fs::OpenOptions::new().write(true).truncate(true).open(&path).expect("there");
            let cut = state_when(&log, |start, _| start == expected.len() as u64).await;
            assert_eq!(cut.bounds.len(), Some(0), "positions go on from here");
        }
        assert_eq!(String::from_utf8(got).expect("text"), expected);
    }
}

#[tokio::test]
async fn a_file_may_be_absent_for_a_while() {
    for pace in PACES {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("sub/log");
        let absent = LogFile::follow(&path).pace(pace);
        assert_eq!(absent.open().expect_err("nothing there").code(), Code::NOT_FOUND);
        let log = absent.wait(true).open().expect("it may come");
        assert_eq!(log.state().await.expect("known").bounds, Bounds::up_to(at(0)));
        fs::create_dir(dir.path().join("sub")).expect("possible");
        append(&path, b"one");
        until_end(&log, 3).await;
        fs::remove_file(&path).expect("there");
        assert_eq!(read(&log, 0).await.expect("readable"), Some(Bytes::from("one")));
        append(&path, b"two");
        until_end(&log, 6).await;
        assert_eq!(read(&log, 3).await.expect("readable"), Some(Bytes::from("two")));
        assert_eq!(read(&log, 0).await.expect("readable"), Some(Bytes::from("one")));
    }
}

#[tokio::test]
async fn a_reader_far_behind_meets_a_start_that_moved() {
    for pace in PACES {
        let (_dir, path, log) = sample(b"0123456789", pace);
        for round in 1..6 {
            fs::remove_file(&path).expect("there");
            append(&path, b"0123456789");
            until_end(&log, round * 10 + 10).await;
        }
        assert_eq!(read(&log, 9).await.expect("no failure"), None);
        let state = log.state().await.expect("known");
        assert_eq!(state.bounds, Bounds { start: Some(at(10)), end: Some(at(60)) });
        assert_eq!(read(&log, 12).await.expect("readable"), Some(Bytes::from("23456789")));
    }
}

#[tokio::test]
async fn a_writer_in_another_thread_is_read_to_the_last_byte() {
    const LINES: u64 = 5_000;
    for pace in PACES {
        let (_dir, path, log) = sample(b"", pace);
        let writer = std::thread::spawn(move || {
            for line in 0..LINES {
                append(&path, &line.to_be_bytes());
            }
        });
        let mut got = Vec::new();
        while got.len() < 8 * 5_000 {
            let place = got.len() as u64;
            until_end(&log, place + 1).await;
            let bytes = read(&log, place).await.expect("readable").expect("it is there");
            got.extend_from_slice(&bytes);
        }
        writer.join().expect("no panic");
        let expected: Vec<u8> = (0..LINES).flat_map(u64::to_be_bytes).collect();
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn all_streams_share_one_log_and_the_following_ends_with_the_last() {
    for pace in PACES {
        let (_dir, path, log) = sample(b"abc", pace);
        let file = LogFile::follow(&path).pace(pace);
        let first = file.open().expect("there");
        append(&path, b"def");
        let second = file.clone().open().expect("there");
        assert!(Arc::ptr_eq(&first.log, &second.log) && !Arc::ptr_eq(&first.log, &log.log));
        until_end(&first, 6).await;
        let shared = Arc::downgrade(&first.log);
        let follower = Arc::downgrade(first.follower.as_ref().expect("it is followed"));
        drop((file, first));
        assert!(follower.upgrade().is_some(), "somebody has it");
        drop(second);
        assert!(follower.upgrade().is_none());
        let gone = async {
            while shared.upgrade().is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, gone).await.expect("the task is gone, too");
    }
}

#[tokio::test]
async fn only_regular_files_are_followed_and_the_publisher_learns_why() {
    let dir = tempfile::tempdir().expect("temp dir");
    for (path, code) in [
        (dir.path().to_owned(), Code::USAGE),
        ("/dev/null".into(), Code::USAGE),
        (dir.path().join("absent"), Code::NOT_FOUND),
    ] {
        let error = LogFile::follow(&path).check().expect_err("no regular file");
        assert_eq!(error.code(), code, "{}", path.display());
        assert!(error.message().contains(&path.display().to_string()));
    }
}

#[tokio::test]
async fn d11_failing_storage_is_reported() {
    let log = OpenLog { log: Arc::new(Log::unreadable(10)), follower: None };
    let failed = read(&log, 0).await.expect_err("a failure");
    assert_eq!(failed.code(), Code::STORAGE_IO);
    assert_eq!(log.state().await.expect("known").bounds, Bounds::up_to(at(10)));
}

#[test]
fn a_log_needs_a_runtime() {
    let error = LogFile::follow("/dev/null").open().expect_err("no runtime");
    assert_eq!(error.code(), Code::USAGE);
}

#[test]
fn the_modes_fit_the_data() {
    let offers = offers();
    assert!(offers.mode(offers.required | Flags::SEEK).is_ok());
    assert!(offers.mode(Flags::READABLE | Flags::END_BOUNDED).is_err(), "its start may move");
}
