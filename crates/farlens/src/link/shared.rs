//! The one lock of a link, and everything below it.
//!
//! Nothing awaits under it and no user code runs under it. Whoever changes something takes the
//! wakers out and calls them after the lock is gone.

use super::{
    calling::Pending,
    imported::Home,
    numbers::NumberHasher,
    source::Source,
    trash::{self, discard},
    watcher::Watcher,
};
use crate::{data::erased::ErasedData, observe::Seat};
use farlens_proto::{
    self as proto, Answer, CallTicket, Called, DataRequest, Event, Fault, RangeTicket, Time,
};
use farlens_wire::{
    Budget, CallId, Limits, Reference, StreamId, frame::stream::Open, schema::SchemaDoc,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasherDefault,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::{sync::watch, task::AbortHandle, time::Instant};

/// What the tasks and the handles of one link share.
pub(crate) struct Shared {
    state: Mutex<State>,
    origin: Instant,
    /// What the references that came over this link have in common.
    pub(crate) home: Arc<Home>,
}

/// Everything that a link is, under the lock.
pub(crate) struct State {
    pub(crate) proto: proto::Link,
    driver: Option<Waker>,
    dispatcher: Option<Waker>,
    /// The dispatcher, where it goes on once the driver had its turn.
    paused: Option<Waker>,
    /// What the dispatcher has to do; bounded by the limits on streams and calls.
    work: VecDeque<Work>,
    /// Handles of streams that this side opened.
    handles: HashMap<StreamId, Handle, BuildHasherDefault<NumberHasher>>,
    /// Data of streams that the peer opened.
    sources: HashMap<StreamId, Source>,
    calls: HashMap<CallTicket, Pending, BuildHasherDefault<NumberHasher>>,
    /// Calls that were answered, and made, since the driver was last woken to send.
    answered: usize,
    made: usize,
    /// Interfaces that the peer's calls may name, by fingerprint.
    interfaces: HashMap<[u8; 16], Arc<SchemaDoc>>,
    decode: Limits,
    /// Changes when the link is established and when it is over.
    milestone: watch::Sender<u8>,
}

/// What follows from a change, once the lock is gone: it runs code of others.
#[derive(Default)]
struct Aftermath {
    wakers: Vec<Waker>,
    /// Data that nobody reads any more.
    sources: Vec<Source>,
    /// Objects that the peer holds no longer.
    released: Vec<Reference>,
}

impl Aftermath {
    fn happen(self) {
        self.wakers.into_iter().for_each(Waker::wake);
        for source in self.sources {
            discard(source);
        }
        for reference in self.released {
            discard(reference);
        }
    }
}

/// Something that the peer asked for and that may take a while.
#[derive(Debug)]
pub(crate) enum Work {
    Admit { invite: Option<Vec<u8>> },
    Open { stream: StreamId, open: Open, on: Option<Reference> },
    Call { called: Called, interface: Option<Arc<SchemaDoc>> },
    Cancel { call: CallId },
    Over,
}

/// Who wants to hear of a stream that this side opened.
#[derive(Default)]
struct Handle {
    reader: Option<Waker>,
    watcher: Option<Arc<Watcher>>,
    /// Where there is more than a reader; most streams only wait.
    more: Option<Box<More>>,
}

#[derive(Default)]
struct More {
    /// Those who wait for room, for a step, or for what they wrote.
    writers: Vec<Waker>,
    ranges: HashMap<RangeTicket, Waker, BuildHasherDefault<NumberHasher>>,
    observers: Vec<Arc<Seat>>,
}

impl Shared {
    pub(crate) fn new(
        home: Arc<Home>,
        decode: Limits,
        make: impl FnOnce(Time) -> proto::Link,
    ) -> Arc<Self> {
        let state = State {
            proto: make(Time::ZERO),
            driver: None,
            dispatcher: None,
            paused: None,
            work: VecDeque::new(),
            handles: HashMap::default(),
            sources: HashMap::new(),
            calls: HashMap::default(),
            answered: 0,
            made: 0,
            interfaces: HashMap::new(),
            decode,
            milestone: watch::channel(0).0,
        };
        Arc::new(Self { state: Mutex::new(state), origin: Instant::now(), home })
    }

    /// The moment, as the machines count it.
    pub(crate) fn now(&self) -> Time {
        let micros = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        Time::from_micros(micros)
    }

    /// The tokio instant of a moment of the machines.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.origin + std::time::Duration::from_micros(time.micros())
    }

    /// Runs `f` under the lock, then wakes whoever has to know.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let mut after = Aftermath::default();
        let lid = trash::Lid::close();
        let value = {
            let mut state = self.state.lock();
            let value = f(&mut state);
            state.route_events(&mut after);
            // One that was woken already looks for itself.
            if state.driver.is_some() && (state.proto.has_output() || state.proto.over().is_some())
            {
                after.wakers.extend(state.driver.take());
            }
            value
        };
        drop(lid);
        after.happen();
        value
    }

    /// Runs `f` under the lock for the driver, which sees to the output itself.
    pub(crate) fn with_driver<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let mut after = Aftermath::default();
        let lid = trash::Lid::close();
        let value = {
            let mut state = self.state.lock();
            let value = f(&mut state);
            state.route_events(&mut after);
            value
        };
        drop(lid);
        after.happen();
        value
    }

    /// The driver begins a turn, in the task of `cx`. Who waited for that goes on behind it. Says
    /// no where callers are to run before.
    pub(crate) fn begin_turn(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state.lock();
        if state.driver.is_none() && state.gathers() {
            return false;
        }
        if !state.driver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.driver = Some(cx.waker().clone());
        }
        let paused = state.paused.take();
        drop(state);
        if let Some(waker) = paused {
            waker.wake();
        }
        true
    }

    /// The driver is gone: nobody waits for a turn of it any more.
    pub(crate) fn end_turns(&self) {
        let paused = self.with(|state| {
            state.proto.handle_lost("the link is driven no more");
            state.paused.take()
        });
        if let Some(waker) = paused {
            waker.wake();
        }
    }

    /// Reads something without any consequence.
    pub(crate) fn peek<T>(&self, f: impl FnOnce(&proto::Link) -> T) -> T {
        f(&self.state.lock().proto)
    }

    /// Work for the dispatcher, all that there is, in exchange for an empty `batch`.
    pub(crate) fn poll_work(&self, batch: &mut VecDeque<Work>, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.work.is_empty() {
            state.dispatcher = Some(cx.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(&mut state.work, batch);
        Poll::Ready(())
    }

    /// Waits until `done` has an answer; it is asked again when the link is established or over.
    pub(crate) async fn wait_for<T>(&self, done: impl Fn(&proto::Link) -> Option<T>) -> T {
        let mut milestone = self.state.lock().milestone.subscribe();
        loop {
            if let Some(value) = self.peek(&done) {
                return value;
            }
            // The sender lives as long as this.
            let _ = milestone.changed().await;
        }
    }

    /// The outcome of a call that this side has made.
    pub(super) fn poll_call(
        &self,
        ticket: CallTicket,
        cx: &Context<'_>,
    ) -> Poll<Result<Answer, Fault>> {
        let mut state = self.state.lock();
        let Some(pending) = state.calls.get_mut(&ticket) else { return Poll::Pending };
        if let Some(outcome) = pending.outcome.take() {
            state.calls.remove(&ticket);
            return Poll::Ready(outcome);
        }
        if !pending.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            pending.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until a call has been sent, or is over.
    pub(crate) fn poll_sent(&self, ticket: CallTicket, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        let Some(pending) = state.calls.get_mut(&ticket) else { return Poll::Ready(()) };
        if pending.sent || pending.outcome.is_some() {
            return Poll::Ready(());
        }
        pending.sent_wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

impl State {
    /// Registers a call that this side has made.
    pub(super) fn add_call(&mut self, ticket: CallTicket, waker: Option<Waker>) {
        self.calls.insert(ticket, Pending { waker, ..Pending::default() });
        self.made = self.made.saturating_add(1);
    }

    /// Whether most of the callers that were answered together have not run since, as where the
    /// first of them has woken the driver.
    fn gathers(&mut self) -> bool {
        let (answered, made) = (std::mem::take(&mut self.answered), std::mem::take(&mut self.made));
        made > 0 && made.saturating_mul(2) < answered
    }

    /// Nobody waits for the answer of a call any more.
    pub(super) fn drop_call(&mut self, ticket: CallTicket) {
        if self.calls.remove(&ticket).is_some() {
            self.proto.cancel(ticket);
        }
    }

    /// Hands every event to whoever it is for, and collects whom to wake.
    fn route_events(&mut self, after: &mut Aftermath) {
        let wakers = &mut after.wakers;
        while let Some(event) = self.proto.poll_event() {
            match event {
                Event::Changed { stream } => self.tell_handle(stream, wakers),
                Event::RangeDone { stream, ticket } => {
                    let more = self.more_of(stream);
                    wakers.extend(more.and_then(|more| more.ranges.remove(&ticket)));
                }
                Event::Established => self.milestone.send_modify(|passed| *passed += 1),
                Event::Answered { call, outcome } => {
                    if let Some(pending) = self.calls.get_mut(&call) {
                        self.answered = self.answered.saturating_add(1);
                        pending.outcome = Some(outcome);
                        wakers.extend(pending.waker.take());
                        wakers.append(&mut pending.sent_wakers);
                    }
                }
                Event::Sent { call } => {
                    if let Some(pending) = self.calls.get_mut(&call) {
                        pending.sent = true;
                        wakers.append(&mut pending.sent_wakers);
                    }
                }
                Event::StreamGone { stream } => after.sources.extend(self.sources.remove(&stream)),
                Event::Admission { invite } => self.dispatch(Work::Admit { invite }, wakers),
                Event::OpenRequested { stream, open, on } => {
                    self.dispatch(Work::Open { stream, open, on }, wakers);
                }
                Event::Called(called) => {
                    let interface = called.interface;
                    let interface =
                        interface.and_then(|known| self.interfaces.get(&known).cloned());
                    self.dispatch(Work::Call { called, interface }, wakers);
                }
                Event::Released { reference } => after.released.push(reference),
                Event::Interface { fingerprint, schema } => {
                    // One that cannot be read is as good as none: calls that name it are refused.
                    let mut budget = Budget::new(&self.decode);
                    if let Ok(schema) = SchemaDoc::decode(&schema, &mut budget)
                        && schema.fingerprint().0 == fingerprint
                    {
                        self.interfaces.insert(fingerprint, Arc::new(schema));
                    }
                }
                Event::Cancelled { call } => self.dispatch(Work::Cancel { call }, wakers),
                Event::Over { .. } => {
                    self.dispatch(Work::Over, wakers);
                    self.milestone.send_modify(|passed| *passed += 1);
                    wakers.extend(self.driver.take());
                }
                _ => {}
            }
        }
    }

    fn dispatch(&mut self, work: Work, wakers: &mut Vec<Waker>) {
        self.work.push_back(work);
        wakers.extend(self.dispatcher.take());
    }

    fn tell_handle(&mut self, stream: StreamId, wakers: &mut Vec<Waker>) {
        let Some(handle) = self.handles.get_mut(&stream) else { return };
        wakers.extend(handle.reader.take());
        if let Some(more) = &mut handle.more {
            wakers.append(&mut more.writers);
            wakers.extend(more.observers.iter().map(Seat::waker));
        }
        if let Some(watcher) = &handle.watcher {
            wakers.extend(watcher.mark(stream));
        }
    }

    /// Has the driver look again, although there may be nothing to send.
    pub(crate) fn wake_driver(&mut self) {
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }

    /// Has the dispatcher woken when the driver begins its next turn; says whether one is to come.
    pub(super) fn pause_dispatcher(&mut self, waker: &Waker) -> bool {
        let comes = self.proto.has_output() && self.proto.over().is_none();
        if comes {
            self.paused = Some(waker.clone());
        }
        comes
    }

    /// Registers a stream that this side opened.
    pub(crate) fn add_handle(&mut self, stream: StreamId, watcher: Option<Arc<Watcher>>) {
        self.handles.insert(stream, Handle { watcher, ..Handle::default() });
    }

    /// The consumer of a stream is gone. Its observers are to be woken outside the lock.
    pub(crate) fn drop_handle(&mut self, stream: StreamId) -> Vec<Waker> {
        let more = self.handles.remove(&stream).and_then(|handle| handle.more);
        let observers = more.map(|more| more.observers).unwrap_or_default();
        let failed = self.proto.stream_over(stream);
        for seat in &observers {
            seat.part(failed.cloned());
        }
        self.proto.close_stream(stream);
        observers.into_iter().map(Waker::from).collect()
    }

    fn more_of(&mut self, stream: StreamId) -> Option<&mut More> {
        self.handles.get_mut(&stream)?.more.as_deref_mut()
    }

    /// Wakes `cx` at the next news of a stream.
    pub(crate) fn wait_handle(&mut self, stream: StreamId, cx: &Context<'_>) {
        if let Some(handle) = self.handles.get_mut(&stream) {
            handle.reader = Some(cx.waker().clone());
        }
    }

    /// Wakes `cx` at the next news of a stream, beside its reader.
    pub(crate) fn wait_writer(&mut self, stream: StreamId, cx: &Context<'_>) {
        let Some(handle) = self.handles.get_mut(&stream) else { return };
        let writers = &mut handle.more.get_or_insert_default().writers;
        if !writers.iter().any(|waker| waker.will_wake(cx.waker())) {
            writers.push(cx.waker().clone());
        }
    }

    /// Wakes `cx` once a range is there.
    pub(crate) fn wait_range(&mut self, stream: StreamId, ticket: RangeTicket, cx: &Context<'_>) {
        if let Some(handle) = self.handles.get_mut(&stream) {
            handle.more.get_or_insert_default().ranges.insert(ticket, cx.waker().clone());
        }
    }

    /// Nobody waits for a range any more.
    pub(crate) fn forget_range(&mut self, stream: StreamId, ticket: RangeTicket) {
        if let Some(more) = self.more_of(stream) {
            more.ranges.remove(&ticket);
        }
        self.proto.forget_range(stream, ticket);
    }

    /// Has an observer woken at each news of a stream.
    pub(crate) fn add_observer(&mut self, stream: StreamId, seat: Arc<Seat>) {
        if let Some(handle) = self.handles.get_mut(&stream) {
            handle.more.get_or_insert_default().observers.push(seat);
        }
    }

    /// Has an observer woken no more.
    pub(crate) fn remove_observer(
        &mut self,
        stream: StreamId,
        seat: &Arc<Seat>,
    ) -> Option<Arc<Seat>> {
        let observers = &mut self.more_of(stream)?.observers;
        let index = observers.iter().position(|other| Arc::ptr_eq(other, seat))?;
        Some(observers.swap_remove(index))
    }

    /// Keeps the data of a stream that was accepted, and the task that follows its changes.
    pub(crate) fn add_source(&mut self, stream: StreamId, source: Source) {
        self.sources.insert(stream, source);
    }

    pub(crate) fn set_changes_task(&mut self, stream: StreamId, task: AbortHandle) {
        self.set_task(stream, task, Source::set_changes_task);
    }

    pub(crate) fn set_read_task(&mut self, stream: StreamId, task: AbortHandle) {
        self.set_task(stream, task, Source::set_read_task);
    }

    pub(crate) fn add_range_task(&mut self, stream: StreamId, task: AbortHandle) {
        self.set_task(stream, task, Source::add_range_task);
    }

    fn set_task(
        &mut self,
        stream: StreamId,
        task: AbortHandle,
        set: impl FnOnce(&mut Source, AbortHandle),
    ) {
        match self.sources.get_mut(&stream) {
            Some(source) => set(source, task),
            None => task.abort(),
        }
    }

    /// The sources whose peers follow them, with their streams.
    pub(crate) fn followed_sources(&self) -> Vec<(StreamId, Arc<dyn ErasedData>)> {
        let followed = self.sources.iter().filter(|(_, source)| source.moving);
        followed.map(|(&stream, source)| (stream, Arc::clone(&source.data))).collect()
    }

    /// The next pieces of work on data, with the data; not all while there is `more_input` at hand.
    pub(crate) fn take_requests(
        &mut self,
        out: &mut Vec<(DataRequest, Arc<dyn ErasedData>)>,
        more_input: bool,
    ) {
        while out.len() < REQUESTS_PER_ROUND {
            let next = match more_input {
                true => self.proto.poll_request_amid_input(),
                false => self.proto.poll_request(),
            };
            let Some(request) = next else { return };
            match self.sources.get(&request.stream) {
                Some(source) if !source.sync_on_close && request.ask.is_finish() => {
                    let (stream, serial) = (request.stream, request.serial);
                    self.proto.handle_reply(stream, serial, proto::Reply::Synced);
                }
                Some(source) => out.push((request, Arc::clone(&source.data))),
                None => {
                    let fault = Fault::new(farlens_wire::Code::INTERNAL, "the source is gone");
                    let reply = proto::Reply::Failed(fault);
                    self.proto.handle_reply(request.stream, request.serial, reply);
                }
            }
        }
    }

    /// The link is over: nothing works on data any more.
    pub(crate) fn take_sources(&mut self) -> Vec<Source> {
        self.sources.drain().map(|(_, source)| source).collect()
    }
}

/// Data requests that the driver serves before it writes.
const REQUESTS_PER_ROUND: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::Root, link::imported::Holdings};
    use farlens_proto::{Config, Link, PeerIdentity};
    use farlens_wire::Side;

    #[test]
    fn callers_that_were_answered_together_run_before_the_driver_sends() {
        let home = Home::new();
        let holdings = Box::new(Holdings::new(Arc::clone(&home), Reference::new(Root)));
        let shared = Shared::new(home, Limits::default(), |now| {
            let peer = PeerIdentity::new([0; 32]);
            Link::new(Side::Initiator, peer, Config::default(), holdings, now)
        });
        let cx = Context::from_waker(Waker::noop());
        let begins = |answered, made| {
            shared.with_driver(|state| {
                state.driver = None;
                (state.answered, state.made) = (answered, made);
            });
            shared.begin_turn(&cx)
        };
        assert!(begins(1, 1), "a lone caller waits for nobody");
        assert!(begins(12, 12), "all of them have called");
        assert!(begins(12, 0), "it was woken for something else");
        assert!(!begins(12, 1));
        assert!(shared.begin_turn(&cx), "it waits once");
    }

    #[test]
    fn a_stream_that_waits_is_small() {
        let sizes = (size_of::<Source>(), size_of::<Handle>());
        assert!(sizes.0 <= 32 && sizes.1 <= 32, "{sizes:?} bytes");
    }
}
