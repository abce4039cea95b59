use super::*;
use farlens_proto::Guard;
use futures::FutureExt;

fn at(n: u32) -> Position {
    Position::from(n)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

fn write(data: &MemData, to: Pos, bytes: &[u8]) -> Result<Stored> {
    let chunk = Chunk::Bytes(Bytes::copy_from_slice(bytes));
    data.write_now(to, &chunk, &Rules::all()).expect("memory answers at once")
}

fn cut(data: &MemData, edge: Edge, to: Pos) -> Result<Position> {
    data.truncate(edge, to, &Rules::all()).now_or_never().expect("memory answers at once")
}

fn read(data: &MemData, from: u32, bytes: usize) -> Option<Bytes> {
    let budget = ReadBudget { bytes, elements: u64::MAX };
    match data.read_now(at(from), budget).expect("memory answers at once").expect("no failure") {
        Fetched::Some(Chunk::Bytes(bytes)) => Some(bytes),
        Fetched::Some(Chunk::Items(_)) => panic!("it holds bytes"),
        Fetched::Nothing => None,
    }
}

fn state(data: &MemData) -> DataState {
    data.state_now().expect("memory answers at once").expect("no failure")
}

#[test]
fn what_is_written_is_read_by_all_who_share_it() {
    let (data, expected) = (MemData::new([]), pattern(1_000));
    let reader = data.clone();
    for piece in expected.chunks(77) {
        write(&data, Pos::END, piece).expect("room");
    }
    let mut got = Vec::new();
    while let Some(bytes) = read(&reader, got.len().try_into().expect("small"), 100) {
        got.extend_from_slice(&bytes);
    }
    assert_eq!(got, expected);
    assert_eq!(reader.to_vec(), expected);
}

#[test]
fn a_gap_behind_the_end_is_filled_with_zeros() {
    let data = MemData::new(*b"ab");
    let stored = write(&data, Pos::Abs(at(4)), b"ef").expect("within the gap");
    assert_eq!(stored, Stored { at: at(4), elements: 2 });
    assert_eq!(data.to_vec(), b"ab\0\0ef");
    let far = write(&data, Pos::FromEnd(100 << 20), b"x").expect_err("too far");
    assert_eq!(far.code(), Code::OUT_OF_RANGE);
    assert_eq!(data.to_vec(), b"ab\0\0ef");
}

#[test]
fn positions_stay_when_the_start_goes_up() {
    let data = MemData::new(pattern(100));
    assert_eq!(cut(&data, Edge::Before, Pos::Abs(at(40))).expect("inside"), at(40));
    assert_eq!(state(&data).bounds, Bounds { start: Some(at(40)), end: Some(at(100)) });
    assert_eq!(read(&data, 39, 10), None);
    assert_eq!(read(&data, 40, 10).as_deref(), Some(&pattern(100)[40..50]));
    write(&data, Pos::Abs(at(98)), &[7; 10]).expect("over the end");
    assert_eq!(
        read(&data, 95, 99).as_deref(),
        Some(&[95, 96, 97, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7][..])
    );
    assert_eq!(cut(&data, Edge::Before, Pos::END).expect("all of it"), at(108));
    assert_eq!(read(&data, 108, 1), None);
    write(&data, Pos::END, b"x").expect("room");
    assert_eq!(read(&data, 108, 9).as_deref(), Some(&b"x"[..]));
}

#[test]
fn bytes_that_wrap_around_inside_are_read_and_overwritten_whole() {
    let data = MemData::new(pattern(64));
    let mut expected = pattern(64);
    for round in 0_u8..50 {
        let start = state(&data).bounds.start.expect("bounded").get();
        cut(&data, Edge::Before, Pos::FromStart(13)).expect("inside");
        write(&data, Pos::END, &[round; 13]).expect("room");
        expected.drain(..13);
        expected.extend([round; 13]);
        write(&data, Pos::FromStart(20), &[round ^ 0xff; 30]).expect("inside");
        expected[20..50].fill(round ^ 0xff);
        let from = u32::try_from(start + 13).expect("small");
        assert_eq!(read(&data, from, 99).as_deref(), Some(&expected[..]), "round {round}");
        assert_eq!(read(&data, from + 25, 30).as_deref(), Some(&expected[25..55]));
    }
}

#[test]
fn the_version_changes_with_what_was_handed_out_and_not_with_what_is_added() {
    let data = MemData::new(*b"abcdef");
    let mut seen = state(&data).version;
    let mut changes = || {
        let before = std::mem::replace(&mut seen, state(&data).version);
        before != seen
    };
    write(&data, Pos::END, b"gh").expect("room");
    assert!(!changes(), "appended");
    cut(&data, Edge::Before, Pos::Abs(at(1))).expect("inside");
    assert!(!changes(), "what is left is as it was");
    cut(&data, Edge::After, Pos::FromEnd(2)).expect("room");
    assert!(!changes(), "zeros were added");
    write(&data, Pos::Abs(at(2)), b"C").expect("inside");
    assert!(changes(), "overwritten");
    cut(&data, Edge::After, Pos::Abs(at(3))).expect("inside");
    assert!(changes(), "cut");
    assert!(state(&data).version.len() <= 64);
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let data = MemData::new(*b"abc").capacity(5);
    let before = state(&data);
    let guard = Guard { version: None, end: Some(at(9)) };
    let chunk = Chunk::Bytes(Bytes::from_static(b"x"));
    let refused = data.write_now(Pos::END, &chunk, &Rules::all().with_guard(guard));
    assert_eq!(refused.expect("at once").expect_err("no").code(), Code::CONFLICT);
    let items = Chunk::Items(farlens_proto::ItemBatch::default());
    let refused = data.write_now(Pos::END, &items, &Rules::all()).expect("at once");
    assert_eq!(refused.expect_err("no").code(), Code::WRONG_KIND);
    let long = cut(&data, Edge::After, Pos::Abs(at(6))).expect_err("too long");
    assert_eq!(long.code(), Code::STORAGE_FULL);
    assert_eq!(state(&data), before);
}

#[test]
fn what_fits_is_stored_and_the_rest_is_refused() {
    let data = MemData::new(*b"abc").capacity(5);
    assert_eq!(write(&data, Pos::END, b"defg").expect("some fit").elements, 2);
    let full = write(&data, Pos::END, b"fg").expect_err("nothing fits");
    assert_eq!(full.code(), Code::STORAGE_FULL);
    assert_eq!(data.to_vec(), b"abcde");
    cut(&data, Edge::Before, Pos::FromStart(2)).expect("inside");
    assert_eq!(write(&data, Pos::END, b"fg").expect("room again").elements, 2);
}

#[tokio::test]
async fn a_change_is_told_at_once_and_a_missed_one_too() {
    let data = MemData::new(*b"abc");
    let seen = state(&data);
    let mut waiting = Box::pin(data.changed(seen.clone()));
    assert_eq!(futures::poll!(&mut waiting), std::task::Poll::Pending);
    write(&data, Pos::END, b"d").expect("room");
    let grown = waiting.await;
    assert_eq!(grown.bounds, Bounds::up_to(at(4)));
    assert_eq!(data.changed(seen).await, grown, "level-triggered");
}

#[test]
fn its_mode_may_hold_all_that_writing_needs() {
    let offers = MemData::new([]).offers();
    assert!(offers.mode(offers.required | offers.possible).is_ok());
    assert!(offers.mode(offers.required | Flags::READABLE).is_ok());
    assert!(offers.mode(offers.required | Flags::READABLE | Flags::FIXED_DATA).is_err());
}
