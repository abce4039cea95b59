//! Peers that say nothing, and peers that take nothing.

use crate::{House, code, guarded, impatient, settled};
use farlens::{AtEnd, Client, Code, FixedData, Identity, Limits, OpenOptions, Server, Spool};
use farlens_tests::{
    certs::{self, ALPN, Key},
    hostile::{self, Peer},
    pattern,
};
use farlens_wire::frame::put_header;
use futures::{StreamExt, stream::FuturesUnordered};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use tokio::{io::AsyncReadExt, net::TcpListener, time::timeout};

#[tokio::test]
async fn f17_j16_a_client_that_falls_silent_is_let_go() {
    let house = House::open(Server::builder().limits(impatient())).await;
    let mut quiet = house.peer().await;
    quiet.greet().await.unwrap();
    let mut cut = house.peer().await;
    let mut bytes = hostile::hello(&Limits::default());
    put_header(&mut bytes, 0x10, 1, 60_000);
    cut.send(&bytes).await.unwrap();
    settled("both are links", || house.server.link_count() == 2).await;
    assert_eq!(quiet.farewell().await.code(), Some(Code::LINK_LOST));
    assert_eq!(cut.farewell().await.code(), Some(Code::LINK_LOST));
    house.is_well().await;
}

#[tokio::test]
async fn n4_a_server_that_falls_silent_ends_whatever_waits() {
    let key = Key::fresh();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("farlens://{}/#{}", listener.local_addr().unwrap(), key.id());
    let serve = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut peer = Peer::accept(socket, &certs::server(&key, &[ALPN])).await.unwrap();
        peer.greet().await.unwrap();
        let (id, _) = peer.opened().await;
        peer.put(id, &hostile::opened(farlens::Kind::Bytes, 10)).await.unwrap();
        peer.farewell().await
    });
    let client = Client::builder().identity(Identity::generate().unwrap()).limits(impatient());
    let link = guarded(client.connect(&url)).await.unwrap();
    let mut stream = guarded(link.open("/x")).await.unwrap();
    let (read, called, opened) =
        guarded(async { tokio::join!(stream.next_chunk(), link.list("/"), link.open("/y")) }).await;
    assert_eq!(code(read), Code::LINK_LOST);
    assert_eq!(code(called), Code::UNKNOWN);
    assert_eq!(code(opened), Code::LINK_LOST);
    assert_eq!(guarded(serve).await.unwrap().code(), Some(Code::LINK_LOST));
}

#[tokio::test]
async fn j16_a_link_at_rest_stays_up_by_its_pings() {
    let house = House::open(Server::builder().limits(impatient())).await;
    let (_writer, lines) = Spool::bytes();
    let other = House::open(Server::builder().limits(impatient()).publish("/lines", lines)).await;
    let link = other.link_with(impatient()).await;
    let mut stream =
        link.open_with("/lines", OpenOptions::new().at_end(AtEnd::Follow)).await.unwrap();
    let patience = crate::SECOND * 3;
    assert!(timeout(patience, stream.next_chunk()).await.is_err(), "nothing comes, nothing breaks");
    assert!(guarded(link.stat("/data")).await.is_ok());
    house.is_well().await;
}

#[tokio::test]
async fn n10_a_client_that_reads_nothing_is_let_go() {
    let mut limits = Limits::default();
    limits.stall_ms = 1_000;
    let big = FixedData::bytes(pattern::bytes(1, 0, 32 << 20));
    let house = House::open(Server::builder().limits(limits).publish("/big", big)).await;
    let mut peer = house.peer().await;
    peer.greet().await.unwrap();
    peer.put(1, &hostile::open("/big", 1 << 40)).await.unwrap();
    settled("it is a link", || house.server.link_count() == 1).await;
    settled("it is let go", || house.server.link_count() == 0).await;
    // The connection itself is closed, too, although it took nothing.
    let (mut block, mut taken) = (vec![0; 64 << 10], 0);
    while let Ok(more @ 1..) = guarded(peer.io().read(&mut block)).await {
        taken += more;
    }
    assert!(taken < 32 << 20, "{taken}");
    house.is_well().await;
}

/// A listener whose connections have room for few bytes.
fn narrow_listener() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(8).unwrap();
    socket.set_nonblocking(true).unwrap();
    TcpListener::from_std(socket.into()).unwrap()
}

#[tokio::test]
async fn n10_a_server_that_reads_nothing_is_stalled() {
    let key = Key::fresh();
    let listener = narrow_listener();
    let url = format!("farlens://{}/#{}", listener.local_addr().unwrap(), key.id());
    let (stalled, resumed) = tokio::sync::oneshot::channel::<()>();
    let serve = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut peer = Peer::accept(socket, &certs::server(&key, &[ALPN])).await.unwrap();
        let mut wide = Limits::default();
        wide.calls = 65_536;
        peer.send(&hostile::hello(&wide)).await.unwrap();
        resumed.await.unwrap();
        peer.farewell().await
    });
    let mut limits = Limits::default();
    limits.stall_ms = 1_000;
    let client = Client::builder().identity(Identity::generate().unwrap()).limits(limits);
    let link = guarded(client.connect(&url)).await.unwrap();
    let path = format!("/{}", "x".repeat(200)).repeat(20);
    let calls: FuturesUnordered<_> = (0..4_000).map(|_| link.list(&path)).collect();
    let outcomes: Vec<_> = guarded(calls.collect()).await;
    assert_eq!(outcomes.len(), 4_000);
    for outcome in outcomes {
        // What was sent may have run; the rest waited for room.
        assert!([Code::UNKNOWN, Code::NOT_RUN].contains(&code(outcome)));
    }
    assert_eq!(guarded(link.closed()).await.code(), Code::STALLED);
    stalled.send(()).unwrap();
    // The connection is closed either way; the last frame may still have found room.
    let last = guarded(serve).await.unwrap().code();
    assert!(last.is_none_or(|code| code == Code::STALLED), "{last:?}");
}
