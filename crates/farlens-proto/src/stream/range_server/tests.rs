use super::*;
use farlens_wire::{
    FrameDecoder,
    frame::{Frame, StreamFrame},
};

const ROOM: usize = 1 << 20;
const FRAME: usize = 16 << 10;

fn range(at: u64, length: u64) -> Range {
    Range { at: Position::new(at).unwrap(), length }
}

fn server(ranges: &[(u64, u64)]) -> RangeServer {
    let ranges: Vec<_> = ranges.iter().map(|&(at, length)| range(at, length)).collect();
    let mut server = RangeServer::default();
    server.accept(RangeId(0), &ranges).unwrap();
    server
}

fn pattern(from: u64, length: usize) -> Bytes {
    (from..from + length as u64).map(|n| (n * 7 % 251) as u8).collect::<Vec<_>>().into()
}

fn some(at: u64, length: usize) -> Reply {
    Reply::Some(Chunk::Bytes(pattern(at, length)))
}

fn nothing(start: Option<u64>, end: Option<u64>) -> Reply {
    let place = |at| Position::new(at).unwrap();
    let bounds = Bounds { start: start.map(place), end: end.map(place) };
    Reply::Nothing(State { bounds, ..State::default() })
}

fn io() -> Fault {
    Fault::new(Code::STORAGE_IO, "a bad block")
}

/// The next request: its serial number, where and how much.
fn request(server: &mut RangeServer, serial: &mut u64) -> Option<(u64, u64, usize)> {
    match server.poll_request(*serial + 1, ROOM)? {
        Ask::Range { at, bytes } => {
            *serial += 1;
            Some((*serial, at.get(), bytes))
        }
        ask => panic!("{ask:?}"),
    }
}

/// Answers every request with what `source` gives at a place.
fn run(server: &mut RangeServer, source: impl Fn(u64, usize) -> Reply) -> usize {
    let (mut serial, mut count) = (0, 0);
    while let Some((serial, at, bytes)) = request(server, &mut serial) {
        assert!(server.handle_reply(serial, &source(at, bytes)));
        count += 1;
    }
    count
}

#[derive(Debug, PartialEq, Eq)]
enum Sent {
    Data(u64, u64, usize),
    End(u64, Option<Code>),
}

/// All that the server sends now, in order; checks the bytes.
fn sent(server: &mut RangeServer) -> Vec<Sent> {
    let mut out = BytesMut::new();
    while server.put_frame(&mut out, 7, FRAME) {}
    assert!(!server.has_data());
    let mut decoder = FrameDecoder::new(FRAME);
    decoder.push(out.freeze());
    let mut sent = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        sent.push(match frame {
            Frame::Stream(_, StreamFrame::RangeData { range, at, payload }) => {
                assert_eq!(payload, pattern(at.get(), payload.len()));
                Sent::Data(range.0, at.get(), payload.len())
            }
            Frame::Stream(_, StreamFrame::Control(stream::StreamControl::RangeEnd(end))) => {
                Sent::End(end.range.0, end.fault.map(|fault| fault.code))
            }
            other => panic!("{other:?}"),
        });
    }
    sent
}

#[test]
fn ids_rise_by_one_and_are_never_used_again() {
    let mut server = server(&[(0, 1), (10, 1)]);
    for wrong in [0, 1, 3] {
        assert!(server.accept(RangeId(wrong), &[range(0, 1)]).is_err());
    }
    run(&mut server, some);
    sent(&mut server);
    assert!(server.is_idle());
    assert!(server.accept(RangeId(1), &[range(0, 1)]).is_err());
    assert!(server.accept(RangeId(2), &[range(0, 1)]).is_ok());
}

#[test]
fn a_range_outside_the_limits_is_a_violation() {
    let max = Position::MAX.get();
    for (at, length, allowed) in [
        (0, 0, false),
        (0, MAX_RANGE_BYTES, true),
        (0, MAX_RANGE_BYTES + 1, false),
        (max - 5, 5, true),
        (max - 5, 6, false),
        (max, u64::MAX, false),
    ] {
        let accepted = RangeServer::default().accept(RangeId(0), &[range(at, length)]);
        assert_eq!(accepted.is_ok(), allowed, "{length} bytes at {at}");
    }
}

#[test]
fn only_unanswered_ranges_count() {
    let mut server = server(&[(0, 1); MAX_RANGES]);
    let next = RangeId(MAX_RANGES as u64);
    let refused = server.accept(next, &[range(0, 1)]).unwrap_err();
    assert_eq!(refused.0.code, Code::EXCESSIVE_LOAD);
    run(&mut server, some);
    assert!(server.accept(next, &[range(0, 1)]).is_err(), "answered means sent");
    let mut out = BytesMut::new();
    assert!(server.put_frame(&mut out, 7, FRAME));
    assert!(server.accept(next, &[range(0, 1)]).is_ok());
}

#[test]
fn near_ranges_share_one_request() {
    let places: Vec<_> = (0..60).map(|n| (n * 8192, 4096)).collect();
    let mut server = server(&places);
    assert_eq!(run(&mut server, some), 2, "60 ranges over 480 KiB");
    assert_eq!((server.queued(), server.reserved()), (60 * 4096, 0));
    let sent = sent(&mut server);
    assert_eq!(sent.len(), 60);
    assert!(sent.contains(&Sent::Data(59, 59 * 8192, 4096)));
    assert!(server.is_idle());
}

#[test]
fn sixteen_requests_at_a_time() {
    let places: Vec<_> = (0..20).map(|n| (n << 20, 1)).collect();
    let (mut server, mut serial) = (server(&places), 100);
    let first = request(&mut server, &mut serial).unwrap();
    assert_eq!(first, (101, 0, 1));
    for _ in 1..MAX_REQUESTS {
        assert!(request(&mut server, &mut serial).is_some());
    }
    assert!(!server.wants_request());
    assert_eq!((serial, request(&mut server, &mut serial)), (116, None));
    assert!(server.handle_reply(first.0, &some(0, 1)));
    assert!(request(&mut server, &mut serial).is_some());
}

#[test]
fn a_short_answer_is_asked_on_where_it_ended() {
    let mut server = server(&[(0, 100), (200, 100), (300, 100)]);
    let mut serial = 0;
    assert_eq!(request(&mut server, &mut serial), Some((1, 0, 400)));
    server.handle_reply(1, &some(0, 250));
    assert_eq!(request(&mut server, &mut serial), Some((2, 250, 150)));
    server.handle_reply(2, &some(250, 150));
    assert_eq!(
        sent(&mut server),
        [Sent::Data(0, 0, 100), Sent::Data(1, 200, 100), Sent::Data(2, 300, 100)]
    );
    assert!(server.is_idle());
}

#[test]
fn whom_a_short_answer_missed_comes_before_newcomers() {
    let mut server = server(&[(1000, 10), (900, 10)]);
    let mut serial = 0;
    assert_eq!(request(&mut server, &mut serial), Some((1, 900, 110)));
    server.handle_reply(1, &some(900, 10));
    server.accept(RangeId(2), &[range(800, 10), range(1020, 10)]).unwrap();
    assert_eq!(request(&mut server, &mut serial), Some((2, 1000, 30)));
    assert_eq!(request(&mut server, &mut serial), Some((3, 800, 10)));
}

#[test]
fn a_small_range_overtakes_a_large_one() {
    let mut server = server(&[(0, 1 << 20), (4 << 20, 4096)]);
    run(&mut server, some);
    let sent = sent(&mut server);
    assert!(sent[..2].contains(&Sent::Data(1, 4 << 20, 4096)), "{sent:?}");
}

#[test]
fn large_ranges_take_turns() {
    let mut server = server(&[(0, 100_000), (4 << 20, 100_000)]);
    run(&mut server, some);
    let ids: Vec<_> = sent(&mut server)
        .into_iter()
        .map(|sent| if let Sent::Data(id, ..) = sent { id } else { panic!("{sent:?}") })
        .collect();
    assert_eq!(ids[..8], [0, 1, 0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_range_that_is_not_taken_fetches_no_more() {
    let mut server = server(&[(0, 1 << 20)]);
    assert_eq!(run(&mut server, some), 1);
    assert_eq!((server.queued(), server.wants_request()), (256 << 10, false));
    let mut out = BytesMut::new();
    while !server.wants_request() {
        assert!(server.put_frame(&mut out, 7, FRAME));
    }
    assert!(server.queued() < QUEUE_BYTES);
}

#[test]
fn one_bad_place_fails_only_the_range_that_has_it() {
    let source = |bad: u64| {
        move |at: u64, bytes: usize| {
            let hit = (at..at + bytes as u64).contains(&bad);
            if hit { Reply::Failed(io()) } else { some(at, bytes) }
        }
    };
    let places = [(0, 100), (1000, 100), (2000, 100)];
    let mut hit = server(&places);
    assert_eq!(run(&mut hit, source(1050)), 4, "once together, then each alone");
    let outcome = sent(&mut hit);
    assert_eq!(outcome.len(), 3);
    assert!(outcome.contains(&Sent::End(1, Some(Code::STORAGE_IO))), "{outcome:?}");
    let mut between = server(&places);
    run(&mut between, source(500));
    assert!(sent(&mut between).iter().all(|sent| matches!(sent, Sent::Data(..))));
}

#[test]
fn where_the_data_lies_tells_how_a_range_ends() {
    let cases = [
        (0, None, Some(10), Sent::End(0, None)),
        (0, None, None, Sent::End(0, None)),
        (0, None, Some(9), Sent::End(0, Some(Code::OUT_OF_RANGE))),
        (0, Some(11), Some(90), Sent::End(0, Some(Code::OUT_OF_RANGE))),
        (5, None, Some(15), Sent::End(0, None)),
        (5, None, Some(14), Sent::End(0, Some(Code::TRUNCATED))),
        (5, Some(16), None, Sent::End(0, Some(Code::EVICTED))),
        (0, None, Some(90), Sent::End(0, Some(Code::INTERNAL))),
    ];
    for (first, start, end, expected) in cases {
        let mut server = server(&[(10, 20)]);
        run(
            &mut server,
            |at, _| {
                if at == 10 && first > 0 { some(at, first) } else { nothing(start, end) }
            },
        );
        let sent = sent(&mut server);
        assert_eq!(sent.last(), Some(&expected), "bounds {start:?}..{end:?}");
        assert_eq!(sent.len(), 1 + usize::from(first > 0));
        assert!(server.is_idle());
    }
}

#[test]
fn what_begins_behind_a_moved_start_is_read_again() {
    let mut server = server(&[(0, 10), (100, 10)]);
    assert_eq!(
        run(&mut server, |at, n| if at == 0 { nothing(Some(50), None) } else { some(at, n) }),
        2
    );
    let sent = sent(&mut server);
    assert_eq!(sent, [Sent::End(0, Some(Code::OUT_OF_RANGE)), Sent::Data(1, 100, 10)]);
}

#[test]
fn a_wrong_answer_is_the_sources_fault() {
    let inverted = nothing(Some(9), Some(3));
    for wrong in [some(0, 0), some(0, 11), Reply::Synced, inverted] {
        let mut server = server(&[(0, 10)]);
        run(&mut server, |_, _| wrong.clone());
        assert_eq!(sent(&mut server), [Sent::End(0, Some(Code::INTERNAL))], "{wrong:?}");
    }
}
