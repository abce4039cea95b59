//! A link with one peer: the handle, and the tasks and the lock behind it.

mod batch;
mod blocks;
pub(crate) mod calling;
pub(crate) mod dispatcher;
pub(crate) mod driver;
pub(crate) mod fault;
pub(crate) mod imported;
pub(crate) mod lines;
pub(crate) mod numbers;
pub(crate) mod shared;
pub(crate) mod source;
pub(crate) mod trash;
pub(crate) mod watcher;

use crate::{
    Entry, Error, GatewayRef, Listing, Remote, RemotePath, RemoteStreamer, Result, Stat,
    events::Events,
    host::{Guest, Host, Root, decode, encode},
    object::evolve,
    stream::{ByteStream, EntityStream, OpenOptions, origin::Origin, raw::RawStream},
    tls::KeyId,
};
use bytes::Bytes;
use calling::Calling;
use farlens_proto::{self as proto, CallOn, CallRequest, Config, Fault, LinkStats, PeerIdentity};
use farlens_wire::{
    Code, Element, Limits, Reference, Side,
    schema::{Schema, SchemaDoc},
    typed,
};
use fault::to_error;
use futures::FutureExt;
use imported::{Holdings, Home};
use serde::de::DeserializeOwned;
use shared::Shared;
use std::{ops::Range, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
    sync::watch,
};
use tracing::Instrument;

/// Entries of one listing that this side keeps: what a peer sends must have a bound.
const MAX_LISTED: usize = 1_000_000;

/// A link with one peer, cheap to clone.
///
/// It lives as long as a clone of it or a stream on it does; dropping the last one closes it.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

pub(crate) struct Inner {
    shared: Arc<Shared>,
    peer: KeyId,
    limits: Arc<Limits>,
    /// Where its tasks run.
    runtime: Handle,
    /// Ends when the driver has.
    driven: watch::Receiver<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let fault = Fault::new(Code::LINK_CLOSED, "the link was closed");
        self.shared.with(|state| state.proto.close(fault));
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("peer", &self.0.peer).finish_non_exhaustive()
    }
}

impl Link {
    /// Starts the tasks of a link over a connection whose peer has proved its key.
    pub(crate) fn start<IO>(
        io: IO,
        side: Side,
        peer: KeyId,
        config: Config,
        host: Arc<Host>,
    ) -> Self
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = Arc::new(config.limits.clone());
        let identity = PeerIdentity::new(*peer.as_bytes());
        let home = Home::new();
        let root = Reference::new(Root);
        let holdings = Box::new(Holdings::new(Arc::clone(&home), root));
        let shared = Shared::new(home, Limits::clone(&limits), |now| {
            proto::Link::new(side, identity, config, holdings, now)
        });
        let stall = Duration::from_millis(limits.stall_ms);
        let (running, driven) = watch::channel(());
        let driver = driver::Driver::new(io, Arc::clone(&shared), stall);
        let span = tracing::debug_span!("link", %peer, ?side);
        let driven_to_its_end = async move {
            driver.await;
            drop(running);
        };
        tokio::spawn(driven_to_its_end.instrument(span.clone()));
        let guest = Guest::new(host, peer, Arc::clone(&limits));
        tokio::spawn(dispatcher::run(Arc::clone(&shared), guest).instrument(span));
        let runtime = Handle::current();
        let link = Self(Arc::new(Inner { shared, peer, limits, runtime, driven }));
        link.shared().home.settle(&link);
        link
    }

    /// Waits until both sides have greeted each other.
    pub(crate) async fn established(&self) -> Result<()> {
        let done = |link: &proto::Link| match link.over() {
            Some(fault) => Some(Err(to_error(fault))),
            None => link.is_established().then_some(Ok(())),
        };
        self.0.shared.wait_for(done).await
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.0.limits
    }

    /// The key that the peer proved.
    #[must_use]
    pub fn peer(&self) -> KeyId {
        self.0.peer
    }

    /// The peer's program, as it calls itself.
    #[must_use]
    pub fn peer_agent(&self) -> String {
        self.0.shared.peek(|link| link.peer_agent().to_owned())
    }

    /// What the link holds at this moment.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.0.shared.peek(proto::Link::stats)
    }

    /// Opens a byte stream for reading from its start to its end.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for what this client may not read; `WRONG_KIND` for entities; any failure
    /// of the link.
    pub async fn open(&self, path: &str) -> Result<ByteStream> {
        self.open_with(path, OpenOptions::new()).await
    }

    /// Opens a byte stream.
    ///
    /// # Errors
    /// As [`Link::open`]; `OUT_OF_RANGE` when the start lies outside the data; `MODE_FORBIDS` when
    /// the stream cannot seek to it.
    pub async fn open_with(&self, path: &str, options: OpenOptions) -> Result<ByteStream> {
        ByteStream::open(self, Origin::at(RemotePath::new(path)?), options).await
    }

    /// Reads a place of bytes that nothing else is wanted of: the part of it that exists, which is
    /// nothing at the end. One round trip, opening and all.
    ///
    /// # Errors
    /// As [`Link::open`]; `OUT_OF_RANGE` when it begins behind the end or before the start;
    /// `MODE_FORBIDS` on a stream that cannot seek both ways.
    pub async fn read_at(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        let pieces = self.read_ranges(path, std::slice::from_ref(&range)).await?;
        Ok(pieces.into_iter().next().unwrap_or_default())
    }

    /// Reads several places of bytes that nothing else is wanted of. The answers are in the order
    /// of the ranges. Up to 64 ranges of 256 KiB or less cost one round trip together, opening and
    /// all; more of them one more.
    ///
    /// # Errors
    /// As [`Link::read_at`], for the first range that fails.
    pub async fn read_ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        RawStream::read_once(self, &RemotePath::new(path)?, ranges).await
    }

    /// Opens a sequence of entities from its start to its end.
    ///
    /// `T` is the type that was published, or [`crate::Entity`] for any.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for what this client may not read; `WRONG_KIND` for bytes;
    /// `SCHEMA_MISMATCH` when `T` is another type; any failure of the link.
    pub async fn entities<T: Element>(&self, path: &str) -> Result<EntityStream<T>> {
        self.entities_with(path, OpenOptions::new()).await
    }

    /// Opens a sequence of entities.
    ///
    /// # Errors
    /// As [`Link::entities`] and [`Link::open_with`].
    pub async fn entities_with<T: Element>(
        &self,
        path: &str,
        options: OpenOptions,
    ) -> Result<EntityStream<T>> {
        EntityStream::open(self, Origin::at(RemotePath::new(path)?), options).await
    }

    /// Opens one stream, of whatever kind it is.
    pub(crate) async fn open_raw(&self, request: proto::OpenRequest) -> Result<RawStream> {
        RawStream::open(self.clone(), request, None).await
    }

    /// The root object of the other side, which looks up paths. Costs nothing; each call on it
    /// costs a round trip.
    #[must_use]
    pub fn gateway(&self) -> GatewayRef {
        GatewayRef::from(Remote::unchecked(imported::root_of(self)))
    }

    /// What lies at a path, by name; the one entry itself where a stream lies. Costs a round trip
    /// for every 200 entries.
    ///
    /// # Errors
    /// `NOT_FOUND`; `TOO_LARGE` beyond 1,000,000 entries; any failure of the link.
    pub async fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let path = RemotePath::new(path)?;
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let page: Listing = self.call_root("list", &(path.as_str(), &after)).await?;
            if entries.len().saturating_add(page.entries.len()) > MAX_LISTED {
                let text = format!("more than {MAX_LISTED} entries are listed at {path}");
                return Err(Error::new(Code::TOO_LARGE, text));
            }
            entries.extend(page.entries);
            if page.next.is_none() {
                return Ok(entries);
            }
            if page.next <= after {
                let text = "the other side lists the same names again";
                return Err(Error::new(Code::PROTOCOL_VIOLATION, text));
            }
            after = page.next;
        }
    }

    /// What is known of a path without opening it. Costs a round trip.
    ///
    /// # Errors
    /// `NOT_FOUND`, and any failure of the link.
    pub async fn stat(&self, path: &str) -> Result<Stat> {
        self.call_root("stat", &RemotePath::new(path)?.as_str().to_owned()).await
    }

    /// The object that is published at a path. Costs a round trip, and one more where `T` is another
    /// version of its interface.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for what this client may not call; `WRONG_KIND` for streams;
    /// `SCHEMA_MISMATCH` when `T` cannot read what a method of the object answers; any failure of
    /// the link.
    pub async fn object<T: Schema + DeserializeOwned>(&self, path: &str) -> Result<T> {
        let (object, reference) = self.look_up("object", path).await?;
        evolve::check(&reference, &SchemaDoc::of::<T>()).await?;
        Ok(object)
    }

    /// The stream that is published at a path, as a value that can be passed on. Costs a round trip.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for what this client may not read; `WRONG_KIND` for objects; any failure of
    /// the link.
    pub async fn streamer(&self, path: &str) -> Result<RemoteStreamer> {
        self.look_up("streamer", path).await.map(|(streamer, _)| streamer)
    }

    /// What lies at a path, as a value and as the reference that it is.
    async fn look_up<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path: &str,
    ) -> Result<(T, Reference)> {
        let args = encode(&RemotePath::new(path)?.as_str().to_owned())?;
        let request = CallRequest::new(CallOn::Root, method, args);
        let call = Calling::start(&self.0.shared, request).map_err(|fault| to_error(&fault))?;
        let answer = call.await.map_err(|fault| to_error(&fault))?;
        let decoded = typed::decode_with(&answer.value, &answer.table, &self.0.limits);
        let value = decoded.map_err(|error| {
            Error::new(error.code(), format!("what lies at {path} is something else: {error}"))
        })?;
        let nothing = || Error::new(Code::MALFORMED, format!("nothing came for {path}"));
        Ok((value, answer.table.into_iter().next().ok_or_else(nothing)?))
    }

    async fn call_root<A, R>(&self, method: &'static str, args: &A) -> Result<R>
    where
        A: serde::Serialize,
        R: serde::de::DeserializeOwned,
    {
        let args = encode(args)?;
        let request = CallRequest::new(CallOn::Root, method, args);
        let answer = Calling::start(&self.0.shared, request).map_err(|fault| to_error(&fault))?;
        decode(&answer.await.map_err(|fault| to_error(&fault))?.value)
    }

    /// Watches several streams with one task: their growth, new entities, ends and failures.
    ///
    /// The streams are being opened when this returns: entities are delivered that come after the
    /// stream has told that it is open, and some from before. A path that cannot be opened is told
    /// of as gone.
    pub async fn watch<P: AsRef<str>>(&self, paths: impl IntoIterator<Item = P>) -> Result<Events> {
        let paths = paths.into_iter().map(|path| RemotePath::new(path.as_ref()));
        Ok(Events::open(self, paths.collect::<Result<_>>()?).await)
    }

    /// Whether the link is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.shared.peek(|link| link.over().is_some())
    }

    /// Waits until the link is over and says why.
    pub async fn closed(&self) -> Error {
        self.0.shared.wait_for(|link| link.over().map(to_error)).await
    }

    /// Closes the link now. Streams on it fail; the peer is told.
    pub fn close(&self) {
        let fault = Fault::new(Code::LINK_CLOSED, "the link was closed");
        self.0.shared.with(|state| state.proto.close(fault));
    }

    /// Takes no new work, lets what moves finish, and closes then. Before that, peers that follow
    /// data hear of its last state.
    pub(crate) async fn drain(&self) {
        let followed = self.0.shared.with(|state| state.followed_sources());
        for (stream, data) in followed {
            let state = AssertUnwindSafe(async { data.state().await }).catch_unwind();
            if let Ok(Ok(state)) = state.await {
                let state = driver::to_wire(state);
                self.0.shared.with(|inner| inner.proto.handle_state(stream, state));
            }
        }
        let fault = Fault::new(Code::GOING_AWAY, "the server is shutting down");
        self.0.shared.with(|state| {
            state.proto.drain(&fault);
            state.wake_driver();
        });
        self.closed().await;
    }

    /// Waits until nothing of the link is left, the last frame included. Does not keep it.
    pub(crate) fn finished(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut driven = self.0.driven.clone();
        async move { while driven.changed().await.is_ok() {} }
    }

    /// Closes the link with a reason, whatever moves.
    pub(crate) fn close_with(&self, code: Code, text: &str) {
        self.0.shared.with(|state| state.proto.close(Fault::new(code, text)));
    }
}
