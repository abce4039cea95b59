//! A member: what it hears goes into a queue.

use crate::interface::{Event, Joined, Lobby, LobbyRef, Member, MemberRef, Room};
use farlens::{Code, Error, Link, Result, Server};
use farlens_examples::{connect, wrong};
use futures::TryStreamExt;
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

/// Events that wait until somebody looks.
const QUEUE: usize = 100;
/// How long it may take until something is heard.
const PATIENCE: Duration = Duration::from_secs(10);

/// The callback.
struct Ear(mpsc::Sender<Event>);

impl Member for Ear {
    async fn heard(&self, event: Event) -> Result<()> {
        self.0.send(event).await.map_err(|_| Error::new(Code::CLOSED, "nobody listens"))
    }
}

/// Someone in the room, with a link of its own.
pub(crate) struct Guest {
    name: String,
    link: Link,
    joined: Joined,
    heard: mpsc::Receiver<Event>,
}

impl Guest {
    pub(crate) async fn join(server: &Server, name: &str) -> Result<Self> {
        let link = connect(server).await?;
        let lobby: LobbyRef = link.object("/lobby").await?;
        let (ear, heard) = mpsc::channel(QUEUE);
        let joined = lobby.join(name.to_owned(), MemberRef::new(Ear(ear))).await?;
        Ok(Self { name: name.to_owned(), link, joined, heard })
    }

    pub(crate) async fn say(&self, text: &str) -> Result<()> {
        self.joined.room.say(text.to_owned()).await
    }

    /// The next events.
    pub(crate) async fn hear(&mut self, count: usize) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        while events.len() < count {
            let event = timeout(PATIENCE, self.heard.recv()).await;
            let silent = |_| wrong(format!("{} heard only {events:?}", self.name));
            events.push(event.map_err(silent)?.ok_or_else(|| wrong("the room is closed"))?);
        }
        Ok(events)
    }

    /// What has happened so far.
    pub(crate) async fn history(&self) -> Result<Vec<Event>> {
        self.joined.history.entities::<Event>().await?.try_collect().await
    }

    /// Lets go of the room and keeps the link, so that only the reference tells the server.
    pub(crate) fn leave(self) -> Link {
        self.link
    }

    /// Ends the link, as a crash or a cut cable does.
    pub(crate) fn cut(&self) {
        self.link.close();
    }
}
