//! `farlens ls`: what lies at a path.

use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    output,
};
use farlens::{Entry, EntryKind, Link, RemotePath, Result};
use futures::StreamExt;
use serde::Serialize;

/// List what lies at a path, sorted by name: kind, length or interface, and name.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
}

/// Objects that are asked about at a time.
const ASKED: usize = 16;

pub(crate) async fn run(global: &Global, args: &Ls) -> Result<Exit> {
    let (link, target) = connect::open(global, &args.target).await?;
    let entries = link.list(target.path().as_str()).await?;
    let interfaces = interfaces(&link, target.path(), &entries).await;
    let lines = entries.iter().zip(&interfaces).map(|(entry, interface)| match global.json {
        true => json(target.path(), entry, interface.as_deref()),
        false => text(entry, interface.as_deref()),
    });
    Ok(output::lines(lines))
}

/// What the objects among the entries are, where that is known.
async fn interfaces(link: &Link, listed: &RemotePath, entries: &[Entry]) -> Vec<Option<String>> {
    let asked = entries.iter().map(|entry| async move {
        if entry.kind != EntryKind::Object {
            return None;
        }
        link.stat(&path_of(listed, entry)).await.ok()?.schema
    });
    futures::stream::iter(asked).buffered(ASKED).collect().await
}

fn path_of(listed: &RemotePath, entry: &Entry) -> String {
    // A stream lists as itself, a directory as what is in it.
    let itself = listed.file_name() == Some(&entry.name) && entry.kind != EntryKind::Directory;
    match listed.join(&entry.name) {
        Ok(path) if !itself => path.to_string(),
        _ => listed.to_string(),
    }
}

fn json(listed: &RemotePath, entry: &Entry, interface: Option<&str>) -> String {
    let (path, kind) = (path_of(listed, entry), kind(entry.kind));
    output::to_json(&Line { path, name: &entry.name, kind, len: entry.len, interface })
}

fn text(entry: &Entry, interface: Option<&str>) -> String {
    let len = match (entry.len, interface) {
        (Some(len), _) => len.to_string(),
        (None, Some(interface)) => output::printable(interface),
        (None, None) => "-".to_owned(),
    };
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
