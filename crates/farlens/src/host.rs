//! What one side offers to its peers, and who may have it: every request goes through here.

use crate::data::erased::ErasedData;
use crate::{
    Error, RemotePath, Result, Verb,
    access::Access,
    link::driver::to_wire,
    publish::{Publications, nothing_at},
    tls::KeyId,
};
use farlens_proto::Accepted;
use farlens_wire::{
    Code, Limits, ObjectId,
    frame::stream::{Open, Target},
    schema::SchemaDoc,
    typed,
};
use std::sync::Arc;

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
}

/// Where a listing begins.
pub(crate) type ListArgs = (String, Option<String>);

impl Guest {
    pub(crate) const fn new(host: Arc<Host>, key: KeyId) -> Self {
        Self { host, key }
    }

    /// Decides whether the peer may come in, and enrols it if its invite is good.
    pub(crate) async fn admit(&self, invite: Option<Vec<u8>>) -> Result<()> {
        self.host.access.admit(self.key, invite).await
    }

    /// Opens what an open frame asks for.
    pub(crate) async fn open(&self, open: &Open) -> Result<(Arc<dyn ErasedData>, Accepted)> {
        let Target::Path(path) = &open.target else {
            return Err(Error::new(Code::UNSUPPORTED, "only paths can be opened"));
        };
        let path = RemotePath::new(path)?;
        self.check(Verb::Read, &path)?;
        let (data, mode) = self.host.publications.open(&path).await?;
        let state = to_wire(data.state().await?);
        let schema = data.schema();
        check_type(open.fingerprint, schema.as_deref())?;
        let accepted = Accepted {
            kind: data.kind(),
            mode,
            append_only: false,
            reach: farlens_proto::Reach::default(),
            live: data.is_live(),
            state,
            fingerprint: schema.as_ref().map(|schema| schema.fingerprint().0),
            schema: schema.map(|schema| {
                let mut encoded = Vec::new();
                schema.encode(&mut encoded);
                encoded
            }),
        };
        Ok((data, accepted))
    }

    /// Runs a method of an object that this side exports.
    pub(crate) async fn call(
        &self,
        object: ObjectId,
        method: &str,
        args: &[u8],
    ) -> Result<Vec<u8>> {
        if object != ObjectId::ROOT {
            return Err(Error::new(Code::NO_SUCH_OBJECT, "only the root object is exported"));
        }
        match method {
            "list" => self.list(decode(args)?).await,
            "stat" => self.stat(decode(args)?).await,
            _ => Err(Error::new(Code::NO_SUCH_METHOD, "the root object has no such method")),
        }
    }

    async fn list(&self, (path, after): ListArgs) -> Result<Vec<u8>> {
        let path = RemotePath::new(&path)?;
        let rights = self.host.access.rights(&self.key);
        let visible = |at: &RemotePath| rights.show(at);
        if !visible(&path) {
            return Err(nothing_at(&path));
        }
        encode(&self.host.publications.list(&path, after, visible).await?)
    }

    async fn stat(&self, path: String) -> Result<Vec<u8>> {
        let path = RemotePath::new(&path)?;
        self.check(Verb::Read, &path)?;
        encode(&self.host.publications.stat(&path).await?)
    }

    /// What is forbidden looks like what is absent.
    fn check(&self, verb: Verb, path: &RemotePath) -> Result<()> {
        if self.host.access.rights(&self.key).allow(verb, path) {
            return Ok(());
        }
        Err(nothing_at(path))
    }
}

/// Whether a reader that decodes one type can read what is published.
fn check_type(wanted: Option<[u8; 16]>, published: Option<&SchemaDoc>) -> Result<()> {
    match (wanted, published) {
        (None, _) => Ok(()),
        (Some(wanted), Some(published)) if published.fingerprint().0 == wanted => Ok(()),
        (Some(_), Some(published)) => {
            Err(Error::new(Code::SCHEMA_MISMATCH, format!("what is published is {published}")))
        }
        (Some(_), None) => {
            Err(Error::new(Code::SCHEMA_MISMATCH, "what is published has no type of its own"))
        }
    }
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
