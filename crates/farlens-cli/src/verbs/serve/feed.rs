//! Fills what is published live from an input, on a thread of its own: bytes as they come, or lines
//! as entities.

use crate::input::{Form, Lines, Next, unreadable};
use farlens::{Code, Element, Entity, Error, Publication, Result, Spool, Topic, data::SpoolWriter};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Bytes of a byte stream that are taken at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// Where the content comes from.
#[derive(Debug)]
pub(super) enum Input {
    Stdin,
    File(PathBuf),
}

/// What is published live, and what will be in it.
pub(super) struct Feed {
    pub(super) path: String,
    pub(super) input: Input,
    /// What each line becomes; without one the input is bytes.
    pub(super) lines: Option<Form>,
    pub(super) tap: Tap,
}

/// Where elements go.
enum Sink {
    /// Kept whole.
    Spool(SpoolWriter),
    /// Of which the newest part is kept.
    Json(Topic<Entity>),
    Text(Topic<String>),
}

impl Sink {
    fn push(&mut self, element: &[u8]) -> Result<()> {
        match self {
            Self::Spool(writer) => writer.push(element),
            Self::Json(topic) => topic.send_encoded(element).map(drop),
            Self::Text(topic) => topic.send_encoded(element).map(drop),
        }
    }

    fn finish(self) {
        match self {
            Self::Spool(writer) => writer.finish(),
            Self::Json(topic) => topic.close(),
            Self::Text(topic) => topic.close(),
        }
    }

    fn fail(self, error: &Error) {
        match self {
            Self::Spool(writer) => writer.fail_with(error),
            Self::Json(topic) => topic.fail(error),
            Self::Text(topic) => topic.fail(error),
        }
    }
}

/// The way into what is published, which a shutdown closes while its feed waits for more input.
#[derive(Clone)]
pub(super) struct Tap(Arc<Mutex<Option<Sink>>>);

impl Tap {
    /// All that comes in, with what it is published as.
    pub(super) fn whole(lines: Option<Form>) -> (Self, Publication) {
        let (writer, data) = match lines {
            None => Spool::bytes(),
            Some(Form::Json) => Spool::items(),
            Some(Form::Text) => Spool::items_of::<String>(),
        };
        (Self::new(Sink::Spool(writer)), data.into())
    }

    /// The newest part of what comes in, with what it is published as.
    pub(super) fn newest(form: Form, keep: farlens::Keep) -> (Self, Publication) {
        match form {
            Form::Json => {
                let topic = Topic::new(keep);
                (Self::new(Sink::Json(topic.clone())), topic.into())
            }
            Form::Text => {
                let topic = Topic::new(keep);
                (Self::new(Sink::Text(topic.clone())), topic.into())
            }
        }
    }

    fn new(sink: Sink) -> Self {
        Self(Arc::new(Mutex::new(Some(sink))))
    }

    fn push(&self, element: &[u8]) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(sink) => sink.push(element),
            None => Err(going_away()),
        }
    }

    fn take(&self) -> Option<Sink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Nothing more comes in: readers who wait for more hear of the shutdown.
    pub(super) fn close(&self) {
        if let Some(sink) = self.take() {
            sink.fail(&going_away());
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
            Some(form) => {
                let lines = Lines::new(BufReader::new(reader), name, form);
                feed_lines(lines, skip_bad, skip, &tap)
            }
            None => feed_bytes(reader, &name, &tap),
        });
        match (tap.take(), &fed) {
            (Some(sink), Ok(_)) => sink.finish(),
            (Some(sink), Err(error)) => {
                sink.fail(&Error::new(Code::SOURCE_FAILED, error.message()));
            }
            (None, _) => {}
        }
        fed
    }
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
    mut lines: Lines<impl io::BufRead>,
    skip_bad: bool,
    skip: &impl Fn(&Error),
    tap: &Tap,
) -> Result<Done> {
    let mut done = Done { len: 0, skipped: 0, unit: "entities" };
    let mut body = Vec::new();
    loop {
        match lines.next()? {
            Next::End => return Ok(done),
            Next::Value(value) => {
                body.clear();
                encode(lines.form(), &value, &mut body)?;
                tap.push(&body)?;
                done.len += 1;
            }
            Next::Bad(error) if skip_bad => {
                skip(&error);
                done.skipped += 1;
            }
            Next::Bad(error) => {
                return Err(error.with_hint(
                    "each line holds one JSON value; --skip-bad leaves out what is none",
                ));
            }
        }
    }
}

/// Appends the encoding that the published type has: lines of text show no kind.
fn encode(form: Form, value: &Entity, body: &mut Vec<u8>) -> Result<()> {
    let encoded = match value {
        Entity::Text(text) if form == Form::Text => Element::encode(text, body),
        value => value.encode(body),
    };
    encoded.map_err(|error| {
        Error::new(Code::INTERNAL, "an entity cannot be encoded").with_source(error)
    })
}
