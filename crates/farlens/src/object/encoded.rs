//! Values in encoded form, in memory of exactly their length.
//!
//! Most are short and become a message as they are: a vector that grows, or with room to spare,
//! would cost more on its way than its bytes do.

use farlens_wire::{EncodeError, Reference, typed};
use serde::Serialize;
use std::cell::RefCell;

/// What is longer is not copied once more, in bytes.
const SHORT: usize = 4 << 10;

thread_local! {
    /// Where values are encoded.
    static DESK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A value with what its references point at.
///
/// # Errors
/// What [`EncodeError`] lists.
pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
) -> Result<(Vec<u8>, Vec<Reference>), EncodeError> {
    let mut table = Vec::new();
    // It is off the desk meanwhile: who encodes may encode something else inside.
    let mut out = DESK.with(RefCell::take);
    out.clear();
    typed::encode_with(value, &mut out, &mut table)?;
    if out.len() > SHORT {
        return Ok((out, table));
    }
    let exact = out.as_slice().to_vec();
    if out.capacity() <= SHORT {
        DESK.with(|desk| desk.replace(out));
    }
    Ok((exact, table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_have_no_room_to_spare() {
        for length in [0, 1, 31, 32, 33, 1000] {
            let (bytes, _) = encode(&vec![7u8; length]).unwrap();
            assert_eq!(bytes.len(), bytes.capacity());
        }
    }

    #[test]
    fn a_value_that_encodes_another_inside_is_whole() {
        struct Outer;
        impl Serialize for Outer {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let inner = encode("inner").map_err(serde::ser::Error::custom)?.0;
                ("before", inner, "behind").serialize(serializer)
            }
        }
        let expected = ("before", encode("inner").unwrap().0, "behind");
        assert_eq!(encode(&Outer).unwrap().0, encode(&expected).unwrap().0);
    }

    #[test]
    fn what_is_long_leaves_nothing_behind() {
        encode(&vec![0u8; 1 << 20]).unwrap();
        assert!(DESK.with_borrow(Vec::capacity) <= SHORT);
    }
}
