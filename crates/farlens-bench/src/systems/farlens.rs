//! This project, through its public interface and with its default limits. Only where a workload
//! has more streams than they allow is that one raised.
//!
//! Bytes are streams, pieces are ranges of an open one, entities are sequences that an iterator
//! makes, and calls go to an object.

use crate::{
    Result,
    data::{self, Data, Message, Origin, Piece, Sample, as_message, sample},
    live::{self, Taken},
    peer::{Meter, Peer, Stage},
};
use bytes::Bytes;
use farlens::{
    Bounds, ByteStream, Chunk, Client, EntityStream, FileData, FixedData, Flags, Grant, Identity,
    IterData, Kind, Limits, Link, ModeOffer, OpenOptions, Pattern, Position, Publisher, RemotePath,
    Server, Streamer, StreamerData, Ticket, Verb,
    data::{DataState, Fetched, ReadBudget},
};
use futures::{Stream, TryStreamExt, stream};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::{io::AsyncWriteExt, sync::OnceCell};

/// Iterations that a server can serve: an iterator serves one.
const ITERATIONS: u64 = 32;
/// Bytes that are written at once.
const WRITE: usize = 64 << 10;

fn limits(stage: &Stage) -> Limits {
    let mut limits = Limits::default();
    limits.streams = limits.streams.max(stage.streams);
    limits
}

/// What is called.
#[farlens::remote]
pub(crate) trait Object {
    async fn echo(&self, message: Bytes) -> farlens::Result<Bytes>;
    fn samples(&self, count: u64) -> impl Stream<Item = farlens::Result<Sample>> + Send;
}

struct Plain;

impl Object for Plain {
    async fn echo(&self, message: Bytes) -> farlens::Result<Bytes> {
        Ok(message)
    }

    fn samples(&self, count: u64) -> impl Stream<Item = farlens::Result<Sample>> + Send {
        stream::iter((0..count).map(|n| Ok(sample(n))))
    }
}

/// A server, with what it writes to and whom it lets in.
pub(crate) struct Served {
    server: Server,
    client: Identity,
    log: Publisher<Bytes>,
}

/// A link, with what is kept open on it.
pub(crate) struct Farlens {
    link: Link,
    data: Data,
    bytes: u64,
    object: OnceCell<ObjectRef>,
    block: OnceCell<ByteStream>,
    iteration: AtomicU64,
}

impl Peer for Farlens {
    type Server = Served;
    type Stalled = ByteStream;
    type Quiet = ByteStream;
    type Log = EntityStream<Bytes>;

    async fn serve(stage: &Stage) -> Result<Served> {
        let end = Position::new(stage.bytes).unwrap_or(Position::MAX);
        let repeated = Repeated { data: stage.data.clone(), end };
        let (log, channel) = farlens::data::channel(live::BEHIND as u64);
        let client = Identity::generate()?;
        let pattern = Pattern::beneath(&RemotePath::new("/")?);
        let grants = [Verb::Read, Verb::Write, Verb::Call]
            .map(|verb| Grant { verb, pattern: pattern.clone() });
        let mut builder = Server::builder()
            .limits(limits(stage))
            .identity(Identity::generate()?)
            .authorize(client.key_id(), grants.to_vec())
            .publish("/log", channel)
            .publish("/memory", Streamer::new(repeated))
            .publish("/file", FileData::read_only(&stage.path))
            .publish("/written", FileData::read_write(&stage.written))
            .publish("/block", FixedData::bytes(stage.data.block.clone()))
            .publish("/object", ObjectRef::new(Plain));
        let count = stage.entities;
        for n in 0..ITERATIONS {
            builder = builder
                .publish(&format!("/entities/{n}"), IterData::new((0..count).map(sample)))
                .publish(&format!("/batches/{n}"), IterData::new(data::batches(count)));
        }
        let server = builder.bind("127.0.0.1:0").await?;
        Ok(Served { server, client, log })
    }

    async fn connect(stage: &Stage, Served { server, client, .. }: &Served) -> Result<Self> {
        let address = stage.tls.route(server.local_addr()).await?;
        let ticket = Ticket::new(vec![address.into()], server.key(), RemotePath::new("/")?)?;
        let client = Client::builder().identity(client.clone()).limits(limits(stage));
        let link = client.connect(&ticket.to_string()).await?;
        let iteration = AtomicU64::new(0);
        let (data, bytes) = (stage.data.clone(), stage.bytes);
        Ok(Self { link, data, bytes, object: OnceCell::new(), block: OnceCell::new(), iteration })
    }

    async fn bulk(&self, origin: Origin, meter: &Meter) -> Result<()> {
        let path = if origin == Origin::Memory { "/memory" } else { "/file" };
        let mut stream = self.link.open(path).await?;
        while let Some(chunk) = stream.next_chunk().await? {
            meter.add(chunk.len());
        }
        Ok(())
    }

    async fn write(&self) -> Result<u64> {
        let options = OpenOptions::new().write(true);
        let mut stream = self.link.open_with("/written", options).await?;
        let mut written = 0;
        for chunk in self.data.to_write(self.bytes, WRITE) {
            stream.write_all(&chunk).await?;
            written += chunk.len() as u64;
        }
        stream.flush().await?;
        Ok(written)
    }

    async fn stall(&self) -> Result<ByteStream> {
        let mut stream = self.link.open("/memory").await?;
        stream.next_chunk().await?;
        Ok(stream)
    }

    async fn quiet(&self) -> Result<ByteStream> {
        Ok(self.link.open_with("/block", OpenOptions::new().lazy(true)).await?)
    }

    async fn open_log(&self) -> Result<EntityStream<Bytes>> {
        Ok(self.link.entities("/log").await?)
    }

    async fn read_log(&self, mut log: EntityStream<Bytes>, bytes: u64) -> Result<u64> {
        let mut taken = Taken::default();
        while taken.bytes() < bytes
            && let Some(entry) = log.try_next().await?
        {
            taken.take(&entry)?;
        }
        Ok(taken.bytes())
    }

    async fn write_log(stage: &Stage, server: &Served, bytes: u64) -> Result<()> {
        for entry in live::entries(&stage.data, bytes) {
            server.log.send_async(entry).await?;
        }
        Ok(())
    }

    /// An object's method gives a stream whenever it is called; what is published is there before.
    async fn items(&self, count: u64) -> Result<u64> {
        let mut samples = std::pin::pin!(self.object().await?.samples(count));
        let mut sum = 0u64;
        while let Some(sample) = samples.try_next().await? {
            sum = sum.wrapping_add(sample.id);
        }
        Ok(sum)
    }

    async fn entities(&self) -> Result<u64> {
        let path = format!("/entities/{}", self.iteration.fetch_add(1, Ordering::Relaxed));
        let mut samples = self.link.entities::<Sample>(&path).await?;
        let mut sum = 0u64;
        while let Some(sample) = samples.try_next().await? {
            sum = sum.wrapping_add(sample.id);
        }
        Ok(sum)
    }

    async fn batches(&self) -> Result<u64> {
        let path = format!("/batches/{}", self.iteration.fetch_add(1, Ordering::Relaxed));
        let mut batches = self.link.entities::<Vec<Sample>>(&path).await?;
        let mut sum = 0u64;
        while let Some(batch) = batches.try_next().await? {
            sum = batch.iter().fold(sum, |sum, sample| sum.wrapping_add(sample.id));
        }
        Ok(sum)
    }

    async fn echo(&self, message: Message) -> Result<Message> {
        let message = Bytes::copy_from_slice(&message);
        Ok(as_message(&self.object().await?.echo(message).await?))
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        let block = self.block.get_or_try_init(|| self.link.open("/block")).await?;
        Ok(Piece::of(&block.read_at(at..at + len as u64).await?))
    }

    async fn read_once(&self, at: u64, len: usize) -> Result<Piece> {
        Ok(Piece::of(&self.link.read_at("/block", at..at + len as u64).await?))
    }
}

impl Farlens {
    async fn object(&self) -> Result<&ObjectRef> {
        Ok(self.object.get_or_try_init(|| self.link.object::<ObjectRef>("/object")).await?)
    }
}

/// The block repeated to a length.
struct Repeated {
    data: Data,
    end: Position,
}

impl StreamerData for Repeated {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        let bounded = Flags::START_BOUNDED | Flags::END_BOUNDED;
        let required = Flags::READABLE | bounded | Flags::FIXED_DATA;
        ModeOffer { required, possible: Flags::SEEK }
    }

    async fn state(&self) -> farlens::Result<DataState> {
        let bounds = Bounds::up_to(self.end);
        Ok(DataState { bounds, version: Bytes::from_static(b"fixed"), ended: true })
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> farlens::Result<Fetched> {
        self.read_now(at, budget).unwrap_or(Ok(Fetched::Nothing))
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<farlens::Result<Fetched>> {
        let left = usize::try_from(self.end.since(at)).unwrap_or(usize::MAX);
        let piece = self.data.piece(at.get() % data::BLOCK as u64, left.min(budget.bytes));
        Some(Ok(if left == 0 { Fetched::Nothing } else { Fetched::Some(Chunk::Bytes(piece)) }))
    }
}
