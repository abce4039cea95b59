//! A client that watches the same streams, which needs no contract: entities come by themselves, of
//! bytes it is told how many there are.

use farlens::{Change, Entity, Events, Link, Result};
use farlens_examples::wrong;
use futures::StreamExt;
use std::collections::BTreeMap;

/// What was got in the end.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) events: u64,
    pub(crate) sum: u64,
}

/// Watches streams.
pub(crate) struct Watcher {
    link: Link,
    events: Events,
    unopened: usize,
    unended: usize,
    /// Bytes of each stream that were read.
    have: BTreeMap<String, u64>,
    watched: Watched,
}

impl Watcher {
    /// Watches some streams. What comes when this has returned is told of: only an open stream
    /// says what is new.
    pub(crate) async fn open(link: &Link, paths: impl Iterator<Item = String>) -> Result<Self> {
        let paths: Vec<String> = paths.collect();
        let mut watcher = Self {
            link: link.clone(),
            events: link.watch(&paths).await?,
            unopened: paths.len(),
            unended: paths.len(),
            have: BTreeMap::new(),
            watched: Watched::default(),
        };
        while watcher.unopened > 0 {
            watcher.next().await?;
        }
        Ok(watcher)
    }

    /// Watches until all streams have ended.
    pub(crate) async fn read_all(mut self) -> Result<Watched> {
        while self.unended > 0 {
            self.next().await?;
        }
        Ok(self.watched)
    }

    async fn next(&mut self) -> Result<()> {
        let event = self.events.next().await.ok_or_else(|| wrong("all streams are gone"))?;
        self.watched.events += 1;
        self.take(event.path.as_str(), event.change).await
    }

    async fn take(&mut self, path: &str, change: Change) -> Result<()> {
        match change {
            Change::Opened { .. } => self.unopened -= 1,
            Change::Item { value: Entity::Int(value), .. } => {
                self.watched.sum += u64::try_from(value).map_err(|_| wrong("a negative value"))?;
            }
            Change::Grew { len } => self.read(path, len).await?,
            Change::Ended { .. } => self.unended -= 1,
            Change::Gone { error } => return Err(error),
            Change::Gap { skipped } => return Err(wrong(format!("{skipped} are missing"))),
            _ => {}
        }
        Ok(())
    }

    /// Reads the bytes that have come.
    async fn read(&mut self, path: &str, len: u64) -> Result<()> {
        let have = self.have.insert(path.to_owned(), len).unwrap_or_default();
        let bytes = self.link.read_at(path, have..len).await?;
        self.watched.sum += bytes.iter().copied().map(u64::from).sum::<u64>();
        Ok(())
    }
}
