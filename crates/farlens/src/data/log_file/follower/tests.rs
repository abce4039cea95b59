use super::*;
use crate::data::log_file::{generations::Generations, log::Found};
use proptest::prelude::*;
use std::{fs, io::Write};

const PACE: Pace =
    Pace { poll: Duration::from_secs(10), net: Duration::from_secs(60), notified: false };

/// A follower whose clock is turned by hand.
struct Bench {
    dir: tempfile::TempDir,
    log: Arc<Log>,
    follower: Follower,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let log = Arc::new(Log::new(Generations::default()));
        let now = Instant::now();
        let follower = Follower::new(dir.path().join("log"), PACE, Arc::clone(&log), now);
        Self { dir, log, follower, now }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str, content: &str) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(name))
            .expect("a place to write");
        file.write_all(content.as_bytes()).expect("space");
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("same directory");
    }

    /// Looks after so many seconds.
    fn look_after(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.follower.look(self.now);
    }

    /// Looks until the present file is the one that the path leads to.
    fn settle(&mut self) {
        self.look_after(0);
        self.look_after(10);
        self.look_after(10);
    }

    /// Reads on from where `got` ends.
    fn catch_up(&self, got: &mut String) {
        while let Found::Piece(piece) = self.log.read(got.len() as u64, 1_000).expect("readable") {
            *got += std::str::from_utf8(&piece.bytes).expect("text");
        }
    }

    /// Everything that can be read, and where it begins.
    fn content(&self) -> (u64, String) {
        let mut start = self.log.start();
        let mut got = Vec::new();
        loop {
            match self.log.read(start + got.len() as u64, 7).expect("readable") {
                Found::Piece(piece) => got.extend_from_slice(&piece.bytes),
                Found::End => return (start, String::from_utf8(got).expect("text")),
                Found::Gone => (start, got) = (self.log.start(), Vec::new()),
                Found::Outside => panic!("the end is inside"),
            }
        }
    }
}

#[test]
fn a_successor_waits_until_the_old_file_was_quiet_for_one_interval() {
    let mut bench = Bench::new();
    bench.append("log", "one ");
    bench.look_after(0);
    bench.look_after(100);
    bench.rename("log", "log.1");
    bench.append("log.1", "two ");
    bench.append("log", "five ");
    bench.look_after(1);
    bench.append("log.1", "three ");
    bench.look_after(9);
    bench.look_after(9);
    assert_eq!(bench.content(), (0, "one two three ".into()), "it grew 9 seconds ago");
    bench.append("log.1", "four ");
    bench.look_after(1);
    bench.look_after(10);
    assert_eq!(bench.content(), (0, "one two three four five ".into()));
    bench.append("log.1", "too late");
    bench.append("log", "six");
    bench.look_after(1);
    assert_eq!(bench.content(), (0, "one two three four five six".into()));
}

#[test]
fn files_that_follow_one_another_quickly_are_delivered_in_order() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.append("log", &format!("{n} "));
        bench.look_after(1);
        bench.rename("log", &format!("log.{n}"));
    }
    bench.append("log", "4");
    assert_eq!(bench.content(), (0, "0 ".into()));
    for _ in 0..4 {
        bench.look_after(10);
    }
    assert_eq!(bench.content(), (0, "0 1 2 3 4".into()));
}

#[test]
fn a_writer_that_never_rests_in_an_old_file_cannot_stop_the_log() {
    let mut bench = Bench::new();
    bench.append("log", "0");
    bench.look_after(0);
    for n in 1..=OLD_GENERATIONS + 1 {
        bench.rename("log", &format!("log.{n}"));
        bench.append("log.1", "+");
        bench.append("log", &n.to_string());
        bench.look_after(1);
        let expected = format!("0{}", "+".repeat(n));
        let got = bench.content().1;
        assert!(got.starts_with(&expected), "{got}");
        assert_eq!(got.len() > expected.len(), n > OLD_GENERATIONS);
    }
}

#[test]
fn a_cut_file_goes_on_behind_what_was_known() {
    let mut bench = Bench::new();
    bench.append("log", "long content");
    bench.look_after(0);
    fs::write(bench.path("log"), "new").expect("space");
    bench.look_after(1);
    assert_eq!(bench.content(), (12, "new".into()));
    assert_eq!(bench.log.state().bounds.end.map(u64::from), Some(15));
}

#[test]
fn a_reader_may_be_the_first_to_see_a_cut() {
    let mut bench = Bench::new();
    bench.append("log", "long content");
    bench.look_after(0);
    fs::write(bench.path("log"), "new").expect("space");
    assert!(matches!(bench.log.read(1, 5), Ok(Found::Gone)), "these bytes are not the ones known");
    assert_eq!(bench.content(), (12, "new".into()));
    bench.append("log", "er");
    bench.look_after(1);
    assert_eq!(bench.content(), (12, "newer".into()));
}

#[test]
fn a_cached_read_sees_a_cut_too() {
    let mut bench = Bench::new();
    bench.append("log", "long content");
    bench.look_after(0);
    fs::write(bench.path("log"), "new").expect("space");
    let cached = bench.log.read_cached(1, 5);
    assert!(matches!(cached, None | Some(Ok(Found::Gone))), "not every file system has a cache");
}

#[test]
fn what_the_path_leads_to_meanwhile_does_no_harm() {
    let mut bench = Bench::new();
    bench.look_after(0);
    assert_eq!(bench.content(), (0, String::new()), "nothing yet");
    fs::create_dir(bench.path("log")).expect("possible");
    bench.look_after(1);
    fs::remove_dir(bench.path("log")).expect("empty");
    bench.append("log", "a");
    bench.look_after(1);
    bench.rename("log", "log.1");
    bench.look_after(100);
    bench.append("log.1", "b");
    bench.look_after(100);
    assert_eq!(bench.content(), (0, "ab".into()), "followed as long as nothing takes its place");
    std::os::unix::fs::symlink("nowhere", bench.path("log")).expect("possible");
    bench.look_after(100);
    bench.append("nowhere", "c");
    bench.look_after(1);
    bench.look_after(10);
    assert_eq!(bench.content(), (0, "abc".into()));
}

#[test]
fn a_follower_is_patient_unless_a_successor_waits() {
    let mut bench = Bench::new();
    bench.append("log", "a");
    bench.look_after(0);
    assert_eq!(bench.follower.patience(), PACE.poll);
    bench.rename("log", "log.1");
    bench.append("log", "b");
    bench.look_after(1);
    bench.look_after(4);
    assert_eq!(bench.follower.patience(), Duration::from_secs(6));
    bench.look_after(6);
    assert_eq!(bench.content(), (0, "ab".into()));
}

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
enum Event {
    Append(u8),
    /// The file is renamed, something is still appended to it, and a new one comes.
    Replace(u8),
    Cut,
    Look(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => any::<u8>().prop_map(Event::Append),
        1 => any::<u8>().prop_map(Event::Replace),
        1 => Just(Event::Cut),
        3 => (0..12u64).prop_map(Event::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A file is replaced or cut only when it was seen by the follower and by the reader.
    #[test]
    fn a_reader_that_keeps_up_gets_everything_in_order(
        events in proptest::collection::vec(event(), 0..40)
    ) {
        let mut bench = Bench::new();
        let (mut written, mut got) = (String::new(), String::new());
        bench.append("log", "");
        for (n, event) in events.into_iter().enumerate() {
            let append = |bench: &Bench, name: &str, length: u8, written: &mut String| {
                let text = format!("{n}").repeat(usize::from(length)) + ";";
                bench.append(name, &text);
                *written += &text;
            };
            match event {
                Event::Append(length) => append(&bench, "log", length, &mut written),
                Event::Look(seconds) => bench.look_after(seconds),
                Event::Replace(length) => {
                    bench.settle();
                    bench.rename("log", "old");
                    append(&bench, "old", length, &mut written);
                    bench.append("log", "");
                }
                Event::Cut => {
                    bench.settle();
                    bench.catch_up(&mut got);
                    fs::write(bench.path("log"), "").expect("space");
                    bench.look_after(0);
                }
            }
            bench.catch_up(&mut got);
        }
        bench.settle();
        bench.catch_up(&mut got);
        prop_assert_eq!(got, written);
    }
}
