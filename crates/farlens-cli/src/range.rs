//! Parts of a stream as people write them: `0..4096`, `8K..`, `-512..`, `..1MB`.

use crate::number::parse_number;
use farlens::{Bounds, Code, Error, Pos, Position, Result};
use std::str::FromStr;

/// A part of a stream, between places that [`parse_place`] reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    from: Option<Pos>,
    to: Option<Pos>,
}

impl Range {
    /// From a place on, and at most so many elements.
    pub(crate) fn counted(from: Option<Pos>) -> Self {
        Self { from, to: None }
    }

    /// Where to begin.
    pub(crate) fn start(&self) -> Pos {
        match self.from {
            // A source that only goes forward is at its start as well.
            None | Some(Pos::Abs(Position::ZERO)) => Pos::START,
            Some(from) => from,
        }
    }

    /// Where to begin when `start` was out of range: who wants more of the end than there is gets
    /// all of it.
    pub(crate) fn clamped_start(&self) -> Option<Pos> {
        matches!(self.from, Some(Pos::FromEnd(_))).then_some(Pos::START)
    }

    /// How many elements to take from `start`, where that is limited.
    pub(crate) fn length(&self, start: Position, bounds: Bounds) -> Result<Option<u64>> {
        let Some(to) = self.to else { return Ok(None) };
        let end = match to {
            // What is beyond the end is cut off there.
            Pos::Abs(to) => to,
            to => to.resolve(bounds)?,
        };
        Ok(Some(end.since(start)))
    }
}

impl FromStr for Range {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (from, to) = text.split_once("..").ok_or_else(|| bad(text, "it has no .."))?;
        let part = |part: &str| match part.trim() {
            "" => Ok(None),
            place => parse_place(place).map(Some).map_err(|why| bad(text, why)),
        };
        let (from, to) = (part(from)?, part(to)?);
        let backwards = match (from, to) {
            (Some(Pos::Abs(a)), Some(Pos::Abs(b))) => a > b,
            (Some(Pos::FromEnd(a)), Some(Pos::FromEnd(b))) => a > b,
            _ => false,
        };
        if backwards { Err(bad(text, "it ends before it starts")) } else { Ok(Self { from, to }) }
    }
}

fn bad(text: &str, why: &str) -> Error {
    Error::new(Code::USAGE, format!("{text:?} is no range: {why}"))
        .with_hint("ranges are A..B, A.., ..B and -N.. for the last N; 8K is 8192, 8KB is 8000")
}

/// A place: a number counts from the start, one with a minus from the end, so that -0 is the end.
pub(crate) fn parse_place(text: &str) -> Result<Pos, &'static str> {
    let number = parse_number(text)?;
    match Position::try_from(number.unsigned_abs()) {
        Ok(place) if !text.starts_with('-') => Ok(Pos::Abs(place)),
        _ => Ok(Pos::FromEnd(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        text.parse().expect(text)
    }

    #[test]
    fn all_forms_are_read() {
        let bounds = Bounds::up_to(Position::from(1000));
        for (text, start, length) in [
            ("..", Pos::START, None),
            ("0..10", Pos::START, Some(10)),
            ("5..", Pos::Abs(Position::from(5)), None),
            ("-512..", Pos::FromEnd(-512), None),
            ("..20", Pos::START, Some(20)),
            ("..-20", Pos::START, Some(980)),
            ("-0..", Pos::END, None),
            ("..-0", Pos::START, Some(1000)),
            ("7..7", Pos::Abs(Position::from(7)), Some(0)),
            ("1k..2K", Pos::Abs(Position::from(1024)), Some(1024)),
            ("1KB..2MB", Pos::Abs(Position::from(1000)), Some(1_999_000)),
        ] {
            let range = range(text);
            assert_eq!(range.start(), start, "{text}");
            let from = start.resolve(Bounds::up_to(Position::MAX)).expect(text);
            let from = if text.starts_with('-') { Position::ZERO } else { from };
            assert_eq!(range.length(from, bounds).expect(text), length, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "5",
            "a..b",
            "10..5",
            "-5..-10",
            "-0..-1",
            "1X..",
            "9223372036854775808..",
            "1.5..2",
        ] {
            let error = text.parse::<Range>().expect_err(text);
            assert_eq!(error.code(), Code::USAGE);
        }
    }

    #[test]
    fn an_end_before_the_data_is_out_of_range() {
        let bounds = Bounds::up_to(Position::from(10));
        let error = range("..-11").length(Position::ZERO, bounds).expect_err("11 before the end");
        assert_eq!(error.code(), Code::OUT_OF_RANGE);
    }
}
