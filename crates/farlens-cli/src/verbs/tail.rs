//! `farlens tail`: the end of a stream, and with `-f` what comes behind it.

mod amount;
mod follow;
mod source;

use super::cat;
use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    pump::{self, Unit},
};
use amount::{Amount, parse};
use farlens::{AtEnd, Result};
use source::Source;

/// Print the end of a stream: its last lines, bytes or entities, and what follows.
///
/// With -f it goes on while the stream grows, also where a log is rotated, and connects again when
/// the link is lost. SIGINT ends it.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tail {
    #[command(flatten)]
    target: TargetArg,
    /// Go on while it grows.
    #[arg(short, long, visible_short_alias = 'F')]
    follow: bool,
    /// The last so many lines or entities; +K is everything from the K-th one on.
    #[arg(short = 'n', long, value_name = "LINES", allow_hyphen_values = true, value_parser = parse,
          default_value = "10", conflicts_with = "bytes")]
    lines: Amount,
    /// The last so many bytes; +K is everything from the K-th one on. 8K is 8192, 8KB is 8000.
    #[arg(short = 'c', long, value_name = "BYTES", allow_hyphen_values = true,
          value_parser = parse)]
    bytes: Option<Amount>,
    /// End with exit code 10 where something was lost before it could be read.
    #[arg(long)]
    strict: bool,
}

const EXAMPLES: &str = "\
Examples:
  farlens tail TICKET                the last ten lines
  farlens tail -f -n 100 TICKET
  farlens tail -n +1 -f TICKET       everything, and what comes
  farlens tail -c 4K TICKET | xxd

Where something is lost before it could be read, standard error says how much, and reading goes on
behind it.";

pub(crate) async fn run(global: &Global, args: &Tail) -> Result<Exit> {
    let (link, target) = connect::open(global, &args.target).await?;
    let path = target.path().as_str();
    let at_end = if args.follow { AtEnd::Follow } else { AtEnd::Stop };
    let mut source = match Source::open(global, &link, path, at_end).await {
        Ok(source) => source,
        Err(error) => return Err(connect::explain(&link, path, error).await),
    };
    // What comes later is not waited for unless it is followed.
    let end = source.bounds().end;
    let start = source.go_to_tail(args.lines, args.bytes).await?;
    if args.follow {
        return follow::run(global, target, args.strict, source).await;
    }
    let length = end.map(|end| end.since(start));
    match source {
        Source::Bytes(stream) => pump::run(&link, Unit::Bytes, cat::pieces(*stream, length)).await,
        Source::Items(reader) => {
            pump::run(&link, Unit::Entities, reader.pieces(global, length)).await
        }
    }
}
