//! The one table of flags and operations, as both machines keep it.

use bytes::Bytes;
use farlens_proto::{Chunk, Guard, RangeStatus, ReadOutcome, SeekStatus, StepStatus, WriteTo};
use farlens_tests::{
    pair::{Pair, request},
    script::{self, Script, control},
    source::position,
    store::{Store, full_flags},
};
use farlens_wire::{
    AtEnd, Code, Edge, Epoch, Flags, Mode, ModeError, Operation, Pos, Step, StreamId,
    frame::{
        Frame, StreamFrame,
        stream::{
            Credit, Open, Opened, Range, RangeId, Ranges, Seek, StreamControl, Sync, Truncate,
            Write,
        },
    },
};

const CONTENT: &[u8; 10] = b"0123456789";

/// Every flag that stands beside writing.
fn fullest() -> Flags {
    full_flags() | Flags::DATA_LOCK | Flags::START_LOCK | Flags::END_LOCK
}

/// The fullest mode without this flag and without all that means nothing then.
fn without(flag: Flags) -> Mode {
    let mut flags = fullest().without(flag);
    loop {
        match Mode::new(flags) {
            Ok(mode) => return mode,
            Err(ModeError::Needs(orphan, _)) => flags = flags.without(orphan),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Every flag with the mode that lacks it, and the fullest one.
fn modes() -> impl Iterator<Item = (&'static str, Mode)> {
    let lacking = Flags::ALL.into_iter().map(|(flag, name)| (name, without(flag)));
    lacking.chain([("nothing", Mode::new(fullest()).unwrap())])
}

fn at(at: u64) -> Pos {
    Pos::Abs(position(at))
}

fn bytes(bytes: &'static [u8]) -> Chunk {
    Chunk::Bytes(Bytes::from_static(bytes))
}

/// What a mode says to an operation, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    /// Refused by the opener, which sends nothing.
    Local(Code),
    /// Refused by who has the data, as only that knows where its ends are.
    Remote(Code),
}

/// Tries an operation on an open stream in the middle of ten bytes.
fn attempt(mode: Mode, operation: Operation) -> Verdict {
    let store = Store { mode, ..Store::bytes(*CONTENT) };
    let mut pair = Pair::serving(Vec::new());
    pair.server.stores.push(store);
    let (start, flags) = (at(5), Flags::NONE);
    let stream = pair.open(farlens_proto::OpenRequest { start, flags, ..request("s0") });
    let verdict = try_it(&mut pair, stream, operation);
    assert_eq!(pair.client.link.stream_over(stream), None, "{mode} {operation:?}");
    verdict
}

/// Begins; a refusal is local when nothing was to be sent, and remote when an answer brought it.
fn try_it(pair: &mut Pair, stream: StreamId, operation: Operation) -> Verdict {
    let link = &mut pair.client.link;
    let unguarded = Guard::default;
    let step = match operation {
        Operation::Read => match link.read(stream, 1) {
            ReadOutcome::Some(_) => return Verdict::Allowed,
            ReadOutcome::Failed(fault) => Err(fault),
            other => panic!("{other:?}"),
        },
        Operation::ReadRange => match link.ask_range(stream, position(2), 1) {
            Ok(ticket) => {
                pair.drive();
                let status = pair.client.link.take_range(stream, ticket);
                assert!(matches!(status, RangeStatus::Done(_)), "{status:?}");
                return Verdict::Allowed;
            }
            Err(fault) => Err(fault),
        },
        Operation::SeekBackward | Operation::SeekForward => {
            let to = position(if operation == Operation::SeekForward { 9 } else { 0 });
            match link.seek(stream, Pos::Abs(to), AtEnd::Stop, 0) {
                Ok(()) => {
                    pair.drive();
                    let status = pair.client.link.take_seek_status(stream);
                    assert_eq!(status, SeekStatus::Done(to));
                    return Verdict::Allowed;
                }
                Err(fault) => Err(fault),
            }
        }
        Operation::Write => link.write(stream, WriteTo::Here, None, unguarded()),
        Operation::Extend => link.write(stream, WriteTo::At(Pos::END), None, unguarded()),
        Operation::TruncateBefore => link.truncate(stream, Edge::Before, at(1), unguarded()),
        Operation::TruncateAfter => link.truncate(stream, Edge::After, at(7), unguarded()),
        _ => link.sync(stream, false),
    };
    let step = match step {
        Ok(step) => step,
        Err(fault) => {
            assert!(!link.has_output(), "what is refused here is not sent");
            return Verdict::Local(fault.code);
        }
    };
    link.push(stream, step, bytes(b"x"));
    match pair.finish_step(stream, step) {
        StepStatus::Done { .. } => Verdict::Allowed,
        StepStatus::Failed { fault, .. } => Verdict::Remote(fault.code),
        StepStatus::Pending { .. } => panic!("{operation:?} never ends"),
    }
}

#[test]
fn d11_the_opener_refuses_exactly_what_the_table_forbids() {
    for (lacking, mode) in modes() {
        for operation in Operation::ALL {
            let verdict = attempt(mode, operation);
            let expected = match mode.allows(operation) {
                Ok(()) => Verdict::Allowed,
                // An end that may go up can be told to go down by mistake: its data knows better.
                Err(_)
                    if operation == Operation::TruncateAfter
                        && mode.allows(Operation::Extend).is_ok() =>
                {
                    Verdict::Remote(Code::MODE_FORBIDS)
                }
                Err(_) => Verdict::Local(Code::MODE_FORBIDS),
            };
            assert_eq!(verdict, expected, "{operation:?} without {lacking}");
        }
    }
}

#[test]
fn d11_behind_an_end_that_must_not_go_up_nothing_is_written() {
    for flag in [Flags::END_CAN_INC, Flags::CAN_MOVE_END] {
        let store = Store { mode: without(flag), ..Store::bytes(*CONTENT) };
        let (mut pair, stream) = Pair::storing(store, Flags::WRITABLE);
        let status = pair.write(stream, WriteTo::At(at(10)), bytes(b"x"));
        assert!(
            matches!(&status, StepStatus::Failed { count: 0, fault, .. } if fault.code == Code::END_OF_SPACE),
            "{status:?}"
        );
        assert_eq!(pair.server.stores[0].as_bytes(), CONTENT);
    }
}

/// A frame that asks for an operation, whatever the mode says.
fn forged(operation: Operation) -> Vec<u8> {
    let guard = Guard::default();
    let step = Step(1);
    match operation {
        Operation::ReadRange => {
            let ranges = vec![Range { at: position(2), length: 1 }];
            control(1, &Ranges { first: RangeId(0), ranges })
        }
        Operation::SeekBackward => seek(at(2)),
        Operation::SeekForward => seek(at(9)),
        Operation::Write => control(1, &Write { step, to: WriteTo::Here, length: None, guard }),
        Operation::Extend => {
            control(1, &Write { step, to: WriteTo::At(Pos::END), length: None, guard })
        }
        Operation::TruncateBefore => {
            control(1, &Truncate { step, edge: Edge::Before, to: at(1), guard })
        }
        Operation::TruncateAfter => {
            control(1, &Truncate { step, edge: Edge::After, to: at(7), guard })
        }
        _ => control(1, &Sync { step, seen: Step(0), finish: false }),
    }
}

fn seek(to: Pos) -> Vec<u8> {
    let credit = Credit { bytes: 100, elements: 100 };
    let (epoch, from, at_end) = (Epoch(1), position(5), AtEnd::Stop);
    control(1, &Seek { epoch, to, from, at_end, credit })
}

/// How a streamer answered a forged frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    /// The stream is over.
    StreamFailed(Code),
    /// The seek or step failed, and the stream lives.
    Failed(Code),
}

fn answer(mode: Mode, operation: Operation) -> Answer {
    let mut store = Store { mode, ..Store::bytes(*CONTENT) };
    let mut script = Script::server();
    let credit = Credit::default();
    script.send(&control(1, &Open { flags: 0, credit, start: at(5), ..script::open("x") }));
    assert!(script.link.accept(StreamId(1), store.accepted()));
    script.send(&forged(operation));
    if matches!(operation, Operation::Write | Operation::Extend) {
        script.send(&script::data(1, 1, 0, b"x"));
    }
    let mut sent = script.frames();
    while let Some(request) = script.link.poll_request() {
        let reply = store.answer(request.ask);
        script.link.handle_reply(StreamId(1), request.serial, reply);
        sent.extend(script.frames());
    }
    script.assert_alive();
    let changed = store.as_bytes() != CONTENT || !store.syncs.is_empty();
    assert!(!changed || mode.allows(operation).is_ok(), "{mode} {operation:?}");
    sent.iter().find_map(read_answer).expect("everything is answered")
}

fn read_answer(frame: &Frame) -> Option<Answer> {
    let Frame::Stream(_, frame) = frame else { return None };
    let StreamFrame::Control(control) = frame else { return Some(Answer::Done) };
    match control {
        StreamControl::Sought(_) | StreamControl::Written(_) => Some(Answer::Done),
        StreamControl::Failed(frame) => Some(Answer::StreamFailed(frame.fault.code)),
        StreamControl::SeekFailed(frame) => Some(Answer::Failed(frame.fault.code)),
        StreamControl::WriteFailed(frame) => Some(Answer::Failed(frame.fault.code)),
        _ => None,
    }
}

#[test]
fn d11_i11_a_forged_frame_gets_what_the_table_says_and_the_link_lives() {
    for (lacking, mode) in modes() {
        // There is no frame that reads: who opens a stream grants credit with it.
        for operation in Operation::ALL.into_iter().filter(|&op| op != Operation::Read) {
            let seeks = matches!(operation, Operation::SeekBackward | Operation::SeekForward);
            let expected = match mode.allows(operation) {
                Ok(()) => Answer::Done,
                // One of the two directions: whether it is that one is known once it is resolved.
                Err(_) if seeks && mode.flags().has_any(Flags::SEEK) => {
                    Answer::Failed(Code::MODE_FORBIDS)
                }
                Err(_)
                    if operation == Operation::TruncateAfter
                        && mode.allows(Operation::Extend).is_ok() =>
                {
                    Answer::Failed(Code::MODE_FORBIDS)
                }
                Err(_) => Answer::StreamFailed(Code::MODE_FORBIDS),
            };
            assert_eq!(answer(mode, operation), expected, "{operation:?} without {lacking}");
        }
    }
}

#[test]
fn b15_a_stream_that_is_not_readable_sends_nothing_however_much_credit_it_has() {
    let mode = without(Flags::READABLE);
    let mut script = Script::server();
    script.send(&control(1, &Open { flags: 0, ..script::open("x") }));
    assert!(script.link.accept(StreamId(1), Store { mode, ..Store::bytes(*CONTENT) }.accepted()));
    assert_eq!(script.link.poll_request(), None);
    let sent = script.frames();
    assert!(
        matches!(sent[..], [Frame::Stream(_, StreamFrame::Control(StreamControl::Opened(_)))]),
        "{sent:?}"
    );
}

#[test]
fn b15_reading_what_is_not_readable_is_refused_at_once() {
    let store = Store { mode: without(Flags::READABLE), ..Store::bytes(*CONTENT) };
    let (mut pair, stream) = Pair::storing(store, Flags::WRITABLE);
    for _ in 0..2 {
        let read = pair.client.link.read(stream, 1);
        assert!(matches!(read, ReadOutcome::Failed(fault) if fault.code == Code::MODE_FORBIDS));
        assert!(!pair.client.link.has_output());
    }
    let written = pair.write(stream, WriteTo::Here, bytes(b"x"));
    assert!(matches!(written, StepStatus::Done { count: 1, .. }), "the stream is not harmed");
}

#[test]
fn a11_a_stream_with_a_mode_that_cannot_be_ends_the_link() {
    let accepted = Store { mode: Mode::READ_FILE, ..Store::bytes(*CONTENT) }.accepted();
    let opened = Opened {
        kind: accepted.kind,
        mode: accepted.mode,
        append_only: false,
        write: Credit::default(),
        state: accepted.state,
        at: position(0),
        fingerprint: None,
        schema: None,
    };
    let good = control(1, &opened);
    let bits = |flags: Flags| [flags.bits() as u8 | 0x80, (flags.bits() >> 7) as u8];
    let place = bits(Mode::READ_FILE.flags());
    let at = good.windows(2).position(|two| two == place).expect("the mode, as a varint");
    let fixed = Flags::READABLE | Flags::WRITABLE | Flags::FIXED_DATA;
    for (flags, code) in [
        (Mode::READ_FILE.flags(), None),
        (fixed, Some(Code::MALFORMED)),
        (Flags::SEEK, Some(Code::MALFORMED)),
    ] {
        let mut script = Script::client();
        let stream = script.link.open(request("x")).unwrap();
        script.frames();
        let mut frame = good.clone();
        frame[at..at + 2].copy_from_slice(&bits(flags));
        script.send(&frame);
        assert_eq!(script.over(), code, "{flags}");
        let read = script.link.read(stream, 1);
        assert_eq!(matches!(read, ReadOutcome::Failed(_)), code.is_some(), "it does not wait");
    }
}
