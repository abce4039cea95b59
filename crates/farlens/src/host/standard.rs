//! The standard gateway: what is published, as far as the grants of the peer go.

use super::Host;
use crate::{
    Error, Listing, Remote, RemotePath, RemoteStreamer, Result, Stat, Verb,
    access::Rights,
    publish::{Found, nothing_at},
    tls::KeyId,
};
use farlens_proto::Purpose;
use farlens_wire::{Code, Flags, Mode, frame::stream::Open};

/// What a host publishes, as a peer with this key may see it. What it may not see at all looks like
/// what is absent.
pub(super) struct Standard<'a> {
    pub(super) host: &'a Host,
    pub(super) key: KeyId,
}

impl Standard<'_> {
    fn rights(&self) -> Rights {
        self.host.access.rights(&self.key)
    }

    /// Opens what lies at a path.
    pub(super) async fn find(&self, path: &RemotePath, open: &Open) -> Result<Found> {
        let wanted = Flags::from_bits(open.flags);
        let granted = self.judge(path, wanted, open.purpose)?;
        let found = self.host.publications.open(path, wanted, open.purpose).await?;
        Ok(granted.limit(found))
    }

    /// Whether the peer may have what it wants there. What it may not see at all looks like what is
    /// absent.
    pub(super) fn judge(
        &self,
        path: &RemotePath,
        wanted: Flags,
        purpose: Purpose,
    ) -> Result<Granted> {
        let writes = wanted.has(Flags::WRITABLE);
        if !writes && !wanted.has(Flags::READABLE) {
            return Err(Error::new(Code::USAGE, "a stream is there to read, to write or for both"));
        }
        if !writes && matches!(purpose, Purpose::Replace { .. }) {
            return Err(Error::new(Code::USAGE, "to replace something is to write it"));
        }
        let rights = self.rights();
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

    /// The object at a path.
    pub(super) fn object(&self, path: &RemotePath) -> Result<Remote> {
        if !self.rights().allow(Verb::Call, path) {
            return Err(nothing_at(path));
        }
        self.host.publications.object(path)
    }

    /// The stream at a path, with what the peer may do with it.
    pub(super) async fn streamer(&self, path: &RemotePath) -> Result<RemoteStreamer> {
        let rights = self.rights();
        if !rights.allow(Verb::Read, path) {
            return Err(nothing_at(path));
        }
        let mut streamer = self.host.publications.streamer(path).await?;
        if !rights.allow(Verb::Write, path) {
            let appends = rights.allow(Verb::Append, path);
            streamer = if appends { streamer.append_only(true) } else { streamer.read_only() };
        }
        RemoteStreamer::new(streamer)
    }

    pub(super) async fn list(&self, path: &RemotePath, after: Option<String>) -> Result<Listing> {
        let rights = self.rights();
        let publications = &self.host.publications;
        let calls = |at: &RemotePath| rights.allow(Verb::Call, at);
        let visible =
            |at: &RemotePath| rights.show(at) || publications.objects_within(at).any(calls);
        if !visible(path) {
            return Err(nothing_at(path));
        }
        publications.list(path, after, visible).await
    }

    pub(super) async fn stat(&self, path: &RemotePath) -> Result<Stat> {
        let rights = self.rights();
        // Who may call an object may know what it is.
        let calls =
            || rights.allow(Verb::Call, path) && self.host.publications.object(path).is_ok();
        if !rights.allow(Verb::Read, path) && !calls() {
            return Err(nothing_at(path));
        }
        let stat = self.host.publications.stat(path).await?;
        // `Verb::Write` covers appending.
        let writes = rights.allow(Verb::Append, path);
        let granted = if writes { Flags::READABLE | Flags::WRITABLE } else { Flags::READABLE };
        Ok(stat.limited_to(granted))
    }
}

/// What the grants of a peer leave of what is published.
pub(super) struct Granted {
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

#[cfg(test)]
mod tests;
