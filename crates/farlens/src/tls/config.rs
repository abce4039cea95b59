//! How TLS is set up: version 1.3, a key on both sides, nothing resumed.
//!
//! Resumption would let in a client whose key was removed meanwhile, and early data can be
//! replayed; both are off on either side.

use super::{Identity, KeyId, provider, trust};
use rustls::{
    ClientConfig, ServerConfig, client::Resumption, server::NoServerSessionStorage,
    sign::SingleCertAndKey, version::TLS13,
};
use std::sync::Arc;

/// The protocol that both sides must name in the handshake.
pub(crate) const ALPN: &[u8] = b"farlens/1";

const ONLY_TLS13: &str = "the provider has cipher suites for TLS 1.3";

/// The accepting side: asks every client for a key and accepts any.
pub(crate) fn server_config(identity: &Identity) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect(ONLY_TLS13)
        .with_client_cert_verifier(trust::AnyClient::new())
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config
}

/// The connecting side: accepts a server that proves one of `pins`; none at all if it is empty.
pub(crate) fn client_config(identity: &Identity, pins: Vec<KeyId>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect(ONLY_TLS13)
        .dangerous()
        .with_custom_certificate_verifier(trust::PinnedServer::new(pins))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    config
}
