//! The one task that owns a link's connection: reads, serves data, writes, keeps time.
//!
//! It never runs user code that may wait: a read that cannot be answered at once goes to a task of
//! its own. It never stops reading because of a slow consumer; credit sees to that.

use super::{
    batch::Batch,
    blocks::{BLOCK_BYTES, Blocks},
    shared::{Shared, State},
    trash::discard,
};
use crate::{
    Error,
    data::{DataState, Fetched, ReadBudget, Stored, erased::ErasedData},
};
use bytes::{Bytes, BytesMut};
use farlens_proto::{Ask, Chunk, DataRequest, Fault, Reply};
use farlens_wire::{Code, Position};
use futures::FutureExt;
use std::{
    future::Future,
    io,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::{Instant, Sleep, sleep_until},
};

/// A block with less room than this is replaced.
const BLOCK_REST: usize = 8 << 10;
/// How long the last frame may take, and how long the peer's last bytes are awaited.
const FAREWELL: Duration = Duration::from_millis(500);

/// Drives one link until it is over.
pub(crate) struct Driver<IO> {
    io: IO,
    shared: Arc<Shared>,
    block: BytesMut,
    full: Blocks,
    out: Batch,
    unflushed: bool,
    requests: Vec<(DataRequest, Arc<dyn ErasedData>)>,
    timer: Pin<Box<Sleep>>,
    /// Since when the socket has taken no byte while some wait.
    stalled: Option<Instant>,
    stall: Duration,
    phase: Phase,
}

/// What came of one part of a round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    None,
    /// All that could be done was, but there may be more to send now.
    Some,
    /// There may be more of the same.
    More,
}

impl Progress {
    const fn some(any: bool) -> Self {
        if any { Self::Some } else { Self::None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// The link is over; the last frames go out until then.
    Leaving(Instant),
    /// This side has said all; what the peer still sends is dropped, so that its kernel does not
    /// answer our last frame with a reset.
    Lingering(Instant),
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Driver<IO> {
    pub(crate) fn new(io: IO, shared: Arc<Shared>, stall: Duration) -> Self {
        Self {
            io,
            shared,
            block: BytesMut::new(),
            full: Blocks::new(),
            out: Batch::new(),
            unflushed: false,
            requests: Vec::new(),
            timer: Box::pin(sleep_until(Instant::now())),
            stalled: None,
            stall,
            phase: Phase::Running,
        }
    }

    /// Reads what there is, up to a bound.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Progress {
        if !self.shared.peek(farlens_proto::Link::is_reading) {
            return Progress::None;
        }
        let ended = self.fill_block(cx);
        let any = !self.block.is_empty();
        if any {
            let input = self.block.split().freeze();
            let now = self.shared.now();
            self.shared.with_driver(|state| state.proto.handle_input(input, now));
        }
        match ended {
            Poll::Pending if any => Progress::Some,
            Poll::Pending => Progress::None,
            Poll::Ready(None) => Progress::More,
            Poll::Ready(Some(why)) => {
                self.shared.with_driver(|state| state.proto.handle_lost(&why));
                Progress::More
            }
        }
    }

    /// Fills the block. Ready with nothing when it is full, with a reason when the peer is gone.
    fn fill_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        if self.block.capacity() < BLOCK_REST && !self.block.try_reclaim(BLOCK_BYTES) {
            self.block = self.full.change(std::mem::take(&mut self.block));
        }
        while self.block.len() < self.block.capacity() {
            let read = std::pin::pin!(self.io.read_buf(&mut self.block)).poll(cx);
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Some("the other side hung up".into())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Some(lost(&error))),
            }
        }
        Poll::Ready(None)
    }

    /// Answers requests for data, at once or by a task. Those that gain by it wait for the input
    /// that is at hand.
    fn serve_requests(&mut self, more_input: bool) -> Progress {
        let mut requests = std::mem::take(&mut self.requests);
        self.shared.with_driver(|state| state.take_requests(&mut requests, more_input));
        let progress = Progress::some(!requests.is_empty());
        let alone = requests.len() == 1;
        for (request, data) in requests.drain(..) {
            if alone && self.read_in_place(&request, &*data) {
                continue;
            }
            match answer_now(&request.ask, &*data) {
                Some(reply) => self.shared.with_driver(|state| {
                    state.proto.handle_reply(request.stream, request.serial, reply);
                }),
                None => self.spawn_answer(request, data),
            }
        }
        self.requests = requests;
        progress
    }

    /// Reads straight into the batch that goes out next, where nothing else waits to be sent; says
    /// whether that answered the request.
    fn read_in_place(&mut self, request: &DataRequest, data: &dyn ErasedData) -> bool {
        let &Ask::Read { at, bytes, .. } = &request.ask else { return false };
        if !self.out.follows_a_long_one() || self.shared.peek(farlens_proto::Link::has_output) {
            return false;
        }
        let room = self.out.room(bytes);
        let most = room.len();
        let read = std::panic::catch_unwind(AssertUnwindSafe(|| data.read_now_into(at, room)));
        let failed = match read {
            Ok(None) => return false,
            Ok(Some(Ok(count))) if (1..=most).contains(&count) => {
                self.send_in_place(request, count);
                return true;
            }
            Ok(Some(Err(error))) => to_fault(&error),
            Ok(Some(Ok(_))) | Err(_) => panicked(),
        };
        self.shared.with_driver(|state| {
            let reply = Reply::Failed(failed);
            state.proto.handle_reply(request.stream, request.serial, reply);
        });
        true
    }

    /// Sends what was read into the batch, or has it wait its turn if something came between.
    fn send_in_place(&mut self, request: &DataRequest, count: usize) {
        let (batch, head) = self.out.with_read(count);
        let (stream, serial) = (request.stream, request.serial);
        let begin = self.shared.with_driver(|state| {
            let begin = state.proto.send_in_place(stream, serial, batch, head);
            if begin.is_none() {
                let chunk = Chunk::Bytes(Bytes::copy_from_slice(&batch[head..]));
                state.proto.handle_reply(stream, serial, Reply::Some(chunk));
            }
            begin
        });
        if let Some(begin) = begin {
            self.out.send_from(begin);
        }
    }

    fn spawn_answer(&self, request: DataRequest, data: Arc<dyn ErasedData>) {
        let shared = Arc::clone(&self.shared);
        let DataRequest { stream, serial, ask, .. } = request;
        let replaces = matches!(ask, Ask::Read { .. } | Ask::State);
        let is_range = matches!(ask, Ask::Range { .. });
        let task = tokio::spawn(async move {
            let work = AssertUnwindSafe(answer(ask, &*data)).catch_unwind();
            let reply = work.await.unwrap_or_else(|_| Reply::Failed(panicked()));
            shared.with(|state| state.proto.handle_reply(stream, serial, reply));
        });
        let task = task.abort_handle();
        if replaces {
            self.shared.with_driver(|state| state.set_read_task(stream, task));
        } else if is_range {
            self.shared.with_driver(|state| state.add_range_task(stream, task));
        }
    }

    /// Writes what there is.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> io::Result<Progress> {
        let mut moved = Progress::None;
        if self.out.is_empty() {
            let (out, now) = (self.out.begin(), self.shared.now());
            self.shared.with_driver(|state| state.proto.poll_transmit(out, now));
        }
        while !self.out.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, self.out.rest())? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => {
                    self.out.advance(written);
                    self.unflushed = true;
                    moved = Progress::Some;
                    self.stalled = None;
                }
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                    return Ok(moved);
                }
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.io).poll_flush(cx)? {
                Poll::Ready(()) => {
                    self.unflushed = false;
                    self.stalled = None;
                }
                Poll::Pending => {
                    self.stalled.get_or_insert_with(Instant::now);
                }
            }
        }
        Ok(moved)
    }

    /// Sets the timer to the next deadline, and acts on those that have passed.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        if self.stalled.is_some_and(|since| now >= since + self.stall) {
            let text = format!("the other side took no byte for {:?}", self.stall);
            let fault = Fault::new(Code::STALLED, text);
            self.shared.with_driver(|state| state.proto.close(fault));
            self.stalled = None;
            return true;
        }
        let deadline = self.shared.peek(farlens_proto::Link::poll_timeout);
        let mut next = deadline.map(|(time, _)| self.shared.instant(time));
        if next.is_some_and(|next| next <= now) {
            let time = self.shared.now();
            self.shared.with_driver(|state| state.proto.handle_timeout(time));
            return true;
        }
        if let Some(stalled) = self.stalled {
            let due = stalled + self.stall;
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        if let Some(due) = self.full.forget(now) {
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        next.is_some_and(|next| self.poll_alarm(cx, next))
    }

    /// Has the task woken at that moment at the latest; says whether it is to look again now.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, next: Instant) -> bool {
        // An alarm that is early costs one look at the clock; moving it costs more, each time.
        if next < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(next);
        }
        self.timer.as_mut().poll(cx).is_ready()
    }

    /// Has the task woken at that moment, however early the alarm is that rings first.
    fn rest(&mut self, cx: &mut Context<'_>, until: Instant) {
        if self.poll_alarm(cx, until) {
            cx.waker().wake_by_ref();
        }
    }

    /// One round; says whether another one can get further without being woken.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> bool {
        let input = self.poll_input(cx);
        let mut progress = input.max(self.serve_requests(input == Progress::More));
        match self.poll_output(cx) {
            Ok(written) => progress = progress.max(written),
            Err(error) => {
                // The peer may have said why it left before it stopped listening.
                while self.poll_input(cx) != Progress::None {}
                let why = lost(&error);
                self.shared.with_driver(|state| state.proto.handle_lost(&why));
            }
        }
        let timed = self.poll_time(cx);
        if self.shared.peek(|proto| proto.over().is_some()) {
            for source in self.shared.with_driver(State::take_sources) {
                discard(source);
            }
            self.phase = Phase::Leaving(Instant::now() + FAREWELL);
            return true;
        }
        match progress {
            Progress::More => true,
            Progress::Some => timed || self.shared.peek(farlens_proto::Link::has_output),
            Progress::None => timed,
        }
    }

    /// Sends the last frames and the farewell of the transport below.
    fn poll_leaving(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        loop {
            if self.poll_output(cx).is_err() {
                return Poll::Ready(());
            }
            let empty = self.out.is_empty() && !self.unflushed;
            if empty && !self.shared.peek(farlens_proto::Link::has_output) {
                break;
            }
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            if !empty {
                self.rest(cx, until);
                return Poll::Pending;
            }
        }
        match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Pending if Instant::now() < until => {
                self.rest(cx, until);
                Poll::Pending
            }
            Poll::Ready(Ok(())) => {
                self.phase = Phase::Lingering(Instant::now() + FAREWELL);
                self.poll_lingering(cx, Instant::now() + FAREWELL)
            }
            _ => Poll::Ready(()),
        }
    }

    fn poll_lingering(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        loop {
            self.block.clear();
            if self.block.capacity() == 0 {
                self.block = BytesMut::with_capacity(BLOCK_REST);
            }
            let read = std::pin::pin!(self.io.read_buf(&mut self.block)).poll(cx);
            match read {
                Poll::Ready(Ok(1..)) if Instant::now() < until => {}
                Poll::Pending if Instant::now() < until => {
                    self.rest(cx, until);
                    return Poll::Pending;
                }
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Future for Driver<IO> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.home.bell.register(cx.waker());
        if !this.shared.begin_turn(cx) {
            // Callers that were answered together call again together, each in its turn.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match this.phase {
            Phase::Running => {
                // After each round, of one block in and one batch out, the consumers that were
                // woken have their turn, while what was read is still in the cache. It costs a
                // wake-up of another thread, so only where there is more to do.
                if this.poll_running(cx) {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Phase::Leaving(until) => this.poll_leaving(cx, until),
            Phase::Lingering(until) => this.poll_lingering(cx, until),
        }
    }
}

impl<IO> Drop for Driver<IO> {
    /// Whatever ends the task, the users of the link hear of its end.
    fn drop(&mut self) {
        self.shared.end_turns();
    }
}

fn lost(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "the connection was cut".into()
        }
        _ => format!("the connection failed: {error}"),
    }
}

pub(crate) fn panicked() -> Fault {
    Fault::new(Code::INTERNAL, "the source failed inside")
}

/// Answers a request if that takes no waiting.
fn answer_now(ask: &Ask, data: &dyn ErasedData) -> Option<Reply> {
    let work = std::panic::catch_unwind(AssertUnwindSafe(|| match ask {
        &Ask::Read { at, bytes, elements } => {
            fetched(data.read_now(at, ReadBudget { bytes, elements })?, || data.state_now())
        }
        &Ask::Range { at, bytes } => {
            fetched(data.read_now(at, byte_budget(bytes))?, || data.state_now())
        }
        Ask::State => data.state_now().map(stated),
        Ask::Write { to, chunk, rules } => data.write_now(*to, chunk, rules).map(stored),
        Ask::Truncate { .. } | Ask::Sync { .. } => None,
    }));
    work.unwrap_or_else(|_| Some(Reply::Failed(panicked())))
}

/// Answers a request, waiting as long as the source does.
async fn answer(ask: Ask, data: &dyn ErasedData) -> Reply {
    match ask {
        Ask::State => stated(data.state().await),
        Ask::Read { at, bytes, elements } => read(data, at, ReadBudget { bytes, elements }).await,
        Ask::Range { at, bytes } => read_place(data, at, bytes).await,
        Ask::Write { to, chunk, rules } => stored(data.write_at(to, chunk, &rules).await),
        Ask::Truncate { edge, to, rules } => match data.truncate(edge, to, &rules).await {
            Ok(at) => Reply::Changed { at, elements: 0 },
            Err(error) => Reply::Failed(to_fault(&error)),
        },
        Ask::Sync { finish } => match data.sync(finish).await {
            Ok(()) => Reply::Synced,
            Err(error) => Reply::Failed(to_fault(&error)),
        },
    }
}

async fn read(data: &dyn ErasedData, at: Position, budget: ReadBudget) -> Reply {
    match data.read_at(at, budget).await {
        Ok(Fetched::Some(chunk)) => Reply::Some(chunk),
        Ok(Fetched::Nothing) => match data.state().await {
            Ok(state) => Reply::Nothing(to_wire(state)),
            Err(error) => Reply::Failed(to_fault(&error)),
        },
        Err(error) => Reply::Failed(to_fault(&error)),
    }
}

/// Reads a place. At the end as it is now nothing is waited for.
async fn read_place(data: &dyn ErasedData, at: Position, bytes: usize) -> Reply {
    match data.state().await {
        Ok(state) if state.bounds.end.is_some_and(|end| end <= at) => {
            Reply::Nothing(to_wire(state))
        }
        Ok(_) => read(data, at, byte_budget(bytes)).await,
        Err(error) => Reply::Failed(to_fault(&error)),
    }
}

const fn byte_budget(bytes: usize) -> ReadBudget {
    ReadBudget { bytes, elements: bytes as u64 }
}

/// What was read; where that is nothing the state tells why, if it is known without waiting.
fn fetched(
    read: Result<Fetched, Error>,
    state: impl FnOnce() -> Option<Result<DataState, Error>>,
) -> Option<Reply> {
    match read {
        Ok(Fetched::Some(chunk)) => Some(Reply::Some(chunk)),
        Ok(Fetched::Nothing) => match state()? {
            Ok(state) => Some(Reply::Nothing(to_wire(state))),
            Err(error) => Some(Reply::Failed(to_fault(&error))),
        },
        Err(error) => Some(Reply::Failed(to_fault(&error))),
    }
}

fn stated(state: Result<DataState, Error>) -> Reply {
    match state {
        Ok(state) => Reply::State(to_wire(state)),
        Err(error) => Reply::Failed(to_fault(&error)),
    }
}

fn stored(stored: Result<Stored, Error>) -> Reply {
    match stored {
        Ok(Stored { at, elements }) => Reply::Changed { at, elements },
        Err(error) => Reply::Failed(to_fault(&error)),
    }
}

pub(crate) fn to_wire(state: DataState) -> farlens_proto::State {
    let DataState { bounds, version, ended } = state;
    farlens_proto::State { bounds, version: version.to_vec(), ended }
}

/// An error as the peer gets it: the causes stay here.
pub(crate) fn to_fault(error: &Error) -> Fault {
    Fault::new(error.code(), error.message())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::imported::{Holdings, Home};
    use farlens_proto::{Config, Link, PeerIdentity};
    use farlens_wire::{Limits, Reference, Side};

    fn shared() -> Arc<Shared> {
        let peer = PeerIdentity::new([1; 32]);
        let home = Home::new();
        let holdings = Box::new(Holdings::new(Arc::clone(&home), Reference::new(())));
        Shared::new(home, Limits::default(), |now| {
            Link::new(Side::Initiator, peer, Config::default(), holdings, now)
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_left_in_time() {
        let (near, _far) = tokio::io::duplex(16);
        let shared = shared();
        let driver = Driver::new(near, Arc::clone(&shared), Duration::from_secs(1));
        assert!(tokio::time::timeout(Duration::from_secs(3), driver).await.is_ok());
        let code = shared.peek(|link| link.over().map(|fault| fault.code));
        assert_eq!(code, Some(Code::STALLED));
    }

    #[tokio::test]
    async fn a_driver_that_is_dropped_ends_the_link() {
        let (near, _far) = tokio::io::duplex(16);
        let shared = shared();
        let over = shared.wait_for(|link| link.over().map(|fault| fault.code));
        let driver = Driver::new(near, Arc::clone(&shared), Duration::from_secs(1));
        let (code, ()) = tokio::join!(over, async { drop(driver) });
        assert_eq!(code, Code::LINK_LOST);
    }
}
