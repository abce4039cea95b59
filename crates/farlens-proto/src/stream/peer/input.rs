//! What the streamer's frames do to the opener's side: each is checked against what was asked for
//! and granted, then applied.

use super::{Finish, Partial, Phase, StreamInfo, StreamPeer};
use crate::{
    buffer::chunk::{BatchBuilder, Chunk, ItemBatch},
    error::Violation,
    stream::{recv::ReceiveBudget, seek::Wish},
};
use bytes::BytesMut;
use farlens_wire::{
    Code, Epoch, Flags, Kind, Pos, Position,
    frame::stream::{Broken, Data, End, Opened, SeekFailed, Sought, State, UpToDate},
};

impl StreamPeer {
    pub(crate) fn handle_opened(&mut self, opened: Opened) -> Result<(), Violation> {
        if self.phase == Phase::Closing {
            return Ok(());
        }
        if self.phase != Phase::Opening {
            return Err(Violation::protocol("a stream was opened twice"));
        }
        let wanted = self.request.flags.without(opened.mode.flags()) == Flags::NONE
            && self.request.kind.is_none_or(|kind| kind == opened.kind);
        check_state(&opened.state)?;
        if !wanted || !opened.state.bounds.contains(opened.at) {
            return Err(Violation::protocol("a stream was opened otherwise than asked"));
        }
        let asked = self.credit();
        self.position = opened.at;
        self.state = opened.state;
        self.info = Some(StreamInfo {
            kind: opened.kind,
            mode: opened.mode,
            fingerprint: opened.fingerprint,
            schema: opened.schema,
            opened_at: opened.at,
        });
        self.phase = Phase::Open;
        self.slots.limit = self.credit() != asked;
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

    fn check_place(&self, at: Position) -> Result<(), Violation> {
        if self.position.forward(self.buffer.elements()) == Some(at) {
            return Ok(());
        }
        Err(Violation::protocol("elements that do not follow the ones before"))
    }

    fn check_kind(&self, kind: Kind) -> Result<(), Violation> {
        if self.info.as_ref().is_some_and(|info| info.kind == kind) {
            return Ok(());
        }
        Err(Violation::protocol("elements of another kind than the stream's"))
    }

    pub(crate) fn handle_data(&mut self, data: Data) -> Result<(), Violation> {
        if !self.is_current(data.epoch)? {
            return Ok(());
        }
        self.check_kind(Kind::Bytes)?;
        self.check_place(data.at)?;
        let length = data.payload.len() as u64;
        data.at.forward(length).ok_or_else(|| Violation::protocol("bytes beyond 2^63-1"))?;
        self.receive.take_bytes(length)?;
        self.deliver(Chunk::Bytes(data.payload));
        Ok(())
    }

    pub(crate) fn handle_items(
        &mut self,
        data: Data,
        message_bytes: usize,
    ) -> Result<(), Violation> {
        if !self.is_current(data.epoch)? {
            return Ok(());
        }
        self.check_kind(Kind::Items)?;
        self.check_place(data.at)?;
        let (at, encoded) = (data.at, data.payload.len() as u64);
        let batch = ItemBatch::parse(data.payload).map_err(|_| {
            Violation::new(Code::MALFORMED, "the lengths of entities do not add up")
        })?;
        if batch.is_empty() || self.partial.is_some() {
            return Err(Violation::protocol("no entities, or between the parts of one"));
        }
        at.forward(batch.count()).ok_or_else(|| Violation::protocol("entities beyond 2^63-1"))?;
        self.receive.take_items(batch.count(), encoded, || batch.last_encoded_len() as u64)?;
        let chunk = Chunk::Items(batch);
        if chunk.first_over(message_bytes).is_some() {
            return Err(too_large(message_bytes));
        }
        self.deliver(chunk);
        Ok(())
    }

    pub(crate) fn handle_part(
        &mut self,
        total: u64,
        part: &Data,
        message_bytes: usize,
    ) -> Result<(), Violation> {
        if !self.is_current(part.epoch)? {
            return Ok(());
        }
        self.check_kind(Kind::Items)?;
        self.check_place(part.at)?;
        let total = usize::try_from(total).ok().filter(|&total| total <= message_bytes);
        let total = total.ok_or_else(|| too_large(message_bytes))?;
        let mut partial = match self.partial.take() {
            Some(partial) => partial,
            None => {
                self.receive.check_item_start(0)?;
                Partial { total, bytes: BytesMut::new() }
            }
        };
        let filled = partial.bytes.len().saturating_add(part.payload.len());
        if partial.total != total || filled > total {
            return Err(Violation::protocol("the parts of an entity do not add up"));
        }
        // Copied on purpose: an entity must be contiguous to be decoded.
        partial.bytes.extend_from_slice(&part.payload);
        if filled < total {
            self.partial = Some(partial);
            return Ok(());
        }
        let mut batch = BatchBuilder::default();
        batch.push(&partial.bytes);
        let batch = batch.finish();
        let length = batch.encoded().len() as u64;
        self.receive.take_items(1, length, || length)?;
        self.deliver(Chunk::Items(batch));
        Ok(())
    }

    fn deliver(&mut self, chunk: Chunk) {
        self.finish = None;
        self.buffer.push(chunk);
    }

    /// What follows elements follows the last of them, and no part of one.
    fn check_tail(&self, at: Position) -> Result<(), Violation> {
        if self.partial.is_some() {
            return Err(Violation::protocol("an entity was not sent to its end"));
        }
        self.check_place(at)
    }

    pub(crate) fn handle_up_to_date(&mut self, frame: UpToDate) -> Result<(), Violation> {
        if self.is_current(frame.epoch)? {
            self.check_tail(frame.at)?;
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
        if self.is_current(frame.epoch)? {
            self.check_tail(frame.at)?;
            self.finish = Some(Finish::Broken(frame.fault));
        }
        Ok(())
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
        self.state = frame.state;
        // Where a newer seek waits this one is as if it had never been, should that one fail.
        if self.seeks.waiting.is_none() {
            self.position = frame.at;
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
            self.finish = Some(Finish::Broken(frame.fault));
        } else {
            self.seeks.outcome = Some(Err(frame.fault));
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

fn too_large(message_bytes: usize) -> Violation {
    Violation::new(Code::TOO_LARGE, format!("an entity of more than {message_bytes} bytes"))
}

fn check_state(state: &State) -> Result<(), Violation> {
    state.fault().map_or(Ok(()), |what| Err(Violation::protocol(what)))
}
