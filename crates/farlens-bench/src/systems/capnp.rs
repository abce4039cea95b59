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
    data::{Data, Origin, Piece},
    peer::{Peer, Stage},
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
use sinks::{Bytes, Ids, Stuck};
use std::rc::Rc;
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

/// Bytes of streaming calls that are under way.
const WINDOW: usize = 4 << 20;
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

    async fn serve(stage: &Stage) -> Result<CapnpServer> {
        CapnpServer::start(stage)
    }

    async fn connect(stage: &Stage, server: &CapnpServer) -> Result<Self> {
        let stream = stage.tls.connect(server.address).await?;
        let mut system = RpcSystem::new(network(stream, Side::Client), None);
        let bench = system.bootstrap(VatId::Server);
        // A connection that fails fails its calls, which say so.
        tokio::task::spawn_local(async move { drop(system.await) });
        let (data, bytes, entities) = (stage.data.clone(), stage.bytes, stage.entities);
        Ok(Self { bench, data, bytes, entities })
    }

    async fn bulk(&self, origin: Origin) -> Result<u64> {
        let sink = Rc::new(Bytes::default());
        let mut request = self.bench.bulk_request();
        request.get().set_file(origin == Origin::File);
        request.get().set_to(new_client_from_rc(Rc::clone(&sink)));
        request.send().promise.await?;
        Ok(sink.received())
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

    async fn add(&self, a: u64, b: u64) -> Result<u64> {
        let mut request = self.bench.add_request();
        request.get().set_a(a);
        request.get().set_b(b);
        Ok(request.send().promise.await?.get()?.get_sum())
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        let mut request = self.bench.piece_request();
        request.get().set_at(at);
        request.get().set_len(len as u64);
        Ok(Piece::of(request.send().promise.await?.get()?.get_bytes()?))
    }
}

/// A connection as capnp-rpc takes it, buffered as it advises.
fn network(stream: Stream, side: Side) -> Box<dyn capnp_rpc::VatNetwork<VatId>> {
    let (from, to) = tokio::io::split(stream);
    let from = BufReader::with_capacity(BUFFER, from.compat());
    let to = BufWriter::with_capacity(BUFFER, to.compat_write());
    let mut network = VatNetwork::new(from, to, side, ReaderOptions::new());
    network.set_window_size(WINDOW);
    Box::new(network)
}
