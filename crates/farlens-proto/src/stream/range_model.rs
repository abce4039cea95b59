//! Both halves of ranges against a model: frames between them, and a source that answers short,
//! late and out of order, fails at a place and shrinks.

use super::{
    range_reader::{RangeReader, RangeStatus, RangeTicket},
    range_server::RangeServer,
    recv::ReceiveBudget,
};
use crate::{
    buffer::chunk::Chunk,
    event::{Ask, Reply},
};
use bytes::{Bytes, BytesMut};
use farlens_wire::{
    Bounds, Code, FrameDecoder, Limits, Position,
    frame::{
        Fault, Frame, StreamFrame,
        stream::{State, StreamControl},
    },
};
use proptest::prelude::*;

const SEND_BUDGET: usize = 300 << 10;
const FRAME: usize = 20_000;

/// Decides what happens next; the same seed decides the same.
struct Dice(u64);

impl Dice {
    /// A number below `limit`.
    fn roll(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x9e37_79b9);
        (self.0 >> 33) % limit
    }
}

fn pattern(from: u64, to: u64) -> Bytes {
    (from..to).map(|n| (n * 7 % 251) as u8).collect::<Vec<_>>().into()
}

/// Bytes that are a function of their position.
#[derive(Clone, Copy, Debug)]
struct Source {
    end: u64,
    /// Reading over this place fails.
    bad: Option<u64>,
}

impl Source {
    fn read(self, at: u64, bytes: u64, dice: &mut Dice) -> Reply {
        if at >= self.end {
            let end = Position::new(self.end).unwrap();
            return Reply::Nothing(State { bounds: Bounds::up_to(end), ..State::default() });
        }
        let whole = bytes.min(self.end - at);
        let length = if dice.roll(3) == 0 { 1 + dice.roll(whole) } else { whole };
        if self.bad.is_some_and(|bad| (at..at + length).contains(&bad)) {
            return Reply::Failed(Fault::new(Code::STORAGE_IO, "a bad block"));
        }
        Reply::Some(Chunk::Bytes(pattern(at, at + length)))
    }
}

struct Asked {
    at: u64,
    length: u64,
    ticket: RangeTicket,
}

struct Model {
    dice: Dice,
    source: Source,
    /// The end before the source shrank.
    first_end: u64,
    reader: RangeReader,
    budget: ReceiveBudget,
    limit: u64,
    server: RangeServer,
    serial: u64,
    /// Requests at the source, and how many there were.
    requests: Vec<(u64, u64, u64)>,
    request_count: usize,
    range_count: usize,
    to_server: FrameDecoder,
    to_reader: FrameDecoder,
    asked: Vec<Asked>,
}

impl Model {
    fn new(seed: u64, source: Source, limit: u64) -> Self {
        Self {
            dice: Dice(seed),
            source,
            first_end: source.end,
            reader: RangeReader::default(),
            budget: ReceiveBudget::new(limit, limit),
            limit,
            server: RangeServer::default(),
            serial: 0,
            requests: Vec::new(),
            request_count: 0,
            range_count: 0,
            to_server: FrameDecoder::new(FRAME),
            to_reader: FrameDecoder::new(FRAME),
            asked: Vec::new(),
        }
    }

    fn ask(&mut self, at: u64, length: u64) {
        let ticket = self.reader.ask(Position::new(at).unwrap(), length, &mut self.budget);
        self.asked.push(Asked { at, length, ticket });
    }

    /// From the reader to the server.
    fn carry_requests(&mut self) {
        let mut out = BytesMut::new();
        self.reader.put_frame(&mut out, 5);
        self.to_server.push(out.freeze());
        while let Some(frame) = self.to_server.next().unwrap() {
            let Frame::Stream(_, StreamFrame::Control(StreamControl::Ranges(frame))) = frame else {
                panic!("{frame:?}")
            };
            self.range_count += frame.ranges.len();
            self.server.accept(frame.first, &frame.ranges).unwrap();
        }
    }

    fn start_request(&mut self) {
        let room = SEND_BUDGET - self.server.queued() - self.server.reserved();
        let serial = self.serial + 1;
        if let Some(ask) = self.server.poll_request(serial, room) {
            self.serial = serial;
            let Ask::Range { at, bytes } = ask else { panic!("{ask:?}") };
            assert!(bytes > 0 && bytes <= room.min(256 << 10));
            self.requests.push((serial, at.get(), bytes as u64));
            self.request_count += 1;
            assert!(self.requests.len() <= 16);
        }
    }

    /// The source answers any one of the requests.
    fn answer_request(&mut self) {
        if !self.requests.is_empty() {
            let index = self.dice.roll(self.requests.len() as u64);
            let (serial, at, bytes) = self.requests.swap_remove(usize::try_from(index).unwrap());
            let reply = self.source.read(at, bytes, &mut self.dice);
            assert!(self.server.handle_reply(serial, &reply));
            assert!(!self.server.handle_reply(serial, &reply), "a serial number is good once");
        }
        assert!(self.server.queued() + self.server.reserved() <= SEND_BUDGET);
    }

    /// From the server to the reader, cut anywhere.
    fn carry_data(&mut self) {
        let mut out = BytesMut::new();
        let room = 100 + self.dice.roll(FRAME as u64 - 100);
        let had = self.server.has_data();
        assert_eq!(self.server.put_frame(&mut out, 5, usize::try_from(room).unwrap()), had);
        let mut rest = out.freeze();
        while !rest.is_empty() {
            let cut = 1 + self.dice.roll(rest.len() as u64);
            self.to_reader.push(rest.split_to(usize::try_from(cut).unwrap()));
            while let Some(Frame::Stream(_, frame)) = self.to_reader.next().unwrap() {
                self.hand_over(frame);
            }
        }
        assert!(self.budget.outstanding() <= self.limit + Limits::MIN_WINDOW_BYTES);
    }

    fn hand_over(&mut self, frame: StreamFrame) {
        match frame {
            StreamFrame::RangeData { range, at, payload } => {
                self.reader.handle_data(range, at, payload, &mut self.budget).unwrap();
            }
            StreamFrame::Control(StreamControl::RangeEnd(end)) => {
                self.reader.handle_end(end, &mut self.budget).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    /// Looks at one request, which is judged when it has ended.
    fn poll_one(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let index = usize::try_from(self.dice.roll(self.asked.len() as u64)).unwrap();
        let status = self.reader.poll(self.asked[index].ticket);
        if status != RangeStatus::Pending {
            let Asked { at, length, ticket } = self.asked.swap_remove(index);
            self.judge(at, length, status);
            assert!(matches!(self.reader.poll(ticket), RangeStatus::Failed(_)), "told once");
        }
    }

    fn judge(&self, at: u64, length: u64, status: RangeStatus) {
        let Source { end, bad } = self.source;
        let shrunk = end < self.first_end && at + length > end;
        let within = |end: u64| (at + length).min(end).max(at);
        let hit = |end: u64| bad.is_some_and(|bad| (at..within(end)).contains(&bad));
        match status {
            RangeStatus::Done(bytes) => {
                let got = at + bytes.len() as u64;
                assert_eq!(bytes, pattern(at, got));
                assert!((within(end)..=within(self.first_end)).contains(&got));
                assert!(shrunk || at <= end);
                assert!(!hit(got));
            }
            RangeStatus::Failed(fault) if fault.code == Code::STORAGE_IO => {
                assert!(hit(self.first_end));
            }
            RangeStatus::Failed(fault) if fault.code == Code::TRUNCATED => assert!(shrunk),
            RangeStatus::Failed(fault) => {
                assert_eq!(fault.code, Code::OUT_OF_RANGE);
                assert!(shrunk || at > end);
            }
            RangeStatus::Pending => panic!("judged too early"),
        }
    }

    fn step(&mut self) {
        match self.dice.roll(5) {
            0 => self.carry_requests(),
            1 => self.start_request(),
            2 => self.answer_request(),
            3 => self.carry_data(),
            _ => self.poll_one(),
        }
    }

    /// Goes on until all is answered; then nothing may be left anywhere.
    fn finish(&mut self) {
        let mut steps = 0;
        while !(self.asked.is_empty() && self.reader.outstanding() == 0) {
            self.step();
            steps += 1;
            assert!(steps < 1_000_000, "{} requests never end", self.asked.len());
        }
        assert_eq!(self.budget.outstanding(), 0);
        assert!(self.server.is_idle() && !self.server.has_data());
        assert_eq!((self.server.queued(), self.server.reserved()), (0, 0));
    }
}

/// Mostly small ranges near one another, and some large ones.
fn ranges() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let small = (0u64..400_000, 1u64..9_000);
    let large = (0u64..1_200_000, 1u64..700_000);
    prop::collection::vec(prop_oneof![5 => small, 1 => large], 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_request_ends_once_with_its_bytes(
        seed: u64,
        ranges in ranges(),
        end in prop_oneof![Just(0), 1u64..1_000_000],
        bad in prop::option::of(0u64..500_000),
        limit in prop_oneof![Just(0), 20_000u64..2_000_000],
        shrink in prop::option::of(0u64..1_000_000),
    ) {
        let mut model = Model::new(seed, Source { end, bad }, limit);
        for (index, &(at, length)) in ranges.iter().enumerate() {
            model.ask(at, length);
            if index == ranges.len() / 2 {
                model.source.end = shrink.map_or(end, |shrunk| shrunk.min(end));
            }
            for _ in 0..model.dice.roll(20) {
                model.step();
            }
            if model.dice.roll(8) == 0 && !model.asked.is_empty() {
                let asked = model.asked.swap_remove(0);
                model.reader.forget(asked.ticket, &mut model.budget);
            }
        }
        model.finish();
    }

    #[test]
    fn many_small_ranges_cost_few_requests(
        seed: u64,
        starts in prop::collection::vec(0u64..500_000, 250),
    ) {
        let mut model = Model::new(seed, Source { end: 1 << 30, bad: None }, 16 << 20);
        for at in starts {
            model.ask(at, 100);
        }
        model.finish();
        prop_assert_eq!(model.range_count, 250);
        prop_assert!(model.request_count < 60, "{} requests", model.request_count);
    }
}
