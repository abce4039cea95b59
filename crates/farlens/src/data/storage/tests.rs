use super::{
    double::{Double, failing},
    *,
};
use parking_lot::Mutex;
use std::io::ErrorKind::{
    FileTooLarge, Interrupted, InvalidData, QuotaExceeded, StorageFull, Unsupported, WouldBlock,
};

fn double(cached: &[io::ErrorKind], read: &[io::ErrorKind]) -> Double {
    Double {
        content: Mutex::new((0..=255).collect()),
        cached: failing(cached),
        reads: failing(read),
        ..Double::default()
    }
}

#[test]
fn what_the_cache_does_not_hold_is_left_to_the_pool() {
    for error in [WouldBlock, Unsupported] {
        assert!(read_cached(&double(&[error], &[]), 0, 10).is_none());
    }
    assert!(read_cached(&double(&[], &[]), 256, 10).is_none(), "the end");
}

#[tokio::test]
async fn d11_interruptions_are_retried_and_failures_reported() {
    let file = double(&[Interrupted, Interrupted], &[Interrupted, InvalidData]);
    let cached = read_cached(&file, 250, 99).expect("in memory").expect("no failure");
    assert_eq!(cached, Vec::from_iter(250..=255));
    let file: Arc<dyn Storage> = Arc::new(file);
    let error = read_blocking(&file, 0, 10).await.expect_err("the second try fails");
    assert_eq!(error.code(), Code::STORAGE_IO);
    let failed = double(&[InvalidData], &[]);
    let error = read_cached(&failed, 0, 1).expect("known").expect_err("a failure");
    assert_eq!(error.code(), Code::STORAGE_IO);
}

#[tokio::test]
async fn d11_short_reads_are_joined_where_all_is_needed() {
    let file: Arc<dyn Storage> = Arc::new(Double { short: 7, ..double(&[], &[Interrupted]) });
    let bytes = read_exactly(&file, 1, 100).await.expect("all there");
    assert_eq!(bytes, Vec::from_iter(1..=100));
    let error = read_exactly(&file, 200, 100).await.expect_err("56 bytes are there");
    assert_eq!(error.code(), Code::STORAGE_IO);
}

#[test]
fn a_real_file_in_the_cache_is_read_at_once() {
    use std::io::Write;
    let mut file = tempfile::tempfile().expect("temp dir");
    file.write_all(&[5; 100_000]).expect("space");
    if let Some(bytes) = read_cached(&file, 10, usize::MAX) {
        assert_eq!(bytes.expect("readable"), vec![5; CACHED_READ_BYTES]);
    }
    assert_eq!(Storage::stat(&file).expect("open").size, 100_000);
}

#[test]
fn short_writes_are_joined_and_interruptions_retried() {
    let writes = failing(&[Interrupted, Interrupted]);
    let file = Double { short: 7, writes, ..Double::default() };
    let bytes: Vec<u8> = (0..100).collect();
    assert_eq!(write_most(&file, &bytes, 3).expect("room"), 100);
    assert_eq!(file.content.lock()[3..], bytes);
}

#[test]
fn a_write_that_stops_half_way_reports_what_was_stored() {
    let file = Double { short: 7, room: 10, ..Double::default() };
    assert_eq!(write_most(&file, &[1; 100], 0).expect("some fit"), 10);
    let error = write_most(&file, &[1; 90], 10).expect_err("full");
    assert_eq!(error.code(), Code::STORAGE_FULL);
    let writes = Mutex::new(vec![None, Some(InvalidData)]);
    let file = Double { short: 7, writes, ..Double::default() };
    assert_eq!(write_most(&file, &[1; 100], 0).expect("some were stored"), 7);
}

#[test]
fn want_of_room_is_told_from_other_failures() {
    for (kind, code) in [
        (StorageFull, Code::STORAGE_FULL),
        (QuotaExceeded, Code::STORAGE_FULL),
        (FileTooLarge, Code::STORAGE_FULL),
        (InvalidData, Code::STORAGE_IO),
    ] {
        let file = Double { writes: failing(&[kind]), ..Double::default() };
        assert_eq!(write_most(&file, &[1], 0).expect_err("a failure").code(), code);
    }
}
