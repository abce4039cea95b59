//! Observers that misbehave, and what they may rely on.

use crate::{House, guarded, settled};
use farlens::{
    AtEnd, Bounds, Change, Entity, Error, Observation, OpenOptions, Server, Spool, StreamObserver,
};
use futures::StreamExt;
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Counts what it is told, and does something each time.
#[derive(Default)]
struct Counter {
    readable: AtomicUsize,
    moved: AtomicUsize,
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
async fn s13_each_arrival_is_told_also_after_everything_was_read() {
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
async fn s13_the_end_is_told_once() {
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
async fn s13_nothing_is_told_once_the_observation_is_dropped() {
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
async fn s13_a_panic_harms_nobody() {
    let (mut writer, bytes) = Spool::bytes();
    let house = House::open(Server::builder().publish("/log", bytes)).await;
    let link = house.link().await;
    let mut stream = link.open_with("/log", follow()).await.unwrap();
    let (bad, good) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
    assert!(bad.act.set(Box::new(|| std::panic::resume_unwind(Box::new("on purpose")))).is_ok());
    let kept = [stream.observe(bad.clone()), stream.observe(good.clone())];
    for n in 0..10u8 {
        let before = (bad.all(), good.all());
        writer.push(&[n]).unwrap();
        settled("both are told", || bad.all() > before.0 && good.all() > before.1).await;
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
async fn s13_an_observer_may_remove_itself_and_use_the_link() {
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
