//! Messages of one size, as entities of a sequence and as calls that come back.

use super::point::{Point, Quantity};
use crate::{
    Result,
    data::{self, BLOCK, Piece},
    measure::{Measured, Stopwatch},
    peer::under_way,
};
use bytes::Bytes;
use farlens::{
    Client, Grant, Identity, IterData, Limits, Link, Pattern, RemotePath, Server, Ticket, Verb,
};
use futures::TryStreamExt;

/// Bytes of all messages together, and how many there are at the most and at the least.
const BYTES: u64 = 512 << 20;
const MOST_ENTITIES: u64 = 500_000;
const MOST_CALLS: u64 = 50_000;
const LEAST: u64 = 4;
/// Calls that are under way at a time.
const AT_ONCE: usize = 4;
/// Room for what a message is wrapped in.
const WRAPPED: usize = 4 << 10;

/// What is called.
#[farlens::remote]
pub(crate) trait Echo {
    async fn echo(&self, message: Bytes) -> farlens::Result<Bytes>;
}

struct Plain;

impl Echo for Plain {
    async fn echo(&self, message: Bytes) -> farlens::Result<Bytes> {
        Ok(message)
    }
}

/// The message of a place, a piece of the block.
#[derive(Clone)]
struct Messages {
    block: Bytes,
    bytes: usize,
}

impl Messages {
    fn at(&self, n: u64) -> u64 {
        n.wrapping_mul(4099) % (BLOCK - self.bytes) as u64
    }

    fn message(&self, n: u64) -> Bytes {
        let at = self.at(n) as usize;
        self.block.slice(at..at + self.bytes)
    }

    fn is(&self, n: u64, message: &[u8]) -> bool {
        Piece::of(message) == Piece::expected(self.at(n), self.bytes)
    }
}

/// A server of messages, and a link to it.
async fn joined(messages: &Messages, count: u64) -> Result<(Server, Link)> {
    let limits = Limits::default();
    let limits = match messages.bytes + WRAPPED {
        bytes if bytes > limits.message_bytes => limits.message(bytes),
        _ => limits,
    };
    let client = Identity::generate()?;
    let root = RemotePath::new("/")?;
    let pattern = Pattern::beneath(&root);
    let grants = [Verb::Read, Verb::Call].map(|verb| Grant { verb, pattern: pattern.clone() });
    let sent = messages.clone();
    let server = Server::builder()
        .limits(limits.clone())
        .identity(Identity::generate()?)
        .authorize(client.key_id(), grants.to_vec())
        .publish("/entities", IterData::new((0..count).map(move |n| sent.message(n))))
        .publish("/echo", EchoRef::new(Plain))
        .bind("127.0.0.1:0")
        .await?;
    let ticket = Ticket::new(vec![server.local_addr().into()], server.key(), root)?;
    let client = Client::builder().identity(client).limits(limits);
    let link = client.connect(&ticket.to_string()).await?;
    Ok((server, link))
}

/// A sequence of messages that an iterator makes.
pub(super) async fn entities(point: Point) -> Result<Measured> {
    let (messages, count) = point.messages(MOST_ENTITIES)?;
    let (_server, link) = joined(&messages, count).await?;
    let mut entities = link.entities::<Bytes>("/entities").await?;
    let watch = Stopwatch::start();
    let mut right = 0;
    while let Some(message) = entities.try_next().await? {
        right += u64::from(messages.is(right, &message));
    }
    point.finish(watch, right, count)
}

/// Calls, some of them under way.
pub(super) async fn calls(point: Point) -> Result<Measured> {
    let (messages, count) = point.messages(MOST_CALLS)?;
    let (_server, link) = joined(&messages, 1).await?;
    let echo = link.object::<EchoRef>("/echo").await?;
    let (echo, messages) = (&echo, &messages);
    let calls =
        (0..count).map(async |n| Ok(messages.is(n, &echo.echo(messages.message(n)).await?)));
    let watch = Stopwatch::start();
    let right = under_way(calls, AT_ONCE).await?;
    point.finish(watch, right, count)
}

impl Point {
    fn messages(self, most: u64) -> Result<(Messages, u64)> {
        let bytes = usize::try_from(self.x)?;
        let (all, most) = if self.quick { (BYTES >> 5, 1000) } else { (BYTES, most) };
        let count = (all / self.x).clamp(LEAST, most);
        Ok((Messages { block: data::block(), bytes }, count))
    }

    fn finish(self, watch: Stopwatch, right: u64, count: u64) -> Result<Measured> {
        let measured = match self.quantity {
            Quantity::Number => watch.rate(count, 1.0),
            Quantity::Rate | Quantity::Memory => watch.rate(count * self.x, 1e6),
        };
        match right == count {
            true => Ok(measured),
            false => Err(format!("{right} of {count} messages were right").into()),
        }
    }
}
