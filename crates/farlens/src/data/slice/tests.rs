mod model;

use super::{Slice, Window};
use crate::{
    Error, Result,
    data::{
        DataState, Fetched, FixedData, Keep, MemData, ReadBudget, Spool, Stored, StreamerData,
        Topic,
    },
};
use farlens_proto::{Chunk, Guard, Kind, Rules};
use farlens_wire::{Bounds, Code, Edge, Flags, ModeOffer, Pos, Position};
use futures::FutureExt;
use std::{
    ops::{Range, RangeBounds},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const ALL: ReadBudget = ReadBudget { bytes: usize::MAX, elements: u64::MAX };

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn byte(n: u64) -> u8 {
    (n.wrapping_mul(0x9e37_79b9) >> 13) as u8
}

fn bytes(numbers: Range<u64>) -> Vec<u8> {
    numbers.map(byte).collect()
}

fn slice(data: impl StreamerData, range: impl RangeBounds<u64>) -> Slice {
    Slice::new(Arc::new(data), Window::new(&range).expect("not reversed"))
}

async fn read(data: &impl StreamerData, from: u64) -> Option<Vec<u8>> {
    match data.read_at(at(from), ALL).await.expect("it can be read") {
        Fetched::Some(Chunk::Bytes(bytes)) => Some(bytes.to_vec()),
        Fetched::Some(Chunk::Items(batch)) => Some(batch.iter().flatten().copied().collect()),
        Fetched::Nothing => None,
    }
}

async fn bounds(data: &impl StreamerData) -> (Bounds, bool) {
    let state = data.state().await.expect("it has a state");
    (state.bounds, state.ended)
}

fn code<T>(outcome: Result<T>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

#[test]
fn a_range_that_is_reversed_or_too_far_is_no_window() {
    assert_eq!(Window::new(&(3..3)).and_then(Window::len), Some(0));
    assert_eq!(Window::new(&(3..=3)).and_then(Window::len), Some(1));
    assert_eq!(Window::new(&(..)), Window::new(&(0..)));
    let last = Position::MAX.get();
    assert_eq!(Window::new(&(last..)).map(Window::start), Some(Position::MAX));
    assert!(Window::new(&(0..last)).is_some());
    for (start, end) in [(4, 3), (0, last + 1), (u64::MAX, u64::MAX)] {
        assert_eq!(Window::new(&(start..end)), None, "{start}..{end}");
    }
    assert_eq!(Window::new(&(0..=u64::MAX)), None);
}

#[test]
fn what_a_slice_offers_follows_from_its_source_and_its_range() {
    let mem = MemData::new([]).offers();
    let fixed = FixedData::bytes(&b""[..]).offers();
    let topic = Topic::<u64>::new(Keep::new()).offers();
    let (start, end) = (Flags::CAN_MOVE_START, Flags::CAN_MOVE_END);
    let open = Flags::NONE;
    for (source, range, lost) in [
        (mem, (0, None), open),
        (mem, (1, None), start),
        (mem, (0, Some(9)), end),
        (mem, (1, Some(9)), start | end),
        (topic, (1, None), open),
        (topic, (1, Some(9)), end),
        (fixed, (1, Some(9)), open),
    ] {
        let window = match range {
            (from, Some(to)) => Window::new(&(from..to)),
            (from, None) => Window::new(&(from..)),
        };
        let offer = window.expect("not reversed").offer(source);
        assert_eq!(offer.required, source.required, "{range:?}");
        assert_eq!(offer.possible, source.possible.without(lost), "{range:?}");
    }
    let endless =
        ModeOffer { required: Flags::READABLE | Flags::FIXED_DATA, possible: Flags::SEEK };
    let cut = Window::new(&(2..4)).expect("not reversed").offer(endless);
    let ends = Flags::START_BOUNDED | Flags::END_BOUNDED;
    assert_eq!(cut, ModeOffer { required: endless.required | ends, possible: Flags::SEEK });
}

#[tokio::test]
async fn a_slice_with_an_end_grows_until_it_is_full_and_then_it_has_ended() {
    let topic = Topic::<u64>::new(Keep::new().count(4));
    let part = slice(topic.clone(), 2..5);
    let empty = Bounds::up_to(Position::ZERO);
    assert_eq!(bounds(&part).await, (empty, false));
    assert_eq!(read(&part, 0).await, None, "its source has not come to it");
    (0..4).try_for_each(|n| topic.send(n).map(|_| ())).expect("they fit");
    assert_eq!(bounds(&part).await, (Bounds::up_to(at(2)), false));
    assert_eq!(read(&part, 0).await, Some(vec![2, 3]));
    (4..8).try_for_each(|n| topic.send(n).map(|_| ())).expect("they fit");
    let rest = Bounds { start: Some(at(2)), end: Some(at(3)) };
    assert_eq!(bounds(&part).await, (rest, true), "the older ones are dropped");
    assert_eq!(read(&part, 2).await, Some(vec![4]));
    assert_eq!((read(&part, 1).await, read(&part, 3).await), (None, None));
    topic.fail(&Error::new(Code::SOURCE_FAILED, "of no concern"));
    let nothing = Bounds { start: Some(at(2)), end: Some(at(3)) };
    assert_eq!(bounds(&part).await, (nothing, true), "what has ended stays so");
}

#[tokio::test]
async fn who_reads_a_slice_that_its_producer_has_not_come_to_waits_as_at_any_end() {
    let (mut writer, spool) = Spool::bytes();
    let part = slice(spool, 10..12);
    let mut waiting = std::pin::pin!(read(&part, 0));
    for n in 0..10 {
        assert_eq!(waiting.as_mut().now_or_never(), None, "{n} bytes are there");
        writer.push(&[byte(n)]).expect("memory takes it");
    }
    assert_eq!(waiting.as_mut().now_or_never(), None);
    writer.push(&bytes(10..13)).expect("memory takes it");
    assert_eq!(waiting.await, Some(bytes(10..12)));
    assert_eq!(bounds(&part).await, (Bounds::up_to(at(2)), true));
}

/// Memory to which somebody else appends right after anyone has looked at it.
struct Restless {
    data: MemData,
    left: AtomicUsize,
}

impl StreamerData for Restless {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        self.data.offers()
    }

    async fn state(&self) -> Result<DataState> {
        let state = self.data.state().await;
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
        {
            let chunk = Chunk::Bytes(bytes::Bytes::from_static(b"x"));
            self.data.write_at(Pos::END, chunk, &Rules::all()).await?;
        }
        state
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.data.read_at(at, budget).await
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        self.data.write_at(to, chunk, rules).await
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        self.data.truncate(edge, to, rules).await
    }
}

fn restless(data: &MemData, moves: usize) -> Slice {
    slice(Restless { data: data.clone(), left: moves.into() }, 2..)
}

#[tokio::test]
async fn a_change_is_judged_anew_where_the_end_has_moved_meanwhile() {
    let data = MemData::new(*b"0123");
    let chunk = || Chunk::Bytes(bytes::Bytes::from_static(b"ab"));
    let stored = restless(&data, 3).write_at(Pos::END, chunk(), &Rules::all()).await;
    assert_eq!(stored.ok(), Some(Stored { at: at(5), elements: 2 }));
    assert_eq!(data.to_vec(), b"0123xxxab");
    let cut = restless(&data, 3).truncate(Edge::After, Pos::FromEnd(-4), &Rules::all()).await;
    assert_eq!(cut.ok(), Some(at(6)));
    assert_eq!(data.to_vec(), b"0123xxxa");
    let guard = Guard { version: None, end: Some(at(6)) };
    let rules = Rules::all().with_guard(guard);
    let refused = restless(&data, 1).write_at(Pos::END, chunk(), &rules).await;
    assert_eq!(code(refused), Some(Code::CONFLICT), "that was the peer's own condition");
    assert_eq!(data.to_vec(), b"0123xxxax");
}

#[tokio::test]
async fn what_lies_outside_is_never_touched() {
    let data = MemData::new(*b"0123456789");
    let all = Rules::all();
    let chunk = |text: &'static str| Chunk::Bytes(bytes::Bytes::from_static(text.as_bytes()));
    let middle = slice(data.clone(), 3..6);
    let written = middle.write_at(Pos::Abs(at(1)), chunk("abcd"), &all).await;
    assert_eq!(written.ok(), Some(Stored { at: at(1), elements: 2 }));
    for (to, refusal) in [
        (Pos::END, Code::END_OF_SPACE),
        (Pos::Abs(at(4)), Code::END_OF_SPACE),
        (Pos::Abs(Position::MAX), Code::END_OF_SPACE),
        (Pos::FromStart(-1), Code::OUT_OF_RANGE),
        (Pos::FromEnd(-4), Code::OUT_OF_RANGE),
    ] {
        assert_eq!(code(middle.write_at(to, chunk("x"), &all).await), Some(refusal), "{to}");
        let now = middle.write_now(to, &chunk("x"), &all).expect("memory answers at once");
        assert_eq!(code(now), Some(refusal), "{to}");
    }
    for (edge, to) in [
        (Edge::After, Pos::FromEnd(-1)),
        (Edge::After, Pos::FromEnd(1)),
        (Edge::Before, Pos::FromStart(1)),
    ] {
        let moved = middle.truncate(edge, to, &all).await;
        assert_eq!(code(moved), Some(Code::MODE_FORBIDS), "{edge:?} {to}");
    }
    assert_eq!(middle.truncate(Edge::After, Pos::END, &all).await.ok(), Some(at(3)));
    assert_eq!(middle.truncate(Edge::Before, Pos::START, &all).await.ok(), Some(at(0)));
    assert_eq!(data.to_vec(), b"0123ab6789");
    let later = slice(data.clone(), 20..);
    for to in [Pos::END, Pos::Abs(at(1))] {
        let refused = later.write_at(to, chunk("x"), &all).await;
        assert_eq!(code(refused), Some(Code::OUT_OF_RANGE), "it would leave a gap before");
    }
    assert_eq!(
        code(later.truncate(Edge::After, Pos::FromEnd(3), &all).await),
        Some(Code::OUT_OF_RANGE)
    );
    assert_eq!(later.truncate(Edge::After, Pos::END, &all).await.ok(), Some(at(0)));
    assert_eq!(data.to_vec(), b"0123ab6789");
}

/// Data that gives more than it is asked for.
struct Generous;

impl StreamerData for Generous {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        FixedData::bytes(&b""[..]).offers()
    }

    async fn state(&self) -> Result<DataState> {
        Ok(DataState { bounds: Bounds::up_to(at(9)), ..DataState::default() })
    }

    async fn read_at(&self, at: Position, _: ReadBudget) -> Result<Fetched> {
        Ok(Fetched::Some(Chunk::Bytes(bytes(at.get()..9).into())))
    }
}

#[tokio::test]
async fn a_source_that_gives_more_than_it_is_asked_for_shows_nothing_of_the_outside() {
    assert_eq!(read(&slice(Generous, 2..5), 1).await, Some(bytes(3..5)));
}
