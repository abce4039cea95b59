//! Streams as parameters and results: each travels as a reference to a streamer.

mod feed;
mod local;
mod remote;

pub use feed::{Feeder, feed};

use crate::{Error, Result, data::IterData, publish::Streamer};
use farlens_wire::{
    Element, Reference,
    schema::{Schema, SchemaBuilder, Type},
};
use futures::{Stream, TryFutureExt, stream::BoxStream};
pub(crate) use local::LocalStreamer;
pub use remote::RemoteStreamer;
use serde::{Serialize, de::DeserializeOwned};

/// An item of a stream that is passed to or from a remote method: `farlens::Result<T>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the item of a remote stream",
    label = "no `farlens::Result<T>`",
    note = "the items are `farlens::Result<T>`, since a link may be cut between any two; `T` must \
            have `farlens::Schema`, `serde::Serialize` and `serde::Deserialize`"
)]
pub trait Item {
    /// The element.
    type Element: Element + Schema + 'static;
}

impl<T: Schema + Serialize + DeserializeOwned + Send> Item for Result<T, Error> {
    type Element = T;
}

/// The type of a stream with such items.
pub fn describe<I: Item>(builder: &mut SchemaBuilder) -> Type {
    let element = if <I::Element as Schema>::UNTYPED {
        None
    } else {
        Some(Box::new(<I::Element as Schema>::build(builder)))
    };
    Type::EntityStream(element)
}

/// A reference to a stream, which is polled only while its reader waits for items.
///
/// # Errors
/// None where iterators are what is published.
pub fn publish<T: Element + 'static>(
    stream: impl Stream<Item = Result<T>> + Send + 'static,
) -> Result<Reference> {
    let streamer = Streamer::from(IterData::from_stream(stream));
    Ok(Reference::new(LocalStreamer::new(streamer)?))
}

/// The items of what a reference points at. Nothing is opened before the first is asked for.
pub(super) fn open<I: Item>(reference: Reference) -> BoxStream<'static, Result<I::Element>> {
    if reference.get::<LocalStreamer>().is_some() {
        return Box::pin(local::read::<I::Element>(reference));
    }
    let opened = async move { RemoteStreamer::unchecked(reference).entities().await };
    Box::pin(opened.try_flatten_stream())
}
