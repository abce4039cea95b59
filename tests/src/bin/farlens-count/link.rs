//! What a link costs on both of its sides together: two of them, joined without a wire.

use bytes::BytesMut;
use farlens_proto::{
    Answer, Ask, BATCH_BYTES, BatchBuilder, CallOn, CallRequest, Chunk, Event, Link, PeerIdentity,
    ReadOutcome, Reply, Time,
};
use farlens_tests::{
    pair::{config, request},
    pattern::{self, Sizes},
    refs::Holdings,
    source::Source,
};
use farlens_wire::{Limits, Side, StreamId};
use std::hint::black_box;

/// Bytes that are a unit of data.
const DATA_BYTES: u64 = 64 << 10;
/// What data gives at a time, in bytes: as much as a link ever asks for.
const REPLY_BYTES: usize = 256 << 10;
/// Bytes of one entity.
const ENTITY_BYTES: usize = 32;
/// Elements that are served; no run comes to their end.
const ENDLESS: u64 = 1 << 60;

/// A unit is one call there and its answer back, with 32 bytes each.
pub(crate) fn calls(units: u64) {
    let mut joined = Joined::new();
    let value = pattern::bytes(1, 0, 32);
    for _ in 0..units {
        let call = CallRequest::new(CallOn::Root, "method", value.clone());
        joined.client.call(call, Time::ZERO).expect("the link makes the call");
        joined.forth();
        let Some(Event::Called(called)) = joined.server.poll_event() else {
            panic!("the call has come");
        };
        joined.server.answer(called.call, Ok(Answer::from(black_box(called.args))));
        joined.back();
        let answered = joined.client.poll_event();
        assert!(matches!(black_box(answered), Some(Event::Answered { outcome: Ok(_), .. })));
    }
}

/// A unit is 64 KiB of bytes: asked for, sent, taken in, read, and their credit given back.
pub(crate) fn data(units: u64) {
    let block = pattern::bytes(1, 0, REPLY_BYTES);
    let mut joined = Joined::new();
    let stream = joined.open(&Source::fixed_bytes(1, ENDLESS));
    let give = |bytes: usize, _| Chunk::Bytes(block.slice(..bytes.min(block.len())));
    joined.read(stream, units * DATA_BYTES, give, |chunk| drop(black_box(chunk)));
}

/// A unit is one entity of 32 bytes among many: as for bytes, and found in what was read.
pub(crate) fn entities(units: u64) {
    let mut builder = BatchBuilder::default();
    for n in 0..(REPLY_BYTES / (ENTITY_BYTES + 1)) as u64 {
        builder.push(&pattern::bytes(1, n * ENTITY_BYTES as u64, ENTITY_BYTES));
    }
    let batch = builder.finish();
    let mut joined = Joined::new();
    let stream = joined.open(&Source::fixed_items(1, ENDLESS, Sizes::Small));
    let give = |bytes, elements: u64| {
        let count = batch.fitting(bytes).min(elements).max(1);
        Chunk::Items(batch.clone().split_to(count))
    };
    joined.read(stream, units, give, |chunk| {
        let Chunk::Items(batch) = chunk else { panic!("the stream carries entities") };
        let mut offset = 0;
        while let Some((body, after)) = batch.body_at(offset) {
            black_box(body);
            offset = after;
        }
    });
}

/// Two links that have greeted each other.
struct Joined {
    client: Link,
    server: Link,
    to_server: Way,
    to_client: Way,
}

impl Joined {
    fn new() -> Self {
        let link = |side: Side| {
            let peer = PeerIdentity::new([side.first_id() as u8; 32]);
            Link::new(side, peer, config(Limits::default()), Holdings::boxed(), Time::ZERO)
        };
        let (client, server) = (link(Side::Initiator), link(Side::Acceptor));
        let (to_server, to_client) = (Way::new(), Way::new());
        let mut joined = Self { client, server, to_server, to_client };
        joined.forth();
        joined.back();
        for link in [&mut joined.client, &mut joined.server] {
            assert_eq!(link.poll_event(), Some(Event::Established));
        }
        joined
    }

    fn forth(&mut self) -> bool {
        self.to_server.pass(&mut self.client, &mut self.server)
    }

    fn back(&mut self) -> bool {
        self.to_client.pass(&mut self.server, &mut self.client)
    }

    /// Opens a stream from its start.
    fn open(&mut self, source: &Source) -> StreamId {
        let stream = self.client.open(request("0")).expect("the link asks");
        self.forth();
        let Some(Event::OpenRequested { stream: asked, .. }) = self.server.poll_event() else {
            panic!("the request has come");
        };
        assert!(self.server.accept(asked, source.accepted()), "it is still wanted");
        self.back();
        stream
    }

    /// Reads so many elements or a few more. `give` makes a chunk of at most so many bytes and
    /// elements, and `take` gets what comes of them.
    fn read(
        &mut self,
        stream: StreamId,
        elements: u64,
        give: impl Fn(usize, u64) -> Chunk,
        take: impl Fn(Chunk),
    ) {
        let mut read = 0;
        while read < elements {
            match self.client.read(stream, u64::MAX) {
                ReadOutcome::Some(chunk) => {
                    read += chunk.elements();
                    take(chunk);
                }
                ReadOutcome::Pending => self.go_on(&give),
                other => panic!("{other:?} before the end"),
            }
        }
    }

    /// Sends what either side has for the other; the server gets its data in between.
    fn go_on(&mut self, give: impl Fn(usize, u64) -> Chunk) {
        while let Some(event) = self.client.poll_event() {
            black_box(event);
        }
        let granted = self.forth();
        assert_eq!(self.server.poll_event(), None, "nothing is asked of the server but data");
        while let Some(asked) = self.server.poll_request() {
            let Ask::Read { bytes, elements, .. } = asked.ask else {
                panic!("{:?} on data that does not change", asked.ask);
            };
            let reply = Reply::Some(give(bytes, elements));
            self.server.handle_reply(asked.stream, asked.serial, reply);
        }
        let sent = self.back();
        assert!(granted || sent, "the stream comes to a halt");
    }
}

/// One direction between two links: what one sends the other gets, in the same memory.
struct Way(BytesMut);

impl Way {
    /// Room for a batch and what its last frame may have beyond.
    const BLOCK_BYTES: usize = BATCH_BYTES + 1024;
    /// A block with less room than this is replaced, so short batches share one.
    const BLOCK_REST: usize = 8 << 10;

    fn new() -> Self {
        Self(BytesMut::with_capacity(Self::BLOCK_BYTES))
    }

    /// Hands over one batch, as far as there is one; says whether there was.
    fn pass(&mut self, from: &mut Link, to: &mut Link) -> bool {
        if self.0.capacity() < Self::BLOCK_REST {
            self.0.reserve(Self::BLOCK_BYTES);
        }
        from.poll_transmit(&mut self.0, Time::ZERO);
        black_box(from.poll_timeout());
        if self.0.is_empty() {
            return false;
        }
        to.handle_input(self.0.split().freeze(), Time::ZERO);
        true
    }
}
