//! The server: a thread that accepts connections, and the object that all of them see.

use super::{
    CHUNK,
    bench_capnp::{bench, bytes, sample},
    network,
};
use crate::{
    Result,
    data::{self, Data, Origin},
    live::{Live, Reader},
    peer::Stage,
    tls::Tls,
};
use capnp::Error;
use capnp_rpc::{RpcSystem, new_client_from_rc, rpc_twoparty_capnp::Side};
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
};
use tokio::{net::TcpListener, sync::oneshot, task::LocalSet};

/// A thread that serves until this is dropped.
pub(crate) struct CapnpServer {
    pub(super) address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl CapnpServer {
    /// Starts it on a thread of the servers' runtime, which is pinned where its workers are.
    pub(super) fn start(stage: &Stage) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (data, live, tls) = (stage.data.clone(), stage.live.clone(), stage.tls.clone());
        let (bytes, window) = (stage.bytes, stage.window as usize);
        stage.server.spawn_blocking(move || {
            let served = Served { data, live, bytes, quiet: RefCell::default() };
            let accepting = accept(listener, tls, window, served);
            let until = async {
                tokio::select! {
                    Err(error) = accepting => eprintln!("capnp-rpc: {error}"),
                    _ = stopped => {}
                }
            };
            runtime.block_on(LocalSet::new().run_until(until));
        });
        Ok(Self { address, _stop: stop })
    }
}

async fn accept(
    listener: std::net::TcpListener,
    tls: Tls,
    window: usize,
    served: Served,
) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let served = Rc::new(served);
    loop {
        let (socket, _) = listener.accept().await?;
        let (tls, served) = (tls.clone(), Rc::clone(&served));
        tokio::task::spawn_local(async move {
            let Ok(stream) = tls.accept(socket).await else { return };
            let bench: bench::Client = new_client_from_rc(served);
            // A client that goes is no failure.
            drop(RpcSystem::new(network(stream, window, Side::Server), Some(bench.client)).await);
        });
    }
}

/// What the server answers with.
struct Served {
    data: Data,
    live: Live,
    bytes: u64,
    /// Sinks that nothing is written to.
    quiet: RefCell<Vec<bytes::Client>>,
}

impl bench::Server for Served {
    async fn echo(
        self: Rc<Self>,
        params: bench::EchoParams,
        mut results: bench::EchoResults,
    ) -> std::result::Result<(), Error> {
        results.get().set_message(params.get()?.get_message()?);
        Ok(())
    }

    async fn quiet(
        self: Rc<Self>,
        params: bench::QuietParams,
        _: bench::QuietResults,
    ) -> std::result::Result<(), Error> {
        self.quiet.borrow_mut().push(params.get()?.get_to()?);
        Ok(())
    }

    async fn log(
        self: Rc<Self>,
        params: bench::LogParams,
        _: bench::LogResults,
    ) -> std::result::Result<(), Error> {
        let (log, to) = (self.live.reader(), params.get()?.get_to()?);
        tokio::task::spawn_local(async move {
            if let Err(error) = push_log(log, to).await {
                eprintln!("capnp-rpc: {error}");
            }
        });
        Ok(())
    }

    async fn piece(
        self: Rc<Self>,
        params: bench::PieceParams,
        mut results: bench::PieceResults,
    ) -> std::result::Result<(), Error> {
        let params = params.get()?;
        results.get().set_bytes(&self.data.piece(params.get_at(), params.get_len() as usize));
        Ok(())
    }

    async fn bulk(
        self: Rc<Self>,
        params: bench::BulkParams,
        _: bench::BulkResults,
    ) -> std::result::Result<(), Error> {
        let params = params.get()?;
        let to = params.get_to()?;
        let origin = if params.get_file() { Origin::File } else { Origin::Memory };
        for chunk in self.data.chunks(origin, self.bytes, CHUNK) {
            let mut request = to.write_request();
            request.get().set_bytes(&chunk?);
            request.send().await?;
        }
        to.end_request().send().promise.await?;
        Ok(())
    }

    async fn sink(
        self: Rc<Self>,
        _: bench::SinkParams,
        mut results: bench::SinkResults,
    ) -> std::result::Result<(), Error> {
        let writing = Writing { data: self.data.clone(), at: Cell::new(0) };
        results.get().set_to(capnp_rpc::new_client(writing));
        Ok(())
    }

    async fn entities(
        self: Rc<Self>,
        params: bench::EntitiesParams,
        _: bench::EntitiesResults,
    ) -> std::result::Result<(), Error> {
        let params = params.get()?;
        let to = params.get_to()?;
        for n in 0..params.get_count() {
            let mut request = to.one_request();
            fill(request.get().init_sample(), &data::sample(n));
            request.send().await?;
        }
        to.end_request().send().promise.await?;
        Ok(())
    }

    async fn batches(
        self: Rc<Self>,
        params: bench::BatchesParams,
        _: bench::BatchesResults,
    ) -> std::result::Result<(), Error> {
        let params = params.get()?;
        let to = params.get_to()?;
        for batch in data::batches(params.get_count()) {
            let mut request = to.many_request();
            let mut list = request.get().init_samples(batch.len() as u32);
            for (at, sample) in (0..).zip(&batch) {
                fill(list.reborrow().get(at), sample);
            }
            request.send().await?;
        }
        to.end_request().send().promise.await?;
        Ok(())
    }
}

async fn push_log(mut log: Reader, to: bytes::Client) -> std::result::Result<(), Error> {
    while let Some(piece) = log.next(CHUNK).await {
        let mut request = to.write_request();
        request.get().set_bytes(&piece);
        request.send().await?;
    }
    to.end_request().send().promise.await?;
    Ok(())
}

/// Takes what a client writes.
struct Writing {
    data: Data,
    at: Cell<u64>,
}

impl bytes::Server for Writing {
    async fn write(self: Rc<Self>, params: bytes::WriteParams) -> std::result::Result<(), Error> {
        let at = self.at.get();
        self.at.set(at + self.data.write(at, params.get()?.get_bytes()?)?);
        Ok(())
    }

    async fn end(
        self: Rc<Self>,
        _: bytes::EndParams,
        mut results: bytes::EndResults,
    ) -> std::result::Result<(), Error> {
        results.get().set_count(self.at.get());
        Ok(())
    }
}

fn fill(mut to: sample::Builder<'_>, sample: &data::Sample) {
    to.set_id(sample.id);
    to.set_time_ns(sample.time_ns);
    to.set_value(sample.value);
    to.set_label(&sample.label);
    to.set_valid(sample.valid);
}
