//! The side that opens links.

use crate::{
    Address, Error, Identity, KeyId, KnownServer, KnownServers, Link, Middleware, Result, Target,
    dirs,
    host::Host,
    middleware::Chain,
    net::{self, Wide},
    publish::blocking,
    tls::{config, handshake},
};
use farlens_proto::{Admission, Config};
use farlens_wire::{Code, Limits, Side};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::net::TcpStream;

/// Opens a link to where a URL or a ticket leads, with this user's own key.
///
/// The key is made at the first use and kept in the configuration folder, beside the list of known
/// servers.
///
/// # Errors
/// `BAD_ADDRESS` for a malformed target; `CANNOT_CONNECT` and `TIMEOUT`; `UNKNOWN_SERVER` and
/// `SERVER_CHANGED` when the server's key is not the expected one; `NOT_AUTHORIZED` and
/// `BAD_INVITE` when the server does not let this key in.
pub async fn connect(target: &str) -> Result<Link> {
    Client::builder().connect(target).await
}

/// Settings for opening links.
#[derive(Clone, Debug, Default)]
pub struct ClientBuilder {
    identity: Option<Identity>,
    known_servers: Option<PathBuf>,
    limits: Option<Limits>,
    timeout: Option<Duration>,
    chain: Chain,
}

/// The side that opens links; see [`Client::builder`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Client;

/// How long a connection attempt may take, the name look-up included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Client {
    /// Settings, all at their defaults.
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }
}

impl ClientBuilder {
    /// The key to show. Default: the user's own, from the configuration folder. A client with a key
    /// set here keeps no list of known servers unless one is set, too.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The file with the keys of known servers. A server that a ticket leads to is added.
    #[must_use]
    pub fn known_servers(mut self, path: impl Into<PathBuf>) -> Self {
        self.known_servers = Some(path.into());
        self
    }

    /// The bounds that this side keeps.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// How long connecting may take for each address, the handshakes included. Default 10 s.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Adds someone who sees everything that servers ask of this side, such as calls of callbacks,
    /// and may refuse it; see [`crate::middleware`]. Several are asked in the order in which they
    /// are added.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.chain.push(middleware);
        self
    }

    /// Opens a link to where a URL or a ticket leads.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(self, target: &str) -> Result<Link> {
        self.connect_to(&Target::parse(target)?).await
    }

    /// Opens a link to a target that was parsed before.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect_to(self, target: &Target) -> Result<Link> {
        let limits = self.limits.clone().unwrap_or_default();
        limits.validate().map_err(|error| Error::new(Code::USAGE, error.to_string()))?;
        let timeout = self.timeout.unwrap_or(CONNECT_TIMEOUT);
        let host = Arc::new(Host { chain: self.chain.clone(), ..Host::default() });
        let (identity, known) = self.files().await?;
        let mut last = None;
        for address in target.addresses() {
            let pins = pins_for(target, address, known.as_ref()).await?;
            let config = Config {
                limits: limits.clone(),
                invite: target.invite().map(invite_bytes),
                admission: Admission::Known,
                ..Config::default()
            };
            let host = Arc::clone(&host);
            match try_address(address, &identity, pins, config, host, timeout).await {
                Ok(link) => {
                    remember(known, target, link.peer()).await;
                    return Ok(link);
                }
                Err(error) if matches!(error.code(), Code::CANNOT_CONNECT | Code::TIMEOUT) => {
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::new(Code::BAD_ADDRESS, "the target has no address")))
    }

    /// The key and the known servers, read or made where that is needed.
    async fn files(self) -> Result<(Identity, Option<Arc<KnownServers>>)> {
        if let (Some(identity), None) = (&self.identity, &self.known_servers) {
            return Ok((identity.clone(), None));
        }
        blocking(move || {
            let (identity, path) =
                dirs::identity_and_list(self.identity, self.known_servers, "known_servers")?;
            let known = path.map(KnownServers::load).transpose()?.map(Arc::new);
            Ok((identity, known))
        })
        .await
    }
}

/// The keys that a server may show.
async fn pins_for(
    target: &Target,
    address: &Address,
    known: Option<&Arc<KnownServers>>,
) -> Result<Vec<KeyId>> {
    match (target.key(), known) {
        (Some(key), _) => Ok(vec![key]),
        (None, Some(known)) => {
            let (known, address) = (Arc::clone(known), address.clone());
            blocking(move || known.pins(&address)).await
        }
        (None, None) => Ok(Vec::new()),
    }
}

/// Writes down the server that a ticket led to. A list that cannot be written costs nobody a link.
async fn remember(known: Option<Arc<KnownServers>>, target: &Target, key: KeyId) {
    let (Some(known), Target::Ticket(_)) = (known, target) else { return };
    let addresses = target.addresses().to_vec();
    let written = blocking(move || {
        let server = KnownServer::new(key, addresses, None)?;
        if known.servers()?.iter().any(|other| other.key == key) {
            return Ok(());
        }
        known.add(&server)
    });
    if let Err(error) = written.await {
        tracing::warn!(%error, "the server was not added to the known ones");
    }
}

fn invite_bytes(invite: &crate::Invite) -> Vec<u8> {
    [&invite.id[..], &invite.secret[..]].concat()
}

async fn try_address(
    address: &Address,
    identity: &Identity,
    pins: Vec<KeyId>,
    config: Config,
    host: Arc<Host>,
    timeout: Duration,
) -> Result<Link> {
    let attempt = async {
        let socket = open_socket(address).await?;
        let tls = Arc::new(config::client_config(identity, pins));
        let shaken = handshake::connect(Wide::new(socket), tls, timeout).await;
        let (stream, key) = shaken.map_err(|error| name_server(error, address))?;
        let link = Link::start(stream, Side::Initiator, key, config, host);
        link.established().await?;
        Ok(link)
    };
    tokio::time::timeout(timeout, attempt).await.unwrap_or_else(|_| {
        let text = format!("{address} did not answer within {timeout:?}");
        Err(Error::new(Code::TIMEOUT, text).with_hint("check the address and the network"))
    })
}

async fn open_socket(address: &Address) -> Result<TcpStream> {
    let failed = |error: std::io::Error| {
        Error::new(Code::CANNOT_CONNECT, format!("{address} cannot be reached"))
            .with_source(error)
            .with_hint("check the address, and that the server runs")
    };
    let socket = TcpStream::connect((address.host(), address.port())).await.map_err(failed)?;
    net::prepare(&socket).map_err(failed)?;
    Ok(socket)
}

/// Says which server showed an unexpected key.
fn name_server(error: Error, address: &Address) -> Error {
    match (error.code(), handshake::shown_key(&error)) {
        (Code::UNKNOWN_SERVER, Some(shown)) => {
            let text =
                format!("server {address} showed key {}, which is not known here", shown.grouped());
            Error::new(Code::UNKNOWN_SERVER, text).with_hint(
                "if its owner confirms this ID, put it behind the URL: farlens://HOST/path#KEYID",
            )
        }
        (Code::SERVER_CHANGED, Some(shown)) => {
            let text = format!(
                "the key of {address} CHANGED: it showed {}; nothing was sent",
                shown.grouped()
            );
            Error::new(Code::SERVER_CHANGED, text).with_hint(
                "either the server was reinstalled or somebody is in between; ask its owner for a \
                 new ticket",
            )
        }
        _ => error,
    }
}
