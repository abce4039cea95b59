//! Sources that fail, panic, block, never end or change under their readers.

use crate::{House, code, drain, guarded, settled};
use bytes::Bytes;
use farlens::{
    AtEnd, Bounds, Chunk, Code, Entity, Error, FileData, IterData, Kind, ModeOffer, OpenOptions,
    Position, Result, Server, Streamer, StreamerData,
    data::{DataState, Fetched, ReadBudget},
};
use farlens_tests::pattern;
use farlens_wire::Flags;
use futures::StreamExt;
use std::{
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    },
};

/// Says when it is dropped.
struct Alive(Arc<AtomicBool>);

impl Alive {
    fn new() -> (Self, impl Fn() -> bool) {
        let alive = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&alive);
        (Self(alive), move || seen.load(Ordering::SeqCst))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

fn number(out: &mut Vec<u8>, n: u64) -> Result<()> {
    Entity::Int(n.into()).encode(out).map_err(|_| Error::new(Code::INTERNAL, "unfit"))
}

/// Numbers from zero on, until `stop` says how it goes on at its number.
fn counting(
    stop: u64,
    mut then: impl FnMut() -> Option<Result<()>> + Send + 'static,
) -> (IterData, impl Fn() -> bool) {
    let (guard, alive) = Alive::new();
    let mut n = 0;
    let data = IterData::encoded(move |out| {
        let _ = &guard;
        if n == stop {
            return then();
        }
        n += 1;
        Some(number(out, n - 1))
    });
    (data, alive)
}

/// Reads numbers until the end or a failure.
async fn numbers(house: &House, path: &str) -> (u64, Option<Code>) {
    let link = house.link().await;
    let mut stream = guarded(link.entities::<Entity>(path)).await.unwrap();
    let mut count: u64 = 0;
    loop {
        match guarded(stream.next()).await {
            Some(Ok(entity)) => assert_eq!(entity, Entity::Int(count.into())),
            Some(Err(error)) => return (count, Some(error.code())),
            None => return (count, None),
        }
        count += 1;
    }
}

#[tokio::test]
async fn s11_an_iterator_fails_after_what_it_gave() {
    let (panics, first) = counting(500, || std::panic::resume_unwind(Box::new("on purpose")));
    let (fails, second) = counting(500, || Some(Err(Error::new(Code::STORAGE_IO, "tape torn"))));
    let (ends, third) = counting(500, || None);
    let builder = Server::builder()
        .publish("/panics", panics)
        .publish("/fails", fails)
        .publish("/ends", ends);
    let house = House::open(builder).await;
    assert_eq!(numbers(&house, "/panics").await, (500, Some(Code::INTERNAL)));
    assert_eq!(numbers(&house, "/fails").await, (500, Some(Code::SOURCE_FAILED)));
    assert_eq!(numbers(&house, "/ends").await, (500, None));
    settled("the iterators are dropped", || !first() && !second() && !third()).await;
    house.is_well().await;
}

#[tokio::test]
async fn s11_one_that_never_ends_is_dropped_with_its_reader() {
    let (endless, alive) = counting(u64::MAX, || None);
    let house = House::open(Server::builder().publish("/endless", endless)).await;
    let link = house.link().await;
    let mut stream = link.entities::<Entity>("/endless").await.unwrap();
    for n in 0..10_000u64 {
        assert_eq!(guarded(stream.next()).await.unwrap().unwrap(), Entity::Int(n.into()));
    }
    let other = house.link().await;
    let busy = guarded(other.entities::<Entity>("/endless")).await;
    assert_eq!(code(busy), Code::BUSY);
    assert!(alive());
    drop(stream);
    settled("the iterator is dropped", || !alive()).await;
    let gone = guarded(other.entities::<Entity>("/endless")).await;
    assert_eq!(code(gone), Code::CLOSED);
    drop((link, other));
    house.is_well().await;
}

#[tokio::test]
async fn s11_one_that_blocks_keeps_nobody_else_waiting() {
    let (give, take) = sync_channel::<u64>(1);
    let (guard, alive) = Alive::new();
    let slow = IterData::encoded(move |out| {
        let _ = &guard;
        take.recv().ok().map(|n| number(out, n))
    });
    let house = House::open(Server::builder().publish("/slow", slow)).await;
    let link = house.link().await;
    let mut stream = link.entities::<Entity>("/slow").await.unwrap();
    for n in 0..20u64 {
        let waiting = tokio::spawn(async move {
            let next = stream.next().await;
            (next, stream)
        });
        let mut beside = guarded(link.open("/data")).await.unwrap();
        assert!(drain(&mut beside).await.1.is_ok());
        give.send(n).unwrap();
        let (next, back) = guarded(waiting).await.unwrap();
        assert_eq!(next.unwrap().unwrap(), Entity::Int(n.into()));
        stream = back;
    }
    drop((stream, link));
    house.is_well().await;
    // The call that was running when the reader left is the last one.
    let _ = give.send(20);
    settled("the iterator is dropped", || !alive()).await;
}

#[tokio::test]
async fn many_sources_that_have_nothing_yet_keep_nobody_else_waiting() {
    let mut builder = Server::builder();
    let mut publishers = Vec::new();
    for n in 0..20 {
        let (publisher, channel) = farlens::data::channel::<u64>(8);
        publishers.push(publisher);
        builder = builder.publish(&format!("/{n}"), channel);
    }
    let house = House::open(builder).await;
    let link = house.link().await;
    let mut waiting = Vec::new();
    for n in 0..20 {
        waiting.push(guarded(link.entities::<u64>(&format!("/{n}"))).await.unwrap());
    }
    let mut beside = guarded(link.open("/data")).await.unwrap();
    let (all, outcome) = drain(&mut beside).await;
    assert!(outcome.is_ok());
    assert_eq!(all.len(), crate::LENGTH);
    for (n, (publisher, stream)) in (0..).zip(publishers.iter().zip(&mut waiting)) {
        publisher.try_send(n).unwrap();
        assert_eq!(guarded(stream.next()).await.unwrap().unwrap(), n);
    }
    drop((waiting, beside, link));
    house.is_well().await;
}

/// Bytes that panic where they are told to.
struct Rotten(&'static str);

impl Rotten {
    fn check(&self, place: &str) {
        if self.0 == place {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
}

impl Drop for Rotten {
    fn drop(&mut self) {
        self.check("drop");
    }
}

impl StreamerData for Rotten {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        let bounded = Flags::READABLE | Flags::START_BOUNDED | Flags::END_BOUNDED;
        ModeOffer { required: bounded | Flags::END_CAN_INC, possible: Flags::SEEK }
    }

    async fn state(&self) -> Result<DataState> {
        self.check("state");
        let bounds = Bounds::up_to(Position::new(4).unwrap());
        Ok(DataState { bounds, version: Bytes::new(), ended: false })
    }

    async fn read_at(&self, at: Position, _: ReadBudget) -> Result<Fetched> {
        self.check("read_at");
        let rest = Bytes::from_static(b"1234").slice(at.get().min(4) as usize..);
        Ok(if rest.is_empty() { Fetched::Nothing } else { Fetched::Some(Chunk::Bytes(rest)) })
    }

    fn read_now(&self, _: Position, _: ReadBudget) -> Option<Result<Fetched>> {
        self.check("read_now");
        None
    }

    async fn changed(&self, _: DataState) -> DataState {
        self.check("changed");
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_panic_inside_data_fails_its_stream_alone() {
    for place in ["state", "read_at", "read_now", "changed"] {
        let house =
            House::open(Server::builder().publish("/rotten", Streamer::new(Rotten(place)))).await;
        let link = house.link().await;
        let options = OpenOptions::new().at_end(AtEnd::Follow);
        let outcome = match guarded(link.open_with("/rotten", options)).await {
            Ok(mut stream) => drain(&mut stream).await.1,
            Err(error) => Err(error),
        };
        assert_eq!(code(outcome), Code::INTERNAL, "{place}");
        assert!(guarded(link.stat("/data")).await.is_ok(), "{place}");
        drop(link);
        house.is_well().await;
    }
}

#[tokio::test]
async fn a_panic_while_a_server_leaves_keeps_it_from_nothing() {
    for place in ["drop", ""] {
        let house =
            House::open(Server::builder().publish("/rotten", Streamer::new(Rotten(place)))).await;
        let link = house.link().await;
        let options = OpenOptions::new().at_end(AtEnd::Follow);
        let mut stream = guarded(link.open_with("/rotten", options)).await.unwrap();
        assert_eq!(guarded(stream.next_chunk()).await.unwrap().unwrap()[..], *b"1234");
        guarded(house.server.shutdown(crate::SECOND)).await;
        assert_eq!(code(guarded(stream.next_chunk()).await), Code::GOING_AWAY, "{place}");
        settled("no link is left", || house.server.link_count() == 0).await;
        // Where the last owner of such data is this thread, its panic is this thread's.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(house)));
    }
}

const FILE: usize = 4 << 20;

/// A file of the pattern, in a folder that goes away with it.
fn file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, pattern::bytes(9, 0, FILE)).unwrap();
    (folder, path)
}

async fn serving(path: &Path, follow: bool) -> House {
    House::open(Server::builder().publish("/file", FileData::read_only(path).follow(follow))).await
}

/// Reads the beginning, does something to the file, and reads the rest.
async fn read_while(house: &House, follow: bool, change: impl FnOnce()) -> (Vec<u8>, Result<()>) {
    let link = house.link().await;
    let at_end = if follow { AtEnd::Follow } else { AtEnd::Stop };
    let mut stream = link.open_with("/file", OpenOptions::new().at_end(at_end)).await.unwrap();
    let mut all = guarded(stream.next_chunk()).await.unwrap().unwrap().to_vec();
    change();
    let (rest, outcome) = drain(&mut stream).await;
    all.extend(rest);
    (all, outcome)
}

#[tokio::test]
async fn d7_a_file_that_is_cut_is_truncated_and_not_at_its_end() {
    for follow in [false, true] {
        for length in [0, 100, FILE as u64 - 1] {
            let (_folder, path) = file();
            let house = serving(&path, follow).await;
            let cut = || {
                let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(length).unwrap();
            };
            let (got, outcome) = read_while(&house, follow, cut).await;
            let code = code(outcome);
            assert!(
                matches!(code, Code::TRUNCATED | Code::OUT_OF_RANGE | Code::DATA_CHANGED),
                "{length} {follow}: {code}"
            );
            assert_eq!(pattern::first_wrong_byte(9, 0, &got), None);
            assert!(got.len() < FILE);
            house.is_well().await;
        }
    }
}

#[tokio::test]
async fn d7_d8_an_opened_file_stays_what_it_was() {
    let (folder, path) = file();
    let house = serving(&path, false).await;
    let (got, outcome) = read_while(&house, false, || {
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"more").unwrap();
    })
    .await;
    assert!(outcome.is_ok());
    assert_eq!((got.len(), pattern::first_wrong_byte(9, 0, &got)), (FILE, None));

    let other = folder.path().join("other");
    std::fs::write(&other, b"another").unwrap();
    let (got, outcome) =
        read_while(&house, false, || std::fs::rename(&other, &path).unwrap()).await;
    assert!(outcome.is_ok());
    assert_eq!((got.len(), pattern::first_wrong_byte(9, 0, &got[..FILE])), (FILE + 4, None));
    let (got, _) = read_while(&house, false, || ()).await;
    assert_eq!(got, b"another", "a new stream opens the new file");

    let (got, outcome) = read_while(&house, false, || std::fs::remove_file(&path).unwrap()).await;
    assert!(outcome.is_ok());
    assert_eq!(got, b"another");
    let link = house.link().await;
    assert_eq!(code(link.open("/file").await), Code::NOT_FOUND);
    drop(link);
    house.is_well().await;
}
