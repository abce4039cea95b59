//! Opening links.

use super::{Link, background::Waiter};
use crate::{ClientBuilder, Result, Target};
use std::time::Duration;

/// Opens a link to where a URL or a ticket leads, with this user's own key.
///
/// # Errors
/// As [`crate::connect`].
pub fn connect(target: &str) -> Result<Link> {
    Client::default().connect(target)
}

/// The side that opens links: the settings of [`crate::Client::builder`], and a timeout for what is
/// done on the links.
///
/// ```no_run
/// # use std::time::Duration;
/// # fn main() -> farlens::Result<()> {
/// let settings = farlens::Client::builder().identity(farlens::Identity::generate()?);
/// let client = farlens::blocking::Client::new(settings).with_timeout(Duration::from_secs(5));
/// let link = client.connect("flp1…")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Client {
    settings: ClientBuilder,
    timeout: Option<Duration>,
}

impl Client {
    /// A client with these settings, whose links wait without a timeout.
    #[must_use]
    pub const fn new(settings: ClientBuilder) -> Self {
        Self { settings, timeout: None }
    }

    /// The same with another timeout for every wait on its links and their streams; `None` waits
    /// until the link is over. How long connecting may take is [`ClientBuilder::timeout`].
    #[must_use]
    pub fn with_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Opens a link to where a URL or a ticket leads.
    ///
    /// # Errors
    /// As [`crate::connect`]; `INTERNAL` when no threads can be started.
    pub fn connect(&self, target: &str) -> Result<Link> {
        self.connect_to(&Target::parse(target)?)
    }

    /// Opens a link to a target that was parsed before.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_to(&self, target: &Target) -> Result<Link> {
        let waiter = Waiter::new(self.timeout)?;
        // Connecting has a timeout of its own.
        let link = waiter.wait_for(self.settings.clone().connect_to(target), None)??;
        Ok(Link::new(link, waiter))
    }
}
