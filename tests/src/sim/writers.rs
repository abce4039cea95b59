//! Writing, and reading places beside the cursor.

use super::{Seen, Slot, World, ensure};
use crate::{
    model::{
        Elements, Published, Writer,
        places::Place,
        writer::{What, refusal},
    },
    ops::{Condition, Goal, Op},
    source::position,
};
use farlens_proto::{Guard, Link, RangeStatus, StepStatus, WriteTo};
use farlens_wire::{Code, Flags, Kind, Operation, Position, Step};

/// Steps of one stream that may be under way.
const STEPS: u64 = 64;

impl World {
    pub(super) fn write(&mut self, user: usize, op: Op) -> Result<(), String> {
        match op {
            Op::Write { to, condition, elements, .. } => {
                let guard = self.guard(user, condition);
                let to = match to {
                    Goal::Here => WriteTo::Here,
                    Goal::At(to) => WriteTo::At(to),
                };
                self.write_run(user, to, guard, elements).map(drop)
            }
            Op::Push { elements, .. } => {
                let last = self.records.get(&self.slots[user].key).map_or(0, |r| r.writer.len());
                if last > 0 { self.push(user, last, elements) } else { Ok(()) }
            }
            Op::Truncate { edge, to, condition, .. } => {
                let guard = self.guard(user, condition);
                self.begin(user, What::Truncate { edge, to }, guard).map(drop)
            }
            Op::Sync { finish, .. } => {
                self.begin(user, What::Sync { finish }, Guard::default()).map(drop)
            }
            Op::Burst { steps, .. } => self.burst(user, steps),
            Op::Range { at, length, .. } => self.range(user, at, length),
            Op::Scatter { places, .. } => self.scatter(user, places),
            _ => {
                let slot = &mut self.slots[user];
                if let Some((ticket, _)) = slot.places.pop_last() {
                    slot.forgotten.insert(ticket);
                    let link = &mut self.nodes[slot.key.opener].link;
                    link.forget_range(slot.key.stream, ticket);
                }
                Ok(())
            }
        }
    }

    fn guard(&mut self, user: usize, condition: Condition) -> Guard {
        let source = self.slots[user].source;
        let now = self.published[source].last();
        let (version, end) = match condition {
            Condition::None => (None, None),
            Condition::Version => (Some(now.version.clone()), None),
            Condition::OldVersion => (Some(vec![7; 8]), None),
            Condition::End => (None, Some(position(now.end))),
            Condition::OtherEnd => (None, Some(position(now.end + self.rng.small(3)))),
        };
        Guard { version, end }
    }

    fn write_run(
        &mut self,
        user: usize,
        to: WriteTo,
        guard: Guard,
        count: u64,
    ) -> Result<bool, String> {
        let handed = Elements::none(self.stores[self.slots[user].source].kind());
        let Some(step) = self.begin(user, What::Run { to, handed }, guard)? else {
            return Ok(false);
        };
        if count > 0 {
            self.push(user, step, count)?;
        }
        Ok(true)
    }

    /// Begins a step; gives its number, unless it was rightly refused.
    fn begin(&mut self, user: usize, what: What, guard: Guard) -> Result<Option<u64>, String> {
        let slot = &mut self.slots[user];
        let (link, stream) = (&mut self.nodes[slot.key.opener].link, slot.key.stream);
        let Some(record) = self.records.get_mut(&slot.key) else { return Ok(None) };
        let kept = under_way(link, slot, record.writer.len());
        let seen = last_failed(link, slot, &record.writer);
        let finished = record.writer.is_finished();
        let begun = match &what {
            What::Run { to, .. } => link.write(stream, *to, None, guard.clone()),
            What::Truncate { edge, to } => link.truncate(stream, *edge, *to, guard.clone()),
            What::Sync { finish } => link.sync(stream, *finish),
        };
        let code = begun.as_ref().err().map_or(0, |fault| u64::from(fault.code.number()));
        self.trace.note(self.now, "step", &[user as u64, code]);
        self.trace.say(|| format!("{what:?} {guard:?} {begun:?}").chars().take(160).collect());
        let source = &self.published[slot.source];
        let refused = refusal(source, slot.writes(), &what);
        match begun {
            Ok(step) => {
                ensure!(refused.is_none(), "{what:?} was not refused");
                ensure!(kept < STEPS, "{kept} steps are under way");
                ensure!(!finished, "a step behind the last");
                record.writer.begin(step.0, what, guard, seen)?;
                slot.steps.insert(step.0);
                slot.dirty = true;
                Ok(Some(step.0))
            }
            Err(fault) => {
                let right = match fault.code {
                    code if refused == Some(code) => true,
                    Code::OVERLOADED => kept >= STEPS,
                    Code::CLOSED => finished || link.stream_info(stream).is_none(),
                    code => slot.reader.may_end.contains(&code),
                };
                if fault.code == Code::OVERLOADED {
                    self.trace.count(Seen::Overloads);
                }
                ensure!(right, "{what:?} was refused: {fault}");
                Ok(None)
            }
        }
    }

    fn push(&mut self, user: usize, step: u64, count: u64) -> Result<(), String> {
        let run = self.elements(self.slots[user].source, count);
        let slot = &mut self.slots[user];
        let (link, stream) = (&mut self.nodes[slot.key.opener].link, slot.key.stream);
        let Some(record) = self.records.get_mut(&slot.key) else { return Ok(()) };
        let is_over = link.stream_over(stream).is_some();
        let taken = link.push(stream, Step(step), run.chunk(0, run.len(), usize::MAX));
        self.trace.note(self.now, "push", &[user as u64, step, run.len(), u64::from(taken)]);
        slot.dirty = true;
        if taken || !is_over { record.writer.push(step, &run, taken) } else { Ok(()) }
    }

    fn burst(&mut self, user: usize, steps: u64) -> Result<(), String> {
        let append = WriteTo::At(farlens_wire::Pos::END);
        for n in 0..steps {
            let to = if n % 2 == 0 { append } else { WriteTo::Here };
            if !self.write_run(user, to, Guard::default(), n % 4)? {
                break;
            }
        }
        Ok(())
    }

    /// Asks for places all over the source.
    pub(super) fn scatter(&mut self, user: usize, places: u64) -> Result<(), String> {
        let store = &self.stores[self.slots[user].source];
        let (start, length) = (store.start, store.elements.len());
        for _ in 0..places {
            let at = start + self.rng.below(length + 2);
            let most = if self.rng.one_in(8) { length + 9 } else { 40 };
            let wanted = 1 + self.rng.small(most);
            self.range(user, at, wanted)?;
        }
        Ok(())
    }

    fn range(&mut self, user: usize, at: u64, length: u64) -> Result<(), String> {
        let slot = &mut self.slots[user];
        let (link, stream) = (&mut self.nodes[slot.key.opener].link, slot.key.stream);
        let source = &self.published[slot.source];
        let first = position(at);
        match link.ask_range(stream, first, length) {
            Ok(ticket) => {
                self.trace.note(self.now, "range", &[user as u64, at, length]);
                let refused = range_refusal(source, slot);
                if link.stream_info(stream).is_none() {
                    // The streamer ends the stream when it gets to know of it.
                    slot.reader.may_end.extend(refused);
                } else {
                    ensure!(refused.is_none(), "a range was not refused");
                }
                let end = first.forward(length).unwrap_or(Position::MAX);
                let place = Place { at, length: end.since(first), since: source.now() };
                match link.take_range(stream, ticket) {
                    RangeStatus::Pending => drop(slot.places.insert(ticket, place)),
                    status => self.judge_range(user, &place, &status)?,
                }
                Ok(())
            }
            Err(fault) => {
                let right = range_refusal(source, slot) == Some(fault.code)
                    || slot.reader.may_end.contains(&fault.code);
                ensure!(right, "a range was refused: {fault}");
                Ok(())
            }
        }
    }
}

/// Why places cannot be read, if they cannot.
pub(super) fn range_refusal(source: &Published, slot: &Slot) -> Option<Code> {
    if source.kind == Kind::Items {
        return Some(Code::WRONG_KIND);
    }
    let reads = slot.request.flags.has(Flags::READABLE);
    (!reads || !source.allows(Operation::ReadRange)).then_some(Code::MODE_FORBIDS)
}

/// The last step of whose failure the opener was told.
fn last_failed(link: &Link, slot: &Slot, writer: &Writer) -> u64 {
    let told = |&step: &u64| {
        if slot.steps.contains(&step) {
            matches!(link.step_status(slot.key.stream, Step(step)), StepStatus::Failed { .. })
        } else {
            writer.has_failed(step)
        }
    };
    (1..=writer.len()).rev().find(told).unwrap_or(0)
}

/// Steps from the first on that the opener was not told of as over, or none.
fn under_way(link: &Link, slot: &Slot, begun: u64) -> u64 {
    if begun < STEPS {
        return 0;
    }
    let pending = |&&step: &&u64| {
        matches!(link.step_status(slot.key.stream, Step(step)), StepStatus::Pending { .. })
    };
    slot.steps.iter().find(pending).map_or(0, |first| begun + 1 - first)
}
