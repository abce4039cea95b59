//! Life signs: when to ask for one, when to give one, and when to give up.

use crate::{error::Violation, time::Time};
use bytes::BytesMut;
use farlens_wire::{Code, Limits, frame::LinkFrame};

/// Why a link wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutReason {
    /// The peer's hello is due.
    Hello,
    /// Nothing was heard for a while: a ping is due.
    Ping,
    /// The deadline of a call passes, or one may be taken back.
    Call,
    /// A stream that was not answered may be taken back.
    Open,
    /// Nothing was heard for too long: the link is dead then.
    Dead,
}

/// Pings that a peer may send at once.
const PING_BURST: u64 = 20;
/// Pings that a peer may send in a second: one every 200 ms is the most that [`Limits`] allow an
/// idle link, and the moments at which they arrive spread.
const PINGS_A_SECOND: u64 = 10;

/// An allowance that refills with time.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: u64,
    burst: u64,
    per_second: u64,
    refilled: Time,
}

impl Bucket {
    pub(super) const fn new(burst: u64, per_second: u64, now: Time) -> Self {
        Self { tokens: burst, burst, per_second, refilled: now }
    }

    /// Uses one; says whether there was one.
    pub(super) fn take(&mut self, now: Time) -> bool {
        let seconds = now.ms_since(self.refilled) / 1_000;
        if seconds > 0 {
            let more = seconds.saturating_mul(self.per_second);
            self.tokens = self.tokens.saturating_add(more).min(self.burst);
            self.refilled = self.refilled.plus_ms(seconds.saturating_mul(1_000));
        }
        let any = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        any
    }

    /// When there is more.
    pub(super) fn refills_at(&self) -> Time {
        self.refilled.plus_ms(1_000)
    }
}

/// The timers of one link.
#[derive(Debug)]
pub(super) struct Timers {
    ping_idle_ms: u64,
    dead_after_ms: u64,
    hello_due: Option<Time>,
    last_heard: Time,
    /// The token of the ping that has no answer.
    pinged: Option<u64>,
    next_token: u64,
    ping: Option<u64>,
    pong: Option<u64>,
    pings: Bucket,
    over: bool,
}

impl Timers {
    pub(super) fn new(limits: &Limits, now: Time) -> Self {
        Self {
            ping_idle_ms: limits.ping_idle_ms,
            dead_after_ms: limits.dead_after_ms,
            hello_due: Some(now.plus_ms(limits.hello_ms)),
            last_heard: now,
            pinged: None,
            next_token: 0,
            ping: None,
            pong: None,
            pings: Bucket::new(PING_BURST, PINGS_A_SECOND, now),
            over: false,
        }
    }

    pub(super) fn heard(&mut self, now: Time) {
        self.last_heard = now;
    }

    pub(super) fn hello_came(&mut self) {
        self.hello_due = None;
    }

    pub(super) fn end(&mut self) {
        self.over = true;
        self.ping = None;
        self.pong = None;
    }

    pub(super) fn handle_ping(&mut self, token: u64, now: Time) -> Result<(), Violation> {
        if !self.pings.take(now) {
            return Err(Violation::new(Code::EXCESSIVE_LOAD, "too many pings"));
        }
        self.pong = Some(token);
        Ok(())
    }

    pub(super) fn handle_pong(&mut self, token: u64) -> Result<(), Violation> {
        if self.pinged.take() == Some(token) {
            return Ok(());
        }
        Err(Violation::protocol("a pong to no ping"))
    }

    /// When nothing was heard since, a ping is due.
    fn ping_due(&self) -> Option<Time> {
        self.pinged.is_none().then(|| self.last_heard.plus_ms(self.ping_idle_ms))
    }

    fn dead_at(&self) -> Time {
        self.last_heard.plus_ms(self.dead_after_ms)
    }

    pub(super) fn next(&self) -> Option<(Time, TimeoutReason)> {
        if self.over {
            return None;
        }
        let mut next = (self.dead_at(), TimeoutReason::Dead);
        let hello = self.hello_due.map(|due| (due, TimeoutReason::Hello));
        let ping = self.ping_due().map(|due| (due, TimeoutReason::Ping));
        for other in [hello, ping].into_iter().flatten() {
            if other.0 < next.0 {
                next = other;
            }
        }
        Some(next)
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> Result<(), Violation> {
        if self.over {
            return Ok(());
        }
        if self.hello_due.is_some_and(|due| due <= now) {
            return Err(Violation::new(Code::TIMEOUT, "no hello came in time"));
        }
        if self.dead_at() <= now {
            let text = format!("nothing was heard for {} ms", now.ms_since(self.last_heard));
            return Err(Violation::new(Code::LINK_LOST, text));
        }
        if self.ping_due().is_some_and(|due| due <= now) {
            self.next_token = self.next_token.saturating_add(1);
            self.ping = Some(self.next_token);
            self.pinged = Some(self.next_token);
        }
        Ok(())
    }

    pub(super) const fn has_output(&self) -> bool {
        self.ping.is_some() || self.pong.is_some()
    }

    pub(super) fn put(&mut self, out: &mut BytesMut) {
        if let Some(token) = self.ping.take() {
            LinkFrame::Ping(token).put(out);
        }
        if let Some(token) = self.pong.take() {
            LinkFrame::Pong(token).put(out);
        }
    }
}
