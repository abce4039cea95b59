//! Sound data that can do less than everything: the checks hold nothing against it.

use super::*;
use crate::data::{DataState, Fetched, ReadBudget, Stored, StreamerData};
use crate::{Error, Result};
use farlens_proto::{Chunk, Rules};
use farlens_wire::{Bounds, Code, Edge, Flags, ModeOffer, Pos};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A log: what is written stays, and only retention drops it.
    AppendsOnly,
    /// A sink: nobody reads it here.
    WriteOnly,
    /// Its size is given; what is in it can be replaced.
    FixedSize,
    /// It has lost its first thousand elements.
    LateStart,
    /// It refuses to leave gaps.
    Gapless,
    /// It goes forward, and forgets what it has passed.
    Skips,
}

struct Shaped {
    good: VecData,
    shape: Shape,
    /// Behind what was read last.
    passed: AtomicU64,
}

impl StreamerData for Shaped {
    fn kind(&self) -> Kind {
        self.good.kind()
    }

    fn offers(&self) -> ModeOffer {
        let bounded = Flags::START_BOUNDED | Flags::END_BOUNDED;
        let appends = Flags::WRITABLE | Flags::CAN_MOVE_END;
        let reads = Flags::READABLE | Flags::SEEK;
        let (required, possible) = match self.shape {
            Shape::AppendsOnly => {
                (bounded | Flags::END_CAN_INC | Flags::START_CAN_INC, reads | appends)
            }
            Shape::WriteOnly => (bounded | Flags::END_CAN_INC, appends),
            Shape::FixedSize => (bounded, reads | Flags::WRITABLE),
            Shape::Skips => (bounded | Flags::END_CAN_INC, Flags::READABLE),
            _ => return self.good.offers(),
        };
        ModeOffer { required, possible }
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.good.now())
    }

    fn is_live(&self) -> bool {
        self.shape == Shape::Skips
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        if self.shape == Shape::WriteOnly {
            return Err(Error::new(Code::MODE_FORBIDS, "it is a sink"));
        }
        let fetched = self.good.fetch(at, budget);
        if self.shape == Shape::Skips
            && let Ok(Fetched::Some(chunk)) = &fetched
        {
            let passed = self.passed.fetch_max(at.get() + chunk.elements(), Ordering::SeqCst);
            if at.get() < passed {
                return Err(Error::new(Code::EVICTED, "it was passed"));
            }
        }
        fetched
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        let mut rules = rules.clone();
        match self.shape {
            Shape::Skips => return Err(Error::new(Code::MODE_FORBIDS, "nobody writes it")),
            Shape::AppendsOnly => rules.overwrite = false,
            Shape::Gapless => rules.reach.gap = 0,
            _ => {}
        }
        self.good.store(to, &chunk, &rules)
    }

    async fn changed(&self, seen: DataState) -> DataState {
        self.good.changed(seen).await
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        if matches!(
            self.shape,
            Shape::AppendsOnly | Shape::WriteOnly | Shape::FixedSize | Shape::Skips
        ) {
            return Err(Error::new(Code::MODE_FORBIDS, "its ends are its own"));
        }
        let mut rules = rules.clone();
        if self.shape == Shape::Gapless {
            rules.reach.gap = 0;
        }
        self.good.move_end(edge, to, &rules)
    }
}

struct Maker(Shape);

impl Subject for Maker {
    type Data = Shaped;
    type Keep = ();

    async fn make(&self, elements: u64) -> (Shaped, ()) {
        let good = VecData::new(Kind::Items, (0..elements).map(|n| entity_at(n).into()));
        if self.0 == Shape::LateStart {
            good.content.lock().start = 1_000;
        }
        (Shaped { good, shape: self.0, passed: AtomicU64::new(0) }, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        entity_at(n)
    }

    fn appends_only(&self) -> bool {
        self.0 == Shape::AppendsOnly
    }

    async fn evict(&self, data: &Shaped, (): &mut (), before: Position) -> bool {
        if self.0 == Shape::AppendsOnly {
            data.good.drop_before(before);
        }
        self.0 == Shape::AppendsOnly
    }
}

#[tokio::test(start_paused = true)]
async fn sound_data_of_every_shape_conforms() {
    for shape in
        [Shape::AppendsOnly, Shape::WriteOnly, Shape::FixedSize, Shape::LateStart, Shape::Gapless]
    {
        let report = check(&Maker(shape)).await;
        assert!(report.is_ok(), "{shape:?}:\n{report}");
    }
}

/// Bytes that go on for ever.
pub(super) struct Endless;

impl StreamerData for Endless {
    fn kind(&self) -> Kind {
        Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        let required = Flags::READABLE | Flags::START_BOUNDED | Flags::FIXED_DATA;
        ModeOffer { required, possible: Flags::SEEK }
    }

    async fn state(&self) -> Result<DataState> {
        Ok(DataState { bounds: Bounds::open_end(), ..DataState::default() })
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        let count = budget.elements.min(budget.bytes as u64).min(1_000);
        let bytes: Vec<u8> = (at.get()..at.get() + count).map(byte_at).collect();
        Ok(Fetched::Some(Chunk::Bytes(bytes.into())))
    }
}

pub(super) struct EndlessMaker;

impl Subject for EndlessMaker {
    type Data = Endless;
    type Keep = ();

    async fn make(&self, _: u64) -> (Endless, ()) {
        (Endless, ())
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }
}

#[tokio::test(start_paused = true)]
async fn data_without_an_end_conforms() {
    check(&EndlessMaker).await.assert();
}
