//! The peer of a link before a host: one passage for all that it asks for, and its root object.

use super::{Host, open_reference, standard::Standard};
use crate::{
    Code, Error, Gateway, GatewayRef, Listing, Remote, RemotePath, RemoteStreamer, Result, Stat,
    link::lines::Lines,
    middleware::{Asks, Lookup, LookupKind, Request, Target},
    object::CallContext,
    publish::Found,
    tls::KeyId,
};
use farlens_wire::{Reference, frame::stream::Open};
use std::sync::{Arc, OnceLock};
use tracing::{Instrument, Level, Span};

/// A peer, by its key, and what it sees.
pub(super) struct Visitor {
    pub(super) host: Arc<Host>,
    pub(super) key: KeyId,
    /// Its own gateway, once it has asked for anything.
    gateway: OnceLock<Option<GatewayRef>>,
    lines: Lines,
}

impl Visitor {
    pub(super) fn new(host: Arc<Host>, key: KeyId) -> Self {
        Self { host, key, gateway: OnceLock::new(), lines: Lines::default() }
    }

    /// The one way for whatever the peer asks for: nothing is done for it but by `work`, and that
    /// only if no middleware refuses. Lines about it are logged under `span`, which says nothing of
    /// its arguments.
    pub(super) async fn pass<T>(
        &self,
        span: Span,
        asks: Asks<'_>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let request = Request::new(self.key, asks);
        let served = async {
            let outcome = self.host.chain.run(&request, work).await;
            if let Err(error) = &outcome {
                self.note(&request, error);
            }
            outcome
        };
        served.instrument(span).await
    }

    pub(super) async fn admit(&self, invite: Option<Vec<u8>>) -> Result<()> {
        self.host.access.admit(self.key, invite).await
    }

    /// Opens what lies at a path.
    pub(super) async fn find(&self, path: &RemotePath, open: &Open) -> Result<Found> {
        let Some(gateway) = self.gateway()? else {
            return self.standard().find(path, open).await;
        };
        let streamer = gateway.streamer(path.to_string()).await?;
        open_reference(streamer.reference(), open).await
    }

    /// The gateway of this peer alone, if it has one.
    fn gateway(&self) -> Result<Option<&GatewayRef>> {
        let Some(gateways) = &self.host.gateways else { return Ok(None) };
        if self.gateway.get().is_none() {
            let made = gateways.of(self.key)?;
            // Another request may have been quicker; what it made counts.
            let _ = self.gateway.set(made);
        }
        Ok(self.gateway.get().and_then(Option::as_ref))
    }

    fn standard(&self) -> Standard<'_> {
        Standard { host: &self.host, key: self.key }
    }

    /// Writes down what failed, unless there was too much of that lately.
    fn note(&self, request: &Request<'_>, error: &Error) {
        let internal = error.code() == Code::INTERNAL;
        let heard =
            if internal { tracing::enabled!(Level::WARN) } else { tracing::enabled!(Level::DEBUG) };
        let Some(left_out) = heard.then(|| self.lines.allow()).flatten() else { return };
        let (peer, kind, code, text) = (self.key, request.kind(), error.code(), error.message());
        if internal {
            tracing::warn!(%peer, kind, %code, text = ?text, left_out, "a request failed inside");
        } else {
            tracing::debug!(%peer, kind, %code, text = ?text, left_out, "a request failed");
        }
    }
}

/// The root object of a peer: its own gateway, or the standard one.
pub(super) struct Front(Arc<Visitor>);

impl Front {
    pub(super) fn reference(visitor: &Arc<Visitor>) -> Reference {
        Remote::from(GatewayRef::new(Self(Arc::clone(visitor)))).reference().clone()
    }

    /// Whether a method of this name looks something up, and so passes by itself.
    pub(super) fn looks_up(method: &str) -> bool {
        LookupKind::ALL.iter().any(|kind| kind.name() == method)
    }

    async fn look_up<T>(
        &self,
        kind: LookupKind,
        path: &RemotePath,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let (method, depth) = (kind.name(), CallContext::current().depth());
        let span = tracing::debug_span!("call", object = %Target::Root, method, depth);
        self.0.pass(span, Asks::Lookup(Lookup { kind, path }), work).await
    }
}

impl Gateway for Front {
    async fn list(&self, path: String, after: Option<String>) -> Result<Listing> {
        let path = RemotePath::new(&path)?;
        let work = async {
            match self.0.gateway()? {
                Some(own) => own.list(path.to_string(), after).await,
                None => self.0.standard().list(&path, after).await,
            }
        };
        self.look_up(LookupKind::List, &path, work).await
    }

    async fn stat(&self, path: String) -> Result<Stat> {
        let path = RemotePath::new(&path)?;
        let work = async {
            match self.0.gateway()? {
                Some(own) => own.stat(path.to_string()).await,
                None => self.0.standard().stat(&path).await,
            }
        };
        self.look_up(LookupKind::Stat, &path, work).await
    }

    async fn object(&self, path: String) -> Result<Remote> {
        let path = RemotePath::new(&path)?;
        let work = async {
            match self.0.gateway()? {
                Some(own) => own.object(path.to_string()).await,
                None => self.0.standard().object(&path),
            }
        };
        self.look_up(LookupKind::Object, &path, work).await
    }

    async fn streamer(&self, path: String) -> Result<RemoteStreamer> {
        let path = RemotePath::new(&path)?;
        let work = async {
            match self.0.gateway()? {
                Some(own) => own.streamer(path.to_string()).await,
                None => self.0.standard().streamer(&path).await,
            }
        };
        self.look_up(LookupKind::Streamer, &path, work).await
    }
}
