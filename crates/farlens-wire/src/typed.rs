//! Rust values by serde in postcard's format, under a budget and in one form only.
//!
//! What is written is what the postcard crate writes. What is read is stricter: numbers must be
//! minimal, nothing may trail, depth, elements and memory are bounded. A level is a structure, a
//! tuple, a sequence, a map, a newtype, a variant with content or a present option.
//!
//! Values go by position. [`decode_by`] reads those of another type by the names in its schema.
//!
//! An [`Entity`](crate::Entity) inside a typed value is its canonical encoding behind a length, as
//! postcard's bytes are.

mod by_name;
mod de;
mod ser;

use crate::read::Reader;
use crate::schema::SchemaDoc;
use crate::{Budget, DecodeError, EncodeError, Limits, Reference};
use serde::{Deserialize, Serialize};

/// Levels that an encoder writes: the default of [`Limits::depth`], so that receivers with default
/// limits can read what was sent.
pub(crate) const ENCODE_DEPTH: u32 = 64;

/// Appends the encoding of `value`, which may hold no references.
///
/// # Errors
/// What [`EncodeError`] lists; `out` is unchanged then.
#[inline]
pub fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let (start, mut table) = (out.len(), Vec::new());
    encode_with(value, out, &mut table)?;
    if table.is_empty() {
        return Ok(());
    }
    out.truncate(start);
    Err(EncodeError::ReferenceMisplaced)
}

/// Appends the encoding of `value`, and what its references point at to `table`.
///
/// # Errors
/// What [`EncodeError`] lists; `out` is unchanged then.
#[inline]
pub fn encode_with<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
    table: &mut Vec<Reference>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let result = value.serialize(&mut ser::Encoder::new(out, table));
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Decodes one value without references that takes up all of `bytes`. Text and bytes may borrow
/// from it.
///
/// # Errors
/// What [`DecodeError`] lists; trailing bytes are refused.
#[inline]
pub fn decode<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    limits: &Limits,
) -> Result<T, DecodeError> {
    decode_with(bytes, &[], limits)
}

/// Decodes one value that takes up all of `bytes`; `table` is what its references point at.
///
/// # Errors
/// As [`decode`].
#[inline]
pub fn decode_with<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    table: &[Reference],
    limits: &Limits,
) -> Result<T, DecodeError> {
    decode_within(bytes, table, &mut Budget::new(limits))
}

/// As [`decode_with`], under a budget that goes on to other parts of the same message.
///
/// # Errors
/// As [`decode`]; the budget may be partly spent then.
#[inline]
pub fn decode_within<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    table: &[Reference],
    budget: &mut Budget,
) -> Result<T, DecodeError> {
    let mut decoder = de::Decoder::new(Reader::new(bytes), table, budget);
    let value = T::deserialize(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}

/// Decodes one value that was written as `writer` says, by the names of fields and variants, and
/// takes up all of `bytes`; `table` is what its references point at.
///
/// Whether every value of the writer can be read as a `T` is what
/// [`Resolution::between`](crate::schema::Resolution::between) says.
///
/// # Errors
/// As [`decode`]; [`DecodeError::Refused`] where `T` does not take what is there.
#[inline]
pub fn decode_by<'de, T: Deserialize<'de>>(
    writer: &SchemaDoc,
    bytes: &'de [u8],
    table: &[Reference],
    limits: &Limits,
) -> Result<T, DecodeError> {
    let mut budget = Budget::new(limits);
    let mut decoder = de::Decoder::new(Reader::new(bytes), table, &mut budget);
    let value = by_name::ByName { decoder: &mut decoder, schema: writer, ty: writer.root() };
    let value = T::deserialize(value)?;
    decoder.finish()?;
    Ok(value)
}

#[cfg(test)]
mod tests;
