//! Who is at the other end: keys, TLS 1.3 with a key on both sides, and the files of trust.
//!
//! Identity is a [`KeyId`], the hash of a public key. The handshake proves that the peer holds the
//! key; a client's pins or a server's `authorized_clients` decide what follows from it.

pub(crate) mod config;
pub(crate) mod handshake;
pub(crate) mod trust;

mod authorized_clients;
mod identity;
mod key_id;
mod known_servers;
mod trust_file;

pub use authorized_clients::{AuthorizedClient, AuthorizedClients};
pub use identity::Identity;
pub use key_id::KeyId;
pub use known_servers::{KnownServer, KnownServers};

use crate::{Code, Error, Result};
use rustls::crypto::{
    CryptoProvider,
    aws_lc_rs::{self, cipher_suite as suite, kx_group as group},
};
use std::sync::{Arc, LazyLock};

/// The cryptography of every connection, named at each use: a process-wide default might be
/// somebody else's.
///
/// AES-128 comes first because it is the fastest with hardware support; the key exchange that
/// resists quantum computers comes first because recorded traffic lasts.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            cipher_suites: vec![
                suite::TLS13_AES_128_GCM_SHA256,
                suite::TLS13_AES_256_GCM_SHA384,
                suite::TLS13_CHACHA20_POLY1305_SHA256,
            ],
            kx_groups: vec![group::X25519MLKEM768, group::X25519, group::SECP256R1],
            ..aws_lc_rs::default_provider()
        })
    });
    Arc::clone(&PROVIDER)
}

/// Bytes that nobody can guess.
///
/// # Errors
///
/// [`Code::INTERNAL`] if the system has none to give.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = provider().secure_random.fill(&mut bytes);
    filled.map_err(|_| Error::new(Code::INTERNAL, "the system gives no random bytes"))?;
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::key_id::tests::any_key_id;
}
