//! gRPC over HTTP/2, with `tonic`'s own server and channel.

mod incoming;
pub(crate) mod messages;

use crate::{
    Result,
    data::{self, Data, Message, Origin, Piece, as_message, sample},
    live::{Live, Taken},
    peer::{Meter, Peer, Stage},
    systems::http2::Tuning,
    tls::Listening,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use generated::{bench_client::BenchClient, bench_server};
use hyper_util::rt::TokioIo;
use incoming::Incoming;
use messages::{Batch, Chunk, Count, Nothing, Pair, Sample, Sum};
use std::pin::Pin;
use tokio::sync::mpsc;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Channel, Endpoint, Server},
};

mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/bench.Bench.rs"));
}

/// Bytes in a message of a bulk read.
const CHUNK: usize = 64 << 10;
/// Connections that wait to be taken up.
const BACKLOG: usize = 16;

/// A channel, which is one HTTP/2 connection.
pub(crate) struct Tonic {
    client: BenchClient<Channel>,
    data: Data,
    bytes: u64,
    entities: u64,
}

impl Peer for Tonic {
    type Server = Listening;
    type Stalled = Streaming<Chunk>;
    type Quiet = Streaming<Chunk>;
    type Log = Streaming<Chunk>;

    async fn serve(stage: &Stage) -> Result<Listening> {
        let (to, from) = mpsc::channel::<Incoming>(BACKLOG);
        let (data, live) = (stage.data.clone(), stage.live.clone());
        let served = Served { data, live, bytes: stage.bytes };
        let tuning = Tuning::of(stage);
        let server = Server::builder()
            .initial_stream_window_size(tuning.stream_window)
            .initial_connection_window_size(tuning.connection_window)
            .max_frame_size(tuning.frame)
            .max_concurrent_streams(tuning.streams)
            .add_service(bench_server::BenchServer::new(served));
        let connections = stream::unfold(from, async |mut from| {
            from.recv().await.map(|stream| (std::io::Result::Ok(stream), from))
        });
        tokio::spawn(async move {
            if let Err(error) = server.serve_with_incoming(connections).await {
                eprintln!("tonic: {error}");
            }
        });
        let listening = stage.tls.listen(move |stream| {
            let to = to.clone();
            // A server that is gone takes no more connections.
            async move { drop(to.send(Incoming(stream)).await) }
        });
        listening.await
    }

    async fn connect(stage: &Stage, server: &Listening) -> Result<Self> {
        let (tls, address) = (stage.tls.clone(), server.address);
        let tuning = Tuning::of(stage);
        // TLS is set up by the connector, so that it is the same as everybody's.
        let channel = Endpoint::from_static("http://bench.invalid")
            .initial_stream_window_size(tuning.stream_window)
            .initial_connection_window_size(tuning.connection_window)
            .connect_with_connector(tower::service_fn(move |_| {
                let tls = tls.clone();
                async move { tls.connect(address).await.map(TokioIo::new) }
            }))
            .await?;
        let (data, bytes, entities) = (stage.data.clone(), stage.bytes, stage.entities);
        Ok(Self { client: BenchClient::new(channel), data, bytes, entities })
    }

    async fn bulk(&self, origin: Origin, meter: &Meter) -> Result<()> {
        let origin = messages::Origin { file: origin == Origin::File };
        let mut chunks = self.client.clone().bulk(origin).await?.into_inner();
        while let Some(chunk) = chunks.message().await? {
            meter.add(chunk.bytes.len());
        }
        Ok(())
    }

    async fn write(&self) -> Result<u64> {
        let chunks = self.data.to_write(self.bytes, CHUNK).map(|bytes| Chunk { bytes });
        Ok(self.client.clone().write(stream::iter(chunks)).await?.into_inner().sum)
    }

    async fn stall(&self) -> Result<Streaming<Chunk>> {
        let origin = messages::Origin { file: false };
        let mut chunks = self.client.clone().bulk(origin).await?.into_inner();
        chunks.message().await?;
        Ok(chunks)
    }

    async fn quiet(&self) -> Result<Streaming<Chunk>> {
        Ok(self.client.clone().quiet(Nothing {}).await?.into_inner())
    }

    async fn open_log(&self) -> Result<Streaming<Chunk>> {
        Ok(self.client.clone().log(Nothing {}).await?.into_inner())
    }

    async fn read_log(&self, mut log: Streaming<Chunk>, bytes: u64) -> Result<u64> {
        let mut taken = Taken::default();
        while taken.bytes() < bytes
            && let Some(piece) = log.message().await?
        {
            taken.take(&piece.bytes)?;
        }
        Ok(taken.bytes())
    }

    async fn entities(&self) -> Result<u64> {
        self.items(self.entities).await
    }

    async fn items(&self, count: u64) -> Result<u64> {
        let mut samples = self.client.clone().entities(Count { count }).await?.into_inner();
        let mut sum = 0u64;
        while let Some(sample) = samples.message().await? {
            sum = sum.wrapping_add(sample.id);
        }
        Ok(sum)
    }

    async fn batches(&self) -> Result<u64> {
        let mut batches =
            self.client.clone().batches(Count { count: self.entities }).await?.into_inner();
        let mut sum = 0u64;
        while let Some(batch) = batches.message().await? {
            sum = batch.samples.iter().fold(sum, |sum, sample| sum.wrapping_add(sample.id));
        }
        Ok(sum)
    }

    async fn echo(&self, message: Message) -> Result<Message> {
        let message = Chunk { bytes: Bytes::copy_from_slice(&message) };
        Ok(as_message(&self.client.clone().echo(message).await?.into_inner().bytes))
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        let chunk = self.client.clone().piece(Pair { a: at, b: len as u64 }).await?.into_inner();
        Ok(Piece::of(&chunk.bytes))
    }
}

/// What the server answers with.
struct Served {
    data: Data,
    live: Live,
    bytes: u64,
}

type Answers<T> = Pin<Box<dyn Stream<Item = std::result::Result<T, Status>> + Send>>;
type Answer<T> = std::result::Result<Response<T>, Status>;

#[tonic::async_trait]
impl bench_server::Bench for Served {
    async fn echo(&self, request: Request<Chunk>) -> Answer<Chunk> {
        Ok(Response::new(request.into_inner()))
    }

    async fn piece(&self, request: Request<Pair>) -> Answer<Chunk> {
        let Pair { a, b } = request.into_inner();
        Ok(Response::new(Chunk { bytes: self.data.piece(a, b as usize) }))
    }

    type BulkStream = Answers<Chunk>;

    async fn bulk(&self, request: Request<messages::Origin>) -> Answer<Answers<Chunk>> {
        let origin = if request.into_inner().file { Origin::File } else { Origin::Memory };
        let chunks = stream::iter(self.data.chunks(origin, self.bytes, CHUNK));
        Ok(Response::new(Box::pin(chunks.map(|bytes| Ok(Chunk { bytes: bytes? })))))
    }

    type QuietStream = Answers<Chunk>;

    async fn quiet(&self, _: Request<Nothing>) -> Answer<Answers<Chunk>> {
        Ok(Response::new(Box::pin(stream::pending())))
    }

    type LogStream = Answers<Chunk>;

    async fn log(&self, _: Request<Nothing>) -> Answer<Answers<Chunk>> {
        let pieces = stream::unfold(self.live.reader(), async |mut log| {
            log.next(CHUNK).await.map(|bytes| (Ok(Chunk { bytes }), log))
        });
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn write(&self, request: Request<Streaming<Chunk>>) -> Answer<Sum> {
        let mut chunks = request.into_inner();
        let mut sum = 0;
        while let Some(chunk) = chunks.message().await? {
            sum += self.data.write(sum, &chunk.bytes)?;
        }
        Ok(Response::new(Sum { sum }))
    }

    type EntitiesStream = Answers<Sample>;

    async fn entities(&self, request: Request<Count>) -> Answer<Answers<Sample>> {
        let samples = (0..request.into_inner().count).map(|n| Ok(sample(n).into()));
        Ok(Response::new(Box::pin(stream::iter(samples))))
    }

    type BatchesStream = Answers<Batch>;

    async fn batches(&self, request: Request<Count>) -> Answer<Answers<Batch>> {
        let batch = |batch: Vec<data::Sample>| {
            Ok(Batch { samples: batch.into_iter().map(Sample::from).collect() })
        };
        let batches = data::batches(request.into_inner().count).map(batch);
        Ok(Response::new(Box::pin(stream::iter(batches))))
    }
}
