//! How bytes and times look where only text is at hand, as in JSON.

use std::fmt;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Displays bytes in the standard base64 with padding.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "it is bytes and stays that")]
pub struct Base64<'a>(pub &'a [u8]);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.chunks(3) {
            let group = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
            let bits = group(0) << 16 | group(1) << 8 | group(2);
            let mut quad = *b"====";
            for (index, place) in quad.iter_mut().take(chunk.len() + 1).enumerate() {
                *place = ALPHABET[(bits >> (18 - 6 * index)) as usize & 63];
            }
            f.write_str(std::str::from_utf8(&quad).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Displays nanoseconds since 1970 as in `2026-11-21T09:37:41.000000001Z`: no fraction where it is
/// zero, otherwise nine digits.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "it is a number and stays that")]
pub struct Rfc3339(pub i64);

const NS_PER_S: i64 = 1_000_000_000;
const S_PER_DAY: i64 = 86_400;

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ns) = (self.0.div_euclid(NS_PER_S), self.0.rem_euclid(NS_PER_S));
        let (days, second) = (seconds.div_euclid(S_PER_DAY), seconds.rem_euclid(S_PER_DAY));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if ns != 0 {
            write!(f, ".{ns:09}")?;
        }
        f.write_str("Z")
    }
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
///
/// Counts in eras of 400 years that begin with March, so that the leap day comes last.
const fn civil(days: i64) -> (i64, i64, i64) {
    let since = days + 719_468;
    let (era, day_of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_base64() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff], "+/8="),
        ] {
            assert_eq!(Base64(bytes).to_string(), text);
        }
    }

    #[test]
    fn times_become_dates() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400 * NS_PER_S, "2000-02-29T00:00:00Z"),
            (1_709_251_199 * NS_PER_S + 5, "2024-02-29T23:59:59.000000005Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            assert_eq!(Rfc3339(ns).to_string(), text);
        }
    }
}
