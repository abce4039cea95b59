use super::*;
use crate::{
    Directory, FileData, FixedData, Grant, Publication, Streamer,
    access::Access,
    data::{MemData, Stored},
};
use farlens_proto::{Chunk, Rules};
use farlens_wire::{
    AtEnd, Delivery, Operation, Pos, Position,
    frame::stream::{Credit, Target},
};
use std::{fs, path::Path};

const READ: Flags = Flags::READABLE;
const WRITE: Flags = Flags::WRITABLE;
const REPLACE: Purpose = Purpose::Replace { create: true };

/// A peer, and the host that it stands before.
struct Guest(Host, KeyId);

impl Guest {
    fn standard(&self) -> Standard<'_> {
        Standard { host: &self.0, key: self.1 }
    }
}

/// A guest with these grants, before a host that publishes this.
fn guest(grants: &str, published: Vec<(&str, Publication)>) -> Guest {
    let mut host = Host::default();
    for (path, publication) in published {
        let path = RemotePath::new(path).expect("a path");
        host.publications.insert(&path, publication).expect("a fitting mode");
    }
    let key = KeyId::from_bytes([7; 32]);
    let grants = Grant::parse_list(grants).expect("grants");
    host.access.authorize(key, grants).expect("memory does not fail");
    Guest(host, key)
}

async fn find(guest: &Guest, path: &str, wanted: Flags, purpose: Purpose) -> Result<Found, Code> {
    let open = Open {
        target: Target::Path(path.to_owned()),
        flags: wanted.bits(),
        kind: None,
        start: Pos::START,
        at_end: AtEnd::Stop,
        delivery: Delivery::Lossless,
        purpose,
        credit: Credit { bytes: 0, elements: 0 },
        ranges: Vec::new(),
        fingerprint: None,
        urgency: farlens_wire::Urgency::USUAL,
    };
    let path = RemotePath::new(path).expect("a path");
    guest.standard().find(&path, &open).await.map_err(|error| error.code())
}

async fn append(found: &Found, bytes: &'static [u8]) -> Result<Stored, Code> {
    let rules = Rules::new(found.mode, found.append_only, found.reach);
    let written = found.data.write_at(Pos::END, Chunk::Bytes(bytes.into()), &rules).await;
    written.map_err(|error| error.code())
}

fn memory() -> Vec<(&'static str, Publication)> {
    vec![("/mem", MemData::new(*b"abc").into())]
}

#[tokio::test]
async fn each_verb_gives_its_rights_and_no_other() {
    const USE: Purpose = Purpose::Use;
    let (gone, forbidden) = (Some(Code::NOT_FOUND), Some(Code::MODE_FORBIDS));
    for (grants, wanted, purpose, outcome) in [
        ("read /mem", READ, USE, None),
        ("read /mem", WRITE, USE, forbidden),
        ("read /mem", READ | WRITE, USE, forbidden),
        ("read /mem", READ, Purpose::Create, forbidden),
        ("write /mem", WRITE, USE, None),
        ("write /mem", WRITE, Purpose::Create, None),
        ("write /mem", READ, USE, gone),
        ("write /mem", READ | WRITE, USE, gone),
        ("append /mem", WRITE, USE, None),
        ("append /mem", WRITE, Purpose::Create, gone),
        ("append /mem", READ, USE, gone),
        ("read,append /mem", READ | WRITE, USE, None),
        ("read,append /mem", READ | WRITE, Purpose::Create, forbidden),
        ("read,append /mem", READ | WRITE, REPLACE, forbidden),
        ("truncate /mem", WRITE, USE, gone),
        ("read,truncate /mem", WRITE, USE, forbidden),
        ("read,write /mem", READ | WRITE, USE, None),
        ("read,write /mem", READ | WRITE, REPLACE, forbidden),
        ("write /other", WRITE, USE, gone),
        ("call,watch /mem", READ, USE, gone),
        ("read /mem", Flags::NONE, USE, Some(Code::USAGE)),
        ("read,write /mem", READ, REPLACE, Some(Code::USAGE)),
    ] {
        let guest = guest(grants, memory());
        let found = find(&guest, "/mem", wanted, purpose).await;
        let shown = format!("{grants}: {wanted}, {purpose:?}");
        assert_eq!(found.as_ref().err(), outcome.as_ref(), "{shown}");
        let Ok(found) = found else { continue };
        assert_eq!(found.mode.has(READ), wanted.has(READ), "{shown}");
        assert_eq!(found.mode.has(WRITE), wanted.has(WRITE), "{shown}");
    }
}

#[tokio::test]
async fn who_may_only_append_leaves_the_rest_alone() {
    let guest = guest("append /mem", memory());
    let found = find(&guest, "/mem", WRITE, Purpose::Use).await.expect("granted");
    assert!(found.append_only && !found.mode.has(Flags::CAN_MOVE_START));
    assert_eq!(append(&found, b"def").await.expect("room").at, Position::from(3));
    let rules = Rules::new(found.mode, found.append_only, found.reach);
    let inside = found.data.write_at(Pos::START, Chunk::Bytes("x".into()), &rules).await;
    assert_eq!(inside.expect_err("inside").code(), Code::MODE_FORBIDS);
    for edge in [farlens_wire::Edge::Before, farlens_wire::Edge::After] {
        let cut = found.data.truncate(edge, Pos::FromStart(1), &rules).await;
        assert_eq!(cut.expect_err("a cut").code(), Code::MODE_FORBIDS);
    }
}

#[tokio::test]
async fn a_forbidden_write_is_explained_to_readers_only() {
    let hint = |error: Error| error.hint().is_some();
    let guest = guest("read /mem; append /log", memory());
    let path = |text| RemotePath::new(text).expect("a path");
    let explained =
        guest.standard().judge(&path("/mem"), WRITE, Purpose::Use).err().expect("forbidden");
    assert_eq!(explained.message(), "you may read this, not write it");
    assert!(hint(explained));
    let hidden =
        guest.standard().judge(&path("/secret"), WRITE, Purpose::Use).err().expect("forbidden");
    let absent = guest.0.publications.open(&path("/secret"), WRITE, Purpose::Use).await;
    assert_eq!(hidden.to_string(), absent.err().expect("absent").to_string());
}

#[tokio::test]
async fn what_cannot_be_written_says_so_and_where_to_replace_nothing() {
    let published = vec![
        ("/fixed", FixedData::bytes(&b"abc"[..]).into()),
        ("/mem", MemData::new([]).into()),
        ("/read-mem", Streamer::new(MemData::new([])).into()),
    ];
    let guest = guest("read,write /**", published);
    for path in ["/fixed", "/read-mem"] {
        let refused = find(&guest, path, READ | WRITE, Purpose::Use).await;
        assert_eq!(refused.err(), Some(Code::MODE_FORBIDS), "{path}");
        assert!(find(&guest, path, READ, Purpose::Use).await.is_ok(), "{path}");
    }
    let path = RemotePath::new("/mem").expect("a path");
    let refused = guest.0.publications.open(&path, WRITE, REPLACE).await;
    let text = refused.err().expect("no file").to_string();
    assert!(text.contains("truncate it and write instead"), "{text}");
}

fn file(path: &Path) -> Vec<(&'static str, Publication)> {
    vec![("/file", FileData::read_write(path).create(true).into())]
}

#[tokio::test]
async fn a_file_is_used_created_and_replaced() {
    let folder = tempfile::tempdir().expect("temp dir");
    let path = folder.path().join("file");
    let guest = guest("read,write /**", file(&path));
    let open = |purpose| find(&guest, "/file", READ | WRITE, purpose);
    assert_eq!(open(Purpose::Use).await.err(), Some(Code::NOT_FOUND));
    let refused = open(Purpose::Replace { create: false }).await;
    assert_eq!(refused.err(), Some(Code::NOT_FOUND));
    let created = open(Purpose::Create).await.expect("allowed");
    assert!(created.mode.allows(Operation::Extend).is_ok());
    append(&created, b"one").await.expect("room");
    let replaced = open(REPLACE).await.expect("there");
    append(&replaced, b"two").await.expect("room");
    assert_eq!(fs::read(&path).expect("there"), b"one");
    replaced.data.sync(true).await.expect("in place");
    assert_eq!(fs::read(&path).expect("there"), b"two");
}

#[tokio::test]
async fn a_file_that_is_only_appended_to_is_not_replaced() {
    let folder = tempfile::tempdir().expect("temp dir");
    let path = folder.path().join("log");
    fs::write(&path, b"one").expect("space");
    let log = FileData::read_write(&path).append_only();
    let guest = guest("read,write /**", vec![("/log", log.into())]);
    let refused = find(&guest, "/log", WRITE, REPLACE).await;
    assert_eq!(refused.err(), Some(Code::MODE_FORBIDS));
    let found = find(&guest, "/log", WRITE, Purpose::Use).await.expect("granted");
    assert!(found.append_only && found.live);
}

#[tokio::test]
async fn a_writable_directory_takes_new_files_and_no_others() {
    let folder = tempfile::tempdir().expect("temp dir");
    fs::create_dir(folder.path().join("sub")).expect("space");
    fs::write(folder.path().join("sub/a"), b"a").expect("space");
    for writable in [false, true] {
        let directory = Directory::read_only(folder.path()).expect("there").writable(writable);
        let guest = guest("read,write /**", vec![("/dir", directory.into())]);
        let found = find(&guest, "/dir/sub/a", READ | WRITE, Purpose::Use).await;
        assert_eq!(found.err(), (!writable).then_some(Code::MODE_FORBIDS));
        for purpose in [Purpose::Create, REPLACE] {
            let found = find(&guest, "/dir/new", WRITE, purpose).await;
            assert_eq!(found.err(), (!writable).then_some(Code::MODE_FORBIDS), "{purpose:?}");
        }
        for path in ["/dir", "/dir/sub", "/dir/none/new", "/dir/.hidden"] {
            for purpose in [Purpose::Create, REPLACE] {
                let found = find(&guest, path, WRITE, purpose).await;
                assert!(found.is_err(), "{path}, {purpose:?}");
                let found = find(&guest, path, READ, Purpose::Create).await;
                assert_eq!(found.err(), Some(Code::NOT_FOUND), "{path}, {purpose:?}");
            }
        }
    }
    assert!(folder.path().join("new").exists());
    assert!(!folder.path().join("none").exists());
}

#[tokio::test]
async fn a_directory_that_is_only_appended_to_keeps_what_it_has_from_every_grant() {
    let folder = tempfile::tempdir().expect("temp dir");
    fs::write(folder.path().join("log"), b"one").expect("space");
    let directory = Directory::read_only(folder.path()).expect("there");
    let directory = directory.writable(true).append_only(true);
    let guest = guest("read,write /**", vec![("/dir", directory.into())]);
    let refused = find(&guest, "/dir/log", WRITE, REPLACE).await;
    assert_eq!(refused.err(), Some(Code::MODE_FORBIDS));
    for purpose in [Purpose::Use, Purpose::Create] {
        let found = find(&guest, "/dir/log", WRITE, purpose).await.expect("granted");
        assert!(found.append_only, "{purpose:?}");
        let new = find(&guest, "/dir/new", WRITE, purpose).await;
        assert_eq!(new.err(), Some(Code::NOT_FOUND), "{purpose:?}");
    }
    assert!(!folder.path().join("new").exists());
}

#[tokio::test]
async fn where_the_data_is_locked_there_is_one_writer_at_a_time() {
    let data = MemData::new(*b"abc");
    let flags = Streamer::new(data.clone()).writable().mode().expect("a mode").flags();
    let locked = Streamer::new(data).flags(flags | Flags::DATA_LOCK);
    let guest = guest("read,write /**", vec![("/mem", locked.into())]);
    let open = |wanted| find(&guest, "/mem", wanted, Purpose::Use);
    let first = open(READ | WRITE).await.expect("nobody writes");
    assert!(first.mode.has(Flags::DATA_LOCK));
    assert_eq!(open(WRITE).await.err(), Some(Code::BUSY));
    let reader = open(READ).await.expect("readers do not notice");
    assert!(!reader.mode.has(Flags::DATA_LOCK));
    append(&first, b"d").await.expect("room");
    drop(first);
    open(WRITE).await.expect("a writer that leaves frees the data");
}

#[tokio::test]
async fn what_fails_to_open_leaves_no_lock_behind() {
    let folder = tempfile::tempdir().expect("temp dir");
    let path = folder.path().join("file");
    let file = FileData::read_write(&path);
    let flags = Streamer::from(file.clone()).mode().expect("a mode").flags();
    let locked = Streamer::from(file).flags(flags | Flags::DATA_LOCK);
    let guest = guest("read,write /**", vec![("/file", locked.into())]);
    let open = || find(&guest, "/file", WRITE, Purpose::Use);
    assert_eq!(open().await.err(), Some(Code::NOT_FOUND));
    fs::write(&path, b"").expect("space");
    let first = open().await.expect("nobody writes");
    assert_eq!(open().await.err(), Some(Code::BUSY));
    drop(first);
}

#[tokio::test]
async fn the_publisher_bounds_what_is_written() {
    let reach = farlens_proto::Reach { end: Position::from(5), gap: 0 };
    let streamer = Streamer::from(FileData::read_write("absent")).reach(reach).sync_on_close(false);
    assert!(streamer.mode().expect("a mode").has(WRITE));
    let memory = Streamer::new(MemData::new(*b"abc")).writable().reach(reach).sync_on_close(false);
    let guest = guest("read,write /**", vec![("/mem", memory.into())]);
    let found = find(&guest, "/mem", WRITE, Purpose::Use).await.expect("granted");
    assert!(!found.sync_on_close);
    assert_eq!(append(&found, b"def").await.err(), Some(Code::TOO_LONG));
    append(&found, b"de").await.expect("it fits");
}

#[tokio::test]
async fn what_is_told_of_a_path_is_what_the_peer_may_do_there() {
    let folder = tempfile::tempdir().expect("temp dir");
    fs::write(folder.path().join("a"), b"a").expect("space");
    let published = || {
        let directory = Directory::read_only(folder.path()).expect("there").writable(true);
        vec![("/dir", directory.into()), ("/mem", MemData::new([]).into())]
    };
    for (grants, writable) in [("read /**", false), ("read,write /**", true)] {
        let guest = guest(grants, published());
        for path in ["/mem", "/dir/a"] {
            let at = RemotePath::new(path).expect("a path");
            let stat = guest.standard().stat(&at).await.expect("visible");
            let mode = stat.mode().expect("a stream");
            assert!(mode.has(READ) && mode.has(WRITE) == writable, "{grants}: {path} {mode}");
            let opened = find(&guest, path, READ, Purpose::Use).await.expect("granted").mode;
            assert_eq!(mode.limited_to(READ), Some(opened));
        }
    }
}

#[tokio::test]
async fn open_to_all_is_for_reading() {
    let mut host = Host { access: Access::new(None, true).expect("memory"), ..Host::default() };
    let path = RemotePath::new("/mem").expect("a path");
    host.publications.insert(&path, MemData::new([]).into()).expect("a fitting mode");
    let guest = Guest(host, KeyId::from_bytes([7; 32]));
    assert!(find(&guest, "/mem", READ, Purpose::Use).await.is_ok());
    let refused = find(&guest, "/mem", READ | WRITE, Purpose::Use).await;
    assert_eq!(refused.err(), Some(Code::MODE_FORBIDS));
}
