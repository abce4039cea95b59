//! Entities in a body: batches of `postcard` behind their length.

use crate::{
    Result,
    data::{Sample, sample},
};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

const HEAD: usize = 4;

/// Entities in batches that are full with so many bytes or entities.
pub(super) fn encoded(
    count: u64,
    bytes: usize,
    most: u64,
) -> impl Iterator<Item = std::io::Result<Bytes>> + Send + 'static {
    let mut next = 0;
    std::iter::from_fn(move || (next < count).then(|| batch(&mut next, count, bytes, most)))
}

fn batch(next: &mut u64, count: u64, bytes: usize, most: u64) -> std::io::Result<Bytes> {
    let mut batch = vec![0; HEAD];
    let end = count.min(next.saturating_add(most));
    while *next < end && batch.len() < bytes {
        batch = postcard::to_extend(&sample(*next), batch).map_err(std::io::Error::other)?;
        *next += 1;
    }
    let length = u32::try_from(batch.len() - HEAD).map_err(std::io::Error::other)?;
    batch[..HEAD].copy_from_slice(&length.to_be_bytes());
    Ok(batch.into())
}

/// Takes each entity by itself.
pub(super) async fn one_by_one(body: Incoming) -> Result<u64> {
    each_batch(body, |mut batch| {
        let mut sum = 0u64;
        while !batch.is_empty() {
            let (sample, rest) = postcard::take_from_bytes::<Sample>(batch)?;
            sum = sum.wrapping_add(sample.id);
            batch = rest;
        }
        Ok(sum)
    })
    .await
}

/// Takes all entities of a batch together.
pub(super) async fn in_batches(body: Incoming) -> Result<u64> {
    each_batch(body, |mut batch| {
        let mut samples = Vec::new();
        while !batch.is_empty() {
            let (sample, rest) = postcard::take_from_bytes::<Sample>(batch)?;
            samples.push(sample);
            batch = rest;
        }
        Ok(samples.iter().map(|sample| sample.id).sum())
    })
    .await
}

async fn each_batch(mut body: Incoming, read: fn(&[u8]) -> Result<u64>) -> Result<u64> {
    let (mut sum, mut held) = (0u64, BytesMut::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            held.extend_from_slice(&data);
        }
        while let Some(head) = held.first_chunk::<HEAD>() {
            let end = HEAD + u32::from_be_bytes(*head) as usize;
            let Some(batch) = held.get(HEAD..end) else { break };
            sum = sum.wrapping_add(read(batch)?);
            held.advance(end);
        }
    }
    match held.is_empty() {
        true => Ok(sum),
        false => Err("the body ended within a batch".into()),
    }
}
