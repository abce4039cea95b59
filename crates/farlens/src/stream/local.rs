//! Open streams over data of this process, as those of a peer are.

use super::{ByteStream, EntityStream};
use crate::{IterData, RemoteStreamer, Result, Streamer};
use farlens_wire::Element;
use futures::Stream;

impl ByteStream {
    /// A stream to read data of this process, which can be passed to a remote method. For other
    /// options there is [`RemoteStreamer::connect_with`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> farlens::Result<()> {
    /// use farlens::{ByteStream, FixedData, Streamer};
    ///
    /// let data = Streamer::new(FixedData::bytes(&b"hello"[..]));
    /// let mut stream = ByteStream::of(data).await?;
    /// assert_eq!(stream.next_chunk().await?.as_deref(), Some(&b"hello"[..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `USAGE` for a streamer whose mode contradicts itself or its data; otherwise as
    /// [`RemoteStreamer::connect`].
    pub async fn of(streamer: impl Into<Streamer>) -> Result<Self> {
        RemoteStreamer::new(streamer)?.connect().await
    }
}

impl<T: Element> EntityStream<T> {
    /// A stream to read entities of this process, which can be passed to a remote method. For other
    /// options there is [`RemoteStreamer::entities_with`].
    ///
    /// # Errors
    /// As [`ByteStream::of`], and `SCHEMA_MISMATCH` when `T` is another type.
    pub async fn of(streamer: impl Into<Streamer>) -> Result<Self> {
        RemoteStreamer::new(streamer)?.entities().await
    }

    /// The values of an asynchronous stream, once and forwards; see [`IterData::from_stream`].
    ///
    /// # Errors
    /// As [`EntityStream::of`].
    pub async fn from_stream(values: impl Stream<Item = Result<T>> + Send + 'static) -> Result<Self>
    where
        T: 'static,
    {
        Self::of(IterData::from_stream(values)).await
    }

    /// The values of an iterator, once and forwards; see [`IterData::new`].
    ///
    /// # Errors
    /// As [`EntityStream::of`].
    pub async fn from_iter<I>(values: I) -> Result<Self>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Self::of(IterData::new(values)).await
    }
}
