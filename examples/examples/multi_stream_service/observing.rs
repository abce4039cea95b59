//! A client with one callback object: it notes what has changed, and one task reads it.

use crate::{
    service::{Content, Observer, ObserverRef, Service, ServiceRef},
    streams::STREAMS,
};
use farlens::{AtEnd, EntityStream, Link, OpenOptions, Result};
use farlens_examples::wrong;
use futures::TryStreamExt;
use std::collections::{BTreeMap, btree_map::Entry};
use tokio::sync::watch;

/// What was told last of a stream.
#[derive(Clone, Copy)]
struct Told {
    content: Content,
    len: u64,
    ended: bool,
}

/// What was told and has not been read yet. News of one stream take the place of older ones, so
/// however slow the reader is, this does not grow.
#[derive(Default)]
struct News {
    of: BTreeMap<String, Told>,
    count: u64,
}

/// The callback: it only notes.
struct Notes(watch::Sender<News>);

impl Observer for Notes {
    async fn changed(&self, path: String, content: Content, len: u64, ended: bool) -> Result<()> {
        self.0.send_modify(|news| {
            news.of.insert(path, Told { content, len, ended });
            news.count += 1;
        });
        Ok(())
    }
}

/// What was read in the end.
#[derive(Default)]
pub(crate) struct Observed {
    pub(crate) told: u64,
    pub(crate) elements: u64,
    pub(crate) sum: u64,
}

/// Reads what the service tells of.
pub(crate) struct Reader {
    link: Link,
    notes: watch::Sender<News>,
    entities: BTreeMap<String, EntityStream<u64>>,
    /// Elements of each stream that were read.
    have: BTreeMap<String, u64>,
    observed: Observed,
}

impl Reader {
    /// Registers a callback with the service.
    pub(crate) async fn register(link: &Link, service: &ServiceRef) -> Result<Self> {
        let notes = watch::Sender::new(News::default());
        service.observe(ObserverRef::new(Notes(notes.clone()))).await?;
        Ok(Self {
            link: link.clone(),
            notes,
            entities: BTreeMap::new(),
            have: BTreeMap::new(),
            observed: Observed::default(),
        })
    }

    /// Reads until all streams have ended.
    pub(crate) async fn read_all(mut self) -> Result<Observed> {
        let mut news = self.notes.subscribe();
        let mut ended = 0;
        while ended < STREAMS {
            let waiting = news.wait_for(|news| !news.of.is_empty()).await.map(drop);
            waiting.map_err(|_| wrong("nobody notes anything"))?;
            let mut taken = BTreeMap::new();
            self.notes.send_modify(|news| taken = std::mem::take(&mut news.of));
            for (path, told) in taken {
                self.read(&path, told).await?;
                ended += usize::from(told.ended);
            }
        }
        self.observed.told = self.notes.borrow().count;
        Ok(self.observed)
    }

    /// Reads what is new of a stream.
    async fn read(&mut self, path: &str, told: Told) -> Result<()> {
        let have = self.have.insert(path.to_owned(), told.len).unwrap_or_default();
        self.observed.sum += match told.content {
            Content::Entities => self.entities(path, told.len - have).await?,
            Content::Bytes => self.bytes(path, have..told.len).await?,
        };
        self.observed.elements += told.len - have;
        Ok(())
    }

    /// Reads on in a stream that stays open.
    async fn entities(&mut self, path: &str, count: u64) -> Result<u64> {
        let stream = match self.entities.entry(path.to_owned()) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(closed) => {
                let follow = OpenOptions::new().at_end(AtEnd::Follow);
                closed.insert(self.link.entities_with(path, follow).await?)
            }
        };
        let mut sum = 0;
        for _ in 0..count {
            sum += stream.try_next().await?.ok_or_else(|| wrong(format!("{path} is shorter")))?;
        }
        Ok(sum)
    }

    /// Reads a place of a stream that nothing else is wanted of.
    async fn bytes(&self, path: &str, range: std::ops::Range<u64>) -> Result<u64> {
        let bytes = self.link.read_at(path, range).await?;
        Ok(bytes.iter().copied().map(u64::from).sum())
    }
}
