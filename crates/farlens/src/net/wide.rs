//! A socket that is read in long pieces while much comes.
//!
//! TLS takes one record at a time, and where it has caught up it begins with 4 KiB. Each read is a
//! system call, and behind some of them the system tells the sender how much room there is now.

use bytes::{Buf, BytesMut};
use std::{
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Bytes at most in one read: a batch of the peer and half of the next. Below what allocators give
/// back to the system.
const WIDE_BYTES: usize = 96 << 10;
/// A read that gives less than one record says that not much comes.
const RECORD_BYTES: usize = 16 << 10;

/// A socket below TLS. It has a buffer while long pieces come, and none otherwise.
#[derive(Debug)]
pub(crate) struct Wide<IO> {
    io: IO,
    /// What was read and not handed on.
    read: BytesMut,
    much: bool,
}

impl<IO> Wide<IO> {
    pub(crate) fn new(io: IO) -> Self {
        Self { io, read: BytesMut::new(), much: false }
    }
}

impl<IO: AsyncRead + Unpin> Wide<IO> {
    /// Reads into what the caller has.
    fn poll_narrow(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.much = buffer.remaining() == 0 && room >= RECORD_BYTES / 2;
        Poll::Ready(Ok(()))
    }

    /// Fills the buffer, which is empty.
    fn poll_wide(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.read.try_reclaim(WIDE_BYTES) {
            self.read = BytesMut::with_capacity(WIDE_BYTES);
        }
        let count = ready!(pin!(self.io.read_buf(&mut self.read)).poll(cx))?;
        self.much = count >= RECORD_BYTES;
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Wide<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read.is_empty() {
            if !this.much {
                return this.poll_narrow(cx, buffer);
            }
            ready!(this.poll_wide(cx))?;
        }
        let count = this.read.len().min(buffer.remaining());
        buffer.put_slice(&this.read[..count]);
        this.read.advance(count);
        if this.read.is_empty() && !this.much {
            this.read = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Wide<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 % 251) as u8).collect()
    }

    /// What a reader with room for 18 KiB gets of what came at once, and the socket behind it.
    async fn read_all(sent: &[u8]) -> (Vec<u8>, Wide<tokio::io::DuplexStream>) {
        let (mut near, far) = tokio::io::duplex(1 << 20);
        near.write_all(sent).await.unwrap();
        let (mut wide, mut got, mut room) = (Wide::new(far), Vec::new(), vec![0; 18 << 10]);
        while got.len() < sent.len() {
            let count = wide.read(&mut room).await.unwrap();
            got.extend_from_slice(&room[..count]);
        }
        (got, wide)
    }

    #[tokio::test]
    async fn long_and_short_pieces_come_as_they_were_sent() {
        for length in [1, 4 << 10, 18 << 10, 100_000, 300_001] {
            let sent = pattern(length);
            assert_eq!(read_all(&sent).await.0, sent, "{length}");
        }
    }

    #[tokio::test]
    async fn one_that_has_little_to_read_has_no_buffer() {
        let (_, idle) = read_all(&pattern(1000)).await;
        assert_eq!(idle.read.capacity(), 0);
        let (_, over) = read_all(&pattern((18 << 10) + WIDE_BYTES + 1000)).await;
        assert_eq!(over.read.capacity(), 0, "the last read was a short one");
    }

    #[tokio::test]
    async fn while_much_comes_reads_are_long() {
        let (_, busy) = read_all(&pattern((18 << 10) + 4 * WIDE_BYTES)).await;
        assert!(busy.much && busy.read.is_empty());
    }
}
