//! The server: one task that everything passes through, so that everybody hears it in one order.

use crate::interface::{Event, Joined, Lobby, Member, MemberRef, Room, RoomRef};
use farlens::{Code, Error, RemoteStreamer, Result, Topic};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

/// Events that the history keeps.
const KEPT: u64 = 1_000;
/// Requests that wait for the task, all members together.
const QUEUE: usize = 64;
/// How long it may take to hand an event over. Who cannot take it in that time is out.
const PATIENCE: Duration = Duration::from_secs(2);

/// The number of a member, which nobody had before.
type Number = u64;

/// Where the answer goes.
type Done = oneshot::Sender<Result<()>>;

/// What the task is asked for.
enum Request {
    Join { number: Number, name: String, member: MemberRef, done: Done },
    Say { number: Number, text: String, done: Done },
    Leave { number: Number },
}

/// The object that is published.
pub(crate) struct Reception {
    requests: mpsc::Sender<Request>,
    next: AtomicU64,
    history: Topic<Event>,
}

impl Reception {
    /// Opens the lobby, and starts the task behind it, which ends with the last who may ask.
    pub(crate) fn open() -> Self {
        let (requests, asked) = mpsc::channel(QUEUE);
        let history = Topic::keep_last(KEPT);
        let hall = Hall { members: BTreeMap::new(), history: history.clone() };
        tokio::spawn(hall.run(asked));
        Self { requests, next: AtomicU64::new(0), history }
    }
}

impl Lobby for Reception {
    async fn join(&self, name: String, member: MemberRef) -> Result<Joined> {
        // From here on the seat leaves the room when it is dropped, also with a call that is.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let seat = Seat { number, runtime: Handle::current(), requests: self.requests.clone() };
        let member = member.with_timeout(PATIENCE);
        ask(&self.requests, |done| Request::Join { number, name, member, done }).await?;
        let history = RemoteStreamer::new(self.history.clone())?;
        Ok(Joined { room: RoomRef::new(seat), history })
    }
}

/// A member's place in the room, which the member's `RoomRef` keeps alive.
struct Seat {
    number: Number,
    /// Where the drop asks, which may come on any thread.
    runtime: Handle,
    requests: mpsc::Sender<Request>,
}

impl Room for Seat {
    async fn say(&self, text: String) -> Result<()> {
        let number = self.number;
        ask(&self.requests, |done| Request::Say { number, text, done }).await
    }
}

impl Drop for Seat {
    /// The member has dropped its reference, or its link is gone.
    fn drop(&mut self) {
        let (requests, number) = (self.requests.clone(), self.number);
        self.runtime.spawn(async move { requests.send(Request::Leave { number }).await });
    }
}

async fn ask(
    requests: &mpsc::Sender<Request>,
    request: impl FnOnce(Done) -> Request,
) -> Result<()> {
    let closed = || Error::new(Code::CLOSED, "the room is closed");
    let (done, answer) = oneshot::channel();
    requests.send(request(done)).await.map_err(|_| closed())?;
    answer.await.map_err(|_| closed())?
}

struct Hall {
    members: BTreeMap<Number, (String, MemberRef)>,
    history: Topic<Event>,
}

impl Hall {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            // Who asked may be gone by now, and then nobody wants the answer.
            match request {
                Request::Join { number, name, member, done } => {
                    let _ = done.send(self.join(number, name, member).await);
                }
                Request::Say { number, text, done } => {
                    let _ = done.send(self.say(number, text).await);
                }
                Request::Leave { number } => {
                    if let Some((name, _)) = self.members.remove(&number) {
                        let _ = self.tell(Event::Left { name }).await;
                    }
                }
            }
        }
    }

    async fn join(&mut self, number: Number, name: String, member: MemberRef) -> Result<()> {
        if self.members.values().any(|(other, _)| *other == name) {
            return Err(Error::new(Code::CONFLICT, format!("{name} is here already")));
        }
        self.members.insert(number, (name.clone(), member));
        self.tell(Event::Joined { name }).await
    }

    async fn say(&mut self, number: Number, text: String) -> Result<()> {
        let Some((name, _)) = self.members.get(&number) else {
            return Err(Error::new(Code::CLOSED, "you are not in the room any more"));
        };
        let name = name.clone();
        self.tell(Event::Said { name, text }).await
    }

    /// Writes an event down and tells everybody. Who cannot be told has left, which is told, too.
    async fn tell(&mut self, event: Event) -> Result<()> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.history.send(event.clone())?;
            let mut deaf = Vec::new();
            for (number, (_, member)) in &self.members {
                if member.heard(event.clone()).await.is_err() {
                    deaf.push(*number);
                }
            }
            let left = deaf.into_iter().filter_map(|number| self.members.remove(&number));
            events.extend(left.map(|(name, _)| Event::Left { name }));
        }
        Ok(())
    }
}
