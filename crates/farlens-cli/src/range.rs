//! Parts of a stream as people write them: `0..4096`, `8K..`, `-512..`, `..1MB`.

use farlens::{Bounds, Code, Error, Pos, Position, Result};
use std::str::FromStr;

/// A part of a stream. Places count from the start, or from the end where they are negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    from: Option<i64>,
    to: Option<i64>,
}

impl Range {
    /// From a place on, and at most so many elements.
    pub(crate) fn counted(from: Option<i64>) -> Self {
        Self { from, to: None }
    }

    /// Where to begin.
    pub(crate) fn start(&self) -> Pos {
        match self.from {
            // A source that only goes forward is at its start as well.
            None | Some(0) => Pos::START,
            Some(from) => place(from),
        }
    }

    /// How many elements to take from `start`, where that is limited.
    pub(crate) fn length(&self, start: Position, bounds: Bounds) -> Result<Option<u64>> {
        let Some(to) = self.to else { return Ok(None) };
        let end = if to < 0 { place(to).resolve(bounds)?.get() } else { to.unsigned_abs() };
        Ok(Some(end.saturating_sub(start.get())))
    }
}

fn place(number: i64) -> Pos {
    match u64::try_from(number) {
        Ok(number) => Pos::Abs(Position::new(number).unwrap_or(Position::MAX)),
        Err(_) => Pos::FromEnd(number),
    }
}

impl FromStr for Range {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (from, to) = text.split_once("..").ok_or_else(|| bad(text, "it has no .."))?;
        let part = |part: &str| match part.trim() {
            "" => Ok(None),
            number => parse_number(number).map(Some).map_err(|why| bad(text, why)),
        };
        let (from, to) = (part(from)?, part(to)?);
        match (from, to) {
            (Some(a), Some(b)) if a > b && (a < 0) == (b < 0) => {
                Err(bad(text, "it ends before it starts"))
            }
            _ => Ok(Self { from, to }),
        }
    }
}

fn bad(text: &str, why: &str) -> Error {
    Error::new(Code::USAGE, format!("{text:?} is no range: {why}"))
        .with_hint("ranges are A..B, A.., ..B and -N.. for the last N; 8K is 8192, 8KB is 8000")
}

/// A number with an optional unit: K, M, G and T are powers of 1024, KB, MB, GB and TB of 1000.
pub(crate) fn parse_number(text: &str) -> Result<i64, &'static str> {
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor: i64 = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KIB" => 1 << 10,
        "M" | "MIB" => 1 << 20,
        "G" | "GIB" => 1 << 30,
        "T" | "TIB" => 1 << 40,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err("a unit is K, M, G or T, with B behind it for powers of 1000"),
    };
    let number: i64 = digits.parse().map_err(|_| "a place is a whole number below 2^63")?;
    number.checked_mul(factor).ok_or("a place is a whole number below 2^63")
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
        for text in ["", "5", "a..b", "10..5", "-5..-10", "1X..", "9223372036854775808..", "1.5..2"]
        {
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
