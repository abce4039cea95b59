//! Good data behind a wrapper that does one thing wrong.

use super::vector::VecData;
use crate::data::{
    DataState, Fetched, ReadBudget, Stored, StreamerData,
    conformance::model::{elements_of, position},
};
use crate::{Error, Result};
use bytes::Bytes;
use farlens_proto::{Chunk, Guard, ItemBatch, Kind, Reach, Rules};
use farlens_wire::{Bounds, Code, Edge, Flags, ModeOffer, Pos, Position, schema::SchemaDoc};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    OfferIsContradictory,
    OfferHasIdleFlags,
    OfferChanges,
    BoundsAreTooLong,
    VersionIsLong,
    VersionCountsLooks,
    VersionIsConstant,
    StateNowIsStale,
    EndedIsNotFinal,
    ReadSkips,
    ReadIgnoresBudget,
    ReadIsEmpty,
    ReadIsOfWrongKind,
    ReadNowIsShifted,
    ReadLosesWhenDropped,
    ReadHangs,
    ReadPanics,
    SchemaIsOfAnother,
    SeekIsShifted,
    CursorIsShared,
    ForwardBreaks,
    EndRepeats,
    BehindEndRepeats,
    BeforeStartReads,
    EndWaitsForGood,
    ChangedWaitsForNext,
    ChangedHurries,
    ChangedMissesGrowth,
    ChangedMissesEviction,
    ChangedMissesCuts,
    ChangedMissesOverwrites,
    WriteIsShifted,
    WriteAnswersNewEnd,
    WriteDropsBehindEnd,
    GapIsFull,
    GuardNeverHolds,
    WriteNowStoresNothing,
    AppendRaces,
    SyncFails,
    CutIsShifted,
    StartRenumbers,
    SameEndFails,
    WriteIsLostLater,
    IgnoresOverwrite,
    IgnoresGrow,
    IgnoresShrink,
    IgnoresAdvance,
    IgnoresReach,
    IgnoresGuard,
    ClampsPlaces,
    TakesAnyKind,
    ReadOnlyIsWritten,
    FailureLeavesTraces,
}

use Bug::*;

/// Each bug, the data it is in, and the checks that find it.
pub(super) const BUGS: &[(Bug, Kind, &[&str])] = &[
    (OfferIsContradictory, Kind::Bytes, &["offer_makes_a_mode"]),
    (OfferHasIdleFlags, Kind::Bytes, &["offer_promises_nothing_idle"]),
    (OfferChanges, Kind::Bytes, &["offer_is_constant"]),
    (BoundsAreTooLong, Kind::Bytes, &["bounds_hold_what_was_made"]),
    (VersionIsLong, Kind::Bytes, &["version_is_short"]),
    (VersionCountsLooks, Kind::Bytes, &["state_stays_while_nothing_changes"]),
    (VersionIsConstant, Kind::Bytes, &["version_tells_of_overwrites", "version_tells_of_cuts"]),
    (StateNowIsStale, Kind::Bytes, &["state_now_agrees"]),
    (EndedIsNotFinal, Kind::Bytes, &["ended_is_final"]),
    (ReadSkips, Kind::Items, &["reads_add_up_to_the_content"]),
    (ReadIgnoresBudget, Kind::Items, &["reads_keep_their_budget"]),
    (ReadIgnoresBudget, Kind::Bytes, &["reads_keep_their_budget"]),
    (ReadIsEmpty, Kind::Bytes, &["reads_are_never_empty"]),
    (ReadIsOfWrongKind, Kind::Bytes, &["chunks_have_the_kind"]),
    (ReadNowIsShifted, Kind::Bytes, &["read_now_agrees"]),
    (ReadLosesWhenDropped, Kind::Bytes, &["dropped_reads_lose_nothing"]),
    (ReadHangs, Kind::Bytes, &["reads_add_up_to_the_content"]),
    (ReadPanics, Kind::Bytes, &["reads_add_up_to_the_content"]),
    (SchemaIsOfAnother, Kind::Items, &["entities_decode"]),
    (SchemaIsOfAnother, Kind::Bytes, &["entities_decode"]),
    (SeekIsShifted, Kind::Bytes, &["any_place_can_be_read"]),
    (CursorIsShared, Kind::Bytes, &["concurrent_readers_agree"]),
    (ForwardBreaks, Kind::Bytes, &["other_places_break_nothing"]),
    (EndRepeats, Kind::Bytes, &["nothing_lies_at_the_end", "growth_reaches_readers"]),
    (BehindEndRepeats, Kind::Bytes, &["nothing_lies_behind_the_end"]),
    (BeforeStartReads, Kind::Bytes, &["nothing_lies_before_the_start"]),
    (EndWaitsForGood, Kind::Bytes, &["growth_reaches_readers"]),
    (ChangedWaitsForNext, Kind::Bytes, &["changed_tells_at_once"]),
    (ChangedHurries, Kind::Bytes, &["changed_waits"]),
    (ChangedMissesGrowth, Kind::Bytes, &["changed_tells_of_growth"]),
    (ChangedMissesEviction, Kind::Bytes, &["changed_tells_of_eviction"]),
    (ChangedMissesCuts, Kind::Bytes, &["changed_tells_of_cuts"]),
    (ChangedMissesOverwrites, Kind::Bytes, &["changed_tells_of_overwrites"]),
    (WriteIsShifted, Kind::Bytes, &["write_replaces_exactly"]),
    (WriteAnswersNewEnd, Kind::Bytes, &["write_appends"]),
    (WriteDropsBehindEnd, Kind::Bytes, &["write_crosses_the_end"]),
    (GapIsFull, Kind::Bytes, &["write_leaves_a_gap_of_zeros", "truncate_lengthens_with_zeros"]),
    (GuardNeverHolds, Kind::Bytes, &["write_passes_its_guard"]),
    (WriteNowStoresNothing, Kind::Bytes, &["write_now_stores"]),
    (AppendRaces, Kind::Bytes, &["concurrent_appends_are_whole"]),
    (SyncFails, Kind::Bytes, &["sync_succeeds"]),
    (CutIsShifted, Kind::Bytes, &["truncate_moves_the_end"]),
    (StartRenumbers, Kind::Bytes, &["truncate_moves_the_start"]),
    (SameEndFails, Kind::Bytes, &["truncate_to_the_same_end"]),
    (WriteIsLostLater, Kind::Bytes, &["random_programs_agree"]),
    (IgnoresOverwrite, Kind::Bytes, &["write_inside_needs_overwrite"]),
    (
        IgnoresGrow,
        Kind::Bytes,
        &["write_stops_at_a_fixed_end", "write_at_a_fixed_end", "truncate_up_needs_grow"],
    ),
    (IgnoresShrink, Kind::Bytes, &["truncate_down_needs_shrink"]),
    (IgnoresAdvance, Kind::Bytes, &["truncate_before_needs_advance"]),
    (
        IgnoresReach,
        Kind::Bytes,
        &["write_beyond_the_reach", "write_beyond_the_gap", "truncate_beyond_the_reach"],
    ),
    (
        IgnoresGuard,
        Kind::Bytes,
        &[
            "write_guarded_by_version",
            "write_guarded_by_end",
            "truncate_guarded_by_version",
            "truncate_guarded_by_end",
        ],
    ),
    (
        ClampsPlaces,
        Kind::Bytes,
        &[
            "write_before_the_start",
            "truncate_end_before_the_start",
            "truncate_start_behind_the_end",
        ],
    ),
    (TakesAnyKind, Kind::Bytes, &["write_of_the_wrong_kind"]),
    (TakesAnyKind, Kind::Items, &["write_of_the_wrong_kind"]),
    (ReadOnlyIsWritten, Kind::Bytes, &["read_only_refuses_writes", "read_only_refuses_truncation"]),
    (FailureLeavesTraces, Kind::Bytes, &["failed_changes_leave_everything"]),
];

pub(super) struct Broken {
    pub(super) good: VecData,
    bug: Option<Bug>,
    /// What the bug has to remember: how often, or where.
    memory: AtomicU64,
}

impl Broken {
    pub(super) fn new(good: VecData, bug: Option<Bug>) -> Self {
        if bug == Some(GapIsFull) {
            good.content.lock().filler = Bytes::from_static(&[7]);
        }
        Self { good, bug, memory: AtomicU64::new(0) }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Remembers a number, and gives the one before.
    fn swap(&self, n: u64) -> u64 {
        self.memory.swap(n, Ordering::SeqCst)
    }

    fn tick(&self) -> u64 {
        self.memory.fetch_add(1, Ordering::SeqCst)
    }

    fn shown(&self, mut state: DataState) -> DataState {
        match self.bug {
            Some(BoundsAreTooLong) => {
                state.bounds.end = state.bounds.end.and_then(|end| end.forward(1));
            }
            Some(VersionIsLong) => state.version = Bytes::from(vec![0; 65]),
            Some(VersionCountsLooks) => {
                state.version = Bytes::copy_from_slice(&self.tick().to_be_bytes());
            }
            Some(VersionIsConstant) => state.version = Bytes::from_static(b"v"),
            Some(EndedIsNotFinal) => state.ended = true,
            _ => {}
        }
        state
    }

    /// Where a read really goes.
    async fn place_read(&self, at: Position) -> u64 {
        let (n, bounds) = (at.get(), self.good.now().bounds);
        let (start, end) = (bounds.start.unwrap().get(), bounds.end.unwrap().get());
        match self.bug {
            Some(ReadSkips) if n > 300 => n + 1,
            Some(ReadLosesWhenDropped) => {
                let lost = self.tick();
                tokio::task::yield_now().await;
                self.memory.fetch_sub(1, Ordering::SeqCst);
                n + lost
            }
            Some(SeekIsShifted) if self.swap(n) > n => n + 1,
            Some(CursorIsShared) => {
                self.swap(n);
                tokio::task::yield_now().await;
                self.memory.load(Ordering::SeqCst)
            }
            Some(ForwardBreaks) => match self.swap(n) {
                before if before > n => n,
                before => n + u64::from(before + 2 < n),
            },
            Some(EndRepeats) if n == end => n.saturating_sub(1),
            Some(BehindEndRepeats) if n > end => end.saturating_sub(1),
            Some(BeforeStartReads) => n.max(start),
            Some(EndWaitsForGood) if n == end => std::future::pending().await,
            Some(ReadHangs) => std::future::pending().await,
            _ => n,
        }
    }

    fn spoiled(&self, at: Position, fetched: Fetched) -> Fetched {
        match (self.bug, fetched) {
            (Some(ReadIsEmpty), Fetched::Some(mut chunk)) if at.get().is_multiple_of(7) => {
                Fetched::Some(chunk.split_to(0))
            }
            (Some(ReadIsOfWrongKind), Fetched::Some(_)) => {
                let encoded = Bytes::from_static(&[1, 0]);
                Fetched::Some(Chunk::Items(ItemBatch::parse(encoded).unwrap()))
            }
            (_, fetched) => fetched,
        }
    }

    fn bent(&self, rules: &Rules) -> Rules {
        let mut rules = rules.clone();
        match self.bug {
            Some(IgnoresOverwrite) => rules.overwrite = true,
            Some(IgnoresGrow) => rules.grow = true,
            Some(IgnoresShrink) => rules.shrink = true,
            Some(IgnoresAdvance) => rules.advance = true,
            Some(IgnoresReach) => rules.reach = Reach::default(),
            Some(IgnoresGuard) => rules.guard = Guard::default(),
            _ => {}
        }
        rules
    }

    /// What a wrong place is taken for.
    fn clamped(&self, to: Pos) -> Pos {
        match to {
            Pos::FromStart(..0) if self.has(ClampsPlaces) => Pos::START,
            Pos::FromEnd(1..) if self.has(ClampsPlaces) => Pos::END,
            to => to,
        }
    }

    fn is_off(&self, rules: &Rules) -> Result<()> {
        let guarded = rules.guard.version.is_some() || rules.guard.end.is_some();
        if self.has(GuardNeverHolds) && guarded {
            return Err(Error::new(Code::CONFLICT, "it never holds"));
        }
        Ok(())
    }

    fn store(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Result<Stored> {
        self.is_off(rules)?;
        let rules = &self.bent(rules);
        let end = self.good.now().bounds.end.unwrap();
        let judged = self.good.now().judge_write(rules, to, chunk.elements());
        match (self.bug, judged) {
            (Some(WriteIsShifted), Ok(room)) if room.at.get() + 2 < end.get() => {
                let at = room.at;
                let wrong = Pos::Abs(at.forward(1).unwrap());
                self.good.store(wrong, chunk, rules).map(|stored| Stored { at, ..stored })
            }
            (Some(WriteAnswersNewEnd), Ok(room)) if room.at == end => {
                let stored = self.good.store(to, chunk, rules)?;
                Ok(Stored { at: self.good.now().bounds.end.unwrap(), ..stored })
            }
            (Some(WriteDropsBehindEnd), Ok(room)) if room.at < end => {
                self.good.store(to, chunk, &Rules { grow: false, ..rules.clone() })?;
                Ok(Stored { at: room.at, elements: room.elements })
            }
            (Some(WriteIsLostLater), Ok(room)) if self.tick() > 30 && room.at < end => {
                Ok(Stored { at: room.at, elements: room.elements })
            }
            (Some(TakesAnyKind), Ok(room)) if chunk.kind() != self.good.kind => {
                Ok(Stored { at: room.at, elements: room.elements })
            }
            (Some(FailureLeavesTraces), Err(error)) => {
                self.good.push(elements_of(chunk).into_iter());
                Err(error)
            }
            _ => self.good.store(self.clamped(to), chunk, rules),
        }
    }

    fn move_end(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        let state = self.good.now();
        let rules = &self.bent(rules);
        let moved = self.good.move_end(edge, self.clamped(to), rules)?;
        let same = state.bounds.end == Some(moved) || state.bounds.start == Some(moved);
        match self.bug {
            Some(CutIsShifted) if edge == Edge::After => {
                self.good.move_end(edge, Pos::FromEnd(1), &Rules::all())?;
            }
            Some(StartRenumbers) if edge == Edge::Before => self.good.content.lock().start = 0,
            Some(SameEndFails) if same => {
                return Err(Error::new(Code::USAGE, "it is there already"));
            }
            _ => {}
        }
        Ok(moved)
    }

    fn misses(&self, seen: &DataState, now: &DataState) -> bool {
        let (old, new) = (seen.bounds, now.bounds);
        match self.bug {
            Some(ChangedMissesGrowth) => new.end > old.end,
            Some(ChangedMissesEviction) => new.start > old.start,
            Some(ChangedMissesCuts) => new.end < old.end,
            Some(ChangedMissesOverwrites) => new == old,
            _ => false,
        }
    }
}

impl StreamerData for Broken {
    fn kind(&self) -> Kind {
        self.good.kind()
    }

    fn offers(&self) -> ModeOffer {
        let offer = self.good.offers();
        let fixed = offer.required | Flags::READABLE | Flags::FIXED_DATA;
        match self.bug {
            Some(OfferIsContradictory) => ModeOffer { required: fixed | Flags::WRITABLE, ..offer },
            Some(OfferHasIdleFlags) => ModeOffer { required: fixed, ..offer },
            Some(OfferChanges) if self.tick() % 2 == 1 => {
                ModeOffer { required: offer.required | Flags::READABLE, ..offer }
            }
            Some(ForwardBreaks) => {
                ModeOffer { possible: offer.possible.without(Flags::SEEK), ..offer }
            }
            Some(ReadOnlyIsWritten) => {
                ModeOffer { possible: Flags::READABLE | Flags::SEEK, ..offer }
            }
            _ => offer,
        }
    }

    fn schema(&self) -> Option<Arc<SchemaDoc>> {
        self.has(SchemaIsOfAnother).then(SchemaDoc::of::<Vec<bool>>)
    }

    async fn state(&self) -> Result<DataState> {
        Ok(self.shown(self.good.now()))
    }

    fn state_now(&self) -> Option<Result<DataState>> {
        match self.bug {
            Some(StateNowIsStale) => {
                Some(Ok(DataState { bounds: Bounds::up_to(position(0)), ..self.good.now() }))
            }
            None => self.good.state_now(),
            Some(_) => None,
        }
    }

    async fn read_at(&self, at: Position, budget: ReadBudget) -> Result<Fetched> {
        assert!(!self.has(ReadPanics), "ouch");
        let place = position(self.place_read(at).await);
        let more = ReadBudget { bytes: budget.bytes.saturating_add(10), elements: u64::MAX };
        let budget = if self.has(ReadIgnoresBudget) { more } else { budget };
        self.good.fetch(place, budget).map(|fetched| self.spoiled(at, fetched))
    }

    fn read_now(&self, at: Position, budget: ReadBudget) -> Option<Result<Fetched>> {
        match self.bug {
            Some(ReadNowIsShifted) => self.good.read_now(at.forward(1)?, budget),
            None => self.good.read_now(at, budget),
            Some(_) => None,
        }
    }

    async fn write_at(&self, to: Pos, chunk: Chunk, rules: &Rules) -> Result<Stored> {
        if self.has(AppendRaces) && to == Pos::END {
            let end = self.good.now().bounds.end.unwrap();
            tokio::task::yield_now().await;
            return self.good.store(Pos::Abs(end), &chunk, rules);
        }
        self.store(to, &chunk, rules)
    }

    fn write_now(&self, to: Pos, chunk: &Chunk, rules: &Rules) -> Option<Result<Stored>> {
        match self.bug {
            Some(WriteNowStoresNothing) => {
                let room = self.good.now().judge_write(rules, to, chunk.elements());
                Some(room.map(|room| Stored { at: room.at, elements: room.elements }))
            }
            None => self.good.write_now(to, chunk, rules),
            Some(_) => None,
        }
    }

    async fn truncate(&self, edge: Edge, to: Pos, rules: &Rules) -> Result<Position> {
        self.move_end(edge, to, rules)
    }

    async fn sync(&self, _finish: bool) -> Result<()> {
        match self.bug {
            Some(SyncFails) => Err(Error::new(Code::STORAGE_IO, "the disk is gone")),
            _ => Ok(()),
        }
    }

    async fn changed(&self, seen: DataState) -> DataState {
        match self.bug {
            Some(ChangedHurries) => return self.good.now(),
            Some(ChangedWaitsForNext) => self.good.news.notified().await,
            _ => {}
        }
        self.good.changed_unless(&seen, |seen, now| self.misses(seen, now)).await
    }
}
