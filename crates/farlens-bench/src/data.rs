//! What every system serves: a block of memory, a file, and entities, all functions of position.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

/// Bytes of memory that are read over and over, more than a cache holds.
pub(crate) const BLOCK: usize = 64 << 20;
/// Entities in a batch, where a system sends batches.
pub(crate) const BATCH: u64 = 256;

/// Bytes of a call's argument, which come back as its answer.
pub(crate) const MESSAGE: usize = 32;

/// What is called with.
pub(crate) type Message = [u8; MESSAGE];

/// The message of a call, in all its bytes a function of the call's place.
pub(crate) fn message(n: u64) -> Message {
    let mut message = [0; MESSAGE];
    for (word, part) in (1u64..).zip(message.chunks_exact_mut(8)) {
        part.copy_from_slice(&(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ word).to_be_bytes());
    }
    message
}

/// The message in what came as an answer; one of another length is none that was sent.
pub(crate) fn as_message(bytes: &[u8]) -> Message {
    bytes.try_into().unwrap_or_default()
}

/// An entity of five fields, about 32 bytes encoded.
#[derive(Clone, Debug, Serialize, Deserialize, farlens::Schema)]
pub(crate) struct Sample {
    pub(crate) id: u64,
    pub(crate) time_ns: u64,
    pub(crate) value: f64,
    pub(crate) label: String,
    pub(crate) valid: bool,
}

/// The entity at a place.
pub(crate) fn sample(n: u64) -> Sample {
    Sample {
        id: n,
        time_ns: 1_700_000_000_000_000_000 + n,
        value: n as f64 * 0.5,
        label: format!("probe-{}", n % 100),
        valid: n.is_multiple_of(3),
    }
}

/// The entities from 0 to `count` in batches; the last one may be shorter.
pub(crate) fn batches(count: u64) -> impl Iterator<Item = Vec<Sample>> + Send + 'static {
    (0..count).step_by(BATCH as usize).map(move |from| batch(from, count))
}

/// The batch that begins at `from`, of `count` entities in all.
pub(crate) fn batch(from: u64, count: u64) -> Vec<Sample> {
    (from..count.min(from + BATCH)).map(sample).collect()
}

/// The byte at a place of the block.
pub(crate) fn byte(at: u64) -> u8 {
    (at.wrapping_mul(31) >> 3) as u8
}

/// The block that all systems serve.
pub(crate) fn block() -> Bytes {
    (0..BLOCK as u64).map(byte).collect()
}

/// What a reader noticed of a piece; it must look at both ends to say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) len: usize,
    first: u8,
    last: u8,
}

impl Piece {
    /// Of bytes that arrived.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let end = |byte: Option<&u8>| byte.copied().unwrap_or_default();
        Self { len: bytes.len(), first: end(bytes.first()), last: end(bytes.last()) }
    }

    /// As it has to be.
    pub(crate) fn expected(at: u64, len: usize) -> Self {
        Self { len, first: byte(at), last: byte(at + len as u64 - 1) }
    }
}

/// Where bulk bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// The block, repeated.
    Memory,
    /// The file, which lies in the page cache.
    File,
}

/// The data of one run.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) block: Bytes,
    pub(crate) file: Arc<File>,
    /// What clients write.
    pub(crate) written: Arc<File>,
}

impl Data {
    /// The first `bytes` of an origin, in chunks.
    pub(crate) fn chunks(&self, origin: Origin, bytes: u64, chunk: usize) -> Chunks {
        Chunks { data: self.clone(), origin, at: 0, end: bytes, chunk }
    }

    /// What lies at a place of an origin. It is shorter where the block begins anew.
    pub(crate) fn chunk(&self, origin: Origin, at: u64, len: usize) -> io::Result<Bytes> {
        match origin {
            Origin::Memory => Ok(self.piece(at % BLOCK as u64, len)),
            Origin::File => from_file(&self.file, at, len),
        }
    }

    /// Writes what a client sent. As with reading, this goes no further than the page cache.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> io::Result<u64> {
        self.written.write_all_at(bytes, at)?;
        Ok(bytes.len() as u64)
    }

    /// What a client writes.
    pub(crate) fn to_write(
        &self,
        bytes: u64,
        chunk: usize,
    ) -> impl Iterator<Item = Bytes> + Send + 'static {
        // Memory cannot fail.
        self.chunks(Origin::Memory, bytes, chunk).flatten()
    }

    /// A piece of the block.
    pub(crate) fn piece(&self, at: u64, len: usize) -> Bytes {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(self.block.len());
        self.block.slice(at..self.block.len().min(at.saturating_add(len)))
    }
}

/// Chunks of an origin. Those of the file are read where they are asked for, without a detour over
/// other threads: the page cache holds it, so this is the fastest that a server can do.
#[derive(Debug)]
pub(crate) struct Chunks {
    data: Data,
    origin: Origin,
    at: u64,
    end: u64,
    chunk: usize,
}

impl Iterator for Chunks {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let len = self.chunk.min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        if len == 0 {
            return None;
        }
        let chunk = self.data.chunk(self.origin, self.at, len);
        self.at += chunk.as_ref().map_or(0, Bytes::len) as u64;
        Some(chunk)
    }
}

fn from_file(file: &File, at: u64, len: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; len];
    file.read_exact_at(&mut buffer, at)?;
    Ok(buffer.into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Data with a file of so many bytes.
    pub(crate) fn data(bytes: u64) -> Data {
        let file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..bytes).map(byte).collect();
        file.write_all_at(&content, 0).unwrap();
        let file = Arc::new(file);
        Data { block: block(), written: Arc::clone(&file), file }
    }

    #[test]
    fn chunks_of_both_origins_are_the_same_bytes() {
        let data = data(1000);
        let all = |origin| -> Vec<u8> {
            data.chunks(origin, 1000, 300).flat_map(|chunk| chunk.unwrap().to_vec()).collect()
        };
        assert_eq!(all(Origin::File), all(Origin::Memory));
        assert_eq!(all(Origin::File).len(), 1000);
    }

    #[test]
    fn batches_hold_every_entity_once() {
        let ids: Vec<u64> = batches(600).flatten().map(|sample| sample.id).collect();
        assert_eq!(ids, (0..600).collect::<Vec<_>>());
    }

    #[test]
    fn messages_of_two_calls_differ_in_every_word() {
        let (one, other) = (message(1), message(2));
        assert!(one.chunks(8).zip(other.chunks(8)).all(|(one, other)| one != other));
        assert_eq!(as_message(&one), one);
        assert_ne!(as_message(&one[1..]), one);
    }

    #[test]
    fn a_piece_of_another_place_is_noticed() {
        let data = data(0);
        assert_eq!(Piece::of(&data.piece(4096, 4096)), Piece::expected(4096, 4096));
        assert_ne!(Piece::of(&data.piece(4097, 4096)), Piece::expected(4096, 4096));
    }
}
