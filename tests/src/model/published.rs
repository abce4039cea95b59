//! What was published at each moment.
//!
//! The history of a source is a list of edits, the first of which made it. Moments are counted in
//! edits. An edit says which run of elements it stored and where the ends lie since then; whatever
//! exists at a moment is what the latest edit up to then stored that covers its position.

use super::Elements;
use farlens_proto::{Guard, Reach};
use farlens_wire::{Code, Delivery, Edge, Flags, Kind, Operation, Pos};

/// One change, and what holds since.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The first position that exists.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// The version as it is told.
    pub version: Vec<u8>,
    /// Whether the end is final.
    pub ended: bool,
    /// Where the stored run begins.
    pub at: u64,
    /// The stored run, which may be empty.
    pub run: Elements,
}

impl Edit {
    /// Where `to` leads, if that lies inside.
    #[must_use]
    pub fn place(&self, to: Pos) -> Option<u64> {
        self.wish(to).filter(|at| (self.start..=self.end).contains(at))
    }

    fn wish(&self, to: Pos) -> Option<u64> {
        let at = match to {
            Pos::Abs(at) => i128::from(at.get()),
            Pos::FromStart(by) => i128::from(self.start) + i128::from(by),
            Pos::FromEnd(by) => i128::from(self.end) + i128::from(by),
        };
        u64::try_from(at).ok().filter(|&at| at <= i64::MAX as u64)
    }

    /// Whether a position lies neither inside nor at an end.
    #[must_use]
    pub const fn is_outside(&self, at: u64) -> bool {
        at < self.start || at > self.end
    }
}

/// What the model knows of a source.
#[derive(Clone, Debug)]
pub struct Published {
    /// Bytes or entities.
    pub kind: Kind,
    /// What its streams allow at the most.
    pub flags: Flags,
    /// Whether its streams only append.
    pub append_only: bool,
    /// How far they may move the end.
    pub reach: Reach,
    /// Whether the latest alone can be had.
    pub live: bool,
    /// All that was done to it.
    pub edits: Vec<Edit>,
    /// Every place where reading has failed.
    pub failures: Vec<u64>,
}

impl Published {
    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> usize {
        self.edits.len() - 1
    }

    /// What holds now.
    #[must_use]
    pub fn last(&self) -> &Edit {
        &self.edits[self.now()]
    }

    /// The end as it is.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.last().end
    }

    /// Whether something held at some moment from `since` on.
    pub fn ever(&self, since: usize, holds: impl Fn(&Edit) -> bool) -> bool {
        self.edits[since..].iter().any(holds)
    }

    /// Whether elements were cut off at the end after `since`.
    #[must_use]
    pub fn was_cut(&self, since: usize) -> bool {
        self.edits[since..].windows(2).any(|pair| pair[1].end < pair[0].end)
    }

    /// The first position from `at` on whose element never was the one found, from `since` on.
    #[must_use]
    pub fn first_unknown(&self, at: u64, found: &Elements, since: usize) -> Option<u64> {
        let mut unknown = Vec::new();
        if !found.is_empty() {
            unknown.push((at, at + found.len()));
        }
        for (moment, edit) in self.edits.iter().enumerate().rev() {
            let mut rest = Vec::new();
            for (from, to) in unknown {
                let (mut low, mut high) = (edit.at, edit.at + edit.run.len());
                if moment < since {
                    // What was stored before must still have been there.
                    let then = &self.edits[since];
                    (low, high) = (low.max(then.start), high.min(then.end));
                }
                let (low, high) = (low.clamp(from, to), high.clamp(from, to));
                if low >= high {
                    rest.push((from, to));
                    continue;
                }
                if from < low {
                    rest.push((from, low));
                }
                let same = |p, n| edit.run.equals(p - edit.at, found, p - at, n);
                if !same(low, high - low) {
                    for p in (low..high).filter(|&p| !same(p, 1)) {
                        if moment <= since {
                            return Some(p);
                        }
                        rest.push((p, p + 1));
                    }
                }
                if high < to {
                    rest.push((high, to));
                }
            }
            unknown = rest;
            if unknown.is_empty() {
                return None;
            }
        }
        unknown.first().map(|&(from, _)| from)
    }

    /// Everything that exists now.
    #[must_use]
    pub fn contents(&self) -> Elements {
        let first = self.edits.iter().map(|edit| edit.at.min(edit.start)).min().unwrap_or(0);
        let mut all = Elements::none(self.kind);
        for edit in &self.edits {
            if !edit.run.is_empty() {
                all.put(edit.at - first, &edit.run);
            }
        }
        all.slice(self.last().start - first, self.end() - first)
    }

    /// Whether a stream opened like this exists, and where it begins.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn open(
        &self,
        flags: Flags,
        kind: Option<Kind>,
        start: Pos,
        delivery: Delivery,
    ) -> Result<u64, Code> {
        if kind.is_some_and(|kind| kind != self.kind) {
            return Err(Code::WRONG_KIND);
        }
        if flags.bits() & !self.flags.bits() != 0 {
            return Err(Code::MODE_FORBIDS);
        }
        if delivery == Delivery::Latest && !(self.live && self.kind == Kind::Items) {
            return Err(Code::MODE_FORBIDS);
        }
        let at = self.last().place(start).ok_or(Code::OUT_OF_RANGE)?;
        if at != self.last().start && !self.flags.has_any(Flags::SEEK) {
            return Err(Code::MODE_FORBIDS);
        }
        Ok(at)
    }

    /// Whether a reader may go from one place to another.
    #[must_use]
    pub fn may_go(&self, from: u64, to: u64) -> bool {
        match to.cmp(&from) {
            std::cmp::Ordering::Less => self.flags.has(Flags::SEEK_REW),
            std::cmp::Ordering::Equal => self.flags.has_any(Flags::SEEK),
            std::cmp::Ordering::Greater => self.flags.has(Flags::SEEK_FWD),
        }
    }

    /// Whether the mode allows an operation of a stream that may write.
    #[must_use]
    pub fn allows(&self, operation: Operation) -> bool {
        operation.needs().bits() & !self.flags.bits() == 0
    }

    fn check_guard(&self, guard: &Guard) -> Result<(), Code> {
        let now = self.last();
        let version = guard.version.as_ref().is_none_or(|version| *version == now.version);
        let end = guard.end.is_none_or(|end| end.get() == now.end);
        if version && end { Ok(()) } else { Err(Code::CONFLICT) }
    }

    /// Where `count` elements would go now, and how many of them.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn judge_write(&self, guard: &Guard, to: Pos, count: u64) -> Result<(u64, u64), Code> {
        self.check_guard(guard)?;
        let now = self.last();
        let at = now.wish(to).filter(|&at| at >= now.start).ok_or(Code::OUT_OF_RANGE)?;
        if at < now.end && self.append_only {
            return Err(Code::MODE_FORBIDS);
        }
        if !self.allows(Operation::Extend) {
            let room = now.end.saturating_sub(at);
            return if room == 0 { Err(Code::END_OF_SPACE) } else { Ok((at, count.min(room))) };
        }
        if at + count > now.end && at + count > self.reach.end.get() {
            return Err(Code::TOO_LONG);
        }
        if at > now.end + self.reach.gap {
            return Err(Code::OUT_OF_RANGE);
        }
        if now.ended && at + count > now.end {
            return Err(Code::END_OF_SPACE);
        }
        Ok((at, count))
    }

    /// Where an end would be after it is moved now.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn judge_truncate(&self, guard: &Guard, edge: Edge, to: Pos) -> Result<u64, Code> {
        self.check_guard(guard)?;
        let now = self.last();
        let at = now.wish(to).filter(|&at| at >= now.start).ok_or(Code::OUT_OF_RANGE)?;
        let moves = if edge == Edge::Before { at != now.start } else { at != now.end };
        let operation = match edge {
            Edge::Before if at > now.end => return Err(Code::OUT_OF_RANGE),
            Edge::Before => Operation::TruncateBefore,
            Edge::After if at > now.end => Operation::Extend,
            Edge::After => Operation::TruncateAfter,
        };
        if moves && !self.allows(operation) {
            return Err(Code::MODE_FORBIDS);
        }
        if at > now.end && at > self.reach.end.get() {
            return Err(Code::TOO_LONG);
        }
        if edge == Edge::After && moves && now.ended {
            return Err(Code::END_OF_SPACE);
        }
        Ok(at)
    }

    /// Elements were stored; what lies between the end and them is filled.
    pub fn stored(&mut self, at: u64, run: &Elements, version: Vec<u8>) {
        let now = self.last();
        let end = now.end.max(at + run.len());
        let from = at.min(now.end);
        let mut filled = Elements::filler(self.kind, at - from);
        filled.append(run);
        let edit = Edit { end, version, at: from, run: filled, ..now.clone() };
        self.edits.push(edit);
    }

    /// An end was moved.
    pub fn moved(&mut self, edge: Edge, to: u64, version: Vec<u8>) {
        let run = Elements::none(self.kind);
        let now = self.last();
        let (start, end, ended) = (now.start, now.end, now.ended);
        let edit = match edge {
            Edge::Before => Edit { start: to, end, version, ended, at: to, run },
            Edge::After if to > end => return self.stored(to, &run, version),
            Edge::After => Edit { start, end: to, version, ended, at: to, run },
        };
        self.edits.push(edit);
    }

    /// The end is final.
    pub fn finished(&mut self) {
        let run = Elements::none(self.kind);
        let edit = Edit { ended: true, run, ..self.last().clone() };
        self.edits.push(edit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlens_proto::Reach;

    fn bytes(text: &str) -> Elements {
        Elements::Bytes(text.as_bytes().to_vec())
    }

    fn published(text: &str) -> Published {
        let run = bytes(text);
        let (start, version, ended) = (0, Vec::new(), false);
        Published {
            kind: Kind::Bytes,
            flags: Flags::READABLE,
            append_only: false,
            reach: Reach::default(),
            live: false,
            edits: vec![Edit { start, end: run.len(), version, ended, at: 0, run }],
            failures: Vec::new(),
        }
    }

    #[test]
    fn an_element_is_known_while_it_stands_and_in_the_moment_before_its_end() {
        let mut published = published("abcdef");
        published.stored(2, &bytes("XY"), Vec::new());
        for (since, found, wrong) in [
            (0, "abcdef", None),
            (0, "abXdef", None),
            (1, "abXYef", None),
            (1, "abXdef", Some(3)),
            (0, "abXYeg", Some(5)),
        ] {
            assert_eq!(published.first_unknown(0, &bytes(found), since), wrong, "{found}");
        }
    }

    #[test]
    fn what_was_cut_off_is_unknown_and_what_fills_its_place_is_zero() {
        let mut published = published("abcdef");
        published.moved(Edge::After, 3, Vec::new());
        published.stored(5, &bytes("Z"), Vec::new());
        assert_eq!(published.contents(), bytes("abc\0\0Z"));
        assert_eq!(published.first_unknown(2, &bytes("cdef"), 0), None);
        assert_eq!(published.first_unknown(2, &bytes("cd"), 1), Some(3));
        assert_eq!(published.first_unknown(2, &bytes("c\0\0Z"), 1), None);
        assert_eq!(published.first_unknown(4, &bytes("\0Zz"), 0), Some(6));
    }
}
