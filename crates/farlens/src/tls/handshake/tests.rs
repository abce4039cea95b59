//! Real handshakes on loopback; what cannot happen between two honest sides is made by hand.

use super::*;
use crate::{
    net,
    tls::{
        Identity,
        config::{client_config, server_config},
        provider,
    },
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{HandshakeKind, ProtocolVersion, sign::CertifiedKey, version::TLS13};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

type Outcome = Result<(TlsStream<TcpStream>, KeyId)>;

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (client, server) = (client.unwrap(), server.unwrap().0);
    net::prepare(&client).unwrap();
    net::prepare(&server).unwrap();
    (client, server)
}

/// What the server and the client get out of one handshake.
async fn shake(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> (Outcome, Outcome) {
    let (client_socket, server_socket) = sockets().await;
    tokio::join!(
        accept(server_socket, Arc::clone(server), TIMEOUT),
        connect(client_socket, Arc::clone(client), TIMEOUT)
    )
}

async fn shake_between(server: &Identity, client: &Identity, pins: &[KeyId]) -> (Outcome, Outcome) {
    let server = Arc::new(server_config(server));
    let client = Arc::new(client_config(client, pins.to_vec()));
    shake(&server, &client).await
}

fn identities() -> (Identity, Identity) {
    (Identity::generate().unwrap(), Identity::generate().unwrap())
}

fn code_of(outcome: Outcome) -> Code {
    outcome.expect_err("the handshake is refused").code()
}

#[tokio::test]
async fn both_sides_learn_the_key_of_the_other() {
    let (server, client) = identities();
    let other_pin = KeyId::from_bytes([0; 32]);
    let (accepted, connected) =
        shake_between(&server, &client, &[other_pin, server.key_id()]).await;
    let (mut accepted, seen_client) = accepted.unwrap();
    let (mut connected, seen_server) = connected.unwrap();
    assert_eq!((seen_server, seen_client), (server.key_id(), client.key_id()));
    for state in [accepted.get_ref().1, connected.get_ref().1] {
        assert_eq!(state.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(state.alpn_protocol(), Some(ALPN));
        let suite = state.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite, rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
        let group = state.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    }
    connected.write_all(b"ping").await.unwrap();
    connected.shutdown().await.unwrap();
    let mut received = Vec::new();
    accepted.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"ping");
}

#[tokio::test]
async fn every_kind_of_key_serves_either_side() {
    let p256 = Identity::generate().unwrap();
    for kind in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let other = Identity::certify(&KeyPair::generate_for(kind).unwrap()).unwrap();
        for (server, client) in [(&p256, &other), (&other, &p256)] {
            let (accepted, connected) = shake_between(server, client, &[server.key_id()]).await;
            assert_eq!(accepted.unwrap().1, client.key_id());
            assert_eq!(connected.unwrap().1, server.key_id());
        }
    }
}

#[tokio::test]
async fn nothing_is_resumed() {
    let (server, client) = identities();
    let mut client = client_config(&client, vec![server.key_id()]);
    // A client that would like to resume gets nothing to resume with.
    client.resumption = rustls::client::Resumption::in_memory_sessions(8);
    let (server, client) = (Arc::new(server_config(&server)), Arc::new(client));
    for _ in 0..3 {
        let (accepted, connected) = shake(&server, &client).await;
        let (mut accepted, mut connected) = (accepted.unwrap().0, connected.unwrap().0);
        accepted.shutdown().await.unwrap();
        assert_eq!(connected.read(&mut [0; 1]).await.unwrap(), 0);
        let TlsStream::Client(stream) = &connected else { panic!("a client connected") };
        let state = stream.get_ref().1;
        assert_eq!(state.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(state.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn another_server_key_is_refused_and_named() {
    let (server, client) = identities();
    let wrong = [KeyId::from_bytes([1; 32])];
    for (pins, code) in [(&wrong[..], Code::SERVER_CHANGED), (&[], Code::UNKNOWN_SERVER)] {
        let (accepted, connected) = shake_between(&server, &client, pins).await;
        let error = connected.expect_err("not pinned");
        assert_eq!(error.code(), code);
        assert_eq!(shown_key(&error), Some(server.key_id()));
        assert!(error.to_string().contains(&server.key_id().grouped().to_string()), "{error}");
        assert!(error.hint().is_some());
        let error = accepted.expect_err("the client went away");
        assert_eq!((error.code(), shown_key(&error)), (Code::CANNOT_CONNECT, None));
    }
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let (server, _) = identities();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(trust::PinnedServer::new(vec![server.key_id()]))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let (accepted, connected) = shake(&Arc::new(server_config(&server)), &Arc::new(config)).await;
    assert_eq!(code_of(accepted), Code::NOT_AUTHORIZED);
    let (mut stream, _) = connected.expect("a client is done before the server judges it");
    let error = stream.read(&mut [0; 1]).await.expect_err("the alert");
    assert_eq!(explain(Side::Initiator, error).code(), Code::NOT_AUTHORIZED);
}

#[tokio::test]
async fn a_client_that_names_no_protocol_is_closed_properly() {
    let (server, client) = identities();
    let mut config = client_config(&client, vec![server.key_id()]);
    config.alpn_protocols.clear();
    let (client_socket, server_socket) = sockets().await;
    let name = ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let (accepted, connected) = tokio::join!(
        accept(server_socket, Arc::new(server_config(&server)), TIMEOUT),
        TlsConnector::from(Arc::new(config)).connect(name, client_socket)
    );
    assert_eq!(code_of(accepted), Code::NO_COMMON_VERSION);
    // Zero means close_notify; without it rustls reports an unexpected end.
    assert_eq!(connected.unwrap().read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_that_names_no_protocol_is_closed_properly() {
    let (server, client) = identities();
    let mut config = server_config(&server);
    config.alpn_protocols.clear();
    let (client_socket, server_socket) = sockets().await;
    let (accepted, connected) = tokio::join!(
        TlsAcceptor::from(Arc::new(config)).accept(server_socket),
        connect(client_socket, Arc::new(client_config(&client, vec![server.key_id()])), TIMEOUT)
    );
    assert_eq!(code_of(connected), Code::NO_COMMON_VERSION);
    assert_eq!(accepted.unwrap().read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn another_protocol_is_refused_by_alert() {
    let (server, client) = identities();
    let mut config = client_config(&client, vec![server.key_id()]);
    config.alpn_protocols = vec![b"farlens/2".to_vec(), b"h2".to_vec()];
    let (accepted, connected) = shake(&Arc::new(server_config(&server)), &Arc::new(config)).await;
    assert_eq!(code_of(accepted), Code::NO_COMMON_VERSION);
    assert_eq!(code_of(connected), Code::NO_COMMON_VERSION);
}

/// An identity that shows one key and signs with another.
fn impostor(shown: &Identity) -> Identity {
    let own = Identity::generate().unwrap();
    let signer = Arc::clone(&own.certified().key);
    let certificates = shown.certified().cert.clone();
    Identity::from_parts(shown.key_id(), CertifiedKey::new(certificates, signer))
}

#[tokio::test]
async fn a_copied_certificate_is_worth_nothing() {
    let (server, client) = identities();
    let pins = [server.key_id()];
    let (_, connected) = shake_between(&impostor(&server), &client, &pins).await;
    assert_eq!(code_of(connected), Code::PROTOCOL_VIOLATION);
    let (accepted, _) = shake_between(&server, &impostor(&client), &pins).await;
    assert_eq!(code_of(accepted), Code::PROTOCOL_VIOLATION);
}

#[tokio::test]
async fn dates_play_no_part() {
    let key = KeyPair::generate().unwrap();
    let server = Identity::certify(&key).unwrap();
    let mut params = CertificateParams::new(["other.example".to_owned()]).unwrap();
    params.not_before = date_time_ymd(1999, 1, 1);
    params.not_after = date_time_ymd(2000, 1, 1);
    let expired = params.self_signed(&key).unwrap().der().clone();
    let signer = Arc::clone(&server.certified().key);
    let server = Identity::from_parts(server.key_id(), CertifiedKey::new(vec![expired], signer));
    let client = Identity::generate().unwrap();
    let (accepted, connected) = shake_between(&server, &client, &[server.key_id()]).await;
    assert_eq!(accepted.unwrap().1, client.key_id());
    assert_eq!(connected.unwrap().1, server.key_id());
}

/// A ClientHello of a client that knows TLS 1.2 and nothing newer.
fn tls12_hello() -> Vec<u8> {
    let groups = [0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d];
    let signatures = [0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03];
    let mut body = vec![0x03, 0x03];
    body.extend([0x5a; 32]);
    body.extend([0x00, 0x00, 0x02, 0xc0, 0x2b, 0x01, 0x00]);
    body.extend([0x00, 0x10]);
    body.extend(groups);
    body.extend(signatures);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01, 0x00, length + 4, 0x01, 0x00, 0x00, length];
    record.extend(body);
    record
}

#[tokio::test]
async fn what_is_not_tls13_is_closed_with_an_alert() {
    let server = Arc::new(server_config(&Identity::generate().unwrap()));
    let http = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n".to_vec();
    let alert_protocol_version = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 70];
    for (bytes, code, alert) in [
        (tls12_hello(), Code::NO_COMMON_VERSION, &alert_protocol_version[..]),
        (http, Code::PROTOCOL_VIOLATION, &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02]),
        (vec![0xff; 20_000], Code::PROTOCOL_VIOLATION, &[0x15]),
    ] {
        let (mut client, server_side) = tokio::io::duplex(64 << 10);
        client.write_all(&bytes).await.unwrap();
        let accepted = accept(server_side, Arc::clone(&server), TIMEOUT).await;
        assert_eq!(accepted.expect_err("no TLS 1.3").code(), code);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(alert), "{answer:02x?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_time() {
    let (server, client) = identities();
    let (_quiet, socket) = tokio::io::duplex(1024);
    let accepted = accept(socket, Arc::new(server_config(&server)), TIMEOUT).await;
    assert_eq!(accepted.expect_err("silence").code(), Code::TIMEOUT);
    let (_quiet, socket) = tokio::io::duplex(64 << 10);
    let connected = connect(socket, Arc::new(client_config(&client, vec![])), TIMEOUT).await;
    assert_eq!(connected.expect_err("silence").code(), Code::TIMEOUT);
}

#[tokio::test]
async fn a_cut_is_told_from_a_refusal() {
    let (server, client) = identities();
    let (quiet, socket) = tokio::io::duplex(1024);
    drop(quiet);
    let accepted = accept(socket, Arc::new(server_config(&server)), TIMEOUT).await;
    let error = accepted.expect_err("cut");
    assert_eq!(error.code(), Code::CANNOT_CONNECT);
    assert!(error.message().contains("the client cut"), "{error}");
    let (quiet, socket) = tokio::io::duplex(1024);
    drop(quiet);
    let connected = connect(socket, Arc::new(client_config(&client, vec![])), TIMEOUT).await;
    assert!(connected.expect_err("cut").message().contains("the server cut"));
}
