//! The side that accepts links and publishes.

mod gate;

use crate::{
    Address, Error, GatewayRef, Grant, Identity, KeyId, Link, Middleware, Pattern, Publication,
    RemotePath, Result, Ticket, Verb,
    access::Access,
    dirs,
    gateway::Gateways,
    host::Host,
    link::lines::Lines,
    middleware::Chain,
    net::{self, Wide},
    publish::{Publications, blocking},
    tls::{config, handshake},
};
use farlens_proto::{Admission, Config};
use farlens_wire::{Code, Limits, Side};
use gate::Gate;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    task::AbortHandle,
};

/// How long an invite made by [`Server::invite`] holds.
const INVITE_TTL: Duration = Duration::from_secs(3600);
/// How long a shutdown lets transfers finish.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the last frames may take once a drain is over.
const FORCED: Duration = Duration::from_secs(1);

/// What a server is made of.
#[derive(Debug, Default)]
pub struct ServerBuilder {
    identity: Option<Identity>,
    authorized_clients: Option<PathBuf>,
    authorized: Vec<(KeyId, Vec<Grant>)>,
    open: bool,
    limits: Option<Limits>,
    published: Vec<(String, Publication)>,
    chain: Chain,
    gateways: Option<Gateways>,
}

impl ServerBuilder {
    /// The key to show. Default: the user's own, from the configuration folder. A server with a key
    /// set here remembers the clients that it enrols only while it lives, unless
    /// [`ServerBuilder::authorized_clients`] names a file.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The file with the clients that may come in, and what for. It may be edited at any time.
    #[must_use]
    pub fn authorized_clients(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorized_clients = Some(path.into());
        self
    }

    /// Lets a client in.
    #[must_use]
    pub fn authorize(mut self, key: KeyId, grants: Vec<Grant>) -> Self {
        self.authorized.push((key, grants));
        self
    }

    /// Lets everybody read everything who has any key at all. Off by default.
    #[must_use]
    pub const fn open_to_all(mut self, open: bool) -> Self {
        self.open = open;
        self
    }

    /// The bounds of each link.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Publishes something at a path: a file, a directory, bytes, a sequence, a [`crate::Streamer`].
    #[must_use]
    pub fn publish(mut self, path: &str, publication: impl Into<Publication>) -> Self {
        self.published.push((path.to_owned(), publication.into()));
        self
    }

    /// Adds someone who sees everything that peers ask for, and may refuse it; see
    /// [`crate::middleware`]. Several are asked in the order in which they are added.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.chain.push(middleware);
        self
    }

    /// Gives peers gateways of their own, by their keys: what a peer lists, looks up and opens by
    /// path, its gateway answers; see [`crate::Gateway`] for an example. None leaves a peer to the
    /// standard one, which has what is published.
    ///
    /// Grants say which keys are let in, as always. They say nothing about what such a gateway
    /// serves: it decides for itself. `gateway` is called once for each link, after the peer was
    /// let in, and must not block.
    #[must_use]
    pub fn gateway(
        mut self,
        gateway: impl Fn(KeyId) -> Option<GatewayRef> + Send + Sync + 'static,
    ) -> Self {
        self.gateways = Some(Gateways::new(gateway));
        self
    }

    /// Listens on an address; port 0 takes a free one. Links are accepted from now on.
    ///
    /// # Errors
    /// `BAD_ADDRESS` for a path that breaks a rule, `USAGE` for two things at one path or a mode
    /// that its data cannot honour, `BAD_IDENTITY` and `BAD_CONFIG` for unusable files,
    /// `CANNOT_LISTEN` for an address that is taken or not there.
    pub async fn bind(self, address: impl ToSocketAddrs + std::fmt::Debug) -> Result<Server> {
        let limits = self.limits.clone().unwrap_or_default();
        limits.validate().map_err(|error| Error::new(Code::USAGE, error.to_string()))?;
        let (identity, host) = blocking(move || self.load()).await?;
        let shown = format!("{address:?}");
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Error::new(Code::CANNOT_LISTEN, format!("cannot listen on {shown}"))
                .with_source(error)
                .with_hint("use a free port, or port 0 for any")
        })?;
        let local = listener.local_addr().map_err(|error| {
            Error::new(Code::CANNOT_LISTEN, "the socket has no address").with_source(error)
        })?;
        let core = Arc::new(Core {
            tls: Arc::new(config::server_config(&identity)),
            key: identity.key_id(),
            host: Arc::new(host),
            limits,
            local,
            gate: Gate::new(),
            links: Links::default(),
            lines: Lines::default(),
        });
        let accepting = tokio::spawn(Arc::clone(&core).accept(listener)).abort_handle();
        Ok(Server { core, accepting })
    }

    fn load(self) -> Result<(Identity, Host)> {
        let (identity, file) =
            dirs::identity_and_list(self.identity, self.authorized_clients, "authorized_clients")?;
        let access = Access::new(file, self.open)?;
        for (key, grants) in self.authorized {
            access.authorize(key, grants)?;
        }
        let mut publications = Publications::default();
        for (path, publication) in self.published {
            publication.check()?;
            publications.insert(&RemotePath::new(&path)?, publication)?;
        }
        let (chain, gateways) = (self.chain, self.gateways);
        Ok((identity, Host { publications, access, chain, gateways }))
    }
}

/// A server that accepts links. Dropping it stops accepting and closes all of them.
pub struct Server {
    core: Arc<Core>,
    accepting: AbortHandle,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("local", &self.core.local).finish_non_exhaustive()
    }
}

struct Core {
    tls: Arc<ServerConfig>,
    key: KeyId,
    host: Arc<Host>,
    limits: Limits,
    local: SocketAddr,
    gate: Gate,
    links: Links,
    lines: Lines,
}

/// The links that are up, for shutting down.
#[derive(Default)]
struct Links {
    next: AtomicU64,
    up: Mutex<HashMap<u64, Link>>,
    /// Set before the links are closed: none is added behind that.
    closed: AtomicBool,
}

impl Links {
    /// Keeps a link that is up; nothing if the server takes no more.
    fn add(&self, link: &Link) -> Option<u64> {
        let mut up = self.up.lock();
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        up.insert(number, link.clone());
        Some(number)
    }

    /// The links that are up; no other one will be.
    fn close(&self) -> Vec<Link> {
        let up = self.up.lock();
        self.closed.store(true, Ordering::Relaxed);
        up.values().cloned().collect()
    }
}

/// The most links that a server has at a time.
const MAX_LINKS: usize = 1024;

impl Server {
    /// Settings, all at their defaults.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.core.local
    }

    /// The key that it shows.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.core.key
    }

    /// Links that are up.
    #[must_use]
    pub fn link_count(&self) -> usize {
        self.core.links.up.lock().len()
    }

    /// The path of the one publication, or `/` when there are several.
    #[must_use]
    pub fn common_path(&self) -> RemotePath {
        self.core.host.publications.common_path()
    }

    /// A secret ticket that leads to a path and lets one client in to read there and beneath. It
    /// holds for an hour; a client that has used it may use it again.
    ///
    /// A client that was let in stays so: where a file keeps the authorised clients it may read at
    /// this path and beneath whatever servers with that file publish there, until its line is
    /// removed.
    ///
    /// # Errors
    /// `BAD_ADDRESS` for a path that breaks a rule, `OVERLOADED` when too many invites are open.
    pub fn invite(&self, path: &str) -> Result<Ticket> {
        self.invite_to(path, &[Verb::Read])
    }

    /// The same with other rights: `[Verb::Read, Verb::Write]` to write there, too, or
    /// `[Verb::Append]` to add at the ends of what is there and read nothing.
    ///
    /// # Errors
    /// As [`Server::invite`]; `USAGE` without a verb.
    pub fn invite_to(&self, path: &str, verbs: &[Verb]) -> Result<Ticket> {
        let path = RemotePath::new(path)?;
        let pattern = Pattern::beneath(&path);
        let grant = |verb: &Verb| Grant { verb: *verb, pattern: pattern.clone() };
        let grants: Vec<_> = verbs.iter().map(grant).collect();
        if grants.is_empty() {
            return Err(Error::new(Code::USAGE, "an invite without a verb allows nothing"));
        }
        let invites = &self.core.host.access.invites;
        let invite = invites.create(grants, NonZeroU32::MIN, INVITE_TTL, SystemTime::now())?;
        Ok(self.ticket(path)?.with_invite(invite))
    }

    /// A public ticket that leads to a path, for clients that may read there already.
    ///
    /// # Errors
    /// `BAD_ADDRESS` when the server has no address that can be given out.
    pub fn ticket(&self, path: RemotePath) -> Result<Ticket> {
        let addresses = reachable(self.core.local).into_iter().map(Address::from).collect();
        Ticket::new(addresses, self.core.key, path)
    }

    /// Serves until the process is told to stop (SIGINT or SIGTERM), then drains for up to five
    /// seconds. A second signal ends it at once.
    ///
    /// # Errors
    /// `INTERNAL` when signals cannot be received.
    pub async fn run(self) -> Result<()> {
        let mut signals = Signals::listen()?;
        signals.next().await;
        tokio::select! {
            () = self.shutdown(DRAIN) => {}
            () = signals.next() => {}
        }
        Ok(())
    }

    /// Stops accepting, lets transfers finish for up to `grace`, and closes what is left. Returns
    /// within `grace` and a second.
    pub async fn shutdown(&self, grace: Duration) {
        self.accepting.abort();
        let links = self.core.links.close();
        let drained = futures::future::join_all(links.iter().map(Link::drain));
        if tokio::time::timeout(grace, drained).await.is_err() {
            for link in &links {
                link.close_with(Code::GOING_AWAY, "the server is shutting down");
            }
        }
        let sent = futures::future::join_all(links.iter().map(Link::finished));
        // What cannot be sent within a second is not worth waiting for.
        let _ = tokio::time::timeout(FORCED, sent).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        for link in self.core.links.close() {
            link.close_with(Code::GOING_AWAY, "the server is gone");
        }
    }
}

impl Core {
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, from)) => self.take_in(socket, from),
                Err(error) => gate::back_off(&error).await,
            }
        }
    }

    /// Shakes hands in a task of its own, which may have to make room for others.
    fn take_in(self: &Arc<Self>, socket: TcpStream, from: SocketAddr) {
        if self.links.up.lock().len() >= MAX_LINKS {
            if let Some(left_out) = self.lines.allow() {
                tracing::warn!(%from, left_out, "refused: too many links");
            }
            return;
        }
        let (pass, sent_away) = self.gate.enter(from.ip());
        let core = Arc::clone(self);
        tokio::spawn(async move {
            let here = Arc::clone(&core);
            tokio::select! {
                served = core.serve(socket, pass) => {
                    if let Err(error) = served
                        && let Some(left_out) = here.lines.allow()
                    {
                        tracing::info!(%from, %error, left_out, "refused");
                    }
                }
                Ok(()) = sent_away => {
                    if let Some(left_out) = here.lines.allow() {
                        let why = "refused: too many connections wait, this one for longest";
                        tracing::warn!(%from, left_out, "{why}");
                    }
                }
            }
        });
    }

    async fn serve(self: Arc<Self>, socket: TcpStream, pass: gate::Pass) -> Result<()> {
        net::prepare(&socket).map_err(|error| {
            Error::new(Code::CANNOT_CONNECT, "the socket is dead").with_source(error)
        })?;
        let tls = Arc::clone(&self.tls);
        let (stream, key) = handshake::accept(Wide::new(socket), tls, handshake::TIMEOUT).await?;
        let config = Config {
            limits: self.limits.clone(),
            admission: Admission::ByInvite,
            ..Config::default()
        };
        let link = Link::start(stream, Side::Acceptor, key, config, Arc::clone(&self.host));
        link.established().await?;
        drop(pass);
        let Some(number) = self.links.add(&link) else {
            link.close_with(Code::GOING_AWAY, "the server is gone");
            return Ok(());
        };
        let why = link.closed().await;
        self.links.up.lock().remove(&number);
        tracing::debug!(peer = %key, %why, "link over");
        Ok(())
    }
}

/// The addresses under which others reach a listening socket, the best first.
fn reachable(local: SocketAddr) -> Vec<SocketAddr> {
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let mut ips = Vec::new();
    // A socket for IPv6 takes IPv4, too, but not the other way round.
    let families = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let families = if local.is_ipv4() { &families[..1] } else { &families[..] };
    // Connecting a datagram socket sends nothing; it only finds the address that would be used.
    for (from, to) in families {
        let found = UdpSocket::bind(from).and_then(|socket| {
            socket.connect(to)?;
            socket.local_addr()
        });
        ips.extend(found.ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified()));
    }
    if ips.is_empty() {
        ips.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    ips.into_iter().map(|ip| SocketAddr::new(ip, local.port())).collect()
}

/// The signals that ask a process to stop.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Error::new(Code::INTERNAL, "signals cannot be received").with_source(error)
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
