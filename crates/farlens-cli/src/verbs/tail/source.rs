//! What is read: bytes or entities, with the same verbs.

use super::amount::Amount;
use crate::{
    args::Global,
    lines::{Reader, Style},
    stdout::Piece,
};
use bytes::Bytes;
use farlens::{
    AtEnd, Bounds, ByteStream, Code, Entity, Error, Link, OpenOptions, Pos, Position, Result,
};

/// Bytes that are looked through at a time, from the end backwards.
const BLOCK_BYTES: u64 = 64 << 10;

/// An open stream.
pub(super) enum Source {
    Bytes(Box<ByteStream>),
    Items(Box<Reader>),
}

impl Source {
    /// Opens a stream of either kind, at its end.
    pub(super) async fn open(
        global: &Global,
        link: &Link,
        path: &str,
        at_end: AtEnd,
    ) -> Result<Self> {
        let options = OpenOptions::new().start(Pos::END).at_end(at_end);
        match link.open_with(path, options).await {
            Err(error) if error.code() == Code::WRONG_KIND => {
                let stream = link.entities_with::<Entity>(path, options).await?;
                let style = Style::of(global, &stream, false);
                Ok(Self::Items(Box::new(Reader::new(stream, style))))
            }
            opened => opened.map(|stream| Self::Bytes(Box::new(stream))),
        }
    }

    pub(super) const fn unit(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "bytes",
            Self::Items(_) => "entities",
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        match self {
            Self::Bytes(stream) => stream.bounds(),
            Self::Items(reader) => reader.stream().bounds(),
        }
    }

    pub(super) fn position(&self) -> Position {
        match self {
            Self::Bytes(stream) => stream.position(),
            Self::Items(reader) => reader.stream().position(),
        }
    }

    pub(super) fn version(&self) -> Bytes {
        match self {
            Self::Bytes(stream) => stream.version(),
            Self::Items(reader) => reader.stream().version(),
        }
    }

    pub(super) async fn seek(&mut self, to: Position) -> Result<Position> {
        match self {
            Self::Bytes(stream) => stream.seek_to(to).await,
            Self::Items(reader) => reader.stream_mut().seek(to).await,
        }
    }

    /// What comes next, at most so many elements; nothing at the end.
    pub(super) async fn next(&mut self, most: u64) -> Result<Option<Piece>> {
        match self {
            Self::Bytes(stream) => {
                let piece = |bytes| Piece { bytes, items: 0 };
                Ok(stream.next_chunk().await?.map(piece))
            }
            Self::Items(reader) => {
                let piece = reader.piece_of(most).await?;
                Ok((piece.items > 0).then_some(piece))
            }
        }
    }

    /// Goes to where the wanted part begins.
    pub(super) async fn go_to_tail(
        &mut self,
        lines: Amount,
        bytes: Option<Amount>,
    ) -> Result<Position> {
        let bounds = self.bounds();
        let end = bounds.end.ok_or_else(no_end)?;
        let start = bounds.start.unwrap_or_default();
        let elements = match (&*self, bytes) {
            (Self::Items(_), None) => lines,
            (Self::Items(_), Some(_)) => return Err(no_bytes()),
            (Self::Bytes(_), Some(bytes)) => bytes,
            (Self::Bytes(stream), None) => match lines {
                Amount::Last(lines) => {
                    let at = last_lines(stream, start, end, lines).await?;
                    return self.seek(at).await;
                }
                Amount::Behind(lines) => return self.skip_lines(start, lines).await,
            },
        };
        let at = match elements {
            Amount::Last(count) => {
                let back = i64::try_from(count).unwrap_or(i64::MAX).saturating_neg();
                end.offset(back).unwrap_or(start).max(start)
            }
            Amount::Behind(count) => start.forward(count).unwrap_or(end).min(end),
        };
        self.seek(at).await
    }

    /// Goes behind so many line ends.
    async fn skip_lines(&mut self, start: Position, lines: u64) -> Result<Position> {
        let mut left = lines;
        let mut at = self.seek(start).await?;
        while left > 0 {
            let Some(piece) = self.next(u64::MAX).await? else { return Ok(self.position()) };
            for (index, _) in piece.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                left -= 1;
                if left == 0 {
                    at = at.forward(index as u64 + 1).unwrap_or(at);
                    return self.seek(at).await;
                }
            }
            at = self.position();
        }
        Ok(at)
    }
}

/// Where the last lines begin. One without its end counts.
async fn last_lines(
    stream: &ByteStream,
    start: Position,
    end: Position,
    lines: u64,
) -> Result<Position> {
    if lines == 0 {
        return Ok(end);
    }
    let mut left = lines;
    let mut to = end.get();
    while to > start.get() {
        let from = to.saturating_sub(BLOCK_BYTES).max(start.get());
        let block = stream.read_at(from..to).await?;
        for (index, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let behind = from + index as u64 + 1;
            if behind == end.get() {
                continue;
            }
            left -= 1;
            if left == 0 {
                return Ok(Position::new(behind).unwrap_or(end));
            }
        }
        to = from;
    }
    Ok(start)
}

fn no_end() -> Error {
    Error::new(Code::MODE_FORBIDS, "its end is not known, so it has no last part")
        .with_hint("read it from the start with `farlens cat`")
}

fn no_bytes() -> Error {
    Error::new(Code::WRONG_KIND, "these are entities, which are not counted in bytes")
        .with_hint("count them with -n")
}
