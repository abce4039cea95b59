use super::*;
use crate::data::{Fetched, ReadBudget, StreamerData};
use farlens_proto::Chunk;
use farlens_wire::Position;
use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

/// `root/` with files, directories and traps, and a secret beside it.
fn sample() -> (tempfile::TempDir, PathBuf, Directory) {
    let temp = tempfile::tempdir().expect("temp dir");
    let root = temp.path().join("root");
    fs::create_dir_all(root.join("sub/deep")).expect("space");
    fs::create_dir(root.join(".git")).expect("space");
    fs::write(temp.path().join("secret"), b"secret").expect("space");
    for name in ["a", "b.txt", "sub/c", "sub/deep/d", ".hidden", "sub/.hidden", ".git/config"] {
        fs::write(root.join(name), name).expect("space");
    }
    for name in ["back\\slash", "%2e%2e", "sp ace", "ü", "a:b", "-", "~", "x."] {
        fs::write(root.join(name), name).expect("space");
    }
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"bad\xff")), b"x").expect("space");
    traps(&root);
    let directory = Directory::read_only(&root).expect("there");
    (temp, root, directory)
}

fn traps(root: &Path) {
    symlink("../secret", root.join("link")).expect("possible");
    symlink("a", root.join("link-inside")).expect("possible");
    symlink("..", root.join("up")).expect("possible");
    symlink("sub", root.join("link-sub")).expect("possible");
    symlink("/etc", root.join("etc")).expect("possible");
    symlink("/proc/self/root", root.join("magic")).expect("possible");
    symlink("loop", root.join("loop")).expect("possible");
    let owner = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), FileType::Fifo, owner, 0)
        .expect("possible");
    // Only root can make a device; the table is the same without it.
    let null = rustix::fs::makedev(1, 3);
    let _ = rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("device"),
        FileType::CharacterDevice,
        owner,
        null,
    );
    drop(std::os::unix::net::UnixListener::bind(root.join("socket")).expect("possible"));
}

/// Opens by either way of looking up, which must agree.
fn open(directory: &Directory, components: &[&str]) -> Result<OpenFile, Code> {
    let stepwise = components.iter().all(|name| is_shown(name))
        && directory
            .lookup_stepwise(components, OPEN_FLAGS)
            .is_ok_and(|fd| OpenFile::from_fd(fd, false).expect("a stat").is_some());
    let opened = directory.open(components);
    assert_eq!(opened.is_ok(), stepwise, "{components:?}");
    opened.map_err(|error| {
        assert_eq!(error.to_string(), "nothing is published at this path", "{components:?}");
        error.code()
    })
}

fn content(file: &OpenFile) -> Vec<u8> {
    let budget = ReadBudget { bytes: 1_000, elements: 1_000 };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("threads");
    let read = file
        .read_now(Position::ZERO, budget)
        .unwrap_or_else(|| runtime.block_on(file.read_at(Position::ZERO, budget)));
    match read.expect("readable") {
        Fetched::Some(Chunk::Bytes(bytes)) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn d1_what_is_shown_is_opened() {
    let (_temp, _root, directory) = sample();
    for path in [
        "a",
        "b.txt",
        "sub/c",
        "sub/deep/d",
        "back\\slash",
        "%2e%2e",
        "sp ace",
        "ü",
        "a:b",
        "-",
        "~",
        "x.",
    ] {
        let components: Vec<_> = path.split('/').collect();
        let file = open(&directory, &components).expect(path);
        assert_eq!(content(&file), path.as_bytes());
    }
}

#[test]
fn d1_everything_else_is_not_found_alike() {
    let (_temp, _root, directory) = sample();
    let long = "x".repeat(5_000);
    let longest = "x".repeat(256);
    let deep = vec!["sub"; 3_000];
    let table: &[&[&str]] = &[
        &[],
        &[""],
        &["."],
        &[".."],
        &["..."],
        &["/"],
        &["//"],
        &["\0"],
        &["a\0"],
        &["a\0b"],
        &["", "a"],
        &["a", ""],
        &["", ""],
        &[".", "a"],
        &["a", "."],
        &["sub", ".", "c"],
        &["sub", "", "c"],
        &["sub", "..", "a"],
        &["..", "root", "a"],
        &["..", "secret"],
        &["../secret"],
        &["sub/../../secret"],
        &["/etc/passwd"],
        &["/etc", "passwd"],
        &["", "etc", "passwd"],
        &["..", "..", "..", "..", "etc", "passwd"],
        &["sub/c"],
        &["a/"],
        &["/a"],
        &["./a"],
        &["a", "..", "a"],
        &["a", "b"],
        &["a", ".."],
        &[".hidden"],
        &["sub", ".hidden"],
        &[".git", "config"],
        &[".git"],
        &["sub"],
        &["sub", "deep"],
        &["absent"],
        &["sub", "absent"],
        &["absent", "a"],
        &["A"],
        &["%2e"],
        &["%2e%2e", "secret"],
        &["..\\secret"],
        &["sub\\c"],
        &["back\\slash", "x"],
        &["u\u{308}"],
        &["a\u{0}"],
        &["bad\u{fffd}"],
        &["bad\\xff"],
        &["a "],
        &[" a"],
        &["a\n"],
        &["link"],
        &["link-inside"],
        &["link-sub", "c"],
        &["up", "secret"],
        &["up", "root", "a"],
        &["etc", "passwd"],
        &["magic", "etc", "passwd"],
        &["loop"],
        &["loop", "a"],
        &["fifo"],
        &["fifo", "a"],
        &["socket"],
        &["device"],
        &["device", "a"],
        &["\u{202e}a"],
        &[&long],
        &[&longest],
        &deep,
    ];
    assert!(table.len() >= 60, "{} names", table.len());
    for components in table {
        assert_eq!(open(&directory, components).err(), Some(Code::NOT_FOUND), "{components:?}");
        if !["sub", "deep"].contains(components.last().unwrap_or(&"sub")) {
            assert!(directory.stat(components).is_err(), "{components:?}");
            assert!(directory.list(components, None, 10).is_err(), "{components:?}");
        }
    }
}

#[test]
fn d3_a_file_that_turns_into_a_link_never_shows_the_secret() {
    let (temp, root, directory) = sample();
    let (link, file, name) = (root.join("l"), root.join("f"), root.join("swapped"));
    fs::write(&name, b"public").expect("space");
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::remove_file(&link);
                symlink(temp.path().join("secret"), &link).expect("possible");
                fs::rename(&link, &name).expect("possible");
                fs::write(&file, b"public").expect("space");
                fs::rename(&file, &name).expect("possible");
            }
        });
        for _ in 0..5_000 {
            let tries = [directory.open(&["swapped"]), stepwise(&directory, "swapped")];
            for file in tries.into_iter().flatten() {
                assert_eq!(content(&file), b"public");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn stepwise(directory: &Directory, name: &str) -> Result<OpenFile> {
    let fd = directory.lookup_stepwise(&[name], OPEN_FLAGS).map_err(lookup_failed)?;
    OpenFile::from_fd(fd, false)?.ok_or_else(not_found)
}

#[test]
fn d4_renaming_the_root_changes_nothing() {
    let (temp, root, directory) = sample();
    fs::rename(&root, temp.path().join("elsewhere")).expect("possible");
    fs::create_dir(&root).expect("space");
    fs::write(root.join("a"), b"another").expect("space");
    assert_eq!(content(&open(&directory, &["a"]).expect("still there")), b"a");
}

#[test]
fn the_root_must_be_a_directory() {
    let (temp, root, _directory) = sample();
    for path in [root.join("a"), root.join("absent"), root.join("fifo")] {
        assert_eq!(Directory::read_only(path).expect_err("none").code(), Code::NOT_FOUND);
    }
    let link = temp.path().join("named-by-its-owner");
    symlink(&root, &link).expect("possible");
    assert!(Directory::read_only(link).is_ok());
}

const SHOWN: [&str; 11] =
    ["%2e%2e", "-", "a", "a:b", "b.txt", "back\\slash", "sp ace", "sub", "x.", "~", "ü"];

#[test]
fn a_listing_shows_files_and_directories_in_order() {
    let (_temp, _root, directory) = sample();
    let (entries, next) = directory.list(&[], None, 100).expect("there");
    assert_eq!(next, None);
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, SHOWN);
    for entry in &entries {
        let expected = match entry.name.as_str() {
            "sub" => (EntryKind::Directory, None),
            name => (EntryKind::Bytes, Some(name.len() as u64)),
        };
        assert_eq!((entry.kind, entry.len), expected, "{}", entry.name);
        assert_eq!(directory.stat(&[&entry.name]).as_ref().ok(), Some(entry));
    }
    let (entries, _) = directory.list(&["sub"], None, 100).expect("there");
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["c", "deep"]);
    let root = directory.stat(&[]).expect("there");
    assert_eq!((root.name.as_str(), root.kind), ("", EntryKind::Directory));
}

#[test]
fn a_listing_comes_in_pages() {
    let (_temp, _root, directory) = sample();
    for page in 1..=SHOWN.len() + 1 {
        let mut names: Vec<String> = Vec::new();
        let mut after = None;
        loop {
            let (entries, next) = directory.list(&[], after.as_deref(), page).expect("there");
            assert!(entries.len() <= page);
            assert!(next.is_none() || entries.len() == page);
            names.extend(entries.into_iter().map(|entry| entry.name));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(names, SHOWN, "pages of {page}");
    }
    assert_eq!(directory.list(&[], Some("ü"), 5).expect("there"), (Vec::new(), None));
}

#[test]
fn opening_does_not_leak_descriptors() {
    let (_temp, _root, directory) = sample();
    // More rounds than descriptors a process may have by default.
    for _ in 0..3_000 {
        let _ = directory.open(&["fifo"]);
        let _ = directory.open(&["sub", "c"]).expect("there");
        let _ = directory.stat(&["sub"]).expect("there");
    }
}
