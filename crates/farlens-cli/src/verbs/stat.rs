//! `farlens stat`: what is known of one path without opening it.

use super::ls::kind;
use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    output,
};
use farlens::{Flags, Link, Result};
use serde::Serialize;

/// Show kind, length, modes and type of one path.
#[derive(clap::Args, Debug)]
pub(crate) struct Stat {
    #[command(flatten)]
    target: TargetArg,
}

#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    kind: &'static str,
    len: Option<u64>,
    start: Option<u64>,
    end: Option<u64>,
    mode: Vec<String>,
    schema: Option<&'a str>,
    server: String,
}

pub(crate) async fn run(global: &Global, args: &Stat) -> Result<Exit> {
    let (link, target) = connect::open(global, &args.target).await?;
    let path = target.path().as_str();
    let stat = link.stat(path).await?;
    Ok(show(global, &link, path, &stat))
}

/// Prints what is known of a path.
pub(super) fn show(global: &Global, link: &Link, path: &str, stat: &farlens::Stat) -> Exit {
    let flags = stat.mode().map_or(Flags::NONE, farlens::Mode::flags);
    let names = Flags::ALL.iter().filter(|(flag, _)| flags.has(*flag));
    let line = Line {
        path,
        kind: kind(stat.entry.kind),
        len: stat.entry.len,
        start: stat.bounds.start.map(farlens::Position::get),
        end: stat.bounds.end.map(farlens::Position::get),
        mode: names.map(|(_, name)| name.to_lowercase()).collect(),
        schema: stat.schema.as_deref(),
        server: link.peer().to_string(),
    };
    if global.json {
        return output::lines([output::to_json(&line)]);
    }
    let known = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let len = line.len.map_or_else(|| "not known".to_owned(), |len| len.to_string());
    let bounds = match (line.start, line.end) {
        (None, None) => "-".to_owned(),
        (start, end) => format!("{}..{}", known(start), known(end)),
    };
    let mode = if line.mode.is_empty() { "-".to_owned() } else { line.mode.join(" ") };
    output::lines([
        format!("path    {}", output::printable(path)),
        format!("kind    {}", line.kind),
        format!("length  {len}"),
        format!("bounds  {bounds}"),
        format!("mode    {mode}"),
        format!("type    {}", output::printable(line.schema.unwrap_or("-"))),
        format!("server  {}", link.peer().grouped()),
    ])
}
