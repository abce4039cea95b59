//! The server: one object at one path.

use crate::service::{EchoRef, Echoing, LARGEST, WINDOW};
use farlens::{Identity, Limits, Result, Server};
use farlens_examples::{first_line, ticket};
use std::{num::NonZeroUsize, time::Duration};

/// How long calls that run may take when the server shuts down.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// Serve until Ctrl-C, which lets calls that run finish for up to five seconds.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to listen; 0 takes a free one.
    #[arg(long, default_value_t = 5368)]
    port: u16,
    /// Threads; as many as there are processors if nothing is said.
    #[arg(long)]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Say who calls what.
    #[arg(long)]
    verbose: bool,
    /// Print the first line as `farlens serve --json` does.
    #[arg(long)]
    json: bool,
}

/// Serves until it is told to stop.
pub(crate) async fn serve(options: &Options) -> Result<()> {
    let server = start(options.port, options.verbose).await?;
    println!("{}", if options.json { first_line(&server)? } else { ticket(&server)? });
    server.run().await?;
    eprintln!("stopped");
    Ok(())
}

/// Starts a server with a key that lives as long as it does.
pub(crate) async fn start(port: u16, verbose: bool) -> Result<Server> {
    Server::builder()
        .identity(Identity::generate()?)
        .limits(limits())
        .publish("/echo", EchoRef::new(Echoing { verbose }))
        .bind(("127.0.0.1", port))
        .await
}

/// The bounds of each link: large messages, and few of them ahead on one stream.
fn limits() -> Limits {
    let mut limits = Limits::default().message(LARGEST);
    limits.stream_window_items = WINDOW;
    limits
}
