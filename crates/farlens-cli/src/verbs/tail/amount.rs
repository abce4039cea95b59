//! How much of a stream is printed: `10`, `+1`, `4K`.

use crate::number::parse_count;

/// A part of a stream at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// The last so many.
    Last(u64),
    /// All but the first so many.
    Behind(u64),
}

/// Reads an amount as `tail` does: `N` and `-N` are the last N, `+K` is from the K-th on.
pub(super) fn parse(text: &str) -> Result<Amount, String> {
    let from = text.strip_prefix('+');
    let digits = from.unwrap_or_else(|| text.strip_prefix('-').unwrap_or(text));
    let number = parse_count(digits).map_err(|why| format!("not a number of them: {why}"))?;
    Ok(match from {
        Some(_) => Amount::Behind(number.saturating_sub(1)),
        None => Amount::Last(number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_counts_from_the_start() {
        for (text, amount) in [
            ("10", Amount::Last(10)),
            ("-3", Amount::Last(3)),
            ("0", Amount::Last(0)),
            ("4K", Amount::Last(4096)),
            ("+1", Amount::Behind(0)),
            ("+0", Amount::Behind(0)),
            ("+7", Amount::Behind(6)),
        ] {
            assert_eq!(parse(text), Ok(amount), "{text}");
        }
        for bad in ["", "+", "-", "+-1", "x", "1X"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
