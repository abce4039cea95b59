//! One case: two types, a value of each, and what either reader makes of the other's.

use farlens_wire::schema::{Resolution, Schema, SchemaDoc};
use farlens_wire::{Budget, DecodeError, Limits, typed};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use std::sync::Arc;

/// What a reader makes of a value.
pub(crate) enum Outcome<T> {
    /// It is read as this.
    Reads(T),
    /// It is read as this by position, since the types are laid out alike.
    ReadsStraight(T),
    /// The types differ.
    Differs(&'static str),
    /// The types fit, and this value is refused with words that begin like these.
    Refuses(&'static str),
}

/// The schema as a peer has it: it knows nothing of readers.
pub(crate) fn sent(doc: &SchemaDoc) -> Arc<SchemaDoc> {
    let mut bytes = Vec::new();
    doc.encode(&mut bytes);
    let doc = SchemaDoc::decode(&bytes, &mut Budget::new(&Limits::default()));
    Arc::new(doc.expect("it was just encoded"))
}

pub(crate) fn check<W, R>(value: &W, expected: Outcome<R>)
where
    W: Schema + Serialize,
    R: Schema + DeserializeOwned + PartialEq + Debug,
{
    let writer = sent(&SchemaDoc::of::<W>());
    let reader = SchemaDoc::of::<R>();
    let mut bytes = Vec::new();
    typed::encode(value, &mut bytes).expect("it can be encoded");
    let limits = Limits::default();
    let by_name = |bytes: &[u8]| typed::decode_by::<R>(&writer, bytes, &[], &limits);
    let resolution = match (Resolution::between(&writer, &reader), &expected) {
        (Err(found), Outcome::Differs(due)) => return assert_eq!(found.to_string(), *due),
        (Err(found), _) => panic!("{writer} cannot be read as {reader}: {found}"),
        (Ok(_), Outcome::Differs(due)) => panic!("{writer} can be read as {reader}, not: {due}"),
        (Ok(resolution), _) => resolution,
    };
    assert_eq!(resolution.is_straight(), matches!(expected, Outcome::ReadsStraight(_)));
    let found = resolution.decode::<R>(&bytes, &[], &limits);
    match expected {
        Outcome::Reads(due) | Outcome::ReadsStraight(due) => {
            assert_eq!(found.as_ref(), Ok(&due));
            assert_eq!(by_name(&bytes), Ok(due));
            (0..bytes.len()).for_each(|cut| assert!(by_name(&bytes[..cut]).is_err(), "{cut}"));
            bytes.push(0);
            assert_eq!(by_name(&bytes), Err(DecodeError::Trailing));
        }
        Outcome::Refuses(due) => {
            let text = found.expect_err("it is refused").to_string();
            assert!(text.starts_with(due), "{text}");
        }
        Outcome::Differs(_) => {}
    }
}

/// `old` and `new` are types, declared in brackets or not, each with a value. `forth` is what the
/// new reader makes of the old value, `back` what the old reader makes of the new one.
macro_rules! case {
    ($name:ident
        old $old:tt = $old_value:expr;
        new $new:tt = $new_value:expr;
        forth $forth:ident $forth_due:expr;
        back $back:ident $back_due:expr;
    ) => {
        mod $name {
            mod old {
                #[allow(unused_imports)]
                use crate::check::prelude::*;
                crate::check::declared!($old);
                pub(super) fn value() -> T {
                    $old_value
                }
                pub(super) fn expected() -> Outcome<T> {
                    Outcome::$back($back_due)
                }
            }
            mod new {
                #[allow(unused_imports)]
                use crate::check::prelude::*;
                crate::check::declared!($new);
                pub(super) fn value() -> T {
                    $new_value
                }
                pub(super) fn expected() -> Outcome<T> {
                    Outcome::$forth($forth_due)
                }
            }

            #[test]
            fn forth() {
                crate::check::check(&old::value(), new::expected());
            }

            #[test]
            fn back() {
                crate::check::check(&new::value(), old::expected());
            }
        }
    };
}

/// The type `T` of a case: `(u8)`, or declarations in braces.
macro_rules! declared {
    (($type:ty)) => {
        pub(super) type T = $type;
    };
    ({ $($item:item)* }) => {
        $(
            #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
            #[derive(serde::Serialize, serde::Deserialize, farlens_macros::Schema)]
            #[farlens(crate = "farlens_wire::schema")]
            $item
        )*
    };
}

pub(crate) use {case, declared};

pub(crate) mod prelude {
    pub(crate) use super::Outcome;
    pub(crate) use bytes::Bytes;
    pub(crate) use std::collections::{BTreeMap, BTreeSet};
}
