//! What one side offers to its peers, and who may have it: every request goes through here.

use crate::{
    Error, RemotePath, Result, Verb,
    access::Access,
    data::relay,
    link::{driver::to_wire, imported::Imported, source::Source},
    object::{
        CallContext, Incoming, LocalObject, LocalStreamer, View, imported::DESCRIBE, settle,
        settled, streams,
    },
    publish::{Found, Publications, blocking, nothing_at},
    tls::KeyId,
};
use farlens_proto::{Accepted, Answer, Called, Purpose};
use farlens_wire::{
    Code, Flags, Limits, Mode, Reference,
    frame::stream::{Open, Target},
    schema::SchemaDoc,
    typed,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The publications of one side and the rights to them. A client has an empty one.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) publications: Publications,
    pub(crate) access: Access,
}

/// What the peer of a link may ask for, and as whom.
pub(crate) struct Guest {
    host: Arc<Host>,
    key: KeyId,
    /// Those of the link.
    limits: Arc<Limits>,
}

/// What a peer reaches without having got a reference to it.
pub(crate) struct Root;

/// Where a listing begins.
pub(crate) type ListArgs = (String, Option<String>);

impl Guest {
    pub(crate) const fn new(host: Arc<Host>, key: KeyId, limits: Arc<Limits>) -> Self {
        Self { host, key, limits }
    }

    /// Decides whether the peer may come in, and enrols it if its invite is good.
    pub(crate) async fn admit(&self, invite: Option<Vec<u8>>) -> Result<()> {
        self.host.access.admit(self.key, invite).await
    }

    /// Opens what an open frame asks for; `on` is given where that is no path.
    pub(crate) async fn open(
        &self,
        open: &Open,
        on: Option<&Reference>,
    ) -> Result<(Source, Accepted)> {
        let found = match on {
            Some(reference) => open_reference(reference, open).await?,
            None => self.find(open).await?,
        };
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

    async fn find(&self, open: &Open) -> Result<Found> {
        let Target::Path(path) = &open.target else {
            return Err(Error::new(Code::UNSUPPORTED, "only paths can be opened"));
        };
        let path = RemotePath::new(path)?;
        let wanted = Flags::from_bits(open.flags);
        let granted = self.judge(&path, wanted, open.purpose)?;
        let found = self.host.publications.open(&path, wanted, open.purpose).await?;
        Ok(granted.limit(found))
    }

    /// Whether the peer may have what it wants there. What it may not see at all looks like what is
    /// absent.
    fn judge(&self, path: &RemotePath, wanted: Flags, purpose: Purpose) -> Result<Granted> {
        let writes = wanted.has(Flags::WRITABLE);
        if !writes && !wanted.has(Flags::READABLE) {
            return Err(Error::new(Code::USAGE, "a stream is there to read, to write or for both"));
        }
        if !writes && matches!(purpose, Purpose::Replace { .. }) {
            return Err(Error::new(Code::USAGE, "to replace something is to write it"));
        }
        let rights = self.host.access.rights(&self.key);
        let may_read = rights.allow(Verb::Read, path);
        if wanted.has(Flags::READABLE) && !may_read {
            return Err(nothing_at(path));
        }
        let only_reads = !writes && purpose == Purpose::Use;
        if only_reads || rights.allow(Verb::Write, path) {
            return Ok(Granted { append_only: false });
        }
        if purpose == Purpose::Use && rights.allow(Verb::Append, path) {
            return Ok(Granted { append_only: true });
        }
        Err(if may_read { read_only() } else { nothing_at(path) })
    }

    /// Runs a method of an object that this side exports.
    pub(crate) async fn call(
        &self,
        called: Called,
        interface: Option<Arc<SchemaDoc>>,
    ) -> Result<Answer> {
        if called.on.get::<Root>().is_some() {
            return self.call_root(&called).await;
        }
        if called.interface.is_some() != interface.is_some() {
            let text = "the call names an interface that was not announced, or cannot be read";
            return Err(Error::new(Code::SCHEMA_MISMATCH, text));
        }
        let deadline = called.timeout_ms.map(Duration::from_millis);
        let deadline = deadline.and_then(|left| Instant::now().checked_add(left));
        let depth = called.depth.saturating_add(1);
        let context = CallContext::of_peer(self.key, deadline, depth, self.limits.call_depth);
        if let Some(object) = called.on.get::<LocalObject>() {
            if called.method == DESCRIBE {
                let mut schema = Vec::new();
                object.interface().encode(&mut schema);
                return Ok(schema.into());
            }
            let incoming = Incoming {
                method: called.method,
                args: called.args,
                table: called.table,
                writer: interface,
                limits: Arc::clone(&self.limits),
            };
            let mut outcome = object.serve(context, incoming)?.await?;
            settle(&mut outcome.table).await?;
            return Ok(Answer { value: outcome.value.into(), table: outcome.table });
        }
        let on = called.on.clone();
        if let Some(imported) = on.get::<Imported>() {
            return imported.relay(called, interface, &context).await;
        }
        Err(Error::new(Code::NO_SUCH_OBJECT, "this is nothing that can be called"))
    }

    async fn call_root(&self, called: &Called) -> Result<Answer> {
        let args = &called.args;
        match called.method.as_str() {
            "list" => self.list(decode(args)?).await.map(Answer::from),
            "stat" => self.stat(decode(args)?).await.map(Answer::from),
            "object" => self.object(decode(args)?).await,
            "streamer" => self.streamer(decode(args)?).await,
            _ => Err(Error::new(Code::NO_SUCH_METHOD, "the root object has no such method")),
        }
    }

    /// The object at a path, as a reference.
    async fn object(&self, path: String) -> Result<Answer> {
        let path = RemotePath::new(&path)?;
        if !self.host.access.rights(&self.key).allow(Verb::Call, &path) {
            return Err(nothing_at(&path));
        }
        one_reference(&settled(&self.host.publications.object(&path)?).await?)
    }

    /// The stream at a path, as a reference with what the peer may do with it.
    async fn streamer(&self, path: String) -> Result<Answer> {
        let path = RemotePath::new(&path)?;
        let rights = self.host.access.rights(&self.key);
        if !rights.allow(Verb::Read, &path) {
            return Err(nothing_at(&path));
        }
        let mut streamer = self.host.publications.streamer(&path).await?;
        if !rights.allow(Verb::Write, &path) {
            let appends = rights.allow(Verb::Append, &path);
            streamer = if appends { streamer.append_only(true) } else { streamer.read_only() };
        }
        one_reference(&Reference::new(LocalStreamer::new(streamer)?))
    }

    async fn list(&self, (path, after): ListArgs) -> Result<Vec<u8>> {
        let path = RemotePath::new(&path)?;
        let rights = self.host.access.rights(&self.key);
        let publications = &self.host.publications;
        let calls = |at: &RemotePath| rights.allow(Verb::Call, at);
        let visible =
            |at: &RemotePath| rights.show(at) || publications.objects_within(at).any(calls);
        if !visible(&path) {
            return Err(nothing_at(&path));
        }
        encode(&publications.list(&path, after, visible).await?)
    }

    async fn stat(&self, path: String) -> Result<Vec<u8>> {
        let path = RemotePath::new(&path)?;
        let rights = self.host.access.rights(&self.key);
        // Who may call an object may know what it is.
        let calls =
            || rights.allow(Verb::Call, &path) && self.host.publications.object(&path).is_ok();
        if !rights.allow(Verb::Read, &path) && !calls() {
            return Err(nothing_at(&path));
        }
        let stat = self.host.publications.stat(&path).await?;
        // `Verb::Write` covers appending.
        let writes = rights.allow(Verb::Append, &path);
        let granted = if writes { Flags::READABLE | Flags::WRITABLE } else { Flags::READABLE };
        encode(&stat.limited_to(granted))
    }
}

/// What the grants of a peer leave of what is published.
struct Granted {
    append_only: bool,
}

impl Granted {
    fn limit(&self, mut found: Found) -> Found {
        if self.append_only {
            found.append_only = true;
            let flags = found.mode.flags().without(Flags::CAN_MOVE_START);
            found.mode = Mode::new(flags).unwrap_or(found.mode);
        }
        found
    }
}

fn read_only() -> Error {
    Error::new(Code::MODE_FORBIDS, "you may read this, not write it")
        .with_hint("ask the server's owner for a grant to write, or for a ticket that has one")
}

/// An answer that is one reference.
fn one_reference(reference: &Reference) -> Result<Answer> {
    let mut answer = Vec::new();
    let mut table = Vec::new();
    typed::encode_with(reference, &mut answer, &mut table)
        .map_err(|error| Error::new(error.code(), error.to_string()))?;
    Ok(Answer { value: answer.into(), table })
}

/// Opens a streamer that the peer got as a reference: who has it may use it. One of another peer is
/// relayed.
async fn open_reference(reference: &Reference, open: &Open) -> Result<Found> {
    let (wanted, purpose) = (Flags::from_bits(open.flags), open.purpose);
    if let Some(local) = reference.get::<LocalStreamer>() {
        let streamer = local.streamer()?.clone();
        return blocking(move || streamer.open(wanted, purpose)).await;
    }
    let (origin, from) = match reference.get::<View>() {
        Some(view) => {
            view.check(wanted)?;
            (view.origin(), view.from())
        }
        None => (reference, None),
    };
    relay::open(streams::way_to(origin).await?, from, open).await
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

#[cfg(test)]
mod tests;
