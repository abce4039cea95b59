//! Where an open stream comes from, so that it can be passed on.

use crate::{Link, RemotePath, Result, object};
use farlens_proto::OpenOn;
use farlens_wire::Reference;

/// Where a stream was opened.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// At a path of the peer.
    Path(RemotePath),
    /// On a streamer, or on what a call was to answer with.
    Reference(Reference),
}

impl Origin {
    /// How a stream at a path is opened, with its origin.
    pub(crate) fn at(path: RemotePath) -> (OpenOn, Self) {
        ((&path).into(), Self::Path(path))
    }

    /// The streamer as a reference. Costs a round trip where the stream was opened by its path.
    ///
    /// # Errors
    /// As [`Link::streamer`].
    pub(crate) async fn reference(&self, link: &Link) -> Result<Reference> {
        match self {
            Self::Path(path) => Ok(link.streamer(path.as_str()).await?.reference().clone()),
            Self::Reference(reference) => object::settled(reference).await,
        }
    }
}
