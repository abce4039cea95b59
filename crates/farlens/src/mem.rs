//! Two links joined in memory, in one process: for tests, and for what never leaves the process.
//!
//! There is no TLS and no proof of identity: each side is known to the other by a [`KeyId`] that
//! was made up for it, and may do everything with whatever the other publishes. All else is as
//! between two processes, and time is tokio's, so it can be paused:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> farlens::Result<()> {
//! use farlens::mem::Pair;
//!
//! let (near, _far) = Pair::builder().publish("/greeting", &b"hello"[..]).link().await?;
//! assert_eq!(near.read_at("/greeting", 1..5).await?, "ello");
//! # Ok(())
//! # }
//! ```

use crate::{
    Error, Grant, KeyId, Link, Pattern, Publication, RemotePath, Result, Verb,
    access::Access,
    host::Host,
    publish::{Publications, blocking},
};
use farlens_proto::{Admission, Config};
use farlens_wire::{Code, Limits, Side};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

/// Bytes that are on their way in either direction.
const BUFFER: usize = 256 << 10;

/// Everything that the holder of a link over memory may do with what the other side publishes.
const VERBS: [Verb; 3] = [Verb::Read, Verb::Write, Verb::Call];

/// Two links with each other that publish nothing.
///
/// # Errors
/// Any failure of the links.
pub async fn pair() -> Result<(Link, Link)> {
    Pair::builder().link().await
}

/// Two links with each other; see [`Pair::builder`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Pair;

impl Pair {
    /// Settings, with nothing published.
    #[must_use]
    pub fn builder() -> PairBuilder {
        PairBuilder::default()
    }
}

/// What two links over memory are made of.
#[derive(Debug, Default)]
pub struct PairBuilder {
    limits: Option<Limits>,
    near: Vec<(String, Publication)>,
    far: Vec<(String, Publication)>,
}

impl PairBuilder {
    /// The bounds that both sides keep.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Publishes something at the far end, for the near one.
    #[must_use]
    pub fn publish(mut self, path: &str, publication: impl Into<Publication>) -> Self {
        self.far.push((path.to_owned(), publication.into()));
        self
    }

    /// Publishes something at the near end, for the far one.
    #[must_use]
    pub fn publish_near(mut self, path: &str, publication: impl Into<Publication>) -> Self {
        self.near.push((path.to_owned(), publication.into()));
        self
    }

    /// Makes the links: that of the near end, which opened it, and that of the far one.
    ///
    /// # Errors
    /// `BAD_ADDRESS` for a path that breaks a rule, `USAGE` for two things at one path, for a mode
    /// that its data cannot honour and for limits that contradict themselves.
    pub async fn link(self) -> Result<(Link, Link)> {
        let limits = self.limits.unwrap_or_default();
        limits.validate().map_err(|error| Error::new(Code::USAGE, error.to_string()))?;
        let (here, there) = (made_up(), made_up());
        let near = host(self.near, there).await?;
        let far = host(self.far, here).await?;
        let config = |admission| Config { limits: limits.clone(), admission, ..Config::default() };
        let (one, other) = tokio::io::duplex(BUFFER);
        let near = Link::start(one, Side::Initiator, there, config(Admission::Known), near);
        let far = Link::start(other, Side::Acceptor, here, config(Admission::ByInvite), far);
        tokio::try_join!(near.established(), far.established())?;
        Ok((near, far))
    }
}

/// What one side publishes, all of it for `peer`.
async fn host(published: Vec<(String, Publication)>, peer: KeyId) -> Result<Arc<Host>> {
    let access = Access::new(None, false)?;
    let grant = |verb| Grant { verb, pattern: Pattern::beneath(&RemotePath::root()) };
    access.authorize(peer, VERBS.map(grant).to_vec())?;
    let mut publications = Publications::default();
    for (path, publication) in published {
        let path = RemotePath::new(&path)?;
        let checked = publication.clone();
        blocking(move || checked.check()).await?;
        publications.insert(&path, publication)?;
    }
    Ok(Arc::new(Host { publications, access, ..Host::default() }))
}

/// An id that no key has, from the seeds of the standard hasher.
fn made_up() -> KeyId {
    let mut bytes = [0; 32];
    for part in bytes.chunks_exact_mut(8) {
        part.copy_from_slice(&RandomState::new().build_hasher().finish().to_be_bytes());
    }
    KeyId::from_bytes(bytes)
}
