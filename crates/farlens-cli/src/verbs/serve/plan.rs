//! From arguments to publications.

use super::{
    Serve,
    feed::{Feed, Input, Tap},
};
use farlens::{Code, Directory, Error, FileData, RemotePath, Result, Server, ServerBuilder, Spool};
use std::{
    ffi::{OsStr, OsString},
    net::IpAddr,
    path::{Path, PathBuf},
};

/// What will be served.
pub(super) struct Plan {
    pub(super) builder: ServerBuilder,
    /// Inputs that fill spools once the server listens.
    pub(super) feeds: Vec<Feed>,
    /// A line for each publication.
    pub(super) shown: Vec<String>,
    pub(super) notes: Vec<String>,
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
    let stdin_lines = args.jsonl && sources.iter().any(|source| matches!(source.what, What::Stdin));
    let file_lines = args.jsonl && !stdin_lines;
    let mut plan = Plan {
        builder: Server::builder(),
        feeds: Vec::new(),
        shown: Vec::new(),
        notes: Vec::new(),
    };
    let alone = sources.len() == 1;
    if args.at.is_some() && !alone {
        return Err(usage("--at needs a single PATH")
            .with_hint("several are published at /NAME each; serve one of them, or a directory"));
    }
    let mut any_lines = stdin_lines;
    for source in sources {
        let at = match &args.at {
            Some(at) => at.clone(),
            None => source.default_path(alone)?,
        };
        RemotePath::new(&at)?;
        let lines = match source.what {
            What::Stdin => stdin_lines,
            What::File(_) => file_lines && !source.follow,
            What::Directory(_) => false,
        };
        any_lines |= lines;
        plan.add(source, &at, lines)?;
    }
    if args.jsonl && !any_lines {
        return Err(usage("--jsonl needs standard input or a file that is not followed")
            .with_hint("follow one with: tail -n +1 -F FILE | farlens serve - --jsonl"));
    }
    Ok(plan)
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
    if sources.iter().filter(|source| matches!(source.what, What::Stdin)).count() > 1 {
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
    fn add(&mut self, source: Source, at: &str, lines: bool) -> Result<()> {
        let builder = std::mem::take(&mut self.builder);
        let (builder, kind) = match source.what {
            What::Directory(path) => {
                if source.follow {
                    self.notes.push(format!("{} is a directory: not followed", path.display()));
                }
                (builder.publish(at, Directory::read_only(path)?), "directory")
            }
            What::File(path) if lines => {
                (self.feed(builder, at, Input::File(path), true), "entities, from lines of JSON")
            }
            What::Stdin => {
                let kind = if lines { "entities, from standard input" } else { "standard input" };
                (self.feed(builder, at, Input::Stdin, lines), kind)
            }
            What::File(path) => {
                let kind = if source.follow { "file, followed" } else { "file" };
                (builder.publish(at, FileData::read_only(path).follow(source.follow)), kind)
            }
        };
        self.builder = builder;
        self.shown.push(format!("{at}  ({kind})"));
        Ok(())
    }

    fn feed(
        &mut self,
        builder: ServerBuilder,
        at: &str,
        input: Input,
        lines: bool,
    ) -> ServerBuilder {
        let (writer, data) = if lines { Spool::items() } else { Spool::bytes() };
        self.feeds.push(Feed { path: at.to_owned(), input, lines, tap: Tap::new(writer) });
        builder.publish(at, data)
    }
}

fn usage(text: &str) -> Error {
    Error::new(Code::USAGE, text)
}
