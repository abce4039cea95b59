//! How sources answer: late, in any order, and each change all at once.

use super::{Key, Seen, World, clock::Task, ensure};
use crate::model::writer;
use bytes::BytesMut;
use farlens_proto::{Ask, Chunk, DataRequest, Reply};
use farlens_wire::{Code, StreamId, frame::stream::BULK_HEAD_MAX};

/// Ranges that may be at the source of one stream at a time.
const RANGES: usize = 16;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Cursor,
    Range,
    Change,
}

const fn sort(ask: &Ask) -> Sort {
    match ask {
        Ask::Read { .. } | Ask::State => Sort::Cursor,
        Ask::Range { .. } => Sort::Range,
        Ask::Write { .. } | Ask::Truncate { .. } | Ask::Sync { .. } => Sort::Change,
    }
}

impl World {
    /// The link of `node` asks for work.
    pub(super) fn request(&mut self, node: usize, request: DataRequest) -> Result<(), String> {
        let DataRequest { stream, serial, ask, .. } = request;
        ensure!(
            self.nodes[node].serving.contains_key(&stream),
            "a request for {stream} that is not served"
        );
        let key = Key { connection: self.connection, opener: 1 - node, stream };
        let Some(record) = self.records.get_mut(&key) else {
            return Err(format!("a request for {stream} that was not opened"));
        };
        self.trace.note(self.now, "ask", &[node as u64, stream.0, serial, writer::length(&ask)]);
        self.trace.say(|| format!("{ask:?}").chars().take(160).collect());
        match sort(&ask) {
            Sort::Cursor => {}
            Sort::Range => {
                record.ranges += 1;
                ensure!(record.ranges <= RANGES, "{} ranges of {stream} at once", record.ranges);
            }
            Sort::Change => {
                record.changes += 1;
                ensure!(record.changes == 1, "{} changes of {stream} at once", record.changes);
                record.writer.check_ask(&ask).map_err(|text| format!("{key:?}: {text}"))?;
            }
        }
        self.later(Task::Perform { key, serial, ask });
        Ok(())
    }

    /// A source does what it was asked for, and its answer sets out.
    pub(super) fn ask_store(&mut self, key: Key, serial: u64, ask: &Ask) -> Result<(), String> {
        let Some(record) = self.records.get_mut(&key) else { return Ok(()) };
        let source = record.source;
        let store = &mut self.stores[source];
        let (fault, changes) = (store.disk_fault(ask), store.changes);
        let reply = store.perform(ask, &mut self.rng);
        let numbers = [key.opener as u64, key.stream.0, serial, changes];
        self.trace.note(self.now, "perform", &numbers);
        if sort(ask) == Sort::Change {
            let version = store.version();
            let published = &mut self.published[source];
            let outcome = record.writer.performed(published, (ask, &reply, version), fault);
            outcome.map_err(|text| format!("{key:?}: {text}"))?;
            self.count_change(key, ask, &reply);
            if self.stores[source].changes != changes {
                self.notice(source);
            }
        }
        self.later(Task::Reply { key, serial, sort: sort(ask), reply });
        Ok(())
    }

    fn count_change(&mut self, key: Key, ask: &Ask, reply: &Reply) {
        let what = match (ask, reply) {
            (_, Reply::Failed(fault)) => match fault.code {
                Code::CONFLICT => Seen::Conflicts,
                Code::STORAGE_FULL | Code::STORAGE_IO => Seen::DiskFaults,
                _ => Seen::Refusals,
            },
            (Ask::Write { chunk, .. }, Reply::Changed { elements, .. }) => {
                if *elements < chunk.elements() {
                    self.trace.count(Seen::Shorts);
                }
                Seen::Writes
            }
            (Ask::Truncate { .. }, _) => Seen::Truncations,
            _ => Seen::Syncs,
        };
        self.trace.count(what);
        if key.connection != self.connection {
            self.trace.count(Seen::Orphans);
        }
    }

    /// The link hears the answer, if it still exists.
    pub(super) fn reply(
        &mut self,
        key: Key,
        serial: u64,
        sort: Sort,
        reply: Reply,
    ) -> Result<(), String> {
        let Some(record) = self.records.get_mut(&key) else { return Ok(()) };
        if key.connection != self.connection {
            return Ok(());
        }
        let node = 1 - key.opener;
        self.trace.note(self.now, "reply", &[node as u64, key.stream.0, serial]);
        match sort {
            Sort::Cursor => {}
            Sort::Range => record.ranges -= 1,
            Sort::Change => record.changes -= 1,
        }
        if let Reply::Some(Chunk::Bytes(bytes)) = &reply
            && sort == Sort::Cursor
            && self.send_in_place(node, (key.stream, serial), bytes)?
        {
            return Ok(());
        }
        self.nodes[node].link.handle_reply(key.stream, serial, reply);
        Ok(())
    }

    /// Sometimes bytes were read into the batch itself; says whether they went out like that.
    fn send_in_place(
        &mut self,
        node: usize,
        (stream, serial): (StreamId, u64),
        bytes: &[u8],
    ) -> Result<bool, String> {
        if !self.has_room(node) || self.rng.one_in(2) {
            return Ok(false);
        }
        let mut batch = BytesMut::zeroed(BULK_HEAD_MAX);
        batch.extend_from_slice(bytes);
        let link = &mut self.nodes[node].link;
        let begin = link.send_in_place(stream, serial, &mut batch, BULK_HEAD_MAX);
        let Some(begin) = begin else { return Ok(false) };
        self.trace.count(Seen::InPlace);
        self.carry(node, batch.freeze().slice(begin..))?;
        Ok(true)
    }
}
