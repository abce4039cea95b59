//! What was pulled from a source and not read yet, and the jobs that pull.

use super::WORTHWHILE_BYTES;
use super::source::{Source, discard, step, step_polled};
use crate::Result;
use crate::data::{Fetched, ReadBudget, ended::Ended, items::take_within, out_of_range};
use farlens_proto::{BatchBuilder, Chunk, ItemBatch};
use farlens_wire::{Bounds, Code, Limits, Position, Reference};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::{AbortHandle, coop},
};

/// A source that one stream has taken.
pub(super) struct Shared {
    pub(super) store: Mutex<Store>,
    /// Told when a read that waits should look again.
    pub(super) news: Notify,
}

/// What was pulled and not taken yet. Bounded by the budget of the read that had it pulled.
pub(super) struct Store {
    /// The position of the first entity that was not taken yet.
    next: Position,
    ready: ItemBatch,
    fresh: BatchBuilder,
    /// Absent while a job runs it, and when it has ended.
    pub(super) source: Option<Source>,
    /// The job that polls it, to be ended with the stream.
    task: Option<AbortHandle>,
    end: Option<Ended>,
    pub(super) abandoned: bool,
    /// Encoded bytes for which a read waits.
    pub(super) wanted: Option<usize>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let store = Store {
            next: Position::ZERO,
            ready: ItemBatch::default(),
            fresh: BatchBuilder::default(),
            source: None,
            task: None,
            end: None,
            abandoned: false,
            wanted: None,
        };
        Self { store: Mutex::new(store), news: Notify::new() }
    }

    /// Starts a job unless one runs.
    pub(super) fn start_job(
        self: &Arc<Self>,
        mut store: MutexGuard<'_, Store>,
        budget: ReadBudget,
    ) {
        let Some(source) = store.source.take() else { return };
        if matches!(source, Source::Polled(_)) {
            let Ok(runtime) = Handle::try_current() else {
                let text = "a stream was read outside of a tokio runtime".to_owned();
                store.end = Some(Ended::Failed(Code::USAGE, text));
                // What a user made may do anything when it is dropped, also use this again.
                drop(store);
                drop(source);
                self.news.notify_waiters();
                return;
            };
            let job = runtime.spawn(Arc::clone(self).pull_polled(source, budget));
            store.task = Some(job.abort_handle());
            return;
        }
        drop(store);
        let shared = Arc::clone(self);
        let job = move || shared.pull(source, budget);
        // A thread of its own, so that one that never returns keeps no runtime from ending.
        let started = std::thread::Builder::new().name("farlens-iter".into()).spawn(job);
        if started.is_err() {
            let text = "no thread can be started".to_owned();
            self.store.lock().end = Some(Ended::Failed(Code::OVERLOADED, text));
            self.news.notify_waiters();
        }
    }

    /// Pulls until the budget is full, on a thread that may block.
    fn pull(&self, mut source: Source, mut left: ReadBudget) {
        let mut end = None;
        if let Source::Blocking(next) = &mut source {
            let (mut body, mut table) = (Vec::new(), Vec::new());
            while end.is_none() && left.bytes > 0 && left.elements > 0 {
                body.clear();
                end = step(next, (&mut body, &mut table));
                end = end.or_else(|| self.keep(&body, std::mem::take(&mut table), &mut left));
            }
        }
        self.finish_job(source, end);
    }

    /// The same in a task, which gives way to others after some entities.
    async fn pull_polled(self: Arc<Self>, mut source: Source, mut left: ReadBudget) {
        let mut end = None;
        if let Source::Polled(next) = &mut source {
            let (mut body, mut table) = (Vec::new(), Vec::new());
            while end.is_none() && left.bytes > 0 && left.elements > 0 {
                body.clear();
                end = step_polled(next, (&mut body, &mut table)).await;
                end = end.or_else(|| self.keep(&body, std::mem::take(&mut table), &mut left));
                coop::consume_budget().await;
            }
        }
        self.finish_job(source, end);
    }

    /// Keeps an entity for the next read; ends the job when no read will come.
    fn keep(&self, body: &[u8], table: Vec<Reference>, left: &mut ReadBudget) -> Option<Ended> {
        let mut store = self.store.lock();
        if store.abandoned {
            return Some(Ended::Finished);
        }
        let cost = body.len() + table.len() * Limits::REFERENCE_BYTES;
        left.bytes = left.bytes.saturating_sub(cost);
        left.elements -= 1;
        if table.is_empty() {
            store.fresh.push(body);
        } else {
            store.fresh.push_referring(body, table);
        }
        let enough = store.cost();
        let awaited = store.wanted.take_if(|wanted| *wanted <= enough).is_some();
        drop(store);
        if awaited {
            self.news.notify_waiters();
        }
        None
    }

    /// Puts the source back, or drops it: outside the lock, since dropping it is user code.
    fn finish_job(&self, source: Source, end: Option<Ended>) {
        let mut store = self.store.lock();
        let finished = store.abandoned || end.is_some();
        let spent = if finished { Some(source) } else { store.source.replace(source) };
        store.end = end;
        drop(store);
        self.news.notify_waiters();
        discard(spent);
    }

    /// The iterator as it was, if no stream has asked for anything.
    pub(super) fn give_back(&self) -> Option<Source> {
        let mut store = self.store.lock();
        let untouched = store.next == Position::ZERO && store.is_empty() && store.end.is_none();
        if untouched { store.source.take() } else { None }
    }

    /// Ends what runs and drops the source; a call that blocks is waited for elsewhere.
    pub(super) fn abandon(&self) {
        let mut store = self.store.lock();
        store.abandoned = true;
        let (source, task) = (store.source.take(), store.task.take());
        drop(store);
        if let Some(task) = task {
            task.abort();
        }
        let Some(source) = source else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || discard(Some(source)))),
            Err(_) => discard(Some(source)),
        }
    }
}

impl Store {
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.fresh.count() == 0
    }

    /// Whether a little is there and more is being made, so that waiting a moment pays.
    pub(super) fn grows(&self) -> bool {
        let running = self.source.is_none() && self.end.is_none();
        running && !self.is_empty() && self.cost() < WORTHWHILE_BYTES
    }

    /// What all that is there costs, in bytes.
    fn cost(&self) -> usize {
        self.fresh.cost() + self.ready.cost()
    }

    /// What is there for a request; `None` when the iterator has to be asked.
    pub(super) fn answer(&mut self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        if at != self.next {
            let bounds = Bounds { start: Some(self.next), end: Some(self.next) };
            return Some(Err(out_of_range(at, bounds)));
        }
        if self.ready.is_empty() {
            self.ready = self.fresh.finish();
        }
        if !self.ready.is_empty() {
            let batch = take_within(&mut self.ready, budget);
            self.next = self.next.forward(batch.count()).unwrap_or(Position::MAX);
            return Some(Ok(Fetched::Some(Chunk::Items(batch))));
        }
        self.end.as_ref().map(Ended::answer)
    }

    /// Known once the iterator is exhausted. A failure is no end.
    pub(super) fn end_position(&self) -> Option<Position> {
        self.end.as_ref().filter(|end| end.is_finished())?;
        self.next.forward(self.ready.count() + self.fresh.count())
    }
}
