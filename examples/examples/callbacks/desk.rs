//! An object that takes callbacks, keeps them, calls them and gives them back.

use farlens::{Code, Error, Result};
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc;

/// Somebody at a desk.
#[farlens::remote]
pub(crate) trait Desk {
    /// Somebody to play with.
    async fn player(&self) -> Result<PlayerRef>;

    /// Keeps a callback, in the place of the one before.
    async fn keep(&self, notice: NoticeRef) -> Result<()>;

    /// Calls the callback that is kept.
    async fn announce(&self, text: String) -> Result<()>;

    /// Gives the callback back.
    async fn give_back(&self) -> Result<Option<NoticeRef>>;

    /// Works on something that takes for ever.
    async fn sleep(&self) -> Result<()>;
}

/// A callback.
#[farlens::remote]
pub(crate) trait Notice {
    /// Something has happened.
    async fn ring(&self, text: String) -> Result<()>;
}

/// A callback that calls back.
#[farlens::remote]
pub(crate) trait Player {
    /// Catches a ball, and throws it back as long as throws are left. Says how many there were.
    async fn catch(&self, left: u32, from: PlayerRef) -> Result<u32>;
}

/// What happens to the handler of [`Desk::sleep`].
#[derive(Debug, PartialEq)]
pub(crate) enum News {
    Began,
    Dropped,
}

/// Sits at the desk.
pub(crate) struct Secretary {
    kept: Mutex<Option<NoticeRef>>,
    news: mpsc::Sender<News>,
}

impl Secretary {
    /// With what is told of its sleep, to somebody in this process.
    pub(crate) fn new() -> (Self, mpsc::Receiver<News>) {
        let (news, told) = mpsc::channel(10);
        (Self { kept: Mutex::default(), news }, told)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<NoticeRef>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for Secretary {
    async fn player(&self) -> Result<PlayerRef> {
        Ok(PlayerRef::new(There))
    }

    async fn keep(&self, notice: NoticeRef) -> Result<()> {
        self.kept().replace(notice);
        Ok(())
    }

    async fn announce(&self, text: String) -> Result<()> {
        // No lock is held while the other end is called.
        let notice = self.kept().clone();
        let notice = notice.ok_or_else(|| Error::new(Code::NOT_FOUND, "there is no callback"))?;
        notice.ring(text).await
    }

    async fn give_back(&self) -> Result<Option<NoticeRef>> {
        Ok(self.kept().take())
    }

    async fn sleep(&self) -> Result<()> {
        let _asleep = Asleep::new(&self.news);
        std::future::pending().await
    }
}

/// Tells of its own drop: that of the handler that it is in.
struct Asleep<'a>(&'a mpsc::Sender<News>);

impl<'a> Asleep<'a> {
    fn new(news: &'a mpsc::Sender<News>) -> Self {
        // Without anybody who listens there is nothing to tell.
        let _ = news.try_send(News::Began);
        Self(news)
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        let _ = self.0.try_send(News::Dropped);
    }
}

struct There;

impl Player for There {
    async fn catch(&self, left: u32, from: PlayerRef) -> Result<u32> {
        if left == 0 {
            return Ok(0);
        }
        Ok(1 + from.catch(left - 1, PlayerRef::new(Self)).await?)
    }
}
