//! Data of one's own: numbers that are computed as they are read, and a ring in memory that is
//! written. Both are held to the rules of their trait, and then read over TLS.
//!
//! ```sh
//! cargo run -p farlens-examples --example own_data
//! ```

mod ring;
mod squares;

use farlens::{
    AtEnd, Client, Code, Error, Identity, Link, OpenOptions, Position, Result, Server, Streamer,
    data::conformance::{self, Subject},
};
use futures::TryStreamExt;
use ring::Ring;
use squares::Squares;
use std::time::Duration;
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() -> Result<()> {
    conforms("squares", &squares::Maker).await?;
    conforms("ring", &ring::Maker).await?;

    let ring = Ring::new(1_000);
    let server = Server::builder()
        .identity(Identity::generate()?)
        .publish("/squares", Streamer::new(Squares::below(u32::MAX)))
        .publish("/ring", Streamer::new(ring.clone()))
        .bind("127.0.0.1:0")
        .await?;
    let client = Client::builder().identity(Identity::generate()?);
    let link = client.connect(&server.invite("/")?.to_string()).await?;

    read_squares(&link).await?;
    follow_ring(&link, &ring).await?;
    server.shutdown(Duration::from_secs(1)).await;
    println!("all is as it should be");
    Ok(())
}

/// Holds a data type to the rules of its trait.
async fn conforms(name: &str, maker: &impl Subject) -> Result<()> {
    let report = conformance::check(maker).await;
    println!("{name} under {} checks, {} broken", report.checks().len(), report.failures().count());
    ensure(report.is_ok(), || report.to_string())
}

/// Four thousand million squares take no memory, and any of them is one seek away.
async fn read_squares(link: &Link) -> Result<()> {
    let mut squares = link.entities::<u64>("/squares").await?;
    for first in [0u64, 3_000_000_000] {
        let place = Position::new(first).unwrap_or(Position::MAX);
        squares.seek(place).await?;
        for n in first..first + 5_000 {
            let square = squares.try_next().await?;
            ensure(square == Some(n * n), || format!("the square of {n} came as {square:?}"))?;
        }
    }
    println!("read 10,000 squares at two places");
    Ok(())
}

/// What is written here arrives there, as long as the reader keeps up with the ring.
async fn follow_ring(link: &Link, ring: &Ring) -> Result<()> {
    let follow = OpenOptions::new().at_end(AtEnd::Follow);
    let mut stream = link.open_with("/ring", follow).await?;
    let mut got = vec![0; 100];
    for round in 0..50 {
        let bytes: Vec<u8> = (0..100).map(|n| round ^ n).collect();
        ring.append(bytes.clone()).await?;
        stream.read_exact(&mut got).await?;
        ensure(got == bytes, || format!("round {round} came as {got:?}"))?;
    }
    println!("followed 5,000 bytes through a ring of 1,000");
    Ok(())
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::new(Code::INTERNAL, otherwise())) }
}
