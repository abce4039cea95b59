//! Tag, length, bytes: how a frame grows without a new kind.
//!
//! Even tags may be ignored by who does not know them; an odd one must be understood.

use super::{Control, FrameError};
use crate::varint;
use bytes::BufMut;

/// Appends one TLV.
pub(crate) fn put(out: &mut impl BufMut, tag: u64, value: &[u8]) {
    varint::put(out, tag);
    varint::put(out, value.len() as u64);
    out.put_slice(value);
}

/// Takes one TLV off the front, or nothing when it is malformed.
pub(crate) fn take<'a>(input: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    let tag = varint::take(input).ok()?;
    let length = usize::try_from(varint::take(input).ok()?).ok()?;
    let (value, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some((tag, value))
}

/// Hands the TLVs behind a struct to it, and accepts those of others that need not be understood.
pub(crate) fn take_all<C: Control>(
    control: &mut C,
    id: u64,
    mut rest: &[u8],
) -> Result<(), FrameError> {
    let kind = C::KIND;
    while !rest.is_empty() {
        let (tag, value) = take(&mut rest)
            .ok_or(FrameError::Malformed { kind, what: "trailing bytes that are no TLV" })?;
        if !control.take_extension(tag, value) && tag % 2 == 1 {
            return Err(FrameError::Unsupported { kind, id, tag });
        }
    }
    Ok(())
}
