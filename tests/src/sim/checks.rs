//! What must hold of the links after every step.

use super::{Seen, World, ensure};
use farlens_proto::{RangeStatus, RangeTicket, SeekStatus, StepStatus};
use farlens_wire::{Code, Limits, Position, Step};

impl World {
    /// Looks at the streams of which the links told something.
    pub(super) fn observe(&mut self) -> Result<(), String> {
        for index in 0..self.slots.len() {
            self.excuse(index);
            if self.slots[index].dirty {
                self.look(index).map_err(|text| self.blame(index, &text))?;
            }
        }
        Ok(())
    }

    /// Notes for which reasons a stream may be over by now.
    fn excuse(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if let Some(fault) = self.nodes[slot.key.opener].link.over() {
            slot.reader.may_end.push(fault.code);
        } else if self.nodes.iter().any(|node| node.drained) {
            slot.reader.may_end.push(Code::GOING_AWAY);
        }
        slot.reader.may_end.dedup();
    }

    pub(super) fn look(&mut self, index: usize) -> Result<(), String> {
        let slot = &mut self.slots[index];
        let link = &mut self.nodes[slot.key.opener].link;
        let stream = slot.key.stream;
        if slot.reader.at.is_none()
            && let Some(info) = link.stream_info(stream)
        {
            let at = info.opened_at.get();
            ensure!(slot.expected == Some(Ok(at)), "opened at {at}, not {:?}", slot.expected);
            slot.reader.opened(at);
        }
        let status = link.take_seek_status(stream);
        if status != SeekStatus::Idle {
            let number = match &status {
                SeekStatus::Done(at) => at.get(),
                SeekStatus::Failed(fault) => u64::from(fault.code.number()) << 32,
                _ => u64::MAX,
            };
            self.trace.note(self.now, "seek status", &[index as u64, number]);
        }
        slot.reader.sought(&self.published[slot.source], &status, false)?;
        let position = link.stream_position(stream).map(Position::get);
        if slot.reader.at.is_some() && !slot.reader.is_seeking() {
            let source = &self.published[slot.source];
            if position.is_some_and(|place| slot.reader.may_begin(source, place)) {
                self.trace.count(Seen::LateStarts);
            }
            let at = slot.reader.at;
            ensure!(position == at, "the link says {position:?}, the model {at:?}");
        }
        self.look_at_steps(index)
    }

    fn look_at_steps(&mut self, index: usize) -> Result<(), String> {
        let slot = &mut self.slots[index];
        let link = &mut self.nodes[slot.key.opener].link;
        let Some(record) = self.records.get_mut(&slot.key) else { return Ok(()) };
        let writer = &mut record.writer;
        let may_end = &slot.reader.may_end;
        let mut over = Vec::new();
        for &number in &slot.steps {
            let status = link.step_status(slot.key.stream, Step(number));
            if writer.told(number, &status, may_end)? && number < writer.len() {
                over.push(number);
                let done = matches!(status, StepStatus::Done { .. });
                self.trace.count(if done { Seen::Steps } else { Seen::Failures });
            }
        }
        for number in over {
            slot.steps.remove(&number);
            if number % 3 == 0 {
                link.forget_step(slot.key.stream, Step(number));
            }
        }
        Ok(())
    }

    /// A range is over, or its ticket was never given.
    pub(super) fn range_done(&mut self, index: usize, ticket: RangeTicket) -> Result<(), String> {
        self.excuse(index);
        let slot = &mut self.slots[index];
        if slot.forgotten.contains(&ticket) {
            return Ok(());
        }
        let Some(place) = slot.places.remove(&ticket) else {
            return Err(format!("{ticket:?} is done twice, or was never asked for"));
        };
        let status = self.nodes[slot.key.opener].link.take_range(slot.key.stream, ticket);
        self.judge_range(index, &place, &status)
    }

    pub(super) fn judge_range(
        &mut self,
        index: usize,
        place: &crate::model::places::Place,
        status: &RangeStatus,
    ) -> Result<(), String> {
        let slot = &self.slots[index];
        let (what, number) = match status {
            RangeStatus::Done(bytes) if (bytes.len() as u64) < place.length => {
                (Seen::ShortRanges, bytes.len() as u64)
            }
            RangeStatus::Done(bytes) => (Seen::Ranges, bytes.len() as u64),
            RangeStatus::Failed(fault) => (Seen::FailedRanges, u64::from(fault.code.number())),
            RangeStatus::Pending => (Seen::FailedRanges, 0),
        };
        self.trace.count(what);
        self.trace.note(self.now, "range done", &[index as u64, place.at, number]);
        place.judge(&self.published[slot.source], status, &slot.reader.may_end)
    }

    /// What must hold of the counters at any time.
    pub(super) fn check(&self) -> Result<(), String> {
        for (node, limits) in self.nodes.iter().zip(&self.limits) {
            let stats = node.link.stats();
            let window = limits.stream_window_max_bytes.min(Limits::MIN_WINDOW_BYTES);
            let (serving, consuming) = (stats.serving as u64, stats.consuming as u64);
            // A stream beyond the budget still gets a little: to read, for ranges, and to be written.
            let least = (serving + consuming) * window + consuming * Limits::MIN_WINDOW_BYTES;
            let granted = limits.receive_budget_max_bytes + least;
            ensure!(stats.granted_bytes <= granted, "{} granted", stats.granted_bytes);
            let queue = limits.send_queue_bytes + stats.serving * (2 << 20);
            ensure!(stats.queued_bytes <= queue, "{} queued", stats.queued_bytes);
            ensure!(stats.serving <= 2 * limits.streams as usize, "{} served", stats.serving);
            ensure!(stats.calls_in <= limits.calls as usize, "{} calls", stats.calls_in);
            ensure!(
                !node.told_over || stats.granted_bytes == 0 && stats.queued_bytes == 0,
                "a link that is over holds {stats:?}"
            );
        }
        Ok(())
    }

    /// Sources and model agree on what there is.
    pub(super) fn check_contents(&self) -> Result<(), String> {
        for (index, (store, published)) in self.stores.iter().zip(&self.published).enumerate() {
            let (start, end) = (published.last().start, published.end());
            ensure!((store.start, store.end()) == (start, end), "the ends of source {index}");
            ensure!(store.elements == published.contents(), "the contents of source {index}");
        }
        Ok(())
    }
}
