//! Values that travel by reference: what is sent is an index into a table beside the value.
//!
//! What a reference stands for is nobody's business here. It passes through serde as a newtype
//! structure with a private name around a number that means something only while the call lasts:
//! the thing itself waits on the [`desk`] for whoever picks it up. So a reference can be part of
//! any type that serde knows, and no other format can take it for a number.

use crate::entity::Handshake;
use crate::{DecodeError, EncodeError, Limits};
use serde::de::{Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The name of the newtype structure around a reference.
pub(crate) const REFERENCE_NAME: &str = "$farlens::Reference";

/// A thing that is passed by reference, shared by all clones.
///
/// Two references are equal when they are clones of each other.
#[derive(Clone)]
pub struct Reference(Arc<Target>);

struct Target {
    number: u64,
    thing: Box<dyn Any + Send + Sync>,
}

impl Reference {
    /// A reference to `thing`, which lives as long as a clone of the reference does.
    pub fn new(thing: impl Any + Send + Sync) -> Self {
        // Identity only: nothing depends on which number it is.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Target { number, thing: Box::new(thing) }))
    }

    /// A number that differs from those of all other references of the process.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// The same without keeping the thing alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakReference {
        WeakReference(Arc::downgrade(&self.0))
    }

    /// The thing, if it is a `T`.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.thing.downcast_ref()
    }
}

/// A reference that keeps nothing alive.
#[derive(Clone)]
pub struct WeakReference(Weak<Target>);

impl WeakReference {
    /// The reference, while a clone of it lives.
    #[must_use]
    pub fn upgrade(&self) -> Option<Reference> {
        self.0.upgrade().map(Reference)
    }
}

impl fmt::Debug for WeakReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("weak reference")
    }
}

impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl Eq for Reference {}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reference {}", self.number())
    }
}

/// The index of `reference` in `table`, which it is added to if it is not there.
pub(crate) fn index_in(
    table: &mut Vec<Reference>,
    reference: &Reference,
) -> Result<u64, EncodeError> {
    let known = table.iter().position(|other| other == reference);
    let index = known.unwrap_or(table.len());
    if known.is_none() {
        if table.len() >= Limits::REFERENCES {
            return Err(EncodeError::References);
        }
        table.push(reference.clone());
    }
    Ok(index as u64)
}

/// The reference with an index that came from outside.
pub(crate) fn at_index(table: &[Reference], index: u64) -> Result<&Reference, DecodeError> {
    let index = usize::try_from(index).map_err(|_| DecodeError::NoSuchReference)?;
    table.get(index).ok_or(DecodeError::NoSuchReference)
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(REFERENCE_NAME, &Inside(self))
    }
}

struct Inside<'a>(&'a Reference);

impl Serialize for Inside<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !Handshake::test(|| serializer.is_human_readable()) {
            return Err(serde::ser::Error::custom("a reference has no meaning outside a link"));
        }
        let ticket = desk::leave(self.0.clone());
        serializer.serialize_u64(ticket.number())
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(REFERENCE_NAME, Outside)
    }
}

struct Outside;

impl<'de> Visitor<'de> for Outside {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference on a link")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Reference, D::Error> {
        if !Handshake::test(|| inner.is_human_readable()) {
            return Err(serde::de::Error::custom("a reference has no meaning outside a link"));
        }
        inner.deserialize_u64(Number)
    }
}

/// Takes the number of what lies on the desk.
struct Number;

impl Visitor<'_> for Number {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference on a link")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Reference, E> {
        desk::look(number).ok_or_else(|| E::custom(DecodeError::NoSuchReference))
    }
}

/// Hands out the number of a thing on the desk after a handshake.
pub(crate) struct OnDesk {
    ticket: desk::Ticket,
    sign: Handshake,
}

impl OnDesk {
    pub(crate) fn new<T: Any + Send>(thing: T) -> Self {
        Self { ticket: desk::leave(thing), sign: Handshake::default() }
    }
}

impl<'de> Deserializer<'de> for OnDesk {
    type Error = DecodeError;

    fn is_human_readable(&self) -> bool {
        self.sign.answer()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_u64(self.ticket.number())
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// Where things lie while serde carries their number from one side to the other.
pub(crate) mod desk {
    use std::any::Any;
    use std::collections::BTreeMap;
    use std::sync::PoisonError;

    #[expect(clippy::disallowed_types, reason = "empty between calls: who comes first is the same")]
    type Desk = std::sync::Mutex<(u64, BTreeMap<u64, Box<dyn Any + Send>>)>;

    static DESK: Desk = Desk::new((0, BTreeMap::new()));

    /// Takes the thing away again.
    pub(crate) struct Ticket(u64);

    impl Ticket {
        pub(crate) const fn number(&self) -> u64 {
            self.0
        }
    }

    impl Drop for Ticket {
        fn drop(&mut self) {
            let thing = DESK.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.0);
            // It may be anything, so it is dropped without the lock.
            drop(thing);
        }
    }

    /// Puts a thing down.
    pub(crate) fn leave<T: Any + Send>(thing: T) -> Ticket {
        let mut desk = DESK.lock().unwrap_or_else(PoisonError::into_inner);
        desk.0 = desk.0.wrapping_add(1);
        let number = desk.0;
        desk.1.insert(number, Box::new(thing));
        Ticket(number)
    }

    /// A copy of the thing with that number.
    pub(crate) fn look<T: Any + Clone>(number: u64) -> Option<T> {
        let desk = DESK.lock().unwrap_or_else(PoisonError::into_inner);
        desk.1.get(&number)?.downcast_ref().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entity, typed};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        before: u8,
        first: Reference,
        list: Vec<Reference>,
        any: Entity,
    }

    fn reference(n: u32) -> Reference {
        Reference::new(n)
    }

    #[test]
    fn references_travel_as_indices_and_come_back_as_themselves() {
        let (a, b) = (reference(1), reference(2));
        let any = Entity::List(vec![Entity::Reference(b.clone()), Entity::Int(5)]);
        let value = Holder { before: 7, first: a.clone(), list: vec![b.clone(), a.clone()], any };
        let (mut out, mut table) = (Vec::new(), Vec::new());
        typed::encode_with(&value, &mut out, &mut table).expect("it can be encoded");
        assert_eq!(table, [a, b]);
        assert_eq!(out, [7, 0, 2, 1, 0, 6, 8, 2, 13, 1, 3, 10]);
        let back: Holder =
            typed::decode_with(&out, &table, &Limits::default()).expect("it is ours");
        assert_eq!(back, value);
        assert_eq!(back.first.get::<u32>(), Some(&1));
    }

    #[test]
    fn a_reference_needs_a_table() {
        let mut out = Vec::new();
        let value = reference(1);
        assert_eq!(typed::encode(&value, &mut out), Err(EncodeError::ReferenceMisplaced));
        assert!(out.is_empty());
        let decoded = typed::decode::<Reference>(&[0], &Limits::default());
        assert_eq!(decoded, Err(DecodeError::NoSuchReference));
        let table = [value];
        let decoded = typed::decode_with::<Reference>(&[1], &table, &Limits::default());
        assert_eq!(decoded, Err(DecodeError::NoSuchReference));
        let decoded = typed::decode_with::<u64>(&[0], &table, &Limits::default());
        assert_eq!(decoded, Ok(0), "what is no reference is not resolved");
    }

    #[test]
    fn a_table_has_an_end() {
        let all: Vec<_> = (0..=128).map(reference).collect();
        let (mut out, mut table) = (Vec::new(), Vec::new());
        assert_eq!(typed::encode_with(&all[..128], &mut out, &mut table), Ok(()));
        assert_eq!(table.len(), Limits::REFERENCES);
        table.clear();
        let outcome = typed::encode_with(&all, &mut Vec::new(), &mut table);
        assert_eq!(outcome, Err(EncodeError::References));
    }

    #[test]
    fn other_formats_get_no_references() {
        let error = serde_json::to_string(&reference(1)).expect_err("it is refused").to_string();
        assert!(error.contains("outside a link"), "{error}");
        let error = serde_json::from_str::<Reference>("7").expect_err("it is refused").to_string();
        assert!(error.contains("outside a link"), "{error}");
        assert!(postcard::to_stdvec(&reference(1)).is_err());
    }

    #[test]
    fn the_thing_lives_as_long_as_a_clone() {
        let count = Arc::new(());
        let value = Reference::new(Arc::clone(&count));
        let (mut out, mut table) = (Vec::new(), Vec::new());
        typed::encode_with(&value, &mut out, &mut table).expect("it can be encoded");
        drop(value);
        assert_eq!(Arc::strong_count(&count), 2);
        let back: Reference = typed::decode_with(&out, &table, &Limits::default()).expect("ours");
        drop(table);
        assert_eq!(Arc::strong_count(&count), 2);
        drop(back);
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
