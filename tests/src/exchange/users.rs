//! What users do: at random while the world goes on, and in the end they let go of everything.

use super::{
    ledger::{Entry, Ledger, On},
    party::Party,
};
use crate::{pair::request, rng::Rng};
use farlens_proto::{Answer, CallOn, CallRequest, Fault, OpenOn, OpenRequest, Time};
use farlens_wire::{CallId, Code, Reference};

impl Party {
    /// Does one thing.
    pub(super) fn act(
        &mut self,
        rng: &mut Rng,
        ledger: &mut Ledger,
        now: Time,
    ) -> Result<(), String> {
        match rng.below(20) {
            0..=1 if self.held.len() < 12 => self.held.push(ledger.make_object(self.index)),
            2..=4 if !self.held.is_empty() => {
                let index = rng.below(self.held.len() as u64) as usize;
                self.held.swap_remove(index);
            }
            5 => self.give_up(rng, ledger)?,
            6..=7 => self.open_something(rng, ledger),
            8..=9 => self.use_something(rng, ledger)?,
            10..=13 => self.answer_something(rng, ledger)?,
            _ => self.call(rng, ledger, now)?,
        }
        Ok(())
    }

    /// Something to call or to open.
    fn target(&self, rng: &mut Rng) -> (CallOn, On) {
        let held = self.held.iter().filter(|it| it.get::<crate::refs::Imported>().is_some());
        let held: Vec<_> = held.cloned().collect();
        let pipelined: Vec<_> = self.pipelined.iter().copied().collect();
        if !pipelined.is_empty() && rng.one_in(2) {
            let ticket = *rng.pick(&pipelined);
            return (CallOn::Answer(ticket), On::Answer(self.made[&ticket]));
        }
        if !held.is_empty() && !rng.one_in(4) {
            let object = rng.pick(&held).clone();
            let number = self.number_of(&object).unwrap_or_default();
            return (CallOn::Object(object), On::Object(number));
        }
        (CallOn::Root, On::Root)
    }

    /// Some of what is held, with repetitions.
    fn some(&self, rng: &mut Rng, more: &[Reference]) -> Vec<Reference> {
        let all: Vec<_> = self.held.iter().chain(more).cloned().collect();
        if all.is_empty() {
            return all;
        }
        (0..rng.below(4)).map(|_| rng.pick(&all).clone()).collect()
    }

    fn numbers(&self, table: &[Reference]) -> Vec<u64> {
        table.iter().map(|it| self.number_of(it).unwrap_or_default()).collect()
    }

    fn call(&mut self, rng: &mut Rng, ledger: &mut Ledger, now: Time) -> Result<(), String> {
        let (target, on) = self.target(rng);
        let table = self.some(rng, &[]);
        let one_way = rng.one_in(8);
        let pipelined = rng.one_in(2);
        let timeout_ms = rng.one_in(8).then(|| rng.below(60));
        let depth = if rng.one_in(4) { rng.below(4) as u32 } else { 0 };
        let number = ledger.make_call(Entry {
            by: self.index,
            on,
            depth,
            passed: self.numbers(&table),
            one_way,
            hurried: timeout_ms.is_some(),
            ran: false,
            answered: None,
            given_up: false,
            ended: false,
        });
        let mut args = number.to_be_bytes().to_vec();
        if rng.one_in(6) {
            args.resize(rng.between(8, 60_000) as usize, 0);
        }
        let made = self.link.call(
            CallRequest {
                table,
                timeout_ms,
                depth,
                one_way,
                pipelined,
                ..CallRequest::new(target, "m", args)
            },
            now,
        );
        match made {
            Ok(ticket) => {
                self.made.insert(ticket, number);
                if pipelined && !one_way {
                    self.pipelined.insert(ticket);
                }
                Ok(())
            }
            Err(_) if ledger.ending => {
                ledger.call(number)?.given_up = true;
                Ok(())
            }
            Err(fault) => Err(format!("call {number} is refused here: {fault}")),
        }
    }

    fn give_up(&mut self, rng: &mut Rng, ledger: &mut Ledger) -> Result<(), String> {
        let made: Vec<_> = self.made.keys().copied().collect();
        if !made.is_empty() {
            let ticket = *rng.pick(&made);
            self.link.cancel(ticket);
            self.pipelined.remove(&ticket);
            if let Some(number) = self.made.remove(&ticket) {
                ledger.call(number)?.given_up = true;
            }
        }
        Ok(())
    }

    fn open_something(&mut self, rng: &mut Rng, ledger: &mut Ledger) {
        let (target, on) = self.target(rng);
        let target = match target {
            CallOn::Root => return,
            CallOn::Object(reference) => OpenOn::Streamer(reference),
            CallOn::Answer(ticket) => OpenOn::Answer(ticket),
        };
        if let Ok(stream) = self.link.open(OpenRequest { on: target, ..request("") }) {
            self.opened.insert(stream, Some(on));
            ledger.make_open(self.index, stream, on);
        }
    }

    fn use_something(&mut self, rng: &mut Rng, ledger: &Ledger) -> Result<(), String> {
        let opened: Vec<_> = self.opened.iter().map(|(&stream, &on)| (stream, on)).collect();
        if opened.is_empty() {
            return Ok(());
        }
        let (stream, on) = *rng.pick(&opened);
        match (self.use_stream(rng, stream), on) {
            (None | Some(Code::NOT_FOUND), _) => Ok(()),
            (Some(_), _) if ledger.ending => Ok(()),
            (Some(code), Some(on)) if ledger.target_may_fail(on, code) => Ok(()),
            (Some(code), on) => Err(format!("{stream} on {on:?} is over with {code}")),
        }
    }

    fn answer_something(&mut self, rng: &mut Rng, ledger: &mut Ledger) -> Result<(), String> {
        let tasks: Vec<_> = self.tasks.keys().copied().collect();
        if tasks.is_empty() {
            return Ok(());
        }
        let call = *rng.pick(&tasks);
        self.answer(call, rng, ledger)
    }

    fn answer(&mut self, call: CallId, rng: &mut Rng, ledger: &mut Ledger) -> Result<(), String> {
        let Some((number, called)) = self.tasks.remove(&call) else { return Ok(()) };
        let mut table = self.some(rng, &called.table);
        if rng.one_in(4) {
            table.insert(0, ledger.make_object(self.index));
        }
        let mut value = number.to_be_bytes().to_vec();
        if rng.one_in(8) {
            value.resize(rng.between(8, 60_000) as usize, 0);
        }
        let objects = self.numbers(&table);
        let outcome = if rng.one_in(8) {
            Err(Fault::new(Code::APPLICATION, "no"))
        } else {
            Ok(Answer { value: value.into(), table })
        };
        let answered = outcome.as_ref().map(|_| objects).map_err(|fault| fault.code);
        ledger.call(number)?.answered = Some(answered);
        self.link.answer(call, outcome);
        self.keep(rng, called.table);
        Ok(())
    }

    /// Answers what runs and drops what is held; says whether there was anything.
    pub(super) fn let_go(&mut self, rng: &mut Rng, ledger: &mut Ledger) -> bool {
        let any = !(self.held.is_empty() && self.tasks.is_empty() && self.opened.is_empty());
        while let Some((&call, _)) = self.tasks.first_key_value() {
            // A number that the ledger gave out is known to it.
            let _ = self.answer(call, rng, ledger);
        }
        for stream in std::mem::take(&mut self.opened).into_keys() {
            self.link.close_stream(stream);
        }
        self.held.clear();
        any
    }
}
