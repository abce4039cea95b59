//! `farlens ticket show`: what a ticket says, without its secret.

use crate::{args::Global, connect, exit::Exit, output};
use clap::Subcommand;
use farlens::{Code, Error, Result, Target};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// Explain a ticket.
#[derive(clap::Args, Debug)]
pub(crate) struct Ticket {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Say where a ticket leads and whether it lets somebody in.
    Show {
        /// The ticket; left out, the one of --ticket-file or FARLENS_TICKET.
        ticket: Option<String>,
    },
}

#[derive(Serialize)]
struct Line {
    addresses: Vec<String>,
    key: String,
    path: String,
    secret: bool,
    expires_unix_s: Option<u64>,
}

pub(crate) fn run(global: &Global, args: &Ticket) -> Result<Exit> {
    let Verb::Show { ticket } = &args.verb;
    let target = connect::target(global, ticket.as_deref())?;
    let Target::Ticket(found) = &target else {
        return Err(Error::new(Code::BAD_ADDRESS, "this is a URL, not a ticket")
            .with_hint("a ticket is the flp1… or fls1… word that `farlens serve` prints"));
    };
    let ticket = found.ticket();
    let line = Line {
        addresses: ticket.addresses().iter().map(ToString::to_string).collect(),
        key: ticket.key().to_string(),
        path: target.path().to_string(),
        secret: ticket.is_secret(),
        expires_unix_s: ticket.invite().map(farlens::Invite::expires_unix_s),
    };
    if global.json {
        return Ok(output::lines([output::to_json(&line)]));
    }
    Ok(output::lines([
        format!("addresses  {}", line.addresses.join(", ")),
        format!("server     {}", ticket.key().grouped()),
        format!("path       {}", output::printable(&line.path)),
        format!("invite     {}", invite(line.expires_unix_s)),
    ]))
}

fn invite(expires: Option<u64>) -> String {
    let Some(expires) = expires else {
        return "none: the server must know the client's key already".to_owned();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match expires.checked_sub(now) {
        Some(left) => format!("a secret that lets a client in, for {} more minutes", left / 60),
        None => "a secret that let a client in and has expired".to_owned(),
    }
}
