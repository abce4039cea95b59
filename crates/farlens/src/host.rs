//! What one side offers to its peers, and who may have it: every request goes through here.

mod front;
mod standard;

use crate::{
    Error, RemotePath, Result,
    access::Access,
    data::relay,
    gateway::Gateways,
    link::{driver::to_wire, imported::Imported, source::Source},
    middleware::{self, Asks, Call, Chain, Target as Asked},
    object::{
        CallContext, Incoming, LocalObject, LocalStreamer, View, imported::DESCRIBE, settle,
        streams,
    },
    publish::{Found, Publications},
    tls::KeyId,
};
use farlens_proto::{Accepted, Answer, Called};
use farlens_wire::{
    Code, Flags, Limits, Reference, StreamId,
    frame::stream::{Open, Target},
    schema::SchemaDoc,
    typed,
};
use front::{Front, Visitor};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::Span;

/// What one side publishes, the rights to it, and who is asked besides. A client publishes nothing.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) publications: Publications,
    pub(crate) access: Access,
    pub(crate) chain: Chain,
    /// What makes gateways of their own for peers.
    pub(crate) gateways: Option<Gateways>,
}

/// What the peer of a link may ask for, and as whom.
///
/// Whatever the peer asks for comes in by one of three doors, [`Guest::admit`], [`Guest::open`] and
/// [`Guest::call`], and each of these goes through [`Visitor::pass`] before anything is done.
pub(crate) struct Guest {
    visitor: Arc<Visitor>,
    /// The root object.
    root: Reference,
    /// Those of the link.
    limits: Arc<Limits>,
}

/// What a peer opens.
enum Opened<'a> {
    Path(RemotePath),
    Reference(&'a Reference),
}

/// Marks what a peer reaches without having got a reference to it.
pub(crate) struct Root;

impl Guest {
    pub(crate) fn new(host: Arc<Host>, key: KeyId, limits: Arc<Limits>) -> Self {
        let visitor = Arc::new(Visitor::new(host, key));
        let root = Front::reference(&visitor);
        Self { visitor, root, limits }
    }

    /// Decides whether the peer may come in, and enrols it if its invite is good.
    pub(crate) async fn admit(&self, invite: Option<Vec<u8>>) -> Result<()> {
        let asks = Asks::Link { invited: invite.is_some() };
        self.visitor.pass(Span::none(), asks, self.visitor.admit(invite)).await
    }

    /// Opens what an open frame asks for; `on` is given where that is no path.
    pub(crate) async fn open(
        &self,
        stream: StreamId,
        open: &Open,
        on: Option<&Reference>,
    ) -> Result<(Source, Accepted)> {
        let what = match (&open.target, on) {
            (_, Some(reference)) => Opened::Reference(reference),
            (Target::Path(path), None) => Opened::Path(RemotePath::new(path)?),
            _ => return Err(Error::new(Code::UNSUPPORTED, "only paths can be opened")),
        };
        let target = match &what {
            Opened::Path(path) => Asked::Path(path),
            Opened::Reference(_) => Asked::Reference,
        };
        let span = tracing::debug_span!("stream", path = %target, id = stream.0);
        let asks = Asks::Open(middleware::Open {
            target,
            wanted: Flags::from_bits(open.flags),
            kind: open.kind,
            start: open.start,
            purpose: open.purpose,
            ranges: &open.ranges,
        });
        let work = pin!(async {
            accept(match &what {
                Opened::Reference(reference) => open_reference(reference, open).await?,
                Opened::Path(path) => self.visitor.find(path, open).await?,
            })
            .await
        });
        self.visitor.pass(span, asks, work).await
    }

    /// Runs a method of an object that this side exports.
    pub(crate) async fn call(
        &self,
        called: Called,
        interface: Option<Arc<SchemaDoc>>,
    ) -> Result<Answer> {
        let remaining = called.timeout_ms.map(Duration::from_millis);
        let deadline = remaining.and_then(|left| Instant::now().checked_add(left));
        let depth = called.depth.saturating_add(1);
        let context =
            CallContext::of_peer(self.visitor.key, deadline, depth, self.limits.call_depth);
        let (is_root, method) = (called.on.get::<Root>().is_some(), called.method.clone());
        let on = if is_root { self.root.clone() } else { called.on.clone() };
        let object = on.get::<LocalObject>();
        if let Some(root) = object.filter(|_| is_root && Front::looks_up(&method)) {
            // The root object passes by itself, with the path.
            return self.serve(root, called, interface, context).await;
        }
        let target = match self.visitor.host.publications.path_of(&on) {
            _ if is_root => Asked::Root,
            Some(path) => Asked::Path(path),
            None => Asked::Reference,
        };
        let span = tracing::debug_span!("call", object = %target, ?method, depth);
        let asks = Asks::Call(Call {
            object: target,
            interface: object.and_then(LocalObject::interface_name).unwrap_or_default(),
            method: &method,
            depth,
            one_way: called.one_way,
            remaining,
        });
        // Futures are moved once for each function that takes them: this one only by its address.
        let work = pin!(async {
            if let Some(object) = object {
                return self.serve(object, called, interface, context).await;
            }
            if let Some(imported) = on.get::<Imported>() {
                return Box::pin(imported.relay(called, interface, &context)).await;
            }
            Err(Error::new(Code::NO_SUCH_OBJECT, "this is nothing that can be called"))
        });
        self.visitor.pass(span, asks, work).await
    }

    /// Runs a method of an object of this process.
    async fn serve(
        &self,
        object: &LocalObject,
        called: Called,
        interface: Option<Arc<SchemaDoc>>,
        context: CallContext,
    ) -> Result<Answer> {
        if called.interface.is_some() != interface.is_some() {
            let text = "the call names an interface that was not announced, or cannot be read";
            return Err(Error::new(Code::SCHEMA_MISMATCH, text));
        }
        if called.method == DESCRIBE {
            let mut schema = Vec::new();
            object.interface().encode(&mut schema);
            return Ok(schema.into());
        }
        let Called { method, args, table, .. } = called;
        let limits = Arc::clone(&self.limits);
        let incoming = Incoming { method, args, table, writer: interface, limits };
        let mut outcome = object.serve(context, incoming)?.await?;
        settle(&mut outcome.table).await?;
        Ok(Answer { value: outcome.value, table: outcome.table })
    }
}

/// What was found, as the peer is told of it.
async fn accept(found: Found) -> Result<(Source, Accepted)> {
    let state = to_wire(found.data.state().await?);
    let schema = found.data.schema();
    let accepted = Accepted {
        kind: found.data.kind(),
        mode: found.mode,
        append_only: found.append_only,
        reach: found.reach,
        live: found.live,
        state,
        fingerprint: schema.as_ref().map(|schema| schema.fingerprint().0),
        schema: schema.map(|schema| {
            let mut encoded = Vec::new();
            schema.encode(&mut encoded);
            encoded
        }),
    };
    let source = Source::new(found.data, found.sync_on_close, &accepted);
    Ok((source.leased(found.leased), accepted))
}

/// Opens a streamer that the peer got as a reference: who has it may use it. One of another peer is
/// relayed.
async fn open_reference(reference: &Reference, open: &Open) -> Result<Found> {
    let (wanted, purpose) = (Flags::from_bits(open.flags), open.purpose);
    if let Some(local) = reference.get::<LocalStreamer>() {
        return local.streamer()?.clone().open_aside(wanted, purpose).await;
    }
    let (origin, from) = match reference.get::<View>() {
        Some(view) => {
            view.check(wanted)?;
            (view.origin(), view.from())
        }
        None => (reference, None),
    };
    // Few streams come from elsewhere, and the state of this is large.
    Box::pin(async { relay::open(streams::way_to(origin).await?, from, open).await }).await
}

pub(crate) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    typed::decode(bytes, &Limits::default())
        .map_err(|error| Error::new(error.code(), format!("a message is malformed: {error}")))
}

pub(crate) fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    typed::encode(value, &mut out)
        .map_err(|error| Error::new(Code::INTERNAL, format!("a message is unfit: {error}")))?;
    Ok(out)
}
