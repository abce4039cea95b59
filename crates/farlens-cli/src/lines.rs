//! Entities to pieces of JSON lines.

use crate::{json, stdout::Piece};
use bytes::Bytes;
use farlens::{Code, Entity, EntityStream, Error, Result};
use futures::{FutureExt, Stream, StreamExt};

/// Lines are gathered up to about this size, as long as more entities are there already.
const PIECE_BYTES: usize = 64 << 10;

struct Reader {
    stream: EntityStream<Entity>,
    /// How many more to take.
    left: u64,
    strict: bool,
    /// What stopped the last piece, told after it.
    failed: Option<Error>,
}

/// The entities of a stream as lines of JSON, `count` of them at most. With `strict` a NaN or an
/// infinity is an error and not null.
pub(crate) fn pieces(
    stream: EntityStream<Entity>,
    count: Option<u64>,
    strict: bool,
) -> impl Stream<Item = Result<Piece>> {
    let left = count.unwrap_or(u64::MAX);
    let reader = Reader { stream, left, strict, failed: None };
    futures::stream::try_unfold(reader, |mut reader| async move {
        let piece = reader.piece().await?;
        Ok((piece.items > 0).then_some((piece, reader)))
    })
}

impl Reader {
    /// Waits for one entity at least; none at the end.
    async fn piece(&mut self) -> Result<Piece> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut text = String::new();
        let mut items = 0;
        while self.left > 0 && text.len() < PIECE_BYTES {
            let next = match items {
                0 => self.stream.next().await,
                _ => match self.stream.next().now_or_never() {
                    Some(next) => next,
                    None => break,
                },
            };
            let Some(next) = next else { break };
            match next.and_then(|value| self.line(&value, &mut text)) {
                Ok(()) => {
                    items += 1;
                    self.left -= 1;
                }
                Err(error) if items == 0 => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(Piece { bytes: Bytes::from(text), items })
    }

    fn line(&self, value: &Entity, text: &mut String) -> Result<()> {
        let start = text.len();
        let faithful = json::write(value, text).expect("a string takes every text");
        if self.strict && !faithful {
            text.truncate(start);
            let index = self.stream.position().get().saturating_sub(1);
            let message = format!("entity {index} holds a NaN or an infinity");
            return Err(Error::new(Code::MALFORMED, message)
                .with_hint("JSON has no such number; without --json-strict it is shown as null"));
        }
        text.push('\n');
        Ok(())
    }
}
