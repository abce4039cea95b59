//! A chat: who joins passes a callback along, which the server calls whenever something happens,
//! and gets two things back: the room, to say things in, and its history, a stream to read.
//!
//! ```text
//!   member                                    server
//!     │  join("ada", MemberRef) ───────────────▶ │
//!     │ ◀─────────── Joined { RoomRef, history } │
//!     │  room.say("hello") ────────────────────▶ │
//!     │ ◀──────────── member.heard(Said { … })   │   to everybody
//!     │  drop(room), or the link dies            │   ada has left
//! ```
//!
//! There is no `leave`: a member is in the room as long as it holds the reference, and the server
//! notices the end of that by the drop of an object, whatever the reason. Checks itself, with three
//! members: exits with 1 if somebody heard something else, or in another order.
//!
//! ```sh
//! cargo run --release -p farlens-examples --example chat
//! cargo run --release -p farlens-examples --example chat -- --json    # only the server
//! ```

mod hall;
mod interface;
mod member;

use clap::Parser;
use farlens::{Identity, Result, Server};
use farlens_examples::{check, first_line};
use interface::{Event, LobbyRef};
use member::Guest;
use std::time::Duration;

/// A chat: alone it checks itself with three members.
#[derive(Debug, Parser)]
struct Args {
    /// Serve until Ctrl-C; the first line is that of `farlens serve --json`.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let server = Server::builder()
        .identity(Identity::generate()?)
        .publish("/lobby", LobbyRef::new(hall::Reception::open()))
        .bind("127.0.0.1:0")
        .await?;
    if args.json {
        println!("{}", first_line(&server)?);
        return server.run().await;
    }
    three_members(&server).await?;
    server.shutdown(Duration::from_secs(1)).await;
    println!("all is as it should be");
    Ok(())
}

/// Ada is there from the beginning, Ben leaves, and Cyd's link dies.
async fn three_members(server: &Server) -> Result<()> {
    let mut ada = Guest::join(server, "ada").await?;
    ada.say("is anyone here?").await?;

    let mut ben = Guest::join(server, "ben").await?;
    let so_far = ben.history().await?;
    println!("ben reads what was before: {so_far:?}");
    let before =
        [Event::joined("ada"), Event::said("ada", "is anyone here?"), Event::joined("ben")];
    check(so_far == before, "the history begins with ada")?;

    let mut cyd = Guest::join(server, "cyd").await?;
    tokio::try_join!(ada.say("hello"), ben.say("good day"), cyd.say("hi"))?;
    let said = [ada.hear(4 + 3).await?, ben.hear(2 + 3).await?, cyd.hear(1 + 3).await?];
    println!("cyd hears {:?}", said[2]);
    let last = said.each_ref().map(|events| &events[events.len() - 4..]);
    check(last.iter().all(|events| *events == last[0]), "all hear the same in the same order")?;

    // The link stays: it is the reference that the server notices.
    let _link = ben.leave();
    check(ada.hear(1).await? == [Event::left("ben")], "ada hears that ben has left")?;
    check(cyd.hear(1).await? == [Event::left("ben")], "cyd hears that ben has left")?;

    cyd.cut();
    check(ada.hear(1).await? == [Event::left("cyd")], "ada hears that cyd is gone")?;
    let history = ada.history().await?;
    println!("ada reads {} events, and ends with {:?}", history.len(), history.last());
    check(history.len() == 9, "the history has all nine events")
}
