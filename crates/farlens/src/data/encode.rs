//! Encoding the values that a source is made of.

use crate::{Error, Result};
use farlens_wire::{Code, Element};

/// Appends the encoding of a value; what cannot be encoded is named by its index.
pub(super) fn encode_element<T: Element>(value: &T, index: u64, out: &mut Vec<u8>) -> Result<()> {
    value.encode(out).map_err(|error| {
        Error::new(Code::USAGE, format!("element {index} cannot be encoded: {error}"))
    })
}

/// Appends the encoding of a value that has no index yet.
pub(super) fn encode_value<T: Element>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    value
        .encode(out)
        .map_err(|error| Error::new(Code::USAGE, format!("the value cannot be encoded: {error}")))
}
