use super::*;
use crate::data::{
    DataState, FileData, StreamerData, live::LiveFile, storage::double::Double,
    storage::double::failing,
};
use farlens_proto::{Chunk, Purpose, Rules};
use farlens_wire::{Bounds, Pos, Position};
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// A file with `content` in a directory of its own.
fn sample(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("sample");
    fs::write(&path, content).expect("space");
    (dir, path)
}

fn replace(path: &Path) -> LiveFile {
    let purpose = Purpose::Replace { create: false };
    FileData::read_write(path).open_live(true, purpose).expect("there")
}

async fn append(file: &LiveFile, bytes: &'static [u8]) -> Result<()> {
    let chunk = Chunk::Bytes(bytes.into());
    file.write_at(Pos::END, chunk, &Rules::all()).await.map(drop)
}

fn names(dir: &Path) -> Vec<String> {
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("readable").file_name();
    let mut names: Vec<_> = fs::read_dir(dir)
        .expect("there")
        .map(|entry| name(entry).into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

fn state(file: &LiveFile) -> DataState {
    file.state_now().expect("known").expect("no failure")
}

/// Drops an unfinished replacement and waits until it is removed.
async fn give_up(file: LiveFile) {
    // It is closed once it is removed.
    let watched = Arc::downgrade(file.storage());
    drop(file);
    while watched.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn old_readers_keep_the_old_and_new_ones_see_the_new() {
    let (dir, path) = sample(b"old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("its owner");
    let reader = FileData::read_write(&path).open_live(false, Purpose::Use).expect("there");
    let file = replace(&path);
    assert_eq!(state(&file).bounds, Bounds::up_to(Position::ZERO), "it begins with nothing");
    append(&file, b"content").await.expect("room");
    file.sync(false).await.expect("on disk, and not in place");
    assert_eq!(fs::read(&path).expect("there"), b"old");
    let [part, _] = &names(dir.path())[..] else { panic!("two names") };
    assert!(part.starts_with(".sample.") && part.ends_with(".farlens-part"), "{part}");
    assert_eq!(mode(&dir.path().join(part)), 0o600);
    file.sync(true).await.expect("in place");
    assert_eq!(fs::read(&path).expect("there"), b"content");
    assert_eq!(mode(&path), 0o640);
    assert_eq!(names(dir.path()), ["sample"]);
    assert_eq!(state(&reader).bounds, Bounds::up_to(Position::from(3)));
    let budget = crate::data::ReadBudget { bytes: 9, elements: 9 };
    let kept = reader.read_at(Position::ZERO, budget).await.expect("still there");
    assert!(matches!(kept, crate::data::Fetched::Some(Chunk::Bytes(bytes)) if bytes == b"old"[..]));
}

#[tokio::test]
async fn what_is_finished_is_written_no_more_and_finishing_again_is_nothing_new() {
    let (_dir, path) = sample(b"old");
    let file = replace(&path);
    append(&file, b"new").await.expect("room");
    file.sync(true).await.expect("in place");
    let error = append(&file, b"more").await.expect_err("it is the users' now");
    assert_eq!(error.code(), Code::CLOSED);
    fs::write(&path, b"newer").expect("space");
    file.sync(true).await.expect("done already");
    assert_eq!(fs::read(&path).expect("there"), b"newer");
}

#[tokio::test]
async fn dropped_unfinished_it_leaves_the_old_and_nothing_else() {
    let (dir, path) = sample(b"old");
    let file = replace(&path);
    append(&file, b"half").await.expect("room");
    file.sync(false).await.expect("on disk");
    give_up(file).await;
    assert_eq!(names(dir.path()), ["sample"]);
    assert_eq!(fs::read(&path).expect("there"), b"old");
}

#[tokio::test]
async fn a_new_file_appears_once_it_is_complete() {
    let (dir, path) = sample(b"");
    let new = dir.path().join("new");
    let begin = |publication: FileData, create| {
        publication.open_live(true, Purpose::Replace { create }).map_err(|error| error.code())
    };
    let (fixed, free) = (FileData::read_write(&new), FileData::read_write(&new).create(true));
    assert_eq!(begin(fixed, true).err(), Some(Code::NOT_FOUND));
    assert_eq!(begin(free.clone(), false).err(), Some(Code::NOT_FOUND));
    let file = begin(free, true).expect("allowed");
    assert!(!new.exists());
    append(&file, b"x").await.expect("room");
    file.sync(true).await.expect("in place");
    assert_eq!(fs::read(&new).expect("there"), b"x");
    assert_eq!(mode(&new), mode(&path), "as if it had been made by any program");
}

#[tokio::test]
async fn a_published_link_stays_and_its_target_is_replaced() {
    let (dir, path) = sample(b"old");
    let link = dir.path().join("link");
    symlink("sample", &link).expect("possible");
    let file = replace(&link);
    append(&file, b"new").await.expect("room");
    file.sync(true).await.expect("in place");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(fs::read(&path).expect("there"), b"new");
}

#[tokio::test]
async fn what_gets_in_the_way_stays_and_the_failure_is_final() {
    let (dir, path) = sample(b"old");
    let file = replace(&path);
    append(&file, b"new").await.expect("room");
    fs::remove_file(&path).expect("there");
    symlink("elsewhere", &path).expect("possible");
    let error = file.sync(true).await.expect_err("a link is in the way");
    assert_eq!(error.code(), Code::CONFLICT);
    fs::remove_file(&path).expect("there");
    file.sync(true).await.expect_err("a failed sync is never retried");
    give_up(file).await;
    assert_eq!(names(dir.path()), [""; 0]);
}

#[tokio::test]
async fn a_sync_that_fails_replaces_nothing() {
    let (dir, path) = sample(b"old");
    let directory = File::open(dir.path()).expect("there");
    let (part, _) = Part::begin(directory, OsStr::new("sample"), false).expect("there");
    let double = Double { syncs: failing(&[ErrorKind::Other]), ..Double::default() };
    let file = LiveFile::replacing(Arc::new(double), part).expect("a double has a state");
    let error = file.sync(true).await.expect_err("the script says so");
    assert_eq!(error.code(), Code::STORAGE_IO);
    assert_eq!(fs::read(&path).expect("there"), b"old");
    give_up(file).await;
    assert_eq!(names(dir.path()), ["sample"]);
}

#[tokio::test]
async fn what_a_crash_left_is_swept_and_what_is_written_is_not() {
    let (dir, path) = sample(b"old");
    let left = dir.path().join(".sample.0123456789abcdef.farlens-part");
    let kept = [
        ".other.0123456789abcdef.farlens-part",
        ".sample.0123456789abcdef.farlens",
        ".sample.x.0123456789abcdef.farlens-part",
        ".sample.farlens-part",
    ];
    fs::write(&left, b"half").expect("space");
    for name in kept {
        fs::write(dir.path().join(name), b"").expect("space");
    }
    let first = replace(&path);
    assert!(!left.exists());
    let second = replace(&path);
    let parts = names(dir.path()).len() - kept.len() - 1;
    assert_eq!(parts, 2, "the first one is still being written");
    for name in kept {
        assert!(dir.path().join(name).exists(), "{name}");
    }
    append(&first, b"first").await.expect("room");
    append(&second, b"second").await.expect("room");
    first.sync(true).await.expect("in place");
    second.sync(true).await.expect("in place");
    assert_eq!(fs::read(&path).expect("there"), b"second");
}

#[test]
fn many_that_begin_at_once_do_not_sweep_each_other() {
    let (dir, path) = sample(b"old");
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..50 {
                    let directory = File::open(dir.path()).expect("there");
                    let name = OsStr::new("sample");
                    let (part, file) = Part::begin(directory, name, false).expect("there");
                    part.finish(&*file).expect("in place");
                }
            });
        }
    });
    assert_eq!(names(dir.path()), ["sample"]);
    assert_eq!(fs::read(&path).expect("there"), b"");
}

#[test]
fn the_longest_name_can_be_replaced() {
    let (dir, _path) = sample(b"");
    let longest = "ü".repeat(127);
    let path = dir.path().join(&longest);
    fs::write(&path, b"old").expect("space");
    drop(replace(&path));
    assert!(part_name(OsStr::new(&longest)).len() <= 255);
}

#[test]
fn what_is_unfinished_is_removed_on_the_blocking_pool() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
    runtime.expect("possible").block_on(async {
        let (dir, path) = sample(b"old");
        let (busy, free) = std::sync::mpsc::sync_channel::<()>(0);
        let occupied = tokio::task::spawn_blocking(move || free.recv().is_err());
        let file = replace(&path);
        let watched = Arc::downgrade(file.storage());
        drop(file);
        assert_eq!(names(dir.path()).len(), 2, "the thread of the link removes nothing");
        drop(busy);
        assert!(occupied.await.expect("no panic"));
        while watched.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(names(dir.path()), ["sample"]);
    });
}

#[test]
fn what_cannot_be_replaced_is_not_said_to_be_forbidden() {
    // Nobody makes files there, root neither.
    let Ok(directory) = File::open("/sys/kernel") else { return };
    let begin = |name, may_be_new| {
        let directory = directory.try_clone().expect("possible");
        Part::begin(directory, OsStr::new(name), may_be_new).map(drop).expect_err("nothing is made")
    };
    assert_eq!(begin("uevent_seqnum", false).code(), Code::STORAGE_IO);
    assert_eq!(begin("new", true).code(), Code::MODE_FORBIDS);
}
