use super::split::LINE_BYTES;
use super::*;
use farlens_proto::Chunk;
use farlens_wire::{Bounds, Code, Element, Limits};
use std::{fs, io::Write};

/// The longest that anything may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Woken by the system with a net too wide to help, and by the clock alone.
const PACES: [Pace; 2] = [
    Pace { poll: Duration::from_millis(20), net: DEADLINE, notified: true },
    Pace { poll: Duration::from_millis(5), net: DEADLINE, notified: false },
];

const ALL: ReadBudget = ReadBudget { bytes: 1 << 20, elements: u64::MAX };

fn at(n: u64) -> Position {
    Position::new(n).expect("small")
}

fn append(path: &Path, content: &[u8]) {
    let mut file =
        fs::OpenOptions::new().append(true).create(true).open(path).expect("a place to write");
    file.write_all(content).expect("space");
}

fn texts(fetched: Fetched) -> Vec<String> {
    let Fetched::Some(Chunk::Items(batch)) = fetched else { return Vec::new() };
    batch.iter().map(|body| Element::decode(body, &Limits::default()).expect("a text")).collect()
}

/// The lines as a link reads them: on the spot if possible, otherwise waiting.
async fn read(lines: &OpenLines, from: u64, budget: ReadBudget) -> Vec<String> {
    let answer = match lines.read_now(at(from), budget) {
        Some(answer) => answer,
        None => lines.read_at(at(from), budget).await,
    };
    texts(answer.expect("readable"))
}

/// All lines from a place on.
async fn rest(lines: &OpenLines, from: u64) -> Vec<String> {
    let mut got = Vec::new();
    loop {
        let more = read(lines, from + got.len() as u64, ALL).await;
        if more.is_empty() {
            return got;
        }
        got.extend(more);
    }
}

async fn until(lines: &OpenLines, enough: impl Fn(u64, u64) -> bool) {
    let waiting = async {
        let mut state = lines.state().await.expect("known in time");
        loop {
            let Bounds { start: Some(start), end: Some(end) } = state.bounds else {
                panic!("both ends are known");
            };
            if enough(start.get(), end.get()) {
                return;
            }
            state = lines.changed(state).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("it changes in time");
}

async fn until_end(lines: &OpenLines, end: u64) {
    until(lines, |_, now| now == end).await;
}

/// A file with `content` in a directory of its own.
fn sample(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("log");
    append(&path, content);
    (dir, path)
}

fn followed(path: &Path, pace: Pace) -> OpenLines {
    LogLines::follow(path).pace(pace).open().expect("there")
}

/// Line n, of a length that depends on n.
fn line(n: u64) -> String {
    let length = usize::try_from(n * 7 % 300).expect("small");
    format!("{n} {}", "x".repeat(length))
}

#[tokio::test]
async fn a_fixed_file_is_read_from_any_line() {
    const TOTAL: u64 = 5_000;
    let content: String = (0..TOTAL).map(|n| line(n) + "\n").collect();
    let (_dir, path) = sample(content.as_bytes());
    let lines = LogLines::read_only(&path).open().expect("there");
    let state = lines.state().await.expect("readable");
    assert_eq!((state.bounds, state.ended), (Bounds::up_to(at(TOTAL)), true));
    append(&path, b"not part of it\n");
    for from in [0, 1, 255, 256, 257, 1_000, 4_999] {
        for (bytes, elements) in [(1, 9), (2_000, 9), (100_000, 3), (1 << 20, u64::MAX)] {
            let got = read(&lines, from, ReadBudget { bytes, elements }).await;
            let encoded: usize = got.iter().map(|text| text.len() + 2).sum();
            assert!(!got.is_empty() && got.len() as u64 <= elements);
            assert!(got.len() == 1 || encoded <= bytes, "{encoded} bytes of {bytes}");
            for (n, text) in (from..).zip(got) {
                assert_eq!(text, line(n));
            }
        }
    }
    let all = rest(&lines, 0).await;
    assert_eq!(all, (0..TOTAL).map(line).collect::<Vec<_>>());
    let outside = lines.read_at(at(TOTAL + 1), ALL).await.expect_err("outside");
    assert_eq!(outside.code(), Code::OUT_OF_RANGE);
}

#[tokio::test]
async fn the_last_line_of_a_fixed_file_needs_no_newline() {
    for (content, expected) in [
        ("", &[][..]),
        ("\n", &[""]),
        ("a", &["a"]),
        ("a\r\nb\n\nc", &["a", "b", "", "c"]),
        ("a\rb\r\r\n", &["a\rb\r"]),
    ] {
        let (_dir, path) = sample(content.as_bytes());
        let lines = LogLines::read_only(&path).open().expect("there");
        assert_eq!(rest(&lines, 0).await, expected, "{content:?}");
        assert!(lines.state().await.expect("readable").ended);
    }
}

#[tokio::test]
async fn a_reader_waits_until_the_lines_of_the_beginning_are_known() {
    let (_dir, path) = sample(b"a\nb\n");
    let lines = LogLines::follow(&path).pace(PACES[1]).open().expect("there");
    // The splitter has not had its turn yet.
    assert!(lines.read_now(at(0), ALL).is_none() && lines.state_now().is_none());
    let first = tokio::time::timeout(DEADLINE, lines.read_at(at(0), ALL)).await;
    assert_eq!(texts(first.expect("in time").expect("readable")), ["a", "b"]);
    assert_eq!(lines.state().await.expect("readable").bounds, Bounds::up_to(at(2)));
    assert!(matches!(lines.read_now(at(2), ALL), Some(Ok(Fetched::Nothing))));
}

#[tokio::test]
async fn what_is_no_text_is_replaced_and_what_is_too_long_is_cut() {
    let long = "y".repeat(2 * LINE_BYTES + 10);
    let content = [b"a\xffb\n", long.as_bytes(), b"\nend\n"].concat();
    let (_dir, path) = sample(&content);
    let lines = LogLines::read_only(&path).open().expect("there");
    let got = rest(&lines, 0).await;
    assert_eq!(got[0], "a\u{fffd}b");
    let lengths: Vec<_> = got.iter().map(String::len).collect();
    assert_eq!(lengths, [5, LINE_BYTES, LINE_BYTES, 10, 3]);
    for from in 1..5 {
        let budget = ReadBudget { bytes: 1, elements: 1 };
        assert_eq!(read(&lines, from, budget).await.len(), 1, "from {from}");
    }
}

#[tokio::test]
async fn a_line_counts_once_it_is_whole() {
    for pace in PACES {
        let (dir, path) = sample(b"one\ntw");
        let lines = followed(&path, pace);
        assert_eq!(lines.state().await.expect("readable").bounds, Bounds::up_to(at(1)));
        append(&path, b"o\nthr");
        until_end(&lines, 2).await;
        assert_eq!(rest(&lines, 0).await, ["one", "two"]);
        // The end of the file ends its last line.
        fs::rename(&path, dir.path().join("old")).expect("same directory");
        append(&path, b"four\n");
        until_end(&lines, 4).await;
        assert_eq!(rest(&lines, 1).await, ["two", "thr", "four"]);
    }
}

#[tokio::test]
async fn lines_survive_ten_rotations_by_renaming() {
    for pace in PACES {
        let (dir, path) = sample(b"");
        let lines = followed(&path, pace);
        let mut got = Vec::new();
        for round in 0..10 {
            let content: String = (0..300).map(|n| line(round * 301 + n) + "\n").collect();
            append(&path, content.as_bytes());
            // The next rotation has to come after this file took over.
            until_end(&lines, round * 301 + 300).await;
            let old = dir.path().join(round.to_string());
            fs::rename(&path, &old).expect("same directory");
            append(&old, line(round * 301 + 300).as_bytes());
            append(&path, b"");
            got.extend(rest(&lines, got.len() as u64).await);
        }
        until_end(&lines, 3_010).await;
        got.extend(rest(&lines, got.len() as u64).await);
        assert_eq!(got, (0..3_010).map(line).collect::<Vec<_>>());
        let start = lines.state().await.expect("known").bounds.start;
        assert_eq!(start, Some(at(6 * 301)), "ten old files were there, and four are kept");
        assert_eq!(read(&lines, 6 * 301, ALL).await[0], line(6 * 301));
    }
}

#[tokio::test]
async fn lines_survive_ten_rotations_by_cutting() {
    for pace in PACES {
        let (_dir, path) = sample(b"");
        let lines = followed(&path, pace);
        let mut got = Vec::new();
        for round in 0..10 {
            let content: String = (0..300).map(|n| line(round * 300 + n) + "\n").collect();
            append(&path, content.as_bytes());
            until_end(&lines, round * 300 + 300).await;
            // What is not read before the cut is lost.
            got.extend(rest(&lines, got.len() as u64).await);
            fs::OpenOptions::new().write(true).truncate(true).open(&path).expect("there");
            until(&lines, |start, _| start == round * 300 + 300).await;
        }
        assert_eq!(got, (0..3_000).map(line).collect::<Vec<_>>());
        assert_eq!(lines.state().await.expect("known").bounds.len(), Some(0));
    }
}

#[tokio::test]
async fn a_part_of_a_line_that_is_cut_off_leaves_a_gap() {
    for pace in PACES {
        let (_dir, path) = sample(b"one\ntw");
        let lines = followed(&path, pace);
        assert_eq!(rest(&lines, 0).await, ["one"]);
        fs::write(&path, b"3\n").expect("space");
        until(&lines, |start, end| (start, end) == (2, 3)).await;
        assert!(read(&lines, 1, ALL).await.is_empty(), "its line is lost");
        assert_eq!(rest(&lines, 2).await, ["3"]);
    }
}

#[tokio::test]
async fn a_writer_in_another_thread_is_read_line_by_line() {
    const TOTAL: u64 = 5_000;
    for pace in PACES {
        let (_dir, path) = sample(b"");
        let lines = followed(&path, pace);
        let writer = std::thread::spawn(move || {
            for n in 0..TOTAL {
                let line = line(n) + "\n";
                let (head, tail) = line.as_bytes().split_at(line.len() / 2);
                append(&path, head);
                append(&path, tail);
            }
        });
        let mut got = Vec::new();
        while (got.len() as u64) < TOTAL {
            let place = got.len() as u64;
            until(&lines, |_, end| end > place).await;
            got.extend(rest(&lines, place).await);
        }
        writer.join().expect("no panic");
        assert_eq!(got, (0..TOTAL).map(line).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_splitting_ends_with_the_last_handle() {
    let (_dir, path) = sample(b"a\n");
    let file = LogLines::follow(&path).pace(PACES[0]);
    let lines = file.open().expect("there");
    let second = file.open().expect("there");
    assert!(Arc::ptr_eq(&lines.lines, &second.lines));
    until_end(&lines, 1).await;
    let shared = Arc::downgrade(&lines.lines);
    drop((file, lines, second));
    let gone = async {
        while shared.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.expect("the task is gone, too");
}

#[tokio::test]
async fn a_fixed_file_that_is_cut_has_a_gap_and_not_an_early_end() {
    let (_dir, path) = sample(b"a\nb\nc\n");
    let lines = LogLines::read_only(&path).open().expect("there");
    assert_eq!(rest(&lines, 0).await, ["a", "b", "c"]);
    fs::write(&path, b"a\n").expect("space");
    assert!(read(&lines, 1, ALL).await.is_empty());
    let bounds = lines.state().await.expect("readable").bounds;
    assert_eq!(bounds, Bounds { start: Some(at(3)), end: Some(at(3)) });
}

#[test]
fn d11_failing_storage_is_reported_until_it_is_well_again() {
    let lines = Lines::new(Arc::new(super::super::log_file::Log::unreadable(10)));
    assert!(lines.settled_state().is_none());
    let failure = lines.split().err().expect("a failure");
    lines.judge(Some(&failure));
    let state = lines.settled_state().expect("known").expect_err("a failure");
    let Answer::Known(Err(read)) = lines.find(at(0)) else { panic!("nothing can be read") };
    assert_eq!((state.code(), read.code()), (Code::STORAGE_IO, Code::STORAGE_IO));
    lines.judge(None);
    assert!(matches!(lines.find(at(0)), Answer::Later));
}

#[tokio::test]
async fn what_a_read_gives_is_measured_as_it_is_encoded() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("log");
    // Three bytes where there was one, and a length before each line.
    append(&path, &b"\xff\xff\xff\n".repeat(100));
    let lines = LogLines::read_only(&path).open().expect("there");
    until(&lines, |_, end| end == 100).await;
    for bytes in 1..200 {
        let budget = ReadBudget { bytes, elements: u64::MAX };
        let Fetched::Some(chunk) = lines.read_at(at(0), budget).await.expect("readable") else {
            panic!("lines are there");
        };
        let fits = chunk.cost() <= bytes || chunk.elements() == 1;
        assert!(fits, "{} bytes for {bytes}", chunk.cost());
    }
}
