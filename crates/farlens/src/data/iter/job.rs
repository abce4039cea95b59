//! Who pulls: a thread of its own where the source may block, else the read that waits.

use super::recent::{Leash, Recent};
use super::source::{Source, contained, discard};
use super::store::{Amount, Store};
use crate::data::ended::Ended;
use farlens_proto::BatchBuilder;
use farlens_wire::{Code, Reference, varint};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::Notify};

/// Entities that a source gives before others have their turn, where it is polled.
const TURN: usize = 256;
/// What is collected without the lock. Much shorter than a batch of the link, which has room for it
/// behind what is worth sending.
const RUN_BYTES: usize = 3 << 10;
/// How long a thread that has pulled what was asked for waits for more: starting one takes longer
/// than waking it.
const REST: Duration = Duration::from_millis(10);

/// A source that one stream has taken.
pub(super) struct Shared {
    pub(super) store: Mutex<Store>,
    recent: Arc<Recent>,
    leash: Arc<Leash>,
    /// Told when a read that waits should look again.
    pub(super) news: Notify,
    /// Told when a thread that rests should look again.
    more: Condvar,
    /// Whether the source is polled.
    pub(super) polled: bool,
}

/// Where a source puts its entities: they go to the store a run at a time, and can be read at once
/// while the source blocks.
pub(super) struct Sink {
    shared: Arc<Shared>,
    body: Vec<u8>,
    table: Vec<Reference>,
    run: BatchBuilder,
    /// All that was pulled, with the run.
    made: Amount,
    /// How many more it takes.
    rest: usize,
}

impl Sink {
    fn new(shared: &Arc<Shared>, rest: usize) -> Self {
        let (shared, made) = (Arc::clone(shared), shared.store.lock().made());
        let (body, table) = (Vec::new(), Vec::new());
        Self { shared, body, table, run: BatchBuilder::default(), made, rest }
    }

    /// Where the next entity goes: its encoding, and what its references point at.
    #[inline]
    pub(super) fn entity(&mut self) -> (&mut Vec<u8>, &mut Vec<Reference>) {
        self.body.clear();
        self.table.clear();
        (&mut self.body, &mut self.table)
    }

    /// Keeps that entity; says whether another one is wanted.
    #[inline]
    pub(super) fn keep(&mut self) -> bool {
        self.rest -= 1;
        let length = varint::len(self.body.len() as u64) + self.body.len();
        let from = self.run.encoded_len();
        if from + length > RUN_BYTES || !self.table.is_empty() {
            return self.hand_in_all();
        }
        self.run.push(&self.body);
        self.shared.recent.show(self.run.encoded(), from);
        self.made.bytes += length as u64;
        self.made.elements += 1;
        let is_far = self.shared.leash.ends_at(self.made.bytes, self.made.elements);
        if is_far || self.rest == 0 { self.hand_in(|_| ()) } else { true }
    }

    /// Hands in the run, and the entity that has no room in it.
    fn hand_in_all(&mut self) -> bool {
        let (body, mut table) = (std::mem::take(&mut self.body), std::mem::take(&mut self.table));
        let goes_on = self.hand_in(|store| store.keep(&body, &mut table));
        (self.body, self.table) = (body, table);
        goes_on
    }

    /// Hands in the run and what `add` puts behind it; says whether another entity is wanted.
    fn hand_in(&mut self, add: impl FnOnce(&mut Store)) -> bool {
        let mut store = self.shared.store.lock();
        store.take_in(&mut self.run);
        add(&mut store);
        self.made = store.made();
        let goes_on = store.wants() && self.rest > 0;
        let awaited = store.take_awaited();
        drop(store);
        if awaited {
            self.shared.news.notify_waiters();
        }
        goes_on
    }
}

impl Drop for Sink {
    /// Whatever ended the source, what it gave before is kept.
    fn drop(&mut self) {
        self.hand_in(|_| ());
    }
}

impl Shared {
    pub(super) fn new(polled: bool) -> Self {
        // Who polls hands in what it has before it waits.
        let recent = Arc::new(Recent::new(if polled { 0 } else { RUN_BYTES }));
        let leash = Arc::new(Leash::default());
        let store = Mutex::new(Store::new(Arc::clone(&recent), Arc::clone(&leash)));
        Self { store, recent, leash, news: Notify::new(), more: Condvar::new(), polled }
    }

    /// Has a thread pull what was asked for, unless one does.
    pub(super) fn start_job(self: &Arc<Self>, mut store: MutexGuard<'_, Store>) {
        if store.rests() {
            return self.go_on(store);
        }
        let Some(source) = store.source.take() else { return };
        drop(store);
        let shared = Arc::clone(self);
        let job = move || shared.pull(source);
        // A thread of its own, so that one that never returns keeps no runtime from ending.
        let started = std::thread::Builder::new().name("farlens-iter".into()).spawn(job);
        if started.is_err() {
            let text = "no thread can be started".to_owned();
            self.store.lock().end = Some(Ended::Failed(Code::OVERLOADED, text));
            self.news.notify_waiters();
        }
    }

    /// Wakes a thread that rests, if there is something for it to do.
    pub(super) fn go_on(&self, mut store: MutexGuard<'_, Store>) {
        let woken = store.wants() && store.end_rest();
        drop(store);
        if woken {
            self.more.notify_one();
        }
    }

    fn pull(self: &Arc<Self>, mut source: Source) {
        loop {
            let mut end = None;
            if let Source::Blocking(run) = &mut source {
                let mut sink = Sink::new(self, usize::MAX);
                end = contained(|| run(&mut sink)).unwrap_or_else(Some);
            }
            if end.is_some() || !self.rest() {
                return self.put_back(source, end);
            }
        }
    }

    /// Waits a while until more is asked for; says whether it was.
    fn rest(&self) -> bool {
        self.store.lock().begin_rest();
        self.news.notify_waiters();
        let until = Instant::now() + REST;
        let mut store = self.store.lock();
        while store.rests() && !self.more.wait_until(&mut store, until).timed_out() {}
        store.end_rest();
        store.wants()
    }

    /// Pulls what was asked for until `enough` bytes of it are there.
    pub(super) fn poll_pull(self: &Arc<Self>, cx: &mut Context<'_>, enough: usize) -> Poll<()> {
        let source = {
            let mut store = self.store.lock();
            if store.cost() >= enough || !store.wants() { None } else { store.source.take() }
        };
        let Some(mut source) = source else { return Poll::Ready(()) };
        let mut polled = Poll::Ready(None);
        if let Source::Polled(run) = &mut source {
            let sink = Sink::new(self, TURN);
            polled = contained(|| run(cx, sink)).unwrap_or_else(|end| Poll::Ready(Some(end)));
        }
        let (had_its_turn, end) = match polled {
            Poll::Pending => (false, None),
            Poll::Ready(end) => (true, end),
        };
        self.put_back(source, end);
        let store = self.store.lock();
        if store.end.is_some() || store.cost() >= enough || !store.wants() {
            return Poll::Ready(());
        }
        if had_its_turn {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Puts the source back, or drops it: outside the lock, since dropping it is user code.
    fn put_back(&self, source: Source, end: Option<Ended>) {
        let mut store = self.store.lock();
        let finished = store.abandoned || end.is_some();
        let spent = if finished { Some(source) } else { store.source.replace(source) };
        store.end = end;
        drop(store);
        self.news.notify_waiters();
        discard(spent);
    }

    /// Drops the source; a call of it that blocks is waited for elsewhere.
    pub(super) fn abandon(&self) {
        let source = self.store.lock().abandon();
        self.more.notify_one();
        let Some(source) = source else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || discard(Some(source)))),
            Err(_) => discard(Some(source)),
        }
    }
}
