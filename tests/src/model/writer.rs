//! What writing in steps must do: each applied once, in order, as a prefix of what was handed in.

use super::{Elements, Published};
use farlens_proto::{Ask, Chunk, Guard, Reply, StepStatus, WriteTo};
use farlens_wire::{Code, Edge, Operation, Pos, Position};

/// What a step is to do.
#[derive(Clone, Debug)]
pub enum What {
    /// To store elements.
    Run {
        /// From where on.
        to: WriteTo,
        /// All that was handed in.
        handed: Elements,
    },
    /// To move an end.
    Truncate {
        /// Which.
        edge: Edge,
        /// Where to.
        to: Pos,
    },
    /// To make durable.
    Sync {
        /// Whether nothing follows.
        finish: bool,
    },
}

/// A step and how far it has come.
#[derive(Clone, Debug)]
pub struct Step {
    what: What,
    guard: Guard,
    /// Where the first element went, or where the end was moved to.
    at: Option<u64>,
    /// Elements that were applied.
    applied: u64,
    /// How it ended, unless it is a run that may go on.
    ended: Option<Result<(), Code>>,
    /// Elements of which the opener was told that they are applied.
    told: u64,
    /// Whether its head has left the opener, and how many of its elements have.
    begun: bool,
    sent: u64,
    /// The last step that its opener knew to have failed when it began this one.
    seen: u64,
}

impl Step {
    const fn is_complete(&self) -> bool {
        match &self.what {
            What::Run { handed, .. } => self.ended.is_some() || self.applied == handed.len(),
            _ => self.ended.is_some(),
        }
    }
}

/// All steps of one stream.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    steps: Vec<Step>,
    /// The first step that is not known to be over.
    current: usize,
    /// Where a run goes that begins behind the one before.
    here: u64,
}

impl Writer {
    /// The stream is open, at this place.
    pub const fn opened(&mut self, at: u64) {
        self.here = at;
    }

    /// Steps that have been begun.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.steps.len() as u64
    }

    /// Whether none has been.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Steps that are not over, the run that may go on included.
    #[must_use]
    pub fn open_steps(&self) -> usize {
        let last = self.steps.len().saturating_sub(1);
        let open = |(n, step): &(usize, &Step)| !step.is_complete() || *n == last;
        self.steps.iter().enumerate().filter(open).count()
    }

    /// Whether the last step was the demand after which nothing follows.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let last = self.steps.last().map(|step| &step.what);
        matches!(last, Some(What::Sync { finish: true }))
    }

    /// Whether a step is over with a failure.
    #[must_use]
    pub fn has_failed(&self, number: u64) -> bool {
        matches!(self.steps[number as usize - 1].ended, Some(Err(_)))
    }

    /// Why a step fails without being tried: it is a sync whose opener did not know of a failure
    /// before it, which may be that of such a sync.
    fn blind(&self, index: usize) -> Option<Code> {
        let step = &self.steps[index];
        if !matches!(step.what, What::Sync { .. }) {
            return None;
        }
        let why = |n: usize| match self.steps[n].ended {
            Some(ended) => ended.err(),
            None => self.blind(n),
        };
        let unseen = usize::try_from(step.seen).ok()?..index;
        unseen.rev().find_map(why)
    }

    /// The user begins a step, knowing of the failure of step `seen`; its number must be the one
    /// after the last.
    ///
    /// # Errors
    /// It is not.
    pub fn begin(
        &mut self,
        number: u64,
        what: What,
        guard: Guard,
        seen: u64,
    ) -> Result<(), String> {
        let (at, applied, ended, told, begun, sent) = (None, 0, None, 0, false, 0);
        self.steps.push(Step { what, guard, at, applied, ended, told, begun, sent, seen });
        if number != self.len() {
            return Err(format!("step {} has the number {number}", self.len()));
        }
        Ok(())
    }

    /// The user hands elements in for the step begun last; says whether it must take them.
    /// `None` where that depends on what is under way.
    pub fn push(&mut self, number: u64, more: &Elements, taken: bool) -> Result<(), String> {
        let last = self.len() == number;
        let Some(step) = self.steps.get_mut(number as usize - 1) else {
            return Err("a push to a step that was not begun".into());
        };
        let What::Run { handed, .. } = &mut step.what else {
            return if taken { Err("elements for no run".into()) } else { Ok(()) };
        };
        match (taken, last, step.ended) {
            (true, true, _) => handed.append(more),
            (true, false, _) => return Err("elements for a run that is not the last".into()),
            (false, true, None) => return Err("a run takes no elements".into()),
            (false, ..) => {}
        }
        Ok(())
    }

    // --- what leaves the opener --------------------------------------------------------------

    /// The head of a step has left.
    ///
    /// # Errors
    /// It does not follow the one before.
    pub fn head_left(&mut self, number: u64) -> Result<(), String> {
        let before = self.steps.iter().take_while(|step| step.begun).count() as u64;
        if number != before + 1 || number > self.len() {
            return Err(format!("the head of step {number} left behind that of {before}"));
        }
        self.steps[before as usize].begun = true;
        Ok(())
    }

    /// Elements of a step have left.
    ///
    /// # Errors
    /// There were not so many.
    pub fn elements_left(&mut self, number: u64, count: u64) -> Result<(), String> {
        let Some(step) = self.steps.get_mut(number as usize - 1).filter(|step| step.begun) else {
            return Err(format!("elements of step {number} before its head"));
        };
        step.sent += count;
        match &step.what {
            What::Run { handed, .. } if step.sent <= handed.len() => Ok(()),
            _ => Err(format!("{} elements of step {number} left", step.sent)),
        }
    }

    /// The streamer confirms a close: all that had left must be applied, or have failed.
    ///
    /// # Errors
    /// The step of which that is not so.
    pub fn close_confirmed(&self) -> Result<(), String> {
        let lost = |step: &&Step| {
            let all = match step.what {
                What::Run { .. } => step.applied >= step.sent,
                _ => false,
            };
            step.begun && step.ended.is_none() && !all
        };
        let lost =
            (0..self.steps.len()).find(|&n| lost(&&self.steps[n]) && self.blind(n).is_none());
        match lost.map(|n| &self.steps[n]) {
            Some(step) => Err(format!("a close was confirmed, but not applied is {step:?}")),
            None => Ok(()),
        }
    }

    // --- what is done to the data ------------------------------------------------------------

    fn settle_blind(&mut self, index: usize) {
        if let Some(code) = self.blind(index) {
            self.steps[index].ended.get_or_insert(Err(code));
        }
    }

    /// The streamer asks for the next change: it must be the one that is due.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check_ask(&mut self, ask: &Ask) -> Result<(), String> {
        while self.current < self.steps.len() {
            self.settle_blind(self.current);
            if self.current + 1 == self.steps.len() || !self.steps[self.current].is_complete() {
                break;
            }
            self.current += 1;
        }
        let here = self.here;
        let Some(step) = self.steps.get_mut(self.current) else {
            return Err(format!("{ask:?} without a step"));
        };
        let right = match (&step.what, ask) {
            (What::Run { to, handed }, Ask::Write { to: place, chunk, rules }) => {
                let first = step.at.is_none();
                let wanted = match (to, step.at) {
                    (WriteTo::At(Pos::FromEnd(0)), _) => Pos::END,
                    (_, Some(at)) => abs(at + step.applied),
                    (WriteTo::At(to), None) => *to,
                    (WriteTo::Here, None) => abs(here),
                };
                let guard = if first { step.guard.clone() } else { Guard::default() };
                let run = Elements::of(chunk);
                step.ended.is_none()
                    && *place == wanted
                    && rules.guard == guard
                    && step.applied + run.len() <= handed.len()
                    && handed.equals(step.applied, &run, 0, run.len())
            }
            (What::Truncate { edge, to }, Ask::Truncate { edge: e, to: t, rules }) => {
                step.ended.is_none() && edge == e && to == t && rules.guard == step.guard
            }
            (What::Sync { finish }, Ask::Sync { finish: f }) => step.ended.is_none() && finish == f,
            _ => false,
        };
        if right { Ok(()) } else { Err(format!("asked for {ask:?}, due is {step:?}")) }
    }

    /// The shell has made a change, or failed to: judges that, and notes what it did.
    ///
    /// # Errors
    /// Why the outcome is wrong.
    pub fn performed(
        &mut self,
        source: &mut Published,
        (ask, reply, version): (&Ask, &Reply, Vec<u8>),
        broken: Option<Code>,
    ) -> Result<(), String> {
        let step = &mut self.steps[self.current];
        let guard = match ask {
            Ask::Write { rules, .. } | Ask::Truncate { rules, .. } => rules.guard.clone(),
            _ => Guard::default(),
        };
        let failed = match reply {
            Reply::Failed(fault) => Some(fault.code),
            _ => None,
        };
        let verdict = match (ask, reply) {
            _ if failed.is_some() && failed == broken => Ok(()),
            (Ask::Write { to, chunk, .. }, reply) => {
                match (source.judge_write(&guard, *to, chunk.elements()), reply) {
                    (Ok((at, room)), Reply::Changed { at: a, elements })
                        if at == a.get() && (1..=room).contains(elements) =>
                    {
                        let run = Elements::of(chunk).slice(0, *elements);
                        source.stored(at, &run, version);
                        step.at.get_or_insert(at);
                        step.applied += elements;
                        self.here = at + elements;
                        Ok(())
                    }
                    (Err(code), _) if failed == Some(code) => Ok(()),
                    (verdict, reply) => Err(format!("{verdict:?}, but {reply:?}")),
                }
            }
            (Ask::Truncate { edge, to, .. }, reply) => {
                match (source.judge_truncate(&guard, *edge, *to), reply) {
                    (Ok(at), Reply::Changed { at: a, .. }) if at == a.get() => {
                        source.moved(*edge, at, version);
                        step.at = Some(at);
                        step.ended = Some(Ok(()));
                        Ok(())
                    }
                    (Err(code), _) if failed == Some(code) => Ok(()),
                    (verdict, reply) => Err(format!("{verdict:?}, but {reply:?}")),
                }
            }
            (_, Reply::Synced) => {
                step.ended = Some(Ok(()));
                Ok(())
            }
            (ask, reply) => Err(format!("{reply:?} to {ask:?}")),
        };
        if let Some(code) = failed {
            step.ended = Some(Err(code));
        }
        verdict
    }

    // --- what the opener is told -------------------------------------------------------------

    /// Judges what is told of a step of a stream that may be over for one of the reasons `may_end`.
    /// Says whether it is over.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn told(
        &mut self,
        number: u64,
        status: &StepStatus,
        may_end: &[Code],
    ) -> Result<bool, String> {
        if matches!(status, StepStatus::Failed { .. }) {
            self.settle_blind(number as usize - 1);
        }
        let step = &mut self.steps[number as usize - 1];
        let wrong = |step: &Step| Err(format!("step {number} is told as {status:?}: {step:?}"));
        let count = match status {
            StepStatus::Pending { count }
            | StepStatus::Done { count, .. }
            | StepStatus::Failed { count, .. } => *count,
        };
        if count < step.told || count > step.applied {
            return wrong(step);
        }
        step.told = count;
        let at = |at: &Option<Position>| at.map(Position::get);
        let right = match (status, &step.what) {
            (StepStatus::Pending { .. }, _) => true,
            (StepStatus::Done { at: told, .. }, What::Run { handed, .. }) => {
                count == handed.len() && at(told) == step.at
            }
            (StepStatus::Done { at: told, .. }, What::Truncate { .. }) => {
                step.ended == Some(Ok(())) && at(told) == step.at
            }
            (StepStatus::Done { .. }, What::Sync { .. }) => step.ended == Some(Ok(())),
            (StepStatus::Failed { fault, at: told, .. }, _) => {
                let place = at(told).is_none() || at(told) == step.at;
                let failed = step.ended == Some(Err(fault.code)) && count == step.applied;
                place && (failed || may_end.contains(&fault.code))
            }
        };
        if right { Ok(!matches!(status, StepStatus::Pending { .. })) } else { wrong(step) }
    }

    /// The first step that is not over, on a stream on which all should be.
    #[must_use]
    pub fn first_open(&self) -> Option<u64> {
        let open = self.steps.iter().position(|step| !step.is_complete())?;
        Some(open as u64 + 1)
    }

    /// Where a run that begins behind the one before would go.
    #[must_use]
    pub const fn here(&self) -> u64 {
        self.here
    }
}

fn abs(at: u64) -> Pos {
    Pos::Abs(Position::new(at).unwrap_or(Position::MAX))
}

/// What a stream on which a step is begun must say at once, before it is asked for; none where the
/// mode allows it.
#[must_use]
pub fn refusal(source: &Published, writable: bool, what: &What) -> Option<Code> {
    let allows = |operation| writable && source.allows(operation);
    let seeks = source.flags.has_any(farlens_wire::Flags::SEEK);
    let right = match what {
        What::Run { to: WriteTo::At(Pos::FromEnd(0)), .. } => {
            allows(Operation::Write) && allows(Operation::Extend)
        }
        What::Run { to, .. } => {
            allows(Operation::Write) && !source.append_only && (*to == WriteTo::Here || seeks)
        }
        What::Truncate { .. } if source.append_only => false,
        What::Truncate { edge: Edge::Before, .. } => allows(Operation::TruncateBefore),
        What::Truncate { edge: Edge::After, .. } => {
            allows(Operation::TruncateAfter) || allows(Operation::Extend)
        }
        What::Sync { .. } => allows(Operation::Sync),
    };
    (!right).then_some(Code::MODE_FORBIDS)
}

/// The length of a chunk, for traces.
#[must_use]
pub fn length(ask: &Ask) -> u64 {
    match ask {
        Ask::Write { chunk: Chunk::Bytes(bytes), .. } => bytes.len() as u64,
        Ask::Write { chunk: Chunk::Items(batch), .. } => batch.count(),
        _ => 0,
    }
}
