//! The greeting: who speaks which version, what each side can take, and whether the client may
//! come in.
//!
//! ```text
//!  known peer:    AwaitHello ──hello──▶ Done
//!  by invite:     AwaitHello ──hello──▶ Deciding ──admit──▶ Done
//!                                          └── refuse ──▶ over (Bye without a hello)
//! ```

use crate::{error::Violation, event::Event, time::Time};
use bytes::BytesMut;
use farlens_wire::{
    Code, Limits, Side,
    frame::{
        LinkFrame,
        link::{Announced, Hello},
    },
};

/// Whether the peer may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a peer is known or must be judged")]
pub enum Admission {
    /// Its key is known.
    Known,
    /// Its hello must be judged first: [`Event::Admission`].
    ByInvite,
}

/// What a link is made with.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the shell builds it")]
pub struct Config {
    /// The bounds that this side keeps.
    pub limits: Limits,
    /// This side's program, for the peer's logs.
    pub agent: String,
    /// Proof of an invitation, from a client that the server may not know.
    pub invite: Option<Vec<u8>>,
    /// Whether the peer may come in.
    pub admission: Admission,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            agent: concat!("farlens/", env!("CARGO_PKG_VERSION")).into(),
            invite: None,
            admission: Admission::Known,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    AwaitHello,
    Deciding,
    Done,
    Over,
}

/// The greeting of one link.
#[derive(Debug)]
pub(super) struct Handshake {
    phase: Phase,
    admission: Admission,
    hello: Option<Hello>,
    side: Side,
    /// When this side greeted.
    greeted: Option<Time>,
    /// The initiator greets at once; an acceptor that must judge its peer greets when it did.
    may_greet: bool,
    peer_limits: Announced,
    peer_agent: String,
}

impl Handshake {
    pub(super) fn new(side: Side, config: Config) -> Self {
        let mut hello = Hello::new(&config.limits, config.agent);
        hello.invite = config.invite;
        Self {
            phase: Phase::AwaitHello,
            admission: config.admission,
            hello: Some(hello),
            side,
            greeted: None,
            may_greet: side == Side::Initiator || config.admission == Admission::Known,
            peer_limits: Announced::from(&Limits::minimum()),
            peer_agent: String::new(),
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    pub(super) const fn is_deciding(&self) -> bool {
        matches!(self.phase, Phase::Deciding)
    }

    /// Whether the peer's hello has come.
    pub(super) const fn has_heard(&self) -> bool {
        !matches!(self.phase, Phase::AwaitHello)
    }

    pub(super) fn peer_agent(&self) -> &str {
        &self.peer_agent
    }

    /// What the peer accepts; the minimum of everything until its hello has come.
    pub(super) const fn peer_limits(&self) -> Announced {
        self.peer_limits
    }

    pub(super) fn peer_frame_bytes(&self) -> usize {
        usize::try_from(self.peer_limits.frame_bytes).unwrap_or(usize::MAX)
    }

    pub(super) fn peer_message_bytes(&self) -> usize {
        usize::try_from(self.peer_limits.message_bytes).unwrap_or(usize::MAX)
    }

    /// How many microseconds the hello of the other side took that comes now, where it answers this
    /// side's: an acceptor greets when it has heard the initiator.
    pub(super) fn heard_after(&self, now: Time) -> Option<u64> {
        let greeted = self.greeted.filter(|_| self.side == Side::Initiator)?;
        Some(now.micros_since(greeted))
    }

    pub(super) fn handle_hello(&mut self, hello: Hello) -> Result<Event, Violation> {
        if self.has_heard() {
            return Err(Violation::protocol("a second hello"));
        }
        let (low, high) = hello.versions;
        if !(low..=high).contains(&1) {
            let text = format!("no common version: this side speaks 1, the other {low} to {high}");
            return Err(Violation::new(Code::NO_COMMON_VERSION, text));
        }
        self.peer_limits = hello.limits;
        self.peer_agent = hello.agent;
        match self.admission {
            Admission::Known => {
                self.phase = Phase::Done;
                Ok(Event::Established)
            }
            Admission::ByInvite => {
                self.phase = Phase::Deciding;
                Ok(Event::Admission { invite: hello.invite })
            }
        }
    }

    /// Lets the peer in; says whether that had been asked.
    pub(super) fn admit(&mut self) -> bool {
        let asked = self.is_deciding();
        if asked {
            self.phase = Phase::Done;
            self.may_greet = true;
        }
        asked
    }

    pub(super) fn end(&mut self) {
        self.phase = Phase::Over;
        self.hello = None;
    }

    pub(super) const fn has_output(&self) -> bool {
        self.may_greet && self.hello.is_some()
    }

    /// Appends the hello if it is due.
    pub(super) fn put(&mut self, out: &mut BytesMut, now: Time) {
        if self.may_greet
            && let Some(hello) = self.hello.take()
        {
            LinkFrame::Hello(hello).put(out);
            self.greeted = Some(now);
        }
    }

    /// Whether frames may follow.
    pub(super) const fn may_send(&self) -> bool {
        self.may_greet && self.hello.is_none()
    }
}
