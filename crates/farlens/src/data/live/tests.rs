use super::*;
use crate::data::{
    FileData,
    storage::double::{Double, failing},
};
use farlens_proto::Purpose;
use farlens_wire::Bounds;
use parking_lot::Mutex;
use std::{fs, io::ErrorKind, os::unix::fs::symlink, path::PathBuf, time::Duration};

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

fn chunk(bytes: &[u8]) -> Chunk {
    Chunk::Bytes(Bytes::copy_from_slice(bytes))
}

/// A file with `content` in a directory of its own.
fn sample(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("sample");
    fs::write(&path, content).expect("space");
    (dir, path)
}

fn open(file: &FileData) -> LiveFile {
    file.open_live(true, Purpose::Use).expect("there")
}

/// A file of a script, which no other stream has open.
fn scripted(double: Double) -> (Arc<Double>, LiveFile) {
    let double = Arc::new(double);
    let file = Arc::clone(&double) as Arc<dyn Storage>;
    let inode = Inode::new(file.stat().expect("a double has one"));
    (double, LiveFile::new(Arc::new(inode), file, None, false))
}

async fn write(file: &LiveFile, to: Pos, bytes: &[u8]) -> Result<Stored> {
    file.write_at(to, chunk(bytes), &Rules::all()).await
}

async fn cut(file: &LiveFile, to: Pos) -> Result<Position> {
    file.truncate(Edge::After, to, &Rules::all()).await
}

/// The bytes as a link reads them: on the spot if possible, otherwise on the pool.
async fn read(file: &LiveFile, from: u64, bytes: usize) -> Option<Bytes> {
    let budget = ReadBudget { bytes, elements: u64::MAX };
    let fetched = match file.read_now(at(from), budget) {
        Some(answer) => answer,
        None => file.read_at(at(from), budget).await,
    };
    match fetched.expect("readable") {
        Fetched::Some(Chunk::Bytes(bytes)) => Some(bytes),
        Fetched::Some(Chunk::Items(_)) => panic!("a file holds bytes"),
        Fetched::Nothing => None,
    }
}

fn now(file: &LiveFile) -> DataState {
    file.state_now().expect("known").expect("no failure")
}

#[tokio::test]
async fn a_file_is_written_in_place() {
    let (_dir, path) = sample(&pattern(1_000));
    let file = open(&FileData::read_write(&path));
    let stored = write(&file, Pos::Abs(at(990)), &[7; 20]).await.expect("room");
    assert_eq!(stored, Stored { at: at(990), elements: 20 });
    let stored = write(&file, Pos::Abs(at(1_015)), &[8; 5]).await.expect("within the gap");
    assert_eq!(stored.at, at(1_015));
    let expected = [&pattern(990)[..], &[7; 20], &[0; 5], &[8; 5]].concat();
    assert_eq!(fs::read(&path).expect("there"), expected);
    assert_eq!(cut(&file, Pos::Abs(at(500))).await.expect("inside"), at(500));
    assert_eq!(fs::read(&path).expect("there"), pattern(500));
    assert_eq!(read(&file, 500, 1).await, None);
    assert_eq!(read(&file, 900, 1).await, None, "the bounds have moved past it");
    file.sync(false).await.expect("a real file");
}

#[tokio::test]
async fn the_start_of_a_file_stays() {
    let (_dir, path) = sample(b"abc");
    let file = open(&FileData::read_write(&path));
    let moved = file.truncate(Edge::Before, Pos::Abs(at(1)), &Rules::all()).await;
    assert_eq!(moved.expect_err("no").code(), Code::MODE_FORBIDS);
    let stayed = file.truncate(Edge::Before, Pos::START, &Rules::all()).await;
    assert_eq!(stayed.expect("it is there"), at(0));
}

#[tokio::test]
async fn a_reader_sees_at_once_what_another_stream_appends() {
    let (_dir, path) = sample(b"abc");
    let publication = FileData::read_write(&path).append_only();
    let writer = open(&publication);
    let reader = publication.open_live(false, Purpose::Use).expect("there");
    let seen = now(&reader);
    let mut waiting = Box::pin(reader.changed(seen.clone()));
    assert!(futures::poll!(&mut waiting).is_pending());
    write(&writer, Pos::END, b"def").await.expect("room");
    assert_eq!(now(&reader).bounds, Bounds::up_to(at(6)), "nobody looked at the file");
    assert_eq!(waiting.await.bounds, Bounds::up_to(at(6)));
    assert_eq!(reader.changed(seen).await.bounds, Bounds::up_to(at(6)), "level-triggered");
    assert_eq!(read(&reader, 3, 9).await.as_deref(), Some(&b"def"[..]));
}

#[tokio::test(start_paused = true)]
async fn changes_within_a_millisecond_are_told_of_together() {
    let (_dir, path) = sample(b"abc");
    let file = open(&FileData::read_write(&path));
    let seen = now(&file);
    write(&file, Pos::END, b"d").await.expect("room");
    let began = tokio::time::Instant::now();
    let (told, ()) = tokio::join!(file.changed(seen), async {
        write(&file, Pos::END, b"ef").await.expect("room");
    });
    assert_eq!(told.bounds, Bounds::up_to(at(6)));
    assert!(began.elapsed() <= Duration::from_millis(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_followed_file_shows_what_other_programs_do() {
    let (_dir, path) = sample(b"abc");
    let file = open(&FileData::read_write(&path).follow(true));
    assert!(file.state_now().is_none(), "it has to be looked at");
    let seen = file.state().await.expect("open");
    let (grown, ()) = tokio::join!(file.changed(seen.clone()), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        fs::write(&path, b"abcdef").expect("space");
    });
    assert!(grown.bounds.end > seen.bounds.end);
    let state = file.state().await.expect("open");
    assert_eq!(state.bounds, Bounds::up_to(at(6)));
    assert_eq!(read(&file, 3, 9).await.as_deref(), Some(&b"def"[..]));
    fs::write(&path, b"x").expect("space");
    assert_eq!(read(&file, 6, 9).await, None);
    let cut = file.state().await.expect("open");
    assert_eq!(cut.bounds, Bounds::up_to(at(1)));
    assert_ne!(cut.version, state.version, "what was handed out is no longer true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_streams_append_interleaves_in_whole_chunks() {
    let (_dir, path) = sample(b"");
    let publication = FileData::read_write(&path);
    let append = |mark: u8| {
        let file = open(&publication);
        async move {
            let mut places = Vec::new();
            for _ in 0..100 {
                let stored = write(&file, Pos::END, &[mark; 1_000]).await.expect("room");
                assert_eq!(stored.elements, 1_000);
                places.push((stored.at.get(), mark));
            }
            places
        }
    };
    let (first, second) = tokio::join!(tokio::spawn(append(1)), tokio::spawn(append(2)));
    let content = fs::read(&path).expect("there");
    assert_eq!(content.len(), 200_000);
    for (place, mark) in [first.expect("no panic"), second.expect("no panic")].concat() {
        let place = usize::try_from(place).expect("small");
        assert!(content[place..place + 1_000].iter().all(|byte| *byte == mark), "at {place}");
    }
}

#[tokio::test]
async fn the_version_changes_with_what_was_handed_out_and_not_with_what_is_added() {
    let (_dir, path) = sample(b"abcdef");
    let file = open(&FileData::read_write(&path));
    let other = open(&FileData::read_write(&path));
    let mut seen = now(&other).version;
    let mut changes = || {
        let before = std::mem::replace(&mut seen, now(&other).version);
        before != seen
    };
    write(&file, Pos::END, b"gh").await.expect("room");
    assert!(!changes(), "appended");
    cut(&file, Pos::FromEnd(2)).await.expect("room");
    assert!(!changes(), "zeros were added");
    write(&file, Pos::Abs(at(2)), b"C").await.expect("inside");
    assert!(changes(), "overwritten");
    cut(&file, Pos::Abs(at(3))).await.expect("inside");
    assert!(changes(), "cut");
    assert!(now(&file).version.len() <= 64);
}

#[tokio::test]
async fn a_guard_is_judged_against_the_file_as_it_is() {
    let (_dir, path) = sample(b"abc");
    let file = open(&FileData::read_write(&path));
    fs::write(&path, b"abcd").expect("space");
    let guarded = |end| {
        let guard = farlens_proto::Guard { version: None, end: Some(at(end)) };
        Rules::all().with_guard(guard)
    };
    let refused = file.write_at(Pos::END, chunk(b"x"), &guarded(3)).await;
    assert_eq!(refused.expect_err("it ends at 4").code(), Code::CONFLICT);
    let stored = file.write_at(Pos::END, chunk(b"x"), &guarded(4)).await;
    assert_eq!(stored.expect("it ends there").at, at(4));
}

#[tokio::test]
async fn a_full_storage_stores_what_fits_and_then_says_so() {
    let (double, file) = scripted(Double { short: 7, room: 10, ..Double::default() });
    assert_eq!(write(&file, Pos::END, &[1; 30]).await.expect("some fit").elements, 10);
    let before = now(&file);
    assert_eq!(before.bounds, Bounds::up_to(at(10)));
    let full = write(&file, Pos::END, &[1; 20]).await.expect_err("nothing fits");
    assert_eq!(full.code(), Code::STORAGE_FULL);
    assert_eq!(now(&file), before);
    assert_eq!(*double.content.lock(), [1; 10]);
}

#[tokio::test]
async fn failures_leave_the_state_as_it_was_and_interruptions_are_retried() {
    let (_double, file) = scripted(Double {
        content: Mutex::new(pattern(100)),
        writes: failing(&[ErrorKind::Interrupted, ErrorKind::Other]),
        resizes: failing(&[ErrorKind::Interrupted, ErrorKind::QuotaExceeded]),
        ..Double::default()
    });
    let before = now(&file);
    let failed = write(&file, Pos::Abs(at(5)), &[1; 20]).await.expect_err("after a retry");
    assert_eq!(failed.code(), Code::STORAGE_IO);
    let failed = cut(&file, Pos::Abs(at(5))).await.expect_err("after a retry");
    assert_eq!(failed.code(), Code::STORAGE_FULL);
    assert_eq!(now(&file), before);
    write(&file, Pos::Abs(at(5)), &[1; 20]).await.expect("well again");
}

#[tokio::test]
async fn after_a_failed_sync_no_later_one_succeeds() {
    let syncs = Mutex::new(vec![None, Some(ErrorKind::Other)]);
    let (double, file) = scripted(Double { syncs, ..Double::default() });
    file.sync(false).await.expect("the first one passes");
    let error = file.sync(true).await.expect_err("the script says so");
    assert_eq!(error.code(), Code::STORAGE_IO);
    assert!(double.syncs.lock().is_empty(), "the storage would do it again");
    for finish in [false, true] {
        let error = file.sync(finish).await.expect_err("the kernel has forgotten, not we");
        assert_eq!(error.code(), Code::STORAGE_IO);
    }
    let other = LiveFile::new(Arc::clone(&file.handle.inode), double, None, false);
    other.sync(false).await.expect_err("another stream on the same file");
}

#[tokio::test]
async fn a_new_file_is_on_disk_only_with_its_name() {
    let (directory, file) = scripted(Double::default());
    let name = Double { syncs: failing(&[ErrorKind::Interrupted]), ..Double::default() };
    file.handle.inode.was_created_in(Box::new(name));
    file.sync(false).await.expect("after a retry");
    file.handle.inode.was_created_in(Box::new(Double {
        syncs: failing(&[ErrorKind::Other]),
        ..Double::default()
    }));
    file.sync(false).await.expect_err("the name may be lost");
    file.sync(false).await.expect_err("poisoned");
    assert!(directory.syncs.lock().is_empty());
}

#[tokio::test]
async fn a_file_is_created_where_that_is_allowed() {
    let (dir, path) = sample(b"there");
    let absent = dir.path().join("new");
    let refused = FileData::read_write(&absent).open_live(true, Purpose::Create);
    assert_eq!(refused.expect_err("not without create").code(), Code::NOT_FOUND);
    let publication = FileData::read_write(&absent).create(true);
    publication.check().expect("it may be created");
    let refused = publication.open_live(true, Purpose::Use);
    assert_eq!(refused.expect_err("nothing is there").code(), Code::NOT_FOUND);
    let file = publication.open_live(true, Purpose::Create).expect("there is room");
    write(&file, Pos::END, b"x").await.expect("room");
    file.sync(true).await.expect("a real file in a real directory");
    assert_eq!(fs::read(&absent).expect("there"), b"x");
    let again = publication.open_live(true, Purpose::Create).expect("there");
    assert_eq!(read(&again, 0, 9).await.as_deref(), Some(&b"x"[..]));
    let there = FileData::read_write(&path).create(true);
    let there = there.open_live(true, Purpose::Create).expect("there");
    assert_eq!(read(&there, 0, 9).await.as_deref(), Some(&b"there"[..]));
}

#[test]
fn a_dangling_link_is_not_written_through() {
    let (dir, _path) = sample(b"");
    let (link, outside) = (dir.path().join("link"), dir.path().join("outside"));
    symlink(&outside, &link).expect("possible");
    let publication = FileData::read_write(&link).create(true);
    let created = publication.open_live(true, Purpose::Create);
    assert_eq!(created.expect_err("in the way").code(), Code::NOT_FOUND);
    let replaced = publication.open_live(true, Purpose::Replace { create: true });
    assert_eq!(replaced.expect_err("in the way").code(), Code::NOT_FOUND);
    assert!(!outside.exists());
}

#[test]
fn the_memory_of_a_file_ends_with_its_last_stream() {
    let (_dir, path) = sample(b"abc");
    let publication = FileData::read_write(&path);
    let (first, second) = (open(&publication), open(&publication));
    assert!(Arc::ptr_eq(&first.handle.inode, &second.handle.inode));
    let old = Arc::downgrade(&first.handle.inode);
    drop((first, second));
    assert!(old.upgrade().is_none());
    let third = open(&publication);
    assert!(Arc::ptr_eq(&third.handle.inode, &open(&publication).handle.inode));
}

#[tokio::test]
async fn a_writer_that_leaves_keeps_its_permit_until_its_last_change_is_over() {
    let semaphore = Arc::new(tokio::sync::Semaphore::new(1));
    let permit = Arc::clone(&semaphore).try_acquire_owned().expect("it is free");
    let (_double, file) = scripted(Double::default());
    let inode = Arc::clone(&file.handle.inode);
    let file = file.holding(Some(permit));
    let other = Double::default();
    let change = inode.change(&other).expect("nobody changes it");
    let mut writing = Box::pin(write(&file, Pos::END, b"x"));
    assert!(futures::poll!(&mut writing).is_pending(), "somebody changes the file");
    drop(writing);
    drop(file);
    assert_eq!(semaphore.available_permits(), 0);
    drop(change);
    drop(semaphore.acquire().await.expect("it comes back"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_lacks_what_it_claims_fails_instead_of_being_read_for_ever() {
    let double = Double { content: Mutex::new(b"abc".to_vec()), claimed: 9, ..Double::default() };
    let (_, file) = scripted(double);
    let budget = ReadBudget { bytes: 8, elements: 8 };
    assert!(file.read_now(at(3), budget).is_none(), "not known on the spot");
    let read = tokio::time::timeout(Duration::from_secs(60), file.read_at(at(3), budget)).await;
    assert_eq!(read.expect("at once").expect_err("lost").code(), Code::STORAGE_IO);
}
