//! `docs/protocol.md` says what the code does: its examples decode and encode as stated, its tables
//! list every kind and every code, and its sentences have ids of their own.

use bytes::Bytes;
use farlens_macros::Schema;
use farlens_wire::{
    AtEnd, Bounds, CallId, Code, Delivery, Edge, Epoch, Flags, FrameDecoder, Kind, Limits, Mode,
    ObjectId, Pos, Position, Step, StreamId,
    frame::{
        CallFrame, Control, Fault, Frame, LinkFrame, StreamFrame,
        call::{About, CALL_PART, Call, CallFailed, CallTarget, Cancel, Entry, Release, Return},
        link::{Bye, GoAway, Hello, Interface, OneWayLimit},
        put_control, put_header,
        stream::{
            self, Broken, Close, Closed, Credit, Data, End, Failed, Gap, Guard, Limit, Open,
            Opened, Purpose, Range, RangeEnd, RangeId, Ranges, Seek, SeekFailed, Sought, State,
            StreamControl, Sync, Table, Target, Truncate, UpToDate, Write, WriteFailed, WriteLimit,
            WriteTo, Written,
        },
    },
    schema::{self, Definition, Method, SchemaDoc, Shape, Type},
    typed,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

fn position(elements: u64) -> Position {
    Position::new(elements).unwrap()
}

fn state(end: u64, ended: bool) -> State {
    let bounds = Bounds::up_to(position(end));
    State { bounds, version: b"v1".to_vec(), ended }
}

fn credit(bytes: u64, elements: u64) -> Credit {
    Credit { bytes, elements }
}

fn data(epoch: u64, at: u64, payload: &'static [u8]) -> Data {
    Data { epoch: Epoch(epoch), at: position(at), payload: Bytes::from_static(payload) }
}

fn range(at: u64, length: u64) -> Range {
    Range { at: position(at), length }
}

fn call(id: u64, frame: impl Into<CallFrame>) -> Frame {
    Frame::Call(CallId(id), frame.into())
}

fn control(id: u64, frame: impl Into<StreamControl>) -> Frame {
    Frame::Stream(StreamId(id), StreamFrame::Control(frame.into()))
}

const FINGERPRINT: &[u8; 16] = b"0123456789abcdef";

/// A call with everything that a call can have.
fn busy_call() -> Call {
    let object = About::Object { interface: Some(*FINGERPRINT) };
    Call {
        target: CallTarget::Object(ObjectId(5)),
        method: "watch".into(),
        deadline_ms: None,
        depth: 1,
        one_way: false,
        pipelined: true,
        interface: Some(*FINGERPRINT),
        table: vec![Entry::Mine(ObjectId(1), object), Entry::Yours(ObjectId(4))],
        length: 6,
        args: vec![0, 1].into(),
    }
}

fn open_of(target: Target) -> Open {
    Open {
        target,
        flags: Flags::READABLE.bits(),
        kind: None,
        start: Pos::START,
        at_end: AtEnd::Stop,
        delivery: Delivery::Lossless,
        purpose: Purpose::Use,
        credit: credit(16_384, 16_384),
        ranges: Vec::new(),
        fingerprint: None,
    }
}

/// What each example of the document means.
fn examples() -> Vec<(&'static str, Frame)> {
    let hello = Hello::new(&Limits::default(), "example/1");
    let mut invited = Hello::new(&Limits::minimum(), "");
    invited.invite = Some((0..24).collect());
    let mut hurried = Call::new(ObjectId::ROOT, "stat", vec![0x04, b'/', b'l', b'o', b'g']);
    hurried.deadline_ms = Some(1_500);
    let epoch = Epoch(1);
    vec![
        ("hello", Frame::Link(LinkFrame::Hello(hello))),
        ("hello-with-invite", Frame::Link(LinkFrame::Hello(invited))),
        ("ping", Frame::Link(LinkFrame::Ping(1))),
        ("pong", Frame::Link(LinkFrame::Pong(1))),
        ("go-away", {
            let fault = Fault::new(Code::GOING_AWAY, "restart");
            Frame::Link(LinkFrame::GoAway(GoAway::new(fault)))
        }),
        ("bye", Frame::Link(LinkFrame::Bye(Bye::new(Fault::new(Code::LINK_LOST, ""))))),
        ("call", call(1, hurried)),
        ("return", call(1, Return::new(vec![0x00]))),
        ("call-failed", {
            call(1, CallFailed::new(Fault::new(Code::NO_SUCH_METHOD, "no method")))
        }),
        ("cancel", call(1, Cancel::default())),
        ("call-with-references", call(3, busy_call())),
        ("call-one-way", {
            let mut noticed = Call::new(ObjectId(5), "log", b"\x02hi".to_vec());
            noticed.one_way = true;
            call(5, noticed)
        }),
        ("call-on-an-answer", {
            let mut next = Call::new(ObjectId::ROOT, "next", Vec::new());
            next.target = CallTarget::Answer(CallId(3));
            call(7, next)
        }),
        ("call-part", Frame::CallPart(CallId(3), Bytes::from_static(b"more"))),
        ("return-with-a-streamer", {
            let stream = About::Stream {
                kind: Kind::Bytes,
                mode: Mode::READ_FILE.flags().bits(),
                append_only: false,
                schema: None,
            };
            let table = vec![Entry::Mine(ObjectId(2), stream)];
            call(3, Return { table, length: 1, value: vec![0].into() })
        }),
        ("release", Frame::Release(ObjectId(2), Release { count: 3 })),
        ("interface", {
            let schema = b"schema".to_vec();
            Frame::Link(LinkFrame::Interface(Interface { fingerprint: *FINGERPRINT, schema }))
        }),
        ("one-way-limit", {
            let limit = OneWayLimit { depth: 1, calls: 192, bytes: 4_194_307 };
            Frame::Link(LinkFrame::OneWayLimit(limit))
        }),
        ("open-on-an-object", control(9, open_of(Target::Object(ObjectId(2))))),
        ("open-on-an-answer", control(11, open_of(Target::Answer(CallId(3))))),
        ("table", {
            let table = vec![Entry::Yours(ObjectId(4))];
            control(3, Table { epoch: Epoch::FIRST, at: position(13), table })
        }),
        ("open", {
            control(
                1,
                Open {
                    target: Target::Path("/hello.txt".into()),
                    flags: Flags::READABLE.bits(),
                    kind: Some(Kind::Bytes),
                    start: Pos::START,
                    at_end: AtEnd::Stop,
                    delivery: Delivery::Lossless,
                    purpose: Purpose::Use,
                    credit: credit(262_144, 262_144),
                    ranges: Vec::new(),
                    fingerprint: None,
                },
            )
        }),
        ("open-at-the-end", {
            control(
                3,
                Open {
                    target: Target::Path("/log".into()),
                    flags: (Flags::READABLE | Flags::SEEK).bits(),
                    kind: None,
                    start: Pos::FromEnd(-100),
                    at_end: AtEnd::Follow,
                    delivery: Delivery::Latest,
                    purpose: Purpose::Use,
                    credit: credit(0, 0),
                    ranges: Vec::new(),
                    fingerprint: Some(*b"0123456789abcdef"),
                },
            )
        }),
        ("opened", {
            control(
                1,
                Opened {
                    kind: Kind::Bytes,
                    mode: Mode::READ_FILE,
                    append_only: false,
                    write: credit(0, 0),
                    state: state(13, true),
                    at: Position::ZERO,
                    fingerprint: None,
                    schema: None,
                },
            )
        }),
        ("data", Frame::Stream(StreamId(1), StreamFrame::Data(data(0, 0, b"Hello, world!")))),
        ("items", {
            Frame::Stream(StreamId(3), StreamFrame::Items(data(0, 7, b"\x02ab\x00\x01c")))
        }),
        ("item-part", {
            let part = data(0, 10, b"wxy");
            Frame::Stream(StreamId(3), StreamFrame::ItemPart { total: 5, part })
        }),
        ("limit", control(1, Limit { epoch: Epoch::FIRST, credit: credit(327_680, 327_680) })),
        ("seek", {
            control(
                1,
                Seek {
                    epoch,
                    to: Pos::Abs(position(7)),
                    from: position(13),
                    at_end: AtEnd::Stop,
                    credit: credit(262_144, 262_144),
                },
            )
        }),
        ("sought", control(1, Sought { epoch, at: position(7), state: state(13, true) })),
        ("seek-failed", {
            let fault = Fault::new(Code::OUT_OF_RANGE, "99 of 13");
            control(1, SeekFailed { epoch, fault, state: state(13, true) })
        }),
        ("state", control(1, StreamControl::State(state(300, false)))),
        ("up-to-date", control(1, UpToDate { epoch: Epoch::FIRST, at: position(300) })),
        ("end", control(1, End { epoch: Epoch::FIRST, at: position(13) })),
        ("broken", {
            let fault = Fault::new(Code::STORAGE_IO, "read");
            control(1, Broken { epoch, at: position(8), fault })
        }),
        ("close", control(1, Close {})),
        ("closed", control(1, Closed {})),
        ("failed", control(1, Failed { fault: Fault::new(Code::NOT_FOUND, "/hello.txt") })),
    ]
}

/// What each example about writing, ranges and gaps means.
fn more_examples() -> Vec<(&'static str, Frame)> {
    let may_append = Flags::WRITABLE
        | Flags::START_BOUNDED
        | Flags::END_BOUNDED
        | Flags::END_CAN_INC
        | Flags::CAN_MOVE_END;
    vec![
        ("open-to-replace", {
            control(
                5,
                Open {
                    target: Target::Path("/b".into()),
                    flags: Flags::WRITABLE.bits(),
                    kind: Some(Kind::Bytes),
                    start: Pos::START,
                    at_end: AtEnd::Stop,
                    delivery: Delivery::Lossless,
                    purpose: Purpose::Replace { create: true },
                    credit: credit(0, 0),
                    ranges: Vec::new(),
                    fingerprint: None,
                },
            )
        }),
        ("open-with-ranges", {
            control(
                7,
                Open {
                    target: Target::Path("/a".into()),
                    flags: Flags::READABLE.bits(),
                    kind: Some(Kind::Bytes),
                    start: Pos::START,
                    at_end: AtEnd::Stop,
                    delivery: Delivery::Lossless,
                    purpose: Purpose::Use,
                    credit: credit(0, 0),
                    ranges: vec![range(0, 16), range(300, 512)],
                    fingerprint: None,
                },
            )
        }),
        ("opened-to-append", {
            control(
                1,
                Opened {
                    kind: Kind::Bytes,
                    mode: Mode::new(may_append).unwrap(),
                    append_only: true,
                    write: credit(262_144, 262_144),
                    state: state(13, false),
                    at: position(13),
                    fingerprint: None,
                    schema: None,
                },
            )
        }),
        ("write", {
            control(
                1,
                Write { step: Step(1), to: WriteTo::Here, length: None, guard: Guard::default() },
            )
        }),
        ("write-at", {
            let to = WriteTo::At(Pos::Abs(position(7)));
            control(1, Write { step: Step(2), to, length: None, guard: Guard::default() })
        }),
        ("write-append", {
            let guard = Guard { version: Some(b"v1".to_vec()), end: Some(position(13)) };
            control(1, Write { step: Step(3), to: WriteTo::At(Pos::END), length: Some(5), guard })
        }),
        ("write-data", Frame::Stream(StreamId(1), StreamFrame::Data(data(3, 0, b"more")))),
        ("write-data-on", Frame::Stream(StreamId(1), StreamFrame::Data(data(3, 4, b"!")))),
        ("truncate", {
            let to = Pos::Abs(position(10));
            let guard = Guard::default();
            control(1, Truncate { step: Step(4), edge: Edge::After, to, guard })
        }),
        ("sync", control(1, Sync { step: Step(5), seen: Step(4), finish: true })),
        ("write-limit", control(1, WriteLimit { credit: credit(327_680, 327_680) })),
        ("written", control(1, Written { step: Step(3), at: position(13), count: 5 })),
        ("write-failed", {
            let fault = Fault::new(Code::CONFLICT, "v2");
            control(1, WriteFailed { step: Step(3), count: 0, fault })
        }),
        ("ranges", {
            let ranges = vec![range(0, 16), range(300, 512)];
            control(1, Ranges { first: RangeId(2), ranges })
        }),
        ("range-data", {
            let payload = Bytes::from_static(b"abc");
            let frame = StreamFrame::RangeData { range: RangeId(3), at: position(300), payload };
            Frame::Stream(StreamId(1), frame)
        }),
        ("range-end", control(1, RangeEnd { range: RangeId(3), fault: None })),
        ("range-failed", {
            let fault = Some(Fault::new(Code::OUT_OF_RANGE, "99 of 13"));
            control(1, RangeEnd { range: RangeId(4), fault })
        }),
        ("gap", {
            let (epoch, at, to) = (Epoch::FIRST, position(10), position(300));
            control(3, Gap { epoch, at, to, evicted: true })
        }),
    ]
}

/// The frame as this crate sends it.
fn encode(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bulk = |kind, id: &StreamId, total, data: &Data| {
        let place = (data.epoch, data.at);
        stream::put_bulk_head(&mut out, kind, id.0, place, total, data.payload.len());
        out.extend_from_slice(&data.payload);
    };
    match frame {
        Frame::Stream(id, StreamFrame::Data(data)) => bulk(stream::DATA, id, None, data),
        Frame::Stream(id, StreamFrame::Items(data)) => bulk(stream::ITEMS, id, None, data),
        Frame::Stream(id, StreamFrame::ItemPart { total, part }) => {
            bulk(stream::ITEM_PART, id, Some(*total), part);
        }
        Frame::Stream(id, StreamFrame::RangeData { range, at, payload }) => {
            // The id of the range stands where the epoch does.
            let data = Data { epoch: Epoch(range.0), at: *at, payload: payload.clone() };
            bulk(stream::RANGE_DATA, id, None, &data);
        }
        Frame::Stream(id, StreamFrame::Control(control)) => control.put(&mut out, id.0),
        Frame::Link(link) => link.put(&mut out),
        Frame::Call(id, call) => call.put(&mut out, id.0),
        Frame::CallPart(id, part) => {
            put_header(&mut out, CALL_PART, id.0, part.len());
            out.extend_from_slice(part);
        }
        Frame::Release(object, release) => put_control(&mut out, object.0, release),
        other => panic!("nobody sends {other:?}"),
    }
    out
}

fn decode(bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new(Limits::default().frame_bytes);
    decoder.push(Bytes::copy_from_slice(bytes));
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn unhex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// The lines `example NAME: hex…`, by name.
fn documented() -> BTreeMap<String, Vec<u8>> {
    lines_of("example ")
}

/// The lines that begin with `word`, a name and a colon. One that begins with two blanks goes on.
fn lines_of(word: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut lines = DOCUMENT.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, first)) = line.strip_prefix(word).and_then(|l| l.split_once(": ")) else {
            continue;
        };
        let mut bytes = unhex(first);
        while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
            bytes.extend(unhex(more));
        }
        let before = found.insert(name.to_owned(), bytes);
        assert!(before.is_none(), "two lines are called {word}{name}");
    }
    found
}

#[test]
fn every_example_means_what_it_says() {
    let mut documented = documented();
    for (name, frame) in examples().into_iter().chain(more_examples()) {
        let bytes = encode(&frame);
        let shown = documented.remove(name);
        assert_eq!(shown.as_deref().map(hex), Some(hex(&bytes)), "example {name}");
        assert_eq!(decode(&bytes), [frame], "example {name}");
    }
    assert!(documented.is_empty(), "examples that nothing checks: {:?}", documented.keys());
}

/// The type that the document describes.
#[derive(Serialize, Schema)]
#[farlens(crate = "farlens_wire::schema")]
struct Pose {
    tool: String,
    t_ns: u64,
    m: [f32; 12],
}

/// The interface that the document describes.
fn camera() -> SchemaDoc {
    let method = Method {
        name: "watch".into(),
        doc: "Calls.".into(),
        params: vec![("cb".into(), Type::Named(0))],
        result: Type::EntityStream(None),
        one_way: false,
    };
    let shape = Shape::Interface(schema::Interface { doc: "Sees.".into(), methods: vec![method] });
    let definitions = vec![Definition { name: "Camera".into(), shape }];
    SchemaDoc::from_parts(Type::Named(0), definitions).unwrap()
}

fn encoded(doc: &SchemaDoc) -> Vec<u8> {
    let mut out = Vec::new();
    doc.encode(&mut out);
    out
}

fn typed(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    typed::encode(value, &mut out).unwrap();
    out
}

#[test]
fn values_and_schemas_are_laid_out_as_shown() {
    let doc = SchemaDoc::of::<Pose>();
    let mut m = [0.0; 12];
    m[0] = 1.0;
    // A variant without fields is its number.
    let (bytes, directory) = (0u32, 2u32);
    let file = ("a.txt", bytes, Some(5u64));
    let listing = (vec![file, ("logs", directory, None)], None::<&str>);
    let stat = (file, Mode::READ_FILE.flags().bits(), Bounds::up_to(position(5)), None::<&str>);
    let mut documented = lines_of("vector ");
    for (name, expected) in [
        ("schema", encoded(&doc)),
        ("interface-schema", encoded(&camera())),
        ("fingerprint", doc.fingerprint().0.to_vec()),
        ("typed-value", typed(&Pose { tool: "ab".into(), t_ns: 300, m })),
        ("list-first", typed(&("/", None::<&str>))),
        ("list-after", typed(&("/", Some("a.txt")))),
        ("listing", typed(&listing)),
        ("stat", typed(&stat)),
    ] {
        let shown = documented.remove(name);
        assert_eq!(shown.as_deref().map(hex), Some(hex(&expected)), "vector {name}");
    }
    assert!(documented.is_empty(), "vectors that nothing checks: {:?}", documented.keys());
}

#[test]
fn every_kind_has_a_row_and_an_example() {
    let families =
        [LinkFrame::KINDS, CallFrame::KINDS, StreamControl::KINDS, StreamFrame::BULK_KINDS];
    let others = [(CALL_PART, "CallPart"), (Release::KIND, "Release")];
    let kinds = [families.concat(), others.to_vec()].concat();
    let shown: BTreeSet<u8> = documented().values().map(|bytes| bytes[0]).collect();
    for &(kind, name) in &kinds {
        let row = format!("| 0x{kind:02x} | {name} |");
        let rows = DOCUMENT.lines().filter(|line| line.starts_with(&row)).count();
        assert_eq!(rows, 1, "rows that begin with {row}");
        assert!(shown.contains(&kind), "no example of {name}");
    }
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| 0x")).count();
    assert_eq!(rows, kinds.len(), "rows of kinds");
}

#[test]
fn every_code_has_a_row() {
    for code in Code::ALL {
        let row = format!("| {} | `{}` | {} |", code.number(), code.word(), code.meaning());
        assert_eq!(DOCUMENT.lines().filter(|line| *line == row).count(), 1, "{row}");
    }
    // Rows of three cells: a number, a word, its meaning.
    let codes = DOCUMENT.lines().filter(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        matches!(cells[..], ["", number, word, _, ""]
            if number.parse::<u16>().is_ok() && word.starts_with('`'))
    });
    assert_eq!(codes.count(), Code::ALL.len(), "rows of codes");
}

#[test]
fn every_mode_flag_has_a_row_with_its_bit() {
    for (flag, name) in Flags::ALL {
        let row = format!("| 0x{:04x} | {name} |", flag.bits());
        let row = row.replacen("| 0x", "| bit 0x", 1);
        assert_eq!(DOCUMENT.lines().filter(|line| line.starts_with(&row)).count(), 1, "{row}");
    }
}

/// The sentences, each a paragraph that begins with `**[T1]**`.
fn sentences() -> Vec<(&'static str, &'static str)> {
    let paragraphs = DOCUMENT.split("\n\n");
    paragraphs
        .filter_map(|paragraph| paragraph.trim_start().strip_prefix("**[")?.split_once("]** "))
        .collect()
}

#[test]
fn sentences_have_ids_of_their_own_and_can_be_tested() {
    let mut ids = BTreeSet::new();
    for (id, text) in sentences() {
        let (family, number) = id.split_at(1);
        let wellformed = family.chars().all(|c| c.is_ascii_uppercase());
        assert!(wellformed && number.parse::<u32>().is_ok(), "[{id}]");
        assert!(ids.insert(id), "[{id}] stands twice");
        let norm = ["MUST", "SHOULD", "MAY"].iter().any(|word| text.contains(word));
        assert!(norm, "[{id}] says neither MUST nor SHOULD nor MAY");
    }
    assert_eq!(ids.len(), DOCUMENT.matches("**[").count(), "sentences inside other paragraphs");
    for part in DOCUMENT.split('[').skip(1) {
        let Some((name, _)) = part.split_once(']') else { continue };
        let mut letters = name.chars();
        let is_reference = letters.next().is_some_and(|c| c.is_ascii_uppercase())
            && name.len() > 1
            && letters.all(|c| c.is_ascii_digit());
        assert!(!is_reference || ids.contains(name), "[{name}] does not exist");
    }
}
