//! From a connected socket to an encrypted stream and the [`KeyId`] at its other end.
//!
//! A stream comes out only if TLS 1.3 is complete, the peer proved its key, and both sides named
//! `farlens/1`. In TLS 1.3 a client is done before the server has looked at its certificate, so a
//! server's refusal reaches [`connect`]'s caller with the first read: [`explain`] words it.

use super::{KeyId, config::ALPN, trust};
use crate::{Code, Error, Result};
use farlens_wire::Side;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, CommonState, Error as TlsError, OtherError,
    ServerConfig, pki_types::ServerName,
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use trust::UnpinnedKey;

/// How long a handshake may take in all.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Accepts a client on `socket` and gives the key that it proved.
///
/// The key is proven, not yet authorised. Dropping the future closes the socket.
///
/// # Errors
///
/// [`Code::NOT_AUTHORIZED`] if the client has no certificate, [`Code::NO_COMMON_VERSION`] if it
/// speaks another TLS or protocol, [`Code::TIMEOUT`], [`Code::PROTOCOL_VIOLATION`] for anything but
/// TLS, else [`Code::CANNOT_CONNECT`]. The client has got an alert where TLS allows one.
pub(crate) async fn accept<IO>(
    socket: IO,
    config: Arc<ServerConfig>,
    timeout: Duration,
) -> Result<(TlsStream<IO>, KeyId)>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = async {
        let accepted = TlsAcceptor::from(config).accept(socket).await;
        let stream = accepted.map_err(|error| explain(Side::Acceptor, error))?;
        finish(TlsStream::Server(stream), Side::Acceptor).await
    };
    within(timeout, handshake).await
}

/// Connects to a server on `socket` and gives the key that it proved, one of those pinned.
///
/// Dropping the future closes the socket.
///
/// # Errors
///
/// [`Code::UNKNOWN_SERVER`] if nothing was pinned, [`Code::SERVER_CHANGED`] if another key was;
/// [`shown_key`] gives the one that was shown. Otherwise as [`accept`].
pub(crate) async fn connect<IO>(
    socket: IO,
    config: Arc<ClientConfig>,
    timeout: Duration,
) -> Result<(TlsStream<IO>, KeyId)>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    // Names are neither sent nor checked.
    let nobody = ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let handshake = async {
        let connected = TlsConnector::from(config).connect(nobody, socket).await;
        let stream = connected.map_err(|error| explain(Side::Initiator, error))?;
        finish(TlsStream::Client(stream), Side::Initiator).await
    };
    within(timeout, handshake).await
}

/// The key that an untrusted server showed, if `error` is about that.
///
/// It was not proven: whoever decides to trust it connects again with this key pinned.
pub(crate) fn shown_key(error: &Error) -> Option<KeyId> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<UnpinnedKey>().map(|unpinned| unpinned.shown)
}

async fn within<T>(timeout: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    time::timeout(timeout, work).await.unwrap_or_else(|_| {
        let seconds = timeout.as_secs_f32();
        Err(Error::new(Code::TIMEOUT, format!("the TLS handshake took longer than {seconds} s")))
    })
}

/// Checks what the handshake agreed on, and closes the stream properly if it is not enough.
async fn finish<IO>(mut stream: TlsStream<IO>, side: Side) -> Result<(TlsStream<IO>, KeyId)>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    match proven_key(stream.get_ref().1, side) {
        Ok(key) => Ok((stream, key)),
        Err(error) => {
            // The peer is refused either way; a close that fails changes nothing.
            let _ = stream.shutdown().await;
            Err(error)
        }
    }
}

fn proven_key(state: &CommonState, side: Side) -> Result<KeyId> {
    if state.alpn_protocol() != Some(ALPN) {
        return Err(other_protocol(side));
    }
    let certificate = state.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.ok_or_else(|| no_certificate(side))?;
    trust::key_of(certificate).map_err(|error| refused(side, error))
}

/// The error for what a TLS stream reported, during the handshake or with the first read.
pub(crate) fn explain(side: Side, error: io::Error) -> Error {
    match error.downcast::<TlsError>() {
        Ok(error) => explain_tls(side, error),
        Err(error) => {
            let message = format!("the {} cut the connection during TLS", peer(side));
            Error::new(Code::CANNOT_CONNECT, message).with_source(error)
        }
    }
}

fn explain_tls(side: Side, error: TlsError) -> Error {
    use AlertDescription as Alert;
    if let TlsError::InvalidCertificate(CertificateError::Other(OtherError(reason))) = &error
        && let Some(unpinned) = reason.downcast_ref::<UnpinnedKey>()
    {
        return untrusted(*unpinned);
    }
    match error {
        TlsError::NoCertificatesPresented => no_certificate(side),
        TlsError::NoApplicationProtocol | TlsError::AlertReceived(Alert::NoApplicationProtocol) => {
            other_protocol(side)
        }
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure) => {
            let message = format!("the {} does not speak TLS 1.3 as needed", peer(side));
            Error::new(Code::NO_COMMON_VERSION, message).with_source(error)
        }
        TlsError::AlertReceived(_) => refused(side, error),
        _ => Error::new(Code::PROTOCOL_VIOLATION, format!("the {} broke TLS", peer(side)))
            .with_source(error)
            .with_hint("perhaps something else than farlens is at the other end"),
    }
}

fn untrusted(key: UnpinnedKey) -> Error {
    match key.expected_another {
        true => Error::new(Code::SERVER_CHANGED, "the server's key is not the known one")
            .with_hint(
                "this may be another machine at the same address; if its key was replaced on \
                 purpose, compare the key with `farlens id` there, and mend known_servers or ask \
                 for a new ticket",
            ),
        false => Error::new(Code::UNKNOWN_SERVER, "the server's key is not known here").with_hint(
            "compare the key with `farlens id` on the server, then add it to the URL as #KEYID, \
             or use a ticket",
        ),
    }
    .with_source(key)
}

fn no_certificate(side: Side) -> Error {
    Error::new(Code::NOT_AUTHORIZED, format!("the {} showed no certificate", peer(side)))
        .with_hint("both sides must have a key; farlens makes one on first use")
}

fn other_protocol(side: Side) -> Error {
    let ours = String::from_utf8_lossy(ALPN);
    let message = format!("the {} does not name the protocol {ours} (ALPN)", peer(side));
    Error::new(Code::NO_COMMON_VERSION, message)
        .with_hint("perhaps something else than farlens is at the other end, or another version")
}

/// The peer gave up on us, or its certificate cannot be read.
fn refused(side: Side, error: TlsError) -> Error {
    let message = format!("the {} refused the TLS handshake", peer(side));
    let code = match &error {
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => Code::NOT_AUTHORIZED,
        _ => Code::CANNOT_CONNECT,
    };
    Error::new(code, message).with_source(error)
}

fn peer(side: Side) -> &'static str {
    match side {
        Side::Initiator => "server",
        Side::Acceptor => "client",
    }
}

#[cfg(test)]
mod tests;
