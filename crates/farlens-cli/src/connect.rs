//! From what was typed to a link.

use crate::{args::Global, output};
use clap::Args;
use farlens::{Client, Code, EntryKind, Error, Kind, Link, Remote, Result, Target};
use std::{io::Read, path::Path};

/// What a verb works on.
#[derive(Args, Debug)]
pub(crate) struct TargetArg {
    /// A URL or a ticket, perhaps with a path behind it.
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
}

/// More than the longest ticket.
const TICKET_FILE_BYTES: u64 = 16 << 10;

/// The target that was named, or the one of `--ticket-file` or `FARLENS_TICKET`.
pub(crate) fn target(global: &Global, typed: Option<&str>) -> Result<Target> {
    match typed {
        Some(path) if path.starts_with('/') => parse(&(kept_ticket(global)? + path)),
        Some(typed) => {
            let target = parse(typed)?;
            if target.invite().is_some() {
                output::note(
                    global,
                    "warning: this ticket is a secret, and other users of this machine can see the \
                     command line; --ticket-file and FARLENS_TICKET keep it hidden (-q for silence)",
                );
            }
            Ok(target)
        }
        None => parse(&kept_ticket(global)?),
    }
}

/// Reads a target; a slash behind its path, as shells complete directories, means nothing.
fn parse(text: &str) -> Result<Target> {
    let is_url = text.split_once("://").is_some_and(|(scheme, _)| !scheme.contains('/'));
    let (before, key) = match text.split_once('#') {
        // In a URL the path ends there; behind a ticket it is a letter like others.
        Some((before, key)) if is_url => (before, Some(key)),
        _ => (text, None),
    };
    match before.strip_suffix('/') {
        Some(path) if !path.ends_with('/') => {
            Target::parse(&key.map_or_else(|| path.to_owned(), |key| format!("{path}#{key}")))
        }
        _ => Target::parse(text),
    }
}

/// The ticket that was not typed.
fn kept_ticket(global: &Global) -> Result<String> {
    if let Some(file) = &global.ticket_file {
        return read_ticket(file);
    }
    match std::env::var("FARLENS_TICKET") {
        Ok(ticket) if !ticket.trim().is_empty() => Ok(ticket.trim().to_owned()),
        _ => Err(Error::new(Code::USAGE, "no TARGET is given")
            .with_hint("name a URL or a ticket, or give one by --ticket-file or FARLENS_TICKET")),
    }
}

fn read_ticket(path: &Path) -> Result<String> {
    let unreadable = |error| {
        Error::new(Code::USAGE, format!("{} cannot be read", path.display())).with_source(error)
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(TICKET_FILE_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text.trim().to_owned())
}

/// Opens a link to a target.
pub(crate) async fn link(global: &Global, target: &Target) -> Result<Link> {
    let builder = match global.timeout {
        Some(timeout) => Client::builder().timeout(timeout),
        None => Client::builder(),
    };
    builder.connect_to(target).await
}

/// Opens a link to where an argument leads.
pub(crate) async fn open(global: &Global, arg: &TargetArg) -> Result<(Link, Target)> {
    let target = target(global, arg.target.as_deref())?;
    Ok((link(global, &target).await?, target))
}

/// The object at a path, whose calls take as long as `--timeout` says.
pub(crate) async fn object(global: &Global, link: &Link, path: &str) -> Result<Remote> {
    let object: Remote = match link.object(path).await {
        Ok(object) => object,
        Err(error) => return Err(explain_object(link, path, error).await),
    };
    Ok(match global.timeout {
        Some(timeout) => object.with_timeout(timeout),
        None => object,
    })
}

async fn explain_object(link: &Link, path: &str, error: Error) -> Error {
    let kind = link.stat(path).await.map(|stat| stat.entry.kind).ok();
    match (error.code(), kind) {
        (Code::NOT_FOUND, Some(EntryKind::Object)) => {
            let text = format!("you may see the object at {path}, and not call it");
            Error::new(Code::NOT_PERMITTED, text)
                .with_hint("ask its owner for a grant to call, or for a ticket that has one")
        }
        (Code::WRONG_KIND, Some(_)) => Error::new(Code::WRONG_KIND, format!("{path} is no object"))
            .with_hint("`farlens stat` shows what it is"),
        // Beneath a directory there are no objects, and perhaps nothing at all.
        (Code::WRONG_KIND, None) => {
            let error = Error::new(Code::NOT_FOUND, format!("nothing is published at {path}"));
            explain(link, path, error).await
        }
        _ => explain(link, path, error).await,
    }
}

/// What helps who may not write.
pub(crate) const WRITE_HINT: &str =
    "ask its owner for a ticket of `farlens serve` with --write or --append-only";

/// An error of writing elements of a kind to `path`, with what would have been possible.
pub(crate) async fn explain_write(link: &Link, path: &str, kind: Kind, error: Error) -> Error {
    match error.code() {
        Code::WRONG_KIND => {
            return is_object(link, path).await.unwrap_or_else(|| wrong_kind(path, kind));
        }
        Code::NOT_FOUND if link.list(path).await.is_ok() => {
            return is_directory(path).with_hint("name a file in it");
        }
        Code::MODE_FORBIDS => {}
        _ => return explain(link, path, error).await,
    }
    // What is refused to be written may not be of that kind either.
    let other = match kind {
        Kind::Bytes => EntryKind::Items,
        Kind::Items => EntryKind::Bytes,
    };
    match link.stat(path).await {
        Ok(stat) if stat.entry.kind == other => wrong_kind(path, kind),
        _ if error.hint().is_none() => error.with_hint(WRITE_HINT),
        _ => error,
    }
}

/// That what stands at `path` is of another kind than what was to be written.
pub(crate) fn wrong_kind(path: &str, kind: Kind) -> Error {
    let (text, hint) = match kind {
        Kind::Bytes => (
            format!("{path} holds entities, not bytes"),
            "write lines to it with `farlens put` and --lines, or lines of JSON with --jsonl",
        ),
        Kind::Items => (
            format!("{path} holds bytes, not entities"),
            "write bytes to it: leave out --lines and --jsonl",
        ),
    };
    Error::new(Code::WRONG_KIND, text).with_hint(hint)
}

/// That what stands at `path` holds streams and is none.
pub(crate) fn is_directory(path: &str) -> Error {
    Error::new(Code::NOT_FOUND, format!("{path} is a directory, not a stream"))
}

/// That an object stands at `path`, if so, where a stream was wanted.
pub(crate) async fn is_object(link: &Link, path: &str) -> Option<Error> {
    let stat = link.stat(path).await.ok()?;
    (stat.entry.kind == EntryKind::Object).then(|| no_stream(path))
}

/// That what stands at `path` is called, and neither read nor written.
pub(crate) fn no_stream(path: &str) -> Error {
    Error::new(Code::WRONG_KIND, format!("{path} is an object, not a stream"))
        .with_hint("`farlens describe` shows what can be called of it")
}

/// An error of opening `path`, with what would have been possible.
pub(crate) async fn explain(link: &Link, path: &str, error: Error) -> Error {
    match error.code() {
        Code::NOT_FOUND => {}
        Code::WRONG_KIND => return is_object(link, path).await.unwrap_or(error),
        Code::OUT_OF_RANGE => return error.with_hint("`farlens stat` shows what there is"),
        _ => return error,
    }
    if link.list(path).await.is_ok() {
        return is_directory(path).with_hint("list it with `farlens ls`");
    }
    let parent = path.rfind('/').map_or("/", |end| &path[..end.max(1)]);
    let Ok(entries) = link.list(parent).await else { return error };
    let names: Vec<_> =
        entries.iter().take(5).map(|entry| output::printable(&entry.name)).collect();
    if names.is_empty() {
        return error;
    }
    let more = if entries.len() > names.len() { ", …" } else { "" };
    let hint = format!("at {parent} there is: {}{more}", names.join(", "));
    Error::new(Code::NOT_FOUND, error.message()).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_at_the_end_means_nothing() {
        let key = farlens::KeyId::from_bytes([7; 32]);
        for (typed, same) in [
            ("farlens://lab/a/".to_owned(), "farlens://lab/a".to_owned()),
            ("farlens://lab/".to_owned(), "farlens://lab".to_owned()),
            (format!("farlens://lab/a/b/#{key}"), format!("farlens://lab/a/b#{key}")),
        ] {
            assert_eq!(parse(&typed).expect(&typed), Target::parse(&same).expect(&same));
        }
        for bad in ["farlens://lab/a//", "farlens://lab//", "farlens://", "/"] {
            assert_eq!(parse(bad).expect_err(bad).code(), Code::BAD_ADDRESS);
        }
    }
}
