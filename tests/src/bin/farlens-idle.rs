//! How much memory streams take that are open and wait, both sides of a link together.
//!
//! Both sides are in this process, so what it has resident more with them than before, divided by
//! their number, is what one of them takes: with the handle, and with what the allocator adds.

use farlens::{
    EntityStream, FixedData, Limits, Link, OpenOptions, Publication, Result, Topic, mem::Pair,
};
use std::{env, fs, process::ExitCode};

const USAGE: &str = "usage: farlens-idle bytes|entities|topic";
/// Streams that are open at a time.
const STREAMS: u32 = 10_000;
/// What Linux counts memory in, in bytes.
const PAGE: usize = 4096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let what = env::args().nth(1).unwrap_or_default();
    let publication = match what.as_str() {
        "bytes" => Publication::from(FixedData::bytes(&b"abc"[..])),
        "entities" => FixedData::items([7u64; 3])?.into(),
        "topic" => Topic::<u64>::keep_last(16).into(),
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    let mut limits = Limits::default();
    limits.streams = STREAMS;
    let pair = Pair::builder().limits(limits).publish("/data", publication);
    let (near, _far) = pair.link().await?;
    let taken = match what.as_str() {
        "bytes" => taken(&near, async |link, options| link.open_with("/data", options).await).await,
        _ => taken(&near, entities).await,
    };
    println!("{} bytes a stream", taken?);
    Ok(ExitCode::SUCCESS)
}

async fn entities(link: &Link, options: OpenOptions) -> Result<EntityStream<u64>> {
    link.entities_with("/data", options).await
}

/// Bytes that one of many streams takes which are open and were sent nothing.
async fn taken<S>(
    link: &Link,
    open: impl AsyncFn(&Link, OpenOptions) -> Result<S>,
) -> Result<usize> {
    let options = OpenOptions::new().lazy(true);
    drop(open(link, options).await?);
    let mut streams = Vec::with_capacity(STREAMS as usize);
    let before = resident();
    for _ in 1..STREAMS {
        streams.push(open(link, options).await?);
    }
    println!("{} of them in the handle", size_of::<S>());
    Ok(resident().saturating_sub(before) / streams.len())
}

/// Memory of this process that is in use, in bytes.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * PAGE
}
