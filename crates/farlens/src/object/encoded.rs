//! Values in encoded form, as they become messages.

use bytes::Bytes;
use farlens_wire::{EncodeError, Page, Reference, typed};
use serde::Serialize;
use std::cell::RefCell;

/// What is longer is not copied once more, in bytes.
const SHORT: usize = 4 << 10;

/// Where values are encoded.
#[derive(Default)]
struct Desk {
    draft: Vec<u8>,
    page: Page,
}

thread_local! {
    static DESK: RefCell<Desk> =
        const { RefCell::new(Desk { draft: Vec::new(), page: Page::new() }) };
}

/// A value with what its references point at.
///
/// # Errors
/// What [`EncodeError`] lists.
pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
) -> Result<(Bytes, Vec<Reference>), EncodeError> {
    let mut table = Vec::new();
    // It is taken meanwhile: who encodes may encode something else inside.
    let Desk { mut draft, mut page } = DESK.with(RefCell::take);
    draft.clear();
    typed::encode_with(value, &mut draft, &mut table)?;
    if draft.len() > SHORT {
        return Ok((draft.into(), table));
    }
    let bytes = page.copied(&draft);
    if draft.capacity() <= SHORT {
        DESK.with(|desk| desk.replace(Desk { draft, page }));
    }
    Ok((bytes, table))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(DESK.with_borrow(|desk| desk.draft.capacity()) <= SHORT);
    }
}
