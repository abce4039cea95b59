//! Random peers that write, are written to and read places: whatever they send, nothing panics and
//! nothing is left.

use farlens_proto::{Chunk, Credit, Guard, LinkStats, RangeTicket, ReadOutcome, WriteTo};
use farlens_tests::{
    pair::{config, request},
    rng::Rng,
    script::{self, Script, bulk, control, data},
    source::position,
    store::Store,
};
use farlens_wire::{
    Code, Edge, Epoch, Limits, Pos, Side, Step, StreamId,
    frame::{
        Fault, Frame, StreamFrame,
        stream::{
            self, Close, Gap, Opened, Range, RangeEnd, RangeId, Ranges, StreamControl, Sync,
            Truncate, Write, WriteFailed, WriteLimit, Written,
        },
    },
};
use std::collections::VecDeque;

/// A link with a stream in each direction, and what its peer knows of them.
struct Busy {
    script: Script,
    /// The stream that the link opened.
    ours: StreamId,
    begun: Vec<Step>,
    tickets: Vec<RangeTicket>,
    store: Store,
    peer: Peer,
}

/// What a peer keeps in mind that means it well.
#[derive(Default)]
struct Peer {
    /// Whether it makes mistakes all the same.
    errs: bool,
    /// The stream that it opened.
    theirs: u64,
    /// Its last step, and the elements that it sent of it if that is a run.
    step: u64,
    run: Option<u64>,
    /// How much it may send and has sent, over all steps.
    credit: u64,
    sent: u64,
    /// Its next range.
    range: u64,
    /// Steps of the link that are not settled: whether each is a run, and the elements that came.
    steps: VecDeque<(Step, bool, u64)>,
    /// How many of the first it has stored.
    stored: u64,
    limit: u64,
    /// Ranges that it owes.
    asked: VecDeque<(RangeId, Range)>,
    /// Where the next element of the link's stream belongs.
    at: u64,
    /// How much the link takes of them, and how much it was sent.
    readable: u64,
    given: u64,
}

impl Peer {
    /// Takes note of what the link says.
    fn hear(&mut self, ours: StreamId, frame: Frame) {
        let Frame::Stream(id, frame) = frame else { return };
        match frame {
            StreamFrame::Data(data) if id == ours => {
                if let Some((.., sent)) = self.steps.back_mut() {
                    *sent += data.payload.len() as u64;
                }
            }
            StreamFrame::Control(control) => match control {
                StreamControl::Write(write) => self.steps.push_back((write.step, true, 0)),
                StreamControl::Truncate(frame) => self.steps.push_back((frame.step, false, 0)),
                StreamControl::Sync(sync) => self.steps.push_back((sync.step, false, 0)),
                StreamControl::Opened(opened) => self.credit = opened.write.bytes,
                StreamControl::WriteLimit(limit) => self.credit = limit.credit.bytes,
                StreamControl::Limit(limit) => self.readable = limit.credit.bytes,
                StreamControl::Ranges(Ranges { first, ranges }) => {
                    let ids = (first.0..).map(RangeId);
                    self.asked.extend(ids.zip(ranges));
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn next_step(&mut self, is_run: bool, wrong: u64) -> Step {
        self.step += 1;
        self.run = is_run.then_some(0);
        Step(self.step + wrong)
    }

    /// What it may say of the steps, if there is something to say.
    fn answer(&mut self, ours: u64, rng: &mut Rng) -> Option<Vec<u8>> {
        while self.steps.len() > 1 && self.steps[0].1 && self.stored == self.steps[0].2 {
            self.steps.pop_front();
            self.stored = 0;
        }
        let &(step, is_run, sent) = self.steps.front()?;
        let more = if is_run { rng.small(sent - self.stored) } else { 0 };
        self.stored += more;
        let count = self.stored;
        let over = rng.one_in(6);
        if over || !is_run {
            self.steps.pop_front();
            self.stored = 0;
        }
        let fault = Fault::new(Code::STORAGE_IO, "no");
        Some(match over {
            true => control(ours, &WriteFailed { step, count, fault }),
            false => control(ours, &Written { step, at: position(0), count }),
        })
    }

    /// Some bytes of a range that it owes, or its end.
    fn give_range(&mut self, ours: u64, rng: &mut Rng) -> Option<Vec<u8>> {
        let (id, range) = self.asked.pop_front()?;
        if rng.one_in(3) {
            let fault = rng.one_in(2).then(|| Fault::new(Code::STORAGE_IO, "no"));
            return Some(control(ours, &RangeEnd { range: id, fault }));
        }
        let length = rng.between(1, range.length);
        let at = range.at.get();
        if length < range.length {
            let rest = Range { at: position(at + length), length: range.length - length };
            self.asked.push_back((id, rest));
        }
        Some(bulk(stream::RANGE_DATA, ours, id.0, at, None, &vec![3; length as usize]))
    }

    /// Elements for its own run.
    fn write_on(&mut self, rng: &mut Rng, wrong: u64) -> Option<Vec<u8>> {
        let length = rng.between(1, 30);
        let sent = self.run.filter(|_| self.sent + length <= self.credit)?;
        self.run = Some(sent + length);
        self.sent += length;
        Some(data(self.theirs, self.step, sent + wrong, &vec![9; length as usize]))
    }

    /// A frame that fits what went before, but for the mistakes.
    fn frame(&mut self, ours: u64, rng: &mut Rng) -> Option<Vec<u8>> {
        let wrong = u64::from(self.errs && rng.one_in(50));
        let theirs = self.theirs;
        let guard = Guard::default();
        match rng.below(16) {
            0 | 1 => {
                let to = WriteTo::At(Pos::Abs(position(rng.below(320))));
                Some(control(
                    theirs,
                    &Write { step: self.next_step(true, wrong), to, length: None, guard },
                ))
            }
            2 => {
                let edge = if rng.one_in(2) { Edge::After } else { Edge::Before };
                let to = Pos::Abs(position(rng.below(300)));
                let step = self.next_step(false, wrong);
                Some(control(theirs, &Truncate { step, edge, to, guard }))
            }
            3 => {
                let step = self.next_step(false, wrong);
                Some(control(theirs, &Sync { step, seen: Step(rng.small(9)), finish: wrong > 0 }))
            }
            4..=6 => self.write_on(rng, wrong),
            7 | 8 => {
                let first = RangeId(self.range + wrong);
                self.range += 1;
                let ranges =
                    vec![Range { at: position(rng.below(310)), length: rng.between(1, 99) }];
                Some(control(theirs, &Ranges { first, ranges }))
            }
            9 if rng.one_in(30) => Some(control(theirs, &Close {})),
            9..=11 => self.answer(ours, rng),
            12 => {
                self.limit += rng.below(90);
                let credit = Credit { bytes: 50 + self.limit, elements: 50 + self.limit };
                Some(control(ours, &WriteLimit { credit }))
            }
            13 => self.give_range(ours, rng),
            14 => {
                let (from, to) = (position(self.at), position(self.at + 1 + rng.below(4)));
                self.at = to.get();
                let at = if wrong > 0 { to } else { from };
                Some(control(ours, &Gap { epoch: Epoch(0), at, to, evicted: rng.one_in(2) }))
            }
            _ => {
                let length = rng.between(1, 20).min(self.readable - self.given);
                self.given += length;
                let at = self.at;
                self.at += length;
                (length > 0).then(|| data(ours, 0, at + wrong, &vec![4; length as usize]))
            }
        }
    }
}

impl Busy {
    fn new(side: Side, errs: bool) -> Self {
        let mut limits = Limits::default();
        (limits.stream_window_bytes, limits.stream_window_max_bytes) = (400, 400);
        let mut script = Script::with(side, config(limits));
        script.greet();
        let ours = script.link.open(request("x")).expect("the link asks");
        script.frames();
        let store = Store::bytes([7; 300]);
        let accepted = store.accepted();
        let opened = Opened {
            kind: accepted.kind,
            mode: accepted.mode,
            append_only: false,
            write: Credit { bytes: 50, elements: 50 },
            state: accepted.state.clone(),
            at: position(0),
            fingerprint: None,
            schema: None,
        };
        script.send(&control(ours.0, &opened));
        let theirs = StreamId(side.other().first_id());
        script.send(&control(theirs.0, &script::open("x")));
        assert!(script.link.accept(theirs, accepted));
        let peer = Peer { errs, theirs: theirs.0, readable: 400, ..Peer::default() };
        Self { script, ours, begun: Vec::new(), tickets: Vec::new(), store, peer }
    }

    /// Something that the owner of the link does with the stream that it opened.
    fn act(&mut self, rng: &mut Rng) {
        let (link, stream) = (&mut self.script.link, self.ours);
        let guard = Guard::default();
        match rng.below(9) {
            0 => self.begun.extend(link.write(stream, WriteTo::Here, None, guard)),
            1 => self.begun.extend(link.truncate(stream, Edge::After, Pos::START, guard)),
            2 => self.begun.extend(link.sync(stream, rng.one_in(2))),
            3 | 4 => {
                if let Some(&step) = self.begun.last() {
                    let bytes = vec![1; rng.between(1, 60) as usize];
                    link.push(stream, step, Chunk::Bytes(bytes.into()));
                }
            }
            5 if rng.one_in(3) => {
                if let Some(step) = self.begun.pop() {
                    link.forget_step(stream, step);
                }
            }
            6 => {
                let (at, length) = (position(rng.below(300)), rng.between(1, 50));
                self.tickets.extend(link.ask_range(stream, at, length));
            }
            7 if rng.one_in(3) => {
                if let Some(ticket) = self.tickets.pop() {
                    link.forget_range(stream, ticket);
                }
            }
            _ => {
                while !matches!(
                    link.read(stream, 20),
                    ReadOutcome::Pending | ReadOutcome::Failed(_)
                ) {}
            }
        }
    }

    fn serve(&mut self, rng: &mut Rng) {
        let link = &mut self.script.link;
        while let Some(request) = link.poll_request() {
            if rng.one_in(90) {
                // Slow for ever.
                continue;
            }
            self.store.fault = rng.one_in(20).then(|| Fault::new(Code::STORAGE_FULL, ""));
            let reply = self.store.answer(request.ask);
            link.handle_reply(request.stream, request.serial, reply);
            if rng.one_in(2) {
                link.handle_state(request.stream, self.store.state());
            }
        }
    }

    /// Lets the peer say so many things, unless the link ends before.
    fn run(&mut self, rng: &mut Rng) {
        for _ in 0..80 {
            if rng.one_in(2) {
                self.act(rng);
            }
            self.serve(rng);
            for frame in self.script.frames() {
                self.peer.hear(self.ours, frame);
            }
            if let Some(frame) = self.peer.frame(self.ours.0, rng) {
                self.script.send(&frame);
            }
            self.script.events.clear();
            if self.script.over().is_some() {
                return;
            }
        }
    }
}

#[test]
fn random_changes_and_answers_never_panic_and_leave_nothing() {
    let mut rng = Rng::new(24);
    let (mut ended, cases) = (0, 1_000);
    for case in 0..cases {
        let side = if rng.one_in(2) { Side::Acceptor } else { Side::Initiator };
        let errs = rng.one_in(2);
        let mut busy = Busy::new(side, errs);
        busy.run(&mut rng);
        let over = busy.script.link.over();
        assert!(errs || over.is_none(), "case {case}: {over:?}");
        ended += usize::from(over.is_some());
        assert!(busy.store.end() < 1_000, "nothing grows out of bounds");
        busy.script.link.handle_lost("enough");
        busy.script.link.close_stream(busy.ours);
        assert_eq!(busy.script.link.stats(), LinkStats::default(), "case {case}");
    }
    assert!((cases / 8..cases / 2).contains(&ended), "{ended} links of {cases} ended");
}
