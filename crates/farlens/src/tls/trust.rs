//! What rustls asks about the other side's certificate.
//!
//! TLS proves that the peer holds the key it shows: the handshake signature is always checked, with
//! the provider's algorithms. *Which* key is fine is a separate question. A client answers it here,
//! by its pins. A server accepts any key here and judges it by its [`KeyId`] once the handshake is
//! over. Names, dates and issuers play no part.

use super::{KeyId, provider};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use std::{fmt, sync::Arc};

/// The id of the key in a certificate.
pub(crate) fn key_of(certificate: &CertificateDer<'_>) -> Result<KeyId, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(KeyId::of_public_key(&parsed.subject_public_key_info()))
}

/// A server showed a key that is not pinned.
///
/// The key is what the certificate *says*: the handshake stops before its owner proves to hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnpinnedKey {
    /// The key that was shown.
    pub(crate) shown: KeyId,
    /// Whether another key was expected, as opposed to none being known.
    pub(crate) expected_another: bool,
}

impl fmt::Display for UnpinnedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it showed {}", self.shown.grouped())
    }
}

impl std::error::Error for UnpinnedKey {}

/// A server's view: every client must prove some key.
#[derive(Debug)]
pub(super) struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { algorithms: provider().signature_verification_algorithms })
    }
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        key_of(end_entity).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A client's view: the server must prove one of these keys.
#[derive(Debug)]
pub(super) struct PinnedServer {
    pins: Vec<KeyId>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedServer {
    pub(super) fn new(pins: Vec<KeyId>) -> Arc<Self> {
        Arc::new(Self { pins, algorithms: provider().signature_verification_algorithms })
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = key_of(end_entity)?;
        if self.pins.contains(&shown) {
            return Ok(ServerCertVerified::assertion());
        }
        let reason = UnpinnedKey { shown, expected_another: !self.pins.is_empty() };
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason)))))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Both configurations offer TLS 1.3 alone, so rustls never gets here.
fn no_tls12() -> Error {
    Error::PeerIncompatible(PeerIncompatible::SupportedVersionsExtensionRequired)
}
