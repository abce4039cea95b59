//! What the owner of each link does for it.

use super::{Key, Seen, World, clock::Task, ensure};
use bytes::{Bytes, BytesMut};
use farlens_proto::{Answer, CallTicket, Called, Event, Time};
use farlens_wire::{
    CallId, Code, Flags, Kind, Operation, StreamId,
    frame::{
        Fault,
        stream::{Open, Target},
    },
};

impl World {
    /// Takes everything out of both links, and looks at what changed.
    pub(super) fn pump(&mut self) -> Result<(), String> {
        loop {
            let mut moved = false;
            for node in 0..2 {
                while let Some(event) = self.nodes[node].link.poll_event() {
                    moved = true;
                    self.event(node, event)?;
                }
                while let Some(request) = self.nodes[node].link.poll_request() {
                    moved = true;
                    self.request(node, request)?;
                }
                moved |= self.transmit(node)?;
            }
            moved |= self.hang_up();
            if !moved {
                break;
            }
        }
        self.observe()?;
        self.check()
    }

    fn transmit(&mut self, node: usize) -> Result<bool, String> {
        let mut moved = false;
        while self.has_room(node) {
            let mut out = BytesMut::new();
            let link = &mut self.nodes[node].link;
            let had = link.has_output();
            link.poll_transmit(&mut out, Time::from_micros(self.now));
            if out.is_empty() {
                break;
            }
            ensure!(had, "output out of nothing");
            moved = true;
            self.carry(node, out.freeze())?;
        }
        Ok(moved)
    }

    /// Whether the socket of a node takes another batch.
    pub(super) fn has_room(&self, node: usize) -> bool {
        self.wires[node].in_flight() < self.socket
    }

    /// A batch sets out.
    pub(super) fn carry(&mut self, node: usize, batch: Bytes) -> Result<(), String> {
        self.trace.note(self.now, "send", &[node as u64, batch.len() as u64]);
        self.wires[node].send(batch.clone(), self.now, &mut self.rng);
        self.listen(node, batch)
    }

    /// A link that is over closes the connection once all is sent; the other side sees that.
    fn hang_up(&mut self) -> bool {
        for node in 0..2 {
            let sent = self.wires[node].is_empty() && !self.nodes[node].link.has_output();
            let [a, b] = &self.nodes;
            let (this, other) = if node == 0 { (a, b) } else { (b, a) };
            if this.link.over().is_some() && other.link.over().is_none() && sent {
                self.trace.note(self.now, "hang up", &[node as u64]);
                self.nodes[1 - node].link.handle_lost("the other side hung up");
                return true;
            }
        }
        false
    }

    fn event(&mut self, node: usize, event: Event) -> Result<(), String> {
        ensure!(!self.nodes[node].told_over, "{event:?} after the end of the link");
        self.trace.say(|| format!("node {node}: {event:?}").chars().take(160).collect());
        match event {
            Event::OpenRequested { stream, open, .. } => {
                ensure!(self.nodes[node].wanted.insert(stream), "{stream} is wanted twice");
                self.nodes[node].asked.insert(stream, open);
                self.later(Task::Decide { node, stream });
            }
            Event::StreamGone { stream } => {
                let node = &mut self.nodes[node];
                node.asked.remove(&stream);
                node.serving.remove(&stream);
                ensure!(node.wanted.remove(&stream), "{stream} is gone twice");
            }
            Event::Changed { stream } => {
                if let Some(index) = self.slot(node, stream) {
                    self.slots[index].dirty = true;
                }
            }
            Event::RangeDone { stream, ticket } => {
                if let Some(index) = self.slot(node, stream) {
                    self.range_done(index, ticket).map_err(|text| self.blame(index, &text))?;
                }
            }
            Event::Called(called) => {
                let Called { call, args, .. } = called;
                self.nodes[node].handling.insert(call);
                self.later(Task::Answer { node, call, args: args.to_vec() });
            }
            Event::Cancelled { call } => drop(self.nodes[node].handling.remove(&call)),
            Event::Answered { call, outcome } => self.answered(node, call, &outcome)?,
            Event::Over { fault } => {
                let rightly = match fault.code {
                    Code::LINK_LOST | Code::TIMEOUT => {
                        self.harmed || self.nodes[1 - node].link.over().is_some()
                    }
                    code => code == Code::GOING_AWAY && self.nodes.iter().any(|n| n.drained),
                };
                ensure!(rightly, "node {node} ended for no reason: {fault}");
                self.nodes[node].told_over = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// The shell of `node` says yes or no to a stream, and the model says which it must be.
    pub(super) fn decide(&mut self, node: usize, stream: StreamId) {
        let Some(open) = self.nodes[node].asked.remove(&stream) else { return };
        let key = Key { connection: self.connection, opener: 1 - node, stream };
        let Target::Path(path) = &open.target else { return };
        let found = path.parse().ok().filter(|&index: &usize| index < self.stores.len());
        let flags = Flags::from_bits(open.flags);
        let accepted = found.and_then(|index| self.stores[index].accepted(flags));
        let link = &mut self.nodes[node].link;
        let (expected, wanted) = match (found, accepted) {
            (Some(index), Some(accepted)) => {
                let wanted = link.accept(stream, accepted);
                self.nodes[node].serving.insert(stream, index);
                (self.expected(index, flags, &open), wanted)
            }
            (None, _) => {
                link.refuse(stream, Fault::new(Code::NOT_FOUND, path.as_str()));
                (Err(Code::NOT_FOUND), true)
            }
            (Some(_), None) => {
                link.refuse(stream, Fault::new(Code::MODE_FORBIDS, "nothing is left"));
                (Err(Code::MODE_FORBIDS), true)
            }
        };
        self.trace.note(self.now, "decide", &[node as u64, stream.0, u64::from(expected.is_ok())]);
        if let Some(record) = self.records.get_mut(&key)
            && let Ok(at) = expected
        {
            record.writer.opened(at);
        }
        if let Some(index) = self.slot(1 - node, stream).filter(|_| wanted) {
            let slot = &mut self.slots[index];
            slot.expected = Some(expected);
            slot.reader.may_end.extend(expected.err());
        }
    }

    fn expected(&self, index: usize, flags: Flags, open: &Open) -> Result<u64, Code> {
        let published = &self.published[index];
        let at = published.open(flags, open.kind, open.start, open.delivery)?;
        if open.ranges.is_empty() {
            return Ok(at);
        }
        match published.kind {
            Kind::Items => Err(Code::WRONG_KIND),
            _ if !flags.has(Flags::READABLE) => Err(Code::MODE_FORBIDS),
            _ if published.allows(Operation::ReadRange) => Ok(at),
            _ => Err(Code::MODE_FORBIDS),
        }
    }

    pub(super) fn answer(&mut self, node: usize, call: CallId, mut args: Vec<u8>) {
        if self.nodes[node].handling.remove(&call) {
            self.trace.note(self.now, "answer", &[node as u64, call.0]);
            args.reverse();
            let outcome = if args.len().is_multiple_of(7) {
                Err(Fault::new(Code::NO_SUCH_METHOD, "seven"))
            } else {
                Ok(args.into())
            };
            self.nodes[node].link.answer(call, outcome);
        }
    }

    fn answered(
        &mut self,
        node: usize,
        call: CallTicket,
        outcome: &Result<Answer, Fault>,
    ) -> Result<(), String> {
        let Some(mut args) = self.nodes[node].calls.remove(&call) else {
            return Err(format!("{call:?} was answered twice, or never made"));
        };
        args.reverse();
        let over = self.nodes[node].link.over().map(|fault| fault.code);
        let sevenfold = args.len().is_multiple_of(7);
        let right = match outcome {
            Ok(answer) => !sevenfold && answer.value == args,
            Err(fault) => match fault.code {
                Code::NO_SUCH_METHOD => sevenfold,
                Code::NOT_RUN => over.is_some() || self.nodes[1 - node].drained,
                code => code == Code::UNKNOWN && over.is_some(),
            },
        };
        ensure!(right, "{call:?} was answered with {outcome:?}");
        Ok(())
    }

    /// The user of a stream of this connection.
    fn slot(&self, node: usize, stream: StreamId) -> Option<usize> {
        self.slots.iter().position(|slot| slot.key.opener == node && slot.key.stream == stream)
    }

    pub(super) fn blame(&self, index: usize, text: &str) -> String {
        let Key { opener, stream, .. } = self.slots[index].key;
        let source = self.slots[index].source;
        format!("user {index} of source {source}, {stream} of node {opener}: {text}")
    }

    pub(super) fn count_gap(&mut self, evicted: bool) {
        self.trace.count(if evicted { Seen::Gaps } else { Seen::Skips });
    }
}
