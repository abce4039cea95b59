//! [`Entity`] as part of other values: canonical bytes for our own encoder, the natural form for
//! any other.
//!
//! Both meet in a newtype structure with a private name. Another format sees through it and gets
//! plain values: an int, a list, bytes as base64 and times as RFC 3339 where the format is text.
//! Our own encoder and decoder know the name. They answer the question whether they are readable
//! by humans with yes, no, yes; no honest format changes its answer, so this tells them apart
//! without naming their types, which serde does not allow.

use super::{Base64, Entity, Output, Rfc3339, decode_one};
use crate::read::Reader;
use crate::reference::desk;
use crate::{Budget, DecodeError, Reference};
use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::fmt;

/// The name of the newtype structure around an entity.
pub(crate) const ENTITY_NAME: &str = "$farlens::Entity";

/// What serde_json presents instead of a number when it keeps all digits.
const JSON_NUMBER: &str = "$serde_json::private::Number";

/// The changing answer of our own encoder and decoder.
#[derive(Default)]
pub(crate) struct Handshake(Cell<bool>);

impl Handshake {
    pub(crate) fn answer(&self) -> bool {
        self.0.replace(!self.0.get())
    }

    /// Whether `ask` is answered by a handshake.
    pub(crate) fn test(ask: impl Fn() -> bool) -> bool {
        let first = ask();
        ask() != first && ask() == first
    }
}

impl Serialize for Entity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(ENTITY_NAME, &Inside(self))
    }
}

struct Inside<'a>(&'a Entity);

impl Serialize for Inside<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !Handshake::test(|| serializer.is_human_readable()) {
            return natural(self.0, serializer);
        }
        // The encoder knows how many levels surround this value and checks the sum.
        let (mut bytes, mut table) = (Vec::new(), Vec::new());
        let mut output = Output { bytes: &mut bytes, references: &mut table };
        super::encode_nested(self.0, crate::typed::ENCODE_DEPTH, &mut output)
            .map_err(serde::ser::Error::custom)?;
        if table.is_empty() {
            return serializer.serialize_bytes(&bytes);
        }
        // Indices depend on what the encoder has met before, so it encodes the value itself.
        let ticket = desk::leave(self.0.clone());
        serializer.serialize_u64(ticket.number())
    }
}

fn natural<S: Serializer>(entity: &Entity, serializer: S) -> Result<S::Ok, S::Error> {
    match entity {
        Entity::Null => serializer.serialize_unit(),
        Entity::Bool(value) => serializer.serialize_bool(*value),
        Entity::Int(value) => int(*value, serializer),
        Entity::F32(value) => serializer.serialize_f32(*value),
        Entity::F64(value) => serializer.serialize_f64(*value),
        Entity::Text(text) => serializer.serialize_str(text),
        Entity::Bytes(bytes) if serializer.is_human_readable() => {
            serializer.collect_str(&Base64(bytes))
        }
        Entity::Bytes(bytes) => serializer.serialize_bytes(bytes),
        Entity::List(items) => serializer.collect_seq(items),
        Entity::Map(entries) => {
            serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
        }
        Entity::Record { fields, .. } => {
            serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
        }
        Entity::Tagged { tag, value } => {
            let mut map = serializer.serialize_map(Some(2))?;
            map.serialize_entry("tag", tag)?;
            map.serialize_entry("value", value)?;
            map.end()
        }
        Entity::Time(ns) if serializer.is_human_readable() => serializer.collect_str(&Rfc3339(*ns)),
        Entity::Time(ns) => serializer.serialize_i64(*ns),
        Entity::Reference(_) => {
            Err(serde::ser::Error::custom("a reference has no meaning outside a link"))
        }
    }
}

/// The smallest of serde's integers that fits, since few formats know the largest.
fn int<S: Serializer>(value: i128, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(value) = i64::try_from(value) {
        serializer.serialize_i64(value)
    } else if let Ok(value) = u64::try_from(value) {
        serializer.serialize_u64(value)
    } else {
        serializer.serialize_i128(value)
    }
}

impl<'de> Deserialize<'de> for Entity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ENTITY_NAME, Natural)
    }
}

/// Takes the canonical encoding.
struct Canonical;

impl Visitor<'_> for Canonical {
    type Value = Entity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an encoded value")
    }

    /// The decoder hands out only bytes that it has decoded once under its own budget, which serde
    /// gives no way to pass along.
    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Entity, E> {
        super::decode::decode_all(bytes, &[], &mut Budget::spent_before()).map_err(E::custom)
    }

    /// A value with references lies on the desk, decoded.
    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Entity, E> {
        desk::look(number).ok_or_else(|| E::custom(DecodeError::NoSuchReference))
    }
}

/// Decodes one value that takes up all of `bytes`, so that `budget` is charged for it, and returns
/// it if it has references.
pub(crate) fn charge(
    bytes: &[u8],
    table: &[Reference],
    budget: &mut Budget,
) -> Result<Option<Entity>, DecodeError> {
    let mut input = Reader::new(bytes);
    let value = decode_one(&mut input, table, budget)?;
    input.finish()?;
    Ok((!table.is_empty() && value.has_references()).then_some(value))
}

/// Takes whatever another format presents, and sees our own decoder behind the newtype structure.
struct Natural;

impl<'de> Visitor<'de> for Natural {
    type Value = Entity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Entity, E> {
        Ok(Entity::Null)
    }

    fn visit_none<E>(self) -> Result<Entity, E> {
        Ok(Entity::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Entity, D::Error> {
        Entity::deserialize(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Entity, D::Error> {
        if Handshake::test(|| inner.is_human_readable()) {
            inner.deserialize_bytes(Canonical)
        } else {
            inner.deserialize_any(self)
        }
    }

    fn visit_bool<E>(self, value: bool) -> Result<Entity, E> {
        Ok(Entity::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Entity, E> {
        Ok(Entity::Int(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Entity, E> {
        Ok(Entity::Int(i128::from(value)))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Entity, E> {
        Ok(Entity::Int(value))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Entity, E> {
        i128::try_from(value).map(Entity::Int).map_err(|_| E::custom(DecodeError::IntTooLarge))
    }

    fn visit_f32<E>(self, value: f32) -> Result<Entity, E> {
        Ok(Entity::F32(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Entity, E> {
        Ok(Entity::F64(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Entity, E> {
        Ok(Entity::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Entity, E> {
        Ok(Entity::Text(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Entity, E> {
        Ok(Entity::Bytes(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Entity, E> {
        Ok(Entity::Bytes(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entity, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Entity::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entity, A::Error> {
        let mut entries: Vec<(Entity, Entity)> = Vec::new();
        while let Some(key) = map.next_key::<Entity>()? {
            if entries.is_empty() && matches!(&key, Entity::Text(text) if text == JSON_NUMBER) {
                return number(&map.next_value::<String>()?);
            }
            if !super::is_key(&key) {
                return Err(serde::de::Error::custom(DecodeError::BadKey));
            }
            entries.push((key, map.next_value()?));
        }
        if super::has_duplicate(&entries) {
            return Err(serde::de::Error::custom(DecodeError::DuplicateKey));
        }
        Ok(Entity::Map(entries))
    }
}

/// An int where there is neither point nor exponent.
fn number<E: serde::de::Error>(digits: &str) -> Result<Entity, E> {
    if digits.contains(['.', 'e', 'E']) {
        let value: f64 = digits.parse().map_err(E::custom)?;
        return if value.is_finite() {
            Ok(Entity::F64(value))
        } else {
            Err(E::custom("a number is too large"))
        };
    }
    digits.parse().map(Entity::Int).map_err(|_| E::custom(DecodeError::IntTooLarge))
}
