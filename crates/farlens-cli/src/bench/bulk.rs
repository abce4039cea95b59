//! Bytes from memory: 64 KiB writes on the raw connection, one byte stream on the link.

use super::{Plan, Rounds};
use bytes::Bytes;
use farlens::{
    Bounds, Chunk, Client, Code, Error, Flags, Identity, Kind, Link, ModeOffer, Position, Result,
    Server, Streamer, StreamerData,
    data::{DataState, Fetched, ReadBudget},
};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Memory that is read over and over, larger than any cache.
const BLOCK: usize = 64 << 20;
const WRITE: usize = 64 << 10;

/// A block of memory repeated to a length.
struct Repeated {
    block: Bytes,
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

    async fn state(&self) -> Result<DataState> {
        let bounds = Bounds::up_to(self.end);
        Ok(DataState { bounds, version: Bytes::from_static(b"fixed"), ended: true })
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.read_now(at, budget).unwrap_or(Ok(Fetched::Nothing))
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        let left = usize::try_from(self.end.since(at)).unwrap_or(usize::MAX);
        let from = usize::try_from(at.get()).unwrap_or(0) % self.block.len();
        let to = self.block.len().min(from + left.min(budget.bytes));
        let chunk = Chunk::Bytes(self.block.slice(from..to));
        Some(Ok(if left == 0 { Fetched::Nothing } else { Fetched::Some(chunk) }))
    }
}

pub(super) async fn measure(plan: Plan) -> Result<Rounds> {
    let block: Bytes = (0..BLOCK).map(|n| (n.wrapping_mul(31) >> 3) as u8).collect();
    let end = Position::new(plan.bytes).unwrap_or(Position::MAX);
    let data = Repeated { block: block.clone(), end };
    let server = Server::builder().identity(Identity::generate()?);
    let server = server.publish("/bulk", Streamer::new(data)).bind("127.0.0.1:0").await?;
    let ticket = server.invite("/")?.to_string();
    let link = Client::builder().identity(Identity::generate()?).connect(&ticket).await?;
    let mut rounds = Rounds::new();
    for _ in 0..plan.rounds {
        rounds.raw.push(raw(block.clone(), plan.bytes).await?);
        rounds.farlens.push(over_link(link.clone(), plan.bytes).await?);
    }
    Ok(rounds)
}

async fn raw(block: Bytes, total: u64) -> Result<Duration> {
    let (mut from, mut to) = farlens::raw::tls_pair().await?;
    let failed = |error| Error::new(Code::LINK_LOST, "the raw loop failed").with_source(error);
    let started = Instant::now();
    let writer = tokio::spawn(async move {
        let mut left = total;
        for chunk in block.chunks(WRITE).cycle() {
            let length = left.min(chunk.len() as u64);
            if length == 0 {
                break;
            }
            from.write_all(&chunk[..length as usize]).await?;
            left -= length;
        }
        from.flush().await?;
        Ok::<_, std::io::Error>(from)
    });
    let reader = tokio::spawn(async move {
        let mut buffer = vec![0; WRITE];
        let mut left = total;
        while left > 0 {
            match to.read(&mut buffer).await? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                length => left -= length as u64,
            }
        }
        Ok(())
    });
    let read: std::io::Result<()> = reader.await.unwrap_or(Ok(()));
    read.map_err(failed)?;
    let took = started.elapsed();
    drop(writer.await);
    Ok(took)
}

async fn over_link(link: Link, total: u64) -> Result<Duration> {
    let started = Instant::now();
    let reader = tokio::spawn(async move {
        let mut stream = link.open("/bulk").await?;
        let mut received = 0u64;
        while let Some(chunk) = stream.next_chunk().await? {
            received += chunk.len() as u64;
        }
        Ok::<_, Error>(received)
    });
    let received = reader.await.unwrap_or(Ok(0))?;
    if received != total {
        return Err(Error::new(Code::INTERNAL, format!("{received} of {total} bytes arrived")));
    }
    Ok(started.elapsed())
}
