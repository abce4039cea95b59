use super::*;
use crate::data::StreamerData;
use farlens_proto::{Chunk, Rules};
use farlens_wire::Pos;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

const REPLACE: Purpose = Purpose::Replace { create: true };

/// `root/` with a file, a directory and traps, and a secret beside it.
fn sample() -> (tempfile::TempDir, PathBuf, Directory) {
    let temp = tempfile::tempdir().expect("temp dir");
    let root = temp.path().join("root");
    fs::create_dir_all(root.join("sub")).expect("space");
    fs::write(temp.path().join("secret"), b"secret").expect("space");
    fs::write(root.join("a"), b"old").expect("space");
    symlink("../secret", root.join("link")).expect("possible");
    symlink("../nothing", root.join("dangling")).expect("possible");
    symlink("..", root.join("up")).expect("possible");
    symlink("sub", root.join("link-sub")).expect("possible");
    let owner = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), fifo, owner, 0).expect("possible");
    let directory = Directory::read_only(&root).expect("there").writable(true);
    (temp, root, directory)
}

fn open(directory: &Directory, path: &str, purpose: Purpose) -> Result<LiveFile, Code> {
    let components: Vec<_> = path.split('/').collect();
    directory.open_live(&components, true, purpose).map_err(|error| error.code())
}

async fn append(file: &LiveFile, bytes: &'static [u8]) {
    let chunk = Chunk::Bytes(bytes.into());
    file.write_at(Pos::END, chunk, &Rules::all()).await.expect("room");
}

#[tokio::test]
async fn files_are_changed_created_and_replaced() {
    let (_temp, root, directory) = sample();
    append(&open(&directory, "a", Purpose::Use).expect("there"), b"+").await;
    append(&open(&directory, "a", Purpose::Create).expect("there"), b"+").await;
    assert_eq!(fs::read(root.join("a")).expect("there"), b"old++");
    assert_eq!(open(&directory, "sub/new", Purpose::Use).err(), Some(Code::NOT_FOUND));
    let new = open(&directory, "sub/new", Purpose::Create).expect("room");
    append(&new, b"new").await;
    new.sync(true).await.expect("a real file");
    assert_eq!(fs::read(root.join("sub/new")).expect("there"), b"new");
    for path in ["a", "sub/new", "sub/newer"] {
        let file = open(&directory, path, REPLACE).expect("room");
        append(&file, b"replaced").await;
        file.sync(true).await.expect("a real file");
        assert_eq!(fs::read(root.join(path)).expect("there"), b"replaced");
    }
    let fixed = open(&directory, "none", Purpose::Replace { create: false });
    assert_eq!(fixed.err(), Some(Code::NOT_FOUND));
}

#[test]
fn what_may_not_be_read_may_not_be_written_either() {
    let (temp, root, directory) = sample();
    for purpose in [Purpose::Use, Purpose::Create, REPLACE] {
        for path in [
            "",
            ".",
            "..",
            "../new",
            "../secret",
            "sub/../a",
            "/new",
            "sub/",
            "sub//new",
            ".hidden",
            "sub/.hidden",
            "sub",
            "a/new",
            "none/new",
            "link",
            "dangling",
            "up/new",
            "up/secret",
            "link-sub/new",
            "fifo",
            "new\0",
            &"x".repeat(256),
        ] {
            let opened = open(&directory, path, purpose);
            assert_eq!(opened.err(), Some(Code::NOT_FOUND), "{path:?}, {purpose:?}");
        }
        let none = directory.open_live(&[], true, purpose).map_err(|error| error.code());
        assert_eq!(none.err(), Some(Code::NOT_FOUND));
    }
    assert_eq!(fs::read(temp.path().join("secret")).expect("there"), b"secret");
    assert_eq!(fs::read_dir(temp.path()).expect("there").count(), 2);
    assert_eq!(fs::read_dir(root.join("sub")).expect("there").count(), 0);
}

#[test]
fn unfinished_files_are_neither_listed_nor_opened() {
    let (_temp, root, directory) = sample();
    let _file = open(&directory, "a", REPLACE).expect("there");
    let name = fs::read_dir(&root)
        .expect("there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .find(|name| name.ends_with(".farlens-part"))
        .expect("it is being written");
    let (entries, _) = directory.list(&[], None, 100).expect("there");
    let names: Vec<_> = entries.into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a", "sub"]);
    assert!(directory.open(&[&name]).is_err() && directory.stat(&[&name]).is_err());
    for purpose in [Purpose::Use, Purpose::Create, REPLACE] {
        assert_eq!(open(&directory, &name, purpose).err(), Some(Code::NOT_FOUND));
    }
}

#[tokio::test]
async fn a_replacement_goes_where_its_directory_went() {
    let (temp, root, directory) = sample();
    let file = open(&directory, "sub/new", REPLACE).expect("room");
    append(&file, b"new").await;
    fs::rename(root.join("sub"), root.join("moved")).expect("possible");
    symlink(temp.path(), root.join("sub")).expect("possible");
    file.sync(true).await.expect("its directory is still there");
    assert_eq!(fs::read(root.join("moved/new")).expect("there"), b"new");
    assert!(!temp.path().join("new").exists());
}

#[test]
fn a_name_that_turns_into_a_link_never_leads_outside() {
    let (temp, root, directory) = sample();
    let (link, file, name) = (root.join("l"), root.join("f"), root.join("swapped"));
    fs::write(&name, b"").expect("space");
    let done = AtomicBool::new(false);
    let rules = Rules::all();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("threads");
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::remove_file(&link);
                symlink(temp.path().join("secret"), &link).expect("possible");
                fs::rename(&link, &name).expect("possible");
                fs::write(&file, b"").expect("space");
                fs::rename(&file, &name).expect("possible");
            }
        });
        for round in 0..300 {
            let purpose = [Purpose::Use, Purpose::Create, REPLACE][round % 3];
            let Ok(file) = open(&directory, "swapped", purpose) else { continue };
            let chunk = Chunk::Bytes("leak".into());
            let _ = runtime.block_on(async {
                file.write_at(Pos::START, chunk, &rules).await?;
                file.sync(true).await
            });
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read(temp.path().join("secret")).expect("there"), b"secret");
}

#[test]
fn a_file_that_the_system_protects_says_so() {
    let (_temp, root, directory) = sample();
    let path = root.join("a");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("its owner");
    // Permissions do not hold for root.
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        assert_eq!(open(&directory, "a", Purpose::Use).err(), Some(Code::MODE_FORBIDS));
    }
    assert!(directory.open_live(&["a"], false, Purpose::Use).is_ok());
}
