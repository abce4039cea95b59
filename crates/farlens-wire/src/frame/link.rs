//! Frames about the link itself: greeting, life signs and farewell.

use super::{Control, Fault, FrameError, tlv};
use crate::{Limits, varint};
use bytes::BufMut;
use serde::{Deserialize, Serialize};

/// A frame about the link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkFrame {
    /// The first frame of each side.
    Hello(Hello),
    /// Asks for a sign of life; the number comes back.
    Ping(u64),
    /// The answer to a ping.
    Pong(u64),
    /// No new streams or calls, please: this side is about to leave.
    GoAway(GoAway),
    /// The last frame of this side, with the reason.
    Bye(Bye),
    /// An interface that the sender's calls may name from now on.
    Interface(Interface),
    /// More one-way calls.
    OneWayLimit(OneWayLimit),
}

/// An interface that the sender's calls may name from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct Interface {
    /// The fingerprint of the schema.
    pub fingerprint: [u8; 16],
    /// The encoded schema.
    #[serde(with = "super::bulk")]
    pub schema: Vec<u8>,
}

/// How many one-way calls of one level the receiver may make, counted from the start of the link.
/// Cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "extended by TLVs, not by fields")]
pub struct OneWayLimit {
    /// The level: how many calls these are nested in.
    pub depth: u32,
    /// Calls.
    pub calls: u64,
    /// Bytes of arguments; a call may begin below it and end beyond.
    pub bytes: u64,
}

/// This side is about to leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GoAway {
    /// Why.
    pub fault: Fault,
}

/// This side leaves; nothing follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Bye {
    /// Why.
    pub fault: Fault,
}

impl GoAway {
    /// A notice with its reason.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self { fault }
    }
}

impl Bye {
    /// A farewell with its reason.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self { fault }
    }
}

impl Control for GoAway {
    const KIND: u8 = 0x04;
}

impl Control for Bye {
    const KIND: u8 = 0x05;
}

impl Control for Interface {
    const KIND: u8 = 0x06;
}

impl Control for OneWayLimit {
    const KIND: u8 = 0x07;
}

const HELLO: u8 = 0x01;
const PING: u8 = 0x02;
const PONG: u8 = 0x03;

const TAG_VERSIONS: u64 = 1;
const TAG_LIMITS: u64 = 2;
const TAG_FEATURES: u64 = 4;
const TAG_AGENT: u64 = 6;
const TAG_INVITE: u64 = 8;
/// Sent so that nobody comes to rely on a closed list of tags.
const TAG_GREASE: u64 = 0x2a2a;

/// What each side says first: who it is and what it can take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// The lowest and the highest version that the sender speaks.
    pub versions: (u64, u64),
    /// What the sender accepts.
    pub limits: Announced,
    /// Bits for optional abilities; none is defined yet.
    pub features: u64,
    /// The sender's program, for logs.
    pub agent: String,
    /// Proof of an invitation, for a server that does not know the client's key.
    pub invite: Option<Vec<u8>>,
}

/// The limits that the peer must respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announced {
    /// Bytes of a frame's payload.
    pub frame_bytes: u64,
    /// Bytes of a message.
    pub message_bytes: u64,
    /// Streams open at a time.
    pub streams: u64,
    /// Calls running at a time, on each level of nesting.
    pub calls: u64,
    /// Different references held at a time.
    pub references: u64,
    /// Levels of nested calls.
    pub call_depth: u64,
    /// Bytes of arguments of calls that run, on each level of nesting.
    pub argument_bytes: u64,
}

impl From<&Limits> for Announced {
    fn from(limits: &Limits) -> Self {
        Self {
            frame_bytes: limits.frame_bytes as u64,
            message_bytes: limits.message_bytes as u64,
            streams: u64::from(limits.streams),
            calls: u64::from(limits.calls),
            references: u64::from(limits.references),
            call_depth: u64::from(limits.call_depth),
            argument_bytes: limits.argument_bytes as u64,
        }
    }
}

impl Announced {
    /// Each limit with the number that names it in the hello.
    fn numbered(&mut self) -> [(u64, &mut u64); 7] {
        [
            (1, &mut self.frame_bytes),
            (2, &mut self.message_bytes),
            (3, &mut self.streams),
            (4, &mut self.calls),
            (5, &mut self.references),
            (6, &mut self.call_depth),
            (7, &mut self.argument_bytes),
        ]
    }

    fn put(mut self, out: &mut impl BufMut) {
        for (number, value) in self.numbered() {
            varint::put(out, number);
            varint::put(out, *value);
        }
    }

    /// Numbers that are not known here are skipped; what is missing keeps its minimum.
    fn take(mut input: &[u8]) -> Option<Self> {
        let mut announced = Self::from(&Limits::minimum());
        let floor = announced;
        while !input.is_empty() {
            let number = varint::take(&mut input).ok()?;
            let value = varint::take(&mut input).ok()?;
            for (known, slot) in announced.numbered() {
                if known == number {
                    *slot = value;
                }
            }
        }
        announced.call_depth = announced.call_depth.min(Limits::MAX_DEPTH.into());
        (announced.frame_bytes >= floor.frame_bytes
            && announced.message_bytes >= floor.message_bytes
            && announced.references >= floor.references
            && announced.call_depth >= floor.call_depth
            && announced.argument_bytes >= floor.argument_bytes)
            .then_some(announced)
    }
}

impl Hello {
    /// The kind of its frame.
    pub const KIND: u8 = HELLO;

    /// A greeting with the versions of this crate.
    pub fn new(limits: &Limits, agent: impl Into<String>) -> Self {
        Self {
            versions: (1, 1),
            limits: Announced::from(limits),
            features: 0,
            agent: agent.into(),
            invite: None,
        }
    }

    fn put(&self, out: &mut impl BufMut) {
        let mut payload = Vec::new();
        let mut value = Vec::new();
        varint::put(&mut value, self.versions.0);
        varint::put(&mut value, self.versions.1);
        tlv::put(&mut payload, TAG_VERSIONS, &value);
        value.clear();
        self.limits.put(&mut value);
        tlv::put(&mut payload, TAG_LIMITS, &value);
        value.clear();
        varint::put(&mut value, self.features);
        tlv::put(&mut payload, TAG_FEATURES, &value);
        tlv::put(&mut payload, TAG_AGENT, self.agent.as_bytes());
        if let Some(invite) = &self.invite {
            tlv::put(&mut payload, TAG_INVITE, invite);
        }
        tlv::put(&mut payload, TAG_GREASE, &[]);
        super::put_header(out, HELLO, 0, payload.len());
        out.put_slice(&payload);
    }

    fn take(mut payload: &[u8]) -> Result<Self, FrameError> {
        let malformed = |what| FrameError::Malformed { kind: HELLO, what };
        let mut hello = Self::new(&Limits::minimum(), "");
        let mut versions = None;
        let mut last = None;
        while !payload.is_empty() {
            let (tag, value) = tlv::take(&mut payload).ok_or(malformed("a TLV is cut"))?;
            if last.is_some_and(|last| tag <= last) {
                return Err(malformed("tags must rise"));
            }
            last = Some(tag);
            match tag {
                TAG_VERSIONS => versions = Some(take_versions(value).ok_or(malformed("versions"))?),
                TAG_LIMITS => {
                    hello.limits = Announced::take(value).ok_or(malformed("limits"))?;
                }
                TAG_FEATURES => hello.features = take_number(value).ok_or(malformed("features"))?,
                TAG_AGENT => {
                    hello.agent = String::from_utf8(value.to_vec())
                        .map_err(|_| malformed("the agent is no UTF-8"))?;
                }
                TAG_INVITE => hello.invite = Some(value.to_vec()),
                tag if tag % 2 == 1 => {
                    return Err(FrameError::Unsupported { kind: HELLO, id: 0, tag });
                }
                _ => {}
            }
        }
        hello.versions = versions.ok_or(malformed("no versions"))?;
        Ok(hello)
    }
}

fn take_number(mut value: &[u8]) -> Option<u64> {
    let number = varint::take(&mut value).ok()?;
    value.is_empty().then_some(number)
}

fn take_versions(mut value: &[u8]) -> Option<(u64, u64)> {
    let lowest = varint::take(&mut value).ok()?;
    let highest = varint::take(&mut value).ok()?;
    (value.is_empty() && lowest >= 1 && lowest <= highest).then_some((lowest, highest))
}

impl LinkFrame {
    /// The kinds of this family with their names.
    pub const KINDS: &'static [(u8, &'static str)] = &[
        (HELLO, "Hello"),
        (PING, "Ping"),
        (PONG, "Pong"),
        (GoAway::KIND, "GoAway"),
        (Bye::KIND, "Bye"),
        (Interface::KIND, "Interface"),
        (OneWayLimit::KIND, "OneWayLimit"),
    ];

    /// Appends the whole frame.
    pub fn put(&self, out: &mut impl BufMut) {
        match self {
            Self::Hello(hello) => hello.put(out),
            Self::Ping(token) => put_token(out, PING, *token),
            Self::Pong(token) => put_token(out, PONG, *token),
            Self::GoAway(frame) => super::put_control(out, 0, frame),
            Self::Bye(frame) => super::put_control(out, 0, frame),
            Self::Interface(frame) => super::put_control(out, 0, frame),
            Self::OneWayLimit(frame) => super::put_control(out, 0, frame),
        }
    }

    pub(crate) fn decode(kind: u8, payload: &[u8]) -> Result<Option<Self>, FrameError> {
        Ok(Some(match kind {
            HELLO => Self::Hello(Hello::take(payload)?),
            PING => Self::Ping(take_token(kind, payload)?),
            PONG => Self::Pong(take_token(kind, payload)?),
            GoAway::KIND => Self::GoAway(super::take_control(0, payload)?),
            Bye::KIND => Self::Bye(super::take_control(0, payload)?),
            Interface::KIND => Self::Interface(super::take_control(0, payload)?),
            OneWayLimit::KIND => Self::OneWayLimit(super::take_control(0, payload)?),
            _ => return Ok(None),
        }))
    }
}

fn put_token(out: &mut impl BufMut, kind: u8, token: u64) {
    super::put_header(out, kind, 0, 8);
    out.put_u64(token);
}

fn take_token(kind: u8, payload: &[u8]) -> Result<u64, FrameError> {
    let bytes: [u8; 8] = payload
        .try_into()
        .map_err(|_| FrameError::Malformed { kind, what: "the payload must be 8 bytes" })?;
    Ok(u64::from_be_bytes(bytes))
}
