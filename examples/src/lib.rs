//! Programs that show Farlens at work, and the few things that several of them need.

mod distance;

pub use distance::far_away;

use farlens::{Client, Code, Error, Identity, Link, Result, Server, Verb};
use serde::Serialize;

/// Fails with what was expected unless it holds.
///
/// # Errors
/// `INTERNAL` with the text.
pub fn check(holds: bool, expected: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(wrong(expected)) }
}

/// The error of a check that failed.
pub fn wrong(text: impl Into<String>) -> Error {
    Error::new(Code::INTERNAL, text)
}

/// A secret ticket with which one client may read and call everything that `server` publishes.
///
/// # Errors
/// As [`Server::invite_to`].
pub fn ticket(server: &Server) -> Result<String> {
    Ok(server.invite_to(server.common_path().as_str(), &[Verb::Read, Verb::Call])?.to_string())
}

/// A link of a new client, with a key of its own, over TLS.
///
/// # Errors
/// As [`farlens::connect`].
pub async fn connect(server: &Server) -> Result<Link> {
    Client::builder().identity(Identity::generate()?).connect(&ticket(server)?).await
}

/// The first line of a server: where it listens and how one gets in, as `farlens serve --json`
/// prints it.
///
/// # Errors
/// As [`Server::invite_to`].
pub fn first_line(server: &Server) -> Result<String> {
    let line = Listening {
        event: "listening",
        addr: server.local_addr().to_string(),
        key: server.key().to_string(),
        ticket: ticket(server)?,
    };
    serde_json::to_string(&line).map_err(|error| wrong(error.to_string()))
}

#[derive(Serialize)]
struct Listening {
    event: &'static str,
    addr: String,
    key: String,
    ticket: String,
}
