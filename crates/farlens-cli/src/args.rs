//! What can be typed: the options of all verbs, the list of verbs, and how bad usage is answered.

use crate::{
    exit::{Exit, TABLE},
    output,
    verbs::{
        bench, call, cat, demo, describe, id, iter, ls, put, serve, stat, tail, ticket, truncate,
        watch,
    },
};
use clap::{Args, Parser, Subcommand, error::ErrorKind};
use farlens::{Code, Error};
use std::{path::PathBuf, time::Duration};

/// Publish files, directories and live sequences; read, seek, iterate and watch them from afar.
#[derive(Parser, Debug)]
#[command(name = "farlens", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  farlens serve scans/ct.raw            prints a ticket; on the other machine:
  farlens cat TICKET > ct.raw
  farlens cat TICKET --range -512.. | xxd
  journalctl -f -o json | farlens serve - --jsonl --at /log
  farlens iter TICKET --from -100       the last hundred entities, as lines of JSON
  farlens serve --follow app.log        a log, followed through rotations:
  farlens tail -f TICKET
  farlens serve inbox --write           a folder that clients may write to:
  farlens put TICKET/ct.raw ct.raw
  farlens watch TICKET
  farlens describe TICKET               what can be called of an object, and then:
  farlens call TICKET calibrate n:=3
  farlens help exit-codes               the numbers that failures leave behind

A TARGET is farlens://host[:port]/path[#KEYID], or the flp1… or fls1… word that `farlens serve`
prints, perhaps followed by a path: TICKET/sub/file. Left out, it comes from --ticket-file or
FARLENS_TICKET; a TARGET that starts with / is then a path beneath it. A % in
a name is written %25.";

/// Options that every verb takes.
#[derive(Args, Debug, Clone)]
pub(crate) struct Global {
    /// One JSON object per line on standard output; errors are objects on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but data and errors.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more on standard error; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How long connecting may take for each address, and a call until its answer: 5s, 200ms, 1m,
    /// or a number of seconds.
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    /// Read the ticket from a file, so that it shows in no list of processes.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ticket_file: Option<PathBuf>,
}

/// What to do. What each verb says of itself stands at its options; words here would replace that.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    Serve(serve::Serve),
    Ls(ls::Ls),
    Stat(stat::Stat),
    Describe(describe::Describe),
    Call(call::Call),
    Cat(cat::Cat),
    Iter(iter::Iter),
    Tail(tail::Tail),
    Put(put::Put),
    Truncate(truncate::Truncate),
    Watch(watch::Watch),
    Id(id::Id),
    Ticket(ticket::Ticket),
    Demo(demo::Demo),
    Bench(bench::Bench),
    /// The numbers that failures leave behind.
    #[command(hide = true, name = "exit-codes", after_help = TABLE)]
    ExitCodes,
}

/// Whoever wants more wants no time-out, and there is always one.
const TIMEOUT_MAX_S: f64 = 31_536_000.0;

fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
    let unit = units.iter().find_map(|(unit, worth)| Some((text.strip_suffix(unit)?, worth)));
    let (number, worth) = unit.unwrap_or((text, &1.0));
    let number: Option<f64> = number.parse().ok().filter(|number: &f64| !number.is_nan());
    let seconds =
        number.ok_or("not a number of seconds, nor one with ms, s or m behind it")? * worth;
    if seconds > TIMEOUT_MAX_S {
        return Err(format!("a time-out is at most a year, {TIMEOUT_MAX_S} seconds"));
    }
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a time-out is longer than nothing".to_owned())
}

/// Answers what could not be understood, and requests for help.
pub(crate) fn refuse(error: &clap::Error) -> Exit {
    let help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if help || !wants_json() {
        let _ = error.print();
        return if help { Exit::OK } else { Exit::USAGE };
    }
    let text = error.render().to_string();
    let (message, hint) = text.split_once("\n\n").unwrap_or((&text, ""));
    let message = message.trim().trim_start_matches("error: ");
    let error = Error::new(Code::USAGE, message).with_hint(hint.trim().replace("\n\n", "; "));
    let global = Global { json: true, quiet: false, verbose: 0, timeout: None, ticket_file: None };
    output::report(&global, &error);
    Exit::USAGE
}

/// Whether `--json` was typed, for usage that clap could not parse.
fn wants_json() -> bool {
    let typed = std::env::args_os().skip(1).take_while(|word| word != "--");
    typed.into_iter().any(|word| word == "--json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::path::Path;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// The words behind each place where the command is named in a text.
    fn verbs_in<'a>(text: &'a str, command: &'a str) -> impl Iterator<Item = &'a str> {
        let verbs = text.split(command).skip(1).map(|rest| {
            let letter = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            &rest[..rest.find(|next| !letter(next)).unwrap_or(rest.len())]
        });
        verbs.filter(|verb| !verb.is_empty())
    }

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one")) {
            let path = entry.path();
            match path.is_dir() {
                true => sources(&path, found),
                false => found.push(path),
            }
        }
    }

    #[test]
    fn every_verb_that_is_recommended_exists() {
        let mut command = Cli::command();
        command.build();
        let exists = |verb: &str| command.find_subcommand(verb).is_some();
        assert!(exists("help") && !exists("nonsense"));
        let mut files = Vec::new();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Beside a published package there is no other.
        let folders = [here.join("src"), here.join("../farlens/src")];
        folders.iter().filter(|folder| folder.is_dir()).for_each(|it| sources(it, &mut files));
        for file in files {
            let text = std::fs::read_to_string(&file).expect("text");
            for verb in verbs_in(&text, concat!('`', "farlens ")) {
                assert!(exists(verb), "{}: there is no `farlens {verb}`", file.display());
            }
        }
        let whole = Cli::command().render_long_help().to_string();
        let helps =
            command.get_subcommands().map(|verb| verb.clone().render_long_help().to_string());
        for help in helps.chain([whole]) {
            for verb in verbs_in(&help, "farlens ") {
                assert!(exists(verb), "there is no `farlens {verb}`: {help}");
            }
        }
    }

    #[test]
    fn a_time_out_is_a_number_of_seconds_or_has_a_unit() {
        assert_eq!(time("0.5"), Ok(Duration::from_millis(500)));
        for (text, millis) in [("200ms", 200), ("5s", 5_000), ("1.5s", 1_500), ("2m", 120_000)] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "0", "-1", "x", "1e40", "nan", "s", "5h", "0ms", "5 s"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        for (bad, part) in
            [("inf", "at most"), ("1e30", "at most"), ("-inf", "longer"), ("nan", "not a")]
        {
            assert!(time(bad).expect_err(bad).contains(part), "{bad}");
        }
    }
}
