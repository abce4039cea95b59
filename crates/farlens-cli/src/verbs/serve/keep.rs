//! How much of a live sequence is kept: `10000`, `1h`, `64MiB`.

use crate::number::{parse_count, parse_number};
use farlens::Keep;
use std::time::Duration;

/// One bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Count(u64),
    Age(Duration),
    Bytes(usize),
}

/// Reads a bound: a number alone counts lines, one with s, m, h or d is an age, and one with a unit
/// of bytes is bytes.
pub(super) fn parse(text: &str) -> Result<Bound, String> {
    let nothing = "keeping nothing is no bound".to_owned();
    if let Ok(count) = text.parse::<u64>() {
        return if count == 0 { Err(nothing) } else { Ok(Bound::Count(count)) };
    }
    let seconds = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(86_400),
        _ => None,
    };
    if let Some(unit) = text.chars().last().and_then(seconds) {
        let number = parse_number(&text[..text.len() - 1]).ok();
        let age = number.and_then(|number| u64::try_from(number).ok()?.checked_mul(unit));
        let age = age.ok_or("an age is a whole number with s, m, h or d behind it")?;
        return if age == 0 { Err(nothing) } else { Ok(Bound::Age(Duration::from_secs(age))) };
    }
    let bytes =
        parse_count(text).map_err(|why| format!("{why}; s, m, h and d are units of time"))?;
    let bytes = usize::try_from(bytes).map_err(|_| "more than memory can hold".to_owned())?;
    if bytes == 0 { Err(nothing) } else { Ok(Bound::Bytes(bytes)) }
}

/// All bounds together; nothing without any.
pub(super) fn all(bounds: &[Bound]) -> Option<Keep> {
    (!bounds.is_empty()).then(|| {
        bounds.iter().fold(Keep::new(), |keep, bound| match *bound {
            Bound::Count(count) => keep.count(count),
            Bound::Age(age) => keep.age(age),
            Bound::Bytes(bytes) => keep.bytes(bytes),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_says_what_is_bounded() {
        for (text, bound) in [
            ("10000", Bound::Count(10_000)),
            ("90s", Bound::Age(Duration::from_secs(90))),
            ("5m", Bound::Age(Duration::from_secs(300))),
            ("1h", Bound::Age(Duration::from_secs(3_600))),
            ("2d", Bound::Age(Duration::from_secs(172_800))),
            ("64MiB", Bound::Bytes(64 << 20)),
            ("8M", Bound::Bytes(8 << 20)),
            ("8MB", Bound::Bytes(8_000_000)),
        ] {
            assert_eq!(parse(text), Ok(bound), "{text}");
        }
        for bad in ["", "0", "0s", "0K", "-1", "h", "1w", "1.5h", "-1h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
