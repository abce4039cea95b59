//! Links over memory, streams that never leave the process, and time that stands still.
#![expect(missing_docs, reason = "the traits are those of tests")]

use farlens::{
    ByteStream, CallContext, Code, EntityStream, Flags, MemData, OpenOptions, Position,
    RemoteStreamer, Streamer,
    mem::{self, Pair},
    object::generated::Passed,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    sync::{Notify, Semaphore},
    time::Instant,
};

#[farlens::remote]
pub trait Sleeper {
    async fn sleep(&self) -> farlens::Result<()>;
    async fn left(&self) -> farlens::Result<u64>;
}

/// Sleeps for an hour, with a permit of the semaphore.
struct Hour {
    beds: Arc<Semaphore>,
    awake: Arc<Notify>,
}

struct Bed(Arc<Notify>);

impl Drop for Bed {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Sleeper for Hour {
    async fn sleep(&self) -> farlens::Result<()> {
        let _bed = (self.beds.acquire().await, Bed(Arc::clone(&self.awake)));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(())
    }

    async fn left(&self) -> farlens::Result<u64> {
        let deadline = CallContext::current().deadline();
        let left = deadline.map(|deadline| deadline.duration_since(Instant::now()));
        Ok(left.map_or(0, |left| left.as_millis() as u64))
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_200_ms_ends_a_call_of_a_sleeper_and_its_handler() {
    let (beds, awake) = (Arc::new(Semaphore::new(1)), Arc::new(Notify::new()));
    let hour = Hour { beds: Arc::clone(&beds), awake: Arc::clone(&awake) };
    let pair = Pair::builder().publish("/sleeper", SleeperRef::new(hour));
    let (near, far) = pair.link().await.unwrap();
    let sleeper: SleeperRef = near.object("/sleeper").await.unwrap();

    let (begin, timely) = (Instant::now(), sleeper.with_timeout(Duration::from_millis(200)));
    let error = timely.sleep().await.unwrap_err();
    let took = begin.elapsed().as_millis();
    assert_eq!(error.code(), Code::DEADLINE_EXCEEDED);
    assert!((170..=230).contains(&took), "{took} ms");

    awake.notified().await;
    assert!(begin.elapsed().as_millis() < 300, "the handler is dropped, too");
    assert_eq!(beds.available_permits(), 1);
    assert_eq!(near.stats().calls_out, 0);
    // An answer to a later call says that everything of the one before is over.
    assert_eq!(sleeper.left().await.unwrap(), 0);
    assert_eq!((near.stats().calls_out, far.stats().calls_in), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_reaches_the_handler() {
    let hour = Hour { beds: Arc::new(Semaphore::new(1)), awake: Arc::default() };
    let pair = Pair::builder().publish_near("/sleeper", SleeperRef::new(hour));
    let (_near, far) = pair.link().await.unwrap();
    let sleeper: SleeperRef = far.object("/sleeper").await.unwrap();
    let left = sleeper.with_timeout(Duration::from_millis(200)).left().await.unwrap();
    assert!((170..=200).contains(&left), "{left} ms");
}

#[tokio::test]
async fn two_links_end_together() {
    let (near, far) = mem::pair().await.unwrap();
    assert_ne!(near.peer(), far.peer());
    drop(near);
    assert_eq!(far.closed().await.code(), Code::LINK_CLOSED);
}

fn bytes(range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|n| (n * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn a_stream_that_never_left_is_read_sought_and_written() {
    let data = Streamer::new(MemData::new(bytes(0..10_000))).writable();
    let streamer = RemoteStreamer::new(data).unwrap();
    let mut stream = streamer.connect_with(OpenOptions::new().write(true)).await.unwrap();
    assert!(stream.mode().has(Flags::WRITABLE));
    stream.seek_to(Position::from(9_000)).await.unwrap();
    stream.write_at(Position::from(9_500), vec![7; 10]).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let expected = [bytes(9_000..9_500), vec![7; 10], bytes(9_510..10_000)].concat();
    assert_eq!(rest, expected);
    stream.close().await.unwrap();
}

#[tokio::test]
async fn entities_of_this_process_are_a_stream_as_any_other() {
    let mut numbers = EntityStream::from_iter(0..500u32).await.unwrap();
    assert_eq!(numbers.by_ref().take(3).try_collect::<Vec<_>>().await.unwrap(), [0, 1, 2]);
    assert_eq!(numbers.position(), Position::from(3));
    let failing = stream::iter([Ok(1u32), Err(farlens::Error::new(Code::BUSY, "no more"))]);
    let mut failing = EntityStream::from_stream(failing).await.unwrap();
    assert_eq!(failing.next().await.unwrap().unwrap(), 1);
    let error = failing.next().await.unwrap().unwrap_err();
    assert!(error.message().contains("no more"), "{error}");
    let wrong = EntityStream::<String>::of(farlens::IterData::new(0..5u32)).await;
    assert_eq!(wrong.unwrap_err().code(), Code::SCHEMA_MISMATCH);
}

#[tokio::test]
async fn what_is_passed_begins_where_it_stood_and_allows_no_more() {
    let data = Streamer::new(MemData::new(bytes(0..1_000))).writable();
    let mut stream = ByteStream::of(data).await.unwrap();
    stream.read_exact(&mut [0; 100]).await.unwrap();
    let passed = stream.pass().await.unwrap();
    let mut received = ByteStream::receive(passed).await.unwrap();
    assert!(!received.mode().has(Flags::WRITABLE), "it was open for reading only");
    let mut rest = Vec::new();
    received.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, bytes(100..1_000));
}

#[tokio::test]
async fn a_sequence_that_can_only_be_read_once_is_passed_without_a_loss() {
    let mut numbers = EntityStream::from_iter(0..500u32).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap(), 0);
    let passed = numbers.pass().await.unwrap();
    let received = EntityStream::<u32>::receive(passed).await.unwrap();
    let rest: Vec<u32> = received.try_collect().await.unwrap();
    assert_eq!(rest, (1..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_that_was_opened_by_its_path_is_passed_as_what_lies_there() {
    let data = MemData::new(bytes(0..1_000));
    let (near, far) = Pair::builder().publish("/data", data).link().await.unwrap();
    let stream = near.open_with("/data", OpenOptions::new().write(true)).await.unwrap();
    let passed = stream.pass().await.unwrap();
    let received = ByteStream::receive(passed).await.unwrap();
    received.write_at(Position::from(5), vec![1, 2]).await.unwrap();
    received.close().await.unwrap();
    assert_eq!(near.read_at("/data", 5..7).await.unwrap(), [1u8, 2][..]);
    while far.stats().exports > 0 {
        tokio::task::yield_now().await;
    }
}

#[farlens::remote]
pub trait Library {
    async fn length(&self, book: ByteStream) -> farlens::Result<u64>;
    async fn book(&self, from: u64) -> farlens::Result<ByteStream>;
    async fn numbers(&self, to: u32) -> farlens::Result<EntityStream<u32>>;
    async fn sum(&self, numbers: EntityStream<u32>, by: u32) -> farlens::Result<u64>;
    async fn stamp(&self, book: ByteStream) -> farlens::Result<()>;
    async fn lost(&self) -> farlens::Result<ByteStream>;
}

struct Shelf;

impl Library for Shelf {
    async fn length(&self, mut book: ByteStream) -> farlens::Result<u64> {
        let mut all = Vec::new();
        book.read_to_end(&mut all).await?;
        Ok(all.len() as u64)
    }

    async fn book(&self, from: u64) -> farlens::Result<ByteStream> {
        let data = farlens::FixedData::bytes(bytes(0..100_000));
        let mut book = ByteStream::of(Streamer::new(data)).await?;
        book.seek_to(Position::new(from).unwrap()).await?;
        Ok(book)
    }

    async fn numbers(&self, to: u32) -> farlens::Result<EntityStream<u32>> {
        EntityStream::from_iter(0..to).await
    }

    async fn sum(&self, mut numbers: EntityStream<u32>, by: u32) -> farlens::Result<u64> {
        let mut sum = 0;
        while let Some(number) = numbers.try_next().await? {
            sum += u64::from(number * by);
        }
        Ok(sum)
    }

    async fn stamp(&self, book: ByteStream) -> farlens::Result<()> {
        book.append(&b"stamp"[..]).await?;
        book.close().await
    }

    async fn lost(&self) -> farlens::Result<ByteStream> {
        Err(farlens::Error::new(Code::NOT_FOUND, "nobody knows where it is"))
    }
}

async fn library() -> (farlens::Link, farlens::Link, LibraryRef) {
    let data = MemData::new(bytes(0..1_000));
    let pair = Pair::builder().publish("/library", LibraryRef::new(Shelf)).publish("/data", data);
    let (near, far) = pair.link().await.unwrap();
    let library = near.object("/library").await.unwrap();
    (near, far, library)
}

async fn nothing_held(links: [&farlens::Link; 2]) {
    let held = |link: &farlens::Link| {
        let stats = link.stats();
        stats.exports + stats.imports + stats.consuming + stats.serving
    };
    let settle = async {
        while links.iter().any(|link| held(link) > 0) {
            tokio::task::yield_now().await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(10), settle).await;
    assert!(settled.is_ok(), "{:?}", links.map(farlens::Link::stats));
}

#[tokio::test]
async fn open_streams_are_parameters() {
    let (near, far, library) = library().await;
    let local = Streamer::new(farlens::FixedData::bytes(bytes(0..70_000)));
    let mut book = ByteStream::of(local).await.unwrap();
    book.read_exact(&mut [0; 10_000]).await.unwrap();
    assert_eq!(library.length(book).await.unwrap(), 60_000);
    let theirs = near.open("/data").await.unwrap();
    assert_eq!(library.length(theirs).await.unwrap(), 1_000, "it goes home");
    let numbers = EntityStream::from_iter(1..=100u32).await.unwrap();
    assert_eq!(library.sum(numbers, 2).await.unwrap(), 10_100);
    drop(library);
    nothing_held([&near, &far]).await;
}

#[tokio::test]
async fn open_streams_are_results() {
    let (near, far, library) = library().await;
    let mut book = library.book(40_000).await.unwrap();
    let mut all = Vec::new();
    book.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, bytes(40_000..100_000));
    book.seek_to(Position::from(50_000)).await.unwrap();
    let early = book.seek_to(Position::from(39_999)).await.unwrap_err();
    assert_eq!(early.code(), Code::OUT_OF_RANGE, "what lies before was not passed");
    let numbers: Vec<u32> = library.numbers(300).await.unwrap().try_collect().await.unwrap();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
    let lost = library.lost().await.unwrap_err();
    assert!(lost.message().contains("nobody knows"), "{lost}");
    drop((library, book));
    nothing_held([&near, &far]).await;
}

#[tokio::test]
async fn who_gets_an_open_stream_may_write_what_the_passer_could() {
    let (near, far, library) = library().await;
    let open =
        async |write| near.open_with("/data", OpenOptions::new().write(write)).await.unwrap();
    library.stamp(open(true).await).await.unwrap();
    assert_eq!(near.read_at("/data", 1_000..2_000).await.unwrap(), "stamp");
    let streamer = RemoteStreamer::new(Streamer::new(MemData::new(*b"mine")).writable()).unwrap();
    let error = library.stamp(streamer.connect().await.unwrap()).await.unwrap_err();
    assert_eq!(error.code(), Code::MODE_FORBIDS);
    drop((library, streamer));
    nothing_held([&near, &far]).await;
}

#[tokio::test]
async fn objects_of_this_process_take_and_give_open_streams() {
    let library = LibraryRef::new(Shelf);
    let book = library.book(99_000).await.unwrap();
    assert_eq!(library.length(book).await.unwrap(), 1_000);
    let numbers = library.numbers(10).await.unwrap();
    assert_eq!(library.sum(numbers, 1).await.unwrap(), 45);
}

#[tokio::test]
async fn a_file_of_a_directory_is_passed_as_any_other_stream() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    std::fs::write(folder.path().join("deep/file"), bytes(0..500)).unwrap();
    let files = farlens::Directory::read_only(folder.path()).unwrap();
    let pair = Pair::builder().publish("/library", LibraryRef::new(Shelf));
    let (near, far) = pair.publish("/files", files).link().await.unwrap();
    let library: LibraryRef = near.object("/library").await.unwrap();
    let file = near.open("/files/deep/file").await.unwrap();
    assert_eq!(library.length(file).await.unwrap(), 500);
    for missing in ["/files/deep", "/files/deep/other"] {
        assert_eq!(near.streamer(missing).await.unwrap_err().code(), Code::NOT_FOUND);
    }
    drop(library);
    nothing_held([&near, &far]).await;
}
