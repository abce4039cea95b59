//! A client and a server that are far apart, in virtual time.

use crate::{ByteStream, Grant, KeyId, Link, Publication, RemotePath, host::Host};
use farlens_proto::{Admission, Config};
use farlens_wire::Side;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    sync::mpsc,
    time::Instant,
};

const PIPE_BYTES: usize = 64 << 20;
/// Pieces that are under way at a time; no test comes near.
const CARRIED: usize = 10_000;

/// What lies between the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// There and back.
    pub(super) round_trip: Duration,
    /// Bytes a second, each way; without it the line is as fast as can be.
    pub(super) rate: Option<u32>,
}

/// A client far away from what is published at `/data`.
pub(super) struct World {
    pub(super) link: Link,
    _server: Link,
    line: Line,
    /// Bytes that the server has sent.
    sent: Arc<AtomicU64>,
}

impl World {
    pub(super) async fn new(line: Line, data: impl Into<Publication>) -> Self {
        let (client, server) = (KeyId::from_bytes([1; 32]), KeyId::from_bytes([2; 32]));
        let mut host = Host::default();
        let path = RemotePath::new("/data").expect("a path");
        host.publications.insert(&path, data.into()).expect("a fitting mode");
        let grants = Grant::parse_list("read,write /data").expect("grants");
        host.access.authorize(client, grants).expect("memory does not fail");
        let (near, client_end) = tokio::io::duplex(PIPE_BYTES);
        let (server_end, far) = tokio::io::duplex(PIPE_BYTES);
        let (from_client, to_client) = tokio::io::split(client_end);
        let (from_server, to_server) = tokio::io::split(server_end);
        let sent = Arc::new(AtomicU64::new(0));
        line.carry(from_client, to_server, Arc::default());
        line.carry(from_server, to_client, Arc::clone(&sent));
        let judging = Config { admission: Admission::ByInvite, ..Config::default() };
        let serving = Link::start(far, Side::Acceptor, client, judging, Arc::new(host));
        let link = Link::start(near, Side::Initiator, server, Config::default(), Arc::default());
        link.established().await.expect("both speak the same");
        Self { link, _server: serving, line, sent }
    }

    pub(super) async fn open(&self) -> ByteStream {
        self.link.open("/data").await.expect("published")
    }

    pub(super) fn meter(&self) -> Meter<'_> {
        Meter { world: self, since: Instant::now(), sent: self.sent.load(Ordering::Acquire) }
    }
}

/// What it costs from now on.
pub(super) struct Meter<'a> {
    world: &'a World,
    since: Instant,
    sent: u64,
}

impl Meter<'_> {
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whole round trips. What else takes time in this world is a millisecond here and there.
    pub(super) fn round_trips(&self) -> u128 {
        self.elapsed().as_millis() / self.world.line.round_trip.as_millis()
    }

    pub(super) fn sent(&self) -> u64 {
        self.world.sent.load(Ordering::Acquire) - self.sent
    }
}

impl Line {
    /// How long so many bytes take to go in.
    fn passage(self, length: usize) -> Duration {
        let seconds = self.rate.map_or(0.0, |rate| length as f64 / f64::from(rate));
        Duration::from_secs_f64(seconds)
    }

    /// Carries what is written at one end to the other, half a round trip later.
    fn carry(
        self,
        mut from: ReadHalf<DuplexStream>,
        mut to: WriteHalf<DuplexStream>,
        count: Arc<AtomicU64>,
    ) {
        let (push, mut pull) = mpsc::channel::<(Instant, Vec<u8>)>(CARRIED);
        tokio::spawn(async move {
            let mut buffer = vec![0; 256 << 10];
            let mut free = Instant::now();
            while let Ok(length @ 1..) = from.read(&mut buffer).await {
                count.fetch_add(length as u64, Ordering::AcqRel);
                free = free.max(Instant::now()) + self.passage(length);
                let due = free + self.round_trip / 2;
                if push.send((due, buffer[..length].to_vec())).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            while let Some((due, bytes)) = pull.recv().await {
                tokio::time::sleep_until(due).await;
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        });
    }
}
