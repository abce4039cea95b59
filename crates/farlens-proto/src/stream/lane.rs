//! Writing, as the streamer sees it: steps come in order, and one change at a time is done to the
//! data.
//!
//! What has arrived and is not applied is bounded by the credit; credit comes back as elements are
//! applied, or dropped because their step has failed.

use super::{
    intake::Intake,
    recv::{Receive, ReceiveBudget, Window},
    writer::MAX_STEPS,
};
use crate::{
    buffer::{StreamBuffer, chunk::Chunk},
    change::{Reach, Rules},
    error::Violation,
    event::{Ask, Reply},
    time::Time,
};
use farlens_wire::{
    Code, Edge, Flags, Kind, Mode, Operation, Pos, Position, Reference, Step,
    frame::{
        Fault, StreamFrame,
        stream::{
            Credit, Guard, State, StreamControl, Sync, Truncate, Write, WriteFailed, WriteLimit,
            WriteTo, Written,
        },
    },
};
use std::collections::VecDeque;

/// What the peer of a stream may change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    pub(crate) mode: Mode,
    pub(crate) append_only: bool,
    pub(crate) reach: Reach,
}

/// The changes of one stream that have not been settled.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    stages: VecDeque<Stage>,
    last: Step,
    /// Where a run goes that begins behind the one before.
    at: Position,
    intake: Intake,
    window: Option<Window>,
    in_hand: Option<InHand>,
    answers: VecDeque<(Step, StreamControl)>,
    /// The last step that failed, and why.
    failure: Option<(Step, Fault)>,
    /// Nothing more may be written.
    finished: bool,
    /// Nothing more comes at all.
    closing: bool,
    /// More credit is to be told of.
    limit: bool,
    /// How often the first run was left to gather.
    passed: u32,
}

#[derive(Debug)]
enum Stage {
    Run(Run),
    Truncate(Truncate),
    Sync(Sync),
}

#[derive(Debug)]
struct Run {
    step: Step,
    to: WriteTo,
    guard: Guard,
    /// Elements that it has, where that is known, and that have come.
    length: Option<u64>,
    received: u64,
    buffer: StreamBuffer,
    /// Where its first element went.
    base: Option<Position>,
    count: u64,
    failed: bool,
}

/// A change that the shell is at.
#[derive(Debug)]
struct InHand {
    serial: u64,
    /// The elements, of which not all may fit.
    chunk: Option<Chunk>,
}

/// The most encoded bytes that one change stores, unless a single entity is larger.
const WRITE_BYTES: usize = 512 << 10;
/// The window of a quick writer is so many of these: one is made, another gathers, and credit for
/// the others is on its way.
const CHANGES_AHEAD: u64 = 4;
/// A run that goes on is left to gather for so many rounds of input at the most.
const GATHER_ROUNDS: u32 = 12;
/// A change of a run that goes on ends where the storage has a border, of the first of these kinds
/// that leaves it a quarter of its length: file systems keep together what lies between two.
const BORDERS: [u64; 3] = [256 << 10, 64 << 10, 4 << 10];
/// Bytes of known length that are appended stay together up to this: credit for so many always
/// comes before any of them is applied.
const TOGETHER_BYTES: u64 = 8 << 10;

impl Lane {
    /// The lane of a stream that was opened at `at`; without a window nothing is to be written.
    pub(crate) fn open(at: Position, window: Option<Window>, budget: &mut ReceiveBudget) -> Self {
        let receive = window.map(|window| Receive::start(window, budget));
        let intake = Intake::new(receive.unwrap_or_default());
        Self { at, window, intake, ..Self::default() }
    }

    /// How far the peer may send.
    pub(crate) fn credit(&self, kind: Kind) -> Credit {
        let Credit { bytes, elements } = self.intake.receive.granted();
        // Where bytes are written only bytes bind.
        let least = if kind == Kind::Bytes { bytes } else { 0 };
        Credit { bytes, elements: elements.max(least) }
    }

    /// Nothing more is applied; the credit returns to the link.
    pub(crate) fn end(&mut self, budget: &mut ReceiveBudget) {
        self.intake.receive.release(budget);
        *self = Self::default();
    }

    /// The peer is done; what came is still applied.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether the peer is in the middle of writing: its last run may go on.
    pub(crate) fn is_writing(&self) -> bool {
        !self.stages.iter().all(|stage| matches!(stage, Stage::Run(run) if run.failed))
    }

    /// Whether everything that has come is applied or has failed.
    pub(crate) fn is_idle(&self) -> bool {
        let idle = |stage: &Stage| matches!(stage, Stage::Run(run) if run.buffer.is_empty());
        self.in_hand.is_none() && self.stages.iter().all(idle)
    }

    // --- input -------------------------------------------------------------------------------

    pub(crate) fn handle_write(&mut self, write: Write) -> Result<(), Violation> {
        let Write { step, to, length, guard } = write;
        check_guard(&guard)?;
        self.begin(step)?;
        self.stages.push_back(Stage::Run(Run {
            step,
            to,
            guard,
            length,
            received: 0,
            buffer: StreamBuffer::default(),
            base: None,
            count: 0,
            failed: false,
        }));
        self.settle_runs();
        Ok(())
    }

    pub(crate) fn handle_truncate(&mut self, truncate: Truncate) -> Result<(), Violation> {
        check_guard(&truncate.guard)?;
        self.begin(truncate.step)?;
        self.stages.push_back(Stage::Truncate(truncate));
        Ok(())
    }

    pub(crate) fn handle_sync(&mut self, sync: Sync) -> Result<(), Violation> {
        self.begin(sync.step)?;
        self.finished = sync.finish;
        self.stages.push_back(Stage::Sync(sync));
        Ok(())
    }

    fn begin(&mut self, step: Step) -> Result<(), Violation> {
        if step != self.last.next() {
            return Err(Violation::protocol("a step that does not follow the one before"));
        }
        if self.finished {
            return Err(Violation::protocol("a step after the last"));
        }
        self.intake.check_whole()?;
        self.last = step;
        self.intake.restart(Position::ZERO);
        self.settle_runs();
        if step.0.saturating_sub(self.oldest().0) >= MAX_STEPS {
            let text = format!("more than {MAX_STEPS} changes of one stream at once");
            return Err(Violation::new(Code::EXCESSIVE_LOAD, text));
        }
        Ok(())
    }

    /// The first step whose answer has not been sent, or the last one.
    fn oldest(&self) -> Step {
        let answer = self.answers.front().map(|(step, _)| *step);
        answer.or_else(|| self.stages.front().map(Stage::step)).unwrap_or(self.last)
    }

    /// What the references of an element of the last run point at.
    pub(crate) fn handle_table(
        &mut self,
        step: Step,
        at: Position,
        table: Vec<Reference>,
        kind: Kind,
    ) -> Result<(), Violation> {
        self.check_takes(step)?;
        self.intake.take_table(at, table, kind)
    }

    fn check_takes(&self, step: Step) -> Result<(), Violation> {
        if matches!(self.stages.back(), Some(Stage::Run(run)) if run.step == step) {
            return Ok(());
        }
        Err(Violation::protocol("elements of a step that takes none"))
    }

    /// Elements of the last run.
    pub(crate) fn handle_elements(
        &mut self,
        step: Step,
        frame: StreamFrame,
        (kind, message_bytes): (Kind, usize),
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        self.check_takes(step)?;
        let taken = self.intake.take(frame, (kind, message_bytes), budget)?;
        let Some(chunk) = taken else { return Ok(()) };
        let Some(Stage::Run(run)) = self.stages.back_mut() else { return Ok(()) };
        run.received = run.received.saturating_add(chunk.elements());
        if run.length.is_some_and(|length| run.received > length) {
            return Err(Violation::protocol("more elements than the run was to have"));
        }
        if run.failed {
            self.give_back(chunk.elements(), chunk.cost(), kind, budget);
        } else {
            run.buffer.push(chunk);
        }
        self.settle_runs();
        Ok(())
    }

    // --- work --------------------------------------------------------------------------------

    pub(crate) fn wants_request(&self) -> bool {
        self.in_hand.is_none()
            && match self.stages.front() {
                Some(Stage::Run(run)) => self.is_ready(run),
                Some(Stage::Truncate(_) | Stage::Sync(_)) => true,
                None => false,
            }
    }

    /// Whether elements of a run can be applied. What stays together waits for its rest, as long as
    /// that may come.
    fn is_ready(&self, run: &Run) -> bool {
        !run.buffer.is_empty() && (self.is_over(run) || !run.stays_together())
    }

    /// Whether no more of a run can come.
    fn is_over(&self, run: &Run) -> bool {
        run.is_whole() || run.step != self.last || self.closing
    }

    /// Whether the first run had better wait for what comes with the input that is at hand: few
    /// long changes cost less than many short ones.
    fn gathers(&mut self) -> bool {
        let Some(Stage::Run(run)) = self.stages.front() else { return false };
        let ends = self.is_over(run);
        let part = self.window.map_or(0, |window| window.bytes() / CHANGES_AHEAD);
        let enough = usize::try_from(part).map_or(WRITE_BYTES, |part| part.min(WRITE_BYTES));
        let gathers = run.buffer.cost() < enough && !ends && self.passed < GATHER_ROUNDS;
        self.passed = self.passed.saturating_add(u32::from(gathers));
        gathers
    }

    /// The next change that the shell should make, under the name `serial`. While more input is at
    /// hand a run may be left to gather.
    pub(crate) fn poll_request(
        &mut self,
        serial: u64,
        rights: Rights,
        more_input: bool,
    ) -> Option<Ask> {
        if self.in_hand.is_some() {
            return None;
        }
        let Rights { mode, append_only, reach } = rights;
        let rules = Rules::new(mode, append_only, reach);
        self.fail_blind_sync();
        if !self.wants_request() || more_input && self.gathers() {
            return None;
        }
        self.passed = 0;
        let ends = matches!(self.stages.front(), Some(Stage::Run(run)) if self.is_over(run));
        let (ask, chunk) = match self.stages.front_mut()? {
            Stage::Run(run) => {
                let goes_on = !ends && (more_input || run.buffer.cost() > WRITE_BYTES);
                let most = if goes_on { run.up_to_border(self.at) } else { WRITE_BYTES };
                let chunk = run.buffer.pop_joined(most)?;
                let first = run.base.is_none();
                let rules = if first { rules.with_guard(run.guard.clone()) } else { rules };
                let ask = Ask::Write { to: run.place(self.at), chunk: chunk.clone(), rules };
                (ask, Some(chunk))
            }
            Stage::Truncate(Truncate { edge, to, guard, .. }) => {
                let rules = rules.with_guard(guard.clone());
                (Ask::Truncate { edge: *edge, to: *to, rules }, None)
            }
            Stage::Sync(sync) => (Ask::Sync { finish: sync.finish }, None),
        };
        self.in_hand = Some(InHand { serial, chunk });
        Some(ask)
    }

    /// A sync whose opener did not know of a failure before it fails likewise.
    pub(crate) fn fail_blind_sync(&mut self) {
        while self.in_hand.is_none()
            && let Some(Stage::Sync(sync)) = self.stages.front()
            && let Some((failed, fault)) = &self.failure
            && *failed > sync.seen
        {
            let fault = fault.clone();
            self.stage_failed(&fault);
            self.settle_runs();
        }
    }

    /// The shell's answer; says whether it was to a request of this lane.
    pub(crate) fn handle_reply(
        &mut self,
        serial: u64,
        reply: &Reply,
        budget: &mut ReceiveBudget,
    ) -> Result<bool, Fault> {
        let Some(InHand { chunk, .. }) = self.in_hand.take_if(|hand| hand.serial == serial) else {
            return Ok(false);
        };
        match (reply, chunk) {
            (Reply::Changed { at, elements }, Some(chunk)) => {
                self.applied(*at, *elements, chunk, budget)?;
            }
            (Reply::Failed(fault), Some(chunk)) => self.run_failed(fault, &chunk, budget),
            (Reply::Changed { at, .. }, None) => self.stage_done(*at),
            (Reply::Synced, None) => self.stage_done(self.at),
            (Reply::Failed(fault), None) => self.stage_failed(fault),
            _ => return Err(wrong_reply()),
        }
        self.settle_runs();
        Ok(true)
    }

    fn applied(
        &mut self,
        at: Position,
        elements: u64,
        mut chunk: Chunk,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Fault> {
        let Some(Stage::Run(run)) = self.stages.front_mut() else { return Err(wrong_reply()) };
        let after = at.forward(elements).ok_or_else(wrong_reply)?;
        if elements == 0 || elements > chunk.elements() {
            return Err(wrong_reply());
        }
        let stored = chunk.split_to(elements);
        run.buffer.unpop(chunk);
        run.count = run.count.saturating_add(elements);
        let base = *run.base.get_or_insert(at);
        let written = Written { step: run.step, at: base, count: run.count };
        self.at = after;
        self.tell(written);
        self.give_back(stored.elements(), stored.cost(), stored.kind(), budget);
        Ok(())
    }

    fn run_failed(&mut self, fault: &Fault, chunk: &Chunk, budget: &mut ReceiveBudget) {
        let Some(Stage::Run(run)) = self.stages.front_mut() else { return };
        run.failed = true;
        let elements = chunk.elements().saturating_add(run.buffer.elements());
        let bytes = chunk.cost().saturating_add(run.buffer.cost());
        run.buffer.clear();
        let failed = WriteFailed { step: run.step, count: run.count, fault: fault.clone() };
        self.tell_failure(failed);
        self.give_back(elements, bytes, chunk.kind(), budget);
    }

    fn stage_done(&mut self, at: Position) {
        if let Some(step) = self.pop_stage() {
            self.tell(Written { step, at, count: 0 });
        }
    }

    fn stage_failed(&mut self, fault: &Fault) {
        if let Some(step) = self.pop_stage() {
            self.tell_failure(WriteFailed { step, count: 0, fault: fault.clone() });
        }
    }

    fn tell_failure(&mut self, failed: WriteFailed) {
        self.failure = Some((failed.step, failed.fault.clone()));
        self.answers.push_back((failed.step, failed.into()));
    }

    fn pop_stage(&mut self) -> Option<Step> {
        self.stages.pop_front().as_ref().map(Stage::step)
    }

    /// Runs that get no more elements are over once they are applied.
    fn settle_runs(&mut self) {
        while self.in_hand.is_none()
            && let Some(Stage::Run(run)) = self.stages.front()
            && (run.step != self.last || run.is_whole())
            && run.buffer.is_empty()
        {
            self.stages.pop_front();
        }
    }

    /// Progress of one step replaces earlier progress of the same one.
    fn tell(&mut self, written: Written) {
        if self.answers.back().is_some_and(|(step, _)| *step == written.step) {
            self.answers.pop_back();
        }
        self.answers.push_back((written.step, written.into()));
    }

    fn give_back(&mut self, elements: u64, bytes: usize, kind: Kind, budget: &mut ReceiveBudget) {
        let Some(window) = &mut self.window else { return };
        let entities = if kind == Kind::Items { elements } else { 0 };
        let taken = Credit { bytes: bytes as u64, elements: entities };
        let quick_bytes = CHANGES_AHEAD.saturating_mul(WRITE_BYTES as u64);
        self.intake.receive.widen_if_quick(taken, quick_bytes, window, budget);
        self.limit |= self.intake.receive.consume(taken, window, budget);
    }

    // --- output ------------------------------------------------------------------------------

    pub(crate) fn has_control(&self) -> bool {
        self.limit || !(self.answers.is_empty() || self.is_outdated_soon())
    }

    /// Whether all that is to be told is progress of a run of which the next change is about to tell
    /// more.
    fn is_outdated_soon(&self) -> bool {
        let Some(Stage::Run(run)) = self.stages.front() else { return false };
        let told = self.answers.front().filter(|_| self.answers.len() == 1);
        told.is_some_and(|(step, _)| *step == run.step) && self.is_ready(run)
    }

    /// How far the peer may send at first, of which it is told at this moment.
    pub(crate) fn first_credit(
        &mut self,
        kind: Kind,
        now: Time,
        budget: &mut ReceiveBudget,
    ) -> Credit {
        if let Some(window) = self.window {
            self.intake.receive.begin(window, budget);
        }
        self.intake.receive.tell(now);
        self.credit(kind)
    }

    /// The next frame that waits, which goes out at this moment.
    pub(crate) fn take_control(&mut self, kind: Kind, now: Time) -> Option<StreamControl> {
        if !self.has_control() {
            return None;
        }
        if let Some((_, answer)) = self.answers.pop_front() {
            return Some(answer);
        }
        if !std::mem::take(&mut self.limit) {
            return None;
        }
        self.intake.receive.tell(now);
        Some(WriteLimit { credit: self.credit(kind) }.into())
    }

    /// What the mode says to a step, as far as that is known before it is applied.
    pub(crate) fn judge(control: &StreamControl, rights: Rights) -> Result<(), Fault> {
        match control {
            StreamControl::Write(write) => judge_run(write.to, rights),
            StreamControl::Truncate(truncate) => judge_truncate(truncate.edge, rights),
            _ => allowed(rights, Operation::Sync),
        }
    }
}

impl Stage {
    const fn step(&self) -> Step {
        match self {
            Self::Run(run) => run.step,
            Self::Truncate(truncate) => truncate.step,
            Self::Sync(sync) => sync.step,
        }
    }
}

impl Run {
    /// Whether all that it is to have has come.
    fn is_whole(&self) -> bool {
        self.length == Some(self.received)
    }

    /// Whether it is a short piece that is to be appended as one.
    fn stays_together(&self) -> bool {
        self.to == WriteTo::At(Pos::END)
            && self.buffer.kind() == Some(Kind::Bytes)
            && self.length.is_some_and(|length| length <= TOGETHER_BYTES)
    }

    /// What one change stores at the most. Bytes lead up to a border of the storage, where it is
    /// known to which place they go.
    fn up_to_border(&self, here: Position) -> usize {
        let most = self.buffer.cost().min(WRITE_BYTES);
        if self.buffer.kind() != Some(Kind::Bytes) {
            return most;
        }
        // Others may append, too, but few do.
        let start = match self.place(here) {
            Pos::Abs(at) => at,
            _ if self.base.is_some() => here,
            _ => return most,
        };
        let end = start.get().saturating_add(most as u64);
        let cut = |border: u64| usize::try_from(end.checked_rem(border)?).ok();
        let mut cuts = BORDERS.into_iter().filter_map(cut);
        most.saturating_sub(cuts.find(|cut| *cut <= (most / 4).saturating_mul(3)).unwrap_or(0))
    }

    /// Where its next elements go. What is appended goes to the end as it is then.
    fn place(&self, here: Position) -> Pos {
        match (self.to, self.base) {
            (WriteTo::At(Pos::FromEnd(0)), _) => Pos::END,
            (_, Some(base)) => Pos::Abs(base.forward(self.count).unwrap_or(Position::MAX)),
            (WriteTo::At(to), None) => to,
            (WriteTo::Here, None) => Pos::Abs(here),
        }
    }
}

/// Whether a run may begin there.
pub(crate) fn judge_run(to: WriteTo, rights: Rights) -> Result<(), Fault> {
    allowed(rights, Operation::Write)?;
    let appends = to == WriteTo::At(Pos::END);
    if rights.append_only && !appends {
        return Err(Fault::new(Code::MODE_FORBIDS, "this stream only appends"));
    }
    if appends {
        return allowed(rights, Operation::Extend);
    }
    if to != WriteTo::Here && !rights.mode.flags().has_any(Flags::SEEK) {
        return Err(Fault::new(Code::MODE_FORBIDS, "this stream cannot seek"));
    }
    Ok(())
}

/// Whether an end may be moved at all.
pub(crate) fn judge_truncate(edge: Edge, rights: Rights) -> Result<(), Fault> {
    if rights.append_only {
        return Err(Fault::new(Code::MODE_FORBIDS, "this stream only appends"));
    }
    match edge {
        Edge::Before => allowed(rights, Operation::TruncateBefore),
        Edge::After => allowed(rights, Operation::TruncateAfter)
            .or_else(|_| allowed(rights, Operation::Extend)),
    }
}

pub(crate) fn allowed(rights: Rights, operation: Operation) -> Result<(), Fault> {
    let allows = rights.mode.allows(operation);
    allows.map_err(|forbidden| Fault::new(Code::MODE_FORBIDS, forbidden.to_string()))
}

fn check_guard(guard: &Guard) -> Result<(), Violation> {
    if guard.version.as_ref().is_some_and(|version| version.len() > State::VERSION_BYTES) {
        return Err(Violation::protocol("a version has at most 64 bytes"));
    }
    Ok(())
}

fn wrong_reply() -> Fault {
    Fault::new(Code::INTERNAL, "the data answered something else than was asked")
}
