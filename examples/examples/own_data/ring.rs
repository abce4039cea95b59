//! The last bytes that were written, in memory: what comes pushes the oldest out.

use farlens::{
    Bounds, Chunk, Code, Error, Flags, Kind, ModeOffer, Pos, Position, Reach, Result, Rules,
    bytes::Bytes,
    data::{DataState, Fetched, ReadBudget, Stored, StreamerData, conformance::Subject},
};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::watch;

/// A ring of bytes. Clones share it. Positions are absolute: they stay when the start moves on.
#[derive(Clone)]
pub(crate) struct Ring {
    content: Arc<watch::Sender<Content>>,
    capacity: usize,
}

#[derive(Default)]
struct Content {
    start: u64,
    bytes: VecDeque<u8>,
    /// Counts the changes of bytes that somebody may have read.
    rewrites: u64,
}

impl Ring {
    /// An empty ring that holds so many bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { content: Arc::new(watch::Sender::new(Content::default())), capacity }
    }

    /// Writes behind the end, as the owner of the ring.
    pub(crate) async fn append(&self, bytes: impl Into<Bytes>) -> Result<()> {
        let mut rest = Chunk::Bytes(bytes.into());
        while !rest.is_empty() {
            let stored = self.write_at(Pos::END, rest.clone(), &Rules::all()).await?;
            let _ = rest.split_to(stored.elements);
        }
        Ok(())
    }

    fn fetch(&self, at: Position, budget: ReadBudget) -> Fetched {
        let content = self.content.borrow();
        let skip = at.get().checked_sub(content.start).and_then(|skip| usize::try_from(skip).ok());
        let Some(skip) = skip.filter(|skip| *skip < content.bytes.len()) else {
            return Fetched::Nothing;
        };
        let count = usize::try_from(budget.elements).unwrap_or(usize::MAX).min(budget.bytes);
        let bytes: Vec<u8> = content.bytes.iter().skip(skip).take(count).copied().collect();
        Fetched::Some(Chunk::Bytes(bytes.into()))
    }

    fn store(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Result<Stored> {
        let Chunk::Bytes(bytes) = chunk else {
            return Err(Error::new(Code::WRONG_KIND, "a ring holds bytes"));
        };
        // A ring has no gaps, so it is stricter than its publisher.
        let rules = Rules { reach: Reach { gap: 0, ..rules.reach }, ..rules.clone() };
        let mut answer = Err(Error::new(Code::INTERNAL, "nothing was written"));
        self.content.send_if_modified(|content| {
            answer = content.put(to, bytes, &rules, self.capacity);
            answer.is_ok()
        });
        answer
    }
}

impl Content {
    fn state(&self) -> DataState {
        let place = |n| Position::new(n).unwrap_or(Position::MAX);
        let end = place(self.start + self.bytes.len() as u64);
        DataState {
            bounds: Bounds { start: Some(place(self.start)), end: Some(end) },
            version: Bytes::copy_from_slice(&self.rewrites.to_be_bytes()),
            ended: false,
        }
    }

    /// Judged and done under one lock, so nobody comes between.
    fn put(&mut self, to: Pos, bytes: &[u8], rules: &Rules, capacity: usize) -> Result<Stored> {
        let room = self.state().judge_write(rules, to, bytes.len() as u64)?;
        let first = usize::try_from(room.at.get() - self.start).unwrap_or(usize::MAX);
        let fits = usize::try_from(room.elements).unwrap_or(usize::MAX).min(capacity);
        self.rewrites += u64::from(first < self.bytes.len());
        for (index, byte) in (first..).zip(bytes.iter().take(fits)) {
            match self.bytes.get_mut(index) {
                Some(old) => *old = *byte,
                None => self.bytes.push_back(*byte),
            }
        }
        let over = self.bytes.len().saturating_sub(capacity);
        self.bytes.drain(..over);
        self.start += over as u64;
        Ok(Stored { at: room.at, elements: fits as u64 })
    }
}

impl StreamerData for Ring {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        let start = Flags::START_BOUNDED | Flags::START_CAN_INC;
        let end = Flags::END_BOUNDED | Flags::END_CAN_INC;
        let peer = Flags::READABLE | Flags::WRITABLE | Flags::SEEK | Flags::CAN_MOVE_END;
        ModeOffer { required: start | end, possible: peer }
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.content.borrow().state())
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        Some(Ok(self.content.borrow().state()))
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        Ok(self.fetch(at, budget))
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        Some(Ok(self.fetch(at, budget)))
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        self.store(to, &chunk, rules)
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        Some(self.store(to, chunk, rules))
    }

    async fn changed(&self, seen: DataState) -> DataState {
        let mut news = self.content.subscribe();
        let told = news.wait_for(|content| content.state() != seen).await;
        match told.map(|content| content.state()) {
            Ok(state) => state,
            // The sender lives as long as the ring.
            Err(_) => std::future::pending().await,
        }
    }
}

/// How the checks make rings: with little more room than they need, so that some bytes go.
pub(crate) struct Maker;

impl Subject for Maker {
    type Data = Ring;
    type Keep = ();

    async fn make(&self, elements: u64) -> (Ring, ()) {
        let ring = Ring::new(650);
        let bytes: Vec<u8> = (0..elements).flat_map(|n| self.element(n)).collect();
        ring.append(bytes).await.expect("a ring takes everything");
        (ring, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![farlens::data::conformance::byte_at(n)]
    }
}
