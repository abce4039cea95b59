//! Who pulls: a thread of its own where the source may block, else the read that waits.

use super::source::{Source, contained, discard};
use super::store::Store;
use crate::data::ended::Ended;
use farlens_wire::{Code, Reference};
use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{runtime::Handle, sync::Notify};

/// Entities that a source gives before others have their turn, where it is polled.
const TURN: usize = 256;

/// A source that one stream has taken.
pub(super) struct Shared {
    pub(super) store: Mutex<Store>,
    /// Told when a read that waits should look again.
    pub(super) news: Notify,
    /// Whether the source is polled.
    pub(super) polled: bool,
}

/// Where a source puts its entities: each goes to the store at once, so that a read gets what is
/// there while the source blocks.
pub(super) struct Sink<'a> {
    shared: &'a Shared,
    body: Vec<u8>,
    table: Vec<Reference>,
    /// How many more it takes.
    rest: usize,
}

impl<'a> Sink<'a> {
    const fn new(shared: &'a Shared, rest: usize) -> Self {
        Self { shared, body: Vec::new(), table: Vec::new(), rest }
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
        let mut store = self.shared.store.lock();
        store.keep(&self.body, &mut self.table);
        let goes_on = store.wants() && self.rest > 0;
        let awaited = store.take_awaited();
        drop(store);
        if awaited {
            self.shared.news.notify_waiters();
        }
        goes_on
    }
}

impl Shared {
    pub(super) fn new(polled: bool) -> Self {
        Self { store: Mutex::new(Store::new()), news: Notify::new(), polled }
    }

    /// Has a thread pull what was asked for, unless one does.
    pub(super) fn start_job(self: &Arc<Self>, mut store: MutexGuard<'_, Store>) {
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

    fn pull(&self, mut source: Source) {
        let mut end = None;
        if let Source::Blocking(run) = &mut source {
            let mut sink = Sink::new(self, usize::MAX);
            end = contained(|| run(&mut sink)).unwrap_or_else(Some);
        }
        self.put_back(source, end);
    }

    /// Pulls what was asked for until `enough` bytes of it are there.
    pub(super) fn poll_pull(&self, cx: &mut Context<'_>, enough: usize) -> Poll<()> {
        let source = {
            let mut store = self.store.lock();
            if store.cost() >= enough || !store.wants() { None } else { store.source.take() }
        };
        let Some(mut source) = source else { return Poll::Ready(()) };
        let mut polled = Poll::Ready(None);
        if let Source::Polled(run) = &mut source {
            let mut sink = Sink::new(self, TURN);
            polled = contained(|| run(cx, &mut sink)).unwrap_or_else(|end| Poll::Ready(Some(end)));
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
        let mut store = self.store.lock();
        store.abandoned = true;
        let source = store.source.take();
        drop(store);
        let Some(source) = source else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || discard(Some(source)))),
            Err(_) => discard(Some(source)),
        }
    }
}
