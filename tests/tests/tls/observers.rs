//! Observers that misbehave, and what they may rely on.

use crate::{House, guarded, inner, settled};
use bytes::Bytes;
use farlens::{
    AtEnd, Bounds, Change, Chunk, Code, Entity, Error, Flags, Kind, ModeOffer, Observation,
    OpenOptions, Pos, Position, Result, Server, Spool, StreamObserver, Streamer, StreamerData,
    data::{DataState, Fetched, ReadBudget},
};
use futures::StreamExt;
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    mpsc::sync_channel,
};
use tokio::io::AsyncReadExt;

/// Counts what it is told, and does something each time.
#[derive(Default)]
struct Counter {
    readable: AtomicUsize,
    moved: AtomicUsize,
    broken: AtomicUsize,
    terminal: AtomicUsize,
    last: Mutex<Option<Bounds>>,
    act: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Counter {
    fn act(&self) {
        if let Some(act) = self.act.get() {
            act();
        }
    }

    fn all(&self) -> usize {
        [&self.readable, &self.moved, &self.terminal].map(|n| n.load(Ordering::SeqCst)).iter().sum()
    }

    fn terminal(&self) -> usize {
        self.terminal.load(Ordering::SeqCst)
    }
}

impl StreamObserver for Counter {
    fn readable(&self) {
        self.readable.fetch_add(1, Ordering::SeqCst);
        self.act();
    }

    fn moved(&self, bounds: Bounds) {
        *self.last.lock().unwrap() = Some(bounds);
        self.moved.fetch_add(1, Ordering::SeqCst);
        self.act();
    }

    fn broken(&self, _: &Error) {
        self.broken.fetch_add(1, Ordering::SeqCst);
    }

    fn closed(&self) {
        self.terminal.fetch_add(1, Ordering::SeqCst);
        self.act();
    }

    fn failed(&self, _: &Error) {
        self.terminal.fetch_add(1, Ordering::SeqCst);
        self.act();
    }
}

fn follow() -> OpenOptions {
    OpenOptions::new().at_end(AtEnd::Follow)
}

#[tokio::test]
async fn h1_s13_each_arrival_is_told_also_after_everything_was_read() {
    let (mut writer, bytes) = Spool::bytes();
    let house = House::open(Server::builder().publish("/log", bytes)).await;
    let link = house.link().await;
    let mut stream = link.open_with("/log", follow()).await.unwrap();
    let counter = Arc::new(Counter::default());
    let observation = stream.observe(counter.clone());
    for n in 0..50u8 {
        let before = counter.readable.load(Ordering::SeqCst);
        writer.push(&[n]).unwrap();
        settled("it is told of the arrival", || counter.readable.load(Ordering::SeqCst) > before)
            .await;
        assert_eq!(guarded(stream.next_chunk()).await.unwrap().unwrap()[..], [n]);
    }
    assert!(counter.moved.load(Ordering::SeqCst) > 0);
    assert_eq!(counter.last.lock().unwrap().unwrap().len(), Some(50));
    drop(observation);
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn h6_s13_the_end_is_told_once() {
    for fails in [true, false] {
        let house = House::plain().await;
        let link = house.link().await;
        let stream = link.open("/data").await.unwrap();
        let counters: Vec<_> = (0..3).map(|_| Arc::new(Counter::default())).collect();
        let kept: Vec<_> = counters.iter().map(|counter| stream.observe(counter.clone())).collect();
        if fails {
            link.close();
        }
        drop(stream);
        settled("all are told", || counters.iter().all(|counter| counter.terminal() > 0)).await;
        drop(link);
        house.is_well().await;
        assert!(counters.iter().all(|counter| counter.terminal() == 1));
        drop(kept);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_s13_nothing_is_told_once_the_observation_is_dropped() {
    let (mut writer, bytes) = Spool::bytes();
    let house = House::open(Server::builder().publish("/log", bytes)).await;
    let link = house.link().await;
    let mut stream = link.open_with("/log", follow()).await.unwrap();
    for n in 0..300u32 {
        let counter = Arc::new(Counter::default());
        let observation = stream.observe(counter.clone());
        writer.push(&n.to_be_bytes()).unwrap();
        if n % 3 == 0 {
            settled("it is told", || counter.all() > 0).await;
        }
        drop(observation);
        let told = counter.all();
        writer.push(b"more").unwrap();
        guarded(stream.next_chunk()).await.unwrap();
        assert_eq!(counter.all(), told, "round {n}");
    }
    drop((stream, link));
    house.is_well().await;
}

#[tokio::test]
async fn h8_s13_a_panic_harms_nobody() {
    let (mut writer, bytes) = Spool::bytes();
    let house = House::open(Server::builder().publish("/log", bytes)).await;
    let link = house.link().await;
    let mut stream = link.open_with("/log", follow()).await.unwrap();
    let (bad, good) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
    assert!(bad.act.set(Box::new(|| std::panic::resume_unwind(Box::new("on purpose")))).is_ok());
    let kept = [stream.observe(bad.clone()), stream.observe(good.clone())];
    for n in 0..10u8 {
        writer.push(&[n]).unwrap();
        guarded(stream.next_chunk()).await.unwrap();
    }
    writer.finish();
    assert!(guarded(stream.next_chunk()).await.unwrap().is_none());
    drop(stream);
    settled("both are told of the end", || bad.terminal() + good.terminal() == 2).await;
    assert!(bad.all() > 1, "it is told again after a panic");
    drop((kept, link));
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h8_s13_an_observer_may_remove_itself_and_use_the_link() {
    let house = House::plain().await;
    let link = house.link().await;
    for _ in 0..200 {
        let stream = link.open("/data").await.unwrap();
        let counter = Arc::new(Counter::default());
        let own: Arc<Mutex<Option<Observation>>> = Arc::default();
        let dropped = Arc::new(AtomicBool::new(false));
        let (slot, flag, other) = (Arc::clone(&own), Arc::clone(&dropped), link.clone());
        let act = move || {
            let _ = other.stats();
            if let Some(observation) = slot.lock().unwrap().take() {
                drop(observation);
                flag.store(true, Ordering::SeqCst);
            }
        };
        assert!(counter.act.set(Box::new(act)).is_ok());
        {
            let mut slot = own.lock().unwrap();
            *slot = Some(stream.observe(counter.clone()));
        }
        settled("it has removed itself", || {
            // Told before it was put into its place, it is told again by the end.
            dropped.load(Ordering::SeqCst) || counter.all() > 0
        })
        .await;
        drop(stream);
        settled("it is gone", || own.lock().unwrap().is_none() || counter.terminal() == 1).await;
        own.lock().unwrap().take();
    }
    drop(link);
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_storm_reaches_a_slow_watcher_whole() {
    const PUSHES: u64 = 100_000;
    let (mut items, entities) = Spool::items();
    let (mut log, bytes) = Spool::bytes();
    let house =
        House::open(Server::builder().publish("/items", entities).publish("/log", bytes)).await;
    let link = house.link().await;
    let mut events = link.watch(["/items", "/log"]).await.unwrap();
    for _ in 0..2 {
        let event = guarded(events.next()).await.unwrap();
        assert!(matches!(event.change, Change::Opened { len: Some(0), .. }), "{event:?}");
    }
    let storm = tokio::task::spawn_blocking(move || {
        let mut body = Vec::new();
        for n in 0..PUSHES {
            body.clear();
            Entity::Int(n.into()).encode(&mut body).unwrap();
            items.push(&body).unwrap();
            log.push(b"x").unwrap();
        }
        items.finish();
        log.finish();
    });
    let (mut next, mut last, mut told, mut ended) = (0, 0, 0, 0);
    while ended < 2 {
        let event = guarded(events.next()).await.unwrap();
        match event.change {
            Change::Item { at, value } => {
                assert_eq!((at, value), (next, Entity::Int(next.into())));
                next += 1;
                if next % 1_000 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Change::Grew { len } => {
                assert!(len > last);
                (last, told) = (len, told + 1);
            }
            Change::Ended { len } => {
                assert_eq!(len, Some(PUSHES), "{}", event.path);
                ended += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    storm.await.unwrap();
    assert_eq!((next, last), (PUSHES, PUSHES), "every entity, and the last state");
    assert!(told <= PUSHES);
    drop((events, link));
    house.is_well().await;
}

/// Twenty bytes of which, as long as they are torn, those from ten on cannot be read.
struct Tape {
    torn: Arc<AtomicBool>,
}

impl StreamerData for Tape {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        let bounded = Flags::READABLE | Flags::START_BOUNDED | Flags::END_BOUNDED;
        ModeOffer { required: bounded, possible: Flags::SEEK }
    }

    async fn state(&self) -> Result<DataState> {
        let bounds = Bounds::up_to(Position::from(20));
        Ok(DataState { bounds, version: Bytes::new(), ended: true })
    }

    async fn read_at(&self, at: Position, _: ReadBudget) -> Result<Fetched> {
        let from = at.get().min(20) as usize;
        let torn = self.torn.load(Ordering::SeqCst);
        match &b"0123456789abcdefghij"[..if torn { 10 } else { 20 }].get(from..) {
            None | Some([]) if torn => Err(Error::new(Code::STORAGE_IO, "torn behind ten")),
            None | Some([]) => Ok(Fetched::Nothing),
            Some(rest) => Ok(Fetched::Some(Chunk::Bytes(Bytes::copy_from_slice(rest)))),
        }
    }
}

#[tokio::test]
async fn b16_h7_a_place_that_cannot_be_read_is_told_once_until_a_seek_mends_it() {
    let torn = Arc::new(AtomicBool::new(true));
    let tape = Streamer::new(Tape { torn: Arc::clone(&torn) });
    let house = House::open(Server::builder().publish("/tape", tape)).await;
    let link = house.link().await;
    let mut stream = link.open("/tape").await.unwrap();
    let counter = Arc::new(Counter::default());
    let observation = stream.observe(counter.clone());
    let broken = || counter.broken.load(Ordering::SeqCst);
    for round in 1..=3 {
        let mut all = Vec::new();
        let error = guarded(stream.read_to_end(&mut all)).await.unwrap_err();
        assert!(inner(&error).message().contains("torn behind ten"), "{error}");
        assert_eq!((&*all, inner(&error).code()), (&b"0123456789"[..], Code::STORAGE_IO));
        settled("it is told", || broken() >= round).await;
        for _ in 0..5 {
            assert_eq!(crate::code(guarded(stream.next_chunk()).await), Code::STORAGE_IO);
        }
        assert_eq!(broken(), round);
        torn.store(false, Ordering::SeqCst);
        // Nothing is left to read, so it is told of nothing but what comes behind the seek.
        let before = counter.readable.load(Ordering::SeqCst);
        guarded(stream.seek_to(Pos::START)).await.unwrap();
        settled("it can be read", || counter.readable.load(Ordering::SeqCst) > before).await;
        assert_eq!(guarded(stream.read_to_end(&mut all)).await.unwrap(), 20);
        torn.store(true, Ordering::SeqCst);
        guarded(stream.seek_to(Pos::START)).await.unwrap();
    }
    assert_eq!(counter.terminal(), 0, "the stream lives");
    drop((observation, stream, link));
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn h9_an_observer_that_blocks_keeps_no_other_stream_waiting() {
    let house = House::plain().await;
    let link = house.link().await;
    let watched = link.open("/data").await.unwrap();
    let (entered, inside) = sync_channel(1);
    let (leave, waits) = sync_channel::<()>(0);
    let waits = Mutex::new(waits);
    let counter = Arc::new(Counter::default());
    let act = move || {
        let _ = entered.try_send(());
        let _ = waits.lock().unwrap().recv();
    };
    assert!(counter.act.set(Box::new(act)).is_ok());
    let observation = watched.observe(counter);
    tokio::task::spawn_blocking(move || inside.recv()).await.unwrap().unwrap();
    for _ in 0..5 {
        let mut other = guarded(link.open("/data")).await.unwrap();
        assert_eq!(crate::drain(&mut other).await.0.len(), crate::LENGTH);
    }
    drop(leave);
    tokio::task::spawn_blocking(move || drop(observation)).await.unwrap();
    drop((watched, link));
    house.is_well().await;
}
