//! What the streamer's frames do to the opener's side: each is checked against what was asked for
//! and granted, then applied.

use super::{Finish, Phase, StreamInfo, StreamPeer};
use crate::{
    buffer::chunk::Chunk,
    error::Violation,
    stream::{recv::ReceiveBudget, seek::Wish},
};
use farlens_wire::{
    Code, Epoch, Flags, Kind, Pos, Position, Reference,
    frame::{
        StreamFrame,
        stream::{Broken, Credit, End, Gap, Opened, SeekFailed, Sought, State, UpToDate},
    },
};

/// Gaps that are remembered, each of which costs forty bytes. A reader who wants the latest has
/// one for each entity of its credit.
const MAX_GAPS: usize = 65_536;

impl StreamPeer {
    pub(crate) fn handle_opened(
        &mut self,
        opened: Opened,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        if self.phase == Phase::Closing {
            self.close_withdrawn();
            return Ok(());
        }
        if self.phase != Phase::Opening {
            return Err(Violation::protocol("a stream was opened twice"));
        }
        let told = self.credit();
        let asked = self.asked.take();
        let wanted = asked.as_ref().is_none_or(|asked| {
            asked.request.flags.without(opened.mode.flags()) == Flags::NONE
                && asked.request.kind.is_none_or(|kind| kind == opened.kind)
        });
        check_state(&opened.state)?;
        if !wanted || !opened.state.bounds.contains(opened.at) {
            return Err(Violation::protocol("a stream was opened otherwise than asked"));
        }
        self.position = opened.at;
        self.runs.begin(opened.at);
        self.intake.restart(opened.at);
        if opened.write != Credit::default() {
            self.writer.get_or_insert_default().raise(opened.write)?;
        }
        self.state = opened.state;
        self.info = Some(StreamInfo {
            kind: opened.kind,
            mode: opened.mode,
            append_only: opened.append_only,
            fingerprint: opened.fingerprint,
            schema: opened.schema,
            opened_at: opened.at,
        });
        self.phase = Phase::Open;
        self.check_early_ranges(budget);
        self.slots.limit = self.credit() != told;
        if asked.is_some_and(|asked| asked.is_read) {
            self.grant_first(budget);
        }
        Ok(())
    }

    /// Whether a frame of `epoch` is for the present; an older one is stale.
    fn is_current(&self, epoch: Epoch) -> Result<bool, Violation> {
        if epoch > self.epoch || self.phase == Phase::Opening {
            return Err(Violation::protocol("a frame of an epoch that was not asked for"));
        }
        let current = epoch == self.epoch && self.phase == Phase::Open;
        let ended = matches!(self.finish, Some(Finish::End(_) | Finish::Broken(_)));
        if current && (self.seeks.under_way || ended) {
            return Err(Violation::protocol(
                "elements before the answer to a seek or after the end",
            ));
        }
        Ok(current)
    }

    /// A bulk frame with elements of `epoch`.
    pub(crate) fn handle_elements(
        &mut self,
        epoch: Epoch,
        frame: StreamFrame,
        message_bytes: usize,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        if !self.is_current(epoch)? {
            return Ok(());
        }
        let kind = self.kind()?;
        if let Some(chunk) = self.intake.take(frame, (kind, message_bytes), budget)? {
            self.finish = None;
            self.arrive(chunk);
        }
        Ok(())
    }

    /// What an element of `epoch` refers to that comes next. Dropped where the element will be.
    pub(crate) fn handle_table(
        &mut self,
        epoch: Epoch,
        at: Position,
        table: Vec<Reference>,
    ) -> Result<(), Violation> {
        if !self.is_current(epoch)? {
            return Ok(());
        }
        let kind = self.kind()?;
        self.intake.take_table(at, table, kind)
    }

    fn kind(&self) -> Result<Kind, Violation> {
        let kind = self.info.as_ref().map(|info| info.kind);
        kind.ok_or_else(|| Violation::protocol("elements before the stream is open"))
    }

    /// Elements show that the end lies behind them, whatever was told of it.
    fn arrive(&mut self, chunk: Chunk) {
        let after = self.intake.next();
        self.unbegun = false;
        if self.state.bounds.end.is_some_and(|end| end < after) {
            self.state.bounds.end = Some(after);
        }
        self.buffer.push(chunk);
    }

    /// Elements are left out. Between two gaps lies an element at least, so there are not more
    /// gaps to remember than elements.
    pub(crate) fn handle_gap(&mut self, gap: Gap) -> Result<(), Violation> {
        if !self.is_current(gap.epoch)? {
            return Ok(());
        }
        self.check_tail(gap.at)?;
        if gap.to <= gap.at {
            return Err(Violation::protocol("a gap without an element"));
        }
        self.finish = None;
        self.intake.restart(gap.to);
        let gap = Gap { at: self.begin_within(&gap), ..gap };
        if gap.at == gap.to {
            return Ok(());
        }
        self.unbegun = false;
        let gaps = &mut self.gaps.get_or_insert_default().0;
        match gaps.back_mut().filter(|before| before.to == gap.at) {
            Some(before) => {
                before.to = gap.to;
                before.evicted |= gap.evicted;
            }
            None => gaps.push_back(gap),
        }
        if gaps.len() > MAX_GAPS {
            let text = format!("more than {MAX_GAPS} gaps that nobody has come to");
            return Err(Violation::new(Code::EXCESSIVE_LOAD, text));
        }
        Ok(())
    }

    /// Where a gap begins for the consumer. One who asked for the first element that there is
    /// misses nothing of what was dropped before any came: its stream begins behind that.
    fn begin_within(&mut self, gap: &Gap) -> Position {
        if !self.unbegun {
            return gap.at;
        }
        let start = self.state.bounds.start.unwrap_or(gap.at);
        let first = if gap.evicted { gap.to } else { start.clamp(gap.at, gap.to) };
        self.position = first;
        self.runs.begin(first);
        first
    }

    /// What follows elements follows the last of them, and no part of one.
    fn check_tail(&self, at: Position) -> Result<(), Violation> {
        self.intake.check_between(at)
    }

    pub(crate) fn handle_up_to_date(&mut self, frame: UpToDate) -> Result<(), Violation> {
        if self.is_current(frame.epoch)? {
            self.check_tail(frame.at)?;
            self.unbegun = false;
            self.finish = Some(Finish::UpToDate);
        }
        Ok(())
    }

    pub(crate) fn handle_end(&mut self, frame: End) -> Result<(), Violation> {
        if self.is_current(frame.epoch)? {
            self.check_tail(frame.at)?;
            self.finish = Some(Finish::End(frame.at));
        }
        Ok(())
    }

    pub(crate) fn handle_broken(&mut self, frame: Broken) -> Result<(), Violation> {
        if self.is_cut_after_end(&frame) {
            // Who has met the end has met it; who has not must not get what is gone.
            if self.is_readable() {
                self.drop_behind_the_end();
                self.finish = Some(Finish::Broken(Box::new(frame.fault)));
            }
            return Ok(());
        }
        if self.is_current(frame.epoch)? {
            self.check_tail(frame.at)?;
            if frame.fault.code == Code::TRUNCATED {
                self.drop_behind_the_end();
            }
            self.finish = Some(Finish::Broken(Box::new(frame.fault)));
        }
        Ok(())
    }

    /// Whether data was cut before an end that had been told.
    fn is_cut_after_end(&self, frame: &Broken) -> bool {
        frame.epoch == self.epoch
            && self.phase == Phase::Open
            && !self.seeks.under_way
            && frame.fault.code == Code::TRUNCATED
            && matches!(self.finish, Some(Finish::End(at)) if at == frame.at)
    }

    /// Forgets elements that no longer exist.
    fn drop_behind_the_end(&mut self) {
        let Some(end) = self.state.bounds.end else { return };
        let (mut from, mut exist) = (self.position, 0u64);
        if let Some(gaps) = &mut self.gaps {
            gaps.0.retain(|gap| gap.at < end);
            for gap in &gaps.0 {
                exist = exist.saturating_add(gap.at.since(from));
                from = gap.to;
            }
        }
        self.buffer.truncate(exist.saturating_add(end.since(from)));
        // A seek behind what is left must ask the streamer.
        self.intake.restart(self.intake.next().min(end.max(from)));
    }

    pub(crate) fn handle_state(&mut self, state: State) -> Result<(), Violation> {
        if self.phase == Phase::Opening {
            return Err(Violation::protocol("news of a stream that is not open"));
        }
        check_state(&state)?;
        self.state = state;
        Ok(())
    }

    pub(crate) fn handle_sought(
        &mut self,
        frame: Sought,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        if !self.take_answer(frame.epoch)? {
            return Ok(());
        }
        check_state(&frame.state)?;
        if !frame.state.bounds.contains(frame.at) {
            return Err(Violation::protocol("a seek led out of the bounds"));
        }
        self.state = frame.state;
        self.intake.restart(frame.at);
        // Where a newer seek waits this one is as if it had never been, should that one fail.
        if self.seeks.waiting.is_none() {
            self.position = frame.at;
            self.runs.begin(frame.at);
            self.at_end = self.seeks.at_end;
        }
        if !std::mem::take(&mut self.seeks.silent) {
            self.seeks.outcome = Some(Ok(frame.at));
        }
        self.start_waiting_seek(budget);
        Ok(())
    }

    pub(crate) fn handle_seek_failed(
        &mut self,
        frame: SeekFailed,
        budget: &mut ReceiveBudget,
    ) -> Result<(), Violation> {
        if !self.take_answer(frame.epoch)? {
            return Ok(());
        }
        check_state(&frame.state)?;
        self.state = frame.state;
        if std::mem::take(&mut self.seeks.silent) {
            self.finish = Some(Finish::Broken(Box::new(frame.fault)));
        } else {
            self.seeks.outcome = Some(Err(Box::new(frame.fault)));
            if self.seeks.waiting.is_none() {
                let back = Wish { to: Pos::Abs(self.position), at_end: self.at_end };
                self.send_seek(back, budget);
                self.seeks.silent = true;
            }
        }
        self.start_waiting_seek(budget);
        Ok(())
    }

    /// Takes the answer to the seek under way; says whether anybody still cares.
    fn take_answer(&mut self, epoch: Epoch) -> Result<bool, Violation> {
        if self.phase == Phase::Closing {
            return Ok(false);
        }
        if !self.seeks.under_way || epoch != self.epoch {
            return Err(Violation::protocol("an answer to a seek that was not made"));
        }
        self.seeks.under_way = false;
        Ok(true)
    }
}

fn check_state(state: &State) -> Result<(), Violation> {
    state.fault().map_or(Ok(()), |what| Err(Violation::protocol(what)))
}
