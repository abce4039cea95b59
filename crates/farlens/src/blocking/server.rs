//! A server in the background.

use super::background::Waiter;
use crate::{KeyId, RemotePath, Result, ServerBuilder, Ticket, Verb};
use std::{fmt::Debug, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::ToSocketAddrs;

/// A server that accepts links in the background; see [`crate::Server`].
///
/// Dropping it stops accepting and closes all links, without waiting for that.
///
/// ```no_run
/// # fn main() -> farlens::Result<()> {
/// let settings = farlens::Server::builder()
///     .publish("/ct.raw", farlens::FileData::read_only("ct.raw"));
/// let server = farlens::blocking::Server::bind(settings, "0.0.0.0:5367")?;
/// println!("{}", server.invite("/ct.raw")?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    inner: Arc<crate::Server>,
    waiter: Waiter,
}

impl Server {
    /// Listens on an address with the settings and publications of [`crate::Server::builder`]; port
    /// 0 takes a free one. Links are accepted from now on.
    ///
    /// # Errors
    /// As [`ServerBuilder::bind`]; `INTERNAL` when no threads can be started.
    pub fn bind(settings: ServerBuilder, address: impl ToSocketAddrs + Debug) -> Result<Self> {
        let waiter = Waiter::new(None)?;
        let inner = Arc::new(waiter.wait(settings.bind(address))??);
        Ok(Self { inner, waiter })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr()
    }

    /// The key that it shows.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.inner.key()
    }

    /// Links that are up.
    #[must_use]
    pub fn link_count(&self) -> usize {
        self.inner.link_count()
    }

    /// The path of the one publication, or `/` when there are several.
    #[must_use]
    pub fn common_path(&self) -> RemotePath {
        self.inner.common_path()
    }

    /// A secret ticket that leads to a path and lets one client in to read there and beneath; see
    /// [`crate::Server::invite`].
    ///
    /// # Errors
    /// As [`crate::Server::invite`].
    pub fn invite(&self, path: &str) -> Result<Ticket> {
        self.inner.invite(path)
    }

    /// A secret ticket that leads to a path and lets one client in to do these things there and
    /// beneath; see [`crate::Server::invite_to`].
    ///
    /// # Errors
    /// As [`crate::Server::invite_to`].
    pub fn invite_to(&self, path: &str, verbs: &[Verb]) -> Result<Ticket> {
        self.inner.invite_to(path, verbs)
    }

    /// A public ticket that leads to a path, for clients that may read there already.
    ///
    /// # Errors
    /// As [`crate::Server::ticket`].
    pub fn ticket(&self, path: RemotePath) -> Result<Ticket> {
        self.inner.ticket(path)
    }

    /// Stops accepting, lets transfers finish for up to `grace`, and closes what is left. Returns
    /// within `grace` and a second.
    pub fn shutdown(&self, grace: Duration) {
        // It has a timeout of its own, and so this wait has none.
        let _ = self.waiter.wait_for(self.inner.shutdown(grace), None);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let server = Arc::clone(&self.inner);
        let end = async move { server.shutdown(Duration::ZERO).await };
        self.waiter.background().finish(end);
    }
}
