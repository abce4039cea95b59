//! `farlens iter`: entities as lines of JSON, from anywhere in the sequence.

use super::cat::print_entities;
use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    range::{Range, parse_place},
};
use farlens::{Code, Error, Pos, Result};

/// Print entities as lines of JSON, from anywhere in the sequence.
///
/// A sequence that is still being produced is printed as it grows, up to its end.
#[derive(clap::Args, Debug)]
pub(crate) struct Iter {
    #[command(flatten)]
    target: TargetArg,
    /// The index of the first entity; -N is N before the end as it is now, or the
    /// first if there are fewer, and -0 the end itself.
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parse_place)]
    from: Option<Pos>,
    /// How many entities to print at most.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Fail where a NaN or an infinity would be shown as null.
    #[arg(long)]
    json_strict: bool,
}

pub(crate) async fn run(global: &Global, args: &Iter) -> Result<Exit> {
    let (link, target) = connect::open(global, &args.target).await?;
    let range = Range::counted(args.from);
    let path = target.path().as_str();
    let outcome = print_entities(&link, path, range, args.count, args.json_strict).await;
    outcome.map_err(|error| match error.code() {
        Code::WRONG_KIND => {
            Error::new(Code::WRONG_KIND, format!("{path} holds bytes, not entities"))
                .with_hint("print them with `farlens cat`")
        }
        _ => error,
    })
}
