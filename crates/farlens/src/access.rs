//! Who may come in and what for: keys in `authorized_clients`, and invites that add to them.

use crate::{
    AuthorizedClient, AuthorizedClients, Error, Grant, Invites, KeyId, RemotePath, Result, Verb,
    publish::blocking,
};
use farlens_wire::Code;
use parking_lot::RwLock;
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::SystemTime};
use tokio::sync::Mutex;

/// The rights of the peers of one side.
#[derive(Default)]
pub(crate) struct Access {
    /// Everybody with a key may read everything, and nothing else.
    pub(crate) open: bool,
    clients: Clients,
    pub(crate) invites: Invites,
    /// Held while an invite is looked at, so that a client that comes twice at once is known the
    /// second time.
    enrolling: Mutex<()>,
}

/// Where the rights are kept.
enum Clients {
    Memory(RwLock<HashMap<KeyId, Vec<Grant>>>),
    File(Arc<AuthorizedClients>),
}

impl Default for Clients {
    fn default() -> Self {
        Self::Memory(RwLock::default())
    }
}

/// The length of an invite in a hello: an id of 8 bytes and a secret of 16.
const INVITE_BYTES: usize = 24;

/// What one key may do.
pub(crate) struct Rights {
    open: bool,
    grants: Vec<Grant>,
}

impl Rights {
    pub(crate) fn allow(&self, verb: Verb, path: &RemotePath) -> bool {
        let open = self.open && verb == Verb::Read;
        open || self.grants.iter().any(|grant| grant.allows(verb, path))
    }

    /// Whether `path` or something beneath it may be read, so that its name may be seen.
    pub(crate) fn show(&self, path: &RemotePath) -> bool {
        let shows = |grant: &Grant| grant.verb == Verb::Read && grant.pattern.leads_through(path);
        self.open || self.grants.iter().any(shows)
    }
}

impl Access {
    /// Rights kept in a file, or only as long as the server lives.
    pub(crate) fn new(file: Option<PathBuf>, open: bool) -> Result<Self> {
        let clients = match file {
            Some(path) => Clients::File(Arc::new(AuthorizedClients::load(path)?)),
            None => Clients::default(),
        };
        Ok(Self { open, clients, invites: Invites::new(), enrolling: Mutex::default() })
    }

    /// Gives a key rights for as long as the server lives, or durably where a file keeps them.
    pub(crate) fn authorize(&self, key: KeyId, grants: Vec<Grant>) -> Result<()> {
        match &self.clients {
            Clients::Memory(clients) => {
                clients.write().entry(key).or_default().extend(grants);
                Ok(())
            }
            Clients::File(file) => file.add(&AuthorizedClient::new(key, grants, "")?),
        }
    }

    fn grants(&self, key: &KeyId) -> Result<Vec<Grant>> {
        match &self.clients {
            Clients::Memory(clients) => Ok(clients.read().get(key).cloned().unwrap_or_default()),
            Clients::File(file) => {
                Ok(file.lookup(key)?.map(|client| client.grants).unwrap_or_default())
            }
        }
    }

    /// What a key may do, as of now. A list that cannot be read gives nothing.
    pub(crate) fn rights(&self, key: &KeyId) -> Rights {
        Rights { open: self.open, grants: self.grants(key).unwrap_or_default() }
    }

    /// Lets a peer in: a good invite enrols it, otherwise its key must be known.
    pub(crate) async fn admit(&self, key: KeyId, invite: Option<Vec<u8>>) -> Result<()> {
        let _turn = match &invite {
            Some(_) => Some(self.enrolling.lock().await),
            None => None,
        };
        let grants = self.grants(&key).map_err(|error| {
            tracing::error!(%error, "nobody is let in until this is mended");
            unknown(&key)
        })?;
        let known = self.open || !grants.is_empty();
        let Some(invite) = invite else {
            return if known { Ok(()) } else { Err(unknown(&key)) };
        };
        let redeemed = parse_invite(&invite)
            .and_then(|(id, secret)| self.invites.redeem(&id, &secret, SystemTime::now()));
        let redemption = match redeemed {
            Ok(redemption) => redemption,
            Err(_) if known => return Ok(()),
            Err(error) => return Err(error),
        };
        let missing = |grant: &&Grant| !grants.contains(grant);
        let new: Vec<_> = redemption.grants().iter().filter(missing).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        match &self.clients {
            Clients::Memory(_) => self.authorize(key, new)?,
            Clients::File(file) => {
                let client = AuthorizedClient::new(key, new, "by invite")?;
                let file = Arc::clone(file);
                blocking(move || file.add(&client)).await?;
            }
        }
        redemption.confirm();
        Ok(())
    }
}

fn parse_invite(bytes: &[u8]) -> Result<([u8; 8], [u8; 16])> {
    let parts = (bytes.len() == INVITE_BYTES).then(|| bytes.split_at(8));
    parts
        .and_then(|(id, secret)| Some((id.try_into().ok()?, secret.try_into().ok()?)))
        .ok_or_else(|| Error::new(Code::BAD_INVITE, "the invite has the wrong length"))
}

fn unknown(key: &KeyId) -> Error {
    Error::new(Code::NOT_AUTHORIZED, format!("the server does not know the key {}", key.grouped()))
        .with_hint("ask for a ticket with an invite, or have the key added to authorized_clients")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{num::NonZeroU32, time::Duration};

    #[tokio::test]
    async fn a_client_that_comes_twice_at_once_uses_its_invite_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("authorized_clients");
        let access = Access::new(Some(file), false).unwrap();
        let grants = Grant::parse_list("read /**").unwrap();
        let (once, hour) = (NonZeroU32::MIN, Duration::from_secs(3600));
        let invite = access.invites.create(grants, once, hour, SystemTime::now()).unwrap();
        let shown = || Some([&invite.id[..], &invite.secret[..]].concat());
        let key = KeyId::from_bytes([7; 32]);
        let both = tokio::join!(access.admit(key, shown()), access.admit(key, shown()));
        assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
        let other = access.admit(KeyId::from_bytes([8; 32]), shown()).await;
        assert_eq!(other.map_err(|error| error.code()), Err(Code::BAD_INVITE));
    }
}
