//! The library over real TLS on loopback, beside peers, sources and wires that misbehave.
//!
//! Each story ends with [`House::is_well`]: the server lives, another link reads everything, and
//! nothing of what happened is left.

mod attenuation;
mod cuts;
mod destructors;
mod dynamic;
mod elements;
mod gateway;
mod handshake;
mod hostile_client;
mod hostile_server;
mod hostile_writer;
mod ladders;
mod middleware;
mod objects;
mod observers;
mod owners;
mod relay;
mod shutdown;
mod silence;
mod sources;
mod streams;
mod tokens;
mod versions;
mod writing;

use farlens::{
    ByteStream, Client, Code, Error, FixedData, Grant, Identity, Limits, Link, Pattern, RemotePath,
    Server, ServerBuilder, Verb,
};
use farlens_tests::{
    certs::{self, Key},
    hostile::{PATIENCE, Peer},
    pattern,
};
use std::{net::SocketAddr, time::Duration};
use tokio::io::AsyncReadExt;

/// The seed of the bytes at `/data`.
const SEED: u64 = 11;
/// How many there are.
const LENGTH: usize = 300_000;

/// A server, and a key that it knows.
struct House {
    server: Server,
    key: Key,
}

impl House {
    /// Serves `/data` and whatever else `builder` has.
    async fn open(builder: ServerBuilder) -> Self {
        let key = Key::fresh();
        let everything = Grant { verb: Verb::Read, pattern: Pattern::beneath(&RemotePath::root()) };
        let builder = builder
            .publish("/data", FixedData::bytes(pattern::bytes(SEED, 0, LENGTH)))
            .authorize(key.id(), vec![everything])
            .identity(Identity::generate().unwrap());
        Self { server: builder.bind("127.0.0.1:0").await.unwrap(), key }
    }

    async fn plain() -> Self {
        Self::open(Server::builder()).await
    }

    fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// A hand-made client with the known key.
    async fn peer(&self) -> Peer {
        let config = certs::client(Some(&self.key), &[certs::ALPN]);
        Peer::connect(self.address(), &config).await.unwrap()
    }

    /// An honest link by a new ticket.
    async fn link(&self) -> Link {
        self.link_with(Limits::default()).await
    }

    /// The same with the right to write.
    async fn link_to_write(&self) -> Link {
        self.link_to(&[Verb::Read, Verb::Write]).await
    }

    /// The same with these rights.
    async fn link_to(&self, verbs: &[Verb]) -> Link {
        let ticket = self.server.invite_to("/", verbs).unwrap().to_string();
        let client = Client::builder().identity(Identity::generate().unwrap());
        client.connect(&ticket).await.unwrap()
    }

    async fn link_with(&self, limits: Limits) -> Link {
        let ticket = self.server.invite("/").unwrap().to_string();
        let client = Client::builder().identity(Identity::generate().unwrap()).limits(limits);
        client.connect(&ticket).await.unwrap()
    }

    /// A link of the known key by way of another address.
    async fn link_by(&self, address: SocketAddr) -> farlens::Result<Link> {
        let url = format!("farlens://{address}/#{}", self.server.key());
        let client = Client::builder().identity(self.key.identity());
        guarded(client.connect(&url)).await
    }

    /// The server answers an honest link, and no link is left after that.
    async fn is_well(&self) {
        let link = guarded(self.link()).await;
        let mut stream = link.open("/data").await.unwrap();
        let mut all = Vec::new();
        guarded(stream.read_to_end(&mut all)).await.unwrap();
        assert_eq!((all.len(), pattern::first_wrong_byte(SEED, 0, &all)), (LENGTH, None));
        drop(stream);
        nothing_open(&link).await;
        drop(link);
        settled("no link is left", || self.server.link_count() == 0).await;
    }
}

/// Waits for something that only a hang keeps from ending.
async fn guarded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it ends")
}

/// Waits until something holds.
async fn settled(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}");
}

/// Waits until no stream or call is open on a link.
async fn nothing_open(link: &Link) {
    settled("nothing is open", || {
        let stats = link.stats();
        stats.consuming + stats.serving + stats.calls_in + stats.calls_out == 0
            && stats.granted_bytes == 0
    })
    .await;
}

/// Reads until the end or an error.
async fn drain(stream: &mut ByteStream) -> (Vec<u8>, farlens::Result<()>) {
    let mut all = Vec::new();
    loop {
        match guarded(stream.next_chunk()).await {
            Ok(Some(chunk)) => all.extend_from_slice(&chunk),
            Ok(None) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

/// The error of the library inside one of `tokio::io`.
fn inner(error: &std::io::Error) -> &Error {
    error
        .get_ref()
        .and_then(|error| error.downcast_ref())
        .expect("it holds an error of the library")
}

/// The code of a failure.
fn code<T>(outcome: farlens::Result<T>) -> Code {
    match outcome {
        Ok(_) => panic!("it succeeded"),
        Err(error) => {
            assert!(!error.message().is_empty(), "an error says what happened");
            error.code()
        }
    }
}

/// Limits with short times: silence is noticed after a second.
fn impatient() -> Limits {
    let mut limits = Limits::default();
    (limits.ping_idle_ms, limits.dead_after_ms) = (300, 1_000);
    (limits.stall_ms, limits.hello_ms) = (1_000, 200);
    limits
}

const SECOND: Duration = Duration::from_secs(1);
