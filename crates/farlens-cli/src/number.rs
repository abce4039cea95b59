//! Numbers as people write them: `4096`, `0x1000`, `8M`, `8MB`.

/// A number with an optional unit: K, M, G and T are powers of 1024, KB, MB, GB and TB of 1000.
/// Behind 0x it is hexadecimal, without a unit.
pub(crate) fn parse_number(text: &str) -> Result<i64, &'static str> {
    const WHOLE: &str = "a place is a whole number below 2^63";
    if let Some(digits) = text.strip_prefix("0x") {
        // A sign would be read as well.
        let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        return i64::from_str_radix(digits, 16).ok().filter(|_| hex).ok_or(WHOLE);
    }
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor =
        factor(unit).ok_or("a unit is K, M, G or T, with B behind it for powers of 1000")?;
    let number: i64 = digits.parse().map_err(|_| WHOLE)?;
    number.checked_mul(factor).ok_or(WHOLE)
}

/// A number of at least nothing, without a sign.
pub(crate) fn parse_count(text: &str) -> Result<u64, &'static str> {
    let signed = text.starts_with(['+', '-']);
    let number = parse_number(text)?;
    u64::try_from(number).ok().filter(|_| !signed).ok_or("it takes no sign")
}

/// What a unit stands for.
fn factor(unit: &str) -> Option<i64> {
    Some(match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KIB" => 1 << 10,
        "M" | "MIB" => 1 << 20,
        "G" | "GIB" => 1 << 30,
        "T" | "TIB" => 1 << 40,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_two_bases() {
        for (text, number) in [
            ("0", 0),
            ("12", 12),
            ("0x10", 16),
            ("0xfF", 255),
            ("8M", 8 << 20),
            ("8MiB", 8 << 20),
            ("8MB", 8_000_000),
            ("4k", 4096),
        ] {
            assert_eq!(parse_count(text), Ok(number), "{text}");
        }
        assert_eq!(parse_number("-4K"), Ok(-4096));
        for bad in ["", "0x", "0x+1", "0x1M", "1X", "-1", "+1", "9223372036854775808", "1.5"] {
            assert!(parse_count(bad).is_err(), "{bad}");
        }
    }
}
