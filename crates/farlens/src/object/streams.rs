//! Streams as parameters and results: each travels as a reference to a streamer.

mod feed;
mod local;
mod loopback;
mod passed;
mod remote;
mod view;

pub use feed::Feeder;

use super::{Outcome, Outgoing, Remote, answer, remote::malformed};
use crate::{Error, Result, data::IterData, publish::Streamer};
use farlens_wire::{
    Element, Reference,
    schema::{Schema, SchemaBuilder, Type},
};
use futures::{Stream, StreamExt, TryFutureExt, stream::BoxStream};
pub(crate) use local::LocalStreamer;
pub use passed::Passed;
pub use remote::RemoteStreamer;
pub(crate) use remote::way_to;
use serde::{Serialize, de::DeserializeOwned};
pub(crate) use view::View;

/// An item of a stream that is passed to or from a remote method: `farlens::Result<T>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the item of a remote stream",
    label = "no `farlens::Result<T>`",
    note = "the items are `farlens::Result<T>`, since a link may be cut between any two; `T` must \
            have `farlens::Schema`, `serde::Serialize` and `serde::Deserialize`"
)]
pub trait Item: Sized + Send + 'static {
    /// The element.
    type Element: Element + Schema + 'static;

    /// As it comes out of a source.
    ///
    /// # Errors
    /// The one that the item is.
    fn into_result(self) -> Result<Self::Element>;

    /// As it reaches the reader.
    fn from_result(result: Result<Self::Element>) -> Self;

    /// The type of a stream with such items.
    fn describe(builder: &mut SchemaBuilder) -> Type {
        let untyped = <Self::Element as Schema>::UNTYPED;
        let element = (!untyped).then(|| Box::new(<Self::Element as Schema>::build(builder)));
        Type::EntityStream(element)
    }

    /// The reference with which a stream travels.
    ///
    /// # Errors
    /// None so far.
    fn publish(stream: impl Stream<Item = Self> + Send + 'static) -> Result<Reference> {
        publish(stream.map(Self::into_result))
    }

    /// The answer that a stream is which `work` hands to its feeder. `work` runs at once up to
    /// [`Feeder::feed`].
    ///
    /// # Errors
    /// As [`Item::publish`].
    fn into_outcome<F>(work: impl FnOnce(Feeder<Self>) -> F) -> Result<Outcome>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Outcome::of(&reference(feed::feed(work))?)
    }

    /// The items of a stream that came.
    fn open(reference: Reference) -> impl Stream<Item = Self> + Send + 'static {
        open::<Self::Element>(reference).map(Self::from_result)
    }

    /// The items of the stream that a call answers with. It is made when the first is asked for.
    fn call(
        remote: &Remote,
        request: Result<Outgoing>,
    ) -> impl Stream<Item = Self> + Send + use<Self> {
        let remote = remote.clone();
        let call = async move {
            let request = request?;
            let method = request.0.method.clone();
            let outcome = remote.invoke(Ok(request)).await?;
            let reference = answer::decode::<Reference>(&outcome, None);
            let reference = reference.map_err(|error| malformed(&method, &error))?;
            Ok(open::<Self::Element>(reference))
        };
        call.try_flatten_stream().map(Self::from_result)
    }
}

impl<T: Schema + Serialize + DeserializeOwned + Send> Item for Result<T, Error> {
    type Element = T;

    fn into_result(self) -> Self {
        self
    }

    fn from_result(result: Self) -> Self {
        result
    }
}

/// A reference to a stream, which is polled only while its reader waits for items.
fn publish<T: Element + 'static>(
    stream: impl Stream<Item = Result<T>> + Send + 'static,
) -> Result<Reference> {
    reference(IterData::from_stream(stream))
}

fn reference(data: IterData) -> Result<Reference> {
    Ok(Reference::new(LocalStreamer::new(Streamer::from(data))?))
}

/// The items of what a reference points at. Nothing is opened before the first is asked for.
fn open<T: Element + 'static>(reference: Reference) -> BoxStream<'static, Result<T>> {
    if reference.get::<LocalStreamer>().is_some() {
        return Box::pin(local::read::<T>(reference));
    }
    let opened = async move { RemoteStreamer::unchecked(reference).entities().await };
    Box::pin(opened.try_flatten_stream())
}
