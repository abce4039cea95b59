//! Plain HTTP/2 with `hyper`: what a server of files and small answers would be.
//!
//! Bulk data is a body, a call is a POST whose body comes back. What else is asked for is in the
//! body, too: two numbers.
//! Entities are `postcard` in length-prefixed batches, since HTTP itself has none.

mod ids;

use super::http2::Tuning;
use crate::{
    Result,
    data::{BATCH, Data, Message, Origin, Piece, as_message},
    live::{Live, Taken},
    peer::{Meter, Peer, Stage},
    tls::{Listening, Stream},
};
use bytes::{Buf, Bytes};
use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    client, server,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};

/// Bytes in a piece of a body.
const CHUNK: usize = 64 << 10;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A connection, whose requests share it.
pub(crate) struct HyperH2 {
    sender: client::conn::http2::SendRequest<Either<Full<Bytes>, Body>>,
    data: Data,
    bytes: u64,
    entities: u64,
}

impl Peer for HyperH2 {
    type Server = Listening;
    type Stalled = Incoming;
    type Quiet = Incoming;
    type Log = Incoming;

    async fn serve(stage: &Stage) -> Result<Listening> {
        let (data, live) = (stage.data.clone(), stage.live.clone());
        let tuning = Tuning::of(stage);
        let served = Served { data, live, bytes: stage.bytes, tuning };
        stage.tls.listen(move |stream| connection(served.clone(), stream)).await
    }

    async fn connect(stage: &Stage, server: &Listening) -> Result<Self> {
        let stream = TokioIo::new(stage.tls.connect(server.address).await?);
        let tuning = Tuning::of(stage);
        let (sender, connection) = client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(tuning.stream_window)
            .initial_connection_window_size(tuning.connection_window)
            .max_frame_size(tuning.frame)
            .handshake(stream)
            .await?;
        // A connection that fails fails its requests, which say so.
        tokio::spawn(async move { drop(connection.await) });
        let (data, bytes, entities) = (stage.data.clone(), stage.bytes, stage.entities);
        Ok(Self { sender, data, bytes, entities })
    }

    async fn bulk(&self, origin: Origin, meter: &Meter) -> Result<()> {
        let path = if origin == Origin::Memory { "/memory" } else { "/file" };
        let mut body = self.ask(path, 0, 0).await?;
        while let Some(frame) = body.frame().await {
            meter.add(frame?.data_ref().map_or(0, Bytes::len));
        }
        Ok(())
    }

    async fn write(&self) -> Result<u64> {
        let chunks = pieces(self.data.to_write(self.bytes, CHUNK).map(Ok));
        number(self.send("/write", Either::Right(chunks)).await?).await
    }

    async fn stall(&self) -> Result<Incoming> {
        let mut body = self.ask("/memory", 0, 0).await?;
        body.frame().await.transpose()?;
        Ok(body)
    }

    async fn quiet(&self) -> Result<Incoming> {
        self.ask("/quiet", 0, 0).await
    }

    async fn open_log(&self) -> Result<Incoming> {
        self.ask("/log", 0, 0).await
    }

    async fn read_log(&self, mut log: Incoming, bytes: u64) -> Result<u64> {
        let mut taken = Taken::default();
        while taken.bytes() < bytes
            && let Some(frame) = log.frame().await
        {
            if let Some(piece) = frame?.data_ref() {
                taken.take(piece)?;
            }
        }
        Ok(taken.bytes())
    }

    async fn entities(&self) -> Result<u64> {
        self.items(self.entities).await
    }

    async fn items(&self, count: u64) -> Result<u64> {
        ids::one_by_one(self.ask("/entities", count, 0).await?).await
    }

    async fn batches(&self) -> Result<u64> {
        ids::in_batches(self.ask("/batches", self.entities, 0).await?).await
    }

    async fn echo(&self, message: Message) -> Result<Message> {
        let message = Full::new(Bytes::copy_from_slice(&message));
        let answer = self.send("/echo", Either::Left(message)).await?.collect().await?;
        Ok(as_message(&answer.to_bytes()))
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        let answer = self.ask("/block", at, len as u64).await?.collect().await?.to_bytes();
        Ok(Piece::of(&answer))
    }
}

impl HyperH2 {
    async fn ask(&self, path: &'static str, a: u64, b: u64) -> Result<Incoming> {
        let numbers = [a.to_be_bytes(), b.to_be_bytes()].concat();
        self.send(path, Either::Left(Full::new(Bytes::from(numbers)))).await
    }

    async fn send(&self, path: &'static str, body: Either<Full<Bytes>, Body>) -> Result<Incoming> {
        let uri = http::Uri::builder().scheme("http").authority("bench.invalid");
        let uri = uri.path_and_query(path).build()?;
        let request = Request::post(uri).body(body)?;
        let mut sender = self.sender.clone();
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(format!("{path} was answered with {status}").into()),
        }
    }
}

/// The number that a body consists of.
async fn number(body: Incoming) -> Result<u64> {
    Ok(body.collect().await?.to_bytes().try_get_u64()?)
}

/// What the server answers with.
#[derive(Clone)]
struct Served {
    data: Data,
    live: Live,
    bytes: u64,
    tuning: Tuning,
}

async fn connection(served: Served, stream: Stream) {
    let tuning = served.tuning;
    let service = service_fn(move |request| {
        let served = served.clone();
        async move { served.answer(request).await.map_err(std::io::Error::other) }
    });
    let connection = server::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(tuning.stream_window)
        .initial_connection_window_size(tuning.connection_window)
        .max_frame_size(tuning.frame)
        .max_concurrent_streams(tuning.streams)
        .max_send_buf_size(1 << 20)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes is no failure, and HTTP cannot tell it from one.
    drop(connection.await);
}

impl Served {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>> {
        let (head, body) = request.into_parts();
        match head.uri.path() {
            "/write" => return Ok(Response::new(whole(self.write(body).await?))),
            "/echo" => return Ok(Response::new(whole(body.collect().await?.to_bytes()))),
            _ => {}
        }
        let mut numbers = body.collect().await?.to_bytes();
        let (a, b) = (numbers.try_get_u64()?, numbers.try_get_u64()?);
        let body = match head.uri.path() {
            "/block" => whole(self.data.piece(a, b as usize)),
            "/memory" => pieces(self.data.chunks(Origin::Memory, self.bytes, CHUNK)),
            "/file" => pieces(self.data.chunks(Origin::File, self.bytes, CHUNK)),
            "/entities" => pieces(ids::encoded(a, CHUNK, u64::MAX)),
            "/batches" => pieces(ids::encoded(a, usize::MAX, BATCH)),
            "/quiet" => StreamBody::new(stream::pending()).boxed_unsync(),
            "/log" => {
                let pieces = stream::unfold(self.live.reader(), async |mut log| {
                    log.next(CHUNK).await.map(|piece| (Ok(Frame::data(piece)), log))
                });
                StreamBody::new(pieces).boxed_unsync()
            }
            path => return Err(format!("nothing is at {path}").into()),
        };
        Ok(Response::new(body))
    }

    async fn write(&self, mut body: Incoming) -> Result<Bytes> {
        let mut written = 0;
        while let Some(frame) = body.frame().await {
            if let Ok(bytes) = frame?.into_data() {
                written += self.data.write(written, &bytes)?;
            }
        }
        Ok(Bytes::copy_from_slice(&written.to_be_bytes()))
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn pieces(pieces: impl Iterator<Item = std::io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(stream::iter(pieces).map(|piece| piece.map(Frame::data))).boxed_unsync()
}
