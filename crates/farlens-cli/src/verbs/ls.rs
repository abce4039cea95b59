//! `farlens ls`: what lies at a path.

use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    output,
};
use farlens::{Entry, EntryKind, RemotePath, Result};
use serde::Serialize;

/// List what lies at a path, sorted by name.
#[derive(clap::Args, Debug)]
pub(crate) struct Ls {
    #[command(flatten)]
    target: TargetArg,
}

#[derive(Serialize)]
struct Line<'a> {
    path: String,
    name: &'a str,
    kind: &'static str,
    len: Option<u64>,
}

pub(crate) async fn run(global: &Global, args: &Ls) -> Result<Exit> {
    let (link, target) = connect::open(global, &args.target).await?;
    let entries = link.list(target.path().as_str()).await?;
    Ok(output::lines(entries.iter().map(|entry| match global.json {
        true => json(target.path(), entry),
        false => text(entry),
    })))
}

fn json(listed: &RemotePath, entry: &Entry) -> String {
    // A stream lists as itself, a directory as what is in it.
    let itself = listed.file_name() == Some(&entry.name) && entry.kind != EntryKind::Directory;
    let path = match listed.join(&entry.name) {
        Ok(path) if !itself => path.to_string(),
        _ => listed.to_string(),
    };
    output::to_json(&Line { path, name: &entry.name, kind: kind(entry.kind), len: entry.len })
}

fn text(entry: &Entry) -> String {
    let len = entry.len.map_or_else(|| "-".to_owned(), |len| len.to_string());
    let slash = if entry.kind == EntryKind::Directory { "/" } else { "" };
    format!("{:<9} {len:>14}  {}{slash}", kind(entry.kind), output::printable(&entry.name))
}

/// The word for a kind.
pub(crate) fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Bytes => "bytes",
        EntryKind::Items => "items",
        EntryKind::Directory => "directory",
        EntryKind::Object => "object",
        _ => "unknown",
    }
}
