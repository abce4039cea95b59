//! Who is turned away before a frame is read, and how.

use crate::{House, code, guarded, settled};
use farlens::{Client, Code, Identity};
use farlens_tests::{
    certs::{self, ALPN, Key},
    hostile::{Farewell, Peer},
    rng::Rng,
};
use farlens_wire::{
    Limits,
    frame::{Frame, LinkFrame},
};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a server answers to bytes that are no good handshake, until it closes the connection.
async fn answer_to(house: &House, bytes: &[u8], hang_up: bool) -> Vec<u8> {
    let mut socket = TcpStream::connect(house.address()).await.unwrap();
    // A server that has seen enough may close before all is written.
    let _ = socket.write_all(bytes).await;
    if hang_up {
        let _ = socket.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = guarded(socket.read_to_end(&mut answer)).await;
    answer
}

/// A ClientHello that offers TLS 1.2 alone.
fn tls12_client_hello() -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend([0x5a; 32]);
    body.extend([0x00, 0x00, 0x02, 0xc0, 0x2b, 0x01, 0x00, 0x00, 0x10]);
    body.extend([0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d]);
    body.extend([0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03]);
    handshake_record(1, &body)
}

/// A ServerHello that settles on TLS 1.2.
fn tls12_server_hello() -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend([0x5a; 32]);
    body.extend([0x00, 0xc0, 0x2b, 0x00]);
    handshake_record(2, &body)
}

fn handshake_record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len() as u8;
    let mut record = vec![0x16, 0x03, 0x03, 0x00, length + 4, kind, 0x00, 0x00, length];
    record.extend(body);
    record
}

/// Reads from a peer that is refused: nothing but the refusal comes.
async fn refused(mut peer: Peer) -> io::Result<usize> {
    guarded(peer.io().read(&mut [0; 64])).await
}

#[tokio::test]
async fn a1_no_certificate_is_refused_by_alert() {
    let house = House::plain().await;
    for _ in 0..20 {
        let mut peer = Peer::connect(house.address(), &certs::client(None, &[ALPN])).await.unwrap();
        let _ = peer.greet().await;
        let error = refused(peer).await.unwrap_err();
        assert!(format!("{error:?}").contains("CertificateRequired"), "{error:?}");
    }
    assert_eq!(house.server.link_count(), 0);
    house.is_well().await;
}

#[tokio::test]
async fn a8_tls12_is_refused_on_both_sides() {
    let house = House::plain().await;
    let answer = answer_to(&house, &tls12_client_hello(), false).await;
    assert_eq!(answer, [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 70], "alert protocol_version");
    house.is_well().await;

    let alert = vec![0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 70];
    for answer in [tls12_server_hello(), alert] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("farlens://{}/#{}", listener.local_addr().unwrap(), Key::fresh().id());
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut hello = [0; 64];
            socket.read_exact(&mut hello).await.unwrap();
            socket.write_all(&answer).await.unwrap();
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
        };
        let client = Client::builder().identity(Identity::generate().unwrap());
        let (linked, ()) = guarded(async { tokio::join!(client.connect(&url), serve) }).await;
        assert_eq!(code(linked), Code::NO_COMMON_VERSION);
    }
}

#[tokio::test]
async fn a9_a_known_key_without_the_protocol_is_closed() {
    let house = House::plain().await;
    let none = certs::client(Some(&house.key), &[]);
    let mut peer = Peer::connect(house.address(), &none).await.unwrap();
    let _ = peer.greet().await;
    assert_eq!(refused(peer).await.unwrap(), 0, "closed properly, without a frame");
    let other = certs::client(Some(&house.key), &[b"farlens/2", b"h2"]);
    let error = guarded(Peer::connect(house.address(), &other)).await.unwrap_err();
    assert!(format!("{error:?}").contains("NoApplicationProtocol"), "{error:?}");
    house.is_well().await;
}

#[tokio::test]
async fn a9_a_newer_version_is_refused_with_its_code() {
    let house = House::plain().await;
    let mut peer = house.peer().await;
    // Versions 2 to 3, and nothing else.
    peer.send(&[0x01, 0x00, 0x04, 0x01, 0x02, 0x02, 0x03]).await.unwrap();
    assert_eq!(peer.farewell().await.code(), Some(Code::NO_COMMON_VERSION));
    house.is_well().await;
}

#[tokio::test]
async fn a10_no_session_can_be_resumed() {
    let house = House::plain().await;
    let config = certs::client(Some(&house.key), &[ALPN]);
    for _ in 0..3 {
        let mut peer = Peer::connect(house.address(), &config).await.unwrap();
        peer.greet().await.unwrap();
        let hello = peer.next().await;
        assert!(matches!(hello, Some(Frame::Link(LinkFrame::Hello(_)))));
        let state = peer.io().get_ref().1;
        assert_eq!(state.handshake_kind(), Some(rustls::HandshakeKind::Full));
        if let tokio_rustls::TlsStream::Client(stream) = peer.io() {
            assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
            assert!(!stream.get_ref().1.is_early_data_accepted());
        }
    }
    settled("the peers are forgotten", || house.server.link_count() == 0).await;
    house.is_well().await;
}

#[tokio::test]
async fn a12_what_is_no_tls_is_closed() {
    let house = House::plain().await;
    let http = b"GET / HTTP/1.1\r\nHost: farlens\r\n\r\n";
    assert_eq!(answer_to(&house, http, false).await[0], 0x15, "an alert");
    let mut rng = Rng::new(12);
    for _ in 0..10 {
        let noise: Vec<u8> = (0..64 << 10).map(|_| rng.draw() as u8).collect();
        answer_to(&house, &noise, false).await;
        // Looks like a handshake until it is parsed.
        let record = [&[0x16, 0x03, 0x01, 0x3f, 0xff][..], &noise].concat();
        answer_to(&house, &record, false).await;
        answer_to(&house, &tls12_client_hello()[..rng.below(60) as usize], true).await;
        assert_eq!(answer_to(&house, &[], true).await, []);
    }
    house.is_well().await;
}

#[tokio::test]
async fn a14_a_crowd_that_says_nothing_keeps_nobody_out() {
    let house = House::plain().await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(TcpStream::connect(house.address()).await.unwrap());
    }
    let link = guarded(house.link()).await;
    assert!(guarded(link.stat("/data")).await.is_ok());
    drop(link);
    house.is_well().await;
    drop(crowd);
}

#[tokio::test]
async fn an_unknown_key_needs_a_ticket_and_a_ticket_holds_once() {
    let house = House::plain().await;
    let url = format!("farlens://{}/data#{}", house.address(), house.server.key());
    let stranger = || Client::builder().identity(Identity::generate().unwrap());
    let error = stranger().connect(&url).await.unwrap_err();
    assert_eq!(error.code(), Code::NOT_AUTHORIZED);
    assert!(error.hint().is_some());
    let ticket = house.server.invite("/").unwrap().to_string();
    let invited = stranger().connect(&ticket).await.unwrap();
    assert_eq!(code(stranger().connect(&ticket).await), Code::BAD_INVITE);
    drop(invited);
    house.is_well().await;
}

#[tokio::test]
async fn what_a_stranger_sends_behind_its_hello_is_not_acted_on() {
    let house = House::plain().await;
    let stranger = certs::client(Some(&Key::fresh()), &[ALPN]);
    let mut peer = Peer::connect(house.address(), &stranger).await.unwrap();
    let mut bytes = farlens_tests::hostile::hello(&Limits::default());
    bytes.extend(farlens_tests::hostile::control(
        1,
        &farlens_tests::hostile::open("/data", 1 << 20),
    ));
    peer.send(&bytes).await.unwrap();
    let first = peer.next().await;
    let Some(Frame::Link(LinkFrame::Bye(bye))) = first else { panic!("{first:?}") };
    assert_eq!(bye.fault.code, Code::NOT_AUTHORIZED);
    assert_eq!(peer.next().await, None);
    house.is_well().await;
}

#[tokio::test]
async fn a3_another_key_than_the_pinned_one_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("farlens://{}/#{}", listener.local_addr().unwrap(), Key::fresh().id());
    let config = certs::server(&Key::fresh(), &[ALPN]);
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        match Peer::accept(socket, &config).await {
            Ok(mut peer) => peer.farewell().await,
            Err(_) => Farewell::Silent,
        }
    };
    let client = Client::builder().identity(Identity::generate().unwrap());
    let (linked, said) = guarded(async { tokio::join!(client.connect(&url), serve) }).await;
    let error = linked.unwrap_err();
    assert_eq!(error.code(), Code::SERVER_CHANGED);
    assert!(error.message().contains("CHANGED"), "{error}");
    assert_eq!(said, Farewell::Silent, "no application byte was sent");
}
