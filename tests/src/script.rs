//! One link and a peer made by hand: these bytes go in, those frames come out.

use crate::pair::config;
use crate::refs::Holdings;
use bytes::{Bytes, BytesMut};
use farlens_proto::{
    CallOn, CallRequest, CallTicket, Config, Event, Fault, Link, PeerIdentity, Time,
};
use farlens_wire::{
    AtEnd, Code, Epoch, Flags, FrameDecoder, Limits, Pos, Side,
    frame::{
        Frame, LinkFrame,
        link::Hello,
        put_control, put_header,
        stream::{self, Credit, Open, Target},
    },
    varint,
};

/// A link under test with the frames and events that it gave.
#[derive(Debug)]
pub struct Script {
    /// The link under test.
    pub link: Link,
    /// The time that it is told.
    pub now: Time,
    /// What it told its shell.
    pub events: Vec<Event>,
    decoder: FrameDecoder,
}

impl Script {
    /// A link with default limits that has heard nothing.
    #[must_use]
    pub fn silent(side: Side) -> Self {
        Self::with(side, config(Limits::default()))
    }

    /// A link with this configuration that has heard nothing.
    #[must_use]
    pub fn with(side: Side, config: Config) -> Self {
        let mut decoder = FrameDecoder::new(1 << 20);
        decoder.set_max_payload(1 << 20);
        Self {
            link: Link::new(
                side,
                PeerIdentity::new([7; 32]),
                config,
                Holdings::boxed(),
                Time::ZERO,
            ),
            now: Time::ZERO,
            events: Vec::new(),
            decoder,
        }
    }

    /// A server under test that has heard the hello of a client with default limits.
    #[must_use]
    pub fn server() -> Self {
        let mut script = Self::silent(Side::Acceptor);
        script.greet();
        script
    }

    /// A client under test that has heard the hello of a server with default limits.
    #[must_use]
    pub fn client() -> Self {
        let mut script = Self::silent(Side::Initiator);
        script.greet();
        script
    }

    /// Says hello with default limits, and forgets the answer.
    pub fn greet(&mut self) {
        self.send(&hello(&Limits::default()));
        self.frames();
        self.events.clear();
    }

    /// Calls the method `m` of the root object.
    ///
    /// # Errors
    /// Those of the link.
    pub fn call(&mut self, args: Vec<u8>) -> Result<CallTicket, Fault> {
        self.link.call(CallRequest::new(CallOn::Root, "m", args), self.now)
    }

    /// Hands bytes in.
    pub fn send(&mut self, bytes: &[u8]) {
        if self.link.is_reading() {
            self.link.handle_input(Bytes::copy_from_slice(bytes), self.now);
        }
        while let Some(event) = self.link.poll_event() {
            self.events.push(event);
        }
    }

    /// What the link sends.
    ///
    /// # Panics
    /// When that is no sequence of frames.
    pub fn frames(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let mut out = BytesMut::new();
            self.link.poll_transmit(&mut out, self.now);
            if out.is_empty() {
                break;
            }
            self.decoder.push(out.freeze());
            while let Some(frame) = self.decoder.next().expect("a link sends frames") {
                frames.push(frame);
            }
        }
        while let Some(event) = self.link.poll_event() {
            self.events.push(event);
        }
        frames
    }

    /// Why the link is over.
    #[must_use]
    pub fn over(&self) -> Option<Code> {
        self.link.over().map(|fault| fault.code)
    }

    /// Asserts that the link ended for this reason, and told so once: the last thing that it told.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_over(&mut self, code: Code) {
        let fault = self.link.over().cloned();
        assert_eq!(fault.as_ref().map(|fault| fault.code), Some(code), "{fault:?}");
        let over = |event: &Event| matches!(event, Event::Over { .. });
        assert_eq!(self.events.iter().filter(|event| over(event)).count(), 1);
        assert!(self.events.last().is_some_and(over), "{:?}", self.events);
        match self.frames().last() {
            Some(Frame::Link(LinkFrame::Bye(bye))) => assert_eq!(bye.fault.code, code),
            other => panic!("a farewell was due: {other:?}"),
        }
        assert!(!self.link.has_output() && self.link.poll_timeout().is_none());
    }

    /// Asserts that the link lives.
    ///
    /// # Panics
    /// When it does not.
    pub fn assert_alive(&self) {
        assert_eq!(self.link.over(), None);
    }
}

/// A hello with these limits.
#[must_use]
pub fn hello(limits: &Limits) -> Vec<u8> {
    let mut out = Vec::new();
    LinkFrame::Hello(Hello::new(limits, "script")).put(&mut out);
    out
}

/// A frame about the link.
#[must_use]
pub fn link(frame: &LinkFrame) -> Vec<u8> {
    let mut out = Vec::new();
    frame.put(&mut out);
    out
}

/// A frame whose payload is a struct.
#[must_use]
pub fn control<C: farlens_wire::frame::Control>(id: u64, frame: &C) -> Vec<u8> {
    let mut out = Vec::new();
    put_control(&mut out, id, frame);
    out
}

/// The same with one TLV behind the struct.
///
/// # Panics
/// When the struct cannot be encoded.
#[must_use]
pub fn extended<C: farlens_wire::frame::Control>(id: u64, frame: &C, tag: u64) -> Vec<u8> {
    let mut payload = Vec::new();
    put_control(&mut payload, 1, frame);
    // Kind, id 1 and the length lie before the struct.
    let mut rest = &payload[2..];
    varint::take(&mut rest).expect("a length");
    let mut payload = rest.to_vec();
    varint::put(&mut payload, tag);
    varint::put(&mut payload, 2);
    payload.extend_from_slice(b"xy");
    raw(C::KIND, id, &payload)
}

/// A frame with any payload.
#[must_use]
pub fn raw(kind: u8, id: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_header(&mut out, kind, id, payload.len());
    out.extend_from_slice(payload);
    out
}

/// A frame of elements.
#[must_use]
pub fn bulk(kind: u8, id: u64, epoch: u64, at: u64, total: Option<u64>, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let place = (Epoch(epoch), crate::source::position(at));
    stream::put_bulk_head(&mut out, kind, id, place, total, body.len());
    out.extend_from_slice(body);
    out
}

/// Some bytes of a stream.
#[must_use]
pub fn data(id: u64, epoch: u64, at: u64, body: &[u8]) -> Vec<u8> {
    bulk(stream::DATA, id, epoch, at, None, body)
}

/// Some entities of a stream.
#[must_use]
pub fn items(id: u64, epoch: u64, at: u64, bodies: &[&[u8]]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for body in bodies {
        varint::put(&mut encoded, body.len() as u64);
        encoded.extend_from_slice(body);
    }
    bulk(stream::ITEMS, id, epoch, at, None, &encoded)
}

/// An open frame for a path, with a credit of 1,000 bytes and 1,000 elements.
#[must_use]
pub fn open(path: &str) -> Open {
    Open {
        target: Target::Path(path.into()),
        flags: Flags::READABLE.bits(),
        kind: None,
        start: Pos::START,
        at_end: AtEnd::Stop,
        delivery: farlens_wire::Delivery::Lossless,
        purpose: farlens_wire::frame::stream::Purpose::Use,
        ranges: Vec::new(),
        credit: Credit { bytes: 1_000, elements: 1_000 },
        fingerprint: None,
        urgency: farlens_wire::Urgency::USUAL,
    }
}
