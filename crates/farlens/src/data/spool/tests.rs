use super::*;
use std::task::Poll;

const ALL: ReadBudget = ReadBudget { bytes: 1_000_000, elements: u64::MAX };

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn budget(bytes: usize, elements: u64) -> ReadBudget {
    ReadBudget { bytes, elements }
}

/// As a link reads: at once if possible, otherwise waiting.
async fn read(data: &SpoolData, from: u64, budget: ReadBudget) -> Result<Option<Chunk>> {
    let fetched = match data.read_now(at(from), budget) {
        Some(answer) => answer?,
        None => data.read_at(at(from), budget).await?,
    };
    Ok(match fetched {
        Fetched::Some(chunk) => Some(chunk),
        Fetched::Nothing => None,
    })
}

async fn bytes_at(data: &SpoolData, from: u64, budget: ReadBudget) -> Option<Vec<u8>> {
    match read(data, from, budget).await.expect("no failure")? {
        Chunk::Bytes(bytes) => Some(bytes.to_vec()),
        Chunk::Items(_) => panic!("bytes"),
    }
}

/// The bodies of the entities from `from` on.
async fn bodies_at(data: &SpoolData, from: u64, budget: ReadBudget) -> Vec<Vec<u8>> {
    match read(data, from, budget).await.expect("no failure") {
        Some(Chunk::Items(batch)) => batch.iter().map(<[u8]>::to_vec).collect(),
        Some(Chunk::Bytes(_)) => panic!("entities"),
        None => Vec::new(),
    }
}

fn byte(place: u64) -> u8 {
    (place % 251) as u8
}

/// Entity n, of a length that depends on n.
fn body(n: u64) -> Vec<u8> {
    let length = usize::try_from(n * 7 % 400).expect("small");
    let mut body = n.to_be_bytes().to_vec();
    body.resize(8 + length, byte(n));
    body
}

#[tokio::test]
async fn bytes_are_read_from_anywhere_in_memory_and_in_the_file() {
    const TOTAL: u64 = 1_000_000;
    for memory in [0, 100_000, usize::MAX] {
        let (mut writer, data) = Spool::with_memory(Kind::Bytes, memory);
        let content: Vec<u8> = (0..TOTAL).map(byte).collect();
        for piece in content.chunks(777) {
            writer.push(piece).expect("space");
        }
        assert_eq!(data.shared.file.get().is_some(), memory < 1_000_000);
        writer.finish();
        let mut got = Vec::new();
        while let Some(bytes) = bytes_at(&data, got.len() as u64, ALL).await {
            got.extend(bytes);
        }
        assert!(got == content, "with {memory} bytes in memory");
        for from in [0, 1, 65_535, 65_536, 99_999, 100_001, 500_000, TOTAL - 1] {
            let bytes = bytes_at(&data, from, budget(50, 40)).await.expect("there");
            let start = usize::try_from(from).expect("small");
            assert!(!bytes.is_empty() && bytes.len() <= 40);
            assert_eq!(bytes, content[start..start + bytes.len()], "from {from}");
        }
        assert_eq!(bytes_at(&data, TOTAL, ALL).await, None);
    }
}

#[tokio::test]
async fn entities_are_read_from_anywhere_in_memory_and_in_the_file() {
    const TOTAL: u64 = 5_000;
    for memory in [0, 300_000, usize::MAX] {
        let (mut writer, data) = Spool::with_memory(Kind::Items, memory);
        for n in 0..TOTAL {
            writer.push(&body(n)).expect("space");
        }
        assert_eq!(data.shared.file.get().is_some(), memory < 1_000_000);
        writer.finish();
        for step in [1, 3, 100, u64::MAX] {
            let mut place = 0;
            while place < TOTAL {
                let bodies = bodies_at(&data, place, budget(10_000, step)).await;
                assert!(!bodies.is_empty() && bodies.len() as u64 <= step);
                for got in bodies {
                    assert_eq!(got, body(place), "entity {place}");
                    place += 1;
                }
            }
        }
        assert!(bodies_at(&data, TOTAL, ALL).await.is_empty());
    }
}

#[tokio::test]
async fn an_entity_larger_than_a_block_survives_the_file() {
    let (mut writer, data) = Spool::with_memory(Kind::Items, 0);
    let large = vec![3; 300_000];
    for element in [&b"a"[..], &large, b"b"] {
        writer.push(element).expect("space");
    }
    assert_eq!(bodies_at(&data, 0, budget(10, 10)).await, [b"a".to_vec()]);
    assert_eq!(bodies_at(&data, 1, budget(10, 10)).await, [large]);
    assert_eq!(bodies_at(&data, 2, budget(10, 10)).await, [b"b".to_vec()]);
}

#[tokio::test]
async fn memory_stays_within_its_bound() {
    let (mut writer, data) = Spool::with_memory(Kind::Bytes, 200_000);
    for _ in 0..100 {
        writer.push(&[1; 40_000]).expect("space");
    }
    let (memory, capacity) = data.shared.log.lock().memory();
    assert!(memory <= 200_000 + 2 * 65_536, "{memory} bytes in memory");
    assert!(capacity <= 2 * 2 * 65_536, "{capacity} in the tail");
}

#[tokio::test]
async fn a_reader_at_the_end_waits_for_the_next_element() {
    let (mut writer, data) = Spool::items();
    assert!(data.read_now(Position::ZERO, ALL).is_none());
    for n in 0..3 {
        let mut waiting = std::pin::pin!(data.read_at(at(n), ALL));
        assert!(matches!(futures::poll!(&mut waiting), Poll::Pending));
        writer.push(&body(n)).expect("space");
        let Ok(Fetched::Some(chunk)) = waiting.await else { panic!("it is there") };
        assert_eq!(chunk.elements(), 1);
    }
    let mut waiting = std::pin::pin!(data.read_at(at(3), ALL));
    assert!(matches!(futures::poll!(&mut waiting), Poll::Pending));
    writer.finish();
    assert!(matches!(waiting.await, Ok(Fetched::Nothing)));
    assert!(matches!(data.read_now(at(3), ALL), Some(Ok(Fetched::Nothing))));
}

#[tokio::test]
async fn a_read_that_is_dropped_loses_nothing() {
    let (mut writer, data) = Spool::items();
    {
        let mut waiting = std::pin::pin!(data.read_at(at(0), ALL));
        assert!(matches!(futures::poll!(&mut waiting), Poll::Pending));
        writer.push(&body(0)).expect("space");
    }
    assert_eq!(bodies_at(&data, 0, ALL).await, [body(0)]);
}

#[tokio::test]
async fn changes_are_told_by_level_and_coalesced() {
    let (mut writer, data) = Spool::bytes();
    let seen = data.state().await.expect("known");
    assert_eq!((seen.bounds.len(), seen.ended), (Some(0), false));
    {
        let mut waiting = std::pin::pin!(data.changed(seen.clone()));
        assert!(matches!(futures::poll!(&mut waiting), Poll::Pending));
    }
    writer.push(b"a").expect("space");
    writer.push(b"b").expect("space");
    let grown = data.changed(seen.clone()).await;
    assert_eq!(grown.bounds.len(), Some(2));
    writer.finish();
    let ended = data.changed(grown).await;
    assert_eq!((ended.bounds.len(), ended.ended), (Some(2), true));
    assert_eq!(ended.version, seen.version, "what was handed out stays true");
    assert_eq!(data.changed(seen).await, ended, "at once for whoever is late");
}

#[tokio::test]
async fn a_failure_comes_after_the_last_element_and_is_no_end() {
    let dropped: fn(SpoolWriter) = drop;
    let failed: fn(SpoolWriter) = |writer| writer.fail("the sensor is gone");
    let stopped: fn(SpoolWriter) = |writer| writer.fail_with(&Error::new(Code::GOING_AWAY, "bye"));
    for (end, code, text) in [
        (failed, Code::SOURCE_FAILED, "the sensor is gone"),
        (dropped, Code::SOURCE_FAILED, "the producer left without finishing"),
        (stopped, Code::GOING_AWAY, "bye"),
    ] {
        let (mut writer, data) = Spool::bytes();
        writer.push(b"abc").expect("space");
        end(writer);
        assert_eq!(bytes_at(&data, 1, ALL).await, Some(b"bc".to_vec()));
        let error = read(&data, 3, ALL).await.expect_err("a failure");
        assert_eq!((error.code(), error.message()), (code, text));
        assert!(!data.state().await.expect("known").ended);
    }
}

#[tokio::test]
async fn d9_a_file_that_cannot_be_written_fails_the_sequence_and_keeps_what_was_pushed() {
    let (mut writer, data) = Spool::with_memory(Kind::Bytes, 0);
    let read_only = File::open("/dev/null").expect("there");
    data.shared.file.set(Arc::new(read_only)).expect("not created yet");
    let error = writer.push(&vec![1; 100_000]).expect_err("not writable");
    assert_eq!(error.code(), Code::STORAGE_IO);
    assert_eq!(writer.push(b"x").expect_err("it has failed").code(), Code::CLOSED);
    drop(writer);
    let bytes = bytes_at(&data, 0, ALL).await.expect("kept in memory");
    assert_eq!(bytes.len(), 100_000);
    let error = read(&data, 100_000, ALL).await.expect_err("a failure");
    assert_eq!(error.code(), Code::STORAGE_IO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_in_other_tasks_see_every_element_once() {
    const TOTAL: u64 = 3_000;
    let (mut writer, data) = Spool::with_memory(Kind::Items, 100_000);
    let readers: Vec<_> = (1..4)
        .map(|step| {
            let data = data.clone();
            tokio::spawn(async move {
                let mut place = 0;
                while let Some(chunk) = read(&data, place, budget(5_000 * step, 100)).await? {
                    let Chunk::Items(batch) = chunk else { panic!("entities") };
                    for got in batch.iter() {
                        assert_eq!(got, body(place));
                        place += 1;
                    }
                }
                Ok::<u64, Error>(place)
            })
        })
        .collect();
    for n in 0..TOTAL {
        writer.push(&body(n)).expect("space");
        if n % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    writer.finish();
    for reader in readers {
        assert_eq!(reader.await.expect("no panic").expect("no failure"), TOTAL);
    }
}

#[tokio::test]
async fn places_behind_the_end_are_out_of_range_and_modes_may_grow() {
    let (mut writer, data) = Spool::bytes();
    writer.push(b"abc").expect("space");
    let error = read(&data, 4, ALL).await.expect_err("outside");
    assert_eq!(error.code(), Code::OUT_OF_RANGE);
    let offers = data.offers();
    assert!(offers.mode(offers.required | Flags::SEEK).is_ok());
    assert!(offers.mode(offers.required | Flags::FIXED_DATA).is_err());
}

#[test]
fn the_file_has_no_name_and_is_its_owners_only() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().expect("temp dir");
    let file = nameless_file(dir.path()).expect("space");
    let meta = file.metadata().expect("open");
    assert_eq!((meta.nlink(), meta.mode() & 0o777), (0, 0o600));
    assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 0);
}

#[test]
fn a_spool_may_say_of_what_type_its_entities_are() {
    let (_writer, text) = Spool::items_of::<String>();
    assert_eq!(text.schema(), String::schema());
    assert_eq!(Spool::items().1.schema(), None);
    assert_eq!(Spool::items_of::<farlens_wire::Entity>().1.schema(), None);
}
