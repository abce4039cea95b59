//! A service with fifty streams, and one callback for all of them: a client registers an object,
//! which is told what has changed, and reads that. Beside it `link.watch` tells another client of
//! the same streams, without a word of the service about it: the one is a contract of one's own,
//! the other comes with every publication.
//!
//! Half of the streams are entities and half are bytes. Checks itself: exits with 1 if one of the
//! two clients got another sum than what was written.
//!
//! ```sh
//! cargo run --release -p farlens-examples --example multi_stream_service
//! cargo run --release -p farlens-examples --example multi_stream_service -- --json
//! ```

mod observing;
mod service;
mod streams;
mod watching;

use clap::Parser;
use farlens::{Identity, Result, Server};
use farlens_examples::{check, connect, first_line};
use service::{Service, ServiceRef, Station};
use std::time::Duration;
use streams::{STREAMS, Streams, expected_sum};

/// Fifty streams and one callback: alone it checks itself.
#[derive(Debug, Parser)]
struct Args {
    /// Serve until Ctrl-C; the first line is that of `farlens serve --json`.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (streams, published) = Streams::new();
    let mut builder = Server::builder().identity(Identity::generate()?);
    for (path, publication) in published {
        builder = builder.publish(&path, publication);
    }
    let service = ServiceRef::new(Station::new(streams));
    let server = builder.publish("/service", service).bind("127.0.0.1:0").await?;
    if args.json {
        println!("{}", first_line(&server)?);
        return server.run().await;
    }

    let (observing, watching) = (connect(&server).await?, connect(&server).await?);
    let service: ServiceRef = observing.object("/service").await?;
    let observer = observing::Reader::register(&observing, &service).await?;
    let watcher = watching::Watcher::open(&watching, (0..STREAMS).map(Streams::path)).await?;
    service.produce().await?; // the streams grow from here on
    let (observed, watched) = tokio::try_join!(observer.read_all(), watcher.read_all())?;

    println!(
        "the observer was told {} times, and read {} elements",
        observed.told, observed.elements
    );
    println!("the watcher got {} events", watched.events);
    println!("sums: {} and {}, written {}", observed.sum, watched.sum, expected_sum());
    check(observed.sum == expected_sum(), "the observer read what was written")?;
    check(watched.sum == expected_sum(), "the watcher got what was written")?;
    server.shutdown(Duration::from_secs(1)).await;
    println!("all is as it should be");
    Ok(())
}
