//! A connection that hesitates, goes in tiny steps, flips bits, falls silent or breaks, as told.
//!
//! Each direction has its own [`Faults`]. Places are counted in bytes from the start of the
//! connection, so that a fault hits the same byte in every run.

use crate::rng::Rng;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What goes wrong in one direction.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// No step takes more bytes than this.
    pub most: Option<usize>,
    /// One step in so many is put off, and tried again at once.
    pub hesitate: Option<u64>,
    /// The bit of this byte that is flipped.
    pub flip: Option<(u64, u8)>,
    /// What ends the direction before this byte.
    pub end: Option<(u64, End)>,
    /// Decides when it hesitates and how small a step is.
    pub seed: u64,
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A reader meets the end, a writer can write nothing more.
    Eof,
    /// The connection was reset.
    Error,
    /// Nothing happens any more.
    Stall,
}

/// A connection with faults.
#[derive(Debug)]
pub struct FaultIo<T> {
    inner: T,
    read: Direction,
    write: Direction,
}

#[derive(Debug)]
struct Direction {
    faults: Faults,
    rng: Rng,
    done: u64,
}

/// What the next step may do.
enum Step {
    UpTo(usize),
    Later,
    End(End),
}

impl Direction {
    const fn new(faults: Faults) -> Self {
        Self { rng: Rng::new(faults.seed), faults, done: 0 }
    }

    fn next(&mut self, wanted: usize) -> Step {
        let mut most = wanted;
        if let Some((at, end)) = self.faults.end {
            match at.saturating_sub(self.done) {
                0 => return Step::End(end),
                left => most = most.min(usize::try_from(left).unwrap_or(usize::MAX)),
            }
        }
        if self.faults.hesitate.is_some_and(|n| self.rng.one_in(n)) {
            return Step::Later;
        }
        if let Some(limit) = self.faults.most {
            most = most.min(self.rng.between(1, limit.max(1) as u64) as usize);
        }
        Step::UpTo(most)
    }

    /// Counts the bytes that went through, and flips the bit if it is theirs.
    fn pass(&mut self, bytes: &mut [u8]) {
        if let Some((at, bit)) = self.faults.flip
            && let Some(byte) = at.checked_sub(self.done).and_then(|n| bytes.get_mut(n as usize))
        {
            *byte ^= 1 << (bit % 8);
        }
        self.done += bytes.len() as u64;
    }
}

impl<T> FaultIo<T> {
    /// Wraps a connection, with faults for what is read from it and for what is written to it.
    pub const fn new(inner: T, read: Faults, write: Faults) -> Self {
        Self { inner, read: Direction::new(read), write: Direction::new(write) }
    }

    /// Bytes that were read and written so far.
    #[must_use]
    pub const fn moved(&self) -> (u64, u64) {
        (self.read.done, self.write.done)
    }

    /// The connection.
    pub const fn inner(&self) -> &T {
        &self.inner
    }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl<T: AsyncRead + Unpin> AsyncRead for FaultIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.read.next(buf.remaining()) {
            Step::End(End::Eof) => Poll::Ready(Ok(())),
            Step::End(End::Error) => Poll::Ready(Err(reset())),
            Step::End(End::Stall) => Poll::Pending,
            Step::Later => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Step::UpTo(most) => {
                let mut piece = vec![0; most];
                let mut piece = ReadBuf::new(&mut piece);
                ready!(Pin::new(&mut this.inner).poll_read(cx, &mut piece))?;
                this.read.pass(piece.filled_mut());
                buf.put_slice(piece.filled());
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FaultIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.write.next(buf.len()) {
            Step::End(End::Eof) => Poll::Ready(Ok(0)),
            Step::End(End::Error) => Poll::Ready(Err(reset())),
            Step::End(End::Stall) => Poll::Pending,
            Step::Later => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Step::UpTo(most) => {
                let mut piece = buf[..most].to_vec();
                // The flip is tried on a copy: only what the connection takes has passed.
                let done = this.write.done;
                this.write.pass(&mut piece);
                this.write.done = done;
                let taken = ready!(Pin::new(&mut this.inner).poll_write(cx, &piece))?;
                this.write.done += taken as u64;
                Poll::Ready(Ok(taken))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn through(read: Faults, write: Faults) -> (Vec<u8>, io::Result<()>, io::Result<usize>) {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = FaultIo::new(near, Faults::default(), write);
        let send = async move {
            let sent = near.write_all(&pattern::bytes(1, 0, 5_000)).await;
            let _ = near.shutdown().await;
            sent
        };
        let mut got = Vec::new();
        let receive = async {
            let mut far = FaultIo::new(&mut far, read, Faults::default());
            far.read_to_end(&mut got).await
        };
        let (sent, received) = tokio::join!(send, receive);
        (got, sent, received)
    }

    #[tokio::test]
    async fn tiny_steps_and_hesitation_lose_nothing() {
        for seed in 0..20 {
            let faults = Faults { most: Some(3), hesitate: Some(2), seed, ..Faults::default() };
            let (got, sent, received) = through(faults.clone(), faults).await;
            assert!(sent.is_ok() && received.is_ok());
            assert_eq!(pattern::first_wrong_byte(1, 0, &got), None);
            assert_eq!(got.len(), 5_000);
        }
    }

    #[tokio::test]
    async fn a_direction_ends_at_its_byte() {
        let at = |end| Faults { end: Some((777, end)), ..Faults::default() };
        let (got, sent, _) = through(Faults::default(), at(End::Error)).await;
        assert_eq!((got.len(), sent.unwrap_err().kind()), (777, io::ErrorKind::ConnectionReset));
        let (got, sent, _) = through(Faults::default(), at(End::Eof)).await;
        assert_eq!((got.len(), sent.unwrap_err().kind()), (777, io::ErrorKind::WriteZero));
        let mut short = FaultIo::new(&[7u8; 1000][..], at(End::Eof), Faults::default());
        let mut got = Vec::new();
        assert_eq!(short.read_to_end(&mut got).await.unwrap(), 777);
        let mut short = FaultIo::new(&[7u8; 1000][..], at(End::Error), Faults::default());
        assert!(short.read_to_end(&mut got).await.is_err());
        assert_eq!(short.moved(), (777, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_gives_nothing() {
        let stall = Faults { end: Some((10, End::Stall)), ..Faults::default() };
        let mut stalled = FaultIo::new(&[7u8; 1000][..], stall, Faults::default());
        let mut got = Vec::new();
        let read = stalled.read_to_end(&mut got);
        assert!(tokio::time::timeout(Duration::from_secs(60), read).await.is_err());
        assert_eq!(stalled.moved(), (10, 0));
    }

    #[tokio::test]
    async fn one_bit_is_flipped_and_no_other() {
        let flip = Faults { most: Some(50), flip: Some((1_234, 3)), ..Faults::default() };
        for (read, write) in [(flip.clone(), Faults::default()), (Faults::default(), flip)] {
            let (got, ..) = through(read, write).await;
            let mut right = pattern::bytes(1, 0, 5_000).to_vec();
            right[1_234] ^= 8;
            assert!(got == right);
        }
    }
}
