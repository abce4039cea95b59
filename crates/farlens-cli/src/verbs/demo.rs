//! `farlens demo`: the main job in one process, over a real link on loopback.
//!
//! `world` holds what is published; this file is the client, which checks everything it is told.
//! The server keeps its own identity and the client its own; both are forgotten at the end.

mod world;

use crate::{args::Global, exit::Exit, output};
use farlens::{Change, Client, Code, Error, Identity, Link, OpenOptions, Pos, Position, Result};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use std::{
    io::SeekFrom,
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use world::{FILE_BYTES, POSES, Pose, World, pattern};

/// Show the whole at work: one process, two identities, a real link between them.
///
/// Over one TLS link go a file of 64 MiB, 100,000 typed entities and three streams that are
/// watched. Needs nothing and leaves nothing behind.
#[derive(clap::Args, Debug)]
pub(crate) struct Demo {}

/// Nothing here takes as long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Serialize)]
struct Step<'a> {
    event: &'static str,
    name: &'a str,
    text: String,
}

/// Tells what happened, line by line.
struct Tale {
    json: bool,
}

impl Tale {
    fn tell(&self, name: &str, text: String) {
        // Whether somebody still reads makes no difference to the checks.
        output::line(&match self.json {
            true => output::to_json(&Step { event: "step", name, text }),
            false => format!("{name:<10} {text}"),
        });
    }
}

pub(crate) async fn run(global: &Global, _: &Demo) -> Result<Exit> {
    let tale = Tale { json: global.json };
    let patience = tokio::time::timeout(PATIENCE, play(&tale)).await;
    patience.map_err(|_| wrong("the demo hangs"))??;
    tale.tell("done", "every check passed".to_owned());
    Ok(Exit::OK)
}

async fn play(tale: &Tale) -> Result<()> {
    let mut world = World::make().await?;
    let server = world.serve().await?;
    tale.tell("server", format!("{}  listens on {}", short(&server.key()), server.local_addr()));
    let ticket = server.invite("/")?.to_string();
    let client = Identity::generate()?;
    let own_key = client.key_id();
    let link = Client::builder().identity(client).connect(&ticket).await?;
    let text = "is let in by a ticket, over mutual TLS 1.3";
    tale.tell("client", format!("{}  {text}", short(&own_key)));
    check(link.peer() == server.key(), "the server proved another key")?;

    for entry in link.list("/").await? {
        let len = entry.len.map_or_else(String::new, |len| len.to_string());
        tale.tell("list", format!("/{:<9} {:<5} {len:>9}", entry.name, kind(entry.kind)));
    }
    read_ranges(tale, &link).await?;
    iterate(tale, &link).await?;
    watch(tale, &link, &mut world).await?;
    read_all(tale, &link).await?;
    server.shutdown(Duration::from_secs(5)).await;
    let why = link.closed().await;
    check(why.code() == Code::GOING_AWAY, "the link ended otherwise than by a shutdown")?;
    tale.tell("shutdown", format!("the client was told: {why}"));
    Ok(())
}

/// Reads parts of the file here and there, from the start, from the end and from where it is.
async fn read_ranges(tale: &Tale, link: &Link) -> Result<()> {
    let mut file = link.open("/scan.raw").await?;
    let mut part = vec![0; 10_000];
    let places = (0..64u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (FILE_BYTES - 10_000));
    for place in places {
        check(file.seek(SeekFrom::Start(place)).await? == place, "a seek went elsewhere")?;
        file.read_exact(&mut part).await?;
        check(part == pattern(place, part.len()), "a range differs from the file")?;
    }
    tale.tell("ranges", "64 parts of 10,000 bytes of /scan.raw are those of the file".to_owned());
    let place = file.seek(SeekFrom::End(-512)).await?;
    check(place == FILE_BYTES - 512, "a seek from the end went elsewhere")?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).await?;
    check(tail == pattern(place, 512), "the end differs from the file")?;
    let refused = file.seek_to(Position::MAX).await.expect_err("the file is not that long");
    check(refused.code() == Code::OUT_OF_RANGE, "a seek beyond the end failed otherwise")?;
    check(file.seek(SeekFrom::Current(-12)).await? == FILE_BYTES - 12, "it moved all the same")?;
    tale.tell("seek", format!("the last 512 bytes; beyond the end: {refused}"));
    Ok(())
}

/// Iterates typed entities from an index, from near the end, and as plain entities.
async fn iterate(tale: &Tale, link: &Link) -> Result<()> {
    let start = Position::from(40_000);
    let options = OpenOptions::new().start(start);
    let mut poses = link.entities_with::<Pose>("/poses", options).await?;
    for index in 40_000..41_000 {
        let pose = poses.try_next().await?;
        check(pose == Some(Pose::at(index)), "an entity differs")?;
    }
    tale.tell("iterate", "1,000 poses of /poses from index 40,000".to_owned());
    poses.seek(Pos::FromEnd(-3)).await?;
    let last: Vec<Pose> = poses.by_ref().try_collect().await?;
    let expected: Vec<_> = (POSES - 3..POSES).map(Pose::at).collect();
    check(last == expected, "the last entities differ")?;
    tale.tell("iterate", format!("the last is {:?}", expected[2]));
    let refused = link.entities::<u64>("/poses").await.expect_err("they are no numbers");
    check(refused.code() == Code::SCHEMA_MISMATCH, "another type was not refused")?;
    let (begun, mut count) = (Instant::now(), 0u64);
    let mut poses = link.entities::<Pose>("/poses").await?;
    while let Some(pose) = poses.try_next().await? {
        check(pose.index == count, "entities are out of order")?;
        count += 1;
    }
    check(count == POSES, "the sequence is not whole")?;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    tale.tell("iterate", format!("all {count} poses, {rate:.0} a second"));
    Ok(())
}

/// Watches three streams until one has grown, one has brought entities, and two have ended.
async fn watch(tale: &Tale, link: &Link, world: &mut World) -> Result<()> {
    let mut events = link.watch(["/log", "/fixed", "/live"]).await?;
    let (mut opened, mut items, mut grown, mut ended) = (0, 0, false, Vec::new());
    while !(grown && items == World::LIVE_ITEMS && ended.len() == 2) {
        let event = events.next().await.ok_or_else(|| wrong("the streams are gone"))?;
        let path = event.path.as_str();
        match event.change {
            Change::Opened { kind, len } => {
                opened += 1;
                tale.tell("watch", format!("{path:<7} opened: {kind:?}, {}", len.unwrap_or(0)));
                if opened == 3 {
                    world.go_on()?;
                }
            }
            Change::Item { at, value } => {
                check(value == world.live_item(at), "a live entity differs")?;
                items += 1;
            }
            Change::Grew { len } => {
                grown |= path == "/log" && len == world.log_len();
                tale.tell("watch", format!("{path:<7} grew to {len} bytes"));
            }
            Change::Ended { len } => {
                check(path != "/log", "a followed file has no end")?;
                ended.push(path.to_owned());
                tale.tell("watch", format!("{path:<7} ended at {}", len.unwrap_or(0)));
            }
            other => return Err(wrong(&format!("{path}: {other:?}"))),
        }
    }
    tale.tell("watch", format!("/live   brought {items} entities while it was watched"));
    Ok(())
}

/// Reads the whole file twice: for the time, and for the content.
async fn read_all(tale: &Tale, link: &Link) -> Result<()> {
    let (begun, mut count) = (Instant::now(), 0);
    let mut file = link.open("/scan.raw").await?;
    while let Some(chunk) = file.next_chunk().await? {
        count += chunk.len() as u64;
    }
    let rate = count as f64 / 1e6 / begun.elapsed().as_secs_f64();
    check(count == FILE_BYTES, "the file is not whole")?;
    tale.tell("read", format!("{count} bytes of /scan.raw, {rate:.0} MB/s"));
    let (mut file, mut at) = (link.open("/scan.raw").await?, 0);
    while let Some(chunk) = file.next_chunk().await? {
        check(chunk == pattern(at, chunk.len()), "the content differs from the file")?;
        at += chunk.len() as u64;
    }
    check(at == FILE_BYTES, "the file is not whole")?;
    tale.tell("compare", "every byte is that of the file".to_owned());
    Ok(())
}

fn check(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(wrong(otherwise)) }
}

fn wrong(text: &str) -> Error {
    Error::new(Code::INTERNAL, format!("the demo failed: {text}"))
}

fn kind(kind: farlens::EntryKind) -> &'static str {
    super::ls::kind(kind)
}

fn short(key: &farlens::KeyId) -> String {
    key.grouped().to_string().chars().take(14).chain(['…']).collect()
}
