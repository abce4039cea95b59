//! Data in memory that can be changed, and answers requests as a shell would.

use crate::source::position;
use bytes::Bytes;
use farlens_proto::{Accepted, Ask, BatchBuilder, Chunk, Fault, Reach, Reply, Rules, State};
use farlens_wire::{Bounds, Code, Edge, Flags, Kind, Mode, Pos, Position, Reference};
use std::{collections::BTreeMap, sync::Arc};

/// A published sequence that its peers may change as far as its mode goes.
#[derive(Clone, Debug)]
pub struct Store {
    /// What its streams allow.
    pub mode: Mode,
    /// Whether its streams write at the end and nowhere else.
    pub append_only: bool,
    /// How far its peers may move the end.
    pub reach: Reach,
    /// Whether elements may be left out for a reader that wants the latest.
    pub live: bool,
    /// The first position.
    pub start: u64,
    /// Counts the changes.
    pub version: u8,
    /// Elements that one write stores at the most.
    pub most: u64,
    /// Why changes fail, if they do.
    pub fault: Option<Fault>,
    /// Syncs that were asked for, and whether each was the last.
    pub syncs: Vec<bool>,
    /// Its elements.
    pub content: Content,
    /// What the references of some entities point at, by position.
    pub tables: BTreeMap<u64, Arc<[Reference]>>,
}

/// The elements of a store.
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The bodies of entities.
    Items(Vec<Bytes>),
}

/// Every flag that can stand beside writing, but for the locks.
#[must_use]
pub fn full_flags() -> Flags {
    let locks = Flags::DATA_LOCK | Flags::START_LOCK | Flags::END_LOCK;
    Flags::from_bits(u16::MAX).without(Flags::FIXED_DATA | locks)
}

impl Store {
    /// Bytes that may be changed in every way.
    #[must_use]
    pub fn bytes(content: impl Into<Vec<u8>>) -> Self {
        Self::new(Content::Bytes(content.into()))
    }

    /// Entities that may be changed in every way.
    #[must_use]
    pub fn items(bodies: &[&[u8]]) -> Self {
        Self::new(Content::Items(bodies.iter().map(|body| Bytes::copy_from_slice(body)).collect()))
    }

    fn new(content: Content) -> Self {
        Self {
            mode: crate::source::mode(full_flags()),
            append_only: false,
            reach: Reach::default(),
            live: false,
            start: 0,
            version: 0,
            most: u64::MAX,
            fault: None,
            syncs: Vec::new(),
            content,
            tables: BTreeMap::new(),
        }
    }

    /// The same without some flags.
    #[must_use]
    pub fn without(mut self, flags: Flags) -> Self {
        self.mode = crate::source::mode(self.mode.flags().without(flags));
        self
    }

    /// The same with a start that has gone up to here; nothing before it was kept.
    #[must_use]
    pub fn starting_at(mut self, start: u64) -> Self {
        self.start = start;
        self
    }

    /// What bytes it holds.
    ///
    /// # Panics
    /// When it holds entities.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.content {
            Content::Bytes(bytes) => bytes,
            Content::Items(_) => panic!("these are entities"),
        }
    }

    /// What entities it holds.
    ///
    /// # Panics
    /// When it holds bytes.
    #[must_use]
    pub fn bodies(&self) -> &[Bytes] {
        match &self.content {
            Content::Items(bodies) => bodies,
            Content::Bytes(_) => panic!("these are bytes"),
        }
    }

    /// One past the last element.
    #[must_use]
    pub fn end(&self) -> u64 {
        let count = match &self.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::Items(bodies) => bodies.len(),
        };
        self.start + count as u64
    }

    /// What it looks like now.
    #[must_use]
    pub fn state(&self) -> State {
        let bounds = Bounds { start: Some(position(self.start)), end: Some(position(self.end())) };
        State { bounds, version: vec![self.version], ended: false }
    }

    /// What a stream on it is accepted with.
    #[must_use]
    pub fn accepted(&self) -> Accepted {
        Accepted {
            kind: match self.content {
                Content::Bytes(_) => Kind::Bytes,
                Content::Items(_) => Kind::Items,
            },
            mode: self.mode,
            append_only: self.append_only,
            reach: self.reach,
            live: self.live,
            state: self.state(),
            fingerprint: None,
            schema: None,
        }
    }

    /// Does what its owner may always do: adds elements at the end.
    ///
    /// # Panics
    /// For elements of another kind.
    pub fn push(&mut self, chunk: Chunk) {
        self.write(Pos::END, chunk, &Rules::all()).expect("the owner adds what it holds");
    }

    /// Does what its owner may always do: drops the elements before a position.
    ///
    /// # Panics
    /// For a position outside.
    pub fn drop_before(&mut self, start: u64) {
        let to = Pos::Abs(position(start));
        self.truncate(Edge::Before, to, &Rules::all()).expect("the owner drops what it holds");
    }

    /// Does the work that a link asks for.
    pub fn answer(&mut self, ask: Ask) -> Reply {
        match ask {
            Ask::State => Reply::State(self.state()),
            Ask::Read { at, bytes, elements } => self.read(at, bytes, elements),
            Ask::Range { at, bytes } => self.read(at, bytes, bytes as u64),
            Ask::Write { to, chunk, rules } => match self.write(to, chunk, &rules) {
                Ok((at, elements)) => Reply::Changed { at, elements },
                Err(fault) => Reply::Failed(fault),
            },
            Ask::Truncate { edge, to, rules } => match self.truncate(edge, to, &rules) {
                Ok(at) => Reply::Changed { at, elements: 0 },
                Err(fault) => Reply::Failed(fault),
            },
            Ask::Sync { finish } => match &self.fault {
                Some(fault) => Reply::Failed(fault.clone()),
                None => {
                    self.syncs.push(finish);
                    Reply::Synced
                }
            },
        }
    }

    fn read(&self, at: Position, bytes: usize, elements: u64) -> Reply {
        let Some(from) = at.get().checked_sub(self.start).filter(|_| at.get() < self.end()) else {
            return Reply::Nothing(self.state());
        };
        let from = from as usize;
        Reply::Some(match &self.content {
            Content::Bytes(all) => {
                let length = (all.len() - from).min(bytes).min(elements as usize);
                Chunk::Bytes(Bytes::copy_from_slice(&all[from..from + length]))
            }
            Content::Items(all) => {
                let mut batch = BatchBuilder::default();
                for (body, at) in all[from..].iter().zip(at.get()..).take(elements as usize) {
                    if batch.count() > 0 && batch.cost() + body.len() > bytes {
                        break;
                    }
                    match self.tables.get(&at) {
                        Some(table) => batch.push_referring(body, Arc::clone(table)),
                        None => batch.push(body),
                    }
                }
                Chunk::Items(batch.finish())
            }
        })
    }

    fn write(
        &mut self,
        to: Pos,
        mut chunk: Chunk,
        rules: &Rules,
    ) -> Result<(Position, u64), Fault> {
        let room = rules.judge_write(&self.state(), to, chunk.elements())?;
        self.check()?;
        let elements = room.elements.min(self.most);
        let index = room.at.since(position(self.start)) as usize;
        match (&mut self.content, chunk.split_to(elements)) {
            (Content::Bytes(all), Chunk::Bytes(new)) => overlay(all, index, new, &0),
            (Content::Items(all), Chunk::Items(new)) => {
                let first = room.at.get();
                self.tables.retain(|at, _| !(first..first + elements).contains(at));
                let tables = new.tables(0..elements);
                self.tables.extend(tables.map(|(index, table)| (first + index, table.clone())));
                overlay(all, index, new.iter().map(Bytes::copy_from_slice), &Bytes::new());
            }
            _ => return Err(Fault::new(Code::WRONG_KIND, "elements of another kind")),
        }
        self.version = self.version.wrapping_add(1);
        Ok((room.at, elements))
    }

    fn truncate(&mut self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position, Fault> {
        let at = rules.judge_truncate(&self.state(), edge, to)?;
        self.check()?;
        let index = at.since(position(self.start)) as usize;
        match (&mut self.content, edge) {
            (Content::Bytes(all), Edge::After) => all.resize(index, 0),
            (Content::Items(all), Edge::After) => all.resize(index, Bytes::new()),
            (Content::Bytes(all), Edge::Before) => drop(all.drain(..index)),
            (Content::Items(all), Edge::Before) => drop(all.drain(..index)),
        }
        if edge == Edge::Before {
            self.start = at.get();
        }
        let range = self.start..self.end();
        self.tables.retain(|at, _| range.contains(at));
        self.version = self.version.wrapping_add(1);
        Ok(at)
    }

    fn check(&self) -> Result<(), Fault> {
        self.fault.clone().map_or(Ok(()), Err)
    }
}

/// Writes `new` over what there is from `index` on; what then lies between is `fill`.
fn overlay<T: Clone>(all: &mut Vec<T>, index: usize, new: impl IntoIterator<Item = T>, fill: &T) {
    for (index, element) in (index..).zip(new) {
        if index < all.len() {
            all[index] = element;
        } else {
            all.resize(index, fill.clone());
            all.push(element);
        }
    }
}
