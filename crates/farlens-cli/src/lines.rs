//! Entities to pieces of lines.

use crate::{args::Global, json, output, stdout::Piece};
use bytes::Bytes;
use farlens::{Code, Entity, EntityStream, Error, Result, schema::Type};
use futures::{FutureExt, Stream, StreamExt};

/// Lines are gathered up to about this size, as long as more entities are there already.
const PIECE_BYTES: usize = 64 << 10;

/// How an entity looks on a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Texts as they are, where the published type is text. Everything else is JSON.
    plain: bool,
    /// A NaN or an infinity is an error and not null.
    strict: bool,
}

impl Style {
    /// One JSON value on each line.
    pub(crate) const JSON: Self = Self { plain: false, strict: false };

    /// That of what is published: lines of text look as they did, unless JSON is wanted.
    pub(crate) fn of(global: &Global, stream: &EntityStream<Entity>, strict: bool) -> Self {
        let text = stream.published_type().is_some_and(|published| *published.root() == Type::Text);
        Self { plain: text && !global.json, strict }
    }
}

/// Reads entities as lines.
pub(crate) struct Reader {
    stream: EntityStream<Entity>,
    style: Style,
    /// How many more to take.
    left: u64,
    /// What stopped the last piece, told after it.
    failed: Option<Error>,
    /// Entities left out that have been told of.
    told: u64,
}

impl Reader {
    pub(crate) const fn new(stream: EntityStream<Entity>, style: Style) -> Self {
        Self { stream, style, left: u64::MAX, failed: None, told: 0 }
    }

    /// The stream itself, to ask where it stands.
    pub(crate) const fn stream(&self) -> &EntityStream<Entity> {
        &self.stream
    }

    /// The stream itself, to seek in it.
    pub(crate) const fn stream_mut(&mut self) -> &mut EntityStream<Entity> {
        &mut self.stream
    }

    /// The rest in pieces, `count` entities of it at most.
    pub(crate) fn pieces(
        self,
        global: &Global,
        count: Option<u64>,
    ) -> impl Stream<Item = Result<Piece>> + use<> {
        let reader = Self { left: count.unwrap_or(u64::MAX), ..self };
        futures::stream::try_unfold((reader, global.clone()), |(mut reader, global)| async move {
            let piece = reader.piece_of(u64::MAX).await?;
            if let Some(skipped) = reader.newly_skipped() {
                output::note(&global, &format!("skipped {skipped}"));
            }
            Ok((piece.items > 0).then_some((piece, (reader, global))))
        })
    }

    /// Entities that were left out for a reader who wants the latest, since this was asked last.
    fn newly_skipped(&mut self) -> Option<u64> {
        let all = self.stream.skipped();
        let new = all - std::mem::replace(&mut self.told, all);
        (new > 0).then_some(new)
    }

    /// Waits for one entity at least and takes so many at most; none at the end.
    pub(crate) async fn piece_of(&mut self, most: u64) -> Result<Piece> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut text = String::new();
        let mut items = 0;
        while self.left > 0 && items < most && text.len() < PIECE_BYTES {
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
        match value {
            Entity::Text(plain) if self.style.plain => text.push_str(plain),
            value => self.json(value, text)?,
        }
        text.push('\n');
        Ok(())
    }

    fn json(&self, value: &Entity, text: &mut String) -> Result<()> {
        let start = text.len();
        let faithful = json::write(value, text).expect("a string takes every text");
        if self.style.strict && !faithful {
            text.truncate(start);
            let index = self.stream.position().get().saturating_sub(1);
            let message = format!("entity {index} holds a NaN or an infinity");
            return Err(Error::new(Code::MALFORMED, message)
                .with_hint("JSON has no such number; without --json-strict it is shown as null"));
        }
        Ok(())
    }
}
