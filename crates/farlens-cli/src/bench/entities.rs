//! Five-field entities made by an iterator: postcard in length-prefixed batches of 64 KiB on the
//! raw connection, one typed sequence on the link, both taken one by one.

use super::{Plan, Rounds};
use farlens::{Client, Code, Error, Identity, IterData, Link, Result, Server};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BATCH: usize = 64 << 10;

#[derive(Debug, Serialize, Deserialize, farlens::Schema)]
struct Sample {
    id: u64,
    time_ns: u64,
    value: f64,
    label: String,
    valid: bool,
}

fn sample(n: u64) -> Sample {
    Sample {
        id: n,
        time_ns: 1_700_000_000_000_000_000 + n,
        value: n as f64 * 0.5,
        label: format!("probe-{}", n % 100),
        valid: n.is_multiple_of(3),
    }
}

pub(super) async fn measure(plan: Plan) -> Result<Rounds> {
    let mut builder = Server::builder().identity(Identity::generate()?);
    for round in 0..plan.rounds {
        let data = IterData::new((0..plan.entities).map(sample));
        builder = builder.publish(&format!("/{round}"), data);
    }
    let server = builder.bind("127.0.0.1:0").await?;
    let ticket = server.invite("/")?.to_string();
    let link = Client::builder().identity(Identity::generate()?).connect(&ticket).await?;
    let mut rounds = Rounds::new();
    for round in 0..plan.rounds {
        rounds.raw.push(raw(plan.entities).await?);
        rounds.farlens.push(over_link(link.clone(), round, plan.entities).await?);
    }
    Ok(rounds)
}

async fn raw(count: u64) -> Result<Duration> {
    let (mut from, mut to) = farlens::raw::tls_pair().await?;
    let started = Instant::now();
    let writer = tokio::spawn(async move {
        let mut batch = vec![0; 4];
        for n in 0..count {
            batch = postcard::to_extend(&sample(n), batch).map_err(std::io::Error::other)?;
            if batch.len() >= BATCH || n + 1 == count {
                let length = u32::try_from(batch.len() - 4).unwrap_or(u32::MAX);
                batch[..4].copy_from_slice(&length.to_be_bytes());
                from.write_all(&batch).await?;
                batch.truncate(4);
            }
        }
        from.flush().await?;
        Ok::<_, std::io::Error>(from)
    });
    let reader = tokio::spawn(async move {
        let (mut sum, mut seen) = (0u64, 0u64);
        let mut batch = Vec::new();
        while seen < count {
            let length = to.read_u32().await? as usize;
            batch.resize(length, 0);
            to.read_exact(&mut batch).await?;
            let mut rest = &batch[..];
            while !rest.is_empty() {
                let taken = postcard::take_from_bytes::<Sample>(rest);
                let (sample, after) = taken.map_err(std::io::Error::other)?;
                sum = sum.wrapping_add(sample.id);
                seen += 1;
                rest = after;
            }
        }
        Ok::<_, std::io::Error>(sum)
    });
    let sum = reader
        .await
        .unwrap_or(Ok(0))
        .map_err(|error| Error::new(Code::LINK_LOST, "the raw loop failed").with_source(error))?;
    let took = started.elapsed();
    drop(writer.await);
    check(sum, count)?;
    Ok(took)
}

async fn over_link(link: Link, round: usize, count: u64) -> Result<Duration> {
    let started = Instant::now();
    let reader = tokio::spawn(async move {
        let mut samples = link.entities::<Sample>(&format!("/{round}")).await?;
        let mut sum = 0u64;
        while let Some(sample) = samples.try_next().await? {
            sum = sum.wrapping_add(sample.id);
        }
        Ok::<_, Error>(sum)
    });
    check(reader.await.unwrap_or(Ok(0))?, count)?;
    Ok(started.elapsed())
}

fn check(sum: u64, count: u64) -> Result<()> {
    let expected = (0..count).fold(0u64, u64::wrapping_add);
    if sum == expected {
        return Ok(());
    }
    Err(Error::new(Code::INTERNAL, format!("the entities add up to {sum}, not {expected}")))
}
