//! A slow line in front of a server: what it is given comes out later, and no faster than a rate.

use crate::Result;
use bytes::BytesMut;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::sleep_until,
};

/// Bytes that are taken from a socket at once.
const PIECE: usize = 16 << 10;
/// Pieces that wait before the line: as much as it holds at 200 ms, so that it never runs dry.
const QUEUE: usize = 24 << 20 >> 14;

/// A line of some length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wan {
    /// There and back.
    pub(crate) round_trip: Duration,
}

impl Wan {
    /// Bytes a second, each way: a gigabit.
    pub(crate) const RATE: f64 = 125e6;

    /// Puts a line in front of an address, for one connection; it ends with that.
    pub(crate) async fn lead_to(self, address: SocketAddr) -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let entrance = listener.local_addr()?;
        tokio::spawn(async move {
            let (near, _) = listener.accept().await?;
            let far = TcpStream::connect(address).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            self.carry(near_in, far_out);
            self.carry(far_in, near_out);
            Result::Ok(())
        });
        Ok(entrance)
    }

    fn carry(self, from: OwnedReadHalf, to: OwnedWriteHalf) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let line = Line { free: Instant::now(), delay: self.round_trip / 2 };
        // A line that breaks ends the connections on both sides of it; there is nobody to tell.
        tokio::spawn(async move { drop(take_in(from, queue).await) });
        tokio::spawn(async move { drop(hand_out(line, waiting, to).await) });
    }
}

type Piece = (Instant, BytesMut);

async fn take_in(mut from: OwnedReadHalf, queue: mpsc::Sender<Piece>) -> Result<()> {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        if from.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
        queue.send((Instant::now(), piece)).await?;
    }
}

async fn hand_out(
    mut line: Line,
    mut waiting: mpsc::Receiver<Piece>,
    mut to: OwnedWriteHalf,
) -> Result<()> {
    while let Some((came, piece)) = waiting.recv().await {
        sleep_until(line.due(came, piece.len()).into()).await;
        to.write_all(&piece).await?;
    }
    Ok(to.shutdown().await?)
}

/// One direction, as a calculation.
struct Line {
    /// When the last piece has gone in.
    free: Instant,
    delay: Duration,
}

impl Line {
    /// When a piece comes out that came at a moment.
    fn due(&mut self, came: Instant, length: usize) -> Instant {
        self.free = self.free.max(came) + Duration::from_secs_f64(length as f64 / Wan::RATE);
        self.free + self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_queue_for_the_line_and_travel_together() {
        let start = Instant::now();
        let mut line = Line { free: start, delay: Duration::from_millis(10) };
        let after = |piece: Instant| (piece - start).as_millis();
        assert_eq!(after(line.due(start, 125_000)), 11);
        assert_eq!(after(line.due(start, 125_000)), 12);
        assert_eq!(after(line.due(start + Duration::from_millis(50), 125_000)), 61);
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_and_so_does_the_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wan = Wan { round_trip: Duration::from_millis(10) };
        let entrance = wan.lead_to(listener.local_addr().unwrap()).await.unwrap();
        let started = Instant::now();
        let mut near = TcpStream::connect(entrance).await.unwrap();
        near.write_all(b"ping").await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let mut four = [0; 4];
        far.read_exact(&mut four).await.unwrap();
        far.write_all(&four).await.unwrap();
        near.read_exact(&mut four).await.unwrap();
        assert_eq!(&four, b"ping");
        assert!(started.elapsed() >= wan.round_trip);
    }
}
