//! The server: whatever requests have come at once are answered with one write.

use super::{WRITE, request::Request, some};
use crate::{
    Result,
    data::{BATCH, Data, Origin, sample},
    live::Live,
    peer::Stage,
    tls::Stream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What is answered with.
#[derive(Clone)]
pub(super) struct Served {
    data: Data,
    live: Live,
}

impl Served {
    pub(super) fn new(stage: &Stage) -> Self {
        Self { data: stage.data.clone(), live: stage.live.clone() }
    }

    /// Answers until the client goes, which is no failure; it notices itself what it does not get.
    pub(super) async fn connection(self, stream: Stream) {
        drop(self.answer_all(stream).await);
    }

    async fn answer_all(&self, mut stream: Stream) -> Result<()> {
        let mut buffer = vec![0; WRITE];
        let mut answers = Vec::with_capacity(WRITE);
        let mut filled = 0;
        loop {
            match stream.read(&mut buffer[filled..]).await {
                Ok(0) | Err(_) => return Ok(()),
                Ok(length) => filled += length,
            }
            let mut left = &buffer[..filled];
            while let Some(request) = Request::take(&mut left) {
                self.answer(request, &mut answers, &mut stream).await?;
                if answers.len() >= WRITE {
                    stream.write_all(&answers).await?;
                    answers.clear();
                }
            }
            let left = left.len();
            stream.write_all(&answers).await?;
            stream.flush().await?;
            answers.clear();
            buffer.copy_within(filled - left..filled, 0);
            filled = left;
        }
    }

    async fn answer(
        &self,
        request: Request,
        answers: &mut Vec<u8>,
        stream: &mut Stream,
    ) -> Result<()> {
        match request {
            Request::Echo(message) => answers.extend_from_slice(&message),
            Request::Read { at, len } => {
                answers.extend_from_slice(&self.data.piece(at, len as usize));
            }
            Request::Memory(bytes) => self.send_chunks(Origin::Memory, bytes, stream).await?,
            Request::File(bytes) => self.send_chunks(Origin::File, bytes, stream).await?,
            Request::Entities(count) => send_entities(count, WRITE, u64::MAX, stream).await?,
            Request::Batches(count) => send_entities(count, usize::MAX, BATCH, stream).await?,
            Request::Put(bytes) => {
                answers.extend_from_slice(&self.take_in(bytes, stream).await?.to_be_bytes());
            }
            Request::Follow(readers) => self.send_log(readers, stream).await?,
        }
        Ok(())
    }

    async fn take_in(&self, bytes: u64, stream: &mut Stream) -> Result<u64> {
        say(stream).await?;
        let mut buffer = vec![0; WRITE];
        let mut written = 0;
        while written < bytes {
            let length = some(stream, &mut buffer).await?;
            written += self.data.write(written, &buffer[..length])?;
        }
        Ok(written)
    }

    async fn send_chunks(&self, origin: Origin, bytes: u64, stream: &mut Stream) -> Result<()> {
        for chunk in self.data.chunks(origin, bytes, WRITE) {
            stream.write_all(&chunk?).await?;
        }
        Ok(())
    }

    /// Sends each piece of the log as many times as it has readers, behind its length.
    async fn send_log(&self, readers: u64, stream: &mut Stream) -> Result<()> {
        let mut log = self.live.reader();
        say(stream).await?;
        while let Some(piece) = log.next(WRITE).await {
            stream.write_u32(u32::try_from(piece.len())?).await?;
            for _ in 0..readers {
                stream.write_all(&piece).await?;
            }
            stream.flush().await?;
        }
        stream.write_u32(0).await?;
        Ok(())
    }
}

/// Says that the server is there.
async fn say(stream: &mut Stream) -> Result<()> {
    stream.write_u8(0).await?;
    Ok(stream.flush().await?)
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
