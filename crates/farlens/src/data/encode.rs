//! Encoding the values that a source is made of.

use crate::{Error, Result};
use farlens_wire::{Code, Element, Reference};

/// Appends the encoding of a value, and what its references point at; what cannot be encoded is named
/// by its index.
pub(super) fn encode_element<T: Element>(
    value: &T,
    index: u64,
    (out, table): (&mut Vec<u8>, &mut Vec<Reference>),
) -> Result<()> {
    value.encode_with(out, table).map_err(|error| {
        Error::new(Code::USAGE, format!("element {index} cannot be encoded: {error}"))
    })
}

/// The encoding of a value that has no index yet, and what its references point at.
pub(super) fn encode_value<T: Element>(value: &T) -> Result<(Vec<u8>, Vec<Reference>)> {
    let (mut out, mut table) = (Vec::new(), Vec::new());
    value.encode_with(&mut out, &mut table).map_err(|error| {
        Error::new(Code::USAGE, format!("the value cannot be encoded: {error}"))
    })?;
    Ok((out, table))
}
