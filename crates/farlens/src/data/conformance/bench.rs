//! What all checks have in common: the data's maker, its offer, time and chance.

use super::{
    Report, Subject, Suite,
    model::Model,
    report::{Stop, Verdict, applies, broken},
    trial::Trial,
};
use crate::data::StreamerData;
use bytes::Bytes;
use farlens_proto::{Kind, Rules};
use farlens_wire::{Flags, ModeOffer, Operation, Position};
use futures::FutureExt;
use std::{any::Any, future::Future, ops::Range, panic::AssertUnwindSafe, sync::Arc};
use tokio::time::timeout;

/// Where the numbers of elements begin that are written over others.
const OTHERS: u64 = 1_000_000;

pub(super) struct Bench<'a, S> {
    pub(super) suite: Suite,
    pub(super) subject: &'a S,
    pub(super) kind: Kind,
    pub(super) offer: ModeOffer,
}

impl<'a, S: Subject> Bench<'a, S> {
    pub(super) async fn new(suite: Suite, subject: &'a S) -> Verdict<Self> {
        let asked = async {
            let (data, _keep) = within(suite, "making data", subject.make(0)).await?;
            Ok((data.kind(), data.offers()))
        };
        let (kind, offer) = no_panic(asked).await?;
        Ok(Self { suite, subject, kind, offer })
    }

    /// Runs a check and notes what came of it. A panic of the data is a failure.
    pub(super) async fn check(
        &self,
        report: &mut Report,
        name: &'static str,
        rule: &'static str,
        check: impl Future<Output = Verdict>,
    ) {
        report.add(name, rule, no_panic(Box::pin(check)).await);
    }

    /// Fresh data that holds so many elements.
    pub(super) async fn make(&self, elements: u64) -> Verdict<Trial<'_, S>> {
        let made = self.within("making data", self.subject.make(elements)).await?;
        let data = Arc::new(made.0);
        let state = match self.within("state", data.state()).await? {
            Ok(state) => state,
            Err(error) => return broken(format!("state fails: {error}")),
        };
        let start = state.bounds.start.map_or(0, Position::get);
        let model = Model::new(self.kind, start, self.elements(0..elements));
        Ok(Trial::new(self, data, made.1, model))
    }

    pub(super) fn elements(&self, numbers: Range<u64>) -> impl Iterator<Item = Bytes> {
        numbers.map(|n| Bytes::from(self.subject.element(n)))
    }

    /// Elements to write over others; different numbers for a different `salt`.
    pub(super) fn others(&self, salt: u64, count: u64) -> Vec<Bytes> {
        let first = OTHERS + salt * 1_000;
        self.elements(first..first + count).collect()
    }

    /// Waits for what must come, as long as the watchdog lets it.
    pub(super) async fn within<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Verdict<T> {
        within(self.suite, what, future).await
    }

    /// Waits a little for what need not come.
    pub(super) async fn briefly<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        timeout(self.suite.quiet, future).await.ok()
    }

    pub(super) const fn rng(&self) -> Rng {
        Rng(mix(self.suite.seed))
    }

    /// Every flag that a mode over the data can have.
    pub(super) fn flags(&self) -> Flags {
        self.offer.required | self.offer.possible
    }

    /// Whether some mode over the data allows it.
    pub(super) fn can(&self, operation: Operation) -> bool {
        self.flags().has(operation.needs())
    }

    pub(super) fn seekable(&self) -> bool {
        self.flags().has(Flags::SEEK)
    }

    pub(super) fn overwrites(&self) -> bool {
        self.can(Operation::Write) && !self.subject.appends_only()
    }

    /// Whether the data can become another while it is open.
    pub(super) fn changes(&self) -> bool {
        let ends = Flags::START_CAN_DEC
            | Flags::START_CAN_INC
            | Flags::END_CAN_DEC
            | Flags::END_CAN_INC
            | Flags::WRITABLE;
        self.flags().has_any(ends)
    }

    /// What a peer may do at most.
    pub(super) fn rules(&self) -> Rules {
        Rules {
            overwrite: true,
            grow: self.can(Operation::Extend),
            shrink: self.can(Operation::TruncateAfter),
            advance: self.can(Operation::TruncateBefore),
            ..Rules::default()
        }
    }

    pub(super) fn reads(&self) -> Verdict {
        applies(self.can(Operation::Read), "the data cannot be read")
    }

    pub(super) fn writes(&self) -> Verdict {
        applies(self.can(Operation::Write), "the data cannot be written")
    }

    pub(super) fn extends(&self) -> Verdict {
        self.writes()?;
        applies(self.can(Operation::Extend), "no peer moves the end up")
    }
}

async fn within<T>(suite: Suite, what: &str, future: impl Future<Output = T>) -> Verdict<T> {
    match timeout(suite.watchdog, future).await {
        Ok(answer) => Ok(answer),
        Err(_) => broken(format!("{what} does not answer within {:?}", suite.watchdog)),
    }
}

async fn no_panic<T>(check: impl Future<Output = Verdict<T>>) -> Verdict<T> {
    match AssertUnwindSafe(check).catch_unwind().await {
        Ok(verdict) => verdict,
        Err(panic) => Err(Stop::Broken(format!("it panics: {}", text_of(&*panic)))),
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text")
}

/// One step of splitmix64: spreads a number over all bits.
pub(super) const fn mix(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The same numbers for the same seed on every machine.
pub(super) struct Rng(u64);

impl Rng {
    /// A number below `bound`, which is not zero.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % bound
    }
}
