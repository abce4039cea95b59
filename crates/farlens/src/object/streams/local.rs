//! Streams that are published and read in the same process.

use crate::{
    Error, Result,
    data::{Fetched, ReadBudget, erased::ErasedData},
    link::trash,
    publish::Streamer,
};
use bytes::Bytes;
use farlens_proto::{About, Chunk, ItemBatch, Purpose};
use farlens_wire::{Code, Element, Flags, Limits, Position, Reference};
use futures::{Stream, stream};
use std::sync::Arc;

/// How many items are fetched before the reader has seen the first of them.
const BUDGET: ReadBudget = ReadBudget { bytes: 64 << 10, elements: 10 };

/// A streamer of this process, as it lies inside a reference.
pub(crate) struct LocalStreamer {
    streamer: Option<Streamer>,
    about: About,
}

impl LocalStreamer {
    /// # Errors
    /// `USAGE` when the mode of the streamer contradicts itself or its data.
    pub(crate) fn new(streamer: Streamer) -> Result<Self> {
        Ok(Self { about: streamer.about()?, streamer: Some(streamer) })
    }

    /// What a peer is told of it.
    pub(crate) const fn about(&self) -> About {
        self.about
    }

    pub(crate) fn streamer(&self) -> Result<&Streamer> {
        let gone = || Error::new(Code::NO_SUCH_OBJECT, "the stream is gone");
        self.streamer.as_ref().ok_or_else(gone)
    }

    fn open(&self) -> Result<Arc<dyn ErasedData>> {
        Ok(self.streamer()?.open(Flags::READABLE, Purpose::Use)?.data)
    }
}

impl Drop for LocalStreamer {
    fn drop(&mut self) {
        trash::bury(Box::new(self.streamer.take()));
    }
}

/// The elements of a streamer, up to its end or its first failure.
pub(super) fn read<T: Element>(
    reference: Reference,
) -> impl Stream<Item = Result<T>> + Send + 'static {
    let begin = async move {
        let reader = Reader::open::<T>(&reference)?;
        Ok(stream::try_unfold(reader, async |mut reader| {
            let Some((body, table)) = reader.next().await? else { return Ok(None) };
            let table = table.as_deref().unwrap_or_default();
            let element = T::decode_with(&body, table, &Limits::default()).map_err(|error| {
                Error::new(error.code(), format!("an element is malformed: {error}"))
            })?;
            Ok(Some((element, reader)))
        }))
    };
    futures::TryFutureExt::try_flatten_stream(begin)
}

struct Reader {
    data: Arc<dyn ErasedData>,
    at: Position,
    held: ItemBatch,
}

impl Reader {
    fn open<T: Element>(reference: &Reference) -> Result<Self> {
        let Some(streamer) = reference.get::<LocalStreamer>() else { return Err(no_stream()) };
        let data = streamer.open()?;
        let (wanted, offered) = (T::schema(), data.schema());
        if wanted != offered {
            let text = "the stream has elements of another type than its reader expects";
            return Err(Error::new(Code::SCHEMA_MISMATCH, text));
        }
        Ok(Self { data, at: Position::ZERO, held: ItemBatch::default() })
    }

    /// The next element, encoded, with what its references point at; or nothing at a final end.
    async fn next(&mut self) -> Result<Option<(Bytes, Option<Arc<[Reference]>>)>> {
        loop {
            if let Some(element) = self.held.pop() {
                return Ok(Some(element));
            }
            match self.data.read_at(self.at, BUDGET).await? {
                Fetched::Some(Chunk::Items(batch)) => {
                    self.at = self.at.forward(batch.count()).unwrap_or(Position::MAX);
                    self.held = batch;
                }
                Fetched::Some(Chunk::Bytes(_)) => return Err(no_stream()),
                Fetched::Nothing => {
                    let state = self.data.state().await?;
                    if state.ended {
                        return Ok(None);
                    }
                    self.data.changed(state).await;
                }
            }
        }
    }
}

fn no_stream() -> Error {
    Error::new(Code::WRONG_KIND, "what this reference points at is no stream of entities")
}
