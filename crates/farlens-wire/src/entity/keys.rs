//! Which values may be keys, and whether all keys of a map differ.

#![expect(clippy::disallowed_types, reason = "asked for membership only, never walked")]

use super::Entity;
use std::collections::HashSet;
use std::hash::Hash;

/// Up to this many keys each pair is compared, which beats hashing.
const FEW: usize = 8;

/// Whether `value` may be the key of a map.
pub(crate) fn is_key(value: &Entity) -> bool {
    Key::new(value).is_some()
}

/// Whether two keys are the same. Takes time linear in their number. Values that are no keys are
/// not compared.
pub(crate) fn has_duplicate(entries: &[(Entity, Entity)]) -> bool {
    repeats(entries.iter().filter_map(|(key, _)| Key::new(key)))
}

/// Whether two of the names are the same. Takes time linear in their number.
pub(crate) fn has_duplicate_name<T>(named: &[(String, T)]) -> bool {
    repeats(named.iter().map(|(name, _)| name.as_str()))
}

/// Whether two of the keys are the same. Takes time linear in their number.
pub(crate) fn repeats<K: Hash + Eq>(keys: impl Iterator<Item = K> + Clone) -> bool {
    let many = keys.size_hint().1.unwrap_or(usize::MAX);
    if many <= FEW {
        let mut rest = keys;
        while let Some(key) = rest.next() {
            if rest.clone().any(|other| other == key) {
                return true;
            }
        }
        return false;
    }
    let mut seen = HashSet::with_capacity(many);
    !keys.into_iter().all(|key| seen.insert(key))
}

/// A value that may be a key, with floats as bits.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Null,
    Bool(bool),
    Int(i128),
    F32(u32),
    F64(u64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Time(i64),
}

impl<'a> Key<'a> {
    fn new(value: &'a Entity) -> Option<Self> {
        Some(match value {
            Entity::Null => Self::Null,
            Entity::Bool(value) => Self::Bool(*value),
            Entity::Int(value) => Self::Int(*value),
            Entity::F32(value) if !value.is_nan() => Self::F32(value.to_bits()),
            Entity::F64(value) if !value.is_nan() => Self::F64(value.to_bits()),
            Entity::Text(text) => Self::Text(text),
            Entity::Bytes(bytes) => Self::Bytes(bytes),
            Entity::Time(ns) => Self::Time(*ns),
            _ => return None,
        })
    }
}
