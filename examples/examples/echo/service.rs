//! What server and client agree upon, and what the server does: a trait and an implementation.

use farlens::{CallContext, Result};
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use std::{pin::pin, time::Duration};
use tokio::{sync::mpsc, time::sleep};

/// The largest message, in encoded bytes.
pub(crate) const LARGEST: usize = 50_000_000;
/// Messages that the server lets a client send ahead on one stream.
pub(crate) const WINDOW: u64 = 10;
/// Messages that wait between the receiver and the processor of [`Echo::process`].
pub(crate) const QUEUE: usize = 10;

/// What is sent and echoed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) text: String,
}

/// What is said of many messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) struct Summary {
    pub(crate) messages: u64,
    pub(crate) letters: u64,
}

/// The service.
#[farlens::remote]
pub(crate) trait Echo {
    /// Unary: greets by name.
    async fn hello(&self, name: String) -> Result<String>;

    /// Unary: gives back what it gets, up to [`LARGEST`].
    async fn echo(&self, message: Message) -> Result<Message>;

    /// Client streaming: many messages, one answer.
    async fn gather(
        &self,
        messages: impl Stream<Item = Result<Message>> + Send + 'static,
    ) -> Result<Summary>;

    /// Server streaming: one message, answered so many times, with a pause before each.
    fn repeat(
        &self,
        message: Message,
        times: u32,
        pause_ms: u64,
    ) -> impl Stream<Item = Result<Message>> + Send;

    /// Bidirectional: each message is answered before the next is looked at.
    fn converse(
        &self,
        messages: impl Stream<Item = Result<Message>> + Send + 'static,
    ) -> impl Stream<Item = Result<Message>> + Send;

    /// Bidirectional: messages are received in one task and processed in another, which asks the
    /// gate before it begins.
    fn process(
        &self,
        gate: GateRef,
        messages: impl Stream<Item = Result<Message>> + Send + 'static,
    ) -> impl Stream<Item = Result<Message>> + Send;
}

/// A callback: an object of the client, which the server calls.
#[farlens::remote]
pub(crate) trait Gate {
    /// Returns when the gate is open.
    async fn pass(&self) -> Result<()>;
}

/// Echoes everything.
pub(crate) struct Echoing {
    /// Whether to say who calls what.
    pub(crate) verbose: bool,
}

impl Echoing {
    fn note(&self, method: &str) {
        if self.verbose
            && let Some(peer) = CallContext::current().peer()
        {
            eprintln!("{method} by {}", peer.grouped());
        }
    }
}

impl Echo for Echoing {
    async fn hello(&self, name: String) -> Result<String> {
        self.note("hello");
        Ok(format!("hello, {name}"))
    }

    async fn echo(&self, message: Message) -> Result<Message> {
        self.note("echo");
        Ok(message)
    }

    async fn gather(
        &self,
        messages: impl Stream<Item = Result<Message>> + Send + 'static,
    ) -> Result<Summary> {
        self.note("gather");
        let mut messages = pin!(messages);
        let mut summary = Summary { messages: 0, letters: 0 };
        while let Some(message) = messages.next().await {
            summary.letters += message?.text.chars().count() as u64;
            summary.messages += 1;
        }
        Ok(summary)
    }

    fn repeat(
        &self,
        message: Message,
        times: u32,
        pause_ms: u64,
    ) -> impl Stream<Item = Result<Message>> + Send {
        self.note("repeat");
        stream::iter(0..times).then(move |_| {
            let message = message.clone();
            async move {
                sleep(Duration::from_millis(pause_ms)).await;
                Ok(message)
            }
        })
    }

    fn converse(
        &self,
        messages: impl Stream<Item = Result<Message>> + Send + 'static,
    ) -> impl Stream<Item = Result<Message>> + Send {
        self.note("converse");
        messages.map(|message| message.map(answer))
    }

    fn process(
        &self,
        gate: GateRef,
        messages: impl Stream<Item = Result<Message>> + Send + 'static,
    ) -> impl Stream<Item = Result<Message>> + Send {
        self.note("process");
        let (queue, queued) = mpsc::channel(QUEUE);
        tokio::spawn(receive(messages, queue));
        let opened = stream::once(async move { gate.pass().await });
        let answers = from_queue(queued).map(|message| message?.map(answer));
        opened.filter_map(async |passed| passed.err().map(Err)).chain(answers)
    }
}

/// Puts what comes into the queue. While that is full nothing more is asked for, which reaches the
/// sender at the other end. When nobody wants the answers any more, the queue is gone.
async fn receive(
    messages: impl Stream<Item = Result<Message>>,
    queue: mpsc::Sender<Result<Message>>,
) {
    let mut messages = pin!(messages);
    while let Some(message) = messages.next().await {
        if queue.send(message).await.is_err() {
            return;
        }
    }
}

/// The answer to a message.
pub(crate) fn answer(mut message: Message) -> Message {
    message.text = message.text.to_uppercase();
    message
}

/// What comes out of a queue, as a stream.
pub(crate) fn from_queue<T>(queue: mpsc::Receiver<T>) -> impl Stream<Item = Result<T>> {
    stream::unfold(queue, async |mut queue| Some((Ok(queue.recv().await?), queue)))
}
