//! Data over a vector that does everything data can do, in the simplest way.

use crate::data::{
    DataState, Fetched, ReadBudget, Stored, StreamerData,
    conformance::model::{chunk_of, elements_of, position},
};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{Chunk, Kind, Rules};
use farlens_wire::{Bounds, Code, Edge, Flags, ModeOffer, Pos, Position};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(super) struct VecData {
    pub(super) kind: Kind,
    pub(super) content: Mutex<Content>,
    pub(super) news: Notify,
}

pub(super) struct Content {
    pub(super) start: u64,
    pub(super) elements: Vec<Bytes>,
    pub(super) version: u64,
    /// What fills a gap.
    pub(super) filler: Bytes,
}

impl VecData {
    pub(super) fn new(kind: Kind, elements: impl Iterator<Item = Bytes>) -> Self {
        let filler = match kind {
            Kind::Bytes => Bytes::from_static(&[0]),
            Kind::Items => super::entity_at(0).into(),
        };
        let content = Content { start: 0, elements: elements.collect(), version: 0, filler };
        Self { kind, content: Mutex::new(content), news: Notify::new() }
    }

    pub(super) fn push(&self, elements: impl Iterator<Item = Bytes>) {
        self.content.lock().elements.extend(elements);
        self.news.notify_waiters();
    }

    pub(super) fn drop_before(&self, place: Position) {
        self.content.lock().set_start(place);
        self.news.notify_waiters();
    }

    pub(super) fn now(&self) -> DataState {
        self.content.lock().state()
    }

    pub(super) fn fetch(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let content = self.content.lock();
        let Some(skip) = at.get().checked_sub(content.start) else {
            return Err(Error::new(Code::EVICTED, "it was dropped"));
        };
        let rest = content.elements.get(usize::try_from(skip).unwrap()..).unwrap_or_default();
        let (mut end, mut bytes) = (0, 0);
        while end < rest.len() && (end as u64) < budget.elements {
            bytes += chunk_of(self.kind, &rest[end..=end]).cost();
            if end > 0 && bytes > budget.bytes {
                break;
            }
            end += 1;
        }
        let some = Fetched::Some(chunk_of(self.kind, &rest[..end]));
        Ok(if end == 0 { Fetched::Nothing } else { some })
    }

    pub(super) fn store(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Result<Stored> {
        if chunk.kind() != self.kind {
            return Err(Error::new(Code::WRONG_KIND, "the data is of another kind"));
        }
        let mut content = self.content.lock();
        let room = content.state().judge_write(rules, to, chunk.elements())?;
        content.put(room.at, &elements_of(chunk)[..usize::try_from(room.elements).unwrap()]);
        self.news.notify_waiters();
        Ok(Stored { at: room.at, elements: room.elements })
    }

    pub(super) fn move_end(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        let mut content = self.content.lock();
        let at = content.state().judge_truncate(rules, edge, to)?;
        match edge {
            Edge::Before => content.set_start(at),
            Edge::After => content.set_end(at),
        }
        self.news.notify_waiters();
        Ok(at)
    }
}

impl Content {
    fn state(&self) -> DataState {
        let (start, end) = (self.start, self.start + self.elements.len() as u64);
        let bounds = Bounds { start: Some(position(start)), end: Some(position(end)) };
        let version = Bytes::copy_from_slice(&self.version.to_be_bytes());
        DataState { bounds, version, ended: false }
    }

    fn index(&self, at: Position) -> usize {
        usize::try_from(at.get() - self.start).unwrap()
    }

    fn put(&mut self, at: Position, elements: &[Bytes]) {
        let first = self.index(at);
        if first > self.elements.len() {
            self.elements.resize(first, self.filler.clone());
        }
        for (index, element) in (first..).zip(elements) {
            match self.elements.get_mut(index) {
                Some(old) => *old = element.clone(),
                None => self.elements.push(element.clone()),
            }
        }
        self.version += 1;
    }

    fn set_start(&mut self, at: Position) {
        let count = self.index(at).min(self.elements.len());
        self.elements.drain(..count);
        self.start = at.get();
    }

    fn set_end(&mut self, at: Position) {
        let length = self.index(at);
        self.version += u64::from(length < self.elements.len());
        self.elements.resize(length, self.filler.clone());
    }
}

impl StreamerData for VecData {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn offers(&self) -> ModeOffer {
        let start = Flags::START_CAN_INC | Flags::CAN_MOVE_START;
        let end = Flags::END_CAN_INC | Flags::END_CAN_DEC | Flags::CAN_MOVE_END;
        let data = Flags::READABLE | Flags::WRITABLE | Flags::SEEK;
        ModeOffer {
            required: Flags::START_BOUNDED | Flags::END_BOUNDED,
            possible: data | start | end,
        }
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.now())
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        Some(Ok(self.now()))
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        self.fetch(at, budget)
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        Some(self.fetch(at, budget))
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        self.store(to, &chunk, rules)
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        Some(self.store(to, chunk, rules))
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        self.move_end(edge, to, rules)
    }

    async fn changed(&self, seen: DataState) -> DataState {
        self.changed_unless(&seen, |_, _| false).await
    }
}

impl VecData {
    /// Waits for another state, blind to some changes.
    pub(super) async fn changed_unless(
        &self,
        seen: &DataState,
        blind: impl Fn(&DataState, &DataState) -> bool,
    ) -> DataState {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            let state = self.now();
            if state != *seen && !blind(seen, &state) {
                return state;
            }
            news.await;
        }
    }
}
