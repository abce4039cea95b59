//! The transport below a link, for benchmarks that compare with it.

use crate::{
    Code, Error, Identity, Result, net,
    tls::{config, handshake},
};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// Both ends of a TLS connection over loopback, set up exactly as a link's.
///
/// # Errors
/// `CANNOT_CONNECT` when loopback does not work.
pub async fn tls_pair() -> Result<(
    impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
)> {
    let failed = |error: std::io::Error| {
        Error::new(Code::CANNOT_CONNECT, "loopback does not work").with_source(error)
    };
    let (server, client) = (Identity::generate()?, Identity::generate()?);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let accept = async {
        let (socket, _) = listener.accept().await.map_err(failed)?;
        net::prepare(&socket).map_err(failed)?;
        let tls = Arc::new(config::server_config(&server));
        handshake::accept(socket, tls, handshake::TIMEOUT).await
    };
    let connect = async {
        let socket = TcpStream::connect(address).await.map_err(failed)?;
        net::prepare(&socket).map_err(failed)?;
        let tls = Arc::new(config::client_config(&client, vec![server.key_id()]));
        handshake::connect(socket, tls, handshake::TIMEOUT).await
    };
    let (accepted, connected) = tokio::try_join!(accept, connect)?;
    Ok((accepted.0, connected.0))
}
