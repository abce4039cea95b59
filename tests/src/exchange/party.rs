//! One end: its link, what its user holds, and what it hears.

use super::ledger::{Ledger, On, number_of};
use crate::{
    pair::{config, request},
    refs::Holdings,
    rng::Rng,
    source::Source,
};
use farlens_proto::{CallTicket, Called, Event, Link, PeerIdentity, ReadOutcome, Time};
use farlens_wire::{CallId, Code, Limits, Reference, Side, StreamId, frame::Fault};
use std::collections::{BTreeMap, BTreeSet};

/// One end of a world.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) side: Side,
    pub(super) index: usize,
    pub(super) link: Link,
    /// What the user holds.
    pub(super) held: Vec<Reference>,
    /// Which object of the other side a reference is, by the number of the reference.
    pub(super) names: BTreeMap<u64, u64>,
    /// Calls that came and are not answered.
    pub(super) tasks: BTreeMap<CallId, (u64, Called)>,
    /// Calls that were made and have not ended, with their numbers.
    pub(super) made: BTreeMap<CallTicket, u64>,
    pub(super) pipelined: BTreeSet<CallTicket>,
    /// Streams that were opened, and on what.
    pub(super) opened: BTreeMap<StreamId, Option<On>>,
    serving: BTreeSet<StreamId>,
    source: Source,
}

impl Party {
    pub(super) fn new(side: Side, limits: Limits, source: Source) -> Self {
        let peer = PeerIdentity::new([side.other().first_id() as u8; 32]);
        let link = Link::new(side, peer, config(limits), Holdings::boxed(), Time::ZERO);
        Self {
            side,
            index: side.first_id() as usize - 1,
            link,

            held: Vec::new(),
            names: BTreeMap::new(),
            tasks: BTreeMap::new(),
            made: BTreeMap::new(),
            pipelined: BTreeSet::new(),
            opened: BTreeMap::new(),
            serving: BTreeSet::new(),
            source,
        }
    }

    /// Opens the bulk of the other side, to read it on and off.
    pub(super) fn open_bulk(&mut self) {
        if let Ok(stream) = self.link.open(request("bulk")) {
            self.opened.insert(stream, None);
        }
    }

    pub(super) fn number_of(&self, reference: &Reference) -> Option<u64> {
        number_of(&self.names, reference)
    }

    /// Takes in what the link tells.
    pub(super) fn take_in(&mut self, rng: &mut Rng, ledger: &mut Ledger) -> Result<(), String> {
        while let Some(request) = self.link.poll_request() {
            let reply = self.source.answer(request.ask);
            self.link.handle_reply(request.stream, request.serial, reply);
        }
        while let Some(event) = self.link.poll_event() {
            match event {
                Event::Called(called) => self.called(called, ledger)?,
                Event::Cancelled { call } => {
                    self.tasks.remove(&call).ok_or("a call that does not run is cancelled")?;
                }
                Event::Answered { call, outcome } => {
                    let number = self.made.remove(&call).ok_or("no such call was made")?;
                    self.pipelined.remove(&call);
                    let objects = ledger.end(number, &outcome)?;
                    let table = outcome.map(|answer| answer.table).unwrap_or_default();
                    ledger.check_same(&mut self.names, &table, &objects)?;
                    self.keep(rng, table);
                }
                Event::OpenRequested { stream, on, .. } => {
                    let found = on.as_ref().and_then(|on| self.number_of(on));
                    ledger.check_open(1 - self.index, stream, found)?;
                    self.open_requested(rng, stream, on.is_none());
                }
                Event::StreamGone { stream } => {
                    self.serving.remove(&stream);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn called(&mut self, called: Called, ledger: &mut Ledger) -> Result<(), String> {
        let key = called.args.get(..8).and_then(|key| key.try_into().ok());
        let number = key.map(u64::from_be_bytes).ok_or("arguments without a key")?;
        ledger.start(number)?;
        let entry = ledger.call(number)?.clone();
        ledger.check_target(entry.on, self.number_of(&called.on))?;
        ledger.check_same(&mut self.names, &called.table, &entry.passed)?;
        if (called.one_way, called.depth) != (entry.one_way, entry.depth) {
            return Err(format!("call {number} is another than {entry:?}"));
        }
        self.tasks.insert(called.call, (number, called));
        Ok(())
    }

    fn open_requested(&mut self, rng: &mut Rng, stream: StreamId, is_bulk: bool) {
        if is_bulk || rng.one_in(2) {
            self.serving.insert(stream);
            self.link.accept(stream, self.source.accepted());
        } else {
            self.link.refuse(stream, Fault::new(Code::NOT_FOUND, "refused"));
        }
    }

    /// Keeps some of what came.
    pub(super) fn keep(&mut self, rng: &mut Rng, came: Vec<Reference>) {
        for reference in came {
            if rng.one_in(2) && self.held.len() < 12 {
                self.held.push(reference);
            }
        }
    }

    /// Reads some of a stream, or closes it; why it is over, if it is.
    pub(super) fn use_stream(&mut self, rng: &mut Rng, stream: StreamId) -> Option<Code> {
        let over = self.link.stream_over(stream).map(|fault| fault.code);
        let is_bulk = self.opened.get(&stream).is_some_and(Option::is_none);
        if over.is_some() || !is_bulk && rng.one_in(3) {
            self.link.close_stream(stream);
            self.opened.remove(&stream);
            return over;
        }
        if let ReadOutcome::Failed(_) | ReadOutcome::End(_) = self.link.read(stream, 50_000) {
            self.link.close_stream(stream);
            self.opened.remove(&stream);
        }
        None
    }
}
