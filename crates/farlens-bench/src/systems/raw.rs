//! The limit: what one would write by hand for one job only, straight on TLS.
//!
//! Answers follow in the order of the requests and say nothing about themselves. Whatever lies in
//! the buffers at once is answered with one write.

mod apart;
mod entities;
mod mux;
mod request;
mod served;
mod wire;

use crate::{
    Result,
    data::{Data, MESSAGE, Message, Origin, Piece, as_message, message},
    live::Taken,
    peer::{Meter, Peer, Stage, under_way},
    tls::{Listening, Stream},
};
use apart::Desk;
use entities::{ids, in_batches, one_by_one};
use mux::Mux;
use request::Request;
use served::Served;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    sync::{Barrier, Mutex},
};

/// Bytes of a bulk write, and of a batch of entities.
const WRITE: usize = 64 << 10;

/// A connection, which one request uses at a time.
pub(crate) struct Raw {
    stream: Mutex<Stream>,
    /// Where tasks leave their calls.
    desk: Desk,
    data: Data,
    bytes: u64,
    entities: u64,
}

impl Peer for Raw {
    const MULTIPLEXED: bool = false;
    type Server = Listening;
    /// It needs a connection of its own, since a stalled one carries nothing else.
    type Stalled = ();
    type Quiet = ();
    type Log = ();

    async fn serve(stage: &Stage) -> Result<Listening> {
        let served = Served::new(stage);
        stage.tls.listen(move |stream| served.clone().connection(stream)).await
    }

    async fn connect(stage: &Stage, server: &Listening) -> Result<Self> {
        let stream = Mutex::new(stage.tls.connect(server.address).await?);
        let data = stage.data.clone();
        let desk = Desk::default();
        Ok(Self { stream, desk, data, bytes: stage.bytes, entities: stage.entities })
    }

    async fn bulk(&self, origin: Origin, meter: &Meter) -> Result<()> {
        self.read_all(origin, self.bytes, meter).await
    }

    /// As one: on a connection by itself there is no better way.
    async fn bulks(&self, streams: u64, meter: &Meter) -> Result<()> {
        self.read_all(Origin::Memory, self.bytes * streams, meter).await
    }

    /// Waits for a word before the bytes, so that requests and bytes never lie in one buffer.
    async fn write(&self) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, Request::Put(self.bytes)).await?;
        stream.read_u8().await?;
        for chunk in self.data.to_write(self.bytes, WRITE) {
            stream.write_all(&chunk).await?;
        }
        stream.flush().await?;
        Ok(stream.read_u64().await?)
    }

    async fn stall(&self) -> Result<()> {
        Err("a connection is one stream".into())
    }

    async fn quiet(&self) -> Result<()> {
        Err("a connection is one stream".into())
    }

    async fn open_log(&self) -> Result<()> {
        Err("a connection is one stream".into())
    }

    async fn read_log(&self, (): (), _bytes: u64) -> Result<u64> {
        Err("a connection is one stream".into())
    }

    /// All readers as one: each piece of the log comes as many times as there are.
    async fn follow(&self, readers: u64, ready: &Barrier, bytes: u64) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, Request::Follow(readers)).await?;
        stream.read_u8().await?;
        ready.wait().await;
        let mut taken: Vec<Taken> = (0..readers).map(|_| Taken::default()).collect();
        let mut piece = Vec::new();
        loop {
            let length = stream.read_u32().await? as usize;
            if length == 0 {
                return Ok(taken.iter().map(Taken::bytes).sum::<u64>().min(readers * bytes));
            }
            piece.resize(length, 0);
            for reader in &mut taken {
                stream.read_exact(&mut piece).await?;
                reader.take(&piece)?;
            }
        }
    }

    async fn entities(&self) -> Result<u64> {
        self.items(self.entities).await
    }

    async fn items(&self, count: u64) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, Request::Entities(count)).await?;
        ids(&mut stream, one_by_one).await
    }

    /// One after another: on a connection by itself there is no better way.
    async fn streams(&self, streams: u64, count: u64) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        let mut requests = Vec::new();
        (0..streams).for_each(|_| Request::Entities(count).put(&mut requests));
        stream.write_all(&requests).await?;
        stream.flush().await?;
        let mut sum = 0u64;
        for _ in 0..streams {
            sum = sum.wrapping_add(ids(&mut stream, one_by_one).await?);
        }
        Ok(sum)
    }

    async fn batches(&self) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, Request::Batches(self.entities)).await?;
        ids(&mut stream, in_batches).await
    }

    async fn echo(&self, message: Message) -> Result<Message> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, Request::Echo(message)).await?;
        let mut answer = [0; MESSAGE];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, Request::Read { at, len: len as u64 }).await?;
        let mut piece = vec![0; len];
        stream.read_exact(&mut piece).await?;
        Ok(Piece::of(&piece))
    }

    async fn echoes(&self, count: u64, at_once: usize) -> Result<u64> {
        let mux = Mux::new();
        let calls = (0..count).map(async |n| {
            let message = message(n);
            Ok(mux.call(Request::Echo(message)).await == message)
        });
        let mut stream = self.stream.lock().await;
        mux.run(&mut stream, (MESSAGE, as_message), under_way(calls, at_once)).await?
    }

    async fn reads(&self, places: &[u64], len: usize, at_once: usize) -> Result<u64> {
        let mux = Mux::new();
        let reads = places.iter().map(async |&at| {
            let piece: Vec<u8> = mux.call(Request::Read { at, len: len as u64 }).await;
            Ok(Piece::of(&piece) == Piece::expected(at, len))
        });
        let mut stream = self.stream.lock().await;
        mux.run(&mut stream, (len, <[u8]>::to_vec), under_way(reads, at_once)).await?
    }

    async fn calls(&self, calls: impl Iterator<Item = u64> + Send) -> Result<u64> {
        let (caller, mut right) = (self.desk.enter(), 0);
        for n in calls {
            let message = message(n);
            right += u64::from(caller.call(message).await == message);
        }
        Ok(right)
    }

    async fn carry_calls(&self, callers: usize) -> Result<()> {
        self.desk.carry(&mut *self.stream.lock().await, callers).await
    }

    /// As many new requests go out at once as answers came in: nobody calls, and so nobody is woken.
    async fn echoes_in_step(&self, count: u64, at_once: usize) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        let (mut sent, mut done, mut right, mut filled) = (0, 0, 0, 0);
        let (mut requests, mut buffer) = (Vec::new(), vec![0; WRITE]);
        while done < count {
            requests.clear();
            while sent < count.min(done + at_once as u64) {
                Request::Echo(message(sent)).put(&mut requests);
                sent += 1;
            }
            stream.write_all(&requests).await?;
            stream.flush().await?;
            filled += some(&mut stream, &mut buffer[filled..]).await?;
            let whole = filled / MESSAGE * MESSAGE;
            for answer in buffer[..whole].chunks_exact(MESSAGE) {
                right += u64::from(answer == message(done));
                done += 1;
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
        }
        Ok(right)
    }
}

impl Raw {
    async fn read_all(&self, origin: Origin, bytes: u64, meter: &Meter) -> Result<()> {
        let mut stream = self.stream.lock().await;
        let request = match origin {
            Origin::Memory => Request::Memory(bytes),
            Origin::File => Request::File(bytes),
        };
        ask(&mut stream, request).await?;
        let mut buffer = vec![0; WRITE];
        let mut received = 0;
        while received < bytes {
            let length = some(&mut stream, &mut buffer).await?;
            received += length as u64;
            meter.add(length);
        }
        Ok(())
    }
}

async fn ask(stream: &mut Stream, request: Request) -> Result<()> {
    let mut bytes = Vec::with_capacity(1 + MESSAGE);
    request.put(&mut bytes);
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

/// Reads what is there, and at least one byte.
async fn some(stream: &mut Stream, buffer: &mut [u8]) -> Result<usize> {
    std::future::poll_fn(|cx| some_now(stream, buffer, cx)).await
}

fn some_now(stream: &mut Stream, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    match buffer.filled().len() {
        0 => Poll::Ready(Err("the connection ended early".into())),
        length => Poll::Ready(Ok(length)),
    }
}
