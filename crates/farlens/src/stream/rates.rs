//! How much of a long line's rate streams reach with the windows that they are given, in virtual
//! time.

use super::far_away::{Line, World};
use crate::{FixedData, Link, OpenOptions, data::MemData};
use bytes::Bytes;
use farlens_wire::Limits;
use std::{io::SeekFrom, time::Duration};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

const GIGABIT: u32 = 125_000_000;
const MIB: u64 = 1 << 20;
/// Bytes that are carried in each test, by all streams together.
const ALL: u64 = 128 * MIB;

fn line(round_trip_ms: u64) -> Line {
    Line { round_trip: Duration::from_millis(round_trip_ms), rate: Some(GIGABIT) }
}

async fn read_from(link: Link) -> u64 {
    let mut stream = link.open("/data").await.expect("published");
    let mut bytes = 0;
    while let Some(chunk) = stream.next_chunk().await.expect("there") {
        bytes += chunk.len() as u64;
    }
    bytes
}

/// The part of the rate that so many readers reach together, with their opens.
async fn read_in(round_trip_ms: u64, streams: u64) -> f64 {
    let zeros = Bytes::from(vec![0; (ALL / streams) as usize]);
    let world = World::new(line(round_trip_ms), FixedData::bytes(zeros)).await;
    let meter = world.meter();
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..streams {
        readers.spawn(read_from(world.link.clone()));
    }
    assert_eq!(readers.join_all().await.into_iter().sum::<u64>(), ALL);
    part_of_the_rate(ALL, meter.elapsed())
}

/// What so many bytes at the rate of the line take, as a part of the time that they did.
fn part_of_the_rate(bytes: u64, elapsed: Duration) -> f64 {
    bytes as f64 / elapsed.as_secs_f64() / f64::from(GIGABIT)
}

#[tokio::test(start_paused = true)]
async fn readers_reach_most_of_a_long_lines_rate() {
    // The first window and its answer take two round trips, whatever comes behind them; the receive
    // budget of 16 MiB is 0.67 of what is under way at 200 ms.
    let table = [
        (1, 1, 0.98),
        (1, 64, 0.98),
        (20, 1, 0.95),
        (20, 8, 0.95),
        (20, 64, 0.95),
        (100, 1, 0.82),
        (100, 8, 0.75),
        (100, 64, 0.75),
        (200, 1, 0.45),
    ];
    for (round_trip_ms, streams, least) in table {
        let part = read_in(round_trip_ms, streams).await;
        assert!(part >= least, "{streams} streams at {round_trip_ms} ms: {part:.3} of the rate");
    }
}

#[tokio::test(start_paused = true)]
async fn writers_reach_as_much() {
    for (round_trip_ms, least) in [(1, 0.98), (20, 0.95), (100, 0.82)] {
        let world = World::new(line(round_trip_ms), MemData::new(Bytes::new())).await;
        let options = OpenOptions::new().read(false).write(true);
        let mut stream = world.link.open_with("/data", options).await.expect("published");
        let zeros = vec![0; MIB as usize];
        let meter = world.meter();
        for _ in 0..ALL / MIB {
            stream.write_all(&zeros).await.expect("taken");
        }
        stream.flush().await.expect("applied");
        let part = part_of_the_rate(ALL, meter.elapsed());
        assert!(part >= least, "at {round_trip_ms} ms: {part:.3} of the rate");
    }
}

#[tokio::test(start_paused = true)]
async fn places_beside_the_cursor_fill_a_long_line_as_far_as_the_budget_goes() {
    let world = World::new(line(100), FixedData::bytes(Bytes::from(vec![0; ALL as usize]))).await;
    let places: Vec<_> = (0..ALL / MIB).map(|n| n * MIB..(n + 1) * MIB).collect();
    let meter = world.meter();
    let pieces = world.link.read_ranges("/data", &places).await.expect("there");
    assert!(pieces.iter().all(|piece| piece.len() as u64 == MIB));
    let part = part_of_the_rate(ALL, meter.elapsed());
    // A place counts until the last of it has come.
    assert!(part >= 0.6, "{part:.3} of the rate");
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_stands_still_has_what_was_granted_at_first_and_no_more() {
    let world = World::new(line(100), FixedData::bytes(Bytes::from(vec![0; ALL as usize]))).await;
    let mut stream = world.link.open("/data").await.expect("published");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = Limits::default().stream_window_bytes;
    assert_eq!(world.link.stats().granted_bytes, first);
    // And one that reads on, and then stands still, has the budget at the most.
    let mut bytes = 0;
    while bytes < 64 * MIB {
        bytes += stream.next_chunk().await.expect("there").expect("more").len() as u64;
    }
    let granted = world.link.stats().granted_bytes;
    assert!(granted <= Limits::default().receive_budget_bytes, "{granted} bytes");
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Who comes then is not held up.
    assert!(read_from(world.link.clone()).await == ALL);
}

#[tokio::test(start_paused = true)]
async fn a_seek_behind_a_wide_window_takes_one_round_trip() {
    let world = World::new(line(100), FixedData::bytes(Bytes::from(vec![0; ALL as usize]))).await;
    let mut stream = world.link.open("/data").await.expect("published");
    let mut bytes = vec![0; 32 << 20];
    stream.read_exact(&mut bytes).await.expect("there");
    // What is under way comes before: a window, for which the line takes another round trip.
    let meter = world.meter();
    stream.seek(SeekFrom::Start(100 * MIB)).await.expect("inside");
    stream.read_exact(&mut bytes[..1 << 10]).await.expect("there");
    assert!(meter.round_trips() <= 2, "{} round trips", meter.round_trips());
}
