//! How streams are closed over real TLS on loopback (group I of the behaviours): a close that has
//! returned was confirmed, and nothing is left.

use farlens::{
    Bounds, Chunk, Client, Code, Entity, EntityStream, Error, Flags, Identity, IterData, Kind,
    Link, MemData, ModeOffer, OpenOptions, Pos, Position, Rules, Server, ServerBuilder, Streamer,
    StreamerData, Verb,
    data::{DataState, Fetched, ReadBudget, Stored},
};
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn start(builder: ServerBuilder) -> (Server, Link) {
    let builder = builder.identity(Identity::generate().unwrap());
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let ticket = server.invite_to("/", &[Verb::Read, Verb::Write]).unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    let link = client.connect(&ticket).await.unwrap();
    (server, link)
}

async fn guarded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("it ends")
}

const EDIT: OpenOptions = OpenOptions::new().write(true);

/// A sequence of one writer at a time, whose reads never end.
struct Locked {
    kind: Kind,
    stored: Arc<Mutex<Vec<Chunk>>>,
}

impl StreamerData for Locked {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn offers(&self) -> ModeOffer {
        ModeOffer {
            required: Flags::START_BOUNDED | Flags::END_BOUNDED | Flags::READABLE | Flags::WRITABLE,
            possible: Flags::SEEK | Flags::DATA_LOCK,
        }
    }

    async fn state(&self) -> farlens::Result<DataState> {
        let bounds = Bounds::up_to(Position::new(1 << 20).unwrap());
        Ok(DataState { bounds, version: "1".into(), ended: false })
    }

    async fn read_at(&self, _: Position, _: ReadBudget) -> farlens::Result<Fetched> {
        std::future::pending().await
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, _: &Rules) -> farlens::Result<Stored> {
        tokio::task::yield_now().await;
        let Pos::Abs(at) = to else { panic!("a place") };
        let elements = chunk.elements();
        self.stored.lock().push(chunk);
        Ok(Stored { at, elements })
    }
}

fn locked(kind: Kind) -> (Streamer, Arc<Mutex<Vec<Chunk>>>) {
    let data = Locked { kind, stored: Arc::default() };
    let stored = Arc::clone(&data.stored);
    let flags = Flags::START_BOUNDED | Flags::END_BOUNDED | Flags::READABLE | Flags::WRITABLE;
    (Streamer::new(data).flags(flags | Flags::SEEK | Flags::DATA_LOCK), stored)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_a_close_that_has_returned_gave_the_lock_back_whatever_is_being_read() {
    let (streamer, _) = locked(Kind::Bytes);
    let (_server, link) = start(Server::builder().publish("/locked", streamer)).await;
    for _ in 0..300 {
        let mut file = link.open_with("/locked", EDIT).await.expect("the lock is free");
        let reading = file.read_at(0..10);
        assert!(futures::poll!(std::pin::pin!(reading)).is_pending());
        file.write_all(b"x").await.unwrap();
        guarded(file.close()).await.unwrap();
        assert_eq!(link.stats().consuming, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_the_data_of_a_stream_is_dropped_once() {
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&opened);
    let guard = Count(counted);
    let numbers = IterData::encoded(move |out| {
        let _ = &guard;
        Some(Entity::Int(7.into()).encode(out).map_err(|_| Error::new(Code::INTERNAL, "unfit")))
    });
    let (_server, link) = start(Server::builder().publish("/numbers", numbers)).await;
    let mut stream = link.entities::<Entity>("/numbers").await.unwrap();
    assert_eq!(guarded(stream.next()).await.unwrap().unwrap(), Entity::Int(7.into()));
    guarded(stream.close()).await.unwrap();
    let again = link.entities::<Entity>("/numbers").await.unwrap_err();
    assert_eq!(again.code(), Code::CLOSED, "it is busy no more");
    drop(link);
    while opened.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(opened.load(Ordering::SeqCst), 1);
}

struct Count(Arc<AtomicUsize>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_close_with_everything_in_flight_is_confirmed() {
    let (_server, link) =
        start(Server::builder().publish("/m", MemData::new(vec![3; 4 << 20]))).await;
    for round in 0..50u64 {
        let mut file = link.open_with("/m", EDIT).await.unwrap();
        let mut some = vec![0; 10_000];
        file.read_exact(&mut some).await.unwrap();
        file.write_all(&vec![round as u8; 100_000]).await.unwrap();
        {
            let seek = std::pin::pin!(file.seek_to(Pos::END));
            let _ = futures::poll!(seek);
        }
        let range = file.read_at(..1 << 20);
        let _ = futures::poll!(std::pin::pin!(range));
        guarded(file.close()).await.unwrap();
        assert_eq!((link.stats().consuming, link.stats().granted_bytes), (0, 0));
        let bytes = link.open("/m").await.unwrap().read_at(10_000..110_000).await.unwrap();
        assert!(bytes.iter().all(|&byte| byte == round as u8), "what was written is stored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_a_drop_closes_too() {
    let (_server, link) = start(Server::builder().publish("/m", MemData::new(vec![3; 100]))).await;
    let (reader, writer) = link.open_with("/m", EDIT).await.unwrap().split();
    drop(reader);
    assert_eq!(link.stats().consuming, 1, "one half keeps it");
    drop(writer);
    // It is confirmed once the task that follows the data is gone, which may take a moment.
    let closed = async {
        while link.stats().consuming > 0 {
            link.open("/m").await.unwrap().close().await.unwrap();
        }
    };
    guarded(closed).await;
}

/// On one thread, so that nothing is answered while it opens.
#[tokio::test]
async fn i6_an_open_that_is_given_up_leaves_nothing() {
    let (streamer, _) = locked(Kind::Bytes);
    let builder = Server::builder().publish("/m", MemData::new(vec![3; 100]));
    let (_server, link) = start(builder.publish("/locked", streamer)).await;
    for path in ["/m", "/locked", "/none"] {
        for _ in 0..20 {
            let opening = std::pin::pin!(link.open_with(path, EDIT));
            let opened = futures::poll!(opening);
            assert!(opened.is_pending(), "{opened:?}");
        }
    }
    while link.stats().consuming > 0 {
        link.stat("/m").await.unwrap();
    }
    assert_eq!(link.stats().granted_bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i10_a_close_after_the_end_of_the_stream_or_the_link_returns() {
    let (server, link) = start(Server::builder().publish("/m", MemData::new(vec![3; 100]))).await;
    let (idle, mut written) =
        (link.open("/m").await.unwrap(), link.open_with("/m", EDIT).await.unwrap());
    written.write_all(b"x").await.unwrap();
    written.flush().await.unwrap();
    written.shutdown().await.unwrap();
    server.shutdown(Duration::ZERO).await;
    link.closed().await;
    guarded(idle.close()).await.unwrap();
    guarded(written.close()).await.expect("all was stored before");
    assert_eq!(link.stats().consuming, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_of_a_link_ends_the_close_of_a_stream() {
    let (streamer, _) = locked(Kind::Bytes);
    let (_server, link) = start(Server::builder().publish("/locked", streamer)).await;
    let mut file = link.open_with("/locked", EDIT).await.unwrap();
    file.write_all(b"x").await.unwrap();
    let closing = tokio::spawn(file.close());
    tokio::task::yield_now().await;
    link.close();
    let _ = guarded(closing).await.unwrap();
    assert_eq!(link.stats().consuming, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequence_that_is_closed_is_stored_whole() {
    let (streamer, stored) = locked(Kind::Items);
    let (_server, link) = start(Server::builder().publish("/items", streamer)).await;
    for _ in 0..20 {
        let mut items: EntityStream<Entity> = link.entities_with("/items", EDIT).await.unwrap();
        for n in 0..3_000u64 {
            items.feed(Entity::Int(n.into())).await.unwrap();
        }
        guarded(items.sync()).await.unwrap();
        items.feed(Entity::Null).await.unwrap();
        guarded(items.close()).await.unwrap();
        let count: u64 = stored.lock().drain(..).map(|chunk| chunk.elements()).sum();
        assert_eq!(count, 3_001);
    }
}
