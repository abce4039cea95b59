//! A streamer as a value: made here and passed on, or come from a peer and opened.

use super::{LocalStreamer, View, loopback};
use crate::{
    ByteStream, EntityStream, Error, Link, OpenOptions, Result, Streamer,
    link::imported::Imported,
    object::promise::{Promised, settled},
    stream::origin::Origin,
};
use farlens_proto::{About, Kind, OpenOn};
use farlens_wire::{
    Code, Element, Mode, Reference,
    schema::{Schema, SchemaBuilder, Type},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A stream that can be passed in calls and in elements, and opened by who gets it.
///
/// Cheap to clone. Who has it may open it with the mode that it was made with, as often as its data
/// allows; rights to paths play no part. It lives as long as somebody has a handle of it or has it
/// open.
#[derive(Clone, Debug)]
pub struct RemoteStreamer(Reference);

impl RemoteStreamer {
    /// A handle of a stream of this process.
    ///
    /// # Errors
    /// `USAGE` when the mode of the streamer contradicts itself or its data.
    pub fn new(streamer: impl Into<Streamer>) -> Result<Self> {
        Ok(Self(Reference::new(LocalStreamer::new(streamer.into())?)))
    }

    /// Of what a call will answer with.
    pub(crate) const fn unchecked(reference: Reference) -> Self {
        Self(reference)
    }

    /// What it points at.
    #[must_use]
    pub const fn reference(&self) -> &Reference {
        &self.0
    }

    /// Bytes or entities. None while the call that gives it has no answer.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match about(&self.0)? {
            About::Stream { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// What it allows at the most. None while the call that gives it has no answer.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        match about(&self.0)? {
            About::Stream { mode, .. } => Mode::try_from(mode).ok(),
            _ => None,
        }
    }

    /// Opens it as bytes, for reading from their start to their end.
    ///
    /// # Errors
    /// `WRONG_KIND` for entities; `NO_SUCH_OBJECT` when it has been taken back; any failure of the
    /// link, or of the call that was to give it.
    pub async fn connect(&self) -> Result<ByteStream> {
        self.connect_with(OpenOptions::new()).await
    }

    /// Opens it as bytes.
    ///
    /// # Errors
    /// As [`RemoteStreamer::connect`] and [`Link::open_with`].
    pub async fn connect_with(&self, options: OpenOptions) -> Result<ByteStream> {
        let origin = || Origin::Reference(self.0.clone());
        if let Some((link, on)) = self.way_ahead().await {
            let opened = ByteStream::open(&link, (on, origin()), options).await;
            if !has_settled(&opened) {
                return opened;
            }
        }
        let (link, on, options) = self.way(options).await?;
        ByteStream::open(&link, (on, origin()), options).await
    }

    /// Opens it as entities, for reading from their start to their end.
    ///
    /// # Errors
    /// `WRONG_KIND` for bytes; `SCHEMA_MISMATCH` when `T` is another type; otherwise as
    /// [`RemoteStreamer::connect`].
    pub async fn entities<T: Element>(&self) -> Result<EntityStream<T>> {
        self.entities_with(OpenOptions::new()).await
    }

    /// Opens it as entities.
    ///
    /// # Errors
    /// As [`RemoteStreamer::entities`] and [`Link::open_with`].
    pub async fn entities_with<T: Element>(&self, options: OpenOptions) -> Result<EntityStream<T>> {
        let origin = || Origin::Reference(self.0.clone());
        if let Some((link, on)) = self.way_ahead().await {
            let opened = EntityStream::open(&link, (on, origin()), options).await;
            if !has_settled(&opened) {
                return opened;
            }
        }
        let (link, on, options) = self.way(options).await?;
        EntityStream::open(&link, (on, origin()), options).await
    }

    /// How it is opened while the call that gives it has no answer.
    async fn way_ahead(&self) -> Option<(Link, OpenOn)> {
        let promised = self.0.get::<Promised>()?;
        let (link, call) = promised.opening()?;
        let sent = |cx: &mut std::task::Context<'_>| link.shared().poll_sent(call, cx);
        std::future::poll_fn(sent).await;
        promised.opening().map(|_| (link, OpenOn::Answer(call)))
    }

    /// Over which link it is opened, how it is named there, and with what.
    async fn way(&self, options: OpenOptions) -> Result<(Link, OpenOn, OpenOptions)> {
        let reference = settled(&self.0).await?;
        let (origin, options) = match reference.get::<View>() {
            Some(view) => (view.origin(), view.narrow(options)?),
            None => (&reference, options),
        };
        let (link, on) = way_to(origin).await?;
        Ok((link, on, options))
    }
}

/// Whether the answer that was to be opened upon may have come just before. Then the stream itself
/// can be opened, and says whether it is truly in use.
fn has_settled<S>(opened: &Result<S>) -> bool {
    opened.as_ref().is_err_and(|error| error.code() == Code::BUSY)
}

/// Over which link a streamer is opened, and how it is named there.
///
/// # Errors
/// `WRONG_KIND` for what is no stream; `NO_SUCH_OBJECT` and `LINK_CLOSED` for one that is gone.
pub(crate) async fn way_to(reference: &Reference) -> Result<(Link, OpenOn)> {
    if let Some(local) = reference.get::<LocalStreamer>() {
        let link = loopback::to(local.streamer()?.clone()).await?;
        return Ok((link, loopback::PLACE.to_owned().into()));
    }
    let imported = reference.get::<Imported>().ok_or_else(no_stream)?;
    Ok((imported.link()?.clone(), OpenOn::Streamer(reference.clone())))
}

/// What is known of the stream that a reference points at.
pub(super) fn about(reference: &Reference) -> Option<About> {
    if let Some(local) = reference.get::<LocalStreamer>() {
        return Some(local.about());
    }
    if let Some(view) = reference.get::<View>() {
        return Some(view.about());
    }
    reference.get::<Imported>().map(|imported| imported.about)
}

fn no_stream() -> Error {
    Error::new(Code::WRONG_KIND, "what this reference points at is no stream")
}

impl TryFrom<Reference> for RemoteStreamer {
    type Error = Error;

    /// A handle of what a reference points at.
    ///
    /// # Errors
    /// `WRONG_KIND` when that is no stream.
    fn try_from(reference: Reference) -> Result<Self> {
        match about(&reference) {
            Some(About::Stream { .. }) => Ok(Self(reference)),
            None if reference.get::<Promised>().is_some() => Ok(Self(reference)),
            _ => Err(no_stream()),
        }
    }
}

impl Serialize for RemoteStreamer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RemoteStreamer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reference = Reference::deserialize(deserializer)?;
        Self::try_from(reference).map_err(serde::de::Error::custom)
    }
}

impl Schema for RemoteStreamer {
    fn build(_: &mut SchemaBuilder) -> Type {
        Type::Reference
    }
}
