//! What the opener's side does to write: what the mode forbids is refused here, at once.

use super::{Phase, Rights, StreamPeer, closed};
use crate::{
    buffer::chunk::Chunk,
    change::Reach,
    error::Violation,
    link::Lender,
    stream::{
        lane::{allowed, judge_run, judge_truncate},
        writer::{StepStatus, Writer, too_many_steps},
    },
};
use bytes::BytesMut;
use farlens_wire::{
    Code, Edge, Operation, Pos, Step,
    frame::{
        Fault,
        stream::{Guard, State, StreamControl, Sync, Truncate, Write, WriteTo},
    },
};

impl StreamPeer {
    /// Begins a run of elements.
    pub(crate) fn write(
        &mut self,
        to: WriteTo,
        length: Option<u64>,
        guard: Guard,
    ) -> Result<Step, Fault> {
        check_guard(&guard)?;
        let head = |step| Write { step, to, length, guard }.into();
        self.begin(|rights| judge_run(to, rights), head)
    }

    /// Moves an end.
    pub(crate) fn truncate(&mut self, edge: Edge, to: Pos, guard: Guard) -> Result<Step, Fault> {
        check_guard(&guard)?;
        let head = |step| Truncate { step, edge, to, guard }.into();
        self.begin(|rights| judge_truncate(edge, rights), head)
    }

    /// Makes durable what was written.
    pub(crate) fn sync(&mut self, finish: bool) -> Result<Step, Fault> {
        let judge = |rights| allowed(rights, Operation::Sync);
        let seen = self.writer.as_ref().map_or(Step::default(), |writer| writer.seen());
        self.begin(judge, |step| Sync { step, seen, finish }.into())
    }

    fn begin(
        &mut self,
        judge: impl FnOnce(Rights) -> Result<(), Fault>,
        head: impl FnOnce(Step) -> StreamControl,
    ) -> Result<Step, Fault> {
        let info = match (&self.phase, &self.info) {
            (Phase::Over(fault), _) => return Err((**fault).clone()),
            (Phase::Closing, _) => return Err(closed()),
            (_, None) => return Err(Fault::new(Code::CLOSED, "the stream is not open yet")),
            (_, Some(info)) => info,
        };
        let (mode, append_only) = (info.mode, info.append_only);
        judge(Rights { mode, append_only, reach: Reach::default() })?;
        let writer = self.writer.get_or_insert_default();
        if let Some(fault) = writer.refusal() {
            return Err(fault.clone());
        }
        if writer.is_finished() {
            return Err(Fault::new(Code::CLOSED, "nothing more may be written to this stream"));
        }
        if !writer.may_begin() {
            writer.note_stall();
            return Err(too_many_steps());
        }
        Ok(writer.begin(head))
    }

    /// Whether `step` is a run that takes more elements.
    pub(crate) fn takes_more(&self, step: Step) -> bool {
        self.phase == Phase::Open && self.writer.as_ref().is_some_and(|writer| writer.is_open(step))
    }

    /// Adds elements to the run that was begun last.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.writer.get_or_insert_default().push(chunk);
    }

    /// Whether a writer who can wait should go on.
    pub(crate) fn is_writable(&self) -> bool {
        let room = |writer: &Writer| writer.has_room() && writer.may_begin();
        self.phase == Phase::Open && self.writer.as_deref().is_none_or(room)
    }

    /// How often a writer found no room, or left none.
    pub(crate) fn stalls(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| writer.stalls())
    }

    /// Whether nothing that was written waits to be applied.
    pub(crate) fn is_settled(&self) -> bool {
        self.writer.as_ref().is_none_or(|writer| writer.is_settled())
    }

    /// What became of a step.
    pub(crate) fn step_status(&self, step: Step) -> StepStatus {
        match &self.writer {
            Some(writer) => writer.status(step),
            None => Writer::default().status(step),
        }
    }

    /// Nobody will ask for a step any more.
    pub(crate) fn forget_step(&mut self, step: Step) {
        if let Some(writer) = &mut self.writer {
            writer.forget(step);
        }
    }

    /// What the streamer says of the steps.
    pub(crate) fn handle_step_frame(&mut self, frame: StreamControl) -> Result<(), Violation> {
        match self.phase {
            Phase::Opening => {
                return Err(Violation::protocol("an answer before the stream is open"));
            }
            Phase::Closing | Phase::Over(_) => return Ok(()),
            Phase::Open => {}
        }
        let writer = self.writer.get_or_insert_default();
        match frame {
            StreamControl::WriteLimit(limit) => writer.raise(limit.credit),
            StreamControl::Written(frame) => writer.handle_written(frame, &mut self.state.bounds),
            StreamControl::WriteFailed(frame) => writer.handle_failed(frame),
            _ => Ok(()),
        }
    }

    /// Whether something that is written may go out.
    pub(crate) fn has_data(&self) -> bool {
        self.phase == Phase::Open && self.writer.as_ref().is_some_and(|writer| writer.has_data())
    }

    /// Appends one frame of what is written.
    pub(crate) fn put_data(
        &mut self,
        out: &mut BytesMut,
        id: u64,
        room: usize,
        lender: &mut Lender<'_>,
    ) -> bool {
        self.writer.as_mut().is_some_and(|writer| writer.put_data(out, id, room, lender))
    }

    /// Whether a step has failed on this side, before all of it was sent; told once.
    pub(crate) fn take_refusal(&mut self) -> bool {
        self.writer.as_mut().is_some_and(|writer| writer.take_refusal())
    }
}

/// No data has a longer version, so the condition could never hold.
fn check_guard(guard: &Guard) -> Result<(), Fault> {
    if guard.version.as_ref().is_some_and(|version| version.len() > State::VERSION_BYTES) {
        let text = format!("a version has at most {} bytes", State::VERSION_BYTES);
        return Err(Fault::new(Code::USAGE, text));
    }
    Ok(())
}
