//! Between lines of JSON and [`farlens_wire::Entity`].
//!
//! A reader of its own rather than serde_json's: what serde_json shows of a number without losing
//! digits is an object with a private key, which an honest document may contain as well, and its
//! depth is not ours to set. Reading is strict JSON by RFC 8259 in one pass without recursion.
//!
//! | JSON | entity |
//! |---|---|
//! | null, true, false | null, bool |
//! | a number without point and exponent | int, up to 128 bits |
//! | any other number | f64, the nearest one; a number beyond the largest is refused |
//! | string | text |
//! | array | list |
//! | object | map with text keys in order; no key twice |
//!
//! The other way each entity has a JSON form, but not each comes back as it was: bytes become
//! base64, times RFC 3339, NaN and the infinities null, records objects, tagged values
//! `{"tag":…,"value":…}`.

mod read;
mod write;

pub(crate) use read::parse_line;
pub(crate) use write::write;

#[cfg(test)]
mod tests;
