//! What is done to links and sources, but for writing and ranges.

use super::{Key, Record, Seen, Slot, World, clock::Task, ensure};
use crate::{
    model::{Edit, Elements, Last, Published, Reader, Writer},
    ops::Op,
    pattern,
    source::position,
};
use farlens_proto::{Ahead, CallOn, CallRequest, OpenRequest, Purpose, ReadOutcome, Time};
use farlens_wire::{AtEnd, Code, Edge, Flags, Pos, frame::Fault};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    pub(super) fn apply(&mut self, op: Op) -> Result<(), String> {
        self.trace.say(|| format!("{op:?}"));
        match op {
            Op::Open { node, source, flags, kind, start, at_end, delivery, elements } => {
                let path = source.to_string();
                let ahead = if elements { Ahead::Auto } else { Ahead::Nothing };
                let (purpose, fingerprint) = (Purpose::Use, None);
                let request = OpenRequest {
                    on: path.into(),
                    flags,
                    kind,
                    start,
                    at_end,
                    delivery,
                    purpose,
                    ahead,
                    lazy: self.slots.len() % 8 == 7,
                    fingerprint,
                    urgency: farlens_wire::Urgency::USUAL,
                };
                let source = source.min(self.stores.len() - 1);
                let users = self.slots.len();
                self.open(node, source, request)?;
                // What is asked for before the open frame has left goes with it.
                let ranges = self.slots.len() > users && self.user(&self.slots[users]).ranges;
                if ranges && self.rng.one_in(4) { self.scatter(users, 4) } else { Ok(()) }
            }
            Op::Call { node, length } => self.call(node, length),
            Op::Cancel { node } => {
                if let Some((call, _)) = self.nodes[node].calls.pop_last() {
                    self.trace.note(self.now, "cancel", &[node as u64, call.number()]);
                    self.nodes[node].link.cancel(call);
                }
                Ok(())
            }
            Op::Drain { node } => {
                self.trace.note(self.now, "drain", &[node as u64]);
                self.nodes[node].drained = true;
                self.nodes[node].link.drain(&Fault::new(Code::GOING_AWAY, "told to leave"));
                Ok(())
            }
            Op::Cut => self.cut(),
            Op::Stall { node, micros } => {
                self.harmed = true;
                self.trace.note(self.now, "stall", &[node as u64, micros]);
                self.wires[node].stall(self.now + micros);
                Ok(())
            }
            Op::Read { user, .. }
            | Op::Seek { user, .. }
            | Op::Close { user }
            | Op::Write { user, .. }
            | Op::Push { user, .. }
            | Op::Truncate { user, .. }
            | Op::Sync { user, .. }
            | Op::Burst { user, .. }
            | Op::Range { user, .. }
            | Op::Scatter { user, .. }
            | Op::Forget { user }
            | Op::Fail { user } => {
                let Key { opener, stream, .. } = self.slots[user].key;
                let outcome = self.use_stream(user, op);
                outcome.map_err(|text| format!("user {user}, {stream} of node {opener}: {text}"))
            }
            _ => {
                self.own(op);
                Ok(())
            }
        }
    }

    /// The user of a stream does something with it.
    fn use_stream(&mut self, user: usize, op: Op) -> Result<(), String> {
        match op {
            Op::Read { max, .. } => self.read(user, max),
            Op::Seek { to, at_end, gives_back, .. } => self.seek(user, to, at_end, gives_back),
            Op::Close { .. } => {
                let slot = self.slots.swap_remove(user);
                self.trace.note(self.now, "close", &[user as u64]);
                let link = &mut self.nodes[slot.key.opener].link;
                if !link.is_settled(slot.key.stream) {
                    self.trace.count(Seen::BusyCloses);
                }
                link.close_stream(slot.key.stream);
                Ok(())
            }
            Op::Fail { .. } => {
                let slot = &mut self.slots[user];
                slot.reader.may_end.push(Code::INTERNAL);
                slot.expected.get_or_insert(Err(Code::INTERNAL));
                let (node, stream) = (1 - slot.key.opener, slot.key.stream);
                self.trace.note(self.now, "fail", &[node as u64, stream.0]);
                self.nodes[node].asked.remove(&stream);
                self.nodes[node].link.refuse(stream, Fault::new(Code::INTERNAL, "told to fail"));
                Ok(())
            }
            _ => self.write(user, op),
        }
    }

    /// The owner of a source does something to it, where its mode says that this may happen.
    fn own(&mut self, op: Op) {
        match op {
            Op::Grow { source, elements } => {
                let store = &self.stores[source];
                if !store.ended && store.mode.has(Flags::END_CAN_INC) {
                    self.overwrite(source, store.end(), elements);
                }
            }
            Op::Overwrite { source, at, elements } => {
                let store = &self.stores[source];
                let at = at.clamp(store.start, store.end());
                let elements = elements.min(store.end() - at);
                if !store.mode.has(Flags::FIXED_DATA) && elements > 0 {
                    self.overwrite(source, at, elements);
                }
            }
            Op::Evict { source, elements } => {
                let store = &self.stores[source];
                let to = (store.start + elements).min(store.end());
                if store.mode.has(Flags::START_CAN_INC) && to > store.start {
                    self.move_end(source, Edge::Before, to);
                }
            }
            Op::Shrink { source, elements } => {
                let store = &self.stores[source];
                let to = store.end().saturating_sub(elements).max(store.start);
                let may = store.mode.has(Flags::END_CAN_DEC) && !store.ended;
                if may && to < store.end() {
                    self.move_end(source, Edge::After, to);
                }
            }
            Op::Finish { source } if self.stores[source].mode.has(Flags::END_CAN_INC) => {
                self.stores[source].ended = true;
                self.published[source].finished();
                self.notice(source);
            }
            // What is fixed has its end already.
            Op::Finish { .. } => {}
            Op::Break { source, at } => {
                self.stores[source].fails_at = Some(at);
                self.published[source].failures.push(at);
            }
            Op::Fill { source, room } => match room {
                Some(room) => self.stores[source].room = Some(room),
                None => self.stores[source].broken = true,
            },
            Op::Repair { source } => self.repair(source),
            Op::Slow { micros } if self.slow > 0 => self.slow = micros.max(1),
            _ => {}
        }
    }

    pub(super) fn repair(&mut self, source: usize) {
        let store = &mut self.stores[source];
        (store.fails_at, store.room, store.broken) = (None, None, false);
    }

    fn overwrite(&mut self, source: usize, at: u64, count: u64) {
        let run = self.elements(source, count);
        self.stores[source].store(at, &run);
        let version = self.stores[source].version();
        self.published[source].stored(at, &run, version);
        self.notice(source);
    }

    fn move_end(&mut self, source: usize, edge: Edge, to: u64) {
        self.stores[source].cut(edge, to);
        let version = self.stores[source].version();
        self.published[source].moved(edge, to, version);
        self.notice(source);
    }

    /// Elements that nobody has seen before.
    pub(super) fn elements(&mut self, source: usize, count: u64) -> Elements {
        let seed = self.rng.draw();
        let sizes = super::setup::item_sizes(&mut self.rng);
        let kind = self.stores[source].kind();
        let most = if kind == farlens_wire::Kind::Items { 1 + count / 8 } else { count };
        Elements::pattern(kind, seed, sizes, 0, count.min(most))
    }

    pub(super) fn open(
        &mut self,
        node: usize,
        source: usize,
        request: OpenRequest,
    ) -> Result<(), String> {
        let consuming = self.nodes[node].link.stats().consuming as u32;
        let allowed = match self.nodes[node].link.is_established() {
            true => self.limits[1 - node].streams,
            false => 1,
        };
        match self.nodes[node].link.open(request.clone()) {
            Ok(stream) => {
                ensure!(consuming < allowed, "a stream beyond the other side's {allowed}");
                self.trace.note(self.now, "open", &[node as u64, stream.0, source as u64]);
                let key = Key { connection: self.connection, opener: node, stream };
                let now = self.published[source].now();
                let reader = Reader::opening(&request, now);
                let writer = Writer::default();
                let record = Record { source, writer, changes: 0, ranges: 0, part: 0 };
                self.records.insert(key, record);
                self.slots.push(Slot {
                    key,
                    source,
                    request,
                    expected: None,
                    reader,
                    steps: BTreeSet::new(),
                    places: BTreeMap::new(),
                    forgotten: BTreeSet::new(),
                    dirty: false,
                });
                Ok(())
            }
            Err(fault) => {
                let right = match fault.code {
                    Code::TOO_MANY_STREAMS => consuming >= allowed,
                    Code::GOING_AWAY => self.nodes.iter().any(|node| node.drained),
                    code => {
                        let over = self.nodes[node].link.over();
                        over.is_some_and(|over| over.code == code)
                    }
                };
                ensure!(right, "open: {fault}");
                Ok(())
            }
        }
    }

    pub(super) fn read(&mut self, index: usize, max: u64) -> Result<(), String> {
        let slot = &mut self.slots[index];
        let (link, stream) = (&mut self.nodes[slot.key.opener].link, slot.key.stream);
        let over = link.stream_over(stream).is_some();
        let outcome = link.read(stream, max);
        let (what, number) = match &outcome {
            ReadOutcome::Some(chunk) => ("read", chunk.elements()),
            ReadOutcome::Gap { skipped, .. } => ("read a gap", *skipped),
            ReadOutcome::Pending => ("read nothing", 0),
            ReadOutcome::End(at) => ("read the end", at.get()),
            ReadOutcome::Failed(fault) => ("read failed", u64::from(fault.code.number())),
        };
        self.trace.note(self.now, what, &[index as u64, number]);
        ensure!(!over || number > 0 || what != "read nothing", "silence on a stream that is over");
        slot.reader.read(&self.published[slot.source], max, &outcome)?;
        slot.dirty = matches!(outcome, ReadOutcome::Some(_) | ReadOutcome::Gap { .. });
        match outcome {
            ReadOutcome::Some(_) => self.trace.count(Seen::Reads),
            ReadOutcome::Gap { evicted, .. } => self.count_gap(evicted),
            _ => {}
        }
        self.look(index)
    }

    pub(super) fn seek(
        &mut self,
        index: usize,
        to: Pos,
        at_end: AtEnd,
        gives_back: bool,
    ) -> Result<(), String> {
        let slot = &mut self.slots[index];
        let (link, stream) = (&mut self.nodes[slot.key.opener].link, slot.key.stream);
        let held = if gives_back && !slot.reader.is_seeking() {
            self.rng.below(slot.reader.taken + 1)
        } else {
            0
        };
        let outcome = link.seek(stream, to, at_end, held).map_err(|fault| fault.code);
        let refused = outcome.err();
        let code = refused.map_or(0, |code| u64::from(code.number()));
        self.trace.note(self.now, "seek", &[index as u64, held, code]);
        slot.reader.seek(&self.published[slot.source], (to, at_end), held, outcome)?;
        if refused.is_some() {
            return Ok(());
        }
        let before = slot.reader.clone();
        let status = link.take_seek_status(stream);
        slot.reader.sought(&self.published[slot.source], &status, true)?;
        if slot.reader.is_seeking() {
            slot.reader.give_back(held);
            slot.reader.taken = 0;
            slot.reader.last = before.last.filter(|&last| last == Last::Over);
        }
        slot.dirty = true;
        self.look(index)
    }

    fn call(&mut self, node: usize, length: usize) -> Result<(), String> {
        let args = pattern::bytes(self.rng.draw(), 0, length).to_vec();
        let request = CallRequest::new(CallOn::Root, "turn", args.clone());
        match self.nodes[node].link.call(request, Time::from_micros(self.now)) {
            Ok(call) => {
                self.trace.note(self.now, "call", &[node as u64, call.number(), length as u64]);
                self.nodes[node].calls.insert(call, args);
                Ok(())
            }
            Err(fault) => {
                let right = match fault.code {
                    Code::TOO_LARGE => length > 16 << 10,
                    Code::GOING_AWAY => self.nodes.iter().any(|node| node.drained),
                    code => {
                        let over = self.nodes[node].link.over();
                        over.is_some_and(|over| over.code == code)
                    }
                };
                ensure!(right, "call: {fault}");
                Ok(())
            }
        }
    }

    /// The connection breaks, and another one is made.
    fn cut(&mut self) -> Result<(), String> {
        self.harmed = true;
        for node in 0..2 {
            let left = self.rng.below(self.wires[node].in_flight() as u64 + 1) as usize;
            self.wires[node].break_after(left);
            let due = self.now + self.rng.small(100_000);
            self.at(due, Task::Lost { node });
        }
        self.trace.note(self.now, "cut", &[]);
        self.reconnect()
    }

    /// Where a reader that has broken off can go on, if it can.
    pub(super) fn way_on(source: &Published, at: u64) -> Option<Pos> {
        let Edit { start, end, .. } = source.last();
        let to = at.clamp(*start, *end);
        source.may_go(at, to).then(|| Pos::Abs(position(to)))
    }
}
