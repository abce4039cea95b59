//! What a reader must see.

use super::{Elements, Published};
use farlens_proto::{Chunk, OpenRequest, ReadOutcome, SeekStatus};
use farlens_wire::{AtEnd, Code, Delivery, Flags, Pos};

/// A seek that has not been answered.
#[derive(Clone, Debug)]
struct Wanted {
    to: Pos,
    at_end: AtEnd,
    /// The moment at which it was asked for.
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
    /// Whether elements may be left out for it.
    pub delivery: Delivery,
    /// Whether its stream is for reading at all.
    pub reads: bool,
    /// Whether it asked for the first element there is and has not been told anything yet.
    fresh: bool,
    /// Elements taken since the last seek, which can be given back.
    pub taken: u64,
    /// What came last.
    pub last: Option<Last>,
    /// Elements that come were there at this moment or later.
    since: usize,
    /// Seeks without an answer, the latest last.
    wanted: Vec<Wanted>,
    /// A seek has failed since elements came, and the way back may fail as well.
    astray: Option<usize>,
    /// Why the stream may be over, once it may.
    pub may_end: Vec<Code>,
}

impl Reader {
    /// A reader of a stream that is opened at this moment.
    #[must_use]
    pub const fn opening(request: &OpenRequest, since: usize) -> Self {
        Self {
            at: None,
            at_end: request.at_end,
            delivery: request.delivery,
            reads: request.flags.has(Flags::READABLE),
            fresh: matches!(request.start, Pos::FromStart(0)),
            taken: 0,
            last: None,
            since,
            wanted: Vec::new(),
            astray: None,
            may_end: Vec::new(),
        }
    }

    /// Whether a seek has no answer.
    #[must_use]
    pub const fn is_seeking(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// The stream is open, at this place.
    pub const fn opened(&mut self, at: u64) {
        self.at = Some(at);
    }

    /// Whether the stream may have gone on to this place by itself: to a start that has moved
    /// before anything came. It is the reader's place then.
    pub fn may_begin(&mut self, source: &Published, place: u64) -> bool {
        let later = self.fresh && self.at.is_some_and(|at| at < place);
        let right = later && source.ever(self.since, |edit| edit.start == place);
        if right {
            self.at = Some(place);
        }
        right
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
        self.fresh &= *outcome == ReadOutcome::Pending;
        match outcome {
            ReadOutcome::Some(chunk) => self.elements(source, max, chunk),
            ReadOutcome::Pending if self.last.is_some() => {
                Err(format!("nothing came, after {:?}", self.last))
            }
            ReadOutcome::Pending => Ok(()),
            ReadOutcome::End(end) => self.end(source, end.get()),
            ReadOutcome::Gap { skipped, evicted } => self.gap(source, *skipped, *evicted),
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
        if let Some(wrong) = source.first_unknown(at, &Elements::of(chunk), self.since) {
            return Err(format!("the element at {wrong} never was there since {}", self.since));
        }
        self.at = Some(at + count);
        self.taken += count;
        self.astray = None;
        Ok(())
    }

    /// Who wants everything misses only what is gone; who wants the latest may miss anything that
    /// was there, but never stands behind it.
    fn gap(&mut self, source: &Published, skipped: u64, evicted: bool) -> Result<(), String> {
        let Some(at) = self.at else { return Err("a gap before the stream was open".into()) };
        if self.is_seeking() || self.last.is_some() || skipped == 0 {
            return Err(format!("a gap of {skipped} in a seek, or after {:?}", self.last));
        }
        let to = at + skipped;
        let gone = source.ever(self.since, |edit| edit.start == to);
        let newest = source.ever(self.since, |edit| edit.end == to + 1 && edit.start <= to);
        let right = match self.delivery {
            Delivery::Lossless => evicted && gone,
            Delivery::Latest => !evicted && (gone || newest),
        };
        if !right {
            return Err(format!("a gap from {at} to {to}, evicted: {evicted}"));
        }
        self.at = Some(to);
        self.taken = 0;
        Ok(())
    }

    fn end(&mut self, source: &Published, end: u64) -> Result<(), String> {
        if self.at != Some(end) || self.is_seeking() {
            return Err(format!("an end at {end}, the reader is at {:?}", self.at));
        }
        let is_end = match self.at_end {
            AtEnd::Stop => source.ever(self.since, |edit| edit.end == end),
            AtEnd::Follow => source.last().ended && source.end() == end,
        };
        if !is_end {
            return Err(format!("{end} is no end for {:?}", self.at_end));
        }
        self.last = Some(Last::End);
        Ok(())
    }

    fn failed(&mut self, source: &Published, code: Code) -> Result<(), String> {
        if self.last == Some(Last::End) {
            return Err(format!("{code:?} after the end"));
        }
        let at = self.at.filter(|_| !self.is_seeking());
        if at.is_some() && !self.reads && code == Code::MODE_FORBIDS {
            return Ok(());
        }
        if self.may_end.contains(&code) {
            self.last = Some(Last::Over);
            return Ok(());
        }
        let broken = at.is_some_and(|at| match code {
            Code::SOURCE_FAILED => source.failures.contains(&at),
            // What was fetched and is cut off may begin anywhere behind the reader.
            Code::TRUNCATED => {
                source.was_cut(self.since) || source.ever(self.since, |edit| edit.end < at)
            }
            Code::OUT_OF_RANGE => {
                self.astray.is_some_and(|since| source.ever(since, |edit| edit.is_outside(at)))
            }
            _ => false,
        });
        if !broken {
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
                self.fresh = false;
                self.wanted.push(Wanted { to, at_end, since: source.now() });
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

    /// Judges the answer to the latest seek. `at_once`: nobody can have been asked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn sought(
        &mut self,
        source: &Published,
        status: &SeekStatus,
        at_once: bool,
    ) -> Result<(), String> {
        match status {
            SeekStatus::Idle if self.is_seeking() => Err("a seek was forgotten".into()),
            SeekStatus::Idle => Ok(()),
            _ if !self.is_seeking() => Err(format!("{status:?} without a seek")),
            SeekStatus::Pending => Ok(()),
            SeekStatus::Done(at) => {
                let at = at.get();
                let last = self.wanted.pop().expect("a seek is under way");
                let buffered = at_once && matches!(last.to, Pos::Abs(to) if to.get() == at);
                let leads = source.ever(last.since, |edit| edit.place(last.to) == Some(at));
                let may = self.at.is_some_and(|from| source.may_go(from, at));
                if !(leads || buffered) || !may {
                    return Err(format!("a seek to {} led to {at}", last.to));
                }
                self.at = Some(at);
                self.at_end = last.at_end;
                if !at_once {
                    self.since = last.since;
                    self.astray = None;
                }
                self.settle();
                Ok(())
            }
            SeekStatus::Failed(fault) => {
                let last = self.wanted.pop().expect("a seek is under way");
                if !self.may_fail(source, &last, fault.code) {
                    return Err(format!("a seek to {} failed with {fault}", last.to));
                }
                self.astray.get_or_insert(last.since);
                self.settle();
                Ok(())
            }
        }
    }

    fn may_fail(&self, source: &Published, wanted: &Wanted, code: Code) -> bool {
        let to = wanted.to;
        match code {
            code if self.may_end.contains(&code) => true,
            Code::OUT_OF_RANGE => source.ever(wanted.since, |edit| edit.place(to).is_none()),
            Code::MODE_FORBIDS => {
                let from = self.at.unwrap_or(0);
                let wrong_way = |to: u64| !source.may_go(from, to);
                !source.flags.has_any(Flags::SEEK)
                    || matches!(to, Pos::Abs(to) if wrong_way(to.get()))
                    || source.ever(wanted.since, |edit| edit.place(to).is_some_and(wrong_way))
            }
            _ => false,
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
