//! Writing, as the opener sees it: numbered steps go out in order, and what became of each comes
//! back.
//!
//! ```text
//!  begin ──▶ out: [head, elements] ──Write, Data*──▶   the streamer applies it
//!              │                                          │
//!              └──▶ under way: {handed, count} ◀──Written─┘ or WriteFailed
//! ```
//!
//! A run of writes stays open for more elements until the next step begins. It is *done* whenever
//! all that was handed in has been applied.
//!
//! Elements whose references cannot be lent end the writing: their run fails once what was sent of
//! it is applied, and nothing behind it goes out.

use super::send::Send;
use crate::{
    buffer::{StreamBuffer, chunk::Chunk},
    error::Violation,
    link::Lender,
};
use bytes::BytesMut;
use farlens_wire::{
    Bounds, Code, Edge, Epoch, Position, Step,
    frame::{
        Fault,
        stream::{Credit, StreamControl, Sync, WriteFailed, Written},
    },
};
use std::collections::{BTreeMap, VecDeque};

/// Steps from the first one that is not settled to the last that a streamer takes in.
pub(crate) const MAX_STEPS: u64 = 64;
/// A stream with so many bytes that wait to be sent takes no more from a writer who can wait.
const QUEUE_BYTES: usize = 128 << 10;

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the shell must know every state")]
pub enum StepStatus {
    /// Not all of it has been applied.
    Pending {
        /// Elements that have.
        count: u64,
    },
    /// Everything that was handed in has been applied.
    Done {
        /// Where the run begins, or where the end is now; none for a run without elements.
        at: Option<Position>,
        /// Elements that were applied.
        count: u64,
    },
    /// It failed; what came after these elements was not applied.
    Failed {
        /// Where the run begins, if something of it was applied.
        at: Option<Position>,
        /// Elements that were applied.
        count: u64,
        /// Why.
        fault: Fault,
    },
}

/// The writing half of a stream that this side opened.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    send: Send,
    /// Steps that are not sent whole. The elements of the first are with `send`.
    out: VecDeque<Outgoing>,
    /// Elements that wait behind the first step, in bytes.
    behind: usize,
    /// The last step that was begun, and the last whose head was sent.
    begun: Step,
    sent: Step,
    finished: bool,
    under_way: BTreeMap<Step, Progress>,
    stalls: u64,
    /// Why nothing more is sent.
    refusal: Option<Fault>,
    /// That it is so has not been told.
    refused: bool,
}

#[derive(Debug)]
struct Outgoing {
    step: Step,
    /// The frame that begins it, until that is sent.
    head: Option<StreamControl>,
    queue: StreamBuffer,
}

/// How far a step has come.
#[derive(Debug, Default)]
struct Progress {
    is_run: bool,
    /// Which end it moves, if it moves one.
    edge: Option<Edge>,
    /// Elements that it may have.
    length: u64,
    handed: u64,
    at: Option<Position>,
    count: u64,
    answered: bool,
    /// Only so many elements were sent, for this reason.
    cut: Option<(u64, Fault)>,
    fault: Option<Fault>,
    /// Nobody asks for it any more.
    forgotten: bool,
}

impl Writer {
    /// Whether one more step may begin: not too far from the first one that is not settled, and
    /// not after the last of all.
    pub(crate) fn may_begin(&self) -> bool {
        self.begun.0.saturating_sub(self.seen().0) < MAX_STEPS
    }

    /// Whether nothing more may be written.
    pub(crate) const fn is_finished(&self) -> bool {
        self.finished
    }

    /// How every step up to this one has ended is known.
    pub(crate) fn seen(&self) -> Step {
        let mut open = self.under_way.iter().filter(|(_, progress)| progress.outcome().is_none());
        open.next().map_or(self.begun, |(step, _)| Step(step.0.saturating_sub(1)))
    }

    /// Whether a writer who can wait should go on.
    pub(crate) fn has_room(&self) -> bool {
        self.queued() < QUEUE_BYTES
    }

    /// How often there was no room, or none was left.
    pub(crate) const fn stalls(&self) -> u64 {
        self.stalls
    }

    pub(crate) const fn note_stall(&mut self) {
        self.stalls = self.stalls.saturating_add(1);
    }

    /// Elements that wait to be sent, in bytes.
    pub(crate) fn queued(&self) -> usize {
        self.send.queued().saturating_add(self.behind)
    }

    /// Why nothing more is sent, if that is so.
    pub(crate) const fn refusal(&self) -> Option<&Fault> {
        self.refusal.as_ref()
    }

    /// Whether a step has failed on this side; told once.
    pub(crate) const fn take_refusal(&mut self) -> bool {
        std::mem::replace(&mut self.refused, false)
    }

    /// Whether everything that was begun is applied or has failed.
    pub(crate) fn is_settled(&self) -> bool {
        self.out.is_empty() && self.under_way.values().all(|progress| progress.outcome().is_some())
    }

    /// Begins the next step, whose first frame `head` makes.
    pub(crate) fn begin(&mut self, head: impl FnOnce(Step) -> StreamControl) -> Step {
        let step = self.begun.next();
        let head = head(step);
        let is_run = matches!(head, StreamControl::Write(_));
        self.finished |= matches!(head, StreamControl::Sync(Sync { finish: true, .. }));
        self.begun = step;
        let (length, edge) = match &head {
            StreamControl::Write(write) => (write.length.unwrap_or(u64::MAX), None),
            StreamControl::Truncate(truncate) => (0, Some(truncate.edge)),
            _ => (0, None),
        };
        self.under_way.insert(step, Progress { is_run, edge, length, ..Progress::default() });
        let queue = StreamBuffer::default();
        self.out.push_back(Outgoing { step, head: Some(head), queue });
        if !self.may_begin() {
            self.note_stall();
        }
        step
    }

    /// Whether `step` is a run that takes more elements.
    pub(crate) fn is_open(&self, step: Step) -> bool {
        let takes =
            |progress: &Progress| progress.handed < progress.length && progress.fault.is_none();
        step == self.begun && self.refusal.is_none() && self.under_way.get(&step).is_some_and(takes)
    }

    /// Adds elements to the run that was begun last.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        let step = self.begun;
        let Some(progress) = self.under_way.get_mut(&step) else { return };
        progress.handed = progress.handed.saturating_add(chunk.elements());
        match self.out.back_mut() {
            Some(last) if last.step == step && last.head.is_some() => {
                self.behind = self.behind.saturating_add(chunk.cost());
                last.queue.push(chunk);
            }
            Some(last) if last.step == step => self.send.push(chunk),
            _ => {
                self.out.push_back(Outgoing { step, head: None, queue: StreamBuffer::default() });
                self.send.push(chunk);
            }
        }
        if !self.has_room() {
            self.note_stall();
        }
    }

    /// What became of a step that has not been forgotten.
    pub(crate) fn status(&self, step: Step) -> StepStatus {
        let Some(progress) = self.under_way.get(&step) else {
            return StepStatus::Done { at: None, count: 0 };
        };
        let Progress { at, count, .. } = *progress;
        match progress.outcome() {
            None => StepStatus::Pending { count },
            Some(Ok(())) => StepStatus::Done { at, count },
            Some(Err(fault)) => StepStatus::Failed { at, count, fault: fault.clone() },
        }
    }

    /// Nobody will ask for `step` any more.
    pub(crate) fn forget(&mut self, step: Step) {
        if let Some(progress) = self.under_way.get_mut(&step) {
            progress.forgotten = true;
        }
        self.sweep();
    }

    fn sweep(&mut self) {
        let begun = self.begun;
        self.under_way.retain(|&step, progress| {
            let over = progress.outcome().is_some();
            !(progress.forgotten && over && (step < begun || !progress.is_run))
        });
    }

    /// Nothing is applied any more: what is not done has failed.
    pub(crate) fn end(&mut self, fault: &Fault) {
        self.send = Send::default();
        self.out.clear();
        self.behind = 0;
        for progress in self.under_way.values_mut() {
            if progress.outcome().is_none() {
                progress.fault = Some(fault.clone());
            }
        }
        self.sweep();
    }

    // --- input -------------------------------------------------------------------------------

    pub(crate) fn raise(&mut self, credit: Credit) -> Result<(), Violation> {
        self.send.raise(credit)
    }

    /// Takes progress in; `bounds` are then at least what it shows of them.
    pub(crate) fn handle_written(
        &mut self,
        frame: Written,
        bounds: &mut Bounds,
    ) -> Result<(), Violation> {
        let Written { step, at, count } = frame;
        self.check_answer(step, count)?;
        let Some(progress) = self.under_way.get_mut(&step) else { return Ok(()) };
        match progress.edge {
            Some(Edge::Before) => bounds.start = Some(at),
            Some(Edge::After) => bounds.end = Some(at),
            None if progress.is_run => {
                bounds.end = bounds.end.map(|end| end.max(at.forward(count).unwrap_or(end)));
            }
            None => {}
        }
        if progress.fault.is_some() {
            return Err(Violation::protocol("progress of a step that had failed"));
        }
        progress.at = Some(at);
        progress.count = count;
        progress.answered = true;
        self.sweep();
        Ok(())
    }

    pub(crate) fn handle_failed(&mut self, frame: WriteFailed) -> Result<(), Violation> {
        let WriteFailed { step, count, fault } = frame;
        self.check_answer(step, count)?;
        let Some(progress) = self.under_way.get_mut(&step) else { return Ok(()) };
        if progress.fault.is_some() {
            return Err(Violation::protocol("a step failed twice"));
        }
        progress.count = count;
        progress.fault = Some(fault);
        self.drop_unsent(step);
        self.sweep();
        Ok(())
    }

    /// Whether an answer about `step` may come now.
    fn check_answer(&self, step: Step, count: u64) -> Result<(), Violation> {
        if step > self.sent || step == Step::default() {
            return Err(Violation::protocol("an answer to a step that was not made"));
        }
        if self.under_way.range(..step).any(|(_, before)| before.outcome().is_none()) {
            return Err(Violation::protocol("a step was passed over"));
        }
        let fits = |progress: &Progress| {
            let most = match progress.is_run {
                // Of the run whose elements are going out only what has gone out.
                true if step == self.sent => self.send.at().get(),
                true => progress.handed,
                false => 0,
            };
            (progress.count..=most).contains(&count)
        };
        if self.under_way.get(&step).is_some_and(|progress| !fits(progress)) {
            return Err(Violation::protocol("more was applied than was sent, or less than before"));
        }
        Ok(())
    }

    /// The rest of a run that failed need not go out. An entity that has begun to go must.
    fn drop_unsent(&mut self, step: Step) {
        if self.out.front().is_some_and(|front| front.step == step && front.head.is_none()) {
            self.send.drop_queue();
            if self.send.is_empty() {
                self.out.pop_front();
            }
        }
    }

    // --- output ------------------------------------------------------------------------------

    /// Whether a frame may go out.
    pub(crate) fn has_data(&self) -> bool {
        self.out.front().is_some_and(|front| front.head.is_some() || self.send.is_ready())
    }

    /// Appends one frame whose payload is at most `room` bytes; says whether it did, or found that
    /// nothing more can be sent.
    pub(crate) fn put_data(
        &mut self,
        out: &mut BytesMut,
        id: u64,
        room: usize,
        lender: &mut Lender<'_>,
    ) -> bool {
        let Some(front) = self.out.front_mut() else { return false };
        let sent = match front.head.take() {
            Some(head) => {
                head.put(out, id);
                self.sent = front.step;
                let queue = std::mem::take(&mut front.queue);
                self.behind = self.behind.saturating_sub(queue.cost());
                self.send.restart(queue);
                true
            }
            None => self.send.put_frame(out, (id, Epoch(front.step.0)), room, lender),
        };
        if let Some(fault) = self.send.take_refusal() {
            self.stop(&fault);
            return true;
        }
        if self.send.is_empty() {
            self.out.pop_front();
        }
        sent
    }

    /// Nothing more is sent. What was sent is still applied.
    fn stop(&mut self, fault: &Fault) {
        let (sent, at) = (self.sent, self.send.at().get());
        self.send.drop_queue();
        self.out.clear();
        self.behind = 0;
        for (step, progress) in self.under_way.range_mut(sent..) {
            if *step > sent {
                progress.fault = Some(fault.clone());
            } else if progress.fault.is_none() {
                progress.cut = Some((at, fault.clone()));
            }
        }
        self.refusal = Some(fault.clone());
        self.refused = true;
        self.sweep();
    }
}

impl Progress {
    /// How it ended, if it has; a run may go on after that.
    fn outcome(&self) -> Option<Result<(), &Fault>> {
        let done = if self.is_run { self.count == self.handed } else { self.answered };
        match (&self.fault, &self.cut) {
            (Some(fault), _) => Some(Err(fault)),
            (None, Some((sent, fault))) => (self.count >= *sent).then_some(Err(fault)),
            (None, None) => done.then_some(Ok(())),
        }
    }
}

/// Why a step cannot begin: too many are under way.
pub(crate) fn too_many_steps() -> Fault {
    Fault::new(Code::OVERLOADED, format!("{MAX_STEPS} changes of this stream are under way"))
}
