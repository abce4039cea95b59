//! `farlens serve`: publishes files, directories and standard input until a signal comes.
//!
//! `plan` turns arguments into publications, `feed` fills those that come from an input, and this
//! file announces the server and brings it to its end.

mod feed;
mod keep;
mod plan;
mod told;

use crate::{
    args::Global,
    exit::Exit,
    output,
    signals::{self, Signals},
};
use farlens::{Result, Server, Ticket, Verb};
use serde::Serialize;
use std::{ffi::OsString, io::Write, time::Duration};
use tokio::sync::mpsc;

/// How long a shutdown lets transfers finish.
const DRAIN: Duration = Duration::from_secs(5);

/// Publish files, directories and standard input, and print a ticket that lets one client in.
///
/// One file stands at /NAME, one directory alone is the root, several arguments stand at /NAME
/// each, standard input at /stdin. The ticket carries the path of the one publication, or / when
/// there are several. The server goes on after the end of its input, until SIGINT or SIGTERM.
///
/// A client that was let in stays in `~/.config/farlens/authorized_clients`: it may read whatever
/// this user's key publishes at the ticket's path or beneath it later, until its line is removed.
/// With --write it may also change there whatever is published to be written.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// Files and directories; - is standard input.
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:5367")]
    listen: String,
    /// The path of the publication, when there is one.
    #[arg(long, value_name = "/NAME")]
    at: Option<String>,
    /// Let clients write: change and replace files, and create some in directories. Nothing is
    /// removed, and no directory is made.
    #[arg(long, conflicts_with_all = ["append_only", "open"])]
    write: bool,
    /// Let clients add at the ends of files, and change nothing that is there.
    #[arg(long, conflicts_with = "open")]
    append_only: bool,
    /// Each line is one entity, written as JSON: the lines of standard input if that is published,
    /// otherwise those of all files.
    #[arg(long)]
    jsonl: bool,
    /// Each line is one entity, a text: the lines of standard input if that is published, otherwise
    /// those of all files.
    #[arg(long, conflicts_with = "jsonl")]
    lines: bool,
    /// Keep only the newest lines of standard input: 10000 of them, those of the last hour (1h; s,
    /// m, h and d are units), or 64MiB. Given several times, each bound holds.
    #[arg(long, value_name = "BOUND", value_parser = keep::parse)]
    keep: Vec<keep::Bound>,
    /// Publish what is appended later, too. With a PATH that file alone is published so, and the
    /// option may be repeated; without one all files are. A log may be rotated, by renaming or by
    /// cutting it: positions go on in the new file.
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "",
          action = clap::ArgAction::Append)]
    follow: Vec<OsString>,
    /// Leave out lines that are no JSON, and count them, where they would end the input.
    #[arg(long)]
    skip_bad: bool,
    /// Let everybody read who has any key. Whoever reaches the port reads everything.
    #[arg(long)]
    open: bool,
}

const EXAMPLES: &str = "\
Examples:
  farlens serve scans/ct.raw                     at /ct.raw
  farlens serve scans                            what is in the folder, at /
  farlens serve --follow app.log                 a log that grows and is rotated
  farlens serve --follow app.log --lines         the same, line by line
  farlens serve inbox --write                    clients may put files there
  farlens serve ct.raw --follow app.log          one file as it is, another followed
  journalctl -f -o json | farlens serve - --jsonl --at /log
  producer | farlens serve - --lines --keep 10000 --keep 1h
  farlens serve - ct.raw --follow app.log --jsonl --listen 127.0.0.1:0 --json

A bad line of --jsonl is reported with its number and ends the server with exit code 1; readers get
the lines before it and then the failure.";

impl Serve {
    /// What the ticket allows.
    const fn verbs(&self) -> &'static [Verb] {
        match (self.write, self.append_only) {
            (true, _) => &[Verb::Read, Verb::Write],
            (false, true) => &[Verb::Read, Verb::Append],
            (false, false) => &[Verb::Read],
        }
    }
}

/// The first line with `--json`.
#[derive(Serialize)]
struct Listening {
    event: &'static str,
    addr: String,
    key: String,
    ticket: String,
}

pub(crate) async fn run(global: &Global, args: &Serve) -> Result<Exit> {
    // Whoever reads the announcement may send a signal at once.
    let mut signals = Signals::listen()?;
    signals::survive_size_limit()?;
    let plan = plan::make(args)?;
    for note in &plan.notes {
        output::note(global, note);
    }
    let server = plan.builder.open_to_all(args.open).bind(plan::address(&args.listen)).await?;
    let path = server.common_path();
    let ticket = match args.open {
        true => server.ticket(path)?,
        false => server.invite_to(path.as_str(), args.verbs())?,
    };
    announce(global, args, &server, &ticket, &plan.shown);

    let taps: Vec<_> = plan.feeds.iter().map(|feed| feed.tap.clone()).collect();
    let (tell, mut fed) = mpsc::channel(plan.feeds.len().max(1));
    for feed in plan.feeds {
        feed.start(args.skip_bad, told::bad_lines(global), tell.clone())?;
    }
    drop(tell);
    let exit = loop {
        tokio::select! {
            _ = signals.next() => break Exit::OK,
            Some(fed) = fed.recv() => match fed.outcome {
                Ok(_) => told::ended(global, &fed),
                Err(error) => {
                    output::report(global, &error);
                    break Exit::of(&error);
                }
            },
        }
    };
    // A reader that waits for more input would hold up the drain for nothing.
    taps.iter().for_each(feed::Tap::close);
    tokio::select! {
        biased;
        again = signals.next() => Ok(again),
        () = server.shutdown(DRAIN) => Ok(exit),
    }
}

fn announce(global: &Global, args: &Serve, server: &Server, ticket: &Ticket, shown: &[String]) {
    let (addr, key) = (server.local_addr().to_string(), server.key());
    if global.json {
        let line = Listening {
            event: "listening",
            addr,
            key: key.to_string(),
            ticket: ticket.to_string(),
        };
        output::line(&output::to_json(&line));
        return;
    }
    for line in shown {
        output::note(global, &format!("publishing   {}", output::printable(line)));
    }
    output::note(global, &format!("listening    {addr}"));
    output::note(global, &format!("this server  {}", key.grouped()));
    if args.open {
        let text = "open         everybody with any key may read all of it";
        let colour = std::io::IsTerminal::is_terminal(&std::io::stderr())
            && std::env::var_os("NO_COLOR").is_none();
        let text = if colour { format!("\u{1b}[31m{text}\u{1b}[0m") } else { text.to_owned() };
        let _ = writeln!(std::io::stderr(), "{text}");
        output::note(global, "\nOn the other machine: farlens cat TICKET, with this ticket:");
    } else {
        tell_how_long(global, args, server);
        output::note(
            global,
            "\nOn the other machine: farlens cat TICKET, with this ticket (it lets one client in, \
             within an hour):",
        );
    }
    output::line(&ticket.to_string());
}

/// A ticket is used once, but what it gives stays.
fn tell_how_long(global: &Global, args: &Serve, server: &Server) {
    let Ok(folder) = farlens::dirs::config_dir() else { return };
    let file = folder.join("authorized_clients").display().to_string();
    let path = server.common_path().to_string();
    let may = match (args.write, args.append_only) {
        (true, _) => "read and write",
        (false, true) => "read and add to",
        (false, false) => "read",
    };
    for line in [
        &format!(
            "let in       for good: who has used the ticket may {may} whatever this key publishes"
        ),
        &format!("             at {path} or beneath it, also later, until its line is"),
        &format!("             removed from {file}"),
    ] {
        output::note(global, &output::printable(line));
    }
}
