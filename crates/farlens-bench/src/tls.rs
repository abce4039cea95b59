//! The transport of every system but farlens, which sets up the very same by itself: TLS 1.3 with a
//! key on both sides, AES-128-GCM from aws-lc, the hybrid key exchange, nothing resumed.

use crate::{Result, wan::Wan};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs as provider},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

const NAME: &str = "bench.invalid";

/// The name of what encrypts, for the report.
pub(crate) const SUITE: &str = "TLS13_AES_128_GCM_SHA256, X25519MLKEM768, ECDSA P-256, aws-lc-rs";

/// An encrypted connection.
pub(crate) type Stream = TlsStream<TcpStream>;

/// Both sides' settings, with keys made for this run.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    wan: Option<Wan>,
}

/// A server that listens; dropping it stops it and all its connections that live in its task.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tls {
    /// Fresh keys for both sides, each of which trusts the other one's only.
    pub(crate) fn new() -> Result<Self> {
        let (server, client) = (Key::new()?, Key::new()?);
        let verifier = WebPkiClientVerifier::builder_with_provider(client.trust()?, suite());
        let mut accepting = ServerConfig::builder_with_provider(suite())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier.build()?)
            .with_single_cert(vec![server.certificate.clone()], server.private())?;
        accepting.session_storage = Arc::new(NoServerSessionStorage {});
        accepting.send_tls13_tickets = 0;
        let mut connecting = ClientConfig::builder_with_provider(suite())
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(server.trust()?)
            .with_client_auth_cert(vec![client.certificate.clone()], client.private())?;
        connecting.resumption = Resumption::disabled();
        connecting.enable_sni = false;
        let (acceptor, connector) = (Arc::new(accepting).into(), Arc::new(connecting).into());
        Ok(Self { acceptor, connector, wan: None })
    }

    /// The same with a long line in front of each server.
    pub(crate) fn over(self, wan: Wan) -> Self {
        Self { wan: Some(wan), ..self }
    }

    /// Where to connect to reach an address.
    pub(crate) async fn route(&self, address: SocketAddr) -> Result<SocketAddr> {
        match self.wan {
            Some(wan) => wan.lead_to(address).await,
            None => Ok(address),
        }
    }

    /// Listens on loopback, and gives each connection to `serve` once hands are shaken. Runs on the
    /// runtime that it is called on.
    pub(crate) async fn listen<F, S>(&self, serve: S) -> Result<Listening>
    where
        S: Fn(Stream) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let tls = self.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (tls, serve) = (tls.clone(), serve.clone());
                tokio::spawn(async move {
                    match tls.accept(socket).await {
                        Ok(stream) => serve(stream).await,
                        Err(error) => eprintln!("a connection was refused: {error}"),
                    }
                });
            }
        });
        Ok(Listening { address, task })
    }

    /// The accepting side of a handshake.
    pub(crate) async fn accept(&self, socket: TcpStream) -> Result<Stream> {
        socket.set_nodelay(true)?;
        Ok(self.acceptor.accept(socket).await?.into())
    }

    /// Connects and shakes hands.
    pub(crate) async fn connect(&self, address: SocketAddr) -> Result<Stream> {
        let socket = TcpStream::connect(self.route(address).await?).await?;
        socket.set_nodelay(true)?;
        Ok(self.connector.connect(ServerName::try_from(NAME)?, socket).await?.into())
    }
}

/// The cryptography of all, in the order in which farlens offers it.
fn suite() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![provider::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![provider::kx_group::X25519MLKEM768],
        ..provider::default_provider()
    })
}

struct Key {
    pair: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Key {
    fn new() -> Result<Self> {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![NAME.to_owned()])?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.self_signed(&pair)?.der().clone();
        Ok(Self { pair, certificate })
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into()
    }

    fn trust(&self) -> Result<Arc<RootCertStore>> {
        let mut store = RootCertStore::empty();
        store.add(self.certificate.clone())?;
        Ok(Arc::new(store))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn both_sides_prove_their_keys_and_agree_on_the_suite() {
        let tls = Tls::new().unwrap();
        let listening = tls
            .listen(|mut stream: Stream| async move {
                assert_eq!(stream.get_ref().1.peer_certificates().map(<[_]>::len), Some(1));
                stream.write_all(b"!").await.unwrap();
                stream.flush().await.unwrap();
            })
            .await
            .unwrap();
        let mut stream = tls.connect(listening.address).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'!');
        let suite = stream.get_ref().1.negotiated_cipher_suite().map(|suite| suite.suite());
        assert_eq!(suite, Some(rustls::CipherSuite::TLS13_AES_128_GCM_SHA256));
    }
}
