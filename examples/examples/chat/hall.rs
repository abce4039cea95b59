//! The server: one task that everything passes through, so that everybody hears it in one order.

use crate::interface::{Event, Joined, Lobby, Member, MemberRef, Room, RoomRef};
use farlens::{Code, Error, RemoteStreamer, Result, Topic};
use std::{collections::BTreeMap, time::Duration};
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

/// What the task is asked for.
enum Request {
    Join { name: String, member: MemberRef, done: oneshot::Sender<Result<()>> },
    Say { name: String, text: String, done: oneshot::Sender<Result<()>> },
    Leave { name: String },
}

/// The object that is published.
pub(crate) struct Reception {
    requests: mpsc::Sender<Request>,
    history: Topic<Event>,
}

impl Reception {
    /// Opens the lobby, and starts the task behind it, which ends with the last who may ask.
    pub(crate) fn open() -> Self {
        let (requests, asked) = mpsc::channel(QUEUE);
        let history = Topic::keep_last(KEPT);
        tokio::spawn(Hall { members: BTreeMap::new(), history: history.clone() }.run(asked));
        Self { requests, history }
    }
}

impl Lobby for Reception {
    async fn join(&self, name: String, member: MemberRef) -> Result<Joined> {
        let member = member.with_timeout(PATIENCE);
        let joining = name.clone();
        ask(&self.requests, |done| Request::Join { name: joining, member, done }).await?;
        // From here on the seat leaves the room when it is dropped, also if the answer is lost.
        let seat = Seat { name, runtime: Handle::current(), requests: self.requests.clone() };
        Ok(Joined { room: RoomRef::new(seat), history: RemoteStreamer::new(self.history.clone())? })
    }
}

/// A member's place in the room, which the member's `RoomRef` keeps alive.
struct Seat {
    name: String,
    /// Where the drop asks, which may come on any thread.
    runtime: Handle,
    requests: mpsc::Sender<Request>,
}

impl Room for Seat {
    async fn say(&self, text: String) -> Result<()> {
        let name = self.name.clone();
        ask(&self.requests, |done| Request::Say { name, text, done }).await
    }
}

impl Drop for Seat {
    /// The member has dropped its reference, or its link is gone.
    fn drop(&mut self) {
        let (requests, name) = (self.requests.clone(), std::mem::take(&mut self.name));
        self.runtime.spawn(async move { requests.send(Request::Leave { name }).await });
    }
}

async fn ask(
    requests: &mpsc::Sender<Request>,
    request: impl FnOnce(oneshot::Sender<Result<()>>) -> Request,
) -> Result<()> {
    let closed = || Error::new(Code::CLOSED, "the room is closed");
    let (done, answer) = oneshot::channel();
    requests.send(request(done)).await.map_err(|_| closed())?;
    answer.await.map_err(|_| closed())?
}

struct Hall {
    members: BTreeMap<String, MemberRef>,
    history: Topic<Event>,
}

impl Hall {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            match request {
                Request::Join { name, member, done } => {
                    // Who asked may be gone by now, which its seat says.
                    let _ = done.send(self.join(name, member).await);
                }
                Request::Say { name, text, done } => {
                    let _ = done.send(self.tell(Event::Said { name, text }).await);
                }
                Request::Leave { name } => {
                    self.members.remove(&name);
                    let _ = self.tell(Event::Left { name }).await;
                }
            }
        }
    }

    async fn join(&mut self, name: String, member: MemberRef) -> Result<()> {
        if self.members.contains_key(&name) {
            return Err(Error::new(Code::CONFLICT, format!("{name} is here already")));
        }
        self.members.insert(name.clone(), member);
        self.tell(Event::Joined { name }).await
    }

    /// Writes an event down and tells everybody. Whose link is dead cannot be told, and leaves when
    /// the link lets go of the seat.
    async fn tell(&self, event: Event) -> Result<()> {
        self.history.send(event.clone())?;
        for member in self.members.values() {
            let _ = member.heard(event.clone()).await;
        }
        Ok(())
    }
}
