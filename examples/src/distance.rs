//! A long way between two programs of one machine.

use farlens::{Address, Client, Error, Identity, Link, Result, Server, Ticket, Verb};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// A link with a server that is `delay` away: a proxy in this process holds back all that passes
/// it for so long, each way.
///
/// # Errors
/// As [`farlens::connect`].
pub async fn far_away(server: &Server, delay: Duration) -> Result<Link> {
    let ticket = server.invite_to("/", &[Verb::Read, Verb::Call])?;
    let near: Address = proxy(server, delay).await.map_err(Error::from)?.parse()?;
    let mut around = Ticket::new(vec![near], ticket.key(), ticket.path().clone())?;
    if let Some(invite) = ticket.invite() {
        around = around.with_invite(invite.clone());
    }
    let client = Client::builder().identity(Identity::generate()?);
    client.connect(&around.to_string()).await
}

/// Starts the proxy; gives the address at its near end.
async fn proxy(server: &Server, delay: Duration) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let near = listener.local_addr()?.to_string();
    let server = server.local_addr();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(server).await else { return };
            let nodelay = client.set_nodelay(true).and(server.set_nodelay(true));
            if nodelay.is_err() {
                return;
            }
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(carry(from_client, to_server, delay));
            tokio::spawn(carry(from_server, to_client, delay));
        }
    });
    Ok(near)
}

/// Passes on what one end sends to the other, `delay` later.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let (push, mut pull) = mpsc::channel::<(Instant, Vec<u8>)>(1_024);
    let take = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let due = Instant::now() + delay;
            if push.send((due, buffer[..length].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let give = async move {
        while let Some((due, bytes)) = pull.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(take, give);
}
