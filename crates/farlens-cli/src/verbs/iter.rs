//! `farlens iter`: entities as lines, from anywhere in the sequence.

use super::cat::{Entities, print_entities};
use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    range::{Range, parse_place},
};
use clap::builder::RangedU64ValueParser;
use farlens::{AtEnd, Code, Delivery, Error, OpenOptions, Pos, Result};

/// Print entities as lines, from anywhere in the sequence.
///
/// Standard input that is published whole is printed as it grows, up to its end; everything else up
/// to the end as it is when it is reached. Lines of text that are published as such are printed as
/// they were, and with --json as JSON.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
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
    /// The newest entity and those that come, where a slow reader misses some instead of falling
    /// behind. How many are left out is said on standard error.
    #[arg(long)]
    latest: bool,
    /// How many entities may be on their way at a time.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    window: Option<u64>,
    /// Fail where a NaN or an infinity would be shown as null.
    #[arg(long)]
    json_strict: bool,
}

const EXAMPLES: &str = "\
Examples:
  farlens iter TICKET --from -100 | jq -r .MESSAGE
  farlens iter TICKET --latest | slow-display      always the newest there is
";

/// Encoded bytes that may be on their way where the entities are counted: the largest one at least.
const WINDOW_BYTES: u64 = 1 << 20;

pub(crate) async fn run(global: &Global, args: &Iter) -> Result<Exit> {
    let (link, target) = connect::open(global, &args.target).await?;
    let path = target.path().as_str();
    let wanted = Entities {
        range: Range::counted(args.from.or(args.latest.then_some(Pos::FromEnd(-1)))),
        count: args.count,
        strict: args.json_strict,
        options: options(args),
    };
    match print_entities(global, &link, path, &wanted).await {
        Err(error) if error.code() == Code::WRONG_KIND => {
            let bytes = || {
                Error::new(Code::WRONG_KIND, format!("{path} holds bytes, not entities"))
                    .with_hint("print them with `farlens cat`")
            };
            Err(connect::is_object(&link, path).await.unwrap_or_else(bytes))
        }
        outcome => outcome,
    }
}

fn options(args: &Iter) -> OpenOptions {
    let options = match args.latest {
        true => OpenOptions::new().delivery(Delivery::Latest).at_end(AtEnd::Follow),
        false => OpenOptions::new(),
    };
    match args.window {
        Some(entities) => options.window(WINDOW_BYTES, entities),
        None => options,
    }
}
