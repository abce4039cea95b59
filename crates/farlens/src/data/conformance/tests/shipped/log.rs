//! Files that are appended to and rotated, as bytes and as lines.

use super::*;
use crate::data::{LogFile, LogLines, OpenLines, OpenLog, StreamerData, log_file::Pace};
use farlens_wire::Bounds;
use std::{fs, io::Write, path::PathBuf, time::Duration};
use tempfile::TempDir;

/// Looks by the clock alone, which stands still while a look is under way.
const PACE: Pace =
    Pace { poll: Duration::from_millis(5), net: Duration::from_millis(5), notified: false };

/// Long enough for a file to be noticed and to take over.
const A_WHILE: Duration = Duration::from_millis(50);

/// How a log loses its start.
#[derive(Clone, Copy)]
enum Loss {
    /// The file is cut, and all is lost that it had.
    Cut,
    /// Newer files take its place.
    Rotation,
}

/// The folder of a log whose elements are written in some form.
struct Folder {
    folder: TempDir,
    form: fn(u64) -> Vec<u8>,
}

impl Folder {
    fn new(form: fn(u64) -> Vec<u8>) -> Self {
        Self { folder: TempDir::new().expect("temporary folders can be made"), form }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn append(&self, numbers: Range<u64>) {
        let content: Vec<u8> = numbers.flat_map(self.form).collect();
        let file = fs::OpenOptions::new().append(true).create(true).open(self.path());
        file.expect("possible").write_all(&content).expect("it is small");
    }

    fn cut(&self) {
        fs::File::create(self.path()).expect("possible");
    }

    /// Puts another file in the place of the log's, once that is known.
    async fn rotate(&self, numbers: Range<u64>) {
        tokio::time::sleep(A_WHILE).await;
        fs::rename(self.path(), self.folder.path().join("old")).expect("it is there");
        self.append(numbers);
        tokio::time::sleep(A_WHILE).await;
    }

    /// The log is in two files where it may be rotated.
    async fn fill(&self, data: &impl StreamerData, elements: u64, loss: Loss) {
        match loss {
            Loss::Cut => self.append(elements / 2..elements),
            Loss::Rotation => self.rotate(elements / 2..elements).await,
        }
        reaches(data, |_, end| end >= elements).await;
    }

    async fn grow(&self, data: &impl StreamerData, numbers: Range<u64>) {
        let (_, before) = bounds(data.state().await.expect("known").bounds);
        let end = before + numbers.end - numbers.start;
        self.append(numbers);
        reaches(data, |_, now| now >= end).await;
    }

    async fn evict(&self, data: &impl StreamerData, before: Position, loss: Loss) {
        match loss {
            Loss::Cut => self.cut(),
            Loss::Rotation => {
                for _ in 0..4 {
                    self.rotate(0..0).await;
                }
            }
        }
        reaches(data, |start, _| start >= before.get()).await;
    }
}

fn bounds(bounds: Bounds) -> (u64, u64) {
    let Bounds { start: Some(start), end: Some(end) } = bounds else {
        panic!("both ends are known");
    };
    (start.get(), end.get())
}

/// Waits until what happened to the file is known.
async fn reaches(data: &impl StreamerData, enough: impl Fn(u64, u64) -> bool) {
    let mut state = data.state().await.expect("known");
    loop {
        let (start, end) = bounds(state.bounds);
        if enough(start, end) {
            return;
        }
        state = data.changed(state).await;
    }
}

struct Bytewise(Loss);

impl Subject for Bytewise {
    type Data = OpenLog;
    type Keep = Folder;

    async fn make(&self, elements: u64) -> (OpenLog, Folder) {
        let folder = Folder::new(|n| vec![byte_at(n)]);
        folder.append(0..elements / 2);
        let data = LogFile::follow(folder.path()).pace(PACE).open().expect("it is there");
        folder.fill(&data, elements, self.0).await;
        (data, folder)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }

    async fn grow(&self, data: &OpenLog, folder: &mut Folder, numbers: Range<u64>) -> bool {
        folder.grow(data, numbers).await;
        true
    }

    async fn evict(&self, data: &OpenLog, folder: &mut Folder, before: Position) -> bool {
        folder.evict(data, before, self.0).await;
        true
    }
}

#[tokio::test(start_paused = true)]
async fn logs_conform() {
    for loss in [Loss::Cut, Loss::Rotation] {
        let report = check_on_disk(&Bytewise(loss)).await;
        assert!(passed(&report) >= 25);
        assert!(has_passed(&report, "changed_tells_of_eviction"));
    }
}

/// A line of up to 60 bytes that depends on its number alone.
fn text(n: u64) -> String {
    format!("{n} {}", "=".repeat(usize::from(byte_at(n) % 40)))
}

fn line(n: u64) -> Vec<u8> {
    format!("{}\n", text(n)).into_bytes()
}

struct ByLines {
    /// Nothing where the lines are those that the file has now.
    followed: Option<Loss>,
}

impl Subject for ByLines {
    type Data = OpenLines;
    type Keep = Folder;

    async fn make(&self, elements: u64) -> (OpenLines, Folder) {
        let folder = Folder::new(line);
        folder.append(0..elements / 2);
        let Some(loss) = self.followed else {
            folder.append(elements / 2..elements);
            return (LogLines::read_only(folder.path()).open().expect("it is there"), folder);
        };
        let data = LogLines::follow(folder.path()).pace(PACE).open().expect("it is there");
        folder.fill(&data, elements, loss).await;
        (data, folder)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        let mut encoded = Vec::new();
        farlens_wire::Element::encode(&text(n), &mut encoded).expect("text can be encoded");
        encoded
    }

    async fn grow(&self, data: &OpenLines, folder: &mut Folder, numbers: Range<u64>) -> bool {
        if self.followed.is_some() {
            folder.grow(data, numbers).await;
        }
        self.followed.is_some()
    }

    async fn evict(&self, data: &OpenLines, folder: &mut Folder, before: Position) -> bool {
        if let Some(loss) = self.followed {
            folder.evict(data, before, loss).await;
        }
        self.followed.is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn lines_conform() {
    for loss in [Loss::Cut, Loss::Rotation] {
        let report = check_on_disk(&ByLines { followed: Some(loss) }).await;
        assert!(passed(&report) >= 25);
        assert!(has_passed(&report, "changed_tells_of_eviction"));
    }
}

#[tokio::test(start_paused = true)]
async fn lines_of_a_file_as_it_is_conform() {
    let report = check_on_disk(&ByLines { followed: None }).await;
    assert!(passed(&report) >= 20);
    assert!(has_passed(&report, "ended_is_final"));
}
