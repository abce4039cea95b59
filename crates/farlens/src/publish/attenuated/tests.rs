use super::*;
use crate::data::{FileData, FixedData, IterData, Keep, MemData, Stored, Topic, channel};
use farlens_proto::{About, Chunk, Reach, Rules};
use farlens_wire::{Mode, Pos};
use std::time::Duration;

const READ: Flags = Flags::READABLE;
const WRITE: Flags = Flags::WRITABLE;
const BOTH: Flags = Flags::from_bits(READ.bits() | WRITE.bits());
const REPLACE: Purpose = Purpose::Replace { create: true };

fn memory() -> Streamer {
    Streamer::new(MemData::new(*b"0123456789")).writable()
}

fn topic() -> Streamer {
    Streamer::new(Topic::<u64>::new(Keep::new())).writable()
}

fn fixed() -> Streamer {
    Streamer::new(FixedData::bytes(&b"0123456789"[..]))
}

fn flags(streamer: &Streamer) -> Flags {
    streamer.mode().map(Mode::flags).expect("it can be published")
}

fn open(streamer: &Streamer, wanted: Flags) -> Result<Found, Code> {
    streamer.open(wanted, Purpose::Use).map_err(|error| error.code())
}

async fn append(found: &Found, bytes: &'static [u8]) -> Result<Stored, Code> {
    let rules = Rules::new(found.mode, found.append_only, found.reach);
    let written = found.data.write_at(Pos::END, Chunk::Bytes(bytes.into()), &rules).await;
    written.map_err(|error| error.code())
}

fn at(n: u32) -> Position {
    Position::from(n)
}

#[test]
fn the_mode_is_that_of_the_source_less_what_was_taken() {
    type Take = fn(Streamer) -> Streamer;
    let (start, end) = (Flags::CAN_MOVE_START, Flags::CAN_MOVE_END);
    let changes = WRITE | start | end;
    let rows: [(&str, Streamer, Take, Flags); 14] = [
        ("memory read", memory(), |s| s.read_only(), changes),
        ("memory from zero", memory(), |s| s.slice(..), Flags::NONE),
        ("memory from later", memory(), |s| s.slice(3..), start),
        ("memory to an end", memory(), |s| s.slice(..7), end),
        ("memory between", memory(), |s| s.slice(3..7), start | end),
        ("nested", memory(), |s| s.slice(3..).slice(..=7), start | end),
        ("nested and read", memory(), |s| s.slice(3..).read_only(), changes),
        ("memory at a rate", memory(), |s| s.rate(1), Flags::NONE),
        ("memory for a time", memory(), |s| s.expires(Duration::ZERO), Flags::NONE),
        ("memory for now", memory(), |s| s.revocable().0, Flags::NONE),
        ("a topic between", topic(), |s| s.slice(3..7), end),
        ("a topic read", topic(), |s| s.read_only(), WRITE | end),
        ("fixed between", fixed(), |s| s.slice(3..7), Flags::NONE),
        ("fixed read", fixed(), |s| s.read_only().rate(9).slice(3..), Flags::NONE),
    ];
    for (name, source, take, lost) in rows {
        let before = flags(&source);
        assert!(before.has(lost), "{name}");
        assert_eq!(flags(&take(source)), before.without(lost), "{name}");
    }
}

#[test]
fn what_was_taken_is_never_given_back() {
    let all = flags(&memory());
    let less = READ | Flags::START_BOUNDED | Flags::END_BOUNDED;
    for taken in [memory().read_only(), memory().flags(less).rate(9)] {
        assert!(!flags(&taken.clone().writable()).has(WRITE));
        assert_eq!(taken.flags(all).mode().map_err(|e| e.code()), Err(Code::USAGE));
    }
    let kept = flags(&memory().slice(..).flags(less));
    assert_eq!(kept, less, "less can still be asked for");
    let appends = memory().append_only(true).rate(9).append_only(false);
    assert!(open(&appends, WRITE).is_ok_and(|found| found.append_only));
    let told = |streamer: &Streamer| match streamer.about() {
        Ok(About::Stream { append_only, mode, .. }) => Some((append_only, Flags::from_bits(mode))),
        _ => None,
    };
    assert_eq!(told(&appends), Some((true, flags(&appends))));
    let short = Reach { end: at(20), gap: 5 };
    let reach = |streamer: &Streamer| open(streamer, WRITE).map(|found| found.reach);
    let wide = memory().reach(short).rate(9).reach(Reach::default());
    assert_eq!(reach(&wide), Ok(short));
    let less = Reach { end: at(12), gap: 2 };
    assert_eq!(reach(&memory().reach(short).rate(9).reach(less)), Ok(less));
    assert_eq!(reach(&memory().reach(short).slice(3..)), Ok(Reach { end: at(17), gap: 5 }));
    assert_eq!(reach(&memory().rate(9)), Ok(Reach::default()));
}

#[test]
fn what_makes_no_sense_is_said_when_it_is_published() {
    let numbers = || Streamer::from(IterData::new(0..9_u64));
    let (_publisher, readings) = channel::<u64>(9);
    #[expect(clippy::reversed_empty_ranges, reason = "it is what must be refused")]
    let reversed = memory().slice(5..3);
    for nonsense in [
        memory().rate(0),
        memory().rate(0).slice(2..),
        reversed,
        memory().slice(u64::MAX..),
        numbers().slice(1..),
        Streamer::from(readings.clone()).slice(1..),
        fixed().flags(BOTH).read_only(),
        memory().flags(WRITE | Flags::START_BOUNDED | Flags::END_BOUNDED).read_only(),
    ] {
        let error = nonsense.mode().expect_err("it makes no sense");
        assert_eq!(error.code(), Code::USAGE, "{error}");
        assert!(open(&nonsense, READ).is_err());
    }
    let unsought = fixed().flags(flags(&fixed()).without(Flags::SEEK));
    for sense in [
        numbers().slice(..4),
        Streamer::from(readings).slice(..),
        unsought.clone().slice(3..).slice(2..),
    ] {
        assert!(sense.mode().is_ok());
    }
    assert!(open(&unsought.slice(3..), READ).is_ok());
}

#[tokio::test]
async fn all_that_is_made_of_a_streamer_with_a_lock_has_one_writer() {
    let all = memory();
    let locked = all.clone().flags(flags(&all) | Flags::DATA_LOCK);
    let (part, _revoker) = locked.clone().slice(2..).rate(9).revocable();
    assert!(flags(&part).has(Flags::DATA_LOCK));
    let unlocked = part.clone().flags(flags(&part).without(Flags::DATA_LOCK));
    for first in [&locked, &part, &unlocked] {
        let writer = open(first, BOTH).expect("nobody writes");
        for second in [&locked, &part, &unlocked] {
            assert_eq!(open(second, WRITE).err(), Some(Code::BUSY));
            assert!(open(second, READ).is_ok(), "readers do not notice");
        }
        drop(writer);
    }
    assert!(open(&part.read_only(), READ).is_ok());
}

#[tokio::test]
async fn the_reach_of_a_slice_counts_from_its_start() {
    let data = MemData::new(*b"0123456789");
    let all = Streamer::new(data.clone()).writable();
    let part = all.slice(4..).reach(Reach { end: at(8), gap: 0 });
    let found = open(&part, WRITE).expect("it can be written");
    assert_eq!(append(&found, b"abc").await, Err(Code::TOO_LONG));
    assert_eq!(append(&found, b"ab").await, Ok(Stored { at: at(6), elements: 2 }));
    assert_eq!(data.to_vec(), b"0123456789ab");
}

#[tokio::test]
async fn a_part_of_a_file_is_neither_created_nor_replaced() {
    let folder = tempfile::tempdir().expect("temp dir");
    let path = folder.path().join("file");
    let file = || Streamer::from(FileData::read_write(&path).create(true));
    let open = |streamer: Streamer, purpose| {
        streamer.open(WRITE, purpose).map(drop).map_err(|error| error.code())
    };
    let (part, _revoker) = file().slice(2..).revocable();
    assert_eq!(open(part.clone(), Purpose::Create), Err(Code::NOT_FOUND));
    assert_eq!(open(part.clone(), REPLACE), Err(Code::MODE_FORBIDS));
    let reads = file().read_only().open(READ, Purpose::Create);
    assert_eq!(reads.map(drop).map_err(|error| error.code()), Err(Code::NOT_FOUND));
    assert!(!path.exists());
    let appends = file().rate(9_999).append_only(true);
    assert_eq!(open(appends, REPLACE), Err(Code::MODE_FORBIDS));
    let (whole, _revoker) = file().rate(9_999).revocable();
    assert_eq!(open(whole.clone(), Purpose::Create), Ok(()));
    assert!(path.exists());
    assert_eq!(open(whole, REPLACE), Ok(()));
    assert_eq!(open(part, Purpose::Use), Ok(()));
}

#[tokio::test]
async fn how_writes_are_synced_is_kept_and_can_be_set() {
    for sync in [true, false] {
        let source = memory().sync_on_close(sync);
        let kept = open(&source.clone().slice(1..), WRITE).expect("it can be written");
        assert_eq!(kept.sync_on_close, sync);
        let set = open(&source.slice(1..).sync_on_close(!sync), WRITE).expect("it can be written");
        assert_eq!(set.sync_on_close, !sync);
    }
}

#[tokio::test]
async fn what_is_known_of_a_part_is_known_of_it_alone() {
    let stat = memory().slice(3..7).read_only().stat("x").await.expect("it is there");
    assert_eq!((stat.entry.len, stat.bounds), (Some(4), Bounds::up_to(at(4))));
    assert!(stat.mode().is_some_and(|mode| !mode.has(WRITE)));
    let (publisher, readings) = channel::<u64>(9);
    publisher.send(1).expect("there is room");
    let stat = Streamer::from(readings).slice(..5).stat("x").await.expect("it is there");
    assert_eq!(stat.bounds, Bounds::open_end());
    assert_eq!(publisher.readers(), 0, "to look at it is not to read it");
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_or_has_expired_is_neither_opened_nor_looked_at() {
    let (first, revoker) = memory().revocable();
    let made = first.clone().slice(2..).rate(9);
    let timed = memory().expires(Duration::from_secs(1)).read_only();
    let all = [first, made, timed, Streamer::from(IterData::new(0..9_u64)).expires(Duration::ZERO)];
    for (streamer, there) in all.iter().zip([true, true, true, false]) {
        assert_eq!(open(streamer, READ).is_ok(), there);
    }
    revoker.revoke();
    tokio::time::advance(Duration::from_secs(1)).await;
    for streamer in &all {
        assert_eq!(open(streamer, READ).err(), Some(Code::REVOKED));
        let stat = streamer.stat("x").await;
        assert_eq!(stat.map(drop).map_err(|error| error.code()), Err(Code::REVOKED));
        assert!(
            streamer.mode().is_ok() && streamer.origin().check().is_ok(),
            "it can still be published"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_rate_is_judged_when_its_turn_comes() {
    let data = MemData::new([]);
    let (part, revoker) = Streamer::new(data.clone()).writable().rate(1_000).revocable();
    let found = open(&part, WRITE).expect("it can be written");
    let filling: &[u8] = &[0; 64 << 10];
    let rules = Rules::all();
    let write = |bytes: &[u8]| {
        found.data.write_at(Pos::END, Chunk::Bytes(bytes::Bytes::copy_from_slice(bytes)), &rules)
    };
    write(filling).await.expect("there is room for it at once");
    let waiting = write(b"late");
    let mut waiting = std::pin::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    revoker.revoke();
    assert_eq!(waiting.await.map_err(|error| error.code()), Err(Code::REVOKED));
    assert_eq!(data.to_vec().len(), filling.len());
}
