//! Cap'n Proto with `capnp-rpc`, which keeps each end on one thread.
//!
//! What streams is pushed by the server into a sink that the client hands over, with streaming
//! calls, whose window is as large as everybody's.

#[allow(unreachable_pub, clippy::all, clippy::pedantic, clippy::unimplemented)]
mod bench_capnp {
    include!(concat!(env!("OUT_DIR"), "/bench_capnp.rs"));
}
mod served;
mod sinks;

use crate::{
    Result,
    data::{Data, Message, Origin, Piece, as_message},
    peer::{Meter, Peer, Stage},
    tls::Stream,
};
use bench_capnp::bench;
use capnp::{Error, capability::Promise, message::ReaderOptions};
use capnp_rpc::{
    RpcSystem, new_client_from_rc,
    rpc_twoparty_capnp::Side,
    twoparty::{VatId, VatNetwork},
};
use futures::io::{BufReader, BufWriter};
use served::CapnpServer;
use sinks::{Bytes, Ids, Log, Stuck};
use std::rc::Rc;
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

/// Bytes in a call of a bulk transfer.
const CHUNK: usize = 64 << 10;
/// Bytes of each end's buffers.
const BUFFER: usize = 64 << 10;

/// The server's object, and with it the connection.
pub(crate) struct Capnp {
    bench: bench::Client,
    data: Data,
    bytes: u64,
    entities: u64,
}

impl Peer for Capnp {
    type Server = CapnpServer;
    /// The request goes on for as long as its sink takes nothing.
    type Stalled = Promise<(), Error>;
    /// The sink, which the server holds.
    type Quiet = Rc<Stuck>;
    type Log = Rc<Log>;

    async fn serve(stage: &Stage) -> Result<CapnpServer> {
        CapnpServer::start(stage)
    }

    async fn connect(stage: &Stage, server: &CapnpServer) -> Result<Self> {
        let stream = stage.tls.connect(server.address).await?;
        let mut system = RpcSystem::new(network(stream, stage.window as usize, Side::Client), None);
        let bench = system.bootstrap(VatId::Server);
        // A connection that fails fails its calls, which say so.
        tokio::task::spawn_local(async move { drop(system.await) });
        let (data, bytes, entities) = (stage.data.clone(), stage.bytes, stage.entities);
        Ok(Self { bench, data, bytes, entities })
    }

    async fn bulk(&self, origin: Origin, meter: &Meter) -> Result<()> {
        let mut request = self.bench.bulk_request();
        request.get().set_file(origin == Origin::File);
        request.get().set_to(capnp_rpc::new_client(Bytes(meter.clone())));
        request.send().promise.await?;
        Ok(())
    }

    async fn write(&self) -> Result<u64> {
        let to = self.bench.sink_request().send().promise.await?.get()?.get_to()?;
        for chunk in self.data.to_write(self.bytes, CHUNK) {
            let mut request = to.write_request();
            request.get().set_bytes(&chunk);
            request.send().await?;
        }
        Ok(to.end_request().send().promise.await?.get()?.get_count())
    }

    async fn stall(&self) -> Result<Promise<(), Error>> {
        let sink = Rc::new(Stuck::default());
        let mut request = self.bench.bulk_request();
        request.get().set_to(new_client_from_rc(Rc::clone(&sink)));
        let answer = request.send().promise;
        sink.begun().await;
        Ok(Promise::from_future(async { answer.await.map(drop) }))
    }

    async fn quiet(&self) -> Result<Rc<Stuck>> {
        let sink = Rc::new(Stuck::default());
        let mut request = self.bench.quiet_request();
        request.get().set_to(new_client_from_rc(Rc::clone(&sink)));
        request.send().promise.await?;
        Ok(sink)
    }

    async fn open_log(&self) -> Result<Rc<Log>> {
        let sink = Rc::new(Log::default());
        let mut request = self.bench.log_request();
        request.get().set_to(new_client_from_rc(Rc::clone(&sink)));
        request.send().promise.await?;
        Ok(sink)
    }

    async fn read_log(&self, log: Rc<Log>, bytes: u64) -> Result<u64> {
        Ok(log.ended().await.min(bytes))
    }

    async fn entities(&self) -> Result<u64> {
        self.items(self.entities).await
    }

    async fn items(&self, count: u64) -> Result<u64> {
        let sink = Rc::new(Ids::default());
        let mut request = self.bench.entities_request();
        request.get().set_count(count);
        request.get().set_to(new_client_from_rc(Rc::clone(&sink)));
        request.send().promise.await?;
        Ok(sink.sum())
    }

    async fn batches(&self) -> Result<u64> {
        let sink = Rc::new(Ids::default());
        let mut request = self.bench.batches_request();
        request.get().set_count(self.entities);
        request.get().set_to(new_client_from_rc(Rc::clone(&sink)));
        request.send().promise.await?;
        Ok(sink.sum())
    }

    async fn echo(&self, message: Message) -> Result<Message> {
        let mut request = self.bench.echo_request();
        request.get().set_message(&message);
        Ok(as_message(request.send().promise.await?.get()?.get_message()?))
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        let mut request = self.bench.piece_request();
        request.get().set_at(at);
        request.get().set_len(len as u64);
        Ok(Piece::of(request.send().promise.await?.get()?.get_bytes()?))
    }
}

/// A connection as capnp-rpc takes it, buffered as it advises.
fn network(stream: Stream, window: usize, side: Side) -> Box<dyn capnp_rpc::VatNetwork<VatId>> {
    let (from, to) = tokio::io::split(stream);
    let from = BufReader::with_capacity(BUFFER, from.compat());
    let to = BufWriter::with_capacity(BUFFER, to.compat_write());
    let mut network = VatNetwork::new(from, to, side, ReaderOptions::new());
    network.set_window_size(window);
    Box::new(network)
}
