use super::*;
use farlens_wire::{
    FrameDecoder, Limits,
    frame::{Frame, StreamFrame, stream::StreamControl},
};

const KIB: u64 = 1 << 10;

fn at(n: u64) -> Position {
    Position::new(n).unwrap()
}

fn pattern(from: u64, length: u64) -> Bytes {
    (from..from + length).map(|n| (n * 7 % 251) as u8).collect::<Vec<_>>().into()
}

fn out_of_range() -> Fault {
    Fault::new(Code::OUT_OF_RANGE, "behind the end")
}

/// A reader with its budget, and what it has asked for on the wire.
struct Rig {
    reader: RangeReader,
    budget: ReceiveBudget,
    asked: Vec<Range>,
}

impl Rig {
    fn new(budget: u64) -> Self {
        Self {
            reader: RangeReader::default(),
            budget: ReceiveBudget::new(budget, budget),
            asked: Vec::new(),
        }
    }

    fn ask(&mut self, from: u64, length: u64) -> RangeTicket {
        self.reader.ask(at(from), length, &mut self.budget)
    }

    /// Sends what may be sent, and says how many ranges that are.
    fn send(&mut self) -> usize {
        let mut out = BytesMut::new();
        assert_eq!(self.reader.has_frame(), self.reader.put_frame(&mut out, 3));
        let mut decoder = FrameDecoder::new(4 << 10);
        decoder.push(out.freeze());
        let mut count = 0;
        while let Some(frame) = decoder.next().unwrap() {
            let Frame::Stream(_, StreamFrame::Control(StreamControl::Ranges(frame))) = frame else {
                panic!("{frame:?}")
            };
            assert_eq!(frame.first.0, self.asked.len() as u64);
            count += frame.ranges.len();
            self.asked.extend(frame.ranges);
        }
        count
    }

    fn data(&mut self, id: u64, from: u64, length: u64) -> Result<(), Violation> {
        let payload = pattern(from, length);
        self.reader.handle_data(RangeId(id), at(from), payload, &mut self.budget)
    }

    fn end(&mut self, id: u64, fault: Option<Fault>) -> Result<(), Violation> {
        self.reader.handle_end(RangeEnd { range: RangeId(id), fault }, &mut self.budget)
    }

    /// Answers a range in full.
    fn fill(&mut self, id: u64) {
        let Range { at, length } = self.asked[usize::try_from(id).unwrap()];
        self.data(id, at.get(), length).unwrap();
    }

    fn check_done(&mut self, ticket: RangeTicket, from: u64, length: u64) {
        match self.reader.poll(ticket) {
            RangeStatus::Done(bytes) => {
                assert_eq!(bytes.len() as u64, length);
                assert!(bytes == pattern(from, length), "other bytes");
            }
            other => panic!("{other:?}"),
        }
    }

    fn held(&self) -> u64 {
        self.budget.outstanding()
    }
}

#[test]
fn one_frame_asks_for_all_that_waits() {
    let mut rig = Rig::new(16 << 20);
    let tickets: Vec<_> = (0..300).map(|n| rig.ask(n * 100, 10)).collect();
    assert_eq!(rig.reader.outstanding(), MAX_RANGES);
    assert_eq!((rig.send(), rig.send()), (256, 0));
    rig.fill(0);
    assert_eq!(rig.send(), 1, "the place of the one that came");
    rig.check_done(tickets[0], 0, 10);
    assert_eq!(rig.reader.poll(tickets[1]), RangeStatus::Pending);
    assert!(matches!(rig.reader.poll(tickets[0]), RangeStatus::Failed(_)), "told once");
}

#[test]
fn an_open_frame_takes_the_first_sixty_four() {
    let mut rig = Rig::new(16 << 20);
    for n in 0..70 {
        rig.ask(n * 100, 10);
    }
    rig.asked = rig.reader.take_ranges_for_open();
    assert_eq!(rig.asked.len(), 64);
    assert_eq!(rig.send(), 6);
}

#[test]
fn parts_that_come_in_any_order_are_put_together() {
    let mut rig = Rig::new(16 << 20);
    let ticket = rig.ask(1000, 600 * KIB);
    assert_eq!(rig.send(), 3);
    rig.fill(2);
    rig.data(1, 1000 + 256 * KIB, 100).unwrap();
    rig.fill(0);
    rig.data(1, 1100 + 256 * KIB, 256 * KIB - 101).unwrap();
    assert_eq!(rig.reader.poll(ticket), RangeStatus::Pending);
    rig.data(1, 999 + 512 * KIB, 1).unwrap();
    rig.check_done(ticket, 1000, 600 * KIB);
    assert_eq!((rig.held(), rig.reader.outstanding()), (0, 0));
}

#[test]
fn behind_the_end_of_the_data_faults_do_not_matter() {
    for late in [false, true] {
        let mut rig = Rig::new(16 << 20);
        let ticket = rig.ask(0, 3 << 20);
        assert_eq!(rig.send(), 12);
        rig.fill(0);
        if !late {
            rig.end(3, Some(out_of_range())).unwrap();
            assert_eq!(rig.reader.poll(ticket), RangeStatus::Pending);
        }
        rig.data(1, 256 * KIB, 5).unwrap();
        rig.end(1, None).unwrap();
        rig.check_done(ticket, 0, 256 * KIB + 5);
        for id in 2..12 {
            if late || id != 3 {
                assert!(rig.held() > 0);
                rig.end(id, Some(out_of_range())).unwrap();
            }
        }
        assert_eq!(rig.held(), 0);
    }
}

#[test]
fn bytes_behind_a_short_part_are_left_out() {
    let mut rig = Rig::new(16 << 20);
    let ticket = rig.ask(0, 600 * KIB);
    rig.send();
    rig.fill(2);
    rig.data(1, 256 * KIB, 5).unwrap();
    rig.end(1, None).unwrap();
    rig.fill(0);
    rig.check_done(ticket, 0, 256 * KIB + 5);
    assert_eq!(rig.held(), 0);
}

#[test]
fn a_part_that_fails_fails_the_request_once_all_before_it_came() {
    let mut rig = Rig::new(16 << 20);
    let ticket = rig.ask(0, 600 * KIB);
    rig.send();
    rig.end(1, Some(out_of_range())).unwrap();
    assert_eq!(rig.reader.poll(ticket), RangeStatus::Pending);
    rig.fill(0);
    assert_eq!(rig.reader.poll(ticket), RangeStatus::Failed(out_of_range()));
    rig.fill(2);
    assert_eq!(rig.held(), 0);
}

#[test]
fn what_an_early_end_makes_useless_is_not_asked_for() {
    let mut rig = Rig::new(1 << 20);
    let ticket = rig.ask(0, 100 << 20);
    assert_eq!(rig.send(), 4);
    rig.fill(0);
    rig.end(1, None).unwrap();
    rig.check_done(ticket, 0, 256 * KIB);
    assert_eq!(rig.send(), 0);
    assert_eq!(rig.reader.outstanding(), 2);
}

#[test]
fn a_lone_range_goes_without_any_budget() {
    let mut rig = Rig::new(0);
    let ticket = rig.ask(0, 40 * KIB);
    let mut id = 0;
    while rig.send() == 1 {
        assert_eq!(rig.held(), rig.asked.last().unwrap().length);
        assert!(rig.held() <= Limits::MIN_WINDOW_BYTES);
        rig.fill(id);
        id += 1;
    }
    assert_eq!(id, 3);
    rig.check_done(ticket, 0, 40 * KIB);
}

#[test]
fn what_is_asked_for_keeps_within_the_budget() {
    let mut rig = Rig::new(1 << 20);
    rig.ask(0, 3 << 20);
    assert_eq!((rig.send(), rig.held()), (4, 1 << 20));
    rig.data(0, 0, 100).unwrap();
    assert_eq!((rig.send(), rig.held()), (0, 1 << 20), "a part gives back when it is complete");
    rig.data(0, 100, 256 * KIB - 100).unwrap();
    assert_eq!((rig.send(), rig.held()), (1, 1 << 20));
}

#[test]
fn a_small_request_does_not_wait_for_a_large_one() {
    let mut rig = Rig::new(1 << 20);
    rig.ask(0, 1 << 30);
    let small = rig.ask(5, 10);
    assert_eq!(rig.send(), 4);
    rig.fill(0);
    rig.send();
    rig.fill(1);
    rig.send();
    let id = rig.asked.iter().position(|range| range.length == 10).unwrap();
    rig.fill(id as u64);
    rig.check_done(small, 5, 10);
}

#[test]
fn bytes_that_were_not_asked_for_are_a_violation() {
    let mut rig = Rig::new(1 << 20);
    rig.ask(100, 50);
    assert!(rig.data(0, 100, 1).is_err(), "not on the wire yet");
    rig.send();
    assert!(rig.data(1, 100, 1).is_err());
    assert!(rig.data(0, 101, 1).is_err());
    assert!(rig.data(0, 100, 51).is_err());
    assert!(rig.data(0, 100, 20).is_ok());
    assert!(rig.data(0, 100, 20).is_err());
    assert!(rig.data(0, 120, 31).is_err());
    assert!(rig.data(0, 120, 30).is_ok());
    assert!(rig.data(0, 150, 1).is_err());
    assert!(rig.end(0, None).is_err(), "a range that came in full has no end");
    assert!(rig.end(1, None).is_err());
}

#[test]
fn a_request_that_nobody_waits_for_still_counts_until_it_ends() {
    let mut rig = Rig::new(512 * KIB);
    let first = rig.ask(0, 4 << 20);
    assert_eq!(rig.send(), 2);
    rig.reader.forget(first, &mut rig.budget);
    assert_eq!(rig.held(), 512 * KIB);
    let second = rig.ask(0, 10);
    assert_eq!(rig.send(), 0);
    rig.fill(0);
    assert_eq!(rig.send(), 1);
    rig.reader.forget(second, &mut rig.budget);
    rig.end(1, Some(out_of_range())).unwrap();
    rig.fill(2);
    assert_eq!((rig.held(), rig.reader.outstanding()), (0, 0));
}

#[test]
fn what_was_never_sent_is_forgotten_without_a_trace() {
    let mut rig = Rig::new(1 << 20);
    let ticket = rig.ask(0, 4 << 20);
    rig.reader.forget(ticket, &mut rig.budget);
    assert_eq!((rig.held(), rig.send()), (0, 0));
    rig.ask(7, 10);
    assert_eq!(rig.send(), 1, "and leaves no hole in the ids");
}

#[test]
fn the_end_of_the_stream_fails_what_is_pending_and_keeps_what_is_done() {
    let mut rig = Rig::new(1 << 20);
    let tickets = [rig.ask(0, 10), rig.ask(10, 10), rig.ask(20, 8 << 20)];
    rig.send();
    rig.fill(0);
    rig.reader.fail_all(&out_of_range(), &mut rig.budget);
    assert_eq!((rig.held(), rig.reader.outstanding()), (0, 0));
    assert!(rig.data(1, 10, 10).is_ok() && rig.end(7, None).is_ok(), "late frames are ignored");
    rig.check_done(tickets[0], 0, 10);
    assert_eq!(rig.reader.poll(tickets[1]), RangeStatus::Failed(out_of_range()));
    assert_eq!(rig.reader.poll(tickets[2]), RangeStatus::Failed(out_of_range()));
    let late = rig.ask(0, 1);
    assert_eq!(rig.reader.poll(late), RangeStatus::Failed(out_of_range()));
    assert_eq!((rig.held(), rig.send()), (0, 0));
}

#[test]
fn nothing_is_asked_for_beyond_the_last_place() {
    let mut rig = Rig::new(1 << 20);
    let last = Position::MAX.get();
    rig.ask(last - 5, u64::MAX);
    assert_eq!(rig.send(), 1);
    assert_eq!(rig.asked, [Range { at: at(last - 5), length: 5 }]);
    let none = rig.ask(last, 1);
    assert_eq!(rig.reader.poll(none), RangeStatus::Done(Bytes::new()));
}
