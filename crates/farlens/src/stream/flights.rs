//! What reading costs in round trips and bytes, over a wire with a delay in virtual time.

use super::far_away::{Line, World};
use crate::{AtEnd, ByteStream, Code, FixedData, OpenOptions, data::MemData};
use bytes::Bytes;
use farlens_proto::LinkStats;
use farlens_wire::{Edge, Position};
use std::{io::SeekFrom, time::Duration};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const ROUND_TRIP: Duration = Duration::from_millis(100);
const LINE: Line = Line { round_trip: ROUND_TRIP, rate: None };
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Bytes whose value changes every 512 positions.
fn pattern(length: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(length as usize);
    for at in (0..length).step_by(512) {
        bytes.resize((at + 512).min(length) as usize, block_byte(at / 512));
    }
    bytes.into()
}

fn block_byte(block: u64) -> u8 {
    (block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8
}

fn assert_pattern(at: u64, bytes: &[u8]) {
    let wrong = (at..).zip(bytes).find(|&(at, &byte)| byte != block_byte(at / 512));
    assert_eq!(wrong, None, "of {} bytes from {at}", bytes.len());
}

async fn read_from(stream: &mut ByteStream, at: u64, length: u64) {
    assert_eq!(stream.seek(SeekFrom::Start(at)).await.expect("inside"), at);
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes).await.expect("there");
    assert_pattern(at, &bytes);
    assert_eq!(stream.position(), Position::new(at + length).expect("small"));
}

/// Scattered places, of which no three lie in line.
fn scattered(n: u64, length: u64) -> u64 {
    n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) % length
}

#[tokio::test(start_paused = true)]
async fn open_and_the_first_64_kib_take_one_round_trip() {
    let world = World::new(LINE, FixedData::bytes(pattern(MIB))).await;
    let meter = world.meter();
    let mut bytes = vec![0; 64 << 10];
    world.open().await.read_exact(&mut bytes).await.unwrap();
    assert_eq!(meter.round_trips(), 1);
    assert_pattern(0, &bytes);
}

#[tokio::test(start_paused = true)]
async fn sixty_four_places_take_one_round_trip_opening_and_all() {
    let world = World::new(LINE, FixedData::bytes(pattern(16 * MIB))).await;
    let places: Vec<_> =
        (0..64).map(|n| scattered(n, 15 * MIB)).map(|at| at..at + 4 * KIB).collect();
    let meter = world.meter();
    let pieces = world.link.read_ranges("/data", &places).await.unwrap();
    assert_eq!(meter.round_trips(), 1);
    for (place, piece) in places.iter().zip(&pieces) {
        assert_eq!(piece.len(), 4 << 10);
        assert_pattern(place.start, piece);
    }
    let stream = world.open().await;
    let meter = world.meter();
    assert_eq!(stream.read_ranges(&places).await.unwrap(), pieces);
    assert_eq!(meter.round_trips(), 1, "beside a cursor, too");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_read_at_once_or_not_for_a_reason() {
    let world = World::new(LINE, FixedData::bytes(pattern(10_000))).await;
    let meter = world.meter();
    assert_pattern(9_000, &world.link.read_at("/data", 9_000..20_000).await.unwrap());
    assert_eq!(world.link.read_at("/data", 0..u64::MAX).await.unwrap().len(), 10_000);
    assert_eq!(world.link.read_at("/data", 10_000..10_001).await.unwrap(), Bytes::new());
    assert_eq!(world.link.read_at("/data", 5..5).await.unwrap(), Bytes::new());
    let error = world.link.read_at("/data", 10_001..10_002).await.unwrap_err();
    assert_eq!(error.code(), Code::OUT_OF_RANGE);
    let error = world.link.read_at("/none", 0..1).await.unwrap_err();
    assert_eq!(error.code(), Code::NOT_FOUND);
    assert_eq!(meter.round_trips(), 6);
    // The last close has been answered by then.
    tokio::time::sleep(ROUND_TRIP * 2).await;
    assert_eq!(world.link.stats(), LinkStats::default());
}

#[tokio::test(start_paused = true)]
async fn reading_in_order_takes_a_round_trip_for_each_window_at_most() {
    let world = World::new(LINE, FixedData::bytes(pattern(4 * MIB))).await;
    let meter = world.meter();
    let mut all = Vec::new();
    world.open().await.read_to_end(&mut all).await.unwrap();
    // Sixteen windows, and one round trip more at the most for what grants round off.
    assert!(meter.round_trips() <= 17, "{} round trips", meter.round_trips());
    assert_eq!(all.len() as u64, 4 * MIB);
}

#[tokio::test(start_paused = true)]
async fn random_reads_are_sent_little_more_than_they_read() {
    let world = World::new(LINE, FixedData::bytes(pattern(64 * MIB))).await;
    let mut stream = world.open().await;
    for n in 0..3 {
        read_from(&mut stream, scattered(n, 63 * MIB), 4 * KIB).await;
    }
    // What the first reads were sent for nothing is under way no more.
    tokio::time::sleep(ROUND_TRIP).await;
    let meter = world.meter();
    for n in 3..103 {
        read_from(&mut stream, scattered(n, 63 * MIB), 4 * KIB).await;
    }
    assert_eq!(meter.round_trips(), 100);
    assert!(meter.sent() < 4 * 100 * 4 * KIB, "{} bytes", meter.sent());
}

#[tokio::test(start_paused = true)]
async fn reading_on_after_random_reads_is_soon_as_fast_as_ever() {
    let world = World::new(LINE, FixedData::bytes(pattern(32 * MIB))).await;
    let mut stream = world.open().await;
    for n in 0..10 {
        read_from(&mut stream, scattered(n, 31 * MIB), 4 * KIB).await;
    }
    let meter = world.meter();
    read_from(&mut stream, 0, 4 * MIB).await;
    // Sixteen for as many windows, and three to open the first of them.
    assert!(meter.round_trips() <= 19, "{} round trips", meter.round_trips());
}

#[tokio::test(start_paused = true)]
async fn a_window_that_the_user_set_is_never_exceeded() {
    let world = World::new(LINE, FixedData::bytes(pattern(4 * MIB))).await;
    let options = OpenOptions::new().window(16 * KIB, 1);
    let mut stream = world.link.open_with("/data", options).await.unwrap();
    for n in 0..10 {
        read_from(&mut stream, scattered(n, 3 * MIB), 4 * KIB).await;
        tokio::time::sleep(ROUND_TRIP).await;
        assert!(world.link.stats().granted_bytes <= 16 * KIB);
    }
    let meter = world.meter();
    read_from(&mut stream, 0, 64 * KIB).await;
    assert!((5..=9).contains(&meter.round_trips()), "{} round trips", meter.round_trips());
}

/// Reads of 4 KiB at places in line; how many round trips, and how many bytes were sent.
async fn read_in_strides(first: u64, stride: i64, reads: u64) -> (u128, u64) {
    let world = World::new(LINE, FixedData::bytes(pattern(64 * MIB))).await;
    let mut stream = world.link.open_with("/data", OpenOptions::new().lazy(true)).await.unwrap();
    let meter = world.meter();
    for n in 0..reads {
        let at = first.checked_add_signed(stride * n as i64).expect("inside");
        read_from(&mut stream, at, 4 * KIB).await;
    }
    (meter.round_trips(), meter.sent())
}

#[tokio::test(start_paused = true)]
async fn most_reads_in_strides_take_no_round_trip() {
    for (first, stride) in [(MIB, MIB as i64), (63 * MIB, -(MIB as i64)), (63 * MIB, -4_096)] {
        let (round_trips, sent) = read_in_strides(first, stride, 60).await;
        assert!(round_trips <= 12, "{round_trips} round trips with a stride of {stride}");
        // Two full windows went out before the pattern was there.
        let wanted = 60 * 4 * KIB;
        assert!(sent < 2 * 256 * KIB + 2 * wanted, "{sent} bytes with a stride of {stride}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_guess_changes_nothing_but_what_was_sent() {
    let world = World::new(LINE, FixedData::bytes(pattern(32 * MIB))).await;
    let mut stream = world.open().await;
    for round in 0..20 {
        for n in 0..5 {
            read_from(&mut stream, scattered(round, 20 * MIB) + n * MIB, 3_000).await;
        }
    }
    // On from a piece that was guessed, past its end, and out of the data.
    for n in 0..6 {
        read_from(&mut stream, n * MIB, 3_000).await;
    }
    read_from(&mut stream, 6 * MIB, 30_000).await;
    let there = stream.position();
    let error = stream.seek(SeekFrom::Start(33 * MIB)).await.unwrap_err();
    assert_eq!(crate::Error::from(error).code(), Code::OUT_OF_RANGE);
    assert_eq!(stream.position(), there);
    let mut next = [0; 5_000];
    stream.read_exact(&mut next).await.unwrap();
    assert_pattern(there.get(), &next);
    drop(stream);
    tokio::time::sleep(ROUND_TRIP * 2).await;
    assert_eq!(world.link.stats(), LinkStats::default(), "all that was asked for is accounted");
}

#[tokio::test(start_paused = true)]
async fn a_seek_that_fails_in_a_guessed_piece_leaves_the_position_there() {
    let world = World::new(LINE, FixedData::bytes(pattern(16 * MIB))).await;
    let mut stream = world.open().await;
    for n in 0..5 {
        read_from(&mut stream, n * MIB, 4 * KIB).await;
    }
    assert_eq!(stream.seek(SeekFrom::Start(5 * MIB)).await.unwrap(), 5 * MIB);
    let mut part = [0; 100];
    stream.read_exact(&mut part).await.unwrap();
    stream.seek(SeekFrom::Start(17 * MIB)).await.unwrap_err();
    assert_eq!(stream.position().get(), 5 * MIB + 100);
    let mut rest = vec![0; 100_000];
    stream.read_exact(&mut rest).await.unwrap();
    assert_pattern(5 * MIB + 100, &rest);
}

#[tokio::test(start_paused = true)]
async fn strides_end_at_the_end_of_the_data() {
    let world = World::new(LINE, FixedData::bytes(pattern(8 * MIB + 1_000))).await;
    for at_end in [AtEnd::Stop, AtEnd::Follow] {
        let options = OpenOptions::new().at_end(at_end);
        let mut stream = world.link.open_with("/data", options).await.unwrap();
        for n in 0..8 {
            read_from(&mut stream, n * MIB, 4 * KIB).await;
        }
        assert_eq!(stream.seek(SeekFrom::Start(8 * MIB)).await.unwrap(), 8 * MIB);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len(), 1_000);
        assert_pattern(8 * MIB, &rest);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_guessed_is_gone_with_the_end_of_the_data() {
    let world = World::new(LINE, MemData::new(pattern(8 * MIB))).await;
    let mut stream = world.open().await;
    for n in 0..5 {
        read_from(&mut stream, n * MIB, 4 * KIB).await;
    }
    // All that was guessed has come; then the data ends before it.
    tokio::time::sleep(ROUND_TRIP).await;
    let writer = world.link.open_with("/data", OpenOptions::new().write(true)).await.unwrap();
    writer.truncate(Edge::After, Position::new(5 * MIB).unwrap()).await.unwrap();
    tokio::time::sleep(ROUND_TRIP).await;
    let error = stream.seek(SeekFrom::Start(6 * MIB)).await.unwrap_err();
    assert_eq!(crate::Error::from(error).code(), Code::OUT_OF_RANGE);
    assert_eq!(stream.position().get(), 4 * MIB + 4 * KIB);
    read_from(&mut stream, 5 * MIB - 10, 10).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_in_strides_sees_what_was_written_before_its_seek() {
    let world = World::new(LINE, MemData::new(pattern(8 * MIB))).await;
    let options = OpenOptions::new().write(true);
    let mut stream = world.link.open_with("/data", options).await.unwrap();
    for n in 0..5 {
        read_from(&mut stream, n * MIB, 4 * KIB).await;
    }
    stream.write_at(Position::new(5 * MIB).unwrap(), &b"written"[..]).await.unwrap();
    stream.seek(SeekFrom::Start(5 * MIB)).await.unwrap();
    let mut bytes = [0; 7];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"written");
}
