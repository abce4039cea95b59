//! A connection that is written and read without waiting.

use super::{WRITE, some_now};
use crate::{Result, tls::Stream};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;

/// Both directions of a connection.
pub(super) struct Wire {
    out: Vec<u8>,
    sent: usize,
    /// Whether something was written that may lie in a buffer.
    unflushed: bool,
    buffer: Vec<u8>,
    filled: usize,
}

impl Wire {
    pub(super) fn new(length: usize) -> Self {
        let buffer = vec![0; (64 * length).max(WRITE)];
        Self { out: Vec::new(), sent: 0, unflushed: false, buffer, filled: 0 }
    }

    /// Whether all that was handed over has been sent.
    pub(super) fn is_sent(&self) -> bool {
        self.sent == self.out.len()
    }

    /// Takes what is to be sent next, in exchange for an empty buffer.
    pub(super) fn refill(&mut self, requests: &mut Vec<u8>) {
        self.out.clear();
        self.sent = 0;
        std::mem::swap(&mut self.out, requests);
    }

    pub(super) fn send(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.sent < self.out.len() {
            self.sent += ready!(Pin::new(&mut *stream).poll_write(cx, &self.out[self.sent..]))?;
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// What has come and was not consumed.
    pub(super) fn receive(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<&[u8]>> {
        self.filled += ready!(some_now(stream, &mut self.buffer[self.filled..], cx))?;
        Poll::Ready(Ok(&self.buffer[..self.filled]))
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }
}
