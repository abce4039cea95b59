//! The limit: what one would write by hand for one job only, straight on TLS.
//!
//! A request is 17 bytes, what to do and two numbers; the answers follow in order and say nothing
//! about themselves. Whatever lies in the buffers at once is answered with one write.

use crate::{
    Result,
    data::{BATCH, Data, Origin, Piece, Sample, sample},
    peer::{Peer, Stage},
    tls::{Listening, Stream},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Mutex,
};

const REQUEST: usize = 17;
/// Bytes of a bulk write, and of a batch of entities.
const WRITE: usize = 64 << 10;

const ADD: u8 = 0;
const READ: u8 = 1;
const MEMORY: u8 = 2;
const FILE: u8 = 3;
const ENTITIES: u8 = 4;
const BATCHES: u8 = 5;
const PUT: u8 = 6;

/// A connection, which one request uses at a time.
pub(crate) struct Raw {
    stream: Mutex<Stream>,
    data: Data,
    bytes: u64,
    entities: u64,
}

impl Peer for Raw {
    const MULTIPLEXED: bool = false;
    type Server = Listening;
    /// It needs a connection of its own, since a stalled one carries nothing else.
    type Stalled = ();

    async fn serve(stage: &Stage) -> Result<Listening> {
        let data = stage.data.clone();
        stage.tls.listen(move |stream| ended(data.clone(), stream)).await
    }

    async fn connect(stage: &Stage, server: &Listening) -> Result<Self> {
        let stream = Mutex::new(stage.tls.connect(server.address).await?);
        let data = stage.data.clone();
        Ok(Self { stream, data, bytes: stage.bytes, entities: stage.entities })
    }

    async fn bulk(&self, origin: Origin) -> Result<u64> {
        let what = if origin == Origin::Memory { MEMORY } else { FILE };
        self.read_all(what, self.bytes).await
    }

    /// As one: on a connection by itself there is no better way.
    async fn bulks(&self, streams: u64) -> Result<u64> {
        self.read_all(MEMORY, self.bytes * streams).await
    }

    /// Waits for a word before the bytes, so that requests and bytes never lie in one buffer.
    async fn write(&self) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, PUT, 0, self.bytes).await?;
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

    async fn entities(&self) -> Result<u64> {
        self.items(self.entities).await
    }

    async fn items(&self, count: u64) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, ENTITIES, 0, count).await?;
        ids(&mut stream, one_by_one).await
    }

    /// One after another: on a connection by itself there is no better way.
    async fn streams(&self, streams: u64, count: u64) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        let requests = request(ENTITIES, 0, count).repeat(usize::try_from(streams)?);
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
        ask(&mut stream, BATCHES, 0, self.entities).await?;
        ids(&mut stream, in_batches).await
    }

    async fn add(&self, a: u64, b: u64) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, ADD, a, b).await?;
        Ok(stream.read_u64().await?)
    }

    async fn read_at(&self, at: u64, len: usize) -> Result<Piece> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, READ, at, len as u64).await?;
        let mut piece = vec![0; len];
        stream.read_exact(&mut piece).await?;
        Ok(Piece::of(&piece))
    }

    async fn adds(&self, count: u64, at_once: usize) -> Result<u64> {
        let mut sum = 0u64;
        let request = |n| request(ADD, n, 1);
        let taken = |_, answer: &[u8]| {
            let answer = answer.first_chunk().copied().unwrap_or_default();
            sum = sum.wrapping_add(u64::from_be_bytes(answer));
        };
        self.pipelined((count, at_once, size_of::<u64>()), request, taken).await?;
        Ok(sum)
    }

    async fn reads(&self, places: &[u64], len: usize, at_once: usize) -> Result<u64> {
        let mut good = 0;
        let place = |n: u64| places.get(n as usize).copied().unwrap_or_default();
        let request = |n| request(READ, place(n), len as u64);
        let taken = |n, answer: &[u8]| {
            good += u64::from(Piece::of(answer) == Piece::expected(place(n), len));
        };
        self.pipelined((places.len() as u64, at_once, len), request, taken).await?;
        Ok(good)
    }
}

impl Raw {
    async fn read_all(&self, what: u8, bytes: u64) -> Result<u64> {
        let mut stream = self.stream.lock().await;
        ask(&mut stream, what, 0, bytes).await?;
        let mut buffer = vec![0; WRITE];
        let mut received = 0;
        while received < bytes {
            received += some(&mut stream, &mut buffer).await? as u64;
        }
        Ok(received)
    }

    /// Keeps `at_once` requests under way: as many new ones go out at once as answers came in.
    async fn pipelined(
        &self,
        (count, at_once, answer): (u64, usize, usize),
        request: impl Fn(u64) -> [u8; REQUEST],
        mut taken: impl FnMut(u64, &[u8]),
    ) -> Result<()> {
        let mut stream = self.stream.lock().await;
        let (mut sent, mut done) = (0, 0);
        let mut requests = Vec::new();
        let mut buffer = vec![0; (answer * at_once).max(WRITE)];
        let mut filled = 0;
        while done < count {
            requests.clear();
            while sent < count.min(done + at_once as u64) {
                requests.extend_from_slice(&request(sent));
                sent += 1;
            }
            if !requests.is_empty() {
                stream.write_all(&requests).await?;
                stream.flush().await?;
            }
            filled += some(&mut stream, &mut buffer[filled..]).await?;
            let whole = filled / answer * answer;
            for answer in buffer[..whole].chunks_exact(answer) {
                taken(done, answer);
                done += 1;
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
        }
        Ok(())
    }
}

/// Reads length-prefixed batches of entities up to the one without any.
async fn ids(stream: &mut Stream, read: fn(&[u8]) -> Result<u64>) -> Result<u64> {
    let (mut sum, mut batch) = (0u64, Vec::new());
    loop {
        let length = stream.read_u32().await? as usize;
        if length == 0 {
            return Ok(sum);
        }
        batch.resize(length, 0);
        stream.read_exact(&mut batch).await?;
        sum = sum.wrapping_add(read(&batch)?);
    }
}

fn one_by_one(mut batch: &[u8]) -> Result<u64> {
    let mut sum = 0u64;
    while !batch.is_empty() {
        let (sample, rest) = postcard::take_from_bytes::<Sample>(batch)?;
        sum = sum.wrapping_add(sample.id);
        batch = rest;
    }
    Ok(sum)
}

fn in_batches(mut batch: &[u8]) -> Result<u64> {
    let mut samples = Vec::with_capacity(BATCH as usize);
    while !batch.is_empty() {
        let (sample, rest) = postcard::take_from_bytes::<Sample>(batch)?;
        samples.push(sample);
        batch = rest;
    }
    Ok(samples.iter().map(|sample| sample.id).sum())
}

fn request(what: u8, a: u64, b: u64) -> [u8; REQUEST] {
    let mut request = [what; REQUEST];
    request[1..9].copy_from_slice(&a.to_be_bytes());
    request[9..].copy_from_slice(&b.to_be_bytes());
    request
}

async fn ask(stream: &mut Stream, what: u8, a: u64, b: u64) -> Result<()> {
    stream.write_all(&request(what, a, b)).await?;
    Ok(stream.flush().await?)
}

/// Reads what is there, and at least one byte.
async fn some(stream: &mut Stream, buffer: &mut [u8]) -> Result<usize> {
    match stream.read(buffer).await? {
        0 => Err("the connection ended early".into()),
        length => Ok(length),
    }
}

/// Answers until the client goes, which is no failure.
async fn ended(data: Data, stream: Stream) {
    if let Err(error) = answer_all(&data, stream).await {
        eprintln!("raw: {error}");
    }
}

async fn answer_all(data: &Data, mut stream: Stream) -> Result<()> {
    let mut buffer = vec![0; WRITE];
    let mut answers = Vec::with_capacity(WRITE);
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(length) => filled += length,
        }
        let whole = filled / REQUEST * REQUEST;
        for request in buffer[..whole].chunks_exact(REQUEST) {
            answer(data, request, &mut answers, &mut stream).await?;
        }
        stream.write_all(&answers).await?;
        stream.flush().await?;
        answers.clear();
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

async fn answer(
    data: &Data,
    request: &[u8],
    answers: &mut Vec<u8>,
    stream: &mut Stream,
) -> Result<()> {
    let number = |at: usize| {
        request.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |n| u64::from_be_bytes(*n))
    };
    let (a, b) = (number(1), number(9));
    match request.first() {
        Some(&ADD) => answers.extend_from_slice(&(a + b).to_be_bytes()),
        Some(&READ) => answers.extend_from_slice(&data.piece(a, b as usize)),
        Some(&MEMORY) => send_chunks(data, Origin::Memory, b, stream).await?,
        Some(&FILE) => send_chunks(data, Origin::File, b, stream).await?,
        Some(&ENTITIES) => send_entities(b, WRITE, u64::MAX, stream).await?,
        Some(&BATCHES) => send_entities(b, usize::MAX, BATCH, stream).await?,
        Some(&PUT) => answers.extend_from_slice(&take_in(data, b, stream).await?.to_be_bytes()),
        _ => return Err("an unknown request".into()),
    }
    Ok(())
}

async fn take_in(data: &Data, bytes: u64, stream: &mut Stream) -> Result<u64> {
    stream.write_u8(PUT).await?;
    stream.flush().await?;
    let mut buffer = vec![0; WRITE];
    let mut written = 0;
    while written < bytes {
        let length = some(stream, &mut buffer).await?;
        written += data.write(written, &buffer[..length])?;
    }
    Ok(written)
}

async fn send_chunks(data: &Data, origin: Origin, bytes: u64, stream: &mut Stream) -> Result<()> {
    for chunk in data.chunks(origin, bytes, WRITE) {
        stream.write_all(&chunk?).await?;
    }
    Ok(())
}

/// Sends entities in batches of so many bytes or entities, and a length of zero behind them.
async fn send_entities(count: u64, bytes: usize, most: u64, stream: &mut Stream) -> Result<()> {
    let mut batch = vec![0; 4];
    for n in 0..count {
        batch = postcard::to_extend(&sample(n), batch)?;
        if batch.len() >= bytes || (n + 1).is_multiple_of(most) || n + 1 == count {
            let length = u32::try_from(batch.len() - 4)?;
            batch[..4].copy_from_slice(&length.to_be_bytes());
            stream.write_all(&batch).await?;
            batch.truncate(4);
        }
    }
    Ok(stream.write_all(&0u32.to_be_bytes()).await?)
}
