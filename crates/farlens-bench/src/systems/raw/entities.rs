//! Entities as they are read: batches of `postcard` behind their length, and one of no length at
//! the end.

use crate::{
    Result,
    data::{BATCH, Sample},
    tls::Stream,
};
use tokio::io::AsyncReadExt;

/// Reads all batches, and adds up what `read` makes of each.
pub(super) async fn ids(stream: &mut Stream, read: fn(&[u8]) -> Result<u64>) -> Result<u64> {
    let (mut sum, mut batch) = (0u64, Vec::new());
    loop {
        let length = stream.read_u32().await? as usize;
        if length == 0 {
            return Ok(sum);
        }
        batch.resize(length, 0);
        stream.read_exact(&mut batch).await?;
        sum = sum.wrapping_add(read(&batch)?);
    }
}

/// Takes each entity by itself.
pub(super) fn one_by_one(mut batch: &[u8]) -> Result<u64> {
    let mut sum = 0u64;
    while !batch.is_empty() {
        let (sample, rest) = postcard::take_from_bytes::<Sample>(batch)?;
        sum = sum.wrapping_add(sample.id);
        batch = rest;
    }
    Ok(sum)
}

/// Takes all entities of a batch together.
pub(super) fn in_batches(mut batch: &[u8]) -> Result<u64> {
    let mut samples = Vec::with_capacity(BATCH as usize);
    while !batch.is_empty() {
        let (sample, rest) = postcard::take_from_bytes::<Sample>(batch)?;
        samples.push(sample);
        batch = rest;
    }
    Ok(samples.iter().map(|sample| sample.id).sum())
}
