//! Streams that are open and yet parameters or results: what is passed is where they come from.

use super::{RemoteStreamer, View, publish, remote};
use crate::{ByteStream, EntityStream, OpenOptions, Result, stream::raw::RawStream};
use farlens_proto::About;
use farlens_wire::{
    Element, Flags, Mode, Position, Reference,
    schema::{Schema, SchemaBuilder, Type},
};
use std::{future::Future, sync::Arc};

/// An open stream that can be passed to and from a remote method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed as an open stream",
    note = "`farlens::ByteStream` and `farlens::EntityStream<T>` can"
)]
pub trait Passed: Sized + Send {
    /// How it is described.
    fn describe(builder: &mut SchemaBuilder) -> Type;

    /// What the stream is as a value. Whoever gets it opens a stream of its own, which begins where
    /// this one stood and allows no more than this one did.
    ///
    /// What was written is durable before that, and locks are given back. Entities that can only be
    /// read once, forwards, are read here and handed on one by one.
    ///
    /// # Errors
    /// Any failure of a write or of the link; `NOT_FOUND` where the path of the stream is gone.
    fn pass(self) -> impl Future<Output = Result<Reference>> + Send;

    /// Opens what was passed, with all that its mode allows; what a call is still to answer with,
    /// to read it, in the same flight as the call.
    ///
    /// # Errors
    /// As [`RemoteStreamer::connect_with`].
    fn receive(reference: Reference) -> impl Future<Output = Result<Self>> + Send;
}

impl Passed for ByteStream {
    fn describe(_: &mut SchemaBuilder) -> Type {
        Type::ByteStream
    }

    async fn pass(self) -> Result<Reference> {
        let origin = self.origin().reference(self.raw().link()).await?;
        let (from, mode) = (stands(self.raw(), self.position()), self.mode());
        if mode.has(Flags::WRITABLE) {
            self.close().await?;
        }
        Ok(View::of(origin, from, mode))
    }

    async fn receive(reference: Reference) -> Result<Self> {
        let options = all_of(&reference);
        RemoteStreamer::unchecked(reference).connect_with(options).await
    }
}

impl<T: Element + Schema + 'static> Passed for EntityStream<T> {
    fn describe(builder: &mut SchemaBuilder) -> Type {
        let typed = !<T as Schema>::UNTYPED;
        Type::EntityStream(typed.then(|| Box::new(<T as Schema>::build(builder))))
    }

    async fn pass(self) -> Result<Reference> {
        let mode = self.mode();
        if !mode.flags().has_any(Flags::SEEK | Flags::WRITABLE) {
            return publish(self);
        }
        let origin = self.origin().reference(self.raw().link()).await?;
        let from = stands(self.raw(), self.position());
        if mode.has(Flags::WRITABLE) {
            self.close().await?;
        }
        Ok(View::of(origin, from, mode))
    }

    async fn receive(reference: Reference) -> Result<Self> {
        let options = all_of(&reference);
        RemoteStreamer::unchecked(reference).entities_with(options).await
    }
}

/// Where a stream stands, unless it is at the first element that there is.
fn stands(raw: &Arc<RawStream>, at: Position) -> Option<Position> {
    let start = raw.state().bounds.start.unwrap_or_default();
    (at > start && raw.mode().has(Flags::READABLE)).then_some(at)
}

/// Everything that a streamer allows, as far as that is known.
fn all_of(reference: &Reference) -> OpenOptions {
    let mode = match remote::about(reference) {
        Some(About::Stream { mode, .. }) => Mode::try_from(mode).ok(),
        _ => None,
    };
    let Some(mode) = mode else { return OpenOptions::new() };
    OpenOptions::new().read(mode.has(Flags::READABLE)).write(mode.has(Flags::WRITABLE))
}
