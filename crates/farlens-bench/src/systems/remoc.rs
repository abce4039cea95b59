//! Channels and remote traits with `remoc`, in its own codec.

use crate::{
    Result,
    data::{self, Data, Message, Origin, Piece, Sample, as_message, sample},
    live::{Live, Taken},
    peer::{Meter, Peer, Stage},
    tls::{Listening, Stream},
};
use bytes::{Buf, Bytes};
use remoc::{Cfg, Connect, prelude::*, rch, rtc::CallError};
use std::sync::Arc;

/// Bytes in a message of a bulk read.
const CHUNK: usize = 64 << 10;

/// Items that a channel holds at each end, and calls that a server works on at a time.
const BUFFER: usize = 256;

type Sender<T> = rch::mpsc::Sender<T, remoc::codec::Default, BUFFER>;
type Receiver<T> = rch::mpsc::Receiver<T, remoc::codec::Default, BUFFER>;

/// A channel with larger buffers than the default of 16 items.
fn channel<T: remoc::RemoteSend>() -> (Sender<T>, Receiver<T>) {
    let (to, from) = rch::mpsc::with_local_buffer(BUFFER);
    (to.set_buffer(), from.set_buffer())
}

#[rtc::remote]
pub(crate) trait Bench {
    async fn echo(&self, message: Bytes) -> std::result::Result<Bytes, CallError>;
    async fn piece(&self, at: u64, len: u64) -> std::result::Result<Bytes, CallError>;
    async fn bulk(&self, file: bool) -> std::result::Result<rch::bin::Receiver, CallError>;
    async fn quiet(&self) -> std::result::Result<rch::bin::Receiver, CallError>;
    async fn log(&self) -> std::result::Result<rch::bin::Receiver, CallError>;
    async fn write(&self, from: rch::bin::Receiver) -> std::result::Result<u64, CallError>;
    async fn entities(&self, count: u64) -> std::result::Result<Receiver<Sample>, CallError>;
    async fn batches(&self) -> std::result::Result<Receiver<Vec<Sample>>, CallError>;
}

/// A client of the trait, and with it the connection.
pub(crate) struct Remoc {
    client: BenchClient,
    data: Data,
    bytes: u64,
    entities: u64,
}

/// Ports of a connection: a stream takes one, and the default of 8192 would not do for idle ones.
const PORTS: u32 = 1 << 16;

/// Larger windows and frames than the defaults, which are meant for slower networks.
fn cfg(window: u32) -> Cfg {
    Cfg {
        chunk_size: CHUNK as u32,
        port_receive_buffer: window,
        port_receive_throttle: 2 * window,
        max_ports: PORTS,
        ..Cfg::default()
    }
}

impl Peer for Remoc {
    type Server = Listening;
    type Stalled = remoc::chmux::Receiver;
    type Quiet = remoc::chmux::Receiver;
    type Log = remoc::chmux::Receiver;

    async fn serve(stage: &Stage) -> Result<Listening> {
        let (data, live) = (stage.data.clone(), stage.live.clone());
        let served = Served { data, live, bytes: stage.bytes, count: stage.entities };
        let (served, window) = (Arc::new(served), stage.window);
        let serve = move |stream| {
            let served = Arc::clone(&served);
            // A client that goes is no failure.
            async move { drop(connection(served, window, stream).await) }
        };
        stage.tls.listen(serve).await
    }

    async fn connect(stage: &Stage, server: &Listening) -> Result<Self> {
        let (from, to) = tokio::io::split(stage.tls.connect(server.address).await?);
        let client = Connect::io(cfg(stage.window), from, to).consume().await?;
        let (data, bytes, entities) = (stage.data.clone(), stage.bytes, stage.entities);
        Ok(Self { client, data, bytes, entities })
    }

    async fn bulk(&self, origin: Origin, meter: &Meter) -> Result<()> {
        let mut chunks = self.client.bulk(origin == Origin::File).await?.into_inner().await?;
        while let Some(chunk) = chunks.recv().await? {
            meter.add(chunk.remaining());
        }
        Ok(())
    }

    async fn write(&self) -> Result<u64> {
        let (to, from) = rch::bin::channel();
        let send = async {
            let mut to = to.into_inner().await?;
            for chunk in self.data.to_write(self.bytes, CHUNK) {
                to.send(chunk).await?;
            }
            Result::Ok(())
        };
        let written = async { Ok(self.client.write(from).await?) };
        Ok(futures::future::try_join(written, send).await?.0)
    }

    async fn stall(&self) -> Result<remoc::chmux::Receiver> {
        let mut chunks = self.client.bulk(false).await?.into_inner().await?;
        chunks.recv().await?;
        Ok(chunks)
    }

    async fn quiet(&self) -> Result<remoc::chmux::Receiver> {
        Ok(self.client.quiet().await?.into_inner().await?)
    }

    async fn open_log(&self) -> Result<remoc::chmux::Receiver> {
        Ok(self.client.log().await?.into_inner().await?)
    }

    async fn read_log(&self, mut log: remoc::chmux::Receiver, bytes: u64) -> Result<u64> {
        let mut taken = Taken::default();
        while taken.bytes() < bytes
            && let Some(piece) = log.recv().await?
        {
            taken.take(&Bytes::from(piece))?;
        }
        Ok(taken.bytes())
    }

    async fn entities(&self) -> Result<u64> {
        self.items(self.entities).await
    }

    async fn items(&self, count: u64) -> Result<u64> {
        let mut samples = self.client.entities(count).await?;
        let mut sum = 0u64;
        while let Some(sample) = samples.recv().await? {
            sum = sum.wrapping_add(sample.id);
        }
        Ok(sum)
    }

    async fn batches(&self) -> Result<u64> {
        let mut batches = self.client.batches().await?;
        let mut sum = 0u64;
        while let Some(batch) = batches.recv().await? {
            sum = batch.iter().fold(sum, |sum, sample| sum.wrapping_add(sample.id));
        }
        Ok(sum)
    }

    async fn echo(&self, message: Message) -> Result<Message> {
        Ok(as_message(&self.client.echo(Bytes::copy_from_slice(&message)).await?))
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        Ok(Piece::of(&self.client.piece(at, len as u64).await?))
    }
}

/// What the server answers with.
struct Served {
    data: Data,
    live: Live,
    bytes: u64,
    count: u64,
}

async fn connection(served: Arc<Served>, window: u32, stream: Stream) -> Result<()> {
    let (mut server, client) = BenchServerShared::<_, remoc::codec::Default>::new(served);
    server.set_parallelism(BUFFER);
    let (from, to) = tokio::io::split(stream);
    Connect::io(cfg(window), from, to).provide(client).await?;
    server.serve().await.map_err(|error| error.to_string().into())
}

impl Bench for Served {
    async fn echo(&self, message: Bytes) -> std::result::Result<Bytes, CallError> {
        Ok(message)
    }

    async fn piece(&self, at: u64, len: u64) -> std::result::Result<Bytes, CallError> {
        Ok(self.data.piece(at, len as usize))
    }

    async fn bulk(&self, file: bool) -> std::result::Result<rch::bin::Receiver, CallError> {
        let origin = if file { Origin::File } else { Origin::Memory };
        let chunks = self.data.chunks(origin, self.bytes, CHUNK);
        let (to, from) = rch::bin::channel();
        tokio::spawn(async move {
            let mut to = to.into_inner().await?;
            for chunk in chunks {
                to.send(chunk?).await?;
            }
            Result::Ok(())
        });
        Ok(from)
    }

    async fn quiet(&self) -> std::result::Result<rch::bin::Receiver, CallError> {
        let (to, from) = rch::bin::channel();
        tokio::spawn(async move {
            if let Ok(to) = to.into_inner().await {
                to.closed().await;
            }
        });
        Ok(from)
    }

    async fn log(&self) -> std::result::Result<rch::bin::Receiver, CallError> {
        let mut log = self.live.reader();
        let (to, from) = rch::bin::channel();
        tokio::spawn(async move {
            let mut to = to.into_inner().await?;
            while let Some(piece) = log.next(CHUNK).await {
                to.send(piece).await?;
            }
            Result::Ok(())
        });
        Ok(from)
    }

    /// What cannot be written is missing in the answer, which the client notices.
    async fn write(&self, from: rch::bin::Receiver) -> std::result::Result<u64, CallError> {
        let Ok(mut from) = from.into_inner().await else { return Ok(0) };
        let mut written = 0;
        while let Ok(Some(chunk)) = from.recv().await {
            written += self.data.write(written, &Bytes::from(chunk)).unwrap_or_default();
        }
        Ok(written)
    }

    async fn entities(&self, count: u64) -> std::result::Result<Receiver<Sample>, CallError> {
        let (to, from) = channel();
        tokio::spawn(async move {
            for n in 0..count {
                if to.send(sample(n)).await.is_err() {
                    break;
                }
            }
        });
        Ok(from)
    }

    async fn batches(&self) -> std::result::Result<Receiver<Vec<Sample>>, CallError> {
        let (to, from) = channel();
        let batches = data::batches(self.count);
        tokio::spawn(async move {
            for batch in batches {
                if to.send(batch).await.is_err() {
                    break;
                }
            }
        });
        Ok(from)
    }
}
