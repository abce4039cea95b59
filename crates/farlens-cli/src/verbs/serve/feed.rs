//! Fills a spool from an input, on a thread of its own: bytes as they come, or lines as entities.

use crate::json;
use farlens::{Code, Entity, Error, Limits, Result, data::SpoolWriter};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// A line at most, as well as its entity: a message on the link is no larger.
const LINE_BYTES: usize = 1 << 20;
/// A line shorter than this cannot hold an entity that a reader would refuse to decode.
const SURE_BYTES: usize = 64 << 10;
/// Bytes of a byte stream that are taken at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// Where a spool's content comes from.
#[derive(Debug)]
pub(super) enum Input {
    Stdin,
    File(PathBuf),
}

/// A spool and what will be in it.
pub(super) struct Feed {
    pub(super) path: String,
    pub(super) input: Input,
    /// Whether lines of JSON become entities.
    pub(super) lines: bool,
    pub(super) tap: Tap,
}

/// The way into a spool, which a shutdown closes while its feed waits for more input.
#[derive(Clone)]
pub(super) struct Tap(Arc<Mutex<Option<SpoolWriter>>>);

impl Tap {
    pub(super) fn new(writer: SpoolWriter) -> Self {
        Self(Arc::new(Mutex::new(Some(writer))))
    }

    fn push(&self, element: &[u8]) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(writer) => writer.push(element),
            None => Err(going_away()),
        }
    }

    fn take(&self) -> Option<SpoolWriter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Nothing more comes in: readers who wait for more hear of the shutdown.
    pub(super) fn close(&self) {
        if let Some(writer) = self.take() {
            writer.fail_with(&going_away());
        }
    }
}

fn going_away() -> Error {
    Error::new(Code::GOING_AWAY, "the server is shutting down")
}

/// How a feed ended.
pub(super) struct Fed {
    pub(super) path: String,
    pub(super) outcome: Result<Done>,
}

/// What came in.
pub(super) struct Done {
    pub(super) len: u64,
    pub(super) skipped: u64,
    pub(super) unit: &'static str,
}

impl Feed {
    /// Starts the thread. Its end is told in `told`; `skip` hears of lines that are left out.
    pub(super) fn start(
        self,
        skip_bad: bool,
        skip: impl Fn(&Error) + Send + 'static,
        told: mpsc::Sender<Fed>,
    ) -> Result<()> {
        let work = move || {
            let path = self.path.clone();
            let outcome = self.run(skip_bad, &skip);
            // Nobody waits for it once the server is on its way out.
            let _ = told.blocking_send(Fed { path, outcome });
        };
        let started = std::thread::Builder::new().name("input".into()).spawn(work);
        started.map(drop).map_err(|error| {
            Error::new(Code::INTERNAL, "no thread can be started").with_source(error)
        })
    }

    fn run(self, skip_bad: bool, skip: &impl Fn(&Error)) -> Result<Done> {
        let Self { input, lines, tap, .. } = self;
        let name = match &input {
            Input::Stdin => "standard input".to_owned(),
            Input::File(path) => path.display().to_string(),
        };
        let opened: io::Result<Box<dyn Read>> = match &input {
            Input::Stdin => Ok(Box::new(io::stdin())),
            Input::File(path) => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
        };
        let fed = opened.map_err(|error| unreadable(&name, error)).and_then(|reader| match lines {
            true => feed_lines(BufReader::new(reader), &name, skip_bad, skip, &tap),
            false => feed_bytes(reader, &name, &tap),
        });
        match (tap.take(), &fed) {
            (Some(writer), Ok(_)) => writer.finish(),
            (Some(writer), Err(error)) => writer.fail(error.message()),
            (None, _) => {}
        }
        fed
    }
}

fn unreadable(name: &str, error: io::Error) -> Error {
    Error::new(Code::STORAGE_IO, format!("{name} cannot be read")).with_source(error)
}

fn feed_bytes(mut reader: impl Read, name: &str, tap: &Tap) -> Result<Done> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut len = 0;
    loop {
        match reader.read(&mut block) {
            Ok(0) => return Ok(Done { len, skipped: 0, unit: "bytes" }),
            Ok(count) => {
                tap.push(&block[..count])?;
                len += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(name, error)),
        }
    }
}

fn feed_lines(
    mut reader: impl BufRead,
    name: &str,
    skip_bad: bool,
    skip: &impl Fn(&Error),
    tap: &Tap,
) -> Result<Done> {
    let mut done = Done { len: 0, skipped: 0, unit: "entities" };
    let (mut line, mut body) = (Vec::new(), Vec::new());
    for number in 1u64.. {
        match read_line(&mut reader, &mut line) {
            Err(error) => return Err(unreadable(name, error)),
            Ok(Line::None) => break,
            Ok(Line::Whole) if line.trim_ascii().is_empty() => continue,
            Ok(Line::Whole) => match encode(&line, &mut body) {
                Ok(()) => {
                    tap.push(&body)?;
                    done.len += 1;
                    continue;
                }
                Err(why) => judge(name, number, &why, skip_bad, skip)?,
            },
            Ok(Line::TooLong) => judge(name, number, "longer than 1 MiB", skip_bad, skip)?,
        }
        done.skipped += 1;
    }
    Ok(done)
}

/// A bad line ends the input, or is reported and left out.
fn judge(name: &str, number: u64, why: &str, skip_bad: bool, skip: &impl Fn(&Error)) -> Result<()> {
    let text = format!("line {number} of {name} is bad: {why}");
    let error = Error::new(Code::BAD_INPUT, text)
        .with_hint("each line holds one JSON value; --skip-bad leaves out what is none");
    if skip_bad {
        skip(&error);
        return Ok(());
    }
    Err(error)
}

/// A line as an encoded entity, or what is wrong with it.
fn encode(line: &[u8], body: &mut Vec<u8>) -> Result<(), String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("not UTF-8, at byte {}", error.valid_up_to() + 1))?;
    let entity = json::parse_line(text).map_err(|error| error.to_string())?;
    body.clear();
    entity.encode(body).map_err(|error| error.to_string())?;
    if body.len() > LINE_BYTES {
        return Err("its entity is larger than 1 MiB".to_owned());
    }
    if line.len() > SURE_BYTES {
        let decoded = Entity::decode(body, &Limits::default());
        decoded.map_err(|error| format!("readers would refuse it: {error}"))?;
    }
    Ok(())
}

/// What came next.
enum Line {
    None,
    Whole,
    TooLong,
}

/// Reads up to the next line end, which is left out. What is beyond the bound is dropped.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let most = LINE_BYTES as u64 + 1;
    if reader.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(Line::None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Whole);
    }
    if line.len() <= LINE_BYTES {
        return Ok(Line::Whole);
    }
    reader.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<(usize, bool)> {
        let mut reader = BufReader::with_capacity(100, input);
        let mut line = Vec::new();
        let mut all = Vec::new();
        loop {
            match read_line(&mut reader, &mut line).expect("memory") {
                Line::None => return all,
                Line::Whole => all.push((line.len(), true)),
                Line::TooLong => all.push((line.len(), false)),
            }
        }
    }

    #[test]
    fn lines_end_at_their_end_or_at_the_bound() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"ab\n\nc"), [(2, true), (0, true), (1, true)]);
        let mut long = vec![b'x'; LINE_BYTES];
        long.extend(b"\ny\n");
        assert_eq!(lines(&long), [(LINE_BYTES, true), (1, true)]);
        let mut longer = vec![b'x'; LINE_BYTES + 1];
        longer.extend(b"xxx\ny\n");
        assert_eq!(lines(&longer), [(LINE_BYTES + 1, false), (1, true)]);
    }

    #[test]
    fn what_readers_would_refuse_is_a_bad_line() {
        let mut body = Vec::new();
        let wide = format!("[{}0]", "0,".repeat(100_000));
        let why = encode(wide.as_bytes(), &mut body).expect_err("too many elements");
        assert!(why.contains("refuse"), "{why}");
        let just = format!("[{}0]", "0,".repeat(SURE_BYTES / 2 - 2));
        assert!(just.len() <= SURE_BYTES);
        encode(just.as_bytes(), &mut body).expect("short enough");
        Entity::decode(&body, &Limits::default()).expect("and readable");
        let maps = format!("[{}{{}}]", "{},".repeat(SURE_BYTES / 3 - 2));
        encode(maps.as_bytes(), &mut body).expect("short enough");
        Entity::decode(&body, &Limits::default()).expect("and readable");
        let why = encode(b"\"\xff\"", &mut body).expect_err("not UTF-8");
        assert!(why.contains("byte 2"), "{why}");
    }
}
