//! `farlens watch`: a line for each change of one or many streams.
//!
//! Targets of one server share one link. A directory stands for every stream beneath it.

use crate::{args::Global, connect, exit::Exit, json, output, stdout};
use farlens::{
    Change, Code, EntryKind, Error, KeyId, Kind, Link, Position, RemotePath, Result, Target,
    WatchEvent,
};
use futures::{Stream, StreamExt, future::ready, stream::select_all};
use serde::Serialize;
use std::{collections::HashSet, pin::pin};

/// Print a line for each change of one or many streams.
///
/// It goes on until every stream is gone. Entities are shown from now on. Exits with 0 when the
/// servers shut down in good order, and with 6 when a link is lost.
#[derive(clap::Args, Debug)]
#[command(after_help = EVENTS)]
pub(crate) struct Watch {
    /// URLs or tickets, perhaps with paths; a directory means everything beneath it.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

const EVENTS: &str = "\
With --json each line has `event` and `path`, and besides:
  opened   kind (bytes or items), len where it is known
  item     at, value: a new entity and its index
  grew     len: bytes were added at the end
  moved    start and end, where they are known: the start moved, or the end was cut
  gap      skipped: so many elements were gone before they could be read
  ended    len where it is known: the end is final
  gone     code, message: the stream is over";

/// Streams that one link is asked to watch: as many as a server allows by default.
const STREAMS_MAX: usize = 256;

/// Targets that one link serves.
struct Group {
    target: Target,
    paths: Vec<RemotePath>,
}

pub(crate) async fn run(global: &Global, args: &Watch) -> Result<Exit> {
    let mut all = Vec::new();
    for group in groups(global, args)? {
        let link = connect::link(global, &group.target).await?;
        all.push(events(global, &link, &group.paths).await?);
    }
    let mut events = select_all(all);
    let mut abandoned = pin!(stdout::abandoned());
    let (mut told, mut failed) = (false, None);
    loop {
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            () = &mut abandoned => return Ok(Exit::OK),
        };
        let Some(event) = event else { break };
        told = true;
        let line = if global.json {
            event_json(event.path.as_str(), &event.change)
        } else {
            event_text(&event)
        };
        if let Some(line) = line
            && !output::line(&line)
        {
            return Ok(Exit::OK);
        }
        if let Change::Gone { error } = event.change
            && error.code() != Code::GOING_AWAY
        {
            failed.get_or_insert(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None if told => Ok(Exit::OK),
        None => Err(nothing_to_watch()),
    }
}

/// The targets by the link that they need.
fn groups(global: &Global, args: &Watch) -> Result<Vec<Group>> {
    let targets = match args.targets.is_empty() {
        true => vec![connect::target(global, None)?],
        false => {
            let typed = args.targets.iter();
            typed.map(|text| connect::target(global, Some(text))).collect::<Result<_>>()?
        }
    };
    let mut groups: Vec<Group> = Vec::new();
    for target in targets {
        let path = target.path().clone();
        match groups.iter_mut().find(|group| same_link(&group.target, &target)) {
            Some(group) if group.paths.contains(&path) => {}
            Some(group) => group.paths.push(path),
            None => groups.push(Group { target, paths: vec![path] }),
        }
    }
    Ok(groups)
}

/// Whether one link does for both. An invite may open what another does not.
fn same_link(a: &Target, b: &Target) -> bool {
    let link = |target: &Target| -> (Option<KeyId>, _, _) {
        (target.key(), target.addresses().to_vec(), target.invite().cloned())
    };
    link(a) == link(b)
}

async fn events(
    global: &Global,
    link: &Link,
    paths: &[RemotePath],
) -> Result<impl Stream<Item = WatchEvent> + Unpin + use<>> {
    let mut streams = Vec::new();
    for path in paths {
        expand(link, path, &mut streams).await?;
    }
    let mut seen = HashSet::new();
    streams.retain(|path| seen.insert(path.clone()));
    if streams.len() > STREAMS_MAX {
        let text =
            format!("note: the first {STREAMS_MAX} of {} streams are watched", streams.len());
        output::note(global, &text);
        streams.truncate(STREAMS_MAX);
    }
    if streams.is_empty() {
        return Err(nothing_to_watch());
    }
    let mut listed: HashSet<_> = streams.iter().cloned().collect();
    paths.iter().for_each(|typed| drop(listed.take(typed)));
    let events = link.watch(streams).await?;
    Ok(events.filter(move |event| ready(!has_vanished(&mut listed, &event.path, &event.change))))
}

fn nothing_to_watch() -> Error {
    Error::new(Code::NOT_FOUND, "there is no stream to watch")
        .with_hint("the directory is empty; `farlens ls` lists what there is")
}

/// Whether something that was only `listed` was removed before it could be opened: nobody asked for
/// it by name. What an event was seen of is not among the listed any more.
fn has_vanished(listed: &mut HashSet<RemotePath>, path: &RemotePath, change: &Change) -> bool {
    let first = listed.remove(path);
    first && matches!(change, Change::Gone { error } if error.code() == Code::NOT_FOUND)
}

/// The path itself if it is a stream, or everything beneath it. A path where nothing is stays, so
/// that it is told of as gone.
async fn expand(link: &Link, path: &RemotePath, found: &mut Vec<RemotePath>) -> Result<()> {
    match link.stat(path.as_str()).await {
        Ok(stat) if stat.entry.kind == EntryKind::Directory => {}
        // What may not be seen itself may still lead to something that may.
        Err(error) if error.code() == Code::NOT_FOUND && link.list(path.as_str()).await.is_ok() => {
        }
        Ok(_) => {
            found.push(path.clone());
            return Ok(());
        }
        Err(error) if error.code() == Code::NOT_FOUND => {
            found.push(path.clone());
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let mut waiting = vec![path.clone()];
    while let Some(directory) = waiting.pop() {
        let entries = match link.list(directory.as_str()).await {
            // It was listed a moment ago, and is removed since.
            Err(error) if error.code() == Code::NOT_FOUND && directory != *path => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = directory.join(&entry.name)?;
            match entry.kind {
                EntryKind::Directory => waiting.push(path),
                // Nothing changes there that could be told.
                EntryKind::Object => {}
                _ => found.push(path),
            }
        }
        if found.len() > STREAMS_MAX {
            return Ok(());
        }
    }
    Ok(())
}

/// An event as a line; fields that do not belong to it are left out.
#[derive(Default, Serialize)]
struct Line<'a> {
    event: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    len: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

fn event_json(path: &str, change: &Change) -> Option<String> {
    let line = |event| Line { event, path, ..Line::default() };
    let line = match change {
        Change::Opened { kind, len } => {
            Line { kind: Some(kind_word(*kind)), len: *len, ..line("opened") }
        }
        Change::Item { at, value } => {
            let mut text = output::to_json(&Line { at: Some(*at), ..line("item") });
            // The value is written by the same hand as everywhere, behind the other fields.
            text.pop();
            text.push_str(",\"value\":");
            json::write(value, &mut text).expect("a string takes every text");
            text.push('}');
            return Some(text);
        }
        Change::Grew { len } => Line { len: Some(*len), ..line("grew") },
        Change::Moved { bounds } => Line {
            start: bounds.start.map(Position::get),
            end: bounds.end.map(Position::get),
            ..line("moved")
        },
        Change::Gap { skipped } => Line { skipped: Some(*skipped), ..line("gap") },
        Change::Ended { len } => Line { len: *len, ..line("ended") },
        Change::Gone { error } => Line {
            code: Some(error.code().to_string()),
            message: Some(error.to_string()),
            ..line("gone")
        },
        _ => return None,
    };
    Some(output::to_json(&line))
}

fn event_text(event: &WatchEvent) -> Option<String> {
    let unit = |len: &Option<u64>| len.map_or_else(String::new, |len| format!(" at {len}"));
    let text = match &event.change {
        Change::Opened { kind, len } => format!("opened {}{}", kind_word(*kind), unit(len)),
        Change::Item { at, value } => {
            let mut text = format!("item {at} ");
            json::write(value, &mut text).expect("a string takes every text");
            text
        }
        Change::Grew { len } => format!("grew to {len}"),
        Change::Moved { bounds } => format!("moved to {bounds}"),
        Change::Gap { skipped } => format!("gap of {skipped}"),
        Change::Ended { len } => format!("ended{}", unit(len)),
        Change::Gone { error } => format!("gone: {error} [{}]", error.code()),
        _ => return None,
    };
    Some(output::printable(&format!("{}  {text}", event.path)))
}

const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Bytes => "bytes",
        Kind::Items => "items",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlens::Bounds;

    #[test]
    fn only_what_is_listed_may_vanish_and_only_before_it_is_opened() {
        let path = |text| RemotePath::new(text).expect("a path");
        let mut listed = HashSet::from([path("/a"), path("/b"), path("/c")]);
        let mut vanished = |text, change| has_vanished(&mut listed, &path(text), &change);
        let gone = |code| Change::Gone { error: Error::new(code, "x") };
        assert!(vanished("/a", gone(Code::NOT_FOUND)));
        assert!(!vanished("/typed", gone(Code::NOT_FOUND)));
        assert!(!vanished("/b", Change::Opened { kind: Kind::Bytes, len: None }));
        assert!(!vanished("/b", gone(Code::NOT_FOUND)));
        assert!(!vanished("/c", gone(Code::SOURCE_FAILED)));
    }

    #[test]
    fn bounds_that_move_are_told_with_both_ends() {
        let moved = |start, end| {
            let bounds = Bounds { start: Position::new(start), end };
            event_json("/a", &Change::Moved { bounds })
        };
        let whole = moved(7, Position::new(9)).expect("a line");
        assert_eq!(whole, r#"{"event":"moved","path":"/a","start":7,"end":9}"#);
        let open = moved(7, None).expect("a line");
        assert_eq!(open, r#"{"event":"moved","path":"/a","start":7}"#);
    }
}
