//! Calls with `tarpc`: `bincode` in length-delimited frames, its own transport on everybody's TLS.
//!
//! It has calls only. So bulk data and batches are calls as well, some of them always under way.

use crate::{
    Result,
    data::{self, Data, Message, Origin, Piece, Sample},
    peer::{Meter, Peer, Stage},
    tls::{Listening, Stream},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tarpc::{
    client, context, serde_transport,
    server::{BaseChannel, Channel},
    tokio_serde::formats::Bincode,
    tokio_util::codec::LengthDelimitedCodec,
};

/// Bytes that a call of a bulk read asks for.
const CHUNK: usize = 256 << 10;
/// Calls for batches that are under way at a time.
const AHEAD: usize = 8;

#[tarpc::service]
trait Bench {
    async fn echo(message: Message) -> Message;
    async fn piece(at: u64, len: u64) -> Bytes;
    async fn chunk(file: bool, at: u64, len: u64) -> std::result::Result<Bytes, String>;
    async fn write(at: u64, bytes: Bytes) -> std::result::Result<u64, String>;
    async fn batch(from: u64) -> Vec<Sample>;
}

/// A client, whose calls share a connection.
pub(crate) struct Tarpc {
    client: BenchClient,
    data: Data,
    bytes: u64,
    entities: u64,
    /// Calls of a bulk transfer that are under way at a time.
    ahead: usize,
}

impl Peer for Tarpc {
    type Server = Listening;
    type Stalled = ();
    type Quiet = ();
    type Log = ();

    async fn serve(stage: &Stage) -> Result<Listening> {
        let served = Served { data: stage.data.clone(), count: stage.entities };
        stage.tls.listen(move |stream| connection(served.clone(), stream)).await
    }

    async fn connect(stage: &Stage, server: &Listening) -> Result<Self> {
        let stream = stage.tls.connect(server.address).await?;
        let framed = LengthDelimitedCodec::builder().new_framed(stream);
        let transport = serde_transport::new(framed, Bincode::default());
        let client = BenchClient::new(client::Config::default(), transport).spawn();
        let data = stage.data.clone();
        let ahead = stage.window as usize / 2 / CHUNK;
        Ok(Self { client, data, bytes: stage.bytes, entities: stage.entities, ahead })
    }

    async fn bulk(&self, origin: Origin, meter: &Meter) -> Result<()> {
        let file = origin == Origin::File;
        stream::iter((0..self.bytes).step_by(CHUNK))
            .map(async |at| {
                let len = (self.bytes - at).min(CHUNK as u64);
                let chunk = self.client.chunk(context::current(), file, at, len).await??;
                Result::Ok(chunk.len())
            })
            .buffered(self.ahead)
            .try_for_each(async |length| {
                meter.add(length);
                Ok(())
            })
            .await
    }

    async fn write(&self) -> Result<u64> {
        stream::iter((0..).step_by(CHUNK).zip(self.data.to_write(self.bytes, CHUNK)))
            .map(async |(at, bytes)| {
                Result::Ok(self.client.write(context::current(), at, bytes).await??)
            })
            .buffered(self.ahead)
            .try_fold(0, async |written, length| Ok(written + length))
            .await
    }

    async fn stall(&self) -> Result<()> {
        Err("a call has no reader who could stall".into())
    }

    async fn quiet(&self) -> Result<()> {
        Err("a call is no stream".into())
    }

    async fn open_log(&self) -> Result<()> {
        Err("a call is no stream".into())
    }

    async fn read_log(&self, (): (), _bytes: u64) -> Result<u64> {
        Err("a call is no stream".into())
    }

    async fn entities(&self) -> Result<u64> {
        self.items(self.entities).await
    }

    async fn items(&self, _count: u64) -> Result<u64> {
        Err("calls have no items".into())
    }

    async fn batches(&self) -> Result<u64> {
        stream::iter((0..self.entities).step_by(data::BATCH as usize))
            .map(async |from| Result::Ok(self.client.batch(context::current(), from).await?))
            .buffered(AHEAD)
            .try_fold(0u64, async |sum, batch| {
                Ok(batch.iter().fold(sum, |sum, sample| sum.wrapping_add(sample.id)))
            })
            .await
    }

    async fn echo(&self, message: Message) -> Result<Message> {
        Ok(self.client.echo(context::current(), message).await?)
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        Ok(Piece::of(&self.client.piece(context::current(), at, len as u64).await?))
    }
}

/// What the server answers with.
#[derive(Clone)]
struct Served {
    data: Data,
    count: u64,
}

async fn connection(served: Served, stream: Stream) {
    let framed = LengthDelimitedCodec::builder().new_framed(stream);
    let channel = BaseChannel::with_defaults(serde_transport::new(framed, Bincode::default()));
    // No answer waits for anything, so none needs a task of its own.
    channel.execute(served.serve()).for_each(|answer| answer).await;
}

impl Bench for Served {
    async fn echo(self, _: context::Context, message: Message) -> Message {
        message
    }

    async fn piece(self, _: context::Context, at: u64, len: u64) -> Bytes {
        self.data.piece(at, len as usize)
    }

    async fn chunk(
        self,
        _: context::Context,
        file: bool,
        at: u64,
        len: u64,
    ) -> std::result::Result<Bytes, String> {
        let origin = if file { Origin::File } else { Origin::Memory };
        self.data.chunk(origin, at, len as usize).map_err(|error| error.to_string())
    }

    async fn write(
        self,
        _: context::Context,
        at: u64,
        bytes: Bytes,
    ) -> std::result::Result<u64, String> {
        self.data.write(at, &bytes).map_err(|error| error.to_string())
    }

    async fn batch(self, _: context::Context, from: u64) -> Vec<Sample> {
        data::batch(from, self.count)
    }
}
