//! Data in memory that answers requests as a shell would.

use crate::pattern::{self, Sizes};
use farlens_proto::{Accepted, Ask, BatchBuilder, Chunk, Fault, Reply, State};
use farlens_wire::{Bounds, Code, Flags, Kind, Mode, Position};

/// A published sequence whose elements are the pattern's.
#[derive(Clone, Debug)]
pub struct Source {
    /// Bytes or entities.
    pub kind: Kind,
    /// What its streams allow.
    pub mode: Mode,
    /// Names the pattern.
    pub seed: u64,
    /// How large its entities are.
    pub sizes: Sizes,
    /// The first position.
    pub start: u64,
    /// One past the last element.
    pub end: u64,
    /// Whether the end is told: a source without a known end has none in its state.
    pub tells_end: bool,
    /// Whether the end is final.
    pub ended: bool,
    /// Reading here fails.
    pub fails_at: Option<u64>,
}

/// A position of a test.
///
/// # Panics
/// Beyond 2^63-1.
#[must_use]
pub fn position(at: u64) -> Position {
    Position::new(at).expect("tests use places that exist")
}

/// A mode of a test.
///
/// # Panics
/// When the flags contradict each other.
#[must_use]
pub fn mode(flags: Flags) -> Mode {
    Mode::new(flags).expect("tests use modes that exist")
}

impl Source {
    /// Bytes that never change, seekable, with a final end.
    #[must_use]
    pub fn fixed_bytes(seed: u64, length: u64) -> Self {
        let flags = Flags::READABLE | Flags::START_BOUNDED | Flags::END_BOUNDED | Flags::SEEK;
        Self {
            kind: Kind::Bytes,
            mode: mode(flags | Flags::FIXED_DATA),
            seed,
            sizes: Sizes::Small,
            start: 0,
            end: length,
            tells_end: true,
            ended: true,
            fails_at: None,
        }
    }

    /// Entities that never change, seekable, with a final end.
    #[must_use]
    pub fn fixed_items(seed: u64, count: u64, sizes: Sizes) -> Self {
        Self { kind: Kind::Items, sizes, ..Self::fixed_bytes(seed, count) }
    }

    /// Bytes whose end may move up, seekable.
    #[must_use]
    pub fn growing_bytes(seed: u64, length: u64) -> Self {
        let flags = Flags::READABLE | Flags::START_BOUNDED | Flags::END_BOUNDED | Flags::SEEK;
        Self {
            mode: mode(flags | Flags::END_CAN_INC),
            ended: false,
            ..Self::fixed_bytes(seed, length)
        }
    }

    /// The same with other flags for seeking.
    #[must_use]
    pub fn with_seek(mut self, seek: Flags) -> Self {
        self.mode = mode(self.mode.flags().without(Flags::SEEK) | seek);
        self
    }

    /// What it looks like now.
    #[must_use]
    pub fn state(&self) -> State {
        let end = self.tells_end.then(|| position(self.end));
        State {
            bounds: Bounds { start: Some(position(self.start)), end },
            version: Vec::new(),
            ended: self.ended,
        }
    }

    /// What a stream on it is accepted with.
    #[must_use]
    pub fn accepted(&self) -> Accepted {
        Accepted {
            append_only: false,
            reach: farlens_proto::Reach::default(),
            live: false,
            kind: self.kind,
            mode: self.mode,
            state: self.state(),
            fingerprint: None,
            schema: None,
        }
    }

    /// The elements from `at` on, as many as fit and one at least.
    #[must_use]
    pub fn chunk(&self, at: u64, bytes: usize, elements: u64) -> Chunk {
        let stop = self.fails_at.filter(|&fails| fails > at).unwrap_or(u64::MAX);
        let count = elements.min(self.end.min(stop) - at);
        match self.kind {
            Kind::Bytes => Chunk::Bytes(pattern::bytes(self.seed, at, (count as usize).min(bytes))),
            Kind::Items => {
                let mut batch = BatchBuilder::default();
                for n in at..at + count {
                    let length = pattern::entity_len(self.seed, n, self.sizes);
                    let after = batch.encoded_len() + farlens_wire::varint::len(length as u64);
                    if batch.count() > 0 && after + length > bytes {
                        break;
                    }
                    batch.push(&pattern::entity(self.seed, n, self.sizes));
                }
                Chunk::Items(batch.finish())
            }
        }
    }

    /// Does the work that a link asks for.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a shell takes the work over")]
    pub fn answer(&self, ask: Ask) -> Reply {
        match ask {
            Ask::State => Reply::State(self.state()),
            Ask::Read { at, .. } if self.fails_at == Some(at.get()) => {
                Reply::Failed(Fault::new(Code::SOURCE_FAILED, "the source was told to fail here"))
            }
            Ask::Read { at, .. } if at.get() < self.start => {
                Reply::Failed(Fault::new(Code::EVICTED, "dropped"))
            }
            Ask::Read { at, .. } if at.get() >= self.end => Reply::Nothing(self.state()),
            Ask::Read { at, bytes, elements } => Reply::Some(self.chunk(at.get(), bytes, elements)),
            Ask::Range { at, bytes } if at.get() < self.end => {
                Reply::Some(self.chunk(at.get(), bytes, bytes as u64))
            }
            Ask::Range { .. } => Reply::Nothing(self.state()),
            Ask::Write { .. } | Ask::Truncate { .. } | Ask::Sync { .. } => {
                Reply::Failed(Fault::new(Code::MODE_FORBIDS, "this source is for reading"))
            }
        }
    }
}
