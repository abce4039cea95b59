//! How links and worlds end.

use super::{Key, Node, Slot, World, clock::Task, ensure};
use crate::{model::Last, source::position, wire::Wire};
use bytes::BytesMut;
use farlens_proto::{Ask, LinkStats, OpenRequest, Time};
use farlens_wire::{AtEnd, Flags, Pos, Side};

impl World {
    /// Lets both links end, looks at what they left, and makes a new connection on which every
    /// user that can goes on from where it stands.
    pub(super) fn reconnect(&mut self) -> Result<(), String> {
        while self.nodes.iter().any(|node| !node.told_over) {
            ensure!(self.advance(None)?, "a link that does not end");
        }
        self.farewell()?;
        self.forget_tasks();
        self.harmed = false;
        self.connection += 1;
        let sides = [Side::Initiator, Side::Acceptor];
        for (node, side) in sides.into_iter().enumerate() {
            self.nodes[node] = Node::new(side, self.limits[node].clone(), self.now);
            self.wires[node] = Wire::new(self.cut, self.latency);
        }
        self.trace.note(self.now, "reconnect", &[]);
        for slot in std::mem::take(&mut self.slots) {
            let start = Pos::Abs(position(slot.reader.at.unwrap_or(0)));
            let request = OpenRequest { start, at_end: slot.reader.at_end, ..slot.request };
            self.open(slot.key.opener, slot.source, request)?;
        }
        self.pump()
    }

    /// What a shell was at ends with its link, but for changes, some of which are still made.
    fn forget_tasks(&mut self) {
        for (due, task) in std::mem::take(&mut self.agenda) {
            let goes_on = match &task {
                Task::Perform { ask: Ask::Write { .. } | Ask::Truncate { .. }, .. } => {
                    self.rng.one_in(2)
                }
                _ => false,
            };
            if goes_on {
                self.agenda.insert(due, task);
            }
        }
    }

    /// Reads what is left on links that are over, and closes it: nothing may stay.
    fn farewell(&mut self) -> Result<(), String> {
        for index in 0..self.slots.len() {
            for _ in 0..10_000 {
                self.read(index, u64::MAX).map_err(|text| self.blame(index, &text))?;
                let slot = &self.slots[index];
                if slot.reader.last.is_some() {
                    break;
                }
            }
            let slot = &self.slots[index];
            let Key { opener, stream, .. } = slot.key;
            let ended = slot.reader.last.is_some() && !slot.reader.is_seeking();
            ensure!(ended, "user {index} hears nothing of the end of its link");
            ensure!(slot.places.is_empty(), "user {index} waits for a range");
            let link = &mut self.nodes[opener].link;
            ensure!(link.is_settled(stream), "user {index} waits for a step");
            link.close_stream(stream);
        }
        for (index, node) in self.nodes.iter_mut().enumerate() {
            // A full socket may have held the farewell back.
            node.link.poll_transmit(&mut BytesMut::new(), Time::from_micros(self.now));
            ensure!(!node.link.has_output(), "a link that is over wants to speak");
            ensure!(node.link.stats() == LinkStats::default(), "{:?}", node.link.stats());
            ensure!(node.calls.is_empty(), "calls of node {index} have no answer");
            ensure!(node.wanted.is_empty() && node.serving.is_empty(), "streams are still served");
            ensure!(node.handling.is_empty(), "handlers were not cancelled");
            ensure!(node.link.poll_timeout().is_none(), "a link that is over wants to be woken");
        }
        Ok(())
    }

    /// No more faults: everything that was begun must come to its end, and only what the links
    /// tell may be needed for that.
    pub(super) fn liveness(&mut self) -> Result<(), String> {
        self.trace.note(self.now, "liveness", &[]);
        for source in 0..self.stores.len() {
            self.repair(source);
        }
        let leaving = self.nodes.iter().any(|node| node.drained || node.link.over().is_some());
        if leaving {
            // A side that drains waits for readers; these let go.
            for slot in std::mem::take(&mut self.slots) {
                self.nodes[slot.key.opener].link.close_stream(slot.key.stream);
            }
            self.pump()?;
            self.reconnect()?;
        }
        for slot in &mut self.slots {
            slot.dirty = true;
        }
        loop {
            let mut busy = false;
            for index in 0..self.slots.len() {
                while self.slots[index].dirty {
                    busy = true;
                    self.slots[index].dirty = false;
                    self.look(index).map_err(|text| self.blame(index, &text))?;
                    self.push_on(index)?;
                }
            }
            self.pump()?;
            if busy || self.slots.iter().any(|slot| slot.dirty) {
                continue;
            }
            if self.is_done() {
                return Ok(());
            }
            let waits = self.agenda.is_empty() && self.wires.iter().all(Wire::is_empty);
            if waits {
                return Err(self.stuck());
            }
            ensure!(self.advance(None)?, "nothing is due");
            if self.nodes.iter().any(|node| node.told_over) {
                // A stall of the first phase may have killed the link.
                self.reconnect()?;
            }
        }
    }

    /// Does what the user of a reader would do next.
    fn push_on(&mut self, index: usize) -> Result<(), String> {
        self.count_step()?;
        let slot = &self.slots[index];
        if slot.reader.is_seeking() {
            return Ok(());
        }
        if slot.reader.last == Some(Last::Broken) {
            let source = &self.published[slot.source];
            if let Some(to) = slot.reader.at.and_then(|at| Self::way_on(source, at)) {
                let at_end = slot.reader.at_end;
                let outcome = self.seek(index, to, at_end, false);
                return outcome.map_err(|text| self.blame(index, &text));
            }
            return Ok(());
        }
        if slot.reader.last.is_none() {
            self.read(index, u64::MAX).map_err(|text| self.blame(index, &text))?;
            let slot = &mut self.slots[index];
            slot.dirty |= slot.reader.last == Some(Last::Broken);
        }
        Ok(())
    }

    fn is_slot_done(&self, slot: &Slot) -> bool {
        let link = &self.nodes[slot.key.opener].link;
        self.has_read_all(slot)
            && slot.places.is_empty()
            && link.is_settled(slot.key.stream)
            && (link.stream_over(slot.key.stream).is_some() || self.has_applied_all(slot))
    }

    fn has_applied_all(&self, slot: &Slot) -> bool {
        self.records.get(&slot.key).is_none_or(|record| record.writer.first_open().is_none())
    }

    fn has_read_all(&self, slot: &Slot) -> bool {
        let source = &self.published[slot.source];
        let (link, stream) = (&self.nodes[slot.key.opener].link, slot.key.stream);
        let wants = slot.request.ahead != farlens_proto::Ahead::Nothing
            && slot.request.flags.has(Flags::READABLE);
        if slot.reader.is_seeking() {
            return false;
        }
        match slot.reader.last {
            Some(Last::Broken) => {
                let way_on = slot.reader.at.and_then(|at| Self::way_on(source, at));
                way_on.is_none() || link.stream_over(stream).is_some()
            }
            Some(_) => true,
            None if !wants => slot.reader.at.is_some(),
            None => {
                slot.reader.at_end == AtEnd::Follow
                    && !source.last().ended
                    && slot.reader.at == Some(source.end())
                    && link.is_up_to_date(stream)
            }
        }
    }

    fn is_done(&self) -> bool {
        self.slots.iter().all(|slot| self.is_slot_done(slot))
            && self.nodes.iter().all(|node| node.calls.is_empty())
    }

    fn stuck(&self) -> String {
        match self.slots.iter().position(|slot| !self.is_slot_done(slot)) {
            None => "a call is never answered".into(),
            Some(index) => {
                let slot = &self.slots[index];
                let now = self.published[slot.source].last();
                let state = (now.start, now.end, now.ended);
                let steps = self.records.get(&slot.key).map(|record| &record.writer);
                let text = format!("is stuck: {:?}, source {state:?}", slot.reader);
                self.blame(index, &format!("{text}, {:?}, {steps:?}", slot.places))
            }
        }
    }

    /// Everything is closed: the links must hold nothing.
    pub(super) fn rest(&mut self) -> Result<(), String> {
        for slot in std::mem::take(&mut self.slots) {
            self.nodes[slot.key.opener].link.close_stream(slot.key.stream);
        }
        self.pump()?;
        while !self.agenda.is_empty() || !self.wires.iter().all(Wire::is_empty) {
            self.advance(None)?;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            ensure!(node.told_over || node.link.over().is_none(), "node {index} ended unseen");
            let stats = node.link.stats();
            ensure!(stats == LinkStats::default(), "at rest node {index} holds {stats:?}");
            ensure!(node.wanted.is_empty() && node.serving.is_empty(), "streams are still served");
        }
        self.check_contents()
    }
}
