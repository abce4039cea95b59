//! The reference: what a reader must see, worked out without any machine.
//!
//! A published sequence is a number of elements, each a function of its position, with a history of
//! where its end was. A reader is a position, and the places to which it wants to go. Arithmetic
//! here is in 128 bits and shares nothing with the code under test.

use crate::{
    pattern::{self, Sizes},
    source::Source,
};
use farlens_proto::{Chunk, ReadOutcome, SeekStatus};
use farlens_wire::{AtEnd, Code, Flags, Kind, Pos};

/// The position of the first element of a chunk from `at` on that is not the pattern's.
#[must_use]
pub fn first_wrong(seed: u64, sizes: Sizes, at: u64, chunk: &Chunk) -> Option<u64> {
    match chunk {
        Chunk::Bytes(found) => Some(at + pattern::first_wrong_byte(seed, at, found)?),
        Chunk::Items(found) => {
            let wrong = |(n, body): &(u64, &[u8])| pattern::entity(seed, *n, sizes) != *body;
            Some((at..).zip(found.iter()).find(wrong)?.0)
        }
    }
}

/// What the model knows of a source: the elements, and how its end has moved.
#[derive(Clone, Debug)]
pub struct Published {
    /// Bytes or entities.
    pub kind: Kind,
    /// What its streams allow.
    pub flags: Flags,
    /// Names the pattern.
    pub seed: u64,
    /// How large its entities are.
    pub sizes: Sizes,
    /// Every end that it has had, in order.
    pub ends: Vec<u64>,
    /// Whether the last one is final.
    pub ended: bool,
    /// Every place where reading has failed.
    pub failures: Vec<u64>,
}

impl Published {
    /// What is published with `source`.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        Self {
            kind: source.kind,
            flags: source.mode.flags(),
            seed: source.seed,
            sizes: source.sizes,
            ends: vec![source.end],
            ended: source.ended,
            failures: Vec::new(),
        }
    }

    /// The end as it is.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.ends[self.ends.len() - 1]
    }

    /// Where `to` leads while the end is `end`.
    #[must_use]
    pub fn place(&self, to: Pos, end: u64) -> Option<u64> {
        let at = match to {
            Pos::Abs(at) => i128::from(at.get()),
            Pos::FromStart(by) => i128::from(by),
            Pos::FromEnd(by) => i128::from(end) + i128::from(by),
        };
        u64::try_from(at).ok().filter(|&at| at <= end)
    }

    /// Whether a stream opened like this exists, and where it begins.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn open(&self, flags: Flags, kind: Option<Kind>, start: Pos) -> Result<u64, Code> {
        if kind.is_some_and(|kind| kind != self.kind) {
            return Err(Code::WRONG_KIND);
        }
        if flags.bits() & !self.flags.bits() != 0 {
            return Err(Code::MODE_FORBIDS);
        }
        let at = self.place(start, self.end()).ok_or(Code::OUT_OF_RANGE)?;
        if at != 0 && !self.flags.has_any(Flags::SEEK) {
            return Err(Code::MODE_FORBIDS);
        }
        Ok(at)
    }

    fn may_go(&self, from: u64, to: u64) -> bool {
        match to.cmp(&from) {
            std::cmp::Ordering::Less => self.flags.has(Flags::SEEK_REW),
            std::cmp::Ordering::Equal => self.flags.has_any(Flags::SEEK),
            std::cmp::Ordering::Greater => self.flags.has(Flags::SEEK_FWD),
        }
    }
}

/// A seek that has not been answered.
#[derive(Clone, Debug)]
struct Wanted {
    to: Pos,
    at_end: AtEnd,
    /// How many ends the source had had when it was asked for, less one.
    since: usize,
}

/// What came last, when it was no element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// The end.
    End,
    /// A failure that a seek may mend.
    Broken,
    /// The end of the stream.
    Over,
}

/// One reader.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The position of the element that must come next, once the stream is open.
    pub at: Option<u64>,
    /// What it does at the end.
    pub at_end: AtEnd,
    /// Elements taken since the last seek, which can be given back.
    pub taken: u64,
    /// What came last.
    pub last: Option<Last>,
    /// Seeks without an answer, the latest last.
    wanted: Vec<Wanted>,
    /// Why the stream may be over, once it may.
    pub may_end: Vec<Code>,
}

impl Reader {
    /// A reader of a stream that is being opened.
    #[must_use]
    pub const fn opening(at_end: AtEnd) -> Self {
        Self { at: None, at_end, taken: 0, last: None, wanted: Vec::new(), may_end: Vec::new() }
    }

    /// Whether a seek has no answer.
    #[must_use]
    pub fn is_seeking(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// The stream is open, at this place.
    pub fn opened(&mut self, at: u64) {
        self.at = Some(at);
    }

    /// Judges what a read of up to `max` elements gave.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(
        &mut self,
        source: &Published,
        max: u64,
        outcome: &ReadOutcome,
    ) -> Result<(), String> {
        match outcome {
            ReadOutcome::Some(chunk) => self.elements(source, max, chunk),
            ReadOutcome::Pending if self.last.is_some() => {
                Err(format!("nothing came, after {:?}", self.last))
            }
            ReadOutcome::Pending => Ok(()),
            ReadOutcome::End(end) => self.end(source, end.get()),
            ReadOutcome::Gap { skipped, .. } => Err(format!("a gap of {skipped}")),
            ReadOutcome::Failed(fault) => self.failed(source, fault.code),
        }
    }

    fn elements(&mut self, source: &Published, max: u64, chunk: &Chunk) -> Result<(), String> {
        let Some(at) = self.at else { return Err("elements before the stream was open".into()) };
        let count = chunk.elements();
        if self.is_seeking() || self.last.is_some() {
            return Err(format!("{count} elements in a seek, or after {:?}", self.last));
        }
        if count == 0 || count > max || chunk.kind() != source.kind {
            return Err(format!("{count} elements where 1 to {max} were wanted"));
        }
        if at + count > source.end() {
            return Err(format!("elements up to {} of {}", at + count, source.end()));
        }
        if let Some(wrong) = first_wrong(source.seed, source.sizes, at, chunk) {
            return Err(format!("the element at {wrong} is wrong"));
        }
        self.at = Some(at + count);
        self.taken += count;
        Ok(())
    }

    fn end(&mut self, source: &Published, end: u64) -> Result<(), String> {
        if self.at != Some(end) || self.is_seeking() {
            return Err(format!("an end at {end}, the reader is at {:?}", self.at));
        }
        let is_end = match self.at_end {
            AtEnd::Stop => source.ends.contains(&end),
            AtEnd::Follow => source.ended && source.end() == end,
        };
        if !is_end {
            return Err(format!("{end} is no end for {:?}: {:?}", self.at_end, source.ends));
        }
        self.last = Some(Last::End);
        Ok(())
    }

    fn failed(&mut self, source: &Published, code: Code) -> Result<(), String> {
        if self.last == Some(Last::End) {
            return Err(format!("{code:?} after the end"));
        }
        if self.may_end.contains(&code) {
            self.last = Some(Last::Over);
            return Ok(());
        }
        let broken = self.at.is_some_and(|at| source.failures.contains(&at));
        if code != Code::SOURCE_FAILED || !broken || self.is_seeking() {
            return Err(format!("a read failed with {code:?} at {:?}", self.at));
        }
        self.last = Some(Last::Broken);
        Ok(())
    }

    /// Judges whether a seek was rightly taken up or refused at once. `held` elements are given
    /// back.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn seek(
        &mut self,
        source: &Published,
        (to, at_end): (Pos, AtEnd),
        held: u64,
        outcome: Result<(), Code>,
    ) -> Result<(), String> {
        let from = self.at.map(|at| at - held);
        match outcome {
            Ok(()) => {
                let wanted = Wanted { to, at_end, since: source.ends.len() - 1 };
                self.wanted.push(wanted);
                Ok(())
            }
            Err(code) if self.may_end.contains(&code) => Ok(()),
            Err(Code::MODE_FORBIDS) => {
                let impossible = !source.flags.has_any(Flags::SEEK);
                let Some(from) = from else { return Err("a mode before it is known".into()) };
                let wrong_way = matches!(to, Pos::Abs(to) if !source.may_go(from, to.get()));
                if impossible || wrong_way { Ok(()) } else { Err("a seek was refused".into()) }
            }
            Err(code) => Err(format!("a seek was refused with {code:?}")),
        }
    }

    /// Elements that the reader gave back are unread again unless the seek was answered at once.
    pub fn give_back(&mut self, held: u64) {
        self.at = self.at.map(|at| at - held);
    }

    /// Judges the answer to the latest seek.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn sought(&mut self, source: &Published, status: &SeekStatus) -> Result<(), String> {
        match status {
            SeekStatus::Idle if self.is_seeking() => Err("a seek was forgotten".into()),
            SeekStatus::Idle => Ok(()),
            _ if !self.is_seeking() => Err(format!("{status:?} without a seek")),
            SeekStatus::Pending => Ok(()),
            SeekStatus::Done(at) => {
                let at = at.get();
                let last = self.wanted.pop().expect("a seek is under way");
                let ends = &source.ends[last.since..];
                let leads = ends.iter().any(|&end| source.place(last.to, end) == Some(at));
                if !leads || !self.at.is_some_and(|from| source.may_go(from, at)) {
                    return Err(format!("a seek to {} led to {at}", last.to));
                }
                self.at = Some(at);
                self.at_end = last.at_end;
                self.settle();
                Ok(())
            }
            SeekStatus::Failed(fault) => {
                let last = self.wanted.pop().expect("a seek is under way");
                let ends = &source.ends[last.since..];
                let mut places = ends.iter().map(|&end| source.place(last.to, end));
                let right = match fault.code {
                    code if self.may_end.contains(&code) => true,
                    Code::OUT_OF_RANGE => places.any(|place| place.is_none()),
                    Code::MODE_FORBIDS => {
                        let from = self.at.unwrap_or(0);
                        let wrong_way = |to: u64| !source.may_go(from, to);
                        !source.flags.has_any(Flags::SEEK)
                            || matches!(last.to, Pos::Abs(to) if wrong_way(to.get()))
                            || places.flatten().any(wrong_way)
                    }
                    _ => false,
                };
                if !right {
                    return Err(format!("a seek to {} failed with {fault}", last.to));
                }
                self.settle();
                Ok(())
            }
        }
    }

    fn settle(&mut self) {
        self.wanted.clear();
        self.taken = 0;
        if self.last != Some(Last::Over) {
            self.last = None;
        }
    }
}
