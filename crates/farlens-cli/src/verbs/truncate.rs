//! `farlens truncate`: moves an end of the data.

use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    number::{parse_count, parse_number},
    output,
};
use farlens::{
    ByteStream, Code, Condition, Edge, Error, Kind, Link, OpenOptions, Pos, Position, Result,
};
use serde::Serialize;

/// Shrink or grow what is there to a size, or drop its beginning.
///
/// What is grown is filled with zeros. Positions of what stays are what they were.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Truncate {
    #[command(flatten)]
    target: TargetArg,
    /// Where the data is to end: 0, 1M, or by how much to move that: +4K, -4K. 8M is 8 MiB, 8MB is
    /// 8,000,000.
    #[arg(short, long, value_name = "SIZE", allow_hyphen_values = true, value_parser = size,
          required_unless_present = "before")]
    size: Option<Size>,
    /// Drop what lies before this position, where the start can move.
    #[arg(long, value_name = "POS", value_parser = parse_count, conflicts_with = "size")]
    before: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  farlens truncate -s 0 TICKET/app.log        empty it
  farlens truncate -s +4K TICKET/disk.img     grow it
  farlens truncate --before 1M TICKET/log     drop its first MiB
";

/// Where the data is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    To(u64),
    By(i64),
}

/// What was moved, and where to.
#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    edge: &'static str,
    at: u64,
    level: &'static str,
}

/// How often a size that is relative is tried, while others move the end.
const TRIES: usize = 8;

fn size(text: &str) -> Result<Size, String> {
    let number = parse_number(text.strip_prefix('+').unwrap_or(text)).map_err(str::to_owned)?;
    match text.as_bytes() {
        [b'+', b'-' | b'+', ..] => Err("two signs".to_owned()),
        [b'+' | b'-', ..] => Ok(Size::By(number)),
        _ => Ok(Size::To(number.unsigned_abs())),
    }
}

pub(crate) async fn run(global: &Global, args: &Truncate) -> Result<Exit> {
    let (link, target) = connect::open(global, &args.target).await?;
    let path = target.path().as_str();
    let mut tries = 0..TRIES;
    let (edge, at) = loop {
        let stream = open(&link, path).await?;
        match cut(args, &stream).await {
            // Others have moved the end since the stream was opened.
            Err(error) if error.code() == Code::CONFLICT && tries.next().is_some() => {}
            Err(error) if error.code() == Code::MODE_FORBIDS => {
                return Err(error.with_hint("`farlens stat` shows which ends can be moved"));
            }
            Err(error) => return Err(error),
            Ok(moved) => {
                stream.close().await?;
                break moved;
            }
        }
    };
    if global.json {
        let edge = if edge == Edge::Before { "start" } else { "end" };
        output::line(&output::to_json(&Line { path, edge, at: at.get(), level: "durable" }));
    }
    Ok(Exit::OK)
}

async fn open(link: &Link, path: &str) -> Result<ByteStream> {
    let options = OpenOptions::new().read(false).write(true);
    let stream = match link.open_with(path, options).await {
        Ok(stream) => stream,
        Err(error) => return Err(connect::explain_write(link, path, Kind::Bytes, error).await),
    };
    if stream.appends_only() {
        let text = format!("{path} can be added to at its end and not cut");
        return Err(Error::new(Code::MODE_FORBIDS, text).with_hint(connect::WRITE_HINT));
    }
    Ok(stream)
}

/// Moves what is asked for, and gives where it is then.
async fn cut(args: &Truncate, stream: &ByteStream) -> Result<(Edge, Position)> {
    let (edge, to) = match (args.size, args.before) {
        (Some(Size::By(by)), _) => {
            return Ok((Edge::After, move_end(stream, by).await?));
        }
        (Some(Size::To(size)), _) => (Edge::After, size),
        (None, Some(before)) => (Edge::Before, before),
        (None, None) => {
            return Err(Error::new(Code::USAGE, "neither --size nor --before is given"));
        }
    };
    let to = Position::new(to).ok_or_else(too_long)?;
    Ok((edge, stream.truncate(edge, to).await?))
}

/// Moves the end by a distance, from where it was when the stream was opened.
async fn move_end(stream: &ByteStream, by: i64) -> Result<Position> {
    let bounds = stream.bounds();
    let (start, end) = (bounds.start.unwrap_or_default(), bounds.end.unwrap_or_default());
    // Who takes away more than there is leaves nothing.
    let to = match end.offset(by) {
        Some(to) => to.max(start),
        None if by < 0 => start,
        None => return Err(too_long()),
    };
    stream.when(Condition::end(end)).truncate(Edge::After, Pos::Abs(to)).await
}

fn too_long() -> Error {
    Error::new(Code::OUT_OF_RANGE, "a place is a whole number below 2^63")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_makes_a_size_relative() {
        for (text, expected) in [
            ("0", Size::To(0)),
            ("1M", Size::To(1 << 20)),
            ("8MB", Size::To(8_000_000)),
            ("+4K", Size::By(4096)),
            ("-4K", Size::By(-4096)),
        ] {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for bad in ["", "+", "-", "+-1", "++1", "--1", "1X"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
