//! `farlens put`: bytes or entities from a file or standard input to where a target leads.

mod content;
mod entities;
mod source;

use crate::{args::Global, connect, exit::Exit, number::parse_count, output, signals::Signals};
use farlens::{Code, EntryKind, Error, ErrorKind, Kind, Link, Position, RemotePath, Result};
use serde::Serialize;
use source::Source;
use std::path::PathBuf;

/// Write a file or standard input to a target: in place of its content, or somewhere in it.
///
/// Without --at and --append the whole content is replaced. Of a file nothing changes before
/// everything has arrived; an interrupted put leaves the old content. With --at and --append what
/// was written before an interruption stays. It succeeds only when everything is durable.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Put {
    /// A URL or a ticket, perhaps with a path behind it.
    #[arg(value_name = "TARGET")]
    target: String,
    /// What to write; - or nothing is standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write from this position on and leave the rest as it is: 4096, 0x1000 or 8M.
    #[arg(long, value_name = "OFFSET", value_parser = parse_count)]
    at: Option<u64>,
    /// Add at the end as it is then.
    #[arg(long, conflicts_with = "at")]
    append: bool,
    /// Fail where nothing is.
    #[arg(long)]
    no_create: bool,
    /// Add each line as an entity, written as JSON.
    #[arg(long, conflicts_with_all = ["lines", "at"])]
    jsonl: bool,
    /// Add each line as an entity, a text.
    #[arg(long, conflicts_with = "at")]
    lines: bool,
    /// Read the input, and say what would be written. Whether there is room, and whether a file
    /// that is not there may be made, shows only when it is written.
    #[arg(long)]
    dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  farlens put TICKET/ct.raw ct.raw              all of it, at once
  tar c scans | farlens put TICKET/scans.tar
  farlens put TICKET/disk.img patch --at 8M     in place
  date | farlens put TICKET/app.log --append
  producer | farlens put TICKET/events --jsonl
";

/// What is done to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Replace,
    Write,
    Append,
}

/// What was written.
#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    action: Action,
    /// Where it begins; nothing where only the peer knows.
    at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entities: Option<u64>,
    /// How sure it is: durable, or nothing where nothing was written.
    level: Option<&'static str>,
    dry_run: bool,
}

/// What came of it.
struct Done {
    action: Action,
    at: Option<Position>,
    count: u64,
}

impl Put {
    const fn action(&self) -> Action {
        match (self.at, self.append || self.jsonl || self.lines) {
            (Some(_), _) => Action::Write,
            (None, true) => Action::Append,
            (None, false) => Action::Replace,
        }
    }

    const fn writes_entities(&self) -> bool {
        self.jsonl || self.lines
    }
}

pub(crate) async fn run(global: &Global, args: &Put) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let target = connect::target(global, Some(&args.target))?;
    let source = Source::open(args.file.as_deref())?;
    let link = connect::link(global, &target).await?;
    let path = target.path();
    let work = async {
        match args.dry_run {
            true => dry_run(args, &link, path, source).await,
            false if args.writes_entities() => entities::write(args, &link, path, source).await,
            false => content::write(args, &link, path, source).await,
        }
    };
    let done = tokio::select! {
        biased;
        // What is not finished is given up with the link.
        exit = signals.next() => return Ok(exit),
        done = work => done?,
    };
    tell(global, args, path, &done);
    Ok(Exit::OK)
}

/// Says what would be written; nothing is asked for but what is there.
async fn dry_run(args: &Put, link: &Link, path: &RemotePath, source: Source) -> Result<Done> {
    let entities = args.writes_entities();
    match link.stat(path.as_str()).await {
        Ok(stat) => judge(&stat, path, entities)?,
        Err(error) if error.code() == Code::NOT_FOUND && !args.no_create && !entities => {}
        Err(error) => return Err(error),
    }
    let count = match entities {
        true => entities::count(args, source).await?,
        false => source.count().await?,
    };
    let at = match args.action() {
        Action::Append => None,
        Action::Write | Action::Replace => Position::new(args.at.unwrap_or(0)),
    };
    Ok(Done { action: args.action(), at, count })
}

/// Whether what is there can be written so.
fn judge(stat: &farlens::Stat, path: &RemotePath, entities: bool) -> Result<()> {
    match (stat.entry.kind, entities) {
        (EntryKind::Directory, _) => {
            Err(connect::is_directory(path.as_str()).with_hint("name a file in it"))
        }
        (EntryKind::Object, _) => Err(connect::no_stream(path.as_str())),
        (EntryKind::Items, false) => Err(connect::wrong_kind(path.as_str(), Kind::Bytes)),
        (EntryKind::Bytes, true) => Err(connect::wrong_kind(path.as_str(), Kind::Items)),
        _ if stat.mode().is_none_or(|mode| !mode.has(farlens::Flags::WRITABLE)) => {
            Err(Error::new(Code::MODE_FORBIDS, format!("you may read {path}, not write it"))
                .with_hint(connect::WRITE_HINT))
        }
        _ => Ok(()),
    }
}

/// A failure with what was written until then: `sure` elements before the write that failed.
fn with_progress(error: Error, way: Action, unit: &str, sure: u64) -> Error {
    let text = match (way, error.applied()) {
        // Advice on a lost link is for who reads.
        (Action::Replace, _) if error.kind() == ErrorKind::Link => {
            let text = format!("{error}; unless all had arrived, the old content stays");
            return Error::new(error.code(), text).with_hint("put it again");
        }
        (Action::Replace, _) => format!("{error}; the old content stays"),
        (_, _) if error.kind() == ErrorKind::Link => {
            let text = format!("{error}; how much was written is not known");
            return Error::new(error.code(), text).with_hint("look at what is there before more");
        }
        (_, Some(applied)) => format!("{error}; {} {unit} were written before", sure + applied),
        (_, None) => return error,
    };
    in_other_words(&error, text)
}

/// The same error with another text.
fn in_other_words(error: &Error, text: String) -> Error {
    let other = Error::new(error.code(), text);
    match error.hint() {
        Some(hint) => other.with_hint(hint),
        None => other,
    }
}

fn tell(global: &Global, args: &Put, path: &RemotePath, done: &Done) {
    let entities = args.writes_entities();
    let level = (!args.dry_run).then_some("durable");
    let at = done.at.map(Position::get);
    if global.json {
        let (count, action) = (Some(done.count), done.action);
        let (bytes, entities) = if entities { (None, count) } else { (count, None) };
        let (path, dry_run) = (path.as_str(), args.dry_run);
        let line = Line { path, action, at, bytes, entities, level, dry_run };
        output::line(&output::to_json(&line));
        return;
    }
    let verb = match (done.action, args.dry_run) {
        (Action::Replace, false) => "replaced",
        (Action::Replace, true) => "would replace",
        (Action::Write, false) => "wrote",
        (Action::Write, true) => "would write",
        (Action::Append, false) => "added",
        (Action::Append, true) => "would add",
    };
    let unit = if entities { "entities" } else { "bytes" };
    let path = output::printable(path.as_str());
    let mut text = format!("{verb}  {path}  {} {unit}", done.count);
    if let Some(at) = at {
        text += &format!(" at {at}");
    }
    if let Some(level) = level {
        text += &format!("  ({level})");
    }
    output::note(global, &text);
}
