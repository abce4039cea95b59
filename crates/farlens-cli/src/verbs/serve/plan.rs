//! From arguments to publications.

use super::{
    Serve,
    feed::{Feed, Input, Tap},
    keep,
};
use crate::input::Form;
use farlens::{
    Code, Directory, Error, FileData, Keep, LogFile, LogLines, Publication, RemotePath, Result,
    Server, ServerBuilder,
};
use std::{
    ffi::{OsStr, OsString},
    net::IpAddr,
    path::{Path, PathBuf},
};

/// What will be served.
pub(super) struct Plan {
    pub(super) builder: ServerBuilder,
    change: Change,
    /// How much of standard input is kept, if not all of it.
    keep: Option<Keep>,
    /// Inputs that fill spools once the server listens.
    pub(super) feeds: Vec<Feed>,
    /// A line for each publication.
    pub(super) shown: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// What clients may change of files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Never,
    Append,
    Anywhere,
}

/// One argument.
struct Source {
    what: What,
    follow: bool,
}

enum What {
    Stdin,
    File(PathBuf),
    Directory(PathBuf),
}

/// Where to listen, with what may be left out filled in.
pub(super) fn address(text: &str) -> String {
    const PORT: u16 = farlens::Address::DEFAULT_PORT;
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{PORT}"),
        Ok(IpAddr::V4(ip)) => format!("{ip}:{PORT}"),
        Err(_) if text.starts_with(':') => format!("0.0.0.0{text}"),
        Err(_) => text.to_owned(),
    }
}

/// Judges the arguments and makes publications of them.
pub(super) fn make(args: &Serve) -> Result<Plan> {
    let sources = sources(args)?;
    let alone = sources.len() == 1;
    if args.at.is_some() && !alone {
        return Err(usage("--at needs a single PATH")
            .with_hint("several are published at /NAME each; serve one of them, or a directory"));
    }
    judge_lines(args, &sources)?;
    judge_changes(args, &sources)?;
    let change = match (args.write, args.append_only) {
        (true, _) => Change::Anywhere,
        (false, true) => Change::Append,
        (false, false) => Change::Never,
    };
    let mut plan = Plan {
        builder: Server::builder(),
        change,
        keep: keep::all(&args.keep),
        feeds: Vec::new(),
        shown: Vec::new(),
        notes: Vec::new(),
    };
    let stdin = has_stdin(&sources);
    for source in sources {
        let at = match &args.at {
            Some(at) => at.clone(),
            None => source.default_path(alone)?,
        };
        RemotePath::new(&at)?;
        let form = form(args).filter(|_| source.is_stdin() || !stdin);
        plan.add(source, &at, form)?;
    }
    Ok(plan)
}

fn has_stdin(sources: &[Source]) -> bool {
    sources.iter().any(Source::is_stdin)
}

/// What each line becomes, where lines are entities.
const fn form(args: &Serve) -> Option<Form> {
    match (args.jsonl, args.lines) {
        (true, _) => Some(Form::Json),
        (false, true) => Some(Form::Text),
        (false, false) => None,
    }
}

/// Whether there are lines where lines are asked for.
fn judge_lines(args: &Serve, sources: &[Source]) -> Result<()> {
    let stdin = has_stdin(sources);
    let fits = |source: &Source| match source.what {
        What::Stdin => true,
        What::File(_) => !(stdin || args.jsonl && source.follow),
        What::Directory(_) => false,
    };
    let any = sources.iter().any(fits);
    if args.jsonl && !any {
        return Err(usage("--jsonl needs standard input or a file that is not followed")
            .with_hint("follow one with: tail -n +1 -F FILE | farlens serve - --jsonl"));
    }
    if args.lines && !any {
        return Err(usage("--lines needs standard input or a file"));
    }
    if !args.keep.is_empty() && !(stdin && (args.jsonl || args.lines)) {
        return Err(usage("--keep needs lines of standard input")
            .with_hint("producer | farlens serve - --lines --keep 10000"));
    }
    Ok(())
}

/// Whether there is something to write where writing is allowed.
fn judge_changes(args: &Serve, sources: &[Source]) -> Result<()> {
    if !(args.write || args.append_only) {
        return Ok(());
    }
    let changeable = |source: &Source| match source.what {
        What::Stdin => false,
        // Its lines are read only.
        What::File(_) => has_stdin(sources) || form(args).is_none(),
        What::Directory(_) => true,
    };
    if sources.iter().any(changeable) {
        return Ok(());
    }
    Err(usage("--write and --append-only need a file or a directory whose bytes are published"))
}

/// All arguments, those of `--follow` included.
fn sources(args: &Serve) -> Result<Vec<Source>> {
    let named = |word: &OsString| !word.is_empty() && word != "-";
    let follow_all = args.follow.iter().any(|word| !named(word));
    // `--follow -` is the flag, and standard input behind it.
    let stdin = args.follow.iter().filter(|word| *word == "-");
    let plain = args.paths.iter().chain(stdin).map(|path| (path, follow_all));
    let followed = args.follow.iter().filter(|word| named(word)).map(|path| (path, true));
    let sources = plain.chain(followed).map(|(path, follow)| Source::new(path, follow));
    let sources = sources.collect::<Result<Vec<_>>>()?;
    if sources.is_empty() {
        return Err(usage("there is nothing to serve")
            .with_hint("name files or directories, or - for standard input"));
    }
    if sources.iter().filter(|source| source.is_stdin()).count() > 1 {
        return Err(usage("standard input can be served once only"));
    }
    Ok(sources)
}

impl Source {
    fn new(path: &OsStr, follow: bool) -> Result<Self> {
        if path == "-" {
            return Ok(Self { what: What::Stdin, follow: false });
        }
        let path = PathBuf::from(path);
        let shown = path.display();
        let metadata = std::fs::metadata(&path).map_err(|error| {
            usage(&format!("{shown} cannot be served"))
                .with_source(error)
                .with_hint("name files or directories that are there, or - for standard input")
        })?;
        let what = match metadata.file_type() {
            kind if kind.is_dir() => What::Directory(path),
            kind if kind.is_file() => What::File(path),
            _ => {
                return Err(usage(&format!("{shown} is neither a file nor a directory"))
                    .with_hint(format!("pipe it in: farlens serve - < {shown}")));
            }
        };
        Ok(Self { what, follow })
    }

    const fn is_stdin(&self) -> bool {
        matches!(self.what, What::Stdin)
    }

    /// Where it stands unless it is told otherwise.
    fn default_path(&self, alone: bool) -> Result<String> {
        match &self.what {
            What::Stdin => Ok("/stdin".to_owned()),
            What::Directory(_) if alone => Ok("/".to_owned()),
            What::Directory(path) | What::File(path) => Ok(format!("/{}", name_of(path)?)),
        }
    }
}

/// The last component of a path, also where that is written as `.` or `..`.
fn name_of(path: &Path) -> Result<String> {
    let name = match path.file_name() {
        Some(name) => Some(name.to_owned()),
        None => path.canonicalize().ok().and_then(|path| path.file_name().map(OsStr::to_owned)),
    };
    name.and_then(|name| name.into_string().ok()).ok_or_else(|| {
        usage(&format!("{} has no name in UTF-8 to be published at", path.display()))
            .with_hint("serve it alone, with --at /NAME")
    })
}

impl Plan {
    fn add(&mut self, source: Source, at: &str, form: Option<Form>) -> Result<()> {
        let follow = source.follow;
        let (publication, kind) = match (source.what, form) {
            (What::Directory(path), _) => {
                if follow {
                    self.notes.push(format!("{} is a directory: not followed", path.display()));
                }
                let writable = self.change != Change::Never;
                let append_only = self.change == Change::Append;
                let directory =
                    Directory::read_only(path)?.writable(writable).append_only(append_only);
                (directory.into(), "directory")
            }
            (What::Stdin, Some(form)) => {
                (self.feed(at, Input::Stdin, Some(form)), "entities, from standard input")
            }
            (What::Stdin, None) => (self.feed(at, Input::Stdin, None), "standard input"),
            (What::File(path), Some(Form::Json)) if !follow => {
                let input = Input::File(path);
                (self.feed(at, input, Some(Form::Json)), "entities, from lines of JSON")
            }
            (What::File(path), Some(Form::Text)) if follow => {
                (LogLines::follow(path).into(), "lines of a log, followed")
            }
            (What::File(path), Some(Form::Text)) => {
                (LogLines::read_only(path).into(), "lines of a file")
            }
            (What::File(path), _) => self.bytes(path, follow),
        };
        self.builder = std::mem::take(&mut self.builder).publish(at, publication);
        self.shown.push(format!("{at}  ({kind})"));
        Ok(())
    }

    /// The bytes of a file. Only what nobody writes here may be rotated.
    fn bytes(&self, path: PathBuf, follow: bool) -> (Publication, &'static str) {
        match (self.change, follow) {
            (Change::Never, true) => (LogFile::follow(path).into(), "log, followed"),
            (Change::Never, false) => (FileData::read_only(path).into(), "file"),
            (Change::Append, _) => {
                let file = FileData::read_write(path).append_only().follow(follow);
                (file.into(), "file, to read and add to")
            }
            (Change::Anywhere, _) => {
                let file = FileData::read_write(path).follow(follow);
                (file.into(), "file, to read and write")
            }
        }
    }

    fn feed(&mut self, at: &str, input: Input, lines: Option<Form>) -> Publication {
        let (tap, publication) = match (lines, self.keep) {
            (Some(form), Some(keep)) if matches!(input, Input::Stdin) => Tap::newest(form, keep),
            _ => Tap::whole(lines),
        };
        self.feeds.push(Feed { path: at.to_owned(), input, lines, tap });
        publication
    }
}

fn usage(text: &str) -> Error {
    Error::new(Code::USAGE, text)
}
