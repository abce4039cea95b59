//! Observers over real TLS on loopback (group H of the behaviours): what they are told, how often,
//! and whom they harm when they panic, block or use what they observe.

use farlens::{
    AtEnd, Bounds, ByteStream, Chunk, Client, Code, Error, Flags, Identity, Kind, Link, ModeOffer,
    Observation, OpenOptions, Pos, Position, Rules, Server, ServerBuilder, Spool, StreamObserver,
    Streamer, StreamerData, Verb,
    data::{DataState, Fetched, ReadBudget, Stored},
};
use parking_lot::{Condvar, Mutex};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Semaphore,
};

/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn guarded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it ends")
}

async fn start(builder: ServerBuilder) -> (Server, Link) {
    let builder = builder.identity(Identity::generate().unwrap());
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let ticket = server.invite_to("/", &[Verb::Read, Verb::Write]).unwrap().to_string();
    let client = Client::builder().identity(Identity::generate().unwrap());
    let link = client.connect(&ticket).await.unwrap();
    (server, link)
}

async fn follow(link: &Link, path: &str) -> ByteStream {
    link.open_with(path, OpenOptions::new().at_end(AtEnd::Follow)).await.unwrap()
}

fn at(n: u64) -> Position {
    Position::new(n).unwrap()
}

/// What an observer was told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    readable: usize,
    writable: usize,
    moved: usize,
    ended: usize,
    broken: usize,
    closed: usize,
    failed: usize,
    bounds: Option<Bounds>,
}

impl Seen {
    const fn all(&self) -> usize {
        self.readable + self.writable + self.moved + self.ended + self.broken + self.over()
    }

    const fn over(&self) -> usize {
        self.closed + self.failed
    }
}

type Act = Box<dyn Fn() + Send + Sync>;

/// Notes what it is told, then does something.
#[derive(Default)]
struct Notes {
    seen: Mutex<Seen>,
    news: Condvar,
    act: Option<Act>,
}

impl Notes {
    fn plain() -> Arc<Self> {
        Arc::default()
    }

    fn acting(act: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { act: Some(Box::new(act)), ..Self::default() })
    }

    fn note(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.seen.lock());
        self.news.notify_all();
        self.act.iter().for_each(|act| act());
    }

    fn seen(&self) -> Seen {
        *self.seen.lock()
    }

    /// Waits for something to be told, without any thread of the runtime.
    async fn until(self: &Arc<Self>, what: &str, holds: impl Fn(&Seen) -> bool + Send + 'static) {
        let notes = Arc::clone(self);
        let waiting = tokio::task::spawn_blocking(move || {
            let mut seen = notes.seen.lock();
            while !holds(&seen) {
                if notes.news.wait_for(&mut seen, PATIENCE).timed_out() {
                    return Err(*seen);
                }
            }
            Ok(())
        });
        assert_eq!(waiting.await.unwrap(), Ok(()), "{what}");
    }
}

impl StreamObserver for Notes {
    fn readable(&self) {
        self.note(|seen| seen.readable += 1);
    }

    fn writable(&self) {
        self.note(|seen| seen.writable += 1);
    }

    fn moved(&self, bounds: Bounds) {
        self.note(|seen| {
            seen.moved += 1;
            seen.bounds = Some(bounds);
        });
    }

    fn ended(&self, _: Position) {
        self.note(|seen| seen.ended += 1);
    }

    fn broken(&self, _: &Error) {
        self.note(|seen| seen.broken += 1);
    }

    fn closed(&self) {
        self.note(|seen| seen.closed += 1);
    }

    fn failed(&self, _: &Error) {
        self.note(|seen| seen.failed += 1);
    }
}

/// A hundred bytes that cannot be read from the fiftieth on, and whose writes wait for permits.
struct Odd {
    permits: Arc<Semaphore>,
}

impl StreamerData for Odd {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        let bounded = Flags::START_BOUNDED | Flags::END_BOUNDED;
        ModeOffer { required: bounded, possible: Flags::READABLE | Flags::WRITABLE | Flags::SEEK }
    }

    async fn state(&self) -> farlens::Result<DataState> {
        let bounds = Bounds::up_to(at(1 << 30));
        Ok(DataState { bounds, version: "1".into(), ended: false })
    }

    async fn read_at(&self, at: Position, _: ReadBudget) -> farlens::Result<Fetched> {
        match at.get() {
            0..50 => Ok(Fetched::Some(Chunk::Bytes(vec![7; 50 - at.get() as usize].into()))),
            _ => Err(Error::new(Code::STORAGE_IO, "the disk has a scratch")),
        }
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, _: &Rules) -> farlens::Result<Stored> {
        self.permits.acquire().await.unwrap().forget();
        let Pos::Abs(at) = to else { return Err(Error::new(Code::USAGE, "a place")) };
        Ok(Stored { at, elements: chunk.elements() })
    }
}

fn odd(permits: &Arc<Semaphore>) -> Streamer {
    Streamer::new(Odd { permits: Arc::clone(permits) }).writable()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_readable_is_told_when_data_arrives_in_an_empty_buffer() {
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(Server::builder().publish("/log", bytes)).await;
    let (mut reader, _writer) = follow(&link, "/log").await.split();
    let notes = Notes::plain();
    let _kept = reader.observe(notes.clone());
    for n in 0..100u8 {
        let before = notes.seen().readable;
        writer.push(&[n]).unwrap();
        notes.until("it is told", move |seen| seen.readable > before).await;
        assert_eq!(guarded(reader.next_chunk()).await.unwrap().unwrap()[..], [n]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h4_writable_is_told_at_first_and_after_each_time_without_room() {
    let permits = Arc::new(Semaphore::new(0));
    let (_server, link) = start(Server::builder().publish("/odd", odd(&permits))).await;
    let write_only = OpenOptions::new().read(false).write(true);
    let (reader, mut writer) = link.open_with("/odd", write_only).await.unwrap().split();
    let (notes, other) = (Notes::plain(), Notes::plain());
    let _kept = (writer.observe(notes.clone()), reader.observe(other.clone()));
    notes.until("it is writable at first", |seen| seen.writable == 1).await;
    other.until("both halves are told", |seen| seen.writable == 1).await;
    for _ in 0..3 {
        while futures::poll!(std::pin::pin!(writer.write(&[3; 60_000]))).is_ready() {}
        let (before, others) = (notes.seen().writable, other.seen().writable);
        permits.add_permits(1 << 16);
        notes.until("there is room again", move |seen| seen.writable > before).await;
        other.until("both halves are told", move |seen| seen.writable > others).await;
        guarded(writer.flush()).await.unwrap();
        permits.forget_permits(usize::MAX >> 3);
    }
    assert_eq!(notes.seen().readable, 0);
    drop((reader, writer));
    notes.until("it is closed", |seen| seen.closed == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h4_what_is_only_read_is_never_writable() {
    let permits = Arc::new(Semaphore::new(0));
    let (_server, link) = start(Server::builder().publish("/odd", odd(&permits))).await;
    let stream = link.open("/odd").await.unwrap();
    let notes = Notes::plain();
    let _kept = stream.observe(notes.clone());
    notes.until("it is told of the rest", |seen| seen.broken == 1).await;
    assert_eq!(notes.seen().writable, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h6_a_stream_is_closed_once_or_failed_once() {
    let (_writer, bytes) = Spool::bytes();
    let (server, link) = start(Server::builder().publish("/log", bytes)).await;
    for _ in 0..50 {
        let stream = follow(&link, "/log").await;
        let notes = [Notes::plain(), Notes::plain()];
        let _kept = notes.each_ref().map(|notes| stream.observe(notes.clone()));
        guarded(stream.close()).await.unwrap();
        for notes in &notes {
            notes.until("it is closed", |seen| seen.closed == 1).await;
            assert_eq!(notes.seen().failed, 0);
        }
    }
    let stream = follow(&link, "/log").await;
    let notes = Notes::plain();
    let _kept = stream.observe(notes.clone());
    server.shutdown(Duration::ZERO).await;
    notes.until("it has failed", |seen| seen.failed == 1).await;
    let late = Notes::plain();
    let _late = stream.observe(late.clone());
    late.until("who comes late is told, too", |seen| seen.failed == 1).await;
    drop((stream, link));
    assert_eq!((notes.seen().over(), late.seen().over()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h7_broken_is_told_once_for_each_epoch() {
    let permits = Arc::new(Semaphore::new(0));
    let (_server, link) = start(Server::builder().publish("/odd", odd(&permits))).await;
    let mut stream = link.open("/odd").await.unwrap();
    let notes = Notes::plain();
    let _kept = stream.observe(notes.clone());
    for round in 1..10 {
        notes.until("it is broken", move |seen| seen.broken == round).await;
        let mut all = Vec::new();
        let error = guarded(stream.read_to_end(&mut all)).await.unwrap_err();
        assert_eq!(Error::from(error).code(), Code::STORAGE_IO);
        let to = if round % 2 == 0 { 40 } else { 60 };
        guarded(stream.seek_to(at(to))).await.unwrap();
    }
    notes.until("the last one, too", |seen| seen.broken == 10).await;
    drop(stream);
    notes.until("it is closed", |seen| seen.closed == 1).await;
    assert_eq!(notes.seen().broken, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_a_storm_is_joined_for_an_observer_that_sleeps_and_its_end_is_seen() {
    const CHANGES: u64 = 1_000_000;
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(Server::builder().publish("/log", bytes)).await;
    let stream = follow(&link, "/log").await;
    let sleepy = Notes::acting(|| std::thread::sleep(Duration::from_millis(30)));
    let awake = Notes::plain();
    let _kept = (stream.observe(sleepy.clone()), stream.observe(awake.clone()));
    tokio::task::spawn_blocking(move || {
        for _ in 0..CHANGES {
            writer.push(b"x").unwrap();
        }
        writer.finish();
    })
    .await
    .unwrap();
    let whole = |seen: &Seen| seen.bounds == Some(Bounds::up_to(at(CHANGES)));
    sleepy.until("the last state is seen", whole).await;
    awake.until("by the other, too", whole).await;
    assert!(sleepy.seen().all() < 10_000, "{:?}", sleepy.seen());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_observers_that_block_or_panic_harm_nobody() {
    let (mut writer, bytes) = Spool::bytes();
    let data = farlens::FixedData::bytes(vec![5; 1 << 20]);
    let (_server, link) =
        start(Server::builder().publish("/log", bytes).publish("/data", data)).await;
    let mut stream = follow(&link, "/log").await;
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let blocks = || {
        let gate = Arc::clone(&gate);
        Notes::acting(move || {
            let mut open = gate.0.lock();
            while !*open {
                gate.1.wait(&mut open);
            }
        })
    };
    let blocked: Vec<_> = (0..20).map(|_| blocks()).collect();
    let panics = Notes::acting(|| std::panic::resume_unwind(Box::new("on purpose")));
    let good = Notes::plain();
    let told = blocked.iter().chain([&panics, &good]);
    let kept: Vec<Observation> = told.map(|notes| stream.observe(notes.clone())).collect();
    for n in 0..20u8 {
        let before = good.seen().readable;
        writer.push(&[n]).unwrap();
        good.until("it is told beside the others", move |seen| seen.readable > before).await;
        assert_eq!(guarded(stream.next_chunk()).await.unwrap().unwrap()[..], [n]);
    }
    let mut all = Vec::new();
    guarded(link.open("/data").await.unwrap().read_to_end(&mut all)).await.unwrap();
    assert_eq!(all.len(), 1 << 20);
    guarded(stream.close()).await.unwrap();
    good.until("it is closed", |seen| seen.closed == 1).await;
    panics.until("after its panics", |seen| seen.closed == 1 && seen.all() > 1).await;
    *gate.0.lock() = true;
    gate.1.notify_all();
    for notes in &blocked {
        notes.until("those that were blocked are told of the end", |seen| seen.closed == 1).await;
        assert!(notes.seen().all() < 50, "joined while it was blocked");
    }
    drop(kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_observers_may_use_what_they_observe() {
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(Server::builder().publish("/log", bytes)).await;
    writer.push(b"0123456789").unwrap();
    for _ in 0..20 {
        let slot = Arc::new(Mutex::new(Some(follow(&link, "/log").await)));
        let own: Arc<Mutex<Option<Observation>>> = Arc::default();
        let inner = Notes::plain();
        let done = Arc::new(Semaphore::new(0));
        let act = {
            let (slot, own, inner, done) = (slot.clone(), own.clone(), inner.clone(), done.clone());
            move || {
                let Some(mut stream) = slot.lock().take() else { return };
                let registered = stream.observe(inner.clone());
                let runtime = tokio::runtime::Handle::current();
                let read = runtime.block_on(async {
                    stream.seek_to(at(5)).await?;
                    let mut two = [0; 2];
                    stream.read_exact(&mut two).await?;
                    Ok::<_, Error>(two)
                });
                assert_eq!(&read.unwrap(), b"56");
                drop(own.lock().take());
                drop(stream);
                std::mem::forget(registered);
                done.add_permits(1);
            }
        };
        let notes = Notes::acting(act);
        {
            let (mut place, held) = (own.lock(), slot.lock());
            *place = held.as_ref().map(|stream| stream.observe(notes.clone()));
        }
        guarded(done.acquire()).await.unwrap().forget();
        inner.until("the one that it registered hears of the end", |seen| seen.closed == 1).await;
        assert_eq!(notes.seen().over(), 0, "it had removed itself");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_nothing_is_told_once_the_removal_has_returned() {
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(Server::builder().publish("/log", bytes)).await;
    let mut stream = follow(&link, "/log").await;
    let good = Notes::plain();
    let _kept = stream.observe(good.clone());
    for n in 0..100u8 {
        let notes = Notes::acting(std::thread::yield_now);
        let observation = stream.observe(notes.clone());
        let before = good.seen().readable;
        writer.push(&[n]).unwrap();
        if n % 2 == 0 {
            notes.until("it is told", |seen| seen.all() > 0).await;
        }
        drop(observation);
        let told = notes.seen();
        good.until("another one is told", move |seen| seen.readable > before).await;
        guarded(stream.next_chunk()).await.unwrap();
        assert_eq!(notes.seen(), told, "round {n}");
    }
    drop(stream);
    good.until("it is closed", |seen| seen.closed == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_a_removal_waits_for_the_call_that_is_under_way() {
    let (mut writer, bytes) = Spool::bytes();
    let (_server, link) = start(Server::builder().publish("/log", bytes)).await;
    let stream = follow(&link, "/log").await;
    let (go, wait) = std::sync::mpsc::sync_channel::<()>(0);
    let (wait, left) = (Mutex::new(wait), Arc::new(Mutex::new(false)));
    let leaves = Arc::clone(&left);
    let notes = Notes::acting(move || {
        let _ = wait.lock().recv();
        *leaves.lock() = true;
    });
    let observation = stream.observe(notes.clone());
    writer.push(b"x").unwrap();
    notes.until("it is called", |seen| seen.all() > 0).await;
    let removal = tokio::task::spawn_blocking(move || {
        drop(observation);
        *left.lock()
    });
    drop(go);
    assert!(guarded(removal).await.unwrap(), "the call had ended");
}
