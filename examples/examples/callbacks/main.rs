//! Objects, callbacks and streams are values: they are parameters, results and parts of either, and
//! who gets one calls it, reads it or passes it on. Shows
//!
//! - callbacks that call back, several levels deep;
//! - a callback that comes home and is the very object that went away;
//! - calls on an answer that is not there yet, over a way of 50 ms: one round trip instead of two;
//! - a deadline, and a call that its caller gives up: both drop the handler at the other end.
//!
//! Checks itself: exits with 1 if something is otherwise.
//!
//! ```sh
//! cargo run --release -p farlens-examples --example callbacks
//! cargo run --release -p farlens-examples --example callbacks -- --json    # only the server
//! ```

mod archive;
mod desk;
mod ending;

use archive::{Archive, ArchiveRef, Dataset, Shelf};
use clap::Parser;
use desk::{Desk, DeskRef, Notice, NoticeRef, Player, PlayerRef, Secretary};
use farlens::{CallContext, Identity, Remote, Result, Server};
use farlens_examples::{check, connect, far_away, first_line, wrong};
use std::time::{Duration, Instant};
use tokio::{io::AsyncReadExt, sync::mpsc};

/// How far away the archive is.
const DELAY: Duration = Duration::from_millis(50);
/// A busy machine only adds to what is measured, so the best of so many attempts counts.
const ATTEMPTS: usize = 3;

/// Objects and callbacks as values: alone it checks itself.
#[derive(Debug, Parser)]
struct Args {
    /// Serve until Ctrl-C; the first line is that of `farlens serve --json`.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (secretary, news) = Secretary::new();
    let server = Server::builder()
        .identity(Identity::generate()?)
        .publish("/desk", DeskRef::new(secretary))
        .publish("/archive", ArchiveRef::new(Shelf))
        .bind("127.0.0.1:0")
        .await?;
    if args.json {
        println!("{}", first_line(&server)?);
        return server.run().await;
    }
    let link = connect(&server).await?;
    let desk: DeskRef = link.object("/desk").await?;
    levels(&desk).await?;
    comes_home(&desk).await?;
    ending::deadline_and_drop(&desk, news).await?;

    let far = far_away(&server, DELAY).await?;
    let archive: ArchiveRef = far.object("/archive").await?;
    pipelining(&archive).await?;
    println!("all is as it should be");
    Ok(())
}

/// Throws the ball back and forth: each throw is a call from within the last one.
struct Here;

impl Player for Here {
    async fn catch(&self, left: u32, from: PlayerRef) -> Result<u32> {
        let depth = CallContext::current().depth();
        println!("  caught here, {depth} calls deep, {left} throws left");
        if left == 0 {
            return Ok(0);
        }
        Ok(1 + from.catch(left - 1, PlayerRef::new(Self)).await?)
    }
}

/// The client calls the server, which calls back, which calls back …
async fn levels(desk: &DeskRef) -> Result<()> {
    let there = desk.player().await?;
    let throws = there.catch(6, PlayerRef::new(Here)).await?;
    println!("six throws within each other: {throws} came back");
    check(throws == 6, "all six throws come back")
}

/// A callback that counts what it is told.
struct Bell(mpsc::Sender<String>);

impl Notice for Bell {
    async fn ring(&self, text: String) -> Result<()> {
        self.0.send(text).await.map_err(|_| wrong("nobody hears the bell"))
    }
}

/// The server keeps a callback, calls it later, and gives it back.
async fn comes_home(desk: &DeskRef) -> Result<()> {
    let (ring, mut rung) = mpsc::channel(10);
    let bell = NoticeRef::new(Bell(ring));
    desk.keep(bell.clone()).await?;
    desk.announce("coffee".into()).await?;
    let heard = rung.recv().await;
    println!("the bell was rung from afar: {heard:?}");
    check(heard.as_deref() == Some("coffee"), "the bell rings for coffee")?;

    let home = desk.give_back().await?.ok_or_else(|| wrong("the desk has the bell"))?;
    let same = Remote::from(home.clone()).reference() == Remote::from(bell).reference();
    home.ring("home".into()).await?; // a call within this process: nothing crosses the link
    println!("it came home as the same object: {same}");
    check(same && rung.recv().await.as_deref() == Some("home"), "it is the object that went away")
}

/// What is read of a dataset: its name, and its bytes.
type Read = (String, Vec<u8>);

/// Waits for the dataset, then for what is asked of it.
async fn one_by_one(archive: &ArchiveRef) -> Result<Read> {
    let dataset = archive.open_dataset("ct".into()).await?;
    Ok((dataset.title().await?, Vec::new()))
}

/// Asks the dataset while it is still being opened.
async fn at_once(archive: &ArchiveRef) -> Result<Read> {
    let dataset = archive.pipeline().open_dataset("ct".into());
    Ok((dataset.title().await?, Vec::new()))
}

/// Reads the stream that a method of such a dataset answers with, which is not there either.
async fn stream_at_once(archive: &ArchiveRef) -> Result<Read> {
    let dataset = archive.pipeline().open_dataset("ct".into());
    let mut bytes = Vec::new();
    let mut stream = dataset.pipeline().bytes().connect().await?;
    stream.read_to_end(&mut bytes).await?;
    Ok(("ct".into(), bytes))
}

/// Compares the ways to ask.
async fn pipelining(archive: &ArchiveRef) -> Result<()> {
    let waiting = measure("a call on a dataset, one by one", || one_by_one(archive), 0).await?;
    let piped = measure("a call on a dataset, pipelined", || at_once(archive), 0).await?;
    let size = archive::CONTENT.len();
    let stream = measure("the bytes of a dataset, pipelined", || stream_at_once(archive), size);
    let stream = stream.await?;
    check(waiting >= 2.0, "one by one takes two round trips")?;
    check(piped < 1.6, format!("pipelined takes one round trip, not {piped:.2}"))?;
    check(stream < 1.6, format!("so does a stream, not {stream:.2}"))
}

/// The round trips that something takes.
async fn measure<F: Future<Output = Result<Read>>>(
    what: &str,
    job: impl Fn() -> F,
    size: usize,
) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ATTEMPTS {
        let started = Instant::now();
        let (title, bytes) = job().await?;
        best = best.min(started.elapsed().as_secs_f64() / (2 * DELAY).as_secs_f64());
        check(title == "ct" && bytes == archive::CONTENT[..size], "what is read is in order")?;
    }
    println!("{what}: {best:.2} round trips of {} ms", (2 * DELAY).as_millis());
    Ok(best)
}
