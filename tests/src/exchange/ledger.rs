//! Which object is which, and what each call may come to.

use super::Tally;
use crate::refs::{Graves, Imported, Mortal};
use farlens_proto::{Answer, Fault};
use farlens_wire::{Code, Reference, StreamId};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

/// Calls that may wait for each other.
const CHAIN: usize = 16;

/// What a call or an open is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum On {
    Root,
    /// By the number of the object.
    Object(u64),
    /// By the number of the call.
    Answer(u64),
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) by: usize,
    pub(super) on: On,
    pub(super) depth: u32,
    pub(super) passed: Vec<u64>,
    pub(super) one_way: bool,
    pub(super) hurried: bool,
    pub(super) ran: bool,
    /// The objects in its answer, or why it has none.
    pub(super) answered: Option<Result<Vec<u64>, Code>>,
    pub(super) given_up: bool,
    pub(super) ended: bool,
}

/// The whole truth.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) tally: Tally,
    /// The links were told to end, or were cut.
    pub(super) ending: bool,
    graves: Graves,
    /// The side that has made each object.
    owners: BTreeMap<u64, usize>,
    calls: BTreeMap<u64, Entry>,
    /// What each stream was opened on, by the side that did it.
    opens: BTreeMap<(usize, StreamId), On>,
    /// The last call that started, by caller, depth and what it is made on.
    started: BTreeMap<(usize, u32, On), u64>,
}

impl Ledger {
    /// A new object of one side.
    pub(super) fn make_object(&mut self, owner: usize) -> Reference {
        self.tally.objects += 1;
        let number = self.tally.objects;
        self.owners.insert(number, owner);
        Reference::new(Mortal { number, graves: Arc::clone(&self.graves) })
    }

    /// Notes a call; its number.
    pub(super) fn make_call(&mut self, entry: Entry) -> u64 {
        self.tally.calls += 1;
        self.tally.built_upon += u64::from(matches!(entry.on, On::Answer(_)));
        self.calls.insert(self.tally.calls, entry);
        self.tally.calls
    }

    /// Notes what a stream is opened on.
    pub(super) fn make_open(&mut self, by: usize, stream: StreamId, on: On) {
        self.tally.opens += 1;
        self.opens.insert((by, stream), on);
    }

    /// Checks what a stream that came is opened on.
    pub(super) fn check_open(
        &self,
        by: usize,
        stream: StreamId,
        found: Option<u64>,
    ) -> Result<(), String> {
        self.check_target(self.opens.get(&(by, stream)).copied().unwrap_or(On::Root), found)
    }

    pub(super) fn call(&mut self, number: u64) -> Result<&mut Entry, String> {
        self.calls.get_mut(&number).ok_or_else(|| format!("call {number} was never made"))
    }

    /// What the answer of a call stands for: the callee's object that it begins with.
    fn found(&self, call: u64) -> Option<u64> {
        let entry = self.calls.get(&call)?;
        let first = *entry.answered.as_ref()?.as_ref().ok()?.first()?;
        (self.owners.get(&first) != Some(&entry.by)).then_some(first)
    }

    /// Checks what something that came is made on.
    pub(super) fn check_target(&self, on: On, found: Option<u64>) -> Result<(), String> {
        let expected = match on {
            On::Root => None,
            On::Object(number) => Some(number),
            On::Answer(call) => Some(self.found(call).ok_or("a call on no object runs")?),
        };
        if expected == found {
            return Ok(());
        }
        Err(format!("a call on {on:?} runs on {found:?} and not on {expected:?}"))
    }

    /// Notes that a call runs.
    pub(super) fn start(&mut self, number: u64) -> Result<(), String> {
        let entry = self.call(number)?;
        if std::mem::replace(&mut entry.ran, true) {
            return Err(format!("call {number} runs twice"));
        }
        let lane = (entry.by, entry.depth, entry.on);
        self.tally.ran += 1;
        match self.started.insert(lane, number) {
            Some(before) if before > number => {
                Err(format!("call {number} starts behind call {before} on {lane:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Notes what a call has come to; the objects in its answer.
    pub(super) fn end(
        &mut self,
        number: u64,
        outcome: &Result<Answer, Fault>,
    ) -> Result<Vec<u64>, String> {
        let entry = self.call(number)?;
        if std::mem::replace(&mut entry.ended, true) || entry.given_up {
            return Err(format!("call {number} ends twice, or was given up"));
        }
        let entry = entry.clone();
        match (outcome, &entry.answered) {
            (Ok(_), _) if entry.one_way => Ok(Vec::new()),
            (Ok(answer), Some(Ok(objects))) if answer.value.starts_with(&number.to_be_bytes()) => {
                Ok(objects.clone())
            }
            (Err(fault), _) if self.may_fail(&entry, fault.code) => {
                self.tally.failed += u64::from(fault.code != Code::APPLICATION);
                Ok(Vec::new())
            }
            _ => Err(format!("call {number} is {entry:?} and ends with {outcome:?}")),
        }
    }

    /// Whether a call may fail like that.
    fn may_fail(&self, entry: &Entry, code: Code) -> bool {
        match code {
            Code::APPLICATION if entry.ran => entry.answered == Some(Err(code)),
            Code::DEADLINE_EXCEEDED if entry.hurried => true,
            Code::UNKNOWN => self.ending,
            Code::NOT_RUN => self.ending && !entry.ran,
            _ => !entry.ran && self.target_may_fail(entry.on, code),
        }
    }

    /// Whether what is made on something may fail like that, without having run.
    pub(super) fn target_may_fail(&self, on: On, code: Code) -> bool {
        let On::Answer(call) = on else { return false };
        let Some(parent) = self.calls.get(&call) else { return false };
        let itself = match code {
            Code::APPLICATION => parent.answered == Some(Err(code)),
            // Who gives a call up may still open something on it.
            Code::NO_SUCH_OBJECT => {
                let answered = parent.answered.is_some() && self.found(call).is_none();
                answered || parent.given_up || parent.hurried
            }
            Code::CANCELLED => parent.given_up || parent.hurried,
            Code::DEADLINE_EXCEEDED => parent.hurried,
            Code::NOT_RUN | Code::GOING_AWAY => self.ending,
            Code::TOO_DEEP => self.chain(on) > CHAIN,
            _ => false,
        };
        itself || self.target_may_fail(parent.on, code)
    }

    fn chain(&self, mut on: On) -> usize {
        let mut links = 0;
        while let On::Answer(call) = on
            && let Some(parent) = self.calls.get(&call)
        {
            links += 1;
            on = parent.on;
        }
        links
    }

    /// Checks that references are the objects that were sent.
    pub(super) fn check_same(
        &self,
        names: &mut BTreeMap<u64, u64>,
        came: &[Reference],
        sent: &[u64],
    ) -> Result<(), String> {
        if came.len() != sent.len() {
            return Err(format!("{sent:?} were sent and {} came", came.len()));
        }
        for (reference, &number) in came.iter().zip(sent) {
            let found = match reference.get::<Mortal>() {
                Some(mortal) => mortal.number,
                None => *names.entry(reference.number()).or_insert(number),
            };
            if found != number {
                return Err(format!("object {number} was sent and {found} came"));
            }
            if self.is_dropped(number) && !self.ending {
                return Err(format!("object {number} was dropped before it came"));
            }
        }
        Ok(())
    }

    fn is_dropped(&self, number: u64) -> bool {
        self.graves.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&number)
    }

    /// What must hold once nobody holds anything.
    pub(super) fn check_rest(&self) -> Result<(), String> {
        let graves = self.graves.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 1..=self.tally.objects {
            let drops = graves.get(&number).copied().unwrap_or_default();
            if drops != 1 {
                return Err(format!("object {number} was dropped {drops} times"));
            }
        }
        let open = |(_, entry): &(&u64, &Entry)| !entry.ended && !entry.given_up;
        match self.calls.iter().find(open) {
            Some((number, entry)) => Err(format!("call {number} never ends: {entry:?}")),
            None => Ok(()),
        }
    }
}

/// Which object a reference is, at a side that has got these names.
pub(super) fn number_of(names: &BTreeMap<u64, u64>, reference: &Reference) -> Option<u64> {
    match reference.get::<Mortal>() {
        Some(mortal) => Some(mortal.number),
        None => {
            reference.get::<Imported>()?;
            names.get(&reference.number()).copied()
        }
    }
}
